"""`zhengtong clients`: from a key pair on the client's machine to its last day."""

from __future__ import annotations

import json
import os

import pytest

from audit import sm2
from hub.cli import main
from hub.control import Control
from hub.evidence import Evidence
from hub.settings import Settings
from hub.signing import keyfiles
from tests.hub.clients.conftest import certificate
from tests.hub.databases import SQLITE
from tests.hub.publishing import publish_list
from tests.hub.world import make_list


@pytest.fixture
def database():
    """Commands only pass on what the use cases do."""
    return SQLITE


@pytest.fixture
def home(tmp_path, monkeypatch):
    for name in [name for name in os.environ if name.startswith("ZHENGTONG_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("ZHENGTONG_HOME", str(tmp_path / "var"))
    monkeypatch.setenv("ZHENGTONG_ACTOR", "GA:office")
    monkeypatch.chdir(tmp_path)
    settings = Settings.at(tmp_path / "var")
    control, evidence = Control.open(settings), Evidence.open(settings)
    publish_list(settings, control, evidence, make_list(), by="SJ:office")
    control.close()
    evidence.log.close()
    return tmp_path


@pytest.fixture
def zhengtong(home, capsys):
    def run(*arguments, code=0):
        assert main(["clients", *arguments, "--json"]) == code
        return json.loads(capsys.readouterr().out)

    return run


@pytest.fixture
def client(zhengtong):
    return zhengtong("register", "--department", "RS", "--name", "window", "--contact", "chief")["id"]


ALGORITHMS = ["ed25519", "ecdsa-p256-sha256", *(["sm2-sm3"] if sm2.missing() is None else [])]


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_pair_is_made_here_and_its_public_half_handed_in(zhengtong, client, home, algorithm):
    made = zhengtong("keygen", "--client", client, "--out", "window.key", "--algorithm", algorithm)
    assert (home / "window.key").stat().st_mode & 0o777 == 0o600
    assert "PRIVATE" not in (home / "window.key.pub").read_text()
    added = zhengtong("key", "add", client, "--public", "window.key.pub", "--days", "30")
    assert (added["algorithm"], added["thumbprint"], added["state"]) == (algorithm, made["key_id"], "in_force")
    # The same key again, as PEM and with a proof that was made later.
    proof = zhengtong("prove", "--client", client, "--key", "window.key")
    assert proof["public"] == made["public"]
    told = zhengtong("key", "add", client, "--public", "window.key.pub", "--proof", proof["proof"], code=5)
    assert told["code"] == "client_invalid"
    private = (home / "window.key").read_text()
    assert zhengtong("keygen", "--client", client, "--out", "window.key", code=2)["code"] == "query_invalid"
    assert (home / "window.key").read_text() == private


def test_a_pem_of_another_tool(zhengtong, client, home):
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

    key = ec.generate_private_key(ec.SECP256R1())
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (home / "k.pem").write_bytes(private)
    (home / "k.pub").write_bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    proof = zhengtong("prove", "--client", client, "--key", "k.pem")["proof"]
    assert zhengtong("key", "add", client, "--public", "k.pub", code=5)["code"] == "client_invalid"
    assert zhengtong("key", "add", client, "--public", "k.pub", "--proof", proof)["algorithm"] == "ecdsa-p256-sha256"
    for wrong in ("k.pem", "k.pub"):
        (home / "cut").write_text((home / wrong).read_text()[:-30])
        assert zhengtong("key", "add", client, "--public", "cut", code=2)["code"] == "query_invalid"
    # A private key is no public one, whoever mixes them up.
    assert zhengtong("key", "add", client, "--public", "k.pem", code=2)["code"] == "query_invalid"
    assert zhengtong("prove", "--client", client, "--key", "k.pub", code=2)["code"] == "query_invalid"


def test_every_kind_is_added_rotated_shown_and_revoked(zhengtong, client, home):
    issued = zhengtong("key", "add", client, "--bearer", "--out", "b.key")
    assert (home / "b.key").read_text().startswith("zt_")
    assert "key" not in issued
    (home / "c.pem").write_text(certificate(start=_today())[0])
    zhengtong("key", "add", client, "--certificate", "c.pem")
    shared = zhengtong("key", "add", client, "--hmac", "--rid", "rid-1")
    (home / "s.key").write_text("a-gateways-own-shared-key")
    second = zhengtong("key", "rotate", shared["credential"], "--hmac", "--shared-key-file", "s.key", "--overlap", "3")
    assert (second["rid"], second["key"]) == ("rid-1", "a-gateways-own-shared-key")
    again = zhengtong("key", "rotate", issued["credential"], "--bearer")
    told = zhengtong("show", client)
    assert [one["state"] for one in told["credentials"]] == ["in_force"] * 5
    text = json.dumps(told)
    assert again["key"] not in text
    assert "a-gateways-own" not in text
    assert zhengtong("key", "revoke", again["credential"])["revoked"]
    assert zhengtong("end", client)["ended"]
    states = {one["id"]: one["state"] for one in zhengtong("show", client)["credentials"]}
    assert states[again["credential"]] == "revoked"
    assert [one["ended_at"] is None for one in zhengtong("list", "--department", "RS")] == [False]
    assert zhengtong("key", "add", client, "--bearer", code=3)["code"] == "client_unknown"


def _today():
    from datetime import UTC, datetime, timedelta

    return datetime.now(UTC) - timedelta(days=1)


def test_mistakes_are_told(zhengtong, client, home):
    for options in ((), ("--bearer", "--hmac")):
        assert zhengtong("key", "add", client, *options, code=2)["code"] == "query_invalid"
    assert (
        zhengtong("keygen", "--client", client, "--out", "k", "--algorithm", "rsa", code=2)["code"] == "query_invalid"
    )
    assert not (home / "k").exists()
    assert zhengtong("show", "S404", code=3)["code"] == "client_unknown"
    assert zhengtong("key", "revoke", "K404", code=3)["code"] == "credential_unknown"
    assert zhengtong("key", "rotate", "K404", "--bearer", "--out", "x.key", code=3)["code"] == "credential_unknown"
    # No key was made, so no file stays.
    assert not (home / "x.key").exists()
    assert zhengtong("set", client, "--signed-only", code=5)["code"] == "client_invalid"


def test_signed_only_is_set_and_unset(zhengtong, client):
    zhengtong("keygen", "--client", client, "--out", "k")
    zhengtong("key", "add", client, "--public", "k.pub")
    assert zhengtong("set", client, "--signed-only")["signed_only"]
    assert not zhengtong("set", client, "--any-proof")["signed_only"]


def test_a_person_reads_it_in_a_table(client, capsys):
    for arguments in (["list"], ["show", client]):
        assert main(["clients", *arguments]) == 0
        assert client in capsys.readouterr().out


def test_key_files_are_read_as_they_were_written():
    for algorithm in ALGORITHMS:
        key, pem = keyfiles.generate(algorithm)
        read = keyfiles.read_private(pem)
        assert keyfiles.prove_possession("S1", key)
        read.public.verify(key.sign(b"x"), b"x")
        assert read.public.raw == key.public.raw
