"""`zhengtong people …`: the people who use the portal, registered on the hub's machine; the first of them here alone.

Leaves the steps to `hub.people`. A password is read from a file or standard input, or drawn and told this once; none
stands on the command line.
"""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hub.cli.arguments import read_file
from hub.cli.common import By, Json, Page, Size, day, opened
from hub.cli.language import LANG, say
from hub.cli.output import OK, note, out, print_json, table

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from hub.office import Office
    from hub.people import Duty, People, Person
    from hub.people.register import Delegation

people = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help=say("门户用户", "People of the portal"))

Who = Annotated[str, typer.Argument(metavar="WHO", help=say("登录名或编号", "login or number"), show_default=False)]
Duties = Annotated[
    list[str],
    typer.Option(
        "--duty",
        help=say(
            "职责，可多次：staff（经办）、reviewer（审核）、licences（证照）、window（窗口）、engineer（归集）、"
            "office（主管部门）、leader（领导）；auditor（审计员）与 administrator（系统管理员）不得兼任",
            "staff, reviewer, licences, window, engineer, office, leader; auditor or administrator alone; may repeat",
        ),
        show_default=False,
    ),
]
PasswordFile = Annotated[
    Path | None,
    typer.Option(
        "--password-file",
        metavar="FILE",
        help=say(
            "初始口令所在文件，- 为标准输入（默认：随机生成）", "the first password; - for stdin (default: drawn)"
        ),
        show_default=False,
    ),
]


@people.command("add", help=say("登记用户", "Register a person"))
def add(
    *,
    by: By,
    login: Annotated[
        str,
        typer.Option(
            "--login", help=say("登录名，非手机号或证件号", "login; no number of a person"), show_default=False
        ),
    ],
    name: Annotated[
        str, typer.Option("--name", help=say("姓名，不入日志", "name; not in the log"), show_default=False)
    ],
    department: Annotated[str, typer.Option("--department", help=say("部门代码", "department"), show_default=False)],
    post: Annotated[
        str, typer.Option("--post", help=say("岗位，记入日志", "post, which the log names"), show_default=False)
    ],
    duties: Duties,
    password_file: PasswordFile = None,
    as_json: Json = False,
) -> int:
    """The password is to be changed at first use."""
    from hub.actors import Actor

    password, drawn = _password(password_file)
    with _register() as (office, register):
        person = register.add(
            office.list_,
            login=login,
            name=name,
            department=department,
            post=post,
            duties=_duties(duties),
            by=Actor.parse(by),
            password=password,
        )
    return _told(person, password if drawn else "", as_json=as_json)


@people.command("list", help=say("查看用户", "List people"))
def list_people(
    *,
    words: Annotated[
        str, typer.Option("--words", help=say("登录名、姓名或岗位含有", "whose login, name or post holds this"))
    ] = "",
    department: Annotated[
        str | None, typer.Option("--department", help=say("部门代码", "only of this department"), show_default=False)
    ] = None,
    every: Annotated[bool, typer.Option("--all", help=say("含已停用", "disabled ones, too"))] = False,
    page: Page = 1,
    size: Size = 100,
    as_json: Json = False,
) -> int:
    """By department and login."""
    with _register() as (_, register):
        found = register.find(department=department, words=words, disabled=every, skip=(page - 1) * size, limit=size)
        total = register.count(department=department, words=words, disabled=every)
    if as_json:
        print_json({"total": total, "people": [_plain(one) for one in found]})
        return OK
    headings = [
        say("编号", "Number"),
        say("登录名", "Login"),
        say("姓名", "Name"),
        say("部门", "Department"),
        say("岗位", "Post"),
        say("职责", "Duties"),
        say("状态", "State"),
    ]
    rows = ([one.id, one.login, one.name, one.department, one.post, _words(one.duties), _state(one)] for one in found)
    table("", headings, rows)
    note(say(f"共 {total} 人。", f"{total} in all."))
    return OK


@people.command("show", help=say("查看一名用户及其委托", "Show a person and what was handed over"))
def show(who: Who, *, as_json: Json = False) -> int:
    """Duties are those of now."""
    with _register() as (_, register):
        person = register.get(who)
        handed = register.delegations(person.id)
    if as_json:
        print_json({**_plain(person), "delegations": [_plain_delegation(one) for one in handed]})
        return OK
    facts = [
        [say("登录名", "Login"), person.login],
        [say("姓名", "Name"), person.name],
        [say("部门", "Department"), person.department],
        [say("岗位", "Post"), person.post],
        [say("职责", "Duties"), _words(person.duties - person.lent)],
        [say("受托职责", "Lent duties"), _words(person.lent)],
        [say("动态验证码", "One-time codes"), say("已启用", "set up") if person.coded else say("未启用", "not set up")],
        [say("状态", "State"), _state(person)],
    ]
    table(person.id, ["", ""], facts)
    if handed:
        headings = [
            say("委托", "Delegation"),
            say("委托人", "Giver"),
            say("受托人", "Taker"),
            say("职责", "Duties"),
            say("自", "From"),
            say("至", "Until"),
            say("撤回", "Withdrawn"),
        ]
        rows = (
            [
                *(one.id, one.giver, one.taker, _words(one.duties)),
                *(day(one.starts), day(one.ends), day(one.withdrawn_at)),
            ]
            for one in handed
        )
        table("", headings, rows)
    return OK


@people.command("duties", help=say("设定职责", "Give a person exactly these duties"))
def give(who: Who, *, by: By, duties: Duties, as_json: Json = False) -> int:
    """Sessions go on, with the new duties."""
    from hub.actors import Actor

    with _register() as (_, register):
        person = register.give(who, _duties(duties), by=Actor.parse(by))
    return _told(person, as_json=as_json)


@people.command("password", help=say("重置口令并结束全部会话", "Give another password, and end all sessions"))
def password_(who: Who, *, by: By, password_file: PasswordFile = None, as_json: Json = False) -> int:
    """It is to be changed at first use."""
    from hub.actors import Actor

    password, drawn = _password(password_file)
    with _register() as (_, register):
        register.set_password(who, password, by=Actor.parse(by))
        person = register.get(who)
    return _told(person, password if drawn else "", as_json=as_json)


@people.command("disable", help=say("停用并结束全部会话", "Let a person in no more, and end all sessions"))
def disable(
    who: Who,
    *,
    by: By,
    reason: Annotated[
        str,
        typer.Option("--reason", help=say("理由，存于受保护正文", "why; in the protected body"), show_default=False),
    ],
    as_json: Json = False,
) -> int:
    """What the person handed over ends with it."""
    from hub.actors import Actor

    with _register() as (_, register):
        register.disable(who, by=Actor.parse(by), reason=reason)
        person = register.get(who)
    return _told(person, as_json=as_json)


@people.command("enable", help=say("恢复使用", "Let a disabled person in again"))
def enable(who: Who, *, by: By, as_json: Json = False) -> int:
    """Ends the waiting after wrong tries, too."""
    from hub.actors import Actor

    with _register() as (_, register):
        register.enable(who, by=Actor.parse(by))
        person = register.get(who)
    return _told(person, as_json=as_json)


@people.command("code", help=say("作废动态验证码（如手机遗失）", "End the one-time codes, as of a lost telephone"))
def code(who: Who, *, by: By, as_json: Json = False) -> int:
    """New ones are set up by the person alone, at the next signing in."""
    from hub.actors import Actor

    with _register() as (_, register):
        register.end_codes(who, by=Actor.parse(by))
        person = register.get(who)
    note(say("下次登录时由本人重新设置。", "The person sets up new ones at the next signing in."))
    return _told(person, as_json=as_json)


@people.command("bind", help=say("绑定统一身份认证的用户标识", "Bind a subject of single sign-on to a person"))
def bind(
    who: Who,
    *,
    by: By,
    subject: Annotated[
        str,
        typer.Option("--subject", help=say("认证系统中的用户标识（sub）", "the provider's `sub`"), show_default=False),
    ],
    as_json: Json = False,
) -> int:
    """Instead of the one before, whose sessions end."""
    from hub.actors import Actor
    from hub.people.subjects import Subjects
    from hub.providersettings import SignOnSettingsError

    with _register() as (office, register):
        if office.settings.provider is None:
            raise SignOnSettingsError(name="ZHENGTONG_OIDC_ISSUER", expected="https://HOST/PATH")
        Subjects(register).bind(who, office.settings.provider.issuer, subject, by=Actor.parse(by))
        person = register.get(who)
    return _told(person, as_json=as_json)


@people.command("unbind", help=say("解除统一身份认证绑定", "Let no subject of single sign-on in as this person"))
def unbind(who: Who, *, by: By, as_json: Json = False) -> int:
    """Ends the sessions, too. Where first use binds, the next signing in binds anew."""
    from hub.actors import Actor
    from hub.people.subjects import Subjects

    with _register() as (_, register):
        if not Subjects(register).unbind(who, by=Actor.parse(by)):
            note(say("未绑定。", "Nothing was bound."))
        person = register.get(who)
    return _told(person, as_json=as_json)


@contextmanager
def _register() -> Iterator[tuple[Office, People]]:
    """The office and its register of people, closed again at the end of the block."""
    from hub.people import People

    with opened() as office:
        yield office, People(office.settings, office.control, office.evidence)


def _password(file: Path | None) -> tuple[str, bool]:
    """The password, and whether it was drawn and is to be told."""
    from hub.people import passwords

    if file is None:
        return passwords.draw(), True
    if str(file) == "-":
        return typer.get_text_stream("stdin").readline().rstrip("\r\n"), False
    return read_file(file, say("口令", "the password")), False


def _duties(texts: Iterable[str]) -> frozenset[Duty]:
    from hub.people import Duty

    try:
        return frozenset(Duty(text) for text in texts)
    except ValueError as error:
        every = ", ".join(Duty)
        raise typer.BadParameter(say(f"只能是 {every}", f"one of {every}"), param_hint="--duty") from error


def _told(person: Person, password: str = "", *, as_json: bool) -> int:
    if as_json:
        print_json({**_plain(person), **({"password": password} if password else {})})
        return OK
    out.print(person.id, markup=False)
    if password:
        out.print(password, markup=False)
        note(
            say(
                "第二行为口令，仅显示这一次；首次登录时须修改。",
                "The second line is the password, told this once; it is to be changed at first use.",
            )
        )
    return OK


def _plain(person: Person) -> dict[str, Any]:
    return {
        "id": person.id,
        "login": person.login,
        "name": person.name,
        "department": person.department,
        "post": person.post,
        "duties": sorted(person.duties),
        "lent": sorted(person.lent),
        "coded": person.coded,
        "must_change": person.must_change,
        "disabled": person.disabled,
    }


def _plain_delegation(one: Delegation) -> dict[str, Any]:
    return {
        "id": one.id,
        "giver": one.giver,
        "taker": one.taker,
        "duties": list(one.duties),
        "reason": one.reason,
        "starts": one.starts,
        "ends": one.ends,
        "withdrawn_at": one.withdrawn_at,
    }


def _words(duties: Iterable[Duty]) -> str:
    return say("、", ", ").join(one.words[LANG == "zh"] for one in sorted(duties))


def _state(person: Person) -> str:
    if person.disabled:
        return say("已停用", "disabled")
    return say("待改口令", "to change the password") if person.must_change else say("在用", "in use")


def add_to(app: typer.Typer) -> None:
    """Hang the commands into the tree."""
    app.add_typer(people, name="people")
