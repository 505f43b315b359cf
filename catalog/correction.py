"""The steps of a correction (校核纠错): a consumer disputes what it got, the provider answers, the data is put right.

Keeping cases, marking answers as disputed and telling people is `hub.corrections`; calling wrong data back from those
who got it, `hub.recall`. What is written here about a record is personal data: it is content of the case and must
never reach a log fact, a notice or a message.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, fields, replace
from datetime import date, timedelta
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from catalog.model import FieldKind
from catalog.steps import CaseInvalidError, NotYoursError, Problem, StepNotAllowedError, problem, register_problems

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from catalog.model import Field, InformationResource

MAX_TEXT_CHARS: Final = 2_000
_INTEGER = re.compile(r"[+-]?[0-9]{1,38}")
_NUMBER = re.compile(r"[+-]?[0-9]{1,38}(\.[0-9]{0,38})?")
MAX_MEND_DAYS: Final = 366  # a promise for later than this is no promise


class Fault(StrEnum):
    """What is said to be wrong. The last two are about a resource as such, the others about one record."""

    WRONG_VALUE = "wrong_value"
    OUTDATED = "outdated"
    MISSING_RECORD = "missing_record"
    DUPLICATE_RECORD = "duplicate_record"
    NOT_THIS_PERSON = "not_this_person"
    OTHER = "other"
    LATE = "late"
    STRUCTURE = "structure"


class Ground(StrEnum):
    """Why a provider rejects: a word that may be told, beside the explanation, which may not."""

    CORRECT = "correct"
    NOT_OURS = "not_ours"
    NOT_SHOWN = "not_shown"
    NOT_FOUND = "not_found"


class State(StrEnum):
    """Where a correction stands. Open: the first four. A closed one may still be disputed once, see `appeal`."""

    SUBMITTED = "submitted"
    ASKED = "asked"
    ACCEPTED = "accepted"
    DISPUTED = "disputed"
    REJECTED = "rejected"
    MENDED = "mended"
    DISMISSED = "dismissed"
    WITHDRAWN = "withdrawn"


OPEN: Final = frozenset({State.SUBMITTED, State.ASKED, State.ACCEPTED, State.DISPUTED})

# code: (English, Chinese). Neither quotes what was written: it is about a person.
FAULTS: Final[dict[Fault, tuple[str, str]]] = {
    Fault.WRONG_VALUE: ("a value is wrong", "数据项有误"),
    Fault.OUTDATED: ("the record is outdated", "数据未及时更新"),
    Fault.MISSING_RECORD: ("a record is missing", "缺少记录"),
    Fault.DUPLICATE_RECORD: ("a record is there twice", "记录重复"),
    Fault.NOT_THIS_PERSON: ("the record is about somebody else", "记录与本人不符"),
    Fault.OTHER: ("something else", "其他"),
    Fault.LATE: ("the resource is not delivered in time", "资源未按时更新"),
    Fault.STRUCTURE: ("the resource has another structure than published", "资源结构与目录不符"),
}
GROUNDS: Final[dict[Ground, tuple[str, str]]] = {
    Ground.CORRECT: ("the data was checked and is correct", "经核实数据无误"),
    Ground.NOT_OURS: ("another authority decides on this data", "该数据由其他部门认定"),
    Ground.NOT_SHOWN: ("the evidence does not show it", "所附依据不足"),
    Ground.NOT_FOUND: ("there is no such record", "未找到该记录"),
}

PROBLEMS: Final[dict[str, tuple[str, str]]] = {
    "correction_text_missing": ("is missing; say it in a sentence", "未填写，请用一句话说明"),
    "correction_text_long": ("has more than {limit} characters; shorten it", "超过 {limit} 字，请精简"),
    "correction_field_unknown": (
        "`{resource}` has no field of one of the names given; its fields: {known}",
        "所填信息项中有 `{resource}` 没有的；其信息项为：{known}",
    ),
    "correction_field_missing": ("name the field whose value is wrong", "请指明有误的信息项"),
    "correction_key_missing": (
        "name the record by its whole key ({key}), or by the log entry of the answer",
        "请给出记录的完整主键（{key}），或应答的日志条目序号",
    ),
    "correction_key_unknown": (
        "the record is named by other fields than its key ({key}); give those and no others",
        "记录须以主键（{key}）指明，请只填写这些信息项",
    ),
    "correction_key_value": ("is no value of this field's type ({type})", "不是该信息项类型（{type}）的值"),
    "correction_key_needless": (
        "`{fault}` is about the resource as such; leave the record out",
        "`{fault}` 针对资源整体，请勿填写记录",
    ),
    "correction_mend_date": (
        "give a day from {first} to {last} by which it will be put right",
        "请填写更正完成日期，须在 {first} 至 {last} 之间",
    ),
    "correction_no_office": (
        "cannot be settled: the responsibility list names no office that settles disputes",
        "无法处理：责任清单未指明处理争议的数据主管部门",
    ),
    "correction_appealed": (
        "the office has settled this once; open a new correction if there is something new",
        "数据主管部门已就此作出处理；如有新情况，请另行提出校核",
    ),
}
register_problems(PROBLEMS)


@dataclass(frozen=True, slots=True)
class Disputed:
    """What is disputed: *fields* (none: all) of the record with this *key* (none: the resource as such).

    *key* holds (field, value) pairs in the order of the resource's key, values in their stored form.
    """

    fault: Fault
    key: tuple[tuple[str, str], ...] = ()
    fields: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Correction:
    """A correction as it stands.

    *wrong* says what is wrong, *right* what it should be, *evidence* what shows it; *answer* and *asked* are the
    provider's words, *supplied* the consumer's reply, *verdict* the office's: all of them protected. *entry* is the
    log entry of the disputed answer (-1: none given), *snapshot* the table's before anything was put right ("": not
    known). *mended* names the snapshot or load in which it was, *checked* what the warehouse says to that:
    ``changed``, or ``unknown`` where it could not be compared.
    """

    id: str
    state: State
    consumer: str
    provider: str
    office: str
    resource: str
    list_version: str
    disputed: Disputed
    wrong: str
    right: str
    evidence: str
    entry: int = -1
    snapshot: str = ""
    asked: str = ""
    supplied: str = ""
    answer: str = ""
    ground: str = ""
    mend_by: str = ""
    mended: str = ""
    checked: str = ""
    appealed: str = ""
    verdict: str = ""

    def to_plain(self) -> dict[str, Any]:
        """The form that is stored; `from_plain` is its inverse."""
        plain = {f.name: getattr(self, f.name) for f in fields(self)}
        key = [list(pair) for pair in self.disputed.key]
        plain["disputed"] = {"fault": str(self.disputed.fault), "key": key, "fields": list(self.disputed.fields)}
        plain["state"] = str(self.state)
        return plain

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Correction:
        """The correction of which *plain* is `to_plain`.

        Raises:
            KeyError, TypeError, ValueError: *plain* is no such dict.
        """
        said = plain["disputed"]
        key = tuple((name, value) for name, value in said["key"])
        disputed = Disputed(Fault(said["fault"]), key, tuple(said["fields"]))
        return cls(**{**plain, "state": State(plain["state"]), "disputed": disputed})

    @property
    def open(self) -> bool:
        """Whether somebody still has to act: as long as this holds, answers say that the data is disputed."""
        return self.state in OPEN


# --- the steps, each returning the case as it stands afterwards ---
# step: the states in which it is possible.
_STEPS: Final[dict[str, frozenset[State]]] = {
    "ask": frozenset({State.SUBMITTED}),
    "supply": frozenset({State.ASKED}),
    "accept": frozenset({State.SUBMITTED}),
    "reject": frozenset({State.SUBMITTED}),
    "mended": frozenset({State.ACCEPTED}),
    "withdraw": frozenset({State.SUBMITTED, State.ASKED, State.DISPUTED}),
    "appeal": frozenset({State.REJECTED, State.MENDED}),
    "settle": frozenset({State.DISPUTED}),
}


def submit(correction: Correction, resource: InformationResource) -> Correction:
    """Check a new correction about *resource*; what comes back has its record's key in stored form and key order.

    Raises:
        CaseInvalidError: with everything that must be mended.
    """
    found, about = _check_disputed(correction.disputed, resource)
    if correction.disputed.fault is Fault.WRONG_VALUE and not correction.disputed.fields:
        found.append(problem("fields", "correction_field_missing"))
    found += _check_text("wrong", correction.wrong)
    # Who says that a value is wrong says which is right; of a missing or foreign record that is often not known.
    needed = correction.disputed.fault is Fault.WRONG_VALUE
    found += _check_text("right", correction.right, needed=needed)
    found += _check_text("evidence", correction.evidence, needed=needed)
    _refuse(found)
    return replace(correction, state=State.SUBMITTED, disputed=about)


def check_disputed(disputed: Disputed, resource: InformationResource) -> Disputed:
    """*disputed* with its record's key in stored form and key order, each field once.

    Raises:
        CaseInvalidError: with everything that must be mended.
    """
    found, about = _check_disputed(disputed, resource)
    _refuse(found)
    return about


def ask(correction: Correction, *, by: str, question: str) -> Correction:
    """The provider wants to know more before it answers."""
    _begin(correction, "ask", by, correction.provider)
    _refuse(_check_text("question", question))
    return replace(correction, state=State.ASKED, asked=question)


def supply(correction: Correction, *, by: str, reply: str) -> Correction:
    """The consumer replies; the provider's clock starts anew."""
    _begin(correction, "supply", by, correction.consumer)
    _refuse(_check_text("reply", reply))
    return replace(correction, state=State.SUBMITTED, supplied=reply)


def accept(correction: Correction, *, by: str, mend_by: date, today: date, answer: str = "") -> Correction:
    """The provider owns the fault and says by which day it will be put right."""
    _begin(correction, "accept", by, correction.provider)
    _refuse([*_check_mend_by(mend_by, today), *_check_text("answer", answer, needed=False)])
    return replace(correction, state=State.ACCEPTED, mend_by=mend_by.isoformat(), answer=answer)


def reject(correction: Correction, *, by: str, ground: Ground, answer: str) -> Correction:
    """The provider stands by its data, and says why."""
    _begin(correction, "reject", by, correction.provider)
    _refuse(_check_text("answer", answer))
    return replace(correction, state=State.REJECTED, ground=str(ground), answer=answer)


def mended(correction: Correction, *, by: str, where: str, checked: str) -> Correction:
    """The provider has put it right in the snapshot or load *where*; *checked* as `Correction.checked`."""
    _begin(correction, "mended", by, correction.provider)
    return replace(correction, state=State.MENDED, mended=where, checked=checked)


def withdraw(correction: Correction, *, by: str) -> Correction:
    """The consumer takes it back."""
    _begin(correction, "withdraw", by, correction.consumer)
    return replace(correction, state=State.WITHDRAWN)


def appeal(correction: Correction, *, by: str, why: str) -> Correction:
    """The consumer disputes the answer, once, to the office: the rejection, or that it was put right."""
    _begin(correction, "appeal", by, correction.consumer)
    found = _check_text("why", why)
    if correction.appealed:
        found.append(problem("why", "correction_appealed"))
    if not correction.office:
        found.append(problem("why", "correction_no_office"))
    _refuse(found)
    return replace(correction, state=State.DISPUTED, appealed=why)


def settle(
    correction: Correction, *, by: str, upheld: bool, verdict: str, today: date, mend_by: date | None = None
) -> Correction:
    """The office decides: *upheld*, the provider has to put it right by *mend_by*; or the data stands."""
    _begin(correction, "settle", by, correction.office)
    found = _check_text("verdict", verdict)
    if upheld:
        found += _check_mend_by(mend_by, today)
    _refuse(found)
    if not upheld:
        return replace(correction, state=State.DISMISSED, verdict=verdict)
    promised = mend_by.isoformat() if mend_by else ""
    return replace(correction, state=State.ACCEPTED, verdict=verdict, mend_by=promised, mended="", checked="")


def allowed(correction: Correction, department: str) -> tuple[str, ...]:
    """The steps that *department* may take now."""
    return tuple(
        step
        for step, states in _STEPS.items()
        if correction.state in states
        and department == _hands(correction, step)
        and not (step == "appeal" and correction.appealed)
    )


# --- values in stored form ---


def stored_form(field: Field, text: str) -> str | None:
    """The text of the value of *field* that *text* means, trimmed already; None when it can be none.

    Equal values get equal texts, whoever wrote them, so that their keyed hashes can be compared: ``007`` is ``7``.
    """
    match field.type.kind:
        case FieldKind.INTEGER:
            return str(int(text)) if _INTEGER.fullmatch(text) else None
        case FieldKind.DECIMAL:
            return _decimal(text, field.type.scale)
        case FieldKind.BOOLEAN:
            return text if text in ("true", "false") else None
        case FieldKind.DATE:
            try:
                return date.fromisoformat(text).isoformat()
            except ValueError:
                return None
        case _:
            return text or None


def value_text(value: object) -> str:
    """The text of a value as the warehouse gives it out, the same as `stored_form` gives."""
    return str(value).lower() if isinstance(value, bool) else "" if value is None else str(value)


def _decimal(text: str, scale: int) -> str | None:
    if _NUMBER.fullmatch(text) is None:
        return None
    number = Decimal(text)
    try:
        stored = number.quantize(Decimal(1).scaleb(-scale))
    except InvalidOperation:
        return None
    # A value that had to be rounded is another value; and there is one zero only.
    return str(abs(stored) if stored == 0 else stored) if stored == number else None


# --- inside ---


def _hands(correction: Correction, step: str) -> str:
    if step == "settle":
        return correction.office
    return correction.consumer if step in ("supply", "withdraw", "appeal") else correction.provider


def _begin(correction: Correction, step: str, by: str, needed: str) -> None:
    """Refuse a step of another department first: it learns nothing of the state."""
    if by != needed:
        raise NotYoursError(actor=by, needed=needed)
    if correction.state not in _STEPS[step]:
        raise StepNotAllowedError(step=step, state=correction.state, allowed=allowed(correction, by))


def _check_disputed(disputed: Disputed, resource: InformationResource) -> tuple[list[Problem], Disputed]:
    found, key = _check_key(disputed, resource)
    known = [field.name for field in resource.fields]
    if any(name not in known for name in disputed.fields):
        found.append(problem("fields", "correction_field_unknown", resource=resource.code, known=", ".join(known)))
    return found, replace(disputed, key=key, fields=tuple(dict.fromkeys(disputed.fields)))


def _check_key(disputed: Disputed, resource: InformationResource) -> tuple[list[Problem], tuple[tuple[str, str], ...]]:
    given = dict(disputed.key)
    names = ", ".join(field.name for field in resource.key)
    if disputed.fault in (Fault.LATE, Fault.STRUCTURE):
        return ([problem("key", "correction_key_needless", fault=disputed.fault)] if given else []), ()
    if not given:
        # Something else may be wrong with the resource as a whole.
        return ([] if disputed.fault is Fault.OTHER else [problem("key", "correction_key_missing", key=names)]), ()
    if given.keys() != {field.name for field in resource.key}:
        return [problem("key", "correction_key_unknown", key=names)], ()
    found: list[Problem] = []
    key: list[tuple[str, str]] = []
    for field in resource.key:
        stored = stored_form(field, given[field.name])
        if stored is None:
            found.append(problem(f"key.{field.name}", "correction_key_value", type=str(field.type)))
        else:
            key.append((field.name, stored))
    return found, tuple(key)


def _check_text(where: str, text: str, *, needed: bool = True) -> list[Problem]:
    if needed and not text.strip():
        return [problem(where, "correction_text_missing")]
    if len(text) > MAX_TEXT_CHARS:
        return [problem(where, "correction_text_long", limit=str(MAX_TEXT_CHARS))]
    return []


def _check_mend_by(mend_by: date | None, today: date) -> list[Problem]:
    last = today + timedelta(days=MAX_MEND_DAYS)
    if mend_by is None or not today <= mend_by <= last:
        return [problem("mend_by", "correction_mend_date", first=today.isoformat(), last=last.isoformat())]
    return []


def _refuse(problems: Sequence[Problem]) -> None:
    if problems:
        raise CaseInvalidError(problems)
