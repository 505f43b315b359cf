"""Rules over a batch as a whole: what holds it back, what is only told, and what cannot be told."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import duckdb
import pytest

from catalog.model import Disposition, FieldKind, QualityKind, QualityRule
from tests.warehouse.conftest import field, make_resource
from warehouse import quality
from warehouse.errors import QualityGateError
from warehouse.schema import field_type
from warehouse.staging import Checked

FIELDS = (
    field("id", key=True),
    field("name"),
    field("n", FieldKind.INTEGER),
    field("day", FieldKind.DATE),
    field("at", FieldKind.DATETIME),
)
NOW = datetime(2026, 3, 10, 4, 0, tzinfo=UTC)  # Noon in Shanghai.


@pytest.fixture
def con():
    with duckdb.connect() as opened:
        yield opened


def checked(con, folder, rows, *, reasons=(), rejected=0, batch="b1"):
    columns = ", ".join(f'CAST(c{i} AS {field_type(f)}) AS "{f.name}"' for i, f in enumerate(FIELDS))
    names = ", ".join(f"c{i}" for i in range(len(FIELDS)))
    path = folder / "good.parquet"
    con.execute(f"CREATE OR REPLACE TEMP TABLE given ({', '.join(f'c{i} VARCHAR' for i in range(len(FIELDS)))})")
    if rows:
        full = [tuple(str(v) if v is not None else None for v in (*row, None, None, None, None)[:5]) for row in rows]
        con.executemany(f"INSERT INTO given ({names}) VALUES (?, ?, ?, ?, ?)", full)
    con.execute(f"COPY (SELECT {columns} FROM given) TO '{path}' (FORMAT parquet)")
    return Checked(
        good=(path,),
        rejected=Path("/nowhere"),
        read=len(rows) + rejected,
        accepted=len(rows),
        rejected_rows=rejected,
        reasons=tuple(reasons),
        batch_id=batch,
    )


def loads(*reads, total=0):
    return [SimpleNamespace(read=read, total=total, facts={}) for read in reads]


def rule(kind, threshold, name="", target=""):
    return QualityRule(QualityKind(kind), name, threshold, target)


def resource_with(*found, disposition=Disposition.REPLACE, **source):
    return replace(make_resource(disposition, FIELDS, **source), quality=found)


def judge(con, folder, rows, one, *, history=(), disposition=Disposition.REPLACE, check=None, **more):
    resource = resource_with(one, disposition=disposition)
    return quality.judge(con, resource, checked(con, folder, rows, **(check or {})), list(history), NOW, **more)


NAMED = [(f"k{i}", "x" if i < 8 else None, i % 5) for i in range(10)]


@pytest.mark.parametrize(
    ("one", "broken"),
    [
        (rule("completeness", 0.8, "name"), None),
        (rule("completeness", 0.81, "name"), 2),
        (rule("completeness", 1, "id"), None),
        (rule("uniqueness", 1, "id"), None),
        (rule("uniqueness", 0.1, "n"), 10),
        (rule("consistency", 0.8, "n", "n <= 3"), None),
        (rule("consistency", 0.9, "n", "n <= 3"), 2),
        (rule("consistency", 0.9, "n", "if name is null then n <= 3"), None),
        (rule("reference", 0.6, "n", "other.code"), None),
        (rule("reference", 0.7, "n", "other.code"), 4),
        (rule("reference", 0.9, "n", "absent.code"), None),
        (rule("volume", 10), None),
        (rule("volume", 11), 0),
        # What every row must keep was judged row by row.
        (rule("consistency", 1, "n", "n <= 3"), None),
        (rule("reference", 1, "n", "other.code"), None),
    ],
)
def test_a_whole_pull_is_held_back_by_what_too_many_rows_break(con, tmp_path, one, broken):
    other = {"other": "(VALUES (0), (1), (2)) t(code)"}.get
    found = judge(con, tmp_path, NAMED, one, other=other)
    assert [f.broken for f in found] == ([] if broken is None else [broken])
    assert all(f.blocks for f in found)


def test_the_share_that_is_just_kept_is_kept_whatever_its_binary_fraction(con, tmp_path):
    for rows in (10, 30):
        for tenth in range(1, 10):
            some = [(f"k{i}", "x" if i * 10 < rows * tenth else None) for i in range(rows)]
            assert judge(con, tmp_path, some, rule("completeness", tenth / 10, "name")) == ()
            assert len(judge(con, tmp_path, some, rule("completeness", tenth / 10 + 0.0001, "name"))) == 1


def test_a_few_rows_of_a_delta_are_no_alarm(con, tmp_path):
    rows = [("a", None), ("b", None), ("c", None), ("d", "x")]
    one = rule("completeness", 0.99, "name")
    assert judge(con, tmp_path, rows, one, disposition=Disposition.MERGE) == ()
    more = [*rows, ("e", None), ("f", None)]
    assert len(judge(con, tmp_path, more, one, disposition=Disposition.MERGE)) == 1
    assert len(judge(con, tmp_path, rows, one, disposition=Disposition.MERGE, whole=True)) == 1
    assert judge(con, tmp_path, [], one) == ()


def test_a_reference_into_the_resource_itself_sees_the_batch_and_the_table(con, tmp_path):
    rows = [("a", "a"), ("b", "a"), ("c", "t"), ("d", "nowhere")]
    one = rule("reference", 1, "name", "r_test.id")
    (found,) = judge(con, tmp_path, rows, one, own="(SELECT 't' AS id)")
    assert (found.broken, found.rows) == (1, 4)
    (found,) = judge(con, tmp_path, rows, one)
    assert found.broken == 2


@pytest.mark.parametrize(
    ("reads", "rows", "held"),
    [
        ((1000, 1000, 1000), 499, True),
        ((1000, 1000, 1000), 500, False),
        ((1000, 1000, 1000), 2000, False),
        ((1000, 1000, 1000), 2001, True),
        # One odd pull does not move a median, and two pulls are no habit.
        ((10, 1000, 1000, 1000), 499, True),
        ((1000, 1000), 1, False),
        ((), 1, False),
        # A pull that was empty is no measure.
        ((0, 0, 0, 1000), 1, False),
    ],
)
def test_a_pull_far_from_the_usual_size_is_held_back(con, tmp_path, reads, rows, held):
    some = [("a",)] * min(rows, 1)
    done = replace(checked(con, tmp_path, some), read=rows, accepted=rows)
    resource = resource_with(rule("volume_band", 0.5))
    found = quality.judge(con, resource, done, loads(*reads), NOW)
    assert bool(found) is held
    if held:
        assert found[0].blocks
        assert found[0].usual == 1000
        assert "500" in found[0].text("zh")
        assert "2,000" in found[0].text("en")


def test_only_the_last_pulls_are_usual_and_a_replay_is_none(con, tmp_path):
    history = loads(*[100] * 10, *[9000] * 50)
    assert quality.usual_rows(history) == 100
    assert quality.usual_rows([SimpleNamespace(read=1, total=1, facts={"replay": "true"}), *loads(5, 5)]) is None
    resource = resource_with(rule("volume_band", 0.5), disposition=Disposition.MERGE)
    assert quality.judge(con, resource, checked(con, tmp_path, [("a",)]), loads(*[100] * 5), NOW) == ()


def test_the_number_of_rows_of_a_delta_counts_with_what_is_there(con, tmp_path):
    one = rule("volume", 100)
    few = [("a",), ("b",)]
    assert judge(con, tmp_path, few, one, disposition=Disposition.MERGE, history=loads(5, total=98)) == ()
    (found,) = judge(con, tmp_path, few, one, disposition=Disposition.MERGE, history=loads(5, total=97))
    assert found.measured == 99


@pytest.mark.parametrize(
    ("name", "newest", "age"),
    [
        ("day", "2026-03-10", None),
        ("day", "2026-03-08", None),
        ("day", "2026-03-07", 2.5),
        ("day", "2999-12-31", None),
        ("at", "2026-03-08 12:00:00", None),
        ("at", "2026-03-08 11:00:00", 2.04),
        ("at", None, None),
        ("n", None, None),
    ],
)
def test_age_is_told_in_local_time_and_holds_nothing_back(con, tmp_path, name, newest, age):
    values = {"day": (None, None, None), "at": (None, None, None, None), "n": (None, None)}
    row = ("a", *values[name][1:], newest) if name != "at" else ("a", None, None, None, newest)
    row = ("a", None, None, newest) if name == "day" else row
    found = judge(con, tmp_path, [row], rule("timeliness", 2, name))
    assert [round(f.measured, 2) for f in found] == ([] if age is None else [age])
    assert not any(f.blocks for f in found)


def test_validity_is_told_and_the_error_budget_is_what_stops(con, tmp_path):
    reasons = [("bad_type:n", 2), ("too_long:name", 1), ("null_not_allowed:n", 5)]
    done = {"reasons": reasons, "rejected": 8}
    (found,) = judge(con, tmp_path, NAMED[:2], rule("validity", 0.9, "n"), check=done)
    assert (found.broken, found.rows, found.blocks) == (2, 10, False)
    assert judge(con, tmp_path, NAMED[:2], rule("validity", 0.8, "n"), check=done) == ()


def test_what_blocks_is_raised_unless_a_person_accepted_this_very_batch(con, tmp_path):
    resource = resource_with(rule("volume", 100), rule("timeliness", 1, "day"), rule("completeness", 1, "name"))
    rows = [("a", None, None, "2020-01-01")]
    found = quality.judge(con, resource, checked(con, tmp_path, rows), [], NOW)
    assert [f.kind.value for f in found] == ["volume", "timeliness", "completeness"]
    with pytest.raises(QualityGateError) as caught:
        quality.enforce(resource, found)
    assert [f.kind.value for f in caught.value.findings] == ["volume", "completeness"]
    assert "暂缓入库" in caught.value.text("zh")
    quality.enforce(resource, found, {f.digest for f in found})
    quality.enforce(resource, [f for f in found if not f.blocks])
    again = quality.judge(con, resource, checked(con, tmp_path, rows, batch="b2"), [], NOW)
    with pytest.raises(QualityGateError):
        quality.enforce(resource, again, {f.digest for f in found})


def test_every_kind_has_its_sentences_and_no_finding_carries_a_value(con, tmp_path):
    secret = "341221198001011234"
    every = (
        rule("completeness", 1, "name"),
        rule("uniqueness", 1, "n"),
        rule("validity", 1, "n"),
        rule("reference", 0.99, "id", "other.code"),
        rule("consistency", 0.99, "n", "n > 100"),
        rule("timeliness", 1, "day"),
        rule("volume", 10**6),
        rule("volume_band", 0.9),
    )
    assert {one.kind for one in every} == set(QualityKind)
    rows = [(secret, None, 1, "2001-02-03"), (secret + "X", secret, 1, None)]
    done = checked(con, tmp_path, rows, reasons=[("bad_type:n", 1)], rejected=1)
    found = quality.judge(
        con, resource_with(*every), done, loads(100, 100, 100), NOW, other={"other": "(SELECT 'x' AS code)"}.get
    )
    assert {f.kind for f in found} == set(QualityKind)
    text = json.dumps([f.to_json() for f in found], ensure_ascii=False)
    assert secret not in text
    assert "2001-02-03" not in text
    assert all(f.text("en") != f.text("zh") for f in found)
    assert len({f.digest for f in found}) == len(found)


def test_a_shrunken_pull_changes_nothing_until_it_is_accepted(loader):
    resource = replace(
        make_resource(fields=(field("code", key=True),), budget=0.9), quality=(rule("volume_band", 0.5),)
    )
    for night in range(4):
        loader.load(resource, [(f"k{i}",) for i in range(20 + night)])
    staged = loader.stage(["code"], [("k0",)])
    with loader.house._session(loader.root / "tmp") as session:
        from warehouse import checks

        schema = loader.house._schema(resource)
        done = checks.check(session, resource, schema, staged, loader.root / "staging", now=NOW + timedelta(days=1))
        found = quality.judge(session, resource, done, loader.house.snapshots("r_test"), NOW)
    with pytest.raises(QualityGateError, match="22 are usual"):
        quality.enforce(resource, found)
