"""Tables: their cells, and which tables each kind and task has."""
