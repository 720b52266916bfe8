"""What the log's proofs rest on: its hashes, its checkpoints, the key that signs them, and copies outside."""
