"""How calibration is measured: curves, errors, slopes and tests, of all rows, of slices and since a reference."""
