"""Word that leaves the house: how each kind of target is told, and the courier that sees to it that all are."""
