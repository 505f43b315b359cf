"""A receipt holds for itself, and not when anything of it is altered."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from hub import receipts
from hub.cli.app import run
from hub.receipts import ReceiptInvalidError, check, read
from hub.requests import parse_call
from hub.signatures import AnswerSigner
from tests.hub.world import ABSENT, CODE, IDS, body

ASKED = body(fields=["name"])


@pytest.fixture
def answered(service, world):
    return service.invocation.query(world.key, CODE, json.dumps(ASKED).encode())


def believed(data, verifiers):
    """Whether somebody who was sent *data* as a receipt would believe it."""
    try:
        check(read(json.loads(data)), verifiers)
    except (ReceiptInvalidError, ValueError):
        return False
    return True


@pytest.fixture
def together(service, world):
    """Three answers that became durable at once."""
    invocation, view = service.invocation, service.standing.now()
    group = [
        invocation.prepare("query", world.key, CODE, json.dumps(body(keys={"citizen_id": one})).encode(), view)
        for one in IDS[:3]
    ]
    return [invocation.finish(*one) for one in zip(group, invocation.keep(group), strict=True)]


def test_those_of_a_group_share_a_signature_and_hold_each_for_itself(service, together):
    verifiers = [service.signer.verifier]
    for answer in together:
        receipt = read(json.loads(answer.body())["receipt"])
        assert receipt == answer.receipt
        check(receipt, verifiers, answer=answer.content)
    assert len({answer.receipt.signature for answer in together}) == 1
    assert [answer.receipt.index - answer.receipt.group.first for answer in together] == [0, 1, 2]


def test_no_byte_of_one_of_a_group_can_be_altered(service, together):
    every_byte(together[1].receipt.encode(), [service.signer.verifier])


def test_the_place_of_one_of_a_group_is_that_of_no_other(service, together):
    first, second = (answer.receipt for answer in together[:2])
    for forged in (
        replace(first, index=second.index),
        replace(first, group=second.group),
        replace(first, leaf=second.leaf),
        replace(first, group=None),
        replace(first, group=replace(first.group, size=first.group.size - 1)),
        replace(first, group=replace(first.group, size=first.group.size + 1)),
        replace(first, group=replace(first.group, path=first.group.path[:-32])),
        replace(first, group=replace(first.group, path=first.group.path + bytes(32))),
    ):
        assert not believed(forged.encode(), [service.signer.verifier]), forged


@pytest.mark.parametrize(
    "group",
    [
        None,
        [],
        {},
        {"first": 0, "size": 2},
        {"first": 0, "size": 2, "path": None},
        {"first": 0, "size": 2, "path": "é"},
        {"first": True, "size": 2, "path": ""},
        {"first": 0, "size": 1, "path": ""},
        {"first": 10**6, "size": 2, "path": ""},
        {"first": -1, "size": 10**30, "path": ""},
        {"first": 0, "size": 10**30, "path": ""},
    ],
)
def test_what_is_no_group_is_said_to_be_none(service, together, group):
    plain = {**together[0].receipt.plain(), "group": group}
    with pytest.raises(ReceiptInvalidError):
        check(read(plain), [service.signer.verifier])


def test_it_holds_with_the_request_and_the_answer(service, answered):
    receipt = read(json.loads(answered.receipt.encode()))
    assert receipt == answered.receipt
    request = parse_call("query", ASKED).plain()
    check(receipt, [service.signer.verifier], request=request, answer=answered.content)
    assert (receipt.entry.actor, receipt.facts("fields")) == ("RS", ["name"])


def test_no_byte_of_it_can_be_altered(service, answered):
    every_byte(answered.receipt.encode(), [service.signer.verifier])


def every_byte(data, verifiers):
    salts = data[data.index(b'"answer_salt"') : data.index(b'"signature"')]
    where = range(data.index(salts), data.index(salts) + len(salts))
    for place in range(len(data)):
        if place in where:  # They open digests, and are tried below.
            continue
        for flip in (1, 0x20, 0x80):
            altered = data[:place] + bytes([data[place] ^ flip]) + data[place + 1 :]
            if json_equal(altered, data):
                continue
            assert not believed(altered, verifiers), (place, altered[max(0, place - 20) : place + 20])


def json_equal(one, other):
    try:
        return json.loads(one) == json.loads(other)
    except ValueError:
        return False


@pytest.mark.parametrize("part", ["answer", "request"])
def test_a_salt_that_was_altered_opens_nothing(service, answered, part):
    plain = answered.receipt.plain()
    salt = plain[f"{part}_salt"]
    values = {"answer": answered.content, "request": parse_call("query", ASKED).plain()}
    for place in range(len(salt)):
        plain[f"{part}_salt"] = salt[:place] + ("0" if salt[place] != "0" else "1") + salt[place + 1 :]
        with pytest.raises(ReceiptInvalidError):
            check(read(plain), [service.signer.verifier], **{part: values[part]})


def test_it_is_about_this_answer_and_this_request(service, world, answered):
    verifiers = [service.signer.verifier]
    with pytest.raises(ReceiptInvalidError, match="another answer"):
        check(answered.receipt, verifiers, answer={**answered.content, "records": []})
    with pytest.raises(ReceiptInvalidError, match="another request"):
        check(answered.receipt, verifiers, request=parse_call("query", body(keys={"citizen_id": ABSENT})).plain())


def test_another_key_s_receipt_is_not_believed(answered):
    stranger = AnswerSigner.from_seed(b"x" * 32)
    forged = receipts.issue(stranger, answered.receipt.origin, answered.receipt.index, answered.receipt.leaf)
    with pytest.raises(ReceiptInvalidError, match="not pinned"):
        check(forged, [AnswerSigner.from_seed(b"y" * 32).verifier])


@pytest.mark.parametrize(
    "plain",
    [None, [], {}, {"entry": 1}, {"entry": True, "log": "", "leaf": {}, "key": "", "signature": ""}],
)
def test_what_is_no_receipt_is_said_to_be_none(plain):
    with pytest.raises(ReceiptInvalidError):
        read(plain)


class TestTheCommand:
    @pytest.fixture
    def saved(self, service, world, answered, tmp_path, monkeypatch):
        monkeypatch.setenv("ZHENGTONG_HOME", str(world.settings.home))
        file = tmp_path / "answer.json"
        file.write_bytes(answered.body())
        return file

    def test_it_says_what_holds(self, service, saved, answered, tmp_path, capsys):
        request, proof = tmp_path / "request.json", tmp_path / "entry.tlog-proof"
        request.write_text(json.dumps(ASKED))
        service.evidence.publish_through(answered.receipt.index)
        proof.write_text(service.evidence.log.prove(answered.receipt.index).to_text())
        code = run(["receipt", "check", str(saved), "--request", str(request), "--proof", str(proof), "--json"])
        told = json.loads(capsys.readouterr().out)
        assert (code, told["ok"], told["entry"], len(told["steps"])) == (0, True, answered.receipt.index, 4)

    def test_a_receipt_alone_is_enough_and_the_key_may_be_given(self, service, saved, answered, tmp_path, capsys):
        file = tmp_path / "receipt.json"
        file.write_bytes(answered.receipt.encode())
        assert run(["receipt", "check", str(file), "--key", service.signer.verifier.to_text()]) == 0
        assert "RS" in capsys.readouterr().out

    def test_an_altered_answer_is_found(self, saved):
        saved.write_text(saved.read_text().replace("张", "李"))
        assert run(["receipt", "check", str(saved)]) == 10

    def test_a_proof_of_another_entry_is_found(self, service, saved, answered, tmp_path):
        proof = tmp_path / "entry.tlog-proof"
        service.evidence.publish_through(answered.receipt.index)
        proof.write_text(service.evidence.log.prove(0).to_text())
        assert run(["receipt", "check", str(saved), "--proof", str(proof)]) == 13

    def test_what_is_no_answer_is_said(self, saved, capsys):
        saved.write_text("x")
        assert run(["receipt", "check", str(saved)]) == 2
        saved.write_text("{}")
        assert run(["receipt", "check", str(saved)]) == 10
        assert not any(one in capsys.readouterr().err for one in IDS)
