"""How calibration is measured: curves, errors, slopes and tests, of rows and of slices."""
