"""Kill a load with SIGKILL at random moments, run it again, and compare everything with an undisturbed load.

    python bench/kills.py [--kills N] [--seed S] [--quick]

For each kind of load a child process checks, commits and indexes a batch over a table that already has rows; it is
killed at a random moment of that, and the load is run again to its end. Rows, history, cursor, loads, quarantine, feed
and index must then equal those of a load that nobody disturbed. Kinds: every disposition; a softly deleting one; a
change scattered so that rows are deleted by position; a window that moves no cursor; a landing in typed parts, which
are adopted. The last line is JSON; the exit code is 1 if any differed.
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
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from catalog.model import (
    Cadence,
    Deletion,
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

NOW = datetime(2026, 1, 3, tzinfo=UTC)
ROWS = 20_000
ROWS_PER_FILE = 4_000
STEPS = ("ensure", "check", "commit", "index", "done")
CONTEXT = multiprocessing.get_context("forkserver")
FIRST, SECOND = "2026-01-01 00:00:00", "2026-01-02 00:00:00"


@dataclass(frozen=True, slots=True)
class Drill:
    """A kind of load: how it enters its table, and which rows (ranges of their numbers) the second batch has.

    *cursors*: those of the first batch and of the second. *parts*: the second lands in typed parts. Of the rows of the
    second, every *wrong*-th is rejected.
    """

    name: str
    disposition: Disposition
    again: range
    cursors: tuple[str | None, str | None] = (FIRST, SECOND)
    deletion: Deletion = Deletion.HARD
    wrong: int = 97
    parts: bool = False


_SHIFTED = range(ROWS // 2, ROWS // 2 + ROWS)
_SCATTERED = range(0, ROWS, 40)
_NEW = range(ROWS, 2 * ROWS)
DRILLS = (
    Drill("replace", Disposition.REPLACE, _SHIFTED, (None, None)),
    Drill("soft", Disposition.REPLACE, _SHIFTED, (None, None), Deletion.SOFT),
    Drill("merge", Disposition.MERGE, _SHIFTED),
    Drill("scattered", Disposition.MERGE, _SCATTERED),
    Drill("window", Disposition.MERGE, _SCATTERED, (FIRST, None)),
    Drill("append", Disposition.APPEND, _NEW),
    Drill("parts", Disposition.APPEND, _NEW, wrong=0, parts=True),
    Drill("scd2", Disposition.SCD2, _SHIFTED),
)


def resource(drill: Drill) -> InformationResource:
    incremental = drill.disposition is not Disposition.REPLACE
    return InformationResource(
        code=f"kills_{drill.name}",
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
        disposition=drill.disposition,
        source=SourceRef("s", "o", cursor_field="changed" if incremental else ""),
        fields=(
            Field("code", "编号", FieldType(FieldKind.STRING, 20), key=True, lookup=True),
            Field("value", "值", FieldType(FieldKind.INTEGER), nullable=False),
            Field("changed", "更新时间", FieldType(FieldKind.DATETIME)),
        ),
        deletion=drill.deletion,
    )


def land(path: Path, rows: Sequence[tuple[str, str | None, str]], cursor: str | None) -> StagedBatch:
    lines = pa.array(range(1, len(rows) + 1), pa.int64())
    texts = [pa.array(column, pa.string()) for column in zip(*rows, strict=True)]
    pq.write_table(pa.table([lines, *texts], names=["_line", "code", "value", "changed"]), path)
    return StagedBatch(path, hashlib.sha256(path.read_bytes()).hexdigest(), len(rows), cursor)


def land_parts(folder: Path, numbers: range, cursor: str | None) -> StagedBatch:
    """Parts as a connector lands them where it knows the types: they are fit to become data files."""
    folder.mkdir()
    parts = []
    for part, start in enumerate(range(0, len(numbers), ROWS_PER_FILE)):
        some = numbers[start : start + ROWS_PER_FILE]
        columns = (
            pa.array([f"{i:06d}" for i in some], pa.string()),
            pa.array([i * 2 for i in some], pa.int64()),
            pa.array([datetime.fromisoformat(SECOND)] * len(some), pa.timestamp("us")),
        )
        fields = [
            pa.field(name, column.type, metadata={b"PARQUET:field_id": str(number)})
            for number, (name, column) in enumerate(zip(("code", "value", "changed"), columns, strict=True), 1)
        ]
        path = folder / f"part-{part:05d}.parquet"
        pq.write_table(pa.table(columns, schema=pa.schema(fields)), path)
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        parts.append({"file": path.name, "rows": len(some), "sha256": digest})
    manifest = {"format": 1, "asked": "", "done": True, "state": {}, "rows": len(numbers), "parts": parts}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    canonical = json.dumps(parts, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return StagedBatch(folder, hashlib.sha256(canonical.encode()).hexdigest(), len(numbers), cursor)


def batches(folder: Path, drill: Drill) -> tuple[StagedBatch, StagedBatch]:
    """A first batch, and a second with corrections, new rows, rows that are gone and a few that are rejected."""
    first = [(f"{i:06d}", str(i), FIRST) for i in range(ROWS)]
    before, after = drill.cursors
    if drill.parts:
        second = land_parts(folder / "2", drill.again, after)
    else:
        wrong = drill.wrong
        rows = [(f"{i:06d}", None if wrong and i % wrong == 0 else str(i * 2), SECOND) for i in drill.again]
        second = land(folder / "2.parquet", rows, after)
    return land(folder / "1.parquet", first, before), second


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
        every = house.scan(wanted.code, history=True)
        index = house.lookup(wanted.code)
        sample = [index.find("code", row["code"]) for row in rows[:: max(1, len(rows) // 50)]]
        history = house.snapshots(wanted.code)
        told = ("inserted", "updated", "deleted", "unchanged", "rejected", "cursor", "total")
        rejected = [(r.line, [str(x) for x in r.reasons]) for r in house.rejected(wanted)]
        changes = house.changes(wanted.code, None, 10 * ROWS)
        assert [c.seq for c in changes] == list(range(1, len(changes) + 1))
        assert len({row["code"] for row in rows}) == len(rows)
        return {
            "rows": len(rows),
            "digest": _digest(sorted(map(str, rows))),
            "history": _digest(sorted(map(str, every))),
            "feed": _digest([(c.seq, c.kind, dict(c.key), c.before, c.after, c.rows) for c in changes]),
            "cursor": house.cursor(wanted.code),
            "loads": [[getattr(info, name) for name in told] for info in history],
            "rejected": rejected,
            "index": sample,
        }


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value, ensure_ascii=False).encode()).hexdigest()


def run(folder: Path, drill: Drill, kills: int, chance: random.Random) -> Counter[str]:
    """Kill *kills* loads; count them by the step that they were in, and those whose re-run differed."""
    wanted = resource(drill)
    folder.mkdir()
    first, second = batches(folder, drill)
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
    parser.add_argument("--kills", type=int, default=96, help="in all, shared among the kinds of load")
    parser.add_argument("--seed", type=int, default=20260301)
    parser.add_argument("--quick", action="store_true", help="two kills for each kind")
    options = parser.parse_args()
    each = 2 if options.quick else -(-options.kills // len(DRILLS))
    chance = random.Random(options.seed)
    CONTEXT.set_forkserver_preload(["warehouse.engine"])
    tallies = {}
    columns = ("killed", "start", *STEPS[:-1], "finished before", "identical", "DIFFERENT")
    print(f"{'':<10}" + "".join(f"{c:>16}" for c in columns))
    with tempfile.TemporaryDirectory(prefix="zhengtong-kills-") as name:
        for drill in DRILLS:
            tally = tallies[drill.name] = run(Path(name) / drill.name, drill, each, chance)
            print(f"{drill.name:<10}" + "".join(f"{tally[c]:>16}" for c in columns), flush=True)
    killed = sum(t["killed"] for t in tallies.values())
    different = sum(t["DIFFERENT"] for t in tallies.values())
    told = {"ours": different, "peers": {}, "ratio": None, "unit": "loads that differ", "killed": killed}
    print(json.dumps({"kill_drill": {**told, "seed": options.seed}}))
    sys.exit(1 if different else 0)


if __name__ == "__main__":
    main()
