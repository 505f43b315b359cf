"""`zhengtong licence keys …`: which key signs, changing keys, revoking certificates, ceremony, and the drill of a loss.

Whatever revokes takes two posts. Passphrases come from files or a prompt, never from the command line.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hub.cli.arguments import read_file
from hub.cli.language import say
from hub.cli.output import FINDINGS, OK, note, print_json, table
from hub.settings import Settings

if TYPE_CHECKING:
    from hub.authority import KeyStore
    from hub.evidence import Evidence
    from hub.licensing import Licensing
    from licence.keys import SigningKey

keys = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help=say("证照密钥与证书", "Keys of licences"))

Json = Annotated[bool, typer.Option("--json", help=say("输出 JSON", "print JSON"))]
Name = Annotated[
    str,
    typer.Argument(
        metavar="NAME",
        help=say("密钥名称、用途或部门代码", "a key's name, a role, or a department's code"),
        show_default=False,
    ),
]
By = Annotated[str, typer.Option("--by", metavar="DEPT:POST", help=say("经办岗位", "the post that acts"))]
Second = Annotated[str, typer.Option("--second", metavar="DEPT:POST", help=say("复核岗位", "the second post"))]
Ground = Annotated[str, typer.Option("--ground", help=say("依据", "on what ground"))]
Since = Annotated[
    str,
    typer.Option(
        "--since", metavar="TIME", help=say("自此时刻起不可信（ISO 8601）", "not trusted from then (ISO 8601)")
    ),
]
Root = Annotated[
    Path | None, typer.Option("--root", metavar="FILE", help=say("离线保管的根密钥文件", "the root's key, kept apart"))
]
RootPassphrase = Annotated[
    Path | None,
    typer.Option(
        "--root-passphrase-file",
        metavar="FILE",
        help=say("根密钥口令所在文件（默认提示输入）", "file with the root key's passphrase (default: asks)"),
    ),
]
STATES = {
    "signs": ("signs", "使用中"),
    "planned": ("planned", "待启用"),
    "replaced": ("replaced", "已更换"),
    "revoked": ("revoked", "已撤销"),
    "ended": ("ended", "已到期"),
    "trusted": ("trusted", "受信任"),
}


@keys.command("list", help=say("列出密钥：现用、到期、应更换", "Which key signs, until when, what is due"))
def list_(*, as_json: Json = False) -> int:
    """Exit 10 where one is due to be changed within 60 days."""
    from hub.authority.changes import standings

    store, _ = _opened()
    found = standings(store, store.kept(), store.clock())
    if as_json:
        print_json(
            [
                {
                    "name": s.kept.name,
                    "role": s.kept.role,
                    "department": s.kept.department,
                    "suite": s.kept.suite,
                    "number": s.kept.number,
                    "state": s.state,
                    "due": s.due,
                    "serial": s.kept.serial,
                    "key_id": s.kept.key_id,
                    "signs_from": s.kept.signs_from.isoformat(),
                    "until": s.kept.ends.isoformat(),
                    "keeper": s.kept.keeper.partition(":")[0],
                }
                for s in found
            ]
        )
    else:
        heads = (
            say("名称", "Name"),
            say("套件", "Suite"),
            say("状态", "State"),
            say("启用", "From"),
            say("到期", "Until"),
            say("应更换", "Due"),
            say("证书", "Certificate"),
        )
        rows = [
            (
                s.kept.name,
                s.kept.suite,
                say(STATES[s.state][1], STATES[s.state][0]),
                f"{s.kept.signs_from:%Y-%m-%d}",
                f"{s.kept.ends:%Y-%m-%d}",
                say("是", "yes") if s.due else "",
                s.kept.key_id[:16],
            )
            for s in found
        ]
        table(say("证照密钥", "Keys of licences"), heads, rows)
    return FINDINGS if any(s.due for s in found) else OK


@keys.command("rotate", help=say("生成下一个密钥，可预定启用日期", "Make the next key; it signs now or from a day"))
def rotate(
    name: Name,
    *,
    by: By,
    signs_from: Annotated[
        str, typer.Option("--from", metavar="TIME", help=say("启用时间（默认立即）", "when it begins to sign (now)"))
    ] = "",
    root: Root = None,
    root_passphrase_file: RootPassphrase = None,
    as_json: Json = False,
) -> int:
    """The last one goes on verifying."""
    from hub.authority.changes import rotate as change

    store, evidence = _opened()
    begins = _moment(signs_from, "--from") if signs_from else None
    made = change(store, evidence, name, by=by, signs_from=begins, root=_root(root, root_passphrase_file))
    seals = _outdated_seals(made.department) if made.name.startswith("custodian-") else []
    if as_json:
        print_json(
            {
                "ok": True,
                "name": made.name,
                "key_id": made.key_id,
                "signs_from": made.signs_from.isoformat(),
                "seals": [seal["code"] for seal in seals],
            }
        )
    else:
        note(
            say(
                f"{made.name} 的新密钥自 {made.signs_from:%Y-%m-%d %H:%M} UTC 起签名，有效至 {made.ends:%Y-%m-%d}。",
                f"The new key of {made.name} signs from {made.signs_from:%Y-%m-%d %H:%M} UTC to {made.ends:%Y-%m-%d}.",
            )
        )
        for seal in seals:
            code, keeper = seal["code"], seal["custodian"]
            note(
                say(
                    f"印章 {code} 须换版后方可用新密钥：zhengtong seal transfer {code} {keeper}，由另一人核准。",
                    f"Seal {code} needs a next version before the new key can use it: "
                    f"zhengtong seal transfer {code} {keeper}; another person approves it.",
                )
            )
    return OK


@keys.command(
    "revoke", help=say("撤销证书并发布撤销列表（两人办理）", "Revoke a certificate, two posts; publish the list")
)
def revoke(
    serial: Annotated[
        str,
        typer.Argument(
            metavar="SERIAL",
            help=say("证书序列号或标识（至少 8 位）", "serial number or key id, 8 digits at least"),
            show_default=False,
        ),
    ],
    *,
    reason: Annotated[
        str, typer.Option("--reason", help=say("撤销原因（RFC 5280 §5.3.1）", "why, by the word of RFC 5280"))
    ],
    ground: Ground,
    by: By,
    second: Second,
    since: Since = "",
    root: Root = None,
    root_passphrase_file: RootPassphrase = None,
    as_json: Json = False,
) -> int:
    """What it signed before goes on holding where a log or a time stamp proves the time."""
    from hub.authority.revocations import Order
    from hub.authority.revocations import revoke as revoke_
    from licence.crl import Reason

    known = {r.value.lower(): r for r in Reason}
    if reason.lower() not in known:
        raise typer.BadParameter(", ".join(r.value for r in Reason), param_hint="--reason")
    store, evidence = _opened()
    order = Order(known[reason.lower()], ground, by, second, _moment(since, "--since") if since else None)
    one, index = revoke_(store, evidence, serial, order, root=_root(root, root_passphrase_file))
    if as_json:
        print_json({"ok": True, "name": one.name, "key_id": one.key_id, "entry": index})
    else:
        note(
            say(
                f"{one.name} 的证书已撤销（日志条目 {index}），撤销列表已发布。",
                f"The certificate of {one.name} is revoked (log entry {index}), the list is published.",
            )
        )
    return OK


@keys.command("crl", help=say("更新并发布证书撤销列表", "Renew and publish revocation lists"))
def lists(*, root: Root = None, root_passphrase_file: RootPassphrase = None, as_json: Json = False) -> int:
    """The scheduler does it daily; a root kept apart is asked for with --root once a year."""
    from hub.authority.revocations import renew_lists

    store, evidence = _opened()
    names = renew_lists(store, evidence, root=_root(root, root_passphrase_file))
    if as_json:
        print_json({"ok": True, "renewed": names})
    else:
        note(say(f"更新撤销列表 {len(names)} 份。", f"Revocation lists renewed: {len(names)}."))
    return OK


@keys.command(
    "ceremony", help=say("密钥仪式：生成根密钥、核对指纹、离线保管", "Key ceremony: root, fingerprint, put apart")
)
def ceremony(
    *,
    by: By,
    second: Second,
    suite: Annotated[str, typer.Option("--suite", help=say("签名套件", "signature suite"))] = "ecdsa-p256-sha256",
    root_out: Annotated[
        Path | None,
        typer.Option(
            "--root-out", metavar="DIR", help=say("根密钥离线保管的目录", "where the root's key is put apart")
        ),
    ] = None,
    root_passphrase_file: RootPassphrase = None,
    new: Annotated[
        bool, typer.Option("--new", help=say("即使已有根密钥也生成新的", "a new root even where there is one"))
    ] = False,
    as_json: Json = False,
) -> int:
    """Each post reads the fingerprint and types its last eight characters."""
    from importlib.metadata import version

    from hub.authority.ceremony import Plan, hold, spelt

    def compare(post: str, fingerprint: str) -> bool:
        note(say(f"根证书指纹：{spelt(fingerprint)}", f"Fingerprint of the root: {spelt(fingerprint)}"))
        typed = typer.prompt(say(f"{post}：请输入指纹后八位", f"{post}: type its last eight characters"))
        return str(typed).replace(" ", "").lower() == fingerprint[-8:]

    store, evidence = _opened()
    secret = _passphrase(root_passphrase_file, twice=True) if root_out is not None else b""
    plan = Plan(suite, by, second, f"zhengtong {version('zhengtong')}", root_out, secret, new)
    held = hold(store, evidence, plan, compare)
    if as_json:
        print_json({"ok": True, "root": held.root.key_id, "record": str(held.record), "entry": held.log_index})
    else:
        note(
            say(
                f"仪式完成（日志条目 {held.log_index}）。记录：{held.protocol}",
                f"The ceremony is held (log entry {held.log_index}). Its record: {held.protocol}",
            )
        )
        if held.root_file is not None:
            note(say(f"根密钥已移至 {held.root_file}", f"The root's key is now only at {held.root_file}"))
    return OK


@keys.command(
    "compromised", help=say("密钥泄露：列出受影响项，或撤销并更换", "A key was lost: what it signed; revoke it")
)
def compromised(
    name: Name,
    *,
    since: Since,
    revoke: Annotated[
        bool,
        typer.Option("--revoke/--dry-run", help=say("撤销并更换（默认只列出）", "revoke and change; or only list")),
    ] = False,
    ground: Ground = "",
    by: By = "",
    second: Second = "",
    root: Root = None,
    root_passphrase_file: RootPassphrase = None,
    as_json: Json = False,
) -> int:
    """The dry run changes nothing."""
    from hub.authority import drill

    store, evidence = _opened()
    moment = _moment(since, "--since")
    found = drill.signed_since(store, evidence, name, moment)
    fresh = None
    if revoke:
        key = _root(root, root_passphrase_file)
        _, fresh = drill.compromised(store, evidence, name, since=moment, ground=ground, by=by, second=second, root=key)
    if as_json:
        print_json(
            {
                "keys": [k.key_id for k in found.keys],
                "licences": list(found.licences),
                "holding": list(found.holding),
                "unknown": list(found.unknown),
                "status_lists": list(found.status_lists),
                "seals": list(found.seals),
                "uses": list(found.uses),
                "new_key": None if fresh is None else fresh.key_id,
            }
        )
        return OK
    for identifier in found.licences:
        print(identifier)
    counts = (len(found.licences), len(found.holding), len(found.unknown), len(found.status_lists))
    note(
        say(
            "证照 {} 份（其中有效或暂扣 {} 份），仅见于日志 {} 份，状态列表 {} 份。".format(*counts),
            "Licences: {} ({} hold), only in the log: {}, status lists: {}.".format(*counts),
        )
    )
    if found.seals or found.uses:
        used = (len(found.seals), len(found.uses))
        note(say("制作印章 {} 枚，用印 {} 次。".format(*used), "Seals made: {}, uses of seals: {}.".format(*used)))
    if fresh is None:
        note(say("仅为演练，未作更改。", "Nothing was changed."))
    else:
        note(
            say(
                f"已撤销并更换。下一步：zhengtong licence keys reissue {name} --since {since}",
                f"Revoked, and a new key made. Next: zhengtong licence keys reissue {name} --since {since}",
            )
        )
    return OK


@keys.command(
    "reissue", help=say("重新签发泄露密钥签署的证照（可续做）", "Issue anew what a lost key signed; may be resumed")
)
def reissue(name: Name, *, since: Since, ground: Ground, by: By, second: Second = "", as_json: Json = False) -> int:
    """Each licence once; run it again to go on after an interruption."""
    from hub.authority import drill
    from hub.licensing import Licensing

    office: Licensing = Licensing.open(Settings.from_environment())
    done = drill.reissue(
        office, office.keys, office.evidence, name, since=_moment(since, "--since"), ground=ground, by=by, second=second
    )
    if as_json:
        print_json({"ok": not done.left, "done": dict(done.done), "left": dict(done.left)})
    else:
        for old, new in done.done:
            print(f"{old} -> {new}")
        for identifier, code in done.left:
            note(f"{identifier}: {code}")
        counts = (len(done.done), len(done.left))
        note(say("重新签发 {} 份，未能签发 {} 份。".format(*counts), "Issued anew: {}, left: {}.".format(*counts)))
    return FINDINGS if done.left else OK


def _outdated_seals(department: str) -> list[dict[str, Any]]:
    """The department's seals that do not name the key that was just made."""
    from hub.seals import Seals

    office = Seals.open(Settings.from_environment())
    try:
        return [seal for seal in office.find(department=department, limit=500) if seal["outdated"]]
    finally:
        office.evidence.publish()
        office.evidence.log.close()
        office.control.close()


def _opened() -> tuple[KeyStore, Evidence]:
    from hub.authority import KeyStore
    from hub.authority.ceremony import finish
    from hub.control import Control
    from hub.evidence import Evidence

    settings = Settings.from_environment()
    store = KeyStore(settings, Control.open(settings))
    # A ceremony that was cut short may have left the root's key here.
    finish(store)
    return store, Evidence.open(settings)


def _root(path: Path | None, passphrase: Path | None) -> SigningKey | None:
    from licence.keys import read_key

    return None if path is None else read_key(path, _passphrase(passphrase))


def _passphrase(path: Path | None, *, twice: bool = False) -> bytes:
    if path is not None:
        return read_file(path, "--root-passphrase-file").encode()
    text = say("根密钥口令", "Passphrase of the root's key")
    return str(typer.prompt(text, hide_input=True, confirmation_prompt=twice)).encode()


def _moment(text: str, option: str) -> datetime:
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise typer.BadParameter(say("应为 ISO 8601 时间", "an ISO 8601 time is wanted"), param_hint=option) from error
    return (at if at.tzinfo else at.astimezone()).astimezone(UTC)
