"""The rules that follow from several values of a list together, after GB/T 21063 and what reviewers find most.

It works on records that may be partly at fault and stays silent about what rests on a value that could not be read,
so that one mistake is reported once. Single values are judged in `catalog.cells`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from catalog import domains, likeness, loading, promises
from catalog.model import EVERYONE, Disposition, FieldKind, ResourceFormat, ShareMethod, ShareType

if TYPE_CHECKING:
    from datetime import date

    from catalog.build import Record, Records
    from catalog.raw import Faults, Place

# Words that end the name of a system rather than of what it holds.
_SYSTEM_NAME = re.compile("(?:系统|平台|软件)(?:v?[0-9]+版?|[一二三四五]期)?$")
_SAYS_NOTHING: Final = frozenset(
    {"", "无", "暂无", "没有", "略", "同上", "待补充", "待定", "none", "na", "null", "xx", "测试"}
)
# 类, 项 and 目 take six digits, and a running number follows.
_SHORTEST_CODE: Final = 7
_NUMERIC = re.compile(r"[0-9/._-]+")
_ENOUGH_CODES: Final = 5
_USUAL_SHARE: Final = 0.8
_PERSONAL = re.compile(r"(?<![0-9])1[3-9][0-9]{9}(?![0-9])|(?<![0-9])[0-9]{17}[0-9Xx](?![0-9])")
_SUFFIX = re.compile(r"\.([A-Za-z0-9]{2,5})$")
# Suffixes that leave no doubt about the class; text and CSV come from anything.
_FILE_CLASSES: Final[dict[str, ResourceFormat]] = {
    **dict.fromkeys(("doc", "docx", "wps", "pdf", "ofd", "ceb"), ResourceFormat.DOCUMENT),
    **dict.fromkeys(("xls", "xlsx", "et"), ResourceFormat.SPREADSHEET),
    **dict.fromkeys(("jpg", "jpeg", "png", "gif", "bmp", "tif", "tiff", "dwg", "shp"), ResourceFormat.IMAGE),
    **dict.fromkeys(("mp3", "mp4", "avi", "wav", "flv", "swf", "rm"), ResourceFormat.STREAM),
}

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


def check(records: Records, faults: Faults, today: date | None = None) -> None:
    """Note every breach of a rule; with *today*, also deadlines that are past."""
    for table in (records.departments, records.resources, records.matters):
        _unique_codes(table, faults)
        _similar_names(table, faults)
    _unique_codes(records.code_lists, faults)
    _code_shapes(records.resources, faults)
    _cyclic_parents(records.departments, faults)
    for department in records.departments:
        _contacts(department, faults)
    for code_list in records.code_lists:
        _code_list(code_list, faults)
    resources: dict[str, Record] = {}
    for record in records.resources:
        _resource(record, faults)
        if record.get("code") is not None:
            resources.setdefault(record.get("code"), record)
    for matter in records.matters:
        _hidden(matter, faults)
    _lines(records, resources, faults, today)
    promises.check(records, resources, faults)


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


def _code_shapes(resources: list[Record], faults: Faults) -> None:
    """Note codes too short for GB/T 21063 (类 1, 项 2, 目 3 digits, 顺序码) and those unlike nearly all the others."""
    shapes: dict[str, list[Record]] = {}
    for record in resources:
        code = record.get("code")
        if code is None:
            continue
        if _NUMERIC.fullmatch(code) and sum(map(str.isdigit, code)) < _SHORTEST_CODE:
            faults.add(record.at("code"), "short_code", value=code, allowed=str(_SHORTEST_CODE))
        shape = re.sub(r"[0-9]", "9", re.sub(r"[A-Za-z]+", "A", code))
        shapes.setdefault(shape, []).append(record)
    usual = max(shapes, key=lambda shape: len(shapes[shape]), default="")
    total = sum(map(len, shapes.values()))
    if total < _ENOUGH_CODES or len(shapes[usual]) < total * _USUAL_SHARE:
        return
    example = shapes[usual][0].get("code")
    for shape, odd in shapes.items():
        for record in odd if shape != usual else ():
            faults.add(record.at("code"), "odd_code", value=record.get("code"), other=example)


def _similar_names(table: list[Record], faults: Faults) -> None:
    named = [record for record in table if record.get("name") is not None]
    names = [likeness.bare(record.get("name")) for record in named]
    first: dict[str, Record] = {}
    for record, name in zip(named, names, strict=True):
        other = first.setdefault(name, record)
        if other is not record:
            _alike(record, other, "similar_names", faults)
    for index, earlier in likeness.alike(names):
        if first[names[index]] is named[index]:
            _alike(named[index], named[earlier], "near_names", faults)


def _alike(record: Record, other: Record, code: str, faults: Faults) -> None:
    first = other.at("name").where
    faults.add(record.at("name"), code, value=record.get("name"), other=other.get("name"), first=first)


def _contacts(department: Record, faults: Faults) -> None:
    """A list names posts. What holds a telephone or identity number names a person; it is not repeated here."""
    for attribute in ("contact_role", "contacts"):
        value = department.get(attribute) or ()
        for text in (value,) if isinstance(value, str) else (post for _, post in value):
            if _PERSONAL.search(text):
                faults.add(department.at(attribute), "personal_contact", column=department.row.called(attribute))
                break


def _hidden(matter: Record, faults: Faults) -> None:
    """What is kept from the person whose data were used is kept on a ground that can be looked up."""
    hidden, ground = matter.get("hidden"), matter.get("hidden_ground")
    if hidden and ground == "":
        faults.add(matter.at("hidden_ground"), "hidden_without_ground")
    elif hidden and ground and not promises.cites(ground):
        faults.add(matter.at("hidden_ground"), "ground_cites_nothing", value=ground)
    elif hidden is False and ground:
        faults.add(matter.at("hidden"), "hidden_ground_idle")


def _code_list(record: Record, faults: Faults) -> None:
    if not record.items:
        faults.add(record.at("items"), "empty_code_list", value=record.get("code") or "")
    taken: dict[str, Record] = {}
    for item in record.items:
        value = item.get("value")
        if value is None:
            continue
        other = taken.setdefault(value, item)
        if other is not item:
            faults.add(item.at("value"), "duplicate_code_value", value=value, first=other.at("value").where)


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
    if name is not None and _SYSTEM_NAME.search(likeness.bare(name)):
        faults.add(record.at("name"), "system_as_name", value=name)
    share_type = record.get("share_type")
    ground = record.get("share_ground")
    if share_type is ShareType.NOT_SHARED and ground == "":
        faults.add(record.at("share_ground"), "not_shared_without_ground")
    if share_type is ShareType.CONDITIONAL and record.get("share_condition") == "":
        faults.add(record.at("share_condition"), "condition_missing")
    _method_fits(record, record.get("share_method"), "share_method", record.get("format"), faults)
    _grounded(record, faults)
    _says_something(record, faults)
    _format_fits(record, faults)
    names = _fields(record, faults)
    if names is not None:
        _source(record, names, faults)
    loading.check(record, faults)


def _grounded(record: Record, faults: Faults) -> None:
    """A ground for not sharing cites something; 内部数据 and the like are none."""
    ground = record.get("share_ground")
    if record.get("share_type") is ShareType.NOT_SHARED and ground and not promises.cites(ground):
        faults.add(record.at("share_ground"), "ground_cites_nothing", value=ground)


def _says_something(record: Record, faults: Faults) -> None:
    abstract, name = record.get("abstract"), record.get("name")
    if (
        abstract
        and name
        and (likeness.bare(abstract) in _SAYS_NOTHING or likeness.bare(abstract) == likeness.bare(name))
    ):
        faults.add(record.at("abstract"), "abstract_says_nothing", value=abstract)


def _format_fits(record: Record, faults: Faults) -> None:
    """Of the classes of files, the one given should be that of the file the source names."""
    form, source = record.get("format"), record.get("source.object")
    match = _SUFFIX.search(source.partition("#")[0]) if source else None
    found = _FILE_CLASSES.get(match[1].lower()) if match else None
    if found is None or form not in _FILE_CLASSES.values() or form is found:
        return
    value, allowed = (f"`{f} {domains.FORMAT.word(f)}`" for f in (form, found))
    faults.add(record.at("format"), "format_source_mismatch", value=value, other=source, allowed=allowed)


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
    for attribute in ("source.cursor_field", "source.deleted_field", "region_field"):
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


def _lines(records: Records, resources: dict[str, Record], faults: Faults, today: date | None) -> None:
    seen: dict[tuple[object, ...], Record] = {}
    matters = {record.get("code") for record in records.matters}
    for line in records.responsibilities:
        for index, purpose in enumerate(line.get("purposes") or ()):
            if purpose != EVERYONE and purpose not in matters:
                faults.add(line.item("purposes", index), "unknown_matter", value=purpose)
        deadline = line.get("deadline")
        if today is not None and deadline is not None and deadline < today:
            faults.add(line.at("deadline"), "deadline_past", value=deadline.isoformat(), today=today.isoformat())
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
        promises.said_twice(line, seen, faults)
