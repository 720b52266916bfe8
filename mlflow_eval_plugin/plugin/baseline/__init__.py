"""A reference that outlives its rows: ``freeze`` writes it into a run, and evaluators take it where they take rows."""
