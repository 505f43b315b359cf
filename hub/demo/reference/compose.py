"""Makes the resources of the reference city out of its subjects: names, core metadata and fields.

Who may have them for what is `lines`. Everything drawn comes from generators named after what they draw for, so that
a change to one resource never moves another; random() alone is used, whose values are the same on every Python.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from random import Random
from typing import TYPE_CHECKING, Final, TypeVar

from catalog.model import (
    Cadence,
    Disposition,
    Field,
    InformationResource,
    QualityKind,
    QualityRule,
    ResourceFormat,
    ShareMethod,
    ShareType,
    SourceRef,
)
from hub.demo.reference.codes import DIVISIONS
from hub.demo.reference.departments import offices
from hub.demo.reference.items import block, make_field
from hub.demo.reference.papers import ESSENTIAL
from hub.demo.reference.subjects import Subject, subjects

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hub.demo.reference.departments import Office
    from hub.demo.reference.items import Item

T = TypeVar("T")

MIN_FIELDS, MAX_FIELDS = 20, 60
# How likely an item that is not core stands in a resource of its own subject, and in one derived from it.
_OWN, _DERIVED = 0.62, 0.45
_FIRST_DAY: Final = date(2020, 3, 2)
_CONDITIONS: Final = (
    "须说明办理事项，凭授权按需调用",
    "仅限依法履行职责使用，不得用于其他目的",
    "须经提供部门审核同意，按授权范围使用",
    "限于事项办理中核验使用，不得留存、转供第三方",
)

# Chinese and English ending of what is derived from a subject; by activity where the words differ. Reviewers take
# names for duplicates that differ by a common word or two, so that each ending says a little more than it must.
_ENDINGS: Final = {
    "g": ("变更前后对照信息", "changes"),
    "z": ("注销公告信息", "cancellations"),
    "y": ("延续公示信息", "renewals"),
    "j": ("日常监督检查信息", "inspections"),
    "n": ("年报公示信息", "annual reports"),
    "s": ("申请受理进度信息", "applications"),
    "f": ("资金按月发放信息", "payments"),
    "e": ("终止退出信息", "endings"),
    "c": ("行政处罚公示信息", "penalties"),
    "p": ("年度考核评价信息", "assessments"),
    "r": ("上岗人员信息", "staff"),
    "d": ("设备投入使用信息", "equipment"),
    "w": ("日常维修养护信息", "maintenance"),
}
_ENDINGS_BY_ACTIVITY: Final = {
    ("list", "g"): ("调整前后对照信息", "adjustments"),
    ("list", "z"): ("移出公告信息", "removals"),
    ("eval", "g"): ("更正前后对照信息", "corrections"),
    ("deal", "z"): ("终止公告信息", "terminations"),
    ("insure", "g"): ("账户变更前后对照信息", "changes"),
    ("insure", "z"): ("退保销户信息", "closures"),
    ("facility", "g"): ("更新前后对照信息", "updates"),
    ("project", "g"): ("调整前后对照信息", "amendments"),
}
_STATISTICS: Final = {
    Cadence.MONTHLY: ("月度统计数据", "monthly statistics"),
    Cadence.QUARTERLY: ("季度统计数据", "quarterly statistics"),
    Cadence.YEARLY: ("年度统计数据", "yearly statistics"),
}
_IS_RECORD: Final = (
    "名录",
    "名单",
    "目录",
    "清单",
    "台账",
    "代码",
    "公告",
    "公示",
    "资料",
    "记录",
    "摘要",
    "档案",
    "评价",
)
_PROCEDURE: Final = re.compile(r"(?:(?:使用|注册)?登记|备案|审批|许可|普查|监测|检测|观测|鉴定|管理|案件|运行)$")
_CADENCES: Final = {
    "reg": (Cadence.DAILY, Cadence.DAILY, Cadence.REALTIME),
    "permit": (Cadence.DAILY, Cadence.DAILY, Cadence.REALTIME),
    "cert": (Cadence.DAILY, Cadence.WEEKLY, Cadence.MONTHLY),
    "benefit": (Cadence.MONTHLY, Cadence.MONTHLY, Cadence.WEEKLY),
    "insure": (Cadence.MONTHLY, Cadence.DAILY),
    "case": (Cadence.DAILY, Cadence.WEEKLY),
    "project": (Cadence.MONTHLY, Cadence.QUARTERLY),
    "facility": (Cadence.QUARTERLY, Cadence.YEARLY, Cadence.MONTHLY),
    "list": (Cadence.MONTHLY, Cadence.QUARTERLY, Cadence.YEARLY),
    "eval": (Cadence.YEARLY, Cadence.QUARTERLY),
    "deal": (Cadence.DAILY, Cadence.WEEKLY, Cadence.MONTHLY),
    "monitor": (Cadence.REALTIME, Cadence.DAILY, Cadence.MONTHLY),
    "t": (Cadence.MONTHLY, Cadence.QUARTERLY, Cadence.YEARLY),
    "n": (Cadence.YEARLY,),
    "p": (Cadence.YEARLY, Cadence.QUARTERLY),
    "f": (Cadence.MONTHLY,),
}
_APPENDED: Final = frozenset({"case", "deal", "monitor", "g", "z", "y", "j", "s", "f", "e", "c"})


@dataclass(frozen=True, slots=True)
class Plan:
    """A resource that may be in the list: a subject, or what is *derived* of it; of all the city, or of a *county*."""

    subject: Subject
    derived: str
    county: str
    code: str

    @property
    def activity(self) -> str:
        """What decides cadence and disposition: the derived kind, or the subject's activity."""
        return self.derived or self.subject.activity


def draw(seed: int, what: str) -> Random:
    """The generator for *what*; text seeds go through SHA-512, never through the hash of the process."""
    return Random(f"{seed}:{what}")


def pick(rng: Random, items: Sequence[T]) -> T:
    """One of *items*."""
    return items[int(rng.random() * len(items))]


def plans(seed: int, count: int) -> tuple[Plan, ...]:
    """*count* plans in the order of their codes.

    First come the essential subjects, then all others, then what is derived of them, then county after county.

    Raises:
        ValueError: more than can be told apart.
    """
    numbers = {office.code: office.number for office in offices()}
    found: list[tuple[tuple[int, int, float], Plan]] = []
    for index, county in enumerate(["", *DIVISIONS.values()]):
        for subject in subjects():
            for run, derived in enumerate(["", *subject.derived]):
                code = f"3{numbers[subject.department]:02d}{subject.number:03d}{index * 100 + run + 1:04d}"
                level = 2 if run else 0 if subject.stem in ESSENTIAL else 1
                rank = (index, level, draw(seed, f"plan:{code}").random())
                found.append((rank, Plan(subject, derived, county, code)))
        if len(found) >= count:
            break
    if len(found) < count:
        raise ValueError(f"at most {len(found)} resources can be told apart")
    found.sort(key=lambda ranked: ranked[0])
    return tuple(sorted((plan for _, plan in found[:count]), key=lambda plan: plan.code))


def make_resources(seed: int, chosen: Sequence[Plan]) -> tuple[InformationResource, ...]:
    """The resources of *chosen*, in its order."""
    by_code = {office.code: office for office in offices()}
    shared = frozenset(plan.code for plan in chosen if not plan.subject.ground)
    return tuple(_resource(plan, by_code[plan.subject.department], shared, seed) for plan in chosen)


def _resource(plan: Plan, office: Office, shared: frozenset[str], seed: int) -> InformationResource:
    subject = plan.subject
    rng = draw(seed, f"resource:{plan.code}")
    cadence = pick(rng, _CADENCES.get(plan.activity) or _CADENCES[subject.activity])
    name, name_en = _names(plan, cadence)
    share = _share_type(plan, rng)
    form, method = _form(plan, rng)
    fields = _fields(plan, share, cadence, rng)
    disposition = _disposition(plan, rng)
    merged = disposition is Disposition.MERGE
    first = plan.code[:6] + "0001"
    return InformationResource(
        code=plan.code,
        name=name,
        name_en=name_en,
        provider=subject.department,
        abstract=_abstract(plan, office, name),
        format=form,
        share_type=share,
        share_condition=pick(rng, _CONDITIONS) if share is ShareType.CONDITIONAL else "",
        share_ground=subject.ground,
        share_method=method,
        cadence=cadence,
        open=share is ShareType.UNCONDITIONAL and rng.random() < 0.5,
        published_on=_FIRST_DAY + timedelta(days=int(rng.random() * 60)),
        disposition=disposition,
        source=SourceRef(
            system=f"{subject.department.lower()}-business",
            object=_object(name_en),
            cursor_field="updated_at" if merged else "",
            deleted_field="valid_flag" if merged else "",
            deleted_value="0" if merged else "",
        ),
        fields=fields,
        related=(first,) if plan.code != first and first in shared else (),
        classification=("部门信息资源", office.short, subject.stem),
        theme=subject.theme or office.theme,
        aliases=() if plan.derived or plan.county else subject.aliases,
        region_field="county_code",
        quality=_quality(fields, plan, cadence, shared),
    )


def _names(plan: Plan, cadence: Cadence) -> tuple[str, str]:
    subject = plan.subject
    if plan.derived == "t":
        ending, ending_en = _STATISTICS[cadence]
    elif plan.derived:
        usual = _ENDINGS[plan.derived]
        ending, ending_en = _ENDINGS_BY_ACTIVITY.get((subject.activity, plan.derived), usual)
    else:
        ending, ending_en = "" if subject.stem.endswith(_IS_RECORD) else "信息", ""
    name_en = f"{subject.name_en}: {ending_en}" if ending_en else subject.name_en
    if plan.county:
        # The county's own code keeps English names apart; its English name would need pinyin.
        name_en += f" ({next(code for code, name in DIVISIONS.items() if name == plan.county)})"
    return f"{plan.county}{subject.stem}{ending}", name_en


def _object(name_en: str) -> str:
    """The table in the source system, after the English name."""
    return re.sub(r"[^a-z0-9]+", "_", name_en.lower()).strip("_")[:63]


_ABOUT: Final = {
    "P": "以公民身份号码为准，一人一条或一事一条",
    "C": "以统一社会信用代码为准，一户一条或一事一条",
    "O": "以对象编号为准，含位置、权属和状态",
    "X": "按统计期和县级行政区划汇总",
}


def _abstract(plan: Plan, office: Office, name: str) -> str:
    where = plan.county or "全市"
    about = _ABOUT["X" if plan.derived == "t" else plan.subject.entity]
    return f"{office.department.name}在履行职责中形成的{where}{name.removeprefix(plan.county)}，{about}。"


def _share_type(plan: Plan, rng: Random) -> ShareType:
    """Not shared by ground; else by how public the subject is. People's records and staff are never unconditional."""
    subject = plan.subject
    if subject.ground:
        return ShareType.NOT_SHARED
    likely = 0.85 if subject.public else 0.07
    if plan.derived == "t":
        likely = 0.95 if subject.public else 0.5
    elif plan.derived in ("c", "p") and subject.entity == "C":
        likely = 0.5
    elif plan.derived in ("r", "s", "f") or (subject.entity == "P" and not subject.public):
        likely = 0.0
    return ShareType.UNCONDITIONAL if rng.random() < likely else ShareType.CONDITIONAL


def _form(plan: Plan, rng: Random) -> tuple[ResourceFormat, ShareMethod]:
    if plan.derived == "t" or plan.activity in ("eval", "p"):
        return ResourceFormat.SPREADSHEET, pick(rng, (ShareMethod.FILE, ShareMethod.FILE, ShareMethod.DATABASE))
    if rng.random() < 0.15:
        return ResourceFormat.SERVICE, ShareMethod.SERVICE
    return ResourceFormat.DATABASE, pick(rng, (ShareMethod.SERVICE, ShareMethod.SERVICE, ShareMethod.DATABASE))


def _disposition(plan: Plan, rng: Random) -> Disposition:
    if plan.activity in _APPENDED:
        return Disposition.APPEND
    changing = plan.activity in ("reg", "permit", "cert", "benefit", "insure")
    return Disposition.MERGE if changing and rng.random() < 0.6 else Disposition.REPLACE


# Fields.


def _fields(plan: Plan, share: ShareType, cadence: Cadence, rng: Random) -> tuple[Field, ...]:
    subject = plan.subject
    noun = _PROCEDURE.sub("", subject.stem) or subject.stem
    taken: dict[str, tuple[Item, bool]] = {}
    spare: list[tuple[int, Item]] = []

    def take(items: tuple[Item, ...], likely: float, *, keyed: bool) -> None:
        for item in items:
            if item.name in taken or any(item.name == other.name for _, other in spare):
                continue
            if item.core or rng.random() < likely:
                taken[item.name] = (item, keyed and item.key)
            else:
                spare.append((len(taken), item))

    entity = block("entity", "X" if plan.derived == "t" else subject.entity)
    if plan.derived == "t":
        take(entity, 1.0, keyed=True)
        take(block("derived", "t"), 0.85, keyed=True)
    elif plan.derived:
        take(entity, _DERIVED, keyed=False)
        take(block("derived", plan.derived), 0.9, keyed=True)
        take(tuple(item for item in block("activity", subject.activity) if item.core), 1.0, keyed=False)
    else:
        activity = block("activity", subject.activity)
        take(entity, _OWN, keyed=not any(item.key for item in activity))
        take(activity, _OWN + 0.15, keyed=True)
    if plan.derived != "t":
        for topic in subject.topics:
            take(block("topic", topic), _DERIVED if plan.derived else _OWN, keyed=False)
    take(block("tail", ""), 0.6, keyed=False)
    chosen = list(taken.values())
    for _, item in spare[: max(0, MIN_FIELDS - len(chosen))]:
        chosen.append((item, False))
    if plan.derived == "n":
        # A report is identified by its year and by whose it is.
        chosen = [(item, key or item is entity[0]) for item, key in chosen]
    return tuple(make_field(item, noun, share, cadence, key=key) for item, key in chosen[:MAX_FIELDS])


# Quality.

_PEOPLE, _FIRMS = "常住人口基本", "企业登记注册"
_DAYS: Final = {
    Cadence.REALTIME: 1.0,
    Cadence.DAILY: 2.0,
    Cadence.WEEKLY: 10.0,
    Cadence.MONTHLY: 40.0,
    Cadence.QUARTERLY: 100.0,
    Cadence.YEARLY: 400.0,
}


def _quality(
    fields: tuple[Field, ...], plan: Plan, cadence: Cadence, shared: frozenset[str]
) -> tuple[QualityRule, ...]:
    """At least: the key is there and unique, somebody looked lately; people are found in the population."""
    names = {field.name for field in fields}
    keys = [field.name for field in fields if field.key]
    rules = [QualityRule(QualityKind.COMPLETENESS, keys[0], 1.0)]
    if len(keys) == 1:
        rules.append(QualityRule(QualityKind.UNIQUENESS, keys[0], 1.0))
    if "updated_at" in names:
        rules.append(QualityRule(QualityKind.TIMELINESS, "updated_at", _DAYS[cadence]))
    people, firms = code_of(_PEOPLE), code_of(_FIRMS)
    if "citizen_id" in names:
        rules.append(QualityRule(QualityKind.VALIDITY, "citizen_id", 0.99))
        if plan.subject.stem != _PEOPLE and people in shared:
            rules.append(QualityRule(QualityKind.REFERENCE, "citizen_id", 0.9, f"{people}.citizen_id"))
    elif "uscc" in names:
        rules.append(QualityRule(QualityKind.VALIDITY, "uscc", 0.98))
        if plan.subject.stem != _FIRMS and firms in shared and plan.subject.entity == "C" and not plan.derived:
            rules.append(QualityRule(QualityKind.REFERENCE, "uscc", 0.85, f"{firms}.uscc"))
    if not plan.derived and not plan.county:
        rules.append(QualityRule(QualityKind.VOLUME, "", 1.0))
    return tuple(rules)


def code_of(stem: str) -> str:
    """The code of the city's resource on the subject called *stem*.

    Raises:
        KeyError: there is no such subject.
    """
    return _codes_by_stem()[stem]


@cache
def _codes_by_stem() -> dict[str, str]:
    numbers = {office.code: office.number for office in offices()}
    return {s.stem: f"3{numbers[s.department]:02d}{s.number:03d}0001" for s in subjects()}
