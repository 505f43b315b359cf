"""A verifier of licences who pins both keys of a log demands both of its signatures; who pins one goes on."""

from __future__ import annotations

from dataclasses import replace

import pytest

from audit.checkpoint import parse_unverified
from audit.keys import MlDsaSignerKey
from audit.proof import LogProof
from licence.errors import FormatError
from licence.trust import TrustStore
from licence.verify import _prove
from tests.licence import world as worlds


@pytest.fixture(scope="module")
def world():
    return worlds.make_world()


@pytest.fixture
def second(world):
    return MlDsaSignerKey(world.log_key.name, b"2" * 32)


def proofs(world, second):
    """An entry, its proof by a checkpoint with one signature, and by the same one with two."""
    entries = [b"a", b"b", b"c"]
    one = worlds.prove(entries, 1, world.log_key)
    found = LogProof.from_text(one)
    both = parse_unverified(found.checkpoint).sign([world.log_key, second])
    return entries[1], one, replace(found, checkpoint=both).to_text()


def test_both_are_demanded_of_who_pins_both(world, second, tmp_path):
    entry, one, both = proofs(world, second)
    pinned = replace(world.trust, log_verifiers=(world.log_key.verifier, second.verifier))
    pinned.save(tmp_path)
    loaded = TrustStore.load(tmp_path)
    assert loaded.log_verifiers == pinned.log_verifiers
    assert _prove(entry, both, loaded.log_verifiers)[1].size == 3
    with pytest.raises(FormatError, match="not signed by a pinned log key"):
        _prove(entry, one, loaded.log_verifiers)


def test_who_pins_one_goes_on(world, second):
    entry, one, both = proofs(world, second)
    assert _prove(entry, one, world.trust.log_verifiers)[1] == _prove(entry, both, world.trust.log_verifiers)[1]
