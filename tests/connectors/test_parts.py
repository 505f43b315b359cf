from __future__ import annotations

import errno
import hashlib
import json
import os
import random
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from connectors import parts as module
from connectors.errors import LandingFailedError, SourceUnavailableError
from connectors.parts import Parts, asked, read_manifest, write_table
from connectors.protocol import Column, ReadRequest

ROOT = Path(__file__).resolve().parents[2]
COUNT = 3

# A read of COUNT parts of ten rows each, which goes on from its state; every number once is the truth.
READER = """
import itertools, os, signal, sys
from pathlib import Path
from connectors.parts import Parts
from connectors.protocol import Column, ReadRequest

def read(into):
    with Parts(ReadRequest("R1", "t", (Column("n"),), None), into) as parts:
        start = parts.state.get("next", 0)
        for part in range(start, COUNT):
            parts.state["next"] = part + 1
            parts.add(lambda path: write(path, part))
        return parts.finish()

def write(path, part):
    with path.open("w") as file:
        for n in range(part * 10, part * 10 + 10):
            file.write(f"{n}\\n")
    return 10
"""
# Runs the read in a child that kills itself at its n-th call of the system, for every n, and reads again after it.
FAULTS = """
def arm(n):
    calls = itertools.count(1)
    def armed(real):
        def call(*args, **kwargs):
            number = next(calls)
            # Once before the call and once after it: not done, and done but never reported.
            if number == n and BEFORE:
                os.kill(os.getpid(), signal.SIGKILL)
            answer = real(*args, **kwargs)
            if number == n:
                os.kill(os.getpid(), signal.SIGKILL)
            return answer
        return call
    os.fsync = armed(os.fsync)
    for name in ("rename", "replace", "unlink", "mkdir", "write_bytes", "open"):
        setattr(Path, name, armed(getattr(Path, name)))

for n in itertools.count(1):
    into = Path(sys.argv[1]) / f"{'before' if BEFORE else 'after'}-{n}"
    child = os.fork()
    if not child:
        arm(n)
        read(into)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    read(into)
    if os.WIFEXITED(status):
        assert os.WEXITSTATUS(status) == 0
        print(n)
        break
"""


def request(**changes):
    return ReadRequest(**{"resource": "R1", "object": "t", "columns": (Column("n"),), "cursor": None, **changes})


def lines(count):
    def write(path):
        path.write_text("x\n" * count)
        return count

    return write


def numbers(into):
    manifest = read_manifest(into)
    found = []
    for part in manifest.parts:
        data = (into / part.file).read_bytes()
        assert (hashlib.sha256(data).hexdigest(), len(data)) == (part.sha256, part.bytes)
        assert len(data.split()) == part.rows
        found += [int(n) for n in data.split()]
    names = {"manifest.json", *(part.file for part in manifest.parts)}
    assert {path.name for path in into.iterdir()} == names
    return found


def script(text):
    return [sys.executable, "-c", text.replace("COUNT", str(COUNT))]


@pytest.mark.parametrize("before", [True, False])
def test_killed_at_any_call_of_the_system_the_next_read_has_every_row_once(tmp_path, before):
    text = READER + FAULTS.replace("BEFORE", str(before))
    done = subprocess.run([*script(text), tmp_path], cwd=ROOT, check=True, capture_output=True, text=True)
    points = int(done.stdout)
    assert points > COUNT * 6
    for n in range(1, points + 1):
        assert numbers(tmp_path / f"{'before' if before else 'after'}-{n}") == list(range(COUNT * 10))


def test_killed_at_random_moments_the_read_arrives_and_goes_on_where_it_was(tmp_path):
    into = tmp_path / "batch"
    dice = random.Random(7)
    slow = READER.replace("return 10", "import time; time.sleep(0.1); return 10") + "read(Path(sys.argv[1]))"
    kills, seen = 0, 0
    while True:
        child = subprocess.Popen([*script(slow), into], cwd=ROOT)
        try:
            code = child.wait(dice.uniform(0.1, 0.4))
        except subprocess.TimeoutExpired:
            child.send_signal(signal.SIGKILL)
            child.wait()
            kills += 1
            manifest = read_manifest(into)
            now = len(manifest.parts) if manifest else 0
            assert now >= seen
            seen = now
            if kills < 40:
                continue
            child = subprocess.Popen([*script(slow), into], cwd=ROOT)
            code = child.wait()
        assert code == 0
        break
    assert kills
    assert read_manifest(into).done
    assert numbers(into) == list(range(COUNT * 10))


def test_many_threads_may_begin_at_once(tmp_path):
    into = tmp_path / "batch"
    into.mkdir()
    (into / "old").write_text("x")
    with Parts(request(), into) as parts, ThreadPoolExecutor(8) as pool:
        paths = list(pool.map(lambda _: parts.temporary(), range(40)))
        assert len(set(paths)) == 40
        list(pool.map(lines(2), paths))
        for path in paths:
            parts.take(path, 2)
        assert parts.finish().rows == 80
    assert len(list(into.iterdir())) == 41


class TestManifest:
    def test_says_what_was_asked_and_what_was_landed(self, tmp_path):
        into = tmp_path / "staging" / "batch"
        with Parts(request(), into) as parts:
            parts.state["after"] = ["甲"]
            parts.add(lines(3))
            assert not read_manifest(into).done
            parts.add(lines(2))
            landed = parts.finish()
        said = json.loads((into / "manifest.json").read_text())
        assert (said["format"], said["done"], said["rows"]) == (1, True, 5)
        assert [part["file"] for part in said["parts"]] == ["part-00000.parquet", "part-00001.parquet"]
        assert said["state"] == {"after": ["甲"]}
        assert said["asked"] == asked(request())
        few = [{key: part[key] for key in ("file", "sha256", "rows")} for part in said["parts"]]
        text = json.dumps(few, sort_keys=True, separators=(",", ":"))
        assert landed.sha256 == read_manifest(into).sha256 == hashlib.sha256(text.encode()).hexdigest()
        assert landed.rows == 5

    @pytest.mark.parametrize(
        "changes",
        [
            {"resource": "R2"},
            {"object": "u"},
            {"columns": (Column("n", type="BIGINT"),)},
            {"cursor": "1"},
            {"cursor_column": "n"},
            {"window": ("1", "2")},
            {"key": ("n",)},
            {"options": {"lag": "1d"}},
        ],
    )
    def test_another_question_has_another_digest(self, changes):
        assert asked(request(**changes)) != asked(request())

    def test_who_watches_changes_nothing(self):
        assert asked(request(progress=print)) == asked(request())

    @pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"format": 2}', '{"format": 1, "parts": [{}]}'])
    def test_what_is_not_a_manifest_is_none(self, tmp_path, text):
        (tmp_path / "manifest.json").write_text(text)
        assert read_manifest(tmp_path) is None

    def test_a_file_has_no_manifest(self, tmp_path):
        (tmp_path / "batch").write_text("x")
        assert read_manifest(tmp_path / "batch") is None


class TestGoingOn:
    def broken(self, into, **changes):
        with pytest.raises(SourceUnavailableError), Parts(request(**changes), into) as parts:  # noqa: PT012 - the fault
            parts.state["next"] = 1
            parts.add(lines(2))
            parts.temporary().write_text("half")
            raise SourceUnavailableError(problem="database_locked", where="t", waited_s=1)

    def test_the_same_question_goes_on(self, tmp_path):
        into = tmp_path / "batch"
        self.broken(into)
        assert sorted(path.name for path in into.iterdir()) == ["manifest.json", "part-00000.parquet"]
        with Parts(request(), into) as parts:
            assert (parts.resumed, parts.rows, parts.state) == (True, 2, {"next": 1})
            parts.add(lines(1))
            assert parts.finish().rows == 3

    def test_another_question_starts_anew(self, tmp_path):
        into = tmp_path / "batch"
        self.broken(into)
        with Parts(request(cursor="2"), into) as parts:
            assert (parts.resumed, parts.state) == (False, {})
            parts.add(lines(1))
            assert parts.finish().rows == 1
        assert len(list(into.iterdir())) == 2

    def test_a_finished_landing_is_read_anew(self, tmp_path):
        into = tmp_path / "batch"
        for count in (3, 1):
            with Parts(request(), into) as parts:
                assert not parts.resumed
                parts.add(lines(count))
                parts.finish()
        assert read_manifest(into).rows == 1

    @pytest.mark.parametrize("harm", [lambda part: part.unlink(), lambda part: part.write_text("x")])
    def test_a_part_that_is_gone_or_cut_starts_anew(self, tmp_path, harm):
        into = tmp_path / "batch"
        self.broken(into)
        harm(into / "part-00000.parquet")
        with Parts(request(), into) as parts:
            assert not parts.resumed
            parts.add(lines(1))
            parts.finish()
        assert read_manifest(into).rows == 1

    def test_a_connector_may_start_anew(self, tmp_path):
        into = tmp_path / "batch"
        self.broken(into)
        with Parts(request(), into) as parts:
            parts.restart()
            parts.add(lines(1))
            parts.finish()
        assert read_manifest(into).rows == 1
        assert len(list(into.iterdir())) == 2

    def test_what_cannot_be_resumed_leaves_nothing(self, tmp_path):
        into = tmp_path / "batch"
        with pytest.raises(ZeroDivisionError), Parts(request(), into) as parts:  # noqa: PT012 - the fault comes last
            parts.resumable = False
            parts.add(lines(2))
            raise ZeroDivisionError
        assert list(tmp_path.iterdir()) == []

    def test_a_read_that_fails_before_its_first_part_leaves_what_stood_there(self, tmp_path):
        into = tmp_path / "batch"
        into.write_text("earlier")
        with pytest.raises(ZeroDivisionError), Parts(request(), into):
            raise ZeroDivisionError
        assert into.read_text() == "earlier"

    def test_a_single_file_is_replaced(self, tmp_path):
        into = tmp_path / "batch"
        into.write_text("earlier")
        with Parts(request(), into) as parts:
            parts.add(lines(1))
            parts.finish()
        assert read_manifest(into).done

    def test_a_failed_first_part_leaves_nothing(self, tmp_path):
        with pytest.raises(ZeroDivisionError), Parts(request(), tmp_path / "batch") as parts:
            parts.add(lambda path: 1 // 0)
        assert list(tmp_path.iterdir()) == []

    def test_two_landings_at_once_are_refused(self, tmp_path):
        into = tmp_path / "batch"
        with Parts(request(), into) as parts:
            parts.add(lines(1))
            with pytest.raises(LandingFailedError) as caught, Parts(request(), into):
                pass
            assert caught.value.problem == "cannot_write"
            parts.finish()
        with Parts(request(), into):
            pass


class TestDisk:
    @pytest.mark.parametrize("name", ["fsync", "rename", "replace", "write_bytes", "mkdir"])
    def test_every_refusal_is_ours(self, tmp_path, monkeypatch, name):
        def full(*_, **__):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        monkeypatch.setattr(module.os if name == "fsync" else Path, name, full)
        with pytest.raises(LandingFailedError) as caught, Parts(request(), tmp_path / "batch") as parts:
            parts.add(lines(1))
        assert caught.value.problem == "disk_full"
        monkeypatch.undo()
        assert not (tmp_path / "batch" / "manifest.json").exists()

    def test_a_writer_that_fills_the_disk_is_ours(self, tmp_path):
        def full(path):
            path.write_text("half")
            raise OSError(errno.EDQUOT, "quota")

        with Parts(request(), tmp_path / "batch") as parts:
            parts.add(lines(1))
            with pytest.raises(LandingFailedError):
                parts.add(full)
            assert parts.rows == 1
            parts.finish()
        assert len(list((tmp_path / "batch").iterdir())) == 2

    def test_a_folder_that_may_not_be_written_says_why(self, tmp_path):
        (tmp_path / "file").write_text("")
        with pytest.raises(LandingFailedError) as caught, Parts(request(), tmp_path / "file" / "batch") as parts:
            parts.add(lines(1))
        assert caught.value.problem == "cannot_write"


def test_limits_and_misuse(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "ROWS_PER_PART", 2)
    with Parts(request(), tmp_path / "batch") as parts:
        with pytest.raises(ValueError, match="at most 2"):
            parts.add(lines(3))
        with pytest.raises(ValueError, match="at least one"):
            parts.finish()
    assert list(tmp_path.iterdir()) == []


def test_progress_tells_every_part(tmp_path):
    told = []
    with Parts(request(progress=told.append), tmp_path / "batch") as parts:
        parts.about = 5
        parts.add(lines(3))
        parts.add(lines(2))
        parts.finish()
    assert [(progress.rows, progress.about) for progress in told] == [(3, 5), (5, 5)]


def test_arrow_parts_bear_the_field_ids_of_the_types_they_have(tmp_path):
    columns = (
        Column("n", type="BIGINT", field_id=4),
        Column("d", type="DECIMAL(12,2)", field_id=5),
        Column("t", type="DATE", field_id=6),
        Column("x", field_id=0),
    )
    arrays = [pa.array([1], pa.int64()), pa.array([None], pa.decimal128(12, 2)), pa.array(["x"]), pa.array(["y"])]
    assert write_table(pa.table(arrays, names=["a", "b", "c", "d"]), columns, tmp_path / "p") == 1
    schema = pq.read_schema(tmp_path / "p")
    assert schema.names == ["n", "d", "t", "x"]
    ids = [(field.metadata or {}).get(b"PARQUET:field_id") for field in schema]
    assert ids == [b"4", b"5", None, None]
    assert pq.ParquetFile(tmp_path / "p").metadata.row_group(0).column(0).compression == "ZSTD"


def test_no_arrow_is_loaded_for_parts_that_others_write():
    code = "import sys, connectors.parts; print('pyarrow' in sys.modules)"
    assert subprocess.check_output([sys.executable, "-c", code], cwd=ROOT, text=True).strip() == "False"
