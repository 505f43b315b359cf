"""`zhengtong trust list …`: signed lists of other cities' issuers, so that their licences verify here.

What a list must be to be taken is `licence.trustlist`'s, keeping it `licence.trustlist_folder`'s. Nothing is fetched:
people hand the texts over, and the digest of the first root by another way.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hub.cli.arguments import read_file
from hub.cli.common import Json  # noqa: TC001 - typer reads annotations when it runs
from hub.cli.language import say
from hub.cli.output import OK, note, out, print_json, table
from hub.errors import QueryInvalidError
from hub.settings import Settings

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from licence.trustlist import Root, Targets, TrustedIssuer, TrustList

trust = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help=say("跨城市信任", "Trust in other cities"))
lists = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help=say("信任列表：其他城市的颁发机构及其期限", "Trust lists: issuers of other cities, with their dates"),
)
trust.add_typer(lists, name="list")

Key = Annotated[
    list[Path],
    typer.Option("--key", help=say("签名密钥文件，可多次", "signing key file; may repeat"), show_default=False),
]
Passphrase = Annotated[
    Path | None,
    typer.Option(
        "--passphrase-file", help=say("存放口令的文件（默认询问）", "file with the passphrase (default: asked)")
    ),
]
Name = Annotated[
    str,
    typer.Argument(
        metavar=say("名称", "NAME"), help=say("列表名称，如 city-b", "the list's name, e.g. city-b"), show_default=False
    ),
]
Roots = Annotated[
    list[Path] | None,
    typer.Option("--root", help=say("根文件，按版本先后，可多次", "root, oldest first; may repeat")),
]
TargetsFile = Annotated[Path, typer.Option("--targets", help=say("列表文件", "the list itself"), show_default=False)]
Digest = Annotated[
    str,
    typer.Option(
        "--digest", help=say("首个根文件的 SHA-256，经另一可信途径取得", "SHA-256 of the first root, got another way")
    ),
]
TrustFolder = Annotated[
    Path | None,
    typer.Option(
        "--trust", help=say("信任目录（默认为本平台发布的）", "trust folder (default: what this hub published)")
    ),
]


@lists.command("key", help=say("生成一把列表签名密钥", "Make a key that signs lists"))
def make_key(
    to: Annotated[
        Path, typer.Argument(metavar=say("文件", "FILE"), help=say("私钥文件", "the private key"), show_default=False)
    ],
    *,
    passphrase_file: Passphrase = None,
    as_json: Json = False,
) -> int:
    """An Ed25519 key, encrypted, for one officer alone; prints the public key that goes into the root."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat

    from hub.signing.keyfiles import write_private

    key = Ed25519PrivateKey.generate()
    words = _passphrase(passphrase_file, confirm=True)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(words)).decode()
    try:
        write_private(to, pem)
    except FileExistsError:
        raise _mend(str(to), "it is there already", "文件已存在") from None
    public = _public(key)
    if as_json:
        print_json({"ok": True, "file": str(to), "public_key": public})
    else:
        print(public)
    return OK


@lists.command("make", help=say("由草稿生成根文件或列表，并签名", "Make a root or a list from a draft, and sign it"))
def make(
    draft: Annotated[
        Path,
        typer.Argument(metavar=say("草稿", "DRAFT"), help=say("草稿（YAML）", "the draft (YAML)"), show_default=False),
    ],
    to: Annotated[
        Path, typer.Argument(metavar=say("文件", "FILE"), help=say("写到何处", "where to write it"), show_default=False)
    ],
    *,
    key: Key,
    passphrase_file: Passphrase = None,
    as_json: Json = False,
) -> int:
    """The draft names an issuer's trust folder; certificates, log keys and suites are read from it."""
    from licence import trustlist

    role = _drafted(draft)
    text = trustlist.sign(role, _keys(key, passphrase_file))
    # What we wrote must be what everybody reads.
    trustlist.read(text)
    _write(to, text)
    return _tell(text, as_json=as_json)


@lists.command("sign", help=say("追加签名", "Add a signature"))
def sign(
    file: Annotated[
        Path, typer.Argument(metavar=say("文件", "FILE"), help=say("根文件或列表", "root or list"), show_default=False)
    ],
    *,
    key: Key,
    passphrase_file: Passphrase = None,
    as_json: Json = False,
) -> int:
    """Look at it first: `zhengtong trust list show`. Officers may sign copies apart; this joins them in one file."""
    from licence import trustlist

    text = _read(file)
    role, _ = trustlist.read(text)
    text = trustlist.add_signatures(text, [trustlist.sign(role, _keys(key, passphrase_file))])
    _write(file, text)
    return _tell(text, as_json=as_json)


@lists.command("show", help=say("查看根文件、列表或已安装的列表", "Show a root, a list or what is installed"))
def show(
    file: Annotated[
        Path | None,
        typer.Argument(
            metavar=say("文件", "FILE"),
            help=say("文件（默认为已安装的）", "file (default: what is installed)"),
            show_default=False,
        ),
    ] = None,
    *,
    trust_folder: TrustFolder = None,
    as_json: Json = False,
) -> int:
    """Who signed it, whether the signatures hold, and until when it counts."""
    from licence import trustlist_folder

    if file is not None:
        return _tell(_read(file), as_json=as_json)
    folder = trust_folder or Settings.from_environment().trust
    found = {name: trustlist_folder.installed(folder, name, now=None) for name in trustlist_folder.names(folder)}
    if as_json:
        print_json({name: _plain(one) for name, one in found.items()})
        return OK
    if not found:
        note(say("未安装任何信任列表。", "No trust list is installed."))
    for name, one in found.items():
        _show_issuers(name, one.targets.issuers)
        note(_sentence(one))
    return OK


@lists.command("check", help=say("核验列表，不安装", "Check a list without installing it"))
def check(
    name: Name,
    *,
    root: Roots = None,
    targets: TargetsFile,
    digest: Digest = "",
    trust_folder: TrustFolder = None,
    as_json: Json = False,
) -> int:
    """Against what is installed under this name, or against the digest of the first root; exit 5 when it is refused."""
    return _take(name, root, targets, digest, trust_folder, install=False, as_json=as_json)


@lists.command(
    "install", help=say("核验并安装列表，其证照即可在此验证", "Check and install: its licences verify here from now on")
)
def install(
    name: Name,
    *,
    root: Roots = None,
    targets: TargetsFile,
    digest: Digest = "",
    trust_folder: TrustFolder = None,
    as_json: Json = False,
) -> int:
    """Older versions and lists that have run out are refused; a new root needs the old officers' signatures, too."""
    return _take(name, root, targets, digest, trust_folder, install=True, as_json=as_json)


def _take(
    name: str,
    root: list[Path] | None,
    targets: Path,
    digest: str,
    folder: Path | None,
    *,
    install: bool,
    as_json: bool,
) -> int:
    from licence import trustlist_folder

    place = folder or Settings.from_environment().trust
    texts = [_read(path) for path in root or ()]
    known = trustlist_folder.names(place)
    if name not in known and not (texts and digest):
        raise _mend(
            "--digest",
            "a first list needs --root and the --digest of it, got by another way",
            "首次安装须给出 --root 及其 --digest（经另一可信途径取得）",
        )
    take = trustlist_folder.install if install else trustlist_folder.check
    found = take(place, name, texts, _read(targets), root_digest=digest.strip().lower(), now=datetime.now(UTC))
    if as_json:
        print_json({"ok": True, "name": name, "installed": install, **_plain(found)})
    else:
        _show_issuers(name, found.targets.issuers)
        note(_sentence(found))
    return OK


def _drafted(path: Path) -> Root | Targets:
    """The root or the targets that a draft describes.

    Raises:
        QueryInvalidError: a member is missing or malformed; it is named.
    """
    import yaml

    from licence.trustlist import Root, Targets

    try:
        plain = yaml.safe_load(read_file(path, say("草稿", "the draft")))
    except yaml.YAMLError:
        plain = None
    if not isinstance(plain, dict):
        raise _mend(str(path), "it is no YAML mapping", "不是 YAML 映射")
    try:
        if "keys" in plain:
            return Root(
                int(plain["version"]),
                _moment(plain["expires"]),
                tuple(_key_bytes(k) for k in plain["keys"]),
                int(plain["root_threshold"]),
                tuple(_key_bytes(k) for k in plain["targets_keys"]),
                int(plain["targets_threshold"]),
            )
        issuers = tuple(_issuer(one, path.parent) for one in plain["issuers"])
        return Targets(int(plain["version"]), int(plain["root"]), _moment(plain["expires"]), issuers)
    except KeyError as error:
        raise _mend(str(error.args[0]), "it is missing in the draft", "草稿中缺少该项") from None
    except (TypeError, ValueError):
        raise _mend(str(path), "a member is malformed", "有成员格式错误") from None


def _issuer(plain: dict[str, Any], folder: Path) -> TrustedIssuer:
    from cryptography.hazmat.primitives.serialization import Encoding

    from licence.trust import TrustStore
    from licence.trustlist import TrustedIssuer

    store = TrustStore.load(folder / str(plain["trust"]))
    return TrustedIssuer(
        name=str(plain["name"]),
        uscc=str(plain["uscc"]),
        starts=_moment(plain["from"]),
        ends=None if plain.get("until") is None else _moment(plain["until"]),
        authorities=tuple(a.public_bytes(Encoding.DER) for a in store.anchors),
        log_keys=tuple(v.to_text() for v in store.log_verifiers),
        suites=tuple(sorted(store.suites)),
        signers=tuple(sorted(store.licence_signers)),
        status_signers=tuple(sorted(store.status_signers)),
    )


def _moment(value: object) -> datetime:
    """A time of a draft: with its zone, or a day, which begins in Shanghai; whole seconds, as lists have them."""
    from catalog.clock import SHANGHAI

    found = datetime.fromisoformat(str(value))
    return (found if found.tzinfo else found.replace(tzinfo=SHANGHAI)).astimezone(UTC).replace(microsecond=0)


def _key_bytes(text: str) -> bytes:
    import base64

    return base64.b64decode(str(text), validate=True)


def _keys(paths: list[Path], passphrase_file: Path | None) -> list[Ed25519PrivateKey]:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    words, found = _passphrase(passphrase_file), []
    for path in paths:
        pem = read_file(path, say("密钥", "the key")).encode()
        try:
            key = load_pem_private_key(pem, words)
        except (ValueError, TypeError):
            raise _mend(str(path), "no key that this passphrase opens", "口令无法打开该密钥") from None
        if not isinstance(key, Ed25519PrivateKey):
            raise _mend(str(path), "an Ed25519 key is wanted", "应为 Ed25519 密钥")
        found.append(key)
    return found


def _passphrase(path: Path | None, *, confirm: bool = False) -> bytes:
    if path is not None:
        return read_file(path, say("口令", "the passphrase")).encode()
    return str(typer.prompt(say("密钥口令", "Passphrase"), hide_input=True, confirmation_prompt=confirm)).encode()


def _public(key: Ed25519PrivateKey) -> str:
    import base64

    return base64.b64encode(key.public_key().public_bytes_raw()).decode()


def _read(path: Path) -> str:
    # The text is signed to its last byte.
    try:
        return path.read_bytes().decode("utf-8")
    except OSError as error:
        raise _mend(str(path), error.strerror or "it cannot be read", "无法读取") from None
    except UnicodeDecodeError:
        raise _mend(str(path), "it is not UTF-8", "不是 UTF-8 编码") from None


def _write(path: Path, text: str) -> None:
    from hub.files import replace_file

    replace_file(path, text.encode())


def _tell(text: str, *, as_json: bool) -> int:
    import base64

    from licence import trustlist

    role, signed = trustlist.read(text)
    signers = [base64.b64encode(key).decode() for key in signed]
    plain: dict[str, Any] = {
        "version": role.version,
        "expires": role.expires.isoformat(),
        "digest": trustlist.digest_of(text),
        "signed_by": signers,
    }
    if as_json:
        print_json({"ok": True, **role.plain(), **plain})
        return OK
    if isinstance(role, trustlist.Root):
        out.print(say("根文件", "Root"), markup=False)
        out.print(say("列表须签名数", "Signatures a list needs") + f": {role.targets_threshold}", markup=False)
        out.print(say("根须签名数", "Signatures a root needs") + f": {role.root_threshold}", markup=False)
    else:
        _show_issuers(say("列表", "List"), role.issuers)
    for name, value in (
        (say("版本", "Version"), plain["version"]),
        (say("有效期至", "Until"), plain["expires"]),
        ("SHA-256", plain["digest"]),
    ):
        out.print(f"{name}: {value}", markup=False)
    for key in signers:
        out.print(say("签名有效", "Signature holds") + f": {key}", markup=False)
    return OK


def _show_issuers(title: str, issuers: tuple[TrustedIssuer, ...]) -> None:
    headings = [
        say("颁发机构", "Issuer"),
        say("代码", "USCC"),
        say("自", "From"),
        say("至", "Until"),
        say("套件", "Suites"),
    ]
    rows = (
        [i.name, i.uscc, i.starts.date().isoformat(), i.ends.date().isoformat() if i.ends else "", ", ".join(i.suites)]
        for i in issuers
    )
    table(title, headings, rows)


def _sentence(found: TrustList) -> str:
    until = min(found.root.expires, found.targets.expires).isoformat(timespec="seconds")
    return say(
        f"根第 {found.root.version} 版，列表第 {found.targets.version} 版，有效期至 {until}",
        f"root version {found.root.version}, list version {found.targets.version}, until {until}",
    )


def _plain(found: TrustList) -> dict[str, Any]:
    return {
        "root_version": found.root.version,
        "version": found.targets.version,
        "expires": min(found.root.expires, found.targets.expires).isoformat(),
        "issuers": [{"name": i.name, "uscc": i.uscc, "from": i.starts, "until": i.ends} for i in found.targets.issuers],
    }


def _mend(where: str, why: str, why_zh: str) -> QueryInvalidError:
    return QueryInvalidError(where=where, why=why, why_zh=why_zh)


def add_to(app: typer.Typer) -> None:
    """Hang the commands into the tree."""
    app.add_typer(trust, name="trust")
