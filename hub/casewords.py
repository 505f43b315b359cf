"""What cases and their states are called, in one place: for inboxes and notices, which show every kind together.

Imports nothing heavy: help texts are made of it. Which states a kind has is decided by its machine in `catalog`.
"""

from __future__ import annotations

from typing import Final

# kind: (English, Chinese), at the beginning of a sentence.
CASE_KINDS: Final[dict[str, tuple[str, str]]] = {
    "application": ("Application", "申请"),
    "correction": ("Correction", "校核"),
    "recall": ("Recall", "召回"),
    "demand": ("Demand", "需求"),
    "list": ("List draft", "清单草案"),
    "dossier": ("Licence application", "证照申请"),
    "decision": ("Decision on a licence", "证照处理决定"),
}
# kind: state: (English, Chinese).
CASE_STATES: Final[dict[str, dict[str, tuple[str, str]]]] = {
    "application": {
        "submitted": ("waits for the provider", "待提供方审批"),
        "asked": ("to be completed", "待补充"),
        "granted": ("granted", "已授权"),
        "refused": ("refused", "未获同意"),
        "consulting": ("dispute: with the provider", "争议协商中"),
        "mediating": ("dispute: before the office", "争议协调中"),
        "deciding": ("dispute: before the government", "争议报请决定中"),
        "upheld": ("refusal upheld", "维持不予同意"),
        "final": ("finally refused", "最终不予同意"),
        "withdrawn": ("withdrawn", "已撤回"),
    },
    "correction": {
        "submitted": ("waits for the provider", "待提供方核实"),
        "asked": ("the provider asks for more", "提供方要求补充说明"),
        "accepted": ("accepted, to be put right", "已确认，待更正"),
        "disputed": ("before the hub office", "已提请数据主管部门处理"),
        "rejected": ("rejected", "不予更正"),
        "mended": ("put right", "已更正"),
        "dismissed": ("the data stands", "经裁定数据无误"),
        "withdrawn": ("withdrawn", "已撤回"),
    },
    "recall": {
        "issued": ("waits for its recipients", "待取得方处置"),
        "acknowledged": ("acknowledged by all", "均已处置"),
    },
    "demand": {
        "submitted": ("waits to be claimed", "待认领"),
        "claimed": ("waits for an answer", "办理中"),
        "planned": ("planned", "已列入计划"),
        "met": ("met", "已满足"),
        "refused": ("refused", "不予提供"),
        "withdrawn": ("withdrawn", "已撤回"),
    },
    "list": {
        "submitted": ("waits for review", "待审核"),
        "returned": ("returned", "已退回"),
        "approved": ("approved", "待发布"),
        "published": ("published", "已发布"),
        "withdrawn": ("withdrawn", "已撤回"),
    },
    "dossier": {
        "applied": ("taken in, waits for review", "已受理，待审查"),
        "returned": ("returned for completion", "待补正"),
        "reviewed": ("reviewed, waits for the decision", "已审查，待决定"),
        "approved": ("approved, to be handed out", "已批准，待签发"),
        "issued": ("issued", "已签发"),
        "refused": ("refused", "不予许可"),
        "withdrawn": ("withdrawn by the applicant", "申请已撤回"),
    },
    "decision": {
        "proposed": ("waits for a second officer", "待第二人确认"),
        "confirmed": ("agreed, being carried out", "已确认，执行中"),
        "done": ("took effect", "已生效"),
        "dropped": ("given up", "已放弃"),
        "void": ("could not be carried out", "未能执行"),
    },
}
# What a grant's state is called: (English, Chinese).
GRANT_STATES: Final[dict[str, tuple[str, str]]] = {
    "in_force": ("in force", "有效"),
    "suspended": ("suspended", "已暂停"),
    "expired": ("expired", "已到期"),
    "revoked": ("revoked", "已撤销"),
    "handed_back": ("handed back", "已交回"),
    "replaced": ("replaced", "已替代"),
}


def state_text(kind: str, state: str, lang: str) -> str:
    """What a state of a kind of case is called in *lang* (``zh``, else English)."""
    en, zh = CASE_STATES[kind][state]
    return zh if lang == "zh" else en


# What each of `catalog.clock.RULE_CODES` is the time for → (English, Chinese).
CLOCKS: Final[dict[str, tuple[str, str]]] = {
    "application.reply.unconditional": ("to answer an application, shared unconditionally", "答复申请（无条件共享）"),
    "application.reply.conditional": ("to answer an application, shared on conditions", "答复申请（有条件共享）"),
    "application.share": ("to share what was granted", "同意后提供数据"),
    "application.supplement": ("to complete an application", "补充申请材料"),
    "dispute.consult": ("for both sides to consult", "争议：双方协商"),
    "dispute.office": ("for the hub office to settle a dispute", "争议：数据主管部门处理"),
    "dispute.government": ("for the government to settle a dispute", "争议：本级政府决定"),
    "correction.reply": ("to answer a correction", "答复数据校核"),
    "list.review": ("to review a draft of the list", "审核清单草案"),
    "catalogue.update": ("to mend a draft that was returned", "修改被退回的清单草案"),
    "demand.claim": ("to take up a demand", "认领数据需求"),
    "demand.answer": ("to answer a demand", "答复数据需求"),
    "grant.unused": ("until a grant counts as unused", "授权长期未使用"),
    "grant.expiring": ("before a grant's end", "授权即将到期"),
    "licence.return": ("to say what an application for a licence lacks", "证照申请：一次性告知补正"),
    "licence.decide": ("to decide on a licence", "证照申请：作出决定"),
    "licence.issue": ("to issue a licence that was decided", "证照：决定后颁发"),
    "licence.confirm": ("to confirm what was proposed about a licence", "证照：复核处理意见"),
}
