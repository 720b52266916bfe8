"""The evaluators of three or more classes."""
