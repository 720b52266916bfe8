"""Variables by which an operator sets how a server is watched; options of ``registry-hooks server`` set them."""

from __future__ import annotations

LOG_FORMAT = "REGISTRY_HOOKS_LOG_FORMAT"
"""``json`` for lines of JSON; anything else for MLflow's own."""

METRICS_TOKEN_FILE = "REGISTRY_HOOKS_METRICS_TOKEN_FILE"
"""A file with the token that a scraper of metrics sends; several lines while one is replaced by another."""

SHARED_NUMBERS = "PROMETHEUS_MULTIPROC_DIR"
"""The folder in which workers of one host count together, as prometheus_client knows it."""
