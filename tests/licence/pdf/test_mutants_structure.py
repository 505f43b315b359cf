"""The structure of PDF files: sections, tables, streams and objects in them, each limit and each way to be broken."""

from __future__ import annotations

import zlib

import pytest

from licence.errors import FormatError
from licence.pdf import structure
from licence.pdf.objects import Ref, Stream
from licence.pdf.structure import Entry, closing_of, read

HEAD = b"%PDF-1.7\n"
CATALOG = b"<</Type/Catalog>>"


def body(number, content, generation=0):
    return b"%d %d obj\n%s\nendobj\n" % (number, generation, content)


def stream(data, entries=b""):
    return b"<<%s/Length %d>>\nstream\n%s\nendstream" % (entries, len(data), data)


def end(start):
    return b"startxref\n%d\n%%%%EOF" % start


def tabled(objects=None, *, base=HEAD, trailer=b"/Root 1 0 R", rows=None, table=None, generations=None):
    """A file, or one more revision of *base*, with a table; *rows* are {number: (offset, generation, kind)} beside."""
    data, places = bytearray(base), {}
    for number, content in ({1: CATALOG} if objects is None else objects).items():
        generation = (generations or {}).get(number, 0)
        places[number] = (len(data), generation, b"n")
        data += body(number, content, generation)
    start = len(data)
    if base != HEAD:
        trailer += b"/Prev %d" % int(base.rsplit(b"startxref\n", 1)[1].split()[0])
    if table is None:
        table = b"".join(b"%d 1\n%010d %05d %s \n" % (n, *r) for n, r in sorted((places | (rows or {})).items()))
    data += b"xref\n" + table + b"trailer\n<<%s>>\n" % trailer
    return bytes(data) + end(start)


def crossed(objects=None, *, rows=(), widths=(1, 2, 1), index=None, entries=b"/Root 1 0 R", own=9, base=HEAD,
            packed=None, kind=b"/Type/XRef", size=10):  # fmt: skip
    """A file whose section is a stream; *rows* are {number: (kind, field, field)} beside those of *objects*."""
    data, table = bytearray(base), {}
    for number, content in ({1: CATALOG} if objects is None else objects).items():
        table[number] = (1, len(data), 0)
        data += body(number, content)
    start = len(data)
    if base != HEAD:
        entries += b"/Prev %d" % int(base.rsplit(b"startxref\n", 1)[1].split()[0])
    table |= dict(rows)
    raw = b"".join(
        b"".join(v.to_bytes(width, "big") for v, width in zip(row, widths, strict=True))
        for _, row in sorted(table.items())
    )
    listed = b" ".join(b"%d 1" % n for n in sorted(table)) if index is None else index
    shape = b"%s/W[%s]/Index[%s]/Size %d" % (kind, b" ".join(b"%d" % w for w in widths), listed, size)
    if index == b"":
        shape = shape.replace(b"/Index[]", b"")
    content, filters = (raw, b"") if packed is None else packed(raw)
    return bytes(data) + body(own, stream(content, shape + entries + filters)) + end(start)


def refused(data, code="pdf_invalid"):
    with pytest.raises(FormatError) as caught:
        read(data)
    return said(caught, code)


def said(caught, code="pdf_invalid"):
    assert caught.value.code == code
    return caught.value.finding_params.get("detail")


def not_got(data, number=3, code="pdf_invalid"):
    file = read(data)
    with pytest.raises(FormatError) as caught:
        file.get(Ref(number, 0))
    return said(caught, code)


class TestFrame:
    @pytest.mark.parametrize("version", [*(b"1.%d" % n for n in range(8)), b"2.0"])
    @pytest.mark.parametrize("line", [b"\n", b"\r"])
    def test_begins_with_a_version(self, version, line):
        data = tabled().replace(b"%PDF-1.7\n", b"%PDF-" + version + line)
        assert read(data).catalog() == {"Type": "Catalog"}

    @pytest.mark.parametrize(
        "head", [b"%PDF-1.8\n", b"%PDF-2.1\n", b"%PDF-1.7 ", b"%PDF-1.7", b"\n%PDF-1", b"%pdf-1.7\n"]
    )
    def test_of_another_version_is_refused(self, head):
        refused(tabled().replace(HEAD, head.ljust(9, b"x") if len(head) < 9 else head), "pdf_not_pdf")

    def test_is_no_longer_than_readers_take(self, monkeypatch):
        assert structure.MAX_FILE_BYTES == 32 << 20
        data = tabled()
        monkeypatch.setattr(structure, "MAX_FILE_BYTES", len(data))
        read(data)
        monkeypatch.setattr(structure, "MAX_FILE_BYTES", len(data) - 1)
        with pytest.raises(FormatError) as caught:
            read(data)
        assert (caught.value.code, caught.value.finding_params) == (
            "too_large",
            {"what": "PDF", "limit": str(len(data) - 1)},
        )

    @pytest.mark.parametrize("after", [b"", b"\n", b"\r", b"\r\n"])
    def test_ends_with_its_mark_and_one_line_end(self, after):
        assert read(tabled() + after).catalog()

    @pytest.mark.parametrize("after", [b"\n\n", b" ", b"x", b"\n\r", b"%%EOF", b"\0"])
    def test_more_behind_it_is_refused(self, after):
        refused(tabled() + after, "pdf_no_end")

    def test_the_mark_is_looked_for_in_the_last_bytes(self):
        data = tabled()
        start = int(data.rsplit(b"startxref\n", 1)[1].split()[0])
        cut = data[: data.rindex(b"startxref")]
        number = b"%d" % start
        rest = 64 - len(b"startxref") - len(number) - len(b"%%EOF")
        good = cut + b"startxref" + b"\n" * (rest - 1) + number + b"\n%%EOF"
        assert read(good).catalog()
        refused(cut + b"startxref" + b"\n" * rest + number + b"\n%%EOF", "pdf_no_end")
        refused(cut + b"startxref%%EOF", "pdf_no_end")

    @pytest.mark.parametrize("place", [0, 9, 10**6])
    def test_points_to_a_section(self, place):
        data = tabled()
        assert refused(data[: data.rindex(b"startxref")] + end(place)) == "cross-reference"

    def test_that_is_encrypted_is_refused(self):
        refused(tabled(trailer=b"/Root 1 0 R/Encrypt<<>>"), "pdf_encrypted")
        old = tabled(trailer=b"/Root 1 0 R/Encrypt null") + b"\n"
        refused(tabled({}, base=old), "pdf_encrypted")


class TestRevisions:
    def test_are_read_from_the_last_to_the_first(self):
        first = tabled({1: CATALOG, 3: b"3", 4: b"4"}) + b"\n"
        second = tabled({3: b"33"}, base=first, rows={4: (0, 1, b"f")}) + b"\n"
        file = read(second)
        assert [s.own for s in file.sections] == [0, 0]
        assert (file.get(Ref(3, 0)), file.get(Ref(3, 0), 1)) == (33, 3)
        assert (file.get(Ref(4, 0)), file.get(Ref(4, 0), 1)) == (None, 4)
        assert (file.entry(4), file.entry(4, 1)) == (None, file.sections[1].entries[4])
        assert file.entry(7) is None
        assert file.entry(3, 2) is None
        assert file.sections[0].offset == second.rindex(b"xref\n3")
        assert closing_of(file, file.sections[0]) == len(second)
        assert closing_of(file, file.sections[1]) == len(first)

    @pytest.mark.parametrize("previous", [b"-1", b"9", b"1.0", b"true", b"(9)", b"[9]", b"1000000"])
    def test_that_point_to_no_section_are_refused(self, previous):
        assert refused(tabled(trailer=b"/Root 1 0 R/Prev " + previous)) == "cross-reference"

    def test_in_a_ring_are_refused(self):
        data = tabled(trailer=b"/Root 1 0 R/Prev 00000")
        start = int(data.rsplit(b"startxref\n", 1)[1].split()[0])
        assert refused(data.replace(b"/Prev 00000", b"/Prev %05d" % start)) == "cross-reference"

    def test_are_64_at_most(self, monkeypatch):
        assert (structure.MAX_REVISIONS, structure.MAX_OBJECTS) == (64, 200_000)
        data = tabled()
        for _ in range(3):
            data = tabled({3: b"3"}, base=data + b"\n")
        monkeypatch.setattr(structure, "MAX_REVISIONS", 4)
        assert len(read(data).sections) == 4
        monkeypatch.setattr(structure, "MAX_REVISIONS", 3)
        assert refused(data) == "cross-reference"
        monkeypatch.setattr(structure, "MAX_REVISIONS", 64)
        monkeypatch.setattr(structure, "MAX_OBJECTS", 4)
        assert len(read(data).sections) == 4
        monkeypatch.setattr(structure, "MAX_OBJECTS", 3)
        assert refused(data) == "cross-reference"

    @pytest.mark.parametrize(
        "ending",
        [b"startxref\n0\n%%EOF\n", b"startxref\n%d\n%%EO\n", b"(x)startxref\n%d\n%%EOF\n", b"startxref %d%%EOF\n"],
    )
    def test_one_that_does_not_end_as_it_should_is_told(self, ending):
        data = tabled()
        start = data.rindex(b"xref\n1")
        first = data[: data.rindex(b"startxref")] + ending.replace(b"%d", b"%d" % start)
        file = read(tabled({3: b"3"}, base=first + end(start) + b"\n"))
        with pytest.raises(FormatError) as caught:
            closing_of(file, file.sections[1])
        assert said(caught) == "cross-reference"

    @pytest.mark.parametrize("space", [b"\n", b" %c\n", b"\0\t\f"])
    def test_white_space_may_stand_before_the_end(self, space):
        data = tabled()
        start = data.rindex(b"xref\n1")
        first = data[: data.rindex(b"startxref")] + space + b"startxref \r\n%d \n%%%%EOF\r\n" % start
        file = read(tabled({3: b"3"}, base=first + end(start) + b"\n"))
        assert closing_of(file, file.sections[1]) == len(first)


class TestTable:
    def test_lists_places_generations_and_what_is_free(self):
        text = b"0 3\n0000000000 65535 f \n0000000009 00000 n \n0000000123 00004 n\r\n7 1\r\n0000000007 00001 f \r"
        (section,) = read(tabled(table=text)).sections
        assert section.entries == {
            0: Entry(0, 65535, free=True),
            1: Entry(9, 0),
            2: Entry(123, 4),
            7: Entry(7, 1, free=True),
        }
        assert (section.trailer, section.own) == ({"Root": Ref(1, 0)}, 0)
        data = tabled(table=text)
        assert data[section.offset : section.offset + 5] == b"xref\n"
        assert data[: section.end].endswith(b">>")

    def test_may_be_empty(self):
        file = read(tabled({}, base=tabled() + b"\n", table=b""))
        assert file.sections[0].entries == {}
        assert file.catalog() == {"Type": "Catalog"}

    @pytest.mark.parametrize(
        "text",
        [
            b"1 1\n0000000009 00000 n\n",
            b"1 1\n0000000009 00000 n  ",
            b"1 1\n000000009 00000 n \n ",
            b"1 1\n0000000009 0000 n \n ",
            b"1 1\n0000000009 00000 x \n",
            b"1 1\n0000000009_00000 n \n",
            b"1 2\n0000000009 00000 n \n",
            b"1 1\n0000000009 00000 n \n1 1\n0000000009 00000 n \n",
            b"1 2\n0000000009 00000 n \n0000000009 00000 n \n2 1\n0000000009 00000 n \n",
            b"1 200001\n0000000009 00000 n \n",
        ],
    )
    def test_with_a_broken_entry_is_refused(self, text):
        assert refused(tabled(table=text)) == "cross-reference"

    @pytest.mark.parametrize(
        "text", [b"1 0\n0000000009 00000 n \n", b"1  1\n0000000009 00000 n \n", b"1\n", b"1 1 x\n", b"%c\n", b"x"]
    )
    def test_that_does_not_lead_to_its_trailer_is_refused(self, text):
        assert refused(tabled(table=text)) == "trailer"

    def test_lists_no_more_than_allowed(self, monkeypatch):
        rows = b"%d 2\n" + b"0000000009 00000 n \n" * 2
        text = rows % 1 + rows % 3
        monkeypatch.setattr(structure, "MAX_OBJECTS", 4)
        assert len(read(tabled(table=text)).sections[0].entries) == 4
        monkeypatch.setattr(structure, "MAX_OBJECTS", 3)
        assert refused(tabled(table=text)) == "cross-reference"
        assert refused(tabled(table=b"1 4\nx")) == "cross-reference"

    @pytest.mark.parametrize("trailer", [b"[]", b"1", b"null"])
    def test_has_a_dictionary_for_a_trailer(self, trailer):
        data = tabled(trailer=b"")
        assert refused(data.replace(b"<<>>\nstartxref", trailer + b"\nstartxref")) == "trailer"

    def test_a_trailer_has_64_kib_at_most(self, monkeypatch):
        assert structure.MAX_TRAILER_BYTES == 64 << 10
        monkeypatch.setattr(structure, "MAX_TRAILER_BYTES", 20)
        assert read(tabled())
        assert refused(tabled(trailer=b"/Root 1 0 R/A 1/B 2")) == "nesting"

    @pytest.mark.parametrize("space", [b"", b" ", b"\t\r\n\0\f"])
    def test_white_space_may_stand_before_the_trailer(self, space):
        assert read(tabled(table=b"1 1\n0000000009 00000 n \n" + space)).catalog()

    @pytest.mark.parametrize("head", [b"xref \t\n", b"xref\r\n", b"xref\r"])
    def test_begins_with_its_word_and_a_line_end(self, head):
        assert read(tabled().replace(b"xref\n1 1", head + b"1 1")).catalog()
        refused(tabled().replace(b"xref\n1 1", b"xref 1 1"))


class TestHybrid:
    def file(self, rows, stream_rows, word=b"/XRefStm %d"):
        """A table with *rows* and a hidden stream with *stream_rows*."""
        data = bytearray(HEAD + body(1, CATALOG) + body(3, b"3") + body(4, b"4"))
        hidden = len(data)
        raw = b"".join(k.to_bytes(1, "big") + a.to_bytes(2, "big") + b"\0" for k, a in stream_rows.values())
        index = b" ".join(b"%d 1" % n for n in stream_rows)
        data += body(9, stream(raw, b"/Type/XRef/W[1 2 1]/Size 10/Index[%s]/Encrypt 1/Prev 5" % index))
        start = len(data)
        data += b"xref\n" + b"".join(b"%d 1\n%010d 00000 %s \n" % (n, *r) for n, r in rows.items())
        data += b"trailer\n<</Root 1 0 R%s>>\n" % (word % hidden if b"%d" in word else word) + end(start)
        return bytes(data)

    def test_what_the_table_says_is_free_may_stand_in_the_stream_and_nothing_else(self):
        three, four = len(HEAD + body(1, CATALOG)), len(HEAD + body(1, CATALOG) + body(3, b"3"))
        rows = {1: (9, b"n"), 3: (0, b"f"), 4: (four, b"n"), 5: (0, b"f")}
        file = read(self.file(rows, {3: (1, three), 4: (1, three), 6: (1, 7)}))
        (section,) = file.sections
        assert section.entries == {
            1: Entry(9),
            3: Entry(three),
            4: Entry(four),
            5: Entry(0, free=True),
            6: Entry(7),
        }
        assert (section.own, "Prev" in section.trailer) == (0, False)
        assert file.get(Ref(3, 0)) == 3

    @pytest.mark.parametrize(
        "word", [b"/XRefStm -1", b"/XRefStm 100000", b"/XRefStm(x)", b"/XRefStm 1.0", b"/XRefStm 0"]
    )
    def test_that_points_to_none_is_refused(self, word):
        assert refused(self.file({1: (9, b"n")}, {3: (1, 9)}, word)) == "cross-reference"

    def test_the_border_of_the_file(self):
        data = self.file({1: (9, b"n")}, {3: (1, 9)}, b"/XRefStm 00000")
        for place in (len(data), len(data) - 1):
            assert refused(data.replace(b"/XRefStm 00000", b"/XRefStm %05d" % place)) == "cross-reference"


def deflated(raw):
    return zlib.compress(raw), b"/Filter/FlateDecode"


class TestStreamSection:
    def test_lists_the_three_kinds(self):
        rows = {0: (0, 0, 255), 3: (2, 5, 7), 4: (1, 300, 2)}
        (section,) = read(crossed(rows=rows)).sections
        assert section.entries == {
            0: Entry(0, free=True),
            1: Entry(9),
            3: Entry(7, container=5),
            4: Entry(300, 2),
        }
        assert (section.own, section.trailer["Root"]) == (9, Ref(1, 0))
        data = crossed(rows=rows)
        assert data[section.offset :].startswith(b"9 0 obj")
        assert data[: section.end].endswith(b"endobj")

    def test_without_a_field_for_the_kind_all_are_places(self):
        data = HEAD + body(1, CATALOG)
        raw = (9).to_bytes(2, "big") + b"\0"
        shape = b"/Type/XRef/W[0 2 1]/Index[1 1]/Size 2/Root 1 0 R"
        file = read(data + body(9, stream(raw, shape)) + end(len(data)))
        assert file.sections[0].entries == {1: Entry(9)}

    def test_without_an_index_all_numbers_are_listed(self):
        file = read(crossed(rows={0: (0, 0, 0)}, index=b"", size=2))
        assert set(file.sections[0].entries) == {0, 1}

    @pytest.mark.parametrize("index", [b"1", b"1 1 2", b"1 2", b"1 0", b"-1 1", b"1 1.0", b"1 true", b"1 (1)", b" ",
                                       b"0 0 1 2", b"4294967297 1"])  # fmt: skip
    def test_an_index_that_does_not_fit_is_refused(self, index):
        assert refused(crossed(index=index)) == "cross-reference"

    def test_an_index_of_nothing_is_none(self):
        assert refused(crossed({}, index=b" ")) == "cross-reference"

    def test_an_index_may_reach_far(self):
        assert set(read(crossed(index=b"4294967296 1")).sections[0].entries) == {1 << 32}

    def test_a_number_listed_twice_is_refused(self):
        assert refused(crossed(rows={3: (1, 9, 0)}, index=b"1 1 1 1")) == "cross-reference"

    @pytest.mark.parametrize("row", [(3, 9, 0), (2, 0, 0), (255, 1, 1)])
    def test_a_row_of_no_kind_is_refused(self, row):
        assert refused(crossed(rows={3: row})) == "cross-reference"

    @pytest.mark.parametrize("widths", [(1, 2, 1, 0), (1, 9, 1), (0, 0, 0)])
    def test_widths_that_cannot_be_are_refused(self, widths):
        shape = b"/Type/XRef/W[%s]/Index[1 1]/Size 2/Root 1 0 R" % b" ".join(b"%d" % w for w in widths)
        data = HEAD + body(1, CATALOG)
        raw = bytes(sum(widths)) if sum(widths) < 11 else b"\1" + bytes(7) + b"\x09\0\0"[:3]
        assert refused(data + body(9, stream(raw, shape)) + end(len(data))) == "cross-reference"

    @pytest.mark.parametrize(
        "widths", [b"/W[1 -1 1]", b"/W[1 2]", b"/W[1 2.0 1]", b"/W 3", b"", b"/W[]", b"/W[1 true 1]"]
    )
    def test_widths_of_another_form_are_refused(self, widths):
        data = HEAD + body(1, CATALOG)
        shape = widths + b"/Type/XRef/Index[1 1]/Size 2/Root 1 0 R"
        assert refused(data + body(9, stream(b"\1\0\x09\0", shape)) + end(len(data))) == "cross-reference"

    def test_fields_have_eight_bytes_at_most(self):
        assert read(crossed(widths=(8, 8, 8))).catalog()

    @pytest.mark.parametrize("kind", [b"", b"/Type/ObjStm", b"/Type(XRef)"])
    def test_of_another_type_is_none(self, kind):
        assert refused(crossed(kind=kind)) == "cross-reference"

    def test_one_that_is_no_stream_is_none(self):
        data = HEAD + body(1, CATALOG)
        assert refused(data + body(9, b"<</Type/XRef>>") + end(len(data))) == "cross-reference"
        assert refused(data + b"x" + end(len(data))) == "cross-reference"

    def test_its_length_is_its_own(self):
        data = crossed().replace(b"/Length 4", b"/Length 1 0 R")
        assert refused(data) == "stream"

    def test_its_dictionary_is_bounded(self, monkeypatch):
        monkeypatch.setattr(structure, "MAX_TRAILER_BYTES", 40)
        assert refused(crossed()) == "nesting"

    def test_lists_no_more_than_allowed(self, monkeypatch):
        rows = dict.fromkeys((3, 4), (1, 9, 0))
        monkeypatch.setattr(structure, "MAX_OBJECTS", 4)
        assert len(read(crossed(rows=rows, index=b"1 1 3 2")).sections[0].entries) == 3
        monkeypatch.setattr(structure, "MAX_OBJECTS", 3)
        assert len(read(crossed(rows=rows, index=b"1 3")).sections[0].entries) == 3
        assert refused(crossed(rows=rows, index=b"1 1 3 2")) == "cross-reference"
        assert refused(crossed(rows=rows, index=b"1 4")) == "cross-reference"
        monkeypatch.setattr(structure, "MAX_OBJECTS", 2)
        assert refused(crossed(rows=rows, index=b"1 3")) == "cross-reference"

    def test_its_own_number_is_the_objects(self):
        assert read(crossed(own=7)).sections[0].own == 7


class TestFilters:
    def unpacked(self, content, entries, **more):
        return crossed(packed=lambda raw: (content(raw), entries), **more)

    @pytest.mark.parametrize(
        "entries",
        [
            b"/Filter/FlateDecode",
            b"/Filter[/FlateDecode]",
            b"/Filter/FlateDecode/DecodeParms<<>>",
            b"/Filter/FlateDecode/DecodeParms[<<>>]",
            b"/Filter/FlateDecode/DecodeParms<</Columns 4>>",
            b"/Filter/FlateDecode/DecodeParms null",
            b"/Filter/FlateDecode/DecodeParms<</Predictor 1/Columns 0>>",
        ],
    )
    def test_flate_is_undone(self, entries):
        assert read(self.unpacked(zlib.compress, entries)).catalog()

    @pytest.mark.parametrize(
        "entries",
        [
            b"/Filter/LZWDecode",
            b"/Filter(FlateDecode)",
            b"/Filter[]",
            b"/Filter[/FlateDecode/FlateDecode]",
            b"/Filter/FlateDecode/DecodeParms 1",
            b"/Filter/FlateDecode/DecodeParms[<<>> <<>>]",
            b"/Filter/FlateDecode/DecodeParms<</Predictor 2>>",
            b"/Filter/FlateDecode/DecodeParms<</Predictor 9/Columns 4>>",
            b"/Filter/FlateDecode/DecodeParms<</Predictor 12.0/Columns 4>>",
            b"/Filter/FlateDecode/DecodeParms<</Predictor(x)>>",
            b"/Filter/FlateDecode/DecodeParms<</Predictor 12/Columns 4.0>>",
            b"/Filter/FlateDecode/DecodeParms<</Predictor 12/Columns(x)>>",
        ],
    )
    def test_other_filters_are_refused(self, entries):
        rows = {3: (1, 9, 0), 4: (1, 9, 0), 5: (1, 9, 0), 6: (1, 9, 0)}
        assert refused(self.unpacked(lambda raw: zlib.compress(predicted(raw, 4)), entries, rows=rows)) == "filter"

    @pytest.mark.parametrize("broken", [lambda raw: b"junk" + raw, lambda raw: zlib.compress(raw)[:-1], lambda _: b""])
    def test_a_stream_that_does_not_unpack_is_refused(self, broken):
        assert refused(self.unpacked(broken, b"/Filter/FlateDecode")) == "filter"

    @pytest.mark.parametrize("predictor", [10, 11, 12, 15])
    def test_predictors_none_and_up_are_undone(self, predictor):
        rows = {3: (1, 300, 5), 4: (1, 9, 255)}
        parameters = b"/Filter/FlateDecode/DecodeParms<</Predictor %d/Columns 4>>" % predictor
        for tags in ((0, 0, 0), (2, 2, 2), (0, 2, 0), (2, 0, 2)):
            file = read(self.unpacked(lambda raw, t=tags: zlib.compress(predicted(raw, 4, t)), parameters, rows=rows))
            assert file.sections[0].entries == {1: Entry(9), 3: Entry(300, 5), 4: Entry(9, 255)}

    @pytest.mark.parametrize("tags", [(1, 0, 0), (0, 0, 3), (0, 4, 0), (255, 0, 0)])
    def test_other_predictors_are_refused(self, tags):
        rows = {3: (1, 300, 5), 4: (1, 9, 255)}
        parameters = b"/Filter/FlateDecode/DecodeParms<</Predictor 12/Columns 4>>"
        assert (
            refused(self.unpacked(lambda raw: zlib.compress(predicted(raw, 4, tags)), parameters, rows=rows))
            == "filter"
        )

    @pytest.mark.parametrize(("columns", "good"), [(0, False), (-1, False), (24, True), (25, False), (5, False)])
    def test_rows_fit_their_columns(self, columns, good):
        widths = (8, 8, 8) if columns == 24 else (8, 8, 9) if columns == 25 else (1, 2, 1)
        real = sum(widths)
        parameters = b"/Filter/FlateDecode/DecodeParms<</Predictor 12/Columns %d>>" % columns
        data = self.unpacked(lambda raw: zlib.compress(predicted(raw, real)), parameters, widths=widths)
        if good:
            assert read(data).catalog()
        else:
            assert refused(data) in {"filter", "cross-reference"}
            if columns != 25:
                assert refused(data) == "filter"

    @pytest.mark.parametrize("columns", [-1, 0, 25])
    def test_rows_are_of_some_bytes_and_of_few(self, columns):
        parameters = b"/Filter/FlateDecode/DecodeParms<</Predictor 12/Columns %d>>" % columns
        assert refused(self.unpacked(lambda _: zlib.compress(bytes(26)), parameters)) == "filter"

    def test_a_column_is_one_where_none_is_said(self):
        raw = b"\1\0\x09\0"
        one = b"".join(b"\0" + raw[n : n + 1] for n in range(4))
        data = self.unpacked(lambda _: zlib.compress(one), b"/Filter/FlateDecode/DecodeParms<</Predictor 12>>")
        assert read(data).catalog()

    def test_all_of_a_file_unpacks_to_no_more_than_allowed(self, monkeypatch):
        assert structure.MAX_UNPACKED_BYTES == 16 << 20
        monkeypatch.setattr(structure, "MAX_UNPACKED_BYTES", 20)
        rows = dict.fromkeys(range(3, 7), (1, 9, 0))
        for packed in (deflated, None):
            assert read(crossed(packed=packed, rows=rows)).catalog()
            for more in ({7: (1, 9, 0)}, dict.fromkeys(range(10, 30), (1, 9, 0))):
                with pytest.raises(FormatError) as caught:
                    read(crossed(packed=packed, rows=rows | more))
                assert caught.value.finding_params == {"what": "PDF", "limit": "20"}
        first = crossed(rows=dict(list(rows.items())[:2])) + b"\n"
        assert len(read(crossed({}, rows={7: (1, 9, 0), 8: (1, 9, 0)}, base=first)).sections) == 2
        refused(crossed({}, rows=dict.fromkeys((5, 7, 8), (1, 9, 0)), base=first), "too_large")


def predicted(raw, columns, tags=None):
    rows = [raw[n : n + columns] for n in range(0, len(raw), columns)]
    above, made = bytes(columns), b""
    for number, row in enumerate(rows):
        tag = tags[number] if tags else 2
        made += bytes([tag]) + (bytes((a - b) % 256 for a, b in zip(row, above, strict=True)) if tag == 2 else row)
        above = row
    return made


def held(objects, *, first=None, count=None, head=None, kind=b"/Type/ObjStm", rows=None, generation=0, more=None,
         holder=5):  # fmt: skip
    """A file with an object stream 5 of *objects* {number: text}; object 3 is its first member."""
    inner, words = b"", []
    for number, text in objects.items():
        words.append(b"%d %d" % (number, len(inner)))
        inner += text + b" "
    head = b" ".join(words) + b" " if head is None else head
    first = len(head) if first is None else first
    shape = b"%s/N %d/First %d" % (kind, len(objects) if count is None else count, first)
    listed = {n: (2, holder, i) for i, n in enumerate(objects)}
    return crossed({1: CATALOG, 5: stream(head + inner, shape), **(more or {})}, rows=listed | (rows or {}))


class TestObjectStreams:
    def test_hold_objects_by_their_place(self):
        file = read(held({3: b"<</A 1>>", 4: b"[7]", 12: b"(x)"}))
        assert [file.get(Ref(n, 0)) for n in (3, 4)] == [{"A": 1}, [7]]
        assert file.get(Ref(12, 0)).value == b"x"
        assert file.get(Ref(3, 1)) is None
        assert (file.holder(Ref(3, 0)), file.holder(Ref(1, 0)), file.holder(Ref(8, 0))) == (Ref(5, 0), None, None)

    @pytest.mark.parametrize("row", [(2, 5, 1), (2, 5, 2), (2, 5, 255), (2, 6, 0), (2, 3, 0), (2, 4, 0)])
    def test_another_place_or_holder_is_refused(self, row):
        data = held({3: b"7", 4: b"8"}, rows={3: row})
        assert not_got(data) == "object stream"

    def test_one_of_another_generation_is_none(self):
        data = held({3: b"7"})
        start = data.index(b"5 0 obj")
        data = data.replace(b"5 0 obj", b"5 1 obj")
        rows = {3: (2, 5, 0), 5: (1, start, 1)}
        assert not_got(crossed({}, rows=rows, base=data + b"\n", own=10)) == "object stream"

    @pytest.mark.parametrize("kind", [b"", b"/Type/XObject", b"/Type(ObjStm)"])
    def test_of_another_type_are_none(self, kind):
        assert not_got(held({3: b"7"}, kind=kind)) == "object stream"

    def test_that_are_no_streams_are_none(self):
        assert not_got(crossed({1: CATALOG, 5: b"<</Type/ObjStm>>"}, rows={3: (2, 5, 0)})) == "object stream"

    @pytest.mark.parametrize(
        "head", [b"3", b"3 0 4", b"3 -0 ", b"3 x ", b"3 0 0 ", b"", b"00000000003 0 ", b"3 00000000000 "]
    )
    def test_with_a_broken_index_are_refused(self, head):
        assert not_got(held({3: b"7"}, head=head)) == "object stream"

    def test_numbers_of_ten_digits_are_numbers(self):
        assert read(held({3: b"7"}, head=b"0000000003 0000000000 ")).get(Ref(3, 0)) == 7

    @pytest.mark.parametrize("count", [0, 2, -1])
    def test_with_another_count_are_refused(self, count):
        assert not_got(held({3: b"7"}, count=count)) == "object stream"

    @pytest.mark.parametrize("first", [-1, 0, 2, 7, 1000])
    def test_that_begin_elsewhere_are_refused(self, first):
        assert not_got(held({3: b"7"}, first=first)) == "object stream"

    @pytest.mark.parametrize("shape", [b"/N true/First 4", b"/N 1/First true", b"/N 1.0/First 4", b"/N 1", b"/First 4"])
    def test_whose_counts_are_none_are_refused(self, shape):
        content = stream(b"3 0 7 ", b"/Type/ObjStm" + shape)
        assert not_got(crossed({1: CATALOG, 5: content}, rows={3: (2, 5, 0)})) == "object stream"

    def test_a_member_begins_within(self):
        assert not_got(held({3: b"7"}, head=b"3 2 ")) == "object stream"
        assert not_got(held({3: b"7"}, head=b"3 1 ")) == "object"
        assert read(held({3: b"77"}, head=b"3 1 ")).get(Ref(3, 0)) == 7

    def test_members_are_no_references(self):
        assert not_got(held({3: b"4 0 R"})) == "reference"

    def test_in_another_revision_have_other_members(self):
        first = held({3: b"7"}) + b"\n"
        again = crossed({5: stream(b"3 0 8 ", b"/Type/ObjStm/N 1/First 4")}, base=first, own=10)
        for order in ((0, 1), (1, 0)):
            file = read(again)
            assert [file.get(Ref(3, 0), since) for since in order] == [8 - since for since in order]

    def test_are_unpacked_once(self, monkeypatch):
        file = read(held({3: b"7", 4: b"8"}))
        file.get(Ref(3, 0))
        monkeypatch.setattr(structure, "MAX_UNPACKED_BYTES", 0)
        assert file.get(Ref(4, 0)) == 8

    def test_count_towards_what_a_file_unpacks_to(self, monkeypatch):
        data = held({3: b"7"})
        monkeypatch.setattr(structure, "MAX_UNPACKED_BYTES", 17)
        assert not_got(data, code="too_large") is None
        monkeypatch.setattr(structure, "MAX_UNPACKED_BYTES", 18)
        assert read(data).get(Ref(3, 0)) == 7


class TestObjects:
    def test_are_what_they_refer_to_or_null(self):
        file = read(tabled({1: CATALOG, 3: b"[4 0 R]", 4: b"5 0 R"}, rows={6: (0, 0, b"f")}, generations={3: 2}))
        assert file.get(7) == 7
        assert file.get(Ref(3, 2)) == [Ref(4, 0)]
        assert (file.get(Ref(3, 0)), file.get(Ref(6, 0)), file.get(Ref(8, 0))) == (None, None, None)
        with pytest.raises(FormatError) as caught:
            file.get(Ref(4, 0))
        assert said(caught) == "reference"

    def test_are_read_once(self):
        file = read(tabled({1: CATALOG, 3: b"[1]"}))
        assert file.get(Ref(3, 0)) is file.get(Ref(3, 0))

    def test_of_another_number_at_that_place_are_refused(self):
        assert not_got(tabled({1: CATALOG}, rows={3: (9, 0, b"n")})) == "object"

    def test_are_dictionaries_or_arrays_where_that_is_asked(self):
        file = read(tabled({1: CATALOG, 3: b"[4 0 R]", 4: b"<</A 1>>", 6: b"7"}))
        assert (file.dictionary(Ref(4, 0)), file.dictionary({"B": 2})) == ({"A": 1}, {"B": 2})
        assert (file.array(Ref(3, 0)), file.array([1]), file.array(None), file.array(Ref(8, 0))) == (
            [Ref(4, 0)],
            [1],
            [],
            [],
        )
        for ask, values, detail in (
            (file.dictionary, (Ref(3, 0), None, 7, Ref(8, 0)), "dictionary"),
            (file.array, (Ref(4, 0), 7, False), "array"),
        ):
            for value in values:
                with pytest.raises(FormatError) as caught:
                    ask(value)
                assert said(caught) == detail

    def test_are_asked_for_as_of_a_section(self):
        first = tabled({1: CATALOG, 3: b"[1]", 4: b"<</A 1>>"}) + b"\n"
        second = tabled({1: b"<</B 2>>", 3: b"[2]", 4: b"<</A 2>>"}, base=first, trailer=b"/Root 1 0 R")
        file = read(second)
        assert (file.catalog(), file.catalog(1)) == ({"B": 2}, {"Type": "Catalog"})
        assert (file.array(Ref(3, 0)), file.array(Ref(3, 0), 1)) == ([2], [1])
        assert (file.dictionary(Ref(4, 0)), file.dictionary(Ref(4, 0), 1)) == ({"A": 2}, {"A": 1})

    def test_a_file_without_a_catalogue_has_none(self):
        for trailer in (b"", b"/Root 3 0 R", b"/Root 7"):
            with pytest.raises(FormatError) as caught:
                read(tabled(trailer=trailer)).catalog()
            assert said(caught) == "dictionary"

    def test_where_one_stands_and_ends_is_told(self):
        data = tabled({1: CATALOG, 3: b"[1]"})
        place = data.index(b"3 0 obj")
        found, ends = read(data).at(place, 3, 0)
        assert (found, data[place:ends]) == ([1], b"3 0 obj\n[1]\nendobj")

    def test_no_more_syntax_is_parsed_than_allowed(self, monkeypatch):
        assert structure.MAX_SYNTAX_BYTES == 8 << 20
        data = tabled({1: CATALOG, 3: b"[1]", 4: b"[2]", 6: stream(b"x" * 500)})
        size = len(b"3 0 obj\n[1]\nendobj")
        file = read(data)
        file.get(Ref(3, 0))
        monkeypatch.setattr(structure, "MAX_SYNTAX_BYTES", size + 2)
        assert file.get(Ref(4, 0)) == [2]
        file = read(data)
        file.get(Ref(3, 0))
        monkeypatch.setattr(structure, "MAX_SYNTAX_BYTES", size + 1)
        with pytest.raises(FormatError) as caught:
            file.get(Ref(4, 0))
        assert said(caught) == "nesting"
        # The bytes of a stream are no syntax.
        file = read(data)
        monkeypatch.setattr(structure, "MAX_SYNTAX_BYTES", 100)
        assert len(file.get(Ref(6, 0)).data) == 500
        assert file.get(Ref(3, 0)) == [1]

    def test_those_in_object_streams_count_as_well(self, monkeypatch):
        def parsed(limit):
            file = read(held({3: b"[1 2 3 4 5 6 7 8 9]", 4: b"[ 1]"}))
            file.get(Ref(3, 0))
            counted = file._syntax_bytes
            monkeypatch.setattr(structure, "MAX_SYNTAX_BYTES", counted + limit)
            found = file.get(Ref(4, 0))
            monkeypatch.undo()
            return found, file._syntax_bytes - counted

        assert parsed(2) == ([1], 4)
        with pytest.raises(FormatError):
            parsed(1)
        monkeypatch.undo()


class TestLengths:
    def of(self, length, **more):
        return tabled(
            {1: CATALOG, 3: b"<</Length %s>>\nstream\nabcd\nendstream" % length, **more.pop("objects", {})}, **more
        )

    def test_of_a_stream_may_be_an_object(self):
        found = read(self.of(b"4 0 R", objects={4: b"4"})).get(Ref(3, 0))
        assert isinstance(found, Stream)
        assert (bytes(found.data), found.entries) == (b"abcd", {"Length": Ref(4, 0)})

    def test_is_the_one_of_that_time(self):
        first = self.of(b"4 0 R", objects={4: b"4"}) + b"\n"
        file = read(tabled({4: b"3"}, base=first))
        assert bytes(file.get(Ref(3, 0), 1).data) == b"abcd"
        file = read(tabled({4: b"3"}, base=first))
        with pytest.raises(FormatError) as caught:
            file.get(Ref(3, 0))
        assert said(caught) == "stream"

    @pytest.mark.parametrize("length", [b"4 0 R", b"1 0 R", b"4 1 R", b"true", b"null", b"(4)"])
    def test_that_is_none_is_refused(self, length):
        assert not_got(self.of(length)) in {"stream", "object", "nesting"}

    def test_is_no_object_of_a_stream_and_no_other_reference(self):
        text = b"<</Length 4 0 R>>\nstream\nabcd\nendstream"
        assert not_got(crossed({1: CATALOG, 3: text, 5: stream(b"4 0 4 ", b"/Type/ObjStm/N 1/First 4")},
                               rows={4: (2, 5, 0)})) == "stream"  # fmt: skip
        assert not_got(self.of(b"4 0 R", objects={4: b"6 0 R", 6: b"4"})) == "stream"

    def test_is_short(self):
        assert not_got(self.of(b"4 0 R", objects={4: b" " * 18 + b"4"})) == "nesting"
        assert read(self.of(b"4 0 R", objects={4: b" " * 17 + b"4"})).get(Ref(3, 0)).entries
