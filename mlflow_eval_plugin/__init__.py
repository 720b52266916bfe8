"""MLflow evaluators whose reports are Evidence: calibration, disaggregated and drift, with three-valued verdicts."""
