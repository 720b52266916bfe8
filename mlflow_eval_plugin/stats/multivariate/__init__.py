"""Drift of all columns together: what no column shows by itself."""
