"""What `zhengtong demo` tells of the audit, and what a person is told of the use of their data.

What happens is `hub.demo.auditor` and `hub.auditing`; here it is told.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from catalog.clock import SHANGHAI
from hub.cli.demo_calls import shown
from hub.cli.language import LANG, say
from hub.cli.output import note, out, table
from hub.cli.progress import chapter

if TYPE_CHECKING:
    from audit.searching import Hit
    from hub.client import Called
    from hub.demo.auditor import Auditor
    from hub.demo.story import Story

SHOWN_ENTRIES = 5
SHOWN_FINDINGS = 5
SHOWN_USES = 5


def audit(story: Story, called: Called) -> bool:
    """Search, prove, draw, recompute; whether all of it came out as it must. What is only worth a question is shown."""
    auditor, person = story.auditor, story.someone()
    right = _replayed(story, called)
    return all([_searched(auditor, person, called), _drawn(auditor), _grown(story, called), right])


def _replayed(story: Story, called: Called) -> bool:
    from hub.auditing import replay

    entry: int = called.receipt["entry"]
    with chapter(say("审计：重放调用", "Auditing: replaying the call")):
        again = replay(story.settings, entry)
    note(say(f"  重放第 {entry} 条：", f"  Replay of entry {entry}: ") + again.text(LANG).splitlines()[-1])
    return again.verdict == "same"


def _searched(auditor: Auditor, person: str, called: Called) -> bool:
    """What was done with one person's record, and a file of it that proves itself."""
    import json

    from hub.demo.calls import CALLED

    with chapter(
        say(
            "审计：按资源和当事人检索，制作并核验证据包", "Auditing: searching by resource and person, an evidence pack"
        )
    ):
        hits = auditor.search(CALLED, person)
        places = [hit.index for hit in hits]
        file, report = auditor.pack(places, json.dumps(called.plain).encode())
    _say_hits(hits)
    note(f"  {shown(file)}{say('：', ': ')}" + report.text(LANG).splitlines()[-1])
    return called.receipt["entry"] in places and report.verdict == "holds"


def _say_hits(hits: list[Hit]) -> None:
    headings = (
        say("序号", "Entry"),
        say("时间", "Time"),
        say("类型", "Kind"),
        say("主体", "Actor"),
        say("事项", "Matter"),
        say("结果", "Outcome"),
    )
    last = hits[-SHOWN_ENTRIES:]
    rows = (
        [
            str(hit.index),
            hit.entry.at.astimezone(SHANGHAI).strftime("%m-%d %H:%M:%S"),
            hit.entry.kind,
            hit.entry.actor,
            hit.entry.purpose,
            str(hit.entry.facts.get("outcome", "")),
        ]
        for hit in last
    )
    table("", headings, rows, right=(0,))
    if len(hits) > len(last):
        note(
            say(
                f"  共 {len(hits)} 条，以上为最近 {len(last)} 条。",
                f"  {len(hits)} in all; these are the last {len(last)}.",
            )
        )


def _drawn(auditor: Auditor) -> bool:
    from hub.demo.auditor import SEED

    with chapter(say("审计：按种子抽样重放，查看异常线索", "Auditing: a sample from a seed, and what is out of order")):
        drawn = auditor.sample()
        found = auditor.anomalies()
    words = {
        "same": say("重放一致", "the same again"),
        "logged": say("已在日志中", "proven to be in the log"),
        "different": say("重放不一致！", "DIFFERENT!"),
        "incomplete": say("无法判定！", "NOT to be decided!"),
    }
    counted = Counter(one.verdict for one in drawn)
    told = say("，", ", ").join(f"{words[verdict]} {count}" for verdict, count in counted.most_common())
    note(
        say(
            f"  种子“{SEED}”抽取 {len(drawn)} 条：{told}",
            f"  Seed “{SEED}” drew {len(drawn)} entries: {told}",
        )
    )
    note(say(f"  异常线索 {len(found)} 条（线索不是结论）", f"  {len(found)} to ask about (none is a proof of wrong)"))
    for one in found[:SHOWN_FINDINGS]:
        note(f"  · {one.text(LANG)}")
    if len(found) > SHOWN_FINDINGS:
        note("  · …")
    return not counted.keys() & {"different", "incomplete"}


def _grown(story: Story, called: Called) -> bool:
    with chapter(
        say(
            "审计：核对两个检查点之间只增不改；重算整个日志，须有见证方联署",
            "Auditing: that the log only grew between two checkpoints; all of it recomputed, cosigned by the witness",
        )
    ):
        old, new = story.auditor.growth()
        log = story.auditor.witnessed(story.processes.witness_key, called.receipt["entry"])
    for fault in log.faults:
        out.print(fault.text(LANG), markup=False)
    cosigned = log.witnessed or 0
    note(
        say(
            f"  由 {old.size} 条增至 {new.size} 条，原有条目未变；日志 {log.size} 个条目，{len(log.faults)} 处问题；"
            f"见证方已联署至 {cosigned} 个条目",
            f"  Grown from {old.size} to {new.size} entries, none of them changed; {log.size} entries, "
            f"{len(log.faults)} faults; the witness cosigned {cosigned} of them",
        )
    )
    return not log.faults and cosigned > called.receipt["entry"]


def tell_person(story: Story, called: Called) -> bool:
    """Who used the person's data, as the person is told it."""
    with chapter(say("本人查看：我的数据被谁用过", "The person asks: who used my data?")):
        told = story.auditor.told(story.someone())
    for use in told.uses[:SHOWN_USES]:
        note(f"  · {use.text(LANG)}")
    rest = told.total - len(told.uses[:SHOWN_USES])
    note(
        say(
            f"  共 {told.total} 次（其余 {rest} 次从略）；被拒绝 {told.refused} 次；依法不予公开 {told.hidden} 次。",
            f"  {told.total} uses in all ({rest} not shown here); {told.refused} refused; {told.hidden} hidden by law.",
        )
    )
    return called.receipt["entry"] in [use.entry for use in told.uses]
