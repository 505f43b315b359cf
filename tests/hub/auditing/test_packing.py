from __future__ import annotations

import hashlib
import io
import json
import zipfile

import pytest

from audit.entry import Entry
from audit.errors import EntryMissingError
from audit.pack import check_pack
from audit.searching import Query
from audit.verifiers import Trust
from hub.auditsearch import Desk
from hub.errors import EvidenceUnavailableError, QueryInvalidError
from hub.evidence import log_verifiers
from hub.packing import pack
from tests.hub.world import IDS


@pytest.fixture
def made(service, world, desk):
    """Makes a pack as an auditor at the hub would."""

    def made(indexes, **changes):
        keys = {"log": service.evidence.verifier.to_text()}
        given = {"query": Query(), "keys": keys, **changes}
        return pack(given.pop("desk", None) or desk(), world.settings, indexes, **given)

    return made


@pytest.fixture
def trust(service):
    return Trust([service.evidence.verifier])


def files(data):
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_a_pack_holds_all_that_the_entries_rest_on(made, calls, trust, service, world):
    indexes = [calls(), calls(purpose={"matter": "SX002"})]
    data = made(indexes)
    report = check_pack(data, trust)
    assert (report.verdict, report.notes, list(report.entries)) == ("holds", (), indexes)
    names = files(data).keys()
    assert f"lists/{world.list.version.removeprefix('sha256:')}.json" in names
    assert sum(name.startswith("terms/") for name in names) >= 1
    assert json.loads(files(data)[f"bodies/{indexes[0]}.json"])["body"]["call"]["keys"] == {"citizen_id": IDS[0]}


def test_receipts_are_packed_with_their_entries(made, service, world, trust):
    from tests.hub.world import CODE, body

    answer = service.invocation.query(world.key, CODE, json.dumps(body()).encode())
    receipt = answer.receipt.encode()
    data = made([answer.receipt.index], receipts=[receipt])
    assert check_pack(data, trust).verdict == "holds"
    assert f"receipts/{hashlib.sha256(receipt).hexdigest()}.json" in files(data)


def test_bodies_may_be_left_out_and_then_nothing_personal_is_in_it(made, calls, trust):
    data = made([calls()], bodies=False)
    report = check_pack(data, trust)
    assert report.verdict == "holds"
    assert [note.code for note in report.notes] == ["body_withheld"]
    assert IDS[0].encode() not in data
    assert not any(name.startswith(("bodies/", "terms/")) for name in files(data))


def test_an_erased_body_is_said_to_be_gone(made, calls, trust, service):
    one = calls()
    service.evidence.bodies.erase(Entry.decode(service.evidence.log.entry(one)).body_digest)
    report = check_pack(made([one]), trust)
    assert (report.verdict, [note.code for note in report.notes]) == ("holds", ["body_gone"])


def test_that_it_was_made_and_of_what_is_recorded(made, calls, service):
    one = calls()
    data = made([one, one])
    entry = Entry.decode(service.evidence.log.entry(service.evidence.log.size - 1))
    assert (entry.kind, entry.actor) == ("audit.exported", "RS:auditor")
    assert entry.subject == service.evidence.subject({"citizen_id": IDS[0]})
    assert entry.facts == {
        "entries": 1,
        "first": one,
        "last": one,
        "bodies": True,
        "pack": "sha256:" + hashlib.sha256(data).hexdigest(),
    }


def test_everybody_whose_entries_are_in_it_is_named_by_hash(made, calls, service, monkeypatch):
    monkeypatch.setattr("hub.packing.MAX_SUBJECTS", 2)
    indexes = [calls(keys=[{"citizen_id": number} for number in IDS[:2]]), calls(keys={"citizen_id": IDS[2]})]
    made(indexes)
    size = service.evidence.log.size
    entries = [Entry.decode(data) for data in service.evidence.log.entries(size - 2, size)]
    found = {hash_ for entry in entries for hash_ in (entry.subject, *entry.facts.get("subjects", ())) if hash_}
    assert [entry.kind for entry in entries] == ["audit.exported"] * 2
    assert found == {service.evidence.subject({"citizen_id": number}) for number in IDS[:3]}


def test_nothing_is_handed_out_that_could_not_be_recorded(made, calls, service, monkeypatch, desk):
    one = calls()
    given = desk()

    def unavailable(*args, **kwargs):
        raise EvidenceUnavailableError

    monkeypatch.setattr(service.evidence, "append", unavailable)
    with pytest.raises(EvidenceUnavailableError):
        made([one], desk=given)


def test_over_copied_files_there_are_entries_and_proofs(calls, service, world, trust):
    one = calls()
    service.evidence.publish()
    away = Desk.away(world.settings.log, log_verifiers(world.settings))
    data = pack(away, None, [one], query=Query(), keys={"log": service.evidence.verifier.to_text()})
    report = check_pack(data, trust)
    assert (report.verdict, [note.code for note in report.notes]) == ("holds", ["body_gone", "list_absent"])


def test_only_entries_that_are_there_are_packed(made):
    with pytest.raises(EntryMissingError):
        made([10_000])
    with pytest.raises(QueryInvalidError):
        made([])
