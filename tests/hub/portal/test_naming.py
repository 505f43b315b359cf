"""Who acted is named in the visit's language on every page, with what the log has at hand."""

from __future__ import annotations

import re
from importlib import resources
from types import SimpleNamespace

import pytest

from hub.demo.entrance import PEOPLE
from hub.errors import ListMissingError
from hub.people import Duty
from hub.people.posts import words_of
from hub.portal import naming
from hub.portal.rendering import environment
from tests.hub.portal.browsing import HAN

HOSTILE = '"><script>alert(1)</script>'
# Members that hold somebody who acted, or a post, wherever templates say them.
ACTORS = {
    "actor", "asked_by", "custodian", "decided_by", "done_by", "drawn_by", "edited_by", "ended_by", "first", "given_by",
    "officer", "person", "post", "published_by", "second", "signer", "taken_by",
}  # fmt: skip
MA = SimpleNamespace(name="民政局", name_en="Civil Affairs")


class Visit:
    """What naming asks of a visit."""

    def __init__(self, lang, departments=None):
        self.lang = lang
        self.departments = departments

    def say(self, zh, en):
        return zh if self.lang == "zh" else en

    def words(self, pair):
        return pair[self.lang == "zh"]

    @property
    def list_(self):
        if self.departments is None:
            raise ListMissingError(version="-")
        return SimpleNamespace(departments_by_code=self.departments)


@pytest.mark.parametrize(
    ("text", "of", "zh", "en"),
    [
        ("MZ:licence-officer", "", "民政局 · 证照管理", "Civil Affairs · licence officer"),
        ("MZ:window-2", "", "民政局 · 窗口人员 2", "Civil Affairs · window clerk 2"),
        ("MZ:auditor", "", "民政局 · 审计员", "Civil Affairs · auditor"),
        ("MZ:第三科-2", "", "民政局 · 第三科-2", "Civil Affairs · 第三科-2"),
        ("MZ:fund-system", "", "民政局 · fund-system", "Civil Affairs · fund-system"),
        ("MZ", "", "民政局", "Civil Affairs"),
        ("licence-officer", "MZ", "民政局 · 证照管理", "Civil Affairs · licence officer"),
        ("GONE:operator", "", "GONE · 操作员", "GONE · operator"),
        ("hub:rule", "", "平台 · 按规则办理", "the hub · by rule"),
        ("MZ:rule", "", "民政局 · rule", "Civil Affairs · rule"),
        ("hub", "", "平台", "the hub"),
    ],
)
def test_an_actor_has_a_name_in_both_languages(text, of, zh, en):
    assert naming.actor(Visit("zh", {"MZ": MA}), text, of) == zh
    assert naming.actor(Visit("en", {"MZ": MA}), text, of) == en


def test_before_a_list_is_published_codes_are_shown():
    assert naming.actor(Visit("en"), "MZ:operator") == "MZ · operator"


def test_in_a_sentence_the_code_stands_in_brackets():
    assert naming.actor_in_text(Visit("zh", {"MZ": MA}), "MZ:deputy") == "民政局 · 副职（MZ:deputy）"
    assert naming.actor_in_text(Visit("en", {"MZ": MA}), "MZ/K7Q2/ab12") == "Civil Affairs (MZ/K7Q2/ab12)"


def test_the_code_is_at_hand_and_nothing_of_it_is_markup():
    show = environment().from_string("{{ by|actor }}|{{ post|post('MZ') }}|{{ 'by %s'|e % (by|actor) }}")
    page = show.render(visit=Visit("en", {"MZ": MA}), by=f"MZ:{HOSTILE}", post="deputy")
    assert "<script" not in page
    assert page.count('title="MZ:&#34;&gt;&lt;script&gt;') == 2
    assert '<span title="deputy">deputy</span>' in page
    assert environment().from_string("{{ by|actor }}").render(visit=Visit("zh", {}), by="") == "–"
    alone = environment().from_string("{{ by|actor('MZ') }}").render(visit=Visit("zh", {"MZ": MA}), by="deputy")
    assert alone == '<span title="MZ:deputy">民政局 · 副职</span>'


@pytest.mark.parametrize(
    "post", [*(one[3] for one in PEOPLE), *Duty, "data-reviewer", "section-head", "deputy-director"]
)
def test_posts_that_are_usual_have_words(post):
    en, zh = words_of(post)
    assert HAN.search(zh)
    assert not HAN.search(en)


@pytest.mark.parametrize(
    "file", sorted((resources.files("hub.portal") / "templates").iterdir()), ids=lambda one: one.name
)
def test_no_page_shows_an_actor_as_the_log_has_it(file):
    """A member that holds one goes through a filter; beside it, in brackets or as code, the log's own may stand."""
    text = file.read_text("utf-8")
    members = "|".join(sorted(ACTORS))
    # A step of a proof has a first entry, which nobody is.
    bare = re.findall(rf"\{{\{{ (?!one\.first )(?:one\.)?(?:{members}) \}}\}}", text)
    assert [one for one in bare if f'<code class="zt-code">{one}</code>' not in text] == []
    assert not re.search(rf'"\)(?:,| %) (?:one\.)?(?:{members})\)? ?(?:[,)]|\}}\}})', text)


def test_the_data_of_a_page_keeps_what_the_log_has(signed_in, members):
    auditor = signed_in(Duty.AUDITOR, **{"accept-language": "zh-CN"})
    member = members[Duty.ADMINISTRATOR]
    assert {one["actor"] for one in auditor.json("/audit.json?actor=RS:administrator")["entries"]} == {
        "RS:administrator"
    }
    page = auditor.read("/audit?actor=RS:administrator")
    assert "人力资源和社会保障局 · 系统管理员" in page
    assert "RS:administrator" in page
    admin = signed_in(Duty.ADMINISTRATOR, **{"accept-language": "en"})
    assert "administrator 1 (administrator-1)" in admin.read(f"/people/{member.id}")
    assert admin.json(f"/people/{member.id}.json")["person_shown"]["post"] == "administrator-1"
