"""The hub's own connectors and checks find in every source exactly what the manifest says, on both days."""

from __future__ import annotations

import os
import sqlite3
from collections import Counter
from contextlib import closing
from datetime import UTC, datetime

import pytest

from catalog.model import Mask
from connectors.protocol import Acknowledges, Column, ReadRequest
from connectors.registry import connect, secrets_from
from hub import systems
from hub.demo import manifest
from hub.demo.city import advance
from hub.demo.simulator import MarketSimulator
from warehouse.engine import Warehouse
from warehouse.staging import StagedBatch

# The divisions hold no faults and take most of the time; reading them is tested with the city.
SKIPPED = "302"
NOW = datetime(2026, 3, 2, 1, tzinfo=UTC)
TENANCIES = "3140010002"


def load_all(list_, described, *, folder, market, warehouse, into):
    """One load of every resource: code → (checked, committed)."""
    into.mkdir()
    loads = {}
    for resource in list_.resources:
        if resource.code.startswith(SKIPPED):
            continue
        source = resource.source
        system = described[source.system]
        settings = {
            name: value.replace("${CITY}", str(folder)).replace("${MARKET_API}", market.base_url)
            for name, value in system.settings.items()
        }
        connector = connect(system.kind, settings, secrets_from(os.environ))
        columns = tuple(
            Column(f.name, f.aliases, mask="" if f.landing is Mask.NONE else f.landing.value) for f in resource.fields
        )
        warehouse.ensure(resource)
        cursor = warehouse.cursor(resource.code)
        request = ReadRequest(resource.code, source.object, columns, cursor, source.cursor_field, dict(source.options))
        batch = connector.read(request, into / f"{resource.code}.parquet")
        whole = not source.cursor_field
        staged = StagedBatch(batch.path, batch.sha256, batch.rows, batch.cursor, whole=whole)
        checked = warehouse.check(resource, staged, into, now=NOW)
        loads[resource.code] = (checked, warehouse.commit(resource, staged, checked))
        if isinstance(connector, Acknowledges):
            connector.acknowledge(source.object, dict(source.options), batch.cursor)
    return loads


def replayed(warehouse, resource, into):
    """What a replay of all that is rejected now brings in."""
    staged = warehouse.stage_rejected(resource, into, now=NOW)
    return warehouse.commit(resource, staged, warehouse.check(resource, staged, into.parent, now=NOW))


def reasons(warehouse, resource):
    return Counter(reason.code for row in warehouse.rejected(resource) for reason in row.reasons)


def test_first_load_and_second_day(own_city, demo_list, demo_data, tmp_path):
    described = systems.load(demo_data / "systems.yaml")
    made = manifest.read(own_city)
    warehouse = Warehouse(tmp_path / "warehouse")
    with MarketSimulator(own_city, refuse_every=0) as market:
        first = load_all(
            demo_list, described, folder=own_city, market=market, warehouse=warehouse, into=tmp_path / "day1"
        )
        for code, (checked, _) in first.items():
            expected = made.resources[code]
            found = Counter()
            for reason, count in checked.reasons:
                found[reason.partition(":")[0]] += count
            assert dict(found) == dict(expected.rejects), code
            assert (checked.read, checked.accepted) == (expected.rows, expected.accepted)
            assert warehouse.count(code) == expected.table_rows, code
        assert len(first) == 30

        changes = advance(own_city, day=2).resources
        second = load_all(
            demo_list, described, folder=own_city, market=market, warehouse=warehouse, into=tmp_path / "day2"
        )
    after = manifest.read(own_city)
    for code, (_, committed) in second.items():
        got = (0, 0, 0) if committed.already else (committed.inserted, committed.updated, committed.deleted)
        expected = changes.get(code, manifest.Change())
        assert got == (expected.inserted, expected.updated, expected.deleted), code
        assert warehouse.count(code) == after.table_rows(code) - expected.replayed, code

    # What waited for the mended resource comes in by a replay, the rest stays out.
    assert reasons(warehouse, demo_list.by_code[TENANCIES]) == dict(made.resources[TENANCIES].rejects)
    again = replayed(warehouse, demo_list.by_code[TENANCIES], tmp_path / "day2/replayed.parquet")
    assert (again.inserted, again.updated) == (changes[TENANCIES].replayed, 0)
    assert warehouse.count(TENANCIES) == after.table_rows(TENANCIES)
    assert set(reasons(warehouse, demo_list.by_code[TENANCIES])) == {"cross_field"}

    # The bureau was told of each batch, no number stands in the clear, and what is gone is kept where it was promised.
    with closing(sqlite3.connect(own_city / "zj/front-end.sqlite")) as db:
        assert db.execute("SELECT DISTINCT flag, taken_at IS NOT NULL FROM tenancy_batch").fetchall() == [("1", 1)]
    assert all(row["phone"].startswith("*******") for row in warehouse.scan(TENANCIES, fields=["phone"]))
    organisations, trees = "3120030001", "3100020001"
    gone = changes[organisations].updated + changes[organisations].deleted
    versions = warehouse.scan(organisations, fields=["uscc"], history=True)
    assert len(versions) == made.resources[organisations].table_rows + changes[organisations].updated
    assert gone > 0
    kept = warehouse.scan(trees, fields=["tree_no"], history=True)
    assert len(kept) == made.resources[trees].table_rows


@pytest.mark.parametrize("code", ["3020010001", "3020010002"])
def test_the_drop_of_the_divisions_is_read_whole(city, demo_list, demo_data, tmp_path, code):
    folder, made = city
    resource = demo_list.by_code[code]
    system = systems.load(demo_data / "systems.yaml")[resource.source.system]
    settings = {name: value.replace("${CITY}", str(folder)) for name, value in system.settings.items()}
    columns = tuple(Column(field.name, field.aliases) for field in resource.fields)
    request = ReadRequest(code, resource.source.object, columns, None, "", dict(resource.source.options))
    batch = connect(system.kind, settings, secrets_from({})).read(request, tmp_path / "landed.parquet")
    assert batch.rows == made.resources[code].rows
    assert set(made.resources[code].renamed) <= set(batch.renamed)
