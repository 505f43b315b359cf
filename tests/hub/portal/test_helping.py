"""Help: a walk for each duty through pages that it may see, and every word of the field."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from hub.people import Duty
from hub.portal import glossary, rendering
from hub.portal.app import doors
from hub.portal.tours import TOURS
from tests.hub.portal.browsing import text_of

ENGLISH, CHINESE = {"accept-language": "en"}, {"accept-language": "zh-CN"}


def test_there_is_a_walk_for_each_duty_and_for_anybody():
    assert [one.duty for one in TOURS] == [None, *Duty]


@pytest.mark.parametrize("tour", TOURS, ids=lambda one: one.name)
def test_each_stop_is_a_page_that_the_duty_may_see(tour):
    pages = {door.path: door.who for door in doors() if door.method == "GET"}
    for stop in tour.stops:
        who = pages[stop.to.partition("?")[0]]
        assert who is None or tour.duty in who, stop.to


def test_ones_own_walk_comes_first_and_leads_on(signed_in):
    browser = signed_in(Duty.AUDITOR)
    page = browser.read("/help", **ENGLISH)
    assert page.index("without trusting the hub") < page.index("How do I get data instead")
    assert "(your duty)" in page
    assert 'href="/audit/growth"' in browser.see("/help/tours/auditor").text
    assert "A consistency proof" in browser.read("/help/tours/auditor", **ENGLISH)
    assert "一致性证明" in browser.read("/help/tours/auditor", **CHINESE)


def test_a_walk_that_there_is_not_is_not_found(browser):
    assert browser.see("/help/tours/emperor").status_code == 404


@pytest.mark.parametrize("word", ["检查点", "checkpoint", "CHECKPOINT", "签名 声明"])
def test_a_word_is_found_in_either_language(browser, word):
    data = browser.json(f"/help/glossary.json?q={word}")
    assert "检查点" in [one["word"] for group in data["groups"] for one in group["terms"]]
    assert 0 < data["count"] < data["total"] == len(glossary.terms())


def test_no_word_that_fits_says_what_to_do(browser):
    assert "No word fits" in browser.read("/help/glossary?q=<b>x</b>", **ENGLISH)
    assert "<b>" not in browser.see("/help/glossary?q=<b>x</b>").text


def test_the_handbook_holds_all_walks_and_words(browser):
    for lang, word in ((ENGLISH, "english"), (CHINESE, "chinese")):
        page = browser.see("/help/handbook", **lang).text
        assert page.count("<ol ") == len(TOURS)
        text = text_of(page)
        assert [one for one in glossary.terms() if getattr(one, word) not in text] == []


def test_every_key_that_a_page_names_is_in_the_list_of_keys_and_no_other(browser):
    page = browser.see("/help", **CHINESE).text
    # Without scripts it is a link at the foot of each page.
    assert re.search(r'<a [^>]*href="/help#keys" aria-keyshortcuts="\?"', page)
    listed = re.findall(r"<kbd>([^<]+)</kbd>", page.split('id="keys"')[1])
    templates = [file.read_text("utf-8") for file in (Path(rendering.__file__).parent / "templates").iterdir()]
    named = [key for text in templates for key in re.findall(r'aria-keyshortcuts="([^"]+)"', text)]
    assert sorted(listed) == sorted(key.replace("Escape", "Esc") for key in named)
    assert "to the field for the code" in browser.read("/help", **ENGLISH)
