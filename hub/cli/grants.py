"""`zhengtong grant …` and `zhengtong key …`: what departments may use, what became of it, and who may call.

Leaves the steps to `hub.grants` and `hub.callers`; grants are given through `zhengtong request`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Self

import typer

from hub.casewords import GRANT_STATES
from hub.cli.common import By, Concerning, Json, Page, Size, action_words, day, opened
from hub.cli.language import say
from hub.cli.output import OK, WAITING, note, out, print_json, table
from hub.cli.terms import Actions, Days, Masks, Matters, OnlyFields, Quota, Rows, less
from hub.errors import QueryInvalidError

if TYPE_CHECKING:
    from hub.callers import IssuedKey
    from hub.grants import GrantRecord

grants = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help=say("授权", "Grants"))
keys = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help=say("调用密钥", "Caller keys"))

Id = Annotated[
    str, typer.Argument(metavar=say("授权编号", "GRANT"), help=say("授权编号", "its number"), show_default=False)
]
Caller = Annotated[
    str, typer.Argument(metavar=say("调用方编号", "CALLER"), help=say("调用方编号", "its number"), show_default=False)
]
Reason = Annotated[str, typer.Option("--reason", help=say("理由", "why"), show_default=False)]
KeyOut = Annotated[
    Path | None,
    typer.Option("--out", help=say("写入此文件（权限 0600）", "write it to this file (mode 0600)"), show_default=False),
]


@grants.command("list", help=say("查看授权", "List grants"))
def list_grants(
    *,
    department: Concerning = None,
    resource: Annotated[
        str | None, typer.Option("--resource", help=say("资源代码", "only for this resource"), show_default=False)
    ] = None,
    ended: Annotated[bool, typer.Option("--ended", help=say("已终止的", "those that were ended"))] = False,
    page: Page = 1,
    size: Size = 50,
    as_json: Json = False,
) -> int:
    """The newest first; without --ended, those that nobody ended."""
    from hub import grants as kept

    with opened() as office:
        found = kept.find(
            office, concerning=department, resource=resource, ended=ended, limit=size, offset=(page - 1) * size
        )
        now = office.now()
        shown = [kept.plain(record, now) for record in found]
    if as_json:
        print_json(shown)
        return OK
    if not shown:
        note(say("没有授权。使用 zhengtong request new 提出申请。", "None. Apply with: zhengtong request new"))
        return OK
    headings = [
        say("授权", "Grant"),
        say("状态", "State"),
        say("使用方", "Holder"),
        say("资源", "Resource"),
        say("操作", "Actions"),
        say("信息项", "Fields"),
        say("到期", "Ends"),
    ]
    rows = (
        [
            one["id"],
            _state(one["state"]),
            one["consumer"],
            one["resource"],
            action_words(one["actions"]),
            len(one["fields"]),
            one["expires"][:10],
        ]
        for one in shown
    )
    table("", headings, rows, right=(5,))
    return OK


@grants.command("show", help=say("查看一项授权及其使用情况", "Show a grant and how it was used"))
def show(id_: Id, *, as_json: Json = False) -> int:
    """Usage is counted up to now."""
    from hub import grants as kept
    from hub.usage import count

    with opened() as office:
        record = kept.get(office.control, id_)
        count(office.control, office.evidence.log)
        use = kept.use_of(office.control, id_, on=office.now())
        plain = kept.plain(record, office.now(), use)
    if as_json:
        print_json(plain)
        return OK
    _show(plain)
    return OK


@grants.command("renew", help=say("申请续期", "Apply to renew it"))
def renew(
    id_: Id,
    *,
    by: By,
    days: Days = None,
    reason: Annotated[str, typer.Option("--reason", help=say("仍需使用的理由", "why it is still needed"))] = "",
    as_json: Json = False,
) -> int:
    """A new application for the same; exit 0 when granted at once, 8 when it waits."""
    from hub import applications
    from hub.actors import Actor

    with opened() as office:
        case = applications.renew(office, id_, actor=Actor.parse(by), term_days=days, reason=reason)
        plain = applications.plain(office, case, whole=False)
    granted = applications.outcome(case) == "granted"
    if as_json:
        print_json(plain)
    elif granted:
        out.print(f"{case.id}  {plain['grant']}", markup=False)
    else:
        out.print(case.id, markup=False)
        due = day(case.due_at)
        note(say(f"待 {case.answerer} 于 {due} 前答复。", f"Waits for {case.answerer} until {due}."))
    return OK if granted else WAITING


@grants.command("shrink", help=say("缩小授权，无须申请", "Lessen it; no application is needed"))
def shrink(
    id_: Id,
    *,
    by: By,
    reason: Reason,
    field: OnlyFields = None,
    mask: Masks = None,
    rows: Rows = None,
    action: Actions = None,
    matter: Matters = None,
    quota: Quota = None,
    days: Days = None,
    as_json: Json = False,
) -> int:
    """A successor takes its place at once."""
    from hub import grants as kept
    from hub.actors import Actor

    terms = less(fields=field, masks=mask, rows=rows, actions=action, matters=matter, quota=quota, days=days)
    with opened() as office:
        record = kept.shrink(office, id_, terms, actor=Actor.parse(by), reason=reason)
        return _told(record, kept.plain(record, office.now()), as_json=as_json)


@grants.command("suspend", help=say("暂停授权", "Let it rest"))
def suspend(id_: Id, *, by: By, reason: Reason, as_json: Json = False) -> int:
    """For its provider or the office of the list; bites on the next call."""
    return _step("suspend", id_, by, reason, as_json=as_json)


@grants.command("resume", help=say("恢复授权", "Let it hold again"))
def resume(id_: Id, *, by: By, reason: Reason, as_json: Json = False) -> int:
    """For its provider or the office of the list."""
    return _step("resume", id_, by, reason, as_json=as_json)


@grants.command("hand-back", help=say("交回不再需要的授权", "Hand back what is no longer needed"))
def hand_back(id_: Id, *, by: By, reason: Reason, as_json: Json = False) -> int:
    """For its holder."""
    return _step("hand_back", id_, by, reason, as_json=as_json)


@grants.command("revoke", help=say("撤销授权", "Revoke it"))
def revoke(id_: Id, *, by: By, reason: Reason, as_json: Json = False) -> int:
    """For its provider or the office of the list; bites on the next call. Safe to repeat."""
    return _step("revoke", id_, by, reason, as_json=as_json)


@grants.command("openapi", help=say("此授权可用接口的 OpenAPI 文档", "The calls it allows, as an OpenAPI document"))
def openapi(
    id_: Id,
    *,
    server: Annotated[
        str | None, typer.Option("--server", help=say("接口地址", "where the API is served"), show_default=False)
    ] = None,
    as_json: Json = False,
) -> int:
    """JSON, with or without --json."""
    del as_json
    from catalog.exports.openapi import grant_openapi
    from hub import grants as kept
    from hub.settings import LOOPBACK

    with opened() as office:
        grant = kept.get(office.control, id_).grant
        address = server or f"http://{LOOPBACK}:{office.settings.api_port}"
        print_json(grant_openapi(grant, office.list_, address))
    return OK


def _step(step: str, id_: str, by: str, reason: str, *, as_json: bool) -> int:
    from hub import grants as kept
    from hub.actors import Actor

    with opened() as office:
        record = kept.STEPS[step](office, id_, actor=Actor.parse(by), reason=reason)
        return _told(record, kept.plain(record, office.now()), as_json=as_json)


def _told(record: GrantRecord, plain: dict[str, Any], *, as_json: bool) -> int:
    if as_json:
        print_json(plain)
    else:
        out.print(f"{record.grant.id}  {_state(plain['state'])}", markup=False)
        note(say("自下一次调用起生效。", "This takes effect from the next call on."))
    return OK


def _state(state: str) -> str:
    en, zh = GRANT_STATES[state]
    return say(zh, en)


def _show(plain: dict[str, Any]) -> None:
    use = plain["use"]
    quota = plain["quota_per_day"]
    rows = [
        [
            say("状态", "State"),
            _state(plain["state"]) + (f"  {plain['ended_why']}" if plain["ended_why"] else ""),
        ],
        [say("使用方", "Holder"), plain["consumer"]],
        [say("资源", "Resource"), plain["resource"]],
        [say("事项", "Matters"), ", ".join(plain["purposes"])],
        [say("操作", "Actions"), action_words(plain["actions"])],
        [say("信息项", "Fields"), ", ".join(plain["fields"])],
        [say("脱敏", "Masks"), ", ".join(f"{name}={mask}" for name, mask in plain["masks"].items())],
        [say("行范围", "Rows"), "; ".join(plain["rows"])],
        [say("期限", "Term"), f"{plain['starts'][:10]} – {plain['expires'][:10]}"],
        [say("依据", "Ground"), plain["ground"]],
        [say("申请", "Application"), plain["application"]],
        [say("前一授权", "Took the place of"), plain["predecessor"]],
        [say("授予", "Given"), f"{plain['given_at'][:16]}  {plain['given_by']}  #{plain['log_index']}"],
        [say("今日调用", "Calls today"), f"{use['today']} / {quota}" if quota else str(use["today"])],
        [say("累计调用", "Calls in all"), use["calls"]],
        [say("最近调用", "Last used"), (use["last_used"] or "")[:16]],
        [say("未使用天数", "Days unused"), use["days_unused"]],
        [say("可办理", "Possible now"), ", ".join(plain["possible"])],
    ]
    table(plain["id"], ["", ""], rows)


@keys.command("issue", help=say("签发调用密钥，只显示一次", "Issue a caller key; it is shown once"))
def issue(
    *,
    by: By,
    department: Annotated[
        str, typer.Option("--department", help=say("部门代码", "the department"), show_default=False)
    ],
    name: Annotated[str, typer.Option("--name", help=say("系统或岗位名称", "the system or post"), show_default=False)],
    role: Annotated[
        list[str] | None,
        typer.Option(
            "--role", help=say("call、apply、review、office、audit，可多次", "call, apply, review, office, audit")
        ),
    ] = None,
    to: KeyOut = None,
    as_json: Json = False,
) -> int:
    """The hub keeps only its hash."""
    from hub.actors import Actor
    from hub.callers import issue_key

    with opened() as office, _KeyFile(to) as file:
        issued = issue_key(
            office.control,
            office.evidence,
            office.list_,
            department=department,
            name=name,
            by=str(Actor.parse(by)),
            roles=tuple(role or ("call",)),
        )
        return file.hand_over(issued, as_json=as_json)


@keys.command("rotate", help=say("换发密钥；旧密钥吊销前仍有效", "A second key; the old one opens until it is revoked"))
def rotate(caller: Caller, *, by: By, to: KeyOut = None, as_json: Json = False) -> int:
    """Revoke the old one when every system uses the new one."""
    from hub.actors import Actor
    from hub.callers import rotate_key

    with opened() as office, _KeyFile(to) as file:
        issued = rotate_key(office.control, office.evidence, office.list_, caller, by=str(Actor.parse(by)))
        code = file.hand_over(issued, as_json=as_json)
        note(
            say(
                f"换用新密钥后，请执行 zhengtong key revoke {caller}。",
                f"When every system uses the new key: zhengtong key revoke {caller}",
            )
        )
        return code


@keys.command("revoke", help=say("吊销密钥", "Revoke a key"))
def revoke_caller(caller: Caller, *, by: By, as_json: Json = False) -> int:
    """Bites on the next call. Safe to repeat."""
    from hub.actors import Actor
    from hub.callers import revoke_key

    with opened() as office:
        index = revoke_key(office.control, office.evidence, caller, by=str(Actor.parse(by)))
    if as_json:
        print_json({"caller": caller, "revoked": True, "log_index": index})
    else:
        out.print(caller, markup=False)
        note(say(f"已吊销，日志条目 {index}。", f"Revoked; log entry {index}."))
    return OK


@keys.command("list", help=say("查看密钥（不含密钥本身）", "List keys, without the keys themselves"))
def list_keys(
    *,
    department: Annotated[
        str | None, typer.Option("--department", help=say("部门代码", "only of this department"), show_default=False)
    ] = None,
    as_json: Json = False,
) -> int:
    """Revoked ones, too."""
    from dataclasses import asdict

    from hub.callers import find_keys

    with opened() as office:
        found = find_keys(office.control, department=department)
    if as_json:
        print_json([asdict(one) for one in found])
        return OK
    headings = [
        say("调用方", "Caller"),
        say("部门", "Department"),
        say("名称", "Name"),
        say("权限", "Roles"),
        say("密钥开头", "Key begins"),
        say("签发", "Issued"),
        say("吊销", "Revoked"),
    ]
    rows = (
        [one.id, one.department, one.name, ", ".join(one.roles), one.key_prefix, day(one.created), day(one.revoked_at)]
        for one in found
    )
    table("", headings, rows)
    return OK


class _KeyFile:
    """Where a key goes: a file that is made before the key, so that no key is issued that cannot be handed over."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._file: Any = None
        self._written = False

    def __enter__(self) -> Self:
        if self._path is not None:
            import os

            try:
                self._file = os.fdopen(os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w")
            except FileExistsError as error:
                raise QueryInvalidError(
                    where="--out",
                    why=f"`{self._path}` is there already; name another file",
                    why_zh=f"`{self._path}` 已存在，请改用其他文件",
                ) from error
        return self

    def __exit__(self, *error: object) -> None:
        if self._file is not None and self._path is not None:
            self._file.close()
            if not self._written:
                self._path.unlink()

    def hand_over(self, issued: IssuedKey, *, as_json: bool) -> int:
        """Write or print the key; it cannot be shown again."""
        plain = {"caller": issued.caller, "department": issued.department, "log_index": issued.log_index}
        if self._file is not None:
            self._file.write(issued.key + "\n")
            self._file.flush()
            self._written = True
            plain |= {"file": str(self._path)}
        else:
            plain |= {"key": issued.key}
        if as_json:
            print_json(plain)
        else:
            out.print(str(plain.get("file") or plain["key"]), markup=False)
            note(
                say(
                    f"调用方 {issued.caller}。密钥只显示这一次，请妥善保存。",
                    f"Caller {issued.caller}. The key is shown this once; keep it safe.",
                )
            )
        return OK


def add_to(app: typer.Typer) -> None:
    """Hang the commands into the tree."""
    app.add_typer(grants, name="grant")
    app.add_typer(keys, name="key")
