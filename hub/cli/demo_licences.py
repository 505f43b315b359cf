"""What `zhengtong demo` tells of seals and licences: issued, decided by two, issued to everybody, renewed, revoked.

What happens is `hub.demo.seals`, `hub.demo.licences` and `hub.demo.story`; here it is told.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hub.cli.language import LANG, say
from hub.cli.output import note, table
from hub.cli.progress import chapter

if TYPE_CHECKING:
    from hub.demo.licences import Handled
    from hub.demo.story import Story, Verdicts
    from hub.licensing.planning import Plan
    from hub.licensing.reconcile import Reconciliation

VALID, FORGED, REVOKED = 0, 10, 12
VISIBLE_WITHIN_S = 60
SHOWN_ROWS = 3


def licences(story: Story) -> bool:
    """Every chapter on seals and licences; whether each ended as it must."""
    give_seals(story)
    _issue_each(story)
    return all([_handle(story), _batch(story), _renew(story)])


def give_seals(story: Story) -> None:
    """The seals that licences bear."""
    with chapter(
        say(
            "证照专用章：一岗申请、另一岗核准、制章，保管人授权平台自动用印",
            "Licence-issuing seals: one post asks, another approves, they are made; keepers let the hub use them",
        )
    ):
        found = story.give_seals()
    departments = story.list_.departments_by_code
    headings = (
        say("部门", "Department"),
        say("印章编码", "Seal"),
        say("申请", "Asked for by"),
        say("核准", "Approved by"),
        say("自动用印的证照", "Used on"),
        "",
    )
    kinds = say("{} 类", "{} kind(s)")
    table(
        "",
        headings,
        (
            [
                departments[one.department].name if LANG == "zh" else departments[one.department].name_en,
                one.code,
                one.asked_by,
                one.approved_by,
                kinds.format(len(one.kinds)),
                say("新制", "made") if one.new else say("已有", "there already"),
            ]
            for one in found
        ),
    )


def _issue_each(story: Story) -> None:
    with chapter(say("证照逐类签发一份（一人审批的）", "Issuing a licence of every kind that one person decides on")):
        issued = story.licences.issue_each_kind(LANG)
    headings = (say("证照", "Licence"), say("证照标识", "Identifier"), "")
    table("", headings, ([kind, number, _new(new=new)] for kind, number, new in issued))


def _handle(story: Story) -> bool:
    from hub.demo.licences import CASE_KIND, FIRST, SECOND

    kind = story.licences.licensing.kind(CASE_KIND)
    name = kind.name if LANG == "zh" else kind.name_en
    with chapter(say(f"须两人审批：{name}，从受理到签发", f"Decided by two: {name}, from counter to licence")):
        handled = story.licences.handle()
    if handled.prefilled is None:
        note(say(f"  {handled.licence}（已有）", f"  {handled.licence} (there already)"))
        return True
    _say_prefilled(handled)
    _say_steps(handled)
    note(say(f"  案卷 {handled.case}，证照 {handled.licence}", f"  Case {handled.case}, licence {handled.licence}"))
    refused = [(step.what, step.by) for step in handled.steps if step.said]
    approved = [step.by for step in handled.steps if step.what == "approve" and not step.said]
    return refused == [("approve", FIRST)] and approved == [SECOND] and bool(handled.licence)


def _say_prefilled(handled: Handled) -> None:
    same = {
        "match": say("一致", "the same"),
        "mismatch": say("不一致", "DIFFERS"),
        "unknown": say("无法比对", "cannot be told"),
        "": "",
    }
    lines = handled.prefilled.lines if handled.prefilled else ()
    table(
        "",
        (say("证面项", "Field"), say("权威数据（预填）", "On record (prefilled)"), say("与陈述", "As stated")),
        ([line.title if LANG == "zh" else line.title_en, line.known, same[line.same]] for line in lines),
    )


def _say_steps(handled: Handled) -> None:
    words = {
        "apply": say("受理", "taken in"),
        "review": say("审查", "reviewed"),
        "approve": say("批准", "approved"),
        "hand_out": say("签发", "handed out"),
    }
    table(
        "",
        (say("步骤", "Step"), say("岗位", "By"), say("结果", "Outcome")),
        (
            [words[step.what], step.by, in_words(step.said) if step.said else say("完成", "done")]
            for step in handled.steps
        ),
    )


def _batch(story: Story) -> bool:
    from hub.demo.licences import BATCH_KIND
    from hub.licensing.planning import DUPLICATE, OK
    from hub.licensing.reconcile import NOT_ISSUED

    kind = story.licences.licensing.kind(BATCH_KIND)
    name = kind.name if LANG == "zh" else kind.name_en
    with chapter(say(f"批量签发{name}：先试算", f"{name} for everybody on record: planned first")):
        plan = story.licences.plan()
    _say_plan(plan)
    with chapter(say("批量签发，再与权威资源核对", "Issued together, then compared with the record")):
        done = story.licences.issue_all()
        left = story.licences.reconcile()
    note(say(f"  签发 {done.issued:,} 份", f"  {done.issued:,} issued"))
    _say_left(left)
    # What is left are the rows that the plan had said no to.
    unplanned = {name: count for name, count in plan.counts.items() if name not in {OK, DUPLICATE} and count}
    found = {name: count for name, count in left.counts.items() if name in plan.counts and count}
    expected = sum(unplanned.values())
    return (
        done.issued == plan.counts[OK]
        and left.residual == expected
        and found == unplanned
        and not left.counts[NOT_ISSUED]
    )


def _say_plan(plan: Plan) -> None:
    from hub.licensing.planning import OUTCOMES

    counts = ([OUTCOMES[name][LANG == "zh"], f"{count:,}"] for name, count in plan.counts.items() if count)
    table("", (say("试算结果", "What would come of it"), say("记录", "Records")), counts, right=(1,))


def _say_left(left: Reconciliation) -> None:
    note(
        say(
            f"  核对：记录 {left.records:,} 条，证照 {left.licences:,} 份，不一致 {left.residual:,} 项",
            f"  Compared: {left.records:,} records, {left.licences:,} licences, {left.residual:,} that do not agree",
        )
    )
    from hub.licensing.reconcile import AGREES, FINDINGS

    for name, count in left.counts.items():
        if count and name != AGREES:
            note(f"  · {FINDINGS[name][LANG == 'zh']}{say('：', ': ')}{count:,}")


def _renew(story: Story) -> bool:
    from hub.demo.licences import RENEWED_KIND
    from licence.lifecycle import State

    kind = story.licences.licensing.kind(RENEWED_KIND)
    name = kind.name if LANG == "zh" else kind.name_en
    with chapter(say(f"延续：{name}", f"Renewed: {name}")):
        found = story.licences.renew()
    table(
        "",
        (say("版本", "Version"), say("证照标识", "Identifier"), say("状态", "State")),
        (
            [say("原证照", "before"), found.before, getattr(found.before_state, LANG)],
            [say("新版本", "renewed"), found.after, getattr(found.after_state, LANG)],
        ),
    )
    return (found.before_state, found.after_state) == (State.LAPSED, State.VALID)


def judge(story: Story) -> bool:
    """Verify a licence, a forgery, and the licence once it is revoked; whether each verdict is as it must be."""
    with chapter(say("验证、伪造、撤销、再验证", "Verifying, forging, revoking, verifying again")):
        verdicts = story.judge()
    _say_verdicts(verdicts)
    codes = (verdicts.valid.exit_code, verdicts.forged.exit_code, verdicts.revoked.exit_code)
    return codes == (VALID, FORGED, REVOKED) and verdicts.seen_s < VISIBLE_WITHIN_S


def _say_verdicts(verdicts: Verdicts) -> None:
    rows = (
        (say("签发后", "as issued"), verdicts.valid),
        (say("篡改副本", "a tampered copy"), verdicts.forged),
        (say("撤销后", "after revocation"), verdicts.revoked),
    )
    headings = (say("时点", "When"), say("结论", "Verdict"), say("退出码", "Exit code"))
    table("", headings, ([name, report.text(LANG).splitlines()[0], report.exit_code] for name, report in rows))
    note(
        say(
            f"  撤销决定作出 {verdicts.seen_s:.1f} 秒后，验证方从公开的状态列表查到。",
            f"  A verifier saw it in the published status list {verdicts.seen_s:.1f} s after the decision.",
        )
    )


def _new(*, new: bool) -> str:
    return say("新签发", "issued") if new else say("已有", "there already")


def in_words(both: str) -> str:
    """A refusal, of which both languages were kept, Chinese first."""
    zh, _, en = both.partition("\n")
    return zh if LANG == "zh" else en
