"""What is said where a step of a dossier cannot be taken; the pure machine's words are passed on in either language."""

from __future__ import annotations

from typing import TYPE_CHECKING

from catalog.steps import CaseError, NotYoursError, SameHandsError, StepNotAllowedError, register_problems

if TYPE_CHECKING:
    from licence.errors import LicenceError

register_problems(
    {
        "dossier_waiting": (
            "application `{case}` of this holder for this kind is being handled; go on with it, or withdraw it first",
            "该持证主体的同类申请 `{case}` 正在办理，请继续办理，或先撤回",
        ),
        "dossier_names_holder": (
            "repeats the holder's code, which is kept sealed; say it without",
            "含有持证主体代码，该代码须加密保存，请删去",
        ),
        "dossier_holder": ("is no code of a holder; give the code alone", "不是持证主体代码，请只填写代码"),
        "dossier_other_holder": (
            "is not the holder of licence `{licence}`; check the code and the record",
            "与证照 `{licence}` 的持证主体不符，请核对代码和所指记录",
        ),
        "dossier_other_kind": (
            "licence `{licence}` is of another kind",
            "证照 `{licence}` 不属于该类型",
        ),
        "dossier_record": (
            "names no look-up field of resource `{resource}`; known are {known}",
            "不是资源 `{resource}` 的查询项；可用的有 {known}",
        ),
        "dossier_stated": (
            "is no field on the face of this kind; known are {known}",
            "不是该类证照的证面项；可用的有 {known}",
        ),
        "dossier_material": ("is no identifier of an e-material", "不是电子材料的编号"),
        "dossier_matter": ("is no matter of this kind; known are {known}", "不是该类证照的关联事项；可用的有 {known}"),
        "dossier_channel": ("is no channel; use one of {known}", "不是受理渠道，应为 {known} 之一"),
        "dossier_many": ("holds more than {limit} items", "超过 {limit} 项"),
        "dossier_return_late": (
            "the time to ask for completion ended on {due} ({law}): the application counts as accepted; decide on it",
            "一次告知补正的期限已于 {due} 届满（{law}），申请视为已受理，请作出决定",
        ),
        "dossier_being_issued": (
            "the licence is being issued; finish that (hand it out again) before anything else",
            "证照正在签发，请先完成签发（再次办理签发）",
        ),
        "dossier_renewal": (
            "kind `{kind}` is not renewed; apply anew when the licence has ended",
            "`{kind}`不办理延续，到期后请重新申请",
        ),
        "dossier_renewal_when": (
            "renewal may be asked for from {opens} to {closes}",
            "延续申请的受理时间为 {opens} 至 {closes}",
        ),
        "dossier_predecessor": (
            "licence `{licence}` is {state}; only one in force is renewed or changed",
            "证照 `{licence}` 的状态为{state_zh}，仅有效的证照可以延续或变更",
        ),
        "dossier_text_shape": ("holds characters that cannot be kept", "含有无法保存的字符"),
        "decision_action": (
            "is no decision on a licence; use one of {known}",
            "不是对证照的处理决定，应为 {known} 之一",
        ),
        "decision_waiting": (
            "decision `{case}` on this licence is not finished; confirm or drop it first",
            "对该证照的决定 `{case}` 尚未办结，请先确认或撤销",
        ),
    }
)


class DossierStepError(StepNotAllowedError):
    """The dossier is in no phase for the step; *why* says what is possible instead."""

    code = "dossier_step"
    en = "{why}"
    zh = "{why_zh}"

    def __init__(self, *, why: str, why_zh: str) -> None:
        CaseError.__init__(self, why=why, why_zh=why_zh)


class DossierUnitError(NotYoursError):
    """Only the issuing unit takes a step of a dossier."""

    code = "dossier_unit"
    en = "{why}"
    zh = "{why_zh}"

    def __init__(self, *, why: str, why_zh: str) -> None:
        CaseError.__init__(self, why=why, why_zh=why_zh)


class DossierHandsError(SameHandsError):
    """The kind asks for two persons, and this one has had a hand in it."""

    code = "dossier_hands"
    en = "{why}"
    zh = "{why_zh}"

    def __init__(self, *, why: str, why_zh: str) -> None:
        CaseError.__init__(self, why=why, why_zh=why_zh)


class DossierRefusedError(CaseError):
    """What was handed in, or the licence itself, does not allow it: mend it."""

    code = "dossier_refused"
    en = "{why}"
    zh = "{why_zh}"

    def __init__(self, *, why: str, why_zh: str) -> None:
        super().__init__(why=why, why_zh=why_zh)


_KINDS: dict[str, type[DossierStepError | DossierUnitError | DossierHandsError]] = {
    "event_not_possible": DossierStepError,
    "event_other_unit": DossierUnitError,
    "event_same_person": DossierHandsError,
}


def refusal(error: LicenceError) -> CaseError:
    """What the licence library refused, as an error of a case: by what its reader does next."""
    kind = _KINDS.get(getattr(error, "code", ""), DossierRefusedError)
    return kind(why=error.text("en"), why_zh=error.text("zh"))
