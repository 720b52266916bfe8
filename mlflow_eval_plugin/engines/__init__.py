"""Rows in, Summaries out: the only place that knows data frames."""
