"""The rules that follow from several values of a list together, after GB/T 21063 and what reviewers find most.

It works on records that may be partly at fault and stays silent about what rests on a value that could not be read,
so that one mistake is reported once. Single values are judged in `catalog.cells`.
"""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING, Final

from catalog import domains
from catalog.model import EVERYONE, Disposition, FieldKind, ResourceFormat, ShareMethod, ShareType

if TYPE_CHECKING:
    from catalog.build import Record, Records
    from catalog.raw import Faults, Place

# Words that end the name of a system rather than of what it holds.
_SYSTEM_WORDS: Final = ("系统", "平台")

# 共享方式 by 信息资源格式: what is a service can only be called, and only tables can be shared as a database.
_METHODS: Final[dict[ResourceFormat, frozenset[ShareMethod]]] = {
    ResourceFormat.DOCUMENT: frozenset({ShareMethod.FILE, ShareMethod.SERVICE}),
    ResourceFormat.SPREADSHEET: frozenset(ShareMethod),
    ResourceFormat.DATABASE: frozenset(ShareMethod),
    ResourceFormat.IMAGE: frozenset({ShareMethod.FILE, ShareMethod.SERVICE}),
    ResourceFormat.STREAM: frozenset({ShareMethod.FILE, ShareMethod.SERVICE}),
    ResourceFormat.SELF_DESCRIBING: frozenset({ShareMethod.FILE, ShareMethod.SERVICE}),
    ResourceFormat.SERVICE: frozenset({ShareMethod.SERVICE}),
}


def check(records: Records, faults: Faults) -> None:
    """Note every breach of a rule."""
    for table in (records.departments, records.resources, records.matters):
        _unique_codes(table, faults)
        _similar_names(table, faults)
    _cyclic_parents(records.departments, faults)
    resources: dict[str, Record] = {}
    for record in records.resources:
        _resource(record, faults)
        if record.get("code") is not None:
            resources.setdefault(record.get("code"), record)
    for record in records.resources:
        for index, code in enumerate(record.get("related") or ()):
            if code not in resources:
                faults.add(record.item("related", index), "unknown_resource", value=code)
    matters = {record.get("code") for record in records.matters}
    _lines(records.responsibilities, resources, matters, faults)


def _unique_codes(table: list[Record], faults: Faults) -> None:
    first: dict[str, Record] = {}
    for record in table:
        code = record.get("code")
        if code is None:
            continue
        if code in first:
            faults.add(record.at("code"), "duplicate_code", value=code, first=first[code].at("code").where)
        else:
            first[code] = record


def _bare(name: str) -> str:
    """A name without punctuation, symbols and space, half-width and without capitals."""
    return "".join(
        char for char in unicodedata.normalize("NFKC", name).casefold() if unicodedata.category(char)[0] not in "PSZC"
    )


def _similar_names(table: list[Record], faults: Faults) -> None:
    first: dict[str, Record] = {}
    for record in table:
        name = record.get("name")
        if name is None:
            continue
        other = first.setdefault(_bare(name), record)
        if other is not record:
            faults.add(
                record.at("name"), "similar_names", value=name, other=other.get("name"), first=other.at("name").where
            )


def _cyclic_parents(departments: list[Record], faults: Faults) -> None:
    """Note each ring once, at its first department in the file. Linear: a department is walked over once."""
    parents: dict[str, str] = {d.get("code"): d.get("parent") for d in departments if d.get("code") and d.get("parent")}
    by_code = {d.get("code"): d for d in reversed(departments) if d.get("code")}
    done: set[str] = set()
    for start in parents:
        path: dict[str, None] = {}
        code = start
        while code in parents and code not in done and code not in path:
            path[code] = None
            code = parents[code]
        if code in path:
            walked = list(path)
            ring = walked[walked.index(code) :]
            at = min((by_code[c] for c in ring), key=lambda d: d.at("parent").order)
            faults.add(at.at("parent"), "cyclic_parent", value=at.get("code"), chain=" → ".join([*ring[:8], ring[0]]))
        done.update(path)


def _resource(record: Record, faults: Faults) -> None:
    """The rules within one resource."""
    name = record.get("name")
    if name is not None and _bare(name).endswith(_SYSTEM_WORDS):
        faults.add(record.at("name"), "system_as_name", value=name)
    share_type = record.get("share_type")
    ground = record.get("share_ground")
    if share_type is ShareType.NOT_SHARED and ground == "":
        faults.add(record.at("share_ground"), "not_shared_without_ground")
    if share_type is ShareType.CONDITIONAL and record.get("share_condition") == "":
        faults.add(record.at("share_condition"), "condition_missing")
    _method_fits(record, record.get("share_method"), "share_method", record.get("format"), faults)
    names = _fields(record, faults)
    if names is not None:
        _source(record, names, faults)


def _fields(record: Record, faults: Faults) -> list[str] | None:
    """Check the fields and return their names, or None when not all of them could be read."""
    shown = record.get("code") or record.get("name") or ""
    if not record.fields:
        if record.fields_known:
            faults.add(record.at("fields"), "no_fields", value=shown)
        return None
    if all(item.get("key") is False for item in record.fields):
        faults.add(record.at("fields"), "no_key", value=shown)
    taken: dict[str, Place] = {}
    for item in record.fields:
        name = item.get("name")
        if name is None:
            continue
        # DuckDB and many a source compare column names without capitals.
        if name.casefold() in taken:
            faults.add(item.at("name"), "duplicate_field", value=name, first=taken[name.casefold()].where)
        taken.setdefault(name.casefold(), item.at("name"))
    headings: dict[str, Record] = {}
    for item in record.fields:
        for index, alias in enumerate(item.get("aliases") or ()):
            other = headings.setdefault(alias, item)
            own = (item.get("name") or "").casefold() == alias.casefold()
            if other is not item:
                faults.add(item.item("aliases", index), "alias_clash", value=alias, first=other.at("aliases").where)
            elif alias.casefold() in taken and not own:
                place = taken[alias.casefold()]
                faults.add(item.item("aliases", index), "alias_clash", value=alias, first=place.where)
    for item in record.fields:
        _field(item, record, faults)
    names = [item.get("name") for item in record.fields]
    return None if None in names else names


def _field(item: Record, record: Record, faults: Faults) -> None:
    kind = item.get("type")
    if item.get("check") is not None and kind is not None and kind.kind is not FieldKind.STRING:
        faults.add(item.at("check"), "check_needs_string", value=str(kind))
    grounds = (item.get("share_condition"), record.get("share_ground"))
    if item.get("share_type") is ShareType.NOT_SHARED and grounds == ("", ""):
        faults.add(item.at("share_condition"), "not_shared_without_ground")


def _source(record: Record, names: list[str], faults: Faults) -> None:
    for attribute in ("source.cursor_field", "source.deleted_field"):
        value = record.get(attribute)
        if value and value not in names:
            allowed = ", ".join(f"`{name}`" for name in names)
            faults.add(
                record.at(attribute), "not_a_field", column=record.row.called(attribute), value=value, allowed=allowed
            )
    if record.get("disposition") is Disposition.MERGE and record.get("source.cursor_field") == "":
        faults.add(record.at("source.cursor_field"), "merge_without_cursor")
    if record.get("source.deleted_field") and record.get("source.deleted_value") == "":
        attribute = "source.deleted_value"
        faults.add(record.at(attribute), "deleted_value_missing", column=record.row.called(attribute))


def _method_fits(
    record: Record, method: ShareMethod | None, attribute: str, form: ResourceFormat | None, faults: Faults
) -> None:
    if method is None or form is None or method in _METHODS[form]:
        return
    faults.add(
        record.at(attribute),
        "method_format_mismatch",
        value=f"`{method} {domains.METHOD.word(method)}`",
        format=f"`{form} {domains.FORMAT.word(form)}`",
        allowed=", ".join(f"`{m} {domains.METHOD.word(m)}`" for m in sorted(_METHODS[form])),
    )


def _lines(lines: list[Record], resources: dict[str, Record], matters: set[str | None], faults: Faults) -> None:
    seen: dict[tuple[object, ...], Record] = {}
    for line in lines:
        for index, purpose in enumerate(line.get("purposes") or ()):
            if purpose != EVERYONE and purpose not in matters:
                faults.add(line.item("purposes", index), "unknown_matter", value=purpose)
        code = line.get("resource")
        if code is None:
            continue
        resource = resources.get(code)
        if resource is None:
            faults.add(line.at("resource"), "unknown_resource", value=code)
            continue
        if resource.get("share_type") is ShareType.NOT_SHARED:
            faults.add(line.at("resource"), "not_shared_on_list", value=code)
        provider, other = line.get("provider"), resource.get("provider")
        if provider and other and provider != other:
            faults.add(line.at("provider"), "provider_mismatch", value=provider, other=other)
        _method_fits(line, line.get("method"), "method", resource.get("format"), faults)
        same = seen.setdefault(tuple(sorted(line.values.items())), line)
        if same is not line:
            faults.add(line.row.place, "duplicate_line", first=same.row.place.where)
