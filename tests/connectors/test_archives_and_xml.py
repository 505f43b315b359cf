from __future__ import annotations

import tracemalloc
import zipfile
from functools import partial
from typing import TYPE_CHECKING

import pytest

from connectors import archive, xml_files
from connectors.archive import Content
from connectors.errors import (
    ConnectorError,
    SourceDeniedError,
    SourceEncodingError,
    SourceHostileError,
    SourceIncompleteError,
    SourceObjectMissingError,
    SourceShapeError,
)
from connectors.places import opened
from connectors.protocol import Batch, Column, ReadRequest
from connectors.registry import connect
from tests.connectors.kinds import no_secrets
from tests.contracts.connector_suite import SECRET, landed

if TYPE_CHECKING:
    from pathlib import Path


def read(kind: str, folder: Path, into: Path, name: str, *columns: Column | str, **options: str) -> Batch:
    wanted = tuple(Column(c) if isinstance(c, str) else c for c in columns or ("id", "name"))
    return connect(kind, {"folder": str(folder)}, no_secrets).read(
        ReadRequest("R", name, wanted, None, "", options), into
    )


def fails(
    error: type[ConnectorError], kind: str, folder: Path, into: Path, name: str, **options: str
) -> ConnectorError:
    with pytest.raises(error) as caught:
        read(kind, folder, into, name, **options)
    assert not into.exists()
    assert SECRET not in caught.value.text("en") + caught.value.text("zh") + repr(caught.value.params)
    return caught.value


def archived(folder: Path, name: str = "drop1.zip", **members: str | bytes) -> Path:
    path = folder / name
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for member, text in members.items():
            file.writestr(member.replace("_", "."), text)
    return path


# --- zip


def test_members_are_matched_and_read_in_order_over_archives(folder: Path, into: Path) -> None:
    archived(folder, "drop2.zip", a_csv="id,name\n3,丙\n")
    archived(folder, "drop1.zip", b_csv="id,name\n2,乙\n", a_csv="name,id\n甲,1\n", c_txt="broken")
    batch = read("zip-csv", folder, into, "drop*.zip")
    assert landed(batch) == [(1, "1", "甲"), (2, "2", "乙"), (3, "3", "丙")]
    assert read("zip-csv", folder, into, "drop1.zip#b.csv").rows == 1
    assert (
        fails(SourceObjectMissingError, "zip-csv", folder, into.with_name("x"), "drop1.zip#z.csv").problem
        == "no_member"
    )


def test_member_names_of_a_chinese_windows_are_understood(folder: Path, into: Path) -> None:
    path = archived(folder, XXXX_csv="id,name\n1,甲\n")
    data = path.read_bytes().replace(b"XXXX.csv", "数据.csv".encode("gb18030"))
    path.write_bytes(data)
    assert read("zip-csv", folder, into, "drop1.zip#数据.csv").rows == 1


def test_a_ragged_member_is_named_with_its_line(folder: Path, into: Path) -> None:
    archived(folder, a_csv=f"id,name\n1,甲\n2,{SECRET},x\n")
    assert fails(SourceShapeError, "zip-csv", folder, into, "*.zip").where == "drop1.zip#a.csv:3"


def test_a_zip_bomb_is_refused_by_what_it_declares(folder: Path, into: Path, monkeypatch) -> None:
    monkeypatch.setattr(archive, "RATIO_FROM_BYTES", 1024 * 1024)
    archived(folder, a_csv=b"id,name\n" + b"0" * (4 * 1024 * 1024))
    assert fails(SourceHostileError, "zip-csv", folder, into, "*.zip").problem == "archive_bomb"


def test_a_zip_bomb_is_refused_while_it_unpacks_when_its_directory_lies(folder: Path, into: Path, monkeypatch) -> None:
    archived(folder, a_csv="id,name\n" + "1,甲\n" * 200_000)
    monkeypatch.setattr(archive, "RATIO_FROM_BYTES", 1024)
    honest = zipfile.ZipFile.infolist

    def lying(self: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
        members = honest(self)
        return [] if len(members) == 1 and not lying.asked.append(1) and len(lying.asked) == 1 else members

    lying.asked = []
    monkeypatch.setattr(zipfile.ZipFile, "infolist", lying)
    assert fails(SourceHostileError, "zip-csv", folder, into, "*.zip").problem == "archive_bomb"


def test_too_many_members_are_refused(folder: Path, into: Path, monkeypatch) -> None:
    monkeypatch.setattr(archive, "MOST_MEMBERS", 2)
    archived(folder, a_csv="", b_csv="", c_csv="")
    assert fails(SourceHostileError, "zip-csv", folder, into, "*.zip").problem == "archive_bomb"


def test_two_members_of_one_name_are_refused(folder: Path, into: Path) -> None:
    path = archived(folder, a_csv="id,name\n1,a\n", b_csv="id,name\n1,b\n")
    path.write_bytes(path.read_bytes().replace(b"b.csv", b"a.csv"))
    assert fails(SourceHostileError, "zip-csv", folder, into, "*.zip").problem == "member_duplicate"


def test_nothing_is_extracted_whatever_a_member_is_called(folder: Path, into: Path) -> None:
    path = archived(folder)
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("../../evil.csv", "id,name\n1,甲\n")
    assert read("zip-csv", folder, into, "*.zip#evil.csv").rows == 1
    assert not list(folder.parent.parent.rglob("evil.csv"))


def test_a_member_whose_checksum_fails_is_incomplete(folder: Path, into: Path) -> None:
    path = folder / "drop1.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as file:
        file.writestr("a.csv", "id,name\n1,AAAA\n")
    path.write_bytes(path.read_bytes().replace(b"AAAA", b"BBBB"))
    assert fails(SourceIncompleteError, "zip-csv", folder, into, "*.zip").problem == "archive_damaged"


def test_an_encrypted_archive_and_one_that_is_none(folder: Path, into: Path) -> None:
    path = archived(folder, a_csv="id,name\n1,甲\n")
    data = bytearray(path.read_bytes())
    directory = data.index(b"PK\x01\x02")
    data[directory + 8] |= 1
    path.write_bytes(data)
    assert fails(SourceDeniedError, "zip-csv", folder, into, "*.zip").problem == "encrypted"
    path.write_bytes(b"id,name\n")
    assert fails(SourceShapeError, "zip-csv", folder, into, "*.zip").problem == "not_this_format"


# --- xml


def xml(folder: Path, body: str, head: str = '<?xml version="1.0"?>', encoding: str = "utf-8") -> None:
    (folder / "a.xml").write_bytes((head + body).encode(encoding))


def test_external_entities_are_never_read(folder: Path, into: Path) -> None:
    (folder / "secret.txt").write_text(SECRET, encoding="utf-8")
    head = f'<?xml version="1.0"?><!DOCTYPE r [<!ENTITY x SYSTEM "file://{folder}/secret.txt">]>'
    xml(folder, "<r><p><id>1</id><name>&x;</name></p></r>", head)
    assert fails(SourceHostileError, "xml", folder, into, "a.xml", record="p").problem == "xml_entities"


def test_billion_laughs_are_refused(folder: Path, into: Path) -> None:
    entities = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
    head = f'<?xml version="1.0"?><!DOCTYPE r [<!ENTITY l0 "lol">{entities}]>'
    xml(folder, "<r><p><id>&l9;</id></p></r>", head)
    assert fails(SourceHostileError, "xml", folder, into, "a.xml", record="p").problem == "xml_entities"


@pytest.mark.parametrize(
    "body", ["<id>{}</id>".format("x" * 3000), "<id/>" * 300, "<a>" * 300 + "</a>" * 300], ids=range(3)
)
def test_a_record_without_end_is_refused(folder: Path, into: Path, monkeypatch, body: str) -> None:
    monkeypatch.setattr(xml_files, "MOST_ELEMENTS", 100)
    monkeypatch.setattr(xml_files, "MOST_CHARACTERS", 1000)
    xml(folder, f"<r><p>{body}</p></r>")
    assert fails(SourceHostileError, "xml", folder, into, "a.xml", record="p").problem == "record_bomb"


def test_many_records_take_no_memory(folder: Path, into: Path) -> None:
    record = "<p><id>1</id><name>{}</name><skip><deep>{}</deep></skip></p>\n".format("x" * 50, "y" * 200)
    xml(folder, "<r><other><p2/></other><list>" + record * 24_000 + "</list></r>")
    tracemalloc.start()
    try:
        content = Content("a.xml", partial(opened, folder / "a.xml"), folder / "a.xml", folder)
        records = xml_files._records(content, {"record": "p"})
        assert sum(1 for _ in records) == 24_000
        assert tracemalloc.get_traced_memory()[1] < 6 * 1024 * 1024
    finally:
        tracemalloc.stop()


def test_prefixes_attributes_nil_empty_absent_and_nested(folder: Path, into: Path) -> None:
    xsi = "http://www.w3.org/2001/XMLSchema-instance"
    xml(
        folder,
        f'<e:r xmlns:e="urn:e" xmlns:xsi="{xsi}"><e:p no="7"><e:id>1</e:id><name/><x>a<b>c</b>d</x></e:p>'
        f'<e:p no="8"><e:id xsi:nil="true"/><e:name> 甲 &amp; <![CDATA[<乙>]]> </e:name></e:p></e:r>',
    )
    batch = read("xml", folder, into, "a.xml", "id", "name", "@no", "x", record="p")
    assert [row[1:] for row in landed(batch)] == [
        ("1", "", "7", "a<b>c</b>d"),
        (None, " 甲 & <乙> ", "8", None),
    ]


@pytest.mark.parametrize("encoding", ["gb18030", "gbk", "utf-16", "utf-8-sig"])
def test_declared_encodings(folder: Path, into: Path, encoding: str) -> None:
    declared = encoding.removesuffix("-sig")
    xml(folder, "<r><p><id>1</id><name>镇</name></p></r>", f'<?xml version="1.0" encoding="{declared}"?>', encoding)
    assert landed(read("xml", folder, into, "a.xml", record="p")) == [(1, "1", "镇")]


def test_a_wrongly_declared_encoding_is_an_error(folder: Path, into: Path) -> None:
    xml(folder, "<r><p><id>1</id><name>镇</name></p></r>", '<?xml version="1.0" encoding="utf-8"?>', "gb18030")
    assert fails(SourceEncodingError, "xml", folder, into, "a.xml", record="p").problem == "bad_bytes"


@pytest.mark.parametrize(
    ("body", "error", "problem"),
    [
        ("<r><p><id>1</id><name>2</name></p>", SourceIncompleteError, "truncated"),
        ("<r><p><id>1</id><name>2</nam", SourceIncompleteError, "truncated"),
        ("<r><p><id>1</id><name><![CDATA[2", SourceIncompleteError, "truncated"),
        ("", SourceIncompleteError, "truncated"),
        ("<r><p><id>1</name></p></r>", SourceShapeError, "bad_xml"),
        (f"<r><p><id>1</id><id>{SECRET}</id></p></r>", SourceShapeError, "element_repeated"),
    ],
    ids=range(6),
)
def test_cut_and_broken_xml(folder: Path, into: Path, body: str, error: type[ConnectorError], problem: str) -> None:
    xml(folder, body, "\n" if body else "")
    assert fails(error, "xml", folder, into, "a.xml", record="p").problem == problem
