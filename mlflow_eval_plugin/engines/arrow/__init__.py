"""The engine that counts rows in memory."""
