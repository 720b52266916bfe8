"""Four eyes: who people are, who has a stake, and whose signature counts."""
