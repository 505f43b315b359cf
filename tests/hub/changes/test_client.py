"""Following a resource with the client: by its own key, event by event, and on from where one stopped."""

from __future__ import annotations

import asyncio
import json

import httpx
import pytest

from hub import clients
from hub.actors import Actor, Role
from hub.api import create_app
from hub.cli import main
from hub.client import AsyncClient, CallDeniedError, CallInvalidError, CallKeyRefusedError, Client
from hub.client.changes import NOW as BEGIN
from hub.client.wire import Wire
from hub.errors import AnswerRefusedError
from hub.service import Service
from hub.signing import keyfiles
from tests.hub.api.conftest import serving
from tests.hub.changes.parts import CODE
from tests.hub.databases import SQLITE

MATTER = "SX001"
HOUSES = {letter: (county, "张三", "10.00", "") for letter, county in zip("abcde", "12121", strict=True)}


@pytest.fixture
def database():
    """The feed is tested on both; here it is what the client makes of it."""
    return SQLITE


@pytest.fixture
def place(town, monkeypatch):
    """A served town, and a registered system of the department that follows."""
    town.give()
    town.houses.load(HOUSES)
    made = clients.register(
        town.office, department="RS", name="copy", contact="officer", by=Actor("GA", "office"), roles=(Role.CALL,)
    )
    key, _ = keyfiles.generate("ed25519")
    clients.add_key(town.office, made.id, key.public, keyfiles.prove_possession(made.id, key), by=Actor("GA", "office"))
    app = create_app(town.settings, open_service=lambda settings: Service.open(settings, clock=town.clock))
    monkeypatch.setattr("hub.client.wire.utc_now", town.clock)
    with serving(app) as url:
        town.clock.now = town.clock.now.replace(second=1)  # what was signed before the hub was set up, it refuses
        town.url, town.own, town.app = url, key, app
        yield town


@pytest.fixture
def client(place):
    with Client(place.url, place.own, pinned(place), lang="en") as client:
        yield client


def pinned(place):
    return place.settings.answer_key.read_text()


def change(place, *letters, area="11.00"):
    place.houses.load({**HOUSES, **{letter: (HOUSES[letter][0], "张三", area, "") for letter in letters}})


def test_it_begins_now_and_goes_on_from_a_cursor_that_was_kept(place, client):
    feed = client.changes(CODE, matter=MATTER)
    assert feed.cursor == BEGIN
    assert list(feed) == []
    kept = feed.cursor
    assert kept != BEGIN
    change(place, "a", "b", "c")
    told = list(client.changes(CODE, matter=MATTER, cursor=kept))
    assert [change.kind for change in told] == ["update"] * 3
    assert told[0].event["content"]["area"] == "11.00"
    assert told[0].page.receipt["leaf"]["facts"]["proof"] == "signature"
    assert not told[0].view_changed
    assert list(client.changes(CODE, matter=MATTER, cursor=told[-1].cursor)) == []
    # The same iterator goes on, too.
    assert [change.id for change in feed] == [change.id for change in told]
    assert feed.cursor == told[-1].cursor


def test_whoever_stops_within_a_page_is_told_the_rest_and_knows_what_comes_again(place, client):
    feed = client.changes(CODE, matter=MATTER, limit=2)
    list(feed)
    change(place, "a", "b", "c", "d", "e")
    whole = list(client.changes(CODE, matter=MATTER, cursor=feed.cursor, limit=2))
    assert len({change.id for change in whole}) == 5
    for stop in range(1, 6):
        seen = dict.fromkeys(change.id for change in whole[:stop])
        rest = [change.id for change in client.changes(CODE, matter=MATTER, cursor=whole[stop - 1].cursor, limit=2)]
        assert list(seen | dict.fromkeys(rest)) == [change.id for change in whole]
        assert stop + len(rest) in {5, 6}
    walk = iter(feed)
    next(walk)
    walk.close()
    assert [change.id for change in feed] == [change.id for change in whole]


def test_fields_and_grant_are_passed_on(place, client):
    feed = client.changes(CODE, matter=MATTER, fields=["area"], grant="G1", case="BJ-1")
    list(feed)
    change(place, "a")
    (told,) = list(feed)
    assert told.event["content"].keys() == {"area"}


def test_what_the_hub_refuses_is_raised_by_kind(place, client):
    with pytest.raises(CallDeniedError):
        list(client.changes(CODE, matter="SX999"))
    with pytest.raises(CallInvalidError) as caught:
        list(client.changes(CODE, matter=MATTER, cursor="zzz"))
    assert caught.value.problem_code == "cursor_invalid"
    with Client(place.url, "zt_" + "x" * 43, pinned(place)) as nobody, pytest.raises(CallKeyRefusedError):
        list(nobody.changes(CODE, matter=MATTER))


class Cheat(httpx.BaseTransport):
    """Answers what it heard to another request with what it heard first: a true page, of another cursor."""

    def __init__(self):
        self._inner, self._first = httpx.HTTPTransport(), None

    def handle_request(self, request):
        got = self._inner.handle_request(request)
        body, headers = got.read(), {name: value for name, value in got.headers.items() if name != "content-length"}
        got.close()
        self._first = self._first or (got.status_code, headers, body)
        return httpx.Response(self._first[0], headers=self._first[1], content=self._first[2], request=request)

    def close(self):
        self._inner.close()


def test_a_page_of_another_cursor_is_not_believed(place):
    with Client(place.url, place.own, pinned(place), http=httpx.Client(transport=Cheat())) as client:
        feed = client.changes(CODE, matter=MATTER)
        list(feed)
        with pytest.raises(AnswerRefusedError):
            list(feed)


def test_a_receipt_that_is_not_about_the_page_is_not_believed(place, client, monkeypatch):
    list(client.changes(CODE, matter=MATTER))
    monkeypatch.setattr("hub.client.wire.Wire._signed_at", lambda *_: place.clock.now)
    believed = Wire.believed

    def meddle(wire, asked, sent, got):
        called = believed(wire, asked, sent, got)
        called.plain["snapshot"] = "1"
        return called

    monkeypatch.setattr(Wire, "believed", meddle)
    with pytest.raises(AnswerRefusedError, match="another answer"):
        list(client.changes(CODE, matter=MATTER))


def test_one_that_waits_for_nobody_follows_alike(place, client):
    feed = client.changes(CODE, matter=MATTER)
    list(feed)
    change(place, "a", "b", "c")

    async def follow():
        async with AsyncClient(place.url, place.own, pinned(place)) as other:
            found = other.changes(CODE, matter=MATTER, cursor=feed.cursor, limit=2)
            return [change.id async for change in found], found.cursor

    ids, cursor = asyncio.run(follow())
    assert ids == [change.id for change in feed]
    assert list(client.changes(CODE, matter=MATTER, cursor=cursor)) == []


def test_hooks_are_looked_after_by_the_same_client(place, client):
    with pytest.raises(CallInvalidError) as caught:
        client.hooks.register(CODE, "https://rs.example.cn/in?x=1", matter=MATTER)
    assert caught.value.problem_code == "hook_address"
    assert client.hooks.find() == []
    assert client.hooks.find(ended=True) == []
    for call in (client.hooks.get, client.hooks.deliveries, lambda id_: client.hooks.take(id_, "pause")):
        with pytest.raises(CallInvalidError) as caught:
            call("HX")
        assert caught.value.problem_code == "hook_unknown"


def test_the_command_goes_on_from_the_file(place, tmp_path, capfd):
    key, cursor = tmp_path / "key", tmp_path / "cursor"
    key.write_text(place.key)
    key.chmod(0o600)
    (tmp_path / "answers.vkey").write_text(pinned(place))
    given = [
        *("--lang", "en", "changes", CODE, "--purpose", MATTER, "--cursor-file", str(cursor), "--server", place.url),
        *("--key-file", str(key), "--answer-key", str(tmp_path / "answers.vkey")),
    ]

    def follow():
        assert main(given) == 0
        said = capfd.readouterr()
        return [json.loads(line) for line in said.out.splitlines()], said.err

    assert follow()[0] == []
    begun = cursor.read_text()
    assert begun.strip() not in ("", "now")
    place.houses.load({**HOUSES, "f": ("1", "李四", "20.00", "")})
    events, told = follow()
    assert [one["kind"] for one in events] == ["insert"]
    assert "Changes: 1." in told
    assert cursor.read_text() != begun
    assert oct(cursor.stat().st_mode)[-3:] == "600"
    assert follow()[0] == []
    cursor.write_text("nonsense")
    assert main(given) != 0
    assert cursor.read_text() == "nonsense"
