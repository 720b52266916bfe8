"""States as they were when the entries that they were folded from were purged."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.mysql import LONGTEXT

revision = "r0007"
down_revision = "r0006"

TABLE = "registry_hooks_snapshots"


def upgrade() -> None:
    if not sa.inspect(op.get_bind()).has_table(TABLE):  # MySQL and MariaDB commit with every statement of this kind
        op.create_table(
            TABLE,
            sa.Column("model", sa.String(256), primary_key=True),
            sa.Column("seq", sa.BigInteger, nullable=False),
            sa.Column("state", sa.Text().with_variant(LONGTEXT(), "mysql"), nullable=False),
            mysql_charset="utf8mb4",
            mysql_collate="utf8mb4_bin",
            mysql_engine="InnoDB",
        )


def downgrade() -> None:
    raise NotImplementedError("what was purged is known by its snapshots alone; restore a backup instead")
