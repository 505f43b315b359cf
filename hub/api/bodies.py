"""Reads texts, bytes, days, applications and terms out of JSON bodies, strictly: every member known and of its type.

What an application may say is `catalog.eligibility`'s; the bytes of a body are read by `hub.api.doors`.
"""

from __future__ import annotations

import base64
import binascii
from datetime import date
from typing import TYPE_CHECKING, Any, NoReturn

from catalog.application import DEFAULT_TERM_DAYS, draft
from catalog.model import Mask
from catalog.rows import RowRuleError, rules_from_plain
from catalog.terms import FieldWish, Less
from hub.errors import InvalidRequestError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from catalog.application import Application
    from catalog.model import ResponsibilityList
    from catalog.rows import RowRule

MAX_ITEMS = 600
MAX_CHARS = 4_000
LESS = ("fields", "actions", "purposes", "term_days", "masks", "rows", "quota_per_day")
ASKED = (
    "resource",
    "purposes",
    "fields",
    "reason",
    "actions",
    "rows",
    "volume_per_day",
    "term_days",
    "ground",
    "list_version",
    "renews",
)


def texts(
    body: Mapping[str, Any], required: tuple[str, ...] = (), optional: tuple[str, ...] = (), *, where: str = ""
) -> dict[str, str]:
    """The members that were given, every one a text; a name that is unknown is not repeated, it may be a value.

    Raises:
        InvalidRequestError: a member is unknown, missing or no text.
    """
    if body.keys() - {*required, *optional}:
        known = ", ".join((*required, *optional)) or "-"
        raise InvalidRequestError(
            where=where.rstrip(".") or "body",
            why=f"a member is not known; known are {known}",
            why_zh=f"含有未知成员；可用成员为 {known}",
        )
    for name in required:
        if name not in body:
            raise InvalidRequestError(where=where + name, why="it is missing", why_zh="缺少该成员")
    given = {name: value for name, value in body.items() if value is not None or name in required}
    for name, value in given.items():
        if not isinstance(value, str) or len(value) > MAX_CHARS:
            raise InvalidRequestError(
                where=where + name,
                why=f"a text of at most {MAX_CHARS} characters is wanted",
                why_zh=f"应为不超过 {MAX_CHARS} 字的文本",
            )
    return given


def day(given: Mapping[str, str], name: str, *, needed: bool = False) -> date | None:
    """The date in a text member, None where there is none and none is *needed*.

    Raises:
        InvalidRequestError: it is no date.
    """
    if not given.get(name) and not needed:
        return None
    try:
        return date.fromisoformat(given[name])
    except ValueError as error:
        raise InvalidRequestError(
            where=name, why="a date like 2026-10-08 is wanted", why_zh="应为日期，如 2026-10-08"
        ) from error


class Body:
    """The members of a body, each taken by its type; `done` refuses what was not asked for."""

    def __init__(self, members: Mapping[str, Any], where: str = "") -> None:
        self._members = dict(members)
        self._where = where

    def done(self, allowed: tuple[str, ...]) -> Body:
        """This body, if it has no member but *allowed*.

        Raises:
            InvalidRequestError: it has.
        """
        for name in self._members:
            if name not in allowed:
                self._refuse(name[:100], "it is unknown here", "此处不支持该成员")
        return self

    def has(self, name: str) -> bool:
        """Whether the member was given, and not as null."""
        return self._members.get(name) is not None

    def raw(self, name: str) -> Any:  # noqa: ANN401 - a JSON value not yet looked into
        """The member as it came."""
        return self._members[name]

    def text(self, name: str, default: str | None = "") -> str:
        """A text; *default* where it is not given, None: it must be.

        Raises:
            InvalidRequestError: it is none.
        """
        if not self.has(name):
            if default is None:
                self._refuse(name, "it is missing", "缺少该成员")
            return default
        value = self._members[name]
        if not isinstance(value, str) or len(value) > MAX_CHARS:
            why = f"a text of at most {MAX_CHARS} characters is wanted"
            self._refuse(name, why, f"应为不超过 {MAX_CHARS} 字的文本")
        return value

    def number(self, name: str) -> int | None:
        """A whole number, None where it is not given.

        Raises:
            InvalidRequestError: it is none.
        """
        value = self._members.get(name)
        if value is not None and (not isinstance(value, int) or isinstance(value, bool)):
            self._refuse(name, "a whole number is wanted", "应为整数")
        return value

    def truth(self, name: str) -> bool:
        """True or false; it must be given.

        Raises:
            InvalidRequestError: it is none.
        """
        value = self._members.get(name)
        if not isinstance(value, bool):
            self._refuse(name, "true or false is wanted", "应为 true 或 false")
        return value

    def octets(self, name: str) -> bytes:
        """Bytes in base64; longer than other texts may be, since the body as a whole is bounded.

        Raises:
            InvalidRequestError: it is none, or not given.
        """
        value = self._members.get(name)
        try:
            found = base64.b64decode(value, validate=True) if isinstance(value, str) else None
        except (binascii.Error, ValueError):
            found = None
        if found is None:
            self._refuse(name, "base64 is wanted", "应为 base64 文本")
        return found

    def items(self, name: str) -> tuple[Any, ...] | None:
        """An array, None where it is not given.

        Raises:
            InvalidRequestError: it is none, or too long.
        """
        value = self._members.get(name)
        if value is None:
            return None
        if not isinstance(value, list) or len(value) > MAX_ITEMS:
            self._refuse(name, f"an array of at most {MAX_ITEMS} items is wanted", f"应为不超过 {MAX_ITEMS} 项的数组")
        return tuple(value)

    def texts(self, name: str) -> tuple[str, ...] | None:
        """An array of texts, None where it is not given.

        Raises:
            InvalidRequestError: it is none.
        """
        items = self.items(name)
        if items is not None and not all(isinstance(item, str) and len(item) <= MAX_CHARS for item in items):
            self._refuse(name, "an array of texts is wanted", "应为文本数组")
        return items

    def rules(self, name: str) -> tuple[RowRule, ...]:
        """Row rules, none where they are not given.

        Raises:
            InvalidRequestError: one is no rule.
        """
        try:
            return rules_from_plain(self.texts(name) or ())
        except RowRuleError as error:
            raise InvalidRequestError(
                where=self._where + name, why=error.text("en").rstrip("."), why_zh=error.text("zh").rstrip("。")
            ) from error

    def masks(self, name: str) -> tuple[tuple[str, Mask], ...]:
        """Masks by field, ``{"name": "surname"}``, none where they are not given.

        Raises:
            InvalidRequestError: one is no mask.
        """
        value = self._members.get(name)
        if value is None:
            return ()
        known = tuple(mask.value for mask in Mask)
        if not isinstance(value, dict) or len(value) > MAX_ITEMS or not all(mask in known for mask in value.values()):
            self._refuse(
                name,
                f"an object of fields and masks is wanted, masks being {', '.join(known)}",
                f"应为信息项与脱敏方式的对象，脱敏方式为 {'、'.join(known)}",
            )
        return tuple((field, Mask(mask)) for field, mask in value.items())

    def wishes(self, name: str) -> tuple[FieldWish, ...]:
        """Fields as texts or ``{"name", "reason", "statement"}``, none where they are not given.

        Raises:
            InvalidRequestError: an item is neither.
        """
        found = []
        for position, item in enumerate(self.items(name) or ()):
            if isinstance(item, str):
                found.append(FieldWish(item))
                continue
            if not isinstance(item, dict):
                self._refuse(f"{name}[{position}]", "a text or an object is wanted", "应为文本或对象")
            one = Body(item, f"{self._where}{name}[{position}].").done(("name", "reason", "statement"))
            found.append(FieldWish(one.text("name", None), one.text("reason"), one.text("statement")))
        return tuple(found)

    def less(self) -> Less:
        """How terms are to be lessened.

        Raises:
            InvalidRequestError: a member is not of its type.
        """
        return Less(
            fields=self.texts("fields"),
            actions=self.texts("actions"),
            purposes=self.texts("purposes"),
            term_days=self.number("term_days"),
            masks=self.masks("masks"),
            rows=self.rules("rows"),
            quota_per_day=self.number("quota_per_day"),
        )

    def application(self, list_: ResponsibilityList, applicant: str, resource: str | None = None) -> Application:
        """The application, with the minimum of its matters; *resource* where the body does not name it.

        Raises:
            InvalidRequestError: a member is not of its type.
        """
        term_days = self.number("term_days")
        return draft(
            list_,
            applicant=applicant,
            resource=resource or self.text("resource", None),
            purposes=self.texts("purposes") or (),
            fields=self.wishes("fields"),
            actions=self.texts("actions") or (),
            ground=self.text("ground"),
            reason=self.text("reason"),
            rows=self.rules("rows"),
            volume_per_day=self.number("volume_per_day") or 0,
            term_days=DEFAULT_TERM_DAYS if term_days is None else term_days,
            renews=self.text("renews"),
        )

    def _refuse(self, name: str, why: str, why_zh: str) -> NoReturn:
        raise InvalidRequestError(where=self._where + name, why=why, why_zh=why_zh)
