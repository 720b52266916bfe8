"""What a call leaves in the run, and tells whoever waits for it."""
