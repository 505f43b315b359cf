from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from hub.licensing import glyphs, planning
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


def test_the_font_shows_the_rare_characters_of_names():
    glyphs.require(KIND, FACTS)


@pytest.mark.parametrize(("field", "told"), [("name", "姓名"), ("home", "住址"), ("id", "id")])
def test_a_character_without_a_glyph_is_told_by_its_field_and_code_point(field, told):
    with pytest.raises(GlyphMissingError) as caught:
        glyphs.require(KIND, {**FACTS, field: f"张{PRIVATE}"})
    text = caught.value.text("en")
    assert told in text
    assert "U+E1F3" in text
    assert "张" not in text


def test_a_row_with_such_a_character_gets_no_licence_and_its_field_is_named():
    row = planning.Candidate(1, {}, "h", "h", {**FACTS, "home": PRIVATE})
    (planned,) = planning.plan_rows(KIND, [row], (), AT)
    assert (planned.outcome, planned.field) == ("glyph_missing", "住址")


def test_a_field_that_no_page_shows_may_hold_anything():
    glyphs.require(replace(KIND, face=KIND.face[:1]), {**FACTS, "home": PRIVATE, "other": PRIVATE})


def test_where_no_font_is_installed_nothing_is_refused(monkeypatch):
    monkeypatch.setattr(glyphs, "_characters", lambda: None)
    glyphs.require(KIND, {**FACTS, "name": PRIVATE})
