"""The evaluators of two classes."""
