"""The marks of a copy beside a document that holds and one that does not: what is judged, told and kept back."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from licence.errors import CopyRefusedError
from licence.lifecycle.copies import CREDENTIAL, FIELDS, NUMBER, AnnotatedCopy
from licence.report import Note, Outcome, Verdict
from licence.verifying import case as c
from licence.verifying.copies import with_copy
from licence.verifying.report import DocumentReport, Form, Section
from tests.licence import world as w

SECOND, DAY, MINUTES_5 = timedelta(seconds=1), timedelta(days=1), timedelta(minutes=5)
COPY = AnnotatedCopy("L1", w.ISSUED, "某局", "核对", w.ISSUED + DAY)
MARK = "\N{REPLACEMENT CHARACTER}"


@pytest.fixture(scope="module")
def case(world):
    return c.Case(b"", world.trust, w.AT)


def document(last=None, **facts):
    note = Note("judge_certificates_loose")
    parts = [
        c.part(Section.PDF, [c.passed("judge_pdf_ok", [note], level="B-B", signatures=1, stamps=0)], first=1),
        c.part(Section.PDF_SIGNATURE, [*[c.passed("judge_no_time_stamp")] * 3, last or c.passed("x")], first=2),
    ]
    return DocumentReport(Form.PDF, tuple(parts), w.AT, {"level": "B-B"} | facts, {"seen": 1})


BAD = c.failed("judge_signer_purpose", "SIG_CONSTRAINTS_FAILURE", subject="x")


def judged(case, marks, report=None, **changes):
    return with_copy(report or document(), lambda: marks, replace(case, **changes))


def refusing():
    raise CopyRefusedError("copy_unreadable")


def copy_steps(report):
    section = report.parts[-1]
    assert section.section is Section.COPY
    return section.steps


def test_a_copy_is_told_whole(case):
    found = judged(case, {"ZZBS": "L\n1", CREDENTIAL: "00\n", NUMBER: "K\n1", **COPY.claims()})
    assert [(s.number, s.outcome, s.code) for s in copy_steps(found)] == [
        (6, Outcome.PASSED, "judge_copy_ok"),
        (7, Outcome.PASSED, "validity_until_ok"),
    ]
    first, second = copy_steps(found)
    made, until = "2025-03-01T08:00:00Z", "2025-03-02T08:00:00Z"
    assert first.params == (("purpose", "核对"), ("by", "某局"), ("made", made), ("until", until))
    assert second.params == (("starts", made), ("ends", until))
    assert first.notes == (
        Note("judge_copy_withdrawal", (("by", "某局"), ("number", f"K{MARK}1"))),
        Note("judge_names_credential", (("digest", f"00{MARK}"),)),
    )
    assert found.facts == {
        "level": "B-B",
        "copy": {
            "licence": f"L{MARK}1",
            "number": f"K{MARK}1",
            "purpose": "核对",
            "made_by": "某局",
            "made_at": made,
            "valid_until": until,
        },
    }
    assert (found.verdict, found.observed) == (Verdict.PASSED, {"seen": 1})


def test_a_copy_may_lack_its_number_and_its_licence(case):
    found = judged(case, COPY.claims())
    assert copy_steps(found)[0].notes == ()
    assert (found.facts["copy"]["number"], found.facts["copy"]["licence"]) == ("", "")


def test_what_is_no_copy_stays_as_it_was_but_for_the_credential_it_names(case):
    assert judged(case, {"ZZBS": "L1"}) == document()
    found = judged(case, {CREDENTIAL: "0\n0"})
    told = Note("judge_names_credential", (("digest", f"0{MARK}0"),))
    assert found.steps[0].notes == (Note("judge_certificates_loose"), told)
    assert found.steps[1:] == document().steps[1:]
    assert (found.parts[1:], found.facts) == (document().parts[1:], {"level": "B-B"})


def test_beside_what_does_not_hold_nothing_is_told_or_judged(case):
    plain = judged(case, {CREDENTIAL: "00"}, document(BAD))
    assert plain == replace(document(BAD), facts={})
    for marks in (COPY.claims(), {NUMBER: "K1"}, {FIELDS[0]: "x"}):
        found = judged(case, marks, document(BAD))
        assert [s.outcome for s in copy_steps(found)] == [Outcome.SKIPPED] * 2
        assert (found.facts, found.deciding.code) == ({}, "judge_signer_purpose")
    found = with_copy(document(BAD), refusing, case)
    assert [s.outcome for s in copy_steps(found)] == [Outcome.SKIPPED] * 2
    assert found.facts == {}


@pytest.mark.parametrize("read", [refusing, lambda: {NUMBER: "K1"}, lambda: {FIELDS[2]: "x"}])
def test_marks_that_cannot_be_are_refused_and_take_all_facts_along(case, read):
    found = with_copy(document(), read, case)
    assert [(s.outcome, s.code, s.sub_indication) for s in copy_steps(found)] == [
        (Outcome.FAILED, "copy_unreadable", "FORMAT_FAILURE"),
        (Outcome.SKIPPED, "skipped", ""),
    ]
    assert (found.facts, found.exit_code) == ({}, 10)


@pytest.mark.parametrize(
    ("at", "outcome", "code", "sub_indication"),
    [
        (w.ISSUED - MINUTES_5, Outcome.PASSED, "validity_until_ok", ""),
        (w.ISSUED - MINUTES_5 - SECOND, Outcome.FAILED, "copy_not_yet", "NOT_YET_VALID"),
        (w.ISSUED, Outcome.PASSED, "validity_until_ok", ""),
        (w.ISSUED + DAY - SECOND, Outcome.PASSED, "validity_until_ok", ""),
        (w.ISSUED + DAY, Outcome.FAILED, "copy_expired", "EXPIRED"),
    ],
)
def test_a_copy_holds_from_when_it_was_made_to_its_end(case, at, outcome, code, sub_indication):
    found = judged(case, COPY.claims(), at=at)
    step = copy_steps(found)[1]
    assert (step.outcome, step.code, step.sub_indication) == (outcome, code, sub_indication)
    assert bool(found.facts) is (outcome is Outcome.PASSED)
    if code == "copy_expired":
        assert step.params == (("limit", "2025-03-02T16:00:00+08:00"),)
