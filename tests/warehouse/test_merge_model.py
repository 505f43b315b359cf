"""Random loads against a model of plain dicts: rows in force, rows kept, history and the feed."""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from catalog.model import Deletion, Disposition
from tests.warehouse.conftest import PAIR, STAMPED, Loader, make_resource
from warehouse import feed, merge, reading
from warehouse import table as tables

DAY = datetime(2024, 1, 1)  # noqa: DTZ001 - local times are naive in tables
KEYS = [f"k{i}" for i in range(12)]
QUICK = settings(max_examples=4, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
PULL = st.dictionaries(st.sampled_from(KEYS), st.sampled_from("abc"), min_size=1, max_size=12)
# (value or None for a deletion, hours that the row is older than the load)
TOLD = st.tuples(st.sampled_from(["a", "b", "c", None]), st.sampled_from([12, 24, 36, 48, 60, 72, 96]))
DELTA = st.tuples(st.dictionaries(st.sampled_from(KEYS[:6]), TOLD, min_size=2, max_size=6), st.booleans())


@contextmanager
def fresh():
    with tempfile.TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
        # Files of three rows, of which some lose rows by position and some are written anew.
        patch.setattr(merge, "REWRITE_FILES", 0)
        patch.setattr(merge, "REWRITE_SHARE", 0.6)
        patch.setattr(merge, "MAX_SMALL_FILES", 6)
        loader = Loader(Path(name), rows_per_file=3)
        try:
            yield loader
        finally:
            loader.house.close()


def resource(disposition, *, deletion=Deletion.HARD, stamped=False):
    if not stamped:
        return replace(make_resource(disposition, PAIR), deletion=deletion)
    made = make_resource(disposition, STAMPED, cursor_field="changed", deleted_field="gone", deleted_value="1")
    return replace(made, deletion=deletion)


def moment(load):
    """The load's time as the table has it, and as it is told to the check."""
    local = DAY + timedelta(days=load)
    return local, (local - timedelta(hours=8)).replace(tzinfo=UTC)


def run(loader, res, load, columns, rows, cursor=None):  # noqa: PLR0917 - as told in one line
    staged = loader.stage(columns, rows, cursor)
    loader.house.ensure(res)
    checked = loader.house.check(res, staged, loader.root / "staging", now=moment(load)[1])
    return loader.house.commit(res, staged, checked)


def kept(loader, res, *, live):
    """The rows as tuples of all columns, in the order of the key."""
    loaded = tables.load(loader.house._catalog, res.code)
    files = tables.files_of(loaded, res.code, loaded.metadata.current_snapshot_id)
    with loader.house._session(loader.root / "tmp") as con:
        return con.execute(
            f"SELECT * FROM {reading.read_files(loaded.schema(), files, live=live)} ORDER BY ALL"
        ).fetchall()


class Follower:
    """A consumer who took the whole table once and follows the feed by digests."""

    def __init__(self, loader, res):
        self.loader, self.res, self.seen, self.state = loader, res, 0, {}

    def follow(self, rows):
        wanted = {row[0]: feed.digest_of(dict(enumerate(row, 1))) for row in rows}
        while found := feed.read(self.loader.house._room, self.res.code, self.seen, 3):
            assert [c.seq for c in found] == list(range(self.seen + 1, self.seen + 1 + len(found)))
            self.seen = found[-1].seq
            for change in found:
                self.apply(change, wanted)
        assert self.state == wanted

    def apply(self, change, wanted):
        key = change.key.get("code")
        if change.kind == "baseline":
            assert change.rows == len(wanted)
            self.state = dict(wanted)
        elif change.kind == "correction":
            assert change.before is None
        else:
            assert self.state.pop(key, None) == change.before
            if change.after is not None:
                self.state[key] = change.after
            assert (change.kind == "delete") == (change.after is None)
            assert (change.kind == "insert") == (change.before is None)


@pytest.mark.parametrize("deletion", list(Deletion))
@QUICK
@given(pulls=st.lists(PULL, min_size=2, max_size=5))
def test_replace(deletion, pulls):
    with fresh() as loader:
        res = resource(Disposition.REPLACE, deletion=deletion)
        follower, rows, dead = Follower(loader, res), {}, {}
        for load, pull in enumerate(pulls):
            done = run(loader, res, load, ["code", "value"], list(pull.items()))
            gone = rows.keys() - pull.keys()
            if not done.already:
                assert (done.inserted, done.deleted) == (len(pull.keys() - rows.keys()), len(gone))
                assert done.unchanged == len(pull.items() & rows.items())
            if deletion is Deletion.SOFT:
                dead |= {k: (k, rows[k], moment(load)[0]) for k in gone}
                dead = {k: v for k, v in dead.items() if k not in pull}
            rows = dict(pull)
            assert [r[:2] for r in kept(loader, res, live=True)] == sorted(rows.items())
            whole = [(*r, None) for r in rows.items()] + list(dead.values())
            if deletion is Deletion.SOFT:
                assert kept(loader, res, live=False) == sorted(whole, key=lambda r: r[0])
            follower.follow(rows.items())


@QUICK
@given(pulls=st.lists(PULL, min_size=2, max_size=5))
def test_append(pulls):
    with fresh() as loader:
        res = resource(Disposition.APPEND)
        follower, rows = Follower(loader, res), {}
        for load, pull in enumerate(pulls):
            done = run(loader, res, load, ["code", "value"], list(pull.items()))
            if not done.already:
                assert done.inserted == len(pull.keys() - rows.keys())
                assert done.quarantined == sum(k in rows and rows[k] != v for k, v in pull.items())
            rows = pull | rows
            assert kept(loader, res, live=True) == sorted(rows.items())
            follower.follow(rows.items())


@pytest.mark.parametrize("deletion", list(Deletion))
@QUICK
@given(deltas=st.lists(DELTA, min_size=2, max_size=5))
def test_merge(deletion, deltas):
    with fresh() as loader:
        res = resource(Disposition.MERGE, deletion=deletion, stamped=True)
        follower, rows, dead = Follower(loader, res), {}, {}
        for load, (delta, window) in enumerate(deltas, start=3):
            now = moment(load)[0]
            late = window and load > 3
            told = {k: (v, now - timedelta(hours=h)) for k, (v, h) in delta.items()}
            landed = [(k, v, str(t), "1" if v is None else "0") for k, (v, t) in told.items()]
            run(loader, res, load, ["code", "value", "changed", "gone"], landed, None if late else str(now))
            for k, (v, t) in told.items():
                if v is None and k in rows:
                    dead[k] = (k, *rows.pop(k), now)
                elif v is not None and not (late and k in rows and t < rows[k][1]):
                    rows[k] = (v, t)
                    dead.pop(k, None)
            whole = [(k, *r) for k, r in sorted(rows.items())]
            assert [r[:3] for r in kept(loader, res, live=True)] == whole
            if deletion is Deletion.SOFT:
                every = [(*r, None) for r in whole] + list(dead.values())
                assert kept(loader, res, live=False) == sorted(every, key=lambda r: r[0])
            assert loader.house.cursor(res.code) is not None
            follower.follow(whole)


def place(versions, value, since, *, window):
    """One row told of a key into its *versions* ``[value, told at, from, to]``, as scd2 promises."""
    current = next((v for v in versions if v[3] is None), None)
    if current and current[:2] == [value, since]:
        return
    ended = max((v[3] for v in versions if v[3] is not None), default=None)
    if current and since >= current[2]:
        current[3] = since
        versions.append([value, since, since, None])
    elif current or (window and ended is not None and since < ended):
        before = [v for v in versions if v[2] <= since]
        nearest = max(before, key=lambda v: (v[2], v[3] is None, v[3] or DAY), default=None)
        if nearest and nearest[2] == since:
            return
        within = nearest is not None and (nearest[3] is None or nearest[3] > since)
        if within and nearest[:2] == [value, since]:
            return
        end = nearest[3] if within else min(v[2] for v in versions if v[2] > since)
        if within:
            nearest[3] = since
        versions.append([value, since, since, end])
    else:
        versions.append([value, since, max(since, ended) if ended else since, None])


@QUICK
@given(deltas=st.lists(DELTA, min_size=4, max_size=7))
def test_scd2_with_a_clock(deltas):
    with fresh() as loader:
        res = resource(Disposition.SCD2, stamped=True)
        follower, model = Follower(loader, res), {}
        for load, (delta, window) in enumerate(deltas, start=3):
            now = moment(load)[0]
            late = window and load > 3
            told = {k: (v, now - timedelta(hours=h)) for k, (v, h) in delta.items()}
            landed = [(k, v, str(t), "1" if v is None else "0") for k, (v, t) in told.items()]
            run(loader, res, load, ["code", "value", "changed", "gone"], landed, None if late else str(now))
            for k, (v, t) in told.items():
                versions = model.setdefault(k, [])
                current = next((x for x in versions if x[3] is None), None)
                if v is not None:
                    place(versions, v, t, window=late)
                elif current:
                    current[3] = max(now, current[2])
            whole = sorted((k, *v) for k, versions in model.items() for v in versions)
            every = kept(loader, res, live=False)
            assert sorted(every, key=str) == sorted(whole, key=str)
            live = [row[:3] for row in whole if row[4] is None]
            assert [row[:3] for row in kept(loader, res, live=True)] == sorted(live)
            assert len({row[0] for row in live}) == len(live)
            follower.follow(live)


@QUICK
@given(pulls=st.lists(PULL, min_size=2, max_size=5))
def test_scd2_by_full_pulls(pulls):
    with fresh() as loader:
        res = resource(Disposition.SCD2)
        follower, model = Follower(loader, res), {}
        for load, pull in enumerate(pulls):
            now = moment(load)[0]
            run(loader, res, load, ["code", "value"], list(pull.items()))
            for k in model.keys() | pull.keys():
                versions = model.setdefault(k, [])
                current = next((v for v in versions if v[2] is None), None)
                if current and current[0] != pull.get(k):
                    current[2] = now
                if k in pull and not (current and current[2] is None):
                    versions.append([pull[k], now, None])
            whole = [(k, *v) for k, versions in model.items() for v in versions]
            assert sorted(kept(loader, res, live=False), key=str) == sorted(whole, key=str)
            assert [row[:2] for row in kept(loader, res, live=True)] == sorted(pull.items())
            follower.follow(pull.items())
