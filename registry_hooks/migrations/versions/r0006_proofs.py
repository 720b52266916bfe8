"""Hashes of the log's tree above its entries, from which proofs are made, and the checkpoints that were signed."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.mysql import LONGTEXT

revision = "r0006"
down_revision = "r0005"

NODES, CHECKPOINTS = "registry_hooks_nodes", "registry_hooks_checkpoints"
OF_MYSQL: dict[str, Any] = {"mysql_charset": "utf8mb4", "mysql_collate": "utf8mb4_bin", "mysql_engine": "InnoDB"}


def upgrade() -> None:
    there = sa.inspect(op.get_bind())
    if not there.has_table(NODES):  # MySQL and MariaDB commit with every statement of this kind
        op.create_table(
            NODES,
            sa.Column("level", sa.Integer, primary_key=True, autoincrement=False),
            sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
            sa.Column("hash", sa.String(64), nullable=False),
            **OF_MYSQL,
        )
    if not there.has_table(CHECKPOINTS):
        op.create_table(
            CHECKPOINTS,
            sa.Column("size", sa.BigInteger, primary_key=True, autoincrement=False),
            sa.Column("at", sa.String(40), nullable=False),
            sa.Column("vkey", sa.Text, nullable=False),
            sa.Column("note", sa.Text().with_variant(LONGTEXT(), "mysql"), nullable=False),
            **OF_MYSQL,
        )


def downgrade() -> None:
    raise NotImplementedError("checkpoints are not forgotten by a migration; restore a backup instead")
