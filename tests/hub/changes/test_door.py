"""The door of change feeds refuses whom it does not know as the doors of other calls do, in answer and evidence."""

from __future__ import annotations

import httpx
import pytest

from audit.entry import Entry
from hub.api import create_app
from hub.service import Service
from tests.hub.api.conftest import serving
from tests.hub.world import CODE, body


@pytest.fixture
def http(world):
    app = create_app(world.settings, open_service=lambda settings: Service.open(settings, clock=world.clock))
    with serving(app) as url, httpx.Client(base_url=url, trust_env=False) as client:
        client.app = app
        yield client


STRANGERS = [
    ({}, "key_refused"),
    ({"authorization": "Bearer wrong"}, "key_refused"),
    ({"signature": "a"}, "signature_missing"),
    ({"authorization": "Bearer x", "gjgxjhpt_rid": "1"}, "proof_ambiguous"),
]


def test_a_stranger_is_told_and_recorded_as_at_the_other_doors(http):
    log = http.app.state.service.evidence.log
    for headers, code in STRANGERS:
        told = []
        for action in ("query", "changes"):
            plain = body() if action == "query" else {"purpose": body()["purpose"]}
            answer = http.post(f"/v1/resources/{CODE}:{action}", json=plain, headers=headers)
            entry = Entry.decode(log.entry(answer.json()["receipt"]["entry"]))
            facts = {name: value for name, value in entry.facts.items() if name != "action"}
            problem = {name: value for name, value in answer.json().items() if name != "receipt"}
            told.append((answer.status_code, answer.headers["www-authenticate"], problem, entry.actor, facts))
            assert entry.kind == {"query": "invocation.denied", "changes": "changes.denied"}[action]
            assert (problem["code"], facts["reasons"]) == (code, [code])
        assert told[0] == told[1]
