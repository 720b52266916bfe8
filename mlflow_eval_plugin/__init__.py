"""MLflow evaluators whose reports are Evidence: calibration, disaggregated, drift and comparison; three verdicts."""
