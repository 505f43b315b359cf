"""The table of text values that every maker of records fills, and the few ways in which it draws from chance.

Which records there are is `hub.demo.citizens` and `hub.demo.trades`; this module knows none of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, TypeVar

from hub.demo.people import DAY_ONE

if TYPE_CHECKING:
    from collections.abc import Sequence
    from random import Random

    from hub.demo.people import Person

T = TypeVar("T")
Row = list[str | None]


@dataclass(slots=True)
class Table:
    """The records of one resource. *rows* are still being worked on; a value is text, or None where nothing is."""

    code: str
    columns: tuple[str, ...]
    rows: list[Row]

    def index(self, column: str) -> int:
        """The position of *column* in a row."""
        return self.columns.index(column)


def pick(rng: Random, items: Sequence[T]) -> T:
    """One of *items*; random() is several times as fast as choice(), and a table has tens of thousands of picks."""
    return items[int(rng.random() * len(items))]


def some(rng: Random, people: Sequence[Person], count: int) -> list[Person]:
    """*count* different persons (all, if there are fewer), in a drawn order."""
    return rng.sample(people, min(count, len(people)))


def past(rng: Random, days: int, least: int = 1) -> date:
    """A day before `DAY_ONE`: at least *least* days before, and fewer than *days* more."""
    return DAY_ONE - timedelta(days=least + int(rng.random() * days))


def years_on(day: date, years: int) -> date:
    """The same day *years* later, drawn in to the 28th so that it exists in every month."""
    return day.replace(year=day.year + years, day=min(day.day, 28))


def money(rng: Random, low: int, high: int) -> str:
    """An amount between *low* and *high* with two decimals."""
    return f"{low + rng.random() * (high - low):.2f}"
