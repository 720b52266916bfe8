"""What a decision rests on: the model as the ledger has it, Evidence as it was nominated, files that stay."""
