"""The ledger, its head, the policies in force and the state of each model.

MySQL and MariaDB commit with every statement that makes a table, so a process that is killed in the middle leaves some
of them behind: each step finds out first whether it was done. Our tables there compare letter by letter and hold every
character, whatever the database's default: two policies whose names differ in case are two, and a comment may smile.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "r0001"
down_revision = None

_long = sa.Text().with_variant(sa.dialects.mysql.LONGTEXT(), "mysql")
_LETTER_BY_LETTER: dict[str, Any] = {
    "mysql_charset": "utf8mb4",
    "mysql_collate": "utf8mb4_bin",
    "mysql_engine": "InnoDB",
}


def upgrade() -> None:
    _make(
        "registry_hooks_ledger",
        sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("model", sa.String(256)),
        sa.Column("action", sa.String(32), nullable=False),
        sa.Column("entry", _long, nullable=False),
        sa.Column("leaf_hash", sa.String(64), nullable=False),
    )
    indexes = {index["name"] for index in sa.inspect(op.get_bind()).get_indexes("registry_hooks_ledger")}
    if "registry_hooks_ledger_model" not in indexes:
        op.create_index("registry_hooks_ledger_model", "registry_hooks_ledger", ["model", "seq"])
    _make(
        "registry_hooks_head",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("frontier", sa.Text, nullable=False),
    )
    head = sa.table("registry_hooks_head", sa.column("id"), sa.column("size"), sa.column("frontier"))
    if op.get_bind().execute(sa.select(head.c.id)).first() is None:
        op.bulk_insert(head, [{"id": 1, "size": 0, "frontier": ""}])
    _make(
        "registry_hooks_policies",
        sa.Column("name", sa.String(256), primary_key=True),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("text", _long, nullable=False),
        sa.Column("applied_by", sa.String(256), nullable=False),
        sa.Column("applied_at", sa.String(40), nullable=False),
    )
    _make(
        "registry_hooks_models",
        sa.Column("model", sa.String(256), primary_key=True),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.Column("state", _long, nullable=False),
    )


def downgrade() -> None:
    raise NotImplementedError("an audit log is not dropped by a migration; restore a backup instead")


def _make(name: str, *columns: sa.Column[Any]) -> None:
    if not sa.inspect(op.get_bind()).has_table(name):
        op.create_table(name, *columns, **_LETTER_BY_LETTER)
