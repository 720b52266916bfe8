"""A session of Spark."""

from support.shards.spark_session import spark  # noqa: F401
