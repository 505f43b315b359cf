from tests.hub.databases import database

__all__ = ["database"]
