"""The evaluators of a regression."""
