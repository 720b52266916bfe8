"""The gate over MLflow's model registry: champion-challenger pairs, human approvals, an audit log, rollback."""
