"""Code domains: the codes of GB/T 21063 and of this product, with the Chinese words that lists write instead.

The enumerations themselves are in `catalog.model`; here are only their written forms.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from catalog.model import (
    Cadence,
    Check,
    Disposition,
    Domain,
    FieldKind,
    Mask,
    ResourceFormat,
    ShareMethod,
    ShareType,
)

if TYPE_CHECKING:
    from enum import StrEnum


@dataclass(frozen=True, slots=True)
class CodeDomain:
    """The written forms of one enumeration: *words* gives for each member its word first, then others accepted."""

    words: dict[StrEnum, tuple[str, ...]]
    _forms: dict[str, StrEnum] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        forms = {
            folded(form).casefold(): member
            for member, words in self.words.items()
            for form in (member.value, member.name, *words)
        }
        object.__setattr__(self, "_forms", forms)

    def word(self, member: StrEnum) -> str:
        """The word by which a list writes *member*."""
        return self.words[member][0]

    def find(self, text: str) -> StrEnum | None:
        """The member that *text* (code, word or English name; full-width or not) means, or None."""
        return self._forms.get(folded(text).casefold())

    @property
    def allowed(self) -> str:
        """Every member as ``code word``, for messages."""
        pairs = ((member.value, self.word(member)) for member in self.words)
        return ", ".join(f"`{code} {word}`" if code != word else f"`{code}`" for code, word in pairs)


def folded(text: str) -> str:
    """Full-width forms to half-width (NFKC) and surrounding space away."""
    return unicodedata.normalize("NFKC", text).strip()


SHARE_TYPE: Final = CodeDomain(
    {
        ShareType.UNCONDITIONAL: ("无条件共享", "无条件"),
        ShareType.CONDITIONAL: ("有条件共享", "有条件"),
        ShareType.NOT_SHARED: ("不予共享", "不共享"),
    }
)
CADENCE: Final = CodeDomain(
    {
        Cadence.REALTIME: ("实时",),
        Cadence.DAILY: ("每日", "每天"),
        Cadence.WEEKLY: ("每周",),
        Cadence.MONTHLY: ("每月",),
        Cadence.QUARTERLY: ("每季度", "每季"),
        Cadence.YEARLY: ("每年",),
    }
)
FORMAT: Final = CodeDomain(
    {
        ResourceFormat.DOCUMENT: ("电子文件",),
        ResourceFormat.SPREADSHEET: ("电子表格",),
        ResourceFormat.DATABASE: ("数据库", "库表"),
        ResourceFormat.IMAGE: ("图形图像",),
        ResourceFormat.STREAM: ("流媒体",),
        ResourceFormat.SELF_DESCRIBING: ("自描述格式",),
        ResourceFormat.SERVICE: ("服务接口", "接口"),
    }
)
METHOD: Final = CodeDomain(
    {
        ShareMethod.DATABASE: ("数据库", "库表"),
        ShareMethod.FILE: ("文件下载", "文件"),
        ShareMethod.SERVICE: ("服务接口", "接口"),
    }
)
DISPOSITION: Final = CodeDomain(
    {
        Disposition.REPLACE: ("全量替换", "全量"),
        Disposition.MERGE: ("增量合并", "增量"),
        Disposition.APPEND: ("追加",),
    }
)
MASK: Final = CodeDomain(
    {
        Mask.NONE: ("不脱敏", "无"),
        Mask.REDACT: ("遮蔽",),
        Mask.NULL: ("置空",),
        Mask.KEEP_LAST_4: ("保留后四位",),
        Mask.KEEP_FIRST_4: ("保留前四位",),
        Mask.HASH: ("散列",),
        Mask.YEAR: ("保留年份",),
        Mask.CITIZEN_ID: ("身份号码保留前六后四",),
        Mask.SURNAME: ("保留姓氏",),
        Mask.COUNTY: ("保留至县级",),
    }
)
CHECK: Final = CodeDomain(
    {
        Check.CITIZEN_ID: ("公民身份号码", "身份证号"),
        Check.USCC: ("统一社会信用代码",),
    }
)
DATA_DOMAIN: Final = CodeDomain(
    {
        Domain.GOVERNMENT: ("政务", "政务数据"),
        Domain.ECONOMIC_SOCIAL: ("经济社会", "经济社会数据"),
    }
)
# The Chinese names follow 数据类型 of GB/T 21063.
KIND: Final = CodeDomain(
    {
        FieldKind.STRING: ("字符型", "字符串"),
        FieldKind.INTEGER: ("整型", "整数型"),
        FieldKind.DECIMAL: ("数值型",),
        FieldKind.DATE: ("日期型", "日期"),
        FieldKind.DATETIME: ("日期时间型", "日期时间"),
        FieldKind.BOOLEAN: ("逻辑型", "布尔型"),
    }
)
