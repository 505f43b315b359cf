"""The kinds of seal a register keeps, and what they and their states are called."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping


class Sort(StrEnum):
    """Kinds of seal (印章类型)."""

    OFFICIAL = "official"
    SPECIAL = "special"
    LICENCE = "licence"
    NAME = "name"
    SIGNATURE = "signature"

    @property
    def number(self) -> int:
        """The type in the seal (GM/T 0031 leaves the numbers to whoever makes seals)."""
        return list(Sort).index(self) + 1

    @property
    def zh(self) -> str:
        """The official term."""
        return SORT_NAMES[self][0]

    @property
    def en(self) -> str:
        """The English term."""
        return SORT_NAMES[self][1]

    @property
    def personal(self) -> bool:
        """Whether the picture shows a person's name: its own name is then kept out of lists and log."""
        return self in {Sort.NAME, Sort.SIGNATURE}


SORT_NAMES: Final[Mapping[Sort, tuple[str, str]]] = {
    Sort.OFFICIAL: ("公章", "official seal"),
    Sort.SPECIAL: ("专用章", "special-purpose seal"),
    Sort.LICENCE: ("证照专用章", "licence-issuing seal"),
    Sort.NAME: ("名章", "personal name seal"),
    Sort.SIGNATURE: ("签名", "person's signature"),
}

# A use is recorded first; what is only recorded may have been signed or not, and no signature of it was handed out.
RECORDED, SIGNED = "recorded", "signed"
USE_STATES: Final[Mapping[str, tuple[str, str]]] = {
    RECORDED: ("已登记，未见签章", "recorded, no signature known"),
    SIGNED: ("已签章", "signed"),
}
# Forms of what is sealed.
OFD, PDF, DIGEST = "ofd", "pdf", "digest"
FORM_NAMES: Final[Mapping[str, tuple[str, str]]] = {
    OFD: ("OFD", "OFD"),
    PDF: ("PDF", "PDF"),
    DIGEST: ("文件摘要", "digest of a file"),
}
# What became of a request for a remote signature.
APPROVAL_STATES: Final[Mapping[str, tuple[str, str]]] = {
    "asked": ("待批准", "asked"),
    "approved": ("已批准", "approved"),
    "spent": ("已签署", "signed"),
    "declined": ("已谢绝", "declined"),
    "locked": ("已锁定", "locked"),
}
# States of a signer.
ACTIVE, ENDED = "active", "ended"
