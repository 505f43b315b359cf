from tests.hub.databases import database  # noqa: F401 - a fixture
