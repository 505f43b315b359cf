from __future__ import annotations

import pytest

from licence.errors import TrustEmptyError, TrustUnreadableError
from licence.trust import ANCHORS_FILE, LOG_KEYS_FILE, POLICY_FILE, TrustStore
from licence.verify import verify
from tests.licence import world as w


def test_reads_back(tmp_path, world, bundle):
    trust = TrustStore(
        world.trust.anchors,
        world.trust.log_verifiers,
        licence_signers=frozenset({"0" * 64}),
        status_signers=frozenset(),
    )
    trust.save(tmp_path / "trust")
    assert TrustStore.load(tmp_path / "trust") == trust
    world.trust.save(tmp_path / "trust")
    assert verify(bundle, TrustStore.load(tmp_path / "trust"), w.AT).exit_code == 0


@pytest.mark.parametrize("empty", ["anchors", "log_verifiers", "suites"])
def test_empty_trust_is_an_error(world, empty):
    parts = {"anchors": world.trust.anchors, "log_verifiers": world.trust.log_verifiers, "suites": world.trust.suites}
    with pytest.raises(TrustEmptyError) as caught:
        TrustStore(**(parts | {empty: type(parts[empty])()}))
    assert caught.value.text("zh")


def test_unknown_suite_is_an_error(world):
    with pytest.raises(TrustEmptyError):
        TrustStore(world.trust.anchors, world.trust.log_verifiers, suites=frozenset({"none"}))


@pytest.mark.parametrize("name", [ANCHORS_FILE, LOG_KEYS_FILE])
def test_emptied_file_is_empty_trust(tmp_path, world, name):
    world.trust.save(tmp_path)
    (tmp_path / name).write_bytes(b"")
    with pytest.raises(TrustEmptyError):
        TrustStore.load(tmp_path)


@pytest.mark.parametrize("name", [ANCHORS_FILE, LOG_KEYS_FILE, POLICY_FILE])
@pytest.mark.parametrize("content", [b"junk", b"\xff\xff", None])
def test_damaged_or_missing_file(tmp_path, world, name, content):
    world.trust.save(tmp_path)
    (tmp_path / name).unlink()
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(TrustUnreadableError):
        TrustStore.load(tmp_path)


@pytest.mark.parametrize(
    "change",
    [
        ('"suites"', '"sweets"'),
        ("ecdsa-p256-sha256", 'a", 5, "b'),
        ('"licence_signers": []', '"licence_signers": ["x"]'),
    ],
)
def test_damaged_policy(tmp_path, world, change):
    world.trust.save(tmp_path)
    path = tmp_path / POLICY_FILE
    path.write_text(path.read_text().replace(*change))
    with pytest.raises(TrustUnreadableError):
        TrustStore.load(tmp_path)
