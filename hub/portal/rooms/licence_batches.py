"""Batches of licences: tried row by row, ordered, confirmed by a second officer, issued while nobody watches, compared.

Each step is `hub.licensing.runs`', the work `hub.licensing.running`'s. Rows are told by number, keyed digest and a
holder's code cut short; whose run it is not sees none of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from catalog.steps import NotYoursError
from hub.api import offices
from hub.errors import NotFoundError
from hub.licensing.errors import NoKindsError
from hub.licensing.planning import DUPLICATE, OK, OUTCOMES
from hub.licensing.reconcile import FINDINGS
from hub.licensing.running import LINES_KEPT
from hub.licensing.runs import COMPARE, DONE, DROPPED, FAILED, PLAN, STATES, WORK, Runs
from hub.people import Duty
from hub.portal import naming
from hub.portal.doors import Room
from hub.portal.rooms.licences import OFFICERS
from hub.portal.rooms.licences import TONES as LICENCE_TONES
from hub.portal.visits import Go
from licence.lifecycle import State
from licence.lifecycle.dossier import TWO_PERSONS, same_person

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hub.licensing.runs import Line, Run
    from hub.portal.visits import Visit
    from licence.model import LicenceKind

ROOM = Room()
PEOPLE: Final = frozenset({Duty.LICENCES, Duty.OFFICE})
PAGE: Final = 50
ISSUED: Final = "issued"
TONES: Final[Mapping[str, str]] = {DONE: "good", FAILED: "bad", DROPPED: "calm", **dict.fromkeys(WORK, "calm")}


@ROOM.page("/licences/batches", "licence-batches.html", who=PEOPLE)
def batches(visit: Visit) -> dict[str, Any]:
    """The runs of the department, the newest first; of all, for the hub's office."""
    return _batches(visit)


def _batches(visit: Visit) -> dict[str, Any]:
    department = None if visit.has(Duty.OFFICE) else visit.person.department
    page = visit.number("page", 1, least=1, most=10_000)
    total, rows = _runs(visit).find(department=department, limit=PAGE, offset=(page - 1) * PAGE)
    kinds = _kinds(visit)
    mine = [one for one in kinds.values() if one.sourced and one.issuer == visit.person.department]
    return {
        "total": total,
        "page": page,
        "size": PAGE,
        "address": "/licences/batches?",
        "items": [_head(visit, run, kinds.get(run.kind)) for run in rows],
        "kinds": [(one.code, _named(visit, one)) for one in mine] if visit.has(Duty.LICENCES) else [],
        "kind": visit.form.text("kind") or visit.query("kind", most=100),
    }


@ROOM.step("/licences/batches", again=batches, template="licence-batches.html", who=OFFICERS)
def begin(visit: Visit) -> Go:
    """Begin a run with its dry run; where one of the kind is open, go there."""
    kind = offices.licensing(visit.request).kind(visit.form.need("kind", "证照类型", "Kind", most=100))
    run = _runs(visit).open(kind, actor=visit.actor)
    _wake(visit)
    return Go(f"/licences/batches/{run.id}")


@ROOM.page("/licences/batches/{id}", "licence-batch.html", who=PEOPLE)
def batch(visit: Visit) -> dict[str, Any]:
    """A run: how far it is, what came of each row, what is left over, and the steps that can be taken."""
    return _batch(visit)


def _batch(visit: Visit) -> dict[str, Any]:
    runs = _runs(visit)
    run = _run(visit)
    kind = _kinds(visit).get(run.kind)
    at = visit.now
    part, outcome = visit.query("part"), visit.query("outcome")
    page = visit.number("page", 1, least=1, most=10_000)
    issued, licences = runs.issued(run.id, after=visit.query("after"), limit=PAGE) if _issues(run) else (0, ())
    kept, lines = 0, tuple["Line", ...]()
    if part in {PLAN, COMPARE}:
        kept, lines = runs.lines(run.id, part, outcome, limit=PAGE, offset=(page - 1) * PAGE)
    words = {**FINDINGS, **OUTCOMES} if part == PLAN else {**OUTCOMES, **FINDINGS}
    acts = visit.has(Duty.LICENCES) and run.department == visit.person.department
    return {
        **_head(visit, run, kind),
        "first": run.first,
        "second": run.second,
        "reason": run.reason,
        "ground": run.ground,
        "two": kind is not None and kind.approvals >= TWO_PERSONS,
        "works": run.state in WORK,
        "quiet": run.quiet(at),
        "heard_at": run.heard_at.isoformat(),
        "error": {"text": run.error[visit.lang], "code": run.error["code"]} if run.error else None,
        "planned": _planned(visit, run),
        "compared": _compared(visit, run),
        "steps": run.possible(at) if acts else [],
        # Said before it is refused: who ordered it does not confirm it.
        "first_here": same_person(run.first.partition(":")[2], visit.person.post),
        "issued": issued,
        "part": part,
        "outcome": outcome,
        "outcome_name": visit.words(words[outcome]) if outcome in words else "",
        "lines": [_line(visit, one, kind) for one in lines],
        "kept": kept,
        "most": LINES_KEPT,
        "page": page,
        "size": PAGE,
        "address": f"/licences/batches/{run.id}?part={part}&outcome={outcome if outcome in words else ''}&",
        "licences": [
            {
                "identifier": identifier,
                "state": getattr(State(state), visit.lang),
                "tone": LICENCE_TONES.get(state, "bad"),
                "issued_at": issued_at.isoformat(),
            }
            for identifier, state, issued_at in licences
        ]
        if part == ISSUED
        else [],
        "next": licences[-1][0] if part == ISSUED and len(licences) == PAGE else "",
        "given": {name: visit.form.text(name)[:2000] for name in ("reason", "ground")},
    }


@ROOM.step("/licences/batches/{id}/{step}", again=batch, template="licence-batch.html", who=OFFICERS)
def act(visit: Visit) -> Go:
    """Take a step of a run; what it starts goes on when the page is left."""
    runs, run, step, form = _runs(visit), _run(visit), visit.path["step"], visit.form
    if step == "order":
        words = {
            "reason": form.need("reason", "事由", "Reason"),
            "ground": form.need("ground", "法律依据", "Legal ground"),
        }
        runs.order(run.id, _kind(visit, run), actor=visit.actor, **words)
    elif step == "confirm":
        runs.confirm(run.id, _kind(visit, run), actor=visit.actor)
    elif step in {"again", "resume", "drop"}:
        {"again": runs.again, "resume": runs.resume, "drop": runs.drop}[step](run.id, actor=visit.actor)
    else:
        raise NotFoundError
    _wake(visit)
    said = {
        "order": ("已提交。", "Ordered."),
        "confirm": ("已确认，正在签发。", "Confirmed; it is being issued."),
        "again": ("重新试算中。", "It is tried again."),
        "resume": ("继续办理中，已签发的不会重复签发。", "It goes on; nothing is issued twice."),
        "drop": ("已放弃，已签发的证照仍然有效。", "Given up; licences that were issued hold."),
    }[step]
    return Go(f"/licences/batches/{run.id}", visit.say(*said))


# --- inside ---------------------------------------------------------------------------------------------------------


def _runs(visit: Visit) -> Runs:
    return Runs(visit.service.control, visit.service.evidence)


def _run(visit: Visit) -> Run:
    """The run of the address, if it concerns the visitor: of the own department, or any for the hub's office."""
    found = _runs(visit).get(visit.path["id"][:20])
    if found.department != visit.person.department and not visit.has(Duty.OFFICE):
        raise NotYoursError(actor=str(visit.actor), needed=found.department)
    return found


def _kind(visit: Visit, run: Run) -> LicenceKind:
    return offices.licensing(visit.request).kind(run.kind)


def _kinds(visit: Visit) -> Mapping[str, LicenceKind]:
    try:
        return offices.licensing(visit.request).kinds
    except NoKindsError:
        return {}


def _wake(visit: Visit) -> None:
    """Let the work begin now; where another process does it, it begins within seconds."""
    runner = getattr(visit.request.app.state, "licence_runner", None)
    if runner is not None:
        runner.wake()


def _issues(run: Run) -> bool:
    return bool(run.reason)


def _named(visit: Visit, kind: LicenceKind) -> str:
    return kind.name if visit.lang == "zh" else kind.name_en or kind.name


def _head(visit: Visit, run: Run, kind: LicenceKind | None) -> dict[str, Any]:
    return {
        "id": run.id,
        "kind": run.kind,
        "kind_name": _named(visit, kind) if kind is not None else run.kind,
        "department_name": naming.department(visit, run.department),
        "state": run.state,
        "state_name": visit.words(STATES[run.state]),
        "tone": "warn" if run.quiet(visit.now) else TONES.get(run.state, "warn"),
        "done": run.done,
        "of": run.total,
        "residual": run.compared.get("residual"),
        "opened_at": run.opened_at.isoformat(),
        "ended_at": run.ended_at.isoformat() if run.ended_at else None,
    }


def _planned(visit: Visit, run: Run) -> dict[str, Any] | None:
    found = run.planned
    if not found:
        return None
    tones = {OK: "good", DUPLICATE: "calm"}
    return {
        "rows": found["rows"],
        "ready": found["counts"][OK],
        "at": found["at"],
        "entry": found["entry"],
        "counts": _counts(visit, found["counts"], OUTCOMES, tones),
    }


def _compared(visit: Visit, run: Run) -> dict[str, Any] | None:
    found = run.compared
    if not found:
        return None
    plain = {name: found[name] for name in ("records", "licences", "residual", "agree", "at", "entry")}
    return {**plain, "counts": _counts(visit, found["counts"], FINDINGS, {})}


def _counts(
    visit: Visit, counts: Mapping[str, int], words: Mapping[str, tuple[str, str]], tones: Mapping[str, str]
) -> list[dict[str, Any]]:
    return [
        {"outcome": outcome, "name": visit.words(words[outcome]), "count": count, "tone": tones.get(outcome, "warn")}
        for outcome, count in counts.items()
        if count
    ]


def _line(visit: Visit, line: Line, kind: LicenceKind | None) -> dict[str, Any]:
    """A row without personal data; fields by what the face calls them."""
    titles = {} if kind is None else {key: face for face in kind.face for key in (face.field, face.name)}
    named = [titles[name] for name in line.fields if name in titles]
    return {
        "row": line.row,
        "key": line.key,
        "holder": line.holder,
        "licence": line.licence,
        "fields": [(face.title_en or face.title) if visit.lang == "en" else face.title for face in named]
        + [name for name in line.fields if name not in titles],
    }
