from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from connectors import landing
from connectors.cursor import FullPull
from connectors.errors import ConnectorError, LandingFailedError, SourceShapeError
from connectors.protocol import Column, ReadRequest

# For programs that are killed or limited: what `tables` and REQUEST are here, without importing pytest.
PROGRAM = """
import pyarrow as pa
from connectors import landing
from connectors.cursor import FullPull
from connectors.protocol import Column, ReadRequest
REQUEST = ReadRequest("R", "o", (Column("a"),), None)
def tables(count):
    for number in range(count):
        yield pa.table({"a": pa.array([str(number * 1000 + row) for row in range(1000)], pa.string())})
"""
REQUEST = ReadRequest("R", "o", (Column("a"),), None)


def tables(count: int, rows: int = 1000):
    for number in range(count):
        yield pa.table({"a": pa.array([f"{number}-{row}" for row in range(rows)], pa.string())})


@pytest.mark.parametrize("room", [0, 3, 4096, 100_000, 200_000])
def test_a_full_disk_leaves_no_file_at_all(into: Path, monkeypatch, room: int) -> None:
    class Full(landing._Sink):
        written = 0

        def write(self, data: bytes) -> int:
            if self.failure is None:
                self.written += memoryview(data).nbytes
                if self.written > room:
                    self.failure = OSError(errno.ENOSPC, "No space left on device")
                    raise self.failure
            return super().write(data)

    monkeypatch.setattr(landing, "_Sink", Full)
    with pytest.raises(LandingFailedError) as caught:
        landing.land(REQUEST, tables(400), into, FullPull())
    assert caught.value.problem == "disk_full"
    assert list(into.parent.iterdir()) == []


def test_a_full_disk_found_out_at_fsync_leaves_no_file_at_all(into: Path, monkeypatch) -> None:
    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(landing.os, "fsync", full)
    with pytest.raises(LandingFailedError) as caught:
        landing.land(REQUEST, tables(1), into, FullPull())
    assert caught.value.problem == "disk_full"
    assert list(into.parent.iterdir()) == []


def test_a_real_limit_of_the_operating_system_leaves_no_file_at_all(tmp_path: Path) -> None:
    program = f"""
import resource, signal, sys
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
from pathlib import Path
{PROGRAM}
from connectors.errors import LandingFailedError
try:
    landing.land(REQUEST, tables(400), Path({str(tmp_path)!r}) / "out" / "batch", FullPull())
except LandingFailedError as error:
    sys.exit(7)
"""
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", program], cwd=root, check=False, capture_output=True)
    assert (done.returncode, list((tmp_path / "out").iterdir())) == (7, []), done.stderr


def test_a_kill_leaves_only_a_temporary_file_and_the_next_landing_removes_it(tmp_path: Path) -> None:
    program = f"""
import os, signal
from pathlib import Path
{PROGRAM}
def killed():
    yield from tables(300)
    os.kill(os.getpid(), signal.SIGKILL)
landing.land(REQUEST, killed(), Path({str(tmp_path)!r}) / "batch", FullPull())
"""
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", program], cwd=root, check=False)
    assert done.returncode == -signal.SIGKILL
    left = [path.name for path in tmp_path.iterdir()]
    assert len(left) == 1
    assert left[0].startswith(".batch.")
    assert left[0].endswith(".landing")
    landing.land(REQUEST, tables(1), tmp_path / "batch", FullPull())
    assert [path.name for path in tmp_path.iterdir()] == ["batch"]


def test_a_landing_in_progress_is_not_swept_away_by_another(into: Path) -> None:
    with landing.Landing(into, ("a",)) as first:
        landing.land(REQUEST, tables(2), into, FullPull())
        assert first._temporary.exists()
        first.add(pa.table({"_line": pa.array([1], pa.int64()), "a": ["x"]}))
        first.finish()
    assert pq.read_table(into).num_rows == 1


def test_an_error_of_the_source_keeps_the_earlier_file(into: Path) -> None:
    before = landing.land(REQUEST, tables(1), into, FullPull())

    def broken():
        yield from tables(200)
        raise SourceShapeError(problem="bad_xml", where="x")

    with pytest.raises(SourceShapeError):
        landing.land(REQUEST, broken(), into, FullPull())
    assert pq.read_table(into).num_rows == before.rows
    assert [path.name for path in into.parent.iterdir()] == [into.name]


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(LandingFailedError) as caught:
        landing.land(REQUEST, tables(1), tmp_path / "file" / "batch", FullPull())
    assert caught.value.problem == "cannot_write"


def test_the_bytes_do_not_depend_on_how_rows_were_delivered(tmp_path: Path) -> None:
    whole = pa.concat_tables(list(tables(300)))
    digests = set()
    for step in (300_000, 1000, 7919):
        parts = (whole.slice(at, step) for at in range(0, whole.num_rows, step))
        digests.add(landing.land(REQUEST, parts, tmp_path / str(step), FullPull()).sha256)
    assert len(digests) == 1


def test_the_file_is_durable_before_it_has_its_name(into: Path, monkeypatch) -> None:
    steps: list[str] = []
    fsync, rename = os.fsync, Path.rename
    monkeypatch.setattr(landing.os, "fsync", lambda handle: (steps.append("fsync"), fsync(handle))[1])
    monkeypatch.setattr(Path, "rename", lambda path, to: (steps.append("rename"), rename(path, to))[1])
    landing.land(REQUEST, tables(1), into, FullPull())
    assert steps == ["fsync", "rename", "fsync"]


def test_errors_cross_processes_and_speak_both_languages() -> None:
    import pickle

    error = SourceShapeError(problem="ragged_row", where="a.csv:3", expected=2, found=5)
    again = pickle.loads(pickle.dumps(error))  # noqa: S301
    assert isinstance(again, SourceShapeError)
    assert again.text("zh") == error.text("zh") != str(error)
    assert isinstance(again, ConnectorError)


def test_every_problem_can_be_said_in_both_languages_with_the_same_parameters() -> None:
    import string

    from connectors.problems import PROBLEMS

    for code, (english, chinese) in PROBLEMS.items():
        names = [{name for _, name, _, _ in string.Formatter().parse(text) if name} for text in (english, chinese)]
        assert names[0] == names[1], code


def test_every_problem_raised_is_in_the_table_and_every_one_in_the_table_is_raised() -> None:
    import re

    from connectors.problems import PROBLEMS

    sources = [
        p.read_text(encoding="utf-8") for p in Path(landing.__file__).parent.glob("*.py") if p.stem != "problems"
    ]
    text = "\n".join(sources)
    assert set(re.findall(r'problem="(\w+)"', text)) <= set(PROBLEMS)
    # Some are chosen first and raised later.
    assert set(PROBLEMS) <= set(re.findall(r'"(\w+)"', text))
