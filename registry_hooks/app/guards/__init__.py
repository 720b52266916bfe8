"""What a request is held against before MLflow reads it: sizes, doubles, origins, workspaces and powers."""
