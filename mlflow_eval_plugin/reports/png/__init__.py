"""PNG files beside the pages, for runs and slides: matplotlib without its global state."""
