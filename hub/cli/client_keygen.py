"""`zhengtong clients keygen` and `prove`: for the client system's own machine; they need nothing of the hub."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hub.cli.arguments import read_file
from hub.cli.common import Json  # noqa: TC001 - typer reads annotations when it runs
from hub.cli.language import say
from hub.cli.output import OK, note, out, print_json
from hub.errors import QueryInvalidError

if TYPE_CHECKING:
    from hub.signing.algorithms import PrivateKey

ClientOption = Annotated[
    str, typer.Option("--client", help=say("系统编号", "the client system's number"), show_default=False)
]
_ALGORITHMS = "ed25519, ecdsa-p256-sha256, sm2-sm3"


def keygen(
    *,
    client: ClientOption,
    to: Annotated[
        Path,
        typer.Option(
            "--out", help=say("私钥文件（权限 0600）；公钥写入同名 .pub", "private key (0600); .pub beside it")
        ),
    ],
    algorithm: Annotated[str, typer.Option("--algorithm", help=_ALGORITHMS)] = "ed25519",
    as_json: Json = False,
) -> int:
    """The private half never leaves this machine; hand in the .pub file."""
    from audit.errors import KeyTextError
    from hub.signing import keyfiles

    try:
        key, pem = keyfiles.generate(algorithm)
    except KeyTextError as error:
        raise QueryInvalidError(
            where="--algorithm", why=f"use one of {_ALGORITHMS}", why_zh=f"请使用 {_ALGORITHMS} 之一"
        ) from error
    try:
        keyfiles.write_private(to, pem)
    except FileExistsError as error:
        raise there_already(to) from error
    public = to.with_name(f"{to.name}.pub")
    text = _handed_in(client, key)
    public.write_text(text, encoding="utf-8")
    return _tell(client, key, text, as_json=as_json, file=str(to), public_file=str(public))


def prove(
    *,
    client: ClientOption,
    key_file: Annotated[Path, typer.Option("--key", help=say("私钥文件（PEM，PKCS#8）", "private key (PEM, PKCS#8)"))],
    as_json: Json = False,
) -> int:
    """Prints what to hand in: the public key and its proof."""
    key = _private(key_file)
    text = _handed_in(client, key)
    if not as_json:
        out.print(text.rstrip(), markup=False)
        return OK
    return _tell(client, key, text, as_json=True)


def _handed_in(client: str, key: PrivateKey) -> str:
    from hub.signing.algorithms import public_text
    from hub.signing.keyfiles import prove_possession

    return f"{public_text(key.public)}\n{prove_possession(client, key)}\n"


def _private(path: Path) -> PrivateKey:
    from audit.errors import KeyTextError
    from hub.signing.keyfiles import read_private

    try:
        return read_private(read_file(path, say("私钥", "a private key")))
    except KeyTextError as error:
        raise unreadable(path) from error


def unreadable(path: Path) -> QueryInvalidError:
    """What is said of a file that holds no key."""
    return QueryInvalidError(
        where=str(path),
        why=f"it is no key of {_ALGORITHMS} that can be read: `ALGORITHM:…` or PEM, without a passphrase",
        why_zh=f"无法读出密钥（{_ALGORITHMS}）；应为 `算法:…` 或不带口令的 PEM",
    )


def there_already(path: Path) -> QueryInvalidError:
    """What is said where a key would be written over."""
    return QueryInvalidError(
        where="--out", why=f"`{path}` is there already; name another file", why_zh=f"`{path}` 已存在，请改用其他文件"
    )


def _tell(client: str, key: PrivateKey, text: str, *, as_json: bool, **files: str) -> int:
    from hub.signing.algorithms import key_id

    public, proof = text.splitlines()
    if as_json:
        plain = {"client": client, "key_id": key_id(key.public), "public": public, "proof": proof, **files}
        print_json(plain)
        return OK
    out.print(files["public_file"], markup=False)
    note(
        say(
            f"私钥 {files['file']} 请勿外传；请将 {files['public_file']} 交平台登记。keyid：{key_id(key.public)}",
            f"Keep {files['file']} to yourself; hand in {files['public_file']}. Its keyid: {key_id(key.public)}",
        )
    )
    return OK


def add_to(app: typer.Typer) -> None:
    """Hang the commands into the tree."""
    made = say("在本机生成密钥对（不连接平台）", "Make a key pair here; needs nothing of the hub")
    app.command("keygen", help=made)(keygen)
    app.command("prove", help=say("证明持有已有的私钥", "Prove that you hold a private key that you have"))(prove)
