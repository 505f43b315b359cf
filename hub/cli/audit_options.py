"""Options of the auditor's commands, and the desk that they describe: at the hub, or over copied files.

At the deployment what is asked is recorded in the log, so `--by` is wanted; over copied files, with `--log` and
`--key-file`, there is nothing to record it in, and that is said. Finding is `hub.auditsearch`'s.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hub.cli.arguments import pair, read_file
from hub.cli.common import opened
from hub.cli.language import say
from hub.cli.output import err, note

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from audit.searching import Query
    from audit.verifiers import PublicKey
    from hub.auditsearch import Desk
    from hub.office import Office

TIMES = ["%Y-%m-%d", "%Y-%m-%dT%H:%M"]
TIME = say("日期或 日期T时:分", "DAY or DAYTHH:MM")

By = Annotated[
    str | None,
    typer.Option(
        "--by",
        envvar="ZHENGTONG_ACTOR",
        metavar=say("部门代码:岗位", "DEPARTMENT:POST"),
        help=say("审计人；在平台上检索须写明并记入日志", "who audits; wanted at the hub, where it is recorded"),
        show_default=False,
    ),
]
LogFolder = Annotated[
    Path | None,
    typer.Option("--log", help=say("日志副本的目录（离线，不留记录）", "a copied log (offline, nothing is recorded)")),
]
KeyFile = Annotated[
    Path | None,
    typer.Option("--key-file", help=say("日志公钥文件，与 --log 同用", "file with the log's public key, with --log")),
]
IndexFile = Annotated[
    Path | None,
    typer.Option(
        "--index", help=say("离线检索索引（默认：日志目录旁）", "offline: the index (default: beside the log)")
    ),
]
Reading = Annotated[bool, typer.Option("--read-all", help=say("不用索引，逐条读取", "read every entry; use no index"))]
Kinds = Annotated[
    list[str] | None,
    typer.Option(
        "--kind", help=say("类型，如 invocation.denied 或 licence.；可多次", "kind, e.g. licence.; may repeat")
    ),
]
Since = Annotated[
    datetime | None,
    typer.Option("--from", formats=TIMES, metavar=TIME, help=say("起（北京时间）", "from (Shanghai time)")),
]
Until = Annotated[
    datetime | None,
    typer.Option("--to", formats=TIMES, metavar=TIME, help=say("止（不含；日期含当日）", "to (a day: with it)")),
]
Subjects = Annotated[
    list[str] | None,
    typer.Option("--subject", help=say("当事人散列值（十六进制），可多次", "keyed hash of a person; may repeat")),
]
Keys = Annotated[
    list[str] | None,
    typer.Option(
        "--person",
        metavar="KEY=VALUE",
        help=say(
            "查询时所用的条件，如 citizen_id=@文件；同一次查询的多个条件可多次给出",
            "what was looked up by, e.g. citizen_id=@FILE; repeat for a look-up by several",
        ),
    ),
]
Actors = Annotated[list[str] | None, typer.Option("--actor", help=say("主体，可多次", "actor; may repeat"))]
Resources = Annotated[
    list[str] | None, typer.Option("--resource", help=say("资源代码，可多次", "resource; may repeat"))
]
Purposes = Annotated[list[str] | None, typer.Option("--purpose", help=say("事项代码，可多次", "matter; may repeat"))]
Outcomes = Annotated[
    list[str] | None, typer.Option("--outcome", help=say("结果，如 answered、denied，可多次", "outcome; may repeat"))
]


@dataclass(frozen=True)
class Opened:
    """The desk, and the office behind it where there is one."""

    desk: Desk
    office: Office | None


@contextmanager
def at_desk(by: str | None, log: Path | None, key_file: Path | None, index: Path | None = None) -> Iterator[Opened]:
    """The desk that the options describe."""
    from hub.actors import Actor
    from hub.auditsearch import Desk

    if log is not None:
        desk = Desk.away(log, pinned(key_file), index)
        note(say("离线检索：本次查询不记入日志。", "Offline: this question is not recorded in the log."))
        yield Opened(desk, None)
        return
    if not by:
        raise typer.BadParameter(
            say("在平台上检索须写明审计人；离线请用 --log", "say who audits, or use --log offline"), param_hint="--by"
        )
    actor = Actor.parse(by)
    with opened() as office:
        yield Opened(Desk.here(office.settings, office.evidence, actor), office)


def pinned(key_file: Path | None) -> tuple[PublicKey, ...]:
    """The keys that a reader of copied files pins."""
    from audit.verifiers import read_verifiers

    if key_file is None:
        raise typer.BadParameter(
            say("离线须给出日志公钥文件", "offline the log's public key is wanted"), param_hint="--key-file"
        )
    return read_verifiers(read_file(key_file, say("日志公钥", "the log's public key")))


def moment(at: datetime | None, *, end: bool = False) -> datetime | None:
    """A time as it was typed, in Shanghai; a day that ends a span is in it."""
    from catalog.clock import SHANGHAI

    if at is None:
        return None
    whole_day = end and (at.hour, at.minute) == (0, 0)
    return (at + timedelta(days=whole_day)).replace(tzinfo=SHANGHAI).astimezone(UTC)


def query_of(
    given: Opened,
    *,
    persons: list[str] | None = None,
    subjects: list[str] | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    **criteria: list[str] | None,
) -> Query:
    """The query of the options; a person is turned into the keyed hash here, and goes no further."""
    from audit.searching import Query

    found = list(subjects or ())
    if persons:
        if given.office is None:
            raise typer.BadParameter(
                say("离线没有密钥，请给出散列值（--subject）", "offline there is no key: give the hash by --subject"),
                param_hint="--person",
            )
        from hub.auditsearch import lookup_of

        keys = dict(pair(text, "KEY=VALUE") for text in persons)
        resources = criteria.get("resources") or ()
        values = lookup_of(given.office.list_, keys, resources[0] if len(resources) == 1 else "")
        found.append(given.office.evidence.subject(values))
    wanted = {name: tuple(values or ()) for name, values in criteria.items()}
    return Query(subjects=tuple(found), since=moment(since), until=moment(until, end=True), **wanted)


def covered(given: Opened, *, reading: bool) -> bool:
    """Whether every entry is to be read; else the index is brought up to the log."""
    if reading:
        return True
    with bar(say("编制索引", "Indexing")) as advance:
        if given.desk.cover(advance):
            return False
    note(say("索引无法写入，改为逐条读取。", "The index cannot be written; every entry is read instead."))
    return True


@contextmanager
def bar(title: str) -> Iterator[Callable[[int, int], None]]:
    """A bar of entries at a terminal; gives what is to be told of the progress."""
    from rich.progress import Progress

    with Progress(console=err, transient=True, disable=not err.is_terminal) as progress:
        line = progress.add_task(title, total=None)
        yield lambda done, total: progress.update(line, completed=done, total=total)
