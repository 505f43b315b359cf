"""The language of this run of the command line: ``--lang`` first, then the locale (zh* is Chinese, else English).

Both versions of a sentence stand side by side where it is said, so neither can be forgotten.
"""

from __future__ import annotations

import gettext
import os
import re
import sys
from typing import TYPE_CHECKING, Any

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
    "env var: {var}": "环境变量：{var}",
    "[env var: {}]": "[环境变量：{}]",
    "(deprecated) ": "（已弃用）",
}


def speak_to_library() -> None:
    """Let Typer speak Chinese in a Chinese run; to be called before Typer is imported."""
    if LANG == "zh":
        gettext.gettext = lambda message: _LIBRARY_WORDS.get(message, message)


# What kind of value is meant, in a person's words; the library tells Python's types.
_TYPE_WORDS = {
    "str": ("文本", "text"),
    "int": ("整数", "number"),
    "int range": ("整数", "number"),
    "float": ("数", "number"),
    "path": ("路径", "path"),
}
_LISTED = re.compile(r"list\[(\w+)\]")


def speak_to_commands(root: Command) -> None:
    """The library's few words that it does not look up: the usage line's, the help option's, and those for types."""
    if LANG == "zh":
        from typer._click.formatting import HelpFormatter

        HelpFormatter.write_usage.__defaults__ = ("", "用法：")
    waiting = [root]
    while waiting:
        command = waiting.pop()
        context = command.make_context("", [], resilient_parsing=True, help_option_names=["-h", "--help"])
        option = command.get_help_option(context)
        if option is not None and LANG == "zh":
            option.help = "显示本说明并退出。"
        for parameter in command.params:
            _speak_of_type(parameter)
        waiting += getattr(command, "commands", {}).values()


def _speak_of_type(parameter: Any) -> None:  # noqa: ANN401 - an option or argument of the library
    """Name the kind of value in words; of a named argument the name says it."""
    told = parameter.display_type_rich

    def kind(*, ctx: object) -> str:
        if parameter.param_type_name == "argument" and parameter.metavar:
            return ""
        name = _LISTED.sub(r"\1", str(told(ctx=ctx)).strip("<>")).lower()
        return f"<{say(*_TYPE_WORDS[name])}>" if name in _TYPE_WORDS else str(told(ctx=ctx))

    parameter.display_type_rich = kind
