"""Estimates, their limits and verdicts: what all tasks have in common."""
