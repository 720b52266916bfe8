"""What a user gives as data, opened: files here or elsewhere, tables of any library, and data sets of MLflow."""
