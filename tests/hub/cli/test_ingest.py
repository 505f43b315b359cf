"""`zhengtong ingest` and `zhengtong warehouse` as a stranger meets them: both languages, JSON, exit codes, mistakes."""

import json
import os
import re
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from catalog.model import Disposition, Drift, DriftPolicy
from hub import pauses
from hub.actors import Actor
from hub.office import Office
from tests.hub.ingestion.city import FULL, City, resource
from warehouse.errors import DriftWaitsError

REPOSITORY = Path(__file__).parents[3]
CHINESE = re.compile(r"[\u4e00-\u9fff]")
WHOLE, DELTA, OTHER, NEVER, UNTRIED = "R-WHOLE", "R-DELTA", "R-OTHER", "R-NEVER", "R-UNTRIED"
# Many commands in one process: a process apiece would take minutes.
PROGRAM = """
import contextlib, io, json, sys
from hub.cli.language import speak_to_library
speak_to_library()
from hub.cli.app import run
told = []
for arguments in json.load(sys.stdin):
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = run(arguments)
    told.append([code, out.getvalue(), err.getvalue()])
json.dump(told, sys.stdout)
"""


class Told:
    def __init__(self, code, out, err):
        self.code, self.out, self.err = code, out, err

    @property
    def json(self):
        return json.loads(self.out)


def ask(city, *commands, lang="en", **environ):
    """Run each of *commands* (text, split at spaces) after the other."""
    env = {**os.environ, "LANG": "C.UTF-8", "LC_ALL": "", "ZHENGTONG_HOME": str(city.settings.home), **environ}
    # Tables are not to be folded in the middle of a sentence.
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, "--lang", lang],
        env={**env, "COLUMNS": "400"},
        cwd=REPOSITORY,
        input=json.dumps([command.split() for command in commands]),
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told = [Told(*one) for one in json.loads(done.stdout)]
    assert not [one for one in told if "Traceback" in one.out + one.err]
    return told[0] if len(told) == 1 else told


def do(path, *statements):
    with sqlite3.connect(path) as connection:
        for statement in statements:
            connection.execute(statement)


def build(folder):
    path = folder / "base.sqlite"
    do(
        path,
        *(
            f"CREATE TABLE {name} (no TEXT PRIMARY KEY, name TEXT, amount INTEGER, updated_at TEXT)"
            for name in ("people", "others")
        ),
        *(f"INSERT INTO people VALUES ('N{n}', 'x{n}', {n}, '2026-01-0{n}T08:00:00')" for n in range(1, 6)),
        "INSERT INTO people VALUES ('N6', 'much-too-long', 6, '2026-01-06T08:00:00')",
        "INSERT INTO others VALUES ('N1', 'x', 1, '2026-01-01')",
    )
    systems = {"base": {"kind": "sqlite", "settings": {"path": str(path)}}}
    of = [
        resource(WHOLE),
        resource(DELTA, Disposition.MERGE, cursor_field="updated_at"),
        resource(OTHER, object_="others", drift=((Drift.NEW, DriftPolicy.FREEZE),)),
        resource(NEVER, system="elsewhere"),
        resource(UNTRIED, system="elsewhere"),
    ]
    city = City(folder / "var", systems, *of)
    city.base = path
    return city


@pytest.fixture(scope="module")
def city(tmp_path_factory):
    """What commands that change nothing are asked about."""
    city = build(tmp_path_factory.mktemp("commands"))
    for code in (WHOLE, DELTA, OTHER):
        city.load(code)
    do(city.base, "ALTER TABLE others ADD COLUMN phone TEXT")
    with pytest.raises(DriftWaitsError):
        city.load(OTHER)
    with Office.open(city.settings) as office:
        pauses.pause(office, DELTA, Actor("D1", "data-engineer"), "maintenance")
    return city


@pytest.fixture
def own(tmp_path):
    """A deployment to change."""
    return build(tmp_path)


LOOKS = [
    "ingest plan",
    "ingest status",
    f"ingest rejects {WHOLE}",
    "ingest drift",
    "ingest alerts --sweep",
    f"ingest reconcile {WHOLE}",
    "ingest watch",
    f"warehouse fsck {WHOLE} --deep",
    f"warehouse snapshots {WHOLE}",
    f"warehouse count {WHOLE}",
    f"warehouse changes {WHOLE}",
]


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_every_look_speaks_its_language(city, lang):
    for command, told in zip(LOOKS, ask(city, *LOOKS, lang=lang), strict=True):
        assert told.code == 0, (command, told.err)
        said = told.out + told.err
        assert said.strip(), command
        assert bool(CHINESE.search(said)) == (lang == "zh"), (command, said)
        # Nothing of a row is shown, not even its key.
        assert not re.search(r"N[1-6]\b|x[1-6]\b|much-too", said), command


SHAPES = {
    "ingest plan": {"resource", "name", "disposition", "system", "kind", "cursor", "last_rows", "next_run", "light"},
    "ingest status": {"id", "resource", "run", "outcome", "read", "accepted", "rejected", "seconds", "notes", "mode"},
    f"ingest rejects {WHOLE}": {"line", "reasons", "batch", "committed"},
    "ingest drift": {"resource", "digest", "status", "report", "first_seen", "decided_by"},
    "ingest alerts --sweep": {"id", "kind", "severity", "resource", "department", "text", "what_to_do", "times"},
    f"warehouse snapshots {WHOLE}": {"snapshot_id", "at", "batch_id", "inserted", "rejected", "total", "cursor"},
    f"warehouse changes {WHOLE}": {"sequence", "kind", "at", "before", "after"},
}


def test_json_has_the_shape_that_programs_read(city):
    found = ask(city, *(f"{command} --json" for command in SHAPES))
    for (command, names), told in zip(SHAPES.items(), found, strict=True):
        assert told.code == 0, command
        assert told.json, command
        assert all(names <= set(row) for row in told.json), command
    one, compared, sound, watched = ask(
        city,
        f"warehouse count {WHOLE} --json",
        f"ingest reconcile {WHOLE} --json",
        f"warehouse fsck {WHOLE} --json",
        "ingest watch --json",
    )
    assert (one.json["rows"], one.json["resource"]) == (5, WHOLE)
    assert int(one.json["snapshot"])
    assert {name: compared.json[name] for name in ("missing", "extra", "changed", "rejected")} == {
        "missing": 0,
        "extra": 0,
        "changed": 0,
        "rejected": 1,
    }
    assert (sound.json, watched.json) == ([], [])


def test_numbers_of_snapshots_are_whole_in_json(city):
    # 63 bits do not fit the numbers of every reader; the table shows them, so programs need them too.
    plain, shown = ask(city, f"warehouse snapshots {WHOLE} --json", f"warehouse snapshots {WHOLE}")
    assert str(plain.json[0]["snapshot_id"]) in shown.out.strip().splitlines()[-1]


MISTAKES = [
    ("ingest", 2, ""),
    ("ingest run", 2, "--all"),
    ("ingest run NO-SUCH", 3, "NO-SUCH"),
    (f"ingest run {NEVER}", 5, "elsewhere"),
    (f"ingest run {DELTA}", 5, "maintenance"),
    (f"ingest backfill {DELTA}", 2, "--from"),
    (f"ingest backfill {DELTA} --from 2026-02-01 --to 2026-01-01", 2, "range"),
    (f"ingest backfill {WHOLE} --from 2026-01-01", 5, "cursor"),
    (f"ingest backfill {OTHER} --from yesterday", 5, "OTHER"),
    ("ingest replay", 2, "CODE"),
    (f"ingest replay {OTHER}", 5, "rejected"),
    ("ingest plan NO-SUCH", 3, "NO-SUCH"),
    ("ingest status NO-SUCH", 3, "NO-SUCH"),
    ("ingest rejects NO-SUCH", 3, "NO-SUCH"),
    (f"ingest rejects {UNTRIED}", 5, UNTRIED),
    (f"ingest rejects {WHOLE} --limit 0", 2, "--limit"),
    ("ingest drift NO-SUCH", 3, "NO-SUCH"),
    ("ingest drift --approve --by D1:list-office", 2, "--approve"),
    (f"ingest drift {OTHER} --approve --refuse --by D1:list-office", 2, "--approve"),
    (f"ingest drift {OTHER} --approve", 2, "DEPARTMENT"),
    (f"ingest drift {WHOLE} --approve --by D1:list-office", 3, WHOLE),
    (f"ingest pause {WHOLE} --by D1:data-engineer", 2, "--why"),
    ("ingest pause NO-SUCH --by D1:data-engineer --why x", 3, "NO-SUCH"),
    (f"ingest pause {WHOLE} --by nobody --why x", 2, "nobody"),
    ("ingest reconcile NO-SUCH", 3, "NO-SUCH"),
    (f"ingest reconcile {UNTRIED}", 5, UNTRIED),
    ("warehouse", 2, ""),
    ("warehouse maintain NO-SUCH", 3, "NO-SUCH"),
    ("warehouse snapshots NO-SUCH", 5, "NO-SUCH"),
    (f"warehouse count {WHOLE} --at 1999-01-01", 5, "1999"),
    (f"warehouse count {WHOLE} --at soon", 2, "--at"),
    (f"warehouse changes {WHOLE} --limit 0", 2, "--limit"),
]


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_a_mistake_is_named_and_told_apart_by_its_exit_code(city, lang):
    environ = {"ZHENGTONG_ACTOR": ""}
    found = ask(city, *(command for command, _, _ in MISTAKES), lang=lang, **environ)
    for (command, code, part), told in zip(MISTAKES, found, strict=True):
        assert told.code == code, (command, told.code, told.err)
        said = told.out + told.err
        assert part in said or lang == "zh", (command, said)
        assert bool(CHINESE.search(said)) == (lang == "zh"), (command, said)
    assert {one.outcome for one in [city.report("run-0")]} == {"loaded"}


def test_errors_are_json_where_json_was_asked_for(city):
    for told, code in zip(
        ask(city, f"warehouse count {UNTRIED} --json", "ingest plan NO-SUCH --json"), (5, 3), strict=True
    ):
        assert (told.code, told.json["ok"]) == (code, False)
        assert told.json["message"]


def test_a_load_and_what_it_says_of_itself(own):
    told, again, full = ask(
        own, f"ingest run {WHOLE} {DELTA} --json", f"ingest run {WHOLE}", f"ingest run {DELTA} --full --json"
    )
    assert told.code == again.code == full.code == 0
    assert [(row["resource"], row["inserted"], row["rejected"]) for row in told.json] == [(WHOLE, 5, 1), (DELTA, 5, 1)]
    assert f"{WHOLE} ✓" in told.err
    assert "unchanged" in again.out
    assert [row["mode"] for row in full.json] == ["full"]


def test_all_goes_on_after_one_that_fails(own):
    told = ask(own, "ingest run --all --json")
    assert told.code == 5
    assert {row["resource"]: row["outcome"] for row in told.json} == {
        WHOLE: "loaded",
        DELTA: "loaded",
        OTHER: "loaded",
        NEVER: "failed",
        UNTRIED: "failed",
    }


def test_a_trial_commits_nothing(own):
    told, rows = ask(own, f"ingest run {WHOLE} --dry-run --json", f"warehouse count {WHOLE} --json")
    assert (told.code, told.json[0]["outcome"], told.json[0]["accepted"]) == (0, "tried", 5)
    assert rows.json["rows"] == 0


def test_a_range_is_loaded_again_and_the_cursor_stays(own):
    own.load(DELTA)
    do(own.base, "UPDATE people SET amount = 99 WHERE no IN ('N2', 'N4')")
    told, plan = ask(
        own, f"ingest backfill {DELTA} --from 2026-01-02 --to 2026-01-02 --json", f"ingest plan {DELTA} --json"
    )
    assert (told.code, told.json[0]["mode"], told.json[0]["read"], told.json[0]["updated"]) == (0, "window", 1, 1)
    assert plan.json[0]["cursor"] == "2026-01-06T08:00:00"


def test_held_back_and_let_go(own):
    by = "--by D1:data-engineer"
    paused, refused, resumed, again, run = ask(
        own,
        f"ingest pause {WHOLE} {by} --why cleaning",
        f"ingest run {WHOLE}",
        f"ingest resume {WHOLE} {by}",
        f"ingest resume {WHOLE} {by}",
        f"ingest run {WHOLE}",
    )
    assert [one.code for one in (paused, refused, resumed, again, run)] == [0, 5, 0, 0, 0]
    assert "cleaning" in refused.err
    assert "goes on" in resumed.err
    assert "not paused" in again.err


def test_a_changed_shape_is_seen_and_decided_on(own):
    own.load(OTHER)
    do(own.base, "ALTER TABLE others ADD COLUMN phone TEXT")
    held, seen, approved, run, none = ask(
        own,
        f"ingest run {OTHER}",
        "ingest drift",
        f"ingest drift {OTHER} --approve --by D1:list-office --json",
        f"ingest run {OTHER}",
        "ingest drift",
    )
    assert [one.code for one in (held, seen, approved, run, none)] == [5, 0, 0, 0, 0]
    assert "phone" in held.err
    assert "phone" in seen.out
    assert (approved.json[0]["status"], approved.json[0]["decided_by"]) == ("approved", "D1:list-office")
    assert "No changed shape" in none.err


def test_rejected_rows_of_a_stopped_load_are_shown_and_said_to_be_so(own):
    do(own.base, "UPDATE people SET name = 'much-too-long'")
    stopped, rejects, plain = ask(
        own, f"ingest run {WHOLE}", f"ingest rejects {WHOLE}", f"ingest rejects {WHOLE} --json --limit 2"
    )
    assert (stopped.code, rejects.code) == (5, 0)
    assert "was stopped" in rejects.err
    assert "longer than declared" in rejects.out
    assert [row["committed"] for row in plain.json] == [False, False]


def test_a_difference_is_told_by_the_exit_code(own):
    own.load(WHOLE)
    do(own.base, "DELETE FROM people WHERE no = 'N1'", "UPDATE people SET amount = 0 WHERE no = 'N2'")
    told, alerted, mended, cleared, none = ask(
        own,
        f"ingest reconcile {WHOLE} --json",
        "ingest alerts --sweep --json",
        f"ingest run {WHOLE}",
        f"ingest reconcile {WHOLE}",
        "ingest alerts --sweep --json",
    )
    assert (told.code, told.json["extra"], told.json["changed"]) == (20, 1, 1)
    assert Path(told.json["report"]).stat().st_mode & 0o077 == 0
    assert [row["kind"] for row in alerted.json] == ["differs"]
    assert (mended.code, cleared.code) == (0, 0)
    assert none.json == []


def test_damage_is_told_by_the_exit_code(own):
    own.load(WHOLE)
    (file,) = (own.settings.warehouse / "data" / "city").glob(
        f"*{WHOLE.lower().replace('-', '*')}*/data/*/part-*.parquet"
    ) or [None]
    file.write_bytes(file.read_bytes()[:-10])
    told, plain, alerted = ask(own, "warehouse fsck", f"warehouse fsck {WHOLE} --json", "ingest alerts --json")
    assert (told.code, plain.code) == (20, 20)
    assert {row["severity"] for row in plain.json} == {"error"}
    assert "found" in told.err
    assert [row["kind"] for row in alerted.json] == ["warehouse_damaged"]


def test_upkeep_says_what_it_did(own):
    for number in range(9):
        do(own.base, f"INSERT INTO others VALUES ('M{number}', 'y', 1, '2026-01-01')")
        own.load(OTHER)
    told, plain = ask(own, "warehouse maintain", "warehouse maintain --json")
    assert (told.code, plain.code) == (0, 0)
    assert OTHER in told.out
    assert "9 run records" in told.err
    assert plain.json["runs"] == 0
    assert own.load(OTHER, FULL).outcome == "unchanged"


def test_what_a_table_held_is_counted_by_day_and_by_instant(own):
    own.load(WHOLE)
    moments = ("2999-01-01", "2999-01-01T08:00:00", "2999-01-01T08:00:00+00:00")
    found = ask(own, *(f"warehouse count {WHOLE} --at {at} --json" for at in moments))
    assert [(told.code, told.json["rows"]) for told in found] == [(0, 5)] * 3
