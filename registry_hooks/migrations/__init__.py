"""Alembic migrations of the registry's own tables; MLflow's tables are MLflow's to migrate."""
