"""Rows that come in parts, with what a model says of them."""
