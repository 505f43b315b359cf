"""What a target of `bench/fuzz.py` is, and what it means that one breaks its promise."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LARGE_BYTES: Final = 64 * 1024
# Of processor time, for `LARGE_BYTES`: linear readers take some milliseconds, quadratic ones minutes.
LARGE_S: Final = 2.0
# What readers of nested or repeated forms may take long over.
_REPEATED: Final = (
    *(
        b"\x00",
        b"\xff",
        b"\x30\x80",
        b"\x30\x00",
        b"\x31\x82\x7f\xff",
        b"\x04\x01\x00",
        b"\x02\x01\x01",
        b"\x81",
        b"\x9f",
    ),
    *(
        b"[",
        b"{",
        b'{"a":',
        b"<<",
        b"<</A",
        b"(",
        b"(\\",
        b"<",
        b"%\r",
        b"1 0 obj\n",
        b"0 ",
        b"xref\n0 1\n",
        b"\xa1\x01",
    ),
    *(
        b"<a>",
        b"<a b='",
        b"<!--",
        b"&#1;",
        b"PK\x01\x02",
        b"PK\x03\x04",
        b"A",
        b".",
        b"~",
        b"-",
        b"- a: ",
        b"&a ",
        b"*a ",
    ),
    *(b"a: {", b"? ", b"\n", b"    ", b"'", b'"', b"|\n ", b"9", b"1.", b"/", b"ZT1:", b"startxref\n0\n%%EOF\n"),
)


class BrokenPromiseError(AssertionError):
    """What should not be was taken, or it took too long, or does not say the same when it is written again."""


@dataclass(frozen=True, slots=True)
class Target:
    """A reader: *read* takes bytes and may raise *refuses* alone; *samples* are bytes that it takes.

    *whole*: what it reads is signed or sealed, so that nothing else than the first of them may be taken.
    """

    name: str
    read: Callable[[bytes], object]
    refuses: tuple[type[Exception], ...]
    samples: tuple[bytes, ...]
    whole: bool = False

    def __call__(self, data: bytes) -> bool:
        """Whether *data* was taken.

        Raises:
            BrokenPromiseError: and should not have been.
            Exception: whatever else the reader lets through.
        """
        try:
            self.read(data)
        except self.refuses:
            return False
        return True


def hold(condition: object, why: str) -> None:
    """Raise `BrokenPromiseError` with *why* unless *condition*."""
    if not condition:
        raise BrokenPromiseError(why)


def text_of(data: bytes) -> str:
    """Text of any kind that a program may come to hold: lone surrogates, too."""
    try:
        return data.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def large(target: Target) -> Iterator[bytes]:
    """Tiresome inputs of `LARGE_BYTES`: one piece again and again, alone, and in the middle of what is good."""
    good = target.samples[0]
    yield (good * (LARGE_BYTES // max(1, len(good)) + 1))[:LARGE_BYTES]
    for piece in _REPEATED:
        rest = max(0, LARGE_BYTES - len(good))
        for filling, at in ((LARGE_BYTES, 0), (rest, len(good) // 2), (rest, len(good))):
            filled = (piece * (filling // len(piece) + 1))[:filling]
            yield filled if filling == LARGE_BYTES and not at else good[:at] + filled + good[at:]


def slowest(target: Target) -> float:
    """Processor seconds of the slowest of the `large` inputs.

    Raises:
        BrokenPromiseError: one took longer than `LARGE_S`; the note says how it begins.
        Exception: as for `Target`.
    """
    worst = 0.0
    for data in large(target):
        before = time.process_time()
        try:
            target(data)
        except Exception as error:
            error.add_note(f"{target.name} was fed {len(data)} bytes that begin {data[:80]!r}")
            raise
        worst = max(worst, took := time.process_time() - before)
        if took > LARGE_S:
            broken = BrokenPromiseError(f"{took:.1f} s for {len(data)} bytes")
            broken.add_note(f"{target.name} was fed {data[:80]!r} …")
            raise broken
    return worst
