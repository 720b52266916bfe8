"""What the ledger's entries add up to: their Merkle tree, and the folds of accounts, keys and delegations."""
