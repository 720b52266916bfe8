"""Rows of two classes into Summaries."""
