"""Which databases can be governed, and how an address says that its registry is. Light to import."""

from typing import Final

SCHEME: Final = "governed:"
"""Before the database's own address, where MLflow is told the address of its registry."""
DATABASES: Final = ("sqlite", "postgresql", "mysql")
"""As SQLAlchemy's dialects are called: those in which rows can be locked while a decision is made."""
