"""Judge the marks of an annotated copy (加注件) in a document that holds: what it is for, and its term.

What the marks must be is `licence.lifecycle.copies`. Whether a copy was withdrawn, who made it alone knows.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from licence.errors import CopyRefusedError
from licence.lifecycle.copies import CREDENTIAL, FIELDS, IDENTIFIER, NUMBER, find_copy
from licence.report import Note
from licence.verifying import case as c
from licence.verifying.report import Section

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from licence.lifecycle.copies import AnnotatedCopy
    from licence.verifying.report import DocumentReport

_OF_COPY = frozenset({*FIELDS, NUMBER})


def with_copy(report: DocumentReport, read: Callable[[], Mapping[str, str]], case: c.Case) -> DocumentReport:
    """*report*, whose facts count only if everything is good, with the part on the copy that the document is, if any.

    *read* gives the signed marks. They are judged where all else was found good: until then nobody vouches for them.
    """
    good = report.deciding is None
    try:
        marks = read()
        copy = find_copy(marks.get(IDENTIFIER, ""), marks)
    except CopyRefusedError as fault:
        return _added(report, [_refused(fault)] if good else [])
    if not good:
        return _added(report, []) if _OF_COPY & marks.keys() else replace(report, facts={})
    notes = _elsewhere(marks)
    if copy is None:
        about, *parts = report.parts
        first, *rest = about.steps
        about = replace(about, steps=(replace(first, notes=(*first.notes, *notes)), *rest))
        return replace(report, parts=(about, *parts))
    findings = [_annotation(copy, notes, marks), _term(copy, case)]
    return _added(report, findings, copy=_facts(copy, marks))


def _added(report: DocumentReport, findings: list[c.Finding], **facts: object) -> DocumentReport:
    part = c.part(Section.COPY, findings, first=len(report.steps) + 1)
    whole = replace(report, parts=(*report.parts, part), facts={**report.facts, **facts})
    return whole if whole.deciding is None else replace(whole, facts={})


def _refused(fault: CopyRefusedError) -> c.Finding:
    return c.failed(fault.code, "FORMAT_FAILURE", **fault.finding_params)


def _annotation(copy: AnnotatedCopy, notes: tuple[Note, ...], marks: Mapping[str, str]) -> c.Finding:
    made, until = c.iso(copy.made_at), c.iso(copy.valid_until)
    number = marks.get(NUMBER)
    if number:
        notes = (Note("judge_copy_withdrawal", c.params_of(by=copy.made_by, number=number)), *notes)
    return c.passed("judge_copy_ok", notes, purpose=copy.purpose, by=copy.made_by, made=made, until=until)


def _term(copy: AnnotatedCopy, case: c.Case) -> c.Finding:
    # The clock of who asks may be behind that of who made it, and a copy is looked at in the minute it was made.
    at = max(case.at, copy.made_at) if copy.made_at - case.at <= c.SKEW else case.at
    try:
        copy.check_time(at)
    except CopyRefusedError as fault:
        early = fault.code == "copy_not_yet"
        return c.failed(fault.code, "NOT_YET_VALID" if early else "EXPIRED", **fault.finding_params)
    return c.passed("validity_until_ok", starts=c.iso(copy.made_at), ends=c.iso(copy.valid_until))


def _elsewhere(marks: Mapping[str, str]) -> tuple[Note, ...]:
    digest = marks.get(CREDENTIAL)
    return (Note("judge_names_credential", c.params_of(digest=digest)),) if digest else ()


def _facts(copy: AnnotatedCopy, marks: Mapping[str, str]) -> dict[str, Any]:
    return {
        "licence": c.shown(copy.licence),
        "number": c.shown(marks.get(NUMBER, "")),
        "purpose": c.shown(copy.purpose),
        "made_by": c.shown(copy.made_by),
        "made_at": c.iso(copy.made_at),
        "valid_until": c.iso(copy.valid_until),
    }
