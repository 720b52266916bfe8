"""What a user may set: one module for each evaluator, and what they share."""
