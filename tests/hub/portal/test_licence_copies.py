"""Previews, receipts and copies of licences in the portal: who sees them, what is on record, what stands nowhere."""

from __future__ import annotations

import base64
import re
from types import SimpleNamespace

import pytest
import sqlalchemy as sa

pytest.importorskip("typst", reason="needs the extra `documents`")

from hub.authority.keeping import sm2_signs
from hub.control import DocumentSignatureRow
from hub.evidence import utc_now
from hub.people import Duty
from licence.qr.draw import qr_png
from tests.hub.licensing import papers_city as c
from tests.hub.portal.browsing import text_of
from tests.hub.portal.test_licences import SCRIPT, enter, went  # noqa: F401 - fixtures

LAW = c.ORDER["ground"]
SECRETS = ("张三", "李四", *c.IDS)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    if not sm2_signs():
        pytest.skip("this libcrypto signs no SM2")
    settings = c.found(tmp_path_factory.mktemp("papers") / "var")
    office = c.open_office(settings)
    licences = c.licences(office, c.CODES[0])
    list_ = office.licensing.standing.now().list
    c.close(office.licensing)
    return SimpleNamespace(settings=settings, clock=utc_now, list=list_, licence=licences[0])


@pytest.fixture
def first(enter):  # noqa: F811 - as above
    return enter("counter", "RS", Duty.LICENCES)


@pytest.fixture
def consumer(enter):  # noqa: F811 - as above
    return enter("hall", "MZ", Duty.WINDOW)


@pytest.fixture
def stranger(enter):  # noqa: F811 - as above
    return enter("gate", "GA", Duty.WINDOW)


def signatures(service):
    with service.control.reading() as connection:
        return connection.execute(sa.select(sa.func.count()).select_from(DocumentSignatureRow)).scalar_one()


def kinds(service, entry):
    log = service.evidence.log
    return [one for one in (log.entry(index) for index in range(log.size)) if f'"{entry}"'.encode() in one]


def make(browser, licence, **fields):
    order = {"format": "pdf", "use": "办理公积金提取", "purpose": c.MATTER, "days": "30", **fields}
    return browser.send(f"/licences/{licence}/copy", **order)


def test_a_receipt_says_what_was_issued_and_its_code_names_nobody(first, consumer, stranger, enter, world):  # noqa: F811
    path = f"/licences/{world.licence}/receipt"
    page = first.see(path).text
    assert world.licence in page
    assert LAW in page
    assert not [secret for secret in SECRETS if secret in page]
    (picture,) = re.findall(r"data:image/png;base64,([A-Za-z0-9+/=]+)", page)
    assert base64.b64decode(picture) == qr_png(world.licence, scale=4)
    for who in (consumer, stranger):
        assert who.see(path).status_code == 403
    assert enter("far", "MZ", Duty.LICENCES).see(path).status_code == 403
    assert "回执" in enter("hub", "GA", Duty.OFFICE).read(path)
    english = enter("english", "RS", Duty.LICENCES, "en").read(path)
    assert "Receipt" in english
    assert first.see("/licences/1.2.3/receipt").status_code == 404


@pytest.mark.parametrize(("form", "begins"), [("pdf", b"%PDF"), ("ofd", b"PK"), ("png", b"\x89PNG"), ("bundle", b"{")])
def test_each_form_is_handed_out_for_a_reason_and_on_record(form, begins, first, service, world):
    before = len(kinds(service, "licence.downloaded"))
    answer = make(first, world.licence, format=form)
    assert answer.status_code == 200, text_of(answer.text)[:500]
    assert answer.content.startswith(begins)
    assert "attachment" in answer.headers["content-disposition"]
    assert len(kinds(service, "licence.downloaded")) == before + 1


@pytest.mark.parametrize("missing", ["format", "use", "purpose", "days"])
def test_what_a_copy_lacks_is_said_and_what_was_typed_stays(missing, first, world):
    answer = make(first, world.licence, **{missing: ""})
    assert answer.status_code == 422
    if missing != "use":
        assert "办理公积金提取" in answer.text


def test_copies_are_listed_to_whom_they_concern_and_withdrawn(first, consumer, stranger, world):
    path = f"/licences/{world.licence}/copies"
    assert make(consumer, world.licence, use=f"核对身份{SCRIPT}", purpose=c.OTHER_MATTER).status_code == 200
    assert make(stranger, world.licence).status_code == 403
    (mine,) = consumer.json(f"{path}.json")["items"]
    every = first.json(f"{path}.json")
    assert every["total"] == len(every["items"]) > 1
    assert mine["number"] in {one["number"] for one in every["items"]}
    assert (stranger.json(f"{path}.json")["items"], stranger.json(f"{path}.json")["total"]) == ([], 0)
    assert SCRIPT not in consumer.see(path).text
    away = f"{path}/{mine['number']}/withdraw"
    assert stranger.send(away, why="误领").status_code == 404
    assert consumer.send(away, why="").status_code == 422
    assert consumer.send(away, why=f"为 {c.IDS[0]} 误领").status_code == 422
    assert went(consumer.send(away, why="不再需要")) == path
    (ended,) = consumer.json(f"{path}.json")["items"]
    assert (ended["state"], ended["why"], ended["may_withdraw"]) == ("已撤回", "不再需要", False)
    assert consumer.send(away, why="再撤").status_code == 409


def test_a_preview_is_the_page_that_would_be_issued_unsigned_and_kept_nowhere(first, consumer, service, enter, world):  # noqa: F811
    order = {"kind": c.CODES[1], "holder": c.IDS[3], "reason": "申领", "ground": LAW, "act": "apply"}
    case = went(first.send("/licences/apply", **order))
    before, size = signatures(service), service.evidence.log.size
    answer = first.send(f"{case}/preview")
    assert answer.status_code == 200, text_of(answer.text)[:500]
    (picture,) = re.findall(r"data:image/png;base64,([A-Za-z0-9+/=]+)", answer.text)
    assert base64.b64decode(picture).startswith(b"\x89PNG")
    assert not [secret for secret in SECRETS if secret in text_of(answer.text) or secret in str(answer.url)]
    assert signatures(service) == before
    assert service.evidence.log.size > size
    assert answer.headers["cache-control"] == "no-store"
    # Whose case it is not sees no picture; nor is there one at an address that could be passed on.
    assert enter("far", "MZ", Duty.LICENCES).send(f"{case}/preview").status_code == 403
    assert consumer.send(f"{case}/preview").status_code == 403
    assert enter("hub", "GA", Duty.OFFICE).send(f"{case}/preview").status_code == 403
    assert "image/png" not in first.see(case).text


def test_a_change_is_shown_beside_the_licence_that_it_replaces(first, service, world):
    page = first.see(f"/licences/{world.licence}").text
    assert f"predecessor={world.licence}" in page
    form = first.see(f"/licences/apply?kind={c.CODES[0]}&predecessor={world.licence}").text
    assert f'value="{world.licence}"' in form
    order = {"kind": c.CODES[0], "predecessor": world.licence, "purpose": "change", "reason": "地址变更", "ground": LAW}
    looked = first.send("/licences/apply", **order, act="look")
    assert looked.status_code == 200, text_of(looked.text)[:500]
    assert "与原证照的差异" in looked.text
    assert "不变" in looked.text


def test_who_used_a_licence_lately_is_told_to_its_issuer_before_it_decides(first, consumer, service, world, enter):  # noqa: F811
    other = enter("late", "MZ", Duty.WINDOW)
    assert make(other, world.licence, purpose=c.OTHER_MATTER).status_code == 200
    asked = len(kinds(service, "audit.searched"))
    answer = first.send(f"/licences/{world.licence}/used")
    assert answer.status_code == 200, text_of(answer.text)[:500]
    page = text_of(answer.text)
    assert re.search(r"民政局 ?领取加注件", page)
    assert "社会救助" in page
    assert "处理这份证照" in page
    assert len(kinds(service, "audit.searched")) == asked + 1
    assert not [secret for secret in SECRETS if secret in page]
    # Another licence was used by nobody, and what it says is no one else's.
    for who in (consumer, enter("far", "MZ", Duty.LICENCES), enter("hub", "GA", Duty.OFFICE)):
        assert who.send(f"/licences/{world.licence}/used").status_code == 403
    assert "近 30 天谁使用过" not in consumer.read(f"/licences/{world.licence}")
