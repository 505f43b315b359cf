"""`zhengtong health`: how each component stands, for people and monitors; exit 20 where something is to be cleared."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hub.cli.common import Json, opened
from hub.cli.language import say
from hub.cli.output import FINDINGS, OK, print_json, table

if TYPE_CHECKING:
    import typer

LIGHTS = {
    "good": ("正常", "good"),
    "warn": ("注意", "attention"),
    "bad": ("异常", "bad"),
    "calm": ("未启用", "not in use"),
}


def health(*, as_json: Json = False) -> int:
    """What this machine sees; the processes that serve are others than this one."""
    from hub.health import CALM, GOOD, NAMES, components

    with opened() as office:
        found = components(office)
    if as_json:
        print_json(
            [
                {
                    "component": one.code,
                    "light": one.tone,
                    "since": one.since,
                    "says": say(one.says[1], one.says[0]),
                    "clears": say(one.clears[1], one.clears[0]),
                }
                for one in found
            ]
        )
    else:
        rows = [
            (
                say(*reversed(NAMES[one.code])),
                say(*LIGHTS[one.tone]),
                say(one.says[1], one.says[0]),
                say(one.clears[1], one.clears[0]),
            )
            for one in found
        ]
        table("", [say("组件", "Component"), say("状态", "Light"), say("说明", "Says"), say("处理", "Clears")], rows)
    return OK if all(one.tone in {GOOD, CALM} for one in found) else FINDINGS


def add_to(app: typer.Typer) -> None:
    """Hang the command into the tree."""
    app.command("health", help=say("各组件状态", "How each component stands"))(health)
