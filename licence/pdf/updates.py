"""Which updates may follow a signature: document time stamps and validation material (DSS), and nothing else.

That is what DocMDP P=1 leaves to long-term archives (ISO 32000-2 §12.8.2.2, EN 319 142-1 §5.5). Everything in an
update is compared with the file before it, because whoever made the update need not be who signed. Programs that add
time stamps also write the XMP metadata and the time of change anew: no part of what a page shows, and not read here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NoReturn

from licence.errors import FormatError
from licence.pdf import structure
from licence.pdf.objects import Object, Ref, Stream

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from licence.pdf.structure import PdfFile

# Values of the file walked through, once for each update: some seconds' work.
MAX_COMPARED = 3_000_000
_SPACE = re.compile(rb"[\t\n\f\r ]*")
# What only validation material hangs on.
_CATALOG_MAY_CHANGE = {"DSS", "AcroForm", "Extensions"}
_FORM_MAY_CHANGE = {"Fields", "SigFlags"}
# Programs that add time stamps say so, and when.
_INFO_MAY_CHANGE = {"ModDate", "Producer"}
_METADATA_MAY_CHANGE = {"Length", "Filter", "DecodeParms"}
_STAMP_FIELD_KEYS = {"Type", "Subtype", "FT", "T", "F", "Ff", "Rect", "P", "TU", "V"}
_NEWEST_GENERATION = 65535


@dataclass(slots=True)
class _Shown:
    """What the file before the update shows: every reference that leads on from its catalogue but through /DSS.

    Those to objects that it does not hold are among them: what an update supplied for them would be shown. So are those
    to the object streams that any of it stands in, which nothing refers to: whoever writes one anew writes all of it.
    *annotations* are those to the arrays of a page's annotations.
    """

    refs: set[Ref] = field(default_factory=set)
    annotations: set[Ref] = field(default_factory=set)

    @property
    def numbers(self) -> set[int]:
        """The numbers of its objects."""
        return {ref.number for ref in self.refs}


def check_update(file: PdfFile, index: int, start: int) -> int:
    """Judge the update that section *index* closes and that begins at *start*; where it ends.

    Raises:
        FormatError: it does what may not be done after signing, or hides bytes no object accounts for.
    """
    section, before = file.sections[index], index + 1
    end = _check_layout(file, index, start)
    _check_trailer(section.trailer, file.sections[before])
    shown = _shown(file, before)
    # Number 0, free in every table and no object, is of no consequence; no other is free (see `_places`).
    written = {*section.entries, section.own}
    if section.own and section.own in shown.numbers:
        # It need not list itself, and whoever mends files takes the newest object of a number.
        _refuse("object")
    catalog = file.sections[before].trailer.get("Root")
    form = file.catalog(before).get("AcroForm")
    info = file.sections[before].trailer.get("Info")
    fields = file.dictionary(form, before).get("Fields") if form is not None else None
    # A number that is referred to in two generations is two objects, of which one at most is there (§7.3.10).
    for ref in (r for r in shown.refs if r.number in written):
        old, new = file.get(ref, before), file.get(ref, index)
        if ref == catalog:
            _check_catalog(file, index, old, new)
        elif ref == form:
            _check_form(file, index, old, new)
        elif ref == fields or ref in shown.annotations:
            _check_appended(file, index, old, new)
        elif isinstance(old, dict) and old.get("Type") == "Page":
            _check_page(file, index, old, new)
        elif ref == info:
            _check_others(*_both(old, new), _INFO_MAY_CHANGE)
        elif ref == file.catalog(before).get("Metadata"):
            _check_metadata(old, new)
        elif not _same(old, new):
            _refuse("object")
    _check_accounted(file, index, written, shown)
    return end


def _check_accounted(file: PdfFile, index: int, written: set[int], shown: _Shown) -> None:
    """Every object that the update brings hangs on the validation material or on what was shown before.

    Others show nothing now; but they are no part of archiving, and what hides in them nobody would ever see.
    """
    section = file.sections[index]
    # Of what stands in no object stream it is 0, which is no object either.
    holders = {e.container for e in section.entries.values()}
    known = shown.numbers
    waiting = written - known - holders - {section.own}
    todo: list[Object] = [file.catalog(index).get("DSS")]
    todo += [file.get(Ref(number, 0), index) for number in written & known]
    seen: set[Ref] = set()
    while todo and waiting:
        value = todo.pop()
        file.compared += 1
        if file.compared > MAX_COMPARED:
            _refuse("too many objects")
        if isinstance(value, Ref):
            if value in seen or value.number in known:
                continue
            seen.add(value)
            waiting.discard(value.number)
            value = file.get(value, index)
        if isinstance(value, Stream):
            value = value.entries
        if isinstance(value, dict):
            todo.extend(value.values())
        elif isinstance(value, list):
            todo.extend(value)
    if waiting:
        _refuse("object")


def _check_layout(file: PdfFile, index: int, start: int) -> int:
    """Objects, cross-reference section and end mark fill the update, with white space between and nothing else."""
    section, data = file.sections[index], file.data
    places = _places(section)
    at = start
    for offset in sorted(places):
        if _past_space(data, at) != offset:
            _refuse("bytes between objects")
        _, at = file.at(offset, places[offset], 0, since=index)
    if not section.own and _past_space(data, at) != section.offset:
        _refuse("bytes between objects")
    if not data.startswith(b"startxref", _past_space(data, section.end)):
        _refuse("bytes between objects")
    return structure.closing_of(file, section)


def _places(section: structure.Section) -> dict[int, int]:
    """Where the update's objects stand, and their numbers; all of generation 0, none deleted."""
    if "XRefStm" in section.trailer:
        _refuse("cross-reference")
    places: dict[int, int] = {}
    for number, entry in section.entries.items():
        if entry.free:
            if number or entry.generation not in {0, _NEWEST_GENERATION}:
                _refuse("object")
        elif entry.container:
            holder = section.entries.get(entry.container)
            if holder is None or holder.container:
                _refuse("cross-reference")
        elif entry.generation or entry.offset in places:
            _refuse("cross-reference")
        else:
            places[entry.offset] = number
    if section.own:
        places[section.offset] = section.own
    return places


def _past_space(data: bytes, at: int) -> int:
    match = _SPACE.match(data, at)
    return match.end() if match else at


def _check_trailer(new: Mapping[str, Object], older: structure.Section) -> None:
    old = older.trailer
    sizes = (old.get("Size"), new.get("Size"))
    ids = [i[:1] if isinstance(i, list) else None for i in (old.get("ID"), new.get("ID"))]
    if not all(_same(old.get(name), new.get(name)) for name in ("Root", "Info")) or not _same(*ids):
        _refuse("trailer")
    if new.get("Prev") != older.offset or not all(type(s) is int for s in sizes):
        _refuse("trailer")


def _shown(file: PdfFile, since: int) -> _Shown:
    shown = _Shown()
    trailer = file.sections[since].trailer
    catalog = trailer.get("Root")
    if not isinstance(catalog, Ref):
        _refuse("trailer")
    shown.refs.add(catalog)
    todo: list[Object] = [v for k, v in file.catalog(since).items() if k != "DSS"]
    todo += [trailer.get("Info"), file.holder(catalog, since)]
    while todo:
        value = todo.pop()
        file.compared += 1
        if file.compared > MAX_COMPARED:
            _refuse("too many objects")
        if isinstance(value, Ref):
            if value in shown.refs:
                continue
            shown.refs.add(value)
            if (holder := file.holder(value, since)) is not None:
                todo.append(holder)
            value = file.get(value, since)
        if isinstance(value, Stream):
            value = value.entries
        if isinstance(value, dict):
            annotations = value.get("Annots")
            if value.get("Type") == "Page" and isinstance(annotations, Ref):
                shown.annotations.add(annotations)
            todo.extend(value.values())
        elif isinstance(value, list):
            todo.extend(value)
    return shown


def _check_catalog(file: PdfFile, index: int, old: Object, new: Object) -> None:
    old, new = _both(old, new)
    _check_others(old, new, _CATALOG_MAY_CHANGE)
    if not _same(old.get("AcroForm"), new.get("AcroForm")):
        _check_form(file, index, old.get("AcroForm"), new.get("AcroForm"))


def _check_form(file: PdfFile, index: int, old: Object, new: Object) -> None:
    old, new = _both(old, new)
    _check_others(old, new, _FORM_MAY_CHANGE)
    if not _same(old.get("Fields"), new.get("Fields")):
        _check_appended(file, index, old.get("Fields"), new.get("Fields"))


def _check_page(file: PdfFile, index: int, old: Object, new: Object) -> None:
    old, new = _both(old, new)
    _check_others(old, new, {"Annots"})
    if not _same(old.get("Annots"), new.get("Annots")):
        _check_appended(file, index, old.get("Annots", []), new.get("Annots"))


def _check_metadata(old: Object, new: Object) -> None:
    """XMP is no part of what a page shows and states the time of the update; it may be written anew, as XMP."""
    if not isinstance(old, Stream) or not isinstance(new, Stream) or old.entries.get("Type") != "Metadata":
        _refuse("object")
    _check_others(old.entries, new.entries, _METADATA_MAY_CHANGE)


def _check_others(old: Mapping[str, Object], new: Mapping[str, Object], free: set[str]) -> None:
    if not _same({k: v for k, v in old.items() if k not in free}, {k: v for k, v in new.items() if k not in free}):
        _refuse("object")


def _check_appended(file: PdfFile, index: int, old: Object, new: Object) -> None:
    """The old members, and after them fields of document time stamps that this update added and that show nothing."""
    if not isinstance(old, list) or not isinstance(new, list) or not _same(new[: len(old)], old):
        _refuse("object")
    for member in new[len(old) :]:
        if not isinstance(member, Ref) or file.entry(member.number, index + 1) is not None:
            _refuse("field")
        stamp = file.dictionary(member, index)
        value = stamp.get("V")
        if not isinstance(value, Ref) or file.entry(value.number, index + 1) is not None:
            _refuse("field")
        if not stamp.keys() <= _STAMP_FIELD_KEYS or stamp.get("FT") != "Sig" or not _empty(stamp.get("Rect", [])):
            _refuse("field")
        # Annotations of other kinds, such as notes, have a picture of their own, however small their place.
        if stamp.get("Type", "Annot") != "Annot" or stamp.get("Subtype", "Widget") != "Widget":
            _refuse("field")
        if file.dictionary(value, index).get("Type") != "DocTimeStamp":
            _refuse("field")


def _empty(rectangle: Object) -> bool:
    return isinstance(rectangle, list) and all(_same(v, 0) for v in rectangle)


def _both(old: Object, new: Object) -> tuple[Mapping[str, Object], Mapping[str, Object]]:
    if not isinstance(old, dict) or not isinstance(new, dict):
        _refuse("object")
    return old, new


def _same(old: Object | Sequence[Object], new: Object | Sequence[Object]) -> bool:
    """Whether both mean the same: 1 is 1.0, as programs write either, but it is not true, nor 0 false."""
    if isinstance(old, Stream) and isinstance(new, Stream):
        return old.data == new.data and _same(old.entries, new.entries)
    if isinstance(old, dict) and isinstance(new, dict):
        return old.keys() == new.keys() and all(_same(value, new[name]) for name, value in old.items())
    if isinstance(old, list) and isinstance(new, list):
        return len(old) == len(new) and all(map(_same, old, new))
    return isinstance(old, bool) is isinstance(new, bool) and old == new


def _refuse(detail: str) -> NoReturn:
    raise FormatError("pdf_changed_after_signing", detail=detail)
