"""Calls whose rows are read in parts, and are never all in memory."""
