"""What this machine says of itself: its clock, its processes. Linux; what it does not say is None or nothing."""

from __future__ import annotations

import ctypes
import multiprocessing
import os
from datetime import UTC, datetime
from pathlib import Path
from sys import byteorder
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

_TIMEX_BYTES: Final = 512  # more than any kernel's struct timex
_MAX_ERROR_AT: Final = 3 * ctypes.sizeof(ctypes.c_long)
_TIME_ERROR: Final = 5
_WORKER: Final = b"--multiprocessing-fork"


def clock_error_s() -> float | None:
    """The largest error that the kernel admits of its clock, in seconds; None where it follows no time server."""
    told = ctypes.create_string_buffer(_TIMEX_BYTES)
    try:
        state = ctypes.CDLL(None).ntp_adjtime(told)
    except (AttributeError, OSError):
        return None
    if state < 0 or state == _TIME_ERROR:
        return None
    most_us = told.raw[_MAX_ERROR_AT : _MAX_ERROR_AT + ctypes.sizeof(ctypes.c_long)]
    return int.from_bytes(most_us, byteorder, signed=True) / 1e6


def siblings() -> list[int]:
    """The processes that serve with this one: the other children that its parent made to work; at least itself."""
    if multiprocessing.parent_process() is None:
        return [os.getpid()]
    return [pid for pid in _children(os.getppid()) if _WORKER in _command(pid)] or [os.getpid()]


def _children(parent: int) -> Iterator[int]:
    for path in Path(f"/proc/{parent}/task").glob("*/children"):
        try:
            yield from map(int, path.read_text().split())
        except OSError:
            continue


def _command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def process_start(pid: int) -> datetime | None:
    """When a process began, as /proc tells it."""
    try:
        ticks = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])
        booted = next(line for line in Path("/proc/stat").read_text().splitlines() if line.startswith("btime "))
    except (OSError, ValueError, IndexError, StopIteration):
        return None
    began = int(booted.split()[1]) + ticks / os.sysconf("SC_CLK_TCK")
    return datetime.fromtimestamp(began, UTC).replace(microsecond=0)
