"""The demand list in the portal: asked for by one department, claimed and answered by another."""

from __future__ import annotations

import re

import pytest

from hub.people import Duty
from tests.hub.portal.browsing import text_of
from tests.hub.world import CODE


@pytest.fixture
def demand(signed_in):
    """One that was just asked for."""
    staff = signed_in(Duty.STAFF)
    answer = staff.send("/demands/new", words="<script>殡葬信息</script>", purpose="老年人待遇资格核验")
    assert answer.status_code == 303
    return answer.headers["location"]


def test_what_was_searched_in_vain_is_filled_in(signed_in):
    page = signed_in(Duty.STAFF).see("/demands/new?q=殡葬").text
    assert ">殡葬</textarea>" in page


def test_a_demand_is_claimed_by_who_has_the_data_and_answered(of_department, signed_in, demand):
    reviewer = of_department("GA", Duty.REVIEWER)
    page = reviewer.see(demand).text
    assert "&lt;script&gt;殡葬信息" in page
    assert "<script>殡葬" not in page
    revision = re.search(r'name="revision" value="(\d+)"', page)[1]
    # Who asks cannot be who answers, and is not offered it; who claims is told by name in the history.
    assert signed_in(Duty.REVIEWER).json(f"{demand}.json")["possible"] == []
    assert signed_in(Duty.REVIEWER).send(f"{demand}/claim", revision=revision).status_code == 403
    assert reviewer.send(f"{demand}/claim", revision=revision).status_code == 303
    now = reviewer.json(f"{demand}.json")
    assert (now["state"], now["possible"]) == ("claimed", ["answer"])
    assert now["history"][-1]["actor"] == "GA:reviewer-9"
    assert '<span title="GA:reviewer-9">公安局 · 部门审核 9</span>' in reviewer.see(demand).text
    refused = reviewer.send(f"{demand}/answer", outcome="planned", planned_on="soon", revision=now["revision"])
    assert refused.status_code == 422
    assert "2026-07-01" in text_of(refused.text)
    done = reviewer.send(f"{demand}/answer", outcome="met", resource=CODE, note="见清单", revision=now["revision"])
    assert done.status_code == 303
    assert reviewer.json(f"{demand}.json")["state"] == "met"
    late = reviewer.send(f"{demand}/answer", outcome="met", resource=CODE, revision=now["revision"])
    assert late.status_code == 409


def test_whose_step_it_is_not_is_told(signed_in, demand):
    assert signed_in(Duty.STAFF).send(f"{demand}/claim").status_code == 403
    assert signed_in(Duty.AUDITOR).send(f"{demand}/withdraw").status_code == 403
    assert signed_in(Duty.STAFF).send(f"{demand}/no-such").status_code == 404


def test_a_person_in_the_words_is_refused_and_what_was_typed_stays(signed_in):
    answer = signed_in(Duty.STAFF).send("/demands/new", words="11010519491231002X 的住址", purpose="查询某人")
    assert answer.status_code == 422
    assert "查询某人" in answer.text


def test_the_list_shows_all_in_both_languages(signed_in, demand):
    assert "需求清单" in signed_in(Duty.AUDITOR).read("/demands")
    assert "Demand list" in signed_in(Duty.AUDITOR, **{"accept-language": "en"}).read("/demands?state=submitted")
