from __future__ import annotations

import dataclasses
import subprocess
import sys
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from licence import chain
from licence.errors import FormatError, IssueRefusedError
from licence.identifiers import mint
from licence.model import StatusRef
from licence.qr import base45, cbor, code, cose
from licence.qr.code import ShortFace, make_code, mask_code, parse_code, trusted_signers, verify_code
from tests.licence import world as w

ROOT = Path(code.__file__).parents[2]
SUITE = ["ecdsa-p256-sha256"]
FACE = ShortFace(
    identifier=mint(type_code=w.KIND.code, issuer=w.AGRICULTURE, serial="20250000001"),
    kind_name=w.KIND.name,
    holder_name="王小明",
    holder_code=mask_code("11010519491231002X", "111"),
    issued_at=w.ISSUED,
    valid_from=w.ISSUED,
    valid_until=w.UNTIL,
    list_number=20,
    idx=2**20 - 1,
)


@pytest.fixture(scope="module")
def signers(world):
    return trusted_signers([world.agriculture.chain_der, world.forestry.chain_der], world.trust)


@pytest.fixture(scope="module")
def text(world):
    return make_code(FACE, world.agriculture)


def code_of(text, signers, at=w.AT, suites=SUITE):
    with pytest.raises(FormatError) as caught:
        verify_code(text, signers, suites=suites, at=at)
    return caught.value.code


def test_a_licence_verifies_from_its_code(world, signers, text):
    found = verify_code(text, signers, suites=SUITE, at=w.AT)
    assert found.face == FACE
    assert found.signer.leaf == world.agriculture.chain_der[0]
    assert text.startswith("ZT1:")
    assert set(text) <= set(base45.ALPHABET)
    assert len(text) <= 340
    assert found.face.status_ref("https://licences.city.example/status") == StatusRef(
        "https://licences.city.example/status/20", 2**20 - 1
    )
    assert make_code(FACE, world.agriculture) == text


def test_the_holders_code_is_masked():
    assert FACE.holder_code == "**************002X"
    assert mask_code(w.AGRICULTURE, "001") == w.AGRICULTURE
    assert mask_code("E1234", "414") == "***34"
    assert mask_code("7", "999") == "*"


@settings(max_examples=25, deadline=None)
@given(
    serial=st.text("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ", min_size=1, max_size=32),
    version=st.integers(1, 999),
    name=st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=20),
    seconds=st.integers(0, 10**9),
    ends=st.booleans(),
)
def test_what_was_written_reads_back(world, serial, version, name, seconds, ends):  # noqa: PLR0917 - drawn by name
    face = replace(
        FACE,
        identifier=mint(type_code=w.KIND.code, issuer=w.AGRICULTURE, serial=serial, version=version),
        holder_name=name,
        valid_until=w.ISSUED + timedelta(seconds=seconds + 1) if ends else None,
    )
    text = make_code(face, world.agriculture)
    assert len(text) <= code.MAX_CHARACTERS
    found = parse_code(text).face
    assert replace(found, kind_name="", holder_name="") == replace(face, kind_name="", holder_name="")
    assert face.kind_name.startswith(found.kind_name)


def test_what_does_not_fit_is_left_out_in_order(world, signers):
    company = "某某自治州农业机械化综合服务推广中心（普通合伙）"
    without = parse_code(make_code(replace(FACE, holder_name=company), world.agriculture)).face
    assert (without.kind_name, without.holder_name) == ("", company)
    text = make_code(replace(FACE, holder_name=company * 3), world.agriculture)
    short = verify_code(text, signers, suites=SUITE, at=w.AT).face
    assert 390 < len(text) <= 400
    assert short.holder_name.endswith("…")
    assert (company * 3).startswith(short.holder_name[:-1])
    with pytest.raises(IssueRefusedError) as caught:
        make_code(replace(FACE, holder_code="9" * 200), world.agriculture)
    assert caught.value.code == "code_too_long"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"issued_at": datetime(2025, 3, 1)}, "time_not_aware"),  # noqa: DTZ001 - what is tested
        ({"valid_until": w.ISSUED}, "licence_validity_empty"),
        ({"list_number": 0}, "status_does_not_fit"),
        ({"idx": -1}, "status_does_not_fit"),
        ({"holder_name": ""}, "code_holder_missing"),
        ({"identifier": replace(FACE.identifier, issuer=w.FORESTRY)}, "identifier_of_other_issuer"),
    ],
)
def test_what_contradicts_itself_is_not_signed(world, changes, expected):
    with pytest.raises(IssueRefusedError) as caught:
        make_code(replace(FACE, **changes), world.agriculture)
    assert caught.value.code == expected


def test_each_byte_counts(signers, text):
    data = base45.decode(text[4:], max_bytes=400)
    for at in range(len(data)):
        for mask in (1, 0x80):
            flipped = data[:at] + bytes([data[at] ^ mask]) + data[at + 1 :]
            assert code_of("ZT1:" + base45.encode(flipped), signers)


@pytest.mark.parametrize(
    "text", ["", "ZT1", "ZT1:", "ZT2:AB", "zt1:AB", "ZT1:AB", "ZT1:" + "0" * 400, "HC1:6BF", "ZT1:水"]
)
def test_other_texts_are_no_codes(signers, text):
    assert code_of(text, signers)


def test_trailing_characters_are_refused(signers, text):
    for tail in ("0", "00", "000", " "):
        assert code_of(text + tail, signers)


def test_the_signer_is_found_among_those_trusted(world, signers, text):
    assert code_of(text, ()) == "code_signer_unknown"
    assert code_of(text, signers[1:]) == "code_signer_unknown"
    assert code_of(text, signers, suites=[]) == "alg_not_of_key"
    assert code_of(text, signers, suites=["ed25519"]) == "alg_not_of_key"
    # Two certificates of the same first eight bytes: the signature tells whose it is.
    same = [replace(signers[1], leaf=world.forestry.chain_der[0]), signers[0]]
    kid = cose.key_id(world.agriculture.chain_der[0])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cose, "key_id", lambda _: kid)
        assert verify_code(text, same, suites=SUITE, at=w.AT).signer == signers[0]
        assert verify_code(text, same[::-1], suites=SUITE, at=w.AT).signer == signers[0]
        assert code_of(text, same[:1]) == "signature_wrong"


def test_the_signer_is_of_the_issuer_and_may_sign(world, signers, text):
    assert code_of(text, [replace(signers[0], purposes=frozenset())]) == "issuer_purpose"
    assert code_of(text, [replace(signers[0], organisation_code=w.FORESTRY)]) == "issuer_code_differs"
    assert code_of(text, [replace(signers[0], ends=w.ISSUED - timedelta(1))]) == "certificate_expired_at_signing"
    assert code_of(text, [replace(signers[0], starts=w.AT)]) == "certificate_not_yet_valid_at_signing"


def test_only_chains_to_a_pinned_anchor_are_trusted(world):
    stranger = w.make_leaf(w.make_root("other"), "agriculture", w.AGRICULTURE)
    with pytest.raises(FormatError) as caught:
        trusted_signers([stranger.chain_der], world.trust)
    assert caught.value.code == "no_pinned_anchor"
    narrow = dataclasses.replace(world.trust, licence_signers=frozenset({"0" * 64}))
    with pytest.raises(FormatError) as caught:
        trusted_signers([world.agriculture.chain_der], narrow)
    assert caught.value.code == "issuer_not_pinned"


def test_the_time_counts(signers, text):
    assert code_of(text, signers, w.ISSUED - timedelta(seconds=1)) == "licence_not_yet_valid"
    assert code_of(text, signers, w.UNTIL) == "licence_expired"
    assert verify_code(text, signers, suites=SUITE, at=w.UNTIL - timedelta(seconds=1))
    with pytest.raises(ValueError, match="zone"):
        verify_code(text, signers, suites=SUITE, at=datetime(2025, 3, 1))  # noqa: DTZ001 - what is tested


def face_of(**changes):
    packed = code._pack(FACE.identifier)
    parts = {"v": 1, "id": packed, "kind": "k", "name": "n", "code": "c", "list": 1, "idx": 2} | changes
    return {5: 1, 6: 1, -70001: [v for v in parts.values() if v is not None]}


@pytest.mark.parametrize(
    "claims",
    [
        [],
        {},
        {5: 1, 6: 1},
        face_of() | {7: b"x"},
        face_of() | {5: -1},
        face_of() | {5: 2**60},
        face_of() | {4: "x"},
        face_of(v=2),
        face_of(idx=None),
        face_of(more=1),
        face_of(id=b""),
        face_of(id=b"\1"),
        face_of(id=b"\0" + code._pack(FACE.identifier)),
        face_of(id=b"\xff" * 200),
        face_of(id="x"),
        face_of(kind=b"k"),
        face_of(name=1),
        face_of(code=1),
        face_of(list=-1),
        face_of(idx=2**32),
        face_of(idx="1"),
    ],
)
def test_a_signed_face_of_another_form_is_refused(world, signers, claims):
    text = "ZT1:" + base45.encode(cose.sign(world.agriculture, cbor.encode(claims)))
    assert code_of(text, signers) in {"code_face_invalid", "too_large"}


def test_the_picture_is_the_same_each_time_and_holds_the_text(text):
    draw = pytest.importorskip("licence.qr.draw", reason="drawing needs segno (extra `documents`)")
    picture = draw.qr_svg(text, title="证照码")
    assert picture == draw.qr_svg(text, title="证照码")
    assert picture.startswith(b"<svg")
    assert "证照码" in picture.decode()
    assert b"&lt;b&gt;" in draw.qr_svg(text, title="<b>")
    assert draw.qr_svg(text + "0") != draw.qr_svg(text)
    for bad in ("", "0" * 5000):
        with pytest.raises(ValueError, match="1 to"):
            draw.qr_svg(bad)


def test_paths_are_validated_once(world, signers):
    assert all(isinstance(s, chain.Path) for s in signers)


def test_verifying_codes_lists_and_populations_needs_nothing_else_of_ours():
    modules = "licence.qr.code, licence.qr.once, licence.status.history, licence.trustlist, licence.population.page"
    unwanted = "{'yaml', 'catalog', 'connectors', 'warehouse', 'hub', 'duckdb', 'pyarrow', 'pandas', 'segno'}"
    script = (
        f"import sys, licence.population.auditing, {modules}; "
        f"print([m for m in sys.modules if m.split('.')[0] in {unwanted}])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "[]"


def test_a_licence_is_not_in_force_before_it_was_issued(world, signers):
    early = make_code(replace(FACE, valid_from=w.ISSUED - timedelta(days=9)), world.agriculture)
    assert code_of(early, signers, w.ISSUED - timedelta(days=1)) == "licence_not_yet_valid"
    assert verify_code(early, signers, suites=SUITE, at=w.ISSUED)
