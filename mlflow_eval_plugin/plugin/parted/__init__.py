"""How the rows of each task are read that come in parts: a module for each."""
