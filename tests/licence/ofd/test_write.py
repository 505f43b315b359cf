"""What is written: the same bytes each time, well-formed, with every character in its place and in the font."""

import io
import zipfile

import pytest

pytest.importorskip("fontTools", reason="needs the extra `documents`")
pytest.importorskip("noto_cjk_sans_otc", reason="needs the font package of the extra `documents`")

from defusedxml import ElementTree as ET  # noqa: N817 - as the standard library's is called.
from fontTools.ttLib import TTFont

from licence.errors import GlyphMissingError, IssueRefusedError
from licence.fonts import read_font
from licence.ofd import layout
from licence.ofd import write as writing
from licence.ofd.layout import Page, Text, break_lines, width_mm
from licence.ofd.seal import seal
from licence.ofd.write import Licence, numbers, write
from tests.licence.ofd import paper

OFD = "{http://www.ofdspec.org/2016}"
CONTENT = "Doc_0/Pages/Page_0/Content.xml"


def content(files):
    return ET.fromstring(files[CONTENT])


def test_the_same_document_gives_the_same_bytes():
    assert paper.sealed(paper.files()) == paper.sealed(write(paper.LICENCE, [paper.page()], read_font()))


def test_what_was_written_before_does_not_show():
    for module in (layout, writing):
        for kept in vars(module).values():
            if hasattr(kept, "cache_clear"):
                kept.cache_clear()
    first = paper.files()
    paper.files(title="证", watermark="仅用于办理开户", fields=[("姓名", "㐱𬀩𣲘")])
    numbers(-0.0, -0.0001, 4.6000001)
    assert paper.files() == first


@pytest.mark.parametrize("value", [0, 0.0, -0.0, -0.0004])
def test_nothing_has_one_spelling(value):
    assert numbers(value) == "0"
    assert numbers(value, 1.5, -2, 1 / 3) == "0 1.5 -2 0.333"


def test_widths_are_those_of_the_font_asked():
    narrow = read_font(face="Noto Sans Mono CJK SC")
    page = Page((Text(20, 30, 5, "iiW"),))
    for font in (paper.FONT, narrow, paper.FONT):
        assert width_mm(font, "iiW", 5) == pytest.approx(sum(font.advance(c) for c in "iiW") * 5 / font.units_per_em)
        (code,) = content(write(paper.LICENCE, [page], font)).iter(OFD + "TextCode")
        assert code.get("DeltaX") == numbers(*[font.advance("i") * 5 / font.units_per_em] * 2)
    assert width_mm(narrow, "iiW", 5) != width_mm(paper.FONT, "iiW", 5)


def test_documents_differ_in_their_id():
    other = write(Licence("营业执照", "某局", "2026-03-01", {}), [paper.page()], paper.FONT)
    ids = {ET.fromstring(f["OFD.xml"]).find(f".//{OFD}DocID").text for f in (other, paper.files())}
    assert len(ids) == 2


def test_every_file_named_is_there_and_every_id_is_used_once():
    files = paper.files()
    parsed = {name: ET.fromstring(data) for name, data in files.items() if name.endswith(".xml")}
    named = [e.text for x in parsed.values() for e in x.iter() if e.tag in {OFD + "FontFile", OFD + "MediaFile"}]
    assert {f"Doc_0/Res/{n}" for n in named} == {n for n in files if "/Res/" in n}
    ids = [e.get("ID") for x in parsed.values() for e in x.iter() if e.get("ID")]
    assert len(set(ids)) == len(ids)
    limit = parsed["Doc_0/Document.xml"].find(f".//{OFD}MaxUnitID").text
    assert max(map(int, ids)) <= int(limit)


def test_all_that_is_on_the_face_is_in_the_text_and_in_the_embedded_font():
    files = paper.files(watermark="仅用于办理开户")
    shown = "".join(code.text for code in content(files).iter(OFD + "TextCode"))
    for text in ("营业执照", "㐱𬀩𣲘", paper.IDENTIFIER, "仅用于办理开户", "某市㛃䶮<𬱖𠅤>𫖯龘𰻝商贸有限公司"):
        assert text in shown
    embedded = TTFont(io.BytesIO(files["Doc_0/Res/font_1.otf"]))
    assert {ord(c) for c in shown} == set(embedded.getBestCmap())


def test_characters_beyond_the_first_plane_stand_alone():
    for code in content(paper.files()).iter(OFD + "TextCode"):
        if any(ord(c) > 0xFFFF for c in code.text):
            assert len(code.text) == 1
        elif len(code.text) > 1:
            assert len(code.get("DeltaX").split()) == len(code.text) - 1


def test_each_run_begins_where_the_one_before_ends():
    text = "证a𬀩b𠅤𣲘c"
    codes = list(content(write(paper.LICENCE, [Page((Text(20, 30, 5, text),))], paper.FONT)).iter(OFD + "TextCode"))
    assert [code.text for code in codes] == ["证a", "𬀩", "b", "𠅤", "𣲘", "c"]
    before = ["", "证a", "证a𬀩", "证a𬀩b", "证a𬀩b𠅤", "证a𬀩b𠅤𣲘"]
    assert [float(code.get("X")) for code in codes] == pytest.approx(
        [width_mm(paper.FONT, t, 5) for t in before], abs=0.001
    )


def test_nothing_leaves_the_page_or_another_box():
    page = paper.page(watermark="仅用于办理开户，再次复印无效")
    for text in page.texts:
        wide = width_mm(paper.FONT, text.text, text.size)
        assert text.x > 14
        assert text.x + wide < page.width - 14
        assert text.y < page.height - 14
    plain = [t for t in page.texts if not t.turn]
    places = {(round(t.x), round(t.y)) for t in plain}
    assert len(places) == len(plain)


def test_lines_break_between_words_and_not_before_a_stop():
    lines = break_lines(paper.FONT, "统一代码ABCDEF，有效。", 5, 31)
    assert "".join(lines) == "统一代码ABCDEF，有效。"
    assert lines[0] == "统一代码"
    assert not any(line[0] in "，。" for line in lines)
    assert break_lines(paper.FONT, "", 5, 30) == [""]
    assert break_lines(paper.FONT, "证\n照", 5, 30) == ["证", "照"]


def test_what_fits_exactly_is_not_broken():
    assert break_lines(paper.FONT, "证" * 10, 4.6, 46.0) == ["证" * 10]
    assert break_lines(paper.FONT, "证" * 11, 4.6, 46.0) == ["证" * 10, "证"]


def test_one_stop_hangs_and_no_more():
    assert break_lines(paper.FONT, "证" * 6 + "。", 5, 30) == ["证" * 6 + "。"]
    lines = break_lines(paper.FONT, "证" * 6 + "。" * 50, 5, 30)
    assert "".join(lines) == "证" * 6 + "。" * 50
    assert max(map(len, lines)) == 7


def test_a_word_longer_than_the_line_is_cut():
    lines = break_lines(paper.FONT, "证A" + "B" * 60 + " C", 5, 31)
    assert "".join(lines).replace(" ", "") == "证A" + "B" * 60 + "C"
    assert all(width_mm(paper.FONT, line, 5) <= 31 for line in lines)


def test_an_annotated_copy_shows_its_purpose_across_the_page():
    marks = [t for t in paper.page(watermark="仅用于办理开户").texts if t.turn]
    assert len(marks) == 3
    assert {t.text for t in marks} == {"仅用于办理开户"}
    assert all(0 < t.alpha < 255 for t in marks)


def test_too_much_for_a_page_is_refused():
    with pytest.raises(IssueRefusedError) as caught:
        paper.page(fields=[(f"事项{n}", "长" * 200) for n in range(20)])
    assert caught.value.code == "ofd_page_overfull"


def test_a_missing_glyph_refuses_the_document_and_names_the_code_point_only():
    with pytest.raises(GlyphMissingError) as caught:
        paper.page(fields=[("姓名", "王\uf8ff")])
    assert "U+F8FF" in str(caught.value)
    assert "王" not in str(caught.value)


@pytest.mark.parametrize("bad", ["a\nb", "\x00", "\ud800", "\u202e"])
def test_control_characters_in_metadata_are_refused(bad):
    with pytest.raises(IssueRefusedError) as caught:
        write(Licence(bad, "局", "2026-03-01", {}), [paper.page()], paper.FONT)
    assert caught.value.code == "ofd_text_not_allowed"
    with pytest.raises(IssueRefusedError):
        write(Licence("证", "局", "2026-03-01", {bad: "1"}), [paper.page()], paper.FONT)


def test_another_program_opens_the_container():
    with zipfile.ZipFile(io.BytesIO(paper.sealed(paper.files()))) as archive:
        assert archive.testzip() is None
        assert archive.namelist()[0] == "OFD.xml"
        assert {i.date_time for i in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_the_signer_is_asked_once_and_its_failure_is_the_callers():
    asked = []

    def broken(digest):
        asked.append(digest)
        raise TimeoutError

    with pytest.raises(TimeoutError):
        seal(paper.small_files(), paper.STAMP, broken)
    assert len(asked) == 1
    assert len(asked[0]) == 32


def test_sealed_files_are_not_sealed_again():
    with pytest.raises(IssueRefusedError) as caught:
        seal(paper.small_files() | {"Doc_0/Signs/Signatures.xml": b""}, paper.STAMP, paper.sign)
    assert caught.value.code == "ofd_signed_already"


def test_a_text_is_frozen():
    with pytest.raises(AttributeError):
        Text(1, 1, 1, "a").x = 2
