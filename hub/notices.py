"""What departments are told about cases, grants and shared data: the sentences, and the tray they lie in.

Who is told what, and when, is decided where it happens; sending them on (mail, messages) is left to a deployment,
which reads the same tray.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from hub.control import Control, Notice, row_dict

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from hub.actors import Actor

# kind: (English, Chinese). Every word in braces is a parameter; none may be personal data.
NOTICES: Final[dict[str, tuple[str, str]]] = {
    "application_submitted": (
        "{consumer} applies for `{resource}` (application {case}). Answer by {due}.",
        "{consumer} 申请使用 `{resource}`（申请 {case}）。请于 {due} 前答复。",
    ),
    "application_asked": (
        "{provider} asks you to complete application {case} for `{resource}`: {note}",
        "{provider} 要求补充申请 {case}（`{resource}`）：{note}",
    ),
    "application_supplied": (
        "{consumer} has completed application {case} for `{resource}`. Answer by {due}.",
        "{consumer} 已补充申请 {case}（`{resource}`）。请于 {due} 前答复。",
    ),
    "application_approved": (
        "Application {case} for `{resource}` is approved: grant {grant}.",
        "申请 {case}（`{resource}`）已同意：授权 {grant}。",
    ),
    "application_refused": (
        "Application {case} for `{resource}` is refused: {note} You may dispute this until {due}.",
        "申请 {case}（`{resource}`）未获同意：{note} 如有异议，请于 {due} 前提出争议处理。",
    ),
    "application_disputed": (
        "The refusal of application {case} for `{resource}` is disputed. Settle it by {due}.",
        "申请 {case}（`{resource}`）的处理结果存在争议，请于 {due} 前处理。",
    ),
    "application_settled": (
        "The dispute on application {case} for `{resource}` is settled: {note}",
        "申请 {case}（`{resource}`）的争议已处理：{note}",
    ),
    "grant_changed": (
        "Grant {grant} for `{resource}` is {change}: {note}",
        "授权 {grant}（`{resource}`）{change_zh}：{note}",
    ),
    "grant_expiring": (
        "Grant {grant} for `{resource}` ends on {due}. Renew it in time if it is still needed.",
        "授权 {grant}（`{resource}`）将于 {due} 到期。如仍需使用，请及时申请续期。",
    ),
    "grant_unused": (
        "Grant {grant} for `{resource}` has not been used for {days} days. Hand it back if it is not needed.",
        "授权 {grant}（`{resource}`）已 {days} 天未使用。如不再需要，请交回。",
    ),
    "case_reminder": (
        "{kind} {case} waits for you and is due on {due}.",
        "{kind_zh} {case} 待贵单位办理，将于 {due} 到期。",
    ),
    "case_overdue": (
        "{kind} {case} was due on {due} and is not settled by {answerer}.",
        "{kind_zh} {case} 已于 {due} 到期，{answerer} 尚未办结。",
    ),
    "clock_moved": (
        "A further calendar is in force: {kind} {case} is due on {due} instead of {was}.",
        "新的工作日历已生效：{kind_zh} {case} 的期限由 {was} 调整为 {due}。",
    ),
    "correction_opened": (
        "{consumer} disputes data of `{resource}` (correction {case}). Check it and answer by {due}.",
        "{consumer} 对 `{resource}` 的数据提出校核（校核 {case}）。请核实并于 {due} 前答复。",
    ),
    "correction_settled": (
        "Correction {case} of `{resource}`: {outcome}. {note}",
        "`{resource}` 的校核 {case}：{outcome_zh}。{note}",
    ),
    "recall": (
        "Wrong data of `{resource}` went to you, {since} to {until} ({calls} calls, e.g. entry {entry}): {note}",
        "贵单位在 {since} 至 {until} 间取得的 `{resource}` 数据有误（{calls} 次调用，如日志条目 {entry}）：{note}",
    ),
    "list_published": (
        "A new responsibility list is in force ({version}). It changes what concerns you: {note}",
        "新的共享责任清单已生效（{version}）。与贵单位相关的变化：{note_zh}",
    ),
    "list_submitted": (
        "A draft of the responsibility list waits for review ({case}) until {due}.",
        "共享责任清单草案（{case}）待审核，请于 {due} 前办理。",
    ),
    "list_returned": (
        "The draft of the responsibility list ({case}) was sent back: {note}",
        "共享责任清单草案（{case}）已退回：{note}",
    ),
    "dossier_to_approve": (
        "Licence application {case} ({kind}) is reviewed and waits for approval by another officer until {due}.",
        "证照申请 {case}（{kind_zh}）已审查，待另一名经办人批准，期限 {due}。",
    ),
    "dossier_decided": (
        "Licence application {case} ({kind}) is decided; see it for the next step, due by {due}.",
        "证照申请 {case}（{kind_zh}）已作出决定，请查看后续环节，期限 {due}。",
    ),
    "decision_to_confirm": (
        "Decision {case} on a licence ({kind}) waits for a second officer until {due}.",
        "证照处理决定 {case}（{kind_zh}）待第二名经办人确认，期限 {due}。",
    ),
    "decision_done": (
        "Decision {case} on a licence ({kind}) took effect.",
        "证照处理决定 {case}（{kind_zh}）已生效。",
    ),
    "demand_opened": (
        "{consumer} needs data that is not on the list (demand {case}): {note}",
        "{consumer} 提出清单外的数据需求（需求 {case}）：{note}",
    ),
    "demand_assigned": (
        "Demand {case} is assigned to you. Answer by {due}.",
        "需求 {case} 已分派给贵单位。请于 {due} 前答复。",
    ),
    "demand_answered": (
        "Your demand {case} was answered: {note}",
        "您的需求 {case} 已答复：{note}",
    ),
}


@dataclass(frozen=True, slots=True)
class Told:
    """One notice in a department's tray."""

    id: int
    at: datetime
    department: str
    kind: str
    case_id: str
    resource: str
    params: Mapping[str, Any]
    read_at: datetime | None

    def text(self, lang: str) -> str:
        """The notice in Chinese for ``zh`` and in English for anything else."""
        en, zh = NOTICES[self.kind]
        return (zh if lang == "zh" else en).format(**self.params)


def tray(control: Control, department: str, *, unread_only: bool = True, limit: int = 100) -> tuple[Told, ...]:
    """The notices of *department*, the newest first."""
    query = sa.select(*(getattr(Notice, name) for name in Told.__slots__)).where(Notice.department == department)
    if unread_only:
        query = query.where(Notice.read_at.is_(None))
    with control.reading() as connection:
        rows = connection.execute(query.order_by(Notice.id.desc()).limit(limit))
        return tuple(Told(**row_dict(row)) for row in rows)


def unread_count(control: Control, department: str) -> int:
    """How many notices *department* has not read."""
    unread = sa.select(sa.func.count()).where(Notice.department == department, Notice.read_at.is_(None))
    with control.reading() as connection:
        return int(connection.execute(unread).scalar_one())


def mark_read(control: Control, id_: int, *, actor: Actor, at: datetime) -> bool:
    """Take a notice out of the tray of the actor's department; whether it lay there."""
    with control.writing() as connection:
        done = connection.execute(
            sa.update(Notice)
            .where(Notice.id == id_, Notice.department == actor.department, Notice.read_at.is_(None))
            .values(read_at=at, read_by=str(actor))
        )
    return bool(done.rowcount)
