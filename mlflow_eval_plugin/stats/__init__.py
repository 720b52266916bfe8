"""Numbers from Summaries: numpy and scipy only."""
