"""Rows in, Summaries out: ``contract`` is what may be asked of rows, and each further room is an engine that answers.

``arrow`` holds rows in memory. Only the doors know which engine there is; evaluators know the contract.
"""
