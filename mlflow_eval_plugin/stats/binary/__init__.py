"""Two classes: Summaries of scores, the metrics made from them, and each kind of report."""
