"""Pages: decided, recorded and sealed like an answer, for one grant at a time."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

import pytest

from audit.entry import Entry, seal_body
from catalog.terms import Less
from hub import grants
from hub.actors import Actor
from hub.changes.errors import CursorElsewhereError, CursorInvalidError, CursorLapsedError
from hub.changes.feed import view_digest
from hub.errors import DeniedError, IndexUnavailableError, InvalidRequestError, KeyRefusedError, MediaTypeError
from hub.invocation import RefusedError
from hub.signing.errors import ProofAmbiguousError
from hub.webhooks.worker import open_feed
from tests.hub import world as worlds
from tests.hub.changes.parts import CODE, decision, houses
from warehouse.maintain import Policy

ROW = ("1", "张三", "10.00", "x")


def ask(town, caller=None, **members):
    body = {"purpose": {"matter": "SX001", "case": "BJ-1"}, **members}
    raw = json.dumps({name: value for name, value in body.items() if value is not None}).encode()
    return town.feed.page(caller or town.caller, CODE, raw)


def refused(town, **members):
    with pytest.raises(RefusedError) as caught:
        ask(town, **members)
    return caught.value


def entry(town, receipt):
    return Entry.decode(town.evidence.log.entry(receipt.index))


def told(page):
    return [(event["kind"], event["key"].get("number")) for event in page.content["events"]]


@pytest.fixture
def followed(town):
    town.give()
    town.houses.load({"a": ROW, "b": ROW})
    return town


def test_a_follower_begins_now_and_goes_on_from_page_to_page(followed):
    first = ask(followed)
    assert (first.content["events"], first.content["more"], first.retry_after_s) == ([], False, 300)
    assert ask(followed, cursor="now").content["cursor"] == first.content["cursor"]
    followed.houses.load({"a": ("2", "张三", "10.00", "x"), "c": ROW})
    page = ask(followed, cursor=first.content["cursor"], limit=2)
    assert told(page) == [("update", "a"), ("delete", "b")]
    assert (page.content["more"], page.retry_after_s) == (True, None)
    last = ask(followed, cursor=page.content["cursor"], limit=2)
    assert told(last) == [("insert", "c")]
    assert last.content["events"][0]["content"] == {"number": "c", "county": "1", "owner": "张**", "area": "10.00"}
    assert last.content["masked"] == {"owner": "surname"}
    assert not last.content["more"]
    assert ask(followed, cursor=page.content["cursor"]).content["events"] == last.content["events"]


def test_every_page_is_an_entry_that_its_receipt_opens(followed):
    start = ask(followed).content["cursor"]
    followed.houses.load({"a": ROW})
    page = ask(followed, cursor=start)
    said = entry(followed, page.receipt)
    assert (said.kind, said.actor, said.resource, said.purpose) == ("changes.answered", "RS", CODE, "SX001")
    facts = said.facts
    assert (facts["grant"], facts["counts"], facts["more"]) == ("G1", {"delete": 1}, False)
    assert facts["snapshot"] == str(followed.houses.house.current_snapshot(CODE))
    assert seal_body(page.content, bytes.fromhex(page.receipt.answer_salt)) == facts["answer_digest"]
    wish = {"cursor": start, "limit": 100, "purpose": {"matter": "SX001", "case": "BJ-1"}}
    assert seal_body(wish, bytes.fromhex(page.receipt.request_salt)) == facts["request_digest"]
    # Neither a key nor a record is in the public part.
    assert "张" not in str(facts)
    assert start not in str(facts)
    # The page after this one can be told to follow on it, by who has the salts of both.
    assert facts["next_digest"] != facts["cursor_digest"]


def test_without_a_grant_to_subscribe_nothing_is_told_and_that_is_recorded(town):
    town.houses.load({"a": ROW})
    town.give(actions=("query",))
    error = refused(town)
    assert isinstance(error.cause, DeniedError)
    assert [reason.code for reason in error.cause.reasons] == ["action_not_granted"]
    said = entry(town, error.receipt)
    assert (said.kind, said.facts["outcome"], said.facts["action"]) == ("changes.denied", "denied", "subscribe")


@pytest.mark.parametrize(
    ("members", "cause"),
    [
        ({"purpose": None}, DeniedError),
        ({"purpose": {"matter": "SX999"}}, DeniedError),
        ({"fields": ["secret"]}, DeniedError),
        ({"grant": "G9"}, DeniedError),
        ({"keys": {"number": "a"}}, InvalidRequestError),
        ({"limit": 0}, InvalidRequestError),
        ({"limit": 1001}, InvalidRequestError),
        ({"limit": True}, InvalidRequestError),
        ({"cursor": ""}, InvalidRequestError),
        ({"cursor": 7}, InvalidRequestError),
        ({"cursor": "x" * 2000}, InvalidRequestError),
        ({"cursor": "QUFB"}, CursorInvalidError),
        ({"fields": "owner"}, InvalidRequestError),
        ({"more": 1}, InvalidRequestError),
    ],
)
def test_what_is_refused_is_refused_by_its_reason_and_recorded(followed, members, cause):
    error = refused(followed, **members)
    assert isinstance(error.cause, cause)
    assert entry(followed, error.receipt).kind == "changes.denied"


def test_a_stranger_and_a_bad_body_are_recorded_too(followed):
    wrong = (KeyRefusedError(), ProofAmbiguousError(), MediaTypeError())
    for error in wrong:
        stranger = isinstance(error, KeyRefusedError)
        with pytest.raises(RefusedError) as caught:
            followed.feed.page(error if stranger else followed.caller, CODE, b"{}" if stranger else error)
        assert caught.value.cause is error
        said = entry(followed, caught.value.receipt)
        assert (said.kind, said.facts["reasons"]) == ("changes.denied", [error.code])


def test_before_the_first_load_it_is_said_to_come_again(town):
    town.give()
    assert isinstance(refused(town).cause, IndexUnavailableError)


def test_of_several_grants_one_is_named_and_a_cursor_stays_with_its_own(followed):
    start = ask(followed).content["cursor"]
    followed.give(id="G2", rows=["county in 3"])
    assert isinstance(refused(followed).cause, InvalidRequestError)
    other = ask(followed, grant="G2").content["cursor"]
    followed.houses.load({"a": ("3", "张三", "10.00", "x"), "b": ROW})
    # The cursor knows its grant, so that a further one disturbs nobody.
    assert told(ask(followed, cursor=start)) == [("update", "a")]
    assert told(ask(followed, cursor=other)) == [("insert", "a")]
    assert ask(followed, cursor=other).content["rows"] == ["county in 3"]
    for cursor, grant in ((start, "G2"), (other, "G1")):
        assert isinstance(refused(followed, cursor=cursor, grant=grant).cause, CursorElsewhereError)


def test_a_grant_that_shows_less_does_not_take_over_a_cursor(followed):
    start = ask(followed).content["cursor"]

    followed.clock.now += timedelta(minutes=1)
    shrunk = grants.shrink(
        followed.office, "G1", Less(fields=("number", "county")), actor=Actor("GA", "reviewer"), reason="少即是多"
    )
    assert isinstance(refused(followed, cursor=start).cause, CursorElsewhereError)
    assert ask(followed).content["grant"] == shrunk.grant.id


def test_a_grant_that_shows_the_same_goes_on_where_its_predecessor_ended(followed):

    start = ask(followed).content["cursor"]
    followed.clock.now += timedelta(minutes=1)
    heir = grants.shrink(
        followed.office, "G1", Less(actions=("subscribe",)), actor=Actor("GA", "reviewer"), reason="只订阅"
    )
    followed.houses.load({"a": ROW})
    page = ask(followed, cursor=start)
    assert (page.content["grant"], told(page)) == (heir.grant.id, [("delete", "b")])


def test_a_revoked_grant_ends_it_on_the_next_page(followed):
    start = ask(followed).content["cursor"]
    worlds.end(followed.settings, followed.control, followed.evidence, "G1")
    followed.clock.now += timedelta(seconds=1)
    error = refused(followed, cursor=start)
    assert isinstance(error.cause, DeniedError)
    assert "grant_revoked" in [reason.code for reason in error.cause.reasons]


def test_other_fields_than_before_are_said_to_be_another_view(followed):
    start = ask(followed).content["cursor"]
    followed.houses.load({"a": ("2", "张三", "10.00", "x")})
    page = ask(followed, cursor=start, fields=["county"])
    assert page.content["view_changed"] is True
    assert page.content["events"][0]["content"] == {"county": "2"}
    assert page.content["events"][0]["key"] == {}
    assert "view_changed" not in ask(followed, cursor=page.content["cursor"], fields=["county"]).content


def test_a_page_is_the_same_in_another_process(followed):

    start = ask(followed).content["cursor"]
    followed.houses.load({"a": ROW})
    page = ask(followed, cursor=start)
    again = replace(
        followed,
        feed=open_feed(followed.settings, followed.standing, followed.evidence, followed.control, followed.signer),
    )
    assert ask(again, cursor=start).content == page.content


def test_who_was_away_too_long_is_told_how_to_begin_anew(followed):

    start = ask(followed).content["cursor"]
    for number in range(2):
        followed.houses.load({"a": ("1", "张三", f"{number}.50", "x")})
    followed.houses.house.maintain(CODE, Policy(keep_days=0, compact=False), followed.clock.now + timedelta(days=4000))
    error = refused(followed, cursor=start)
    assert isinstance(error.cause, CursorLapsedError)
    assert "now" in error.cause.text("zh")


def test_the_digest_of_a_view_depends_on_what_is_seen_and_not_on_whose_it_is(followed):

    of = houses()
    assert view_digest(decision(of, rows=["county in 1"])) == view_digest(decision(of, rows=["county in 1"], id="G7"))
    several = [decision(of), decision(of, masks=()), decision(of, rows=["county in 1"]), decision(of, fields=("area",))]
    assert len({view_digest(one) for one in several}) == len(several)
