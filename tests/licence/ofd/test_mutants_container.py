"""The ZIP container of an OFD, field by field: what two readers could read differently is not read at all."""

from __future__ import annotations

import io
import random
import struct
import tracemalloc
import zipfile
import zlib

import pytest

from licence.errors import FormatError
from licence.ofd.container import check_path, pack, unpack

MIB = 1 << 20
LOCAL = ("version", "flags", "method", "time", "date", "crc", "packed", "size", "name_size", "extra_size")
ZEROS = {"crc": 0, "packed": 0, "size": 0}
UNIX, MAC, LINK = 3 << 8, 19 << 8, 0xA000


class Part:
    """One entry, as it is or with fields of its two headers as they should not be."""

    def __init__(self, name, data=b"", *, method=0, flags=0, extra=b"", local=None, central=None, **more):
        self.name, self.extra = name.encode() if isinstance(name, str) else name, extra
        self.raw = more.pop("raw", None)
        if self.raw is None:
            squeeze = zlib.compressobj(wbits=-15)
            self.raw = squeeze.compress(data) + squeeze.flush() if method == 8 else data
        self.behind, self.note = more.pop("behind", b""), more.pop("note", b"")
        numbers = {"crc": zlib.crc32(data), "packed": len(self.raw), "size": len(data)} | more.pop("numbers", {})
        self.numbers = numbers
        common = {"version": 20, "flags": flags, "method": method, "time": 0, "date": 0x21, **numbers}
        common |= {"name_size": len(self.name), "extra_size": len(extra)}
        self.local = {"magic": b"PK\3\4", **common} | (local or {})
        self.central = {"magic": b"PK\1\2", "made": 20, **common, "note_size": len(self.note), "disk": 0, "inner": 0}
        self.central |= {"mode": 0} | (central or {})

    def body(self):
        head = struct.pack("<4s5H3L2H", self.local["magic"], *(self.local[name] for name in LOCAL))
        return head + self.name + self.extra + self.raw + self.behind

    def listed(self, place):
        held = self.central
        head = struct.pack(
            "<4s6H3L5H2L", held["magic"], held["made"], *(held[name] for name in LOCAL), held["note_size"],
            held["disk"], held["inner"], held["mode"], held.get("offset", place),
        )  # fmt: skip
        return head + self.name + self.extra + self.note


def built(*parts, order=None, before=b"", gap=b"", behind_list=b"", **end):
    """A container of *parts*; *end*: fields of its last record as they should not be."""
    body, places = before, []
    for part in parts:
        places.append(len(body))
        body += part.body()
    body += gap
    listing = b"".join(parts[n].listed(places[n]) for n in order or range(len(parts))) + behind_list
    fields = {
        "magic": b"PK\5\6", "disk": 0, "first": 0, "here": len(parts), "count": len(parts), "length": len(listing),
        "start": len(body), "comment": 0,
    } | end  # fmt: skip
    return body + listing + struct.pack("<4s4H2LH", *fields.values())


def said(data):
    """The code of a refusal, and its detail or place."""
    with pytest.raises(FormatError) as caught:
        unpack(data)
    assert caught.value.text("zh") != caught.value.text("en")
    params = caught.value.finding_params
    return caught.value.code, params.get("detail", params.get("place", params.get("limit")))


def entry(detail):
    return "ofd_zip_entry", detail


A, B = Part("a", b"one"), Part("b", b"other")


class TestWriting:
    def test_the_bytes_are_these(self):
        assert pack({"a": b"one", "b": b"other"}) == built(A, B)
        assert pack({}) == b"PK\5\6" + bytes(18)
        with zipfile.ZipFile(io.BytesIO(pack({"a/b": b"one"}))) as archive:
            (info,) = archive.infolist()
            assert (info.filename, info.date_time, info.extract_version) == ("a/b", (1980, 1, 1, 0, 0, 0), 20)
            assert archive.testzip() is None

    def test_only_what_we_write_ourselves_is_canonical(self):
        assert unpack(pack({"a": b"one", "b": b"other"})).canonical
        for other in (
            built(A, Part("b/")),
            built(A, B, order=(1, 0)),
            built(Part("a", b"one", method=8)),
            built(Part("文", b"one")),
            built(Part("a", b"one", local={"time": 1})),
            built(Part("a", b"one", extra=struct.pack("<2H", 9, 0))),
        ):
            assert not unpack(other).canonical


class TestReading:
    def test_files_come_in_the_order_of_the_directory(self):
        found = unpack(built(A, B, Part("d/"), Part("d/文", b"x", method=8), order=(3, 2, 1, 0)))
        assert list(found.files.items()) == [("d/文", b"x"), ("b", b"other"), ("a", b"one")]

    def test_a_directory_holds_nothing(self):
        assert said(built(A, Part("d/", b"x"))) == entry("directory with data")

    def test_a_container_has_64_mebibytes_at_most(self):
        assert said(bytes(64 * MIB))[0] == "ofd_not_zip"
        assert said(bytes(64 * MIB + 1)) == ("too_large", str(64 * MIB))

    def test_an_entry_has_32_mebibytes_and_all_have_128(self):
        # The bytes are not there: what is declared too large is refused before they are asked for.
        def declared(*sizes):
            parts = [Part(f"f{n}", numbers={"size": size}) for n, size in enumerate(sizes)]
            return said(built(*parts))

        far = ("ofd_expands_too_far", str(128 * MIB))
        assert declared(32 * MIB) == entry("size or checksum")
        assert declared(32 * MIB + 1) == far
        assert declared(*[32 * MIB] * 4) == entry("size or checksum")
        assert declared(*[32 * MIB] * 4, 1) == far

    def test_there_are_4096_entries_at_most_and_one_at_least(self):
        def many(count):
            return pack({f"f{n}": b"" for n in range(count)})

        assert len(unpack(many(4096)).files) == 4096
        assert said(many(4097)) == ("ofd_too_many_entries", "4096")
        assert said(many(0)) == ("ofd_too_many_entries", "4096")


class TestEndRecord:
    def test_it_is_there_and_has_no_comment(self):
        assert said(b"") == said(bytes(21)) == said(bytes(22)) == ("ofd_not_zip", None)
        assert said(built(A, magic=b"PK\5\7")) == said(built(A, comment=1)) == ("ofd_not_zip", None)

    @pytest.mark.parametrize("changes", [{"disk": 1}, {"first": 1}, {"here": 0}, {"count": 2}, {"length": 46}])
    def test_its_fields_agree(self, changes):
        data = built(A, **changes)
        assert said(data) == ("ofd_zip_gap", str(len(data) - 22))

    def test_the_directory_ends_where_it_begins_and_with_its_last_entry(self):
        good = built(A, B)
        start = len(good) - 22 - 2 * 47
        for shift in (-1, 1):
            assert said(built(A, B, start=start + shift)) == ("ofd_zip_gap", str(len(good) - 22))
        assert said(built(A, behind_list=b"x")) == ("ofd_zip_gap", str(len(built(A)) - 22))

    def test_as_many_entries_are_listed_as_it_says(self):
        fewer = built(A, B, here=3, count=3)
        assert said(fewer) == ("ofd_zip_gap", str(len(fewer) - 22))
        more = built(A, B, here=1, count=1)
        assert said(more) == ("ofd_zip_gap", str(len(more) - 22 - 47))


class TestDirectory:
    def test_each_entry_begins_with_its_mark_and_ends_in_time(self):
        at = str(len(A.body()) + 46)
        assert said(built(Part("a", b"one", central={"magic": b"PK\1\3"}))) == ("ofd_zip_gap", at)
        for field in ("name_size", "extra_size", "note_size"):
            data = built(Part("a", b"one", central={field: 2}))
            assert said(data) == ("ofd_zip_gap", at)

    def test_comments_and_other_disks_are_refused(self):
        for part in (Part("a", b"one", note=b"x"), Part("a", b"one", central={"disk": 1})):
            assert said(built(part)) == entry("comment or second disk")

    def test_links_of_systems_that_have_them_are_refused(self):
        def of(made, mode):
            return built(Part("a", b"one", central={"made": made | 20, "mode": mode << 16}))

        for made in (UNIX, MAC):
            assert said(of(made, LINK | 0o777)) == entry("symbolic link")
            for mode in (0o100644, 0o40755, 0):
                assert unpack(of(made, mode)).files == {"a": b"one"}
        for made in (0, 2 << 8, 4 << 8, 18 << 8):
            assert unpack(of(made, LINK | 0o777)).files == {"a": b"one"}


class TestEntries:
    def test_they_lie_one_behind_the_other(self):
        body = len(A.body())
        assert said(built(A, before=b"x")) == ("ofd_zip_gap", "0")
        assert said(built(A, B, gap=b"x")) == ("ofd_zip_gap", str(body + len(B.body())))
        assert said(built(A, Part("b", b"other", central={"offset": body - 1}))) == ("ofd_zip_gap", str(body))
        assert said(built(A, Part("b", b"other", central={"offset": body + 1}))) == ("ofd_zip_gap", str(body))
        assert said(built(A, Part("b", b"other", central={"offset": 0}))) == ("ofd_zip_gap", str(body))

    def test_they_end_before_the_directory(self):
        listed = A.listed(0)
        for size, place in ((0, "0"), (29, "0"), (30, "30")):
            end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 1, 1, len(listed), size, 0)
            assert said(bytes(size) + listed + end) == ("ofd_zip_gap", place)
        long = Part("a", b"one", numbers={"packed": 4, "size": 4})
        assert said(built(long)) == ("ofd_zip_gap", "30")
        for changes in ({"magic": b"PK\3\5"}, {"name_size": 5}, {"extra_size": 1}):
            assert said(built(Part("a", b"one", local=changes))) == ("ofd_zip_gap", "30")

    def test_both_headers_give_one_name(self):
        body, listed = A.body(), Part("c", b"one").listed(0)
        end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 1, 1, len(listed), len(body), 0)
        assert said(body + listed + end) == ("ofd_zip_gap", "30")

    @pytest.mark.parametrize(
        "changes",
        [{"flags": 2}, {"method": 8}, {"crc": 1}, {"packed": 2}, {"size": 4}, {"crc": 0, "packed": 0, "size": 0}],
    )
    def test_both_headers_say_the_same(self, changes):
        assert said(built(Part("a", b"one", local=changes))) == entry("two headers differ")

    @pytest.mark.parametrize("flag", [0x1, 0x20, 0x40, 0x2000])
    def test_what_is_encrypted_or_patched_is_refused(self, flag):
        assert said(built(Part("a", b"one", flags=flag))) == entry("encrypted or patched")

    @pytest.mark.parametrize("flag", [0x2, 0x4, 0x10, 0x80, 0x800, 0x1000])
    def test_other_flags_are_hints(self, flag):
        assert unpack(built(Part("a", b"one", flags=flag))).files == {"a": b"one"}

    def test_size_and_checksum_are_those_of_the_content(self):
        for method in (0, 8):
            for numbers in ({"crc": 1}, {"size": 2}, {"size": 4}, {"size": 0}):
                part = Part("a", b"one", method=method, numbers=numbers)
                assert said(built(part)) == entry("size or checksum")

    @pytest.mark.parametrize("size", [0, 1, 2, 3, 100, 70_000])
    def test_compressed_content_of_each_size_is_read(self, size):
        assert unpack(built(Part("a", bytes(size), method=8))).files == {"a": bytes(size)}
        if size:
            for declared in (size - 1, size + 1):
                part = Part("a", bytes(size), method=8, numbers={"size": declared})
                assert said(built(part)) == entry("size or checksum")

    def test_compressed_content_may_refer_as_far_back_as_the_format_allows(self):
        far = random.Random(5).randbytes(32_000) * 2
        part = Part("a", far, method=8)
        assert len(part.raw) < 33_000
        assert unpack(built(part)).files == {"a": far}

    def test_what_is_declared_empty_is_not_expanded(self):
        data = built(Part("a", bytes(16 * MIB), method=8, numbers={"size": 0}))
        tracemalloc.start()
        try:
            assert said(data) == entry("size or checksum")
            assert tracemalloc.get_traced_memory()[1] < MIB
        finally:
            tracemalloc.stop()

    def test_content_is_stored_or_deflated_to_its_end_and_no_further(self):
        good = Part("a", b"one", method=8).raw
        for raw, detail in (
            (good[:-1], "size or checksum"),
            (good + b"x", "size or checksum"),
            (b"\xff" + good, "compressed data"),
        ):
            assert said(built(Part("a", b"one", method=8, raw=raw))) == entry(detail)
        for method in (1, 9, 12):
            assert said(built(Part("a", b"one", method=method))) == entry("compression method")


class TestDescriptors:
    def streamed(self, behind, local=None, data=b"one"):
        return Part("a", data, flags=8, behind=behind, local=local)

    def test_numbers_may_stand_behind_the_content_with_or_without_a_mark(self):
        plain = struct.pack("<3L", zlib.crc32(b"one"), 3, 3)
        for behind in (plain, b"PK\7\x08" + plain):
            for local in (None, ZEROS):
                found = unpack(built(self.streamed(behind, local), B))
                assert found.files == {"a": b"one", "b": b"other"}
                assert unpack(built(self.streamed(behind, local))).files == {"a": b"one"}

    def test_they_are_there_and_the_same(self):
        plain = struct.pack("<3L", zlib.crc32(b"one"), 3, 3)
        for behind in (b"", plain[:-1], struct.pack("<3L", zlib.crc32(b"one"), 3, 4), b"PK\7\x09" + plain):
            assert said(built(self.streamed(behind, ZEROS))) == entry("data descriptor")
        assert said(built(self.streamed(plain, {"crc": 0, "packed": 0}))) == entry("two headers differ")
        # Without the flag nothing may stand there.
        assert said(built(Part("a", b"one", behind=plain)))[0] == "ofd_zip_gap"


class TestExtraFields:
    def field(self, number, data=b"", size=None):
        return struct.pack("<2H", number, len(data) if size is None else size) + data

    def test_fields_that_change_nothing_are_passed_by(self):
        for extra in (self.field(9), self.field(9, b"xyz"), self.field(9, b"x") + self.field(0x5455, b"\1\0\0\0\0")):
            assert unpack(built(Part("a", b"one", extra=extra), B)).files == {"a": b"one", "b": b"other"}

    @pytest.mark.parametrize("where", ["both", "central", "local"])
    def test_names_sizes_and_broken_fields_are_refused(self, where):
        for extra in (
            self.field(1),
            self.field(1, bytes(8)),
            self.field(0x7075, b"x"),
            self.field(9) + self.field(1),
            b"\x09",
            b"\x09\0\0",
            self.field(9, size=1),
            self.field(9, b"xy", size=3),
            self.field(9, b"xy", size=1),
        ):
            part = Part("a", b"one", extra=extra)
            data = built(part)
            if where == "central":
                part.extra, part.local["extra_size"] = b"", 0
                body = part.body()
                part.extra = extra
                listed = part.listed(0)
                data = body + listed + struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 1, 1, len(listed), len(body), 0)
            elif where == "local":
                body = part.body()
                part.extra, part.central["extra_size"] = b"", 0
                listed = part.listed(0)
                data = body + listed + struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 1, 1, len(listed), len(body), 0)
            assert said(data) == entry("extra field")


class TestNames:
    def test_a_name_is_utf_8_of_512_bytes_at_most(self):
        for name in ("x" * 512, "文" * 170):
            assert list(unpack(built(Part(name))).files) == [name]
        for name in (b"", b"x" * 513, b"\xff", b"/", b"a//", b"/a"):
            assert said(built(Part(name)))[0] == "ofd_bad_path"

    @pytest.mark.parametrize("path", ["a", "a/b", ".a", "..a", "a b", "a.b/c", "文", "a-b_c+d(1)"])
    def test_plain_paths_are_plain(self, path):
        check_path(path)

    @pytest.mark.parametrize(
        "path",
        [
            "", "/", "/a", "a/", "a//b", ".", "..", "./a", "a/..", "a/./b", " a", "a ", "a/ b", "a /b", "a.", "a./b",
            *(f"a{c}b" for c in '\\:*?"<>|\0\n\x7f\u200b\u202e'),
        ],
    )  # fmt: skip
    def test_paths_that_some_system_reads_differently_are_refused(self, path):
        with pytest.raises(FormatError) as caught:
            check_path(path)
        assert caught.value.code == "ofd_bad_path"

    @pytest.mark.parametrize(
        "names",
        [
            ("a", "a"), ("a", "A"), ("ß", "SS"), ("a", "\uff41"), ("d/", "d/"), ("d", "d/"), ("D/", "d"),
            ("d", "d/a"), ("D", "d/a"), ("d/a", "d/a/b"), ("d", "d/a/b"), ("d/a/b", "x", "d"),
        ],
    )  # fmt: skip
    def test_names_that_some_system_takes_for_one_are_refused(self, names):
        assert said(built(*map(Part, names))) == ("ofd_duplicate_name", None)

    def test_a_directory_may_be_listed_and_hold_files(self):
        found = unpack(built(*map(Part, ("d/", "d/a", "d/e/", "d/e/b", "da"))))
        assert list(found.files) == ["d/a", "d/e/b", "da"]
