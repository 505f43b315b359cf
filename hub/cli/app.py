"""The tree of commands, and the one place where an error becomes a message and an exit code."""

from __future__ import annotations

import re
import sys
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer._click import exceptions as usage_errors

from audit.errors import AuditError
from catalog.errors import CatalogError
from hub.cli import (
    audit,
    backups,
    batches,
    calendars,
    calls,
    changes,
    clients,
    corrections,
    demands,
    demo,
    evidence,
    grants,
    health,
    hooks,
    ingest,
    licences,
    lists,
    materials,
    mydata,
    people,
    receipts,
    reminders,
    requests,
    resources,
    seals,
    search,
    serve,
    trust_lists,
    warehouse,
    witness,
)
from hub.cli.language import LANGUAGES, say, speak_to_commands
from hub.cli.output import INTERRUPTED, OK, USAGE, err, fail, usage, wants_json
from hub.errors import HubError, PartMissingError, UnforeseenError

if TYPE_CHECKING:
    from collections.abc import Sequence

app = typer.Typer(
    name="zhengtong",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help=say(
        "政通：城市数据共享枢纽与电子证照平台。文档：docs/；退出码：docs/operations.md。",
        "Zhengtong: a city's data-sharing hub and electronic-licence platform. "
        "Documents: docs/; exit codes: docs/operations.md.",
    ),
)


@app.callback()
def root(
    lang: Annotated[
        str | None,
        typer.Option("--lang", help=say("语言：zh 或 en（默认随系统区域设置）", "zh or en (default: the locale)")),
    ] = None,
    *,
    trace: Annotated[bool, typer.Option("--trace", help=say("出错时显示调用栈", "show the stack on errors"))] = False,
) -> None:
    """Options that hold for every command; --lang was read before the commands were declared."""
    if lang is not None and lang not in LANGUAGES:
        raise typer.BadParameter(say("只能是 zh 或 en", "must be zh or en"), param_hint="--lang")
    del trace


# In the order in which the work comes up: the list, finding, asking, settling; then loading, calling, proving.
for commands in (
    demo,
    lists,
    search,
    resources,
    requests,
    grants,
    corrections,
    demands,
    reminders,
    clients,
    people,
    ingest,
    serve,
    warehouse,
    calls,
    changes,
    receipts,
    batches,
    hooks,
    audit,
    evidence,
    witness,
    mydata,
    calendars,
    health,
    backups,
    licences,
    trust_lists,
    materials,
    seals,
):
    commands.add_to(app)


def run(arguments: Sequence[str] | None = None) -> int:  # noqa: PLR0911 - one return for each way a command ends
    """Parse *arguments* (default: the process's), run the command, return the exit code."""
    from connectors.errors import ConnectorError
    from licence.errors import LicenceError
    from warehouse.errors import WarehouseError

    given = _global_options_first(list(sys.argv[1:] if arguments is None else arguments))
    as_json = wants_json() or "--json" in given
    try:
        code = _command().main(given, prog_name="zhengtong", standalone_mode=False)
    except usage_errors.NoArgsIsHelpError as error:
        err.print(error.format_message(), markup=False)
        return USAGE
    except usage_errors.ClickException as error:
        return usage(_explain(error), as_json=as_json)
    except (typer.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except typer.Exit as stop:
        return int(stop.exit_code)
    except BrokenPipeError:
        # The reader of our output left (`| head`): nothing to tell it, and nothing failed.
        sys.stderr.close()
        return OK
    except (HubError, CatalogError, ConnectorError, WarehouseError, LicenceError, AuditError, OSError) as error:
        if "--trace" in given:
            raise
        return fail(error, as_json=as_json)
    except ModuleNotFoundError as error:
        if "--trace" in given:
            raise
        return fail(PartMissingError(module=(error.name or "").partition(".")[0]), as_json=as_json)
    except Exception as error:
        if "--trace" in given:
            raise
        # Unforeseen, so its text is not shown: it may quote a row. --trace shows it to who asks.
        return fail(UnforeseenError(kind=type(error).__name__), as_json=as_json)
    return code if isinstance(code, int) else OK


@cache
def _command() -> Any:  # noqa: ANN401 - typer's own copy of click
    """The tree of commands, made once for a process: making it takes longer than most of what it runs."""
    command = typer.main.get_command(app)
    speak_to_commands(command)
    return command


def _global_options_first(given: list[str]) -> list[str]:
    """``--lang`` and ``--trace`` may stand anywhere; the parser wants them before the command."""
    first: list[str] = []
    rest: list[str] = []
    words = iter(given)
    for word in words:
        if word == "--":
            rest += [word, *words]
        elif word == "--lang":
            first += [word, *([value] if (value := next(words, None)) is not None else [])]
        elif word == "--trace" or word.startswith("--lang="):
            first.append(word)
        else:
            rest.append(word)
    return first + rest


# What the library says of a bad value, in its words and in ours.
_VALUE_WORDS = (
    (re.compile(r"Input should be greater than or equal to (\S+)"), r"应不小于 \1"),
    (re.compile(r"Input should be less than or equal to (\S+)"), r"应不大于 \1"),
    (re.compile(r"Input should be a valid integer.*"), "应为整数"),
    (re.compile(r"Input should be a valid number.*"), "应为数值"),
    (re.compile(r"(?:File|Path|Directory) '([^']*)' does not exist\."), r"`\1` 不存在"),
)


def _in_chinese(message: str) -> str:
    for said, ours in _VALUE_WORDS:
        found = said.fullmatch(message)
        if found is not None:
            return found.expand(ours)
    return message


def _called(parameter: Any) -> str:  # noqa: ANN401 - an option or argument of the library
    """What a person calls a parameter: its longest option, or the word that stands for an argument."""
    if parameter is None:
        return ""
    if parameter.param_type_name == "option":
        return str(max(parameter.opts, key=len))
    return str(parameter.metavar or parameter.name or "")


def _explain(error: usage_errors.ClickException) -> str:
    """A usage error in the language of the run."""
    name = ""
    if isinstance(error, usage_errors.BadParameter):
        name = error.param_hint if isinstance(error.param_hint, str) else _called(error.param)
    if isinstance(error, usage_errors.MissingParameter):
        return say(f"缺少 `{name}`。", f"`{name}` is missing.")
    if isinstance(error, usage_errors.BadParameter):
        return say(f"`{name}` 的值无效：{_in_chinese(error.message)}", f"`{name}` is not valid: {error.message}")
    if isinstance(error, usage_errors.NoSuchOption):
        near = "，".join(error.possibilities or [])
        return say(f"没有选项 `{error.option_name}`" + (f"，是否指 {near}？" if near else "。"), error.format_message())
    if error.message.startswith("No such command"):
        wrong, _, near = error.message.removeprefix("No such command ").partition(". ")
        return say(f"没有命令 {wrong}" + (near.replace("Did you mean", "，是否指") if near else "。"), error.message)
    return error.format_message()
