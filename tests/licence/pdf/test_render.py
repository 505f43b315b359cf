from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from dataclasses import replace
from datetime import datetime

import pytest

from licence.errors import FontUnusableError, GlyphMissingError, IssueRefusedError
from licence.pdf.render import SEAL_PLACES, Renderer, newest, qr_svg, templates
from tests.licence import world as w
from tests.licence.pdf import papers as p


def text_of(pdf, tmp_path):
    if shutil.which("pdftotext") is None:
        pytest.skip("pdftotext (poppler-utils) is not installed")
    path = tmp_path / "page.pdf"
    path.write_bytes(pdf)
    return subprocess.run(["pdftotext", "-layout", path, "-"], capture_output=True, check=True).stdout.decode()


def test_the_same_bytes_each_time_also_from_another_process():
    assert p.renderer().render(p.FACE, dated=w.ISSUED) == p.page()
    code = "import hashlib; from tests.licence.pdf import papers as p; print(hashlib.sha256(p.page()).hexdigest())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == hashlib.sha256(p.page()).hexdigest()


def test_renders_in_between_change_nothing():
    p.renderer().render(replace(p.FACE, title="营业执照", watermark="仅供贷款"), dated=w.AT)
    assert p.renderer().render(p.FACE, dated=w.ISSUED) == p.page()


def test_the_form_is_pdf_a_2b_with_an_embedded_subset():
    pdf = p.page()
    assert b"<pdfaid:part>2</pdfaid:part><pdfaid:conformance>B</pdfaid:conformance>" in pdf
    assert b"/FontFile3" in pdf
    assert len(pdf) < 100_000
    assert b"/CreationDate(D:20250301080000Z)" in pdf


def test_every_value_is_on_the_page(tmp_path):
    shown = "".join(text_of(p.page(), tmp_path).split())
    for value in ("姓名", "王小明", "市农业农村局", "2025年3月1日", p.FACE.identifier, "拖拉机和联合收割机驾驶证"):
        assert value in shown


@pytest.mark.parametrize(
    "value",
    [
        '#import "@preview/x:1.0.0"',
        "]",
        "\\",
        "$ x $",
        '#read("/etc/passwd")',
        "*b* _i_ `c` <label> @ref",
        "// no",
        '"',
    ],
)
def test_markup_in_a_value_is_text(tmp_path, value):
    pdf = p.renderer().render(replace(p.FACE, rows=(("备注", value),), title=value), dated=w.ISSUED)
    shown = "".join(text_of(pdf, tmp_path).split())
    assert shown.count("".join(value.split())) == 2


def test_watermark_marks_an_annotated_copy(tmp_path):
    pdf = p.renderer().render(replace(p.FACE, watermark="仅供办理贷款"), dated=w.ISSUED)
    assert pdf != p.page()
    assert b"/Annots" not in pdf


def test_rare_name_characters_are_held():
    rare = "㛃䶮𬱖𠅤𫖯龘𰻝㐱𬀩𣲘"
    assert p.renderer().render(replace(p.FACE, rows=(("姓名", rare),)), dated=w.ISSUED)


@pytest.mark.parametrize("where", ["title", "watermark", "identifier", "rows", "closing"])
def test_missing_glyph_fails_and_names_the_code_point_only(where):
    text = "王\ue123"
    value = ((text, "x"),) if where in {"rows", "closing"} else text
    with pytest.raises(GlyphMissingError) as caught:
        p.renderer().render(replace(p.FACE, **{where: value}), dated=w.ISSUED)
    assert "U+E123" in caught.value.text("zh")
    assert "王" not in caught.value.text("zh")


@pytest.mark.parametrize("character", ["\u202e", "\n", "\0", "\u200b", "\u2028"])
def test_characters_that_steer_text_are_refused(character):
    with pytest.raises(IssueRefusedError) as caught:
        p.renderer().render(replace(p.FACE, title="甲" + character + "乙"), dated=w.ISSUED)
    assert caught.value.code == "face_control_character"


def test_lone_surrogate_is_refused():
    with pytest.raises((IssueRefusedError, GlyphMissingError)):
        p.renderer().render(replace(p.FACE, title="\ud800"), dated=w.ISSUED)


def test_too_much_and_no_time_zone_are_refused():
    for face in (replace(p.FACE, title="甲" * 2001), replace(p.FACE, rows=(("a", "b"),) * 70)):
        with pytest.raises(IssueRefusedError) as caught:
            p.renderer().render(face, dated=w.ISSUED)
        assert caught.value.code == "face_too_long"
    with pytest.raises(IssueRefusedError):
        p.renderer().render(p.FACE, dated=datetime(2025, 1, 1))  # noqa: DTZ001 - what is refused


@pytest.mark.parametrize("matrix", [("01",), ("0", "1"), ("0x", "00"), ("0" * 178,) * 178])
def test_bad_qr_matrix(matrix):
    with pytest.raises(IssueRefusedError) as caught:
        qr_svg(matrix)
    assert caught.value.code == "qr_matrix_unusable"


def test_qr_modules_are_dark_where_the_matrix_says(tmp_path):
    if shutil.which("pdftoppm") is None:
        pytest.skip("pdftoppm (poppler-utils) is not installed")
    path = tmp_path / "page.pdf"
    path.write_bytes(p.page())
    done = subprocess.run(["pdftoppm", "-r", "300", "-gray", path], capture_output=True, check=True).stdout
    head, size, depth, pixels = done.split(b"\n", 3)
    assert (head, depth) == (b"P5", b"255")
    width, height = map(int, size.split())
    # The box of the code is 40 mm wide at the left margin; find its dark extent, then sample each module.
    left, right = int(24 / 25.4 * 300), int(64 / 25.4 * 300)
    rows = [pixels[y * width + left : y * width + right] for y in range(height // 2, height - int(33 / 25.4 * 300))]
    dark = [y for y, row in enumerate(rows) if row.count(0) > 60]
    columns = [x for x in range(right - left) if any(rows[y][x] < 40 for y in dark)]
    top, bottom, first, last = dark[0], dark[-1] + 1, columns[0], columns[-1] + 1
    modules = len(p.FACE.qr)
    assert abs((bottom - top) - (last - first)) < 12
    for y in range(modules):
        for x in range(modules):
            sample = rows[int(top + (y + 0.5) * (bottom - top) / modules)][
                int(first + (x + 0.5) * (last - first) / modules)
            ]
            assert (sample < 128) == (p.FACE.qr[y][x] == "1"), (x, y)


def test_unknown_font(tmp_path):
    with pytest.raises(FontUnusableError):
        Renderer(tmp_path / "none.ttc")
    with pytest.raises(FontUnusableError):
        Renderer(face="No Such Face")
    assert "sha256:" in p.renderer().version


@pytest.mark.parametrize("template", templates())
def test_every_template_draws_a_document_and_a_picture_the_same_each_time(template):
    rows = (("姓名", "㛃䶮𬱖𠅤" * 4), ("经营范围", "食品销售；日用百货销售。" * 30))
    face = replace(p.FACE, rows=rows, watermark="仅限办理贷款抵押登记使用，有效期至 2026-12-31 / For a loan only " * 2)
    drawn = [Renderer(template=template) for _ in range(2)]
    assert drawn[0].render(face, dated=w.ISSUED) == drawn[1].render(face, dated=w.ISSUED)
    assert drawn[0].picture(replace(face, seal=p.png())) == drawn[1].picture(replace(face, seal=p.png()))
    assert drawn[0].picture(face) != drawn[0].picture(replace(face, screen="仅供屏幕显示"))
    assert template in SEAL_PLACES


def test_the_newest_number_of_a_layout_is_taken_and_an_unknown_one_refused():
    assert newest("card") == "card-1"
    for wrong in (lambda: newest("nothing"), lambda: Renderer(template="../x")):
        with pytest.raises(IssueRefusedError) as caught:
            wrong()
        assert caught.value.code == "template_unknown"
