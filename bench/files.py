"""How quickly files land as text, and in how much memory, beside DuckDB's bare COPY of the same rows to Parquet.

    python bench/files.py [--quick] [--runs N]

Each measurement runs in a process of its own, the peer's right after ours, so that a busy machine is busy for both;
times are of the work alone, memory is the whole process's. DuckDB reads the rows in UTF-8, which is its own encoding
and spares it what is slowest for it; both write zstd. The last line is JSON.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import multiprocessing
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from connectors.protocol import Column, ReadRequest
from connectors.registry import connect

if TYPE_CHECKING:
    from multiprocessing.queues import Queue

COLUMNS = ("code", "name", "streetCode", "provinceCode", "cityCode", "areaCode")
QUICK_ROWS = 620_573
FULL_ROWS = 2_000_000
# Beside each name: kind, file, options.
WAYS = {
    "csv, UTF-8": ("csv", "plain.csv", {}),
    "csv, GB18030": ("csv", "gb18030.csv", {"encoding": "gb18030"}),
    "csv, GB18030, all quoted": ("csv", "quoted.csv", {"encoding": "gb18030"}),
    "csv.gz, GB18030": ("csv", "packed.csv.gz", {"encoding": "gb18030"}),
    "json, one document": ("json", "rows.json", {}),
}


def write(folder: Path, rows: int) -> None:
    """The same rows in every form: villages with their codes, as the divisions have them."""
    codes = (f"{110_101_001_001 + number * 11}" for number in range(rows))
    names = (f"{'东西南北中'[number % 5]}庄{number}社区居委会" for number in range(rows))
    records = [(code, name, code[:9], code[:2], code[:4], code[:6]) for code, name in zip(codes, names, strict=True)]
    for name, encoding, quoting in (
        ("plain.csv", "utf-8", csv.QUOTE_MINIMAL),
        ("gb18030.csv", "gb18030", csv.QUOTE_MINIMAL),
        ("quoted.csv", "gb18030", csv.QUOTE_ALL),
    ):
        with (folder / name).open("w", encoding=encoding, newline="") as file:
            writer = csv.writer(file, quoting=quoting)  # type: ignore[arg-type]  # the stubs want a literal
            writer.writerow(COLUMNS)
            writer.writerows(records)
    (folder / "packed.csv.gz").write_bytes(gzip.compress((folder / "gb18030.csv").read_bytes(), 6))
    with (folder / "rows.json").open("w", encoding="utf-8") as file:
        file.write("[")
        for number, record in enumerate(records):
            file.write(",\n" * bool(number))
            json.dump(dict(zip(COLUMNS, record, strict=True)), file, ensure_ascii=False)
        file.write("]\n")


def peak_mb() -> float:
    """The most memory this process has had; what getrusage says begins with the parent's."""
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


def land(folder: Path, way: str, rows: int, answers: Queue[tuple[float, float]]) -> None:
    """Ours, in a process of its own."""
    kind, name, options = WAYS[way]
    connector = connect(kind, {"folder": str(folder)}, str)
    request = ReadRequest("bench", name, tuple(Column(column) for column in COLUMNS), None, options=options)
    began = time.perf_counter()
    batch = connector.read(request, folder / "out" / "landed.parquet")
    taken_s = time.perf_counter() - began
    assert batch.rows == rows
    answers.put((taken_s, peak_mb()))


def copy(folder: Path, answers: Queue[tuple[float, float]]) -> None:
    """DuckDB's, in a process of its own."""
    target = folder / "out" / "bare.parquet"
    target.parent.mkdir(exist_ok=True)
    began = time.perf_counter()
    with duckdb.connect() as con:
        con.execute("SET enable_progress_bar = false")
        con.execute(f"COPY (FROM read_csv('{folder}/plain.csv', all_varchar=true)) TO '{target}' (COMPRESSION zstd)")
    answers.put((time.perf_counter() - began, peak_mb()))


def apart(target: object, *arguments: object) -> tuple[float, float]:
    """Seconds and peak MB of *target* in a new process."""
    context = multiprocessing.get_context("spawn")
    answers = context.Queue()
    process = context.Process(target=target, args=(*arguments, answers))  # type: ignore[arg-type]
    process.start()
    process.join()
    assert process.exitcode == 0
    found: tuple[float, float] = answers.get(timeout=10)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description="Files of 620,573 rows (2,000,000 without --quick), landed as text.")
    parser.add_argument("--quick", action="store_true", help="two runs of 620,573 rows")
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    runs = 2 if options.quick else options.runs
    rows = QUICK_ROWS if options.quick else FULL_ROWS
    print(f"{rows:,} rows")
    print(f"{'':<26}{'median s':>10}{'rows/s':>12}{'peak MB':>9}{'DuckDB s':>10}{'ratio':>7}")
    results: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory(prefix="zhengtong-bench-") as name:
        folder = Path(name)
        write(folder, rows)
        for way in WAYS:
            pairs = [(apart(land, folder, way, rows), apart(copy, folder)) for _ in range(runs)]
            ours = statistics.median(mine[0] for mine, _ in pairs)
            peer = statistics.median(theirs[0] for _, theirs in pairs)
            ratio = statistics.median(mine[0] / theirs[0] for mine, theirs in pairs)
            peak = max(mine[1] for mine, _ in pairs)
            print(f"{way:<26}{ours:>10.2f}{rows / ours:>12,.0f}{peak:>9,.0f}{peer:>10.2f}{ratio:>7.2f}")
            results[way] = {"ours": round(ours, 3), "duckdb_copy": round(peer, 3), "ratio": round(ratio, 2)}
    print(json.dumps({"files_landed": {"unit": "s", "rows": rows, **results}}, ensure_ascii=False))


if __name__ == "__main__":
    main()
