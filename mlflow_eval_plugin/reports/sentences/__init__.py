"""What a page says in words: verdicts, findings, names of slices, and their order."""
