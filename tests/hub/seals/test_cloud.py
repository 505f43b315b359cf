"""Remote signatures: one person, one key of their own, one document, once."""

from __future__ import annotations

import multiprocessing
from datetime import timedelta
from unittest import mock

import pytest
from cryptography import x509

from hub.control import Control
from hub.evidence import Evidence
from hub.seals import Seals
from hub.seals.asking import waiting_for
from hub.seals.errors import (
    ProofRefusedError,
    SealNotYoursError,
    SealOrderError,
    SealStateRefusedError,
    SignerLockedError,
)
from hub.seals.words import RECORDED, SIGNED
from hub.settings import Settings
from licence.certificates import public_key_of
from licence.errors import SealProofError
from licence.ofd.container import pack
from licence.pdf.read import read_signatures
from licence.report import Verdict
from licence.seals import otp
from licence.seals.algorithms import sm3
from licence.seals.structure import parse_signature
from licence.sm2 import Sm2PrivateKey
from licence.suites import SM2_SM3
from licence.verifying import judge
from tests.hub.seals import city as c
from tests.licence import independent_seals
from tests.licence.ofd import paper
from tests.licence.pdf import papers

DIGEST = sm3(b"a decision")


@pytest.fixture
def person(office):
    enrolled, code = c.person_seal(office)
    return enrolled, code


def asked(office, code, document=DIGEST):
    return office.ask(code, document, purpose="签批", by=c.SECOND)["id"]


def approved(office, enrolled, id_, **changes):
    terms = {"by": c.PERSON, "pin": c.PIN, "password": c.password(office, enrolled)} | changes
    return office.approve(id_, **terms)


def test_asked_approved_signed(office, person):
    enrolled, code = person
    id_ = asked(office, code)
    done = office.sign(approved(office, enrolled, id_), DIGEST)
    trust = c.independent_trust(office)
    assert independent_seals.verify_signature(done.data, DIGEST, trust, office.clock.now) == 0
    assert parse_signature(done.data).certificate == enrolled.certificate
    assert office.approval(id_)["state"] == "spent"
    (use,) = office.uses(code)
    assert (use["by"], use["approval"], use["state"]) == (c.PERSON, id_, SIGNED)


def test_an_ofd_in_one_step(office, person):
    enrolled, code = person
    document = pack(paper.small_files())
    id_ = asked(office, code, document)
    office.clock.pass_time(minutes=3)
    proof = {"by": c.PERSON, "pin": c.PIN, "password": c.password(office, enrolled)}
    other = pack(paper.files(issuer="某市另一局"))
    with pytest.raises(SealOrderError):
        office.approve_and_sign(id_, other, **proof)
    done = office.approve_and_sign(id_, document, **proof)
    report = judge(done.data, c.trust(office), office.clock.now, certificates=office.keys.certificates())
    assert report.verdict is Verdict.PASSED, report.text("en")


def test_neither_the_pin_nor_the_hub_alone_opens_the_key(office, person):
    row = _signer(office)
    locks = office.locks(c.PERSON, c.PIN, row["salt"])
    assert (
        public_key_of(x509.load_der_x509_certificate(person[0].certificate)) == office.open_key(row, locks).public_key()
    )
    with pytest.raises(SealProofError):
        office.open_key(row, office.locks(c.PERSON, "another-pin", row["salt"]))
    with mock.patch.object(type(office.keyring), "secret", return_value=bytes(32)), pytest.raises(SealProofError):
        office.open_key(row, office.locks(c.PERSON, c.PIN, row["salt"]))
    with pytest.raises(SealProofError):
        office.open_key({**row, "key": row["key"][:-1] + bytes([row["key"][-1] ^ 1])}, locks)


def test_every_person_has_another_key(office, person):
    other = office.add_signer("RS:deputy-3", c.PIN, by=c.SECOND)
    assert other.certificate != person[0].certificate
    assert isinstance(
        office.open_key(_signer(office), office.locks(c.PERSON, c.PIN, _signer(office)["salt"])), Sm2PrivateKey
    )


def test_nobody_else_approves(office, person):
    enrolled, code = person
    id_ = asked(office, code)
    with pytest.raises(SealNotYoursError):
        approved(office, enrolled, id_, by=c.SECOND)
    with pytest.raises(SealNotYoursError):
        office.decline(id_, by=c.SECOND)
    assert office.approval(id_)["failures"] == 0


def test_the_custodian_cannot_stamp_without_proof(office, person):
    with pytest.raises(SealOrderError):
        office.stamp(person[1], DIGEST, by=c.PERSON, purpose="签批")
    assert not office.uses(person[1])


def test_another_document(office, person):
    enrolled, code = person
    opened = approved(office, enrolled, asked(office, code))
    with pytest.raises(SealOrderError):
        office.sign(opened, sm3(b"another"))
    assert not office.uses(code)


def test_ten_minutes(office, person):
    enrolled, code = person
    id_ = asked(office, code)
    opened = approved(office, enrolled, id_)
    late = asked(office, code)
    office.clock.pass_time(minutes=10)
    with pytest.raises(SealStateRefusedError):
        office.sign(opened, DIGEST)
    with pytest.raises(SealStateRefusedError):
        approved(office, enrolled, late)
    assert not office.uses(code)


def test_declined(office, person):
    enrolled, code = person
    id_ = asked(office, code)
    assert office.decline(id_, by=c.PERSON)["state"] == "declined"
    with pytest.raises(SealStateRefusedError):
        approved(office, enrolled, id_)


def test_a_password_is_taken_once(office, person):
    enrolled, code = person
    used = c.password(office, enrolled)
    approved(office, enrolled, asked(office, code), password=used)
    with pytest.raises(ProofRefusedError):
        approved(office, enrolled, asked(office, code), password=used)
    office.clock.pass_time(seconds=30)
    assert approved(office, enrolled, asked(office, code)).person == c.PERSON


def test_a_password_is_used_up_by_a_wrong_pin(office, person):
    enrolled, code = person
    id_, used = asked(office, code), c.password(office, enrolled)
    with pytest.raises(ProofRefusedError):
        approved(office, enrolled, id_, pin="wrong-pin", password=used)
    with pytest.raises(ProofRefusedError):
        approved(office, enrolled, id_, password=used)
    assert office.approval(id_)["failures"] == 2


def test_five_wrong_proofs_lock_for_good(office, person):
    enrolled, code = person
    first, second = asked(office, code), asked(office, code)
    for number in range(5):
        id_ = first if number < 3 else second
        office.clock.pass_time(seconds=30)
        with pytest.raises(SignerLockedError if number == 4 else ProofRefusedError):
            approved(office, enrolled, id_, pin="wrong-pin")
    office.clock.pass_time(seconds=30)
    again = Seals.over(office.settings, Control.attach(office.settings), office.evidence)
    again.clock = office.clock
    with pytest.raises(SignerLockedError):
        again.approve(first, by=c.PERSON, pin=c.PIN, password=c.password(office, enrolled))
    with pytest.raises(SignerLockedError):
        asked(office, code)
    failures = [e.facts["failures"] for e in c.entries(office, "seal.approval") if "failures" in e.facts]
    assert failures == [1, 2, 3, 1, 2]
    again.control.close()


def test_a_right_proof_forgets_the_wrong_ones(office, person):
    enrolled, code = person
    id_ = asked(office, code)
    with pytest.raises(ProofRefusedError):
        approved(office, enrolled, id_, pin="wrong-pin")
    office.clock.pass_time(seconds=30)
    approved(office, enrolled, id_)
    assert _signer(office)["failures"] == 0


def test_a_lost_pin(office, person):
    enrolled, code = person
    id_ = asked(office, code)
    with pytest.raises(SealStateRefusedError):
        office.add_signer(c.PERSON, "another-pin", by=c.SECOND)
    with pytest.raises(SealOrderError):
        office.renew_signer(c.PERSON, "another-pin", by=c.SECOND, ground=" ")
    renewed = office.renew_signer(c.PERSON, "another-pin", by=c.SECOND, ground="PIN 码遗失")
    assert (renewed.number, office.show(code)["state"]) == (2, "disabled")
    assert [s["state"] for s in office.signers("RS")] == ["ended", "active"]
    serial = f"{x509.load_der_x509_certificate(enrolled.certificate).serial_number:x}"
    (kept,) = [k for k in office.keys.kept() if k.serial.lower().lstrip("0") == serial or k.der == enrolled.certificate]
    assert kept.revoked_at is not None
    assert any(r.serial_number == int(serial, 16) for der in office.keys.crls() for r in x509.load_der_x509_crl(der))
    with pytest.raises(SealNotYoursError):
        office.renew_signer(c.PERSON, "another-pin", by=c.PERSON, ground="PIN 码遗失")
    with pytest.raises((ProofRefusedError, SealStateRefusedError)):
        office.sign(approved(office, enrolled, id_), DIGEST)
    with pytest.raises(ProofRefusedError):
        approved(office, renewed, asked_again(office, code), pin=c.PIN)


def asked_again(office, code):
    from licence.seals.register import Action

    later = office.transfer(code, c.PERSON, by=c.KEEPER, ground=c.GROUND)["code"]
    office.decide(later, Action.APPROVE, by=c.SECOND, ground=c.GROUND)
    return asked(office, later)


@pytest.mark.parametrize("pin", ["12345", "111111", "123456", "987654", "x" * 65, "一二三四五六", "12\n456", "121212"])
def test_plain_pins(office, pin):
    with pytest.raises(SealOrderError):
        office.add_signer(c.PERSON, pin, by=c.SECOND)
    assert not office.signers()


def test_killed_between_spending_and_signing(office, person):
    enrolled, code = person
    id_ = asked(office, code)
    opened = approved(office, enrolled, id_)
    with mock.patch.object(Sm2PrivateKey, "sign", side_effect=KeyboardInterrupt), pytest.raises(KeyboardInterrupt):
        office.sign(opened, DIGEST)
    assert [u["state"] for u in office.uses(code)] == [RECORDED]
    with pytest.raises(SealStateRefusedError):
        office.sign(opened, DIGEST)


def test_nothing_of_pin_key_or_password_is_told(office, person):
    enrolled, code = person
    secret = enrolled.otp_uri.split("secret=")[1].split("&")[0]
    opened = approved(office, enrolled, asked(office, code))
    shown = repr((office.signers(), enrolled, opened, office.approvals(c.PERSON)))
    assert secret not in shown
    assert c.PIN not in shown
    files = [f for f in office.settings.home.rglob("*") if f.is_file()]
    assert not any(c.PIN.encode() in f.read_bytes() or secret.encode() in f.read_bytes() for f in files)
    assert not any(c.secret_of(enrolled) in f.read_bytes() for f in files)


def _spend(home, opened, now, start, results):
    settings = Settings.at(home)
    control = Control.attach(settings)
    evidence = Evidence.open(settings, clock=lambda: now)
    office = Seals.over(settings, control, evidence)
    approval, person, pem, certificate = opened
    from hub.seals.cloud import Opened

    mine = Opened(approval, person, Sm2PrivateKey.from_pem(pem, b"a passphrase"), certificate)
    start.wait()
    try:
        results.put(office.sign(mine, DIGEST).use)
    except SealStateRefusedError:
        results.put("")


def test_two_processes_spend_once(office, person):
    enrolled, code = person
    opened = approved(office, enrolled, asked(office, code))
    parts = (opened.approval, opened.person, opened.key.to_pem(b"a passphrase"), opened.certificate)
    context = multiprocessing.get_context("spawn")
    start, results = context.Barrier(2), context.Queue()
    terms = (office.settings.home, parts, office.clock.now, start, results)
    both = [context.Process(target=_spend, args=terms) for _ in range(2)]
    for one in both:
        one.start()
    outcomes = sorted(results.get(timeout=60) for _ in both)
    for one in both:
        one.join()
    assert outcomes[0] == ""
    assert [u["id"] for u in office.uses(code)] == [outcomes[1]]


class TestPasswords:
    # RFC 6238 appendix B, SHA-1, of whose eight digits the last six are ours.
    VECTORS = ((59, "94287082"), (1111111109, "07081804"), (1234567890, "89005924"), (20000000000, "65353130"))

    @pytest.mark.parametrize(("seconds", "expected"), VECTORS)
    def test_vectors(self, seconds, expected):
        assert otp.password(b"12345678901234567890", seconds // 30) == expected[2:]

    def test_the_window_is_a_step_each_way(self):
        secret = bytes(20)
        step = otp.step_at(c.NOW)
        for away in (-1, 0, 1):
            assert otp.check(secret, otp.password(secret, step + away), at=c.NOW, last_step=0) == step + away
        for away in (-2, 2):
            with pytest.raises(SealProofError):
                otp.check(secret, otp.password(secret, step + away), at=c.NOW, last_step=0)
        for wrong in ("", "000000", "１２３４５６", "\ud800", otp.password(secret, step)[:5]):
            with pytest.raises(SealProofError):
                otp.check(secret, wrong, at=c.NOW + timedelta(days=1), last_step=0)

    def test_not_twice(self):
        secret = bytes(20)
        step = otp.step_at(c.NOW)
        given = otp.password(secret, step)
        assert otp.check(secret, given, at=c.NOW, last_step=step - 1) == step
        with pytest.raises(SealProofError):
            otp.check(secret, given, at=c.NOW, last_step=step)


def _signer(office):
    from hub.seals import store

    with office.control.reading() as connection:
        return store.signer_row(connection, c.PERSON)


class TestPdf:
    def test_it_bears_the_persons_own_certificate_and_passes(self, office, person):
        enrolled, code = person
        id_ = office.ask(code, papers.page(), purpose="签批", title="人社复〔2026〕3 号", by=c.SECOND)["id"]
        shown = office.approval(id_)
        assert (shown["form"], shown["title"]) == ("pdf", "人社复〔2026〕3 号")
        assert shown["document_digest"] == sm3(papers.page()).hex()
        done = office.sign(approved(office, enrolled, id_), papers.page())
        (signature,) = read_signatures(done.data, [SM2_SM3]).signatures
        assert (signature.chain[0], signature.suite, signature.reason) == (enrolled.certificate, SM2_SM3, "签批")
        report = judge(done.data, c.trust(office), office.clock.now, certificates=office.keys.certificates())
        assert report.verdict is Verdict.PASSED, report.text("en")
        (use,) = office.uses(code)
        assert (use["form"], use["by"], use["approval"], use["state"]) == ("pdf", c.PERSON, id_, SIGNED)
        assert office.approval(id_)["state"] == "spent"

    def test_an_altered_one_does_not_pass(self, office, person):
        enrolled, code = person
        id_ = asked(office, code, papers.page())
        done = office.sign(approved(office, enrolled, id_), papers.page()).data
        at = done.index(b"/MediaBox")
        altered = done[:at] + b"/mediaBox" + done[at + 9 :]
        report = judge(altered, c.trust(office), office.clock.now, certificates=office.keys.certificates())
        assert report.verdict is Verdict.FAILED

    def test_another_one_is_refused_before_the_proof(self, office, person):
        enrolled, code = person
        id_ = asked(office, code, papers.page())
        proof = {"by": c.PERSON, "pin": c.PIN, "password": c.password(office, enrolled)}
        with pytest.raises(SealOrderError):
            office.approve_and_sign(id_, papers.page() + b"\n", **proof)
        assert office.approve_and_sign(id_, papers.page(), **proof).form == "pdf"

    @pytest.mark.parametrize("document", [b"%PDF-1.7 nothing", b""], ids=["broken", "empty"])
    def test_nobody_is_asked_for_what_cannot_be_signed(self, office, person, document):
        with pytest.raises(SealOrderError):
            asked(office, person[1], document)
        assert office.approval_count(c.PERSON) == 0

    def test_one_that_is_signed_already_is_not_signed_again(self, office, person):
        enrolled, code = person
        once = office.sign(approved(office, enrolled, asked(office, code, papers.page())), papers.page()).data
        with pytest.raises(SealOrderError):
            asked(office, code, once)


@pytest.mark.parametrize("title", ["张三 110105194912310020", "13800138000", "x" * 101, "a\nb"])
def test_a_title_names_no_person(office, person, title):
    with pytest.raises(SealOrderError):
        office.ask(person[1], DIGEST, purpose="签批", title=title, by=c.SECOND)


def test_requests_are_found_by_whom_they_ask_and_who_asked(office, person):
    _, code = person
    first, second = asked(office, code), asked(office, code)
    office.decline(first, by=c.PERSON)
    assert [one["id"] for one in office.approvals(c.PERSON)] == [second, first]
    assert [one["id"] for one in office.approvals(c.PERSON, limit=1, offset=1)] == [first]
    assert office.approvals(asked_by=c.PERSON) == []
    assert office.approval_count(asked_by=c.SECOND) == 2
    assert [one["id"] for one in office.approvals(c.PERSON, state="asked")] == [second]
    assert waiting_for(office.control, c.PERSON, office.clock.now) == 1
    office.clock.pass_time(minutes=10)
    assert office.approval_count(c.PERSON, state="asked") == 0
    assert waiting_for(office.control, c.PERSON, office.clock.now) == 0
    assert not office.signers("RS")[0]["locked"]
