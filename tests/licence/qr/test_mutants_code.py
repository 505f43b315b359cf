"""Codes at each limit, and faces that only their signer could have written so.

Limits are written out here: a test that took them from the module would move with them.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from licence.errors import FormatError, IssueRefusedError
from licence.identifiers import mint
from licence.qr import base45, cbor, code, cose
from licence.qr.code import make_code, mask_code, parse_code, trusted_signers, verify_code
from licence.trust import fingerprint
from tests.licence import world as w
from tests.licence.qr.test_code import FACE, SUITE

SECOND = timedelta(seconds=1)
SHORT = replace(FACE, kind_name="", holder_name="王")


@pytest.fixture(scope="module")
def signers(world):
    return trusted_signers([world.agriculture.chain_der, world.forestry.chain_der], world.trust)


def refused(text, signers=(), at=w.AT):
    with pytest.raises(FormatError) as caught:
        verify_code(text, signers, suites=SUITE, at=at)
    return caught.value


def not_made(world, **changes):
    with pytest.raises(IssueRefusedError) as caught:
        make_code(replace(FACE, **changes), world.agriculture)
    return caught.value


def signed(world, claims):
    return "ZT1:" + base45.encode(cose.sign(world.agriculture, cbor.encode(claims)))


def claims_of(parts=None, **changes):
    """Claims by number as the standard has them, one of them the face's parts in order."""
    named = {"v": 1, "id": code._pack(FACE.identifier), "kind": "k", "name": "n", "code": "c", "list": 1, "idx": 2}
    return {5: 1, 6: 2, -70001: list((named | changes).values()) if parts is None else parts}


def part_of(world, claims):
    fault = refused(signed(world, claims))
    assert (fault.code, fault.sub_indication) == ("code_face_invalid", "FORMAT_FAILURE")
    return fault.finding_params["part"]


def made(world, length):
    return make_code(replace(SHORT, holder_code="9" * length), world.agriculture)


def test_a_code_of_400_characters_is_made_and_read_and_no_longer_one(world):
    long = next(n for n in range(100, 200) if len(made(world, n)) == 400)
    assert parse_code(made(world, long)).face.holder_code == "9" * long
    fault = not_made(world, kind_name="", holder_name="王", holder_code="9" * (long + 1))
    assert (fault.code, "400" in fault.text("en")) == ("code_too_long", True)


def test_a_code_longer_than_the_limit_is_not_read(world):
    for length in range(1, 200):
        text = signed(world, claims_of(code="9" * length))
        if len(text) <= 400:
            assert parse_code(text).face.holder_code == "9" * length
        else:
            assert refused(text).code == "too_large"
    assert len(text) > 400


def test_what_is_left_out_first_is_the_kind_and_then_the_name_sign_by_sign():
    shorter = [(face.kind_name, face.holder_name) for face in code._shorter(replace(FACE, holder_name="ABCD"))]
    assert shorter == [(FACE.kind_name, "ABCD"), ("", "ABCD"), ("", "ABC…"), ("", "AB…"), ("", "A…")]


@pytest.mark.parametrize(
    ("holder_code", "kind", "shown"),
    [
        ("91110000600037341L", "001", "91110000600037341L"),
        ("91110000600037341L", "099", "**************341L"),
        ("12345678", "111", "****5678"),
        ("1234567", "111", "****567"),
        ("12", "111", "*2"),
        ("", "111", ""),
    ],
)
def test_at_most_four_signs_and_half_of_a_code_are_shown(holder_code, kind, shown):
    assert mask_code(holder_code, kind) == shown


NAIVE = datetime(2025, 3, 1)  # noqa: DTZ001 - what is tested


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"issued_at": NAIVE}, "time_not_aware"),
        ({"valid_from": NAIVE}, "time_not_aware"),
        ({"valid_until": NAIVE}, "time_not_aware"),
        ({"valid_until": FACE.valid_from - SECOND}, "licence_validity_empty"),
        ({"list_number": 2**32}, "status_does_not_fit"),
        ({"list_number": -1}, "status_does_not_fit"),
        ({"idx": 2**32}, "status_does_not_fit"),
        ({"list_number": 0, "idx": -1}, "status_does_not_fit"),
        ({"holder_code": ""}, "code_holder_missing"),
        ({"holder_code": "", "holder_name": ""}, "code_holder_missing"),
    ],
)
def test_what_contradicts_itself_is_not_signed(world, changes, expected):
    assert not_made(world, **changes).code == expected


@pytest.mark.parametrize(
    "changes",
    [
        {"valid_until": FACE.valid_from + SECOND},
        {"valid_until": None},
        {"list_number": 1, "idx": 0},
        {"list_number": 2**32 - 1, "idx": 2**32 - 1},
        {"holder_code": "*"},
    ],
)
def test_what_is_just_within_its_limits_is_signed_and_reads_back(world, changes):
    face = replace(FACE, **changes)
    assert parse_code(make_code(face, world.agriculture)).face == face


@pytest.mark.parametrize(
    "claims",
    [
        [5, 6, -70001],
        "claims",
        7,
        {5: 1, 6: 1},
        {5: 1, -70001: []},
        {6: 1, -70001: []},
        claims_of() | {7: b"x"},
        claims_of() | {"x": 1},
    ],
)
def test_claims_are_four_that_are_named_and_only_the_end_may_be_missing(world, claims):
    assert part_of(world, claims) == "claims"


@pytest.mark.parametrize(
    "parts",
    [
        b"\1" * 7,
        "1111111",
        7,
        {0: 1, 1: b"", 2: "", 3: "", 4: "", 5: 1, 6: 2},
        [],
        [1],
        claims_of()[-70001][:-1],
        [*claims_of()[-70001], 1],
        [2, *claims_of()[-70001][1:]],
        ["1", *claims_of()[-70001][1:]],
    ],
)
def test_a_face_is_seven_parts_of_version_1(world, parts):
    assert part_of(world, claims_of(parts)) == "version"


@pytest.mark.parametrize(
    ("changes", "part"),
    [
        ({"kind": b"k"}, "kind"),
        ({"kind": 1}, "kind"),
        ({"name": b"n"}, "holder"),
        ({"code": []}, "holder code"),
        ({"list": -1}, "status list"),
        ({"list": 2**32}, "status list"),
        ({"list": "1"}, "status list"),
        ({"idx": -1}, "status index"),
        ({"idx": 2**32}, "status index"),
        ({"idx": b"1"}, "status index"),
    ],
)
def test_each_part_of_a_face_is_of_its_kind(world, changes, part):
    assert part_of(world, claims_of(**changes)) == part


@pytest.mark.parametrize("claim", [4, 5, 6])
@pytest.mark.parametrize("value", [-1, 253_402_300_800, "1", b"1", []])
def test_a_time_is_a_number_that_has_a_calendar_day(world, claim, value):
    assert part_of(world, claims_of() | {claim: value}) == "time"


@pytest.mark.parametrize(
    ("value", "at"),
    [(0, datetime(1970, 1, 1, tzinfo=UTC)), (253_402_300_799, datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC))],
)
def test_the_first_and_the_last_second_are_times(world, value, at):
    face = parse_code(signed(world, {4: value, 5: value, 6: value, -70001: claims_of()[-70001]})).face
    assert (face.valid_from, face.issued_at, face.valid_until) == (at, at, at)


def test_claims_are_read_by_their_numbers(world):
    face = parse_code(signed(world, claims_of(list=0, idx=0) | {4: 3})).face
    times = (face.valid_from, face.issued_at, face.valid_until)
    assert [int(t.timestamp()) for t in times if t] == [1, 2, 3]
    assert (face.kind_name, face.holder_name, face.holder_code) == ("k", "n", "c")
    assert (face.list_number, face.idx) == (0, 0)
    assert parse_code(signed(world, claims_of(list=2**32 - 1, idx=2**32 - 1))).face.idx == 2**32 - 1


@pytest.mark.parametrize("serial", ["0", "Z" * 64, "000A"])
@pytest.mark.parametrize("version", [1, 999])
def test_every_identifier_reads_back(serial, version):
    identifier = mint(type_code=w.KIND.code, issuer=w.AGRICULTURE, serial=serial, version=version)
    assert code._unpack(code._pack(identifier)) == identifier


def test_an_identifier_is_packed_without_a_zero_in_front():
    for length in range(1, 65):
        packing = code._pack(mint(type_code=w.KIND.code, issuer=w.AGRICULTURE, serial="0" * length))
        assert packing[0] != 0


def packed(text):
    """*text* as `_pack` writes it, whatever it says."""
    number = int("1" + text, 36)
    return number.to_bytes((number.bit_length() + 7) // 8, "big")


OPENING = w.KIND.code + w.AGRICULTURE
WHOLE = OPENING + "001" + "X"


@pytest.mark.parametrize(
    "value",
    [
        "x",
        7,
        [],
        b"",
        b"\0",
        b"\1",
        packed(""),
        packed(OPENING),
        packed(OPENING + "001"),
        packed(OPENING + "0A1X"),
        packed(OPENING + "000X"),
        packed(OPENING + "001" + "X" * 65),
        b"\0" + packed(WHOLE),
        int("2" + WHOLE, 36).to_bytes(30, "big"),
        int(WHOLE, 36).to_bytes(30, "big"),
        int("Z" + WHOLE, 36).to_bytes(30, "big").lstrip(b"\0"),
        b"\xff" * 150,
    ],
)
def test_other_bytes_are_no_identifier(world, value):
    assert part_of(world, claims_of(id=value)) == "identifier"
    assert parse_code(signed(world, claims_of(id=packed(WHOLE)))).face.identifier.serial == "X"


def test_a_code_begins_with_its_prefix(world):
    text = make_code(FACE, world.agriculture)
    assert text[:4] == "ZT1:"
    for other in (text[1:], text[4:], " " + text, "ZT1" + text[4:], text.replace("ZT1:", "ZT2:")):
        assert refused(other).code == "code_not_ours"


def test_only_signers_that_the_trust_names_are_taken_where_it_names_some(world):
    chains = [world.agriculture.chain_der, world.forestry.chain_der]
    both = frozenset(fingerprint(one[0]) for one in chains)
    assert len(trusted_signers(chains, replace(world.trust, licence_signers=both))) == 2
    one = replace(world.trust, licence_signers=both - {fingerprint(chains[1][0])})
    assert trusted_signers(chains[:1], one)
    with pytest.raises(FormatError) as caught:
        trusted_signers(chains, one)
    assert (caught.value.code, caught.value.sub_indication) == ("issuer_not_pinned", "NO_SIGNING_CERTIFICATE_FOUND")


def test_of_three_signers_of_one_key_id_the_signature_tells(world, signers, monkeypatch):
    text = make_code(FACE, world.agriculture)
    kid = parse_code(text).message.kid
    right, wrong = signers
    monkeypatch.setattr(cose, "key_id", lambda _: kid)
    for named in ([right, wrong, wrong], [wrong, right, wrong], [wrong, wrong, right], [right], [right, right]):
        assert verify_code(text, named, suites=SUITE, at=w.AT).signer == right
    for named in ([wrong], [wrong] * 3):
        fault = refused(text, named)
        assert (fault.code, fault.sub_indication) == ("signature_wrong", "SIG_CRYPTO_FAILURE")


@pytest.mark.parametrize(
    ("changes", "expected", "indication", "params"),
    [
        ({"purposes": frozenset()}, "issuer_purpose", "SIG_CONSTRAINTS_FAILURE", {}),
        (
            {"organisation_code": w.FORESTRY},
            "issuer_code_differs",
            "SIG_CONSTRAINTS_FAILURE",
            {"claimed": w.AGRICULTURE, "certified": w.FORESTRY},
        ),
        (
            {"organisation_code": ""},
            "issuer_code_differs",
            "SIG_CONSTRAINTS_FAILURE",
            {"claimed": w.AGRICULTURE, "certified": "?"},
        ),
        (
            {"ends": w.ISSUED - SECOND},
            "certificate_expired_at_signing",
            "EXPIRED",
            {"signed": "2025-03-01T08:00:00Z", "limit": "2025-03-01T07:59:59Z"},
        ),
        (
            {"starts": w.ISSUED + SECOND},
            "certificate_not_yet_valid_at_signing",
            "NOT_YET_VALID",
            {"signed": "2025-03-01T08:00:00Z", "limit": "2025-03-01T08:00:01Z"},
        ),
    ],
)
def test_why_a_signer_is_not_taken_is_told(world, signers, changes, expected, indication, params):  # noqa: PLR0917 - by name
    fault = refused(make_code(FACE, world.agriculture), [replace(signers[0], **changes)])
    assert (fault.code, fault.sub_indication) == (expected, indication)
    assert {k: v for k, v in fault.finding_params.items() if k in params} == params


@pytest.mark.parametrize("changes", [{"ends": w.ISSUED}, {"starts": w.ISSUED}])
def test_a_signer_may_sign_from_its_certificates_first_second_to_its_last(world, signers, changes):
    assert verify_code(make_code(FACE, world.agriculture), [replace(signers[0], **changes)], suites=SUITE, at=w.AT)


@pytest.mark.parametrize("later", ["valid_from", "issued_at"])
def test_a_licence_is_in_force_from_the_later_of_its_two_beginnings(world, signers, later):
    face = replace(FACE, **({"valid_from": w.ISSUED, "issued_at": w.ISSUED} | {later: w.AT}))
    text = make_code(face, world.agriculture)
    assert verify_code(text, signers, suites=SUITE, at=w.AT).face == face
    fault = refused(text, signers, w.AT - SECOND)
    assert (fault.code, fault.sub_indication) == ("licence_not_yet_valid", "NOT_YET_VALID")
    assert fault.finding_params["limit"] == "2025-03-01T10:00:00Z"


def test_a_licence_ends_with_the_second_that_is_named_and_without_one_never(world, signers):
    text = make_code(FACE, world.agriculture)
    assert verify_code(text, signers, suites=SUITE, at=w.UNTIL - SECOND)
    for at in (w.UNTIL, w.UNTIL + SECOND):
        fault = refused(text, signers, at)
        assert (fault.code, fault.sub_indication) == ("licence_expired", "EXPIRED")
        assert fault.finding_params["limit"] == "2028-03-01T00:00:00Z"
    endless = make_code(replace(FACE, valid_until=None), world.agriculture)
    assert verify_code(endless, signers, suites=SUITE, at=datetime(9999, 1, 1, tzinfo=UTC)).face.valid_until is None


def test_an_unknown_signer_is_told_by_its_key_id(world, signers):
    text = make_code(FACE, world.agriculture)
    fault = refused(text, signers[1:])
    assert (fault.code, fault.sub_indication) == ("code_signer_unknown", "NO_SIGNING_CERTIFICATE_FOUND")
    assert fault.finding_params["kid"] == cose.key_id(world.agriculture.chain_der[0]).hex()
