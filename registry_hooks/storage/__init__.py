"""The only SQL, and the only reads of what MLflow keeps: runs, files and registry rows."""
