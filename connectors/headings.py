"""Match the headings a source has with the columns the list asks for.

Leaves the finding of headings to each kind; nothing here reads a source.
"""

from __future__ import annotations

import difflib
import unicodedata
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from connectors.errors import SourceShapeError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from connectors.protocol import Column

# Below this similarity a guess misleads more than it helps (difflib's own default).
GUESS_CUTOFF = 0.6
HEADINGS_SHOWN = 30


@dataclass(frozen=True, slots=True)
class Matching:
    """For each requested column the index of its heading, or None; what was found by alias; headings left over."""

    indexes: tuple[int | None, ...]
    renamed: tuple[tuple[str, str], ...]
    extra: tuple[str, ...]


def normal(heading: str) -> str:
    """The form in which headings are compared: NFKC, without surrounding white space."""
    return unicodedata.normalize("NFKC", heading).strip()


def match(
    columns: Sequence[Column],
    headings: Sequence[str],
    where: str,
    *,
    short: Sequence[str] = (),
    require: bool = True,
) -> Matching:
    """Match *headings* (of the object at *where*) with *columns*.

    A column's own name wins over its aliases, and a whole heading over a *short* one (the lower part of a two-row
    heading, given in the same order), which counts only where it is unique. ``require=False`` is for a single sparse
    record, where the caller judges what is missing once all have been seen.

    Raises:
        SourceShapeError: a required column is missing, or a heading occurs twice.
    """
    names = [normal(heading) for heading in headings]
    counts = Counter(names)
    whole = {name: index for index, name in reversed(list(enumerate(names))) if name}
    lower_names = [normal(heading) for heading in short]
    lower_counts = Counter(lower_names)
    lower = {name: i for i, name in enumerate(lower_names) if name and lower_counts[name] == 1 and name not in whole}

    found: dict[int, int] = {}
    renamed: dict[int, str] = {}
    taken: set[int] = set()
    # Own names first for all columns: an alias must never take the heading that is another column's own.
    for position, column in enumerate(columns):
        own = normal(column.name)
        index = whole.get(own, lower.get(own))
        if index is not None and index not in taken:
            found[position] = index
            taken.add(index)
    for position, column in enumerate(columns):
        for alias in () if position in found else (normal(alias) for alias in column.aliases):
            index = whole.get(alias, lower.get(alias))
            if index is not None and index not in taken:
                found[position] = index
                renamed[position] = headings[index]
                taken.add(index)
                break

    if require:
        check_missing(columns, set(found), headings, where)
    for name, count in counts.items():
        # A blank heading is only an unnamed column (trailing commas are common); two named alike are a fault, since
        # nobody can say which of them is meant.
        if name and count > 1:
            raise SourceShapeError(problem="heading_duplicate", where=where, heading=name)
    return Matching(
        indexes=tuple(found.get(position) for position in range(len(columns))),
        renamed=tuple((columns[position].name, renamed[position]) for position in sorted(renamed)),
        extra=tuple(h if names[i] else f"#{i + 1}" for i, h in enumerate(headings) if i not in taken),
    )


def check_missing(columns: Sequence[Column], found: set[int], headings: Sequence[str], where: str) -> None:
    """Raise when a required column is not among those *found* (positions in *columns*).

    Headings are repeated in the message only when at least one of them is known: otherwise the first line may well
    be data, and a message must not hold the values of a row.
    """
    missing = [c.name for position, c in enumerate(columns) if c.required and position not in found]
    if not missing:
        return
    quoted = "、".join(f"`{name}`" for name in missing)
    names = [normal(heading) for heading in headings]
    if not found:
        raise SourceShapeError(problem="header_missing", where=where, missing=quoted, count=len(headings))
    near = [difflib.get_close_matches(normal(name), names, n=1, cutoff=GUESS_CUTOFF) for name in missing]
    guess = "、".join(f"`{guesses[0]}`" for guesses in near if guesses) or "—"
    shown = "、".join(f"`{name}`" for name in names[:HEADINGS_SHOWN])
    raise SourceShapeError(problem="columns_missing", where=where, missing=quoted, found=shown, guess=guess)
