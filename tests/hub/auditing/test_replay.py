from __future__ import annotations

import json
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from audit.errors import LogMissingError
from hub.auditing import replay, verify_log
from hub.invocation import RefusedError
from hub.published import list_path
from hub.replaying import FINDINGS
from hub.settings import Settings
from hub.signing import algorithms
from hub.signing.nonces import MemoryNonces
from hub.signing.requests import message_to, sign, verify
from tests.hub import world as worlds
from tests.hub.publishing import publish_list
from tests.hub.world import CODE, IDS, PEOPLE, body, make_list, resource


def query(service, world, **changes):
    return service.invocation.query(world.key, CODE, json.dumps(body(**changes)).encode()).receipt.index


def codes(report):
    return [step.code for step in report.steps]


SAME = ["entry_read", "body_fits", "list_found", "decision_equal", "request_equal", "answer_equal"]


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"keys": {"citizen_id": "０" + IDS[0][1:]}},
        {"keys": {"household": "H2"}},
        {"keys": {"household": "H2", "birth": "1990/1/5"}},
        {"fields": ["birth"]},
    ],
)
def test_a_query_done_again_comes_to_the_same(service, world, changes):
    report = replay(world.settings, query(service, world, **changes))
    assert codes(report) == SAME
    assert report.verdict == "same"


def test_a_verification_done_again_comes_to_the_same(service, world):
    raw = json.dumps(body(claims={"name": "张三", "income": "1"})).encode()
    entry = service.invocation.verify(world.key, CODE, raw).receipt.index
    assert codes(replay(world.settings, entry)) == SAME


class TestSigned:
    """A call that the caller's own system signed."""

    KEY = algorithms.ed25519_signer(Ed25519PrivateKey.from_private_bytes(b"k" * 32))

    def asked(self, service, world, raw=None, path=f"/v1/resources/{CODE}:query"):
        """The entry of a call whose signature is over *raw* and *path*, whatever was answered."""
        sent = json.dumps(body()).encode()
        message = message_to("POST", f"https://hub.example{path}", [("content-type", "application/json")], raw or sent)
        now = service.evidence.clock()
        fields = sign(message, self.KEY, created=now)
        whole = replace(message, fields=[*message.fields, *fields.items()])
        signed = verify(whole, keys=lambda _: self.KEY.public, nonces=MemoryNonces(started=0), now=now)

        def opens(view, at):
            return replace(view.caller(world.key, at), proof="signature", signed=signed)

        return service.invocation.call("query", opens, CODE, sent).receipt.index

    def test_the_hub_cannot_have_made_it_up(self, service, world):
        report = replay(world.settings, self.asked(service, world))
        assert codes(report) == [*SAME[:-1], "signature_holds", "answer_equal"]
        assert algorithms.key_id(self.KEY.public) in report.text("en")

    def test_a_signature_over_another_body_shows(self, service, world):
        other = json.dumps(body(keys={"citizen_id": IDS[1]})).encode()
        report = replay(world.settings, self.asked(service, world, raw=other))
        assert ("signature_broken", report.verdict) == (codes(report)[-2], "different")

    def test_a_signature_for_another_resource_shows(self, service, world):
        report = replay(world.settings, self.asked(service, world, path="/v1/resources/306010/999999:query"))
        assert ("signature_broken", report.verdict) == (codes(report)[-2], "different")


@pytest.mark.parametrize(
    ("changes", "end"), [({"purpose": None}, "purpose_missing"), ({"fields": ["address"]}, "field_not_granted")]
)
def test_a_denial_is_decided_again(service, world, changes, end):
    with pytest.raises(RefusedError) as caught:
        query(service, world, **changes)
    report = replay(world.settings, caught.value.receipt.index)
    assert report.verdict == "same"
    assert codes(report)[-3:] == ["decision_equal", "request_equal", "nothing_answered"]
    assert end in report.text("en")


def test_a_call_stopped_before_a_decision_has_none_to_repeat(service, world):
    with pytest.raises(RefusedError) as caught:
        service.invocation.query("wrong", CODE, b"{}")
    report = replay(world.settings, caught.value.receipt.index)
    assert (report.verdict, codes(report)[-1]) == ("same", "nothing_decided")


def test_an_unknown_resource_is_decided_again(service, world):
    with pytest.raises(RefusedError) as caught:
        service.invocation.query(world.key, "nothing", json.dumps(body()).encode())
    assert replay(world.settings, caught.value.receipt.index).verdict == "same"


def test_what_changed_since_does_not_matter(tmp_path):
    """A revoked grant, a new list and a new load leave the past as it was: it is replayed from what it names."""
    settings = Settings.at(tmp_path / "var")
    world = worlds.build(settings)
    from hub.service import Service

    service = Service.open(settings, clock=world.clock)
    try:
        entry = query(service, world)
        worlds.end(settings, service.control, service.evidence, "G1")
        newer = make_list(batch=2, resources=(resource(abstract="x"),), responsibilities=())
        publish_list(settings, service.control, service.evidence, newer, by="office")
        changed = [(IDS[0], "张三丰", "1990-01-01", None, None, None, "H9"), *PEOPLE[1:]]
        snapshot = worlds.load_people(settings, changed, name="second.parquet")
        assert snapshot != world.snapshot
        report = replay(settings, entry)
        assert codes(report) == SAME
    finally:
        service.close()


def test_a_tampered_body_is_reported(service, world):
    entry = query(service, world)
    changed = 0
    for path in world.settings.bodies.rglob("*"):
        if path.is_file() and IDS[0].encode() in path.read_bytes():
            path.chmod(0o600)
            path.write_bytes(path.read_bytes().replace(IDS[0].encode(), IDS[1].encode()))
            changed += 1
    assert changed
    report = replay(world.settings, entry)
    assert (report.verdict, codes(report)[-1]) == ("different", "body_tampered")


def test_an_erased_body_leaves_the_entry_and_nothing_to_replay(service, world):
    entry = query(service, world)
    from audit.entry import Entry

    service.evidence.bodies.erase(Entry.decode(service.evidence.log.entry(entry)).body_digest)
    report = replay(world.settings, entry)
    assert (report.verdict, codes(report)[-1]) == ("incomplete", "body_gone")
    service.evidence.publish()
    assert verify_log(world.settings).faults == ()


def test_a_tampered_list_is_reported(service, world):
    entry = query(service, world)
    path = list_path(world.settings, world.list.version)
    plain = json.loads(path.read_text())
    plain["responsibilities"] = []
    path.write_text(json.dumps(plain))
    report = replay(world.settings, entry)
    assert (report.verdict, codes(report)[-1]) == ("different", "list_tampered")
    path.write_text("{")
    assert codes(replay(world.settings, entry))[-1] == "list_tampered"
    path.unlink()
    assert (replay(world.settings, entry).verdict, codes(replay(world.settings, entry))[-1]) == (
        "incomplete",
        "list_missing",
    )


def test_an_answer_that_was_not_the_snapshots_is_reported(service, world, monkeypatch):
    """An index that lies: the answer recorded is not what the snapshot holds."""
    from warehouse.lookup import Lookup

    true = Lookup.look

    def lying(self, *args, **kwargs):
        found = true(self, *args, **kwargs)
        found.rows[0]["birth"] = "1980-01-01"
        return found

    monkeypatch.setattr(Lookup, "look", lying)
    entry = query(service, world)
    monkeypatch.undo()
    report = replay(world.settings, entry)
    assert (report.verdict, codes(report)[-1]) == ("different", "answer_differs")
    assert report.to_plain()["verdict"] == "different"


def test_a_missing_snapshot_is_incomplete(service, world):
    entry = query(service, world)
    world.settings.warehouse.unlink()
    report = replay(world.settings, entry)
    assert (report.verdict, codes(report)[-1]) == ("incomplete", "snapshot_missing")


@pytest.mark.parametrize("index", [-1, 10_000])
def test_no_such_entry(service, world, index):
    assert codes(replay(world.settings, index)) == ["entry_missing"]


def test_other_kinds_are_not_replayed(service, world):
    report = replay(world.settings, 0)
    assert (codes(report), report.verdict) == (["entry_of_other_kind"], "incomplete")


def test_the_whole_log_is_recomputed(service, world):
    query(service, world)
    service.evidence.publish()
    report = verify_log(world.settings)
    assert report.faults == ()
    assert report.size == service.evidence.log.size
    assert dict(report.entries_by_kind)["invocation.answered"] == 1
    tile = next(path for path in (world.settings.log / "tile" / "entries").rglob("*") if path.is_file())
    tile.chmod(0o600)
    tile.write_bytes(tile.read_bytes().replace(b"invocation.answered", b"invocation.answerec"))
    assert verify_log(world.settings).faults != ()


def test_without_a_log_a_person_is_called(tmp_path):
    with pytest.raises(LogMissingError):
        verify_log(Settings.at(tmp_path))


def test_findings_are_in_both_languages():
    for english, chinese in FINDINGS.values():
        assert english.isascii()
        assert not chinese.isascii()
