"""Batches over HTTP: ordering, following, fetching in pieces, and what others are told."""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import replace

import httpx
import pytest

from hub.api import create_app
from hub.batches.manifest import read
from hub.receipts import check
from hub.receipts import read as read_receipt
from hub.service import Service
from hub.signatures import AnswerVerifier
from tests.hub import world as worlds
from tests.hub.api.conftest import serving
from tests.hub.batches.conftest import FIELDS, Room
from tests.hub.world import CODE, MATTER

ADDRESS = f"/v1/resources/{CODE}:batch"
ORDER = {"grant": "G2", "purpose": {"matter": MATTER, "case": "BJ-7"}, "fields": ["name", "income"]}


@pytest.fixture(scope="module")
def place(built, tmp_path_factory):
    """A served world with a grant for batches, and keys of the department that holds it and of another."""
    world = worlds.copy(built, tmp_path_factory.mktemp("batches") / "world")
    room = Room(world)
    room.grant(fields=FIELDS)
    world.other = room.key("MZ")
    world.key = room.key("RS")
    room.close()
    app = create_app(world.settings, open_service=lambda settings: Service.open(settings, clock=world.clock))
    with serving(app) as address, httpx.Client(base_url=address, trust_env=False) as http:
        world.http, world.app = http, app
        yield world


def headers(key, **more):
    return {"authorization": f"Bearer {key}", "accept-language": "en", **more}


def order(place, key=None, **changes):
    body = {name: value for name, value in {**ORDER, **changes}.items() if value is not None}
    return place.http.post(ADDRESS, json=body, headers=headers(key or place.key))


def ready(place, id_):
    for _ in range(400):
        plain = place.http.get(f"/v1/batches/{id_}", headers=headers(place.key)).json()
        if plain["state"] not in ("ordered", "running"):
            return plain
        time.sleep(0.05)
    raise AssertionError(plain)


@pytest.fixture(scope="module")
def made(place):
    answer = order(place)
    assert answer.status_code == 202, answer.text
    return ready(place, answer.json()["id"])


def get(place, address, key=None, **more):
    return place.http.get(address, headers=headers(key or place.key, **more))


def test_an_order_is_taken_with_a_location_and_a_receipt_and_made_by_itself(place, made):
    answer = order(place, rows=["household in H1"], format="csv.gz")
    plain = answer.json()
    assert (answer.status_code, plain["rows_total"], plain["fields"]) == (202, 2, ["name", "income"])
    assert answer.headers["location"] == f"/v1/batches/{plain['id']}"
    pinned = AnswerVerifier.from_text(place.settings.answer_key.read_text().strip())
    asked = {**ORDER, "rows": ["household in H1"], "format": "csv.gz"}
    check(read_receipt(plain["receipt"]), [pinned], request=asked)
    after = ready(place, plain["id"])
    assert (after["state"], after["rows_done"], after["error"]) == ("ready", 2, None)
    assert after["log_index"] == plain["receipt"]["entry"]


def test_manifest_and_parts_fit_each_other(place, made):
    answer = get(place, f"/v1/batches/{made['id']}/manifest")
    pinned = AnswerVerifier.from_text(place.settings.answer_key.read_text().strip())
    manifest = read(answer.content, [pinned])
    assert manifest["batch"] == made["id"]
    (part,) = manifest["parts"]
    answer = get(place, f"/v1/batches/{made['id']}/parts/1")
    assert (answer.status_code, len(answer.content)) == (200, part["bytes"])
    assert "sha256:" + hashlib.sha256(answer.content).hexdigest() == part["digest"]
    assert answer.headers["etag"] == f'"{part["digest"][7:]}"'
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["accept-ranges"] == "bytes"


def test_a_download_goes_on_where_it_stopped(place, made):
    address = f"/v1/batches/{made['id']}/parts/1"
    whole = get(place, address)
    tag, size = whole.headers["etag"], len(whole.content)
    rest = get(place, address, range="bytes=100-", **{"if-range": tag})
    assert (rest.status_code, rest.headers["content-range"]) == (206, f"bytes 100-{size - 1}/{size}")
    assert whole.content[:100] + rest.content == whole.content
    assert get(place, address, range="bytes=0-9").content == whole.content[:10]
    assert get(place, address, range=f"bytes={size - 1}-{size + 50}").content == whole.content[-1:]
    # What no client needs is answered whole: another file's tag, several ranges, nonsense, beyond the end.
    for more in (
        {"range": "bytes=100-", "if-range": '"other"'},
        {"range": "bytes=0-1,4-5"},
        {"range": "lines=1-"},
        {"range": "bytes=9-3"},
        {"range": f"bytes={size}-"},
        {"range": "bytes=-5"},
    ):
        answer = get(place, address, **more)
        assert (answer.status_code, answer.content) == (200, whole.content), more


def test_others_see_nothing_of_it(place, made):
    for address in ("", "/manifest", "/parts/1"):
        answer = get(place, f"/v1/batches/{made['id']}{address}", place.other)
        assert (answer.status_code, answer.json()["code"]) == (404, "batch_unknown")
    cancel = place.http.post(f"/v1/batches/{made['id']}:cancel", headers=headers(place.other))
    assert cancel.status_code == 404
    assert get(place, "/v1/batches", place.other).json() == {"batches": []}
    assert place.http.get(f"/v1/batches/{made['id']}").status_code == 401
    assert get(place, f"/v1/batches/{made['id']}/parts/2").status_code == 404
    assert get(place, f"/v1/batches/{made['id']}/parts/x").status_code == 422


def test_orders_are_listed_newest_first(place, made):
    found = get(place, "/v1/batches?limit=500").json()["batches"]
    assert made["id"] in [one["id"] for one in found]
    assert found == sorted(found, key=lambda one: one["ordered_at"], reverse=True)


def test_cancelling_closes_it(place):
    id_ = order(place).json()["id"]
    ready(place, id_)
    assert place.http.post(f"/v1/batches/{id_}:cancel", headers=headers(place.key)).json()["state"] == "cancelled"
    again = place.http.post(f"/v1/batches/{id_}:cancel", headers=headers(place.key))
    assert (again.status_code, again.json()["code"]) == (409, "batch_state")
    assert get(place, f"/v1/batches/{id_}/parts/1").status_code == 409


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"purpose": None}, 403, "denied"),
        ({"purpose": "x"}, 422, "request_invalid"),
        ({"purpose": {"matter": 1}}, 422, "request_invalid"),
        ({"purpose": {"matter": MATTER, "more": "x"}}, 422, "request_invalid"),
        ({"fields": ["name", "name"]}, 422, "request_invalid"),
        ({"fields": "name"}, 422, "request_invalid"),
        ({"fields": ["nosuch"]}, 403, "denied"),
        ({"rows": ["household"]}, 422, "request_invalid"),
        ({"rows": ["citizen_id prefix 110105"]}, 422, "request_invalid"),
        ({"rows": ["household in H1' OR true --"]}, 202, None),
        ({"format": "xlsx"}, 422, "request_invalid"),
        ({"grant": "G1"}, 403, "denied"),
        ({"grant": "x" * 300}, 422, "request_invalid"),
        ({"keys": {"citizen_id": "1"}}, 422, "request_invalid"),
    ],
)
def test_every_fault_of_an_order_is_told_and_recorded(place, changes, status, code):
    answer = order(place, **changes)
    plain = answer.json()
    assert (answer.status_code, plain.get("code")) == (status, code)
    if code is None:
        assert plain["rows_total"] == 0
    else:
        assert plain["receipt"]["leaf"]["kind"] == "batch.denied"


@pytest.mark.parametrize(
    ("body", "status"), [(b"{", 400), (b"[]", 400), (b"\xff", 400), (b'{"a":1,"a":2}', 400), (b"null", 400)]
)
def test_bytes_that_are_no_order_are_refused_and_recorded(place, body, status):
    answer = place.http.post(ADDRESS, content=body, headers=headers(place.key, **{"content-type": "application/json"}))
    assert (answer.status_code, answer.json()["receipt"]["leaf"]["kind"]) == (status, "batch.denied")


def test_a_caller_of_the_wrong_role_or_none_orders_nothing(place):
    assert order(place, "zt_" + "x" * 43).status_code == 401
    assert order(place, place.other).json()["code"] == "denied"
    assert place.http.post(f"{ADDRESS[:-6]}no:batch", json=ORDER, headers=headers(place.key)).status_code == 404


def test_the_addresses_are_documented(place):
    document = place.http.get("/openapi.json").json()
    paths = document["paths"]
    shape = paths["/v1/resources/{code}:batch"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert set(shape["properties"]) == {"fields", "rows", "purpose", "grant", "format"}
    assert {"202", "403", "422", "429"} <= set(paths["/v1/resources/{code}:batch"]["post"]["responses"])
    assert {"200", "206", "404", "409"} <= set(paths["/v1/batches/{id}/parts/{number}"]["get"]["responses"])
    assert json.dumps(document)


def test_where_batches_are_made_apart_the_api_makes_none(built, tmp_path):
    world = worlds.copy(built, tmp_path / "world")
    room = Room(world)
    room.grant()
    world.key = room.key()
    settings = replace(world.settings, batch_worker="apart")
    app = create_app(settings, open_service=lambda given: Service.open(given, clock=world.clock))
    with serving(app) as address, httpx.Client(base_url=address, trust_env=False) as http:
        world.http = http
        id_ = order(world).json()["id"]
        assert app.state.batch_runner is None
        assert room.worker().run_once() == id_
        assert ready(world, id_)["state"] == "ready"
    room.close()
