"""The demonstration's grants come from applications, and a second run finds them."""

from __future__ import annotations

import pytest

from hub import grants
from hub.demo.story import Story
from hub.settings import Settings


@pytest.fixture
def story(tmp_path):
    story = Story(Settings.at(tmp_path / "var"), scale=0.01)
    story.settings.home.mkdir(parents=True)
    story.settings.kinds.write_bytes((Story.__init__.__globals__["DATA"] / "licence-kinds.yaml").read_bytes())
    story.publish()
    yield story
    story.stop()


def test_every_grant_of_the_demonstration_was_applied_for(story):
    given = story.give_grants()
    assert (
        " ".join(grant.consumer for grant in given) == "MZJ JTJ MZJ GJJ GJJ RFB NYJ LYJ LYJ MZJ JTJ SJJ ZRJ GAJ MZJ JTJ"
    )
    assert given[0].fields == ("name", "sex", "birth_date", "county_code", "address", "phone")
    assert (given[1].actions, given[1].fields) == (("verify",), ("name", "birth_date"))
    for grant in given:
        assert grant.application
        assert grant.fields
        assert grant.list_version == story.list_.version
        assert grants.get(story.control, grant.id).given_by.endswith(("data-reviewer", "rule"))
    assert story.give_grants() == given
