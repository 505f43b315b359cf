"""`zhengtong audit search|index|sample|anomalies`: find entries, draw some by lot, see what is out of the ordinary.

Finding is `hub.auditsearch`'s, judging `hub.anomalies`'s; where is searched, and by whom, `hub.cli.audit_options`'s.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from hub.cli.audit import Json, audit
from hub.cli.audit_options import (
    Actors,
    By,
    IndexFile,
    KeyFile,
    Keys,
    Kinds,
    LogFolder,
    Outcomes,
    Purposes,
    Reading,
    Resources,
    Since,
    Subjects,
    Until,
    at_desk,
    bar,
    covered,
    moment,
    query_of,
)
from hub.cli.language import LANG, say
from hub.cli.output import FINDINGS, LOG_INVALID, OK, UNDECIDED, note, out, print_json, table

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from audit.searching import Hit
    from hub.auditsearch import Drawn


@audit.command("search", help=say("检索日志条目", "Find entries of the log"))
def search(
    *,
    actors: Actors = None,
    persons: Keys = None,
    subjects: Subjects = None,
    resources: Resources = None,
    purposes: Purposes = None,
    kinds: Kinds = None,
    outcomes: Outcomes = None,
    since: Since = None,
    until: Until = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help=say("最多显示条数", "entries at the most"))] = 100,
    reading: Reading = False,
    by: By = None,
    log: LogFolder = None,
    key_file: KeyFile = None,
    index: IndexFile = None,
    as_json: Json = False,
) -> int:
    """Every entry is read again and proven before it is shown; with --json one a line, without a limit of memory."""
    with at_desk(by, log, key_file, index) as given:
        query = query_of(
            given, persons=persons, subjects=subjects, actors=actors, resources=resources, purposes=purposes,
            kinds=kinds, outcomes=outcomes, since=since, until=until,
        )  # fmt: skip
        read_all = covered(given, reading=reading)
        hits = given.desk.search(query, reading=read_all)
        shown, more = _print_hits(hits, limit, as_json=as_json)
        size = given.desk.log.size
    rest = say(f"，仅显示前 {limit} 条（--limit）", f", of which the first {limit} are shown (--limit)") if more else ""
    note(
        say(
            f"在 {size} 个已发布条目中检索，找到{'不少于' if more else ''} {shown} 条{rest}。",
            f"Searched {size} published entries: {'at least ' if more else ''}{shown} found{rest}.",
        )
    )
    return OK


def _print_hits(hits: Iterator[Hit], limit: int, *, as_json: bool) -> tuple[int, bool]:
    """Show up to *limit*; how many, and whether there are more."""
    import json

    rows: list[tuple[str, ...]] = []
    shown = 0
    for hit in hits:
        if shown == limit:
            if rows:
                _print_rows(rows)
            return shown, True
        shown += 1
        if as_json:
            out.out(json.dumps({"index": hit.index, "entry": json.loads(hit.data)}, ensure_ascii=False))
        else:
            about = hit.about
            rows.append(
                (str(hit.index), _when(about.at), about.kind, about.actor, about.resource, about.purpose, about.outcome)
            )
    if rows:
        _print_rows(rows)
    return shown, False


def _print_rows(rows: Sequence[tuple[str, ...]]) -> None:
    table(
        "",
        [
            say("序号", "Entry"),
            say("时间", "Time"),
            say("类型", "Kind"),
            say("主体", "Actor"),
            say("资源", "Resource"),
            say("事项", "Matter"),
            say("结果", "Outcome"),
        ],
        rows,
        right=(0,),
    )


def _when(at: int) -> str:
    from audit.searching import moment_of
    from catalog.clock import SHANGHAI

    return moment_of(at).astimezone(SHANGHAI).strftime("%Y-%m-%d %H:%M:%S")


@audit.command("index", help=say("编制检索索引，或与日志核对", "Build the search index, or compare it with the log"))
def index_(
    *,
    check: Annotated[
        bool, typer.Option("--check", help=say("与日志逐条核对", "compare every entry with the log"))
    ] = False,
    by: By = None,
    log: LogFolder = None,
    key_file: KeyFile = None,
    index: IndexFile = None,
    as_json: Json = False,
) -> int:
    """An index can hide entries but not invent any; --check reads all, and ends with 13 where they differ."""
    with at_desk(by, log, key_file, index) as given:
        with bar(say("编制索引", "Indexing")) as advance:
            read = given.desk.index.extend(advance)
        size, wrong = given.desk.log.size, []
        if check:
            with bar(say("核对索引", "Comparing")) as advance:
                wrong = list(given.desk.index.check(advance))
    if as_json:
        print_json({"ok": not wrong, "size": size, "read": read, "differs": wrong[:1000]})
        return LOG_INVALID if wrong else OK
    if wrong:
        some = ", ".join(map(str, wrong[:20]))
        note(
            say(
                f"索引与日志不符：{len(wrong)} 个条目（{some}）。请删除索引后重建。",
                f"The index differs from the log in {len(wrong)} entries ({some}). Remove it and build it anew.",
            )
        )
        return LOG_INVALID
    note(say(f"索引覆盖 {size} 个条目，本次读入 {read} 个。", f"The index covers {size} entries; {read} were read."))
    return OK


@audit.command("sample", help=say("按种子随机抽样并重放", "Draw entries by lot from a seed, and do them again"))
def sample(
    seed: Annotated[
        str,
        typer.Argument(
            metavar=say("种子", "SEED"), help=say("公开抽取的种子", "a seed drawn in public"), show_default=False
        ),
    ],
    *,
    wanted: Annotated[int, typer.Option("--size", min=1, max=10_000, help=say("抽取条数", "how many"))] = 20,
    kinds: Kinds = None,
    since: Since = None,
    until: Until = None,
    only_draw: Annotated[
        bool, typer.Option("--only-draw", help=say("只抽取，不重放", "draw alone; replay nothing"))
    ] = False,
    reading: Reading = False,
    by: By = None,
    log: LogFolder = None,
    key_file: KeyFile = None,
    index: IndexFile = None,
    as_json: Json = False,
) -> int:
    """13 when an entry and its replay contradict each other, 11 when something is gone, 0 when all agree."""
    from hub.auditsearch import Drawn, replay_all

    with at_desk(by, log, key_file, index) as given:
        query = query_of(given, kinds=kinds, since=since, until=until)
        read_all = covered(given, reading=reading) if query.to_plain() else False
        places = given.desk.draw(seed, wanted, query, reading=read_all)
        if given.office is None or only_draw:
            from audit.searching import describe

            drawn = [Drawn(place, describe(given.desk.log.entry(place)).kind, None) for place in places]
        else:
            drawn = list(replay_all(given.office.settings, given.desk.log, places))
        checkpoint = given.desk.log.checkpoint
    verdicts = [one.verdict for one in drawn]
    if as_json:
        print_json(
            {
                "seed": seed,
                "log": checkpoint.origin,
                "size": checkpoint.size,
                "root": checkpoint.root.hex(),
                "drawn": [one.to_plain() for one in drawn],
            }
        )
    else:
        words = {
            "same": say("一致", "same"),
            "different": say("不一致", "DIFFERENT"),
            "incomplete": say("无法判定", "incomplete"),
            "logged": say("已记入日志", "in the log"),
        }
        headings = [say("序号", "Entry"), say("类型", "Kind"), say("结果", "Result"), say("说明", "Why")]
        rows = [(str(one.index), one.kind, words[one.verdict], _why(one)) for one in drawn]
        table("", headings, rows, right=(0,))
        counts = say("，", ", ").join(f"{words[v]} {verdicts.count(v)}" for v in words if v in verdicts)
        note(
            say(
                f"抽取 {len(drawn)} 条（规模 {checkpoint.size}，根 {checkpoint.root.hex()}）：{counts}",
                f"{len(drawn)} drawn (size {checkpoint.size}, root {checkpoint.root.hex()}): {counts}",
            )
        )
    if "different" in verdicts:
        return LOG_INVALID
    return UNDECIDED if "incomplete" in verdicts else OK


def _why(one: Drawn) -> str:
    return "" if one.report is None or one.verdict == "same" else one.report.steps[-1].text(LANG)


@audit.command("anomalies", help=say("查看异常调用线索", "What is out of the ordinary"))
def anomalies(
    *,
    since: Since = None,
    until: Until = None,
    first_hour: Annotated[int, typer.Option(min=0, max=23, help=say("上班时刻", "when work begins"))] = 8,
    last_hour: Annotated[int, typer.Option(min=1, max=24, help=say("下班时刻", "when work ends"))] = 18,
    readers: Annotated[int, typer.Option(min=2, help=say("读取同一人记录的经办人数", "readers of one person"))] = 4,
    refusals: Annotated[int, typer.Option(min=2, help=say("连续被拒次数", "refusals in a row"))] = 5,
    minutes: Annotated[int, typer.Option(min=1, help=say("连续被拒的时限（分钟）", "within so many minutes"))] = 10,
    calls: Annotated[int, typer.Option(min=2, help=say("一小时调用次数", "calls within an hour"))] = 200,
    days: Annotated[int, typer.Option(min=1, help=say("授权闲置天数", "days that a grant slept"))] = 90,
    operators: Annotated[
        bool,
        typer.Option(
            help=say(
                "区分经办人并核对授权条款（读取受保护正文）",
                "tell operators apart and compare the terms of grants (reads protected bodies)",
            )
        ),
    ] = True,
    by: By = None,
    log: LogFolder = None,
    key_file: KeyFile = None,
    index: IndexFile = None,
    as_json: Json = False,
) -> int:
    """The last seven days unless said otherwise; 20 when there is something to ask about."""
    from catalog.clock import Clocks
    from hub.anomalies import Limits
    from hub.auditviews import look

    limits = Limits(
        first_hour=first_hour, last_hour=last_hour, readers=readers, refusals=refusals, refusal_minutes=minutes,
        calls_per_hour=calls, sleeping_days=days,
    )  # fmt: skip
    with at_desk(by, log, key_file, index) as given:
        office = given.office
        now = office.now() if office is not None else datetime.now(UTC)
        end = moment(until, end=True) or now
        begin = moment(since) or end - timedelta(days=7)
        covered(given, reading=False)
        calendar = (office.clocks if office is not None else Clocks.default()).calendar
        found = look(given.desk, calendar, limits, since=begin, until=end, office=office, operators=operators)
    if as_json:
        print_json({"since": begin, "until": end, "findings": [one.to_plain() for one in found]})
    else:
        for one in found:
            some = ", ".join(map(str, one.entries[:10])) + ("…" if one.count > 10 else "")  # noqa: PLR2004 - a line
            out.print(f"{one.text(LANG)} " + say(f"条目：{some}", f"Entries: {some}"), markup=False)
        note(
            say(f"{len(found)} 条线索。线索不是结论。", f"{len(found)} to ask about. None of them is a proof of wrong.")
        )
    return FINDINGS if found else OK
