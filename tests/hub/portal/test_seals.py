"""The register of seals in the portal: whose are seen, the second person, uses, and pictures."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

pytest.importorskip("typst", reason="needs the extra `documents`")

from hub.authority.keeping import sm2_signs
from hub.evidence import utc_now
from hub.people import Duty
from tests.hub.licensing import papers_city as c
from tests.hub.portal.browsing import text_of
from tests.hub.portal.test_licences import enter, went  # noqa: F401 - a fixture

LAW = "《印章管理办法》"


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    if not sm2_signs():
        pytest.skip("this libcrypto signs no SM2")
    settings = c.found(tmp_path_factory.mktemp("seals") / "var")
    return SimpleNamespace(settings=settings, clock=utc_now)


@pytest.fixture
def first(enter):  # noqa: F811
    return enter("keeper", "RS", Duty.LICENCES)


@pytest.fixture
def second(enter):  # noqa: F811
    return enter("head2", "RS", Duty.LICENCES)


def test_a_department_sees_its_seals_and_the_office_all(first, enter):  # noqa: F811
    plain = first.json("/seals.json")
    assert plain["total"] == len(plain["items"]) == 1
    assert "某市人力资源和社会保障局" in first.read("/seals")
    stranger, office = enter("stranger2", "MZ", Duty.LICENCES), enter("hub2", "GA", Duty.OFFICE)
    code = plain["items"][0]["code"]
    assert stranger.json("/seals.json")["total"] == 0
    assert stranger.see(f"/seals/{code}").status_code == 403
    assert stranger.see(f"/seals/{code}/picture").status_code == 403
    assert stranger.send(f"/seals/{code}/disable", ground=LAW).status_code == 403
    assert office.json(f"/seals/{code}.json")["state"] == "in_use"
    assert enter("hall2", "RS", Duty.WINDOW).see("/seals").status_code == 403
    assert first.see("/seals/no-such").status_code == 404


def test_a_seal_shows_its_history_uses_and_picture(first):
    code = first.json("/seals.json")["items"][0]["code"]
    plain = first.json(f"/seals/{code}.json")
    assert [one["action"] for one in plain["history"]][:2] == ["申请制章", "核准制章"]
    assert plain["automatic"]["kinds"]
    assert plain["total"] == len(plain["uses"])
    picture = first.see(f"/seals/{code}/picture")
    assert (picture.headers["content-type"], picture.content[:4]) == ("image/png", b"\x89PNG")
    assert "inline" in picture.headers["content-disposition"]


def test_a_new_seal_is_approved_by_another_person(first, second):
    words = {
        "sort": "special",
        "name": "某市人力资源和社会保障局",
        "line": "业务专用章",
        "custodian": "RS:seal-keeper",
        "valid_from": "2026-01-01",
        "valid_until": f"{utc_now().year + 1}-12-31",
        "ground": LAW,
    }
    assert first.send("/seals/new", **{**words, "valid_until": "soon"}).status_code == 422
    assert first.send("/seals/new", **{**words, "custodian": "MZ:keeper"}).status_code in {403, 422}
    path = went(first.send("/seals/new", **words))
    assert first.send(f"{path}/approve", ground="").status_code == 422
    own = first.send(f"{path}/approve", ground=LAW)
    assert own.status_code in {403, 409, 422}, text_of(own.text)[:300]
    assert went(second.send(f"{path}/approve", ground=LAW)) == path
    assert first.json(f"{path}.json")["state"] == "in_use"
    assert went(first.send(f"{path}/disable", ground=f"{LAW}<script>")) == path
    assert "<script>《" not in first.see(path).text
    assert first.send(f"{path}/no-such", ground=LAW).status_code == 404
    assert first.json(f"{path}.json")["state"] == "disabled"


def test_a_copy_is_handed_out_for_a_use_and_on_record(first, enter, service):  # noqa: F811
    licences = first.json(f"/licences/kinds/{c.CODES[1]}.json")["licences"]
    path = f"/licences/{licences[0]['identifier']}"
    assert "出具加注件" in first.read(path)
    words = {"format": "pdf", "use": "核对救助申请", "purpose": c.OTHER_MATTER, "days": "3"}
    size = service.evidence.log.size
    made = enter("clerk2", "MZ", Duty.WINDOW).send(f"{path}/copy", **words)
    assert made.status_code == 200, text_of(made.text)[:400]
    assert made.content[:5] == b"%PDF-"
    assert "attachment" in made.headers["content-disposition"]
    assert service.evidence.log.size > size
    denied = enter("clerk3", "GA", Duty.WINDOW).send(f"{path}/copy", **words)
    assert denied.status_code == 403
    assert b"%PDF" not in denied.content
    for change in ({"format": "exe"}, {"use": ""}, {"days": "0"}, {"days": "x"}, {"days": "999"}):
        assert first.send(f"{path}/copy", **{**words, **change}).status_code == 422
    # Who relied on it is shown before anything is decided.
    assert first.json(f"{path}.json")["relied_total"] == 1


def test_a_picture_that_is_none_is_refused(first):
    words = {
        "sort": "signature",
        "name": "签名",
        "custodian": "RS:seal-keeper",
        "valid_from": "2026-01-01",
        "valid_until": f"{utc_now().year + 1}-12-31",
        "ground": LAW,
    }
    assert first.send("/seals/new", **words).status_code == 422
    for data in (b"MZ" + b"\0" * 100, b"\x89PNG\r\n\x1a\n" + b"\0" * 64, b"\0" * (1024 * 1024 + 1)):
        answer = first.send("/seals/new", files={"picture": ("a.png", data)}, **words)
        assert answer.status_code in {409, 413, 422}, answer.status_code
