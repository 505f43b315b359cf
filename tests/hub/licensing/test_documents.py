"""Documents are drawn again, byte for byte; they bear what was sealed; peers accept them."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from datetime import timedelta

import pytest
import sqlalchemy as sa

pytest.importorskip("typst", reason="needs the extra `documents`")

from hub.authority.keeping import sm2_signs
from hub.control import DocumentSignatureRow, LicenceCopyRow
from hub.licensing import documents as drawing
from hub.licensing import downloads as handing
from hub.licensing.document_errors import DocumentDriftedError, DocumentRefusedError
from hub.licensing.downloads import Order
from hub.licensing.papers import Form, Paper
from licence.lifecycle.copies import find_copy, from_keywords
from licence.ofd.read import read_ofd
from licence.pdf.read import read_signatures
from licence.suites import SUITES
from licence.trust import TrustStore
from licence.verifying import judge
from tests.hub.licensing import papers_city as c

ORDER = Order(c.MATTER, "办理住房公积金提取", 30)


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    if not sm2_signs():
        pytest.skip("this libcrypto signs no SM2")
    return c.found(tmp_path_factory.mktemp("papers") / "var")


@pytest.fixture(scope="module")
def office(settings):
    office = c.open_office(settings)
    yield office
    c.close(office.licensing)


def paper(office, place=0, kind=c.CODES[0]):
    identifier = c.licences(office, kind)[place]
    return Paper.of(office.licensing.kinds[kind], office.licensing.sealed(identifier))


def signatures(office):
    with office.licensing.control.reading() as connection:
        return connection.execute(sa.select(sa.func.count()).select_from(DocumentSignatureRow)).scalar_one()


@pytest.mark.parametrize("form", [Form.PDF, Form.OFD, Form.PNG, Form.QR, Form.QR_PNG])
def test_the_same_bytes_in_another_process_and_with_every_cache_gone(office, settings, form):
    subject = paper(office)
    first = office.documents.draw(subject, form)
    kept = signatures(office)
    assert office.documents.draw(subject, form).data == first.data
    fresh = drawing.Documents(
        office.licensing.control,
        office.licensing.keys,
        office.documents._seals,
        clock=lambda: office.licensing.evidence.clock() + timedelta(days=3),
    )
    assert fresh.draw(subject, form).data == first.data
    code = (
        "import hashlib,sys;from hub.settings import Settings;from pathlib import Path;"
        "from tests.hub.licensing import papers_city as c;from hub.licensing.papers import Form,Paper;"
        "o=c.open_office(Settings.at(Path(sys.argv[1])));k=o.licensing.kinds[c.CODES[0]];"
        "p=Paper.of(k,o.licensing.sealed(sys.argv[2]));"
        "print(hashlib.sha256(o.documents.draw(p,Form(sys.argv[3])).data).hexdigest())"
    )
    command = [sys.executable, "-c", code, str(settings.home), subject.sealed.identifier, form.value]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == hashlib.sha256(first.data).hexdigest()
    assert signatures(office) == kept


@pytest.mark.parametrize("kind", c.CODES)
@pytest.mark.parametrize("form", [Form.PDF, Form.OFD, Form.PNG])
def test_every_layout_draws_long_values_and_rare_characters(office, kind, form):
    assert len(office.documents.draw(paper(office, 1, kind), form).data) > 10_000


def test_our_own_verifier_accepts_both_documents(office, settings):
    trust = TrustStore.load(settings.trust)
    at = office.licensing.evidence.clock() + timedelta(seconds=5)
    for form in (Form.PDF, Form.OFD):
        report = judge(office.documents.draw(paper(office), form).data, trust, at)
        assert report.verdict.value != "TOTAL-FAILED", report.text("en")


@pytest.mark.parametrize("form", [Form.PDF, Form.OFD])
def test_a_document_that_is_drawn_otherwise_is_not_handed_out(office, monkeypatch, form):
    subject = paper(office, 3)
    office.documents.draw(subject, form)
    monkeypatch.setattr(drawing, "CAPTION", "扫码")
    monkeypatch.setattr(
        drawing.Documents,
        "_version",
        lambda self, by, one, old=drawing.Documents._version: _as_before(old, self, by, one),
    )
    with pytest.raises(DocumentDriftedError) as caught:
        office.documents.draw(subject, form)
    assert caught.value.params["identifier"] == subject.sealed.identifier


def _as_before(version, self, drawn_by, subject):
    changed, drawing.CAPTION = drawing.CAPTION, "扫码核验 / Scan to verify"
    try:
        return version(self, drawn_by, subject)
    finally:
        drawing.CAPTION = changed


def test_a_missing_glyph_names_the_field_and_not_the_holder(office):
    for form in (Form.PDF, Form.OFD):
        with pytest.raises(DocumentRefusedError) as caught:
            office.documents.draw(paper(office, 2), form)
        text = caught.value.text("zh") + caught.value.text("en")
        assert caught.value.finding == "glyph_missing_in_field"
        assert "姓名" in text
        assert "U+E123" in text
        assert "王" not in text


def test_a_copy_bears_its_purpose_and_end_where_a_verifier_finds_them(office):
    subject = paper(office)
    identifier = subject.sealed.identifier
    for form in (Form.PDF, Form.OFD):
        out = office.downloads.download(identifier, form, ORDER, by=c.ISSUER)
        if form is Form.PDF:
            assert read_signatures(out.data, SUITES).signatures[0].certification == 1
            facts = from_keywords(read_signatures(out.data, SUITES).keywords)
        else:
            facts = read_ofd(out.data).custom
        copy = find_copy(identifier, facts)
        assert (copy.purpose, copy.made_by) == (ORDER.reason, "人力资源和社会保障局")
        assert copy.valid_until == out.valid_until
        assert facts["zhengtong.copy"] == out.copy
        assert office.downloads.again(out.copy, by=c.ISSUER) == out.data
        assert office.documents.draw(subject, form).data != out.data


def test_poppler_and_pyhanko_accept_the_hubs_own_pdf(office, tmp_path):
    import io

    from asn1crypto import x509 as ax
    from cryptography.hazmat.primitives.serialization import Encoding
    from pyhanko.pdf_utils.reader import PdfFileReader
    from pyhanko.sign.validation import validate_pdf_signature
    from pyhanko.sign.validation.status import SignatureCoverageLevel
    from pyhanko_certvalidator import ValidationContext

    data = office.downloads.download(c.licences(office)[0], Form.PDF, ORDER, by=c.ISSUER).data
    roots = [ax.Certificate.load(r.public_bytes(Encoding.DER)) for r in office.licensing.keys.roots()]
    moment = office.licensing.evidence.clock() + timedelta(seconds=5)
    context = ValidationContext(trust_roots=roots, moment=moment, allow_fetching=False, revocation_mode="soft-fail")
    status = validate_pdf_signature(PdfFileReader(io.BytesIO(data)).embedded_signatures[0], context)
    assert status.intact
    assert status.valid
    assert status.trusted
    assert status.coverage == SignatureCoverageLevel.ENTIRE_FILE
    if shutil.which("pdfsig") is None:
        if os.environ.get("ZHENGTONG_REQUIRE_SERVICES") == "1":
            pytest.fail("pdfsig (poppler-utils) is not installed")
        pytest.skip("pdfsig (poppler-utils) is not installed")
    (tmp_path / "a.pdf").write_bytes(data)
    said = subprocess.run(["pdfsig", tmp_path / "a.pdf"], capture_output=True, text=True, check=False).stdout
    assert "Signature is Valid." in said
    assert "Total document signed" in said


def test_it_is_on_record_before_it_is_handed_out(office, monkeypatch):
    identifier = c.licences(office)[4]
    log, table = office.licensing.evidence.log, LicenceCopyRow.__table__
    before = log.size

    class Died(BaseException):
        pass

    def die(*_, **__):
        raise Died

    monkeypatch.setattr(handing, "HandedOut", die)
    with pytest.raises(Died):
        office.downloads.download(identifier, Form.OFD, ORDER, by=c.ISSUER)
    monkeypatch.undo()
    assert office.downloads.copies.find(licence=identifier)
    assert b"licence.downloaded" in b"".join(log.entries(before, log.size))
    before = log.size
    monkeypatch.setattr(office.licensing.evidence, "append", die)
    monkeypatch.setattr(office.downloads, "_random", lambda n: b"\1" * n)
    with pytest.raises(Died):
        office.downloads.download(identifier, Form.QR, ORDER, by=c.ISSUER)
    with office.licensing.control.reading() as connection:
        rows = connection.execute(sa.select(table).where(table.c.licence == identifier)).all()
    assert len(rows) == 1
