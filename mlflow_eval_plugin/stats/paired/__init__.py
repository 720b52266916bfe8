"""Two models on the same rows: how quantities differ, with limits that use the pairs."""
