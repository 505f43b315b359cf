"""Upgrading from every earlier revision with data in it: what was stored then keeps its meaning."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from catalog.decide import Grant, decide
from hub.answers import access_request
from hub.control import Base, Caller, CaseRow, Control, ListVersion, UsageState
from hub.control.database import open_engine
from hub.migrations import configuration, upgrade
from hub.requests import Call, Purpose
from hub.standing import hash_key, read_grants
from tests.hub.world import CODE, IDS, MATTER, NOW, make_grant, make_list

REVISIONS = [script.revision for script in ScriptDirectory.from_config(configuration()).walk_revisions()][:0:-1]
KEY = "zt_" + "k" * 43
LIST = make_list()
# A grant as the first revision stored it, in the words of SQL alone: the models have grown since.
ROWS = {
    "list_versions": {
        "version": LIST.version,
        "status": "current",
        "published_at": NOW,
        "published_by": "hub-office",
        "log_index": 0,
        "plain": {"title": "清单", "resources": []},
    },
    "callers": {
        "id": "CAAAAAAAA",
        "department": "RS",
        "name": "window",
        "key_hash": hash_key(KEY),
        "key_prefix": KEY[:11],
        "created": NOW,
        "log_index": 1,
        "revoked_at": None,
        "revoked_log_index": None,
    },
    "grants": {
        "id": "G1",
        "consumer": "RS",
        "resource": CODE,
        "fields": ["citizen_id", "name"],
        "masks": [["name", "surname"]],
        "purposes": [MATTER],
        "actions": ["query", "verify"],
        "starts": datetime(2026, 3, 1, tzinfo=UTC),
        "expires": datetime(2026, 4, 1, tzinfo=UTC),
        "list_version": LIST.version,
        "ground": "《办法》第三条",
        "revoked_at": None,
        "given_by": "hub-office",
        "given_at": NOW,
        "log_index": 2,
        "revoked_by": None,
        "revoked_log_index": None,
    },
}


def insert(connection, table, row):
    """Plain SQL, with values in the form in which either database keeps them."""
    lite = connection.dialect.name == "sqlite"

    def stored(value):
        if isinstance(value, datetime):
            return value.replace(tzinfo=None).isoformat(" ") if lite else value
        return json.dumps(value, ensure_ascii=False) if isinstance(value, list | dict) else value

    names = ", ".join(f'"{name}"' for name in row)
    marks = ", ".join(f":{name}" for name in row)
    values = {name: stored(value) for name, value in row.items()}
    connection.execute(sa.text(f"INSERT INTO {table} ({names}) VALUES ({marks})"), values)


@pytest.fixture(params=REVISIONS)
def upgraded(request, empty_url):
    """A database that was filled at an earlier revision and then brought to head."""
    control = Control(open_engine(empty_url))
    upgrade(control.engine, request.param)
    with control.writing() as connection:
        for table, row in ROWS.items():
            insert(connection, table, row)
        connection.exec_driver_sql("UPDATE control_state SET generation = 41")
    upgrade(control.engine)
    yield control
    control.close()


def test_there_is_an_earlier_revision():
    assert REVISIONS[0] == "0001"


def test_a_grant_given_before_allows_exactly_what_it_allowed(upgraded):
    with upgraded.reading() as connection:
        (grant,) = read_grants(connection, consumer="RS", resource=CODE)
    expected = make_grant(LIST, fields=("citizen_id", "name"), starts=grant.starts, expires=grant.expires)
    assert grant == expected
    assert (grant.starts, grant.expires) == (ROWS["grants"]["starts"], ROWS["grants"]["expires"])
    assert (grant.rows, grant.quota_per_day, grant.suspended_at) == ((), 0, None)
    call = Call(keys={"citizen_id": IDS[0]}, purpose=Purpose(matter=MATTER))
    request = access_request("query", "RS", CODE, call)
    assert isinstance(grant, Grant)
    assert decide(request, LIST, [grant], NOW) == decide(request, LIST, [expected], NOW)
    assert decide(request, LIST, [grant], NOW).allowed


def test_a_key_issued_before_calls_and_does_nothing_else(upgraded):
    with upgraded.reading() as connection:
        row = connection.execute(sa.select(Caller.department, Caller.roles, Caller.created)).one()
    assert tuple(row) == ("RS", ["call"], NOW)


def test_lists_and_generation_stay_and_nothing_is_invented(upgraded):
    with upgraded.reading() as connection:
        plain = connection.execute(sa.select(ListVersion.plain)).scalar_one()
        assert plain == ROWS["list_versions"]["plain"]
        assert connection.execute(sa.select(UsageState.position)).scalar_one() == 0
        assert connection.execute(sa.select(sa.func.count()).select_from(CaseRow)).scalar_one() == 0
    assert upgraded.generation() == 41


def test_an_upgraded_database_has_the_tables_of_the_models(upgraded):
    with upgraded.reading() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []
