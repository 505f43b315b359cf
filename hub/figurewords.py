"""What the numbers of the leaders' page are called and how they are defined, and the sentences of a week's changes.

Counting them is `hub.figures`'; each definition says what is counted there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from hub.owed import GRAVITY, WORDS
from licence.lifecycle.states import STATE_NAMES, State

if TYPE_CHECKING:
    from collections.abc import Mapping

COLLECTED, KEPT, PAPERS, CALLS, LICENCES, ANSWERS = "collected", "kept", "papers", "calls", "licences", "answers"


@dataclass(frozen=True, slots=True)
class Words:
    """What a figure is called, how it is defined, what its numerator and its denominator count."""

    name: str
    name_zh: str
    defines: str
    defines_zh: str
    numerator: str
    numerator_zh: str
    denominator: str
    denominator_zh: str


FIGURES: Final[Mapping[str, Words]] = {
    COLLECTED: Words(
        name="Collection rate",
        name_zh="归集率",
        defines="Of the lines of the list, those whose resource was loaded well at least once. A resource without a "
        "line counts in neither.",
        defines_zh="责任清单各条责任中，其资源至少成功归集过一次的比例。没有责任条目的资源不计入。",
        numerator="lines whose resource was loaded well at least once",
        numerator_zh="其资源至少成功归集过一次的责任条数",
        denominator="lines of the list in force",
        denominator_zh="现行清单的责任条数",
    ),
    KEPT: Words(
        name="Updated in time",
        name_zh="及时更新率",
        defines="Of the resources of the list, those that stand as it promises: loaded within the cycle, the newest "
        "load not failed, not paused, no changed shape waiting.",
        defines_zh="清单各项资源中状态为“正常”的比例：按更新周期归集，最近一次未失败，未暂停，无待审批的结构变化。",
        numerator="resources that stand as promised",
        numerator_zh="状态正常的资源数",
        denominator="resources of the list in force",
        denominator_zh="现行清单的资源数",
    ),
    PAPERS: Words(
        name="Papers nobody need bring",
        name_zh="材料免提交率",
        defines="Of the papers that the list says data may replace, counted for each matter, those that are replaced: "
        "every resource needed was loaded, and a grant in force covers the fields and actions needed.",
        defines_zh="清单载明可由数据替代的材料（按事项逐项计）中，已实际可免提交的比例："
        "所需资源均已归集，且有有效授权覆盖所需信息项和用数方式。",
        numerator="papers, by matter, that are replaced now",
        numerator_zh="目前可免提交的材料（按事项计）",
        denominator="papers, by matter, that the list says may be replaced",
        denominator_zh="清单载明可替代的材料（按事项计）",
    ),
    CALLS: Words(
        name="Calls answered",
        name_zh="数据调用次数",
        defines="Calls that the log holds for the last 30 days, today included, as quotas count them: one for each "
        "set of keys, one for each batch order and each page of changes. The denominator gives the calls of a day.",
        defines_zh="存证日志中最近 30 天（含今天）的调用次数，口径与额度一致：每组查询条件计 1 次，"
        "每个批量订单、每页变更各计 1 次。分母用于得出日均次数。",
        numerator="calls of the last 30 days",
        numerator_zh="最近 30 天的调用次数",
        denominator="days",
        denominator_zh="天数",
    ),
    LICENCES: Words(
        name="Licences in force",
        name_zh="有效电子证照",
        defines="Of all licences that were issued here, those that are valid and whose term has not ended.",
        defines_zh="本平台签发的全部证照中，状态为“有效”且未过有效期的比例。",
        numerator="licences valid now",
        numerator_zh="目前有效的证照数",
        denominator="licences issued",
        denominator_zh="已签发的证照数",
    ),
    ANSWERS: Words(
        name="Answered in time",
        name_zh="按时答复率",
        defines="Of the cases opened within 90 days that are closed or whose clock has run out, those of which no "
        "clock ran out, as the daily look over the clocks found. Cases still open within their clock count in neither.",
        defines_zh="最近 90 天内提出、已办结或时限已届满的事项中，各环节均未超期的比例（以每日时限巡检为准）。"
        "尚在时限内办理的事项不计入。",
        numerator="of them those of which no clock ran out",
        numerator_zh="其中各环节均未超期的事项数",
        denominator="cases closed, or whose clock ran out",
        denominator_zh="已办结或已超期的事项数",
    ),
}
# Figure: part: (English, Chinese).
PARTS: Final[Mapping[str, Mapping[str, tuple[str, str]]]] = {
    COLLECTED: {
        "government": ("government data, collected", "政务数据，已归集"),
        "economic_social": ("economic and social data, collected", "经济社会数据，已归集"),
        "government_not": ("government data, not collected", "政务数据，未归集"),
        "economic_social_not": ("economic and social data, not collected", "经济社会数据，未归集"),
    },
    KEPT: {one.value: WORDS[one] for one in GRAVITY},
    PAPERS: {
        "replaced": ("replaced", "可免提交"),
        "not_collected": ("granted, but not collected", "已授权，资源未归集"),
        "not_granted": ("no grant covers it", "尚无授权覆盖"),
    },
    CALLS: {
        "in_force": ("under grants in force", "依有效授权"),
        "ended": ("under grants that ended, are suspended or begin later", "依已终止、已暂停或未生效的授权"),
    },
    LICENCES: {
        "in_force": ("valid", "有效"),
        "past": ("term ended, not yet marked as lapsed", "已过有效期，尚未标记失效"),
        **{one.value: (one.en, one.zh) for one in STATE_NAMES if one is not State.VALID},
    },
    ANSWERS: {
        "in_time": ("answered in time", "按时办结"),
        "late": ("closed after a clock ran out", "超期后办结"),
        "open": ("clock ran out, still open", "已超期，尚未办结"),
    },
}
REST: Final = ("not among these parts", "未归入以上各项")
# What happened: (English, Chinese), in the order in which it is told. Its key is the number that English agrees with.
SENTENCES: Final[Mapping[str, tuple[str, str]]] = {
    "lists": ("{lists} [version|versions] of the list [was|were] published.", "发布了 {lists} 个版本的责任清单。"),
    "first": ("{first} [resource was|resources were] collected for the first time.", "{first} 项资源首次完成归集。"),
    "turned": ("{turned} [light|lights] turned well.", "{turned} 项资源转为正常。"),
    "fell": ("{fell} [light is|lights are] well no longer.", "{fell} 项资源不再正常。"),
    "loads": ("{loads} [load|loads] ended; failed: {failed}.", "完成归集 {loads} 次，其中失败 {failed} 次。"),
    "given": ("{given} [grant was|grants were] given.", "新增授权 {given} 项。"),
    "ended": ("{ended} [grant|grants] ended before [its|their] day.", "提前终止授权 {ended} 项。"),
    "opened": ("{opened} [case was|cases were] opened.", "新提出事项 {opened} 件。"),
    "closed": ("{closed} [case was|cases were] closed.", "办结事项 {closed} 件。"),
    "overdue": ("{overdue} [case|cases] ran out of [its|their] clock.", "{overdue} 件事项超过时限。"),
    "issued": ("{issued} [licence was|licences were] issued.", "签发证照 {issued} 份。"),
    "calls": (
        "{calls} [call was|calls were] answered; the week before: {calls_before}.",
        "应答调用 {calls} 次；前一周为 {calls_before} 次。",
    ),
}
