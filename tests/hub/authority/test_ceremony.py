"""A root is made before two posts, compared, put apart and put on record; without its key the hub goes on."""

from __future__ import annotations

import hashlib
import json
import stat
from dataclasses import replace

import pytest

from hub.actors import Actor
from hub.authority import ceremony, making, register
from hub.authority.ceremony import Plan, check_record, finish, hold, spelt
from hub.authority.changes import rotate
from hub.authority.errors import KeyStepRefusedError, RootApartError
from hub.control import Control
from hub.evidence import Evidence
from hub.settings import Settings
from licence.errors import FormatError, KeyFileError, PassphraseWrongError
from licence.keys import read_key
from licence.suites import ECDSA_P256_SHA256
from licence.trust import TrustStore
from tests.hub.authority.conftest import again, prepare

PASSPHRASE = b"kept in two envelopes"


@pytest.fixture
def plan(tmp_path):
    return Plan(
        ECDSA_P256_SHA256, "DSJ:key-keeper", "DSJ:auditor", "zhengtong test", tmp_path / "stick", PASSPHRASE, new=True
    )


def yes(_post, _fingerprint):
    return True


def test_a_new_root_apart(keys, log, plan):
    old = keys.roots()
    shown = []
    held = hold(keys, log, plan, lambda *seen: not shown.append(seen))
    assert shown == [(post, held.root.key_id) for post in (plan.first, plan.second)]
    assert not keys.path("root", ECDSA_P256_SHA256, 2).exists()
    assert stat.S_IMODE(held.root_file.stat().st_mode) == 0o600
    root = read_key(held.root_file, PASSPHRASE)
    assert root.certificate == held.root.certificate
    with pytest.raises(PassphraseWrongError):
        read_key(held.root_file, keys.passphrase)
    trust = TrustStore.load(keys.settings.trust)
    # Who pinned the old root goes on verifying; new leaves come under the new one.
    assert {*old, root.certificate} == set(trust.anchors)
    rotate(keys, log, "status", by="DSJ:key-keeper")
    assert keys.status().chain[-1] == root.certificate
    with pytest.raises(RootApartError):
        rotate(again(keys), log, "issuing", by="DSJ:key-keeper")
    made = rotate(keys, log, "issuing", by="DSJ:key-keeper", root=root)
    assert made.issuer == held.root.key_id


def test_the_present_root_is_put_apart(keys, log, plan):
    before = keys.roots()
    held = hold(keys, log, replace(plan, new=False), yes)
    assert keys.roots() == before
    assert not keys.path("root", ECDSA_P256_SHA256, 1).exists()
    assert held.root.number == 1
    prepare(again(keys))
    assert keys.documents(next(iter(keys._known))).chain[-1] == held.root.certificate


def test_the_record_is_signed_by_its_root(keys, log, plan):
    held = hold(keys, log, plan, yes)
    data = held.record.read_bytes()
    content = check_record(data, held.root.certificate)
    assert content["present"] == [plan.first, plan.second]
    digests = {f["name"]: f["sha256"] for f in content["files"]}
    assert digests[held.root_file.name] == hashlib.sha256(held.root_file.read_bytes()).hexdigest()
    assert spelt(held.root.key_id) in held.protocol.read_text()
    with pytest.raises(KeyStepRefusedError):
        check_record(data, keys.roots()[-1] if keys.roots()[0] == held.root.certificate else keys.roots()[0])
    signed = json.loads(data)
    for position in range(0, len(signed["record"]), 37):
        changed = bytearray(signed["record"].encode())
        changed[position] ^= 1
        text = changed.decode(errors="ignore")
        with pytest.raises((KeyStepRefusedError, FormatError)):
            check_record(json.dumps({**signed, "record": text}).encode(), held.root.certificate)


def test_who_does_not_confirm_stops_it(keys, log, plan):
    before = keys.kept(), sorted(p.name for p in keys.folder.iterdir()), log.log.size
    for refusing in (plan.first, plan.second):
        with pytest.raises(KeyStepRefusedError, match="fingerprint"):
            hold(keys, log, plan, lambda post, _, no=refusing: post != no)
    with pytest.raises(KeyStepRefusedError):
        hold(keys, log, replace(plan, second=plan.first), yes)
    with pytest.raises(KeyFileError):
        hold(keys, log, replace(plan, passphrase=b"short"), yes)
    assert (keys.kept(), sorted(p.name for p in keys.folder.iterdir()), log.log.size) == before
    assert Actor.parse(plan.first)


@pytest.mark.parametrize("where", ["write_key", "made", "sign_list", "append", "replace_file", "finish"])
def test_killed_in_a_ceremony(keys, log, plan, monkeypatch, where):
    code = next(iter(keys._known))
    signing, roots = keys.department(code).certificate, keys.roots()
    owner, name = {"made": (making, "write_key"), "append": (log, "append")}.get(where, (ceremony, where))
    real, calls = getattr(owner, name), []

    def killed(*given, **named):
        calls.append(given)
        if where == "finish" and len(calls) == 1:
            return real(*given, **named)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(owner, name, killed)
        with pytest.raises(KeyboardInterrupt):
            hold(keys, log, plan, yes)
    other = again(keys)
    prepare(other)
    counted = where == "finish"
    assert (other.roots() == roots) == (not counted)
    assert other.department(code).certificate == signing
    for one in other.kept():
        if one.keeper != register.APART:
            assert other.open(one).certificate == one.certificate
    finish(other)
    held = hold(other, log, plan, yes)
    assert held.root.number == 2 + counted
    rotate(other, log, code, by="DSJ:key-keeper")
    assert other.department(code).chain[-1] == held.root.certificate


def test_killed_before_the_root_left_the_machine(keys, log, plan, monkeypatch):
    path = keys.path("root", ECDSA_P256_SHA256, 1)
    with monkeypatch.context() as patched:
        calls = []
        patched.setattr(ceremony, "finish", lambda store: calls.append(store) if not calls else 1 / 0)
        with pytest.raises(ZeroDivisionError):
            hold(keys, log, replace(plan, new=False), yes)
    assert path.exists()
    assert finish(again(keys)) == ["root.pem"]
    assert not path.exists()
    assert finish(keys) == []


def test_a_ceremony_before_anything_else(tmp_path, clock, plan):
    settings = Settings.at(tmp_path / "fresh")
    control = Control.open(settings)
    from hub.authority import KeyStore

    store = KeyStore(settings, control, clock)
    held = hold(store, Evidence.open(settings, clock=clock), plan, yes)
    prepare(store)
    assert store.roots()[0] == held.root.certificate
    assert store.status().chain[-1] == held.root.certificate
    control.close()
