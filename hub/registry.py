"""The compiled registry: everything the DAG file needs to draw, in one small JSON file, a resource a line.

Importing this module costs nothing but the standard library, because the DAG processor imports it on every
parse; compiling needs a loaded list and is done when a list is published.
"""

from __future__ import annotations

import hashlib
import json
from calendar import monthrange
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from hub.files import replace_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from catalog.model import InformationResource, ResponsibilityList

FORMAT = 3
INGEST: Final = "ingest."
ROLLUP: Final = "department."
# The tasks of every DAG, in order; `hub.ingestion` has a function for each.
STEPS = ("extract", "check", "commit", "index")
# Pulls are spread over the small hours so that 1,227 resources do not knock on 53 doors at once.
WINDOW_START_HOUR = 1
WINDOW_MINUTES = 240
HOURLY: Final = "1"
# GB/T 21063 更新周期 → the cron fields after minute and hour (day of month, month, day of week).
_CRON_TAIL = {"1": "* * *", "2": "* * *", "3": "* * 1", "4": "1 * *", "5": "1 1,4,7,10 *", "6": "1 1 *"}


@dataclass(frozen=True, slots=True)
class Compiled:
    """What one resource looks like to the scheduler. *error* is set instead when its row could not be compiled."""

    code: str
    dag: str
    rollup: str
    title: str
    doc: str
    department: str
    department_name: str
    pool: str
    cron: str
    inlet: str
    outlet: str
    disposition: str
    cadence: str
    daily: bool
    deadline_minutes: int
    error: str = ""


# A run that has not ended by then is told: the window of the night, or for hourly pulls the next one.
_DEADLINE_MINUTES = {"1": 55}
_USUAL_DEADLINE_MINUTES = 240


def cron_of(resource: InformationResource, window_start: int = WINDOW_START_HOUR) -> str:
    """The cron expression of a resource's cadence, its minute and hour fixed by a hash of its code.

    The hour is one of the four that begin at *window_start*, local time.

    A real-time resource (更新周期 1) is pulled hourly, which is as often as a batch pull makes sense.
    """
    slot = int.from_bytes(hashlib.sha256(resource.code.encode()).digest()[:4], "big")
    hour, minute = divmod(window_start * 60 + slot % WINDOW_MINUTES, 60)
    if resource.cadence == HOURLY:
        return f"{slot % 60} * * * *"
    tail = _CRON_TAIL[resource.cadence]
    days = tail if tail.count(" ") == 2 else f"{tail} *"  # noqa: PLR2004 - day, month, weekday
    return f"{minute} {hour % 24} {days}"


def key_format_of(cadence: str) -> str:
    """How the partition of a run is written, which is the local day, or hour, of its schedule (for `strftime`)."""
    return "%Y-%m-%dT%H" if cadence == HOURLY else "%Y-%m-%d"


def period_of(cadence: str, partition: str) -> tuple[str, str]:
    """The first and the last moment of the period that a partition stands for, by the resource's 更新周期.

    Two days, both included, or for an hourly resource two moments. Together the partitions leave no gap, so that to
    load a range of them again is to load all of the range.

    Raises:
        ValueError: *partition* is not written as `key_format_of` says.
    """
    begins = date.fromisoformat(partition[:10])
    if cadence == HOURLY:
        hour = int(partition[11:])
        # The T comes after a space, which some sources write in its place (`hub.orders`).
        return f"{begins} {hour:02}:00:00", f"{begins}T{hour:02}:59:59.999999"
    months = {"4": 1, "5": 3, "6": 12}.get(cadence)
    if months is None:
        return str(begins), str(begins + timedelta(days=6 if cadence == "3" else 0))
    year, month = divmod(begins.year * 12 + begins.month - 2 + months, 12)
    return str(begins), str(date(year, month + 1, monthrange(year, month + 1)[1]))


def dag_of(code: str) -> str:
    """The id of the DAG that loads resource *code*: Airflow takes no slash, which codes of GB/T 21063 may hold."""
    return INGEST + _plain(code)


def rollup_of(department: str) -> str:
    """The id of the DAG that sums up a department's day."""
    return ROLLUP + _plain(department)


def _plain(code: str) -> str:
    return code.replace("/", ".")


def pool_of(system: str) -> str:
    """The Airflow pool that bounds the connections to one source system."""
    return f"source.{system}"


def compile_list(
    list_: ResponsibilityList,
    *,
    outlet_root: str,
    connections: Mapping[str, int],
    inlet: Callable[[InformationResource], str] | None = None,
    window_start: int = WINDOW_START_HOUR,
) -> dict[str, Any]:
    """The registry of *list_*: plain data, the same bytes for the same list.

    One resource that does not compile becomes a row with its error, never the loss of all others.

    Args:
        list_: the published list.
        outlet_root: URI under which tables are announced as assets (``file:///…/warehouse``).
        connections: source system → connections it allows at once (default 1).
        inlet: the URI of a resource's source; by default one that names the system and the object alone.
        window_start: the local hour at which the four hours of the daily pulls begin.
    """
    rows = []
    seen: dict[str, str] = {}
    for resource in list_.resources:
        department = list_.departments_by_code.get(resource.provider)
        try:
            row = Compiled(
                code=resource.code,
                dag=dag_of(resource.code),
                rollup=rollup_of(resource.provider),
                title=resource.name,
                doc=_doc(resource),
                department=resource.provider,
                department_name=department.name if department else resource.provider,
                pool=pool_of(resource.source.system),
                cron=cron_of(resource, window_start),
                inlet=inlet(resource)
                if inlet
                else f"file:///{quote(resource.source.system)}/{quote(resource.source.object)}",
                outlet=f"{outlet_root}/{resource.code}",
                disposition=resource.disposition.value,
                cadence=str(resource.cadence),
                daily=resource.cadence == "2",
                deadline_minutes=_DEADLINE_MINUTES.get(resource.cadence, _USUAL_DEADLINE_MINUTES),
            )
        except (KeyError, ValueError) as error:
            nothing = dict.fromkeys(("doc", "department_name", "pool", "cron", "inlet", "outlet", "disposition"), "")
            row = Compiled(
                code=resource.code,
                dag=dag_of(resource.code),
                rollup=rollup_of(resource.provider),
                title=resource.name,
                department=resource.provider,
                cadence=str(resource.cadence),
                daily=False,
                deadline_minutes=0,
                error=repr(error),
                **nothing,
            )
        if not row.error and (other := seen.setdefault(row.dag, row.code)) != row.code:
            row = replace(row, error=f"its DAG would have the id of that of `{other}`: `{row.dag}`")
        rows.append({name: getattr(row, name) for name in Compiled.__slots__})
    systems = sorted({r.source.system for r in list_.resources})
    return {
        "format": FORMAT,
        "list_version": list_.version,
        "city": list_.city,
        "pools": {pool_of(s): connections.get(s, 1) for s in systems},
        "resources": rows,
    }


def _doc(resource: InformationResource) -> str:
    """The DAG's page: what the resource is and on what terms it is shared, in Markdown."""
    lines = [
        f"**{resource.name}** · {resource.name_en}",
        "",
        resource.abstract,
        "",
        "| 信息项 | 名称 | 类型 |",
        "|---|---|---|",
        *(f"| `{f.name}` | {f.title} | {f.type} |" for f in resource.fields),
    ]
    return "\n".join(lines)


def write(registry: Mapping[str, Any], path: Path) -> None:
    """Write the registry atomically: a reader sees the old one or the new one, a crash leaves the old one.

    It is one JSON object, with each resource on a line of its own: `rows_of` relies on that.
    """
    head = json.dumps({name: registry[name] for name in registry if name != "resources"}, **_STYLE)
    rows = ",\n".join(json.dumps(row, **_STYLE) for row in registry["resources"])
    replace_file(path, f'{head[:-1]}, "resources": [\n{rows}\n]}}\n'.encode())


_STYLE: Final[dict[str, Any]] = {"ensure_ascii": False, "sort_keys": True}


def read(path: Path) -> dict[str, Any]:
    """Read a registry; an absent one is an empty registry, because nothing has been published yet."""
    try:
        registry: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {"format": FORMAT, "list_version": "", "pools": {}, "resources": []}
    return registry


def rows_of(path: Path, dag: str | None) -> list[dict[str, Any]]:
    """The rows that DAG *dag* is drawn from, all where it is None or another than a resource's or a department's.

    A task draws its own DAG alone, and should not read a city's list for that: only lines that name what is sought are
    taken apart.
    """
    if dag is None or not dag.startswith((INGEST, ROLLUP)):
        return list(read(path)["resources"])
    name = "dag" if dag.startswith(INGEST) else "rollup"
    part = f'"{name}": {json.dumps(dag, ensure_ascii=False)}'
    return [row for row in _rows_with(path, part) if row[name] == dag]


def pools_of(path: Path) -> dict[str, int]:
    """The pools of the source systems and how many connections each bounds, without taking the resources apart."""
    try:
        with path.open(encoding="utf-8") as file:
            head = file.readline()
    except FileNotFoundError:
        return {}
    pools: dict[str, int] = json.loads(head.rstrip().removesuffix(', "resources": [') + "}")["pools"]
    return pools


def _rows_with(path: Path, part: str) -> Iterator[dict[str, Any]]:
    try:
        _, *rows = path.read_text(encoding="utf-8").split("\n")
    except FileNotFoundError:
        return
    for row in rows:
        if part in row:
            yield json.loads(row.removesuffix(","))
