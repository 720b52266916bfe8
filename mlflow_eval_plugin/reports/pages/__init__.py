"""Whole pages: of one document, of several, of what changed between two, and of many over time."""
