"""Orders a load by hand from a page: what it would do is said first, then a process of its own does it.

What an order is, is `hub.orders`'; carrying it out is `hub.ingestion`'s, by the same command that a person would type.
"""

from __future__ import annotations

import subprocess
import sys
import threading
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Final

from hub import loadboard, loadplan, loads, pauses
from hub.errors import OrderInvalidError
from hub.orders import Mode

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from catalog.model import InformationResource
    from hub.actors import Actor
    from hub.loadplan import Plan
    from hub.loads import LoadReport
    from hub.office import Office
    from hub.orders import LoadOrder

# What one serving process starts at once: each takes a core while it checks, and a connection to a source.
MOST_AT_ONCE: Final = 2
_PROGRAM: Final = (sys.executable, "-c", "import sys; from hub.cli import main; sys.exit(main())")
# Mode: what a load of it does, (English, Chinese).
DOES: Final[Mapping[Mode, tuple[str, str]]] = {
    Mode.USUAL: (
        "Reads what changed since the cursor, or the whole where there is none, as the schedule does.",
        "按计划方式归集：自游标起读取变化；无游标时读取全部。",
    ),
    Mode.FULL: (
        "Reads the whole resource, whatever the cursor; rows that are the same stay as they are.",
        "不看游标，重新读取全部记录；相同的记录保持不变。",
    ),
    Mode.WINDOW: (
        "Reads the rows of the range again. The cursor stays; a newer row is never replaced by an older one.",
        "重新读取区间内的记录。游标不变；较新的记录不会被较旧的替换。",
    ),
    Mode.REPLAY: (
        "Judges the rows that lie rejected again, by the list in force; nothing is read from the source.",
        "按现行清单重新判定隔离区中的被拒记录；不读取来源。",
    ),
}


@dataclass(frozen=True, slots=True)
class Preview:
    """What an order would do.

    *window* is its range in the terms of the cursor field, *days* its days where both ends are days; *rows* what the
    table holds now, *rejected* how many rows lie rejected (of a replay). *running* are the resource's loads under way,
    *pause* is what holds it back.
    """

    order: LoadOrder
    plan: Plan
    window: tuple[str, str] | None
    days: int | None
    rows: int | None
    rejected: int | None
    running: tuple[LoadReport, ...]
    pause: pauses.Pause | None

    @property
    def possible(self) -> bool:
        """Whether the order could begin now."""
        return self.pause is None and not self.plan.trouble


def preview(office: Office, resource: InformationResource, order: LoadOrder) -> Preview:
    """What *order* would do to *resource*; nothing is read from the source, and nothing changed.

    Raises:
        OrderInvalidError: the resource has no such range.
    """
    window = order.window_of(resource)
    (plan,) = loadplan.plans(office, [resource.code])
    under_way = tuple(found for found in loads.running(office.control) if found.resource == resource.code)
    replayed = order.mode is Mode.REPLAY
    return Preview(
        order=order,
        plan=plan,
        window=window,
        days=_days(order),
        rows=loadboard.rows_now(office, resource.code),
        rejected=len(loadboard.rejected_now(office, resource, limit=10_000).rows) if replayed else None,
        running=under_way,
        pause=next((one for one in pauses.paused(office.control) if one.resource == resource.code), None),
    )


def place(
    office: Office,
    resource: InformationResource,
    order: LoadOrder,
    actor: Actor,
    *,
    start: Callable[[str, Sequence[str]], None] | None = None,
) -> int:
    """Begin *order* for *actor*; the index of its log entry. How it goes is in the run records.

    1. What cannot be done is refused before anything begins.
    2. The log gets ``load.ordered``: a crash after it leaves an entry of an order that did not come about.
    3. A process of its own loads, which goes on when this one ends.

    Raises:
        OrderInvalidError: it cannot be carried out, or too many that were ordered here are under way.
        LoadPausedError: somebody holds the resource's loads back.
    """
    code = resource.code
    order.window_of(resource)
    pauses.check(office.control, code)
    begin = start or _STARTED.start
    if start is None:
        _STARTED.need_room(code)
    entry = office.evidence.append("load.ordered", actor=str(actor), resource=code, facts=order.to_json())
    begin(code, arguments_of(code, order))
    return entry.index


def arguments_of(code: str, order: LoadOrder) -> tuple[str, ...]:
    """The command that carries *order* out. A code is no option: it comes after the sign that ends them."""
    dry = ("--dry-run",) if order.dry_run else ()
    if order.mode is Mode.REPLAY:
        return ("ingest", "replay", *dry, "--", code)
    if order.mode is Mode.WINDOW:
        ends = [f"{name}={end}" for name, end in (("--from", order.first), ("--to", order.last)) if end]
        return ("ingest", "backfill", *ends, *dry, "--", code)
    full = ("--full",) if order.mode is Mode.FULL else ()
    accept = (f"--accept={','.join(order.accept)}",) if order.accept else ()
    return ("ingest", "run", *full, *accept, *dry, "--", code)


class _Started:
    """The loads that this process began, so that it begins no more than it can bear. Safe for many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def need_room(self, code: str) -> None:
        """Raise OrderInvalidError where *code* was ordered here and is under way, or too many are."""
        with self._lock:
            self._processes = {name: one for name, one in self._processes.items() if one.poll() is None}
            if code in self._processes:
                raise OrderInvalidError(why="one that was ordered before is under way", why_zh="此前下达的归集正在进行")
            if len(self._processes) >= MOST_AT_ONCE:
                raise OrderInvalidError(
                    why=f"{MOST_AT_ONCE} that were ordered are under way; wait for one to end",
                    why_zh=f"已有 {MOST_AT_ONCE} 项归集正在进行，请待其完成",
                )

    def start(self, code: str, arguments: Sequence[str]) -> None:
        """Begin to load. What it says goes nowhere: its text could quote rows, and the record of the run says how."""
        with self._lock:
            # A session of its own: that this server is stopped is no reason to stop reading.
            self._processes[code] = subprocess.Popen(  # noqa: S603 - our own interpreter, checked arguments
                [*_PROGRAM, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )


_STARTED: Final = _Started()


def _days(order: LoadOrder) -> int | None:
    try:
        return (date.fromisoformat(order.last) - date.fromisoformat(order.first)).days + 1
    except ValueError:
        return None
