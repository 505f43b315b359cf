"""B-T, B-LT and B-LTA: made the same each time, accepted as far as they go, and nothing else beside them."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
from datetime import timedelta

import pytest

pytest.importorskip("typst", reason="needs the extra `documents`")
pytest.importorskip("pyhanko", reason="needs the extra `documents`")

from asn1crypto import x509
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.validation import validate_pdf_signature
from pyhanko_certvalidator import ValidationContext

from licence import der
from licence.errors import FormatError, IssueRefusedError
from licence.pdf import cms, long_term
from licence.pdf.read import Coverage, Level, read_signatures
from licence.report import Verdict
from licence.trust import TrustStore
from licence.verifying import judge
from tests.licence import world as w
from tests.licence.pdf import archives as a
from tests.licence.pdf import papers as p
from tests.services.postgres import REQUIRED

LEVELS = list(Level)
STAMPED = [Level.B_T, Level.B_LT, Level.B_LTA]


def code_of(call, *arguments, **named):
    with pytest.raises((FormatError, IssueRefusedError)) as caught:
        call(*arguments, **named)
    assert caught.value.text("zh") != caught.value.text("en")
    return caught.value.code


def verdict(pdf, at=w.AT, **options):
    return judge(pdf, a.world().trust, at, **options)


@pytest.mark.parametrize("level", LEVELS)
class TestLevels:
    def test_the_level_is_what_was_made(self, level):
        found = verdict(a.at_level(level))
        assert found.verdict is Verdict.PASSED, found.text("en")
        assert found.facts["level"] == level
        proven = {Level.B_B: None, Level.B_T: a.STAMPED}.get(level, a.STAMPED)
        assert found.facts["signatures"][0]["proven_at"] == (proven and proven.isoformat().replace("+00:00", "Z"))

    def test_what_nobody_signed_is_said_so_at_that_level_alone(self, level):
        loose = ["judge_pdf_material_loose"] if level is Level.B_LT else []
        assert verdict(a.at_level(level)).facts["unauthenticated"] == loose

    def test_the_same_bytes_each_time(self, level):
        first = a.at_level(level)
        a.at_level.cache_clear()
        assert a.at_level(level) == first

    def test_levels_do_not_skip_or_repeat(self, level):
        pdf = a.at_level(level)
        stamped = {Level.B_B: None}.get(level, "pdf_level_reached")
        if stamped:
            assert code_of(long_term.stamp_signature, pdf, a.stamper(), suites=a.SUITES) == stamped
        if level is not Level.B_T:
            expected = "pdf_level_missing" if level is Level.B_B else "pdf_level_reached"
            found = code_of(long_term.add_material, pdf, a.material(), at=a.LISTED, suites=a.SUITES)
            assert found == expected
        if level is not Level.B_LT:
            expected = "pdf_level_reached" if level is Level.B_LTA else "pdf_level_missing"
            assert code_of(long_term.archive, pdf, a.stamper(), suites=a.SUITES) == expected


class TestMaking:
    def test_room_must_have_been_left(self):
        tight = p.sealed(a.signing_key())
        assert code_of(long_term.stamp_signature, tight, a.stamper(), suites=a.SUITES) == "pdf_no_room"

    def test_each_certificate_wants_a_list_that_is_fresh(self):
        pdf = a.at_level(Level.B_T)
        for material in (
            long_term.Material(a.anchors(), (), a.lists()[:1]),
            a.material(w.ISSUED - timedelta(days=40)),
        ):
            found = code_of(long_term.add_material, pdf, material, at=a.LISTED, suites=a.SUITES)
            assert found == "pdf_material_incomplete"

    def test_a_revoked_signer_is_not_archived(self):
        serial = a.signing_key().certificate.serial_number
        material = a.material(revoked=[(serial, w.ISSUED - timedelta(hours=1))])
        pdf = a.at_level(Level.B_T)
        assert code_of(long_term.add_material, pdf, material, at=a.LISTED, suites=a.SUITES) == "certificate_revoked"

    def test_an_anchor_that_is_not_ours_is_none(self):
        material = long_term.Material(frozenset({p.stamping_key(w.make_root("x")).chain_der[-1]}), (), a.lists())
        pdf = a.at_level(Level.B_T)
        assert code_of(long_term.add_material, pdf, material, at=a.LISTED, suites=a.SUITES) == "no_pinned_anchor"

    def test_an_authority_that_refuses_adds_nothing(self):
        refused = der.write(der.SEQUENCE, der.write(der.SEQUENCE, der.write_integer(2)))
        pdf = a.at_level(Level.B_B)
        assert code_of(long_term.stamp_signature, pdf, lambda _: refused, suites=a.SUITES) == "timestamp_refused"

    def test_a_token_of_something_else_is_not_taken(self):
        other = a.stamper()
        answers = {}

        def replays(request):
            return answers.setdefault("first", other(request))

        long_term.stamp_signature(a.at_level(Level.B_B), replays, suites=a.SUITES)
        pdf = a.at_level(Level.B_LT)
        assert code_of(long_term.archive, pdf, replays, suites=a.SUITES) == "timestamp_imprint_differs"


class TestForLong:
    """A signer and an authority whose certificates end, and what is left of their word."""

    ENDED = w.ISSUED + a.YEAR * 2

    @pytest.fixture(scope="class")
    @staticmethod
    def short():
        return a.signing_key("short", ends=w.ISSUED + a.YEAR)

    def test_without_a_stamp_the_end_is_the_end(self, short):
        found = verdict(a.at_level(Level.B_B, short), self.ENDED)
        assert (found.verdict, found.sub_indication) == (Verdict.INDETERMINATE, "OUT_OF_BOUNDS_NO_POE")

    @pytest.mark.parametrize("level", STAMPED)
    def test_a_stamp_outlives_the_signers_certificate(self, short, level):
        found = verdict(a.at_level(level, short), self.ENDED)
        assert found.verdict is Verdict.PASSED, found.text("en")

    def test_a_revocation_after_the_stamp_does_not_matter_and_before_it_does(self, short):
        serial = short.certificate.serial_number
        for since, expected in ((a.STAMPED + timedelta(hours=1), ""), (a.STAMPED, "REVOKED_NO_POE")):
            crls = a.lists(a.LISTED + timedelta(hours=2), revoked=[(serial, since)])
            found = verdict(a.at_level(Level.B_LTA, short), w.AT + timedelta(days=1), crls=crls)
            assert found.sub_indication == expected, found.text("en")

    def test_renewal_carries_the_document_past_the_end_of_its_stamps(self):
        ends = w.ISSUED + a.YEAR
        brief = a.stamping_key("brief tsa", ends=ends)
        bb = p.sealed(a.signing_key(), room_bytes=long_term.TOKEN_ROOM_BYTES)
        bt = long_term.stamp_signature(bb, a.stamper(key=brief), suites=a.SUITES)
        blt = long_term.add_material(bt, a.material(), at=a.LISTED, suites=a.SUITES)
        blta = long_term.archive(blt, a.stamper(a.ARCHIVED, brief), suites=a.SUITES)
        late = ends + timedelta(days=1)
        assert verdict(blta, late).sub_indication == "OUT_OF_BOUNDS_NO_POE"
        again = a.renewed(blta, ends - timedelta(days=2), a.stamping_key("next tsa"))
        found = verdict(again, late)
        assert (found.verdict, found.facts["level"]) == (Verdict.PASSED, "B-LTA"), found.text("en")
        facts = read_signatures(again, a.SUITES)
        assert [s.field for s in facts.stamps] == ["ArchiveTimeStamp1", "ArchiveTimeStamp2"]
        assert [s.coverage for s in facts.stamps] == [Coverage.BEFORE_ARCHIVING, Coverage.WHOLE_FILE]
        # Renewed too late, the old stamps have nothing that proves them.
        assert code_of(a.renewed, blta, late, a.stamping_key("next tsa")) == "pdf_archive_late"

    def test_a_strangers_archive_stamp_proves_nothing(self):
        root = w.make_root("stranger")
        pdf = long_term.archive(a.at_level(Level.B_LT), a.stamper(a.ARCHIVED, p.stamping_key(root)), suites=a.SUITES)
        found = verdict(pdf)
        assert (found.verdict, found.sub_indication) == (Verdict.INDETERMINATE, "NO_CERTIFICATE_CHAIN_FOUND")
        both = TrustStore((*a.world().trust.anchors, root.certificate), a.world().trust.log_verifiers)
        assert judge(pdf, both, w.AT).verdict is Verdict.PASSED


def objects(pdf):
    """Numbers that one of our documents has, by what they are."""
    page = int(pdf.rsplit(b"/Type/Page/", 1)[0].rsplit(b" 0 obj", 1)[0].rsplit(b"\n", 1)[1])
    root = int(pdf[pdf.rfind(b"/Root ") + 6 :].split()[0])
    return page, root


def shadowed(pdf):
    """The updates that people tried on signed documents, each appended to *pdf* without any key."""
    page, root = objects(pdf)
    size = p.size_of(pdf)
    content = b"<</Length 9>>\nstream\nBT ET q Q\nendstream"
    now = p.current
    stamp = b"<</FT/Sig/Type/Annot/Subtype/Widget/T(x)/Rect[0 0 9 9]/V %d 0 R>>" % (size + 1)
    yield "page", p.update(pdf, {size: content, page: now(pdf, page)[:-2] + b"/Contents %d 0 R>>" % size})
    yield "catalog", p.update(pdf, {}, catalog_extra=b"/OpenAction[%d 0 R/Fit]" % page)
    yield "pages", p.update(pdf, {}, catalog_extra=b"/Pages %d 0 R" % size)
    yield "visible field", p.update(pdf, {size: stamp, size + 1: b"<</Type/DocTimeStamp>>"})
    yield "outlines", p.update(pdf, {size: b"<</Type/Outlines>>"}, catalog_extra=b"/Outlines %d 0 R" % size)
    yield "names", p.update(pdf, {size: b"<</JavaScript<<>>>>"}, catalog_extra=b"/Names %d 0 R" % size)
    yield "bytes", p.update(pdf, {size: b"<</Type/X>>"}, before_trailer=b"(hidden)\n")
    yield "freed", pdf + b"trailer<</Root %d 0 R>>\nstartxref\n0\n%%%%EOF\n" % root
    yield "appended", pdf + b"%PDF-1.7\n"


@pytest.mark.parametrize("level", STAMPED)
def test_no_other_update_is_accepted(level):
    pdf = a.at_level(level)
    names = []
    for name, forged in shadowed(pdf):
        found = verdict(forged)
        assert found.verdict is Verdict.FAILED, (name, found.text("en"))
        names.append(name)
    assert len(names) == 9


@pytest.mark.parametrize("level", STAMPED)
def test_byte_ranges_cannot_be_widened_or_moved(level):
    pdf = a.at_level(level)
    start = pdf.rfind(b"/ByteRange")
    first, gap, after, rest = (int(n) for n in pdf[start:].split(b"[")[1].split(b"]")[0].split())
    width = pdf.index(b"]", start) - pdf.index(b"[", start) - 1
    for numbers in ((first, gap - 1, after, rest), (first, gap, after + 1, rest - 1), (1, gap - 1, after, rest)):
        text = b" ".join(b"%d" % n for n in numbers).ljust(width)[:width]
        at = pdf.index(b"[", start) + 1
        assert verdict(pdf[:at] + text + pdf[at + width :]).verdict is Verdict.FAILED


def test_earlier_material_may_not_be_taken_away_under_a_stamp():
    pdf = a.at_level(Level.B_LTA)
    cut = pdf[: len(a.at_level(Level.B_T))] + pdf[len(a.at_level(Level.B_LT)) :]
    assert verdict(cut).verdict is Verdict.FAILED


def test_a_second_token_or_another_attribute_is_said_so():
    pdf = a.at_level(Level.B_T)
    token = cms.SIGNATURE_TIME_STAMP
    hidden = der.write_oid(token).hex().encode()
    other = der.write_oid(token.rpartition(".")[0] + ".15").hex().encode()
    assert pdf.count(hidden) == 1
    found = verdict(pdf.replace(hidden, other))
    assert (found.verdict, found.facts["level"]) == (Verdict.PASSED, "B-B")
    assert found.facts["unauthenticated"] == ["judge_pdf_attributes_loose"]


def flips(pdf, places):
    for place in places:
        altered = pdf[:place] + bytes([pdf[place] ^ 1 << place % 8]) + pdf[place + 1 :]
        found = verdict(altered)
        if found.exit_code == 0:
            yield place, found.facts["unauthenticated"]


def new_bytes(level):
    """What the step to *level* wrote, or at B-T filled in."""
    pdf = a.at_level(level)
    before = a.at_level(LEVELS[LEVELS.index(level) - 1])
    differing = [i for i, (x, y) in enumerate(zip(pdf, before, strict=False)) if x != y]
    return pdf, [*differing, *range(len(before), len(pdf))]


@pytest.mark.parametrize("level", STAMPED)
def test_no_flipped_byte_passes_unsaid(level):
    pdf, places = new_bytes(level)
    step = max(1, len(places) // 150)
    for place, said in flips(pdf, places[::step]):
        assert said, place


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("level", STAMPED)
def test_no_flipped_byte_of_all_passes_unsaid(level):
    pdf, places = new_bytes(level)
    passed = 0
    for place, said in flips(pdf, places):
        assert said, place
        passed += 1
    assert (level is Level.B_LT) <= (passed > 0)


@pytest.mark.parametrize("level", LEVELS)
def test_pyhanko_and_poppler_accept_every_level(level, tmp_path):
    pdf = a.at_level(level)
    anchor = x509.Certificate.load(next(iter(a.anchors())))
    context = ValidationContext(
        trust_roots=[anchor], moment=w.AT, allow_fetching=False, revocation_mode="soft-fail", crls=list(a.lists())
    )
    embedded = PdfFileReader(io.BytesIO(pdf)).embedded_regular_signatures[0]
    status = validate_pdf_signature(embedded, context)
    assert status.bottom_line, status.pretty_print_details()
    assert (status.timestamp_validity is not None) == (level is not Level.B_B)
    if shutil.which("pdfsig") is None:
        (pytest.fail if os.environ.get(REQUIRED) == "1" else pytest.skip)("pdfsig (poppler-utils) is not installed")
    path = tmp_path / "paper.pdf"
    path.write_bytes(pdf)
    done = subprocess.run(["pdfsig", "-nocert", path], capture_output=True, check=False).stdout.decode()
    assert "Signature Validation: Signature is Valid." in done
