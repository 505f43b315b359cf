"""The ordinary faults of departmental data, put into the made-up records at known places and counted.

A row gets one fault at most, so that the reasons for which rows must be rejected are known exactly. Which reason
the warehouse gives is its own business; the names here are the ones it publishes.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from hub.demo.draw import Row, Table

# Each fault of a plan hits one row in 500, and all rejects of a table together stay below 3 %, well inside the error
# budget of 5 % of the responsibility list.
RATE: Final = 0.002
MOST_REJECTS: Final = 0.03

FULL_WIDTH: Final = "full_width_digits"
OTHER_DATE: Final = "other_date_form"
# Faults that are mended on the way in.
NOTED: Final = frozenset({FULL_WIDTH, OTHER_DATE})

_WIDE = str.maketrans({chr(c): chr(c + 0xFEE0) for c in range(0x21, 0x7F)})
_USCC = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_CITIZEN = "10X98765432"
# 30 February, the zero date of MySQL, a thirteenth month, 29 February of a common year.
_IMPOSSIBLE: Final = ("2023-02-30", "0000-00-00", "20231301", "2023-02-29", "2024年2月30日")


@dataclass(frozen=True, slots=True)
class Sown:
    """What was put into one table: rejected rows by reason, mended rows by fault, and which rows will be rejected."""

    rejects: tuple[tuple[str, int], ...]
    noted: tuple[tuple[str, int], ...]
    rejected: frozenset[int]


def _next_in(alphabet: str) -> Callable[[str, int], str]:
    return lambda value, _: value[:-1] + alphabet[(alphabet.index(value[-1]) + 1) % len(alphabet)]


def _impossible(value: str, number: int) -> str:
    # A date of eight digits stands in a fixed-width column that holds no more.
    return "20230230" if len(value) == 8 else _IMPOSSIBLE[number % (len(_IMPOSSIBLE))]


def _other_date(value: str, number: int) -> str:
    year, month, day = value.split("-")
    return (f"{year}/{month}/{day}", f"{year}年{int(month)}月{int(day)}日", f"{year}{month}{day}")[number % 3]


# fault → how it spoils a value; the number counts the rows this fault has hit.
_SPOILERS: Final[dict[str, Callable[[str, int], str]]] = {
    "bad_citizen_id": _next_in(_CITIZEN),
    "bad_uscc": _next_in(_USCC),
    "impossible_date": _impossible,
    "null_not_allowed": lambda _value, _number: "",
    "null_key": lambda _value, _number: "",
    "bad_code": lambda value, _number: "9" * len(value),
    "bad_type": lambda value, _number: f"约{value}",
    "bad_pattern": lambda value, _number: value[:-1] + "?",
    "too_long": lambda value, _number: value * 30,
    "cross_field": lambda _value, _number: _LONG_AGO,
    FULL_WIDTH: lambda value, _number: value.translate(_WIDE),
    OTHER_DATE: _other_date,
}

# A contract that ends before it began: a good day by itself.
_LONG_AGO: Final = "1999-12-31"

# resource → (field, resource and field that it refers to): the reference rules that the list asks of every row.
REFERENCES: Final[dict[str, tuple[str, str, str]]] = {"3140010002": ("unit_no", "3140010001", "unit_no")}

# The fields by which incremental resources are read on. Records at the newest value are read again with the next delta,
# which may hold few others: a fault among them would be more than the error budget of so small a batch.
CURSORS: Final[dict[str, str]] = {
    "3010010001": "updated_at",
    "3030010002": "paid_on",
    "3040010001": "updated_at",
    "3040010002": "submitted_at",
    "3060010002": "posted_on",
    "3120020001": "updated_at",
    "3140010002": "batch_no",
}

# resource → its faults in order of importance: (fault, field). A repeated record needs no field; for a conflicting
# one the field is what differs. Cursor fields stay clean: a source that cannot order its changes is another matter.
PLANS: Final[dict[str, tuple[tuple[str, str], ...]]] = {
    "3010010001": (
        ("bad_citizen_id", "citizen_id"),
        ("impossible_date", "birth_date"),
        (FULL_WIDTH, "citizen_id"),
        ("null_not_allowed", "name"),
        ("bad_code", "sex"),
        (OTHER_DATE, "birth_date"),
    ),
    "3010010002": (
        ("duplicate_key", ""),
        ("bad_type", "member_count"),
        ("conflicting_key", "head_name"),
        ("bad_citizen_id", "head_citizen_id"),
    ),
    "3010020001": (
        ("conflicting_key", "brand"),
        ("impossible_date", "registered_on"),
        (FULL_WIDTH, "owner_citizen_id"),
        ("bad_code", "status"),
    ),
    "3010020002": (("bad_citizen_id", "citizen_id"), ("bad_pattern", "file_no"), ("impossible_date", "valid_until")),
    "3030010001": (
        (FULL_WIDTH, "citizen_id"),
        ("bad_uscc", "employer_uscc"),
        ("impossible_date", "insured_since"),
        ("duplicate_key", ""),
        ("bad_type", "contribution_base"),
        ("conflicting_key", "status"),
    ),
    "3030010002": (("bad_citizen_id", "citizen_id"), ("null_not_allowed", "name")),
    "3040010001": (
        ("bad_uscc", "uscc"),
        (FULL_WIDTH, "uscc"),
        ("impossible_date", "established_on"),
        ("bad_citizen_id", "legal_representative_id"),
    ),
    "3040010002": (("bad_uscc", "uscc"), ("bad_type", "employees")),
    "3040020001": (
        ("bad_code", "category"),
        ("duplicate_key", ""),
        ("impossible_date", "registered_on"),
        (FULL_WIDTH, "uscc"),
    ),
    "3050010001": (
        ("bad_citizen_id", "owner_citizen_id"),
        ("conflicting_key", "area"),
        ("impossible_date", "registered_on"),
        (OTHER_DATE, "registered_on"),
    ),
    "3050010002": (("bad_uscc", "builder_uscc"), ("bad_type", "building_area")),
    "3060010001": (
        ("bad_citizen_id", "citizen_id"),
        (FULL_WIDTH, "citizen_id"),
        ("duplicate_key", ""),
        ("null_not_allowed", "name"),
    ),
    "3060010002": (("bad_citizen_id", "citizen_id"), ("bad_pattern", "month")),
    "3070010001": (("impossible_date", "valid_until"), ("bad_citizen_id", "citizen_id")),
    "3070010002": (("conflicting_key", "model"), (FULL_WIDTH, "owner_citizen_id"), ("duplicate_key", "")),
    "3080010001": (("duplicate_key", ""), (FULL_WIDTH, "teachers")),
    "3080010002": (("null_key", "pupil_no"), ("bad_citizen_id", "citizen_id"), ("impossible_date", "enrolled_on")),
    "3090010001": (("bad_uscc", "uscc"), ("impossible_date", "valid_until")),
    "3090020001": (("bad_citizen_id", "mother_citizen_id"), ("impossible_date", "born_on"), ("duplicate_key", "")),
    "3100010001": (("bad_uscc", "holder_uscc"), ("too_long", "species")),
    "3100010002": (("bad_code", "unit"), ("impossible_date", "issued_on")),
    "3100020001": (("duplicate_key", ""), ("impossible_date", "registered_on")),
    "3110010001": (("bad_uscc", "builder_uscc"),),
    "3120010001": ((FULL_WIDTH, "citizen_id"), ("bad_citizen_id", "citizen_id"), ("duplicate_key", "")),
    "3120020001": (("impossible_date", "registered_on"), ("bad_citizen_id", "male_citizen_id")),
    "3120030001": (("bad_uscc", "uscc"), (OTHER_DATE, "registered_on")),
    "3130010001": (("bad_pattern", "card_no"), (OTHER_DATE, "issued_on")),
    "3130020001": (("bad_pattern", "first_bus"),),
    "3140010001": (("impossible_date", "built_on"), ("duplicate_key", "")),
    "3140010002": (("cross_field", "ends_on"), (FULL_WIDTH, "tenant_citizen_id")),
}


def orphans(table: Table, tables: Mapping[str, Table], rejected: Mapping[str, frozenset[int]]) -> frozenset[int]:
    """The rows of *table* that refer to a record which is rejected itself, so that the reference finds nothing."""
    if table.code not in REFERENCES:
        return frozenset()
    field, code, name = REFERENCES[table.code]
    own, there = table.index(field), tables[code].index(name)
    accepted = {row[there] for at, row in enumerate(tables[code].rows) if at not in rejected[code]}
    return frozenset(at for at, row in enumerate(table.rows) if row[own] not in accepted)


def sow(table: Table, seed: int, spared: frozenset[int] = frozenset()) -> Sown:
    """Put the planned faults into *table* in place, but into none of the rows *spared*, and say how many of each."""
    rng = Random(f"{seed}:faults:{table.code}")
    clean = len(table.rows)
    count = max(1, round(clean * RATE))
    most = int(clean * MOST_REJECTS)
    spoilt = _newest(table) | _struck(table) | spared
    rejected: set[int] = set()
    rejects: Counter[str] = Counter()
    noted: Counter[str] = Counter()
    for fault, field in PLANS.get(table.code, ()):
        cost = count * (2 if fault == "conflicting_key" else 0 if fault in NOTED else 1)
        if rejects.total() + cost > most:
            continue
        for number in range(count):
            at = _draw(rng, table, field, clean, spoilt)
            spoilt.add(at)
            if fault in ("duplicate_key", "conflicting_key"):
                # Of identical records the first is kept; of conflicting ones none is.
                rejected.update((at, len(table.rows)) if field else (len(table.rows),))
                _repeat(table, at, field)
            else:
                rejected.update(() if fault in NOTED else (at,))
                _spoil(table.rows[at], table.index(field), fault, number)
        (noted if fault in NOTED else rejects)[fault] += cost or count
    return Sown(tuple(sorted(rejects.items())), tuple(sorted(noted.items())), frozenset(rejected))


def _newest(table: Table) -> set[int]:
    """The rows that stay clean because the next delta holds them again; none when that would be all of them."""
    if table.code not in CURSORS:
        return set()
    column = table.index(CURSORS[table.code])
    newest = max(row[column] or "" for row in table.rows)
    rows = {at for at, row in enumerate(table.rows) if row[column] == newest}
    return rows if len(rows) < len(table.rows) else set()


def _struck(table: Table) -> set[int]:
    """The rows marked deleted: of such a record nothing but its key is looked at."""
    if "deleted" not in table.columns:
        return set()
    column = table.index("deleted")
    return {at for at, row in enumerate(table.rows) if row[column] == "1"}


def _draw(rng: Random, table: Table, field: str, clean: int, spoilt: set[int]) -> int:
    """A row that has no fault yet and holds a value in *field*; a plan never asks for more than a few in a hundred."""
    column = table.index(field) if field else 0
    while True:
        at = int(rng.random() * clean)
        if at not in spoilt and table.rows[at][column]:
            return at


def _spoil(row: Row, column: int, fault: str, number: int) -> None:
    value = row[column] or ""
    row[column] = _SPOILERS[fault](value, number)


def _repeat(table: Table, at: int, field: str) -> None:
    """Add the record at *at* once more, identical, or different in *field* when one is named."""
    copy = list(table.rows[at])
    if field:
        column = table.index(field)
        # Still a good value of its kind: only the two together are wrong.
        value = copy[column] or ""
        copy[column] = f"1{value}" if value[:1].isdigit() and "." in value else _swapped(value)
    table.rows.append(copy)


def _swapped(value: str) -> str:
    return {"1": "2", "2": "3", "3": "1"}.get(value, value + "甲")
