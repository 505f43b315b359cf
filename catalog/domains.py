"""Code domains: the codes of GB/T 21063 and of this product, with the Chinese words that lists write instead.

The enumerations themselves are in `catalog.model`; here are only their written forms.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from catalog.model import (
    Cadence,
    Check,
    Deletion,
    DepartmentKind,
    Disposition,
    Domain,
    Drift,
    DriftPolicy,
    Duty,
    FieldKind,
    Mask,
    QualityKind,
    ResourceFormat,
    ShareMethod,
    ShareType,
    Theme,
)

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class CodeDomain:
    """The written forms of one enumeration: *words* gives for each member its word first, then others accepted."""

    words: Mapping[StrEnum, tuple[str, ...]]
    _forms: Mapping[str, StrEnum] = field(init=False, repr=False)

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
        Disposition.SCD2: ("历史拉链", "拉链", "拉链表", "保留历史"),
    }
)
DELETION: Final = CodeDomain(
    {
        Deletion.HARD: ("物理删除", "删除"),
        Deletion.SOFT: ("逻辑删除", "软删除", "标记删除"),
    }
)
DRIFT: Final = CodeDomain(
    {
        Drift.NEW: ("新增列", "新增", "多列"),
        Drift.MISSING: ("缺失列", "缺失", "缺列"),
        Drift.RETYPED: ("类型变化", "类型变更", "类型"),
    }
)
DRIFT_POLICY: Final = CodeDomain(
    {
        DriftPolicy.EVOLVE: ("接受并报告", "接受", "放行"),
        DriftPolicy.FREEZE: ("冻结待批", "冻结", "待批"),
        DriftPolicy.DISCARD: ("忽略", "只作记录"),
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
DEPARTMENT_KIND: Final = CodeDomain(
    {
        DepartmentKind.GOVERNMENT: ("政府部门", "行政机关", "政府工作部门"),
        DepartmentKind.PARTY: ("党群机关", "党委部门", "党委机关", "群团组织"),
        DepartmentKind.INSTITUTION: ("事业单位",),
        DepartmentKind.VERTICAL: ("垂直管理部门", "垂管部门", "垂直管理单位"),
        DepartmentKind.UTILITY: ("公共企事业单位", "公用企事业单位", "公共服务单位"),
    }
)
DUTY: Final = CodeDomain(
    {
        Duty.CATALOGUE: ("目录管理", "目录编制", "编目"),
        Duty.REVIEW: ("共享审核", "审核", "申请审核"),
        Duty.TECHNICAL: ("技术支撑", "技术", "技术支持", "运维"),
    }
)
THEME: Final = CodeDomain(
    {
        Theme.POPULATION: ("人口", "人口库"),
        Theme.LEGAL_PERSON: ("法人", "法人库", "法人单位"),
        Theme.SPACE: ("自然资源和空间地理", "空间地理", "自然资源和地理空间", "空间地理库"),
        Theme.ECONOMY: ("宏观经济", "经济", "宏观经济库"),
        Theme.CREDIT: ("社会信用", "信用", "信用信息"),
        Theme.LICENCE: ("电子证照", "证照"),
        Theme.SOCIAL_SECURITY: ("社会保障", "社保", "就业社保"),
        Theme.HEALTH: ("医疗健康", "卫生健康", "健康"),
        Theme.EDUCATION: ("教育", "教育科技"),
        Theme.TRANSPORT: ("交通运输", "交通"),
        Theme.HOUSING: ("住房城建", "住房", "城乡建设", "城建住房"),
        Theme.ENVIRONMENT: ("生态环境", "环境"),
        Theme.AGRICULTURE: ("农业农村", "农业"),
        Theme.SAFETY: ("公共安全", "安全", "安全生产"),
        Theme.CULTURE: ("文化旅游", "文化", "文体旅游"),
        Theme.GOVERNANCE: ("社会治理", "政务服务", "治理"),
    }
)
QUALITY_KIND: Final = CodeDomain(
    {
        QualityKind.COMPLETENESS: ("完整性", "完整率"),
        QualityKind.UNIQUENESS: ("唯一性", "唯一率"),
        QualityKind.VALIDITY: ("规范性", "有效性", "合规性", "规范率"),
        QualityKind.REFERENCE: ("关联性", "引用一致性", "一致性"),
        QualityKind.TIMELINESS: ("及时性", "时效性"),
        QualityKind.VOLUME: ("数据量", "记录数"),
        # 一致性 alone has always meant the reference.
        QualityKind.CONSISTENCY: ("逻辑一致性", "逻辑性", "逻辑关系", "表内一致性"),
        QualityKind.VOLUME_BAND: ("数据量波动", "记录数波动", "波动"),
    }
)


class Action(StrEnum):
    """What a matter does with data (用数方式), as in `catalog.decide.ACTIONS`."""

    QUERY = "query"
    VERIFY = "verify"
    BATCH = "batch"
    SUBSCRIBE = "subscribe"


ACTION: Final = CodeDomain(
    {
        Action.QUERY: ("查询", "接口查询"),
        Action.VERIFY: ("核验", "核查", "比对"),
        Action.BATCH: ("批量", "批量获取", "批量交换"),
        Action.SUBSCRIBE: ("订阅", "订阅推送"),
    }
)
