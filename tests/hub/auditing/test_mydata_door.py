from __future__ import annotations

import httpx
import pytest

from hub.api import create_app
from hub.callers import issue_key
from hub.service import Service
from tests.hub import world as worlds
from tests.hub.api.conftest import serving
from tests.hub.world import CODE, IDS, body


@pytest.fixture(scope="module")
def world(built, tmp_path_factory):
    return worlds.copy(built, tmp_path_factory.mktemp("mydata") / "world")


@pytest.fixture(scope="module")
def http(world):
    app = create_app(world.settings, open_service=lambda settings: Service.open(settings, clock=world.clock))
    with serving(app) as url, httpx.Client(base_url=url, trust_env=False) as client:
        client.app = app
        yield client


@pytest.fixture(scope="module")
def person_key(http):
    service = http.app.state.service
    list_ = service.standing.now().list
    given = {"department": "MZ", "name": "citizens-app", "by": "office", "roles": ("person",)}
    return issue_key(service.control, service.evidence, list_, **given).key


def ask(http, key, plain, **headers):
    headers = {"authorization": f"Bearer {key}", "accept-language": "zh", **headers}
    return http.post("/v1/mydata", json=plain, headers=headers)


def test_a_system_with_the_role_shows_persons_their_uses(http, world, person_key):
    called = http.post(f"/v1/resources/{CODE}:query", json=body(), headers={"authorization": f"Bearer {world.key}"})
    assert called.status_code == 200
    answer = ask(http, person_key, {"keys": {"citizen_id": IDS[0]}})
    assert answer.status_code == 200
    told = answer.json()
    assert (told["total"], told["uses"][0]["receiver"]) == (1, "人力资源和社会保障局")
    assert IDS[0] not in answer.text
    english = ask(http, person_key, {"keys": {"citizen_id": IDS[0]}}, **{"accept-language": "en"}).json()
    assert "Human Resources" in english["uses"][-1]["text"]


def test_nobody_else_may_ask(http, world, person_key):
    assert ask(http, world.key, {"keys": {"citizen_id": IDS[0]}}).status_code == 403
    assert ask(http, "wrong", {"keys": {"citizen_id": IDS[0]}}).status_code == 401


@pytest.mark.parametrize(
    "plain",
    [
        {},
        {"keys": {}},
        {"keys": [IDS[0]]},
        {"keys": {"citizen_id": 7}},
        {"keys": {"citizen_id": " "}},
        {"keys": {"citizen_id": IDS[0]}, "more": 1},
        {"keys": {"household": "H1"}},
        {"keys": {"a": "1", "b": "2", "c": "3", "d": "4"}},
    ],
)
def test_what_names_no_person_is_refused(http, person_key, plain):
    refused = ask(http, person_key, plain)
    assert refused.status_code == 422
    assert IDS[0] not in refused.text
