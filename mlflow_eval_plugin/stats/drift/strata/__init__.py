"""Columns slice by slice: how far each slice moved, and what of a move is another mix of the slices."""
