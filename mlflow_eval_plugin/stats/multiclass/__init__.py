"""Three or more classes: Summaries, the metrics made from them, and each kind of report."""
