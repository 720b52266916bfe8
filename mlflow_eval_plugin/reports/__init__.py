"""From Evidence, and nothing else, to pages and pictures."""
