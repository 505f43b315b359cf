"""What is stored is the same on SQLite and PostgreSQL."""

from tests.hub.databases import database

__all__ = ["database"]
