"""What takes long: its chapters, and one live line per resource while Airflow works; plain lines without a terminal.

Knows nothing of Airflow beyond the states it is given.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.live import Live
from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar
from rich.table import Table

from hub.cli.language import say
from hub.cli.output import err
from hub.registry import STEPS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from connectors.protocol import Progress
    from hub.scheduler import RunState

MARKS = {"success": "✓", "running": "…", "queued": "·", "scheduled": "·", "failed": "✗", "upstream_failed": "✗"}
RETRYING = "up_for_retry"


@contextmanager
def chapter(title: str) -> Iterator[None]:
    """Say what is being done, and when it is done how long it took."""
    begun = time.monotonic()
    err.print(f"● {title}", markup=False)
    yield
    err.print(f"  {time.monotonic() - begun:.1f} s", style="dim", markup=False)


def step_names() -> dict[str, str]:
    """The four steps in the language of the run."""
    return dict(zip(STEPS, say("抽取 校验 入库 索引", "extract check commit index").split(), strict=True))


def watch(states: Iterator[list[RunState]], titles: Mapping[str, str]) -> list[RunState]:
    """Show *states* until they end and return the last; *titles* are by DAG id."""
    begun = time.monotonic()
    last: list[RunState] = []
    if not err.is_terminal:
        return _plain(states, titles)
    with Live(console=err, refresh_per_second=4, transient=True) as live:
        for last in states:
            live.update(_drawing(last, titles, time.monotonic() - begun))
    return last


@contextmanager
def reading_bar() -> Iterator[Callable[[str], Callable[[Progress], None]]]:
    """A bar of rows, rows a second and time left for each read; without a terminal, nothing.

    Gives a function that starts the line of one read and answers what is to be told of its progress.
    """
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=30),
        TextColumn("{task.fields[rows]}"),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    with Bar(*columns, console=err, transient=True, disable=not err.is_terminal) as bar:

        def start(title: str) -> Callable[[Progress], None]:
            for old in bar.task_ids:
                bar.remove_task(old)
            line = bar.add_task(title, total=None, rows="", rate="")

            def tell(progress: Progress) -> None:
                speed = bar.tasks[0].speed if bar.tasks else None
                bar.update(
                    line,
                    completed=progress.rows,
                    total=progress.about,
                    rows=say(f"{progress.rows:,} 行", f"{progress.rows:,} rows"),
                    rate=say(f"{speed:,.0f} 行/秒", f"{speed:,.0f} rows/s") if speed else "",
                )

            return tell

        yield start


def _drawing(states: Sequence[RunState], titles: Mapping[str, str], seconds: float) -> Table:
    done = sum(state.state == "success" for state in states)
    names = step_names()
    drawn = Table(show_edge=False, pad_edge=False, title_justify="left", box=None)
    drawn.title = say(
        f"归集 {done}/{len(states)}  {seconds:.0f} 秒", f"Ingesting {done}/{len(states)}  {seconds:.0f} s"
    )
    drawn.add_column(say("资源", "Resource"), no_wrap=True)
    for name in names.values():
        drawn.add_column(name, justify="center", no_wrap=True)
    for state in states:
        drawn.add_row(titles[state.dag_id], *(_mark(state.tasks.get(step)) for step in STEPS))
    return drawn


def _mark(state: str | None) -> str:
    if state == RETRYING:
        return "↻"
    return MARKS.get(state or "", " ")


def _plain(states: Iterator[list[RunState]], titles: Mapping[str, str]) -> list[RunState]:
    """A line when a resource ends, so that a log shows what happened and nothing twice."""
    ended: set[str] = set()
    last: list[RunState] = []
    for last in states:
        for state in last:
            if state.state in {"success", "failed"} and state.dag_id not in ended:
                ended.add(state.dag_id)
                mark = MARKS[state.state]
                err.print(f"  {mark} {len(ended)}/{len(last)} {titles[state.dag_id]}", markup=False)
    return last
