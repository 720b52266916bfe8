"""The pages on which people look up what was decided and by which rules: the log, policies, keys and loans."""
