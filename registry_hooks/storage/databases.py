"""Which databases can be governed, and how an address says that its registry is. Light to import."""

from typing import Final

SCHEME: Final = "governed:"
"""Before the database's own address, where MLflow is told the address of its registry."""
DATABASES: Final = ("sqlite", "postgresql", "mysql")
"""As SQLAlchemy's dialects are called: those in which rows can be locked while a decision is made."""


def is_a_databases(uri: str) -> bool:
    """Whether an address is of such a database, governed or not, and not of files or of another server."""
    return uri.removeprefix(SCHEME).partition(":")[0].partition("+")[0] in DATABASES
