"""Pictures: inline SVG for pages, PNG files for runs and slides."""
