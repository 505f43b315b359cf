"""`zhengtong hooks list|show|register|retry|pause|resume|end`: the web hooks of departments that follow resources.

On the hub's machine they work on its own tables (`hub.webhooks.hooks`), by the hand of ``--by``. With a profile or a
key (`hub.cli.client_access`) they go over the API, as a department does; that is the only way to register one.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any, Protocol

import typer

from hub.cli.client_access import Access, AnswerKey, KeyFile, ProfileName, Server
from hub.cli.common import Json, opened
from hub.cli.language import say
from hub.cli.output import OK, note, print_json, table

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from hub.client.hooks import Hooks as HooksThere
    from hub.webhooks.hooks import Hooks

hooks = typer.Typer(
    no_args_is_help=True, help=say("数据变更订阅的推送地址", "Web hooks of departments that follow resources")
)

HookId = Annotated[
    str, typer.Argument(metavar=say("推送编号", "HOOK"), help=say("推送编号", "the hook's number"), show_default=False)
]
Department = Annotated[
    str | None, typer.Option("--department", help=say("只看此部门的", "those of this department"), show_default=False)
]
By = Annotated[
    str | None,
    typer.Option(
        "--by",
        envvar="ZHENGTONG_ACTOR",
        metavar=say("部门代码:岗位", "DEPARTMENT:POST"),
        help=say(
            "在平台上办理时的办理人，如 MZJ:data-officer", "on the hub's machine: who acts, e.g. MZJ:data-officer"
        ),
        show_default=False,
    ),
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
    profile: ProfileName = None,
    key_file: KeyFile = None,
    server: Server = None,
    answer_key: AnswerKey = None,
    as_json: Json = False,
) -> int:
    """The newest first."""
    with _place(Access(profile, key_file, server, answer_key)) as place:
        rows = place.find(department, ended=ended)
    if as_json:
        print_json(rows)
        return OK
    headings = [
        say("编号", "Hook"),
        say("状态", "State"),
        say("部门", "Department"),
        say("资源", "Resource"),
        say("原因", "Why"),
    ]
    table("", headings, ([h["id"], _word(h["state"]), h["department"], h["resource"], h["why"]] for h in rows))
    return OK


@hooks.command("show", help=say("查看一个推送地址及其推送记录", "Show a web hook and its calls"))
def show(
    hook: HookId,
    *,
    limit: Annotated[int, typer.Option(min=1, max=500, help=say("推送记录条数", "how many calls"))] = 20,
    profile: ProfileName = None,
    key_file: KeyFile = None,
    server: Server = None,
    answer_key: AnswerKey = None,
    as_json: Json = False,
) -> int:
    """What it is, and what came of each call."""
    with _place(Access(profile, key_file, server, answer_key)) as place:
        one, calls = place.get(hook), place.deliveries(hook, limit)
    if as_json:
        print_json({**one, "deliveries": calls})
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
        ([c["id"], c["kind"], _word(c["state"]), c["tries"], c["outcome"], c["next_try"] or ""] for c in calls),
        right=(3,),
    )
    return OK


@hooks.command("register", help=say("登记推送地址（经接口）", "Register an address to be called, over the API"))
def register(
    code: Annotated[str, typer.Argument(metavar="CODE", help=say("资源代码", "resource code"), show_default=False)],
    url: Annotated[str, typer.Argument(metavar="URL", help=say("推送网址", "what is called"), show_default=False)],
    *,
    purpose: Annotated[str, typer.Option("--purpose", help=say("事项编码（必填用途）", "matter code: what it is for"))],
    fields: Annotated[str, typer.Option("--fields", help=say("信息项，逗号分隔", "fields, comma-separated"))] = "",
    grant: Annotated[str, typer.Option("--grant", help=say("授权编号", "the grant to use"))] = "",
    profile: ProfileName = None,
    key_file: KeyFile = None,
    server: Server = None,
    answer_key: AnswerKey = None,
    as_json: Json = False,
) -> int:
    """It is challenged before it is used: see its state."""
    chosen = [name.strip() for name in fields.split(",") if name.strip()]
    with Access(profile, key_file, server, answer_key).client() as client:
        made = client.hooks.register(code, url, matter=purpose, fields=chosen, grant=grant or None)
    if as_json:
        print_json(made)
    else:
        _print(made)
    return OK


@hooks.command("retry", help=say("立即重试等待中的推送", "Try now what waits for its next try"))
def retry(
    hook: HookId,
    *,
    by: By = None,
    profile: ProfileName = None,
    key_file: KeyFile = None,
    server: Server = None,
    answer_key: AnswerKey = None,
    as_json: Json = False,
) -> int:
    """As the department whose hook it is, or the office."""
    return _step("retry", hook, by, Access(profile, key_file, server, answer_key), as_json=as_json)


@hooks.command("pause", help=say("暂停推送", "Call a web hook no more, until resumed"))
def pause(
    hook: HookId,
    *,
    by: By = None,
    profile: ProfileName = None,
    key_file: KeyFile = None,
    server: Server = None,
    answer_key: AnswerKey = None,
    as_json: Json = False,
) -> int:
    """As the department whose hook it is, or the office."""
    return _step("pause", hook, by, Access(profile, key_file, server, answer_key), as_json=as_json)


@hooks.command("resume", help=say("恢复推送", "Call a web hook again"))
def resume(
    hook: HookId,
    *,
    by: By = None,
    profile: ProfileName = None,
    key_file: KeyFile = None,
    server: Server = None,
    answer_key: AnswerKey = None,
    as_json: Json = False,
) -> int:
    """As the department whose hook it is, or the office."""
    return _step("resume", hook, by, Access(profile, key_file, server, answer_key), as_json=as_json)


@hooks.command("end", help=say("终止推送地址，不可恢复", "End a web hook for good"))
def end(
    hook: HookId,
    *,
    by: By = None,
    profile: ProfileName = None,
    key_file: KeyFile = None,
    server: Server = None,
    answer_key: AnswerKey = None,
    as_json: Json = False,
) -> int:
    """As the department whose hook it is, or the office."""
    return _step("end", hook, by, Access(profile, key_file, server, answer_key), as_json=as_json)


def _step(step: str, hook: str, by: str | None, access: Access, *, as_json: bool) -> int:
    with _place(access, by) as place:
        one = place.take(hook, step)
    if as_json:
        print_json(one)
    elif "retried" in one:
        note(say(f"{one['retried']} 个推送将立即重试。", f"{one['retried']} calls will be tried now."))
    else:
        _print(one)
    return OK


def _print(hook: Mapping[str, Any]) -> None:
    table(
        "",
        [say("项目", "What"), say("内容", "Value")],
        [
            [say("推送地址", "Web hook"), f"{hook['id']}  {_word(hook['state'])}  {hook['why']}".rstrip()],
            [say("部门", "Department"), hook["department"]],
            [say("资源", "Resource"), hook["resource"]],
            [say("授权", "Grant"), hook["grant"]],
            [say("网址", "Address"), hook["url"]],
            [say("变更人", "Changed by"), hook["changed_by"]],
        ],
    )


def _word(state: str) -> str:
    return say(*STATE_WORDS[state])


class _Place(Protocol):
    """Where hooks are looked after; every hook and call as the API has it."""

    def find(self, department: str | None, *, ended: bool) -> Sequence[Mapping[str, Any]]: ...
    def get(self, id_: str) -> Mapping[str, Any]: ...
    def deliveries(self, id_: str, limit: int) -> Sequence[Mapping[str, Any]]: ...
    def take(self, id_: str, step: str) -> Mapping[str, Any]: ...


class _Here:
    """The hub's own tables; *by* acts, *office* keeps the list."""

    def __init__(self, hooks: Hooks, office: str, by: str | None) -> None:
        self._hooks, self._office, self._by = hooks, office, by

    def find(self, department: str | None, *, ended: bool) -> Sequence[Mapping[str, Any]]:
        return [hook.plain() for hook in self._hooks.find(department, ended=ended)]

    def get(self, id_: str) -> Mapping[str, Any]:
        return self._hooks.get(id_).plain()

    def deliveries(self, id_: str, limit: int) -> Sequence[Mapping[str, Any]]:
        return [call.plain() for call in self._hooks.deliveries(id_, limit)]

    def take(self, id_: str, step: str) -> Mapping[str, Any]:
        from hub.actors import Actor

        if not self._by:
            raise typer.BadParameter(
                say(
                    "请给出办理人；若非在平台上办理，请改用 --profile",
                    "say who acts, or give --profile where this is not the hub's machine",
                ),
                param_hint="--by",
            )
        actor = Actor.parse(self._by)
        if step == "retry":
            count = self._hooks.retry(id_, actor, office=self._office)
            return {**self.get(id_), "retried": count}
        plain: Mapping[str, Any] = getattr(self._hooks, step)(id_, actor, office=self._office).plain()
        return plain


class _There:
    """Over the API, as whoever the client is."""

    def __init__(self, hooks: HooksThere) -> None:
        self._hooks = hooks
        self.get, self.take = hooks.get, hooks.take

    def find(self, department: str | None, *, ended: bool) -> Sequence[Mapping[str, Any]]:
        return [one for one in self._hooks.find(ended=ended) if department in (None, one["department"])]

    def deliveries(self, id_: str, limit: int) -> Sequence[Mapping[str, Any]]:
        return self._hooks.deliveries(id_, limit=limit)


@contextmanager
def _place(access: Access, by: str | None = None) -> Iterator[_Place]:
    """Over the API if a hub or key was named, else this deployment."""
    if access.given:
        with access.client() as client:
            yield _There(client.hooks)
        return
    from hub.service import answer_signer
    from hub.standing import Standing
    from hub.webhooks.worker import open_feed, open_hooks

    with opened() as office:
        standing = Standing(office.settings, office.control)
        feed = open_feed(office.settings, standing, office.evidence, office.control, answer_signer(office.settings))
        hooks_here = open_hooks(office.settings, feed, office.evidence, office.control)
        yield _Here(hooks_here, office.list_.office, by)


def add_to(app: typer.Typer) -> None:
    """Hang the commands into the tree."""
    app.add_typer(hooks, name="hooks")
