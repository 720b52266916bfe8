"""What fits a drift: all causes that are shown, in the order in which to look at them."""
