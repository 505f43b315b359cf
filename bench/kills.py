"""Kill a load with SIGKILL at random moments, run it again, and compare everything with an undisturbed load.

    python bench/kills.py [--kills N] [--seed S]

For each disposition a child process checks, commits and indexes a batch over a table that already has rows; it is
killed at a random moment of that, and the load is run again to its end. Rows, cursor, number of loads and index must
then equal those of a load that nobody disturbed. The last line is JSON; the exit code is 1 if any differed.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import multiprocessing
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

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
from warehouse.engine import Warehouse
from warehouse.staging import StagedBatch

if TYPE_CHECKING:
    from collections.abc import Sequence

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ROWS = 20_000
ROWS_PER_FILE = 4_000
STEPS = ("ensure", "check", "commit", "index", "done")
CONTEXT = multiprocessing.get_context("forkserver")


def resource(disposition: Disposition) -> InformationResource:
    incremental = disposition is not Disposition.REPLACE
    return InformationResource(
        code=f"kills_{disposition.value}",
        name="中断演练",
        name_en="Kill drill",
        provider="D",
        abstract="中断演练",
        format=ResourceFormat.DATABASE,
        share_type=ShareType.CONDITIONAL,
        share_condition="",
        share_ground="",
        share_method=ShareMethod.SERVICE,
        cadence=Cadence.DAILY,
        open=False,
        published_on=date(2026, 1, 1),
        disposition=disposition,
        source=SourceRef("s", "o", cursor_field="changed" if incremental else ""),
        fields=(
            Field("code", "编号", FieldType(FieldKind.STRING, 20), key=True, lookup=True),
            Field("value", "值", FieldType(FieldKind.INTEGER), nullable=False),
            Field("changed", "更新时间", FieldType(FieldKind.DATETIME)),
        ),
    )


def land(path: Path, rows: Sequence[tuple[str, str | None, str]], cursor: str | None) -> StagedBatch:
    lines = pa.array(range(1, len(rows) + 1), pa.int64())
    texts = [pa.array(column, pa.string()) for column in zip(*rows, strict=True)]
    pq.write_table(pa.table([lines, *texts], names=["_line", "code", "value", "changed"]), path)
    return StagedBatch(path, hashlib.sha256(path.read_bytes()).hexdigest(), len(rows), cursor)


def batches(folder: Path, disposition: Disposition) -> tuple[StagedBatch, StagedBatch]:
    """A first batch, and a second with corrections, new rows, rows that are gone and a few that are rejected."""
    first = [(f"{i:06d}", str(i), "2026-01-01 00:00:00") for i in range(ROWS)]
    append = disposition is Disposition.APPEND
    start = ROWS if append else ROWS // 2
    second: list[tuple[str, str | None, str]] = [
        (f"{i:06d}", None if i % 97 == 0 else str(i * 2), "2026-01-02 00:00:00") for i in range(start, start + ROWS)
    ]
    cursors = (None, None) if disposition is Disposition.REPLACE else ("2026-01-01 00:00:00", "2026-01-02 00:00:00")
    return land(folder / "1.parquet", first, cursors[0]), land(folder / "2.parquet", second, cursors[1])


def load(root: Path, wanted: InformationResource, staged: StagedBatch, marker: Path) -> None:
    def step(name: str) -> None:
        marker.write_text(name, "utf-8")

    with Warehouse(root / "warehouse", threads=1, rows_per_file=ROWS_PER_FILE) as house:
        step("ensure")
        house.ensure(wanted)
        step("check")
        checked = house.check(wanted, staged, root / "staging", now=NOW)
        step("commit")
        done = house.commit(wanted, staged, checked)
        step("index")
        assert done.snapshot_id is not None
        house.build_index(wanted, done.snapshot_id)
        step("done")


def outcome(root: Path, wanted: InformationResource) -> dict[str, Any]:
    with Warehouse(root / "warehouse", threads=1) as house:
        rows = house.scan(wanted.code)
        index = house.lookup(wanted.code)
        sample = [index.find("code", row["code"]) for row in rows[:: max(1, len(rows) // 50)]]
        digest = hashlib.sha256(json.dumps(rows).encode()).hexdigest()
        history = house.snapshots(wanted.code)
        loads = [(i.inserted, i.updated, i.deleted, i.unchanged, i.rejected, i.cursor) for i in history]
        rejected = [(r.line, [str(x) for x in r.reasons]) for r in house.quarantine(wanted.code)]
        return {
            "rows": len(rows),
            "keys": len({row["code"] for row in rows}),
            "digest": digest,
            "cursor": house.cursor(wanted.code),
            "loads": loads,
            "rejected": rejected,
            "index": sample,
        }


def drill(folder: Path, disposition: Disposition, kills: int, chance: random.Random) -> Counter[str]:
    """Kill *kills* loads; count them by the step that they were in, and those whose re-run differed."""
    wanted = resource(disposition)
    folder.mkdir()
    first, second = batches(folder, disposition)
    base, marker = folder / "base", folder / "marker"
    load(base, wanted, first, marker)
    # Iceberg metadata names absolute paths, so every trial takes place under one path, restored from a copy.
    pristine, scene = folder / "pristine", base
    shutil.copytree(scene, pristine)

    def restore() -> None:
        shutil.rmtree(scene)
        shutil.copytree(pristine, scene)

    # The first child of all pays for imports in the fork server, and would be no measure of the others.
    warm = CONTEXT.Process(target=int)
    warm.start()
    warm.join()
    start = time.perf_counter()
    calm = CONTEXT.Process(target=load, args=(scene, wanted, second, marker))
    calm.start()
    calm.join()
    whole_s = time.perf_counter() - start
    expected = outcome(scene, wanted)
    tally: Counter[str] = Counter()
    while tally["killed"] < kills:
        restore()
        marker.unlink(missing_ok=True)
        child = CONTEXT.Process(target=load, args=(scene, wanted, second, marker))
        child.start()
        child.join(chance.uniform(0, whole_s))
        if child.is_alive():
            os.kill(child.pid or 0, signal.SIGKILL)
            tally["killed"] += 1
            child.join()
            tally[marker.read_text("utf-8") if marker.exists() else "start"] += 1
        else:
            tally["finished before"] += 1
        load(scene, wanted, second, marker)
        tally["identical" if outcome(scene, wanted) == expected else "DIFFERENT"] += 1
    return tally


def main() -> None:
    parser = argparse.ArgumentParser(description="SIGKILL at random moments of a load, then compare.")
    parser.add_argument("--kills", type=int, default=12, help="for each of the three dispositions")
    parser.add_argument("--seed", type=int, default=20260301)
    options = parser.parse_args()
    chance = random.Random(options.seed)
    CONTEXT.set_forkserver_preload(["warehouse.engine"])
    tallies = {}
    with tempfile.TemporaryDirectory(prefix="zhengtong-kills-") as name:
        for disposition in Disposition:
            tallies[disposition.value] = drill(Path(name) / disposition.value, disposition, options.kills, chance)
    columns = ("killed", "start", *STEPS[:-1], "finished before", "identical", "DIFFERENT")
    print(f"{'':<10}" + "".join(f"{c:>16}" for c in columns))
    for name, tally in tallies.items():
        print(f"{name:<10}" + "".join(f"{tally[c]:>16}" for c in columns))
    killed = sum(t["killed"] for t in tallies.values())
    different = sum(t["DIFFERENT"] for t in tallies.values())
    print(json.dumps({"kill_drill": {"killed": killed, "different": different, "seed": options.seed}}))
    sys.exit(1 if different else 0)


if __name__ == "__main__":
    main()
