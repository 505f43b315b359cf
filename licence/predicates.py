"""Predicates: yes/no facts computed at issue, each a claim of its own, so that a holder shows it and nothing else.

A kind names them (`LicenceKind.predicates`); `state` computes their claims from the facts of the record and the day of
issue alone, so that an issuer can compute them again; `read` tells a verifier what such a claim says of a given day.
Whether the credential that carries it is genuine is left to `licence.verify`.

A claim is read long after it was computed, often by programs that look at nothing but its name. Hence:

* ``age_over_N`` is ``true`` or is not there. It holds from the day of issue (the signed ``iat``, always shown) for
  ever. It is never ``false``, because that would become wrong on a birthday.
* Who is not N yet is given ``age_not_over_N_until`` in its place: the first day, ``YYYY-MM-DD``, of which it says
  nothing any more. The day is never later than the birthday, and at most a year after issue, so that it tells a birth
  date only in the last year (then the month, and in the last month the day). A program that asks for ``age_over_N``
  gets nothing and must not take nothing for an answer.
* ``valid_on_F``, F a date on the face that is the last day of something, is ``YYYY-MM-DD/YYYY-MM-DD`` (ISO 8601): it
  was in force, by the record, on each of these days; nothing is said of others. The second is at most a year after
  issue and never after the end of the licence. Where the record gives no such day it is ``false``, which stays true of
  this licence. When the licence itself is valid is always shown (``nbf``, ``exp``) and needs no predicate.

Each predicate a kind names takes exactly one claim, so their number says nothing.

Whether a person turns N on the birthday or on the day after it (周岁), or on 28 February or 1 March, is answered
differently by different laws. Over N is said only when every answer agrees, and so is not over N; in between, which is
two days at most, the claim says nothing.
"""

from __future__ import annotations

import re
from datetime import date, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from licence.errors import IssueRefusedError, PersonCodeError
from licence.model import CHINA_TIME, FieldType
from licence.persons import check_citizen_id

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from licence.model import LicenceKind

# 出生日期, as faces of kinds name it.
BIRTH_DATE_FIELD: Final = "KZ_CSRQ"
CITIZEN_ID_TYPE: Final = "111"
_AGE: Final = re.compile(r"age_over_([1-9][0-9]{0,2})")
_VALID: Final = re.compile(r"valid_on_(KZ_[A-Z0-9_]{1,50})")
_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_DAYS: Final = 2
MAX_AGE: Final = 150
# How far ahead a predicate speaks where the fact itself would tell more than was asked.
HORIZON: Final = timedelta(days=365)


class Answer(StrEnum):
    """What a credential says of a predicate on a day; UNKNOWN: nothing, or it is not shown."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


def check_name(kind: LicenceKind, name: str) -> None:
    """Check that a kind may name this predicate.

    Raises:
        IssueRefusedError: no such predicate, no date of that name on the face, or no birth date to compute it from.
    """
    age, valid = _AGE.fullmatch(name), _VALID.fullmatch(name)
    dates = {f.name for f in kind.face if f.type is FieldType.DATE}
    if age is not None and int(age[1]) <= MAX_AGE:
        if kind.holder_type != CITIZEN_ID_TYPE and BIRTH_DATE_FIELD not in {f.name for f in kind.face}:
            raise IssueRefusedError("predicate_no_birth_date", name=name)
    elif valid is None or valid[1] not in dates:
        raise IssueRefusedError("predicate_unknown", name=name)


def state(
    kind: LicenceKind, facts: Mapping[str, str | int | bool | None], day: date, ends: date | None = None
) -> dict[str, str | bool]:
    """The claims of the kind's predicates by name, as of *day* (of issue, in China); *ends*: the licence's last day.

    Raises:
        IssueRefusedError: the kind names what is no predicate, or the record lacks the fact or contradicts itself.
    """
    claims: dict[str, str | bool] = {}
    for name in kind.predicates:
        check_name(kind, name)
        age = _AGE.fullmatch(name)
        if age is not None:
            born = _birth_date(kind, facts, name)
            if born > day:
                raise IssueRefusedError("predicate_no_birth_date", name=name)
            claim, value = _age(int(age[1]), born, day)
        else:
            claim, value = name, _valid(_fact(kind, facts, name.removeprefix("valid_on_")), day, ends)
        claims[claim] = value
    return claims


def read(name: str, claims: Mapping[str, str | bool], *, issued_at: datetime, on: date) -> Answer:
    """What *claims*, shown and **verified**, say of predicate *name* on the day *on*.

    *issued_at* is the credential's, aware. A claim that is not of the form `state` writes says nothing.
    """
    if on < issued_at.astimezone(CHINA_TIME).date():
        return Answer.UNKNOWN
    age = _AGE.fullmatch(name)
    if age is not None:
        return _read_age(claims.get(name), claims.get(f"age_not_over_{age[1]}_until"), on)
    return _read_valid(claims.get(name), on) if _VALID.fullmatch(name) else Answer.UNKNOWN


def _read_age(over: object, until: object, on: date) -> Answer:
    # Both at once is nothing an issuer of ours writes.
    if over is not None and until is not None:
        return Answer.UNKNOWN
    if over is True:
        return Answer.YES
    last = _day(until)
    return Answer.NO if last is not None and on < last else Answer.UNKNOWN


def _read_valid(value: object, on: date) -> Answer:
    if value is False:
        return Answer.NO
    days = [_day(d) for d in value.split("/")] if isinstance(value, str) else []
    if len(days) != _DAYS or days[0] is None or days[1] is None:
        return Answer.UNKNOWN
    return Answer.YES if days[0] <= on <= days[1] else Answer.UNKNOWN


def _age(years: int, born: date, day: date) -> tuple[str, str | bool]:
    first, last = _anniversary(born, years)
    if day > last:
        return f"age_over_{years}", True
    # The birthday tells a birth date: rather a year from now, or the first of its month.
    coarse = [d for d in (day + HORIZON, first.replace(day=1)) if day < d <= first]
    until = coarse[0] if coarse else first
    return f"age_not_over_{years}_until", until.isoformat()


def _anniversary(born: date, years: int) -> tuple[date, date]:
    """The first and the last day that any law takes for the *years*-th birthday."""
    try:
        birthday = born.replace(year=born.year + years)
    except ValueError:
        # 29 February, in a year without.
        return date(born.year + years, 2, 28), date(born.year + years, 3, 1)
    return birthday, birthday


def _valid(text: str, day: date, ends: date | None) -> str | bool:
    last = _day(text)
    if last is None:
        return False
    last = min(d for d in (last, ends, day + HORIZON) if d is not None)
    return f"{day.isoformat()}/{last.isoformat()}" if day <= last else False


def _birth_date(kind: LicenceKind, facts: Mapping[str, str | int | bool | None], name: str) -> date:
    found = {_day(_fact(kind, facts, BIRTH_DATE_FIELD))}
    if kind.holder_type == CITIZEN_ID_TYPE:
        try:
            # GB 11643: positions 7 to 14 are the birth date.
            code = check_citizen_id(str(facts.get(kind.holder_field) or "").strip())
            found.add(date(int(code[6:10]), int(code[10:12]), int(code[12:14])))
        except PersonCodeError:
            # The holder's identifier is judged elsewhere; here it just gives no birth date.
            pass
    stated = [day for day in found if day is not None]
    if len(stated) > 1:
        raise IssueRefusedError("predicate_birth_dates_differ")
    if not stated:
        raise IssueRefusedError("predicate_no_birth_date", name=name)
    return stated[0]


def _fact(kind: LicenceKind, facts: Mapping[str, str | int | bool | None], name: str) -> str:
    fields = [f.field for f in kind.face if f.name == name]
    value = facts.get(fields[0]) if fields else None
    return "" if value is None else str(value).strip()


def _day(text: object) -> date | None:
    if not isinstance(text, str) or not _DAY.fullmatch(text):
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None
