"""The files of nominated versions, and states that hold what rules now ask for."""

import sqlalchemy as sa
from alembic import op

revision = "r0002"
down_revision = "r0001"

_long = sa.Text().with_variant(sa.dialects.mysql.LONGTEXT(), "mysql")


def upgrade() -> None:
    if sa.inspect(op.get_bind()).has_table("registry_hooks_manifests"):
        return  # MySQL and MariaDB commit with every statement that makes a table
    op.create_table(
        "registry_hooks_manifests",
        sa.Column("model", sa.String(256), primary_key=True),
        sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("digest", sa.String(80), nullable=False),
        sa.Column("files", _long, nullable=False),
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        mysql_engine="InnoDB",
    )


def downgrade() -> None:
    raise NotImplementedError("what was approved is not dropped by a migration; restore a backup instead")
