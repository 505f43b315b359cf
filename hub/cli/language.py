"""The language of this run of the command line: ``--lang`` first, then the locale (zh* is Chinese, else English).

Both versions of a sentence stand side by side where it is said, so neither can be forgotten.
"""

from __future__ import annotations

import gettext
import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from typer._click.core import Command

LANGUAGES = ("zh", "en")


def choose(arguments: Sequence[str], environ: Mapping[str, str]) -> str:
    """``zh`` or ``en``: the first of --lang, LC_ALL, LC_MESSAGES, LANG that says something."""
    for position, argument in enumerate(arguments):
        if argument == "--lang" and position + 1 < len(arguments):
            return _known(arguments[position + 1])
        if argument.startswith("--lang="):
            return _known(argument.removeprefix("--lang="))
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        if environ.get(name):
            return _known(environ[name])
    return "en"


def _known(tag: str) -> str:
    return "zh" if tag.lower().startswith("zh") else "en"


# Help texts are fixed when the commands are declared, so the choice is made before that, once per process.
LANG = choose(sys.argv[1:], os.environ)


def say(zh: str, en: str) -> str:
    """The one of the two sentences that this run speaks."""
    return zh if LANG == "zh" else en


# The words of the command-line library itself, which looks them up through gettext.
_LIBRARY_WORDS = {
    "Arguments": "参数",
    "Options": "选项",
    "Commands": "命令",
    "Error": "错误",
    "Aborted.": "已中止。",
    "[required]": "[必填]",
    "required": "必填",
    "[default: {}]": "[默认：{}]",
    "default: {default}": "默认：{default}",
    "[env var: {}]": "[环境变量：{}]",
    "(deprecated) ": "（已弃用）",
}


def speak_to_library() -> None:
    """Let Typer speak Chinese in a Chinese run; to be called before Typer is imported."""
    if LANG == "zh":
        gettext.gettext = lambda message: _LIBRARY_WORDS.get(message, message)


def speak_to_commands(root: Command) -> None:
    """The library's few words that it does not look up: the usage line's and the help option's."""
    if LANG != "zh":
        return
    from typer._click.formatting import HelpFormatter

    HelpFormatter.write_usage.__defaults__ = ("", "用法：")
    waiting = [root]
    while waiting:
        command = waiting.pop()
        option = command.get_help_option(command.make_context("", [], resilient_parsing=True))
        if option is not None:
            option.help = "显示本说明并退出。"
        waiting += getattr(command, "commands", {}).values()
