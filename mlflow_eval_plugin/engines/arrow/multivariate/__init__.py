"""Columns of two sides looked at together, on rows that are drawn by what they hold."""
