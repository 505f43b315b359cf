"""What groups of entry kinds of the log are called, by how their kinds begin, and outcomes, in both languages."""

from __future__ import annotations

from typing import Final

# Prefix → (English, Chinese). In the order in which a city's work comes up.
GROUPS: Final[dict[str, tuple[str, str]]] = {
    "invocation.": ("calls for data", "数据调用"),
    "changes.": ("pages of changes", "变更订阅"),
    "batch.": ("batch exchange", "批量交换"),
    "hook.": ("web hooks", "事件推送"),
    "application.": ("applications for sharing", "共享申请"),
    "grant.": ("grants", "授权"),
    "correction.": ("corrections", "异议与更正"),
    "recall.": ("recalls", "数据召回"),
    "demand.": ("demands", "数据需求"),
    "case.": ("overdue cases", "事项超期"),
    "list.": ("lists of responsibility", "责任清单"),
    "load.": ("loads", "数据归集"),
    "licence.": ("licences", "电子证照"),
    "dossier.": ("licence files", "证照卷宗"),
    "decision.": ("licence decisions", "证照审批"),
    "status.": ("status lists", "状态列表"),
    "material.": ("e-materials", "电子材料"),
    "seal.": ("seals", "电子印章"),
    "keys.": ("signing keys", "签名密钥"),
    "crl.": ("certificate revocation lists", "证书吊销列表"),
    "caller.": ("caller keys", "调用方密钥"),
    "client.": ("client systems", "客户端系统"),
    "person.": ("people of the portal", "门户用户"),
    "audit.": ("audits", "审计"),
    "backup.": ("backups", "备份"),
    "calendar.": ("working days", "工作日历"),
    "bodies.": ("keeping of bodies", "正文保存"),
    "mydata.": ("what people were shown of themselves", "本人查询"),
}

# How what an entry records ended → (English, Chinese).
OUTCOMES: Final[dict[str, tuple[str, str]]] = {
    "answered": ("answered", "已应答"),
    "denied": ("denied", "未获准"),
    "refused": ("refused", "已退回"),
    "unavailable": ("unavailable", "暂不可用"),
    "ordered": ("ordered", "已下达"),
}


def group_of(kind: str) -> tuple[str, str]:
    """What the group of *kind* is called; the kind itself where it is of none."""
    return GROUPS.get(f"{kind.partition('.')[0]}.", (kind, kind))


def outcome_of(outcome: str) -> tuple[str, str]:
    """What *outcome* is called; itself where the log has another word."""
    return OUTCOMES.get(outcome, (outcome, outcome))
