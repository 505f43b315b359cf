"""Deletions that a batch tells by what it does not hold: a whole read, or the keys that a source still has."""

from dataclasses import replace

import pytest

from catalog.model import Deletion, Disposition, FieldKind
from tests.warehouse.conftest import NOW, PAIR, STAMPED, field, land, make_resource
from warehouse.errors import CommitConflictError, SourceEmptiedError, StagedFileDamagedError
from warehouse.staging import StagedBatch, StagedPart

NAMES = ("code", "value", "changed")
ROWS = [(f"C{i}", f"v{i}", f"2026-01-0{i}") for i in range(1, 6)]


def resource(disposition=Disposition.MERGE, **more):
    return make_resource(disposition, STAMPED, cursor_field="changed", **more)


def keys_of(loader, *codes, column="code"):
    number = next(loader.numbers)
    landed = land(loader.root / "staging" / f"keys-{number}.parquet", (column,), [(code,) for code in codes])
    return StagedPart(landed.path, landed.sha256, landed.rows)


def bring(loader, of, staged):
    loader.house.ensure(of)
    return loader.house.commit(of, staged, loader.check(of, staged))


def first(loader, of):
    return loader.load(of, ROWS, cursor="2026-01-05", columns=NAMES)


def recovered(loader, *codes, rows=(), cursor="2026-01-06", **more):
    return replace(loader.stage(NAMES, list(rows), cursor), keys=keys_of(loader, *codes), **more)


def codes(loader, of):
    return [row[0] for row in loader.rows(of)]


class TestKeysBesideABatch:
    def test_what_is_not_among_them_goes_with_the_changes_in_one_commit(self, loader):
        of = resource()
        first(loader, of)
        batch = recovered(loader, "C1", "C3", "C5", "C9", rows=[("C3", "new", "2026-01-06"), ("C9", "x", "2026-01-06")])
        done = bring(loader, of, batch)
        assert (done.inserted, done.updated, done.deleted) == (1, 1, 2)
        assert codes(loader, of) == ["C1", "C3", "C5", "C9"]
        assert len(loader.house.snapshots(of.code)) == 2
        kinds = [change.kind.value for change in loader.house.changes(of.code)]
        assert sorted(kinds[1:]) == ["delete", "delete", "insert", "update"]

    def test_nothing_but_deletions(self, loader):
        of = resource()
        first(loader, of)
        done = bring(loader, of, recovered(loader, "C2"))
        assert (done.deleted, done.changed) == (4, 4)
        assert codes(loader, of) == ["C2"]

    def test_the_same_batch_twice_is_once(self, loader):
        of = resource()
        first(loader, of)
        batch = recovered(loader, "C2")
        bring(loader, of, batch)
        assert bring(loader, of, batch).already
        assert StagedBatch.from_json(batch.to_json()) == batch

    def test_they_are_read_as_keys_of_the_table_are(self, loader):
        numbered = (field("code", FieldKind.INTEGER, key=True), *STAMPED[1:])
        of = make_resource(Disposition.MERGE, numbered, cursor_field="changed")
        loader.load(of, [("1", "a", "2026-01-01"), ("2", "b", "2026-01-02")], "2026-01-02", NAMES)
        # Other texts of the same numbers, and one that is none.
        assert bring(loader, of, recovered(loader, "01", " ２ ", "x")).deleted == 0

    def test_a_row_that_was_rejected_is_not_gone(self, loader):
        of = resource()
        first(loader, of)
        batch = recovered(loader, "C1", "C2", "C3", "C4", "C5", rows=[("C3", "v", "no day")])
        done = bring(loader, of, batch)
        assert (done.deleted, done.updated) == (0, 0)
        assert codes(loader, of) == ["C1", "C2", "C3", "C4", "C5"]

    def test_softly_deleted_rows_stay_and_come_back(self, loader):
        of = resource(Disposition.MERGE)
        of = replace(of, deletion=Deletion.SOFT)
        first(loader, of)
        bring(loader, of, recovered(loader, "C1"))
        assert codes(loader, of) == ["C1"]
        assert len(loader.house.scan(of.code, history=True)) == 5
        # What has gone already is not gone again.
        again = bring(
            loader, of, recovered(loader, "C1", "C2", rows=[("C2", "back", "2026-01-07")], cursor="2026-01-07")
        )
        assert (again.inserted, again.deleted) == (1, 0)

    def test_versions_are_closed(self, loader):
        of = resource(Disposition.SCD2)
        first(loader, of)
        assert bring(loader, of, recovered(loader, "C1", "C2")).deleted == 3
        assert codes(loader, of) == ["C1", "C2"]
        assert len(loader.house.scan(of.code, history=True)) == 5

    def test_what_is_only_appended_never_goes(self, loader):
        of = resource(Disposition.APPEND)
        first(loader, of)
        assert bring(loader, of, recovered(loader, "C1")).deleted == 0

    @pytest.mark.parametrize("when", ["check", "commit"])
    def test_a_flipped_byte_in_them_deletes_nothing(self, loader, when):
        of = resource()
        first(loader, of)
        batch = recovered(loader, "C1")
        checked = loader.check(of, batch) if when == "commit" else None
        data = bytearray(batch.keys.path.read_bytes())
        data[len(data) // 2] ^= 1
        batch.keys.path.write_bytes(data)
        with pytest.raises(StagedFileDamagedError, match="SHA-256"):
            loader.house.commit(of, batch, checked) if checked else loader.check(of, batch)
        assert len(codes(loader, of)) == 5

    def test_keys_that_were_left_out_are_another_batch(self, loader):
        of = resource()
        first(loader, of)
        batch = recovered(loader, "C1")
        checked = loader.check(of, batch)
        with pytest.raises(StagedFileDamagedError, match="another batch"):
            loader.house.commit(of, replace(batch, keys=None), checked)

    def test_a_file_of_other_keys_deletes_nothing(self, loader):
        of = resource()
        first(loader, of)
        batch = replace(loader.stage(NAMES, [], "2026-01-06"), keys=keys_of(loader, "C1", column="other"))
        with pytest.raises(StagedFileDamagedError, match="`code`"):
            bring(loader, of, batch)

    def test_a_source_that_has_none_left_is_for_a_person(self, loader):
        of = resource()
        first(loader, of)
        with pytest.raises(SourceEmptiedError):
            bring(loader, of, recovered(loader))


class TestWholeReads:
    def whole(self, loader, rows, cursor="2026-01-05", **more):
        return replace(loader.stage(NAMES, rows, cursor), whole=True, **more)

    def test_a_whole_read_finds_what_is_gone_without_a_mark(self, loader):
        of = resource()
        first(loader, of)
        done = bring(loader, of, self.whole(loader, ROWS[2:]))
        assert (done.deleted, done.unchanged) == (2, 3)
        assert codes(loader, of) == ["C3", "C4", "C5"]

    def test_so_it_does_where_its_rows_are_those_of_the_last_delta(self, loader):
        of = resource()
        first(loader, of)
        delta = loader.stage(NAMES, ROWS[4:], "2026-01-05")
        bring(loader, of, delta)
        assert bring(loader, of, replace(delta, whole=True)).deleted == 4

    def test_a_key_whose_row_was_rejected_stays(self, loader):
        of = resource()
        first(loader, of)
        done = bring(loader, of, self.whole(loader, [*ROWS[1:], ("C1", "v", "no day")]))
        assert done.deleted == 0

    def test_an_empty_one_is_for_a_person(self, loader):
        of = resource()
        first(loader, of)
        with pytest.raises(SourceEmptiedError):
            bring(loader, of, self.whole(loader, []))

    def test_an_append_without_rows_is_none(self, loader):
        of = make_resource(Disposition.APPEND, PAIR)
        loader.load(of, [("C1", "v")])
        assert bring(loader, of, replace(loader.stage(("code", "value"), []), whole=True)).changed == 0

    def test_its_cursor_counts_even_backwards_while_no_other_load_came(self, loader):
        of = resource()
        head = loader.load(of, [*ROWS, ("C6", "mistake", "2099-01-01")], "2099-01-01", NAMES)
        batch = self.whole(loader, [*ROWS, ("C6", "mended", "2026-01-06")], "2026-01-06", over=head.snapshot_id)
        assert bring(loader, of, batch).cursor == "2026-01-06"
        assert loader.house.cursor(of.code) == "2026-01-06"
        assert bring(loader, of, batch).already

    def test_after_another_load_it_is_read_too_early(self, loader):
        of = resource()
        head = first(loader, of)
        batch = self.whole(loader, ROWS, over=head.snapshot_id)
        loader.load(of, [("C7", "v", "2026-01-07")], "2026-01-07", NAMES)
        with pytest.raises(CommitConflictError):
            bring(loader, of, batch)
        assert "C7" in codes(loader, of)


def test_the_time_of_the_tests_is_after_their_rows():
    assert NOW.isoformat() > ROWS[-1][2]
