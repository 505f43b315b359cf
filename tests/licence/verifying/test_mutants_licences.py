"""Documents in a bundle: each judged by itself, and the one that speaks against the bundle stands for all."""

from __future__ import annotations

from dataclasses import replace

import pytest

from licence.bundle import LicenceBundle
from licence.report import Note, Outcome, Verdict
from licence.verify import verify
from licence.verifying import case as c
from licence.verifying import licences
from licence.verifying.licences import judge_licence
from licence.verifying.report import SECTIONS, DocumentReport, Form, Section
from tests.licence import world as w

PDF, OFD = b"%PDF-1.7", b"PK\x03\x04"
IDENTIFIER = "1.2.156.3005.2.11100000000013338W011.11430000006122244L.20230000403.001.U"
PASSED, FAILED, OPEN = (Outcome.PASSED, Outcome.FAILED, Outcome.INDETERMINATE)


def report(form=Form.PDF, *findings, **facts):
    """A report on a document of *form* with these *findings*, by default a good one."""
    first, second = {Form.PDF: (Section.PDF, Section.PDF_SIGNATURE), Form.OFD: (Section.OFD, Section.OFD_SIGNATURE)}[
        form
    ]
    good = c.passed("judge_coverage_ok")
    parts = [c.part(first, [good] * len(SECTIONS[first]), first=1)]
    steps = [*findings, *[good] * (len(SECTIONS[second]) - len(findings))]
    parts.append(c.part(second, steps, first=1 + len(SECTIONS[first])))
    base = {"keywords": IDENTIFIER, "custom": {"ZZBS": IDENTIFIER}}
    return DocumentReport(form, tuple(parts), w.AT, base | facts)


@pytest.fixture
def ask(world, monkeypatch):
    """Has a bundle judged whose documents are judged as told; `ask.cases` are what their judges were asked."""
    plain = w.bundle_of(world, w.seal(world.agriculture), w.status_token(world.status_key))

    def asked(reports, data=None, **changes):
        documents = {form: {"pdf": PDF, "ofd": OFD}[form] for form in reports} | (data or {})
        bundle = LicenceBundle.from_json(replace(plain, documents=documents, crls=asked.crls).to_json())
        named = {"keywords": bundle.identifier, "custom": {"ZZBS": bundle.identifier}}

        def judges(form):
            def judge(case):
                asked.cases.append(case)
                found = reports[form]
                told = {k: v for k, v in named.items() if found.facts[k] in (IDENTIFIER, {"ZZBS": IDENTIFIER})}
                return replace(found, facts={**found.facts, **told})

            return judge

        monkeypatch.setattr(licences, "_JUDGES", {f: (judges(f), licences._JUDGES[f][1]) for f in ("pdf", "ofd")})
        case = c.Case(bundle.to_json().encode(), world.trust, w.AT, **changes)
        return judge_licence(case)

    asked.cases, asked.crls, asked.identifier, asked.plain = [], (), plain.identifier, plain
    return asked


def ninth(found):
    assert [s.number for s in found.steps] == list(range(1, 10))
    step = found.steps[-1]
    assert step.name == "documents"
    return step.outcome, step.code, step.sub_indication


def test_without_documents_it_is_judged_as_ever_with_all_that_was_handed_in(world, monkeypatch):
    asked = []

    def verifies(*arguments, **named):
        asked.append((arguments, named))
        return verify(b"{}", world.trust, w.AT)

    monkeypatch.setattr(licences, "verify", verifies)
    case = c.Case(b"x", world.trust, w.AT, ("t",), (b"l",), (b"c",), ("h",))
    assert judge_licence(case) == verify(b"{}", world.trust, w.AT)
    named = {"crls": (b"l",), "certificates": (b"c",), "histories": ("h",)}
    assert asked == [((b"x", world.trust, w.AT, ("t",)), named)]


def test_documents_that_agree_are_counted_in_a_ninth_step(ask):
    found = ask({"pdf": report(), "ofd": report(Form.OFD)})
    assert ninth(found) == (PASSED, "document_agrees", "")
    assert (found.steps[-1].params, found.steps[-1].notes) == ((("count", "2"),), ())
    assert (found.verdict, found.steps[0].notes) == (Verdict.PASSED, ())
    assert found.licence


def test_each_is_judged_by_the_bundles_lists_and_no_status(ask, world):
    ask.crls = (b"l1",)
    case = {"status_tokens": ("t",), "histories": ("h",), "crls": (b"l2",), "certificates": (b"c",)}
    ask({"pdf": report()}, **case)
    (inner,) = ask.cases
    assert inner == c.Case(PDF, world.trust, w.AT, crls=(b"l2", b"l1"), certificates=(b"c",))


def test_a_bundle_that_cannot_be_read_has_its_documents_left_alone(ask, world):
    text = replace(ask.plain, documents={"pdf": PDF}, credential="x").to_json()
    found = judge_licence(c.Case(text.encode(), world.trust, w.AT))
    assert (len(found.steps), found.verdict) == (8, Verdict.FAILED)
    assert ask.cases == []


def test_what_is_of_another_form_is_refused_unread(ask):
    found = ask({"pdf": report()}, {"pdf": OFD})
    assert ninth(found) == (FAILED, "document_form_differs", "FORMAT_FAILURE")
    assert found.steps[-1].params == (("form", "pdf"),)
    assert ask.cases == []
    assert ninth(ask({"ofd": report(Form.OFD)}, {"ofd": PDF}))[1] == "document_form_differs"


@pytest.mark.parametrize(
    ("finding", "found", "why"),
    [
        (c.failed("signature_wrong", "SIG_CRYPTO_FAILURE"), (FAILED, "document_refused", "SIG_CRYPTO_FAILURE"), None),
        (c.undecided("code_signer_unknown", "TRY_LATER", kid="k"), (OPEN, "document_open", "TRY_LATER"), "k"),
        (c.SKIPPED, (OPEN, "document_open", ""), None),
    ],
)
def test_one_that_does_not_hold_says_why(ask, finding, found, why):
    judged = ask({"pdf": report(Form.PDF, finding)})
    assert ninth(judged) == found
    params = dict(judged.steps[-1].params)
    # Of a step that was not made, the first of the report stands in.
    assert params["why"] == (finding.code if finding.code != "skipped" else "judge_coverage_ok")
    assert (params["form"], params.get("kid")) == ("pdf", why)
    assert judged.verdict is (Verdict.FAILED if found[0] is FAILED else Verdict.INDETERMINATE)


def test_a_document_with_an_open_step_is_open_though_all_its_sections_are_there(ask):
    short = report()
    cut = replace(short, parts=(short.parts[0],))
    assert ninth(ask({"pdf": cut}))[:2] == (OPEN, "document_open")


def test_a_copy_that_ended_is_not_in_force(ask):
    ended = c.part(Section.COPY, [c.passed("judge_copy_ok"), c.failed("copy_expired", "EXPIRED", limit="x")], first=6)
    copy = report()
    judged = ask({"pdf": replace(copy, parts=(*copy.parts, ended))})
    assert ninth(judged) == (FAILED, "document_ended", "EXPIRED")
    assert judged.exit_code == 12


def test_the_worst_of_two_stands_for_both_whichever_comes_first(ask):
    refused = c.failed("signature_wrong", "SIG_CRYPTO_FAILURE")
    undecided = c.undecided("code_signer_unknown", "TRY_LATER")
    over = c.part(Section.COPY, [c.passed("judge_copy_ok"), c.failed("copy_expired", "EXPIRED", limit="x")], first=15)

    def ended(form):
        held = report(form)
        return replace(held, parts=(*held.parts, over))

    def of(form, finding):
        return report(form, finding) if finding else ended(form)

    for worse, better, code in (
        (refused, None, "document_refused"),
        (refused, undecided, "document_refused"),
        (None, undecided, "document_ended"),
    ):
        for first, second in ((worse, better), (better, worse)):
            found = ask({"ofd": of(Form.OFD, first), "pdf": of(Form.PDF, second)})
            assert ninth(found)[1] == code


class TestWhichLicence:
    def test_another_is_refused_by_name(self, ask):
        other = IDENTIFIER.replace("20230000403", "20230000404")
        for form, facts in ((Form.PDF, {"keywords": other}), (Form.OFD, {"custom": {"ZZBS": other}})):
            found = ask({form.value: report(form, **facts)})
            assert ninth(found) == (FAILED, "document_differs", "SIG_CONSTRAINTS_FAILURE")
            assert dict(found.steps[-1].params) == {"form": form.value, "named": other}

    @pytest.mark.parametrize("keywords", ["", "x", "1.2.156.3005.2.A.B.C.D", f"{IDENTIFIER}, 1.2.156.3005.2.A.B.C.D.E"])
    def test_a_pdf_that_names_none_or_two_is_open(self, ask, keywords):
        found = ask({"pdf": report(keywords=keywords)})
        assert ninth(found) == (OPEN, "document_names_none", "SIGNED_DATA_NOT_FOUND")
        assert found.steps[-1].params == (("form", "pdf"),)

    @pytest.mark.parametrize("custom", [{}, {"ZZBS": ""}])
    def test_an_ofd_that_names_none_is_open(self, ask, custom):
        assert ninth(ask({"ofd": report(Form.OFD, custom=custom)}))[1] == "document_names_none"

    def test_a_pdf_that_names_it_twice_names_it(self, ask):
        assert ninth(ask({"pdf": report(keywords=f"ZZBS={ask.identifier}, {ask.identifier}")}))[0] is PASSED


def test_notes_tell_of_loose_bytes_and_of_copies(ask):
    copy = {"purpose": "核\n对", "valid_until": "2025"}
    found = ask(
        {"pdf": report(copy=copy), "ofd": report(Form.OFD, unauthenticated=["x"])},
    )
    mark = "\N{REPLACEMENT CHARACTER}"
    told = {
        Note("document_is_copy", (("form", "pdf"), ("purpose", f"核{mark}对"), ("until", "2025"))),
        Note("document_loose", (("form", "ofd"),)),
    }
    assert set(found.steps[-1].notes) == told
    assert len(found.steps[-1].notes) == 2
    refused = report(Form.OFD, c.failed("signature_wrong", "SIG_CRYPTO_FAILURE"))
    # What the other one says is told beside the refusal.
    assert [n.code for n in ask({"pdf": report(copy=copy), "ofd": refused}).steps[-1].notes] == ["document_is_copy"]
