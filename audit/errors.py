"""What can go wrong in the log, named by what the caller does next; deciding whether to retry is left to the caller.

AuditError
├── InputInvalidError          mend the input
│   ├── CanonicalError         a value has no canonical JSON form
│   ├── EntryInvalidError      bytes that are no entry, or a field that may not stand in one
│   ├── EntryTooLargeError     more than 65,535 bytes: put the body in the body store
│   ├── KeyTextError           text or bytes that are no key
│   └── PolicyInvalidError     a trust policy that cannot be read
├── Sm2MissingError            this machine cannot make or check SM2 signatures: install OpenSSL 3
├── Sm2SignatureInvalidError   do not trust: the SM2 signature does not hold
├── ProofInvalidError          do not trust: the proof does not show what it claims
│   └── CheckpointInvalidError do not trust: malformed, or signed by nobody who is trusted
│       └── NoteInvalidError   do not trust: the signed note around it
├── LogDamagedError            call a person; do not write, do not clean up
│   └── BodyDamagedError       the same, for one stored body
├── LogUnavailableError        try again after …
│   ├── LogLockedError         … another process has finished
│   ├── StorageFullError       … space was made
│   └── StorageFailedError     … the disk was looked at
├── LogMissingError            there is no log in this folder: create one, or mend the path
├── LogExistsError             there is a log in this folder already: open it
├── LogReadOnlyError           opened without a signing key: open it with one
├── EntryMissingError          no entry has this index
└── EntryUnpublishedError      the entry is kept but no checkpoint covers it yet: publish first
"""

from __future__ import annotations

import errno
from typing import ClassVar


class AuditError(Exception):
    """Base of every error of this package. *params* fill the sentence, in either language."""

    en: ClassVar[str] = "The audit log failed."
    zh: ClassVar[str] = "审计日志出错。"

    def __init__(self, **params: object) -> None:
        self.params = params
        super().__init__(self.en.format(**params))

    def text(self, lang: str) -> str:
        """The sentence in *lang*: ``zh`` is Chinese, anything else English."""
        return (self.zh if lang == "zh" else self.en).format(**self.params)


class InputInvalidError(AuditError):
    """Mend the input."""

    en = "The input is not valid: {problem}."
    zh = "输入无效：{problem}。"


class CanonicalError(InputInvalidError):
    """A value has no canonical JSON form (RFC 8785). *where* is a JSON pointer."""

    en = (
        "No canonical JSON for the value at `{where}`: {problem}. "
        "Give text, a finite number within 2^53, a list or a map."
    )
    zh = "`{where}` 处的值没有规范 JSON 形式：{problem}。请使用文本、2^53 以内的有限数、列表或映射。"


class EntryInvalidError(InputInvalidError):
    """Bytes that are no entry, or a field that may not stand in one."""

    en = "Not a log entry: {problem}."
    zh = "不是日志条目：{problem}。"


class EntryTooLargeError(InputInvalidError):
    """An entry must fit the 16-bit length of an entry bundle."""

    en = (
        "Entry {position} of the batch has {size_bytes} bytes, at most {limit_bytes} fit; "
        "keep the body in the body store."
    )
    zh = "本批第 {position} 条有 {size_bytes} 字节，最多 {limit_bytes} 字节；请将正文存入正文库。"


class KeyTextError(InputInvalidError):
    """Text that is no C2SP note key."""

    en = "Not a note key: {problem}. Expected `name+hash+base64`."
    zh = "不是签名注记密钥：{problem}。应为 `名称+散列+base64`。"


class PolicyInvalidError(InputInvalidError):
    """A trust policy that cannot be read, or that nobody could ever meet."""

    en = "The trust policy is not valid: {problem}. See docs/log-format.md for its form."
    zh = "见证策略无效：{problem}。格式见 docs/log-format.md。"


class Sm2MissingError(AuditError):
    """This machine cannot make or check SM2 signatures."""

    en = "SM2 signatures cannot be made or checked here: {problem}. Install OpenSSL 3 with SM2 (package libssl3)."
    zh = "本机无法签署或验证 SM2 签名：{problem}。请安装支持 SM2 的 OpenSSL 3（软件包 libssl3）。"


class Sm2SignatureInvalidError(AuditError):
    """Do not trust: the SM2 signature does not hold."""

    en = "The SM2 signature does not hold: {problem}."
    zh = "SM2 签名无效：{problem}。"


class ProofInvalidError(AuditError):
    """Do not trust: the proof does not show what it claims."""

    en = "The proof does not hold: {problem}."
    zh = "证明不成立：{problem}。"


class CheckpointInvalidError(ProofInvalidError):
    """Do not trust: the checkpoint is malformed or signed by nobody who is trusted."""

    en = "The checkpoint is not valid: {problem}."
    zh = "检查点无效：{problem}。"


class NoteInvalidError(CheckpointInvalidError):
    """Do not trust: the signed note is malformed or signed by nobody who is trusted."""

    en = "The signed note is not valid: {problem}."
    zh = "签名注记无效：{problem}。"


class LogDamagedError(AuditError):
    """Call a person: a file of the log is not what was written. Nothing was written or removed."""

    en = (
        "The log is damaged at `{where}`: {problem}. "
        "Do not change its files; restore this one from a copy and run fsck."
    )
    zh = "日志在 `{where}` 处损坏：{problem}。请勿改动其文件；从副本恢复该文件后运行 fsck。"


class BodyDamagedError(LogDamagedError):
    """Call a person: a stored body does not match the digest it is kept under."""

    en = "The stored body `{where}` is damaged: {problem}. Restore it from a copy."
    zh = "存储的正文 `{where}` 已损坏：{problem}。请从副本恢复。"


class LogUnavailableError(AuditError):
    """Try again later. Nothing of this call was acknowledged."""

    en = "The log cannot be written now: {problem}. Try again."
    zh = "日志暂不可写：{problem}。请重试。"


class LogLockedError(LogUnavailableError):
    """Another process holds the lock."""

    en = "Another process has held `{where}` for more than {timeout_s} s. Try again, or see what that process does."
    zh = "另一进程占用 `{where}` 已超过 {timeout_s} 秒。请重试，或检查该进程。"


class StorageFullError(LogUnavailableError):
    """No space left. The log is as it was before the call."""

    en = "No space left to write `{where}`. Free some space and try again; nothing acknowledged was lost."
    zh = "写入 `{where}` 时磁盘空间不足。请释放空间后重试；已确认的内容没有丢失。"


class StorageFailedError(LogUnavailableError):
    """The disk refused a write for another reason than space."""

    en = "Writing `{where}` failed: {problem}. Look at the disk, then try again; the call was not acknowledged."
    zh = "写入 `{where}` 失败：{problem}。请检查磁盘后重试；本次调用未获确认。"


class LogMissingError(AuditError):
    """There is no log in this folder."""

    en = "There is no log in `{where}`. Create one, or mend the path."
    zh = "`{where}` 中没有日志。请新建，或更正路径。"


class LogExistsError(AuditError):
    """There is a log in this folder already."""

    en = "There is a log in `{where}` already. Open it instead."
    zh = "`{where}` 中已有日志。请直接打开。"


class LogReadOnlyError(AuditError):
    """The log was opened without a signing key."""

    en = "The log in `{where}` was opened read-only. Open it with its signing key to write."
    zh = "`{where}` 中的日志以只读方式打开。写入须使用签名密钥打开。"


class EntryMissingError(AuditError):
    """No entry has this index, or the tree has no such size."""

    en = "There is no entry or size {index}; the log holds {size}."
    zh = "没有序号或规模 {index}；日志现有 {size} 条。"


class EntryUnpublishedError(AuditError):
    """The entry is kept durably but no checkpoint covers it yet."""

    en = "Entry or size {index} is not published yet, the checkpoint covers {size}. Publish first."
    zh = "序号或规模 {index} 尚未发布，检查点仅覆盖 {size} 条。请先发布。"


def storage_error(error: OSError, where: str) -> LogUnavailableError:
    """The error of this package for a failed write of *where*: full, or failed for another reason."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return StorageFullError(where=where)
    return StorageFailedError(where=where, problem=error.strerror or str(error))
