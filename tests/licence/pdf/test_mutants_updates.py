"""Updates of a signed file, object by object: what archiving may add, and each way to do more than that."""

from __future__ import annotations

import zlib

import pytest

from licence.errors import FormatError
from licence.pdf import structure, updates
from licence.pdf.objects import Ref
from licence.pdf.updates import check_update

CATALOG = b"/Type/Catalog/Pages 2 0 R/AcroForm 4 0 R/Metadata 7 0 R/Lang(zh)"
PAGE = b"/Type/Page/Parent 2 0 R/Contents 6 0 R/Rotate 0"
FIELD = b"<</FT/Sig/T(x)/Type/Annot/Subtype/Widget/F 132/Rect[0 0 0 0]/P 3 0 R/V 13 0 R>>"
STAMP = b"<</Type/DocTimeStamp>>"
NEW = {12: FIELD, 13: STAMP}


def stream(data, entries=b""):
    return b"<<%s/Length %d>>\nstream\n%s\nendstream" % (entries, len(data), data)


XMP = stream(b"<x/>", b"/Type/Metadata/Subtype/XML")
OBJECTS = {
    1: b"<<%s>>" % CATALOG,
    2: b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
    3: b"<<%s/Annots[5 0 R]>>" % PAGE,
    4: b"<</Fields[5 0 R]/SigFlags 3>>",
    5: b"<</FT/Sig/T(a)/V 8 0 R>>",
    6: stream(b"BT ET"),
    7: XMP,
    8: b"<</Type/Sig>>",
    9: b"<</Title(t)/ModDate(x)/Producer(p)>>",
}
TRAILER = {"Size": b"40", "Root": b"1 0 R", "Info": b"9 0 R", "ID": b"[<aa><bb>]"}


def revised(base, objects, *, trailer=None, before=b"", between=b"", after=b"", rows=None, end=b""):
    """*base* with one more revision of *objects*; *rows* are entries of its table as they should not be."""
    data = bytearray(base) + before
    table = {}
    for number, body in objects.items():
        table[number] = (len(data), 0, b"n")
        data += b"%d 0 obj\n%s\nendobj\n%s" % (number, body, between)
    data += after
    start, fields = len(data), dict(TRAILER)
    if base.count(b"startxref"):
        fields["Prev"] = base.rsplit(b"startxref\n", 1)[1].split()[0]
    fields = {k: v for k, v in (fields | (trailer or {})).items() if v is not None}
    data += b"xref\n"
    for number, row in sorted((table | (rows or {})).items()):
        data += b"%d 1\n%010d %05d %s \n" % (number, *row)
    data += b"trailer\n<<%s>>\n" % b"".join(b"/%s %s" % (k.encode(), v) for k, v in fields.items())
    return bytes(data) + end + b"startxref\n%d\n%%%%EOF\n" % start


def signed(objects=None, **changes):
    """The file that was signed."""
    return revised(b"%PDF-1.7\n", {n: b for n, b in (OBJECTS | (objects or {})).items() if b is not None}, **changes)


def streamed(base, objects, compressed=(), *, own=30, holder=None, before=b"", tail=b"", listed=True, rows=(),
             hidden=()):  # fmt: skip
    """*base* with a revision whose section is a stream, and *compressed* objects in the object stream *holder*.

    Those of *hidden* stand there and are not listed in the section.
    """
    data, table = bytearray(base), {}
    bodies = dict(objects)
    if holder:
        width = max(map(len, compressed.values())) + 1
        head = b" ".join(b"%d %d" % (n, width * i) for i, n in enumerate(compressed)) + b" "
        inner = b"".join(b.ljust(width) for b in compressed.values())
        bodies[holder] = stream(head + inner, b"/Type/ObjStm/N %d/First %d" % (len(compressed), len(head)))
        table = {n: (2, holder, i) for i, n in enumerate(compressed) if n not in hidden}
    for number, body in bodies.items():
        table[number] = (1, len(data), 0)
        data += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    data += before
    start = len(data)
    if listed:
        table[own] = (1, start, 0)
    table |= dict(rows)
    index = b" ".join(b"%d 1" % n for n in sorted(table))
    packed = zlib.compress(
        b"".join(bytes([k]) + a.to_bytes(3, "big") + b.to_bytes(2, "big") for _, (k, a, b) in sorted(table.items()))
    )
    previous = base.rsplit(b"startxref\n", 1)[1].split()[0]
    entries = b"/Type/XRef/W[1 3 2]/Index[%s]/Filter/FlateDecode/Size 40/Root 1 0 R/Info 9 0 R/ID[<aa><cc>]/Prev %s" % (
        index, previous,
    )  # fmt: skip
    data += b"%d 0 obj\n%s\nendobj\n%s" % (own, stream(packed, entries), tail)
    return bytes(data) + b"startxref\n%d\n%%%%EOF\n" % start


BASE = signed()


def accepted(data, base=BASE):
    assert check_update(structure.read(data), 0, len(base)) == len(data)
    return True


def refused(data, base=BASE):
    with pytest.raises(FormatError) as caught:
        check_update(structure.read(data), 0, len(base))
    assert caught.value.code == "pdf_changed_after_signing"
    return caught.value.finding_params["detail"]


def changes(objects, base=BASE, **more):
    return refused(revised(base, objects, **more), base)


def keeps(objects, base=BASE, **more):
    return accepted(revised(base, objects, **more), base)


def catalog(extra, base=CATALOG):
    return b"<<%s%s>>" % (base, extra)


def with_dss(extra=b"", **more):
    return {1: catalog(b"/DSS 10 0 R" + extra), 10: b"<</Certs[11 0 R]>>", 11: stream(b"der"), **more}


class TestArchiving:
    def test_validation_material_may_be_added(self):
        assert keeps({})
        assert keeps(with_dss())
        assert keeps(with_dss(b"/Extensions<</ESIC<<>>>>"))

    def test_material_may_be_replaced_by_other_material(self):
        base = revised(BASE, with_dss())
        assert keeps({10: b"<</Certs[11 0 R 14 0 R]>>", 11: stream(b"other"), 14: stream(b"new")}, base)

    def test_material_may_hang_on_material_however_deep(self):
        deep = {11: b"<</Length 15 0 R>>\nstream\nder\nendstream", 15: b"3"}
        assert keeps({**with_dss(b""), **deep})
        assert keeps({**with_dss(), 10: b"[[<</A[11 0 R]>>]]"})
        # What refers to itself, or to what is shown, ends.
        assert keeps({**with_dss(), 10: b"<</Certs[11 0 R]/Self 10 0 R/Page 3 0 R>>"})

    def test_a_document_time_stamp_may_be_added(self):
        fields = {4: b"<</Fields[5 0 R 12 0 R]/SigFlags 3>>", **NEW}
        assert keeps(fields)
        assert keeps({**fields, 3: b"<<%s/Annots[5 0 R 12 0 R]>>" % PAGE})
        assert keeps({**fields, 4: b"<</Fields[5 0 R 12 0 R]/SigFlags 1>>"})
        assert keeps({**fields, 12: b"<</FT/Sig/T(x)/V 13 0 R>>"})
        assert keeps({**fields, 12: FIELD.replace(b"[0 0 0 0]", b"[0.0 0 0 0]")})

    def test_it_may_be_the_first_on_its_page(self):
        base = signed({3: b"<<%s>>" % PAGE})
        assert keeps({3: b"<<%s/Annots[12 0 R]>>" % PAGE, **NEW}, base)

    def test_lists_of_fields_and_annotations_may_be_objects_of_their_own(self):
        base = signed({4: b"<</Fields 20 0 R/SigFlags 3>>", 20: b"[5 0 R]"})
        assert keeps({20: b"[5 0 R 12 0 R]", **NEW}, base)
        assert changes({20: b"[12 0 R]", **NEW}, base) == "object"
        base = signed({3: b"<<%s/Annots 21 0 R>>" % PAGE, 21: b"[5 0 R]"})
        assert keeps({21: b"[5 0 R 12 0 R]", **NEW}, base)
        assert changes({21: b"[]"}, base) == "object"
        # The same array elsewhere is no list of annotations, nor is one that no page has.
        base = signed({2: b"<</Type/Pages/Kids[3 0 R]/Count 1/Annots 21 0 R>>", 21: b"[5 0 R]"})
        assert changes({21: b"[5 0 R 12 0 R]", **NEW}, base) == "object"
        base = signed({3: b"<<%s/Annots[5 0 R]/Other 21 0 R>>" % PAGE, 21: b"[5 0 R]"})
        assert changes({21: b"[5 0 R 12 0 R]", **NEW}, base) == "object"

    def test_a_form_may_stand_in_the_catalogue(self):
        direct = CATALOG.replace(b"4 0 R", b"<</Fields[5 0 R]>>")
        base = signed({1: b"<<%s>>" % direct})
        more = direct.replace(b"[5 0 R]", b"[5 0 R 12 0 R]")
        assert keeps({1: b"<<%s>>" % more, **NEW}, base)
        assert changes({1: b"<<%s>>" % direct.replace(b"[5 0 R]", b"[]")}, base) == "object"
        assert changes({1: b"<<%s>>" % direct.replace(b"]", b"]/DA(x)")}, base) == "object"

    def test_a_file_without_form_gets_material_and_no_form(self):
        bare = CATALOG.replace(b"/AcroForm 4 0 R", b"")
        base = signed({1: b"<<%s>>" % bare, 4: None})
        assert keeps({**with_dss(), 1: catalog(b"/DSS 10 0 R", bare)}, base)
        assert changes({1: catalog(b"/AcroForm<</Fields[]>>", bare)}, base) == "object"

    def test_time_and_program_may_be_written_anew_and_nothing_else_of_them(self):
        assert keeps({9: b"<</Title(t)/ModDate(y)/Producer(q)>>"})
        assert keeps({9: b"<</Title(t)>>"})
        for other in (b"<</Title(u)/ModDate(x)/Producer(p)>>", b"<</Title(t)/Author(a)>>", b"[]", stream(b"")):
            assert changes({9: other}) == "object"

    def test_xmp_may_be_written_anew_as_xmp(self):
        assert keeps({7: stream(b"<yy/>", b"/Type/Metadata/Subtype/XML")})
        assert keeps(
            {7: stream(zlib.compress(b"<y/>"), b"/Type/Metadata/Subtype/XML/Filter/FlateDecode/DecodeParms<<>>")}
        )
        for other in (b"<</Type/Metadata/Subtype/XML>>", stream(b"<y/>", b"/Type/Metadata"), stream(b"<y/>")):
            assert changes({7: other}) == "object"
        for old in (b"<</Type/Metadata>>", stream(b"<x/>", b"/Subtype/XML")):
            assert changes({7: stream(b"<y/>", b"/Subtype/XML")}, signed({7: old})) == "object"
        # The same stream where it is not the document's is no XMP of it.
        base = signed({1: b"<<%s>>" % CATALOG.replace(b"/Metadata", b"/Other")})
        assert changes({7: stream(b"<y/>", b"/Type/Metadata/Subtype/XML")}, base) == "object"


class TestObjects:
    @pytest.mark.parametrize("number", sorted(OBJECTS))
    def test_each_may_be_written_again_as_it_is_and_not_be_another_thing(self, number):
        assert keeps({number: OBJECTS[number]})
        assert changes({number: b"<</Type/Other>>"}) == "object"

    @pytest.mark.parametrize(
        ("number", "old", "new"),
        [
            (1, b"/Lang(zh)", b"/Lang(en)"),
            (1, b"/Lang(zh)", b"/OpenAction[3 0 R/Fit]/Lang(zh)"),
            (1, b"/Pages 2 0 R", b"/Pages 3 0 R"),
            (2, b"/Count 1", b"/Count 2"),
            (3, b"/Rotate 0", b"/Rotate 90"),
            (3, b"/Contents 6 0 R", b"/Contents 7 0 R"),
            (4, b"/SigFlags 3", b"/SigFlags 3/NeedAppearances true"),
            (5, b"(a)", b"(b)"),
            (6, b"BT ET", b"BT TE"),
            (8, b"/Type/Sig", b"/Type/Sig/Name(x)"),
        ],
    )
    def test_each_is_compared_with_what_it_was(self, number, old, new):
        assert old in OBJECTS[number]
        assert changes({number: OBJECTS[number].replace(old, new)}) == "object"

    @pytest.mark.parametrize(
        ("old", "new"),
        [
            (b"0", b"false"), (b"1", b"true"), (b"true", b"1"), (b"[0]", b"[false]"), (b"<</A[1]>>", b"<</A[true]>>"),
            (b"/x", b"(x)"), (b"[1]", b"[1 1]"), (b"<</A 1>>", b"<</A 1/B 1>>"), (b"<<>>", b"[]"),
            (b"<</A 1/B 2>>", b"<</A 1/C 2>>"), (stream(b"a", b"/A 1"), stream(b"a", b"/A true")),
            (stream(b"a"), stream(b"b")), (stream(b"a", b"/A 1"), b"<</A 1/Length 1>>"),
            (b"<</A 1/Length 1>>", stream(b"a", b"/A 1")), (b"[1 2]", b"[2 1]"),
            (b"5", b"6"), (b"true", b"false"), (b"<61>", b"(b)"),
        ],
    )  # fmt: skip
    def test_what_means_something_else_is_no_repetition(self, old, new):
        """Python takes 1 for true and 0 for false; a reader of the page does not."""

        def base(value):
            return signed({3: b"<<%s/Annots[5 0 R]/Other 22 0 R>>" % PAGE, 22: value})

        assert keeps({22: old}, base(old))
        assert changes({22: new}, base(old)) == "object"
        inside = signed({3: b"<<%s/Other[%s]>>" % (PAGE, old)}) if b"stream" not in old + new else None
        if inside:
            assert changes({3: b"<<%s/Other[%s]>>" % (PAGE, new)}, inside) == "object"

    def test_numbers_and_texts_may_be_spelled_anew(self):
        base = signed({3: b"<<%s/Box[0 595.0 1]/T(a)>>" % PAGE})
        assert keeps({3: b"<<%s/Box[0.0 595 1.0]/T<61>>>" % PAGE}, base)

    def test_what_the_signed_file_lacks_may_not_be_supplied(self):
        base = signed({3: b"<<%s/Contents 20 0 R>>" % PAGE.replace(b"/Contents 6 0 R", b"")})
        assert keeps(with_dss(), base)
        assert changes({20: stream(b"BT ET")}, base) == "object"
        # Nor as the cross-reference stream of the update.
        assert accepted(streamed(base, {}), base)
        assert refused(streamed(base, {}, own=20), base) == "object"

    @pytest.mark.parametrize(
        "way",
        [
            b"23 0 R",
            b"[23 0 R]",
            b"<</A 23 0 R>>",
            b"[[<</A[23 0 R]>>]]",
            stream(b"q", b"/A 23 0 R"),
            stream(b"q", b"/A[23 0 R]"),
        ],
    )
    def test_what_is_shown_is_not_material_because_material_refers_to_it_too(self, way):
        shown = {3: b"<<%s/Annots[5 0 R]/Other 20 0 R>>" % PAGE, 20: way}
        if way == b"23 0 R":
            shown = {3: b"<<%s/Annots[5 0 R]/Other 23 0 R>>" % PAGE}
        base = signed({**shown, 23: stream(b"old")})
        material = {1: catalog(b"/DSS 10 0 R"), 10: b"<</Certs[23 0 R]>>"}
        assert keeps(material, base)
        assert changes({**material, 23: stream(b"new")}, base) == "object"

    def test_a_reference_to_another_generation_hides_nothing_that_is_shown(self):
        """The one of generation 1 is to no object; the one of generation 0 is walked whichever comes first."""
        material = {1: catalog(b"/DSS 10 0 R"), 10: b"<</Certs[23 0 R]>>", 23: stream(b"new")}
        for pair in (b"/A 20 0 R/B 20 1 R", b"/A 20 1 R/B 20 0 R"):
            base = signed({3: b"<<%s/Annots[5 0 R]%s>>" % (PAGE, pair), 20: b"[23 0 R]", 23: stream(b"old")})
            assert changes(material, base) == "object"
            assert changes({20: b"[]"}, base) == "object"

    def test_an_object_of_another_generation_may_not_vanish(self):
        page = {3: b"<<%s/Annots[5 0 R]/Other 24 5 R>>" % PAGE}
        body = b"24 5 obj\n[1]\nendobj\n"
        place = signed(page, after=body).index(body)
        base = signed(page, after=body, rows={24: (place, 5, b"n")})
        assert structure.read(base).get(Ref(24, 5)) == [1]
        assert keeps({}, base)
        for other in (b"null", b"[1]", b"[2]"):
            assert changes({24: other}, base) == "object"

    def test_what_nothing_refers_to_may_not_hide(self):
        assert changes({20: b"<</Type/X>>"}) == "object"
        assert changes({**with_dss(), 20: stream(b"hidden")}) == "object"
        assert changes({**with_dss(), 20: b"<</Self 20 0 R>>"}) == "object"

    def test_what_is_new_and_hangs_on_the_catalogue_is_compared(self):
        assert changes({1: catalog(b"/Names 20 0 R"), 20: b"<<>>"}) == "object"
        assert keeps({1: catalog(b"/Extensions 20 0 R"), 20: b"<<>>"})

    @pytest.mark.parametrize("objects", [{}, with_dss()])
    def test_how_much_is_compared_is_bounded(self, objects, monkeypatch):
        file = structure.read(revised(BASE, objects))
        check_update(file, 0, len(BASE))
        assert file.compared > 20
        monkeypatch.setattr(updates, "MAX_COMPARED", file.compared)
        assert keeps(objects)
        for less in (file.compared - 1, 5):
            monkeypatch.setattr(updates, "MAX_COMPARED", less)
            assert changes(objects) == "too many objects"

    def test_each_value_counts_once(self):
        def compared(base, objects):
            file = structure.read(revised(base, objects))
            check_update(file, 0, len(base))
            return file.compared

        plain, more = compared(BASE, {}), signed({3: b"<<%s/Annots[5 0 R]/Other[1 2]>>" % PAGE})
        assert compared(more, {}) == plain + 3
        dss = with_dss()
        assert compared(BASE, {**dss, 10: b"<</Certs[11 0 R]/X[1 2]>>"}) == compared(BASE, dss) + 3


class TestFields:
    @pytest.mark.parametrize(
        "listed", [b"[12 0 R]", b"[12 0 R 5 0 R]", b"[]", b"5 0 R", b"null", b"<<>>", b"[5 1 R 12 0 R]"]
    )
    def test_those_of_before_stay_in_their_order(self, listed):
        assert changes({4: b"<</Fields %s/SigFlags 3>>" % listed, **NEW}) == "object"
        assert changes({3: b"<<%s/Annots %s>>" % (PAGE, listed), **NEW}) == "object"

    def test_a_form_without_fields_gets_none(self):
        base = signed({4: b"<</SigFlags 3>>"})
        assert keeps({4: b"<</SigFlags 1>>"}, base)
        assert changes({4: b"<</Fields[12 0 R]/SigFlags 3>>", **NEW}, base) == "object"
        assert changes({4: b"[]"}, base) == "object"

    @pytest.mark.parametrize(
        ("old", "new"),
        [
            (b"/FT/Sig", b"/FT/Tx"),
            (b"/FT/Sig", b""),
            (b"/Subtype/Widget", b"/Subtype/Text"),
            (b"/Subtype/Widget", b"/Subtype/FileAttachment"),
            (b"/Subtype/Widget", b"/Subtype null"),
            (b"/Type/Annot", b"/Type/XObject"),
            (b"[0 0 0 0]", b"[0 0 9 9]"),
            (b"[0 0 0 0]", b"[0 0 0 0.5]"),
            (b"[0 0 0 0]", b"[0 0 0 null]"),
            (b"[0 0 0 0]", b"[0 0 0 false]"),
            (b"[0 0 0 0]", b" null"),
            (b"[0 0 0 0]", b"<<>>"),
            (b"[0 0 0 0]", b" 6 0 R"),
            (b"/V 13 0 R", b""),
            (b"/V 13 0 R", b"/V<</Type/DocTimeStamp>>"),
            (b"/V 13 0 R", b"/V 8 0 R"),
            (b"/T(x)", b"/T(x)/AP<<>>"),
            (b"/T(x)", b"/T(x)/AA<<>>"),
        ],
    )
    def test_a_new_one_is_of_a_time_stamp_and_shows_nothing(self, old, new):
        fields = {4: b"<</Fields[5 0 R 12 0 R]/SigFlags 3>>", 12: FIELD.replace(old, new), 13: STAMP}
        assert changes(fields) == "field"

    def test_what_it_holds_is_a_time_stamp(self):
        for value in (b"<</Type/Sig>>", b"<<>>"):
            fields = {4: b"<</Fields[5 0 R 12 0 R]/SigFlags 3>>", 12: FIELD, 13: value}
            assert changes(fields) == "field"

    def test_it_is_new_and_an_object(self):
        for member in (b"5 0 R", b"8 0 R", b"<</FT/Sig/V 13 0 R>>", b"null"):
            assert changes({4: b"<</Fields[5 0 R %s]/SigFlags 3>>" % member, 13: STAMP}) == "field"
        # A value that was there before, though nothing referred to it.
        base = signed({13: STAMP})
        assert changes({4: b"<</Fields[5 0 R 12 0 R]/SigFlags 3>>", 12: FIELD}, base) == "field"
        base = signed({12: FIELD})
        assert changes({4: b"<</Fields[5 0 R 12 0 R]/SigFlags 3>>", 13: STAMP}, base) == "field"

    @pytest.mark.parametrize("name", ["Type", "Subtype", "FT", "T", "F", "Ff", "Rect", "P", "TU", "V"])
    def test_its_keys_are_those_that_show_nothing(self, name):
        values = {"Type": b"/Annot", "Subtype": b"/Widget", "Rect": b"[0 0 0 0]", "P": b"3 0 R"}
        keys = {"FT": b"/Sig", "V": b"13 0 R"}
        keys = {name: values.get(name, b"/x")} | keys
        field = b"<<%s>>" % b"".join(b"/%s %s" % (k.encode(), v) for k, v in keys.items())
        assert keeps({4: b"<</Fields[5 0 R 12 0 R]/SigFlags 3>>", 12: field, 13: STAMP})
        whole = FIELD.replace(b"/T(x)", b"/T(x)/Ff 0/TU(y)")
        assert keeps({4: b"<</Fields[5 0 R 12 0 R]/SigFlags 3>>", 12: whole, 13: STAMP})


class TestLayout:
    def test_white_space_may_stand_between_objects_and_nothing_else(self):
        for where in ("before", "between", "after"):
            assert keeps(with_dss(), **{where: b" \t\n\f\r"})
            for hidden in (b"x", b"%hidden\n", b"\0"):
                assert changes(with_dss(), **{where: hidden}) == "bytes between objects"

    def test_nothing_stands_between_trailer_and_end(self):
        for hidden in (b"x", b"%hidden\n", b"\0"):
            assert changes({}, end=hidden) == "bytes between objects"
        assert keeps({}, end=b" \n")

    def test_its_end_names_its_own_section(self):
        data = revised(BASE, {})
        place = data.rsplit(b"startxref\n", 1)[1].split()[0]
        file = structure.read(data)
        other = structure.PdfFile(data.replace(place + b"\n%%EOF", b"1" * len(place) + b"\n%%EOF"), file.sections)
        with pytest.raises(FormatError) as caught:
            check_update(other, 0, len(BASE))
        assert caught.value.code == "pdf_invalid"

    def test_a_stream_is_as_long_as_its_own_update_says(self):
        first = revised(BASE, {**with_dss(), 11: b"<</Length 15 0 R>>\nstream\nder\nendstream", 15: b"3"})
        second = revised(first, {10: b"<</Certs[11 0 R]/X 15 0 R>>", 11: stream(b"new"), 15: b"9"})
        file = structure.read(second)
        assert check_update(file, 1, len(BASE)) == len(first)
        assert check_update(file, 0, len(first)) == len(second)

    def test_objects_may_be_listed_in_any_order(self):
        assert keeps(dict(reversed(with_dss().items())))

    def test_a_table_deletes_nothing_and_names_each_place_once(self):
        assert keeps({}, rows={0: (0, 65535, b"f")})
        assert keeps({}, rows={0: (0, 0, b"f")})
        for row in (0, 1), (0, 65534):
            assert changes({}, rows={0: (*row, b"f")}) == "object"
        for generation in (0, 65535):
            assert changes({}, rows={6: (0, generation, b"f")}) == "object"
        body = revised(BASE, with_dss())
        place = body.index(b"10 0 obj", len(BASE))
        assert changes(with_dss(), rows={20: (place, 0, b"n")}) == "cross-reference"

    def test_objects_are_of_generation_0(self):
        body = b"10 1 obj\n<<>>\nendobj\n"
        data = revised(BASE, {}, before=body, rows={10: (len(BASE), 1, b"n")})
        assert refused(data) == "cross-reference"

    def test_a_table_has_no_stream_beside_it(self):
        data = streamed(BASE, {})
        place = data.rsplit(b"startxref\n", 1)[1].split()[0]
        hybrid = revised(data, {}, trailer={"XRefStm": place})
        assert refused(hybrid, data) == "cross-reference"

    def test_a_section_may_be_a_stream_that_closes_its_update(self):
        assert accepted(streamed(BASE, with_dss()))
        assert accepted(streamed(BASE, {}, tail=b" \n"))
        for tail in (b"x", b"31 0 obj\n<<>>\nendobj\n"):
            with pytest.raises(FormatError):
                check_update(structure.read(streamed(BASE, {}, tail=tail)), 0, len(BASE))
        # An object of the update that stands behind the stream.
        tail = b"10 0 obj\n<<>>\nendobj\n"
        dss = {1: catalog(b"/DSS 10 0 R")}
        place = streamed(BASE, dss, tail=tail, rows={10: (1, 0, 0)}.items()).rindex(tail)
        late = streamed(BASE, dss, tail=tail, rows={10: (1, place, 0)}.items())
        assert refused(late) == "bytes between objects"

    def test_a_stream_need_not_list_itself_and_nothing_may_hide_before_it(self):
        for listed in (True, False):
            assert accepted(streamed(BASE, with_dss(), listed=listed))
            assert accepted(streamed(BASE, with_dss(), listed=listed, before=b" \n"))
            assert refused(streamed(BASE, with_dss(), listed=listed, before=b"%x\n")) == "bytes between objects"
            assert accepted(streamed(BASE, {}, listed=listed, rows={0: (0, 0, 0)}.items()))

    def test_a_stream_stands_in_no_shown_objects_place_though_it_does_not_list_itself(self):
        """Who looks for the newest object of a number, as programs that mend files do, would show it instead."""
        for own in (3, 6):
            assert refused(streamed(BASE, with_dss(), own=own, listed=False)) == "object"
        # A table is no object; a reference to number 0, which is none either, changes nothing in that.
        base = signed({3: b"<<%s/Annots[5 0 R]/Other 0 0 R>>" % PAGE})
        assert keeps({}, base)
        assert accepted(streamed(base, {}), base)

    def test_objects_may_stand_in_an_object_stream_of_the_update(self):
        held = {10: b"<<>>"}
        dss = {1: catalog(b"/DSS 10 0 R")}
        assert accepted(streamed(BASE, dss, held, holder=29))
        assert refused(streamed(BASE, {}, held, holder=29)) == "object"
        for holder in ((2, 29, 0), (0, 0, 0)):
            assert refused(streamed(BASE, dss, held, holder=29, rows={29: holder}.items())) in {
                "cross-reference", "object",
            }  # fmt: skip
        assert refused(streamed(BASE, dss, rows={10: (2, 28, 0)}.items())) == "cross-reference"

    def test_an_object_stream_holds_nothing_that_is_not_listed(self):
        before = streamed(BASE, {1: catalog(b"/DSS 10 0 R")}, {10: b"<<>>"}, holder=29)
        # The holder is of the update itself: one of before could be read in two ways.
        later = streamed(before, {}, own=31, rows={11: (2, 29, 0)}.items())
        assert refused(later, before) == "cross-reference"

    @pytest.mark.parametrize("number", [1, 2, 3, 6, 9])
    def test_an_object_stream_of_before_is_not_written_anew(self, number):
        """All that stands in it would be another, and nothing of that is listed: the page, the catalogue."""
        body = OBJECTS[number] if number != 6 else b"<</Own 1>>"
        base = streamed(BASE, {}, {number: body}, holder=20, own=21)
        assert accepted(streamed(base, {}), base)
        changed = b"<</Other 1%s" % (b"/DSS 31 0 R" if number == 1 else b"") + body[2:]
        written = {} if number == 1 else {1: catalog(b"/DSS 31 0 R")}
        forged = streamed(base, written, {number: changed, 31: b"<<>>"}, holder=20, hidden={number})
        file = structure.read(forged)
        old, new = (file.get(Ref(number, 0), since) for since in (1, 0))
        assert ("Other" in old, "Other" in new) == (False, True)
        assert refused(forged, base) == "object"

    def test_nor_is_the_length_of_one(self):
        page = b"<<%s/Annots[5 0 R]>>" % PAGE
        holder = b"<</Type/ObjStm/N 1/First 4/Length 22 0 R>>\nstream\n3 0 %s\nendstream" % page
        row = {3: (2, 20, 0)}.items()
        base = streamed(BASE, {20: holder, 22: b"%d" % (len(page) + 4)}, own=21, rows=row)
        assert accepted(streamed(base, with_dss()), base)
        forged = {1: catalog(b"/DSS 10 0 R"), 10: b"<</X 22 0 R>>", 22: b"9"}
        assert refused(streamed(base, forged), base) == "object"

    def test_one_that_holds_validation_material_alone_may_be(self):
        base = streamed(BASE, {1: catalog(b"/DSS 10 0 R")}, {10: b"<<>>"}, holder=29)
        assert accepted(streamed(base, {}, {10: b"<</A 1>>"}, holder=29, own=31), base)


class TestTrailer:
    @pytest.mark.parametrize(
        "trailer",
        [
            {"Root": b"2 0 R"},
            {"Info": b"8 0 R"},
            {"Info": None},
            {"ID": b"[<cc><bb>]"},
            {"ID": None},
            {"ID": b"<aa>"},
            {"ID": b"[]"},
            {"Size": b"40.0"},
            {"Size": b"true"},
            {"Size": None},
        ],
    )
    def test_it_is_that_of_before(self, trailer):
        assert changes({}, trailer=trailer) == "trailer"

    def test_the_second_half_of_its_id_and_its_size_may_change(self):
        assert keeps({}, trailer={"ID": b"[<aa><cc>]", "Size": b"41"})
        for nothing in ({"ID": None}, {"Info": None}):
            base = signed(trailer=nothing)
            assert keeps({}, base, trailer=nothing)
            assert changes({}, base) == "trailer"

    def test_both_say_a_size(self):
        base = signed(trailer={"Size": None})
        assert changes({}, base) == "trailer"

    def test_it_names_the_section_before_it(self):
        data = revised(revised(BASE, {}), {})
        file = structure.read(data)
        assert check_update(file, 0, len(revised(BASE, {}))) == len(data)
        other = structure.PdfFile(data, [file.sections[0], file.sections[2]])
        with pytest.raises(FormatError) as caught:
            check_update(other, 0, len(revised(BASE, {})))
        assert caught.value.finding_params["detail"] == "trailer"

    def test_its_catalogue_is_an_object_of_its_own(self):
        direct = {"Root": b"<<%s>>" % CATALOG}
        base = signed(trailer=direct)
        assert changes({}, base, trailer=direct) == "trailer"
