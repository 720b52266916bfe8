"""Data quality: what of a column is no shift of the world, but a fault on the way."""
