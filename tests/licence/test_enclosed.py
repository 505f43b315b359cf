"""Bundles with lists, a time stamp and documents: what they add, and that nothing is trusted for being enclosed."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

pytest.importorskip("typst", reason="needs the extra `documents`")

from licence import authority
from licence.bundle import DOCUMENT_FORMS, FORMAT, FORMAT_2, LicenceBundle
from licence.errors import FormatError
from licence.report import Verdict
from licence.status.history import StatusVersion, to_json
from licence.timestamping import stamp
from licence.trust import TrustStore
from licence.verify import verify
from licence.verifying import diagnostic, judge, replay, signing_time
from tests.licence import world as w
from tests.licence.forging import both
from tests.licence.pdf import archives as a
from tests.licence.pdf import papers as p

HOUR = timedelta(hours=1)


@pytest.fixture(scope="module")
def world():
    return a.world()


@pytest.fixture(scope="module")
def sealed(world):
    return w.seal(world.agriculture)


@pytest.fixture(scope="module")
def plain(world, sealed):
    return w.bundle_of(world, sealed, w.status_token(world.status_key))


def token_for(bundle, at=a.STAMPED, key=None):
    signed = bundle.credential.partition("~")[0].encode()
    return stamp(a.stamper(at, key), signed, suites=a.SUITES)


def pdf_of(identifier):
    return p.sealed(a.signing_key(), a.identified(identifier))


@pytest.fixture(scope="module")
def whole(plain):
    document = pdf_of(plain.identifier)
    return replace(plain, crls=a.lists(), timestamp=token_for(plain), documents={"pdf": document})


def notes(report):
    return [n.code for s in report.steps for n in s.notes]


def revoked(world, since, at=a.LISTED):
    return a.lists(at, revoked=[(world.agriculture.certificate.serial_number, since)])


class TestForm:
    def test_what_has_nothing_new_keeps_its_text(self, plain, whole):
        assert json.loads(plain.to_json())["format"] == FORMAT
        assert json.loads(whole.to_json())["format"] == FORMAT_2
        for bundle in (plain, whole, replace(whole, documents={}), replace(whole, crls=(), timestamp=None)):
            assert LicenceBundle.from_json(bundle.to_json()) == bundle
            assert LicenceBundle.from_json(bundle.to_json()).to_json() == bundle.to_json()

    @given(
        crls=st.lists(st.binary(min_size=1, max_size=40), max_size=16),
        token=st.none() | st.binary(min_size=1, max_size=60),
        documents=st.dictionaries(st.sampled_from(DOCUMENT_FORMS), st.binary(min_size=1, max_size=60)),
    )
    @settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    def test_what_is_written_is_read(self, plain, crls, token, documents):
        bundle = replace(plain, crls=tuple(crls), timestamp=token, documents=documents)
        text = bundle.to_json()
        assert LicenceBundle.from_json(text) == bundle
        assert LicenceBundle.from_json(text).to_json() == text

    def test_one_text_for_each_bundle(self, plain, whole):
        for text in (
            plain.to_json().replace("bundle/1", "bundle/2"),
            whole.to_json().replace("bundle/2", "bundle/1"),
            whole.to_json().replace("bundle/2", "bundle/3"),
        ):
            with pytest.raises(FormatError):
                LicenceBundle.from_json(text)

    @pytest.mark.parametrize(
        "members",
        [
            {"crls": []},
            {"crls": "x"},
            {"crls": ["?"]},
            {"crls": ["AAAA"] * 17},
            {"crls": [1]},
            {"timestamp": None},
            {"timestamp": ["AAAA"]},
            {"timestamp": "A" * 100_000},
            {"documents": {}},
            {"documents": []},
            {"documents": {"doc": "AAAA"}},
            {"documents": {"pdf": 1}},
            {"documents": {"pdf": "AAAA", "ofd": "AAAA"}},
            {"more": 1},
        ],
    )
    def test_what_is_not_of_the_form_is_refused(self, world, plain, members):
        text = json.dumps(json.loads(plain.to_json()) | {"format": FORMAT_2} | members)
        with pytest.raises(FormatError):
            LicenceBundle.from_json(text)
        assert both(text, world.trust, w.AT).exit_code == 10


class TestWhole:
    def test_it_passes_and_says_by_what(self, world, whole):
        found = judge(whole.to_json().encode(), world.trust, w.AT)
        assert found.verdict is Verdict.PASSED, found.text("en")
        assert [s.name for s in found.steps][-1] == "documents"
        assert {"judge_time_stamp_ok", "revocation_checked"} <= set(notes(found))
        assert "document_not_judged" not in notes(found)
        assert found.licence["time_stamp"] == "2025-03-01T08:01:00Z"
        zh, en = found.text("zh"), found.text("en")
        assert "9. 所附文档 — 通过" in zh
        assert "9. Documents — passed" in en
        assert both(whole, world.trust, w.AT).exit_code == 0
        # Without the door the documents are named as not judged.
        assert "document_not_judged" in notes(verify(whole, world.trust, w.AT))

    def test_replayed_it_is_the_same(self, world, whole):
        data = whole.to_json().encode()
        found = judge(data, world.trust, w.AT)
        again = replay(diagnostic(found, data, world.trust, w.AT))
        assert again.to_json() == found.to_json()

    def test_no_flipped_byte_passes_unsaid(self, world, whole):
        text = whole.to_json().encode()
        start = text.index(b'"crls"')
        said = {"crl_ignored", "enclosed_list_unused", "judge_certificates_loose", "enclosed_stamp_unused"}
        for place in [*range(start, len(text), max(1, (len(text) - start) // 400)), 15, 40, 42]:
            altered = text[:place] + bytes([text[place] ^ 1 << place % 7]) + text[place + 1 :]
            found = judge(altered, world.trust, w.AT)
            if found.exit_code == 0:
                assert said & set(notes(found)), place


class TestTimeStamp:
    def test_a_stamp_of_something_else_refuses_the_bundle(self, world, plain, sealed):
        other = stamp(a.stamper(), b"other", suites=a.SUITES)
        for token in (other, other[:-1], b"", token_for(plain)[:-1] + b"\0"):
            found = both(replace(plain, timestamp=token or b"0"), world.trust, w.AT)
            assert (found.verdict, found.exit_code) == (Verdict.FAILED, 10)

    def test_a_stamp_before_the_signing_contradicts_it(self, world, plain):
        found = both(replace(plain, timestamp=token_for(plain, w.ISSUED - HOUR)), world.trust, w.AT)
        assert found.deciding.code == "judge_time_stamp_contradicts"

    def test_a_strangers_stamp_proves_nothing_and_harms_nothing(self, world, plain):
        key = p.stamping_key(w.make_root("stranger"))
        found = both(replace(plain, timestamp=token_for(plain, key=key)), world.trust, w.AT)
        assert (found.exit_code, "time_stamp" in found.licence) == (0, False)
        assert "enclosed_stamp_unused" in notes(found)

    def test_it_proves_the_signature_older_than_a_revocation(self, world, plain):
        late = plain.entry.replace(b"T08:00:00", b"T09:30:00")
        assert late != plain.entry
        bundle = replace(plain, entry=late, proof=w.prove([late], 0, world.log_key))
        lists = revoked(world, w.ISSUED + HOUR, w.ISSUED + 2 * HOUR)
        assert both(replace(bundle, crls=lists), world.trust, w.AT).sub_indication == "REVOKED_NO_POE"
        assert both(replace(bundle, crls=lists, timestamp=token_for(bundle)), world.trust, w.AT).exit_code == 0
        key = p.stamping_key(w.make_root("stranger"))
        strange = replace(bundle, crls=lists, timestamp=token_for(bundle, key=key))
        assert both(strange, world.trust, w.AT).sub_indication == "REVOKED_NO_POE"

    def test_it_stands_in_for_a_log_that_was_late(self, world, sealed):
        key = w.make_leaf(a.issuing(), "agriculture", w.AGRICULTURE, ends=w.ISSUED + HOUR)
        licence = w.seal(key)
        entry = w.issued_entry(licence, w.ISSUED + 2 * HOUR)
        bundle = w.bundle_of(world, licence, w.status_token(world.status_key), entry=entry)
        at = w.AT + HOUR
        assert both(bundle, world.trust, at).sub_indication == "OUT_OF_BOUNDS_NO_POE"
        assert both(replace(bundle, timestamp=token_for(bundle)), world.trust, at).exit_code == 0


class TestLists:
    def test_an_enclosed_list_counts_as_one_handed_in(self, world, plain):
        for since, expected in ((w.ISSUED - HOUR, "REVOKED"), (w.ISSUED + HOUR, "")):
            lists = revoked(world, since, w.ISSUED + 2 * HOUR)
            inside = both(replace(plain, crls=lists), world.trust, w.AT)
            assert inside.sub_indication == expected
            assert judge(plain.to_json().encode(), world.trust, w.AT, crls=lists).sub_indication == expected
            assert bool(inside.licence) == (not expected)

    def test_a_list_of_no_authority_of_the_chain_is_named(self, world, plain):
        root = w.make_root("stranger")
        crl = authority.revocation_list(root, [], number=1, this_update=a.LISTED, next_update=w.UNTIL)
        found = both(replace(plain, crls=(crl,)), world.trust, w.AT)
        assert (found.exit_code, "enclosed_list_unused" in notes(found)) == (0, True)

    def test_many_lists_do_not_crowd_out_those_handed_in(self, world, plain):
        many = tuple(crl for n in range(8) for crl in a.lists(a.LISTED + n * HOUR))
        lists = revoked(world, w.ISSUED - HOUR, w.ISSUED + 9 * HOUR)
        found = judge(replace(plain, crls=many).to_json().encode(), world.trust, w.AT + 12 * HOUR, crls=lists)
        assert found.sub_indication == "REVOKED"


class TestDocuments:
    def judge(self, world, plain, **documents):
        return judge(replace(plain, documents=documents).to_json().encode(), world.trust, w.AT)

    def test_of_another_licence_is_refused(self, world, plain):
        found = self.judge(world, plain, pdf=pdf_of(p.FACE.identifier))
        assert (found.deciding.code, found.exit_code) == ("document_differs", 10)
        assert p.FACE.identifier in found.text("zh")

    def test_that_names_no_licence_is_open(self, world, plain):
        found = self.judge(world, plain, pdf=p.sealed(a.signing_key()))
        assert (found.deciding.code, found.exit_code) == ("document_names_none", 11)

    def test_that_names_two_is_open(self, world, plain):
        pdf = p.sealed(a.signing_key(), a.identified(f"{plain.identifier} {p.FACE.identifier}"))
        assert self.judge(world, plain, pdf=pdf).deciding.code == "document_names_none"

    def test_altered_or_of_another_form_is_refused(self, world, plain):
        good = pdf_of(plain.identifier)
        altered = good[:5000] + bytes([good[5000] ^ 1]) + good[5001:]
        found = self.judge(world, plain, pdf=altered)
        assert (found.deciding.code, found.verdict) == ("document_refused", Verdict.FAILED)
        assert "{" not in found.text("zh") + found.text("en")
        assert self.judge(world, plain, ofd=good).deciding.code == "document_form_differs"

    def test_a_strangers_is_open(self, world, plain):
        root = w.make_root("stranger")
        pdf = p.sealed(w.make_leaf(root, "x", w.AGRICULTURE), a.identified(plain.identifier))
        found = self.judge(world, plain, pdf=pdf)
        assert (found.deciding.code, found.sub_indication) == ("document_open", "NO_CERTIFICATE_CHAIN_FOUND")

    def test_a_bad_bundle_is_not_made_better(self, world, plain):
        bundle = replace(
            plain, documents={"pdf": pdf_of(plain.identifier)}, proof=plain.proof.replace("index 5", "index 4")
        )
        assert judge(bundle.to_json().encode(), world.trust, w.AT).exit_code == 13


class TestAtSomeTime:
    def history(self, world, *states):
        """A list published at each hour with these values of the licence."""
        entries, tokens = [], []
        for number, value in enumerate(states):
            at = w.ISSUED + number * HOUR
            tokens.append(w.status_token(world.status_key, value, at))
            previous = {"previous": json.loads(entries[-1])["facts"]["token"]} if entries else {}
            entries.append(w.status_entry(tokens[-1], at, version=number + 1, **previous))
        proofs = [w.prove(entries, n, world.log_key) for n in range(len(entries))]
        return to_json(w.STATUS_URI, [StatusVersion(*v) for v in zip(entries, proofs, tokens, strict=True)])

    @pytest.mark.parametrize(("hours", "code"), [(0.5, "status_ok"), (1.5, "status_suspended"), (2.5, "status_ok")])
    def test_the_state_of_then_counts(self, world, sealed, hours, code):
        bare = w.bundle_of(world, sealed, None).to_json().encode()
        text = self.history(world, 0, 2, 0)
        found = judge(bare, world.trust, w.ISSUED + hours * HOUR, histories=[text])
        assert next(s.code for s in found.steps if s.name == "status") == code
        assert ("status_closed" in notes(found)) == (hours < 2)
        assert replay(diagnostic(found, bare, world.trust, found.at, histories=[text])).to_json() == found.to_json()

    def test_a_history_that_does_not_hold_is_a_note(self, world, sealed):
        bare = w.bundle_of(world, sealed, None).to_json().encode()
        text = self.history(world, 0, 0)
        other = TrustStore(world.trust.anchors, (w.SignerKey("log.other", bytes(32)).verifier,))
        for bad, trust in ((text[:-9], world.trust), (text.replace("index 0", "index 1"), world.trust), (text, other)):
            found = judge(bare, trust, w.AT, histories=[bad])
            assert "status_token_ignored" in notes(found) or found.exit_code == 13
            assert found.exit_code != 0

    def test_before_the_first_version_nothing_is_known(self, world, sealed):
        bare = w.bundle_of(world, sealed, None).to_json().encode()
        found = judge(bare, world.trust, w.ISSUED - HOUR, histories=[self.history(world, 0)])
        assert found.exit_code != 0

    def test_when_it_was_signed(self, world, whole, plain):
        assert signing_time(whole.to_json().encode(), world.trust) == w.ISSUED
        assert signing_time(plain.credential.encode(), world.trust) == w.ISSUED
        assert signing_time(whole.documents["pdf"], world.trust) == w.ISSUED
        for data in (b"", b"%PDF-1.7\n", b"PK\x03\x04", b"\x30\x00", b"ZT1:X", b"{}"):
            with pytest.raises(FormatError):
                signing_time(data, world.trust)
