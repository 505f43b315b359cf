"""Asks one witness over HTTP (C2SP tlog-witness, ``add-checkpoint``), bounded in time and in what is read.

What to ask and what an answer means is left to `hub.witnesses.asking`.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from typing import Final

import httpx

TIMEOUT_S: Final = 5.0
DEADLINE_S: Final = 10.0
MAX_ANSWER_BYTES: Final = 64 * 1024  # a witness with several keys answers with several lines
_SIZE: Final = re.compile(r"(0|[1-9][0-9]{0,18})\n?", re.ASCII)


class NotAnsweredError(Exception):
    """The witness gave no cosignature; *why* is one word. Try again later."""

    def __init__(self, why: str) -> None:
        self.why = why
        super().__init__(why)


@dataclass(frozen=True, slots=True)
class Answered:
    """What a witness answered."""

    status: int
    body: bytes

    def text(self) -> str:
        """The body. Raises: NotAnsweredError: it is no UTF-8."""
        try:
            return self.body.decode()
        except UnicodeDecodeError as error:
            raise NotAnsweredError("bad_answer") from error


def post(url: str, body: bytes, *, transport: httpx.BaseTransport | None = None) -> Answered:
    """POST *body* to the witness whose submission prefix is *url*. No redirect is followed.

    Raises:
        NotAnsweredError: nothing, too much, or not in time.
    """
    until = time.monotonic() + DEADLINE_S
    address = f"{url.rstrip('/')}/add-checkpoint"
    headers = {"content-type": "text/plain; charset=utf-8", "accept-encoding": "identity"}
    try:
        with (
            httpx.Client(timeout=TIMEOUT_S, transport=transport, follow_redirects=False) as client,
            client.stream("POST", address, content=body, headers=headers) as answer,
        ):
            found = b""
            if answer.headers.get("content-encoding", "identity") != "identity":
                # Unpacked it may be of any length, and it was not asked for.
                raise NotAnsweredError("bad_answer")
            for part in answer.iter_bytes():
                found += part
                if len(found) > MAX_ANSWER_BYTES:
                    raise NotAnsweredError("bad_answer")
                if time.monotonic() > until:
                    raise NotAnsweredError("too_slow")
            return Answered(answer.status_code, found)
    except httpx.TimeoutException as error:
        raise NotAnsweredError("too_slow") from error
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
        raise NotAnsweredError("unreachable") from error


def size_said(text: str) -> int:
    """The size in the body of a 409. Raises: NotAnsweredError: there is none."""
    found = _SIZE.fullmatch(text)
    if found is None:
        raise NotAnsweredError("bad_answer")
    return int(found[1])
