"""What the check of an evidence pack found, in words; finding it is left to `audit.pack`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final

# code → (English, Chinese) over the parameters. Faults: the pack must not be relied on.
FAULTS: Final[dict[str, tuple[str, str]]] = {
    "unreadable": ("This is no evidence pack: {problem}", "这不是证据包：{problem}"),
    "empty": ("It holds no entry.", "其中没有条目。"),
    "checkpoint_invalid": ("The checkpoint cannot be trusted: {problem}", "检查点不可信：{problem}"),
    "key_invalid": ("This is no public key: {problem}", "不是公钥：{problem}"),
    "entry_invalid": ("This is no log entry: {problem}", "不是日志条目：{problem}"),
    "proof_invalid": ("The proof does not hold: {problem}", "证明不成立：{problem}"),
    "body_differs": ("The body is not the one that its digest names.", "正文与摘要不一致。"),
    "list_differs": ("The list is not the version that its name says.", "清单与其版本号不一致。"),
    "receipt_differs": ("The receipt is about none of these entries.", "回执与包中的条目不一致。"),
    "file_unknown": ("The file belongs to no pack.", "证据包中不应有此文件。"),
    "file_differs": ("The file does not say what the others say.", "该文件与其他文件的内容不一致。"),
    "form_differs": (
        "The archive is not written as a pack is; another reader might see other files in it.",
        "压缩包的写法不符合证据包格式；其他软件可能读出不同的文件。",
    ),
}
# What a reader must know of a pack that holds.
NOTES: Final[dict[str, tuple[str, str]]] = {
    "key_not_pinned": (
        "Checked with the key in the pack, which proves nothing by itself: compare it with the log's published key.",
        "使用包内公钥验证，其本身不构成证明：请与日志公布的公钥核对。",
    ),
    "key_differs": ("The pack holds another key for the log than yours.", "包内的日志公钥与您的不同。"),
    "body_withheld": ("Its body was left out.", "未附正文。"),
    "body_gone": ("Its body was erased, or is not there for another reason.", "正文已删除，或因其他原因不在包内。"),
    "body_expired": (
        "Its body expired on {on}, as entry {entry} says.",
        "正文保存期满，已于 {on} 删除（见第 {entry} 条）。",
    ),
    "body_erased": (
        "Its body was erased on request on {on}, as entry {entry} says.",
        "正文已于 {on} 依申请删除（见第 {entry} 条）。",
    ),
    "terms_absent": ("What it has in common with others is not in the pack.", "其引用的公共部分不在包内。"),
    "list_absent": ("List version {version} is not in the pack.", "包内没有责任清单版本 {version}。"),
}


@dataclass(frozen=True, slots=True)
class PackFault:
    """One finding: *code* is a key of `FAULTS` or `NOTES`, *where* a file of the pack, or "" for all of it."""

    code: str
    where: str
    params: tuple[tuple[str, str], ...] = ()

    def text(self, lang: str) -> str:
        """``where: sentence`` in *lang* (``zh``, else English)."""
        words = FAULTS.get(self.code) or NOTES[self.code]
        return (f"{self.where}: " if self.where else "") + words[lang == "zh"].format(**dict(self.params))

    def to_plain(self) -> dict[str, str]:
        """JSON values."""
        return {"code": self.code, "where": self.where, **dict(self.params)}


@dataclass(frozen=True, slots=True)
class PackReport:
    """What a check found. A pack without *faults* holds; *pinned*: by a key that its reader brought.

    *entries* are those whose bytes are entries, whether or not they were proven; *origin* is "" where no checkpoint
    could be trusted.
    """

    faults: tuple[PackFault, ...]
    notes: tuple[PackFault, ...]
    entries: tuple[int, ...]
    origin: str
    size: int
    pinned: bool

    @property
    def verdict(self) -> str:
        """``holds``, ``unpinned`` (it holds if the key in it is the log's), or ``invalid``."""
        if self.faults:
            return "invalid"
        return "holds" if self.pinned else "unpinned"

    def text(self, lang: str) -> str:
        """The report in *lang*, a line for each finding and the verdict last."""
        verdict = VERDICTS[self.verdict][lang == "zh"].format(
            count=len(self.entries), origin=self.origin, size=self.size
        )
        return "\n".join([*(one.text(lang) for one in self.faults), *self._noted(lang), verdict])

    def _noted(self, lang: str) -> list[str]:
        """The notes, those that say the same of several files as one."""
        alike: dict[tuple[str, tuple[tuple[str, str], ...]], list[PackFault]] = {}
        for note in self.notes:
            alike.setdefault((note.code, note.params), []).append(note)
        return [
            notes[0].text(lang) if len(notes) == 1 else f"{len(notes)} × {replace(notes[0], where='').text(lang)}"
            for notes in alike.values()
        ]

    def to_plain(self) -> dict[str, Any]:
        """JSON values."""
        return {
            "verdict": self.verdict,
            "pinned": self.pinned,
            "log": self.origin,
            "size": self.size,
            "entries": list(self.entries),
            "faults": [fault.to_plain() for fault in self.faults],
            "notes": [note.to_plain() for note in self.notes],
        }


VERDICTS: Final[dict[str, tuple[str, str]]] = {
    "holds": (
        "Holds: {count} entries are in the log {origin} as of its {size} entries.",
        "成立：{count} 个条目在日志 {origin}（共 {size} 条）之中。",
    ),
    "unpinned": (
        "Whole, if the key in the pack is the log's: {count} entries of {origin}, {size} entries.",
        "若包内公钥确为日志公钥则成立：{count} 个条目，日志 {origin}（共 {size} 条）。",
    ),
    "invalid": ("Invalid: do not rely on this pack.", "无效：请勿采信此证据包。"),
}
