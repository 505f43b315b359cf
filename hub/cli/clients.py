"""`zhengtong clients …`: the client systems of departments.

Leaves the steps to `hub.clients`, what systems prove themselves by to `hub.cli.client_keys`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from hub.cli import client_keygen
from hub.cli.client_keys import Client, keys, plain_credential
from hub.cli.common import By, Json, day, opened
from hub.cli.language import say
from hub.cli.output import OK, note, out, print_json, table

if TYPE_CHECKING:
    from hub.client_records import ClientRecord

clients = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help=say("客户端系统", "Client systems"))
_STATES = {
    "in_force": ("有效", "in force"),
    "waiting": ("未生效", "not yet"),
    "expired": ("已过期", "expired"),
    "revoked": ("已吊销", "revoked"),
}


@clients.command("register", help=say("登记客户端系统", "Register a client system"))
def register(
    *,
    by: By,
    department: Annotated[str, typer.Option("--department", help=say("部门代码", "department"), show_default=False)],
    name: Annotated[str, typer.Option("--name", help=say("系统名称", "the system's name"), show_default=False)],
    contact: Annotated[
        str,
        typer.Option(
            "--contact", help=say("联系岗位，不填个人姓名", "the post to ask; no personal names"), show_default=False
        ),
    ],
    environment: Annotated[
        str, typer.Option("--environment", help=say("production（生产）或 sandbox（沙箱）", "production or sandbox"))
    ] = "production",
    role: Annotated[
        list[str] | None,
        typer.Option(
            "--role", help=say("call、apply、review、office、audit，可多次", "call, apply, review, office, audit")
        ),
    ] = None,
    caller: Annotated[
        str,
        typer.Option("--caller", help=say("沿用已有调用方及其密钥", "take over this caller and its key")),
    ] = "",
    as_json: Json = False,
) -> int:
    """It opens nothing before a credential is added."""
    from hub import clients as use
    from hub.actors import Actor

    with opened() as office:
        record = use.register(
            office,
            department=department,
            name=name,
            contact=contact,
            by=Actor.parse(by),
            environment=environment,
            roles=tuple(role or ("call",)),
            adopts=caller,
        )
    if as_json:
        print_json(_plain(record))
        return OK
    out.print(record.id, markup=False)
    note(
        say(
            f"下一步（在该系统上）：zhengtong clients keygen --client {record.id} --out 文件；"
            f"再登记：zhengtong clients key add {record.id} --public 文件.pub",
            f"Next, on that system: zhengtong clients keygen --client {record.id} --out FILE; "
            f"then here: zhengtong clients key add {record.id} --public FILE.pub",
        )
    )
    return OK


@clients.command("list", help=say("查看客户端系统", "List client systems"))
def list_clients(
    *,
    department: Annotated[
        str | None, typer.Option("--department", help=say("部门代码", "only of this department"), show_default=False)
    ] = None,
    as_json: Json = False,
) -> int:
    """Ended ones, too."""
    from hub import client_records as records

    with opened() as office:
        found = records.find(office.control, department=department)
    if as_json:
        print_json([_plain(one) for one in found])
        return OK
    headings = [
        say("系统", "Client"),
        say("部门", "Department"),
        say("名称", "Name"),
        say("环境", "Environment"),
        say("权限", "Roles"),
        say("仅签名", "Signed only"),
        say("登记", "Registered"),
        say("停用", "Ended"),
    ]
    rows = (
        [
            *(one.id, one.department, one.name, _environment(one.environment), ", ".join(one.roles)),
            *(_yes(yes=one.signed_only), day(one.created), day(one.ended_at)),
        ]
        for one in found
    )
    table("", headings, rows)
    return OK


@clients.command("show", help=say("查看一个系统及其凭据", "Show a system and what it proves itself by"))
def show(client: Client, *, as_json: Json = False) -> int:
    """No key material but public keys' and certificates' thumbprints."""
    from hub import client_records as records

    with opened() as office:
        record = records.get(office.control, client)
        found = records.credentials(office.control, client)
        now = office.now()
    if as_json:
        print_json({**_plain(record), "credentials": [plain_credential(one, now) for one in found]})
        return OK
    facts = [
        [say("部门", "Department"), record.department],
        [say("名称", "Name"), record.name],
        [say("联系岗位", "Contact"), record.contact],
        [say("环境", "Environment"), _environment(record.environment)],
        [say("调用方", "Acts as"), record.caller],
        [say("权限", "Roles"), ", ".join(record.roles)],
        [say("仅签名", "Signed only"), _yes(yes=record.signed_only)],
        [say("登记", "Registered"), day(record.created)],
        [say("停用", "Ended"), day(record.ended_at)],
    ]
    table(record.id, ["", ""], facts)
    headings = [
        say("凭据", "Credential"),
        say("状态", "State"),
        say("算法", "Algorithm"),
        say("指纹", "Thumbprint"),
        say("生效", "From"),
        say("到期", "Until"),
        say("最近使用", "Last used"),
    ]
    rows = (
        [
            *(one.id, say(*_STATES[one.state(now)]), one.algorithm, one.thumbprint[:16]),
            *(day(one.not_before or one.created), day(one.expires), one.last_used),
        ]
        for one in found
    )
    table("", headings, rows)
    return OK


@clients.command("set", help=say("设定是否仅接受签名", "Say whether only signatures count"))
def set_signed_only(
    client: Client,
    *,
    by: By,
    signed_only: Annotated[
        bool,
        typer.Option(
            "--signed-only/--any-proof",
            help=say(
                "仅接受签名，其余凭据只能用于沙箱；或接受任一凭据", "only signatures, all else the sandbox; or any"
            ),
            show_default=False,
        ),
    ],
    as_json: Json = False,
) -> int:
    """Bites on the next call."""
    from hub import clients as use
    from hub.actors import Actor

    with opened() as office:
        record = use.set_signed_only(office, client, by=Actor.parse(by), signed_only=signed_only)
    if as_json:
        print_json(_plain(record))
    else:
        out.print(record.id, markup=False)
        note(say("自下一次调用起生效。", "This takes effect from the next call on."))
    return OK


@clients.command("end", help=say("停用系统及其全部凭据", "End a system and all that it proves itself by"))
def end(client: Client, *, by: By, as_json: Json = False) -> int:
    """Bites on the next call. Safe to repeat."""
    from hub import clients as use
    from hub.actors import Actor

    with opened() as office:
        index = use.end(office, client, by=Actor.parse(by))
    if as_json:
        print_json({"client": client, "ended": True, "log_index": index})
    else:
        out.print(client, markup=False)
        note(say(f"已停用，日志条目 {index}。", f"Ended; log entry {index}."))
    return OK


def _plain(record: ClientRecord) -> dict[str, Any]:
    from dataclasses import asdict

    return asdict(record)


def _environment(name: str) -> str:
    return {"production": say("生产", "production"), "sandbox": say("沙箱", "sandbox")}[name]


def _yes(*, yes: bool) -> str:
    return say("是", "yes") if yes else say("否", "no")


def add_to(app: typer.Typer) -> None:
    """Hang the commands into the tree."""
    client_keygen.add_to(clients)
    clients.add_typer(keys, name="key")
    app.add_typer(clients, name="clients")
