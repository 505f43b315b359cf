"""Which keys the hub itself keeps, what each is for, and by what it is known outside; never the key.

Keys and certificates of licences and seals are `hub.authority.changes`'s.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from hub.evidence import LOG_KEY_FILE, SECOND_KEY_FILE

if TYPE_CHECKING:
    from pathlib import Path

    from hub.settings import Settings

# By the name of the key: what it is for (English, Chinese), its suite, the file of its public half.
KNOWN: Final[dict[str, tuple[tuple[str, str], str, str]]] = {
    "log": (("signs the log's checkpoints and receipts", "签署日志检查点与回执"), "Ed25519", LOG_KEY_FILE),
    "log-mldsa": (("second signature of checkpoints", "检查点的第二签名"), "ML-DSA-65", SECOND_KEY_FILE),
    "answers": (("signs answers to calls", "签署调用应答"), "Ed25519", "answers.key.pub"),
    "mask": (("keyed pseudonyms of masks", "脱敏假名"), "HMAC-SHA-256", ""),
    "subject": (("finds entries about the same record", "按主体检索日志条目"), "HMAC-SHA-256", ""),
    "client-keys": (("seals the secrets of client systems", "加密保存客户端系统密钥"), "AES-256-GCM", ""),
    "changes": (("seals the cursors of feeds of changes", "加密变更游标"), "AES-256-GCM", ""),
    "materials": (("seals materials", "加密保存材料"), "AES-256-GCM", ""),
    "dossiers": (("seals the dossiers of licences", "加密保存证照案卷"), "AES-256-GCM", ""),
    "seal-signers": (("seals the codes of keepers of seals", "加密保存印章签名人信息"), "AES-256-GCM", ""),
    "one-time-codes": (("makes one-time codes of licences", "生成证照一次性码"), "HMAC-SHA-256", ""),
    "wallets": (("seals what wallets are handed", "加密钱包交接内容"), "AES-256-GCM", ""),
    "portal-reports": (("signs reports of the page Verify", "签署核验报告"), "HMAC-SHA-256", ""),
}
_CALLERS: Final = "licence-caller-"
_SECONDS: Final = "second-"


@dataclass(frozen=True, slots=True)
class KnownKey:
    """A key of the keyring: *says* what it is for; *public* how it is known outside, "" where it is not."""

    name: str
    says: tuple[str, str]
    suite: str
    public: str
    since: datetime


def known_keys(settings: Settings) -> tuple[KnownKey, ...]:
    """The keys in the keyring's folder, by name. Their files are not opened: nothing of a key is read."""
    found = []
    for path in sorted(settings.keys.glob("*.key")):
        says, suite, public = _known(path.stem)
        since = datetime.fromtimestamp(path.stat().st_mtime, UTC)
        found.append(KnownKey(path.stem, says, suite, _public(settings.public / public) if public else "", since))
    return tuple(found)


def _known(name: str) -> tuple[tuple[str, str], str, str]:
    if name.startswith(_CALLERS):
        department = name.removeprefix(_CALLERS)
        says = (f"by which the hub issues licences of {department}", f"平台为 {department} 签发证照时的调用密钥")
        return says, "HMAC-SHA-256", ""
    if name.startswith(_SECONDS):
        who = name.removeprefix(_SECONDS)
        return (f"second signature of licences of {who}", f"{who} 证照的第二签名"), "ML-DSA-65", ""
    return KNOWN.get(name, (("of a part of the program", "程序内部用途"), "", ""))


def _public(path: Path) -> str:
    """A public key as its file has it, cut to what people compare: its name and hash."""
    try:
        text = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return ""
    return "+".join(text.split("+")[:2])
