"""Status lists over HTTP: both forms, past versions with their proofs, and a change that shows within the minute."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from hub.licensing import STATUS_TTL_S, status_uri
from licence.errors import FormatError
from licence.lifecycle import Action
from licence.status import parse_status_token, token_digest
from licence.status.authentic import authentic_token
from licence.status.history import StatusHistory, from_json
from licence.trust import TrustStore
from licence.verify import verify
from tests.licence import status_reader

JWT, CWT = "application/statuslist+jwt", "application/statuslist+cwt"


@pytest.fixture(scope="module")
def licence(city):
    return city.issue(0)


@pytest.fixture(scope="module")
def story(city, licence):
    """Suspended, resumed, revoked, a minute apart; the times of each."""
    times = [city.clock()]
    for action in (Action.SUSPEND, Action.RESUME, Action.REVOKE):
        city.clock.now += timedelta(minutes=1)
        city.office.change(licence, action, by="RS", reason="x", ground="y", officer="z")
        times.append(city.clock())
    city.clock.now += timedelta(minutes=1)
    return times


def get(city, path="/v1/status/1", accept=None, **headers):
    return city.http.get(path, headers={**({"accept": accept} if accept else {}), **headers})


def index(city, licence):
    return city.office.show(licence)["status_index"]


@pytest.mark.usefixtures("story")
class TestForms:
    @pytest.mark.parametrize(
        ("accept", "media"),
        [
            (None, JWT),
            ("*/*", JWT),
            (JWT, JWT),
            (CWT, CWT),
            (f"{JWT}, {CWT}", JWT),
            (f"{CWT};q=0.5, {JWT};q=0.9", JWT),
            (f"{CWT}, {JWT};q=0.9", CWT),
            (f"{CWT};q=0", JWT),
            ("text/html", JWT),
            (";;;,,=", JWT),
        ],
    )
    def test_the_client_chooses(self, city, accept, media):
        answer = get(city, accept=accept)
        assert answer.status_code == 200
        assert answer.headers["content-type"] == media
        assert answer.headers["vary"] == "accept"
        assert answer.headers["cache-control"] == "no-cache"

    def test_both_are_of_the_same_version(self, city):
        trust = TrustStore.load(city.settings.trust)
        one, other = authentic_token(get(city).text, trust), authentic_token(get(city, accept=CWT).content, trust)
        assert (one.uri, one.issued_at, one.states()) == (other.uri, other.issued_at, other.states())

    @pytest.mark.parametrize("path", ["/v1/status/1", "/v1/status/1/versions/1"])
    def test_the_chain_is_given_to_who_asks(self, city, path):
        trust = replace(TrustStore.load(city.settings.trust), certificates=())
        bare, whole = get(city, path, CWT), get(city, f"{path}?chain=true", CWT)
        assert len(bare.content) < len(whole.content) - 400
        assert bare.headers["etag"] != whole.headers["etag"]
        assert authentic_token(whole.content, trust).states() == parse_status_token(bare.content).states()
        with pytest.raises(FormatError) as caught:
            authentic_token(bare.content, trust)
        assert caught.value.code == "status_signer_unknown"
        assert get(city, f"{path}?chain=true").text == get(city, path).text

    def test_a_foreign_reader_reads_both(self, city, licence):
        idx = index(city, licence)
        assert status_reader.read_jwt(get(city).text, idx)[0] == 1
        certificates = TrustStore.load(city.settings.trust).certificates
        assert status_reader.read_cwt(get(city, accept=CWT).content, idx, certificates=certificates)[0] == 1
        assert status_reader.read_cwt(get(city, "/v1/status/1?chain=true", CWT).content, idx)[0] == 1

    @pytest.mark.parametrize("accept", [JWT, CWT])
    def test_what_has_not_changed_is_not_sent_again(self, city, accept):
        tag = get(city, accept=accept).headers["etag"]
        again = get(city, accept=accept, **{"if-none-match": f'"x", W/{tag}'})
        assert (again.status_code, again.content) == (304, b"")
        assert get(city, accept=accept, **{"if-none-match": '"x"'}).status_code == 200

    def test_the_log_names_both(self, city):
        facts = city.logged("status.published")[-1].facts
        assert facts["token"] == token_digest(get(city).text)
        assert facts["cwt"] == token_digest(get(city, accept=CWT).content)

    def test_all_lists_are_named(self, city):
        assert get(city, "/v1/status").json() == {"status_lists": [status_uri("1")]}
        assert parse_status_token(get(city).text).uri == status_uri("1")


class TestHistory:
    def test_versions_are_listed_newest_first(self, city, story):
        found = get(city, "/v1/status/1/versions").json()
        assert found["newest"] == len(found["versions"]) >= len(story)
        assert [v["version"] for v in found["versions"]] == list(range(found["newest"], 0, -1))
        newest = get(city, found["versions"][0]["href"])
        assert newest.text == get(city).text
        assert found["versions"][0]["token"] == token_digest(newest.text)
        assert "immutable" in newest.headers["cache-control"]

    def test_by_pages(self, city, story):
        assert story
        first = get(city, "/v1/status/1/versions?size=2").json()
        second = get(city, f"/v1/status/1/versions?size=2&before={first['next']}").json()
        assert [v["version"] for v in second["versions"]] == [first["newest"] - 2, first["newest"] - 3]
        assert get(city, "/v1/status/1/versions?before=1").json()["versions"] == []
        assert get(city, "/v1/status/1/versions?before=2").json()["next"] is None

    @pytest.mark.parametrize("accept", [JWT, CWT])
    def test_as_it_was_then(self, city, licence, story, accept):
        idx = index(city, licence)
        for at, value in zip(story, (0, 2, 0, 1), strict=True):
            for later in (0, 59):
                answer = get(city, f"/v1/status/1?time={int(at.timestamp()) + later}", accept)
                token = parse_status_token(answer.content if accept == CWT else answer.text)
                assert token.states().value(idx) == value

    def test_the_past_is_proved_offline(self, city, licence, story):
        trust = TrustStore.load(city.settings.trust)
        for at, value in zip(story, (0, 2, 0, 1), strict=True):
            uri, versions = from_json(get(city, f"/v1/status/1/history?time={int(at.timestamp()) + 30}").text)
            told = StatusHistory.verified(uri, versions, trust).status_at(
                at + timedelta(seconds=30), index(city, licence)
            )
            assert told.value == value
            assert told.closed is (at != story[-1])

    @pytest.mark.parametrize(
        "path",
        [
            "/v1/status/9", "/v1/status/9/versions", "/v1/status/1/versions/0", "/v1/status/1/versions/999",
            "/v1/status/1?time=1", "/v1/status/1/history?time=1", "/v1/status/..", "/v1/status/1.jwt",
            "/v1/status/1?time=99999999999", "/v1/status/%00", "/v1/status/1/versions/-1",
        ],
    )  # fmt: skip
    def test_what_there_is_not(self, city, story, path):
        assert story
        assert get(city, path).status_code == 404

    @pytest.mark.parametrize("path", ["/v1/status/1?time=x", "/v1/status/1/history", "/v1/status/1/versions/x"])
    def test_what_is_no_question(self, city, path):
        assert get(city, path).status_code == 422


def test_a_revocation_is_seen_within_the_minute(city):
    """A verifier that re-reads when the token's ttl says so, as caches on the way may at most make it."""
    identifier = city.issue(1)
    bundle, trust = city.office.bundle(identifier), TrustStore.load(city.settings.trust)
    held = get(city).text
    ttl = parse_status_token(held).ttl
    assert ttl == STATUS_TTL_S <= 60
    assert verify(bundle, trust, city.clock(), [held]).verdict == "TOTAL-PASSED"
    city.clock.now += timedelta(seconds=1)
    city.office.change(identifier, Action.REVOKE, by="RS", reason="x", ground="y", officer="z")
    city.clock.now += timedelta(seconds=ttl - 1)
    for accept in (JWT, CWT):
        answer = get(city, accept=accept, **{"if-none-match": f'"{token_digest(held).removeprefix("sha256:")}"'})
        token = answer.content if accept == CWT else answer.text
        assert verify(bundle, trust, city.clock(), [token]).sub_indication == "REVOKED"
