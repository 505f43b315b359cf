"""Rows rejected once: which of them still are, how they come in after the mend, and what they never overwrite."""

from dataclasses import replace

import pyarrow.parquet as pq
import pytest

from catalog.model import Disposition, FieldKind
from tests.warehouse.conftest import NOW, field, make_resource
from warehouse import replay
from warehouse.errors import CommitConflictError

FULL = (field("code", key=True), field("kind", codes=("1", "2")), field("note"))
WIDER = (FULL[0], field("kind", codes=("1", "2", "3")), FULL[2])
DATED = (*FULL, field("at", FieldKind.DATETIME))
WIDER_DATED = (*WIDER, DATED[3])


def pulled(fields=FULL, **more):
    return make_resource(Disposition.REPLACE, fields, **more)


def merged(fields=DATED, **more):
    return make_resource(Disposition.MERGE, fields, cursor_field="at", **more)


def appended(fields=FULL, **more):
    return make_resource(Disposition.APPEND, fields, **more)


def now_rejected(loader, resource):
    found = replay.rejected(loader.house, resource)
    return sorted((r.values["code"] or "", str(r.reasons[0]).split(":")[0]) for r in found)


def staged(loader, resource):
    return replay.stage(loader.house, resource, loader.root / "staging" / "replay.parquet", NOW)


def replayed(loader, resource):
    """Stage, check and commit, as a load does."""
    batch = staged(loader, resource)
    loader.house.ensure(resource)
    return loader.house.commit(resource, batch, loader.check(resource, batch))


def contents(loader, resource):
    return [(row[0], row[1]) for row in loader.rows(resource, fields=("code", "kind"))]


# --- what is rejected now ---


def test_nothing_rejected_is_nothing_to_replay(loader):
    loader.house.ensure(pulled())
    assert staged(loader, pulled()) is None
    loader.load(pulled(), [("a", "1", None)])
    assert staged(loader, pulled()) is None
    assert replay.rejected(loader.house, pulled()) == []


def test_of_whole_pulls_the_last_alone_counts(loader):
    loader.load(pulled(), [("a", "1", None), ("b", "9", None), ("c", "9", None)])
    assert now_rejected(loader, pulled()) == [("b", "bad_code"), ("c", "bad_code")]
    loader.load(pulled(), [("a", "1", None), ("b", "1", None), ("d", "8", None)])
    assert now_rejected(loader, pulled()) == [("d", "bad_code")]


def test_a_repeat_and_a_row_whose_key_another_row_took_are_settled(loader):
    rows = [("a", "1", "x"), ("a", "1", "x"), ("b", "1", "x"), ("b", "9", "y"), ("c", "9", "z"), ("c", "9", "z")]
    loader.load(pulled(), rows)
    # `c` twice with one text is one row.
    assert now_rejected(loader, pulled()) == [("c", "bad_code")]


def test_a_row_whose_older_version_was_only_kept_is_still_rejected(loader):
    loader.load(pulled(), [("a", "1", "old"), ("b", "1", "old")])
    loader.load(pulled(), [("a", "9", "new"), ("b", "2", "new")])
    assert contents(loader, pulled()) == [("a", "1"), ("b", "2")]
    assert now_rejected(loader, pulled()) == [("a", "bad_code")]


def test_a_merged_row_is_settled_by_its_key_with_the_same_or_a_newer_time(loader):
    resource = merged()
    loader.load(
        resource,
        [("a", "9", "1", "2026-01-02"), ("b", "9", "1", "2026-01-02"), ("c", "9", "1", "2026-01-02")],
        "2026-01-02",
    )
    assert len(now_rejected(loader, resource)) == 3
    # `a` comes right with a newer time, `b` with the same; `d` is another.
    loader.load(resource, [("a", "1", "2", "2026-01-03"), ("b", "1", "1", "2026-01-02"), ("d", "9", "1", "2026-01-03")],
                "2026-01-03")  # fmt: skip
    assert now_rejected(loader, resource) == [("c", "bad_code"), ("d", "bad_code")]


def test_an_older_version_in_the_table_settles_nothing(loader):
    resource = merged()
    loader.load(resource, [("a", "1", "1", "2026-01-01")], "2026-01-01")
    loader.load(resource, [("a", "9", "2", "2026-01-02"), ("b", "1", "1", "2026-01-02")], "2026-01-02")
    assert now_rejected(loader, resource) == [("a", "bad_code")]


def test_what_is_read_again_with_every_delta_is_rejected_once(loader):
    resource = merged()
    tied = ("a", "9", "1", "2026-01-02")
    loader.load(resource, [tied, ("b", "1", "1", "2026-01-02")], "2026-01-02")
    loader.load(resource, [tied, ("c", "1", "1", "2026-01-03")], "2026-01-03")
    assert now_rejected(loader, resource) == [("a", "bad_code")]


def test_a_row_whose_time_cannot_be_read_is_settled_by_any_later_change(loader):
    resource = merged()
    loader.load(resource, [("a", "1", "1", "2026-01-01"), ("b", "1", "1", "2026-01-01")], "2026-01-01")
    loader.load(resource, [("a", "2", "?", "soon"), ("b", "2", "?", "soon"), ("n", "1", "?", "soon")], "2026-01-02")
    assert len(now_rejected(loader, resource)) == 3
    loader.load(resource, [("a", "1", "later", "2026-01-03")], "2026-01-03")
    assert [code for code, _ in now_rejected(loader, resource)] == ["b", "n"]


def test_a_key_that_was_deleted_later_is_settled(loader):
    resource = make_resource(Disposition.MERGE, DATED, cursor_field="at", deleted_field="note", deleted_value="gone")
    loader.load(resource, [("a", "1", "x", "2026-01-01"), ("b", "1", "x", "2026-01-01")], "2026-01-01")
    loader.load(resource, [("a", "9", "x", "2026-01-02"), ("b", "9", "x", "2026-01-02")], "2026-01-02")
    loader.load(resource, [("a", "1", "gone", "2026-01-03")], "2026-01-03")
    assert now_rejected(loader, resource) == [("b", "bad_code")]


def test_an_appended_row_is_settled_by_its_key_unless_it_contradicts_it(loader):
    resource = appended()
    loader.load(resource, [("a", "9", "x"), ("b", "9", "x"), ("c", "1", "x")])
    loader.load(resource, [("a", "1", "x"), ("c", "1", "changed")])
    assert now_rejected(loader, resource) == [("b", "bad_code"), ("c", "appended_key_changed")]


def test_a_row_without_a_readable_key_stays(loader):
    resource = merged()
    loader.load(resource, [(None, "1", "x", "2026-01-01"), ("b", "1", "x", "2026-01-01")], "2026-01-01")
    loader.load(resource, [("b", "2", "x", "2026-01-02")], "2026-01-02")
    assert now_rejected(loader, resource) == [("", "null_key")]


def test_rows_of_older_lists_keep_the_columns_they_had(loader):
    resource = merged()
    loader.load(resource, [("a", "9", "x", "2026-01-01")], "2026-01-01")
    grown = merged((*DATED, field("more")))
    loader.load(grown, [("b", "9", "x", "2026-01-02", "m")], "2026-01-02")
    found = {r.values["code"]: r.values["more"] for r in replay.rejected(loader.house, grown)}
    assert found == {"a": None, "b": "m"}
    assert len(replay.rejected(loader.house, grown, limit=1)) == 1


# --- replay ---


def test_the_staged_rows_are_the_source_s_own_text(loader):
    resource = pulled()
    loader.load(resource, [("a", "1", "x"), (" ｂ ", "9", " 原文 "), ("c", "9", "")])
    batch = staged(loader, resource)
    table = pq.read_table(batch.path)
    assert table.column_names[0] == "_line"
    assert table.to_pylist() == [
        {"_line": 2, "code": " ｂ ", "kind": "9", "note": " 原文 "},
        {"_line": 3, "code": "c", "kind": "9", "note": ""},
    ]
    assert (batch.rows, batch.cursor) == (2, None)
    # The same rows staged again are the same batch.
    assert staged(loader, resource).sha256 == batch.sha256


def test_rows_of_a_whole_pull_come_in_after_the_mend_and_nothing_goes(loader):
    loader.load(pulled(), [("a", "1", "old"), ("b", "1", "x")])
    loader.load(pulled(), [("a", "3", "new"), ("b", "1", "x"), ("c", "3", "x"), ("d", "4", "x")])
    mended = pulled(WIDER)
    done = replayed(loader, mended)
    assert (done.inserted, done.updated, done.deleted) == (1, 1, 0)
    assert contents(loader, mended) == [("a", "3"), ("b", "1"), ("c", "3")]
    # What is still wrong is still rejected, once; the rest is not.
    assert now_rejected(loader, mended) == [("d", "bad_code")]
    again = replayed(loader, mended)
    assert (again.changed, again.cursor) == (0, None)
    assert contents(loader, mended) == [("a", "3"), ("b", "1"), ("c", "3")]
    # The next whole pull is one again.
    assert loader.load(mended, [("a", "1", "x")]).deleted == 2


def test_a_replay_that_was_overtaken_is_refused(loader):
    loader.load(pulled(), [("a", "1", "x"), ("b", "3", "stale")])
    mended = pulled(WIDER)
    batch = staged(loader, mended)
    checked = loader.check(mended, batch)
    loader.load(mended, [("a", "1", "x"), ("b", "2", "fresh")])
    with pytest.raises(CommitConflictError):
        loader.house.commit(mended, batch, checked)
    assert contents(loader, mended) == [("a", "1"), ("b", "2")]
    assert staged(loader, mended) is None


def test_a_replayed_commit_that_is_repeated_does_nothing_twice(loader):
    loader.load(pulled(), [("a", "1", "x"), ("b", "3", "x")])
    mended = pulled(WIDER)
    batch = staged(loader, mended)
    loader.house.ensure(mended)
    checked = loader.check(mended, batch)
    first = loader.house.commit(mended, batch, checked)
    again = loader.house.commit(mended, batch, checked)
    assert (again.already, again.snapshot_id) == (True, first.snapshot_id)


def test_merged_rows_come_in_and_move_no_cursor(loader):
    loader.load(merged(), [("a", "3", "x", "2026-01-02"), ("b", "3", "x", "2026-01-02")], "2026-01-02")
    loader.load(merged(), [("a", "3", "y", "2026-01-03"), ("z", "1", "x", "2026-01-03")], "2026-01-03")
    mended = merged(WIDER_DATED)
    done = replayed(loader, mended)
    assert (done.inserted, done.cursor) == (2, "2026-01-03")
    # Of the two versions of `a` the newer one came in.
    assert {row[0]: row[2] for row in loader.rows(mended)} == {"a": "y", "b": "x", "z": "x"}
    assert now_rejected(loader, mended) == []
    assert staged(loader, mended) is None


def test_a_replay_never_overwrites_a_newer_row(loader):
    loader.load(merged(), [("a", "3", "older", "2026-01-02"), ("b", "3", "x", "2026-01-02")], "2026-01-02")
    loader.load(merged(), [("a", "1", "newer", "2026-01-03")], "2026-01-03")
    mended = merged(WIDER_DATED)
    replayed(loader, mended)
    assert {row[0]: row[2] for row in loader.rows(mended)} == {"a": "newer", "b": "x"}


def test_a_version_that_was_rejected_closes_the_one_before_it(loader):
    resource = make_resource(Disposition.SCD2, DATED, cursor_field="at")
    loader.load(resource, [("a", "1", "x", "2026-01-01")], "2026-01-01")
    loader.load(resource, [("a", "3", "x", "2026-01-02"), ("b", "1", "x", "2026-01-02")], "2026-01-02")
    assert now_rejected(loader, resource) == [("a", "bad_code")]
    mended = make_resource(Disposition.SCD2, WIDER_DATED, cursor_field="at")
    replayed(loader, mended)
    assert contents(loader, mended) == [("a", "3"), ("b", "1")]
    assert len(loader.house.scan("r_test", history=True)) == 3
    assert now_rejected(loader, mended) == []


def test_appended_rows_come_in_after_the_mend(loader):
    loader.load(appended(), [("a", "3", "x"), ("b", "1", "x")])
    mended = appended(WIDER)
    assert replayed(loader, mended).inserted == 1
    assert now_rejected(loader, mended) == []


def test_the_error_budget_does_not_stop_a_replay(loader):
    strict = replace(pulled(budget=0.5), error_limit=6)
    loader.load(strict, [(f"k{i}", "1" if i < 9 else "9", "x") for i in range(14)])
    mended = replace(strict, fields=WIDER)
    assert replayed(loader, mended).changed == 0
    assert len(now_rejected(loader, mended)) == 5
