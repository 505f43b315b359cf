"""What a step of `licence.verify` finds, before it is numbered, and the few words that its steps share."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING

from licence.report import Note, Outcome, Params

if TYPE_CHECKING:
    from collections.abc import Sequence

    from licence.errors import FormatError

# Two offices' clocks differ by less; a status list from further in the future says nothing about the time asked about.
SKEW = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Finding:
    """What a step found, before it is numbered."""

    outcome: Outcome
    code: str
    params: Params = ()
    sub_indication: str = ""
    notes: tuple[Note, ...] = ()


def failed(fault: FormatError) -> Finding:
    """The step failed by *fault*."""
    return Finding(Outcome.FAILED, fault.code, params_of(**fault.finding_params), fault.sub_indication)


def skipped() -> Finding:
    """The step was not made."""
    return Finding(Outcome.SKIPPED, "skipped")


def open_question(code: str, sub_indication: str, notes: Sequence[Note] = (), **params: object) -> Finding:
    """Something is missing to decide the step."""
    return Finding(Outcome.INDETERMINATE, code, params_of(**params), sub_indication, tuple(notes))


def params_of(**params: object) -> Params:
    """Params of a finding, as texts."""
    return tuple((name, str(value)) for name, value in params.items())


def time_of(numeric_date: int) -> datetime:
    """A NumericDate (RFC 7519 §2) as a time, UTC."""
    return datetime.fromtimestamp(numeric_date, UTC)


@lru_cache(maxsize=1024)
def iso_of(numeric_date: int) -> str:
    """A NumericDate as `iso` writes it; kept, as licences and lists of one day share theirs."""
    return iso(time_of(numeric_date))


def iso(at: datetime) -> str:
    """The time in UTC, whole seconds."""
    return f"{at.astimezone(UTC).isoformat()[:19]}Z"
