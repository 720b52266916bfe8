"""Whom changes are told to, how far each has heard, and what is told that is no entry of the ledger."""
