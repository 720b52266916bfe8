"""The first pass: what has to be known of all rows before they are counted by a plan."""
