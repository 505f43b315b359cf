"""Reads calendars and clock profiles from files, and names every fault with its place and the mend.

What the values mean is `catalog.clock`.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any, Final, get_args

from catalog.clock import MAX_DAYS, RULE_CODES, SATURDAY, Calendar, ClockProfile, ClockRule, Unit
from catalog.datafile import DATA, DataFault, DataFileInvalidError, cells_by_line, fault, read_text

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_CALENDAR_HEADINGS: Final = ("date", "kind", "name")
_KINDS: Final = ("holiday", "workday")
_YEAR_DIGITS: Final = 4


def read_calendar(path: Path | None = None) -> Calendar:
    """The calendar in *path*, or the packaged one, as `parse_calendar` has it.

    Raises:
        DataFileInvalidError: with every fault of the file.
    """
    path = path or DATA / "calendar.csv"
    return parse_calendar(read_text(path), path.name)


def parse_calendar(text: str, file: str) -> Calendar:
    """The calendar that *text* holds; *file* is what faults call it.

    CSV in UTF-8: a row ``date,kind,name`` for each day that differs from the weekend rule (a holiday that falls on
    a weekend may stand too), and a line ``#year,2026,source`` for each year that is complete. Other lines that
    begin with ``#`` are remarks.

    Raises:
        DataFileInvalidError: with every fault of the file.
    """
    faults: list[DataFault] = []
    days: dict[date, tuple[str, int, str]] = {}
    sources: dict[int, str] = {}
    headed = False
    for number, row in cells_by_line(text):
        where = f"{file}:{number}"
        if row[0].lower() == "#year":
            _year(row, sources, where, faults)
        elif row[0].startswith("#"):
            continue
        elif not headed:
            headed = True
            if tuple(row) != _CALENDAR_HEADINGS:
                faults.append(fault(where, "headings", expected=",".join(_CALENDAR_HEADINGS)))
        else:
            _day(row, number, days, where, faults)
    for year in sorted({day.year for day in days} - set(sources)):
        line = min(line for day, (_, line, _) in days.items() if day.year == year)
        faults.append(fault(f"{file}:{line}", "year_without_source", value=str(year)))
    if faults:
        raise DataFileInvalidError(faults)
    holidays = frozenset(day for day, (kind, _, _) in days.items() if kind == "holiday")
    return Calendar(holidays, frozenset(days) - holidays, sources, {day: name for day, (_, _, name) in days.items()})


def render_calendar(calendar: Calendar) -> str:
    """*calendar* as `parse_calendar` reads it."""
    lines = [f"#year,{year},{source}" for year, source in sorted(calendar.sources.items())]
    lines.append(",".join(_CALENDAR_HEADINGS))
    for day in sorted(calendar.holidays | calendar.workdays):
        kind = "holiday" if day in calendar.holidays else "workday"
        name = calendar.names.get(day, "-").replace('"', '""')
        lines.append(f'{day.isoformat()},{kind},"{name}"')
    return "\n".join(lines) + "\n"


def _year(row: list[str], sources: dict[int, str], where: str, faults: list[DataFault]) -> None:
    source = ",".join(row[2:]).strip()
    if len(row) > 1 and row[1].isascii() and row[1].isdigit() and len(row[1]) == _YEAR_DIGITS and source:
        sources[int(row[1])] = source
    else:
        faults.append(fault(where, "year_line"))


def _day(
    row: list[str], number: int, days: dict[date, tuple[str, int, str]], where: str, faults: list[DataFault]
) -> None:
    if len(row) != len(_CALENDAR_HEADINGS):
        faults.append(fault(where, "cells", found=str(len(row)), expected=str(len(_CALENDAR_HEADINGS))))
        return
    written, kind, name = row
    try:
        day = date.fromisoformat(written)
    except ValueError:
        faults.append(fault(where, "date", value=written))
        return
    if kind not in _KINDS:
        faults.append(fault(where, "kind", value=kind))
    elif kind == "workday" and day.weekday() < SATURDAY:
        faults.append(fault(where, "worked_anyway", value=written))
    if not name:
        faults.append(fault(where, "name"))
    if day in days:
        faults.append(fault(where, "duplicate", value=written, first=str(days[day][1])))
    else:
        days[day] = (kind, number, name)


def read_profile(path: Path | None, name: str) -> ClockProfile:
    """The profile called *name* in *path*, or in the packaged file.

    YAML: ``profiles: {NAME: {version, extends, rules: [{code, days, unit, starts, remind_before, law, source,
    verified}]}}``. A profile that *extends* one that stands before it takes over the rules it does not name.

    Raises:
        DataFileInvalidError: with every fault of the file, whichever profile it is in.
    """
    path = path or DATA / "clocks.yaml"
    profiles = read_profiles(path)
    if name not in profiles:
        allowed = ", ".join(f"`{known}`" for known in profiles)
        raise DataFileInvalidError([fault(path.name, "profile_unknown", value=name, allowed=allowed)])
    return profiles[name]


def read_profiles(path: Path) -> dict[str, ClockProfile]:
    """Every profile in *path*, by name; see `read_profile`."""
    import yaml  # noqa: PLC0415 - not everything that reads a calendar reads YAML

    try:
        plain = yaml.safe_load(read_text(path))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{path.name}:{mark.line + 1}" if mark else path.name
        raise DataFileInvalidError([fault(where, "syntax")]) from error
    except RecursionError as error:
        raise DataFileInvalidError([fault(path.name, "syntax")]) from error
    found = plain.get("profiles") if isinstance(plain, dict) else None
    if not isinstance(found, dict):
        raise DataFileInvalidError([_shape(path.name, "profiles", "a mapping of profiles", "时限方案的映射")])
    faults: list[DataFault] = []
    profiles: dict[str, ClockProfile] = {}
    for name, value in found.items():
        profiles[str(name)] = _profile(path.name, str(name), value, profiles, faults)
    if faults:
        raise DataFileInvalidError(faults)
    return profiles


_PROFILE_MEMBERS: Final = ("version", "extends", "rules")
_RULE_MEMBERS: Final = ("code", "days", "unit", "starts", "remind_before", "law", "source", "verified")


def _profile(
    file: str, name: str, value: object, before: Mapping[str, ClockProfile], faults: list[DataFault]
) -> ClockProfile:
    empty = ClockProfile(name, "", ())
    if not isinstance(value, dict):
        faults.append(_shape(file, name, "a mapping", "映射"))
        return empty
    faults += [
        fault(file, "unknown", member=f"{name}.{member}", allowed=", ".join(_PROFILE_MEMBERS))
        for member in value
        if member not in _PROFILE_MEMBERS
    ]
    version, extends, listed = value.get("version"), value.get("extends"), value.get("rules")
    if not isinstance(version, str) or not version:
        faults.append(_shape(file, f"{name}.version", "a text in quotes", "带引号的文本"))
    if not isinstance(listed, list):
        faults.append(_shape(file, f"{name}.rules", "a sequence of rules", "规则序列"))
        return empty
    rules: dict[str, ClockRule] = {}
    if extends is not None:
        if extends in before:
            rules.update({rule.code: rule for rule in before[extends].rules})
        else:
            faults.append(fault(file, "extends", value=str(extends)))
    own: set[str] = set()
    for position, item in enumerate(listed):
        rule = _rule(file, f"{name}.rules[{position}]", item, faults)
        if rule is None:
            continue
        if rule.code in own:
            faults.append(fault(file, "rule_twice", rule=rule.code))
        own.add(rule.code)
        rules[rule.code] = rule
    if not faults:
        faults += [fault(file, "rule_missing", profile=name, rule=code) for code in RULE_CODES if code not in rules]
    return ClockProfile(name, str(version), tuple(rules.values()))


def _rule(file: str, where: str, item: object, faults: list[DataFault]) -> ClockRule | None:
    if not isinstance(item, dict):
        faults.append(_shape(file, where, "a mapping", "映射"))
        return None
    before = len(faults)
    faults += [fault(file, "missing", member=f"{where}.{member}") for member in _RULE_MEMBERS if member not in item]
    faults += [
        fault(file, "unknown", member=f"{where}.{member}", allowed=", ".join(_RULE_MEMBERS))
        for member in item
        if member not in _RULE_MEMBERS
    ]
    for member, least in (("days", 1), ("remind_before", 0)):
        number = item.get(member)
        if member in item and not (type(number) is int and least <= number <= MAX_DAYS):
            faults.append(
                _shape(
                    file,
                    f"{where}.{member}",
                    f"a whole number, {least} to {MAX_DAYS}",
                    f" {least} 至 {MAX_DAYS} 的整数",
                )
            )
    for member in ("code", "starts", "law", "source"):
        if member in item and not isinstance(item[member], str):
            faults.append(_shape(file, f"{where}.{member}", "a text", "文本"))
    if "unit" in item and item["unit"] not in get_args(Unit):
        faults.append(
            _shape(file, f"{where}.unit", "`working` or `calendar`", " `working`（工作日）或 `calendar`（自然日）")
        )
    if "verified" in item and not isinstance(item["verified"], bool):
        faults.append(_shape(file, f"{where}.verified", "`true` or `false`", " `true` 或 `false`"))
    if "code" in item and isinstance(item["code"], str) and item["code"] not in RULE_CODES:
        faults.append(fault(file, "unknown", member=f"{where}.code: {item['code']}", allowed=", ".join(RULE_CODES)))
    if len(faults) > before:
        return None
    members: dict[str, Any] = {member: item[member] for member in _RULE_MEMBERS}
    return ClockRule(**members)


def _shape(file: str, where: str, expected: str, expected_zh: str) -> DataFault:
    return fault(file, "shape", member=where, expected=expected, expected_zh=expected_zh)
