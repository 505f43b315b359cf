"""`zhengtong verify` takes every form, and tells as much as is asked."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from hub.cli import main
from licence import authority
from licence.crl import Revocation
from licence.status import to_cwt
from licence.status.history import to_json
from licence.trust import TrustStore
from licence.verifying import replay
from tests.licence import test_status_history as past
from tests.licence import world as w
from tests.licence.seals import city as c


@pytest.fixture
def desk(tmp_path, world, monkeypatch, capsys):
    """A folder with a seal, the authority between and two revocation lists, and how to ask."""
    city = c.make_city()
    TrustStore((city.root.certificate,), world.trust.log_verifiers).save(tmp_path / "trust")
    monkeypatch.setenv("ZHENGTONG_HOME", str(tmp_path / "home"))
    (tmp_path / "seal.esl").write_bytes(c.new_seal(city).raw)
    (tmp_path / "between.pem").write_bytes(city.issuing.certificate.public_bytes(Encoding.PEM))
    entries = [Revocation(city.maker.certificate.serial_number, c.MADE - timedelta(days=1))]
    term = {"this_update": c.MADE, "next_update": c.ENDS, "number": 1}
    (tmp_path / "bad.crl").write_bytes(authority.revocation_list(city.issuing, entries, **term))
    (tmp_path / "good.crl").write_bytes(authority.revocation_list(city.issuing, [], **term))

    def ask(*more, cert="between.pem"):
        given = ["--cert", str(tmp_path / cert)] if cert else []
        given += [str(tmp_path / m) if m.endswith(".crl") else m for m in more]
        trusted = ["--trust", str(tmp_path / "trust"), "--at", c.AT.isoformat()]
        code = main(["--lang", "en", "verify", str(tmp_path / "seal.esl"), *trusted, *given])
        return code, capsys.readouterr().out

    return ask


def test_a_seal_is_judged_by_what_is_given(desk):
    assert desk()[0] == 0
    assert desk("--crl", "good.crl")[0] == 0
    assert desk("--crl", "good.crl", "--crl", "bad.crl")[0] == 10
    assert desk(cert=None)[0] == 11
    assert desk("--crl", "missing.crl")[0] == 3


def test_three_depths(desk):
    code, told = desk("--depth", "simple")
    assert (code, told.splitlines()[0], len(told.splitlines())) == (0, "TOTAL-PASSED", 2)
    code, told = desk("--depth", "simple", "--json")
    assert json.loads(told)["exit_code"] == 0
    assert len(desk("--depth", "detailed")[1].splitlines()) > 6
    assert desk("--depth", "detailed") == desk()
    code, told = desk("--depth", "diagnostic")
    assert code == 0
    assert replay(told).exit_code == 0
    assert desk("--depth", "deepest")[0] == 2


@pytest.fixture
def counter(tmp_path, world, monkeypatch, capsys):
    """A folder with a licence, its trust and the history of its status list, and how to ask."""
    monkeypatch.setenv("ZHENGTONG_HOME", str(tmp_path / "home"))
    world.trust.save(tmp_path / "trust")
    sealed = w.seal(world.agriculture)
    bundle = w.bundle_of(world, sealed, None)
    (tmp_path / "one.licence.json").write_text(bundle.to_json(), "utf-8")
    (tmp_path / "past").mkdir()
    (tmp_path / "past" / "20.json").write_text(to_json(w.STATUS_URI, past.make(world)), "utf-8")
    (tmp_path / "past" / "README.txt").write_text("of another kind")

    def ask(*more, at=w.ISSUED + timedelta(minutes=30)):
        given = [str(tmp_path / m) if (tmp_path / m).exists() else m for m in more]
        moment = [] if at is None else ["--at", at.isoformat()]
        trusted = ["--trust", str(tmp_path / "trust"), *moment]
        code = main(["--lang", "en", "verify", str(tmp_path / "one.licence.json"), *trusted, *given])
        return code, capsys.readouterr()

    ask.folder = tmp_path
    return ask


@pytest.mark.parametrize(("minutes", "code", "word"), [(30, 0, ""), (90, 12, "SUSPENDED"), (150, 12, "REVOKED")])
@pytest.mark.parametrize("where", ["past", "past/20.json"])
def test_a_history_tells_how_it_was(counter, minutes, code, word, where):
    at = w.ISSUED + timedelta(minutes=minutes)
    assert counter(at=at)[0] == 11
    got, told = counter("--history", where, at=at)
    assert got == code
    assert word in told.out
    assert "logged at" in told.out


def test_a_history_that_is_missing_is_an_error_and_one_that_is_none_a_note(counter):
    assert counter("--history", "missing.json")[0] == 3
    code, told = counter("--history", "past/README.txt", "--history", "past")
    assert code == 0
    assert "history 1" in told.out


def test_a_diagnostic_carries_the_history_and_the_lists(counter, world):
    lists = counter.folder / "lists"
    lists.mkdir()
    (lists / "20.cwt").write_bytes(to_cwt(w.status_token(world.status_key), key=world.status_key))
    for options in (("--history", "past"), ("--status", "lists"), ("--status", "lists/20.cwt")):
        code, told = counter(*options, "--depth", "diagnostic")
        assert code == 0, options
        assert replay(told.out).exit_code == 0
        document = json.loads(told.out)
        altered = {**document["inputs"], "status_tokens": [], "histories": []}
        assert replay(json.dumps({**document, "inputs": altered})).exit_code == 11


def test_as_of_its_signing(counter):
    code, told = counter("--history", "past", "--at", "signing", at=None)
    # The list of that minute came a minute later; what is asked about is told.
    assert code == 11
    assert f"Judged as of {w.ISSUED.isoformat(timespec='seconds')}" in told.err
    (counter.folder / "one.licence.json").write_text("{}")
    assert counter("--at", "signing", at=None)[0] == 10


def test_a_seal_says_no_time_of_signing(desk):
    assert desk("--at", "signing")[0] == 2
    assert desk("--at", "soon")[0] == 2
