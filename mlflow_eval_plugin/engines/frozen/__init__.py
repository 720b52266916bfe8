"""The engine of rows that are gone: what was once asked of them is answered from stored Summaries, and nothing else."""
