"""The key ceremony (密钥仪式): a root is made or taken up before two posts, compared, put apart, and put on record.

The steps, by number:

    1. the root: the one whose key is still here, or a new one, in memory only
    2. both posts compare its fingerprint; if they do not confirm it, nothing has happened
    3. the root's key file is written where it is to be kept, read back, and an issuing CA made under a new root
    4. the root signs the record and its own revocation list while its key is at hand
    5. log entry and rows; from here on the root counts
    6. the root's key file goes from this machine, where it is kept apart; record and trust are published

A crash before step 5 leaves a key that nobody trusts; one after it is gone on with by `finish`.
"""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from cryptography import x509

from hub.authority import register
from hub.authority.errors import KeyStepRefusedError
from hub.authority.making import BACKDATE, ROOT_DAYS, SUITE_IN_NAME
from hub.authority.names import ISSUING, ROOT
from hub.authority.register import APART, ROOT_ROLE, key_id_of
from hub.authority.revocations import publish_lists, sign_list, two_posts
from hub.files import replace_file, sync_folder
from licence.authority import create_root
from licence.keys import generate_private_key, read_key, write_key
from licence.suites import SUITES

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sqlalchemy.engine import Connection

    from hub.authority.register import Kept
    from hub.authority.store import KeyStore
    from hub.evidence import Evidence
    from licence.keys import SigningKey

FORMAT: Final = "zhengtong-key-ceremony/1"
CEREMONY: Final = "keys.ceremony"
FOLDER: Final = "ceremonies"
_WHERE: Final = {"apart": "离线保管 / kept apart", "here": "在本机 / on this machine"}


@dataclass(frozen=True, slots=True)
class Plan:
    """What a ceremony is to do. *out*: where the root's key is put apart; None: it stays on this machine.

    *passphrase* seals the file that is put apart. *new*: a new root even where the present one's key is still here.
    """

    suite: str
    first: str
    second: str
    version: str
    out: Path | None = None
    passphrase: bytes = b""
    new: bool = False


@dataclass(frozen=True, slots=True)
class Held:
    """A ceremony that was held: the root, its record's files, the entry of the log."""

    root: Kept
    record: Path
    protocol: Path
    root_file: Path | None
    log_index: int


def hold(store: KeyStore, evidence: Evidence, plan: Plan, compare: Callable[[str, str], bool]) -> Held:
    """Hold the ceremony. *compare* shows a post the fingerprint and says whether that post confirms it.

    Raises:
        KeyStepRefusedError: one post alone, the fingerprint was not confirmed, or the file is there already.
        KeyFileError: the passphrase is too short, or what was written does not read back.
        OSError: the folder cannot be written.
    """
    first, second = two_posts(plan.first, plan.second)
    finish(store)
    now = store.clock().replace(microsecond=0)
    present = next((k for k in store.kept() if _here(store, k, plan)), None)
    root = _new_root(store, plan, now) if present is None else store.open(present)  # step 1
    fingerprint = key_id_of(root.certificate)
    for post in (first, second):  # step 2
        if not compare(post, fingerprint):
            raise KeyStepRefusedError(
                why_en=f"`{post}` did not confirm the fingerprint. Nothing was made.",
                why_zh=f"`{post}` 未确认指纹。未生成任何密钥。",
            )
    with store.changing() as connection:
        number = (
            register.next_number(register.all_kept(connection), ROOT, plan.suite) if present is None else present.number
        )
        home = store.path(ROOT, plan.suite, number)
        apart = None if plan.out is None else _put_apart(plan.out, root, plan.passphrase)  # step 3
        if present is None:
            if apart is None:
                write_key(home, root, store.passphrase)
            kept = register.entry(
                root.certificate,
                None,
                name=ROOT,
                role=ROOT_ROLE,
                suite=plan.suite,
                number=number,
                signs_from=now,
                keeper="" if apart is None else APART,
            )
            register.insert(connection, kept)
            store.next_issuing(connection, root, plan.suite, now)
            present = kept
        elif apart is not None:
            register.update(connection, present.key_id, keeper=APART)
        sign_list(evidence, connection, present, root, now)  # step 4
        content = _content(store, connection, plan, present, apart=apart, at=now)
        text = json.dumps(content, ensure_ascii=False, indent=1, sort_keys=True)
        signed = {"record": text, "signature": base64.b64encode(root.sign_der(text.encode())).decode()}
        recorded = evidence.append(  # step 5
            CEREMONY,
            actor=first,
            facts={
                "root": fingerprint,
                "second": second,
                "record": hashlib.sha256(text.encode()).hexdigest(),
                "apart": apart is not None,
            },
        )
        register.update(connection, present.key_id, log_index=recorded.index)
        # The record's files go before the commit: a ceremony that counts has its record.
        stem = store.settings.public / FOLDER / f"{now:%Y%m%dT%H%M%SZ}-{fingerprint[:8]}"
        record, protocol = stem.with_suffix(".json"), stem.with_suffix(".md")
        replace_file(record, json.dumps(signed, ensure_ascii=False).encode())
        replace_file(protocol, _protocol(content, hashlib.sha256(text.encode()).hexdigest(), recorded.index).encode())
    finish(store)  # step 6
    publish_lists(store, evidence)
    return Held(present, record, protocol, apart, recorded.index)


def finish(store: KeyStore) -> list[str]:
    """Take away root key files of roots that the register says are kept apart; their names. Safe to repeat."""
    gone = []
    for one in store.kept():
        path = store.path(one.name, one.suite, one.number)
        if one.name == ROOT and one.keeper == APART and path.exists():
            path.unlink()
            sync_folder(path.parent)
            gone.append(path.name)
    return gone


def check_record(data: bytes, root: x509.Certificate) -> dict[str, Any]:
    """What a record says, once its root's signature is found good.

    Raises:
        KeyStepRefusedError: it is no record, or not signed by *root*.
        FormatError: the signature does not hold.
    """
    from licence.certificates import public_key_of  # noqa: PLC0415 - for those who check records alone
    from licence.suites import suite_of_key  # noqa: PLC0415 - as above

    refused = KeyStepRefusedError(
        why_en="This is not the record of a ceremony of that root.", why_zh="该文件不是此根证书的仪式记录。"
    )
    try:
        signed = json.loads(data)
        text, signature = signed["record"], base64.b64decode(signed["signature"], validate=True)
        content: dict[str, Any] = json.loads(text)
        named = content["root"]["fingerprint"]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise refused from None
    key = public_key_of(root)
    suite = suite_of_key(key)
    if suite is None or named != key_id_of(root):
        raise refused
    suite.verify_der(key, signature, text.encode())
    return content


def _here(store: KeyStore, one: Kept, plan: Plan) -> bool:
    """Whether *one* is the root in question and its key still lies on this machine."""
    return (
        not plan.new
        and (one.name, one.suite, one.keeper) == (ROOT, plan.suite, "")
        and store.path(one.name, one.suite, one.number).exists()
    )


def _new_root(store: KeyStore, plan: Plan, now: datetime) -> SigningKey:
    if plan.suite not in SUITES:
        raise KeyStepRefusedError(why_en=f"There is no suite `{plan.suite}`.", why_zh=f"没有签名套件 `{plan.suite}`。")
    number = register.next_number(store.kept(), ROOT, plan.suite)
    starts = now - BACKDATE
    return create_root(
        generate_private_key(plan.suite),
        name=f"Zhengtong Root CA{SUITE_IN_NAME[plan.suite]}{'' if number == 1 else f' G{number}'}",
        starts=starts,
        ends=starts + timedelta(days=ROOT_DAYS),
        serial=x509.random_serial_number(),
    )


def _put_apart(folder: Path, root: SigningKey, passphrase: bytes) -> Path:
    path = folder / f"root-{key_id_of(root.certificate)[:16]}.pem"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not path.exists():
        write_key(path, root, passphrase)
    # What cannot be read back is no copy; the key on this machine would be the last.
    if read_key(path, passphrase).chain != root.chain:
        raise KeyStepRefusedError(why_en=f"`{path}` holds another key.", why_zh=f"`{path}` 中是另一个密钥。")
    return path


def _content(
    store: KeyStore, connection: Connection, plan: Plan, root: Kept, *, apart: Path | None, at: datetime
) -> dict[str, Any]:
    kept = register.all_kept(connection)
    authorities = [k for k in kept if k.name == ISSUING and k.issuer == root.key_id]
    files = [p for k in (root, *authorities) if (p := store.path(k.name, k.suite, k.number)).exists()]
    return {
        "format": FORMAT,
        "at": at.astimezone(UTC).isoformat(timespec="seconds"),
        "software": plan.version,
        "suite": plan.suite,
        "present": [plan.first, plan.second],
        "root": _described(root),
        "issuing": [_described(k) for k in authorities],
        "root_key": "here" if apart is None else "apart",
        "files": [
            {"name": p.name, "sha256": hashlib.sha256(p.read_bytes()).hexdigest()}
            for p in (*files, *((apart,) if apart else ()))
        ],
    }


def _described(one: Kept) -> dict[str, str]:
    return {
        "subject": one.certificate.subject.rfc4514_string(),
        "serial": one.serial,
        "fingerprint": one.key_id,
        "until": one.ends.isoformat(timespec="seconds"),
    }


def _protocol(content: dict[str, Any], digest: str, entry: int) -> str:
    """The record as people read and sign it."""
    root = content["root"]
    lines = [
        "# 密钥仪式记录 / Record of a key ceremony",
        "",
        f"- 时间 / at: {content['at']}",
        f"- 在场岗位 / present: {', '.join(content['present'])}",
        f"- 软件版本 / software: {content['software']}",
        f"- 签名套件 / suite: {content['suite']}",
        f"- 根证书 / root: {root['subject']}",
        f"- 指纹（SHA-256）/ fingerprint: `{spelt(root['fingerprint'])}`",
        f"- 有效期至 / until: {root['until']}",
        f"- 根密钥 / root key: {_WHERE[content['root_key']]}",
        *(f"- 签发机构 / issuing CA: `{spelt(i['fingerprint'])}` → {i['until']}" for i in content["issuing"]),
        *(f"- 文件 / file `{f['name']}`: SHA-256 `{f['sha256']}`" for f in content["files"]),
        f"- 日志条目 / log entry: {entry}",
        f"- 本记录 / this record: SHA-256 `{digest}`",
        "",
        "签字 / signatures:",
        "",
        *(f"- {post}: ______________________" for post in content["present"]),
        "",
    ]
    return "\n".join(lines)


def spelt(fingerprint: str) -> str:
    """A fingerprint in groups of four, as two people read it to each other."""
    return " ".join(fingerprint[i : i + 4] for i in range(0, len(fingerprint), 4))
