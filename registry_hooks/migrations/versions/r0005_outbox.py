"""Who does the work beside requests, whom changes are told to and how far, and what is told that is no ledger entry."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "r0005"
down_revision = "r0004"

_long = sa.Text().with_variant(sa.dialects.mysql.LONGTEXT(), "mysql")


def upgrade() -> None:
    _background()
    _make(
        "registry_hooks_notices",
        sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("said", sa.String(80), nullable=False),
        sa.Column("model", sa.String(256)),
        sa.Column("event", sa.String(32), nullable=False),
        sa.Column("body", _long, nullable=False),
        unique="said",
    )
    _make(
        "registry_hooks_targets",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("name", sa.String(80), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("address", sa.Text, nullable=False),
        sa.Column("sealed", _long),
        sa.Column("chosen", _long, nullable=False),
        sa.Column("added_by", sa.String(256), nullable=False),
        sa.Column("added_at", sa.String(40), nullable=False),
        sa.Column("ledger_to", sa.BigInteger, nullable=False),
        sa.Column("notices_to", sa.BigInteger, nullable=False),
        *_failing(),
        unique="name",
    )
    _make(
        "registry_hooks_held",
        sa.Column("target", sa.String(64), primary_key=True),
        sa.Column("stream", sa.String(8), primary_key=True),
        sa.Column("scope", sa.String(256), primary_key=True),
        sa.Column("done_to", sa.BigInteger, nullable=False),
        *_failing(since_known=True),
    )


def _background() -> None:
    _make(
        "registry_hooks_background",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("owner", sa.String(64), nullable=False),
        sa.Column("beat", sa.BigInteger, nullable=False),
        sa.Column("notices", sa.BigInteger, nullable=False),
    )
    names = ("id", "owner", "beat", "notices")
    background = sa.table("registry_hooks_background", *map(sa.column, names))
    if op.get_bind().execute(sa.select(background.c.id)).first() is None:
        op.bulk_insert(background, [{"id": 1, "owner": "", "beat": 0, "notices": 0}])


def _failing(*, since_known: bool = False) -> list[sa.Column[Any]]:
    return [
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("failing_since", sa.BigInteger, nullable=not since_known),
        sa.Column("retry_at", sa.BigInteger, nullable=False),
        sa.Column("error", sa.Text, nullable=False),
    ]


def _make(table: str, *columns: sa.Column[Any], unique: str = "") -> None:
    if not sa.inspect(op.get_bind()).has_table(table):  # MySQL and MariaDB commit with every statement of this kind
        op.create_table(table, *columns, mysql_charset="utf8mb4", mysql_collate="utf8mb4_bin", mysql_engine="InnoDB")
    if unique and f"{table}_{unique}" not in {i["name"] for i in sa.inspect(op.get_bind()).get_indexes(table)}:
        op.create_index(f"{table}_{unique}", table, [unique], unique=True)


def downgrade() -> None:
    raise NotImplementedError("what has been told to whom is not forgotten by a migration; restore a backup instead")
