"""One door for everything: each form recognised, judged, and never an exception."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from licence import authority, verifying
from licence.crl import Reason, Revocation
from licence.errors import FormatError
from licence.qr.code import make_code
from licence.report import Outcome, Verdict
from licence.trust import TrustStore
from licence.verify import verify
from licence.verifying import Form, codes, judge, recognise, replay, report, simple
from tests.licence import world as w
from tests.licence.qr.test_code import FACE
from tests.licence.seals import city as c

ROOT = Path(verifying.__file__).parents[2]
STATUS_20 = "https://licences.city.example/status/20"


@pytest.fixture(scope="module")
def city():
    return c.make_city()


@pytest.fixture(scope="module")
def trust(city, world):
    """The folder's own trust: only the root is pinned."""
    return TrustStore(anchors=(city.root.certificate,), log_verifiers=world.trust.log_verifiers)


@pytest.fixture(scope="module")
def code(world):
    return make_code(FACE, world.agriculture).encode()


def helpers(city):
    return city.issuing.chain_der[:1]


def revoked(city, key, at):
    entries = [Revocation(key.certificate.serial_number, at, Reason.KEY_COMPROMISE)]
    term = {"this_update": at, "next_update": at + timedelta(days=3650)}
    return authority.revocation_list(city.issuing, entries, number=1, **term)


def status(world, value=0, **changes):
    return w.status_token(world.status_key, value, **({"uri": STATUS_20} | changes))


def judge_code(world, code, *tokens, at=w.AT, trust=None, **options):
    options = {"certificates": world.agriculture.chain_der} | options
    return judge(code, trust or world.trust, at, status_tokens=tokens, **options)


class TestLicence:
    def test_is_judged_as_by_verify(self, world, bundle):
        data = bundle.to_json().encode()
        assert judge(data, world.trust, w.AT) == verify(data, world.trust, w.AT)
        assert judge(bundle.credential.encode(), world.trust, w.AT).exit_code == 11

    def test_a_list_that_revokes_its_signer_counts(self, world, bundle):
        data = bundle.to_json().encode()
        # The log proves that the licence is older than a revocation of today.
        issuing = world.agriculture.chain_der[1]
        parent = authority.certify_authority(
            world.root, w.private_key("issuing"), name="City issuing CA", starts=w.STARTS, ends=w.ENDS, serial=2
        )
        assert parent.chain_der[0] == issuing
        later = [Revocation(world.agriculture.certificate.serial_number, w.ISSUED + timedelta(hours=1))]
        before = [Revocation(world.agriculture.certificate.serial_number, w.ISSUED - timedelta(hours=1))]
        found = {}
        for name, entries in (("later", later), ("before", before)):
            term = {"this_update": w.AT, "next_update": w.UNTIL}
            crl = authority.revocation_list(parent, entries, number=1, **term)
            found[name] = judge(data, world.trust, w.AT, crls=[crl])
        assert found["later"].verdict is Verdict.PASSED
        assert "revoked_later" in [n.code for n in found["later"].steps[1].notes]
        assert (found["before"].verdict, found["before"].sub_indication) == (Verdict.FAILED, "REVOKED")
        assert found["before"].exit_code == 10
        assert found["before"].licence == {}


class TestSeal:
    def test_a_seal_passes(self, city, trust):
        found = judge(c.new_seal(city).raw, trust, c.AT, certificates=helpers(city))
        assert (found.form, found.verdict, found.exit_code) == (Form.SEAL, Verdict.PASSED, 0)
        assert found.facts["name"] == c.NAME

    def test_one_that_ended_is_not_in_force(self, city, trust):
        later = c.ENDS + timedelta(days=1)
        found = judge(c.new_seal(city).raw, trust, later, certificates=helpers(city))
        assert (found.verdict, found.sub_indication, found.exit_code) == (Verdict.FAILED, "EXPIRED", 12)

    def test_a_signature_without_its_document_stays_open(self, city, trust):
        found = judge(c.applied(city, c.new_seal(city)).raw, trust, c.AT, certificates=helpers(city))
        assert (found.form, found.verdict, found.exit_code) == (Form.SEAL_SIGNATURE, Verdict.INDETERMINATE, 11)
        assert found.sub_indication == "SIGNED_DATA_NOT_FOUND"
        assert [s.outcome for s in found.steps[:-1]] == [Outcome.PASSED] * 10
        assert found.facts == {}

    def test_a_revoked_maker_counts(self, city, trust):
        crl = revoked(city, city.maker, c.MADE - timedelta(days=1))
        found = judge(c.new_seal(city).raw, trust, c.AT, certificates=helpers(city), crls=[crl])
        assert (found.verdict, found.sub_indication, found.exit_code) == (Verdict.FAILED, "REVOKED", 10)

    def test_a_strangers_seal_is_open(self, city, world):
        stranger = w.make_root("stranger")
        trust = TrustStore(anchors=(stranger.certificate,), log_verifiers=world.trust.log_verifiers)
        for data in (c.new_seal(city).raw, c.applied(city, c.new_seal(city)).raw):
            found = judge(data, trust, c.AT)
            assert (found.verdict, found.sub_indication) == (Verdict.INDETERMINATE, "NO_CERTIFICATE_CHAIN_FOUND")

    def test_sm2_is_judged_where_the_policy_lists_it(self, world):
        city = c.make_city("sm2-sm3")
        seal = c.new_seal(city).raw
        anchors, logs = (city.root.certificate,), world.trust.log_verifiers
        allowing = TrustStore(anchors, logs, suites=frozenset({"sm2-sm3"}))
        assert judge(seal, allowing, c.AT, certificates=helpers(city)).verdict is Verdict.PASSED
        found = judge(seal, TrustStore(anchors, logs), c.AT, certificates=helpers(city))
        assert (found.verdict, found.sub_indication) == (Verdict.INDETERMINATE, "CRYPTO_CONSTRAINTS_FAILURE")
        none = TrustStore(anchors, logs, suites=frozenset({"ed25519"}))
        assert judge(seal, none, c.AT).deciding.code == "judge_suite_not_allowed"

    @pytest.mark.parametrize("kind", ["seal", "signature"])
    def test_no_byte_may_change(self, city, trust, kind):
        seal = c.new_seal(city)
        raw = seal.raw if kind == "seal" else c.applied(city, seal).raw
        for place in range(0, len(raw), 3):
            altered = raw[:place] + bytes([raw[place] ^ 1 << place % 8]) + raw[place + 1 :]
            assert judge(altered, trust, c.AT, certificates=helpers(city)).exit_code != 0, place


class TestCode:
    def test_passes_with_the_list_it_names(self, world, code):
        found = judge_code(world, code + b"\r\n", status(world), at=w.AT)
        # The index of the code lies at the end of a full list, that of the test's list is short.
        assert (found.form, found.deciding.code) == (Form.QR, "status_index_outside")
        short = make_code(changed(idx=w.IDX), world.agriculture).encode()
        found = judge_code(world, short, status(world))
        assert (found.verdict, found.exit_code) == (Verdict.PASSED, 0), found.text("en")
        assert found.facts["holder_name"] == "王小明"

    def test_the_list_decides(self, world):
        short = make_code(changed(idx=w.IDX), world.agriculture).encode()
        assert judge_code(world, short).deciding.code == "judge_status_missing"
        assert judge_code(world, short, status(world, uri=STATUS_20 + "0")).deciding.code == "judge_status_missing"
        both = (status(world), status(world, uri="https://other.example/20"))
        assert judge_code(world, short, *both).deciding.code == "judge_status_ambiguous"
        ended = judge_code(world, short, status(world), at=w.AT + timedelta(days=2))
        assert (ended.deciding.code, ended.exit_code) == ("status_too_old", 11)
        for value, word in ((1, "REVOKED"), (2, "SUSPENDED")):
            found = judge_code(world, short, status(world, value))
            assert (found.verdict, found.sub_indication, found.exit_code) == (Verdict.FAILED, word, 12)
        later = (status(world), status(world, 1, issued_at=w.ISSUED + timedelta(hours=1)))
        assert judge_code(world, short, *later).sub_indication == "REVOKED"

    def test_a_list_under_another_anchor_says_nothing(self, world):
        root = w.make_root("stranger")
        other = w.make_leaf(root, "other status", w.STATUS_OFFICE, role=authority.Role.STATUS)
        trust = TrustStore((world.root.certificate, root.certificate), world.trust.log_verifiers)
        short = make_code(changed(idx=w.IDX), world.agriculture).encode()
        token = w.status_token(other, uri=STATUS_20)
        assert judge_code(world, short, token, trust=trust).deciding.code == "judge_status_missing"
        assert judge_code(world, short, status(world), trust=trust).exit_code == 0

    def test_an_unknown_signer_is_open(self, world, code):
        found = judge_code(world, code, status(world), certificates=())
        assert (found.verdict, found.sub_indication) == (Verdict.INDETERMINATE, "NO_SIGNING_CERTIFICATE_FOUND")
        stranger = TrustStore((w.make_root("stranger").certificate,), world.trust.log_verifiers)
        found = judge_code(world, code, trust=stranger)
        assert (found.verdict, found.sub_indication) == (Verdict.INDETERMINATE, "NO_CERTIFICATE_CHAIN_FOUND")

    def test_validity_and_revocation(self, world):
        short = make_code(changed(idx=w.IDX), world.agriculture).encode()
        found = judge_code(world, short, status(world), at=w.UNTIL)
        assert (found.verdict, found.sub_indication, found.exit_code) == (Verdict.FAILED, "EXPIRED", 12)
        pinned = TrustStore(world.trust.anchors, world.trust.log_verifiers, licence_signers=frozenset({"0" * 64}))
        assert judge_code(world, short, status(world), trust=pinned).deciding.code == "issuer_not_pinned"

    def test_no_character_may_change(self, world):
        short = make_code(changed(idx=w.IDX), world.agriculture)
        token = status(world)
        for place in range(len(short)):
            other = "A" if short[place] != "A" else "B"
            altered = short[:place] + other + short[place + 1 :]
            assert judge_code(world, altered.encode(), token).exit_code != 0, place


def changed(**fields):
    return replace(FACE, **fields)


class TestDoor:
    @pytest.mark.parametrize(
        ("data", "form"),
        [
            (b"%PDF-1.7\n", Form.PDF),
            (b"PK\x03\x04", Form.OFD),
            (b"\x30\x00", Form.SEAL),
            (b"\x30\x05\x30\x03\x02\x01\x04", Form.SEAL_SIGNATURE),
            (b"\r\n ZT1:ABC", Form.QR),
            (b"", Form.LICENCE),
            (b"\xff\xfe", Form.LICENCE),
        ],
    )
    def test_recognises_and_refuses_what_is_broken(self, world, data, form):
        assert recognise(data) is form
        found = judge(data, world.trust, w.AT)
        assert (found.verdict, found.sub_indication, found.exit_code) == (Verdict.FAILED, "FORMAT_FAILURE", 10)
        assert found.text("zh") != found.text("en")
        json.loads(found.to_json())

    @pytest.mark.parametrize("error", [RuntimeError("王小明"), RecursionError(), MemoryError(), KeyError("x")])
    @pytest.mark.parametrize(
        ("reader", "data"),
        [
            ("pdf.read_signatures", b"%PDF-1.7\n"),
            ("seals.read_ofd", b"PK\x03\x04"),
            ("seals.verify_seal", b"\x30\x00"),
            ("seals.verify_signature", b"\x30\x05\x30\x03\x02\x01\x04"),
            ("codes.parse_code", b"ZT1:"),
            ("licences.verify", b"{}"),
        ],
    )
    def test_a_reader_that_breaks_is_a_verdict(self, world, monkeypatch, reader, data, error):
        def breaks(*_, **__):
            raise error

        monkeypatch.setattr(f"licence.verifying.{reader}", breaks)
        found = judge(data, world.trust, w.AT)
        assert (found.verdict, found.deciding.code, found.exit_code) == (Verdict.INDETERMINATE, "internal", 11)
        assert "王小明" not in found.text("zh") + found.to_json()
        assert type(error).__name__ in found.text("en")

    def test_a_panic_below_is_a_verdict_and_an_interrupt_is_not(self, world, monkeypatch):
        class PanicException(BaseException):
            pass

        for error, caught in ((PanicException, True), (KeyboardInterrupt, False)):

            def breaks(*_, error=error, **__):
                raise error

            monkeypatch.setattr(codes, "parse_code", breaks)
            if caught:
                assert judge(b"ZT1:", world.trust, w.AT).deciding.code == "internal"
            else:
                with pytest.raises(KeyboardInterrupt):
                    judge(b"ZT1:", world.trust, w.AT)

    def test_a_time_without_zone_is_the_callers_error(self, world):
        with pytest.raises(ValueError, match="time zone"):
            judge(b"", world.trust, datetime(2025, 3, 1))  # noqa: DTZ001 - what is tested

    def test_needs_cryptography_and_nothing_else(self):
        script = (
            "import sys, licence.verifying; print([m for m in sys.modules if m.split('.')[0] in "
            "{'yaml', 'catalog', 'hub', 'typst', 'fontTools', 'segno', 'pkcs11', 'duckdb', 'pyarrow', 'typer'}])"
        )
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT)
        assert done.stdout.strip() == "[]"


class TestDepths:
    def test_simple_is_two_lines(self, city, trust, bundle, world):
        for found in (judge(c.new_seal(city).raw, trust, c.AT), judge(bundle.to_json().encode(), world.trust, w.AT)):
            lines = simple(found, "en").splitlines()
            assert lines == [found.verdict.value, found.text("en").splitlines()[0]]

    def test_a_diagnostic_replays_and_under_another_policy(self, city, trust):
        seal, options = c.new_seal(city).raw, {"certificates": helpers(city)}
        found = judge(seal, trust, c.AT, **options)
        text = verifying.diagnostic(found, seal, trust, c.AT, **options)
        assert replay(text) == found
        assert replay(text, at=c.ENDS + timedelta(days=1)).exit_code == 12
        other = TrustStore((w.make_root("stranger").certificate,), trust.log_verifiers)
        assert replay(text, trust=other).sub_indication == "NO_CERTIFICATE_CHAIN_FOUND"

    @pytest.mark.parametrize(
        ("name", "value"),
        [("data", "AA=="), ("data", "?"), ("at", "soon"), ("at", "2025-01-01T00:00:00"), ("crls", [1]), ("trust", {})],
    )
    def test_a_diagnostic_that_was_altered_is_refused(self, city, trust, name, value):
        seal = c.new_seal(city).raw
        document = json.loads(verifying.diagnostic(judge(seal, trust, c.AT), seal, trust, c.AT))
        document["inputs"][name] = value
        with pytest.raises(FormatError) as caught:
            replay(json.dumps(document))
        assert caught.value.code == "diagnostic_malformed"

    def test_a_report_that_lacks_a_part_never_passes(self, city, trust):
        found = judge(c.new_seal(city).raw, trust, c.AT, certificates=helpers(city))
        short = report.DocumentReport(found.form, (report.Part(report.Section.SEAL, found.steps[:-1]),), found.at)
        assert (short.verdict, short.exit_code) == (Verdict.INDETERMINATE, 11)
        assert report.DocumentReport(Form.PDF, found.parts, found.at).verdict is Verdict.INDETERMINATE
        assert report.DocumentReport(Form.SEAL, (), found.at).verdict is Verdict.INDETERMINATE
