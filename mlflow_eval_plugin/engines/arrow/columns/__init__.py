"""What columns hold, however it is held: plain values, codes, levels and bands; and what they must not hold."""
