"""A file that is one line of ten gigabytes is an error within seconds and within bounded memory, whatever the kind."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

TEN_GB = 10 * 1024**3
MOST_KB = 350_000
# The file is sparse: ten gigabytes to read, and none on the disk. Its zeros are characters like any others.
PROGRAM = """
import resource, sys
from pathlib import Path
from connectors.errors import ConnectorError
from connectors.protocol import Column, ReadRequest
from connectors.registry import connect

kind, folder, size, begin, options = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), sys.argv[4], eval(sys.argv[5])
path = folder / "a.dat"
path.write_bytes(begin.encode())
with path.open("r+b") as file:
    file.truncate(size)
connector = connect(kind, {"folder": str(folder)}, str)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    connector.read(ReadRequest("R", "a.dat", (Column("id"),), None, "", options), folder / "out" / "batch")
    problem = "-"
except ConnectorError as failure:
    problem = f"{type(failure).__name__} {failure.problem}"
print(problem, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before, list((folder / "out").iterdir()))
"""


@pytest.mark.parametrize(
    ("kind", "begin", "options", "expected"),
    [
        ("csv", "", {}, "SourceShapeError record_too_long"),
        ("csv", "id\n1\n", {}, "SourceShapeError record_too_long"),
        ("csv", 'id\n"', {}, "SourceShapeError record_too_long"),
        ("csv", "id,name\n", {"encoding": "gb18030"}, "SourceShapeError record_too_long"),
        ("ndjson", '{"id": "', {}, "SourceShapeError record_too_long"),
        ("json", '[{"id": "', {}, "SourceShapeError record_too_long"),
        ("json", '{"other": "', {"rows": "rows"}, "SourceShapeError record_too_long"),
        ("fixed-width", "1", {"layout": "id:0:1"}, "SourceShapeError record_length"),
        ("xml", "<r><p><id>", {"record": "p"}, "SourceShapeError bad_xml"),
        ("dbf", "", {}, "SourceShapeError not_this_format"),
        ("excel", "", {}, "SourceShapeError not_this_format"),
        ("parquet", "PAR1", {}, "SourceIncompleteError truncated"),
    ],
    ids=range(12),
)
def test_a_line_without_end(tmp_path, kind, begin, options, *, expected):
    root = Path(__file__).parents[2]
    arguments = [kind, tmp_path, str(TEN_GB), begin, repr(options)]
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *arguments], cwd=root, check=True, capture_output=True, text=True, timeout=120
    )
    found, _, rest = done.stdout.rpartition(" [")
    problem, _, grown_kb = found.rpartition(" ")
    assert problem == expected
    assert rest == "]\n"
    assert int(grown_kb) < MOST_KB
