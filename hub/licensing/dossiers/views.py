"""Applications for licences and decisions on them as both doors show them; nothing of the holder is in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hub.casewords import CASE_STATES
from hub.licensing.dossiers.content import DECISION, DOSSIER, RETURN_RULE, Decision, Filed
from hub.licensing.planning import OUTCOMES
from hub.requested import progress
from licence.lifecycle.dossier import Phase

if TYPE_CHECKING:
    from hub.cases import Case
    from hub.licensing.dossiers.steps import Dossiers
    from hub.office import Office


def dossier_plain(office: Office, dossiers: Dossiers, case: Case, *, whole: bool = True) -> dict[str, Any]:
    """An application; *whole*: with its words, materials and history."""
    filed = Filed.from_plain(case.value)
    dossier = filed.dossier
    shown = {
        **_head(office, case, DOSSIER),
        "purpose": filed.purpose,
        **_kind(dossiers, dossier.kind),
        "issuer": dossier.issuer,
        "persons": dossier.persons,
        "possible": list(filed.possible),
        "licence": dossier.licence,
        "predecessor": dossier.predecessor,
        "planned": filed.outcome,
        "planned_field": filed.field,
        "differs": list(filed.differs),
    }
    if not whole:
        return shown
    until = ""
    if dossier.phase in (Phase.APPLIED, Phase.REVIEWED):
        until = office.clocks.due(RETURN_RULE, filed.applied_at).due.isoformat()
    words = OUTCOMES.get(filed.outcome, ("", ""))
    return {
        **shown,
        "planned_en": words[0],
        "planned_zh": words[1],
        "matter": filed.matter,
        "reason": filed.reason,
        "ground": filed.ground,
        "materials": list(filed.materials),
        "channel": filed.channel,
        "return_until": until,
        "issuing": bool(filed.issuing),
        "history": _history(office, case),
    }


def decision_plain(office: Office, dossiers: Dossiers, case: Case, *, whole: bool = True) -> dict[str, Any]:
    """A decision on a licence; *whole*: with its words, its history and who relied on the licence."""
    decision = Decision.from_plain(case.value)
    shown = {
        **_head(office, case, DECISION),
        **_kind(dossiers, decision.kind),
        "licence": decision.licence,
        "issuer": decision.issuer,
        "persons": decision.persons,
        "action": decision.action,
        "possible": list(decision.possible),
        "first": decision.first,
        "second": decision.second,
    }
    if not whole:
        return shown
    return {
        **shown,
        "reason": decision.reason,
        "ground": decision.ground,
        "why": decision.why,
        "relied_on": dossiers.relied_on(decision.licence).plain(),
        "history": _history(office, case),
    }


def _head(office: Office, case: Case, kind: str) -> dict[str, Any]:
    running = progress(office, case)
    clock = None
    if running is not None:
        clock = {
            "rule": running.rule,
            "day": running.day,
            "of": running.of,
            "left": running.left,
            "due": running.due.isoformat(),
            "verified": running.verified,
        }
    en, zh = CASE_STATES[kind][case.state]
    return {
        "id": case.id,
        "state": case.state,
        "state_en": en,
        "state_zh": zh,
        "open": case.open,
        "revision": case.revision,
        "answerer": case.answerer,
        "resource": case.resource,
        "opened_at": case.opened_at.isoformat(),
        "updated_at": case.updated_at.isoformat(),
        "clock": clock,
    }


def _kind(dossiers: Dossiers, code: str) -> dict[str, str]:
    kind = dossiers.counter.kind_of(code)
    return {"kind": code, "kind_name": kind.name if kind else "", "kind_name_en": kind.name_en if kind else ""}


def _history(office: Office, case: Case) -> list[dict[str, Any]]:
    return [
        {
            "revision": step.revision,
            "at": step.at.isoformat(),
            "actor": step.actor,
            "step": step.step,
            "state": step.state,
            "note": step.note,
            "log_index": step.log_index,
        }
        for step in office.cases.history(case.id)
    ]
