"""What holds according to the log alone: callers with their credentials, grants, versions of the list.

Its entries are taken in one after the other, and each answered call is held against those before it. The control
database is not asked, so that what somebody wrote there by hand stands out. What becomes of a fault is
`hub.anomalies`'s to say.

An entry that gives something is written before it takes effect, and so stands before every call that rests on it. One
that ends something is written before or after, and bears the moment at which its transaction began. What was under way
then may end later, and clocks of several machines differ: for `UNDER_WAY` what was ended counts as if it still held.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from datetime import datetime, timedelta
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final

from catalog.decide import Grant, grant_from_plain
from catalog.model import EVERYONE
from hub.actors import department_of
from hub.credentials import BEARER, KEY, PROOFS, SANDBOX, SESSION

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Self

    from audit.entry import Entry

UNDER_WAY: Final = timedelta(minutes=1)

ADMITTED, REVOKED = "caller.admitted", "caller.revoked"
REGISTERED, CHANGED, CLIENT_ENDED = "client.registered", "client.changed", "client.ended"
KEY_ADDED, KEY_REVOKED = "client.key_added", "client.key_revoked"
PERSON_ADDED, PERSON_DUTIES = "person.added", "person.duties"
PERSON_DISABLED, PERSON_ENABLED = "person.disabled", "person.enabled"
HANDED_OVER, WITHDRAWN = "person.handed_over", "person.withdrawn"
PERSON_CHANGED: Final = (PERSON_DUTIES, PERSON_DISABLED, PERSON_ENABLED, HANDED_OVER, WITHDRAWN)
# The duty by which a person calls (`hub.handcalls`).
CALLS: Final = "staff"
GIVEN: Final = "grant.given"
SUSPENDED, RESUMED = "grant.suspended", "grant.resumed"
ENDED: Final = ("grant.revoked", "grant.handed_back", "grant.replaced")
PUBLISHED: Final = "list.published"

# code → (English, Chinese).
OF_CREDENTIALS: Final[dict[str, tuple[str, str]]] = {
    "never": ("the log admits no such caller", "日志中没有该调用方的登记"),
    "other": ("the log admits this caller for another department", "日志中该调用方属于其他部门"),
    "unregistered": ("the log holds no such credential", "日志中没有该凭据的登记"),
    "foreign": ("the credential is another system's", "该凭据属于其他系统"),
    "proof": ("a credential of its kind proves in another way", "该类凭据不以此方式证明"),
    "revoked": ("it had been revoked", "该凭据已吊销"),
    "expired": ("it had run out", "该凭据已到期"),
    "early": ("it did not hold yet", "该凭据尚未生效"),
    "ended": ("the system had been ended", "该系统已停用"),
    "disabled": ("the person had been disabled", "该人员已停用"),
    "duty": ("the log gave the person no duty to call", "日志中未授予该人员调用的职责"),
    "sandbox": ("what the system shows in this way opens the sandbox alone", "该系统以此方式只能使用沙箱"),
}
OF_GRANTS: Final[dict[str, tuple[str, str]]] = {
    "never": ("the log never gave this grant", "日志中没有授予该授权"),
    "other": ("the log gave it to another department", "日志中该授权属于其他部门"),
    "resource": ("the log gave it for another resource", "日志中该授权针对其他资源"),
    "ended": ("it had been revoked, handed back or replaced", "该授权已撤销、交回或被替代"),
    "suspended": ("it was suspended", "该授权已暂停"),
    "expired": ("it had expired", "该授权已到期"),
    "early": ("it had not begun", "该授权尚未开始"),
    "wider": ("the log gave it for other fields, matters or actions", "日志中该授权的字段、事项或操作与此不符"),
    "altered": ("the hub held it on other terms than the log gave", "平台所持条款与日志中授予的条款不符"),
}
OF_LISTS: Final[dict[str, tuple[str, str]]] = {
    "never": ("the log never published it", "日志中没有发布该版本"),
    "superseded": ("another version had come into force", "其他版本已经生效"),
}


# What of a grant no change touches: it rests and ends by entries of its own.
_LASTING: Final = attrgetter(*(one.name for one in fields(Grant) if one.name not in {"revoked_at", "suspended_at"}))


@dataclass(frozen=True, slots=True)
class Credential:
    """What a request can show: of the system *client*, or, a bearer key of none, of *department*."""

    kind: str
    client: str = ""
    department: str = ""
    starts: datetime | None = None
    expires: datetime | None = None
    revoked_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class System:
    """A client system: since when it is to sign, if it is, and when it was ended."""

    department: str
    sandbox: bool = False
    signed_since: datetime | None = None
    ended_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Member:
    """A person who may sign in at the portal, acts as *actor*, and since when no more.

    *calls* says whether the duty to call is the person's own, *called_until* when it ceased to be; *lent* are, by the
    number of the delegation, the terms for which colleagues handed it over.
    """

    actor: str
    calls: bool = False
    called_until: datetime | None = None
    disabled_at: datetime | None = None
    lent: Mapping[str, tuple[datetime | None, datetime | None]] = field(default_factory=dict)

    def may_call(self, at: datetime) -> bool:
        """Whether it had the duty at *at*."""
        own = self.calls or (self.called_until is not None and not _over(self.called_until, at))
        return own or any(
            starts is not None and starts - at < UNDER_WAY and not _over(ends, at)
            for starts, ends in self.lent.values()
        )


@dataclass(frozen=True, slots=True)
class Given:
    """A grant with its *terms* as they were given; None where the entry does not say them whole."""

    consumer: str
    resource: str
    terms: Grant | None = None
    suspended_at: datetime | None = None
    ended_at: datetime | None = None


@dataclass(slots=True)
class Logged:
    """What the entries until now say. Memory grows with what was ever registered, given and published."""

    credentials: dict[str, Credential] = field(default_factory=dict)
    systems: dict[str, System] = field(default_factory=dict)
    # Whom calls name as the caller → the system that acts as it.
    acting: dict[str, str] = field(default_factory=dict)
    people: dict[str, Member] = field(default_factory=dict)
    grants: dict[str, Given] = field(default_factory=dict)
    lists: set[str] = field(default_factory=set)
    current: tuple[str, datetime] | None = None

    @classmethod
    def of(cls, entries: Iterable[Entry]) -> Self:
        """What *entries*, in the order of the log, say."""
        logged = cls()
        for entry in entries:
            logged.see(entry)
        return logged

    def copy(self) -> Logged:
        """Another one that goes on by itself."""
        kept = (dict(self.credentials), dict(self.systems), dict(self.acting), dict(self.people), dict(self.grants))
        return Logged(*kept, set(self.lists), self.current)

    def see(self, entry: Entry) -> None:
        """Take in the next entry; of kinds that are not of `KINDS`, nothing."""
        take = _TAKEN.get(entry.kind)
        if take is not None:
            take(self, entry)

    # --- what is wrong with an answered call ---

    def credential_fault(self, entry: Entry) -> str:
        """What the log says against the caller and credential of an answered call: of `OF_CREDENTIALS`, or ""."""
        find = self._person_fault if _text(entry.facts, "proof") == SESSION else self._system_fault
        return find(entry)

    def _system_fault(self, entry: Entry) -> str:
        caller, proof = _text(entry.facts, "caller"), _text(entry.facts, "proof")
        name = _text(entry.facts, "credential") or caller
        client = self.acting.get(caller, "")
        system, alone = self.systems.get(client), self.credentials.get(caller)
        if system is None and (alone is None or alone.client):
            return "never"
        if entry.actor != (system or alone).department:  # type: ignore[union-attr]  # one of the two is there
            return "other"
        shown = self.credentials.get(name)
        if shown is None:
            return "unregistered"
        if shown.client != client or (system is None and name != caller):
            return "foreign"
        if proof and proof != PROOFS.get(shown.kind):
            return "proof"
        return _credential_over(shown, entry.at) or ("" if system is None else _system_over(system, shown, entry.at))

    def _person_fault(self, entry: Entry) -> str:
        """Who shows a session is a person, and shows no credential of a system."""
        member = self.people.get(_text(entry.facts, "caller"))
        if member is None:
            return "never"
        if entry.actor != member.actor:
            return "other"
        if _text(entry.facts, "credential"):
            return "foreign"
        if _over(member.disabled_at, entry.at):
            return "disabled"
        return "" if member.may_call(entry.at) else "duty"

    def grant_faults(self, entry: Entry, frozen: Iterable[Grant] = ()) -> dict[str, str]:
        """What it says against each grant of an answered call: of `OF_GRANTS`.

        *frozen* are grants as they were kept with the call.
        """
        named = grants_of(entry)
        found = {grant: why for grant in named if (why := self._grant_fault(self.grants.get(grant), entry))}
        for grant in frozen:
            given = self.grants.get(grant.id)
            terms = None if given is None or grant.id not in named else given.terms
            if terms is not None and _LASTING(grant) != _LASTING(terms):
                found.setdefault(grant.id, "altered")
        held = [] if found else [self.grants[one].terms for one in named]
        if held and None not in held:
            # The rights of several add up: what is shown, any of them may give.
            together = {name for one in held if one is not None for name in one.fields}
            if not together.issuperset(_texts(entry.facts, "fields")):
                found = dict.fromkeys(named, "wider")
        return found

    def list_fault(self, entry: Entry) -> str:
        """What it says against the list version of an answered call: of `OF_LISTS`, or ""."""
        version = _text(entry.facts, "list_version")
        if not version:
            return ""
        if version not in self.lists:
            return "never"
        newest, since = self.current or (version, entry.at)
        return "superseded" if version != newest and _over(since, entry.at) else ""

    def _grant_fault(self, given: Given | None, entry: Entry) -> str:  # noqa: PLR0911 - one for each thing that may be wrong
        if given is None:
            return "never"
        if given.consumer not in ("", department_of(entry.actor)):
            return "other"
        if "" not in (given.resource, entry.resource) and given.resource != entry.resource:
            return "resource"
        if _over(given.ended_at, entry.at):
            return "ended"
        if _over(given.suspended_at, entry.at):
            return "suspended"
        terms = given.terms
        if terms is None:
            return ""
        if _over(terms.expires, entry.at):
            return "expired"
        if terms.starts - entry.at >= UNDER_WAY:
            return "early"
        action = _text(entry.facts, "action")
        # What is fetched of an order names neither: both were the order's.
        for_it = EVERYONE in terms.purposes or entry.purpose in ("", *terms.purposes)
        return "" if for_it and action in ("", *terms.actions) else "wider"

    # --- taking in ---

    def _admitted(self, entry: Entry) -> None:
        facts = entry.facts
        self.credentials[_text(facts, "caller")] = Credential(
            BEARER, _text(facts, "client"), _text(facts, "department"), None, _moment(facts, "expires")
        )

    def _registered(self, entry: Entry) -> None:
        facts = entry.facts
        client, adopted = _text(facts, "client"), _text(facts, "caller")
        self.systems[client] = System(_text(facts, "department"), _text(facts, "environment") == SANDBOX)
        self.acting[adopted or client] = client
        if adopted in self.credentials:
            self.credentials[adopted] = replace(self.credentials[adopted], client=client)

    def _key_added(self, entry: Entry) -> None:
        facts = entry.facts
        term = (_moment(facts, "not_before"), _moment(facts, "expires"))
        self.credentials[_text(facts, "credential")] = Credential(
            _text(facts, "kind"), _text(facts, "client"), "", *term
        )
        old = self.credentials.get(_text(facts, "replaces"))
        ends = _moment(facts, "old_ends")
        if old is not None and ends is not None and (old.expires is None or ends < old.expires):
            self.credentials[_text(facts, "replaces")] = replace(old, expires=ends)

    def _revoked(self, entry: Entry) -> None:
        name = _text(entry.facts, "caller") or _text(entry.facts, "credential")
        known = self.credentials.get(name)
        if known is not None:
            self.credentials[name] = replace(known, revoked_at=known.revoked_at or entry.at)

    def _changed(self, entry: Entry) -> None:
        client = _text(entry.facts, "client")
        known = self.systems.get(client)
        if known is not None:
            signs = entry.facts.get("signed_only") is True
            self.systems[client] = replace(known, signed_since=(known.signed_since or entry.at) if signs else None)

    def _client_ended(self, entry: Entry) -> None:
        client = _text(entry.facts, "client")
        if client in self.systems:
            self.systems[client] = replace(self.systems[client], ended_at=entry.at)

    def _person_added(self, entry: Entry) -> None:
        calls = CALLS in _texts(entry.facts, "duties")
        self.people[_text(entry.facts, "person")] = Member(_text(entry.facts, "post"), calls)

    def _person_changed(self, entry: Entry) -> None:
        person, facts = _text(entry.facts, "person"), entry.facts
        known = self.people.get(person)
        if known is None:
            return
        if entry.kind == PERSON_DUTIES:
            calls = CALLS in _texts(facts, "duties")
            known = replace(known, calls=calls, called_until=entry.at if known.calls and not calls else None)
        elif entry.kind == HANDED_OVER and CALLS in _texts(facts, "duties"):
            term = (_moment(facts, "starts"), _moment(facts, "ends"))
            known = replace(known, lent={**known.lent, _text(facts, "delegation"): term})
        elif entry.kind == WITHDRAWN and _text(facts, "delegation") in known.lent:
            name = _text(facts, "delegation")
            known = replace(known, lent={**known.lent, name: (known.lent[name][0], entry.at)})
        elif entry.kind in (PERSON_DISABLED, PERSON_ENABLED):
            known = replace(known, disabled_at=entry.at if entry.kind == PERSON_DISABLED else None)
        self.people[person] = known

    def _given(self, entry: Entry) -> None:
        plain = entry.facts.get("grant")
        if not isinstance(plain, dict):
            return
        try:
            terms = grant_from_plain(plain)
        except (KeyError, ValueError, TypeError):
            terms = None
        self.grants[_text(plain, "id")] = Given(
            _text(plain, "consumer"), _text(plain, "resource"), terms, terms.suspended_at if terms else None
        )

    def _grant_changed(self, entry: Entry) -> None:
        grant = _text(entry.facts, "grant")
        known = self.grants.get(grant)
        if known is None:
            return
        if entry.kind in ENDED:
            known = replace(known, ended_at=known.ended_at or entry.at)
        else:
            known = replace(known, suspended_at=entry.at if entry.kind == SUSPENDED else None)
        self.grants[grant] = known

    def _published(self, entry: Entry) -> None:
        version = _text(entry.facts, "list_version")
        self.lists.add(version)
        self.current = (version, entry.at)


_TAKEN: Final[dict[str, Callable[[Logged, Entry], None]]] = {
    ADMITTED: Logged._admitted,  # noqa: SLF001 - its own, of this module
    REVOKED: Logged._revoked,  # noqa: SLF001 - its own, of this module
    REGISTERED: Logged._registered,  # noqa: SLF001 - its own, of this module
    CHANGED: Logged._changed,  # noqa: SLF001 - its own, of this module
    CLIENT_ENDED: Logged._client_ended,  # noqa: SLF001 - its own, of this module
    KEY_ADDED: Logged._key_added,  # noqa: SLF001 - its own, of this module
    KEY_REVOKED: Logged._revoked,  # noqa: SLF001 - its own, of this module
    PERSON_ADDED: Logged._person_added,  # noqa: SLF001 - its own, of this module
    **dict.fromkeys(PERSON_CHANGED, Logged._person_changed),  # noqa: SLF001 - its own, of this module
    GIVEN: Logged._given,  # noqa: SLF001 - its own, of this module
    **dict.fromkeys((SUSPENDED, RESUMED, *ENDED), Logged._grant_changed),  # noqa: SLF001 - its own, of this module
    PUBLISHED: Logged._published,  # noqa: SLF001 - its own, of this module
}
KINDS: Final = tuple(_TAKEN)


def grants_of(entry: Entry) -> tuple[str, ...]:
    """The grants that an entry names; several are joined by commas."""
    return tuple(filter(None, _text(entry.facts, "grant").split(",")))


def _credential_over(shown: Credential, at: datetime) -> str:
    if _over(shown.revoked_at, at):
        return "revoked"
    if _over(shown.expires, at):
        return "expired"
    return "early" if shown.starts is not None and shown.starts - at >= UNDER_WAY else ""


def _system_over(system: System, shown: Credential, at: datetime) -> str:
    if _over(system.ended_at, at):
        return "ended"
    closed = system.sandbox or (shown.kind != KEY and _over(system.signed_since, at))
    return "sandbox" if closed else ""


def _over(ended: datetime | None, at: datetime) -> bool:
    return ended is not None and at - ended >= UNDER_WAY


def _text(facts: Mapping[str, Any], name: str) -> str:
    value = facts.get(name, "")
    return value if isinstance(value, str) else ""


def _texts(facts: Mapping[str, Any], name: str) -> list[str]:
    value = facts.get(name, ())
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []


def _moment(facts: Mapping[str, Any], name: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(_text(facts, name))
    except ValueError:
        return None
    return found if found.tzinfo is not None else None
