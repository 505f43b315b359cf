"""The published register of seals, member by member and second by second."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import timedelta

import pytest

from licence import jose
from licence.authority import Role
from licence.errors import FormatError, IssueRefusedError
from licence.seals import published
from licence.seals.published import PublishedSeal, read_register, register_digest, seal_digest, sign_register
from licence.trust import fingerprint
from tests.licence import world as w

SECOND, DAY = timedelta(seconds=1), timedelta(days=1)
SEAL = b"seal"
SINCE, UNTIL = w.ISSUED - 9 * DAY, w.ISSUED + 90 * DAY
ONE = PublishedSeal("RS-1.a_B", seal_digest(SEAL), "农业", "in_use", SINCE, SINCE + DAY, UNTIL)
FIRST, LATER = "", "sha256:" + "1" * 64


def terms(**changes):
    fields = {"uri": "u", "version": 1, "previous": FIRST, "issued_at": w.ISSUED, "expires_at": w.ISSUED + DAY}
    return fields | changes


def token(key, seals=(ONE,), **changes):
    return sign_register(seals, key=key, **terms(**changes))


def payload(**changes):
    plain = {
        "iss": "https://status.city.example",
        "sub": "u",
        "iat": 1_740_000_000,
        "exp": 1_750_000_000,
        "version": 1,
        "previous": FIRST,
        "seals": [ONE.plain()],
    } | changes
    return {name: value for name, value in plain.items() if value is not ...}


def signed(world, plain, typ="seal-register+jwt"):
    return jose.sign(world.status_key, typ, plain)


def fault(text, trust):
    with pytest.raises(FormatError) as caught:
        read_register(text, trust)
    assert caught.value.text("zh") != caught.value.text("en")
    return caught.value


def refused(world, **changes):
    return fault(signed(world, payload(**changes)), world.trust).code


def test_the_payload_is_this(world):
    text = token(world.status_key)
    parsed = jose.parse_compact(text, typ="seal-register+jwt", max_bytes=2**20, what="x")
    assert parsed.payload == {
        "iss": "https://status.city.example",
        "sub": "u",
        "iat": 1740816000,
        "exp": 1740902400,
        "version": 1,
        "previous": "",
        "seals": [
            {
                "code": "RS-1.a_B",
                "seal": f"sm3:{hashlib.new('sm3', SEAL).hexdigest()}",
                "department": "农业",
                "state": "in_use",
                "since": 1740038400,
                "from": 1740124800,
                "until": 1748592000,
            }
        ],
    }
    assert published.ENTRY == "seal.register"
    assert register_digest(text) == f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def test_each_member_reads_back(world):
    two = replace(ONE, code="x" * 80, digest="sm3:" + "0" * 64, department="x" * 512, state="destroyed")
    found = read_register(token(world.status_key, (ONE, two), version=2, previous=LATER), world.trust)
    assert (found.uri, found.version, found.previous) == ("u", 2, LATER)
    assert (found.issued_at, found.expires_at) == (w.ISSUED, w.ISSUED + DAY)
    assert dict(found.seals) == {ONE.digest: ONE, two.digest: two}
    for state in ("in_use", "disabled", "destruction_requested", "destroyed"):
        (one,) = read_register(token(world.status_key, (replace(ONE, state=state),)), world.trust).seals.values()
        assert one.state == state


def test_it_ends_after_it_begins(world):
    assert token(world.status_key, expires_at=w.ISSUED + SECOND)
    for ends in (w.ISSUED, w.ISSUED - DAY, w.ISSUED + timedelta(milliseconds=900)):
        with pytest.raises(IssueRefusedError) as caught:
            token(world.status_key, expires_at=ends)
        assert caught.value.code == "status_validity_empty"


class TestSigner:
    def test_it_is_of_whom_trust_allows_to_sign_lists(self, world):
        assert fault(token(world.agriculture), world.trust).code == "status_signer_purpose"
        stranger = w.make_leaf(w.make_root("x"), "status", w.STATUS_OFFICE, role=Role.STATUS)
        assert fault(token(stranger), world.trust).code == "no_pinned_anchor"

    def test_who_is_pinned_is_taken_and_no_other(self, world):
        text = token(world.status_key)
        prints = frozenset({fingerprint(world.status_key.chain_der[0])})
        assert read_register(text, replace(world.trust, status_signers=prints)).seals
        other = replace(world.trust, status_signers=frozenset({fingerprint(world.agriculture.chain_der[0])}))
        assert fault(text, other).code == "status_signer_not_pinned"

    def test_it_is_signed_from_the_first_to_the_last_second_of_the_certificate(self, world):
        starts, ends = w.ISSUED, w.ISSUED + 9 * DAY
        brief = w.make_leaf(world.root, "brief", w.STATUS_OFFICE, role=Role.STATUS, starts=starts, ends=ends)

        def made(at):
            return token(brief, issued_at=at, expires_at=at + DAY)

        for at in (starts, ends):
            assert read_register(made(at), world.trust).issued_at == at
        for at in (starts - SECOND, ends + SECOND):
            assert fault(made(at), world.trust).code == "status_signer_out_of_time"

    def test_the_signature_is_checked_by_the_leafs_key(self, world):
        head, body, _ = token(world.status_key).split(".")
        other = token(world.status_key, version=2, previous=LATER).split(".")[2]
        assert fault(f"{head}.{body}.{other}", world.trust).code == "signature_wrong"

    def test_without_certificate_it_is_nobodys(self, world):
        _, body, signature = token(world.status_key).split(".")
        head = jose.b64url(jose.compact_json({"alg": "ES256", "typ": "seal-register+jwt"}))
        found = fault(f"{head}.{body}.{signature}", world.trust)
        assert (found.code, found.sub_indication) == ("no_signing_certificate", "NO_SIGNING_CERTIFICATE_FOUND")

    def test_another_type_of_token_is_no_register(self, world):
        found = fault(signed(world, payload(), "statuslist+jwt"), world.trust)
        assert (found.code, found.finding_params["what"]) == ("wrong_typ", "seal register")


class TestForm:
    @pytest.mark.parametrize(
        "changes",
        [
            *({name: ...} for name in ("version", "previous", "seals")),
            {"more": 1},
            {"iss": ...},
            {"sub": ...},
            {"iat": ...},
            {"exp": ...},
            {"version": 0},
            {"version": -1},
            {"version": 0, "previous": LATER},
            {"version": True},
            {"version": "1"},
            {"version": None},
            {"version": 2},
            {"previous": LATER},
            {"version": 2, "previous": "sha256:" + "1" * 63},
            {"version": 2, "previous": "sha256:" + "A" * 64},
            {"version": 2, "previous": 5},
            {"seals": 5},
            {"seals": {}},
            {"seals": [ONE.plain(), ONE.plain()]},
            {"seals": [5]},
            {"seals": [list(ONE.plain())]},
        ],
    )
    def test_members_are_there_and_of_their_kind(self, world, changes):
        assert refused(world, **changes) == "seal_register_form"

    @pytest.mark.parametrize(
        ("changes", "claim"),
        [({"iss": ""}, "iss"), ({"sub": 5}, "sub"), ({"iat": "x"}, "iat"), ({"exp": -1}, "exp")],
    )
    def test_claims_are_of_their_kind_and_named(self, world, changes, claim):
        found = fault(signed(world, payload(**changes)), world.trust)
        assert (found.code, found.finding_params) == ("bad_claim", {"what": "seal register", "claim": claim})

    @pytest.mark.parametrize(
        "changes",
        [
            *({name: ...} for name in ONE.plain()),
            {"more": 1},
            {"code": ""},
            {"code": "x" * 81},
            {"code": "x y"},
            {"code": 5},
            {"seal": "sm3:" + "0" * 63},
            {"seal": "sha256:" + "0" * 64},
            {"seal": None},
            {"department": 5},
            {"state": "lost"},
            {"state": 5},
            {"state": ["in_use"]},
        ],
    )
    def test_a_seal_is_of_its_form(self, world, changes):
        plain = {name: value for name, value in (ONE.plain() | changes).items() if value is not ...}
        assert refused(world, seals=[plain]) == "seal_register_form"

    @pytest.mark.parametrize(
        ("name", "value"),
        [("department", ""), ("department", "x" * 513), ("since", -1), ("from", "x"), ("until", None)],
    )
    def test_a_seals_claims_are_named(self, world, name, value):
        found = fault(signed(world, payload(seals=[ONE.plain() | {name: value}])), world.trust)
        assert (found.code, found.finding_params) == ("bad_claim", {"what": "seal register", "claim": name})

    def test_two_hundred_thousand_seals_are_the_most(self, monkeypatch):
        """Of a register that is too long no seal is read."""
        seen = []
        monkeypatch.setattr(published, "_seal", lambda plain: seen.append(plain) or ONE)
        for count, read in ((200_000, 200_000), (200_001, 0)):
            with pytest.raises(FormatError) as caught:
                published._register(payload(seals=[None] * count))
            assert (caught.value.code, len(seen)) == ("seal_register_form", read)
            seen.clear()

    def test_it_has_64_mebibytes_at_most(self, world):
        for size, code in ((64 * 2**20, "not_compact"), (64 * 2**20 + 1, "too_large")):
            found = fault("x" * size, world.trust)
            assert (found.code, found.finding_params["what"]) == (code, "seal register")


class TestInForce:
    @pytest.fixture(scope="class")
    @staticmethod
    def register(world):
        return read_register(token(world.status_key, expires_at=UNTIL + DAY), world.trust)

    def refused(self, register, at, seal=SEAL):
        with pytest.raises(FormatError) as caught:
            register.require_in_force(seal, at)
        return caught.value.code, caught.value.finding_params

    def test_from_the_first_to_the_last_second(self, register):
        for at in (ONE.valid_from, ONE.valid_until):
            assert register.require_in_force(SEAL, at) == ONE
        ends = {"ends": UNTIL.isoformat()}
        for at in (ONE.valid_from - SECOND, ONE.valid_until + SECOND):
            assert self.refused(register, at) == ("seal_register_validity", ends)

    def test_a_version_speaks_from_the_states_beginning_to_its_own_end(self, register):
        always = replace(ONE, valid_from=SINCE - DAY, valid_until=UNTIL + 9 * DAY)
        register = replace(register, seals={ONE.digest: always})
        for at in (SINCE, register.expires_at):
            assert register.require_in_force(SEAL, at) == always
        for at in (SINCE - SECOND, register.expires_at + SECOND):
            assert self.refused(register, at) == ("seal_register_time", {"when": at.isoformat()})

    def test_a_seal_that_is_not_listed_or_not_in_use_is_told(self, register):
        assert self.refused(register, w.ISSUED, b"other")[0] == "seal_register_unknown"
        for state in ("disabled", "destruction_requested", "destroyed"):
            other = replace(register, seals={ONE.digest: replace(ONE, state=state)})
            assert self.refused(other, w.ISSUED) == (
                "seal_register_state", {"state": state, "since": SINCE.isoformat()},
            )  # fmt: skip
