from __future__ import annotations

import hashlib
import xml.etree.ElementTree as ET

import pytest

from licence.errors import SealRefusedError
from licence.seals.image import round_seal
from tests.licence.seals import city as c

SVG = "{http://www.w3.org/2000/svg}"


def test_the_name_stands_along_the_arc_letter_by_letter():
    root = ET.fromstring(round_seal("某市农业农村局", purpose="行政审批专用章").data)  # noqa: S314 - our own output
    texts = root.findall(f".//{SVG}text")
    assert [t.text for t in texts] == [*"某市农业农村局", "行政审批专用章"]
    turns = [t.get("transform") for t in texts[:-1]]
    assert turns[3] == "rotate(0)"
    assert turns[0].replace("-", "") == turns[-1]
    assert root.get("width") == "42mm"
    assert len(root.find(f"{SVG}path").get("d").split("L")) == 10


def test_the_same_bytes_each_time():
    picture = round_seal("某市人民政府", diameter_mm=45)
    assert (picture.kind, picture.width_mm, picture.height_mm) == ("SVG", 45, 45)
    assert picture == round_seal("某市人民政府", diameter_mm=45)
    digest = "a2bfe8ad9f6b3d9b1cbdeace1094049027711a60d711d5bce5f9365a9de5c1ce"
    assert hashlib.sha256(picture.data).hexdigest() == digest


def test_no_markup_gets_in():
    root = ET.fromstring(round_seal("<&>").data)  # noqa: S314 - our own output
    assert [t.text for t in root.findall(f".//{SVG}text")] == ["<", "&", ">"]


@pytest.mark.parametrize(
    "changes",
    [
        {"name": " "},
        {"name": "章" * 31},
        {"name": "a\nb"},
        {"purpose": "章" * 13},
        {"diameter_mm": 19},
        {"diameter_mm": 61},
    ],
)
def test_refused(changes):
    with pytest.raises(SealRefusedError):
        round_seal(**({"name": "某局"} | changes))


def test_it_goes_into_a_seal(city):
    picture = round_seal("某市农业农村局")
    assert c.new_seal(city, picture=picture).info.picture == picture
