"""`zhengtong audit status|hold|holds|release|erase`: what the log waits for, and how long bodies behind it are kept.

Holding and erasing is `hub.keeping`'s. Each is an entry of the log: `--by` is wanted, and a ground that all may read.
"""

from __future__ import annotations

from typing import Annotated

import typer

from hub.cli.audit import Json, audit
from hub.cli.audit_options import By, Keys, at_desk, covered, query_of
from hub.cli.language import say
from hub.cli.output import FINDINGS, OK, note, print_json, table

Ground = Annotated[
    str,
    typer.Option(
        "--ground",
        help=say(
            "依据（文号或法律条款；公开可见，不得写个人信息）", "on what ground: a file or law; public, no persons"
        ),
        show_default=False,
    ),
]
Entries = Annotated[
    str | None,
    typer.Option("--entries", metavar="1,5,9-12", help=say("条目序号", "numbers of entries"), show_default=False),
]
Number = Annotated[int, typer.Argument(metavar="HOLD", min=0, help=say("保全编号", "the hold"), show_default=False)]


@audit.command(
    "status", help=say("查看日志发布延迟与正文保存期限", "How far checkpoints are behind; how long bodies stay")
)
def status(*, as_json: Json = False) -> int:
    """20 when an entry waits longer for its checkpoint than receipts promise."""
    from hub.cli.common import opened
    from hub.keeping.expiring import limit_of
    from hub.mergedelay import merge_delay

    with opened() as office:
        found = merge_delay(office.evidence.log, office.now())
        days, limit = office.settings.body_days, limit_of(office.settings, office.now())
    if as_json:
        print_json({"ok": not found.broken, **found.to_plain(), "body_days": days, "bodies_before": limit})
        return FINDINGS if found.broken else OK
    plain = found.to_plain()
    note(
        say(
            f"{found.size} 个条目，检查点覆盖 {found.published} 个；"
            f"最早未发布的条目已等待 {found.waits_s:,.0f} 秒（承诺不超过 {plain['promised_s']} 秒）。",
            f"{found.size} entries, {found.published} in a checkpoint; "
            f"the oldest other has waited {found.waits_s:,.0f} seconds (promised: at most {plain['promised_s']}).",
        )
    )
    kept = say("正文永久保存。", "Bodies are kept for ever.")
    if limit is not None:
        kept = say(
            f"正文保存 {days} 天：{limit:%Y-%m-%d} 之前的到期删除，保全中的除外。",
            f"Bodies are kept {days} days: those of before {limit:%Y-%m-%d} go, but for those that are held.",
        )
    note(kept)
    return FINDINGS if found.broken else OK


@audit.command("hold", help=say("保全正文，期满不删除", "Hold bodies beyond their time"))
def hold(*, ground: Ground, entries: Entries = None, persons: Keys = None, by: By = None, as_json: Json = False) -> int:
    """Entries by number, or all about a person as looked up, those to come, too."""
    from hub.keeping import holds
    from hub.packing import places_of

    with at_desk(by, None, None) as given:
        query = query_of(given, persons=persons)
        covered(given, reading=False)
        number = holds.hold(given.desk, places_of(entries) if entries else (), query.subjects, ground)
    if as_json:
        print_json({"hold": number})
        return OK
    note(say(f"已保全，编号 {number}。", f"Held; the hold's number is {number}."))
    return OK


@audit.command("holds", help=say("列出有效的保全", "The holds in force"))
def holds_(*, by: By = None, as_json: Json = False) -> int:
    """Their grounds are public; whom they are about stands in them by keyed hash alone."""
    from hub.keeping import holds

    with at_desk(by, None, None) as given:
        covered(given, reading=False)
        found = holds.in_force(given.desk)
    if as_json:
        print_json([one.to_plain() for one in found])
        return OK
    rows = [
        (str(one.number), one.at.date().isoformat(), one.by, _ranges(one.ranges), str(len(one.subjects)), one.ground)
        for one in found
    ]
    headings = [say("编号", "Hold"), say("日期", "Since"), say("办理人", "By"), say("条目", "Entries")]
    table("", [*headings, say("当事人数", "Persons"), say("依据", "Ground")], rows, right=(0, 4))
    return OK


@audit.command("release", help=say("解除保全", "Release a hold"))
def release(number: Number, *, ground: Ground, by: By = None, as_json: Json = False) -> int:
    """Bodies whose time is over go with the next expiry."""
    from hub.keeping import holds

    with at_desk(by, None, None) as given:
        covered(given, reading=False)
        entry = holds.release(given.desk, number, ground)
    if as_json:
        print_json({"hold": number, "entry": entry})
        return OK
    note(say(f"保全 {number} 已解除。", f"Hold {number} is released."))
    return OK


@audit.command("erase", help=say("依申请删除条目的正文", "Erase the bodies of entries on request"))
def erase(
    entries: Annotated[str, typer.Argument(metavar="1,5,9-12", help=say("条目序号", "entries"), show_default=False)],
    *,
    ground: Ground,
    by: By = None,
    as_json: Json = False,
) -> int:
    """Entries and proofs stay; what stood behind them is gone for ever and can no longer be replayed."""
    from hub.keeping import holds
    from hub.packing import places_of

    with at_desk(by, None, None) as given:
        covered(given, reading=False)
        entry, erased = holds.erase(given.desk, places_of(entries), ground)
    if as_json:
        print_json({"entry": entry, "erased": erased})
        return OK
    note(
        say(
            f"已删除 {erased} 个正文，记入第 {entry} 条；条目及其证明不变。",
            f"{erased} bodies erased, as entry {entry} says; entries and proofs stay as they are.",
        )
    )
    return OK


def _ranges(ranges: object) -> str:
    pairs = ranges if isinstance(ranges, (list, tuple)) else ()
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in pairs)
