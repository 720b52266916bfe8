"""Alembic environment: runs on the connection that the ledger hands over, with a version table of our own."""

from alembic import context

from registry_hooks.storage.schema import VERSION_TABLE, metadata

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=metadata, version_table=VERSION_TABLE)
with context.begin_transaction():
    context.run_migrations()
