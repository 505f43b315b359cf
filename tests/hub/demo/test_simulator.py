"""The market office's API: a token, pages, what changed since, a refusal now and then."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from hub.demo.city import advance
from hub.demo.simulator import MOST_PER_PAGE, MarketSimulator


@pytest.fixture
def market(own_city):
    with MarketSimulator(own_city, refuse_every=0) as simulator:
        yield simulator


def ask(market, path, token=None, **params):
    headers = {"Authorization": f"Bearer {market.token if token is None else token}"}
    return httpx.get(f"{market.base_url}/api/v1/{path}", params=params, headers=headers, trust_env=False)


def test_every_record_comes_exactly_once_over_all_pages(market, own_city):
    kept = json.loads((own_city / "sj/companies.json").read_text(encoding="utf-8"))
    seen, number = [], 1
    while items := (answer := ask(market, "companies", page=number, page_size=7).json())["items"]:
        seen += items
        number += 1
        assert answer["total"] == len(kept)
    assert number - 1 == answer["pages"]
    assert sorted(r["uscc"] for r in seen) == sorted(r["uscc"] for r in kept)
    assert [r["updated_at"] for r in seen] == sorted(r["updated_at"] for r in kept)


def test_since_is_inclusive(market, own_city):
    kept = json.loads((own_city / "sj/annual-reports.json").read_text(encoding="utf-8"))
    times = sorted(r["submitted_at"] for r in kept)
    since = times[len(times) // 2]
    got = ask(market, "annual-reports", updated_since=since, page_size=500).json()["items"]
    assert len(got) == sum(1 for time in times if time >= since)
    assert min(r["submitted_at"] for r in got) == since


def test_without_the_token_there_is_nothing(market):
    bare = httpx.get(f"{market.base_url}/api/v1/companies", trust_env=False)
    for answer in (bare, ask(market, "companies", token="wrong"), ask(market, "companies", token=market.token[:-1])):
        assert answer.status_code == 401
        assert "items" not in answer.json()


def test_a_changed_file_is_served_at_once(market, own_city):
    before = ask(market, "companies", page_size=1).json()
    changes = advance(own_city, day=2).resources["3040010001"]
    later = ask(market, "companies", updated_since="2026-03-03T00:00:00").json()
    assert before["total"] > 0
    assert later["total"] == changes.updated


@pytest.mark.parametrize(("path", "params", "status"), [
    ("companies", {"page": "0"}, 400),
    ("companies", {"page": "x"}, 400),
    ("companies", {"page_size": "-1"}, 400),
    ("secrets", {}, 404),
    ("../sj/token", {}, 404),
])  # fmt: skip
def test_strange_questions_get_plain_answers(market, path, params, status):
    assert ask(market, path, **params).status_code == status


def test_pages_are_bounded(market):
    assert ask(market, "companies", page_size=999_999).json()["page_size"] == MOST_PER_PAGE


def test_it_is_busy_now_and_then(own_city):
    with MarketSimulator(own_city, refuse_every=3) as market:
        answers = [ask(market, "special-equipment") for _ in range(6)]
    assert [a.status_code for a in answers] == [200, 200, 429, 200, 200, 429]
    assert answers[2].headers["Retry-After"] == "1"


def test_it_runs_as_a_program_of_its_own(own_city):
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
    program = subprocess.Popen(
        [sys.executable, "-m", "hub.demo.simulator", str(own_city)], stdout=subprocess.PIPE, text=True, env=env
    )
    try:
        url = program.stdout.readline().strip()
        assert httpx.get(f"{url}/api/v1/companies", trust_env=False).status_code == 401
    finally:
        program.terminate()
        assert program.wait(timeout=10) == 0
        program.stdout.close()
