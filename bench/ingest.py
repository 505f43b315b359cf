"""How long a large resource takes from a GB18030 CSV drop to checked and committed, beside DuckDB's bare COPY.

    python bench/ingest.py [--quick] [--runs N]

Both read the same file in the same run: the 620,573 villages (or a synthetic table of the same shape where the
divisions are absent). DuckDB refuses what GB18030 has beyond GBK, so the few rare characters are replaced in the
file that both read. The last line is JSON.
"""

from __future__ import annotations

import argparse
import csv
import json
import shutil
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import UTC, date, datetime
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from catalog.model import (
    Cadence,
    Disposition,
    Field,
    FieldKind,
    FieldType,
    InformationResource,
    ResourceFormat,
    ShareMethod,
    ShareType,
    SourceRef,
)
from connectors.protocol import Column, ReadRequest
from connectors.registry import connect
from warehouse.engine import Warehouse
from warehouse.staging import StagedBatch

VILLAGES = Path(__file__).resolve().parent.parent / "demo" / "divisions" / "villages.parquet"
COLUMNS = ("code", "name", "streetCode", "provinceCode", "cityCode", "areaCode")
SYNTHETIC_ROWS = 620_573
GETA = "〓"


@dataclass(frozen=True, slots=True)
class Times:
    """Seconds of one run of ours, step by step, and of DuckDB's."""

    extract_s: float
    check_s: float
    commit_s: float
    index_s: float
    duckdb_s: float
    duckdb_utf8_s: float

    @property
    def ours_s(self) -> float:
        """From the file to the committed snapshot."""
        return self.extract_s + self.check_s + self.commit_s


def resource() -> InformationResource:
    def field(name: str, digits: int = 0, *, key: bool = False) -> Field:
        kind = FieldType(FieldKind.STRING, digits or 100)
        pattern = f"[0-9]{{{digits}}}" if digits else ""
        return Field(name, name, kind, key=key, nullable=False, lookup=key, pattern=pattern)

    return InformationResource(
        code="villages",
        name="行政区划（村级）",
        name_en="Villages",
        provider="CIVIL",
        abstract="全国村级行政区划",
        format=ResourceFormat.SPREADSHEET,
        share_type=ShareType.UNCONDITIONAL,
        share_condition="",
        share_ground="",
        share_method=ShareMethod.FILE,
        cadence=Cadence.YEARLY,
        open=True,
        published_on=date(2026, 1, 1),
        disposition=Disposition.REPLACE,
        source=SourceRef("bench", "villages.csv"),
        fields=(
            field("code", 12, key=True),
            field("name"),
            field("streetCode", 9),
            field("provinceCode", 2),
            field("cityCode", 4),
            field("areaCode", 6),
        ),
    )


def villages() -> pa.Table:
    if VILLAGES.exists():
        return pq.read_table(VILLAGES, columns=list(COLUMNS))
    codes = [f"{110101001001 + i * 11}" for i in range(SYNTHETIC_ROWS)]
    names = [f"{'东西南北中'[i % 5]}村{i}社区居委会" for i in range(SYNTHETIC_ROWS)]
    cuts = (9, 2, 4, 6)
    return pa.table([codes, names, *([c[:n] for c in codes] for n in cuts)], names=list(COLUMNS))


def common(text: str) -> tuple[str, int]:
    """*text* with each character beyond GBK replaced, and how many there were."""
    try:
        text.encode("gbk")
    except UnicodeEncodeError:
        kept = "".join(c if c.encode("gbk", "ignore") else GETA for c in text)
        return kept, sum(a != b for a, b in zip(text, kept, strict=True))
    return text, 0


def write_csv(table: pa.Table, path: Path) -> tuple[int, int]:
    replaced = 0
    with path.open("w", encoding="gb18030", newline="") as handle:
        writer = csv.writer(handle)
        writer.writerow(COLUMNS)
        for row in zip(*(column.to_pylist() for column in table.columns), strict=True):
            name, n = common(row[1])
            replaced += n
            writer.writerow((row[0], name, *row[2:]))
    return table.num_rows, replaced


def extension() -> Path:
    """The extension in its wheel; nothing is downloaded."""
    spec = find_spec("duckdb_extension_encodings")
    assert spec is not None
    assert spec.origin is not None
    return next(Path(spec.origin).parent.glob("extensions/*/encodings.duckdb_extension"))


def bare_copy(source: Path, into: Path, encoding: str) -> float:
    con = duckdb.connect()
    if encoding != "utf-8":
        con.execute(f"LOAD '{extension()}'")
    start = time.perf_counter()
    # Text throughout, as codes are. Its decoder garbles one value of this file (`632323102` comes out as `632323e`),
    # which costs it nothing here, but left to guess types it would stop at that line.
    read = f"read_csv('{source}', encoding = '{encoding}', all_varchar = true)"
    con.execute(f"COPY (SELECT * FROM {read}) TO '{into}' (FORMAT parquet)")
    elapsed = time.perf_counter() - start
    con.close()
    return elapsed


def run(source: Path, folder: Path, rows: int) -> Times:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    wanted = resource()
    columns = tuple(Column(f.name) for f in wanted.fields)
    request = ReadRequest(wanted.code, source.name, columns, None)
    house = Warehouse(folder / "warehouse")
    house.ensure(wanted)
    marks = [time.perf_counter()]
    connector = connect("csv", {"folder": str(source.parent), "encoding": "gb18030", "delimiter": ","}, lambda _: "")
    batch = connector.read(request, folder / "landed.parquet")
    marks.append(time.perf_counter())
    staged = StagedBatch(batch.path, batch.sha256, batch.rows, batch.cursor)
    checked = house.check(wanted, staged, folder, now=datetime(2026, 1, 1, tzinfo=UTC))
    marks.append(time.perf_counter())
    done = house.commit(wanted, staged, checked)
    marks.append(time.perf_counter())
    assert done.inserted == house.count(wanted.code) == rows, (done, checked.reasons)
    assert done.snapshot_id is not None
    house.build_index(wanted, done.snapshot_id)
    marks.append(time.perf_counter())
    house.close()
    extract_s, check_s, commit_s, index_s = (later - earlier for earlier, later in pairwise(marks))
    return Times(
        extract_s,
        check_s,
        commit_s,
        index_s,
        bare_copy(source, folder / "bare.parquet", "gb18030"),
        bare_copy(source.with_suffix(".utf8"), folder / "bare-utf8.parquet", "utf-8"),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description="From GB18030 CSV to checked and committed, beside DuckDB's COPY.")
    parser.add_argument("--quick", action="store_true", help="two runs, under a minute")
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="zhengtong-bench-") as name:
        folder = Path(name)
        source = folder / "villages.csv"
        rows, replaced = write_csv(villages(), source)
        # The harder peer: the same text in DuckDB's own encoding, which spares it what is slowest for it.
        source.with_suffix(".utf8").write_text(source.read_text(encoding="gb18030"), encoding="utf-8")
        origin = VILLAGES.name if VILLAGES.exists() else "synthetic"
        print(f"{rows:,} rows ({origin}), {source.stat().st_size / 1e6:.1f} MB, {replaced} characters replaced")
        times = [run(source, folder / "run", rows) for _ in range(2 if options.quick else options.runs)]
    print(f"{'step':<22}{'median s':>10}{'min':>9}{'max':>9}")
    for label, values in (
        ("extract", [t.extract_s for t in times]),
        ("check", [t.check_s for t in times]),
        ("commit", [t.commit_s for t in times]),
        ("csv to committed", [t.ours_s for t in times]),
        ("(index, beside it)", [t.index_s for t in times]),
        ("DuckDB bare COPY", [t.duckdb_s for t in times]),
        ("… of it in UTF-8", [t.duckdb_utf8_s for t in times]),
    ):
        print(f"{label:<22}{statistics.median(values):>10.2f}{min(values):>9.2f}{max(values):>9.2f}")
    ours = statistics.median(t.ours_s for t in times)
    peer = statistics.median(t.duckdb_s for t in times)
    # Each run measures both, one after the other, so that a busy machine is busy for both.
    ratio = statistics.median(t.ours_s / t.duckdb_s for t in times)
    utf8 = statistics.median(t.duckdb_utf8_s for t in times)
    utf8_ratio = statistics.median(t.ours_s / t.duckdb_utf8_s for t in times)
    result = {
        "ours": round(ours, 3),
        "peers": {"duckdb_copy": round(peer, 3), "duckdb_copy_utf8": round(utf8, 3)},
        "ratio": round(ratio, 2),
        "ratio_utf8": round(utf8_ratio, 2),
        "unit": "s",
    }
    print(json.dumps({"csv_to_committed": result}))


if __name__ == "__main__":
    main()
