"""The window clerk's page: matter once, then scan after scan; what is shown, what is not, and what to do next."""

from __future__ import annotations

import base64
import json
import re
from datetime import timedelta
from types import SimpleNamespace

import pytest

pytest.importorskip("typst", reason="needs the extra `documents`")

from audit.entry import Entry
from hub import receipts
from hub.api import offices
from hub.authority.keeping import sm2_signs
from hub.evidence import utc_now
from hub.licensing.downloads import Order
from hub.licensing.errors import NoKindsError
from hub.licensing.papers import Form
from hub.people import Duty
from hub.portal import answering
from hub.portal.rooms import window as room
from licence.lifecycle import Action
from licence.qr import once
from tests.hub.licensing import papers_city as c
from tests.hub.portal.browsing import text_of
from tests.hub.world import IDS


class Clock:
    """Now, and a little later when it is told so."""

    def __init__(self):
        self.later = timedelta()

    def __call__(self):
        return utc_now() + self.later


@pytest.fixture(scope="module")
def city(tmp_path_factory):
    if not sm2_signs():
        pytest.skip("this libcrypto signs no SM2")
    settings = c.found(tmp_path_factory.mktemp("window") / "var", needs=c.NEEDS)
    office = c.open_office(settings)
    held = c.licences(office)
    order = Order(c.OTHER_MATTER, "救助", 30)
    fixed = office.downloads.download(held[0], Form.QR, order, by=c.CONSUMER).data.decode()
    words = {"reason": "违法取得", "ground": "《行政许可法》第六十九条", "officer": "chief"}
    ended = office.downloads.download(held[3], Form.QR, order, by=c.CONSUMER).data.decode()
    office.licensing.change(held[3], Action.REVOKE, by="RS", **words)
    c.close(office.licensing)
    return SimpleNamespace(settings=settings, held=held, fixed=fixed, ended=ended, clock=Clock())


@pytest.fixture(scope="module")
def world(city):
    return SimpleNamespace(settings=city.settings, clock=city.clock)


@pytest.fixture(autouse=True)
def on_time(city):
    city.clock.later = timedelta()


@pytest.fixture
def mint(app, city):
    """A one-time code that the issuing counter makes for the licence of a holder."""

    def made(place=0):
        codes = offices.papers(SimpleNamespace(app=app)).codes
        return codes.mint(city.held[place], by=c.ISSUER).text

    return made


@pytest.fixture
def clerk(of_department, people):
    """A window clerk of a department who has chosen a matter."""

    def enter(department="MZ", matter=c.OTHER_MATTER, reason="受理申请", **headers):
        browser = of_department(department, Duty.WINDOW, **headers)
        answer = browser.send("/window/work", matter=matter, reason=reason)
        assert answer.status_code == 303, text_of(answer.text)
        return browser

    return enter


def scan(browser, code):
    return browser.send("/window/scan", code=code)


def light(answer):
    assert answer.status_code == 200, text_of(answer.text)[:400]
    return re.search(r'zt-light--(\w+)">([^<]+)<', answer.text).groups()


def last(service):
    log = service.evidence.log
    return log.size - 1, Entry.decode(log.entry(log.size - 1))


def test_matter_and_reason_are_chosen_once_and_kept_for_what_follows(of_department):
    browser = of_department("MZ", Duty.WINDOW)
    page = browser.see("/window").text
    assert 'name="code"' not in page
    assert browser.send("/window/work", matter="", reason="x").status_code == 422
    assert browser.send("/window/work", matter="NO-SUCH", reason="x").status_code == 422
    refused = browser.send("/window/work", matter=c.OTHER_MATTER, reason="")
    assert refused.status_code == 422
    assert f'value="{c.OTHER_MATTER}" selected' in refused.text
    assert browser.send("/window/scan", code="ZT1:A").status_code == 422
    assert browser.send("/window/work", matter=c.OTHER_MATTER, reason="<b>受理</b>").status_code == 303
    page = browser.see("/window").text
    assert "社会救助" in page
    assert "&lt;b&gt;受理&lt;/b&gt;" in page
    # A scanner types into the field that has the focus, and ends with Enter.
    assert re.search(r'<input[^>]* name="code"[^>]* autofocus', page)
    assert browser.send("/window/end").status_code == 303
    page = browser.see("/window").text
    assert 'name="code"' not in page
    # The reason is mostly the same one.
    assert 'value="&lt;b&gt;受理&lt;/b&gt;"' in page


def recent(page):
    return re.findall(r'name="recent" value="([^"]*)"', page)


def test_matters_of_lately_are_buttons_that_keep_the_reason(of_department, city):
    browser = of_department("MZ", Duty.WINDOW)
    assert not recent(browser.see("/window").text)
    codes = [c.MATTER, "SX002", c.OTHER_MATTER, c.MATTER]
    for code in codes:
        answer = browser.send("/window/work", matter=code, reason="受理申请")
        assert answer.status_code == 303
        # It outlives the browser, as the language does; what is worked on does not.
        kept = {one.split("=")[0]: one for one in answer.headers.get_list("set-cookie")}
        assert "Max-Age" in kept[answering.RECENT]
        assert "Max-Age" not in kept[room.COOKIE]
    browser.send("/window/end")
    page = browser.see("/window").text
    assert recent(page) == [c.MATTER, c.OTHER_MATTER, "SX002"]
    assert browser.send("/window/work", recent=c.OTHER_MATTER, reason="受理申请").status_code == 303
    assert "社会救助" in browser.read("/window")


def test_a_matter_of_lately_without_a_reason_asks_for_it(of_department):
    browser = of_department("MZ", Duty.WINDOW)
    answer = browser.send("/window/work", recent="SX002", reason="")
    assert answer.status_code == 200
    assert 'value="SX002" selected' in answer.text
    assert "事项已选好，请填写事由" in answer.text
    assert browser.send("/window/work", recent="NO-SUCH", reason="x").status_code == 422


def test_at_most_nine_matters_are_kept_and_those_that_are_gone_are_none(of_department, service, monkeypatch):
    browser = of_department("MZ", Duty.WINDOW)
    browser.send("/window/work", matter=c.MATTER, reason="x")
    plain = json.loads(base64.urlsafe_b64decode(browser.client.cookies[answering.RECENT]))
    browser.send("/window/end")
    known = [one.code for one in service.standing.now().list.matters]

    def shown(matters):
        browser.client.cookies.delete(answering.RECENT)
        cookie = base64.urlsafe_b64encode(json.dumps({**plain, "matters": matters}).encode()).decode()
        browser.client.cookies.set(answering.RECENT, cookie)
        return recent(browser.see("/window").text)

    assert shown(["GONE", *known, *known]) == known
    assert shown("none") == shown([["x"]]) == shown(None) == []
    monkeypatch.setattr(room, "MAX_RECENT", 2)
    assert shown(known) == known[:2]


def test_who_sits_down_next_begins_anew(clerk, of_department):
    before = clerk().client.cookies
    kept, other = before[room.COOKIE], of_department("RS", Duty.WINDOW)
    other.client.cookies.set(answering.RECENT, before[answering.RECENT])
    assert not recent(other.see("/window").text)
    for cookie in (kept, "nonsense", "e30=", kept[:-8], "W10=", "W1tb" * 900):
        other.client.cookies.set(room.COOKIE, cookie)
        assert 'name="code"' not in other.see("/window").text


def test_a_one_time_code_shows_what_the_matter_needs_and_is_on_record(clerk, mint, city, service):
    answer = scan(clerk(), mint())
    assert light(answer) == ("good", "有效")
    text = text_of(answer.text)
    assert "张三" in text
    assert "居住证" in text
    assert IDS[0] not in answer.text
    number, entry = last(service)
    assert (entry.kind, entry.purpose, entry.facts["licence"]) == ("licence.redeemed", c.OTHER_MATTER, city.held[0])
    assert entry.actor == "MZ:window-9"
    assert service.evidence.bodies.get(entry.body_digest)[1] == {"reason": "受理申请"}
    assert f"条目 {number}" in text
    assert answer.headers["cache-control"] == "no-store"
    assert "张三" not in clerk().see("/window").text


def papers(answer):
    """What becomes of each paper, by its name, as the page's lights say."""
    pairs = re.findall(r'<strong>([^<]+)</strong> <span class="zt-light zt-light--(\w+)">([^<]+)<', answer.text)
    return {name: (tone, word) for name, tone, word in pairs}


def looked(answer):
    return re.findall(r'name="look" value="(\d+)"', answer.text)


def test_the_papers_of_the_matter_are_told_before_the_first_scan(clerk):
    page = clerk().see("/window")
    assert papers(page) == {
        "居住证复印件": ("calm", "待扫码"),
        "居住证明": ("calm", "待扫码"),
        "收入证明": ("calm", "可共享调取"),
        "户口簿复印件": ("warn", "收取纸质"),
        "参保证明": ("warn", "收取纸质"),
    }
    text = text_of(page.text)
    assert "请群众出示电子证照“居住证”的码" in text
    assert "已少收 0 份材料，另有 1 份可共享调取，2 份待扫码，2 份收取纸质" in text
    # Where nothing is shown of anybody, nothing is to be wiped.
    assert "data-wipes-after" not in page.text
    assert "http-equiv" not in page.text
    none = clerk(matter=c.MATTER).read("/window")
    assert "责任清单没有登记该事项可由数据替代的材料" in none


def test_a_city_that_issues_no_licences_has_calls_all_the_same(clerk, monkeypatch):
    def none(_):
        raise NoKindsError

    browser = clerk()
    monkeypatch.setattr(offices, "licensing", none)
    assert {tone_word[1] for tone_word in papers(browser.see("/window")).values()} == {"可共享调取", "收取纸质"}


def test_scans_for_one_citizen_add_up_in_the_page_alone(clerk, mint, city):
    browser = clerk()
    first = scan(browser, mint())
    assert papers(first)["居住证复印件"] == ("good", "已扫码取得")
    assert "已少收 1 份材料" in text_of(first.text)
    assert str(first.url).endswith("/window/scan")
    second = browser.send("/window/scan", code=mint(4), look=looked(first))
    assert len(looked(second)) == 2
    assert papers(second) == papers(first)
    # A licence of each of two persons may belong to one case, or the next citizen is here already.
    assert "持证主体不止一个" in second.text
    assert "持证主体不止一个" not in first.text
    # What cannot be read is refused, and what was scanned before stands.
    refused = browser.send("/window/scan", code="hello", look=looked(first))
    assert refused.status_code == 422
    assert looked(refused) == looked(first)
    assert papers(refused) == papers(first)
    spent = browser.send("/window/scan", code=once.PREFIX + "ABC", look=looked(first))
    assert looked(spent) == looked(first)
    # The next citizen begins with nothing.
    assert not looked(browser.see("/window"))
    assert papers(browser.see("/window"))["居住证复印件"] == ("calm", "待扫码")


def test_what_a_form_claims_was_scanned_is_not_believed(clerk, mint):
    of_another = looked(scan(clerk("RS"), mint()))
    browser = clerk()
    for claimed in (of_another, ["0", "1", str(10**9), "-1", "x", "９", "1" * 40]):
        answer = browser.send("/window/scan", code="hello", look=claimed)
        assert not looked(answer)
        assert papers(answer)["居住证复印件"] == ("calm", "待扫码")


def test_the_fixed_code_saves_no_paper_where_more_is_needed_than_it_shows(clerk, city):
    answer = scan(clerk(), city.fixed)
    assert papers(answer)["居住证复印件"] == ("calm", "待扫码")


def test_what_is_shown_is_wiped_after_a_while_and_kept_nowhere(clerk, mint):
    browser = clerk()
    for answer in (scan(browser, mint()), scan(browser, once.PREFIX + "ABC")):
        assert answer.headers["cache-control"] == "no-store"
        assert 'data-wipes-after="90" data-wipes-to="/window"' in answer.text
        # Without scripts the page asks for the next one by itself.
        assert '<noscript><meta http-equiv="refresh" content="90; url=/window"></noscript>' in answer.text
        shown = answer.text.split("data-wipes-after")[1].split("</main>")[0]
        assert 'id="verdict"' in shown
    # No page can be asked for that would show it again.
    assert browser.see("/window/scan").status_code == 404
    assert "张三" not in browser.see("/window.json").text


def test_keys_are_named_on_the_page(clerk, mint):
    page = scan(clerk(), mint()).text.split("<main")[1].split("</main")[0]
    assert re.findall(r'aria-keyshortcuts="([^"]+)"', page) == ["F2", "Escape", "F4"]
    for key in ("F2", "F4", "Esc"):
        assert f"<kbd>{key}</kbd>" in page


def test_a_scanner_behind_a_chinese_keyboard_is_understood(clerk, mint):
    wide = "".join(chr(ord(sign) + 0xFEE0) if "!" <= sign <= "~" else sign for sign in mint())
    assert light(scan(clerk(), wide))[0] == "good"


def test_used_old_and_strange_codes_say_what_to_do_next(clerk, mint, city):
    browser, used = clerk(), mint()
    scan(browser, used)
    found = {"once_spent": scan(browser, used)}
    old = mint()
    city.clock.later = timedelta(seconds=70)
    found["once_expired"] = scan(browser, old)
    city.clock.later = timedelta()
    found["once_unknown"] = scan(browser, once.PREFIX + "0" * 24)
    found["once_malformed"] = scan(browser, once.PREFIX + "ABC")
    for finding, answer in found.items():
        assert light(answer) == ("warn", "未能核验")
        assert room.NEXT[finding][1] in text_of(answer.text)
        assert "张三" not in answer.text
        assert "/window/proof" not in answer.text
        # The next one can be scanned at once.
        assert re.search(r'name="code"[^>]* autofocus', answer.text)
    for strange in ("hello", "https://example.org/?q=1", "<script>alert(1)</script>"):
        answer = scan(browser, strange)
        assert answer.status_code == 422
        assert "不是动态码" in answer.text
        assert strange not in answer.text.replace("/static", "")


def test_who_may_not_see_it_is_told_why_and_what_to_do(clerk, mint, service):
    answer = scan(clerk("GA"), mint())
    assert light(answer)[0] == "warn"
    assert room.NEXT["denied"][1] in text_of(answer.text)
    assert "张三" not in answer.text
    assert last(service)[1].kind == "licence.denied"


def test_the_fixed_code_of_a_licence_is_verified_and_cut_to_what_is_open(clerk, city, service):
    answer = scan(clerk(), city.fixed)
    assert light(answer) == ("good", "有效")
    text = text_of(answer.text)
    assert "张三" in text
    assert IDS[0] not in answer.text
    assert "请核对持证人本人" in text
    _, entry = last(service)
    assert (entry.kind, entry.facts["licence"]) == ("licence.checked", city.held[0])
    assert "张三" not in json.dumps(entry.facts, ensure_ascii=False)
    assert service.evidence.bodies.get(entry.body_digest)[1] == {"reason": "受理申请"}
    stranger = scan(clerk("GA"), city.fixed)
    assert light(stranger)[0] == "warn"
    assert "张三" not in stranger.text


def test_a_code_that_was_altered_or_revoked_is_not_valid_and_shows_nobody(clerk, city):
    place = len(city.fixed) // 2
    other = city.fixed[:place] + ("A" if city.fixed[place] != "A" else "B") + city.fixed[place + 1 :]
    city.clock.later = timedelta(hours=2)
    for code in (other, city.ended):
        answer = scan(clerk(), code)
        assert light(answer)[0] in {"bad", "warn"}
        assert "下一步" in answer.text
        assert not {"张三", "李四"} & set(re.findall(r"张三|李四", answer.text))


def test_the_proof_is_a_receipt_that_holds_and_is_for_the_clerk_alone(clerk, mint, service):
    browser = clerk()
    answer = scan(browser, mint())
    number = re.search(r'name="entry" value="(\d+)"', answer.text)[1]
    file = browser.send("/window/proof", entry=number)
    assert f"receipt-{number}.json" in file.headers["content-disposition"]
    receipt = receipts.read(file.json())
    receipts.check(receipt, [service.signer.verifier])
    assert (receipt.index, receipt.entry.kind) == (int(number), "licence.redeemed")
    assert "张三" not in file.text
    assert clerk("RS").send("/window/proof", entry=number).status_code == 404
    for other in ("0", str(10**9), "-1", "x", ""):
        assert browser.send("/window/proof", entry=other).status_code == 404


def test_it_is_complete_in_english(clerk, mint):
    browser = clerk(**{"accept-language": "en"})
    answer = scan(browser, mint())
    assert light(answer) == ("good", "Valid")
    assert "Keep proof (receipt)" in answer.text
    assert "Clear, and next" in answer.text
    assert set(papers(answer).values()) == {
        ("good", "obtained by scanning"),
        ("calm", "to be scanned"),
        ("calm", "data can be called"),
        ("warn", "take the paper"),
    }
    assert "Papers saved: 1; data can be called: 1; to be scanned: 1; on paper: 2." in text_of(answer.text)
    used = scan(browser, once.PREFIX + "ABC")
    assert room.NEXT["once_malformed"][0] in text_of(used.text)


def nav(browser):
    return browser.see("/catalogue").text.split('class="zt-nav"')[1].split("</nav>")[0]


def test_it_is_in_the_navigation_of_clerks_alone(signed_in):
    assert 'href="/window"' in nav(signed_in(Duty.WINDOW))
    assert 'href="/window"' not in nav(signed_in(Duty.STAFF))
    assert signed_in(Duty.LICENCES).see("/window").status_code == 403
