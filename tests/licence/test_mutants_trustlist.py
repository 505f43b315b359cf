"""A trust list at the limits of its form, and who must have signed it."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from audit import canonical
from licence import trustlist
from licence.errors import FormatError
from licence.suites import SUITES
from licence.trustlist import Targets, TrustedIssuer, add_signatures, digest_of, pin, sign, verify_chain, verify_update
from tests.licence import world as w
from tests.licence.test_trustlist import DAY, KEYS, NEW, NOW, OLD, SIGNERS, Spoiled, digest, public, resigned, root

MIB = 1024 * 1024


@pytest.fixture(scope="module")
def entry(world):
    return TrustedIssuer(
        name="乙市农业农村局",
        uscc=w.AGRICULTURE,
        starts=w.STARTS,
        ends=None,
        authorities=(world.root.certificate.public_bytes(Encoding.DER),),
        log_keys=(world.log_key.verifier.to_text(),),
        suites=("ecdsa-p256-sha256",),
    )


@pytest.fixture(scope="module")
def listed(entry):
    return Targets(version=5, root=1, expires=NOW + 7 * DAY, issuers=(entry,))


@pytest.fixture(scope="module")
def known(listed):
    text = sign(root(), OLD[:2])
    return pin(text, sign(listed, SIGNERS), root_digest=digest(text), now=NOW)


def fault(action, *arguments, **named):
    with pytest.raises(FormatError) as caught:
        action(*arguments, **named)
    assert caught.value.text("zh") != caught.value.text("en")
    return caught.value


def told(action, *arguments, **named):
    """The code of a refusal, and of what and of which part of it that is said."""
    found = fault(action, *arguments, **named)
    params = found.finding_params
    return (found.code, params.get("what"), params.get("part"))


def malformed(what, part):
    return ("trustlist_malformed", what, part)


def with_issuer(listed, **changes):
    plain = listed.plain()
    plain["issuers"][0] = {k: v for k, v in (plain["issuers"][0] | changes).items() if v is not ...}
    return sign(Spoiled(plain), SIGNERS)


def with_member(role, keys=SIGNERS, /, **changes):
    plain = role.plain() | changes
    return sign(Spoiled({k: v for k, v in plain.items() if v is not ...}), keys)


class TestReading:
    def test_a_text_says_what_it_is_and_whose_signatures_hold(self, listed):
        for role, keys in ((root(), OLD), (listed, SIGNERS)):
            found, holders = trustlist.read(sign(role, keys))
            assert found == role
            assert set(holders) == set(public(keys))

    def test_a_signature_of_something_else_is_nobodys(self, listed):
        text, other = sign(listed, SIGNERS), sign(replace(listed, version=6), SIGNERS)
        good, foreign = json.loads(text)["signatures"], json.loads(other)["signatures"]
        mixed = resigned(text, sorted([good[0], foreign[1]], key=lambda s: base64.b64decode(s["key"])))
        (holder,) = trustlist.read(mixed)[1]
        assert base64.b64encode(holder).decode() == good[0]["key"]

    def test_a_text_that_is_neither_is_named_a_text(self):
        assert told(trustlist.read, '{"signatures":5,"signed":{}}\n') == malformed("text", "signatures")

    def test_its_digest_is_that_of_its_bytes_even_of_what_is_no_text(self):
        assert digest_of("政") == digest("政")
        assert len(digest_of("\ud800")) == 64
        assert told(pin, "\ud800", "", root_digest="", now=NOW) == malformed("root", "digest")

    def test_what_is_signed_names_its_form(self, listed):
        for role, form in ((root(), "zhengtong-trust-root/1"), (listed, "zhengtong-trust-targets/1")):
            assert json.loads(sign(role, OLD))["signed"]["format"] == form


class TestForm:
    def test_a_text_has_eight_mebibytes_and_no_byte_more(self, known):
        def code(size):
            return fault(verify_update, known, [], "x" * size, NOW).code

        assert [code(8 * MIB), code(8 * MIB + 1)] == ["json_invalid", "too_large"]
        assert fault(trustlist.read, "x").finding_params["what"] == "trust list"

    @pytest.mark.parametrize("document", [["signed", "signatures"], {"signed": {}}, {"signatures": []}, 5, "x"])
    def test_it_is_an_object_of_two_members(self, known, document):
        text = json.dumps(document)
        for action, what in (
            (lambda: verify_update(known, [], text, NOW), "targets"),
            (lambda: verify_update(known, [text], "", NOW), "root"),
            (lambda: pin(text, "", root_digest=digest(text), now=NOW), "root"),
            (lambda: verify_chain(text, [], "", NOW), "root"),
            (lambda: add_signatures(text, []), "text"),
            (lambda: add_signatures(known.targets_text, [text]), "text"),
        ):
            assert told(action) == malformed(what, "members")

    @pytest.mark.parametrize("signatures", [5, {}, {"a": 1}, "ab", [], [5], [["key", "signature"]], [{"key": "AAAA"}]])
    def test_signatures_are_a_list_of_pairs(self, known, signatures):
        text = resigned(known.targets_text, signatures)
        assert told(trustlist.read, text) == malformed("text", "signatures")

    def test_what_is_signed_is_an_object(self, known):
        (one, _) = json.loads(known.targets_text)["signatures"]
        for signed in (5, ["format"], "x", None):
            text = canonical.encode({"signed": signed, "signatures": [one]}).decode() + "\n"
            assert told(trustlist.read, text) == malformed("text", "signatures")

    def test_thirty_two_signatures_are_the_most(self, known):
        (one, _) = json.loads(known.targets_text)["signatures"]
        assert trustlist.read(resigned(known.targets_text, [one] * 32))
        assert told(trustlist.read, resigned(known.targets_text, [one] * 33)) == malformed("text", "signatures")

    def test_a_pair_has_a_key_and_a_signature_and_no_more(self, known):
        (one, _) = json.loads(known.targets_text)["signatures"]
        for other in (one | {"more": 1}, {"key": one["key"]}, one | {"key": "!"}, one | {"signature": 5}):
            assert fault(trustlist.read, resigned(known.targets_text, [other]))

    def test_signatures_stand_in_the_order_of_their_keys(self, known):
        one, other = json.loads(known.targets_text)["signatures"]
        assert told(trustlist.read, resigned(known.targets_text, [other, one])) == malformed("text", "not canonical")

    def test_a_number_that_has_no_canonical_form_is_told(self, known):
        text = known.targets_text.replace('"version":5', f'"version":{10**17}')
        assert told(trustlist.read, text) == malformed("text", "JSON")

    def test_its_line_ends(self, known):
        assert known.targets_text.endswith("}\n")
        assert told(trustlist.read, known.targets_text[:-1]) == malformed("text", "not canonical")

    def test_a_key_that_is_too_short_holds_nothing_and_what_is_too_long_is_refused(self, known):
        (one, _) = json.loads(known.targets_text)["signatures"]
        short = one | {"key": base64.b64encode(bytes(31)).decode()}
        assert trustlist.read(resigned(known.targets_text, [short]))[1] == ()
        for name, size in (("key", 33), ("signature", 65)):
            long = one | {name: base64.b64encode(bytes(size)).decode()}
            found = fault(trustlist.read, resigned(known.targets_text, [long]))
            assert (found.code, found.finding_params["what"]) == ("base64_not_canonical", "text")


class TestRoots:
    @pytest.mark.parametrize(
        ("changes", "part"),
        [
            ({"version": 0}, "version"),
            ({"version": -1}, "version"),
            ({"version": "2"}, "version"),
            ({"version": True}, "version"),
            ({"version": 2**31 + 1}, "version"),
            ({"expires": "2026-01-01"}, "time"),
            ({"expires": 5}, "time"),
            ({"expires": "2026-02-30T00:00:00Z"}, "time"),
            ({"root_threshold": 0}, "threshold"),
            ({"root_threshold": 4}, "threshold"),
            ({"targets_threshold": 0}, "threshold"),
            ({"targets_threshold": 3}, "threshold"),
            ({"keys": []}, "keys"),
            ({"targets_keys": []}, "keys"),
            ({"targets_keys": [base64.b64encode(bytes(31)).decode()] * 1}, "keys"),
            ({"targets_keys": [base64.b64encode(bytes([n]) * 32).decode() for n in range(33)]}, "keys"),
            ({"more": 1}, "members"),
            ({"format": "zhengtong-trust-root/2"}, "members"),
            *(({name: ...}, "members") for name in root().plain()),
        ],
    )
    def test_a_root_is_of_its_form(self, known, listed, changes, part):
        text = with_member(root(2, NEW), [*OLD, *NEW], **changes)
        assert told(verify_update, known, [text], known.targets_text, NOW) == malformed("root", part)

    def test_keys_are_a_list_of_texts(self, known):
        for keys in (5, {"a": 1}, [5], "x"):
            text = with_member(root(2, NEW), [*OLD, *NEW], keys=keys)
            assert told(verify_update, known, [text], "", NOW) == malformed("text", "keys")

    def test_the_last_version_and_the_most_keys_are_taken(self, listed):
        many = tuple(bytes([n]) * 32 for n in range(32))
        last = root(2**31, targets_keys=many, root_threshold=3, targets_threshold=32)
        assert trustlist.read(sign(last, OLD))[0] == last
        one = root(1, keys=OLD[:1], root_threshold=1, targets_keys=many[:1], targets_threshold=1)
        assert trustlist.read(sign(one, OLD[:1]))[0] == one

    def test_a_first_root_that_was_replaced_leads_to_the_one_of_today(self, listed):
        first, second = sign(root(), OLD[:2]), sign(root(2, NEW), [*OLD[:2], *NEW[:2]])
        newer = sign(replace(listed, root=2), SIGNERS)
        found = verify_chain(first, [second], newer, NOW)
        assert (found.root, found.root_text, found.targets_text) == (root(2, NEW), second, newer)
        assert verify_chain(first, [], sign(listed, SIGNERS), NOW).root == root()

    def test_a_first_root_is_signed_by_its_own(self, listed):
        text = sign(root(), OLD[:1])
        found = fault(verify_chain, text, [], sign(listed, SIGNERS), NOW)
        assert (found.code, found.finding_params["what"]) == ("trustlist_threshold", "root")
        found = fault(pin, text, sign(listed, SIGNERS), root_digest=digest(text), now=NOW)
        assert (found.code, found.finding_params["what"]) == ("trustlist_threshold", "root")

    def test_a_refusal_counts_who_signed_and_who_was_needed(self, known, listed):
        both = sign(root(2, NEW), [*OLD[:1], *NEW])
        found = fault(verify_update, known, [both], "", NOW)
        assert found.finding_params | {"sub_indication": ""} == {
            "what": "root", "found": "1", "needed": "2", "sub_indication": "",
        }  # fmt: skip
        found = fault(verify_update, known, [sign(root(2, NEW), [*OLD, NEW[0]])], "", NOW)
        assert found.finding_params["what"] == "root"
        found = fault(verify_update, known, [], sign(listed, KEYS[:2]), NOW)
        assert (found.finding_params["what"], found.finding_params["found"]) == ("targets", "0")


class TestTargets:
    @pytest.mark.parametrize(
        ("changes", "part"),
        [
            ({"version": 0}, "version"),
            ({"version": True}, "version"),
            ({"version": 2**31 + 1}, "version"),
            ({"root": 0}, "root"),
            ({"root": "1"}, "root"),
            ({"root": 2**31 + 1}, "root"),
            ({"expires": "x"}, "time"),
            ({"issuers": {}}, "issuers"),
            ({"issuers": 5}, "issuers"),
            ({"issuers": [{}] * 10_001}, "issuers"),
            ({"issuers": [{}] * 10_000}, "issuer"),
            ({"format": "zhengtong-trust-root/1"}, "members"),
            ({"more": 1}, "members"),
            *(({name: ...}, "members") for name in ("format", "version", "root", "expires", "issuers")),
        ],
    )
    def test_targets_are_of_their_form(self, known, listed, changes, part):
        text = with_member(listed, **changes)
        assert told(verify_update, known, [], text, NOW) == malformed("targets", part)

    @pytest.mark.parametrize(
        ("changes", "part"),
        [
            ({"name": ""}, "issuer"),
            ({"name": "名" * 201}, "issuer"),
            ({"name": 5}, "issuer"),
            ({"uscc": None}, "issuer"),
            ({"uscc": "1143000000612224"}, "issuer 1143000000612224"),
            ({"uscc": "11430000006122244LX"}, "issuer 11430000006122244L"),
            ({"until": "2025-01-01T00:00:00Z"}, "issuer 11430000006122244L"),
            ({"from": None}, "time"),
            ({"until": "x"}, "time"),
            ({"authorities": []}, "issuer 11430000006122244L"),
            ({"log_keys": []}, "issuer 11430000006122244L"),
            ({"suites": []}, "issuer 11430000006122244L"),
            ({"suites": ["ecdsa-p256-sha256", "x"]}, "issuer 11430000006122244L"),
            ({"signers": ["0" * 63]}, "signers of 11430000006122244L"),
            ({"status_signers": ["A" * 64]}, "signers of 11430000006122244L"),
            ({"log_keys": ["x"]}, "log key of 11430000006122244L"),
            *(({n: ...}, "issuer") for n in ("name", "uscc", "from", "until", "authorities", "log_keys")),
            *(({n: ...}, "issuer") for n in ("suites", "signers", "status_signers")),
        ],
    )
    def test_an_issuer_is_of_its_form(self, known, listed, changes, part):
        assert told(verify_update, known, [], with_issuer(listed, **changes), NOW) == malformed("targets", part)

    def test_an_issuer_is_an_object(self, known, listed):
        for plain in (5, list(listed.plain()["issuers"][0])):
            text = with_member(listed, issuers=[plain])
            assert told(verify_update, known, [], text, NOW) == malformed("targets", "issuer")

    @pytest.mark.parametrize(
        ("name", "part"),
        [
            ("authorities", "authorities"),
            ("log_keys", "log keys"),
            ("suites", "suites"),
            ("signers", "signers"),
            ("status_signers", "status signers"),
        ],
    )
    def test_an_issuer_has_lists_of_sixty_four_texts_at_most(self, known, listed, name, part):
        for value in (5, {"a": 1}, [5], ["0" * 64] * 65):
            found = told(verify_update, known, [], with_issuer(listed, **{name: value}), NOW)
            assert found == malformed("text", part)

    def test_what_an_issuer_may_be_at_most_is_taken(self, known, listed, entry):
        prints = tuple(f"{n:064x}" for n in range(64))
        brief = w.STARTS + timedelta(seconds=1)
        suites = tuple(sorted(SUITES))
        large = replace(entry, name="名" * 200, ends=brief, suites=suites, signers=prints, status_signers=prints)
        newer = replace(listed, version=6, issuers=(large, replace(entry, name="名")))
        assert verify_update(known, [], sign(newer, SIGNERS), NOW).targets == newer

    def test_a_key_of_a_log_has_one_spelling(self, known, listed, entry):
        text = with_issuer(listed, log_keys=[entry.log_keys[0] + " "])
        found = told(verify_update, known, [], text, NOW)
        assert found == malformed("targets", f"log key of {w.AGRICULTURE}")

    def test_an_authority_says_that_it_is_one(self, known, listed, world):
        key = w.private_key("plain")
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "plain")])
        bare = x509.CertificateBuilder(name, name, key.public_key(), 5, w.STARTS, w.ENDS).sign(key, hashes.SHA256())
        for der in (bare.public_bytes(Encoding.DER), world.agriculture.chain_der[0]):
            text = with_issuer(listed, authorities=[base64.b64encode(der).decode()])
            found = told(verify_update, known, [], text, NOW)
            assert found == malformed("targets", f"certificate of {w.AGRICULTURE}")

    def test_both_the_root_and_the_targets_run_out(self, known, listed):
        brief = sign(root(expires=NOW), OLD)
        found = fault(pin, brief, sign(listed, SIGNERS), root_digest=digest(brief), now=NOW)
        assert found.finding_params["what"] == "root"
        found = fault(verify_update, known, [], known.targets_text, listed.expires + timedelta(microseconds=5))
        assert found.code == "trustlist_expired"
        assert (found.finding_params["what"], found.finding_params["limit"]) == ("targets", "2025-03-08T10:00:00Z")
        assert verify_update(known, [], known.targets_text, listed.expires - timedelta(microseconds=5))

    def test_whom_nobody_lists_is_told_with_the_second_asked_for(self, known):
        at = datetime.fromisoformat("2025-03-01T18:00:00.5+08:00")
        found = fault(known.trust_store_at, w.FORESTRY, at)
        assert found.finding_params["at"] == "2025-03-01T10:00:00Z"

    def test_an_entry_is_in_force_from_its_first_second_and_not_in_its_last(self, known, entry):
        assert known.issuers_at(w.STARTS) == (entry,)
        assert known.issuers_at(w.STARTS - timedelta(microseconds=1)) == ()
        ending = replace(known, targets=replace(known.targets, issuers=(replace(entry, ends=NOW),)))
        assert ending.issuers_at(NOW) == ()
        assert len(ending.issuers_at(NOW - timedelta(microseconds=1))) == 1

    def test_what_to_verify_by_is_what_the_entries_name(self, known, entry):
        both = replace(entry, suites=("sm2-sm3",), signers=("0" * 64,), status_signers=("1" * 64,))
        twice = replace(known, targets=replace(known.targets, issuers=(both, both)))
        found = twice.trust_store_at(w.AGRICULTURE, NOW)
        assert (found.suites, found.licence_signers, found.status_signers) == ({"sm2-sm3"}, {"0" * 64}, {"1" * 64})
        assert (len(found.anchors), len(found.log_verifiers)) == (1, 1)


def test_signatures_gathered_apart_are_of_one_content(known, listed):
    one = sign(listed, SIGNERS[:1])
    assert add_signatures(one, [sign(listed, SIGNERS[1:]), one]) == known.targets_text
    other = sign(replace(listed, version=6), SIGNERS[1:])
    assert told(add_signatures, one, [other]) == malformed("text", "content")
