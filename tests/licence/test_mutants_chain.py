"""Paths and revocation lists at their limits: the second and the extension on which a decision turns."""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding

from licence import authority, chain, crl
from licence.crl import Reason, Revocation
from licence.errors import FormatError
from licence.keys import generate_private_key
from licence.profile import DEMONSTRATION_POLICY
from licence.suites import ECDSA_P256_SHA256, SM2_SM3, SUITES
from tests.licence import world as w
from tests.licence.test_chain import CA, CERTIFIES, LEAF, PURPOSE, SIGNS, certify
from tests.licence.test_crl import BAD, DAY, SIGNED, City, by_hand, needs_sm2, point

SUITE = frozenset({ECDSA_P256_SHA256})
SECOND = timedelta(seconds=1)


@pytest.fixture(scope="module")
def city():
    return City(ECDSA_P256_SHA256)


def refused(work, *arguments, **named):
    with pytest.raises(FormatError) as caught:
        work(*arguments, **named)
    return caught.value


def der(certificate):
    return certificate.public_bytes(Encoding.DER)


def told(notes):
    return [(n.code, dict(n.params)) for n in notes]


# Paths.


def test_an_anchor_at_the_end_of_the_chain_counts_once(world):
    short = world.agriculture.chain_der
    root = der(world.root.certificate)
    path = chain.validate((*short, root), frozenset({root}), SUITE)
    assert path.certificates == (*short, root)
    assert path == chain.validate(short, frozenset({root}), SUITE)


def test_an_authority_in_the_chain_may_be_the_anchor_though_its_own_is_unknown(world):
    leaf, issuing = world.agriculture.chain_der[:2]
    path = chain.validate((leaf, issuing), frozenset({issuing}), SUITE)
    assert path.certificates == (leaf, issuing)


def test_an_anchor_alone_signs_nothing(world):
    root = der(world.root.certificate)
    assert refused(chain.validate, (root,), frozenset({root}), SUITE).code == "leaf_may_not_sign"


def test_a_path_says_what_its_leaf_may_and_who_it_is(world):
    path = chain.validate(world.agriculture.chain_der, world.trust.anchors_der, SUITE)
    assert path.leaf == world.agriculture.chain_der[0]
    assert path.organisation_code == w.AGRICULTURE
    assert path.uris == {"https://agriculture.city.example"}
    assert path.demonstration is True
    assert (path.starts, path.ends) == (w.STARTS, w.ENDS)


def test_a_path_runs_while_all_of_its_certificates_run(world):
    key = w.make_leaf(world.root, "short", w.AGRICULTURE, starts=w.STARTS + DAY, ends=w.ENDS - DAY)
    path = chain.validate(key.chain_der, world.trust.anchors_der, SUITE)
    assert (path.starts, path.ends) == (w.STARTS + DAY, w.ENDS - DAY)


def test_what_a_bare_leaf_does_not_say_is_empty(world):
    key = certify(world.root, "bare", SIGNS)
    path = chain.validate(key.chain_der, world.trust.anchors_der, SUITE)
    assert (path.purposes, path.uris, path.organisation_code) == (frozenset(), frozenset(), "")
    assert (path.demonstration, path.subject) == (False, "bare")


@pytest.mark.parametrize(("policy", "demonstration"), [(DEMONSTRATION_POLICY, True), ("1.2.3.4", False)])
def test_only_the_policy_for_demonstrations_makes_one(world, policy, demonstration):
    oid = policy if isinstance(policy, x509.ObjectIdentifier) else x509.ObjectIdentifier(policy)
    policies = x509.CertificatePolicies([x509.PolicyInformation(oid, None)])
    key = certify(world.root, "policy", LEAF, SIGNS, (policies, False))
    assert chain.validate(key.chain_der, world.trust.anchors_der, SUITE).demonstration is demonstration


def named(world, *names):
    key = w.private_key("named")
    made = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(oid, value) for oid, value in names]))
        .issuer_name(world.root.certificate.subject)
        .public_key(key.public_key())
        .not_valid_before(w.STARTS)
        .not_valid_after(w.ENDS)
        .serial_number(78)
        .add_extension(*SIGNS)
        .sign(world.root.private_key, hashes.SHA256())
    )
    return chain.validate((der(made),), world.trust.anchors_der, SUITE)


def test_two_codes_are_no_code_and_no_name_is_a_question_mark(world):
    code, common = x509.NameOID.ORGANIZATION_IDENTIFIER, x509.NameOID.COMMON_NAME
    assert named(world, (code, w.AGRICULTURE)).organisation_code == w.AGRICULTURE
    assert named(world, (code, w.AGRICULTURE), (code, w.FORESTRY)).organisation_code == ""
    assert named(world, (code, w.AGRICULTURE)).subject == "?"
    assert named(world, (common, "first"), (common, "second")).subject == "first"


def test_a_leaf_that_is_not_said_to_be_none_may_sign(world):
    assert chain.validate(certify(world.root, "x", SIGNS).chain_der, world.trust.anchors_der, SUITE)
    assert refused(chain.validate, certify(world.root, "x").chain_der, world.trust.anchors_der, SUITE).code == (
        "leaf_may_not_sign"
    )


def test_an_authority_that_names_another_key_is_not_the_issuer(world):
    other = x509.AuthorityKeyIdentifier.from_issuer_public_key(w.private_key("someone").public_key())
    right = x509.AuthorityKeyIdentifier.from_issuer_public_key(world.root.certificate.public_key())
    nobody = x509.AuthorityKeyIdentifier(None, [x509.DirectoryName(world.root.certificate.subject)], 1)
    anchors = world.trust.anchors_der
    wrong = certify(world.root, "aki", LEAF, SIGNS, (other, False))
    fault = refused(chain.validate, wrong.chain_der, anchors, SUITE)
    assert (fault.code, fault.sub_indication) == ("no_pinned_anchor", "NO_CERTIFICATE_CHAIN_FOUND")
    for good in (right, nobody):
        assert chain.validate(certify(world.root, "aki", LEAF, SIGNS, (good, False)).chain_der, anchors, SUITE)


def test_an_authority_without_key_identifier_is_known_by_its_signature(world):
    between = certify(world.root, "between", CA, CERTIFIES)
    named = x509.AuthorityKeyIdentifier.from_issuer_public_key(between.certificate.public_key())
    leaf = certify(between, "below", LEAF, SIGNS, (named, False))
    assert len(chain.validate(leaf.chain_der, world.trust.anchors_der, SUITE).certificates) == 3


@pytest.mark.parametrize(("length", "ok"), [(0, False), (1, True), (None, True)])
def test_an_authority_may_have_as_many_below_it_as_it_says(world, length, ok):
    upper = certify(world.root, "upper", (x509.BasicConstraints(ca=True, path_length=length), True), CERTIFIES)
    lower = certify(upper, "lower", (x509.BasicConstraints(ca=True, path_length=0), True), CERTIFIES)
    leaf = certify(lower, "leaf", LEAF, SIGNS, PURPOSE)
    # The anchor itself is held to it.
    anchors = frozenset({der(upper.certificate)})
    if ok:
        assert len(chain.validate(leaf.chain_der, anchors, SUITE).certificates) == 3
    else:
        fault = refused(chain.validate, leaf.chain_der, anchors, SUITE)
        assert (fault.code, fault.sub_indication) == ("path_too_long", "CHAIN_CONSTRAINTS_FAILURE")
        assert fault.finding_params["subject"] == "upper"


def test_a_broken_chain_says_where(world):
    stranger = w.make_leaf(w.make_root("stranger"), "agriculture", w.AGRICULTURE)
    mixed = (stranger.chain_der[0], *world.agriculture.chain_der[1:])
    fault = refused(chain.validate, mixed, world.trust.anchors_der, SUITE)
    assert (fault.code, fault.sub_indication) == ("chain_broken", "NO_CERTIFICATE_CHAIN_FOUND")
    assert fault.finding_params["position"] == "0"


def test_faults_of_a_chain_are_constraints_and_name_the_certificate(world):
    strange = (x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\5\0"), True)
    cases = {
        "extension_not_understood": certify(world.root, "odd", LEAF, SIGNS, strange),
        "leaf_may_not_sign": certify(world.root, "odd", CA, SIGNS),
        "suite_not_allowed": certify(world.root, "odd", LEAF, SIGNS, digest=hashes.SHA384()),
    }
    for code, key in cases.items():
        fault = refused(chain.validate, key.chain_der, world.trust.anchors_der, SUITE)
        assert (fault.code, fault.sub_indication) == (code, "CHAIN_CONSTRAINTS_FAILURE")
        assert fault.finding_params["subject"] == "odd"
    fault = refused(chain.validate, world.agriculture.chain_der, world.trust.anchors_der, frozenset())
    assert fault.code == "suite_not_allowed"


def test_an_extension_that_need_not_be_understood_does_no_harm(world):
    strange = (x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\5\0"), False)
    assert chain.validate(certify(world.root, "x", LEAF, SIGNS, strange).chain_der, world.trust.anchors_der, SUITE)


def foreign(key, *, parent=None):
    """A leaf with a key of another sort, or one of an authority with such a key."""
    signer = parent or w.private_key("root")
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "foreign")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key)
        .not_valid_before(w.STARTS)
        .not_valid_after(w.ENDS)
        .serial_number(79)
        .add_extension(*CA)
        .add_extension(*CERTIFIES)
    )
    return made.sign(signer, hashes.SHA256())


def test_an_authority_with_a_key_of_no_suite_is_not_allowed():
    key = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
    authority = foreign(key.public_key(), parent=key)
    leaf = (
        x509.CertificateBuilder()
        .subject_name(authority.subject)
        .issuer_name(authority.subject)
        .public_key(w.private_key("x").public_key())
        .not_valid_before(w.STARTS)
        .not_valid_after(w.ENDS)
        .serial_number(80)
        .add_extension(*SIGNS)
        .sign(key, hashes.SHA256())
    )
    fault = refused(chain.validate, (der(leaf),), frozenset({der(authority)}), SUITE)
    assert fault.code == "suite_not_allowed"


def test_a_certificate_whose_key_is_of_no_known_curve_is_unreadable():
    good = der(foreign(w.private_key("x").public_key()))
    curve = bytes.fromhex("06082a8648ce3d030107")
    assert good.count(curve) == 1
    fault = refused(chain.load, good.replace(curve, bytes.fromhex("06082a8648ce3d030177")))
    assert fault.code == "certificate_unreadable"
    assert chain.load(good).serial_number == 79
    assert isinstance(chain.public_key(good), ec.EllipticCurvePublicKey)


def test_a_name_of_an_unknown_form_is_unreadable():
    key = w.private_key("x")
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "foreign")])
    # An x400Address, [3], which no one reads.
    names = x509.UnrecognizedExtension(x509.ObjectIdentifier("2.5.29.17"), bytes.fromhex("3004a302 0500"))
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .not_valid_before(w.STARTS)
        .not_valid_after(w.ENDS)
        .serial_number(81)
        .add_extension(names, critical=False)
        .sign(key, hashes.SHA256())
    )
    assert refused(chain.load, der(made)).code == "certificate_unreadable"


@pytest.mark.parametrize("suite", [ECDSA_P256_SHA256, pytest.param(SM2_SM3, marks=needs_sm2)])
def test_right_names_under_a_signature_by_another_key_lead_to_no_anchor(suite):
    city = City(suite)
    anchors = frozenset({der(city.root.certificate)})
    leaf, issuing = city.leaf.chain_der
    assert chain.validate((leaf, issuing), anchors, frozenset(SUITES))
    # Neither names nor key identifiers differ, only the signature.
    for forged in ((leaf[:-1] + bytes([leaf[-1] ^ 1]), issuing), (leaf, issuing[:-1] + bytes([issuing[-1] ^ 1]))):
        fault = refused(chain.validate, forged, anchors, frozenset(SUITES))
        assert fault.code in {"chain_broken", "no_pinned_anchor"}
        assert fault.sub_indication == "NO_CERTIFICATE_CHAIN_FOUND"


def test_a_leaf_that_a_thief_signed_in_the_roots_name_leads_to_no_anchor(world):
    thief = SimpleNamespace(
        certificate=world.root.certificate, chain=world.root.chain, private_key=w.private_key("thief")
    )
    forged = certify(thief, "forged", LEAF, SIGNS, PURPOSE)
    assert forged.certificate.issuer == world.root.certificate.subject
    assert refused(chain.validate, forged.chain_der[:1], world.trust.anchors_der, SUITE).code == "no_pinned_anchor"


@pytest.mark.parametrize("suite", [ECDSA_P256_SHA256, pytest.param(SM2_SM3, marks=needs_sm2)])
def test_the_issuers_very_key_under_another_name_is_not_the_issuer(suite):
    key = generate_private_key(suite)
    term = {"starts": w.STARTS, "ends": w.ENDS}
    root = authority.create_root(key, name="Root", serial=1, **term)
    other = authority.create_root(key, name="Other", serial=1, **term)
    issuing = authority.certify_authority(root, generate_private_key(suite), name="Issuing", serial=2, **term)
    leaf = authority.certify_leaf(
        issuing,
        generate_private_key(suite),
        role=authority.Role.LICENCES,
        name="leaf",
        uscc=w.AGRICULTURE,
        uri="https://a.example",
        serial=3,
        **term,
    )
    fault = refused(chain.validate, leaf.chain_der, frozenset({der(other.certificate)}), frozenset(SUITES))
    assert fault.code == "no_pinned_anchor"


# What lists say of a path.


def test_a_list_is_fresh_up_to_its_last_second(city):
    ends = SIGNED + 17 * DAY
    lists = (city.list_of(city.issuing), city.clean_root)
    assert told(city.check(*lists, at=ends)) == [
        (
            "revocation_checked",
            {
                "subject": "leaf (DEMONSTRATION 演示)",
                "as_of": "2025-03-11T08:00:00Z",
                "until": "2025-03-18T08:00:00Z",
            },
        ),
        (
            "revocation_checked",
            {
                "subject": "Issuing (DEMONSTRATION 演示)",
                "as_of": "2025-03-11T08:00:00Z",
                "until": "2025-03-18T08:00:00Z",
            },
        ),
    ]
    assert [n.code for n in city.check(*lists, at=ends + SECOND)] == ["revocation_stale"] * 2


def test_as_many_lists_are_read_as_a_chain_may_have_and_no_more(city):
    assert city.check(*[b""] * chain.MAX_LISTS)
    fault = refused(city.check, *[b""] * (chain.MAX_LISTS + 1))
    assert (fault.code, fault.finding_params["limit"]) == ("too_many_lists", "128")


def test_a_revocation_is_told_with_time_and_reason(city):
    since = SIGNED + 3 * DAY
    lists = (city.list_of(city.issuing, Revocation(BAD, since, Reason.KEY_COMPROMISE)), city.clean_root)
    expected = {
        "subject": "leaf (DEMONSTRATION 演示)",
        "revoked": "2025-03-04T08:00:00Z",
        "reason": "keyCompromise",
    }
    assert refused(city.check, *lists).finding_params.items() >= expected.items()
    notes = told(city.check(*lists, proven_at=since - SECOND))
    assert notes[0] == ("revoked_later", expected)
    assert [code for code, _ in notes] == ["revoked_later", "revocation_checked", "revocation_checked"]


def test_the_earliest_of_several_revocations_counts(city):
    early, late = SIGNED + 2 * DAY, SIGNED + 4 * DAY
    lists = (
        city.list_of(city.issuing, Revocation(BAD, early), on=SIGNED + 5 * DAY, days=30, number=1),
        city.list_of(city.issuing, Revocation(BAD, late), on=SIGNED + 6 * DAY, days=30, number=2),
    )
    assert refused(city.check, *lists).finding_params["revoked"] == "2025-03-03T08:00:00Z"
    assert refused(city.check, *lists, proven_at=early).sub_indication == "REVOKED_NO_POE"


def test_of_lists_of_one_second_the_higher_number_is_the_newer(city):
    hold = city.list_of(city.issuing, Revocation(BAD, SIGNED, Reason.HOLD), number=1)
    clean = city.list_of(city.issuing, number=2)
    for lists in ((hold, clean), (clean, hold)):
        assert "revocation_checked" in [n.code for n in city.check(*lists)]
    hold = city.list_of(city.issuing, Revocation(BAD, SIGNED, Reason.HOLD), number=3)
    for lists in ((hold, clean), (clean, hold)):
        assert refused(city.check, *lists).code == "certificate_revoked"


def test_a_list_without_number_is_older_than_one_that_counts(city):
    unnumbered = by_hand(city, entry=[(x509.CRLReason(x509.ReasonFlags.certificate_hold), False)])
    clean = city.list_of(city.issuing, on=SIGNED, days=30, number=0)
    for lists in ((unnumbered, clean), (clean, unnumbered)):
        assert "revoked_later" not in [n.code for n in city.check(*lists, at=SIGNED)]


def test_why_a_list_is_ignored_is_told_once_and_another_authoritys_is_no_news(city):
    stranger = City(ECDSA_P256_SHA256)
    notes = told(city.check(b"junk", b"junk", city.list_of(city.issuing), city.clean_root))
    ignored = [params for code, params in notes if code == "crl_ignored"]
    assert [p["why"] for p in ignored] == ["crl_unreadable"]
    assert ignored[0]["detail"] == "ValueError"
    names = told(city.check(city.clean_root))
    assert [code for code, _ in names] == ["revocation_unknown", "revocation_checked"]
    assert names[0][1] == {"subject": "leaf (DEMONSTRATION 演示)"}
    assert stranger.path.leaf != city.path.leaf


def test_a_list_that_does_not_cover_a_certificate_says_nothing_of_it(city):
    authorities = by_hand(city, (point(only_contains_ca_certs=True), True))
    codes = [n.code for n in city.check(authorities, city.clean_root, at=SIGNED)]
    assert codes == ["revocation_unknown", "revocation_checked"]


# Lists.


def test_a_list_may_be_as_long_as_the_limit(city):
    assert crl.MAX_CRL_BYTES == 4_194_304
    # Refused for what it is, no longer for its length.
    assert refused(crl.load, bytes(crl.MAX_CRL_BYTES)).code == "crl_unreadable"
    assert refused(crl.load, bytes(crl.MAX_CRL_BYTES + 1)).code == "too_large"


def test_a_list_ends_no_sooner_than_it_begins(city):
    def made(until):
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(city.issuing.certificate.subject)
            .last_update(SIGNED)
            .next_update(until)
        )
        return builder.sign(city.issuing.private_key, hashes.SHA256()).public_bytes(Encoding.DER)

    assert crl.read(made(SIGNED + SECOND), city.issuing.certificate).next_update == SIGNED + SECOND
    assert crl.read(made(SIGNED), city.issuing.certificate).next_update == SIGNED
    assert refused(crl.load, made(SIGNED) + b"\0").code == "crl_unreadable"


def test_a_list_that_ends_before_it_begins_is_unreadable(city):
    listed = pytest.importorskip("asn1crypto.crl").CertificateList.load(by_hand(city))
    tbs = listed["tbs_cert_list"]
    tbs["this_update"] = {"utc_time": SIGNED + 2 * DAY}
    fault = refused(crl.load, listed.dump(force=True))
    assert (fault.code, fault.finding_params["detail"]) == ("crl_unreadable", "nextUpdate")


def test_a_list_without_an_end_is_unreadable(city):
    listed = pytest.importorskip("asn1crypto.crl").CertificateList.load(by_hand(city))
    del listed["tbs_cert_list"]["next_update"]
    fault = refused(crl.load, listed.dump(force=True))
    assert (fault.code, fault.finding_params["detail"]) == ("crl_unreadable", "nextUpdate")


def test_a_list_is_known_by_its_authoritys_key_or_else_by_its_name(city):
    own = x509.SubjectKeyIdentifier.from_public_key(city.issuing.certificate.public_key())
    assert crl.authority_of(city.list_of(city.issuing)) == own.digest.hex()
    unnamed = by_hand(city)
    assert len(crl.authority_of(unnamed)) == 64
    serial = x509.AuthorityKeyIdentifier(None, [x509.DirectoryName(city.root.certificate.subject)], 2)
    assert crl.authority_of(by_hand(city, (serial, False))) == crl.authority_of(unnamed)
    assert crl.read(by_hand(city, (serial, False)), city.issuing.certificate).number is None


def test_a_list_that_names_another_key_is_another_authoritys(city):
    other = x509.AuthorityKeyIdentifier.from_issuer_public_key(w.private_key("someone").public_key())
    fault = refused(crl.read, by_hand(city, (other, False)), city.issuing.certificate)
    assert fault.code == "crl_of_other_issuer"


def test_a_reason_not_given_is_unspecified_and_what_was_invalid_before_counts_from_then(city):
    plain = crl.read(by_hand(city), city.issuing.certificate).entries[BAD]
    assert (plain.reason, plain.invalid_since, plain.effective) == (Reason.UNSPECIFIED, None, SIGNED)
    since = x509.InvalidityDate(SIGNED.replace(tzinfo=None) + DAY)
    later = crl.read(by_hand(city, entry=[(since, False)]), city.issuing.certificate).entries[BAD]
    assert (later.invalid_since, later.effective) == (SIGNED + DAY, SIGNED)


def test_a_place_of_lists_that_another_authority_signs_is_not_this_ones(city):
    uri = x509.UniformResourceIdentifier("https://a.example/crl")
    elsewhere = [x509.DirectoryName(city.root.certificate.subject)]
    listed = crl.read(by_hand(city, (point(full_name=[uri]), True)), city.issuing.certificate)
    for issuer, covered in ((None, True), (elsewhere, False)):
        points = x509.CRLDistributionPoints([x509.DistributionPoint([uri], None, None, issuer)])
        assert listed.covers(certify(city.issuing, "pointed", LEAF, SIGNS, (points, False)).certificate) is covered


def test_a_certificate_not_said_to_be_an_authority_is_in_the_lists_of_users(city):
    plain = certify(city.issuing, "plain", SIGNS).certificate
    for scope, covered in (("only_contains_user_certs", True), ("only_contains_ca_certs", False)):
        listed = crl.read(by_hand(city, (point(**{scope: True}), True)), city.issuing.certificate)
        assert listed.covers(plain) is covered


def test_a_list_of_a_relative_place_is_refused(city):
    relative = x509.RelativeDistinguishedName([x509.NameAttribute(x509.NameOID.COMMON_NAME, "part")])
    fault = refused(crl.read, by_hand(city, (point(relative_name=relative), True)), city.issuing.certificate)
    assert fault.code == "crl_kind_refused"


def test_places_that_are_no_addresses_are_passed_over(city):
    uri = x509.UniformResourceIdentifier("https://a.example/crl")
    listed = crl.read(by_hand(city, (point(full_name=[uri]), True)), city.issuing.certificate)
    relative = x509.RelativeDistinguishedName([x509.NameAttribute(x509.NameOID.COMMON_NAME, "part")])
    for place, covered in (
        (x509.DistributionPoint([x509.DNSName("https://a.example/crl")], None, None, None), False),
        (x509.DistributionPoint(None, relative, None, None), False),
        (x509.DistributionPoint([x509.DNSName("a"), uri], None, None, None), True),
    ):
        points = x509.CRLDistributionPoints([place])
        assert listed.covers(certify(city.issuing, "pointed", LEAF, SIGNS, (points, False)).certificate) is covered


def test_an_authority_that_does_not_say_what_it_may_signs_no_lists(city):
    silent = certify(city.root, "silent", CA)
    made = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(silent.certificate.subject)
        .last_update(SIGNED)
        .next_update(SIGNED + DAY)
        .sign(silent.private_key, hashes.SHA256())
    )
    fault = refused(crl.read, made.public_bytes(Encoding.DER), silent.certificate)
    assert fault.code == "crl_signer_may_not"


def test_the_lists_of_an_authority_without_key_identifier_are_read(city):
    between = certify(city.root, "between", CA, CERTIFIES)
    named = x509.AuthorityKeyIdentifier.from_issuer_public_key(between.certificate.public_key())
    made = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(between.certificate.subject)
        .last_update(SIGNED)
        .next_update(SIGNED + DAY)
        .add_extension(named, critical=False)
        .sign(between.private_key, hashes.SHA256())
    )
    assert crl.read(made.public_bytes(Encoding.DER), between.certificate).entries == {}


def test_the_issuers_key_under_another_name_signs_no_lists_of_the_issuer(city):
    renamed = authority.create_root(
        city.issuing.private_key, name="Renamed", starts=w.STARTS, ends=w.ENDS, serial=9
    ).certificate
    fault = refused(crl.read, city.list_of(city.issuing), renamed)
    assert fault.code == "crl_of_other_issuer"


def test_of_two_lists_the_newer_is_the_one_that_is_told(city):
    older = city.list_of(city.issuing, on=SIGNED + 5 * DAY, number=1)
    newer = city.list_of(city.issuing, number=2)
    for lists in ((older, newer), (newer, older)):
        assert told(city.check(*lists))[0][1]["as_of"] == "2025-03-11T08:00:00Z"


def test_a_critical_reason_is_understood(city):
    reason = x509.CRLReason(x509.ReasonFlags.superseded)
    read = crl.read(by_hand(city, entry=[(reason, True)]), city.issuing.certificate)
    assert read.entries[BAD].reason is Reason.SUPERSEDED


def test_a_list_of_one_place_is_of_users_and_authorities(city):
    uri = x509.UniformResourceIdentifier("https://a.example/crl")
    assert crl.read(by_hand(city, (point(full_name=[uri]), True)), city.issuing.certificate).for_authorities is None


def test_an_authoritys_and_a_leafs_revocation_are_told_apart(city):
    authoritys = city.list_of(city.root, Revocation(2, SIGNED, Reason.CA_COMPROMISE))
    assert refused(city.check, authoritys).sub_indication == "REVOKED_CA_NO_POE"
    leafs = city.list_of(city.issuing, Revocation(BAD, SIGNED))
    assert refused(city.check, leafs, made_after=SIGNED).sub_indication == "REVOKED"
    assert refused(city.check, leafs, made_after=SIGNED - SECOND).sub_indication == "REVOKED_NO_POE"
