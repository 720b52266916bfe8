"""What versions rest on: the runs and the places that hold their files and their Evidence."""

import sqlalchemy as sa
from alembic import op

revision = "r0003"
down_revision = "r0002"

_long = sa.Text().with_variant(sa.dialects.mysql.LONGTEXT(), "mysql")
TABLE = "registry_hooks_rests"


def upgrade() -> None:
    inspector = sa.inspect(op.get_bind())
    if not inspector.has_table(TABLE):  # MySQL and MariaDB commit with every statement that makes a table
        op.create_table(
            TABLE,
            sa.Column("model", sa.String(256), primary_key=True),
            sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
            sa.Column("digest", sa.String(64), primary_key=True),
            sa.Column("run", sa.String(64), nullable=False),
            sa.Column("place", sa.String(700), nullable=False),
            sa.Column("paths", _long),
            mysql_charset="utf8mb4",
            mysql_collate="utf8mb4_bin",
            mysql_engine="InnoDB",
        )
    there = {index["name"] for index in sa.inspect(op.get_bind()).get_indexes(TABLE)}
    for column in ("run", "place"):
        if f"{TABLE}_{column}" not in there:
            op.create_index(f"{TABLE}_{column}", TABLE, [column])


def downgrade() -> None:
    raise NotImplementedError("what serves is not left without its guard by a migration; restore a backup instead")
