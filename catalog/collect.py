"""Which items of a form are shared already, from whom and on what terms: do not collect again (不重复采集).

《政务数据共享条例》 forbids collecting what sharing provides. This module compares a form with the list and the grants;
whether the department then drops the item, and applying for what it may not use yet, is left to people.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from catalog import masks
from catalog.datafile import DATA, DataFault, DataFileInvalidError, cells_by_line, fault, read_text
from catalog.model import (
    EVERYONE,
    Check,
    Field,
    InformationResource,
    Mask,
    QualityKind,
    ResponsibilityList,
    ShareType,
    Theme,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from catalog.decide import Grant

MAX_FIELDS: Final = 2_000  # of one form; the longest form known has some 300
MAX_LABEL_CHARS: Final = 200
MAX_WHOSE: Final = 3  # 申请人配偶的父亲 is as far as forms go
MAX_MATCHES: Final = 8  # for one item; who needs more searches the catalogue

# Whose item it is, which forms write before its name and lists do not.
_WHOSE: Final = (
    "申请人|被申请人|申报人|申领人|法定代表人|法人代表|法人|负责人|经办人|代办人|代理人|委托人|受托人|联系人|户主|本人|当事人|"
    "监护人|配偶|父亲|母亲|子女|家庭成员|共同申请人|投资人|股东|持证人|所有人|权利人|车主|驾驶人|参保人|学生|新生儿|老人|"
    "企业|单位|公司|机构|个人|居民|公民"
)
_WHOSE_BEFORE: Final = re.compile(rf"^(?:{_WHOSE})的?(?=.{{2}})")
# What lists write after an item that a form names plainly: 性别代码, 民族代码.
_CODED: Final = re.compile(r"(?<=..)(?:代码|编码|名称)$")
_BRACKETS: Final = re.compile(r"[(\[{（【〔《][^)\]}）】〕》]*[)\]}）】〕》]")
# Items of which the label does not say what they are about: a match would be chance.
_TOO_GENERAL: Final = re.compile(
    "名称|地址|编号|代码|类型|类别|种类|状态|备注|说明|日期|时间|数量|金额|单位|证号|序号|"
    "级别|等级|签名|签字|盖章|意见|原因|事由|申请日期|申请时间|填表日期|更新时间|有效期|"
    "有效期始|有效期止|用途|照片|附件|其他|内容|地点|登记日期|核发日期|流水号"
)


class Verdict(StrEnum):
    """What the list and the grants say of one item of a form."""

    GRANTED_ALREADY = "granted_already"
    COLLECTED_ALREADY_SHAREABLE = "collected_already_shareable"
    CONDITIONAL = "conditional"
    NOT_SHARED = "not_shared"
    UNKNOWN = "unknown"


# verdict: (English, Chinese), what to do.
VERDICTS: Final[dict[Verdict, tuple[str, str]]] = {
    Verdict.GRANTED_ALREADY: ("drop it: you may already read it", "不再采集：已获授权，直接调用"),
    Verdict.COLLECTED_ALREADY_SHAREABLE: ("drop it: shared without condition", "不再采集：无条件共享，可直接取得"),
    Verdict.CONDITIONAL: ("apply for it instead of collecting it", "不宜采集：请申请共享"),
    Verdict.NOT_SHARED: ("collect it: it exists but is not shared", "可采集：已有数据但不予共享"),
    Verdict.UNKNOWN: ("collect it: nobody shares it", "可采集：清单中没有"),
}
_RANK: Final = {verdict: position for position, verdict in enumerate(Verdict)}
FINDINGS: Final = frozenset({Verdict.GRANTED_ALREADY, Verdict.COLLECTED_ALREADY_SHAREABLE, Verdict.CONDITIONAL})


@dataclass(frozen=True, slots=True)
class FormField:
    """One item of a form as it is printed (*label*), and its column name if there is one."""

    label: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class Match:
    """A field of the list that is the item, and the terms on which the department may have it.

    *own*: the department provides it itself. *on_list*: a line of the list names the department (and the matter).
    *ground* is why it is not shared; *mask* what it at least will be shown with; *grant* the one that gives it.
    *found_by* says how the label led here: ``title``, ``name``, ``alias``, ``code_list`` or ``synonym``.
    """

    resource: str
    resource_name: str
    field: str
    title: str
    provider: str
    provider_name: str
    verdict: Verdict
    share_type: ShareType
    condition: str
    ground: str
    mask: Mask
    grant: str
    own: bool
    on_list: bool
    found_by: str


@dataclass(frozen=True, slots=True)
class FormLine:
    """One item of the form with its *verdict*; of *matches* the first is the one to take.

    *too_general*: the label alone does not say what it is about, so nothing was looked for.
    """

    label: str
    verdict: Verdict
    matches: tuple[Match, ...]
    too_general: bool = False


@dataclass(frozen=True, slots=True)
class FormReport:
    """The whole form, in its order, compared with one version of the list."""

    list_version: str
    department: str
    matter: str
    lines: tuple[FormLine, ...]

    @property
    def findings(self) -> tuple[FormLine, ...]:
        """The items that need not be collected."""
        return tuple(line for line in self.lines if line.verdict in FINDINGS)

    def plain(self) -> dict[str, Any]:
        """A JSON-able dict with every line and match."""
        return {
            "list_version": self.list_version,
            "department": self.department,
            "matter": self.matter,
            "findings": len(self.findings),
            "lines": [
                {
                    "label": line.label,
                    "verdict": line.verdict.value,
                    "too_general": line.too_general,
                    "matches": [_plain_match(match) for match in line.matches],
                }
                for line in self.lines
            ],
        }


def _plain_match(match: Match) -> dict[str, Any]:
    plain = {name: getattr(match, name) for name in Match.__slots__}
    return {name: value.value if isinstance(value, StrEnum) else value for name, value in plain.items()}


@dataclass(frozen=True, slots=True)
class Synonyms:
    """What forms call an item, and its standard name; both normalised."""

    standard: Mapping[str, str]

    def of(self, normalised: str) -> str:
        """The standard name, or what was given where there is none."""
        return self.standard.get(normalised, normalised)


def normal(text: str) -> str:
    """A label as it is compared: half-width (NFKC), without case, space, punctuation and remarks in brackets."""
    folded = _BRACKETS.sub("", unicodedata.normalize("NFKC", text[:MAX_LABEL_CHARS]).casefold())
    return "".join(char for char in folded if char.isalnum())


def load_synonyms(path: Path | None = None) -> Synonyms:
    """The synonyms in *path*, or the packaged ones: CSV, a heading row ``label,standard``, ``#`` begins a remark.

    Raises:
        DataFileInvalidError: with every fault and its line.
    """
    return _synonyms(path or DATA / "field-synonyms.csv")


@cache
def packaged_synonyms() -> Synonyms:
    """The packaged synonyms; read once per process."""
    return load_synonyms()


def _synonyms(path: Path) -> Synonyms:
    faults: list[DataFault] = []
    found: dict[str, str] = {}
    lines: dict[str, int] = {}
    rows = [(number, row) for number, row in cells_by_line(read_text(path)) if not row[0].startswith("#")]
    if not rows or tuple(rows[0][1]) != ("label", "standard"):
        faults.append(fault(f"{path.name}:{rows[0][0] if rows else 1}", "headings", expected="label,standard"))
    for number, row in rows[1:]:
        where = f"{path.name}:{number}"
        label, standard = (normal(row[0]), normal(row[1])) if len(row) == 2 else ("", "")  # noqa: PLR2004 - columns
        if not label or not standard:
            faults.append(fault(where, "synonym"))
        elif found.get(label, standard) != standard:
            faults.append(fault(where, "synonym_twice", value=row[0], first=found[label]))
        else:
            found[label], lines[label] = standard, number
    for label, standard in found.items():
        # One step only: whoever reads the table sees at once what a word means.
        if found.get(standard, standard) != standard:
            where = f"{path.name}:{lines[label]}"
            faults.append(fault(where, "synonym_chain", value=standard, standard=found[standard]))
    if faults:
        raise DataFileInvalidError(faults)
    return Synonyms(found)


@dataclass(frozen=True, slots=True)
class _Entry:
    resource: InformationResource
    field: Field
    found_by: str


class FieldIndex:
    """Every field of a list by what it may be called. Built once per list; safe for many threads."""

    def __init__(self, list_: ResponsibilityList, synonyms: Synonyms) -> None:
        self.list_ = list_
        self.synonyms = synonyms
        self._entries: dict[str, list[_Entry]] = {}
        names = {code_list.code: code_list.name for code_list in list_.code_lists}
        for resource in list_.resources:
            for field in resource.fields:
                self._add(resource, field, names)
        self._authority = _authority(list_)

    def _add(self, resource: InformationResource, field: Field, code_lists: Mapping[str, str]) -> None:
        called: dict[str, str] = {}
        title = normal(field.title)
        # 名称 says whose it is where the key does: in a register of companies it is the company's.
        of_company = any(key.check is Check.USCC for key in resource.key) and _TOO_GENERAL.fullmatch(title)
        pairs = [
            ("企业" + title if of_company else "", "title"),
            (title, "title"),
            (_CODED.sub("", title), "title"),
            (normal(field.name), "name"),
            # The heading of a column says little where the item's own title does: 单位名称 of a region is no company's.
            *((normal(alias), "alias") for alias in field.aliases if not _TOO_GENERAL.fullmatch(title)),
            (normal(code_lists.get(field.code_list, "")), "code_list"),
        ]
        for text, how in pairs:
            if text:
                called.setdefault(text, how)
                called.setdefault(self.synonyms.of(text), "synonym")
        for text, how in called.items():
            self._entries.setdefault(text, []).append(_Entry(resource, field, how))

    def find(self, item: FormField) -> tuple[list[_Entry], bool]:
        """The fields that *item* may be, and whether its label is too general to look for.

        First as it is written and by its synonyms; only if that leads nowhere, without the words that say whose
        item it is (申请人姓名, 法定代表人身份证号).
        """
        label, name = normal(item.label), normal(item.name)
        if _TOO_GENERAL.fullmatch(label) and not name:
            return [], True
        bare = label
        for _ in range(MAX_WHOSE):
            bare = _WHOSE_BEFORE.sub("", bare, count=1)
        whose = label.removesuffix(bare)
        for words in ((label, name, whose + self.synonyms.of(bare)), (bare,)):
            found: dict[tuple[str, str], _Entry] = {}
            for word in words:
                if word and not _TOO_GENERAL.fullmatch(word):
                    for entry in self._named(word):
                        found.setdefault((entry.resource.code, entry.field.name), entry)
            if found:
                return list(found.values()), False
        return [], bool(_TOO_GENERAL.fullmatch(bare))

    def _named(self, word: str) -> Iterable[_Entry]:
        yield from self._entries.get(word, ())
        standard = self.synonyms.of(word)
        if standard != word:
            for entry in self._entries.get(standard, ()):
                yield _Entry(entry.resource, entry.field, "synonym")

    def authority(self, entry: _Entry) -> tuple[int, int, str]:
        """Less is more authoritative: the resource whose key it is, then the one others refer to, then by code."""
        keys = entry.resource.key
        owns = 0 if keys == (entry.field,) else 1
        return owns, -self._authority.get(entry.resource.code, 0), entry.resource.code


def _authority(list_: ResponsibilityList) -> dict[str, int]:
    """How often other resources refer to each: by relation, by a rule of reference, or as a basic library."""
    counts: dict[str, int] = {}
    for resource in list_.resources:
        named = {*resource.related, *(r.target.partition(".")[0] for r in resource.quality if r.kind is _REFERENCE)}
        for code in named - {resource.code, ""}:
            counts[code] = counts.get(code, 0) + 1
        if resource.theme in _BASIC:
            # The basic libraries (基础库) are the one source for whom and what everything else is about.
            counts[resource.code] = counts.get(resource.code, 0) + len(list_.resources)
    return counts


_REFERENCE: Final = QualityKind.REFERENCE
_BASIC: Final = frozenset({Theme.POPULATION, Theme.LEGAL_PERSON})


def check_form(
    list_: ResponsibilityList,
    grants: Iterable[Grant],
    *,
    department: str,
    matter: str,
    fields: Sequence[FormField],
    synonyms: Synonyms,
    on: datetime,
    index: FieldIndex | None = None,
) -> FormReport:
    """Say of each of *fields*, a form of *department* for *matter* ("" for none), what need not be collected.

    *on* (aware) is when grants must be in force. *index*, of the same list and synonyms, spares building it.

    Raises:
        ValueError: more than `MAX_FIELDS` fields, or *on* has no zone.
    """
    if len(fields) > MAX_FIELDS:
        raise ValueError(f"{len(fields)} fields; at most {MAX_FIELDS}")
    if on.utcoffset() is None:
        raise ValueError("a time without a zone; give an aware one")
    index = index or FieldIndex(list_, synonyms)
    own: dict[str, list[Grant]] = {}
    for grant in grants:
        if grant.consumer == department and _in_force(grant, matter, on):
            own.setdefault(grant.resource, []).append(grant)
    lines = []
    # Half the labels of a form mean the same few fields (姓名, 申请人姓名): each set of fields is judged once.
    judged: dict[tuple[tuple[str, str, str], ...], tuple[Match, ...]] = {}
    for item in fields:
        entries, too_general = index.find(item)
        key = tuple((entry.resource.code, entry.field.name, entry.found_by) for entry in entries)
        if key not in judged:
            judged[key] = _judged(index, entries, own, department=department, matter=matter)
        matches = judged[key]
        verdict = matches[0].verdict if matches else Verdict.UNKNOWN
        lines.append(FormLine(item.label, verdict, matches, too_general))
    return FormReport(list_.version, department, matter, tuple(lines))


def _judged(
    index: FieldIndex, entries: list[_Entry], own: Mapping[str, list[Grant]], *, department: str, matter: str
) -> tuple[Match, ...]:
    """The terms of each of *entries*, the one to take first.

    What is granted can be read at once, what is not shared never. In between the source itself comes before copies,
    the department's own among them: its own register holds whom it has served, not who applies now.
    """
    entries = sorted(entries, key=index.authority)
    matches = [_match(index.list_, entry, own.get(entry.resource.code, ()), department, matter) for entry in entries]
    first = next((match for match in matches if match.verdict is not Verdict.NOT_SHARED), None)
    keys = {(entry.resource.code, entry.field.name): index.authority(entry)[0] for entry in entries}
    # Sorting is stable: among those on equal terms the most authoritative stays first.
    matches.sort(
        key=lambda match: (
            match.verdict is not Verdict.GRANTED_ALREADY,
            match.verdict is Verdict.NOT_SHARED,
            match.own and match is not first,
            keys[match.resource, match.field],
            _RANK[match.verdict],
        )
    )
    return tuple(matches[:MAX_MATCHES])


def _in_force(grant: Grant, matter: str, on: datetime) -> bool:
    ended = grant.revoked_at is not None and grant.revoked_at <= on
    suspended_at: datetime | None = getattr(grant, "suspended_at", None)
    suspended = suspended_at is not None and suspended_at <= on
    speaks = not matter or EVERYONE in grant.purposes or matter in grant.purposes
    return speaks and not ended and not suspended and grant.starts <= on < grant.expires


def _match(list_: ResponsibilityList, entry: _Entry, grants: Sequence[Grant], department: str, matter: str) -> Match:
    resource, field = entry.resource, entry.field
    share_type = max(resource.share_type, field.share_type)
    ground = resource.share_ground or field.share_condition if share_type is ShareType.NOT_SHARED else ""
    forbidden = _forbidden(list_, entry, department, matter)
    giving = sorted((grant for grant in grants if field.name in grant.fields), key=lambda grant: grant.id)
    mask, grant = field.mask, ""
    provider = list_.departments_by_code.get(resource.provider)
    is_own = resource.provider == department
    if share_type is ShareType.NOT_SHARED or forbidden:
        verdict, ground = Verdict.NOT_SHARED, forbidden or ground
    elif giving:
        verdict = Verdict.GRANTED_ALREADY
        shown = {found.id: _mask_of(found, field) for found in giving}
        grant = min(shown, key=lambda id_: masks.RANK[shown[id_]])
        mask = shown[grant]
    elif share_type is ShareType.UNCONDITIONAL or is_own:
        verdict = Verdict.COLLECTED_ALREADY_SHAREABLE
    else:
        verdict = Verdict.CONDITIONAL
    return Match(
        resource=resource.code,
        resource_name=resource.name,
        field=field.name,
        title=field.title,
        provider=resource.provider,
        provider_name=provider.name if provider else resource.provider,
        verdict=verdict,
        share_type=share_type,
        condition=(field.share_condition or resource.share_condition) if verdict is Verdict.CONDITIONAL else "",
        ground=ground,
        mask=mask,
        grant=grant,
        own=is_own,
        on_list=is_own or _on_list(list_, resource.code, department, matter),
        found_by=entry.found_by,
    )


def _forbidden(list_: ResponsibilityList, entry: _Entry, department: str, matter: str) -> str:
    """The ground of a prohibition on this field for this department, or ""."""
    for prohibition in list_.prohibitions_by_resource.get(entry.resource.code, ()):
        for_them = EVERYONE in prohibition.consumers or department in prohibition.consumers
        for_that = EVERYONE in prohibition.purposes or (matter and matter in prohibition.purposes)
        if for_them and for_that and (not prohibition.fields or entry.field.name in prohibition.fields):
            return prohibition.ground
    return ""


def _mask_of(grant: Grant, field: Field) -> Mask:
    mask = field.mask
    for name, own in grant.masks:
        if name == field.name:
            mask = masks.stricter(mask, own)
    return mask


def _on_list(list_: ResponsibilityList, resource: str, department: str, matter: str) -> bool:
    return any(
        (EVERYONE in line.consumers or department in line.consumers)
        and (not matter or EVERYONE in line.purposes or matter in line.purposes)
        for line in list_.responsibilities_for(resource)
    )
