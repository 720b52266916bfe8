"""The commands of `audit` about checkpoints, proofs and copies of the log."""
