"""The door: what each first byte means, everything that is handed in arrives, and a fault of ours is a whole report."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest

from licence.report import STEPS, Outcome, Verdict
from licence.verifying import codes, door, licences, pdf, seals
from licence.verifying.case import Case
from licence.verifying.door import judge, recognise
from licence.verifying.report import SECTIONS, Form, Section
from tests.licence import world as w

DATA = {
    Form.PDF: b"%PDF-1.7\n",
    Form.OFD: b"PK\x03\x04",
    Form.SEAL: b"\x30\x00",
    Form.SEAL_SIGNATURE: b"\x30\x05\x30\x03\x02\x01\x04",
    Form.QR: b"ZT1:",
    Form.LICENCE: b"{}",
}
JUDGES = {
    Form.PDF: (pdf, "judge_pdf"),
    Form.OFD: (seals, "judge_ofd"),
    Form.SEAL: (seals, "judge_seal"),
    Form.SEAL_SIGNATURE: (seals, "judge_seal_signature"),
    Form.QR: (codes, "judge_code"),
    Form.LICENCE: (licences, "judge_licence"),
}


@pytest.mark.parametrize(
    ("data", "form"),
    [
        *((data, form) for form, data in DATA.items()),
        (b" %PDF-1.7", Form.LICENCE),
        (b"%PDF", Form.LICENCE),
        (b"PK\x05\x06", Form.LICENCE),
        (b" \r\n\tZT1:X", Form.QR),
        (b"\x0bZT1:X", Form.LICENCE),
        (b"xZT1:", Form.LICENCE),
        (b"ZT2:", Form.LICENCE),
        (b" " * 60 + b"ZT1:", Form.QR),
        (b" " * 61 + b"ZT1:", Form.LICENCE),
        (b"\x31\x05\x30\x03\x02\x01\x04", Form.LICENCE),
    ],
)
def test_first_bytes_tell_the_form(data, form):
    assert recognise(data) is form


@pytest.mark.parametrize("form", Form)
def test_each_form_goes_to_its_judge_with_all_that_was_handed_in(world, monkeypatch, form):
    asked = []
    monkeypatch.setattr(*JUDGES[form], lambda case: asked.append(case) or "report")
    trust = replace(world.trust, certificates=(b"c1", b"c2"), crls=(b"l1", b"l2"))
    at = datetime(2025, 3, 1, 16, tzinfo=timezone(timedelta(hours=8)))
    given = {"status_tokens": ["t"], "crls": [b"l3", b"l1"], "certificates": [b"c3", b"c1"], "histories": ["h"]}
    assert judge(DATA[form], trust, at, **given) == "report"
    (case,) = asked
    assert case == Case(
        DATA[form],
        trust,
        datetime(2025, 3, 1, 8, tzinfo=UTC),
        status_tokens=("t",),
        crls=(b"l3", b"l1", b"l2"),
        certificates=(b"c3", b"c1", b"c2"),
        histories=("h",),
    )
    assert case.at.tzinfo is UTC


@pytest.mark.parametrize("form", Form)
def test_a_fault_of_a_reader_is_a_whole_report_that_decides_nothing(world, monkeypatch, form):
    def breaks(_):
        raise LookupError("王小明")

    monkeypatch.setattr(*JUDGES[form], breaks)
    found = judge(DATA[form], world.trust, w.AT)
    names = {Form.LICENCE: [name for name, _, _ in STEPS], Form.SEAL_SIGNATURE: SECTIONS[Section.SEAL_SIGNATURE]}
    names |= {f: SECTIONS[Section(f.value)] for f in (Form.PDF, Form.OFD, Form.SEAL, Form.QR)}
    assert [(s.number, s.name) for s in found.steps] == list(enumerate(names[form], start=1))
    first, *rest = found.steps
    assert (first.outcome, first.code, first.sub_indication) == (Outcome.INDETERMINATE, "internal", "GENERIC")
    assert first.params == (("detail", "LookupError"),)
    assert {(s.outcome, s.code) for s in rest} <= {(Outcome.SKIPPED, "skipped")}
    assert (found.verdict, found.exit_code, found.at) == (Verdict.INDETERMINATE, 11, w.AT)
    assert getattr(found, "form", Form.LICENCE) is form


def test_what_stops_the_program_stops_it(world, monkeypatch):
    def stops(_):
        raise SystemExit

    monkeypatch.setattr(door, "recognise", stops)
    with pytest.raises(SystemExit):
        judge(b"", world.trust, w.AT)


def test_a_panic_below_is_a_verdict(world, monkeypatch):
    def panics(_):
        raise type("PanicException", (BaseException,), {})

    monkeypatch.setattr(door, "recognise", panics)
    found = judge(b"", world.trust, w.AT)
    assert (found.verdict, found.steps[0].params) == (Verdict.INDETERMINATE, (("detail", "PanicException"),))


def test_a_time_without_zone_is_the_callers_error(world):
    with pytest.raises(ValueError, match="time zone"):
        judge(b"", world.trust, w.AT.replace(tzinfo=None))
