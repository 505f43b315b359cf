"""Arguments that several commands read alike: NAME=VALUE pairs and values kept in files.

A value in a file or on standard input stays out of the shell's history, where personal data has no place.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import typer

from hub.cli.language import say


def pair(text: str, what: str) -> tuple[str, str]:
    """The two halves of ``NAME=VALUE``; the value may be ``@FILE`` or ``-`` for standard input.

    Raises:
        BadParameter: no such pair, or the file cannot be read.
    """
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise typer.BadParameter(say(f"应写作 名称=值（{what}）", f"write NAME=VALUE ({what})"), param_hint=what)
    if value == "-":
        return name, sys.stdin.readline().strip()
    if value.startswith("@"):
        return name, read_file(Path(os.path.expanduser(value[1:])), name)  # noqa: PTH111 - the shell leaves ~ after @
    return name, value


def read_file(path: Path, what: str) -> str:
    """The text of *path* without the white space around it; *what* is what a person expects to be in it."""
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise typer.BadParameter(
            say(f"无法从 {path} 读取{what}（{why}）", f"{what} cannot be read from {path} ({why})"),
            param_hint=str(path),
        ) from error
