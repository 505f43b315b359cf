"""What is stored is the same on SQLite and PostgreSQL."""

import pytest

from tests.hub.databases import SQLITE, database

__all__ = ["database"]


@pytest.fixture
def empty_url(request, database, tmp_path):
    """The URL of a database without tables."""
    return f"sqlite:///{tmp_path / 'empty.sqlite'}" if database == SQLITE else request.getfixturevalue("postgres_url")
