"""Tells a person who used their data, when and for what (我的数据被谁用过), out of the log's entries about them.

The log holds no names: a person's entries are found by the keyed hashes of what calls looked up. Those are

1. every look-up by the number that the person gave, in any resource that is looked up by such a number, alone or
   together with other values of the person's present records;
2. look-ups by other values of those records, a household's say: whether the person's record was in the answer is then
   decided anew from its evidence, and where that is gone, it is said so;
3. what auditors and service halls looked at in the log itself about the person;
4. what the person's wallet showed to departments of licences that the city issued.

`LIMITS` says what is not found, and goes with every answer. Uses for matters that the list marks as hidden by law are
counted and not shown. Who may ask, and that it is the person, is left to the doors; that was asked is an entry.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain, combinations
from typing import TYPE_CHECKING, Any, Final

from audit.searching import Query
from catalog.clock import SHANGHAI
from catalog.correction import value_text
from catalog.model import Check, Mask
from hub.answered import AnswerGoneError, PastAnswers
from hub.auditsearch import SEARCHED, lookup_of
from hub.callers import find_keys
from hub.errors import ListDamagedError, ListMissingError, QueryInvalidError
from hub.packing import EXPORTED
from hub.published import list_version
from hub.storing import open_warehouse
from licence.kinds import load as load_kinds
from warehouse.errors import WarehouseError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    from audit.entry import Entry
    from catalog.model import InformationResource, ResponsibilityList
    from hub.auditsearch import Desk
    from hub.office import Office
    from warehouse.engine import Warehouse

SHOWN: Final = "mydata.shown"
ANSWERED, DENIED = "invocation.answered", "invocation.denied"
PRESENTED: Final = "licence.presented"
KINDS: Final = (ANSWERED, DENIED, SEARCHED, EXPORTED, SHOWN, PRESENTED)
MAX_RECORDS: Final = 20  # of one person in one resource: vehicles, houses, insured years
MAX_FIELDS: Final = 5  # of which look-ups are combined: 31 ways
MAX_USES: Final = 1_000

# action → (English, Chinese): what was done with the person's data, as a citizen says it.
ACTIONS: Final[dict[str, tuple[str, str]]] = {
    "query": ("looked up your data", "查询了您的数据"),
    "verify": ("compared what it was told with your data, and got none of it", "核验了您的信息（未取得内容）"),
    "other": ("used your data", "使用了您的数据"),
    SEARCHED: ("looked through the log of uses of your data", "查阅了您的数据使用日志"),
    EXPORTED: ("took evidence about uses of your data", "提取了您的数据使用证据"),
    PRESENTED: ("was shown a licence by your wallet", "经您本人出示，查验了您的电子证照"),
    SHOWN: ("showed uses of your data, as you see them here", "查看了本页所列的使用记录"),
}
LIMITS: Final[tuple[tuple[str, str], ...]] = (
    (
        "Not found are look-ups by values that your records held once and hold no longer.",
        "按您的记录中已变更的旧值进行的查询，不在其中。",
    ),
    (
        "Not found are deliveries of whole tables, which are not for single persons: see who may get them in the list.",
        "整批交换不按个人进行，不在其中；哪些部门可以取得整批数据，见责任清单。",
    ),
    (
        "Not found are uses inside departments of what they hold themselves.",
        "各部门使用本部门自有数据的情况，不在其中。",
    ),
)


@dataclass(frozen=True, slots=True)
class Use:
    """One use of a person's data. *fields* are (name, masked) of what was shown; texts are by language, zh and en."""

    entry: int
    at: datetime
    action: str
    receiver: tuple[str, str]
    system: str
    purpose: tuple[str, str]
    resource: tuple[str, str]
    fields: tuple[tuple[tuple[str, str], bool], ...]

    def text(self, lang: str) -> str:
        """The use as a sentence in *lang* (``zh``, else English), its time that of Shanghai."""
        which = 0 if lang == "zh" else 1
        when = self.at.astimezone(SHANGHAI).strftime("%Y-%m-%d %H:%M")
        what = ACTIONS.get(self.action, ACTIONS["other"])[1 - which]
        if lang == "zh":
            parts = [f"{when}，{self.receiver[0]}"]
            parts += [f"为办理“{self.purpose[0]}”"] if self.purpose[0] else []
            parts += [what]
            sentence = "，".join(parts) + (f"（{self.resource[0]}）" if self.resource[0] else "")
            shown = "、".join(names[0] + ("（已脱敏）" if masked else "") for names, masked in self.fields)
            return f"{sentence}：{shown}。" if shown else f"{sentence}。"
        sentence = f"{when}: {self.receiver[1]} {what}"
        sentence += f" ({self.resource[1]})" if self.resource[1] else ""
        sentence += f" for: {self.purpose[1]}" if self.purpose[1] else ""
        shown = ", ".join(names[1] + (" (masked)" if masked else "") for names, masked in self.fields)
        return f"{sentence}. Shown: {shown}." if shown else f"{sentence}."

    def to_plain(self, lang: str) -> dict[str, Any]:
        """JSON values; the first four members are those by which such records are exchanged elsewhere."""
        which = 0 if lang == "zh" else 1
        return {
            "logtime": self.at.isoformat(),
            "action": ACTIONS.get(self.action, ACTIONS["other"])[1 - which],
            "receiver": self.receiver[which],
            "receiver_system": self.system,
            "purpose": self.purpose[which],
            "resource": self.resource[which],
            "fields": [{"name": names[which], "masked": masked} for names, masked in self.fields],
            "entry": self.entry,
            "text": self.text(lang),
        }


@dataclass(frozen=True, slots=True)
class MyData:
    """What a person is told: *uses*, the newest first, at most `MAX_USES` of *total*.

    *hidden* are not shown because the law says so; *refused* named the person and were refused, so that nobody got
    anything; of *undecided* it can no longer be told whether the person's record was among what was answered.
    """

    uses: tuple[Use, ...]
    total: int
    hidden: int
    refused: int
    undecided: int

    def text(self, lang: str) -> str:
        """All of it in sentences."""
        zh = lang == "zh"
        lines = [use.text(lang) for use in self.uses]
        if not lines:
            lines = ["没有查到对您数据的使用。" if zh else "No use of your data was found."]
        counts = (
            (self.total - len(self.uses), "另有 {} 次更早的使用未列出。", "{} earlier uses are not listed."),
            (self.hidden, "另有 {} 次使用依法不予显示。", "{} further uses may not be shown by law."),
            (self.refused, "有 {} 次申请查询您的数据被拒绝，未提供任何内容。", "{} calls for your data were refused."),
            (
                self.undecided,
                "有 {} 次使用因证据已到期删除，无法确定是否涉及您。",
                "Of {} uses it cannot be told any more whether they were about you; their evidence was erased.",
            ),
        )
        lines += [(chinese if zh else english).format(n) for n, chinese, english in counts if n]
        return "\n".join([*lines, "", *(limit[1 if zh else 0] for limit in LIMITS)])

    def to_plain(self, lang: str) -> dict[str, Any]:
        """JSON values."""
        return {
            "total": self.total,
            "hidden": self.hidden,
            "refused": self.refused,
            "undecided": self.undecided,
            "uses": [use.to_plain(lang) for use in self.uses],
            "limits": [limit[1 if lang == "zh" else 0] for limit in LIMITS],
        }


def show(
    office: Office,
    desk: Desk,
    keys: Mapping[str, str],
    *,
    since: datetime | None = None,
    until: datetime | None = None,
) -> MyData:
    """The uses of the data of whom *keys* name: look-up field → value in any writing, ``citizen_id`` as a rule.

    Recorded before it is handed out.

    Raises:
        QueryInvalidError: nothing in the list is looked up so.
        EvidenceUnavailableError: it could not be recorded, and nothing may be shown.
        LogDamagedError: an entry is not the one that was logged.
    """
    list_ = office.list_
    with open_warehouse(office.settings) as warehouse:
        person = _Person.of(office, warehouse, list_, keys)
        search = _Search(office, person, PastAnswers(office.settings, office.evidence, warehouse), list_)
        query = Query(subjects=tuple(person.forms), kinds=KINDS, since=since, until=until)
        for hit in desk.find(query):
            search.see(hit.index, hit.entry)
        found = search.result()
    office.evidence.append(
        SHOWN, actor=desk.actor, subject=person.asked, facts={"forms": len(person.forms), "size": desk.log.size}
    )
    return found


def hidden_matters(list_: ResponsibilityList) -> frozenset[str]:
    """The matters whose uses a person may not be shown; none in a list that marks none."""
    return frozenset(matter.code for matter in list_.matters if matter.hidden)


@dataclass(frozen=True, slots=True)
class _Person:
    """Under which hashes a person is found.

    *forms*: hash → whether it is the person's alone; one that is not may stand for others, too. *records*: resource →
    the keys, in stored form, of the person's records there. *asked* is the hash of what was given.
    """

    asked: str
    forms: Mapping[str, bool]
    records: Mapping[str, Sequence[Mapping[str, str]]]

    @classmethod
    def of(cls, office: Office, warehouse: Warehouse, list_: ResponsibilityList, keys: Mapping[str, str]) -> _Person:
        subject = office.evidence.subject
        numbers = _numbers(list_)
        kinds = load_kinds(office.settings.kinds) if office.settings.kinds.exists() else ()
        given = lookup_of(list_, keys)
        if not given or not given.keys() <= numbers.keys():
            listed = ", ".join(sorted(numbers))
            raise QueryInvalidError(
                where="keys",
                why=f"a person is named by a number that is theirs alone: {listed}",
                why_zh=f"须以个人唯一的号码查询：{listed}",
            )
        checked = {numbers[name]: value for name, value in given.items() if numbers[name] is not None}
        asked = subject(given)
        forms = {asked: True}
        records: dict[str, list[Mapping[str, str]]] = {}
        for resource in list_.resources:
            own = {
                field.name: given.get(field.name) or checked[field.check]
                for field in resource.lookup_fields
                if field.name in given or (field.check is not None and field.check in checked)
            }
            for name, value in own.items():
                forms[subject({name: value})] = True
            # Licences are logged under their kind and what they were issued for (`hub.licensing`).
            issued = [kind for kind in kinds if kind.resource == resource.code and kind.holder_field in own]
            for kind in issued:
                forms[subject({"kind": kind.code, kind.holder_field: own[kind.holder_field]})] = True
            for row in _rows(warehouse, resource, own):
                records.setdefault(resource.code, []).append(
                    {field.name: value_text(row.get(field.name)) for field in resource.key}
                )
                for values in _ways(resource, row):
                    for kind in issued:
                        if values.get(kind.holder_field) == own[kind.holder_field]:
                            forms[subject({"kind": kind.code, **values})] = True
                    forms.setdefault(subject(values), any(own.get(name) == text for name, text in values.items()))
        return cls(asked, forms, records)


def _numbers(list_: ResponsibilityList) -> dict[str, Check | None]:
    """The look-up fields that name one person: those with a check digit, and keys by themselves. With their check."""
    found: dict[str, Check | None] = {}
    for resource in list_.resources:
        for field in resource.lookup_fields:
            if field.check is not None or (field.key and len(resource.key) == 1):
                found[field.name] = field.check or found.get(field.name)
    return found


def _rows(warehouse: Warehouse, resource: InformationResource, own: Mapping[str, str]) -> Iterator[Mapping[str, Any]]:
    """The person's records in *resource* now; of a resource without an index, none."""
    for name, value in own.items():
        try:
            yield from warehouse.lookup(resource.code).look(name, value, MAX_RECORDS).rows
        except (WarehouseError, OSError):
            return


def _ways(resource: InformationResource, row: Mapping[str, Any]) -> Iterator[dict[str, str]]:
    """Every set of values of *row* by which it may have been looked up."""
    values = {field.name: value_text(row[field.name]) for field in resource.lookup_fields if row.get(field.name)}
    names = sorted(values)[:MAX_FIELDS]
    for chosen in chain.from_iterable(combinations(names, size) for size in range(1, len(names) + 1)):
        yield {name: values[name] for name in chosen}


class _Search:
    """Sorts what was found into what is shown and what is counted."""

    def __init__(self, office: Office, person: _Person, past: PastAnswers, list_: ResponsibilityList) -> None:
        self._office = office
        self._person = person
        self._past = past
        self._list = list_
        self._lists: dict[str, ResponsibilityList] = {list_.version: list_}
        self._systems = {key.id: key.name for key in find_keys(office.control)}
        self._uses: list[Use] = []
        self._total = self._hidden = self._refused = self._undecided = 0

    def see(self, index: int, entry: Entry) -> None:
        """Take in one entry that bears one of the person's hashes."""
        sure = any(self._person.forms.get(subject) for subject in _subjects(entry))
        if entry.kind == DENIED:
            self._refused += sure
            return
        list_ = self._list_of(entry)
        told = tuple(str(name) for name in entry.facts.get("fields", ()))
        if not sure and entry.kind == ANSWERED:
            try:
                found = self._told(index, entry)
            except AnswerGoneError:
                self._undecided += 1
                return
            if found is None:
                return
            told = found
        if entry.purpose and entry.purpose in hidden_matters(list_) | hidden_matters(self._list):
            self._hidden += 1
            return
        self._total += 1
        self._uses.append(self._use(index, entry, list_, told))
        if len(self._uses) > 2 * MAX_USES:
            del self._uses[:-MAX_USES]

    def result(self) -> MyData:
        """What there is to say."""
        newest = tuple(sorted(self._uses, key=lambda use: (use.at, use.entry), reverse=True)[:MAX_USES])
        return MyData(newest, self._total, self._hidden, self._refused, self._undecided)

    def _told(self, index: int, entry: Entry) -> tuple[str, ...] | None:
        """What a look-up by a value that others share told of the person; None: nothing, it was of others.

        Raises:
            AnswerGoneError: it can no longer be decided.
        """
        answer = self._past.read(index, entry)
        told: dict[str, None] = {}
        shown = False
        for key in self._person.records.get(entry.resource, ()):
            names = self._past.told_of(answer, key)
            shown = shown or names is not None
            told.update(dict.fromkeys(names or ()))
        return tuple(told) if shown else None

    def _list_of(self, entry: Entry) -> ResponsibilityList:
        """The list under which a call was answered, by which its words are understood; else the one in force."""
        version = str(entry.facts.get("list_version", "")) or self._list.version
        if version not in self._lists:
            try:
                self._lists[version] = list_version(self._office.settings, version)
            except (ListMissingError, ListDamagedError):
                self._lists[version] = self._list
        return self._lists[version]

    def _use(self, index: int, entry: Entry, list_: ResponsibilityList, told: Sequence[str]) -> Use:
        resource = list_.by_code.get(entry.resource)
        matter = list_.matters_by_code.get(entry.purpose)
        code = entry.actor.partition(":")[0]
        department = list_.departments_by_code.get(code)
        action = str(entry.facts.get("action", "other")) if entry.kind == ANSWERED else entry.kind
        masks = entry.facts.get("masks", {})
        fields = []
        for name in told if action != "verify" else ():
            field = resource.field(name) if resource is not None else None
            masked = isinstance(masks, dict) and masks.get(name, Mask.NONE) != Mask.NONE
            fields.append(((name if field is None else field.title, name.replace("_", " ")), masked))
        return Use(
            entry=index,
            at=entry.at,
            action=action,
            receiver=(department.name, department.name_en or department.name) if department else (code, code),
            system=self._systems.get(str(entry.facts.get("caller", "")), ""),
            purpose=(matter.name, matter.name_en or matter.name) if matter else (entry.purpose, entry.purpose),
            resource=(resource.name, resource.name_en or resource.name) if resource else ("", ""),
            fields=tuple(fields),
        )


def _subjects(entry: Entry) -> Iterator[str]:
    yield entry.subject
    many = entry.facts.get("subjects")
    yield from (one for one in many if isinstance(one, str)) if isinstance(many, list) else ()
