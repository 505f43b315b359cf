"""Fonts: missing characters are told by code point, subsets are the same each time and read by fontTools."""

import hashlib
import io
from pathlib import Path

import pytest

pytest.importorskip("fontTools", reason="needs the extra `documents`")
pytest.importorskip("noto_cjk_sans_otc", reason="needs the font package of the extra `documents`")

from fontTools.pens.boundsPen import BoundsPen
from fontTools.pens.momentsPen import MomentsPen
from fontTools.ttLib import TTFont
from hypothesis import given, settings
from hypothesis import strategies as st

from licence.errors import FontUnusableError, GlyphMissingError
from licence.fonts import Font, packaged_font, read_font

RARE = "㛃䶮𬱖𠅤𫖯龘𰻝㐱𬀩𣲘"
FACE = "电子证照 Licence 0123456789Ⅷ（）·—￥" + RARE
RELEASE = "b76b0433203017ca80401b2ee0dd69350349871c4b19d504c34dbdd80541690a"


@pytest.fixture(scope="module")
def font():
    return read_font()


def shape(glyphs, name):
    """Bounds, area and moments: the same for equal outlines whose lines are cut at other points."""
    bounds, moments = BoundsPen(glyphs), MomentsPen(glyphs)
    glyphs[name].draw(bounds)
    glyphs[name].draw(moments)
    numbers = (moments.area, moments.momentX, moments.momentY, moments.momentXX, moments.momentXY, moments.momentYY)
    return *(bounds.bounds or ()), *numbers


def test_the_packaged_font_is_the_known_release():
    assert hashlib.sha256(packaged_font().read_bytes()).hexdigest() == RELEASE


def test_rare_name_characters_have_glyphs(font):
    assert font.missing(FACE) == ()


def test_a_missing_glyph_is_told_by_code_point_only(font):
    with pytest.raises(GlyphMissingError) as caught:
        font.subset("王\U000e0100\uf8ff")
    text = caught.value.text("zh") + caught.value.text("en")
    assert "U+F8FF" in text
    assert "U+E0100" in text
    assert "王" not in text


@pytest.mark.parametrize("control", ["\n", "\t", "\x00", "\u202e", "\ufe00"])
def test_controls_and_selectors_count_as_missing(font, control):
    assert font.missing("a" + control) == (control,)


def test_the_subset_draws_what_the_font_draws(font):
    whole = TTFont(io.BytesIO(packaged_font().read_bytes()), fontNumber=2, lazy=True)
    small = TTFont(io.BytesIO(font.subset(FACE)))
    ids = font.glyph_ids(FACE)
    before, after = whole.getGlyphSet(), small.getGlyphSet()
    cmap, all_of = small.getBestCmap(), whole.getBestCmap()
    assert set(cmap) == {ord(c) for c in FACE}
    for character in set(FACE):
        name = cmap[ord(character)]
        assert small.getGlyphID(name) == ids[character]
        assert shape(after, name) == pytest.approx(shape(before, all_of[ord(character)]))
        assert after[name].width == before[all_of[ord(character)]].width == font.advance(character)
        assert small["hmtx"][name][0] == font.advance(character)


def test_old_readers_find_the_characters_of_the_first_plane(font):
    small = TTFont(io.BytesIO(font.subset(FACE)))
    four = next(t for t in small["cmap"].tables if t.format == 4)
    assert set(four.cmap) == {ord(c) for c in FACE if ord(c) <= 0xFFFF}


def test_every_table_of_the_subset_is_well_formed(font):
    small = TTFont(io.BytesIO(font.subset(FACE)), checkChecksums=2)
    for tag in small.keys():  # noqa: SIM118 - a TTFont is no dictionary.
        assert small[tag] is not None
    assert small["maxp"].numGlyphs == len(set(FACE)) + 1 == len(small["CFF "].cff[0].CharStrings)
    assert small["name"].getDebugName(4) == "Noto Sans CJK SC"
    assert "SIL Open Font License" in small["name"].getDebugName(13)


def test_another_reader_of_the_same_file_gives_the_same_bytes(font):
    assert read_font().subset(FACE) == font.subset(FACE[::-1] + FACE)


@given(text=st.text(st.sampled_from(FACE), max_size=20))
@settings(max_examples=25, deadline=None)
def test_any_text_gives_a_font_of_its_characters(font, text):
    small = TTFont(io.BytesIO(font.subset(text)))
    assert set(small.getBestCmap() or ()) == {ord(c) for c in text}


def test_a_face_is_chosen_by_name(font):
    japanese = read_font(face="Noto Sans CJK JP")
    assert japanese.subset("骨") != font.subset("骨")
    with pytest.raises(FontUnusableError, match="Noto Sans CJK SC"):
        read_font(face="Noto Serif")


@pytest.mark.parametrize("data", [b"", b"OTTO", b"ttcf" + bytes(8), b"ttcf" + b"\xff" * 40, b"%PDF-1.7"])
def test_what_is_no_font_is_refused(data):
    with pytest.raises(FontUnusableError):
        Font(data)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(FontUnusableError):
        read_font(tmp_path / "none.otf")
    assert Path(packaged_font()).exists()
