"""What is claimed of columns that are looked at together."""
