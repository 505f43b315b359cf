"""Hooks from their registration to their end: what is called when, how often, and what everybody can see of it."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa

from audit.entry import Entry
from hub import alerts, grants
from hub.actors import Actor
from hub.control import HookDelivery, HookRow
from hub.errors import DeniedError, EvidenceUnavailableError, InvalidRequestError
from hub.signatures import Request, SignatureInvalidError, check_digest, verify
from hub.webhooks.errors import HookAddressError, HookLimitError, HookStateError, HookUnknownError
from hub.webhooks.hooks import MAX_HOOKS
from hub.webhooks.post import TOO_SLOW, Answered, NotSentError
from hub.webhooks.queue import CLAIM, COVERED, LAST_RETRY, LOOK_EVERY, MAX_AGE, pause_after, retry_after
from tests.hub import world as worlds
from tests.hub.changes.parts import CODE, NOW
from tests.hub.databases import POSTGRESQL, SQLITE
from tests.hub.webhooks.conftest import ROW
from warehouse.maintain import Policy

ACTOR = Actor("RS", "window")
URL = "https://rs.example.cn/hooks/in"
on_both = pytest.mark.parametrize("database", [SQLITE, pytest.param(POSTGRESQL, marks=pytest.mark.service(POSTGRESQL))])
CALL = {"purpose": {"matter": "SX001"}}


@pytest.fixture
def given(town):
    town.give(rows=["county in 1, 2"])
    town.houses.load({"a": ROW, "z": ("9", "某", "1.00", "")})
    return town


@pytest.fixture
def hook(given, hooks, queue):
    """One that answered its challenge."""
    made = hooks.register(ACTOR, resource=CODE, url=URL, call=CALL)
    assert queue.send()
    return hooks.get(made.id)


def later(town, by=LOOK_EVERY):
    town.clock.now += by


def change(town, number=1):
    town.houses.load({"a": ("1", "张三", f"{number}.50", "x"), "z": ("9", "某", "1.00", "")})


def kinds(town):
    log = town.evidence.log
    found = [Entry.decode(leaf) for leaf in log.entries(0, log.size)]
    return [entry.kind for entry in found if entry.kind.startswith("hook.")]


def called(receiver, number=-1):
    return json.loads(receiver.calls[number][3])


def newest(hooks, hook):
    return hooks.deliveries(hook.id)[0]


@on_both
def test_an_address_is_challenged_before_it_is_used(given, hooks, queue, receiver):
    made = hooks.register(ACTOR, resource=CODE, url=URL, call=CALL)
    assert (made.state, made.grant, made.created_by) == ("pending", "G1", "RS:window")
    change(given)
    assert queue.look() == 0
    assert queue.send()
    assert called(receiver)["type"] == "challenge"
    assert hooks.get(made.id).state == "active"
    assert kinds(given) == ["hook.registered", "hook.verified"]
    later(given)
    assert queue.look() == 1
    assert queue.send()
    assert called(receiver)["type"] == "changes"
    assert not queue.send()


WRONG = (
    Answered(200, body=b"{}"),
    Answered(200, body=b'{"challenge": "other"}'),
    Answered(200, body='{"challenge": "中"}'.encode()),
    Answered(200, body=b'{"challenge": 7}'),
    Answered(200, body=b"["),
    Answered(200, body=b"[" * 4000),
    Answered(302),
    Answered(404),
    NotSentError(TOO_SLOW),
)


def test_who_does_not_answer_the_challenge_is_never_called_for_changes(given, hooks, queue, receiver):
    made = hooks.register(ACTOR, resource=CODE, url=URL, call=CALL)
    for receiver.says in WRONG:
        assert queue.send()
        assert hooks.get(made.id).state == "pending"
        hooks.retry(made.id, ACTOR)
    later(given, timedelta(hours=2))
    assert queue.send()
    ended = hooks.get(made.id)
    assert (ended.state, ended.why) == ("ended", "unverified")
    assert newest(hooks, ended).state == "given_up"
    assert alerts.open_alerts(given.control) == []


def test_a_call_says_that_there_is_something_and_nothing_of_what(given, hooks, queue, receiver, hook):
    change(given)
    later(given)
    assert queue.look() == 1
    queue.send()
    address, ip, headers, body = receiver.calls[-1]
    plain = json.loads(body)
    assert plain.keys() == {"type", "hook", "delivery", "at", "resource", "grant", "cursor"}
    assert (plain["resource"], plain["grant"], ip) == (CODE, "G1", "10.1.2.3")
    # The cursor is one to go on from.
    wish = json.dumps({**CALL, "cursor": plain["cursor"]}).encode()
    page = given.feed.page(given.caller, CODE, wish)
    assert [event["kind"] for event in page.content["events"]] == ["update"]
    # The signature holds for this very receiver, hook and body.
    request = Request("POST", address.path, headers)
    known = {"verifiers": [given.signer.verifier], "now": given.clock.now, "tolerance": timedelta(minutes=5)}
    verify(request, required=COVERED, **known)
    check_digest(headers["content-digest"], body)
    for name in ("host", "zhengtong-hook", "zhengtong-delivery", "content-digest", "content-type"):
        with pytest.raises(SignatureInvalidError):
            verify(replace(request, fields={**headers, name: headers[name] + "x"}), required=COVERED, **known)


def test_what_its_rows_do_not_show_is_no_reason_to_call(given, hooks, queue, hook):
    given.houses.load({"a": ROW, "z": ("8", "某", "2.00", "")})
    later(given)
    assert queue.look() == 0
    moved = hooks.get(hook.id)
    assert moved.cursor != hook.cursor
    later(given)
    change(given)
    assert queue.look() == 1


def test_one_call_for_all_that_came_and_the_next_for_what_comes_after(given, hooks, queue, receiver, hook):
    change(given, 1)
    later(given)
    assert queue.look() == 1
    change(given, 2)
    later(given)
    # As long as it was not taken, there is nothing new to say.
    assert queue.look() == 0
    queue.send()
    later(given)
    assert queue.look() == 1
    queue.send()
    later(given)
    assert (queue.look(), len(receiver.calls)) == (0, 3)


@on_both
def test_a_call_that_is_not_taken_is_tried_again_with_the_same_identifier(given, hooks, queue, receiver, hook):
    change(given)
    later(given)
    queue.look()
    receiver.says = Answered(500)
    assert queue.send()
    assert not queue.send()
    waiting = newest(hooks, hook)
    assert (waiting.state, waiting.tries, waiting.outcome) == ("due", 1, "status_500")
    assert waiting.next_try == given.clock.now + timedelta(seconds=5)
    later(given, timedelta(seconds=5))
    receiver.says = None
    assert queue.send()
    assert receiver.calls[-1][3] == receiver.calls[-2][3]
    done = newest(hooks, hook)
    assert (done.state, done.tries, done.outcome) == ("delivered", 2, "answered")
    assert [one["outcome"] for one in done.attempts] == ["status_500", "answered"]
    assert done.plain()["ended_at"]


@on_both
def test_a_crash_after_it_was_taken_calls_again_with_the_same_identifier(given, hooks, queue, receiver, hook):
    change(given)
    later(given)
    queue.look()

    class Killed(BaseException):
        pass

    def send_and_die(*args, **more):
        receiver(*args, **more)
        raise Killed

    with pytest.raises(Killed):
        replace(queue, send_to=send_and_die).send()
    # The claim of the dead holds for a minute, and not for ever.
    assert not queue.send()
    later(given, CLAIM)
    assert queue.send()
    assert called(receiver, -1)["delivery"] == called(receiver, -2)["delivery"]
    assert newest(hooks, hook).state == "delivered"


@on_both
def test_two_processes_never_have_one_call_at_once(given, hooks, queue, receiver, hook):
    change(given)
    later(given)
    assert (queue.look(), queue.look()) == (1, 0)
    tried = []

    def while_sending(*args, **more):
        tried.append(queue.send())
        return receiver(*args, **more)

    assert replace(queue, send_to=while_sending).send()
    assert tried == [False]
    assert len(receiver.calls) == 2


@on_both
def test_who_lost_its_claim_does_not_write_over_what_the_other_found(given, hooks, queue, receiver, hook):
    change(given)
    later(given)
    queue.look()

    def so_slow_that_another_does_it(*args, **more):
        later(given, CLAIM)
        assert queue.send()
        raise NotSentError(TOO_SLOW)

    assert replace(queue, send_to=so_slow_that_another_does_it).send()
    done = newest(hooks, hook)
    assert (done.state, done.tries) == ("delivered", 1)


def test_a_receiver_may_ask_for_time_within_bounds(given, hooks, queue, receiver, hook):
    change(given)
    later(given)
    queue.look()
    receiver.says = Answered(429, "600")
    queue.send()
    waiting = newest(hooks, hook)
    assert (waiting.outcome, waiting.next_try) == ("busy", given.clock.now + timedelta(seconds=600))
    assert retry_after("99999999999", NOW) == timedelta(0)
    assert retry_after("999999999", NOW) == LAST_RETRY
    assert retry_after("Mon, 02 Mar 2026 01:40:00 GMT", NOW) == timedelta(minutes=10)
    assert retry_after("Mon, 02 Mar 2026 01:40:00 -0000", NOW) == timedelta(minutes=10)
    for text in ("", "-5", "soon", "Mon, 02 Mar 2020 01:40:00 GMT", "²", "1e3"):
        assert retry_after(text, NOW) == timedelta(0)


def test_pauses_grow_and_scatter_and_end_at_six_hours():
    plain = [pause_after(tries, 0.5) for tries in range(1, 30)]
    assert plain[:4] == [timedelta(seconds=s) for s in (5, 10, 20, 40)]
    assert plain[-1] == LAST_RETRY
    assert plain == sorted(plain)
    assert (pause_after(1, 0), pause_after(1, 1)) == (timedelta(seconds=4), timedelta(seconds=6))


@on_both
def test_after_days_it_is_paused_with_an_alert_and_goes_on_from_there(given, hooks, queue, receiver, hook):
    change(given)
    later(given)
    queue.look()
    receiver.says = NotSentError(TOO_SLOW)
    begun = given.clock.now
    for _ in range(100):
        if not queue.send():
            waiting = newest(hooks, hook)
            if waiting.state != "due":
                break
            given.clock.now = max(given.clock.now, waiting.next_try)
    assert timedelta(days=2) < given.clock.now - begun <= MAX_AGE
    paused = hooks.get(hook.id)
    assert (paused.state, paused.why, paused.changed_by) == ("paused", "unanswered", "hub")
    (alert,) = alerts.open_alerts(given.control)
    assert (alert.kind, alert.resource, alert.params["hook"]) == ("hook_paused", CODE, hook.id)
    assert hook.id in alert.text("zh")
    assert kinds(given)[-1] == "hook.paused"
    tried = len(receiver.calls)
    later(given, timedelta(days=1))
    assert (queue.look(), queue.send(), len(receiver.calls)) == (0, False, tried)
    # Once it is up again, it is called for all that it missed.
    receiver.says = None
    hooks.resume(hook.id, ACTOR)
    assert queue.look() == 1
    assert queue.send()
    assert called(receiver)["cursor"] == hook.cursor
    assert alerts.open_alerts(given.control) == []


def test_who_is_gone_is_never_called_again(given, hooks, queue, receiver, hook):
    change(given)
    later(given)
    queue.look()
    receiver.says = Answered(410)
    queue.send()
    ended = hooks.get(hook.id)
    assert (ended.state, ended.why) == ("ended", "gone")
    later(given, timedelta(days=1))
    change(given, 2)
    assert (queue.look(), queue.send()) == (0, False)
    with pytest.raises(HookStateError):
        hooks.resume(hook.id, ACTOR)
    assert [one.id for one in hooks.find("RS", ended=True)] == [hook.id]


def test_a_name_that_means_an_inner_address_by_now_is_not_called(given, hooks, queue, receiver, hook):
    change(given)
    later(given)
    queue.look()
    trap = replace(hooks, fence=replace(hooks.fence, resolver=lambda host, port: ["10.1.2.3", "169.254.169.254"]))
    assert replace(queue, hooks=trap).send()
    assert len(receiver.calls) == 1
    assert newest(hooks, hook).outcome == "address_refused"


def test_a_grant_that_ended_ends_it_and_one_that_rests_lets_it_rest(given, hooks, queue, hook):
    provider = Actor("GA", "reviewer")
    change(given)
    later(given)
    grants.suspend(given.office, "G1", actor=provider, reason="核查")
    later(given, timedelta(seconds=1))
    assert queue.look() == 0
    assert hooks.get(hook.id).state == "active"
    grants.resume(given.office, "G1", actor=provider, reason="核查完毕")
    later(given, timedelta(minutes=2))
    assert queue.look() == 1
    queue.send()
    later(given)
    worlds.end(given.settings, given.control, given.evidence, "G1")
    later(given, timedelta(minutes=1))
    assert queue.look() == 0
    ended = hooks.get(hook.id)
    assert (ended.state, ended.why) == ("ended", "grant_ended")


def test_a_cursor_that_lapsed_is_worth_one_call(given, hooks, queue, receiver, hook):
    for number in range(2):
        change(given, number)
    given.houses.house.maintain(CODE, Policy(keep_days=0, compact=False), given.clock.now + timedelta(days=4000))
    later(given)
    assert queue.look() == 1
    queue.send()
    assert called(receiver)["cursor"] == hook.cursor
    later(given)
    assert queue.look() == 0


@on_both
def test_people_pause_resume_retry_and_end_it(given, hooks, queue, receiver, hook):
    change(given)
    later(given)
    queue.look()
    receiver.says = Answered(500)
    queue.send()
    assert hooks.retry(hook.id, ACTOR) == 1
    assert queue.send()
    assert hooks.pause(hook.id, ACTOR).state == "paused"
    for step in (hooks.pause, hooks.retry):
        with pytest.raises(HookStateError):
            step(hook.id, ACTOR)
    later(given, timedelta(days=10))
    assert not queue.send()
    assert hooks.resume(hook.id, ACTOR).state == "active"
    # What waited while it was paused is tried now, and is not too old for that.
    assert queue.send()
    assert newest(hooks, hook).state == "due"
    assert hooks.end(hook.id, ACTOR).state == "ended"
    assert newest(hooks, hook).outcome == "ended"
    assert kinds(given)[2:] == ["hook.paused", "hook.resumed", "hook.ended"]


def test_another_departments_hook_is_not_there(given, hooks, hook):
    other = Actor("GA", "desk")
    for step in (hooks.pause, hooks.resume, hooks.retry, hooks.end):
        with pytest.raises(HookUnknownError):
            step(hook.id, other)
    with pytest.raises(HookUnknownError):
        hooks.get(hook.id, "GA")
    assert hooks.find("GA") == []
    # But the office that keeps the list may stop and start anybody's.
    office = Actor("MZ", "desk")
    assert hooks.pause(hook.id, office, office="MZ").changed_by == "MZ:desk"
    assert hooks.resume(hook.id, office, office="MZ").state == "active"
    with pytest.raises(HookUnknownError):
        hooks.end(hook.id, other, office="MZ")


@on_both
def test_what_cannot_be_registered(given, hooks):
    def register(**changes):
        return hooks.register(ACTOR, **{"resource": CODE, "url": URL, "call": CALL, **changes})

    with pytest.raises(HookAddressError):
        register(url="http://rs.example.cn/in")
    with pytest.raises(DeniedError):
        register(call={"purpose": {"matter": "SX999"}})
    with pytest.raises(InvalidRequestError):
        register(call={"purpose": "退休审批"})
    for _ in range(MAX_HOOKS):
        register()
    with pytest.raises(HookLimitError):
        register()


def test_the_log_holds_neither_address_nor_challenge(given, hooks, hook):
    log = given.evidence.log
    leaves = b"".join(log.entries(0, log.size))
    assert b"rs.example.cn" not in leaves
    assert hook.challenge.encode() not in leaves


def test_without_evidence_nothing_is_registered(given, hooks, monkeypatch):
    def fail(*args, **more):
        raise EvidenceUnavailableError

    monkeypatch.setattr(type(hooks.evidence), "append", fail)
    with pytest.raises(EvidenceUnavailableError):
        hooks.register(ACTOR, resource=CODE, url=URL, call=CALL)
    with given.control.reading() as connection:
        for table in (HookRow, HookDelivery):
            assert connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one() == 0
