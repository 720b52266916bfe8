"""Pictures in a page, as inline SVG, and what goes into each."""
