"""From Summaries and a config to Evidence."""
