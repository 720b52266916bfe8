"""The ledger, its head, the policies in force and the state of each model."""

import sqlalchemy as sa
from alembic import op

revision = "r0001"
down_revision = None

_long = sa.Text().with_variant(sa.dialects.mysql.LONGTEXT(), "mysql")


def upgrade() -> None:
    op.create_table(
        "registry_hooks_ledger",
        sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("model", sa.String(256)),
        sa.Column("action", sa.String(32), nullable=False),
        sa.Column("entry", _long, nullable=False),
        sa.Column("leaf_hash", sa.String(64), nullable=False),
    )
    op.create_index("registry_hooks_ledger_model", "registry_hooks_ledger", ["model", "seq"])
    head = op.create_table(
        "registry_hooks_head",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("frontier", sa.Text, nullable=False),
    )
    op.bulk_insert(head, [{"id": 1, "size": 0, "frontier": ""}])
    op.create_table(
        "registry_hooks_policies",
        sa.Column("name", sa.String(256), primary_key=True),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("text", _long, nullable=False),
        sa.Column("applied_by", sa.String(256), nullable=False),
        sa.Column("applied_at", sa.String(40), nullable=False),
    )
    op.create_table(
        "registry_hooks_models",
        sa.Column("model", sa.String(256), primary_key=True),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.Column("state", _long, nullable=False),
    )


def downgrade() -> None:
    raise NotImplementedError("an audit log is not dropped by a migration; restore a backup instead")
