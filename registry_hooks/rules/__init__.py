"""What decides: pure functions of the records, which do no I/O and know no clock and no MLflow."""
