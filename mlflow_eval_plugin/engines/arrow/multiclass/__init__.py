"""Rows of three or more classes into Summaries."""
