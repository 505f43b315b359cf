"""A trust folder at the limits of its form, and all that is in one read back."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from audit.notes import SignerKey
from licence import authority, second
from licence.errors import TrustEmptyError, TrustUnreadableError
from licence.suites import SUITES
from licence.trust import TrustStore, fingerprint
from tests.licence import world as w
from tests.licence.test_second_of_licences import PIN

MIB = 1024 * 1024
FILES = {"anchors.pem", "log-keys.txt", "policy.json", "second-keys.json", "certificates.pem", "crls"}


def list_of(key, number=1):
    return authority.revocation_list(
        key, (), number=number, this_update=w.ISSUED, next_update=w.ISSUED + timedelta(days=number)
    )


@pytest.fixture
def full(world):
    """A store in which nothing is left out."""
    return replace(
        world.trust,
        suites=frozenset(SUITES),
        licence_signers=frozenset({fingerprint(world.agriculture.chain_der[0])}),
        status_signers=frozenset({fingerprint(world.status_key.chain_der[0])}),
        certificates=world.agriculture.chain_der[:2],
        crls=(list_of(world.root),),
        second_keys=frozenset({PIN}),
        require_second=True,
    )


def unreadable(folder):
    with pytest.raises(TrustUnreadableError) as caught:
        TrustStore.load(folder)
    return caught.value.params["detail"]


def with_policy(folder, **changes):
    path = folder / "policy.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    return folder


def test_all_that_is_pinned_and_all_beside_it_reads_back(full, tmp_path):
    folder = tmp_path / "a" / "b"
    full.save(folder)
    assert {path.name for path in folder.iterdir()} == FILES
    assert TrustStore.load(folder) == full
    # Once more over itself, and then what is left when second signatures are pinned no longer.
    full.save(folder)
    assert TrustStore.load(folder) == full
    less = replace(full, second_keys=frozenset(), require_second=False)
    less.save(folder)
    less.save(folder)
    assert TrustStore.load(folder) == less


def test_the_next_list_of_an_authority_takes_the_place_of_the_last(full, world, tmp_path):
    full.save(tmp_path)
    replace(full, crls=(list_of(world.root, 2),)).save(tmp_path)
    assert TrustStore.load(tmp_path).crls == (list_of(world.root, 2),)
    assert [path.suffix for path in (tmp_path / "crls").iterdir()] == [".crl"]


def test_everyone_may_read_the_folder_and_only_its_owner_writes(full, tmp_path):
    full.save(tmp_path)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) == len(FILES)
    assert {path.stat().st_mode & 0o777 for path in files} == {0o644}


def test_the_policy_is_text_that_a_person_can_edit(world, tmp_path):
    world.trust.save(tmp_path)
    assert (tmp_path / "policy.json").read_text() == (
        '{\n "format": "zhengtong-trust/1",\n "suites": [\n  "ecdsa-p256-sha256"\n ],\n'
        ' "licence_signers": [],\n "status_signers": []\n}\n'
    )
    assert (tmp_path / "log-keys.txt").read_text() == f"{world.log_key.verifier.to_text()}\n"


def test_who_demands_second_signatures_is_not_read_by_verifiers_of_before(full, tmp_path):
    full.save(tmp_path)
    assert json.loads((tmp_path / "policy.json").read_text())["require_second"] is True
    with pytest.raises(TrustEmptyError):
        replace(full, second_keys=frozenset())


@pytest.mark.parametrize(
    "changes",
    [
        {"format": "zhengtong-trust/2"},
        {"format": ""},
        {"more": 1},
        {"require_second": 1},
        {"require_second": "yes"},
        {"require_second": None},
        {"licence_signers": {"0" * 64: 1}},
        {"licence_signers": "0" * 64},
        {"status_signers": ["0" * 63]},
        {"status_signers": ["0" * 65]},
        {"status_signers": ["A" * 64]},
        {"status_signers": [""]},
        {"suites": {"ecdsa-p256-sha256": 1}},
    ],
)
def test_a_policy_of_another_form_is_refused(world, tmp_path, changes):
    world.trust.save(tmp_path)
    assert unreadable(with_policy(tmp_path, **changes))


def test_a_policy_has_each_of_its_members_and_is_an_object(world, tmp_path):
    world.trust.save(tmp_path)
    plain = json.loads((tmp_path / "policy.json").read_text())
    for name in plain:
        (tmp_path / "policy.json").write_text(json.dumps({k: v for k, v in plain.items() if k != name}))
        assert unreadable(tmp_path) == "not a trust policy of the known format"
    (tmp_path / "policy.json").write_text(json.dumps(list(plain)))
    assert unreadable(tmp_path) == "not a trust policy of the known format"
    (tmp_path / "policy.json").write_text("{")
    assert "policy.json" in unreadable(tmp_path)


def test_a_file_may_have_four_mebibytes_and_no_byte_more(world, tmp_path):
    world.trust.save(tmp_path)
    path = tmp_path / "log-keys.txt"
    key = path.read_bytes()
    path.write_bytes(key.ljust(4 * MIB))
    assert TrustStore.load(tmp_path).log_verifiers == world.trust.log_verifiers
    path.write_bytes(key.ljust(4 * MIB + 1))
    assert unreadable(tmp_path) == "larger than 4194304 bytes"


def test_blank_lines_between_log_keys_are_none(world, tmp_path):
    world.trust.save(tmp_path)
    path = tmp_path / "log-keys.txt"
    path.write_text(f"\n  \n{path.read_text()}\n")
    assert TrustStore.load(tmp_path).log_verifiers == world.trust.log_verifiers


def test_each_log_key_has_a_line(world, tmp_path):
    both = (world.log_key.verifier, SignerKey("other.city.example", bytes(32)).verifier)
    replace(world.trust, log_verifiers=both).save(tmp_path)
    assert (tmp_path / "log-keys.txt").read_text() == "".join(f"{key.to_text()}\n" for key in both)
    assert TrustStore.load(tmp_path).log_verifiers == both


def test_certificates_that_are_none_are_told(full, tmp_path):
    full.save(tmp_path)
    (tmp_path / "certificates.pem").write_bytes(b"junk")
    assert unreadable(tmp_path) == "not PEM certificates"


def test_second_keys_that_are_none_are_told(full, tmp_path):
    full.save(tmp_path)
    (tmp_path / "second-keys.json").write_bytes(second.write_keys({PIN})[:-2])
    assert unreadable(tmp_path)


def test_sixty_four_lists_are_read_and_no_more(full, tmp_path):
    full.save(tmp_path)
    (der,) = full.crls
    for number in range(63):
        (tmp_path / "crls" / f"{number}.crl").write_bytes(der)
    (tmp_path / "crls" / "README").write_bytes(b"not a list")
    assert TrustStore.load(tmp_path).crls == (der,) * 64
    (tmp_path / "crls" / "more.crl").write_bytes(der)
    assert unreadable(tmp_path) == "more than 64 revocation lists"


def test_lists_are_read_in_the_order_of_their_names(full, tmp_path):
    full.save(tmp_path)
    for name in "zyx":
        (tmp_path / "crls" / f"{name}.crl").write_bytes(name.encode())
    assert TrustStore.load(tmp_path).crls[-3:] == (b"x", b"y", b"z")


def test_anchors_are_known_by_their_bytes(world):
    assert world.trust.anchors_der == {world.trust.anchors[0].public_bytes(Encoding.DER)}
