"""E-materials in the portal: taken in, found, reused, verified, void; and what strangers are not told."""

from __future__ import annotations

import json

import pytest

from hub.people import Duty
from licence.trust import TrustStore
from tests.hub.materials.conftest import HOLDER, png
from tests.hub.portal.browsing import text_of
from tests.hub.world import MATTER
from tests.licence import world as w

SCRIPT = "<script>alert(1)</script>"
WORDS = {"name": f"房屋租赁合同{SCRIPT}", "holder": HOLDER, "matter": MATTER, "case": "BJ-1", "origin": "handed-in"}
SHARED = {**WORDS, "unit": "GA", "for_matters": "租赁备案\n\n租赁备案"}
USE = {"matter": "租赁备案", "case": "BJ-2", "purpose": "核对租赁关系"}


def went(answer):
    assert answer.status_code == 303, text_of(answer.text)[:500]
    return answer.headers["location"]


@pytest.fixture(scope="module", autouse=True)
def pinned(service):
    """What the hub publishes for verifiers."""
    TrustStore((w.make_root().certificate,), (service.evidence.verifier,)).save(service.settings.trust)


@pytest.fixture
def clerk(signed_in):
    return signed_in(Duty.WINDOW)


@pytest.fixture
def other(of_department):
    return of_department("GA", Duty.STAFF)


@pytest.fixture
def stranger(of_department):
    return of_department("MZ", Duty.STAFF)


@pytest.fixture(scope="module")
def shades():
    return iter(range(1, 255))


@pytest.fixture
def taken(clerk, shades):
    return went(clerk.send("/materials/new", files={"file": ("张三.png", png(next(shades)))}, **SHARED))


def test_a_paper_is_taken_in_with_provenance(clerk, taken):
    plain = clerk.json(f"{taken}.json")
    assert (plain["own"], plain["case"], plain["media_type"]) == (True, "BJ-1", "image/png")
    assert (plain["needs_consent"], plain["original_seen"], plain["state"]) == (True, False, "stands")
    page = clerk.see(taken).text
    assert f'<time datetime="{plain["valid_from"][:10]}">' in page
    assert SCRIPT not in page
    assert HOLDER not in page
    assert "张三" not in page
    listed = clerk.json("/materials.json")
    assert taken.rpartition("/")[2] in [one["identifier"] for one in listed["items"]]
    assert listed["total"] == len(listed["items"])
    assert clerk.json("/materials.json?state=void")["total"] == 0
    assert "没有此状态的材料" in clerk.read("/materials?state=void")


@pytest.mark.parametrize(
    "change",
    [
        {"name": ""},
        {"holder": ""},
        {"matter": ""},
        {"valid_until": "soon"},
        {"valid_until": "2001-01-01"},
        {"origin": "x"},
    ],
    ids=str,
)
def test_what_is_missing_or_wrong_is_said_and_what_was_typed_stays(clerk, change, shades):
    total = clerk.json("/materials.json")["total"]
    files = {"file": ("a.png", png(next(shades)))}
    answer = clerk.send("/materials/new", files=files, **{**WORDS, "case": "BJ-77", **change})
    assert answer.status_code == 422
    assert "BJ-77" in answer.text
    assert clerk.json("/materials.json")["total"] == total


def test_files_that_are_none_are_refused(clerk):
    for data in (b"MZ" + b"\0" * 100, b"%PDF-1.7 /JavaScript", png() + b"trailing", b""):
        answer = clerk.send("/materials/new", files={"file": ("a.pdf", data)}, **WORDS)
        assert answer.status_code in {400, 422}, answer.status_code
    assert clerk.send("/materials/new", **WORDS).status_code == 422
    large = {"file": ("a.png", bytes(25 * 1024 * 1024))}
    assert clerk.send("/materials/new", files=large, **WORDS).status_code == 413


def test_the_same_paper_is_not_taken_in_twice(clerk, shades):
    files = {"file": ("a.png", png(next(shades)))}
    first = went(clerk.send("/materials/new", files=files, **SHARED)).rpartition("/")[2]
    again = clerk.send("/materials/new", files=files, **SHARED)
    assert again.status_code == 409
    assert first in text_of(again.text)


def test_it_is_found_by_its_holder_by_those_who_may_reuse_it_and_that_is_on_record(
    clerk, other, stranger, taken, service
):
    number = taken.rpartition("/")[2]
    assert number not in other.see("/materials").text
    size = service.evidence.log.size
    found = other.send("/materials/find", holder=HOLDER.lower(), matter="租赁备案")
    assert found.status_code == 200
    assert number in found.text
    assert HOLDER not in found.text.upper()
    assert service.evidence.log.size == size + 1
    assert number not in stranger.send("/materials/find", holder=HOLDER, matter="租赁备案").text
    assert other.send("/materials/find", holder="", matter="租赁备案").status_code == 422
    assert other.send("/materials/find", holder=HOLDER, matter="").status_code == 422


def test_strangers_are_told_that_there_is_none(stranger, taken):
    assert stranger.see(taken).status_code == 404
    assert stranger.see(f"{taken}/record").status_code == 404
    assert stranger.send(f"{taken}/reuse", **USE, consent="1").status_code == 404
    assert stranger.send(f"{taken}/void", reason="x").status_code == 404
    assert stranger.send(f"{taken}/verify").status_code == 404


def test_reused_with_consent_the_file_is_handed_out(clerk, other, taken):
    assert other.send(f"{taken}/reuse", **USE).status_code == 422
    assert other.send(f"{taken}/reuse", **{**USE, "matter": "别的事项"}, consent="1").status_code == 422
    assert other.see(f"{taken}/uses/1").status_code == 404
    assert went(other.send(f"{taken}/reuse", **USE, consent="1")) == taken
    (use,) = other.json(f"{taken}.json")["uses"]
    assert (use["case"], use["open"], use["consent"]) == ("BJ-2", True, True)
    file = other.see(f"{taken}/uses/{use['use']}")
    assert (file.headers["content-type"], file.content[:4]) == ("image/png", b"\x89PNG")
    assert "attachment" in file.headers["content-disposition"]
    # The use was recorded by another department: its number opens nothing here.
    assert clerk.see(f"{taken}/uses/{use['use']}").status_code == 404
    assert clerk.json(f"{taken}.json")["uses"][0]["open"] is False
    for number in ("x", "9" * 30, "-1"):
        assert other.see(f"{taken}/uses/{number}").status_code == 404


def test_another_department_sees_nothing_of_the_case_it_was_taken_in_for(other, taken):
    plain = other.json(f"{taken}.json")
    assert (plain["own"], plain["case"], plain["taken_by"], plain["can_void"]) == (False, "", "", False)
    assert other.send(f"{taken}/void", reason="x").status_code == 422


def test_verified_in_the_store_and_by_a_file_that_was_sent(clerk, taken, shades):
    stored = clerk.send(f"{taken}/verify")
    assert stored.status_code == 200, text_of(stored.text)[:400]
    assert "库中的文件" in text_of(stored.text)
    assert "不能使用" not in text_of(stored.text)
    wrong = clerk.send(f"{taken}/verify", files={"file": ("a.png", png(next(shades)))})
    assert "不能使用" in text_of(wrong.text)
    record = json.loads(clerk.see(f"{taken}/record").content)
    assert record["material"]["identifier"] == taken.rpartition("/")[2]
    assert HOLDER not in json.dumps(record)


def test_void_is_for_good(clerk, other, taken):
    assert clerk.send(f"{taken}/void", reason="").status_code == 422
    went(clerk.send(f"{taken}/void", reason=f"原件失效{SCRIPT}"))
    plain = clerk.json(f"{taken}.json")
    assert (plain["state"], plain["can_reuse"], plain["can_void"]) == ("void", False, False)
    assert SCRIPT not in clerk.see(taken).text
    assert clerk.send(f"{taken}/void", reason="x").status_code == 409
    assert other.send(f"{taken}/reuse", **USE, consent="1").status_code == 422
    assert "不能使用" in text_of(clerk.send(f"{taken}/verify").text)
    assert clerk.json("/materials.json?state=void")["total"] >= 1


def test_a_case_and_its_matter_are_carried_along(clerk, taken):
    assert 'value="BJ-9"' in clerk.see(f"{taken}?case=BJ-9&matter={MATTER}").text
    assert "BJ-9" in clerk.see(f"/materials?case=BJ-9&matter={MATTER}").text
    assert 'value="BJ-9"' in clerk.see("/materials/new?case=BJ-9").text


def test_who_has_another_duty_sees_none_of_it(signed_in):
    for duty in (Duty.ADMINISTRATOR, Duty.AUDITOR, Duty.LEADER, Duty.ENGINEER, Duty.OFFICE):
        assert signed_in(duty).see("/materials").status_code == 403
