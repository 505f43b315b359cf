"""The command line, one of the hub's three doors: parse, call one use case, print.

Start-up stays cheap: a command imports its use case when it runs.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from hub.cli.language import say, speak_to_library

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code; the entry point ``zhengtong``."""
    try:
        speak_to_library()
        from hub.cli.app import run
    except ModuleNotFoundError as error:
        # Where only what verifies is installed, there is no library for commands either.
        if (error.name or "").partition(".")[0] not in {"rich", "typer"}:
            raise
        told = "命令行未安装：pip install 'zhengtong[cli]'。", "No command line here: pip install 'zhengtong[cli]'."
        print(say(*told), file=sys.stderr)
        return 1
    return run(arguments)
