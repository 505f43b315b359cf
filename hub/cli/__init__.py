"""The command line, one of the hub's three doors: parse, call one use case, print.

Start-up stays cheap: a command imports its use case when it runs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hub.cli.language import speak_to_library

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code; the entry point ``zhengtong``."""
    speak_to_library()
    from hub.cli.app import run

    return run(arguments)
