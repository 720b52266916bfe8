"""Calibration of a regression: of the mean, of quantiles, and since a reference."""
