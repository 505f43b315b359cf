"""Finds what an auditor should look at in a period: nothing here is a proof of wrong, each is a reason to ask.

One pass over the entries of the period, in their order. Each finding names the entries that make it, which say the
rest; no person is named, operators stand as keyed hashes. Where entries come from is `hub.auditviews`'s; working days
are those of `catalog.clock`.
"""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from typing import TYPE_CHECKING, Any, Final

from catalog.clock import SHANGHAI
from hub import logged
from hub.logged import GIVEN, OF_CREDENTIALS, OF_GRANTS, OF_LISTS, Logged, grants_of
from hub.usage import COUNTED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from audit.entry import Entry
    from catalog.clock import Calendar
    from catalog.decide import Grant

ANSWERED, DENIED = "invocation.answered", "invocation.denied"
# By whom, under which grant, and under which list, is asked of every kind of answer.
ANSWERS: Final = (*COUNTED, "batch.fetched")
# By these an administrator could come to act as an auditor, who checks administrators.
AUDITOR: Final = "auditor"  # as `Duty.AUDITOR` is written
OF_AUDITORS: Final = ("person.added", "person.duties", "person.password", "person.code_ended")
KINDS: Final = (*ANSWERS, DENIED, *OF_AUDITORS, *logged.KINDS)
MAX_ENTRIES: Final = 100  # named with a finding; its count says how many there are

# code → (English, Chinese) over the finding's parameters.
VIEWS: Final[dict[str, tuple[str, str]]] = {
    "out_of_hours": (
        "{who} made {count} calls on {day} outside working hours.",
        "{who} 于 {day} 在非工作时间调用 {count} 次。",
    ),
    "many_readers": (
        "One person's record was read {count} times by {readers}: {who}.",
        "同一人的记录被读取 {count} 次，涉及 {readers}：{who}。",
    ),
    "refusals": (
        "{who} was refused {count} times in a row within {minutes} minutes: {reasons}.",
        "{who} 在 {minutes} 分钟内连续被拒 {count} 次：{reasons}。",
    ),
    "bulk": (
        "{who} made {count} calls about {people} persons within an hour.",
        "{who} 在一小时内调用 {count} 次，涉及 {people} 人。",
    ),
    "unknown_credential": (
        "Grant {grant} was used {count} times by {who} with credential {credential}: {why}.",
        "授权 {grant} 被 {who} 以凭据 {credential} 使用 {count} 次：{why_zh}。",
    ),
    "unknown_grant": (
        "{who} was answered {count} times about {resource} under grant {grant}: {why}.",
        "{who} 依据授权 {grant} 获得资源 {resource} 的应答 {count} 次：{why_zh}。",
    ),
    "unknown_list": (
        "{count} answers were given under list version {version}: {why}.",
        "依据清单版本 {version} 作出应答 {count} 次：{why_zh}。",
    ),
    "sleeping_grant": (
        "Grant {grant} was used by {who} for the first time after {days} days.",
        "授权 {grant} 闲置 {days} 天后首次被 {who} 使用。",
    ),
    "auditor_replaced": (
        "{who} made {person} ({post}) an auditor, or reset this auditor's password or codes, {count} times. Ask there.",
        "{who} 将 {person}（{post}）设为审计员，或重置了该审计员的口令或动态验证码，共 {count} 次。请向本人核实。",
    ),
}


@dataclass(frozen=True, slots=True)
class Limits:
    """From where on something is worth a question. Of the working hours, local ones, *last_hour* is the first after."""

    first_hour: int = 8
    last_hour: int = 18
    readers: int = 4
    refusals: int = 5
    refusal_minutes: int = 10
    calls_per_hour: int = 200
    sleeping_days: int = 90


@dataclass(frozen=True, slots=True)
class Finding:
    """Something to ask about: *code* is one of `VIEWS`, *count* the number of *entries* that make it.

    Of these the first `MAX_ENTRIES` are named.
    """

    code: str
    count: int
    entries: tuple[int, ...]
    params: tuple[tuple[str, str], ...]

    def text(self, lang: str) -> str:
        """The sentence in *lang* (``zh``, else English)."""
        return VIEWS[self.code][lang == "zh"].format(count=self.count, **dict(self.params))

    def to_plain(self) -> dict[str, Any]:
        """JSON values."""
        return {"code": self.code, "count": self.count, "entries": list(self.entries), **dict(self.params)}


@dataclass(frozen=True, slots=True)
class Known:
    """What was so before the period began: what the log said, and when grants were last used."""

    logged: Logged = field(default_factory=Logged)
    uses: Mapping[str, datetime] = field(default_factory=dict)


@dataclass(slots=True)
class _Group:
    """Entries that belong together."""

    count: int = 0
    entries: list[int] = field(default_factory=list)
    who: set[str] = field(default_factory=set)
    words: Counter[str] = field(default_factory=Counter)

    def add(self, index: int) -> None:
        self.count += 1
        if len(self.entries) < MAX_ENTRIES:
            self.entries.append(index)


def find(
    entries: Iterable[tuple[int, Entry]],
    limits: Limits,
    calendar: Calendar,
    *,
    known: Known | None = None,
    operator: Callable[[Entry], str] = lambda entry: "",  # noqa: ARG005 - nobody's name is known
    frozen: Callable[[Entry], Sequence[Grant]] = lambda entry: (),  # noqa: ARG005 - no body is read
) -> list[Finding]:
    """What is out of the ordinary in *entries*, in the order of the log; findings by view and first entry.

    *operator* tells who sat at the caller's desk, as a keyed hash, or "" where that is not known: then a caller's
    system counts as one operator. *frozen* tells the grants that were kept with an answer, as the hub held them then.
    Memory grows with the persons and callers of the period, not with its entries.
    """
    views = _Views(limits, calendar, known or Known(), operator, frozen)
    for index, entry in entries:
        views.see(index, entry)
    return views.findings()


class _Views:
    """All views over one pass."""

    def __init__(
        self,
        limits: Limits,
        calendar: Calendar,
        known: Known,
        operator: Callable[[Entry], str],
        frozen: Callable[[Entry], Sequence[Grant]],
    ) -> None:
        self._limits = limits
        self._calendar = calendar
        self._logged = known.logged.copy()
        self._uses = dict(known.uses)
        self._operator = operator
        self._frozen = frozen
        self._late: dict[tuple[str, str], _Group] = {}
        self._read: dict[str, _Group] = {}
        self._refused: dict[str, deque[tuple[int, datetime, str]]] = {}
        self._busy: dict[str, deque[tuple[int, datetime, int]]] = {}
        self._bulk: dict[str, tuple[_Group, datetime, int]] = {}
        # By view and what its sentence names.
        self._strange: dict[tuple[str, tuple[tuple[str, str], ...]], _Group] = {}
        self._found: list[Finding] = []

    def see(self, index: int, entry: Entry) -> None:
        """Take in the next entry."""
        self._logged.see(entry)
        if entry.kind == GIVEN:
            given = entry.facts.get("grant")
            self._uses.setdefault(str(given.get("id", "") if isinstance(given, dict) else given), entry.at)
        elif entry.kind in ANSWERS:
            who, desk = self._who(entry)
            if entry.kind == ANSWERED:
                self._refused_no_more(who)
                self._hours(index, entry, who)
                self._readers(index, entry, desk)
                self._many_calls(index, entry, desk)
            self._against_log(index, entry, who)
            if entry.kind in COUNTED:
                self._sleeping(index, entry, who)
        elif entry.kind == DENIED:
            self._refusal(index, entry, self._who(entry)[0])
        elif entry.kind in OF_AUDITORS:
            self._auditor(index, entry)

    def findings(self) -> list[Finding]:
        """Everything that was found."""
        for (who, day), group in self._late.items():
            self._add("out_of_hours", group, who=who, day=day)
        for group in self._read.values():
            if len(group.who) >= self._limits.readers:
                departments = {desk.partition("/")[0] for desk in group.who}
                readers = f"{len(departments)} / {len(group.who)}"
                self._add("many_readers", group, readers=readers, who=", ".join(sorted(group.who)[:20]))
        for who in list(self._refused):
            self._refused_no_more(who)
        for desk in list(self._bulk):
            self._bulk_is_over(desk)
        for (view, params), group in self._strange.items():
            self._add(view, group, **dict(params))
        order = list(VIEWS)
        return sorted(self._found, key=lambda one: (order.index(one.code), one.entries))

    def _who(self, entry: Entry) -> tuple[str, str]:
        """The caller, and the desk at it as far as it is known."""
        caller = str(entry.facts.get("caller", ""))
        who = f"{entry.actor}/{caller}" if caller else entry.actor
        operator = self._operator(entry)
        return who, f"{who}/{operator}" if operator else who

    def _add(self, code: str, group: _Group, **params: str) -> None:
        self._found.append(Finding(code, group.count, tuple(group.entries), tuple(params.items())))

    def _hours(self, index: int, entry: Entry, who: str) -> None:
        local = entry.at.astimezone(SHANGHAI)
        within = time(self._limits.first_hour) <= local.time() and local.hour < self._limits.last_hour
        if not (within and self._calendar.is_working(local.date())):
            self._late.setdefault((who, local.date().isoformat()), _Group()).add(index)

    def _readers(self, index: int, entry: Entry, desk: str) -> None:
        for subject in subjects_of(entry):
            group = self._read.setdefault(subject, _Group())
            group.add(index)
            group.who.add(desk)

    def _refusal(self, index: int, entry: Entry, who: str) -> None:
        row = self._refused.setdefault(who, deque())
        span = timedelta(minutes=self._limits.refusal_minutes)
        if row and entry.at - row[-1][1] > span:
            self._refused_no_more(who)
            row = self._refused.setdefault(who, deque())
        reasons = entry.facts.get("reasons", ())
        row.append((index, entry.at, ", ".join(map(str, reasons)) if isinstance(reasons, list) else ""))

    def _refused_no_more(self, who: str) -> None:
        """The row of refusals of *who* is over; it counts if enough of them stand within the span somewhere."""
        row = list(self._refused.pop(who, ()))
        span = timedelta(minutes=self._limits.refusal_minutes)
        least = self._limits.refusals
        if any(row[at + least - 1][1] - row[at][1] <= span for at in range(len(row) - least + 1)):
            group = _Group()
            for index, _, reason in row:
                group.add(index)
                group.words[reason] += 1
            reasons = "; ".join(f"{reason} ×{number}" for reason, number in group.words.most_common(5))
            self._add("refusals", group, who=who, minutes=str(self._limits.refusal_minutes), reasons=reasons)

    def _many_calls(self, index: int, entry: Entry, desk: str) -> None:
        row = self._busy.setdefault(desk, deque())
        row.append((index, entry.at, len(subjects_of(entry))))
        while entry.at - row[0][1] >= timedelta(hours=1):
            row.popleft()
        if desk in self._bulk and entry.at - self._bulk[desk][1] >= timedelta(hours=1):
            self._bulk_is_over(desk)
        if len(row) < self._limits.calls_per_hour:
            return
        if desk in self._bulk:
            group, _, people = self._bulk[desk]
            group.add(index)
            people += len(subjects_of(entry))
        else:
            group, people = _Group(), 0
            for place, _, number in row:
                group.add(place)
                people += number
        self._bulk[desk] = (group, entry.at, people)

    def _bulk_is_over(self, desk: str) -> None:
        group, _, people = self._bulk.pop(desk)
        self._add("bulk", group, who=desk, people=str(people))

    def _against_log(self, index: int, entry: Entry, who: str) -> None:
        """Hold an answer against what the log said before it."""
        facts = entry.facts
        why = self._logged.credential_fault(entry)
        if why:
            credential = str(facts.get("credential") or facts.get("caller") or "-")
            said = {"grant": str(facts.get("grant", "")), "who": who, "credential": credential}
            self._strangely(index, "unknown_credential", OF_CREDENTIALS[why], **said)
        for grant, why in self._logged.grant_faults(entry, self._frozen(entry)).items():
            said = {"grant": grant, "who": who, "resource": entry.resource or "-"}
            self._strangely(index, "unknown_grant", OF_GRANTS[why], **said)
        why = self._logged.list_fault(entry)
        if why:
            self._strangely(index, "unknown_list", OF_LISTS[why], version=str(facts.get("list_version")))

    def _strangely(self, index: int, view: str, words: tuple[str, str], **said: str) -> None:
        english, chinese = words
        params = tuple({**said, "why": english, "why_zh": chinese}.items())
        self._strange.setdefault((view, params), _Group()).add(index)

    def _auditor(self, index: int, entry: Entry) -> None:
        """What somebody else does to whoever is an auditor, or becomes one by it."""
        post = str(entry.facts.get("post", ""))
        if AUDITOR in entry.facts.get("duties", ()) and entry.actor != post:
            params = (("who", entry.actor), ("person", str(entry.facts.get("person", ""))), ("post", post))
            self._strange.setdefault(("auditor_replaced", params), _Group()).add(index)

    def _sleeping(self, index: int, entry: Entry, who: str) -> None:
        for grant in grants_of(entry):
            last = self._uses.get(grant)
            if last is not None and entry.at - last >= timedelta(days=self._limits.sleeping_days):
                group = _Group()
                group.add(index)
                self._add("sleeping_grant", group, grant=grant, who=who, days=str((entry.at - last).days))
            self._uses[grant] = entry.at


def subjects_of(entry: Entry) -> tuple[str, ...]:
    """The keyed hashes of those an entry is about: one, or many."""
    many = entry.facts.get("subjects")
    named = (entry.subject, *(many if isinstance(many, list) else ()))
    return tuple(dict.fromkeys(one for one in named if isinstance(one, str) and one))
