"""Rows that their source deleted stay, bear the time of it, and are shown to nobody who does not ask for them."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import pytest

from catalog.model import Deletion, Disposition
from tests.warehouse.conftest import PAIR, make_resource, pairs
from warehouse import reading
from warehouse.errors import SourceEmptiedError

NOW = datetime(2026, 3, 1, 10)  # noqa: DTZ001 - local times are naive in tables


def soft(resource):
    return replace(resource, deletion=Deletion.SOFT)


def kept(loader, resource):
    table, files = loader.table(resource), loader.files(resource)
    with loader.house._session(loader.root / "tmp") as con:
        return con.execute(f"SELECT * FROM {reading.read_files(table.schema(), files)} ORDER BY code").fetchall()


def test_a_row_that_is_absent_stays_and_bears_its_time(loader):
    resource = soft(pairs(Disposition.REPLACE))
    loader.load(resource, [("a", "1"), ("b", "2")])
    done = loader.load(resource, [("a", "1")])
    assert (done.deleted, done.unchanged) == (1, 1)
    assert kept(loader, resource) == [("a", "1", None), ("b", "2", NOW)]
    assert [r[:2] for r in loader.rows(resource)] == [("a", "1")]
    assert loader.house.count(resource.code) == 1
    loader.house.build_index(resource, done.snapshot_id)
    assert loader.house.lookup(resource.code).find("code", "b") == []
    assert loader.load(resource, [("a", " 1")]).changed == 0


def test_a_row_that_comes_again_loses_it(loader):
    resource = soft(pairs(Disposition.REPLACE))
    loader.load(resource, [("a", "1"), ("b", "2")])
    loader.load(resource, [("a", "1")])
    done = loader.load(resource, [("a", "1"), ("b", "2")])
    assert (done.inserted, done.already) == (1, False)
    assert kept(loader, resource) == [("a", "1", None), ("b", "2", None)]
    assert [str(c.kind) for c in loader.house.changes(resource.code, 1, 9)] == ["delete", "insert"]


def test_marked_rows_of_a_delta_stay_too(loader):
    resource = soft(make_resource(Disposition.MERGE, PAIR, deleted_field="gone", deleted_value="1"))
    columns = ["code", "value", "gone"]
    loader.load(resource, [("a", "1", "0"), ("b", "2", "0")], columns=columns)
    done = loader.load(resource, [("b", None, "1"), ("c", None, "1")], columns=columns)
    assert done.deleted == 1
    assert kept(loader, resource) == [("a", "1", None), ("b", "2", NOW)]
    assert loader.load(resource, [("b", None, "1")], columns=columns).changed == 0
    loader.load(resource, [("b", "3", "0")], columns=columns)
    assert kept(loader, resource) == [("a", "1", None), ("b", "3", None)]


def test_a_source_that_was_emptied_is_noticed_by_the_rows_in_force(loader):
    resource = soft(pairs(Disposition.REPLACE))
    loader.load(resource, [("a", "1"), ("b", "1")])
    loader.load(resource, [("a", "1")])
    with pytest.raises(SourceEmptiedError, match="holds 1"):
        loader.load(resource, [])


def test_a_list_that_changes_its_mind_leaves_what_is_marked(loader):
    hard = pairs(Disposition.REPLACE)
    loader.load(hard, [("a", "1"), ("b", "1"), ("c", "1")])
    resource = soft(hard)
    loader.load(resource, [("a", "1"), ("b", "1")])
    loader.load(hard, [("a", "1"), ("c", "2")])
    assert [r[:2] for r in loader.rows(hard)] == [("a", "1"), ("c", "2")]
    assert sorted(kept(loader, hard), key=str) == [("a", "1", None), ("c", "1", NOW), ("c", "2", None)]
    loader.load(resource, [("c", "3")])
    loader.load(resource, [("a", "9"), ("c", "3")])
    assert [r[:2] for r in loader.rows(resource)] == [("a", "9"), ("c", "3")]
