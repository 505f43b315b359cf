"""Grants and requests made for a list fit it, and the story of the reference city goes through."""

from __future__ import annotations

from datetime import timedelta

import pytest

from catalog.decide import Policy, decide
from hub.cli.app import run
from hub.demo.reference import grants_for, reference_list, requests_for
from hub.demo.reference import story as telling
from hub.demo.reference.story import QUERIES, CityStory
from hub.demo.reference.use import STARTS
from hub.settings import Settings

NOW = STARTS + timedelta(days=100)


@pytest.fixture(scope="module")
def city():
    return reference_list(resources=300)


def test_grants_are_the_same_every_time_and_covered_by_the_list(city):
    grants = grants_for(city, 300, 1)
    assert grants == grants_for(city, 300, 1)
    assert grants != grants_for(city, 300, 2)
    assert len({grant.id for grant in grants}) == 300
    assert all({f.name for f in city.by_code[g.resource].fields} >= set(g.fields) for g in grants)


def test_most_requests_are_allowed_and_some_denied(city):
    grants = grants_for(city, 300, 1)
    policy = Policy(city, grants)
    requests = requests_for(city, grants, 400, 1)
    answers = [policy.decide(request, NOW).allowed for request in requests]
    assert 0.7 <= sum(answers) / 400 <= 0.95
    assert [decide(request, city, grants, NOW).allowed for request in requests[:25]] == answers[:25]
    assert not any(policy.decide(request, STARTS - timedelta(days=1)).allowed for request in requests)


def test_the_story_publishes_searches_and_applies(tmp_path, monkeypatch):
    # The essential subjects alone: the whole city is the same story, and a minute longer.
    monkeypatch.setattr(telling, "reference_list", lambda seed: reference_list(seed, resources=120))
    story = CityStory(Settings.at(tmp_path / "var"))
    try:
        drawn = story.draw_up()
        assert drawn.path.stat().st_size == drawn.size_bytes
        assert (drawn.departments, drawn.resources) == (53, 120)
        assert {fault.code for fault in story.check().faults} <= {"near_names"}
        published = story.publish()
        assert published.version == story.drawn_up.version
        assert not published.already
        assert story.publish().already
        found = {one.query: one for one in story.search()}
        assert list(found) == list(QUERIES)
        assert all(len(one.first) == min(one.total, 3) for one in found.values())
        assert "机动车驾驶证" in found["驾照"].first[0][1]
        assert "公积金" in found["gjj"].first[0][1]
        assert any("不动产登记" in name for _, name in found["不动产登计"].first)
        counts = {facet.value: dict(values) for facet, values in story.facets().items()}
        assert sum(counts["type"].values()) == 120
        at_once, agreed, waiting = story.apply()
        assert (at_once.case.state, agreed.case.state) == ("granted", "granted")
        assert waiting.case.open
        assert waiting.case.due_at > waiting.case.opened_at
        assert [one.already for one in story.apply()] == [True, True, True]
    finally:
        story.close()


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_the_story_is_told_by_the_command(tmp_path, monkeypatch, capsys, lang):
    monkeypatch.setattr(telling, "reference_list", lambda seed: reference_list(seed, resources=120))
    monkeypatch.setenv("ZHENGTONG_HOME", str(tmp_path / "var"))
    monkeypatch.setattr("hub.cli.language.LANG", lang)
    assert run(["demo", "--scale", "city", "--once"]) == 0
    told = capsys.readouterr()
    assert "不动产登记信息" in told.out
    assert "1,227" in told.err
    # A home of its own: the small city beside it is left alone.
    assert [path.name for path in (tmp_path / "var").iterdir()] == ["reference-city"]


@pytest.mark.parametrize("scale", ["0", "town", "101", "nan"])
def test_another_size_is_refused_before_anything_is_made(tmp_path, monkeypatch, capsys, scale):
    monkeypatch.setenv("ZHENGTONG_HOME", str(tmp_path / "var"))
    assert run(["demo", "--scale", scale, "--once"]) == 2
    assert "--scale" in capsys.readouterr().err
    assert not (tmp_path / "var").exists()
