"""What waits for people, across all models: an inbox reads it."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.mysql import LONGTEXT

revision = "r0008"
down_revision = "r0007"

TABLE = "registry_hooks_waiting"
INDEXES = {f"{TABLE}_policy": ["kind", "policy", "until"], f"{TABLE}_who": ["who", "until"]}


def upgrade() -> None:
    if not sa.inspect(op.get_bind()).has_table(TABLE):  # MySQL and MariaDB commit with every statement of this kind
        op.create_table(
            TABLE,
            sa.Column("model", sa.String(256), primary_key=True),
            sa.Column("item", sa.String(64), primary_key=True),
            sa.Column("kind", sa.String(16), nullable=False),
            sa.Column("who", sa.String(256), nullable=False),
            sa.Column("policy", sa.String(80), nullable=False),
            sa.Column("until", sa.String(40), nullable=False),
            sa.Column("barred", sa.Text().with_variant(LONGTEXT(), "mysql"), nullable=False),
            sa.Column("signed", sa.Text().with_variant(LONGTEXT(), "mysql"), nullable=False),
            mysql_charset="utf8mb4",
            mysql_collate="utf8mb4_bin",
            mysql_engine="InnoDB",
        )
    there = {index["name"] for index in sa.inspect(op.get_bind()).get_indexes(TABLE)}
    for name, columns in INDEXES.items():
        if name not in there:
            op.create_index(name, TABLE, columns)


def downgrade() -> None:
    raise NotImplementedError("what waits is not forgotten by a migration; restore a backup instead")
