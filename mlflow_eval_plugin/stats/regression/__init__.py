"""A regression: Summaries of exact sums, the metrics made from them, and each kind of report."""
