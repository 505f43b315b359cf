"""Calls that their callers named (Idempotency-Key): a repetition gets the same answer and receipt, and counts once.

What is kept is where the answer's entry stands, never the answer: a repetition is answered again from the snapshot and
the evidence of the first, which gives the same bytes, for nothing in it is drawn anew. For that it takes the way of an
auditor's replay, which is slower than a call; repetitions are rare.

The steps of a named call, and what a crash after each means:

    1. the call is prepared; a refusal is not remembered, and may be mended and sent again under its name
    2. the name is taken in the control database: crash: a repetition within `PATIENCE_S` is told to come again, a later
       one looks into the log for an entry with the name's digest, finds none and becomes the call
    3. evidence is kept, with the name's digest among its facts: crash: a repetition finds it there
    4. its place is written beside the name

Forms of the portal that make something once (`hub.portal.sendings`) take a name in the same table; they need no answer.
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING, Final

import sqlalchemy as sa

from hub.control import NamedCall, insert_once
from hub.errors import InvalidRequestError, RequestError, TryAgainError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from hub.control import Control
    from hub.evidence import Evidence

KEPT_FOR: Final = timedelta(hours=24)
PATIENCE_S: Final = 30
NAMED: Final = "named"
_NAME: Final = re.compile(r'"?([\x21-\x7e]{1,255}?)"?')


class NameReusedError(RequestError):
    """The caller gave the name to another call before."""

    code = "idempotency_key_reused"
    en = "This Idempotency-Key was used for another call in the last {hours} hours. Give each call a key of its own."
    zh = "该 Idempotency-Key 在最近 {hours} 小时内已用于另一次调用。请为每次调用使用不同的键。"


class NameUnderWayError(TryAgainError):
    """The first call of this name has not ended."""

    code = "idempotency_key_under_way"
    en = "The first call with this Idempotency-Key has not ended. Try again in a moment."
    zh = "使用该 Idempotency-Key 的首次调用尚未结束，请稍后重试。"
    retry_after_s = 1


class Names:
    """The names of calls in the control database. Safe for many threads and processes."""

    def __init__(self, control: Control, evidence: Evidence) -> None:
        self._control = control
        self._evidence = evidence

    def take(self, name: str, request: str, resource: str, at: datetime) -> int | None:
        """Take *name* for *request*, both digests; the place of the answer that it was taken for before, or None.

        Raises:
            NameReusedError: it was taken for another request.
            NameUnderWayError: it was taken just now, and nothing is known of the answer.
        """
        values = {"name": name, "request": request, "begun": at}
        with self._control.writing() as connection:
            connection.execute(sa.delete(NamedCall).where(NamedCall.begun < at - KEPT_FOR))
            if insert_once(connection, NamedCall, values):
                return None
            row = connection.execute(
                sa.select(NamedCall.request, NamedCall.begun, NamedCall.log_index).where(NamedCall.name == name)
            ).one()
            if row.request != request:
                raise NameReusedError(hours=int(KEPT_FOR.total_seconds() // 3600))
            if row.log_index is not None:
                return int(row.log_index)
            if at - row.begun < timedelta(seconds=PATIENCE_S):
                raise NameUnderWayError
            # Whoever took it is gone. It is ours now, unless the evidence was kept before that.
            connection.execute(sa.update(NamedCall).where(NamedCall.name == name).values(begun=at))
        found = self._evidence.look_back("invocation.answered", resource=resource, facts={NAMED: name})
        if found is not None:
            self.answered(name, found)
        return found

    def answered(self, name: str, index: int) -> None:
        """The call of *name* was answered, and entry *index* says so."""
        with self._control.writing() as connection:
            connection.execute(sa.update(NamedCall).where(NamedCall.name == name).values(log_index=index))

    def release(self, name: str) -> None:
        """Nothing came of the call of *name*: another may take it at once."""
        release(self._control, name)


def take_sending(control: Control, name: str, at: datetime) -> bool:
    """Take *name*, the digest of a form that was shown once, for its first sending; whether this is the first.

    It is kept beside the names of calls and as long. Of two sendings at once one is the first.
    """
    with control.writing() as connection:
        connection.execute(sa.delete(NamedCall).where(NamedCall.begun < at - KEPT_FOR))
        return insert_once(connection, NamedCall, {"name": name, "request": name, "begun": at})


def release(control: Control, name: str) -> None:
    """Nothing came of the call or the sending that took *name*: another may take it at once."""
    with control.writing() as connection:
        connection.execute(sa.delete(NamedCall).where(NamedCall.name == name, NamedCall.log_index.is_(None)))


def name_of(text: str) -> str:
    """The name in an Idempotency-Key field, with quotes around it or without.

    Raises:
        InvalidRequestError: it is no text of 1 to 255 visible ASCII characters.
    """
    found = _NAME.fullmatch(text.strip())
    if found is None:
        raise InvalidRequestError(
            where="Idempotency-Key",
            why="1 to 255 visible ASCII characters are wanted",
            why_zh="应为 1 至 255 个可见 ASCII 字符",
        )
    return found[1]


def digests(keyed: Callable[[Mapping[str, str]], str], caller: str, name: str, request: str) -> tuple[str, str]:
    """The keyed digests of a *caller*'s *name* for a call, and of the *request* that it is for.

    Neither a name, which may be a case number, nor what was asked can be guessed from them.
    """
    return keyed({"caller": caller, "name": name}), keyed({"caller": caller, "request": request})
