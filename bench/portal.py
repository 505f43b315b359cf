"""How quick and how heavy the portal's pages are, at the size of the reference city and with a million log entries.

Run `python bench/portal.py` (`--quick`: a tenth of the entries, fewer requests, less than a minute). The catalogue is
that of `zhengtong demo --scale city`, 1,227 resources; the log is made of entries of the size that calls leave. Each
page is asked for by somebody whose duty it is for, over HTTP, by one client after another. The last line is JSON.

- page_ms: milliseconds of a page, 95th percentile over all pages and requests. Peer: the same answer as bytes from
  memory, by the same server: what HTTP itself takes.
- slowest_ms: the page with the highest 95th percentile, which is named.
- first_ms: the page whose first request takes longest, which is named: what it then keeps is not there yet.
- page_kb: KB of the heaviest page with its style sheet and script, packed by gzip. Peer: 394, a single-page
  application with the same catalogue, built for the trial before the choice (docs/adr/0030-the-portal.md); a constant.
- paint_ms: milliseconds until Chromium has painted something of the page (first contentful paint), nothing kept from
  before, the slowest of the pages that everybody begins with; the median of several visits to each. Peer: a page of
  bare text by the same server. Left out where there is no Chromium.
"""

from __future__ import annotations

import argparse
import asyncio
import gzip
import json
import statistics
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import httpx
import uvicorn
from playwright.sync_api import sync_playwright

# The folder of this file holds an `audit.py` and a `licence.py` of its own: the packages must come first.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.audit_search import BATCH, entry
from hub.actors import Actor
from hub.api import create_app
from hub.control import Control
from hub.demo.reference.story import CityStory
from hub.evidence import Evidence
from hub.people import Duty, People, Sessions
from hub.portal import app as portal
from hub.portal.rendering import static_files
from hub.published import current_list
from hub.settings import Settings
from tests.services import chromium

if TYPE_CHECKING:
    from collections.abc import Iterator

ENTRIES, ENTRIES_QUICK = 1_000_000, 100_000
REQUESTS, REQUESTS_QUICK = 60, 10
SPA_KB: Final = 394
# A page that is only files: what HTTP and the server take of every answer.
PLAIN: Final = "/static/0/early.js"
BARE: Final = "/static/0/licences.txt"
FIRST: Final = ("/", "/sign-in", "/catalogue", "/verify", "/board", "/help/handbook")
PAINTED: Final = "performance.getEntriesByName('first-contentful-paint')[0]"
CATALOGUE: Final = ("/catalogue", "/catalogue?q=驾照", "/catalogue?q=社保&type=conditional", "/catalogue?page=30")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer requests and entries, for a smoke test")
    options = parser.parse_args()
    entries = ENTRIES_QUICK if options.quick else ENTRIES
    requests = REQUESTS_QUICK if options.quick else REQUESTS
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings.from_environment({"ZHENGTONG_HOME": folder, "ZHENGTONG_PORTAL_CODES": "off"})
        print(f"drawing up the reference city and {entries:,} entries", file=sys.stderr)
        _found(settings, entries)
        report = _measure(settings, requests)
    print(json.dumps(report, ensure_ascii=False))


def _found(settings: Settings, entries: int) -> None:
    """The city: its list, its search index, applications, people and a log."""
    story = CityStory(settings, seed=3412)
    try:
        for step in (story.draw_up, story.check, story.publish, lambda: story.index, lambda: list(story.apply())):
            step()
    finally:
        story.close()
    control, evidence = Control.open(settings), Evidence.open(settings)
    for start in range(0, entries, BATCH):
        evidence.log.append([entry(n, entries // 10) for n in range(start, min(start + BATCH, entries))])
    evidence.publish()
    people, list_ = People(settings, control, evidence), current_list(settings, control)
    department = list_.resources[0].provider
    for duty in Duty:
        people.add(
            list_,
            login=f"{duty.value}.one",
            name=duty.value,
            department=department,
            post=duty.value,
            duties=[duty],
            by=Actor(department, "bench"),
        )
    evidence.log.close()
    control.close()


def _measure(settings: Settings, requests: int) -> dict[str, Any]:
    app = create_app(settings)
    portal.add_to(app, secure=False, rates=False)
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="critical", ws="none"))
    thread = threading.Thread(target=lambda: asyncio.run(server.serve()))
    thread.start()
    try:
        while not server.started:
            time.sleep(0.05)
        url = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
        service = app.state.service
        sessions = Sessions(People(service.settings, service.control, service.evidence))
        with httpx.Client(base_url=url, trust_env=False, timeout=60) as client:
            report = _ask(client, sessions, requests, service.standing.now().list.resources[0].code)
        return report | _paints(url, visits=3 if requests == REQUESTS_QUICK else 9)
    finally:
        server.should_exit = True
        thread.join()


def _ask(client: httpx.Client, sessions: Sessions, requests: int, code: str) -> dict[str, Any]:
    times: dict[str, list[float]] = {}
    firsts: dict[str, float] = {}
    kilobytes: dict[str, float] = {}
    assets = sum(
        len(gzip.compress(data, 9)) for name, (data, _) in static_files().items() if name.startswith("portal.")
    )
    for path, duty in _pages(code):
        client.cookies.set("zhengtong", sessions.enter(sessions.people.get(f"{duty.value}.one").id).cookie)
        # The first fills what a running portal has full.
        begin = time.perf_counter()
        status = client.get(path).status_code
        first_ms = (time.perf_counter() - begin) * 1000
        if status == httpx.codes.NOT_FOUND:
            print(f"left out: {path} (the reference city has no such catalogue)", file=sys.stderr)
            continue
        firsts[path] = first_ms
        for _ in range(requests):
            begin = time.perf_counter()
            answer = client.get(path)
            took = time.perf_counter() - begin
            times.setdefault(path, []).append(took * 1000)
        if answer.status_code != httpx.codes.OK:
            raise SystemExit(f"bench: {path} answers {answer.status_code}; numbers would mean nothing")
        kilobytes[path] = (len(gzip.compress(answer.content, 9)) + assets) / 1024
    bare = []
    for _ in range(requests * 5):
        begin = time.perf_counter()
        client.get(PLAIN)
        bare.append((time.perf_counter() - begin) * 1000)
    tail = {path: _p95(found) for path, found in times.items()}
    for path, found in sorted(times.items(), key=lambda one: -tail[one[0]]):
        middle = statistics.median(found)
        print(f"{path:<44}{middle:>8.1f} ms {tail[path]:>8.1f} ms (95 %) {kilobytes[path]:>7.1f} KB", flush=True)
    every = _p95([one for found in times.values() for one in found])
    first = max(times, key=firsts.__getitem__)
    slowest, heaviest = max(tail, key=tail.__getitem__), max(kilobytes.values())
    return {
        "page_ms": _row(every, {"bytes from memory": _p95(bare)}, every / _p95(bare), "ms"),
        "slowest_ms": {**_row(tail[slowest], {}, None, "ms"), "page": slowest},
        "first_ms": {**_row(firsts[first], {}, None, "ms"), "page": first},
        "page_kb": _row(heaviest, {"single-page application (trial)": SPA_KB}, SPA_KB / heaviest, "KB"),
    }


def _paints(url: str, *, visits: int) -> dict[str, Any]:
    program = chromium.program()
    if program is None:
        print("left out: paint_ms (Chromium is not installed)", file=sys.stderr)
        return {}
    times: dict[str, list[float]] = {}
    with sync_playwright() as driver, driver.chromium.launch(executable_path=program, args=chromium.FLAGS) as browser:
        for _ in range(visits):
            for path in (BARE, *FIRST):
                # A context of its own has nothing kept.
                with browser.new_context(locale="zh-CN") as context, context.new_page() as page:
                    page.goto(url + path, wait_until="load")
                    # Waiting within the page would need `unsafe-eval`, which its policy forbids.
                    while (painted := page.evaluate(f"{PAINTED}?.startTime")) is None:
                        page.wait_for_timeout(10)
                    times.setdefault(path, []).append(painted)
    middle = {path: statistics.median(found) for path, found in times.items()}
    bare = middle.pop(BARE)
    for path, found in middle.items():
        print(f"{path:<44}{found:>8.1f} ms until something is painted", flush=True)
    slowest = max(middle.values())
    return {"paint_ms": _row(slowest, {"a page of bare text": bare}, slowest / bare, "ms")}


def _pages(code: str) -> Iterator[tuple[str, Duty]]:
    """Every page that needs nothing but the list, and a duty that may see it."""
    for path in (*CATALOGUE, f"/r/{code}"):
        yield path, Duty.STAFF
    for door in portal.doors():
        apart = ("{" in door.path, door.path.startswith("/sign-in"), door.path in CATALOGUE)
        if door.method == "GET" and door.template and not any(apart):
            yield door.path, next(iter(sorted(door.who))) if door.who else Duty.STAFF


def _p95(found: list[float]) -> float:
    return sorted(found)[min(len(found) - 1, int(0.95 * len(found)))]


def _row(ours: float, peers: dict[str, float], ratio: float | None, unit: str) -> dict[str, Any]:
    rounded = {name: round(value, 2) for name, value in peers.items()}
    return {"ours": round(ours, 1), "peers": rounded, "ratio": None if ratio is None else round(ratio, 2), "unit": unit}


if __name__ == "__main__":
    main()
