"""The log as it is stored: rows that leave the house, and what a redaction or a purge does to them."""
