"""Why a row was rejected: stable codes with English and Chinese templates, and the rows as a person reads them.

Finding the reasons is `warehouse.checks`; keeping the rejected rows is `warehouse.table`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

REASONS: Mapping[str, tuple[str, str]] = {
    "null_key": ("the key field {field} is empty", "主键信息项{field}为空"),
    "null_not_allowed": ("{field} may not be empty", "{field}不允许为空"),
    "bad_type": ("{field} is not of its declared type", "{field}与声明的数据类型不符"),
    "too_long": ("{field} is longer than declared", "{field}超过声明的长度"),
    "bad_code": ("{field} is not one of its code values", "{field}不在代码集之内"),
    "bad_pattern": ("{field} does not match its pattern", "{field}不符合格式规则"),
    "bad_citizen_id": (
        "{field} is no citizen identification number (GB 11643)",
        "{field}不是有效的公民身份号码（GB 11643）",
    ),
    "bad_uscc": (
        "{field} is no unified social credit code (GB 32100)",
        "{field}不是有效的统一社会信用代码（GB 32100）",
    ),
    "impossible_date": ("{field} is a day that does not exist", "{field}是不存在的日期"),
    "cross_field": (
        "{field} does not agree with other fields, as a rule of the list wants it to",
        "{field}与其他信息项不符合责任清单规定的逻辑关系",
    ),
    "no_reference": (
        "{field} is not found in the resource that the list says it refers to",
        "{field}在责任清单规定的引用资源中不存在",
    ),
    "duplicate_key": (
        "a repeat of a record with the same {field}; the first is kept",
        "与同一{field}的记录重复，保留第一条",
    ),
    "conflicting_key": (
        "several different records with the same {field}; none is taken",
        "同一{field}有多条互相矛盾的记录，均未采用",
    ),
    "version_conflict": (
        "another version with this {field} is kept for the same moment; this one came later and is not taken",
        "同一{field}在同一时刻已有另一版本，后到的版本未采用",
    ),
    "appended_key_changed": (
        "a record with this {field} is already kept with other content; records of this resource do not change",
        "同一{field}的记录已存在且内容不同；该资源的记录不得变更",
    ),
}


@dataclass(frozen=True, slots=True)
class Reason:
    """One reason: a *code* of `REASONS` and the field (or the key fields joined by a comma) it is about."""

    code: str
    field: str

    @classmethod
    def parse(cls, text: str) -> Reason:
        """Read ``code:field``, the form kept in quarantine files."""
        code, _, field = text.partition(":")
        return cls(code, field)

    def __str__(self) -> str:
        return f"{self.code}:{self.field}"

    def text(self, lang: str, title: str = "") -> str:
        """The reason as a sentence; *title* replaces the field's name where given."""
        en, zh = REASONS[self.code]
        return (zh if lang == "zh" else en).format(field=title or f"`{self.field}`")


@dataclass(frozen=True, slots=True)
class Rejected:
    """A rejected row: its ordinal in the source object, why, and the text as the source held it.

    *values* are personal data as likely as not: they are for the provider who mends them, never for a log.
    """

    line: int
    reasons: tuple[Reason, ...]
    batch_id: str
    values: Mapping[str, str | None]
