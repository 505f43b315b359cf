from __future__ import annotations

import asyncio
from datetime import timedelta

import httpx
import pytest

from hub.actors import Actor
from hub.client import (
    AsyncClient,
    CallDeniedError,
    CallInvalidError,
    CallKeyRefusedError,
    CallUnavailableError,
    Client,
    ClientSettingError,
    HubUnreachableError,
    ProfileError,
)
from hub.client.talk import TRIES
from hub.errors import AnswerRefusedError, InvalidRequestError
from hub.signatures import AnswerSigner, content_digest
from hub.signing import keyfiles
from tests.hub.world import ABSENT, CODE, EMPTY_CODE, IDS, MATTER, NOW


@pytest.fixture
def pinned(world):
    return (world.settings.public / "answers.key.pub").read_text()


@pytest.fixture(autouse=True)
def now(monkeypatch):
    # A second later than the hub's: what was signed before it was set up, it refuses.
    monkeypatch.setattr("hub.client.wire.utc_now", lambda: NOW + timedelta(seconds=1))


@pytest.fixture
def client(url, world, pinned):
    with Client(url, world.key, pinned, lang="en") as client:
        yield client


def test_a_query_returns_records_and_a_receipt_that_was_checked(client):
    called = client.query(CODE, {"citizen_id": IDS[0]}, matter=MATTER, fields=["birth"], case="BJ-1")
    assert called.records == [{"birth": "1990-01-01"}]
    assert called.receipt["log"] == "zhengtong.local/log"
    assert called.signed_at == NOW


def test_a_verification_returns_verdicts(client):
    called = client.verify(CODE, {"citizen_id": IDS[0]}, {"name": "张三"}, matter=MATTER)
    assert called.results == {"name": "match"}


def test_the_catalogue_and_a_resource(client):
    assert [item["code"] for item in client.catalog()] == [CODE, EMPTY_CODE]
    assert client.resource(CODE)["fields"][0]["name"] == "citizen_id"


def test_errors_are_typed_by_what_to_do_next(client, url, world, pinned):
    with pytest.raises(CallDeniedError) as denied:
        client.query(CODE, {"citizen_id": IDS[0]}, matter="SX002")
    assert denied.value.reasons == ("purpose_not_granted",)
    assert denied.value.problem["receipt"]["entry"] >= 0
    with pytest.raises(CallInvalidError) as invalid:
        client.query("nothing", {"citizen_id": IDS[0]}, matter=MATTER)
    assert (invalid.value.status, invalid.value.problem_code) == (404, "resource_unknown")
    with Client(url, "zt_wrong", pinned) as stranger, pytest.raises(CallKeyRefusedError) as refused:
        stranger.query(CODE, {"citizen_id": IDS[0]}, matter=MATTER)
    assert refused.value.status == 401
    with Client("http://127.0.0.1:9", world.key, pinned) as nowhere, pytest.raises(HubUnreachableError):
        nowhere.query(CODE, {"citizen_id": IDS[0]}, matter=MATTER)


def test_an_unavailability_says_when_to_try_again(client, app, monkeypatch):
    def fail(entries):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(app.state.service.evidence.log, "append", fail)
    with pytest.raises(CallUnavailableError) as caught:
        client.query(CODE, {"citizen_id": IDS[0]}, matter=MATTER)  # a minute is too long to wait for
    assert caught.value.retry_after_s == 60


def test_another_pinned_key_refuses_everything(url, world):
    other = AnswerSigner.from_seed(b"\7" * 32).verifier.to_text()
    with Client(url, world.key, other) as client, pytest.raises(AnswerRefusedError, match="not pinned"):
        client.query(CODE, {"citizen_id": IDS[0]}, matter=MATTER)
    with pytest.raises(ClientSettingError, match="verifier_key"):
        Client(url, world.key, "nonsense")


class Meddler(httpx.BaseTransport):
    """Someone on the wire who changes answers."""

    def __init__(self, change):
        self._inner = httpx.HTTPTransport()
        self._change = change

    def handle_request(self, request):
        got = self._inner.handle_request(request)
        body = got.read()
        headers = {n.lower(): v for n, v in got.headers.items()}
        status, headers, body = self._change(got.status_code, headers, body)
        got.close()
        return httpx.Response(status, headers=headers, content=body, request=request)

    def close(self):
        self._inner.close()


def _body(status, headers, body):
    return status, headers, body.replace(b"1990-01-01", b"1980-01-01")


def _body_and_digest(status, headers, body):
    status, headers, body = _body(status, headers, body)
    return status, {**headers, "content-digest": content_digest(body)}, body


def _receipt(status, headers, body):
    return status, {**headers, "zhengtong-receipt": 'entry=0, log="x"'}, body


def _no_receipt(status, headers, body):
    return status, {n: v for n, v in headers.items() if n != "zhengtong-receipt"}, body


def _unsigned(status, headers, body):
    return status, {n: v for n, v in headers.items() if not n.startswith("signature")}, body


def _denied(status, headers, body):
    return 403, headers, body


@pytest.mark.parametrize("change", [_body, _body_and_digest, _receipt, _no_receipt, _denied])
def test_a_tampered_answer_is_refused(url, world, pinned, change):
    http = httpx.Client(transport=Meddler(change))
    with Client(url, world.key, pinned, http=http) as client, pytest.raises(AnswerRefusedError):
        client.query(CODE, {"citizen_id": IDS[0]}, matter=MATTER)


@pytest.mark.parametrize("change", [_unsigned, _denied])
def test_what_has_no_receipt_is_believed_by_its_signature(url, world, pinned, change):
    http = httpx.Client(transport=Meddler(change))
    with Client(url, world.key, pinned, http=http) as client, pytest.raises(AnswerRefusedError):
        client.resource(CODE)


def test_a_true_answer_to_another_question_is_refused(url, world, pinned):
    kept = {}

    def replay(status, headers, body):
        if not kept:
            kept.update(status=status, headers=headers, body=body)
        return kept["status"], kept["headers"], kept["body"]

    http = httpx.Client(transport=Meddler(replay))
    with Client(url, world.key, pinned, http=http) as client:
        assert client.query(CODE, {"citizen_id": IDS[0]}, matter=MATTER).records
        with pytest.raises(AnswerRefusedError, match="another request"):
            client.query(CODE, {"citizen_id": IDS[1]}, matter=MATTER)


def test_an_old_answer_is_not_a_new_one(url, world, pinned, monkeypatch):
    monkeypatch.setattr("hub.client.wire.utc_now", lambda: NOW + timedelta(minutes=6))
    with Client(url, world.key, pinned) as client, pytest.raises(AnswerRefusedError, match="too long ago"):
        client.query(CODE, {"citizen_id": IDS[0]}, matter=MATTER)


def test_several_are_asked_at_once_and_become_a_table(client):
    called = client.query(
        CODE, [{"citizen_id": one} for one in (IDS[1], ABSENT, IDS[0])], matter=MATTER, fields=["birth"]
    )
    assert [len(one["records"]) for one in called.answers] == [1, 0, 1]
    assert [record["birth"] for record in called.records] == ["1990-01-02", "1990-01-01"]
    assert called.to_pandas().to_dict("list") == {"_asked": [0, 2], "birth": ["1990-01-02", "1990-01-01"]}
    assert called.to_arrow().to_pydict() == {"_asked": [0, 2], "birth": ["1990-01-02", "1990-01-01"]}


def test_no_record_is_a_table_too(client):
    called = client.query(CODE, {"citizen_id": ABSENT}, matter=MATTER, fields=["birth"])
    assert list(called.to_pandas().columns) == ["birth"]
    assert called.to_arrow().num_rows == 0


def test_what_would_be_allowed(client):
    assert client.explain(CODE, matter=MATTER, fields=["name"], keys=["citizen_id"])["allowed"] is True
    said = client.explain(CODE, matter=MATTER, action="verify", fields=["address"], keys=["citizen_id"])
    assert [one["code"] for one in said["reasons"]] == ["field_not_granted"]


class Failing(httpx.BaseTransport):
    """A way to the hub that fails a few times first."""

    def __init__(self, times, how):
        self._inner, self.times, self._how = httpx.HTTPTransport(), times, how
        self.asked = []

    def close(self):
        self._inner.close()

    def handle_request(self, request):
        self.asked.append(dict(request.headers))
        if len(self.asked) <= self.times:
            if self._how == "before":
                raise httpx.ConnectError("no")
            lost = self._inner.handle_request(request)
            lost.read()
            lost.close()
            raise httpx.ReadError("lost")
        return self._inner.handle_request(request)


@pytest.fixture
def patient(monkeypatch):
    waits = []
    monkeypatch.setattr("time.sleep", waits.append)
    return waits


@pytest.fixture
def place(url, world, pinned, app):
    """Asks by a way; gives the answer, and how many entries of the log it took."""

    def ask(way, *, name=None, **options):
        size = app.state.service.evidence.log.size
        with Client(url, world.key, pinned, http=httpx.Client(transport=way), **options) as client:
            called = client.query(CODE, {"citizen_id": IDS[0]}, matter=MATTER, name=name)
        assert called.receipt["entry"] == size
        return called, app.state.service.evidence.log.size - size

    return ask


class TestTryingAgain:
    @pytest.mark.parametrize("name", ["mine", None])
    @pytest.mark.parametrize("how", ["before", "after"])
    def test_a_call_counts_once_however_often_it_is_sent(self, place, patient, how, name):
        way = Failing(2, how)
        called, entries = place(way, name=name and f"{name}-{how}")
        assert (len(way.asked), len(patient), entries) == (3, 2, 1)
        assert called.records

    def test_one_that_is_to_have_no_name_is_sent_again_if_it_was_never_sent(self, place, patient):
        way = Failing(2, "before")
        called, entries = place(way, once=False)
        assert (len(way.asked), len(patient), entries) == (3, 2, 1)
        assert called.records

    def test_and_not_if_its_answer_was_lost(self, place, patient):
        way = Failing(2, "after")
        with pytest.raises(HubUnreachableError) as caught:
            place(way, once=False)
        assert (len(way.asked), patient, caught.value.lost) == (1, [], True)

    def test_it_ends(self, url, world, pinned, patient):
        way = Failing(9, "before")
        with (
            Client(url, world.key, pinned, http=httpx.Client(transport=way)) as client,
            pytest.raises(HubUnreachableError),
        ):
            client.query(CODE, {"citizen_id": IDS[0]}, matter=MATTER)
        assert len(way.asked) == TRIES


@pytest.fixture
def keys(world, app):
    """A key of the department's own system, registered."""
    from hub import clients

    service = app.state.service
    key, pem = keyfiles.generate("ed25519")
    by = Actor("GA", "office")
    made = clients.register(service.office, department="RS", name=f"window-{len(pem)}", contact="officer", by=by)
    clients.add_key(service.office, made.id, key.public, keyfiles.prove_possession(made.id, key), by=by)
    return key, pem


class TestSigning:
    def test_each_request_is_signed_by_the_system_s_own_key(self, url, keys, pinned):
        key, _ = keys
        with Client(url, key, pinned) as client:
            assert client.query(CODE, {"citizen_id": IDS[0]}, matter=MATTER, fields=["birth"]).records
            assert client.resource(CODE)

    def test_a_profile_names_hub_and_keys(self, url, keys, pinned, tmp_path):
        keyfiles.write_private(tmp_path / "own.pem", keys[1])
        (tmp_path / "hub.pub").write_text(pinned)
        file = tmp_path / "profiles.toml"
        file.write_text(f'[rs]\nurl = "{url}"\nanswer_key = "hub.pub"\nsigning_key = "own.pem"\nlang = "en"\n')
        with Client.from_profile("rs", file) as client:
            assert client.query(CODE, {"citizen_id": IDS[0]}, matter=MATTER, fields=["birth"]).records

    def test_one_that_waits_for_nobody(self, url, keys, pinned, world):
        async def many():
            async with AsyncClient(url, keys[0], pinned) as client:
                asked = [client.query(CODE, {"citizen_id": one}, matter=MATTER, fields=["birth"]) for one in IDS]
                verified = await client.verify(CODE, {"citizen_id": IDS[0]}, {"birth": "1990-01-01"}, matter=MATTER)
                said = await client.explain(CODE, matter=MATTER, keys=["citizen_id"])
                known = await client.resource(CODE)
                return await asyncio.gather(*asked), verified, said, known

        found, verified, said, known = asyncio.run(many())
        assert [called.records[0]["birth"] for called in found] == [f"1990-01-0{n}" for n in range(1, 6)]
        assert (verified.results, said["allowed"], known["code"]) == ({"birth": "match"}, True, CODE)


PINNED = AnswerSigner.from_seed(b"\7" * 32).verifier.to_text()
WHOLE = f"[rs]\nurl = 'http://x'\nanswer_key = '{PINNED}'\n"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[mz]\n[ga]\n", "not there; there is: ga, mz"),
        ("[rs", "no TOML"),
        ("[rs]\nurl = 'x'\n", "answer_key is missing"),
        ("[rs]\nurl = 1\n", "url is of the wrong type"),
        (f"[rs]\nanswer_key = '{PINNED}'\n", "url is missing"),
        ("[rs]\nurl = 'x'\nanswer_key = 'y'\ncaller_key = 'z'\n", "answer_key is neither"),
        (WHOLE, "either"),
        (f"{WHOLE}signing_key = 'z'\n", "no private key"),
        (f"{WHOLE}signing_key = 'absent.pem'\n", "there is no file"),
        (f"{WHOLE}signing_key = 'open.pem'\n", "chmod 600"),
        (f"{WHOLE}caller_key = 'z'\nmore = 1\n", "more is not known; known are url, "),
        (f"{WHOLE}caller_key = 'z'\nlang = 'fr'\n", "lang is zh or en"),
    ],
)
def test_a_profile_that_lacks_something_says_what(tmp_path, text, why):
    (tmp_path / "open.pem").write_text("x")
    (tmp_path / "open.pem").chmod(0o640)
    file = tmp_path / "profiles.toml"
    file.write_text(text)
    with pytest.raises(ProfileError, match=why) as caught:
        Client.from_profile("rs", file)
    assert str(file) in caught.value.text("zh")
    with pytest.raises(ProfileError, match="no such file"):
        Client.from_profile("rs", tmp_path / "absent.toml")


@pytest.mark.parametrize(
    ("url", "key", "pinned", "what"),
    [
        ("hub.example", "zt_x", PINNED, "url"),
        ("https://me:secret@hub.example", "zt_x", PINNED, "url"),
        ("http://hub.example", "", PINNED, "key"),
        ("http://hub.example", "two words", PINNED, "key"),
        ("http://hub.example", "zt_x", "", "verifier_key"),
        ("http://hub.example", "zt_x", "ed25519:x", "verifier_key"),
    ],
)
def test_what_a_client_cannot_be_made_with_is_said_at_once(url, key, pinned, what):
    with pytest.raises(ClientSettingError) as caught:
        Client(url, key, pinned)
    assert caught.value.params["what"] == what
    assert "secret" not in str(caught.value)


def test_a_name_that_no_header_can_hold_is_refused_before_it_is_sent(client):
    for name in ("", "办件", 'a"b', "a b", "x" * 256):
        with pytest.raises(InvalidRequestError):
            client.query(CODE, {"citizen_id": IDS[0]}, matter=MATTER, name=name)
