"""Issuing to every record of a resource: planned row by row, once each, whatever is killed when."""

from __future__ import annotations

import json
import stat
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from audit.entry import Entry
from catalog.model import Mask
from hub.authority import KeyStore
from hub.cli import main
from hub.cli.output import TRY_AGAIN
from hub.control import Control
from hub.errors import LicenceExistsError, NoIssuingGrantError
from hub.evidence import Evidence
from hub.licensing import Licensing, batches, course, planning
from hub.licensing.errors import LicencePendingError
from hub.licensing.store import Store
from hub.settings import Settings
from licence import authority
from licence.errors import FaceValueError, FactsIncompleteError, GroundMissingError, SignerError
from licence.lifecycle import Action
from licence.trust import TrustStore
from licence.verify import verify
from tests.hub.publishing import publish_list
from tests.hub.world import CODE, EMPTY_CODE, IDS, give, load_people, make_grant, make_list, resource
from tests.licence import test_hsm
from tests.licence.test_hsm import signer, uri
from tests.licence.world import private_key

__all__ = ["signer", "uri"]

FIELDS = ("citizen_id", "name", "birth", "address", "married", "income", "household")
KINDS = f"""kinds:
  - code: "11100000000013338W011"
    name: 居住证
    name_en: Residence permit
    category: 证照
    authority: 住房和城乡建设部
    authority_code: "11100000000013338W"
    issuer: RS
    holder_type: person
    holder_category: 自然人
    resource: "{CODE}"
    holder_field: citizen_id
    holder_name_field: name
    validity_days: 365
    face:
      - {{name: KZ_XM, title: 姓名, field: name}}
      - {{name: KZ_ZZ, title: 住址, field: address}}
      - {{name: KZ_CSRQ, title: 出生日期, field: birth, type: date}}
"""
ORDER = {"reason": "年度集中换发", "ground": "《居住证暂行条例》第九条", "by": "RS:licence-officer"}


def open_list():
    """A list that masks nothing by itself."""
    people = resource()
    fields = tuple(replace(field, mask=Mask.NONE) for field in people.fields)
    return make_list(resources=(replace(people, fields=fields), resource(EMPTY_CODE)))


ENDS = datetime.now(UTC).replace(microsecond=0) + timedelta(days=300)


class DiedError(BaseException):
    pass


def fill(settings, kinds=KINDS):
    """A city with five people, one of them without an address, and a department that may read them all."""
    list_ = open_list()
    control, evidence = Control.open(settings), Evidence.open(settings)
    publish_list(settings, control, evidence, list_, by="office")
    now = datetime.now(UTC)
    term = {"starts": now - timedelta(days=1), "expires": now + timedelta(days=29), "masks": ()}
    give(settings, control, evidence, make_grant(list_, actions=("query", "batch"), fields=FIELDS, **term))
    load_people(settings)
    control.close()
    evidence.log.close()
    settings.kinds.write_text(kinds, "utf-8")
    return settings


@pytest.fixture
def city(tmp_path):
    return fill(Settings.at(tmp_path / "var"))


@pytest.fixture
def counter(city):
    return Licensing.open(city)


@pytest.fixture
def kind(counter):
    return counter.kind("居住证")


def logged(office, which):
    log = office.evidence.log
    return [e for e in map(Entry.decode, log.entries(0, log.size)) if e.kind == which]


def test_a_plan_tells_what_comes_of_each_row_and_issues_nothing(counter, kind):
    counter.issue(kind, IDS[0], **ORDER)
    before = len(logged(counter, "licence.issued"))
    plan = counter.plan_batch(kind, by=ORDER["by"])
    assert [(row.candidate.number, row.outcome) for row in plan.rows] == [(1, "duplicate"), (3, "field_empty")]
    assert plan.counts["ok"] == 3
    assert plan.total == 5
    assert plan.rows[1].field == "address"
    assert len(logged(counter, "licence.issued")) == before
    (entry,) = logged(counter, "licence.batch")
    assert entry.facts["outcomes"] == {"ok": 3, "duplicate": 1, "field_empty": 1}
    assert entry.facts["rows"] == 5
    told = json.dumps([row.plain() for row in plan.rows]) + str(entry.plain())
    assert not any(value in told for value in (*IDS, "张三", "赵六"))


def test_a_batch_issues_to_each_who_can_have_one_and_the_licences_verify(counter, kind):
    heard = []
    done = counter.issue_batch(kind, **ORDER, told=lambda *at: heard.append(at))
    assert (done.issued, heard) == (4, [(4, 4)])
    trust = TrustStore.load(counter.settings.trust)
    bundles = [counter.bundle(row["identifier"]) for row in counter.find(kind=kind.code)]
    soon = datetime.now(UTC) + timedelta(seconds=2)
    assert [verify(b.to_json(), trust, soon).verdict for b in bundles] == ["TOTAL-PASSED"] * 4
    assert len({b.identifier for b in bundles}) == 4
    assert len(logged(counter, "status.published")) == 1
    assert counter.issue_batch(kind, **ORDER).issued == 0
    with pytest.raises(LicenceExistsError):
        counter.issue(kind, IDS[1], **ORDER)


def killed(monkeypatch, where, moment, *, after):
    """From now on the program dies before or after what *moment* of *where* does."""
    doing = getattr(where, moment)

    def die(*arguments, **named):
        if moment == "keep" and arguments[1][0].entry.kind != "licence.issued":
            return doing(*arguments, **named)
        if after:
            doing(*arguments, **named)
        raise DiedError

    monkeypatch.setattr(where, moment, die)


# Every write of a group, in order: slots, the list's first publication, store, rows, log, rows again.
WRITES = [
    (course, "take_slots"),
    (Licensing, "publish_status"),
    (Store, "append"),
    (course, "insert_standing"),
    (Evidence, "keep"),
    (course, "make_valid"),
]


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize(("where", "moment"), WRITES, ids=[moment for _, moment in WRITES])
def test_a_batch_that_died_is_gone_on_with_and_nothing_is_issued_twice(counter, monkeypatch, where, moment, after):
    kind = counter.kind("居住证")
    monkeypatch.setattr(batches, "LICENCES_PER_GROUP", 2)
    plan = counter.plan_batch

    def die_in_group(office, *arguments, **named):
        with monkeypatch.context() as patch:
            killed(patch, where, moment, after=after)
            return issue_group(office, *arguments, **named)

    issue_group = Licensing._issue_group
    with monkeypatch.context() as patch:
        patch.setattr(Licensing, "_issue_group", die_in_group)
        with pytest.raises(DiedError):
            counter.issue_batch(kind, **ORDER)
    assert plan(kind, by="x").total == 5
    again = Licensing.open(counter.settings)
    assert again.issue_batch(kind, **ORDER).issued == 4
    assert once(again, kind) == 4


def once(office, kind):
    """How many licences there are, each held against the promises: one each, logged once, as it is stored."""
    entries = logged(office, "licence.issued")
    rows = office.find(kind=kind.code)
    assert len(entries) == len({e.facts["licence"] for e in entries}) == len({e.subject for e in entries}) == len(rows)
    assert {e.facts["credential"] for e in entries} == {row["credential_digest"] for row in rows}
    assert len({(row["status_list"], row["status_index"]) for row in rows}) == len(rows)
    log = office.evidence.log
    assert all(json.loads(log.entry(r["log_index"]))["facts"]["licence"] == r["identifier"] for r in rows)
    check = office.check_store()
    assert (check.faults, check.named) == ((), len(rows))
    return len(rows)


def test_rows_that_were_committed_before_the_kill_are_finished_and_sealed_no_second_time(counter, kind, monkeypatch):
    with monkeypatch.context() as patch:
        killed(patch, Evidence, "keep", after=True)
        with pytest.raises(DiedError):
            counter._issue_group(course.Order(kind, ORDER["by"], "r", "g"), wanted(counter, kind, 3))
    (first,) = {e.facts["credential"] for e in logged(counter, "licence.issued")[:1]}
    assert counter.find(kind=kind.code) == []
    with pytest.raises(LicencePendingError):
        counter.bundle(logged(counter, "licence.issued")[0].facts["licence"])
    assert len(counter._go_on(kind)) == 3
    assert first in {row["credential_digest"] for row in counter.find(kind=kind.code)}
    assert counter.check_store().unnamed == 0
    assert once(counter, kind) == 3


def test_an_entry_is_found_however_much_was_logged_since(counter, kind, monkeypatch):
    monkeypatch.setattr(course, "LEAVES_PER_READ", 3)
    monkeypatch.setattr(course, "LOOK_BACK", 5)
    with monkeypatch.context() as patch:
        killed(patch, course, "make_valid", after=False)
        with pytest.raises(DiedError):
            counter._issue_group(course.Order(kind, ORDER["by"], "r", "g"), wanted(counter, kind, 2))
    for _ in range(20):
        counter.evidence.append("other.thing", facts={})
    assert len(counter._go_on(kind)) == 2
    assert once(counter, kind) == 2


def wanted(office, kind, count):
    facts = {"name": "张三", "address": "x", "birth": "1990-01-01"}
    return [course.Wanted(f"hash-{i}", {**facts, "citizen_id": IDS[i]}) for i in range(count)]


def test_two_who_issue_to_the_same_holders_at_once_issue_once(counter, kind):
    other = Licensing.open(counter.settings)
    order = course.Order(kind, ORDER["by"], "r", "g")
    start = threading.Barrier(2)

    def run(office):
        start.wait()
        return [office._issue_group(order, wanted(office, kind, 5)) for _ in range(3)]

    with ThreadPoolExecutor(2) as pool:
        done = [one for runs in pool.map(run, [counter, other]) for group in runs for one in group]
    assert len(done) == len(set(done)) == 5
    assert once(counter, kind) == 5


def test_a_licence_that_a_batch_left_pending_is_completed_at_the_counter(counter, kind, monkeypatch):
    with monkeypatch.context() as patch:
        killed(patch, Evidence, "keep", after=False)
        with pytest.raises(DiedError):
            counter._issue_group(course.Order(kind, ORDER["by"], "r", "g"), real(counter, kind))
    counter.issue(kind, IDS[0], **ORDER)
    assert len(counter.find(kind=kind.code)) == 1
    assert counter.issue_batch(kind, **ORDER).issued == 3
    assert once(counter, kind) == 4


def real(office, kind):
    reading = office._open_reading(kind)
    ready = [one.candidate for group in office._groups(reading) for one in group if one.outcome == "ok"]
    return [course.Wanted(one.holder_hash, one.facts) for one in ready]


def test_who_lost_a_licence_gets_another(counter, kind):
    first = counter.issue(kind, IDS[0], **ORDER).identifier
    change = {"by": "RS", "reason": "r", "ground": "g", "officer": "o"}
    counter.change(first, Action.SUSPEND, **change)
    assert counter.plan_batch(kind, by="x").counts["duplicate"] == 1
    counter.change(first, Action.REVOKE, **change)
    assert counter.plan_batch(kind, by="x").counts["duplicate"] == 0


def test_without_a_reason_nothing_is_reserved(counter, kind):
    with pytest.raises(GroundMissingError):
        counter.issue_batch(kind, **{**ORDER, "reason": " "})
    assert counter.issue_batch(kind, **ORDER).issued == 4


@pytest.mark.parametrize("change", [{"actions": ("query",)}, {"masks": (("name", Mask.SURNAME),)}])
def test_a_grant_that_is_not_for_whole_batches_of_whole_values_does_not_do(tmp_path, change):
    settings, list_ = Settings.at(tmp_path / "var"), open_list()
    control, evidence = Control.open(settings), Evidence.open(settings)
    publish_list(settings, control, evidence, list_, by="office")
    now = datetime.now(UTC)
    term = {"starts": now - timedelta(days=1), "expires": now + timedelta(days=29)}
    values = {"actions": ("query", "batch"), "masks": (), "fields": FIELDS, **term, **change}
    give(settings, control, evidence, make_grant(list_, **values))
    load_people(settings)
    settings.kinds.write_text(KINDS, "utf-8")
    office = Licensing.open(settings)
    with pytest.raises(NoIssuingGrantError):
        office.plan_batch(office.kind("居住证"), by="x")
    assert logged(office, "licence.batch") == []


def test_a_resource_of_more_rows_than_a_run_takes_is_refused(counter, kind, monkeypatch):
    monkeypatch.setattr(batches, "MAX_ROWS", 4)
    with pytest.raises(batches.BatchTooLargeError, match="5 rows"):
        counter.plan_batch(kind, by="x")


def test_on_the_command_line_no_holder_is_shown_and_the_file_is_for_its_owner(city, capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("ZHENGTONG_HOME", str(city.home))
    keys = tmp_path / "keys.jsonl"
    assert main(["licence", "batch", "plan", "居住证", "--keys-file", str(keys)]) == 0
    shown = capsys.readouterr()
    assert not any(one in shown.out + shown.err for one in IDS)
    assert "a required field is empty" in shown.out
    assert stat.S_IMODE(keys.stat().st_mode) == 0o600
    (line,) = map(json.loads, keys.read_text("utf-8").splitlines())
    assert (line["row"], line["keys"]) == (3, {"citizen_id": IDS[2]})
    order = ["--reason", ORDER["reason"], "--ground", ORDER["ground"], "--json"]
    assert main(["licence", "batch", "issue", "居住证", *order]) == 0
    shown = capsys.readouterr()
    assert json.loads(shown.out)["issued"] == 4
    assert "4 of 4 done" in shown.err
    assert not any(one in shown.out + shown.err for one in IDS)


@pytest.mark.parametrize(
    ("change", "outcome"),
    [
        ({}, "ok"),
        ({"citizen_id": " "}, "field_empty"),
        ({"name": None}, "field_empty"),
        ({"birth": "gestern"}, "value_of_other_type"),
    ],
)
def test_a_plan_judges_as_issuing_does(counter, kind, change, outcome):
    facts = {"citizen_id": IDS[0], "name": "张三", "address": "x", "birth": "1990-01-01", **change}
    row = planning.Candidate(1, {}, "h", "o", facts)
    (planned,) = planning.plan_rows(kind, [row], (), counter.clock())
    assert planned.outcome == outcome
    errors = {"field_empty": FactsIncompleteError, "value_of_other_type": FaceValueError}
    order, one = course.Order(kind, **ORDER), course.Wanted("h", facts)
    if outcome == "ok":
        assert len(counter._issue_group(order, [one])) == 1
    else:
        with pytest.raises(errors[outcome]):
            counter._issue_group(order, [one])
        assert counter.store.segments() == []


def test_records_that_nothing_tells_apart_and_validity_that_is_over(kind):
    facts = {"citizen_id": IDS[0], "name": "张三", "address": "x", "birth": "1990-01-01"}
    rival = planning.Candidate(1, {}, "h", "o", facts, rival=True)
    now = datetime(2026, 3, 2, tzinfo=UTC)
    ended = replace(kind, validity_days=None, validity_field="KZ_CSRQ")
    assert planning.plan_rows(kind, [rival], (), now)[0].outcome == "records_not_told_apart"
    assert planning.plan_rows(ended, [planning.Candidate(1, {}, "h", "o", facts)], (), now)[0].outcome == (
        "validity_over"
    )
    assert planning.plan_rows(kind, [rival], {"o"}, now)[0].outcome == "duplicate"


class Unplugged:
    """A token that is pulled after *left* signatures, and plugged in again with `plug`."""

    def __init__(self, key, left):
        self.key, self.left = key, left

    def public_key(self):
        return self.key.public_key

    def plug(self):
        self.left = 1_000

    def sign_der(self, data):
        if not self.left:
            raise SignerError("signer_gone", detail="DeviceRemoved")
        self.left -= 1
        return self.key.sign_der(data)


@pytest.mark.parametrize(("signatures", "issued"), [(0, 0), (1, 0), (2, 2), (3, 3)])
def test_a_token_that_is_unplugged_ends_the_run_and_what_was_issued_stays(counter, monkeypatch, signatures, issued):
    kind, heard = counter.kind("居住证"), []
    key = counter.keys.department("RS")
    token = Unplugged(key, signatures)
    monkeypatch.setattr(counter.keys, "department", lambda _code: replace(key, private_key=token))
    monkeypatch.setattr(batches, "LICENCES_PER_GROUP", 2)
    for _ in range(2):  # Trying again while it is unplugged changes nothing.
        with pytest.raises(SignerError) as caught:
            counter.issue_batch(kind, told=lambda *at: heard.append(at), **ORDER)
        assert caught.value.code == "signer_gone"
        assert "Plug it in again" in caught.value.text("en")
        assert "重新接入" in caught.value.text("zh")
        held = counter.find(kind=kind.code)
        assert [row["state"] for row in held] == ["01"] * issued
    assert [done for done, _ in heard] == [n for n in (2, 3) if n <= issued]
    check_whole(counter, held)
    token.plug()
    again = counter.issue_batch(kind, **ORDER)
    assert (again.issued, again.plan.counts["duplicate"]) == (4 - issued, issued)
    assert once(counter, kind) == 4
    assert {row["identifier"] for row in held} <= {row["identifier"] for row in counter.find(kind=kind.code)}


def check_whole(office, rows):
    """What was issued before the token went is worth something by itself."""
    trust, soon = TrustStore.load(office.settings.trust), datetime.now(UTC) + timedelta(seconds=2)
    bundles = [office.bundle(row["identifier"]).to_json() for row in rows]
    assert [verify(one, trust, soon).verdict for one in bundles] == ["TOTAL-PASSED"] * len(rows)


def test_on_the_command_line_an_unplugged_token_says_what_to_do(city, capsys, monkeypatch):
    monkeypatch.setenv("ZHENGTONG_HOME", str(city.home))
    order = ["--reason", ORDER["reason"], "--ground", ORDER["ground"], "--json"]
    whole = KeyStore.department
    with monkeypatch.context() as patch:
        patch.setattr(batches, "LICENCES_PER_GROUP", 2)
        token = Unplugged(None, 2)

        def department(keys, code):
            token.key = whole(keys, code)
            return replace(token.key, private_key=token)

        patch.setattr(KeyStore, "department", department)
        assert main(["licence", "batch", "issue", "居住证", *order]) == TRY_AGAIN
        shown = capsys.readouterr()
        said = json.loads(shown.out)
        assert (said["code"], said["retryable"]) == ("signer_gone", True)
        assert "2 of 4 done" in shown.err
    assert main(["licence", "batch", "issue", "居住证", *order]) == 0
    assert json.loads(capsys.readouterr().out)["issued"] == 2


class Test_a_token:  # noqa: N801 - its marks hold for these alone
    pytestmark = test_hsm.pytestmark

    def test_whose_session_is_gone_ends_the_run_and_is_found_again(self, counter, monkeypatch, uri, signer):
        kind = counter.kind("居住证")
        key = counter.keys.department("RS")
        (department,) = (d for d in counter.standing.now().list.departments if d.code == "RS")
        root = authority.create_root(
            private_key("ca"), name="City HSM", starts=key.certificate.not_valid_before_utc, ends=ENDS, serial=7
        )
        leaf = authority.certify_leaf(
            root,
            signer,
            role=authority.Role.LICENCES,
            name=department.name,
            uscc=department.uscc,
            uri=key.issuer_uri,
            starts=key.certificate.not_valid_before_utc,
            ends=ENDS,
            serial=8,
        )
        signed = []
        sign = signer.sign_der

        def pulled(data):
            if len(signed) == 3:
                signer._session.close()
            signed.append(data)
            return sign(data)

        monkeypatch.setattr(signer, "sign_der", pulled)
        monkeypatch.setattr(counter.keys, "department", lambda _code: leaf)
        monkeypatch.setattr(batches, "LICENCES_PER_GROUP", 2)
        with pytest.raises(SignerError) as caught:
            counter.issue_batch(kind, **ORDER)
        assert caught.value.code == "signer_gone"
        assert len(counter.find(kind=kind.code)) == 3
        assert counter.issue_batch(kind, **ORDER).issued == 1
        assert once(counter, kind) == 4
