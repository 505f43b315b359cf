from __future__ import annotations

import itertools
import json
import random
import threading
from datetime import timedelta

import pytest
import sqlalchemy as sa

from audit.entry import Entry
from audit.errors import StorageFailedError
from audit.searchindex import SearchIndex
from catalog.correction import Fault
from catalog.steps import CaseInvalidError, NotYoursError, StepNotAllowedError
from hub import corrections, recall
from hub.answered import ANSWERED
from hub.control import GrantRow, Notice
from hub.corrections import Claim
from hub.errors import ResourceUnknownError
from hub.invocation import RefusedError
from hub.keeping.fates import index_file
from hub.notices import NOTICES, tray
from hub.recall import Wrong
from tests.hub.corrections.conftest import CONSUMER, HUB_OFFICE, PERSON, PROVIDER, STRANGER
from tests.hub.databases import POSTGRESQL, SQLITE
from tests.hub.world import ABSENT, CODE, EMPTY_CODE, IDS, NOW, PEOPLE

DAY = timedelta(days=1)
on_both = pytest.mark.parametrize("database", [SQLITE, POSTGRESQL])
WORDS = "这位居民的姓名有误"


@pytest.fixture
def database():
    """What is read from log and tables is the same wherever the cases are; those that store say so."""
    return SQLITE


def wrong(**changes):
    return Wrong(**{"resource": CODE, "key": (("citizen_id", PERSON),), **changes})


def entries(office, what, since=None, until=None):
    """The entries of all recipients, in order."""
    return sorted(i for one in recall.recipients(office, what, since, until) for i in one.entries)


def test_whoever_got_the_record_is_found_by_whichever_key_it_was_looked_up(scene):
    hits = [
        scene.query().receipt.index,
        scene.query(keys={"birth": "1990年1月1日"}).receipt.index,
        scene.query(keys={"household": "H1"}).receipt.index,
        scene.query(keys={"citizen_id": PERSON, "household": "H1"}).receipt.index,
        scene.verify(claims={"name": "张三"}).receipt.index,
    ]
    for keys in ({"citizen_id": IDS[1]}, {"household": "H2"}, {"citizen_id": PERSON, "household": "H2"}):
        scene.query(keys=keys)
    with pytest.raises(RefusedError):
        scene.query(purpose=None)
    scene.world.clock.now = NOW + DAY
    hits.append(scene.query().receipt.index)
    (one,) = recall.recipients(scene.office, wrong())
    assert (one.department, one.calls, one.entries) == ("RS", 6, tuple(hits))
    assert (one.first, one.last, one.undecided) == (NOW, NOW + DAY, ())


def test_only_who_saw_the_wrong_fields_is_a_recipient(scene):
    seen = scene.query(fields=["name", "birth"]).receipt.index
    scene.query(fields=["birth"])
    scene.verify(claims={"income": "8.00"})
    compared = scene.verify(claims={"name": "李"}).receipt.index
    assert entries(scene.office, wrong(fields=("name", "address"))) == [seen, compared]


def test_the_period_bounds_what_is_looked_at(scene):
    found = []
    for days in range(4):
        scene.world.clock.now = NOW + days * DAY
        found.append(scene.query().receipt.index)
    assert entries(scene.office, wrong(), NOW + DAY, NOW + 2 * DAY) == found[1:3]
    assert entries(scene.office, wrong(), NOW + DAY) == found[1:]
    assert entries(scene.office, wrong(), None, NOW) == found[:1]


def test_of_a_resource_as_such_every_answer_counts(scene):
    both = [scene.query().receipt.index, scene.query(keys={"household": "H2"}).receipt.index]
    assert entries(scene.office, Wrong(CODE)) == both
    assert entries(scene.office, Wrong(EMPTY_CODE)) == []


def test_of_a_missing_record_those_were_misled_who_heard_that_it_is_not_there(scene):
    misled = scene.query(keys={"citizen_id": ABSENT}).receipt.index
    scene.query()
    absent = wrong(key=(("citizen_id", ABSENT),), absent=True)
    assert entries(scene.office, absent) == [misled]
    assert entries(scene.office, wrong(key=(("citizen_id", ABSENT),))) == []


def test_an_answer_is_judged_by_the_snapshot_it_came_from(own_scene):
    scene = own_scene
    before = scene.query(keys={"household": "H1"}).receipt.index
    moved = (*PEOPLE[0][:6], "H9")
    scene.load(moved, name="moved.parquet")
    scene.query(keys={"household": "H1"})
    after = scene.query(keys={"household": "H9"}).receipt.index
    assert entries(scene.office, wrong()) == [before, after]


def test_what_cannot_be_told_any_more_is_said_so(scene):
    office = scene.office
    kept, erased = scene.query().receipt.index, scene.query(keys={"citizen_id": IDS[1]}).receipt.index
    assert office.evidence.bodies.erase(Entry.decode(office.evidence.log.entry(erased)).body_digest)
    (one,) = recall.recipients(office, wrong())
    assert (one.entries, one.undecided) == ((kept,), (erased,))


def test_words_in_the_facts_are_no_entry_of_the_resource(scene):
    """An entry whose facts merely quote another's members is not taken for it."""
    scene.office.evidence.append(
        "note.made", actor="MZ", facts={"kind": "invocation.answered", "resource": CODE, "fields": ["name"]}
    )
    assert recall.recipients(scene.office, Wrong(CODE)) == ()


def no_index(path, monkeypatch):
    path.unlink()


def no_database(path, monkeypatch):
    path.write_bytes(b"no database, and long enough to be seen as none" * 100)


def cut_index(path, monkeypatch):
    path.write_bytes(path.read_bytes()[:20_000])


def folder_for_index(path, monkeypatch):
    path.unlink()
    path.mkdir()


def lagging_index(path, monkeypatch):
    """One that cannot be written, so that it stays behind."""

    def refuse(self):
        raise StorageFailedError(where=str(path), problem="read-only")

    monkeypatch.setattr(SearchIndex, "extend", refuse)


def whole_index(path, monkeypatch):
    assert path.is_file()


@pytest.mark.parametrize(
    "spoil", [whole_index, lagging_index, no_index, no_database, cut_index, folder_for_index], ids=lambda f: f.__name__
)
def test_by_the_index_the_same_is_found_as_by_reading_everything(scene, spoil, monkeypatch):
    office, evidence, chance = scene.office, scene.office.evidence, random.Random(7)

    def call_many(count):
        drafts = []
        for _ in range(count):
            scene.world.clock.now += timedelta(seconds=chance.choice([0, 1, 60]))
            kind, code = chance.choice([ANSWERED, "invocation.denied"]), chance.choice([CODE, EMPTY_CODE])
            facts = {"fields": ["name"], "kind": ANSWERED, "resource": CODE}
            actor = chance.choice(["RS:window-1", "GA", "XX:desk"])
            drafts.append(evidence.draft(kind, actor=actor, resource=code, facts=facts))
        evidence.keep(drafts)

    call_many(600)
    evidence.publish()
    assert recall.recipients(office, Wrong(CODE))
    call_many(40)
    evidence.publish()
    call_many(3)
    spoil(index_file(office.settings.log), monkeypatch)
    log = [(index, Entry.decode(data)) for index, data in enumerate(evidence.log.entries(0, evidence.log.size))]
    first, last = log[0][1].at, log[-1][1].at
    moments = [None, first, first + timedelta(seconds=1), first + (last - first) / 2, last]
    for code, since, until in itertools.product((CODE, EMPTY_CODE, "x"), moments, moments):
        read = [
            index
            for index, one in log
            if (one.kind, one.resource) == (ANSWERED, code) and (since or one.at) <= one.at <= (until or one.at)
        ]
        assert entries(office, Wrong(code), since, until) == read


def test_of_the_log_only_what_the_index_does_not_have_is_read(scene, monkeypatch):
    office = scene.office
    log, read = office.evidence.log, []
    for _ in range(300):
        office.evidence.append("note.made", actor="MZ", facts={})
    answered = scene.query().receipt.index
    office.evidence.publish()
    entries(office, Wrong(CODE))
    office.evidence.append("note.made", actor="MZ", facts={})
    size, whole = log.size, log.entries
    monkeypatch.setattr(log, "entries", lambda start, end: read.append((start, end)) or whole(start, end))
    assert entries(office, Wrong(CODE)) == [answered]
    assert read == [(size - 1, size)]


def subscribe(office, **changes):
    """Give the grant the action, as a grant with it would have been stored."""
    with office.control.writing() as connection:
        connection.execute(sa.update(GrantRow).values(actions=["query", "subscribe"], **changes))


@on_both
def test_subscribers_are_recipients_without_a_call(scene):
    subscribe(scene.office)
    (one,) = recall.recipients(scene.office, wrong())
    assert (one.department, one.calls, one.subscriber) == ("RS", 0, True)
    assert recall.recipients(scene.office, wrong(), until=NOW - 2 * DAY) == ()
    subscribe(scene.office, revoked_at=NOW)
    assert recall.recipients(scene.office, wrong(), NOW + DAY, NOW + 2 * DAY) == ()


def accepted(scene, **changes):
    values = {"fault": Fault.WRONG_VALUE, "wrong": WORDS, "right": WORDS, "evidence": WORDS, "fields": ("name",)}
    claim = Claim(CODE, **{**values, "key": (("citizen_id", PERSON),), **changes})
    case = corrections.submit(scene.office, claim, actor=CONSUMER)
    return corrections.accept(scene.office, case.id, actor=PROVIDER, mend_by=NOW.date()).id


@on_both
def test_a_recall_is_one_entry_and_a_notice_for_each_recipient_however_often_it_is_issued(scene):
    office = scene.office
    entry = scene.query().receipt.index
    case_id = accepted(scene)
    size = office.evidence.log.size
    first = recall.issue_for(office, case_id, actor=PROVIDER, note=WORDS)
    again = recall.issue_for(office, case_id, actor=HUB_OFFICE, until=NOW + DAY)
    assert again == first
    issued = [Entry.decode(data) for data in office.evidence.log.entries(size, office.evidence.log.size)]
    assert [e.kind for e in issued] == ["recall.issued"]
    facts = {name: issued[0].facts[name] for name in ("since", "until", "departments", "calls", "correction")}
    assert facts == {
        "since": "2026-03-02",
        "until": "2026-03-02",
        "departments": 1,
        "calls": 1,
        "correction": case_id,
    }
    (notice,) = [n for n in tray(office.control, "RS") if n.kind == "recall"]
    assert notice.params["entry"] == str(entry)
    assert "2026-03-02" in notice.text("zh")


def test_a_recall_names_no_person_in_public(scene):
    office = scene.office
    scene.query()
    recall.issue_for(office, accepted(scene), actor=PROVIDER, note=WORDS)
    recall.issue(office, wrong(), actor=PROVIDER, note=WORDS)
    public = b"".join(office.evidence.log.entries(0, office.evidence.log.size)).decode()
    with office.control.reading() as connection:
        said = json.dumps([[n.kind, n.key, n.params] for n in connection.execute(sa.select(Notice.__table__))])
    for secret in (WORDS, *PEOPLE[0][:4]):
        assert secret not in public
        assert secret not in said
        assert json.dumps(secret)[1:-1] not in said


def test_without_a_correction_the_same_days_make_the_same_recall(scene):
    office = scene.office
    scene.query()
    first = recall.issue(office, wrong(), actor=PROVIDER, since=NOW - DAY)
    scene.world.clock.now = NOW + timedelta(minutes=5)
    assert recall.issue(office, wrong(), actor=PROVIDER, since=NOW - DAY).id == first.id
    others = [
        recall.issue(office, wrong(fields=("name",)), actor=PROVIDER, since=NOW - DAY).id,
        recall.issue(office, wrong(key=(("citizen_id", IDS[1]),)), actor=PROVIDER, since=NOW - DAY).id,
    ]
    scene.world.clock.now = NOW + DAY
    others.append(recall.issue(office, wrong(), actor=PROVIDER, since=NOW - DAY).id)
    assert len({first.id, *others}) == 4


@on_both
def test_two_who_recall_at_once_recall_once(scene):
    office = scene.office
    scene.query()
    case_id = accepted(scene)
    ready, found = threading.Barrier(2), []

    def go():
        ready.wait()
        found.append(recall.issue_for(office, case_id, actor=PROVIDER).id)

    threads = [threading.Thread(target=go) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 2
    assert len(set(found)) == 1
    assert len(office.cases.find(recall.KIND)) == 1


def test_a_mere_claim_is_not_recalled_nor_by_just_anyone(scene):
    office = scene.office
    claim = Claim(CODE, Fault.LATE, WORDS)
    open_ = corrections.submit(office, claim, actor=CONSUMER).id
    with pytest.raises(StepNotAllowedError):
        recall.issue_for(office, open_, actor=PROVIDER)
    for actor in (CONSUMER, STRANGER):
        with pytest.raises(NotYoursError):
            recall.issue(office, wrong(), actor=actor)
    with pytest.raises(ResourceUnknownError):
        recall.issue(office, Wrong("x"), actor=PROVIDER)
    assert office.cases.find(recall.KIND) == ()
    assert not [n for n in tray(office.control, "RS") if n.kind == "recall"]


@on_both
def test_a_recipient_says_what_it_did_and_the_provider_reads_it(scene):
    office = scene.office
    scene.query()
    case = recall.issue_for(office, accepted(scene), actor=PROVIDER)
    assert (case.state, case.open) == ("issued", True)
    with pytest.raises(CaseInvalidError):
        recall.acknowledge(office, case.id, actor=CONSUMER, done=" ")
    with pytest.raises(NotYoursError):
        recall.acknowledge(office, case.id, actor=STRANGER, done="x")
    done = recall.acknowledge(office, case.id, actor=CONSUMER, done="已通知窗口重新核验")
    assert (done.state, done.open) == ("acknowledged", False)
    assert not [n for n in tray(office.control, "RS") if n.kind == "recall"]
    read = recall.view(done, "MZ", "GA")["acknowledged"]["RS"]
    assert (read["actor"], read["done"]) == ("RS:window-2", "已通知窗口重新核验")
    with pytest.raises(StepNotAllowedError):
        recall.acknowledge(office, case.id, actor=CONSUMER, done="x")


def test_a_recipient_sees_its_own_part(scene):
    scene.query()
    case = recall.issue(scene.office, wrong(), actor=PROVIDER)
    own = recall.view(case, "MZ", "RS")
    assert [one["department"] for one in own["recipients"]] == ["RS"]
    assert "key" not in own
    assert recall.view(case, "MZ", "MZ")["key"] == [["citizen_id", PERSON]]
    with pytest.raises(NotYoursError):
        recall.view(case, "MZ", "XX")


def test_a_recall_that_reached_nobody_is_closed_at_once(scene):
    case = recall.issue(scene.office, wrong(), actor=PROVIDER)
    assert (case.open, case.value["recipients"]) == (False, [])


def test_the_notice_of_a_recall_speaks_both_languages():
    params = {"resource": CODE, "since": "a", "until": "b", "calls": "1", "entry": "2", "note": "H1"}
    assert all("H1" in words.format(**params) for words in NOTICES["recall"])
