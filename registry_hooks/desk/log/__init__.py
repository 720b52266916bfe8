"""Checkpoints of the log, and proofs of what is in it."""
