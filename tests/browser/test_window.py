"""The window in a real browser: each of its states in order, its keys, and that what it shows of a citizen goes."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from types import SimpleNamespace

import pytest

pytest.importorskip("typst", reason="needs the extra `documents`")

from playwright.sync_api import Error, expect

from hub.api import offices
from hub.authority.keeping import sm2_signs
from hub.evidence import utc_now
from hub.people import Duty
from hub.portal.rooms.window import WIPE_S
from licence.qr import once
from tests.browser.test_pages import KINDS, contexts, disorder
from tests.hub.licensing import papers_city as c

__all__ = ["contexts"]

pytestmark = pytest.mark.service("chromium")
VERDICT = "#verdict"


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    if not sm2_signs():
        pytest.skip("this libcrypto signs no SM2")
    settings = c.found(tmp_path_factory.mktemp("window") / "var", needs=c.NEEDS)
    return SimpleNamespace(settings=settings, clock=utc_now)


@pytest.fixture
def scan(app):
    """Type a one-time code for the first licence of a kind into the field that has the focus, as a scanner does."""

    def typed(page, kind=0, text=""):
        office = offices.papers(SimpleNamespace(app=app))
        if not text:
            (identifier,) = list(c.licences(office, c.CODES[kind]).values())[:1]
            text = office.codes.mint(identifier, by=c.ISSUER).text
        page.keyboard.type(text)
        with page.expect_navigation(wait_until="load"):
            page.keyboard.press("Enter")

    return typed


def sit_down(watched):
    """Begin with the relief; the page where one chooses comes first, whoever sat here before."""
    page = watched.page
    watched.see("/window")
    if page.locator("#matter").count() == 0:
        page.locator("form[action='/window/end'] button").click()
    page.locator("#matter").select_option(c.OTHER_MATTER)
    page.locator("#reason").fill("x")
    page.locator("#reason").press("Enter")
    page.locator("#code").wait_for()


@contextmanager
def clerk(contexts):
    """The page of a clerk with scripts who has begun."""
    watched = contexts(KINDS[0], Duty.WINDOW)
    sit_down(watched)
    yield watched.page


def test_each_state_is_in_order_however_it_is_looked_at(contexts, scan):
    wrong = []
    for kind in KINDS:
        watched = contexts(kind, Duty.WINDOW)
        page = watched.page

        def look(state, kind=kind, watched=watched):
            found = disorder(watched, kind)
            wrong.extend([(kind, state, found)] if found else [])
            watched.forget()

        sit_down(watched)
        look("chosen")
        scan(page, kind=1)
        look("valid, and no paper of the matter")
        scan(page)
        look("a paper saved")
        scan(page, text=once.PREFIX + "ABC")
        look("not verified")
        scan(page, text="hello")
        look("refused")
        assert page.locator("input[name=look]").count() == 2
        page.locator("form[action='/window/end'] button").click()
        page.locator("button[name=recent]").wait_for()
        look("choose, with the matters of lately")
    assert not wrong


def test_keys_scan_keep_the_proof_and_clear(contexts, scan):
    with clerk(contexts) as page:
        page.locator("h1").click()
        page.keyboard.press("F2")
        scan(page)
        assert page.locator(VERDICT).count() == 1
        with page.expect_download() as kept:
            page.keyboard.press("F4")
        assert kept.value.suggested_filename.startswith("receipt-")
        assert page.locator(VERDICT).count() == 1
        page.keyboard.press("Escape")
        page.wait_for_url("**/window")
        assert page.locator(VERDICT).count() == 0
        assert page.evaluate("document.activeElement.id") == "code"
        # Signs within a field are typed.
        page.keyboard.type("?/")
        assert page.locator("#code").input_value() == "?/"
        page.keyboard.press("Escape")
        page.wait_for_url("**/window")
        assert page.locator("#code").input_value() == ""


def test_nobody_at_the_window_wipes_it_and_a_key_prolongs(contexts, scan):
    with clerk(contexts) as page:
        page.clock.install()
        scan(page)
        left = page.locator("[data-wipes-left]")
        page.clock.run_for((WIPE_S - 31) * 1000)
        assert not left.is_visible()
        page.clock.run_for(11_000)
        expect(left).to_be_in_viewport(ratio=1)
        assert "20" in left.inner_text()
        page.keyboard.press("Shift")
        assert not left.is_visible()
        page.clock.run_for((WIPE_S - 10) * 1000)
        assert page.locator(VERDICT).count() == 1
        page.clock.run_for(11_000)
        page.wait_for_url("**/window")
        assert page.locator(VERDICT).count() == 0


def test_a_computer_that_slept_shows_nothing_when_it_wakes(contexts, scan):
    with clerk(contexts) as page:
        page.clock.install()
        scan(page)
        page.clock.pause_at(page.evaluate("Date.now()") + WIPE_S * 1000 + 1000)
        page.keyboard.press("Shift")
        page.wait_for_url("**/window")
        assert page.locator(VERDICT).count() == 0


def test_going_back_shows_nobody(contexts, scan):
    with clerk(contexts) as page:
        scan(page)
        holder = page.locator("main dd").nth(3).inner_text()
        page.goto(f"{page.url.rsplit('/window', 1)[0]}/help")
        # The browser asks before it sends a form again; the code is spent.
        with suppress(Error):
            page.go_back()
        page.wait_for_load_state()
        expect(page.get_by_text(holder)).to_have_count(0)


def test_without_scripts_the_page_asks_for_the_next_one_by_itself(contexts, scan):
    watched = contexts(next(kind for kind in KINDS if not kind[0]), Duty.WINDOW)
    sit_down(watched)
    scan(watched.page)
    refresh = watched.page.locator("meta[http-equiv=refresh]")
    assert refresh.get_attribute("content") == f"{WIPE_S}; url=/window"
