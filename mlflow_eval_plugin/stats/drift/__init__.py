"""Columns against those of a reference: their Summaries, distances and hints."""
