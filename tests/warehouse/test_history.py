from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from catalog.model import Disposition
from tests.warehouse.conftest import pairs
from warehouse import history
from warehouse.errors import SnapshotMissingError, TableMissingError
from warehouse.maintain import Policy


def days(table, *ages):
    """Give the table's snapshots these ages in days, the oldest first; returns now."""
    now = datetime.now(UTC)
    for snapshot, age in zip(sorted(table.metadata.snapshots, key=lambda s: s.sequence_number), ages, strict=True):
        snapshot.__dict__["timestamp_ms"] = int((now - timedelta(days=age)).timestamp() * 1000)
    return now


@pytest.fixture
def four(loader):
    resource = pairs(Disposition.MERGE)
    for i in range(4):
        loader.load(resource, [("a", str(i))])
    return resource


def test_a_moment_sees_the_snapshot_that_was_in_force(loader, four):
    table = loader.table(four)
    ids = [s.snapshot_id for s in reversed(list(history.lineage(table)))]
    now = days(table, 40, 30, 20, 10)
    for age, expected in ((40, 0), (35, 0), (30, 1), (21, 1), (11, 2), (1, 3)):
        assert history.snapshot_at(table, "r", now - timedelta(days=age, milliseconds=-1)) == ids[expected]
    with pytest.raises(SnapshotMissingError):
        history.snapshot_at(table, "r", now - timedelta(days=41))


def test_a_moment_whose_snapshot_was_expired_is_not_answered_by_an_older_one(loader, four):
    kept = list(history.infos(loader.table(four)))[3].snapshot_id
    loader.house.maintain(four.code, Policy(keep_days=0, keep={kept}), datetime.now(UTC) + timedelta(days=9))
    table = loader.table(four)
    assert len(table.metadata.snapshots) == 2
    now = days(table, 40, 10)
    assert history.snapshot_at(table, "r", now) != kept
    with pytest.raises(SnapshotMissingError):
        history.snapshot_at(table, "r", now - timedelta(days=20))


def test_the_line_goes_on_beyond_what_was_expired(loader, four):
    ids = [i.snapshot_id for i in history.infos(loader.table(four))]
    loader.house.maintain(four.code, Policy(keep_days=0, keep={ids[2]}), datetime.now(UTC) + timedelta(days=9))
    assert [i.snapshot_id for i in history.infos(loader.table(four))] == [ids[0], ids[2]]
    assert loader.rows(four, ids[2]) == [("a", "1")]


def test_the_engine_travels_in_time(loader, four):
    at = loader.house.snapshots(four.code)[1].at
    assert loader.rows(four, loader.house.snapshot_at(four.code, at)) == [("a", "2")]
    with pytest.raises(TableMissingError):
        loader.house.snapshot_at("none", at)
