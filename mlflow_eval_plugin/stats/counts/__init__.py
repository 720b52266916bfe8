"""What Summaries are made of: exact sums, tables of ranks, and the threads that count."""
