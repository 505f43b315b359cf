from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from hub.licensing import glyphs, planning
from licence import fonts
from licence.errors import GlyphMissingError
from licence.model import Category, FaceField, LicenceKind

AT = datetime(2026, 3, 2, tzinfo=UTC)
KIND = LicenceKind(
    code="11100000000013338W011", name="证", name_en="licence", category=Category.LICENCE, authority="甲",
    authority_code="11100000000013338W", issuer="GA", holder_type="111", resource="r", holder_field="id",
    holder_name_field="name", face=(FaceField("KZ_XM", "姓名", "name"), FaceField("KZ_DZ", "住址", "home")),
)  # fmt: skip
RARE = "㛃䶮𬱖𠅤𫖯龘𰻝㐱𬀩𣲘"
FACTS = {"id": "X1", "name": RARE, "home": "一街"}
# Of the private use area, by which old systems wrote names that had no code point yet.
PRIVATE = "\ue1f3"


def planned(kind, facts):
    (row,) = planning.plan_rows(kind, [planning.Candidate(1, {}, "h", "h", facts)], (), AT)
    return row.outcome, row.field


def test_the_font_shows_the_rare_characters_of_names():
    # Without a font the row could be issued, too.
    assert fonts.characters().issuperset(RARE)
    assert planned(KIND, FACTS) == (planning.OK, "")


@pytest.mark.parametrize(("field", "told"), [("name", "姓名"), ("home", "住址"), ("id", "id")])
def test_a_character_without_a_glyph_is_told_by_its_field_and_code_point(field, told):
    with pytest.raises(GlyphMissingError) as caught:
        glyphs.require(KIND, {**FACTS, field: f"张{PRIVATE}"})
    text = caught.value.text("en")
    assert told in text
    assert "U+E1F3" in text
    assert "张" not in text


def test_a_row_with_such_a_character_gets_no_licence_and_its_field_is_named():
    assert planned(KIND, {**FACTS, "home": PRIVATE}) == (planning.NO_GLYPH, "住址")


def test_a_field_that_no_page_shows_may_hold_anything():
    facts = {**FACTS, "home": PRIVATE, "other": PRIVATE}
    assert planned(KIND, facts) == (planning.NO_GLYPH, "住址")
    assert planned(replace(KIND, face=KIND.face[:1]), facts) == (planning.OK, "")


def test_where_no_font_is_installed_nothing_is_refused(monkeypatch):
    facts = {**FACTS, "name": PRIVATE}
    assert planned(KIND, facts) == (planning.NO_GLYPH, "姓名")
    monkeypatch.setattr(glyphs, "_characters", lambda: None)
    assert planned(KIND, facts) == (planning.OK, "")
