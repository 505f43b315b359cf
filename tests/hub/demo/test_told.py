"""The exit code of the demonstration tells of every chapter that did not end as it must."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import pytest

from hub.cli import demo, demo_audit, demo_calls, demo_follow, demo_licences, demo_papers, demo_people
from hub.cli.output import DATA_INVALID, LOG_INVALID, OK
from hub.demo.calls import CALLED, FORGERIES, Denied, Kept, Try
from hub.demo.documents import Judged, Made, Redeemed
from hub.demo.follow import RESIDENTS, TENANCIES
from hub.demo.licences import Handled, Renewed, Step
from hub.demo.manifest import Change, DayChanges
from hub.demo.story import DAGS
from hub.licensing.planning import EMPTY, OUTCOMES
from hub.licensing.planning import OK as ISSUABLE
from hub.licensing.reconcile import FINDINGS, GONE, NOT_ISSUED
from licence.lifecycle import State

RESOURCES = [SimpleNamespace(code=code, name=code, name_en=code, fields=()) for code in (RESIDENTS, TENANCIES)]
LIST = SimpleNamespace(resources=RESOURCES, by_code={one.code: one for one in RESOURCES}, version="sha256:0")
KIND = SimpleNamespace(name="证照", name_en="licence")


def called(entry=7, log="city/log", **plain):
    receipt = {"entry": entry, "log": log, "leaf": {"facts": {"answer_digest": "sha256:0"}}}
    return SimpleNamespace(receipt=receipt, plain=plain, records=plain.get("records", []), results=plain.get("results"))


ENDS = (
    "ingest", "attend", "follow", "call", "keep", "order", "licences", "papers", "judge", "population", "audit",
    "person",
)  # fmt: skip


@pytest.fixture
def chapters(monkeypatch):
    """Every chapter of the story, well ended: name → what it comes to, to be changed by a test."""
    ended = dict.fromkeys(ENDS, True)
    monkeypatch.setattr(demo, "_ingest", lambda *_: ended["ingest"])
    monkeypatch.setattr(demo, "attend", lambda *_: ended["attend"])
    for quiet in ("_say_list", "_say_grants"):
        monkeypatch.setattr(demo, quiet, lambda *_, **__: None)
    monkeypatch.setattr(demo_calls, "register", lambda _: None)
    monkeypatch.setattr(demo_people, "tell", lambda _: None)
    monkeypatch.setattr(demo_calls, "call", lambda _: (ended["call"], called()))
    monkeypatch.setattr(demo_calls, "keep_receipt", lambda *_: ended["keep"])
    monkeypatch.setattr(demo_calls, "order_batch", lambda _: ended["order"])
    monkeypatch.setattr(demo_follow, "begin", lambda _: {"id": "W1"})
    monkeypatch.setattr(demo_follow, "tell", lambda *_: ended["follow"])
    monkeypatch.setattr(demo_audit, "audit", lambda *_: ended["audit"])
    monkeypatch.setattr(demo_audit, "tell_person", lambda *_: ended["person"])
    monkeypatch.setattr(demo_licences, "licences", lambda _: ended["licences"])
    monkeypatch.setattr(demo_licences, "judge", lambda _: ended["judge"])
    monkeypatch.setattr(demo_papers, "papers", lambda _: ended["papers"])
    monkeypatch.setattr(demo_papers, "audit_licences", lambda _: ended["population"])
    quiet = SimpleNamespace(begin_witness=lambda: None, begin_api=lambda: None)
    story = SimpleNamespace(
        build_city=lambda: SimpleNamespace(day=1),
        open_systems=lambda: None,
        publish=lambda: SimpleNamespace(already=False),
        processes=quiet,
        dag_ids=[],
        list_=LIST,
        give_grants=list,
        next_day=lambda: DayChanges(2, {}),
    )
    airflow = SimpleNamespace(begin=lambda: None, start=lambda: None, prepare=lambda _: None)
    return SimpleNamespace(ended=ended, tell=lambda: demo._tell(story, airflow))


def test_all_well_ended_is_well(chapters):
    assert chapters.tell() == (OK, "W1")


@pytest.mark.parametrize("name", ["ingest", "attend", "follow"])
def test_data_that_is_not_as_it_must_be_is_told(chapters, name):
    chapters.ended[name] = False
    assert chapters.tell()[0] == DATA_INVALID


@pytest.mark.parametrize(
    "name", ["call", "keep", "order", "licences", "papers", "judge", "population", "audit", "person"]
)
def test_a_call_or_a_proof_that_is_not_as_it_must_be_is_told(chapters, name):
    chapters.ended[name] = False
    assert chapters.tell()[0] == LOG_INVALID


def verdict(code):
    return SimpleNamespace(exit_code=code, verdict=SimpleNamespace(value="…"), text=lambda _: "…")


@pytest.mark.parametrize(
    ("codes", "seen_s", "right"),
    [((0, 10, 12), 1, True), ((0, 0, 12), 1, False), ((0, 10, 0), 1, False), ((0, 10, 12), 61, False)],
)
def test_a_verdict_that_is_wrong_or_late_is_told(codes, seen_s, right):
    valid, forged, revoked = map(verdict, codes)
    found = SimpleNamespace(valid=valid, forged=forged, revoked=revoked, seen_s=seen_s)
    assert demo_licences.judge(SimpleNamespace(judge=lambda: found)) is right


@pytest.mark.parametrize(
    ("refused", "approved", "right"),
    [("section-head", "deputy-director", True), ("", "deputy-director", False), ("section-head", "", False)],
)
def test_two_persons_who_are_one_are_told(refused, approved, right):
    steps = (
        Step("approve", "section-head", "no" if refused else ""),
        Step("approve", "deputy-director", "" if approved else "no"),
    )
    handled = Handled("Z1", "1.2", SimpleNamespace(lines=()), steps)
    licences = SimpleNamespace(handle=lambda: handled, licensing=SimpleNamespace(kind=lambda _: KIND))
    assert demo_licences._handle(SimpleNamespace(licences=licences)) is right


@pytest.mark.parametrize(
    ("issued", "left", "right"),
    [(5, {EMPTY: 2}, True), (4, {EMPTY: 2}, False), (5, {EMPTY: 2, NOT_ISSUED: 1}, False), (5, {GONE: 2}, False)],
)
def test_a_batch_that_leaves_more_than_was_planned_is_told(issued, left, right):
    counts = dict.fromkeys(FINDINGS, 0) | left
    licences = SimpleNamespace(
        licensing=SimpleNamespace(kind=lambda _: KIND),
        plan=lambda: SimpleNamespace(counts=dict.fromkeys(OUTCOMES, 0) | {ISSUABLE: 5, EMPTY: 2}),
        issue_all=lambda: SimpleNamespace(issued=issued),
        reconcile=lambda: SimpleNamespace(counts=counts, records=7, licences=5, residual=sum(left.values())),
    )
    assert demo_licences._batch(SimpleNamespace(licences=licences)) is right


@pytest.mark.parametrize(
    ("states", "right"), [((State.LAPSED, State.VALID), True), ((State.VALID, State.VALID), False)]
)
def test_a_renewal_that_leaves_two_is_told(states, right):
    before, after = states
    licences = SimpleNamespace(
        renew=lambda: Renewed("1", before, "2", after, new=True), licensing=SimpleNamespace(kind=lambda _: KIND)
    )
    assert demo_licences._renew(SimpleNamespace(licences=licences)) is right


@pytest.mark.parametrize(
    ("genuine", "forged", "refused", "right"),
    [(0, 10, "否\nno", True), (11, 10, "否\nno", False), (0, 0, "否\nno", False), (0, 10, "", False)],
)
def test_a_document_or_code_that_is_not_as_it_must_be_is_told(genuine, forged, refused, right):
    one, other = Path("card.pdf"), Path("tampered.pdf")
    made = Made("1", (one,), (other,), Path("card.png"))
    shown = SimpleNamespace(identifier="1", state=State.VALID, face=())
    documents = SimpleNamespace(
        make=lambda: made,
        judge=lambda _: [Judged(one, verdict(genuine)), Judged(other, verdict(forged))],
        once=lambda _: Redeemed(shown, refused),
    )
    assert demo_papers.papers(SimpleNamespace(documents=documents)) is right


@pytest.mark.parametrize(("findings", "licences", "right"), [((), 3, True), ((), 4, False), (("fault",), 3, False)])
def test_licences_that_do_not_agree_are_told(findings, licences, right):
    found = [SimpleNamespace(where="here", text=str) for _ in findings]
    report = SimpleNamespace(findings=found, licences=licences, size=9, lists=1, counts=())
    audited = SimpleNamespace(report=report, handed={"rows": 3}, folder=Path("audit"))
    assert demo_papers.audit_licences(SimpleNamespace(audit_licences=lambda: audited)) is right


@pytest.mark.parametrize("let_through", [None, *FORGERIES])
def test_a_forgery_that_is_let_through_is_told(let_through):
    tries = [Try(one, 200 if one == let_through else 401, "signature_wrong", "no") for one in FORGERIES]
    calls = SimpleNamespace(forgeries=lambda _: tries)
    assert demo_calls._forged(calls, "nobody") is (let_through is None)


@pytest.mark.parametrize(
    ("allowed", "beyond", "refused", "log", "right"),
    [
        (False, "denied", "denied", "x/sandbox", True),
        (True, "denied", "denied", "x/sandbox", False),
        (False, "", "denied", "x/sandbox", False),
        (False, "denied", "", "x/sandbox", False),
        (False, "denied", "denied", "x", False),
    ],
)
def test_a_denial_that_is_none_is_told(allowed, beyond, refused, log, right):
    calls = SimpleNamespace(
        explained=lambda: {"allowed": allowed, "reasons": [{"text": "why"}]},
        beyond=lambda _: Denied(beyond, beyond),
        newcomer=lambda _: (Denied(refused, refused), called(log=log, records=[{"name": "样"}])),
    )
    assert demo_calls._denied(calls, "nobody") is right


def test_a_verification_without_all_three_results_is_told():
    story = SimpleNamespace(
        list_=SimpleNamespace(
            by_code={CALLED: SimpleNamespace(fields=[SimpleNamespace(name=n, title=n) for n in "abc"])}
        ),
        eldest=lambda _: [],
    )
    for last, right in (("unknown", True), ("match", False)):
        results = {"a": "match", "b": "mismatch", "c": last}
        calls = SimpleNamespace(verify=lambda _, r=results: (dict.fromkeys("abc", "x"), called(results=r)))
        assert demo_calls._verify(story, calls) is right


def test_another_receipt_for_the_same_call_is_told():
    for second, right in ((7, True), (8, False)):
        calls = SimpleNamespace(
            several=lambda persons: called(records=[{}] * len(persons)),
            twice=lambda _, s=second: (called(7), called(s)),
        )
        assert demo_calls._other_ways(calls, ["a", "b"]) is right
    calls.several, calls.twice = lambda _: called(records=[{}]), lambda _: (called(7), called(7))
    assert demo_calls._other_ways(calls, ["a", "b"]) is False


@pytest.mark.parametrize(("held", "refused", "right"), [(True, "no", True), (False, "no", False), (True, "", False)])
def test_a_receipt_that_proves_nothing_is_told(tmp_path, monkeypatch, held, refused, right):
    kept = Kept(tmp_path / "a", tmp_path / "b", tmp_path / "c", held, refused)
    monkeypatch.setattr("hub.demo.calls.keep", lambda *_: kept)
    story = SimpleNamespace(processes=SimpleNamespace(url=""), papers=tmp_path, systems=SimpleNamespace(pinned=""))
    assert demo_calls.keep_receipt(story, called()) is right


def test_a_batch_that_was_not_made_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr("hub.demo.orders.fetch", lambda *_: None)
    assert demo_calls.order_batch(SimpleNamespace(systems=None, papers=tmp_path)) is False


def following(told, states=("delivered",), refused=0):
    follower = SimpleNamespace(
        called=lambda _: [{"kind": "changes", "state": state} for state in states],
        pages=lambda: {code: Counter(told.get(code, {})) for code in (RESIDENTS, TENANCIES)},
        receiver=SimpleNamespace(taken=[], refused=refused),
    )
    return SimpleNamespace(follower=follower, list_=LIST)


def test_what_was_not_told_or_not_called_about_is_told():
    today = DayChanges(2, {RESIDENTS: Change(updated=2, deleted=1), TENANCIES: Change(inserted=1, replayed=1)})
    told = {RESIDENTS: {"update": 2, "delete": 1}, TENANCIES: {"insert": 2}}
    hook = {"id": "W1"}
    assert demo_follow.tell(following(told), hook, today) is True
    assert demo_follow.tell(following({}), hook, None) is True
    assert demo_follow.tell(following({**told, RESIDENTS: {"update": 2}}), hook, today) is False
    assert demo_follow.tell(following({}), hook, today) is False
    assert demo_follow.tell(following(told, states=("due",)), hook, today) is False
    assert demo_follow.tell(following(told, refused=1), hook, today) is False


@pytest.mark.parametrize(
    ("witnessed", "faults", "right"), [(8, (), True), (7, (), False), (None, (), False), (8, ("fault",), False)]
)
def test_a_log_that_nobody_cosigned_is_told(witnessed, faults, right):
    found = [SimpleNamespace(text=str) for _ in faults]
    log = SimpleNamespace(faults=found, witnessed=witnessed, size=9)
    auditor = SimpleNamespace(
        witnessed=lambda *_: log, growth=lambda: (SimpleNamespace(size=3), SimpleNamespace(size=9))
    )
    story = SimpleNamespace(auditor=auditor, processes=SimpleNamespace(witness_key=None))
    assert demo_audit._grown(story, called(7)) is right


@pytest.mark.parametrize(("verdicts", "right"), [(("same", "logged"), True), (("same", "different"), False)])
def test_a_sample_that_contradicts_the_log_is_told(verdicts, right):
    auditor = SimpleNamespace(sample=lambda: [SimpleNamespace(verdict=one) for one in verdicts], anomalies=list)
    assert demo_audit._drawn(auditor) is right


def test_a_use_that_the_person_is_not_told_of_is_told():
    use = SimpleNamespace(entry=7, text=lambda _: "…")
    for uses, right in (((use,), True), ((), False)):
        told = SimpleNamespace(uses=uses, total=len(uses), refused=0, hidden=0)
        story = SimpleNamespace(auditor=SimpleNamespace(told=lambda _, t=told: t), someone=lambda: "nobody")
        assert demo_audit.tell_person(story, called(7)) is right


def test_what_is_kept_up_while_it_serves_is_there():
    assert set(demo.UPKEEP) <= {file.stem for file in DAGS.glob("*.py")}
    assert {"publish_status", "sweep_batches"} <= set(demo.UPKEEP)
