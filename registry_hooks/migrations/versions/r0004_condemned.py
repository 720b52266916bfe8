"""What is condemned, by the digest of what it is made of: it is asked for across models."""

import sqlalchemy as sa
from alembic import op

revision = "r0004"
down_revision = "r0003"

TABLE, INDEX = "registry_hooks_condemned", "registry_hooks_condemned_content"


def upgrade() -> None:
    if not sa.inspect(op.get_bind()).has_table(TABLE):  # MySQL and MariaDB commit with every statement of this kind
        op.create_table(
            TABLE,
            sa.Column("model", sa.String(256), primary_key=True),
            sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
            sa.Column("at", sa.String(40), nullable=False),
            sa.Column("content", sa.String(80)),
            mysql_charset="utf8mb4",
            mysql_collate="utf8mb4_bin",
            mysql_engine="InnoDB",
        )
    if INDEX not in {index["name"] for index in sa.inspect(op.get_bind()).get_indexes(TABLE)}:
        op.create_index(INDEX, TABLE, ["content"])


def downgrade() -> None:
    raise NotImplementedError("what is condemned is not forgotten by a migration; restore a backup instead")
