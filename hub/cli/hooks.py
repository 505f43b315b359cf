"""`zhengtong hooks list|show|retry|pause|resume|end`: the web hooks of departments that follow resources.

Leaves every step to `hub.webhooks.hooks`; a department registers its own over the API.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from hub.cli.common import By, Json, opened
from hub.cli.language import say
from hub.cli.output import OK, note, print_json, table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hub.webhooks.hooks import Hook, Hooks

hooks = typer.Typer(
    no_args_is_help=True, help=say("数据变更订阅的推送地址", "Web hooks of departments that follow resources")
)

HookId = Annotated[
    str, typer.Argument(metavar=say("推送编号", "HOOK"), help=say("推送编号", "the hook's number"), show_default=False)
]
Department = Annotated[
    str | None, typer.Option("--department", help=say("只看此部门的", "those of this department"), show_default=False)
]
STATE_WORDS = {
    "pending": ("待验证", "pending"),
    "active": ("有效", "active"),
    "paused": ("已暂停", "paused"),
    "ended": ("已终止", "ended"),
    "due": ("待推送", "due"),
    "delivered": ("已送达", "delivered"),
    "given_up": ("已放弃", "given up"),
}


@hooks.command("list", help=say("列出推送地址", "List web hooks"))
def listed(
    *,
    department: Department = None,
    ended: Annotated[bool, typer.Option("--ended", help=say("已终止的", "those that have ended"))] = False,
    as_json: Json = False,
) -> int:
    """The newest first."""
    with _opened() as (found, _):
        rows = found.find(department, ended=ended)
    if as_json:
        print_json([hook.plain() for hook in rows])
        return OK
    headings = [
        say("编号", "Hook"),
        say("状态", "State"),
        say("部门", "Department"),
        say("资源", "Resource"),
        say("原因", "Why"),
    ]
    table("", headings, ([h.id, _word(h.state), h.department, h.resource, h.why] for h in rows))
    return OK


@hooks.command("show", help=say("查看一个推送地址及其推送记录", "Show a web hook and its calls"))
def show(
    hook: HookId,
    *,
    limit: Annotated[int, typer.Option(min=1, max=500, help=say("推送记录条数", "how many calls"))] = 20,
    as_json: Json = False,
) -> int:
    """What it is, and what came of each call."""
    with _opened() as (found, _):
        one = found.get(hook)
        calls = found.deliveries(hook, limit)
    if as_json:
        print_json({**one.plain(), "deliveries": [call.plain() for call in calls]})
        return OK
    _print(one)
    headings = [
        say("推送", "Call"),
        say("类型", "Kind"),
        say("状态", "State"),
        say("次数", "Tries"),
        say("结果", "Outcome"),
        say("下次", "Next"),
    ]
    table(
        "",
        headings,
        ([c.id, c.kind, _word(c.state), c.tries, c.outcome, c.plain()["next_try"] or ""] for c in calls),
        right=(3,),
    )
    return OK


@hooks.command("retry", help=say("立即重试等待中的推送", "Try now what waits for its next try"))
def retry(hook: HookId, *, by: By, as_json: Json = False) -> int:
    """As the department whose hook it is, or the office."""
    from hub.actors import Actor

    with _opened() as (found, office):
        count = found.retry(hook, Actor.parse(by), office=office)
        one = found.get(hook)
    if as_json:
        print_json({**one.plain(), "retried": count})
    else:
        note(say(f"{count} 个推送将立即重试。", f"{count} calls will be tried now."))
    return OK


@hooks.command("pause", help=say("暂停推送", "Call a web hook no more, until resumed"))
def pause(hook: HookId, *, by: By, as_json: Json = False) -> int:
    """As the department whose hook it is, or the office."""
    return _step("pause", hook, by, as_json=as_json)


@hooks.command("resume", help=say("恢复推送", "Call a web hook again"))
def resume(hook: HookId, *, by: By, as_json: Json = False) -> int:
    """As the department whose hook it is, or the office."""
    return _step("resume", hook, by, as_json=as_json)


@hooks.command("end", help=say("终止推送地址，不可恢复", "End a web hook for good"))
def end(hook: HookId, *, by: By, as_json: Json = False) -> int:
    """As the department whose hook it is, or the office."""
    return _step("end", hook, by, as_json=as_json)


def _step(step: str, hook: str, by: str, *, as_json: bool) -> int:
    from hub.actors import Actor

    with _opened() as (found, office):
        one = getattr(found, step)(hook, Actor.parse(by), office=office)
    if as_json:
        print_json(one.plain())
    else:
        _print(one)
    return OK


def _print(hook: Hook) -> None:
    table(
        "",
        [say("项目", "What"), say("内容", "Value")],
        [
            [say("推送地址", "Web hook"), f"{hook.id}  {_word(hook.state)}  {hook.why}".rstrip()],
            [say("部门", "Department"), hook.department],
            [say("资源", "Resource"), hook.resource],
            [say("授权", "Grant"), hook.grant],
            [say("网址", "Address"), hook.url],
            [say("变更人", "Changed by"), hook.changed_by],
        ],
    )


def _word(state: str) -> str:
    return say(*STATE_WORDS[state])


@contextmanager
def _opened() -> Iterator[tuple[Hooks, str]]:
    """The hooks of this deployment, and the department that keeps the list."""
    from hub.service import answer_signer
    from hub.standing import Standing
    from hub.webhooks.worker import open_feed, open_hooks

    with opened() as office:
        standing = Standing(office.settings, office.control)
        feed = open_feed(office.settings, standing, office.evidence, office.control, answer_signer(office.settings))
        yield open_hooks(office.settings, feed, office.evidence, office.control), office.list_.office


def add_to(app: typer.Typer) -> None:
    """Hang the commands into the tree."""
    app.add_typer(hooks, name="hooks")
