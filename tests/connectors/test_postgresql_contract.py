from __future__ import annotations

import pytest

from tests.connectors.postgres import Department, PostgresqlKind
from tests.contracts.connector_suite import ConnectorSuite
from tests.services.postgres import postgres, postgres_url

__all__ = ["postgres", "postgres_url"]


class TestPostgresql(ConnectorSuite):
    @pytest.fixture(autouse=True)
    def _department(self, postgres_url):
        self.source = PostgresqlKind(Department(postgres_url))
