"""Rows of a regression into Summaries."""
