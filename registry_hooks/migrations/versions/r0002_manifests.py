"""The files of nominated versions, and states that hold what rules now ask for."""

import sqlalchemy as sa
from alembic import op

revision = "r0002"
down_revision = "r0001"

_long = sa.Text().with_variant(sa.dialects.mysql.LONGTEXT(), "mysql")


def upgrade() -> None:
    op.create_table(
        "registry_hooks_manifests",
        sa.Column("model", sa.String(256), primary_key=True),
        sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("digest", sa.String(80), nullable=False),
        sa.Column("files", _long, nullable=False),
    )


def downgrade() -> None:
    raise NotImplementedError("what was approved is not dropped by a migration; restore a backup instead")
