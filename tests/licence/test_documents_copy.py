"""Annotated copies at the one door: what they are for, their term, and marks that cannot be."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, timedelta

import pytest

pytest.importorskip("typst", reason="needs the extra `documents`")
pytest.importorskip("fontTools", reason="needs the extra `documents`")
pytest.importorskip("noto_cjk_sans_otc", reason="needs the font package of the extra `documents`")

from licence.bundle import LicenceBundle
from licence.lifecycle.copies import CREDENTIAL, FIELDS, NUMBER, AnnotatedCopy, to_keywords
from licence.ofd.layout import Box
from licence.ofd.seal import SIGNATURE_PATH, Stamp, seal
from licence.ofd.write import Licence, Page, Text, write
from licence.report import Outcome, Verdict
from licence.trust import TrustStore
from licence.verifying import Form, diagnostic, judge, replay, signing_time, simple
from licence.verifying.report import SECTIONS, Section
from tests.licence import independent_documents as other
from tests.licence import world as w
from tests.licence.ofd import paper
from tests.licence.pdf import papers
from tests.licence.seals import city as c

DAY = timedelta(days=1)
DIGEST = "00" * 32


def marks_at(made, **changes):
    copy = AnnotatedCopy(paper.IDENTIFIER, made, "某市民政局", "核对救助申请,第 2 次", made + 30 * DAY)
    marks = {"ZZBS": paper.IDENTIFIER, CREDENTIAL: DIGEST, **copy.claims(), NUMBER: "K1"} | changes
    return {name: value for name, value in marks.items() if value is not None}


def pdf_with(world, keywords):
    face = replace(papers.FACE, marks=tuple(keywords))
    return papers.sealed(world.agriculture, papers.renderer().render(face, dated=w.ISSUED))


def pdf_of(world, **changes):
    return pdf_with(world, to_keywords(marks_at(w.ISSUED, **changes)))


@pytest.fixture(scope="module")
def city():
    return c.make_city()


@pytest.fixture(scope="module")
def city_trust(city, world):
    return TrustStore((city.root.certificate,), world.trust.log_verifiers)


def ofd_of(city, **changes):
    made = c.new_seal(city)

    def sign(digest):
        return c.applied(city, made, document_digest=digest, property_info=SIGNATURE_PATH).raw

    licence = Licence("居住证", "某局", "2026-03-01", marks_at(c.SIGNED, **changes))
    files = write(licence, [Page((Text(20, 30, 5, "证A"),))], paper.FONT)
    stamp = Stamp(made.raw, Box(130, 215, 42, 42), c.SIGNED.astimezone(UTC).strftime("%Y%m%d%H%M%SZ"))
    return seal(files, stamp, sign)


@pytest.fixture(params=["pdf", "ofd"])
def ask(request, world, city, city_trust):
    """Makes a copy with marks changed and has it judged so many days after it was made."""

    def asked(after=DAY, trust=None, **changes):
        if request.param == "pdf":
            return judge(pdf_of(world, **changes), trust or world.trust, w.ISSUED + after)
        helpers = city.issuing.chain_der[:1]
        return judge(ofd_of(city, **changes), trust or city_trust, c.SIGNED + after, certificates=helpers)

    return asked


def copy_part(report):
    return next((p for p in report.parts if p.section is Section.COPY), None)


def test_a_copy_says_what_for_and_until_when(ask):
    found = ask()
    assert (found.verdict, found.exit_code) == (Verdict.PASSED, 0), found.text("en")
    copy = found.facts["copy"]
    assert (copy["purpose"], copy["made_by"], copy["number"]) == ("核对救助申请,第 2 次", "某市民政局", "K1")
    assert copy["licence"] == paper.IDENTIFIER
    for lang in ("zh", "en"):
        first = simple(found, lang).splitlines()[1]
        assert copy["purpose"] in first
        assert copy["valid_until"] in first
        assert "K1" in found.text(lang)
    assert [s.number for s in found.steps] == list(range(1, len(found.steps) + 1))
    assert found.steps[-1].text("en").endswith(f"until {copy['valid_until']}.")


def test_its_licence_s_own_status_must_be_asked_for(ask):
    (note,) = [n for n in copy_part(ask()).steps[0].notes if n.code == "judge_names_credential"]
    assert DIGEST in note.text("en")
    assert "目前是否有效" in note.text("zh")
    plain = ask(**dict.fromkeys((*FIELDS, NUMBER)))
    assert copy_part(plain) is None
    assert "copy" not in plain.facts
    assert [n.code for n in plain.steps[0].notes] == ["judge_names_credential"]
    assert plain.verdict is Verdict.PASSED
    none = ask(**{CREDENTIAL: None}, **dict.fromkeys((*FIELDS, NUMBER)))
    assert none.steps[0].notes == ()


@pytest.mark.parametrize(
    ("after", "outcome", "sub_indication", "code"),
    [
        (30 * DAY - timedelta(seconds=1), 0, "", ""),
        (30 * DAY, 12, "EXPIRED", "copy_expired"),
        (31 * DAY, 12, "EXPIRED", "copy_expired"),
    ],
)
def test_a_copy_ends(ask, after, outcome, sub_indication, code):
    found = ask(after)
    assert (found.exit_code, found.sub_indication) == (outcome, sub_indication)
    assert (found.deciding.code if code else "") == code
    # What it was for is told all the same.
    assert copy_part(found).steps[0].code == "judge_copy_ok"
    assert bool(found.facts) is (outcome == 0)


def test_a_copy_of_tomorrow_has_not_begun(world, city, city_trust):
    later = marks_at(w.ISSUED + DAY, **{CREDENTIAL: None})
    found = judge(pdf_with(world, to_keywords(later)), world.trust, w.ISSUED + timedelta(hours=1))
    assert (found.verdict, found.sub_indication, found.exit_code) == (Verdict.FAILED, "NOT_YET_VALID", 12)
    assert found.deciding.code == "copy_not_yet"


def test_a_clock_a_little_behind_does_not_refuse_a_new_copy(ask):
    assert ask(timedelta(minutes=-4)).exit_code == 0
    assert ask(timedelta(minutes=-6)).exit_code != 0


@pytest.mark.parametrize(
    "changes",
    [
        *({name: None} for name in FIELDS),
        dict.fromkeys(FIELDS),
        {"JZJYXQJZSJ": "2099-01-01T00:00:00+08:00"},
        {"JZJYXQJZSJ": "2001-01-01T00:00:00+08:00"},
        {"JZJZZSJ": "yesterday"},
        {"JZJZZSY": "长" * 101},
    ],
)
def test_marks_that_cannot_be_are_refused(ask, changes):
    found = ask(**changes)
    assert (found.verdict, found.sub_indication, found.exit_code) == (Verdict.FAILED, "FORMAT_FAILURE", 10)
    assert [s.outcome for s in copy_part(found).steps] == [Outcome.FAILED, Outcome.SKIPPED]
    assert found.deciding.code.startswith("copy_")
    assert found.text("zh") != found.text("en")
    assert "its purpose" not in found.text("zh")
    assert found.facts == {}


def test_marks_that_contradict_each_other_are_refused(world):
    first, second = (to_keywords(marks_at(w.ISSUED, JZJZZSY=text)) for text in ("一", "二"))
    found = judge(pdf_with(world, (*first, *second)), world.trust, w.ISSUED + DAY)
    assert (found.deciding.code, found.exit_code) == ("copy_unreadable", 10)


def test_a_stranger_s_keywords_are_nobody_s_marks(world):
    found = judge(pdf_with(world, ("a=1", "a=2", "JZ", "x")), world.trust, w.ISSUED + DAY)
    assert (found.exit_code, copy_part(found)) == (0, None)


def test_the_longest_marks_are_read_whole(world):
    text = ",%" * 50
    found = judge(pdf_of(world, JZJZZSY=text, JZJZZZ=text), world.trust, w.ISSUED + DAY)
    assert (found.exit_code, found.facts["copy"]["purpose"]) == (0, text)
    assert found.facts["copy"]["number"] == "K1"


def test_what_a_stranger_marks_decides_nothing(ask, world):
    stranger = TrustStore((w.make_root("stranger").certificate,), world.trust.log_verifiers)
    for after in (DAY, 31 * DAY):
        found = ask(after, trust=stranger)
        assert (found.verdict, found.sub_indication) == (Verdict.INDETERMINATE, "NO_CERTIFICATE_CHAIN_FOUND")
        assert [s.outcome for s in copy_part(found).steps] == [Outcome.SKIPPED] * 2
        assert "核对救助申请" not in found.text("zh")


def test_every_step_of_a_copy_is_needed(ask):
    found = ask()
    part = copy_part(found)
    assert tuple(s.name for s in part.steps) == SECTIONS[Section.COPY]
    short = replace(found, parts=(*found.parts[:-1], replace(part, steps=part.steps[:1])))
    assert (short.verdict, short.exit_code) == (Verdict.INDETERMINATE, 11)


def test_at_its_signing_a_copy_was_good(world):
    data = pdf_of(world)
    assert judge(data, world.trust, w.ISSUED + 31 * DAY).exit_code == 12
    assert judge(data, world.trust, signing_time(data, world.trust)).exit_code == 0


def test_a_report_on_a_copy_replays(world):
    data, at = pdf_of(world), w.ISSUED + 31 * DAY
    found = judge(data, world.trust, at)
    text = diagnostic(found, data, world.trust, at)
    assert replay(text) == found
    assert replay(text, at=w.ISSUED + DAY).exit_code == 0
    assert json.loads(text)["form"] == Form.PDF


@pytest.fixture
def ask_bundle(world, city):
    """Has a bundle judged in which copies are enclosed, by trust in both roots."""
    plain = w.bundle_of(world, w.seal(world.agriculture), w.status_token(world.status_key))
    trust = TrustStore((world.root.certificate, city.root.certificate), world.trust.log_verifiers)

    def asked(documents, at=w.AT):
        bundle = LicenceBundle.from_json(replace(plain, documents=documents).to_json())
        return judge(bundle.to_json().encode(), trust, at, certificates=city.issuing.chain_der[:1])

    asked.identifier = plain.identifier
    return asked


def ended(world, **changes):
    made = AnnotatedCopy("L", w.ISSUED, "某局", "x", w.ISSUED + timedelta(minutes=1))
    return pdf_of(world, **(made.claims() | changes))


def test_a_bundle_tells_what_its_copies_are_for(world, ask_bundle):
    found = ask_bundle({"pdf": pdf_of(world, ZZBS=ask_bundle.identifier)})
    assert found.exit_code == 0, found.text("en")
    (note,) = found.steps[-1].notes
    assert note.code == "document_is_copy"
    for lang in ("zh", "en"):
        assert "核对救助申请" in note.text(lang)
        assert "2025-03-31T08:00:00Z" in note.text(lang)


def test_a_bundle_with_a_copy_that_has_ended_is_not_in_force(world, ask_bundle):
    found = ask_bundle({"pdf": ended(world, ZZBS=ask_bundle.identifier)})
    assert (found.deciding.code, found.sub_indication, found.exit_code) == ("document_ended", "EXPIRED", 12)
    assert "was valid until" in found.text("en")
    wrong = {"JZJYXQJZSJ": None, "ZZBS": ask_bundle.identifier}
    found = ask_bundle({"pdf": pdf_of(world, **wrong)})
    assert (found.deciding.code, found.exit_code) == ("document_refused", 10)
    assert "annotation is incomplete" in found.text("en")


def test_of_two_documents_what_is_wrong_is_told_first(world, city, ask_bundle):
    documents = {"pdf": ended(world, ZZBS=ask_bundle.identifier), "ofd": ofd_of(city)[:-1]}
    found = ask_bundle(documents)
    assert (found.deciding.code, found.exit_code) == ("document_refused", 10)


@pytest.mark.parametrize("after", [DAY, 31 * DAY])
@pytest.mark.parametrize("changes", [{}, {"JZJYXQJZSJ": None}, dict.fromkeys((*FIELDS, NUMBER))])
def test_another_verifier_says_the_same(world, after, changes):
    data, at = pdf_of(world, **changes), w.ISSUED + after
    mine = judge(data, world.trust, at).exit_code
    assert other.verify_copy(data, sorted(world.trust.anchors_der), at) == mine
