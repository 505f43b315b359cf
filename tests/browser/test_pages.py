"""Every page in a real browser: with and without scripts, in both languages, both sizes, wide and narrow.

No fault of accessibility that is serious or critical, nothing that the content security policy refused, no request to
another host, no page wider than the screen, no page heavier than it may be.
"""

from __future__ import annotations

import gzip
import os
from contextlib import ExitStack
from itertools import product

import pytest
from axe_playwright_python.sync_playwright import Axe

from hub.people import Duty
from hub.portal.app import doors
from tests.hub.world import CODE

pytestmark = pytest.mark.service("chromium")

# Scripts, language, elder mode, width. Of each two of them every pair is there; `EVERY` asks for all.
EVERY = "ZHENGTONG_EVERY_KIND"
PAIRS = [
    (True, "zh", False, 1280),
    (True, "en", True, 320),
    (True, "zh", True, 320),
    (True, "en", False, 1280),
    (False, "zh", True, 1280),
    (False, "en", False, 320),
]
KINDS = list(product((True, False), ("zh", "en"), (False, True), (1280, 320))) if os.environ.get(EVERY) else PAIRS
# What a page weighs with all it loads, packed as a server in front would (bytes).
MOST_BYTES = 60 * 1024
# Pages whose address names something: what there is in the world of the tests.
NAMED = {"{code:path}": CODE, "{code}": CODE, "{department}": "GA"}
SKIPPED = ("/language/", "/elder/")


def addresses():
    """Every page that can be asked for, and a duty that may see it."""
    for door in doors():
        if door.method != "GET" or door.path.startswith(SKIPPED):
            continue
        path = door.path
        for name, value in NAMED.items():
            path = path.replace(name, value)
        if "{" not in path:
            # Of one department's things the office sees all.
            everything = door.who is not None and Duty.OFFICE in door.who and path != door.path
            yield path, Duty.OFFICE if everything else next(iter(sorted(door.who))) if door.who else Duty.STAFF


class Watched:
    """A page, and what went wrong on it."""

    def __init__(self, page, url):
        self.page, self.url, self.faults, self.bytes = page, url, [], 0
        page.on("console", lambda told: self.faults.append(told.text) if told.type in {"error", "warning"} else None)
        page.on("pageerror", lambda error: self.faults.append(str(error)))
        page.on("request", self._asked)
        page.on("response", self._came)

    def _asked(self, request):
        if not request.url.startswith((self.url, "data:")):
            self.faults.append(f"asked {request.url}")

    def _came(self, response):
        if response.request.resource_type in {"document", "stylesheet", "script", "image"} and response.ok:
            self.bytes += len(gzip.compress(response.body(), 9))

    def forget(self):
        """Begin anew, for a page that a form leads to."""
        self.faults.clear()
        self.bytes = 0

    def see(self, path):
        """Go to *path*; the status."""
        self.forget()
        return self.page.goto(f"{self.url}{path}", wait_until="load").status


@pytest.fixture(scope="module")
def contexts(chromium, url, members, app):
    """A browser for each kind and duty, made when it is asked for."""
    made = {}
    with ExitStack() as stack:

        def of(kind, duty):
            if (kind, duty) not in made:
                script, lang, elder, width = kind
                context = chromium.new_context(
                    java_script_enabled=script,
                    locale="zh-CN" if lang == "zh" else "en-GB",
                    viewport={"width": width, "height": 900},
                )
                stack.callback(context.close)
                cookies = {"zhengtong": app.state.portal_sessions(members[duty].id).cookie, "lang": lang}
                if elder:
                    cookies["elder"] = "on"
                context.add_cookies([{"name": n, "value": v, "url": url} for n, v in cookies.items()])
                made[kind, duty] = Watched(context.new_page(), url)
            return made[kind, duty]

        yield of


def disorder(watched, kind):
    """What is wrong with the page that is open, which was loaded since `Watched.see` or `Watched.forget`."""
    (script, lang, *_), page = kind, watched.page
    found = [fault for fault in watched.faults if "status of" not in fault]
    if script:
        wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        if wide > 1:
            found.append(f"{wide} px wider than the screen")
        if kind in PAIRS[:2] or os.environ.get(EVERY):
            serious = [
                f"{one['id']}: {one['nodes'][0]['html'][:200]}"
                for one in Axe()
                .run(page, options={"runOnly": ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa"]})
                .response["violations"]
                if one["impact"] in {"serious", "critical"}
            ]
            found += serious
        if watched.bytes > MOST_BYTES:
            found.append(f"{watched.bytes:,} bytes")
    assert page.locator("html").get_attribute("lang") == ("zh-CN" if lang == "zh" else "en")
    assert page.locator("h1").count() == 1
    assert page.title().strip()
    return found


@pytest.mark.parametrize(("path", "duty"), list(addresses()), ids=str)
def test_a_page_is_in_order_however_it_is_looked_at(path, duty, contexts):
    wrong = []
    for kind in KINDS:
        watched = contexts(kind, duty)
        status = watched.see(path)
        assert status in {200, 404, 409}, (kind, status)
        found = disorder(watched, kind)
        if found:
            wrong.append((kind, found))
    assert not wrong


PRESSED = "button, select, textarea, input, .govuk-button, .zt-nav, .govuk-back-link, .govuk-pagination a"
PAPERS = [
    ("/catalogue", Duty.STAFF),
    (f"/r/{CODE}", Duty.STAFF),
    ("/board", Duty.OFFICE),
    ("/board/GA", Duty.OFFICE),
    ("/requests", Duty.REVIEWER),
    ("/grants", Duty.REVIEWER),
    ("/audit", Duty.AUDITOR),
    ("/audit/entries/0", Duty.AUDITOR),
    ("/overview", Duty.LEADER),
]


@pytest.mark.parametrize(("path", "duty"), PAPERS, ids=str)
def test_on_paper_there_is_nothing_to_press_and_every_number(path, duty, contexts):
    watched = contexts(PAIRS[0], duty)
    page, numbers = watched.page, "main :is(data, time, td, dd, h1, .zt-figure, .zt-light)"
    assert watched.see(path) == 200
    seen = page.locator(numbers).filter(visible=True).all_inner_texts()
    page.emulate_media(media="print")
    try:
        assert page.locator(PRESSED).filter(visible=True).all_inner_texts() == []
        assert page.locator(numbers).filter(visible=True).all_inner_texts() == seen
    finally:
        page.emulate_media(media="screen")
    assert any(seen)
