"""When each form says that it was signed; what does not say so is told apart from what is broken."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from types import SimpleNamespace

import pytest

from licence.errors import FormatError
from licence.ofd.read import Document, Signature
from licence.pdf.read import Coverage, PdfFacts, PdfSignature
from licence.qr.code import make_code
from licence.verifying import moments
from licence.verifying.moments import signing_time
from licence.verifying.seals import STRANGERS
from tests.licence import world as w
from tests.licence.qr.test_code import FACE
from tests.licence.seals import city as c

PDF, OFD = b"%PDF-1.7", b"PK\x03\x04"


@pytest.fixture(scope="module")
def city():
    return c.make_city()


def refused(data, trust):
    with pytest.raises(FormatError) as caught:
        signing_time(data, trust)
    return caught.value.code


def signature(at):
    chain = (b"leaf",)
    return PdfSignature("A", chain, "s", Coverage.WHOLE_FILE, None, at, "", "", b"", (), (0, 1), ())


def seal_signature(value, kind="Seal"):
    return Signature("1", kind, "p", "v", "t", "m", "SM3", b"", "p", value, None, (), ())


class TestPdf:
    def test_the_last_of_those_that_say_so(self, world, monkeypatch):
        china = timezone(timedelta(hours=8))
        times = [w.ISSUED, None, datetime(2025, 3, 2, 8, tzinfo=china), w.ISSUED - timedelta(days=1)]
        asked = []
        found = PdfFacts(tuple(map(signature, times)), (), (), (), (), 0, "")
        monkeypatch.setattr(moments, "read_signatures", lambda *a: asked.append(a) or found)
        at = signing_time(PDF, world.trust)
        assert (at, at.tzinfo) == (datetime(2025, 3, 2, tzinfo=UTC), UTC)
        assert asked == [(PDF, ["ecdsa-p256-sha256"])]

    @pytest.mark.parametrize("times", [(), (None, None)])
    def test_none_says_so(self, world, monkeypatch, times):
        found = PdfFacts(tuple(map(signature, times)), (), (), (), (), 0, "")
        monkeypatch.setattr(moments, "read_signatures", lambda *_: found)
        assert refused(PDF, world.trust) == "judge_no_signing_time"

    def test_one_that_cannot_be_read_says_why(self, world):
        assert refused(PDF, world.trust).startswith("pdf_")


class TestOfd:
    def given(self, monkeypatch, *signatures):
        asked = []
        document = Document("i", "t", {}, {}, signatures, ())
        monkeypatch.setattr(moments, "read_ofd", lambda *a: asked.append(a) or document)
        return asked

    def test_the_last_of_its_seals(self, world, city, monkeypatch):
        seal = c.new_seal(city)
        later = c.applied(city, seal, at=c.SIGNED + timedelta(hours=1)).raw
        values = (c.applied(city, seal).raw, later, c.applied(city, seal).raw)
        asked = self.given(monkeypatch, *map(seal_signature, values), seal_signature(b"no", "Sign"))
        assert signing_time(OFD, world.trust) == c.SIGNED + timedelta(hours=1)
        assert asked == [(OFD, STRANGERS)]

    def test_signatures_of_another_kind_say_nothing(self, world, city, monkeypatch):
        value = c.applied(city, c.new_seal(city)).raw
        self.given(monkeypatch, seal_signature(value, "Sign"))
        assert refused(OFD, world.trust) == "judge_no_signing_time"

    def test_of_some_that_know_no_time_the_others_say_it(self, world, monkeypatch):
        times = {b"1": None, b"2": w.ISSUED}
        parsed = {value: SimpleNamespace(signed=SimpleNamespace(time=at)) for value, at in times.items()}
        monkeypatch.setattr(moments, "parse_signature", parsed.__getitem__)
        self.given(monkeypatch, seal_signature(b"1"), seal_signature(b"2"))
        assert signing_time(OFD, world.trust) == w.ISSUED
        self.given(monkeypatch, seal_signature(b"1"))
        assert refused(OFD, world.trust) == "judge_no_signing_time"


def test_a_seal_signature_says_when_and_a_seal_does_not(world, city):
    seal = c.new_seal(city)
    assert signing_time(c.applied(city, seal).raw, world.trust) == c.SIGNED
    assert refused(seal.raw, world.trust) == "judge_no_signing_time"


@pytest.mark.parametrize(("before", "after"), [("", ""), (" \r\n\t", "\t\n\r ")])
def test_a_code_and_a_licence_were_issued_then(world, bundle, before, after):
    for text in (make_code(FACE, world.agriculture), bundle.to_json(), bundle.credential):
        assert signing_time(f"{before}{text}{after}".encode(), world.trust) == w.ISSUED


def test_text_that_cannot_be_decoded_is_a_coded_error(world):
    assert refused(b"ZT1:\xff", world.trust) == "base45_invalid"
    assert refused(b"{\xff", world.trust) == "json_invalid"
    assert refused(b"\xff", world.trust) != "internal"


def test_a_fault_of_a_reader_is_a_coded_error(world, monkeypatch):
    def breaks(_):
        raise LookupError("王小明")

    monkeypatch.setattr(moments, "recognise", breaks)
    with pytest.raises(FormatError) as caught:
        signing_time(b"", world.trust)
    assert (caught.value.code, caught.value.finding_params) == ("internal", {"detail": "LookupError"})
