"""`zhengtong clients key …`: what a client system proves itself by, given, replaced and taken.

Leaves the steps to `hub.clients`.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Self

import typer

from hub.cli.arguments import read_file
from hub.cli.client_keygen import there_already, unreadable
from hub.cli.common import By, Json, opened
from hub.cli.language import say
from hub.cli.output import OK, note, out, print_json
from hub.errors import QueryInvalidError

if TYPE_CHECKING:
    from hub.client_records import CredentialRecord
    from hub.clients import Rotation, Term
    from hub.office import Office

keys = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help=say("客户端系统的凭据", "What client systems prove themselves by")
)

Client = Annotated[
    str,
    typer.Argument(
        metavar=say("系统编号", "CLIENT"), help=say("系统编号，如 S7XK2M4QA", "its number"), show_default=False
    ),
]
Credential = Annotated[
    str,
    typer.Argument(
        metavar=say("凭据编号", "CREDENTIAL"), help=say("凭据编号", "the credential's number"), show_default=False
    ),
]
Public = Annotated[
    Path | None,
    typer.Option(
        "--public",
        help=say("公钥文件（keygen 所生成的 .pub，或 PEM）", "public key: keygen's .pub file, or PEM"),
        show_default=False,
    ),
]
Proof = Annotated[
    str,
    typer.Option("--proof", help=say("PEM 公钥的持有证明（见 prove）", "for PEM: the proof of possession, see prove")),
]
Certificate = Annotated[
    Path | None,
    typer.Option("--certificate", help=say("客户端证书（PEM）", "client certificate (PEM)"), show_default=False),
]
Bearer = Annotated[bool, typer.Option("--bearer", help=say("签发调用密钥", "issue a bearer key"))]
Shared = Annotated[bool, typer.Option("--hmac", help=say("登记网关共享密钥", "a gateway's shared key"))]
Rid = Annotated[
    str, typer.Option("--rid", help=say("网关请求方标识（默认系统编号）", "the requester's id (default: CLIENT)"))
]
SharedFile = Annotated[
    Path | None,
    typer.Option(
        "--shared-key-file",
        help=say("已有共享密钥的文件（默认新生成）", "file with the key (default: a new one)"),
        show_default=False,
    ),
]
From = Annotated[
    datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], help=say("生效日期", "first day"), show_default=False)
]
Days = Annotated[
    int | None, typer.Option("--days", min=1, max=3650, help=say("有效天数", "for how many days"), show_default=False)
]
SecretOut = Annotated[
    Path | None,
    typer.Option(
        "--out", help=say("密钥写入此文件（权限 0600）", "write the key to it (mode 0600)"), show_default=False
    ),
]


@keys.command("add", help=say("登记一项凭据", "Add a credential"))
def add(
    client: Client,
    *,
    by: By,
    public: Public = None,
    proof: Proof = "",
    certificate: Certificate = None,
    bearer: Bearer = False,
    shared: Shared = False,
    rid: Rid = "",
    shared_file: SharedFile = None,
    start: From = None,
    days: Days = None,
    to: SecretOut = None,
    as_json: Json = False,
) -> int:
    """One of --public, --certificate, --bearer, --hmac."""
    given = _Given(public, proof, certificate, bearer=bearer, shared=shared, rid=rid, shared_file=shared_file)
    with opened() as office, _SecretFile(to) as file:
        return given.add(office, client, by=by, term=_term(start, days), rotation=None, file=file, as_json=as_json)


@keys.command("rotate", help=say("以新凭据接替；旧凭据在并用期后失效", "Replace a credential; both hold for a while"))
def rotate(
    credential: Credential,
    *,
    by: By,
    public: Public = None,
    proof: Proof = "",
    certificate: Certificate = None,
    bearer: Bearer = False,
    shared: Shared = False,
    rid: Rid = "",
    shared_file: SharedFile = None,
    start: From = None,
    days: Days = None,
    overlap: Annotated[int, typer.Option("--overlap", min=0, max=90, help=say("并用天数", "days that both hold"))] = 14,
    to: SecretOut = None,
    as_json: Json = False,
) -> int:
    """The new one is given as for `add`, and may be of another kind."""
    from hub import client_records as records
    from hub.clients import Rotation

    given = _Given(public, proof, certificate, bearer=bearer, shared=shared, rid=rid, shared_file=shared_file)
    with opened() as office, _SecretFile(to) as file:
        old = records.credential(office.control, credential)
        given.rid = given.rid or old.handle
        rotation = Rotation(credential, timedelta(days=overlap))
        return given.add(
            office, old.client, by=by, term=_term(start, days), rotation=rotation, file=file, as_json=as_json
        )


@keys.command("revoke", help=say("吊销一项凭据", "Revoke a credential"))
def revoke(credential: Credential, *, by: By, as_json: Json = False) -> int:
    """Bites on the next call. Safe to repeat."""
    from hub import clients as use
    from hub.actors import Actor

    with opened() as office:
        index = use.revoke_credential(office, credential, by=Actor.parse(by))
    if as_json:
        print_json({"credential": credential, "revoked": True, "log_index": index})
    else:
        out.print(credential, markup=False)
        note(say(f"已吊销，日志条目 {index}。", f"Revoked; log entry {index}."))
    return OK


class _Given:
    """The new credential as the options give it; exactly one kind."""

    def __init__(
        self,
        public: Path | None,
        proof: str,
        certificate: Path | None,
        *,
        bearer: bool,
        shared: bool,
        rid: str,
        shared_file: Path | None,
    ) -> None:
        if sum((public is not None, certificate is not None, bearer, shared)) != 1:
            raise QueryInvalidError(
                where="--public, --certificate, --bearer, --hmac",
                why="give exactly one of them",
                why_zh="须且只能给出其一",
            )
        self._public, self._proof, self._certificate, self._bearer = public, proof, certificate, bearer
        self.rid, self._shared_file = rid, shared_file

    def add(
        self,
        office: Office,
        client: str,
        *,
        by: str,
        term: Term,
        rotation: Rotation | None,
        file: _SecretFile,
        as_json: bool,
    ) -> int:
        """Add it, and tell of it; a key that is made now is shown or written once."""
        from hub import clients as use
        from hub.actors import Actor

        actor = Actor.parse(by)
        if self._public is not None:
            key, proof = _public(self._public)
            found = use.add_key(office, client, key, self._proof or proof, by=actor, term=term, rotation=rotation)
            return _added(found, office.now(), as_json=as_json)
        if self._certificate is not None:
            text = read_file(self._certificate, say("证书", "a certificate"))
            found = use.add_certificate(office, client, text, by=actor, rotation=rotation)
            return _added(found, office.now(), as_json=as_json)
        if self._bearer:
            issued = use.add_bearer(office, client, by=actor, term=term, rotation=rotation)
            return file.hand_over({"client": client, "credential": issued.caller}, issued.key, as_json=as_json)
        secret = b""
        if self._shared_file is not None:
            secret = read_file(self._shared_file, say("共享密钥", "the shared key")).encode()
        shared = use.add_shared_key(office, client, by=actor, rid=self.rid, key=secret, term=term, rotation=rotation)
        plain = {"client": client, "credential": shared.credential, "rid": shared.rid}
        return file.hand_over(plain, shared.key.decode("utf-8", "replace"), as_json=as_json)


class _SecretFile:
    """Where a key goes: a file that is made before the key, so that none is made that cannot be handed over."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._file: Any = None
        self._written = False

    def __enter__(self) -> Self:
        if self._path is not None:
            try:
                self._file = os.fdopen(os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w")
            except FileExistsError as error:
                raise there_already(self._path) from error
        return self

    def __exit__(self, *error: object) -> None:
        if self._file is not None and self._path is not None:
            self._file.close()
            if not self._written:
                self._path.unlink()

    def hand_over(self, plain: dict[str, Any], key: str, *, as_json: bool) -> int:
        """Write or print *key*; it cannot be shown again."""
        if self._file is not None:
            self._file.write(key + "\n")
            self._file.flush()
            self._written = True
            plain |= {"file": str(self._path)}
        else:
            plain |= {"key": key}
        if as_json:
            print_json(plain)
            return OK
        out.print(str(plain.get("file") or key), markup=False)
        number = plain["credential"]
        note(
            say(
                f"凭据 {number}。密钥只显示这一次，请妥善保存。",
                f"Credential {number}. The key is shown this once; keep it safe.",
            )
        )
        return OK


def _public(path: Path) -> tuple[Any, str]:
    """The public key of a file, and the proof in its second line where there is one."""
    from audit.errors import KeyTextError
    from hub.signing.keyfiles import read_public

    text = read_file(path, say("公钥", "a public key"))
    key, _, proof = (text, "", "") if text.startswith("-----") else text.partition("\n")
    try:
        return read_public(key), proof.strip()
    except KeyTextError as error:
        raise unreadable(path) from error


def _term(start: datetime | None, days: int | None) -> Term:
    from catalog.clock import SHANGHAI
    from hub.clients import Term

    begins = None if start is None else start.replace(tzinfo=SHANGHAI)
    if days is None:
        return Term(begins)
    return Term(begins, (begins or datetime.now(UTC)) + timedelta(days=days))


def _added(found: CredentialRecord, now: datetime, *, as_json: bool) -> int:
    if as_json:
        print_json(plain_credential(found, now))
    else:
        out.print(found.id, markup=False)
        note(say(f"已登记，指纹 {found.thumbprint}。", f"Added; its thumbprint is {found.thumbprint}."))
    return OK


def plain_credential(one: CredentialRecord, now: datetime) -> dict[str, Any]:
    """A credential as JSON."""
    from dataclasses import asdict

    return {**asdict(one), "state": one.state(now)}
