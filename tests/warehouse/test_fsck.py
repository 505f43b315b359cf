from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyiceberg.io.pyarrow import schema_to_pyarrow
from pyiceberg.table.update import SetPropertiesUpdate

from catalog.model import Disposition
from tests.warehouse.conftest import pairs, stamped
from warehouse import feed
from warehouse import table as tables
from warehouse.fsck import KINDS, Severity
from warehouse.table import Move, TableChange

LATER = datetime.now(UTC) + timedelta(days=10)


@pytest.fixture
def loaded(small_files):
    resource = pairs(Disposition.MERGE)
    small_files.load(resource, [(f"{i:04d}", "1") for i in range(250)] + [(None, "bad")])
    small_files.load(resource, [("0001", "2"), ("new", "1")])
    return resource


def codes(loader, *, deep=False):
    return [f.code for f in loader.house.fsck(deep=deep, now=LATER)]


def damage(loader, location, data=None, change=None):
    """Write *data* over a file, change its bytes, or delete it."""
    storage = loader.house.storage
    if change is not None:
        with storage.open_read(location) as stream:
            data = change(stream.read())
    storage.delete([location])
    if data is not None:
        local = loader.root / "damaged"
        local.write_bytes(data)
        storage.publish(local, location)


def add(loader, resource, rows, *, facts=(), ids=True):
    """Commit a file of *rows* past all that would judge it."""
    table = loader.table(resource)
    schema = schema_to_pyarrow(table.schema(), include_field_ids=ids)
    path = loader.house.storage.desk(f"data/city/{resource.code}/data/by-hand-{next(loader.numbers)}/x.parquet")
    path.parent.mkdir(parents=True)
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), path, row_group_size=2)
    change = TableChange(table, (path,))
    tables.commit(loader.house._room, [change], code=resource.code, facts=dict(facts))
    return path


def test_a_sound_warehouse_has_no_findings(small_files, loaded):
    small_files.load(stamped(code="r_other"), [("a", "1", "2024-01-01")], "2024-01-01")
    assert small_files.house.fsck(deep=True, now=LATER) == []
    assert small_files.house.fsck([loaded.code], deep=True, now=LATER) == []
    assert [f.code for f in small_files.house.fsck(["none"])] == ["table-absent"]


def test_looking_changes_nothing(small_files, loaded):
    before = small_files.stored()
    small_files.house.fsck(deep=True)
    assert small_files.stored() == before


class TestFiles:
    def test_metadata(self, small_files, loaded):
        damage(small_files, small_files.table(loaded).metadata_location)
        found = small_files.house.fsck()
        assert [(f.code, f.severity) for f in found] == [("metadata-lost", Severity.ERROR)]

    def test_metadata_that_is_none(self, small_files, loaded):
        damage(small_files, small_files.table(loaded).metadata_location, b"{}")
        assert codes(small_files) == ["metadata-lost"]

    def test_list_of_manifests(self, small_files, loaded):
        damage(small_files, small_files.table(loaded).current_snapshot().manifest_list)
        assert "list-lost" in codes(small_files)

    @pytest.mark.parametrize("how", ["lost", "cut", "other"])
    def test_manifest(self, small_files, loaded, how):
        table = small_files.table(loaded)
        manifest = table.current_snapshot().manifests(table.io)[0].manifest_path
        change = {"lost": None, "cut": lambda b: b[:-3], "other": lambda b: b"\0" * len(b)}[how]
        damage(small_files, manifest, change=change)
        from pyiceberg.manifest import clear_manifest_cache

        clear_manifest_cache()
        assert "manifest-lost" in codes(small_files)

    def test_data_file(self, small_files, loaded):
        damage(small_files, small_files.files(loaded)[0].location)
        assert codes(small_files) == ["file-lost"]

    def test_size(self, small_files, loaded):
        damage(small_files, small_files.files(loaded)[0].location, change=lambda b: b + b"x")
        assert codes(small_files) == ["file-size"]

    def test_footer(self, small_files, loaded):
        damage(small_files, small_files.files(loaded)[0].location, change=lambda b: b[:-40] + b"\0" * 40)
        assert codes(small_files) == ["file-unreadable"]

    def test_content_that_cannot_be_read_is_found_by_reading_it(self, small_files, loaded):
        damage(small_files, small_files.files(loaded)[0].location, change=lambda b: b[:4] + b"\xff" * 60 + b[64:])
        assert codes(small_files) == []
        assert codes(small_files, deep=True) == ["file-unreadable"]

    def test_a_file_of_another_table_in_its_place(self, small_files, loaded, monkeypatch):
        """Rows and bounds are those of the footer, even where the size happens to be the same."""
        file = small_files.files(loaded)[0]
        schema = schema_to_pyarrow(small_files.table(loaded).schema())
        path = small_files.root / "other.parquet"
        pq.write_table(pa.table({"code": ["zz"], "value": ["1"]}, schema=schema), path)
        damage(small_files, file.location, path.read_bytes())
        from warehouse.fsck import _Inspection

        listed = _Inspection._data

        def same_sizes(self, files, sizes):
            listed(self, files, {f.location: f.data_file.file_size_in_bytes for f in files})

        monkeypatch.setattr(_Inspection, "_data", same_sizes)
        assert {"file-size", "file-rows", "file-bounds"} <= set(codes(small_files))

    def test_rejected_rows(self, small_files, loaded):
        first, second = small_files.house.snapshots(loaded.code)
        location = small_files.house.storage.location
        damage(small_files, location(first.quarantine), change=lambda b: b + b"x")
        damage(small_files, location(second.quarantine))
        assert sorted(codes(small_files)) == ["quarantine-altered", "quarantine-lost"]


class TestRows:
    def test_keys(self, small_files, loaded):
        add(small_files, loaded, [{"code": "0001", "value": "9"}])
        assert codes(small_files) == []
        (found,) = small_files.house.fsck(deep=True)
        assert (found.code, found.place) == ("key-twice", "code")

    def test_order_between_row_groups_and_within(self, small_files, loaded):
        add(small_files, loaded, [{"code": c, "value": "1"} for c in ("x9", "x8", "x1", "x0")])
        assert codes(small_files) == ["file-unsorted"]

    def test_order_within_a_row_group(self, small_files, loaded):
        add(small_files, loaded, [{"code": c, "value": "1"} for c in ("x9", "x8")])
        assert codes(small_files) == []
        assert codes(small_files, deep=True) == ["file-unsorted"]

    def test_total(self, small_files, loaded):
        table = small_files.table(loaded)
        snapshot = table.current_snapshot()
        # What a program that knows nothing of positions deleted might write.
        snapshot.summary["zhengtong.total"] = "7"
        rewrite(small_files, table)
        assert codes(small_files) == ["total-wrong"]

    @pytest.mark.parametrize("places", [[1_000_000], [3, 3]])
    def test_positions_that_no_file_has(self, small_files, loaded, places):
        file = small_files.files(loaded)[0]
        small_files.delete(loaded, [(file, p) for p in places])
        assert "deletes-wrong" in codes(small_files)


def rewrite(loader, table):
    """Write a table's metadata, altered by hand, over what the catalogue points to."""
    from pyiceberg.serializers import ToOutputFile

    ToOutputFile.table_metadata(table.metadata, table.io.new_output(table.metadata_location), overwrite=True)


class TestHistory:
    def test_a_cursor_that_went_back(self, small_files):
        resource = stamped()
        small_files.load(resource, [("a", "1", "2024-02-01")], "2024-02-01")
        small_files.load(resource, [("a", "2", "2024-02-02")], "2024-02-02")
        assert codes(small_files) == []
        table = small_files.table(resource)
        table.current_snapshot().summary["zhengtong.cursor"] = "2024-01-01"
        rewrite(small_files, table)
        assert codes(small_files) == ["cursor-backwards"]
        table.current_snapshot().summary["zhengtong.window"] = "true"
        rewrite(small_files, table)
        assert codes(small_files) == []

    @pytest.mark.parametrize(
        ("older", "newer", "back"),
        [("9", "10", False), ("10", "9", True), ("2024-1", "2023-9", True), ("b", "a", True), (None, "a", False)],
    )
    def test_cursors_are_compared_as_what_they_are(self, older, newer, back):
        from warehouse.fsck import _before

        assert _before(newer, older) == back

    def test_a_feed_that_ends_elsewhere(self, small_files, loaded):
        table = small_files.table(loaded)
        table.current_snapshot().summary["zhengtong.feed-last"] = "99"
        rewrite(small_files, table)
        assert codes(small_files) == ["feed-apart"]

    def test_a_feed_with_a_gap(self, small_files, loaded):
        changes = feed.find(small_files.house._catalog, loaded.code)
        files = tables.files_of(changes, loaded.code, changes.metadata.current_snapshot_id)
        tables.commit(
            small_files.house._room,
            [TableChange(changes, removed=(files[0],))],
            code=loaded.code,
            facts={feed.LAST: feed.last(changes)},
        )
        assert codes(small_files) == ["feed-gap"]

    def test_files_that_nobody_names(self, small_files, loaded):
        storage = small_files.house.storage
        path = storage.desk(f"data/city/{loaded.code}/data/dead/x.parquet")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"12345")
        storage.publish(path, storage.location(f"data/city/{loaded.code}/data/dead/x.parquet"))
        (found,) = small_files.house.fsck(now=LATER)
        assert (found.code, found.severity, found.detail) == ("orphans", Severity.NOTE, "1, 5 B")
        assert small_files.house.fsck() == []

    def test_an_attempt_that_is_not_settled(self, small_files, loaded, monkeypatch):
        catalog, table = small_files.house._catalog, small_files.table(loaded)

        def cut(session):
            session.rollback()
            raise KeyboardInterrupt

        monkeypatch.setattr(tables.DurableSqlCatalog, "_finish", staticmethod(cut))
        with pytest.raises(KeyboardInterrupt):
            catalog.commit_together([Move(table, (SetPropertiesUpdate(updates={"a": "b"}),), ())])
        monkeypatch.undo()
        assert codes(small_files) == ["attempt-open"]
        small_files.load(loaded, [("0003", "3")])
        assert codes(small_files) == ["orphans"]


def test_each_kind_of_damage_is_said_in_both_languages_with_what_to_do(small_files, loaded):
    for code in KINDS:
        from warehouse.fsck import Finding

        finding = Finding(code, "r_test", "somewhere", "3 ≠ 4")
        plain = finding.to_json()
        assert plain["severity"] in {"error", "warning", "note"}
        assert "`r_test`" in plain["en"]
        assert plain["en"].endswith(".")
        assert plain["zh"].endswith("。")
        assert plain["do_en"] != plain["do_zh"]
