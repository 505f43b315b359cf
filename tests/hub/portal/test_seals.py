"""The register of seals in the portal: whose are seen, the second person, uses, and pictures."""

from __future__ import annotations

import base64
import io
import re
import zipfile
from datetime import timedelta
from types import SimpleNamespace

import pytest

pytest.importorskip("typst", reason="needs the extra `documents`")

from catalog.clock import SHANGHAI
from hub.authority.keeping import sm2_signs
from hub.evidence import utc_now
from hub.people import Duty
from licence.ofd.container import pack
from tests.hub.licensing import papers_city as c
from tests.hub.portal.browsing import text_of
from tests.hub.portal.test_licences import enter, went  # noqa: F401 - a fixture
from tests.hub.seals.city import png
from tests.licence.ofd import paper
from tests.licence.pdf import papers

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


ORDER = {
    "sort": "special",
    "name": "某市人力资源和社会保障局",
    "line": "业务专用章",
    "custodian": "RS:keeper",
    "valid_from": "2026-01-01",
    "valid_until": f"{utc_now().year + 1}-12-31",
    "ground": LAW,
}


@pytest.fixture(scope="module")
def kept(enter):  # noqa: F811
    """A seal in use that `first` keeps."""
    asking, deciding = enter("keeper", "RS", Duty.LICENCES), enter("head2", "RS", Duty.LICENCES)
    path = went(asking.send("/seals/new", **ORDER))
    went(deciding.send(f"{path}/approve", ground=LAW))
    return path


def test_a_seal_is_looked_at_before_it_is_asked_for(first):
    count = first.json("/seals.json")["total"]
    drawn = first.send("/seals/new", look="1", sort="special", name="某市人社局", width="40", height="40")
    assert drawn.status_code == 200, text_of(drawn.text)[:300]
    assert 'src="data:image/png;base64,' in drawn.text
    assert 'name="kept" value=""' in drawn.text
    assert first.json("/seals.json")["total"] == count
    personal = {**ORDER, "sort": "signature", "name": "签名", "width": "30", "height": "15"}
    assert first.send("/seals/new", look="1", **personal).status_code in {409, 422}
    looked = first.send("/seals/new", files={"picture": ("张三.png", png())}, look="1", **personal)
    kept = re.search(r'name="kept" value="([^"]+)"', looked.text)[1]
    assert "张三" not in looked.text
    path = went(first.send("/seals/new", kept=kept, **personal))
    assert first.see(f"{path}/picture").content == base64.b64decode(kept)
    assert first.send("/seals/new", kept="no base64", **personal).status_code == 422
    assert first.send("/seals/new", **{**ORDER, "width": "wide"}).status_code == 422
    assert first.send("/seals/new", **{**ORDER, "width": "4"}).status_code in {409, 422}


def test_its_keeper_seals_a_pdf_and_an_ofd_and_nobody_else_does(first, second, kept):
    assert "用印" in first.read(kept)
    # The days as they were entered, whatever the clocks of elsewhere say.
    assert f"2026-01-01 至 {ORDER['valid_until']}" in first.read(kept)
    assert f"{kept}/stamp" not in second.see(kept).text
    files = {"file": ("张三的决定.pdf", papers.page())}
    done = first.send(f"{kept}/stamp", files=files, purpose="行政许可决定", x_mm="120", y_mm="60")
    assert done.status_code == 200, text_of(done.text)[:400]
    assert done.content[:5] == b"%PDF-"
    assert done.headers["cache-control"] == "no-store"
    assert "sealed-" in done.headers["content-disposition"]
    assert "%E5%BC%A0" not in done.headers["content-disposition"]
    ofd = first.send(f"{kept}/stamp", files={"file": ("a.ofd", pack(paper.small_files()))}, purpose="决定")
    assert ofd.content[:2] == b"PK"
    assert first.send(f"{kept}/stamp", files={"file": ("a.txt", b"a decision")}, purpose="决定").status_code == 200
    size = first.json(f"{kept}.json")["total"]
    assert size == 3
    for wrong in ({"purpose": ""}, {"purpose": "决定", "x_mm": "1"}, {"purpose": "决定", "x_mm": "9999", "y_mm": "1"}):
        assert first.send(f"{kept}/stamp", files=files, **wrong).status_code == 422
    assert first.send(f"{kept}/stamp", purpose="决定").status_code == 422
    broken = first.send(f"{kept}/stamp", files={"file": ("a.pdf", b"%PDF-1.7 no")}, purpose="决定<b>")
    assert broken.status_code in {409, 422}
    assert "决定&lt;b&gt;" in broken.text
    refused = second.send(f"{kept}/stamp", files=files, purpose="决定")
    assert (refused.status_code, b"%PDF" in refused.content) == (403, False)
    assert first.json(f"{kept}.json")["total"] == size


def test_a_file_of_a_word_processor_is_signed_by_its_digest(first, kept):
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w") as archive:
        archive.writestr("word/document.xml", "<w/>")
    done = first.send(f"{kept}/stamp", files={"file": ("a.docx", body.getvalue())}, purpose="决定")
    assert done.status_code == 200, text_of(done.text)[:300]
    assert done.headers["content-disposition"].endswith(".ses")


@pytest.mark.parametrize(
    ("name", "data", "zh", "en"),
    [
        ("a.pdf", "sealed", "请使用签章前的文件", "Sign the file as it was before"),
        ("a.pdf", b"%PDF-1.7 no", "请在编写该文件的程序中重新导出", "Export it again, as PDF 1.4"),
        (
            "a.PDF",
            b"<html>",
            "名称为 .pdf，内容却不是 PDF。请重新导出",
            "named .pdf and is no PDF. Export it again",
        ),
        ("a.ofd", b"%PDF-1.7 no", "内容却不是 OFD。请重新导出", "is no OFD. Export it again"),
    ],
)
def test_a_file_that_cannot_be_sealed_says_what_to_do_next(  # noqa: PLR0917 - a table and fixtures by name
    name, data, zh, en, first, kept
):
    if data == "sealed":
        files = {"file": ("a.pdf", papers.page())}
        data = first.send(f"{kept}/stamp", files=files, purpose="决定").content
    before = first.json(f"{kept}.json")["total"]
    for lang, words in (("zh-CN", zh), ("en", en)):
        first.client.headers["accept-language"] = lang
        answer = first.send(f"{kept}/stamp", files={"file": (name, data)}, purpose="决定")
        assert answer.status_code in {409, 422}
        assert words in text_of(answer.text)
    del first.client.headers["accept-language"]
    assert first.json(f"{kept}.json")["total"] == before


def test_a_file_that_is_too_large_is_not_read(first, kept):
    files = {"file": ("a.pdf", b"%PDF-" + bytes(25 * 1024 * 1024))}
    assert first.send(f"{kept}/stamp", files=files, purpose="决定").status_code == 413


def test_a_file_that_is_sealed_is_kept_nowhere(first, kept, service):
    body = papers.page().replace(b"%%EOF", b"%%EOF\n%never-to-be-kept")
    first.send(f"{kept}/stamp", files={"file": ("a.pdf", body)}, purpose="决定")
    files = [one for one in service.settings.home.rglob("*") if one.is_file()]
    assert not any(b"never-to-be-kept" in one.read_bytes() for one in files)


def test_uses_are_filtered(first, kept):
    def found(query):
        return first.json(f"{kept}.json?{query}")["total"]

    everything, today = found(""), utc_now().astimezone(SHANGHAI).date()
    assert found("form=pdf") + found("form=ofd") + found("form=digest") == everything
    assert found("by=RS:keeper") == everything
    assert found("by=RS:nobody") == found("use=recorded") == 0
    assert found(f"since={today - timedelta(days=1)}&until={today + timedelta(days=1)}") == everything
    assert found("until=2020-01-01") == found("since=9998-01-01") == 0
    # What is none asks nothing, and breaks nothing.
    assert found("since=soon&until=9999-12-31&form=%3Cscript%3E&use=x") == everything
    assert "没有符合条件的记录" in first.read(f"{kept}?by=RS:nobody")
    assert "form=pdf" in first.json(f"{kept}.json?form=pdf")["address"]


def test_its_keeper_lets_the_hub_use_a_licence_seal(first, second, enter):  # noqa: F811
    path = went(first.send("/seals/new", **{**ORDER, "sort": "licence", "line": "证照专用章"}))
    went(second.send(f"{path}/approve", ground=LAW))
    kinds = first.json(f"{path}.json")["authorises"]["kinds"]
    assert {one["code"] for one in kinds} == set(c.CODES)
    assert second.json(f"{path}.json")["authorises"] is None
    until = (utc_now() + timedelta(days=30)).date().isoformat()
    assert second.send(f"{path}/authorise", kind=c.CODES[0], ends=until, ground=LAW).status_code == 403
    assert first.send(f"{path}/authorise", kind=c.CODES[0], ends="", ground=LAW).status_code == 422
    went(first.send(f"{path}/authorise", kind=c.CODES[0], ends=until, ground=LAW))
    assert first.json(f"{path}.json")["automatic"]["kinds"] == ["居住证"]
    went(first.send(f"{path}/authorise", ground=LAW))
    assert first.json(f"{path}.json")["automatic"] is None


def test_a_copy_is_handed_out_for_a_use_and_on_record(first, enter, service):  # noqa: F811
    licences = first.json(f"/licences/kinds/{c.CODES[1]}.json")["licences"]
    path = f"/licences/{licences[0]['identifier']}"
    assert "加注件" in first.read(path)
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
