"""What `zhengtong demo` tells of licences as files, of one-time codes, and of the audit of all licences.

What happens is `hub.demo.documents` and `hub.demo.population`; here it is told.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hub.cli.demo_calls import shown
from hub.cli.demo_licences import in_words
from hub.cli.language import LANG, say
from hub.cli.output import note, table
from hub.cli.progress import chapter

if TYPE_CHECKING:
    from hub.demo.documents import Judged
    from hub.demo.population import Audited
    from hub.demo.story import Story

VALID, FORGED = 0, 10


def papers(story: Story) -> bool:
    """Hand out, forge, verify, show a code; whether each ended as it must."""
    documents = story.documents
    with chapter(
        say(
            "证照文书：PDF、OFD、图像、二维码和加注件；篡改副本；逐一验证",
            "Documents: PDF, OFD, picture, code (QR) and an annotated copy; forgeries; each is verified",
        )
    ):
        made = documents.make()
        judged = documents.judge(made)
    _say_judged(judged)
    note(say(f"  图像（仅供显示）：{shown(made.picture)}", f"  Picture, for screens: {shown(made.picture)}"))
    genuine = [one.report.exit_code for one in judged if one.file in made.genuine]
    forged = [one.report.exit_code for one in judged if one.file in made.forged]
    right = set(genuine) == {VALID} and set(forged) == {FORGED}
    return _once(story, made.licence) and right


def _say_judged(judged: list[Judged]) -> None:
    headings = (say("文件", "File"), say("结论", "Verdict"), say("退出码", "Exit code"))
    table(
        "",
        headings,
        ([shown(one.file), one.report.verdict.value, one.report.exit_code] for one in judged),
        right=(2,),
    )


def _once(story: Story, licence: str) -> bool:
    with chapter(
        say(
            "动态码：民政窗口生成，公交窗口核验；再次核验被拒",
            "A one-time code: made at the civil-affairs counter, read at the buses' counter; read again, refused",
        )
    ):
        redeemed = story.documents.once(licence)
    read = say("、", ", ").join(f"{title} {value}" for _, title, value in redeemed.shown.face)
    state = getattr(redeemed.shown.state, LANG)
    note(
        say(
            f"  第一次：{state}；凭授权可看 {read}",
            f"  First reading: {state}; shown by the grant: {read}",
        )
    )
    refused = in_words(redeemed.refused)
    note(say("  第二次：", "  Second reading: ") + (refused or say("竟被放行！", "it was let through!")))
    return bool(refused) and redeemed.shown.identifier == licence


def audit_licences(story: Story) -> bool:
    """All licences handed to an auditor, and audited from files alone; whether everything agrees."""
    with chapter(
        say(
            "全量审计：导出全部证照的记录、状态列表和日志，离线核对",
            "Auditing all licences: rows, status lists and log handed over, and compared offline",
        )
    ):
        audited = story.audit_licences()
    _say_audited(audited)
    return not audited.report.findings and audited.report.licences == audited.handed["rows"]


def _say_audited(audited: Audited) -> None:
    report = audited.report
    note(
        say(
            f"  {shown(audited.folder)}：证照 {report.licences:,} 份，日志条目 {report.size:,} 个，"
            f"状态列表 {report.lists} 份",
            f"  {shown(audited.folder)}: {report.licences:,} licences, {report.size:,} log entries, "
            f"{report.lists} status list(s)",
        )
    )
    for count in report.counts:
        if not count.agree:
            note(f"  ✗ {count.what}")
    for fault in report.findings[:3]:
        note(f"  {fault.where}: {fault.text(LANG)}")
    if not report.findings:
        note(
            say(
                "  数据库、日志、状态列表和公布数全部一致。",
                "  Database, log, status lists and published figures agree.",
            )
        )
