"""The use of seals: by their custodian alone, on record before it is signed."""

from __future__ import annotations

from datetime import timedelta
from unittest import mock

import pytest

from hub.seals.errors import NoSealForError, SealNotYoursError, SealOrderError, SealStateRefusedError
from hub.seals.usage import UseFilter
from hub.seals.using import Place
from hub.seals.words import RECORDED, SIGNED, Sort
from licence.ofd.container import pack, unpack
from licence.ofd.layout import Box
from licence.ofd.read import read_ofd
from licence.report import Verdict
from licence.seals import make
from licence.seals.algorithms import sm3
from licence.seals.register import Action
from licence.seals.structure import parse_signature
from licence.verifying import judge
from tests.hub.seals import city as c
from tests.licence import independent_seals
from tests.licence.ofd import paper
from tests.licence.pdf import papers

DIGEST = sm3(b"a document")


def ofd():
    return pack(paper.small_files())


@pytest.fixture
def code(office):
    return c.made(office)


def stamped(office, code, document=DIGEST, **changes):
    return office.stamp(code, document, **({"by": c.KEEPER, "purpose": "行政许可决定"} | changes))


def passed(office, data, digest=None):
    return judge(data, c.trust(office), office.clock.now, certificates=office.keys.certificates())


def test_an_ofd_passes_every_verifier(office, code):
    done = stamped(office, code, ofd(), place=Place(100, 200))
    report = passed(office, done.data)
    assert report.verdict is Verdict.PASSED, report.text("en")
    assert independent_seals.verify_ofd(done.data, c.independent_trust(office), office.clock.now) == 0
    (use,) = office.uses(code)
    (signature,) = read_ofd(done.data).signatures
    assert (use["state"], use["document_digest"]) == (SIGNED, signature.digest.hex())
    assert use["signature_digest"] == sm3(parse_signature(signature.value).signature).hex()


def test_a_digest_gets_a_signature_of_its_own(office, code):
    done = stamped(office, code)
    trust = c.independent_trust(office)
    assert independent_seals.verify_signature(done.data, DIGEST, trust, office.clock.now) == 0
    assert independent_seals.verify_signature(done.data, sm3(b"another"), trust, office.clock.now) == 10


def test_a_pdf_shows_the_seal_and_bears_the_departments_signature(office, code):
    done = stamped(office, code, papers.page())
    report = passed(office, done.data)
    assert report.verdict is Verdict.PASSED, report.text("en")
    (use,) = office.uses(code)
    assert (use["form"], use["document_digest"]) == ("pdf", sm3(papers.page()).hex())


def test_only_the_custodian(office, code):
    for by in (c.SECOND, c.OTHER):
        with pytest.raises(SealNotYoursError):
            stamped(office, code, by=by)
    assert not office.uses(code)


def test_not_while_disabled_destroyed_or_out_of_time(office, code):
    office.decide(code, Action.DISABLE, by=c.SECOND, ground=c.GROUND)
    with pytest.raises(SealStateRefusedError):
        stamped(office, code)
    office.decide(code, Action.ENABLE, by=c.SECOND, ground=c.GROUND)
    assert stamped(office, code).use
    office.destroy(code, by=c.KEEPER, ground=c.GROUND)
    with pytest.raises(SealStateRefusedError):
        stamped(office, code)
    office.destroy(code, by=c.SECOND, ground=c.GROUND)
    with pytest.raises(SealStateRefusedError):
        stamped(office, code)
    other = c.made(office, valid_from=c.NOW + timedelta(days=2))
    with pytest.raises(SealStateRefusedError):
        stamped(office, other)
    office.clock.pass_time(days=710)
    assert len(office.uses(code)) == 1


def test_not_after_its_end(office):
    code = c.made(office, valid_until=c.NOW + timedelta(days=3))
    office.clock.pass_time(days=4)
    with pytest.raises(SealStateRefusedError):
        stamped(office, code)
    assert not office.uses(code)


@pytest.mark.parametrize("document", [b"", b"hello", b"PK\x03\x04 no zip", b"%PDF-1.7 nothing", b"x" * 33])
def test_what_cannot_be_sealed_leaves_no_use(office, code, document):
    with pytest.raises(SealOrderError):
        stamped(office, code, document)
    assert not office.uses(code)


def test_an_ofd_that_names_no_signatures_or_has_one(office, code):
    files = dict(unpack(ofd()).files)
    files["OFD.xml"] = files["OFD.xml"].replace(b"/Doc_0/Signs/Signatures.xml", b"/elsewhere.xml")
    with pytest.raises(SealOrderError):
        stamped(office, code, pack(files))
    once = stamped(office, code, ofd()).data
    with pytest.raises(SealOrderError):
        stamped(office, code, once)


def test_a_purpose_is_wanted(office, code):
    with pytest.raises(SealOrderError):
        stamped(office, code, purpose=" ")


def test_the_record_is_before_the_signature(office, code):
    """Killed between the two: a use that is told as such, and no signature without one."""
    key = office.keys.custodian(c.KEEPER)
    seen = []

    def killed(self, data):
        seen.extend(office.uses(code))
        raise KeyboardInterrupt

    with mock.patch.object(type(key), "sign_der", killed), pytest.raises(KeyboardInterrupt):
        stamped(office, code)
    assert [use["state"] for use in seen] == [RECORDED]
    assert [use["state"] for use in office.uses(code)] == [RECORDED]
    assert [e.facts["use"] for e in c.entries(office, "seal.used")] == [seen[0]["id"]]


@pytest.mark.parametrize("document", [DIGEST, ofd(), papers.page()], ids=["digest", "ofd", "pdf"])
def test_without_a_record_nothing_is_signed(office, code, document):
    signed = []

    def look(self, data):
        signed.append(data)
        raise AssertionError

    kind = type(office.keys.custodian(c.KEEPER))
    office.keys.documents("RS")
    with (
        mock.patch.object(kind, "sign_der", look),
        mock.patch.object(type(office.evidence), "append", side_effect=OSError),
        pytest.raises(OSError),
    ):
        stamped(office, code, document)
    assert not signed
    assert not office.uses(code)


def test_the_log_tells_neither_purpose_nor_digest(office, code):
    stamped(office, code)
    (entry,) = c.entries(office, "seal.used")
    assert set(entry.facts) == {"seal", "use", "form", "count"}
    leaves = b"".join(office.evidence.log.entries(0, office.evidence.log.size))
    assert DIGEST.hex().encode() not in leaves
    assert "行政许可决定".encode() not in leaves


class TestAutomatic:
    @pytest.fixture
    def code(self, office):
        return c.made(office, sort=Sort.LICENCE)

    def authorised(self, office, code, kinds=(c.KIND,), **changes):
        until = changes.pop("until", office.clock.now + timedelta(days=30))
        return office.authorise(code, kinds, until, **({"by": c.KEEPER, "ground": c.GROUND} | changes))

    def test_only_what_was_authorised(self, office, code):
        with pytest.raises(NoSealForError):
            office.seal_for("RS", c.KIND)
        self.authorised(office, code)
        assert office.seal_for("RS", c.KIND).code == code
        for department, kind in (("RS", "another"), ("GA", c.KIND)):
            with pytest.raises(NoSealForError):
                office.seal_for(department, kind)
        office.clock.pass_time(days=31)
        with pytest.raises(NoSealForError):
            office.seal_for("RS", c.KIND)

    def test_by_the_custodian_and_within_bounds(self, office, code):
        with pytest.raises(SealNotYoursError):
            self.authorised(office, code, by=c.SECOND)
        for wrong in ({"until": c.NOW + timedelta(days=400)}, {"until": c.NOW}, {"kinds": ("k" * 41,)}):
            with pytest.raises(SealOrderError):
                self.authorised(office, code, **wrong)
        with pytest.raises(SealOrderError):
            self.authorised(office, c.made(office))

    def test_ended_or_disabled_it_stops_at_once(self, office, code):
        self.authorised(office, code)
        seal = office.seal_for("RS", c.KIND)
        terms = {"at": office.clock.now, "purpose": "证照签发", "path": "/x"}
        assert len(seal.signatures([DIGEST], **terms)) == 1
        self.authorised(office, code, kinds=())
        with pytest.raises(NoSealForError):
            seal.signatures([DIGEST], **terms)
        self.authorised(office, code)
        office.decide(code, Action.DISABLE, by=c.SECOND, ground=c.GROUND)
        with pytest.raises((NoSealForError, SealStateRefusedError)):
            seal.signatures([DIGEST], **terms)
        office.decide(code, Action.ENABLE, by=c.SECOND, ground=c.GROUND)
        with pytest.raises(NoSealForError):
            office.seal_for("RS", c.KIND)

    def test_a_group_is_one_entry_and_every_use_counts(self, office, code):
        self.authorised(office, code)
        seal = office.seal_for("RS", c.KIND)
        digests = [sm3(bytes([i])) for i in range(5)]
        made = seal.signatures(
            digests, at=office.clock.now, purpose="证照签发", path="/Doc_0/Signs/Sign_0/Signature.xml"
        )
        trust = c.independent_trust(office)
        for digest, signature in zip(digests, made, strict=True):
            assert independent_seals.verify_signature(signature, digest, trust, office.clock.now) == 0
        (use,) = office.uses(code)
        assert (use["count"], use["automatic"], use["state"]) == (5, True, SIGNED)
        assert use["document_digest"] == sm3(b"".join(digests)).hex()
        (entry,) = c.entries(office, "seal.used")
        assert (entry.facts["count"], entry.facts["kind"]) == (5, c.KIND)
        assert office.used(code) == 5

    def test_documents(self, office, code):
        self.authorised(office, code)
        seal, at = office.seal_for("RS", c.KIND), office.clock.now
        sealed = seal.stamp_ofd(paper.small_files(), Box(130, 215, 42, 42), at=at, purpose="证照签发")
        assert passed(office, sealed).verdict is Verdict.PASSED
        assert passed(office, seal.stamp_pdf(papers.page(), at=at, purpose="证照签发")).verdict is Verdict.PASSED
        assert office.used(code) == 2


def test_a_key_that_the_seal_does_not_name_leaves_no_use(office, code):
    other = office.keys.custodian(c.OTHER)
    with mock.patch.object(office, "keeper_key", return_value=other), pytest.raises(SealNotYoursError):
        stamped(office, code)
    assert not office.uses(code)


def test_what_is_applied_reads_back_the_same(office, code):
    made = make.apply_seal(
        make.parse_seal(office.seal_file(code)),
        make.signer_of(office.keys.custodian(c.KEEPER)),
        document_digest=DIGEST,
        at=office.clock.now,
        property_info="/x",
    )
    assert parse_signature(made.raw) == made


def test_uses_are_found_by_whom_form_state_and_time(office, code):
    first = stamped(office, code).use
    office.clock.pass_time(days=2)
    second = stamped(office, code, papers.page()).use
    key = office.keys.custodian(c.KEEPER)
    with mock.patch.object(type(key), "sign_der", side_effect=KeyboardInterrupt), pytest.raises(KeyboardInterrupt):
        stamped(office, code)
    (third,) = [use["id"] for use in office.uses(code, wanted=UseFilter(state=RECORDED))]

    def found(**wanted):
        uses = {use["id"] for use in office.uses(code, wanted=UseFilter(**wanted))}
        assert office.use_count(code, wanted=UseFilter(**wanted)) == len(uses)
        return uses

    assert found() == {first, second, third}
    assert found(form="pdf") == {second}
    assert found(state=SIGNED) == {first, second}
    assert found(by=c.KEEPER) == found()
    assert found(by=c.SECOND) == set()
    assert found(until=c.NOW + timedelta(days=1)) == {first}
    assert found(since=c.NOW + timedelta(days=1), form="digest") == {third}
