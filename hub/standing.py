"""What holds at this moment: the current list, who a caller key belongs to, what a department may do with a resource.

Remembers what it read until the control database's generation rises, and asks for the generation on every call:
a revocation or suspension bites on the next call, in every process. What a grant allows is `catalog.decide`.
"""

from __future__ import annotations

import hashlib
import re
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from catalog.decide import Grant, Policy, Rights, grant_from_plain
from hub.control import Control, GrantRow, row_dict
from hub.credentials import BEARER, MAX_HANDLE_CHARS, Credential, KnownCaller, Sealing, read_credentials
from hub.disputes import Mark, marks
from hub.published import current_list, current_version

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy.engine import Connection

    from catalog.decide import AccessRequest, Decision
    from catalog.model import ResponsibilityList
    from hub.settings import Settings

__all__ = ["KnownCaller", "Standing", "View", "hash_key", "read_grants"]

_KEY = re.compile(r"zt_[A-Za-z0-9_-]{43}")
_GRANT_COLUMNS = (
    "id",
    "consumer",
    "resource",
    "fields",
    "masks",
    "purposes",
    "actions",
    "starts",
    "expires",
    "list_version",
    "ground",
    "revoked_at",
    "rows",
    "quota_per_day",
    "suspended_at",
    "application",
    "predecessor",
)


@dataclass(slots=True)
class _Remembered:
    """What was read at one *generation*; replaced whole, so that threads never see two generations mixed."""

    generation: int
    policy: Policy
    sealing: Sealing
    # Those that are there are as many as were registered; of those that are not, anybody may ask for any number.
    credentials: dict[tuple[str, str], tuple[Credential, ...]] = field(default_factory=dict)
    strangers: dict[tuple[str, str], None] = field(default_factory=dict)
    marks: dict[str, tuple[Mark, ...]] = field(default_factory=dict)


MAX_REMEMBERED_STRANGERS = 1_000  # wrong keys are remembered too, but may not fill the memory


class Standing:
    """The current state of control data, cached. Safe for many threads."""

    def __init__(self, settings: Settings, control: Control) -> None:
        self._settings = settings
        self._control = control
        self._sealing = Sealing(settings.keys)
        self._remembered: _Remembered | None = None
        self._loading = threading.Lock()

    def now(self) -> View:
        """The state as of this call.

        Raises:
            ListMissingError: nothing is published yet.
            ControlUnavailableError: the control database does not answer.
        """
        return self.at(self._control.generation())

    def latest(self) -> View:
        """The state as it was last read, without a question to the database: for who checks the generation later.

        Raises: as `now`, where nothing was read yet.
        """
        remembered = self._remembered
        return self.now() if remembered is None else View(self._control, remembered)

    def at(self, generation: int) -> View:
        """The state of *generation*, which the control database has just told, or of a later one. Raises: as `now`."""
        remembered = self._remembered
        if remembered is None or remembered.generation < generation:
            with self._loading:
                remembered = self._remembered
                if remembered is None or remembered.generation < generation:
                    # What is read after the generation is at least as new; at worst it is read once more.
                    old = remembered.policy if remembered else None
                    list_ = self._list(old.list if old else None)
                    remembered = _Remembered(generation, Policy.over(list_, self._grants, like=old), self._sealing)
                    self._remembered = remembered
        return View(self._control, remembered)

    def _list(self, old: ResponsibilityList | None) -> ResponsibilityList:
        if old is not None and current_version(self._control) == old.version:
            return old
        return current_list(self._settings, self._control)

    def _grants(self, consumer: str, resource: str) -> tuple[Grant, ...]:
        with self._control.reading() as connection:
            return read_grants(connection, consumer=consumer, resource=resource)


class View:
    """The state at one generation."""

    def __init__(self, control: Control, remembered: _Remembered) -> None:
        self._control = control
        self._remembered = remembered
        self.list = remembered.policy.list
        self.generation = remembered.generation

    def caller(self, key: str | None, now: datetime | None = None) -> KnownCaller | None:
        """Whose *key* this is at *now*; None for no key, an unknown one, one that was revoked or has run out.

        None, too, for a key that opens the sandbox alone: who asks here means the real thing.
        """
        found = self.bearer(key)
        if found is None or found.caller.sandbox or not found.in_force((now or datetime.now(UTC)).timestamp()):
            return None
        return found.caller

    def bearer(self, key: str | None) -> Credential | None:
        """The credential that *key* is, whatever its term; None for what is none.

        A key is 256 random bits, so its SHA-256 needs no salt and no stretching; it is found by the hash, so that
        how long the comparison takes says nothing about the key.
        """
        if key is None or _KEY.fullmatch(key) is None:
            return None
        return next(iter(self.credentials(BEARER, hash_key(key))), None)

    def credentials(self, kind: str, handle: str) -> tuple[Credential, ...]:
        """The credentials of *kind* that go by *handle*, whatever their terms; see `read_credentials`.

        Raises:
            ControlUnavailableError: the control database does not answer.
        """
        remembered, name = self._remembered, (kind, handle)
        found = remembered.credentials.get(name)
        if found is not None:
            return found
        if name in remembered.strangers or len(handle) > MAX_HANDLE_CHARS:
            return ()
        with self._control.reading() as connection:
            found = read_credentials(connection, kind, handle, remembered.sealing)
        if found:
            remembered.credentials[name] = found
        else:
            if len(remembered.strangers) >= MAX_REMEMBERED_STRANGERS:
                remembered.strangers.clear()
            remembered.strangers[name] = None
        return found

    def rights(self, consumer: str, resource: str) -> Rights:
        """What the department *consumer* may do with *resource*: every grant, and decisions over just these.

        Who keeps a decision as evidence takes both from one object, so that they can never be of two states.

        Raises:
            ControlUnavailableError: the control database does not answer.
        """
        return self._remembered.policy.rights(consumer, resource)

    def marks(self, resource: str) -> tuple[Mark, ...]:
        """The disputes that are open on *resource*, a code of the list; nearly always none."""
        known = self._remembered.marks
        if resource not in known:
            with self._control.reading() as connection:
                known[resource] = marks(connection, resource)
        return known[resource]

    def grants(self, consumer: str, resource: str) -> tuple[Grant, ...]:
        """Every grant of *consumer* for *resource*, revoked, suspended and expired ones too, by identifier."""
        return self.rights(consumer, resource).grants

    def decide(self, request: AccessRequest, on: datetime) -> Decision:
        """Decide *request* at time *on* under what holds. Raises: as `rights`."""
        return self._remembered.policy.decide(request, on)


def hash_key(key: str) -> str:
    """The form in which a caller key is kept."""
    return hashlib.sha256(key.encode()).hexdigest()


def read_grants(connection: Connection, **equal: str) -> tuple[Grant, ...]:
    """The grants whose columns equal *equal* (any of ``id``, ``consumer``, ``resource``), by identifier."""
    query = sa.select(*(getattr(GrantRow, name) for name in _GRANT_COLUMNS)).order_by(GrantRow.id)
    for name, value in equal.items():
        query = query.where(getattr(GrantRow, name) == value)
    return tuple(grant_from_plain(_plain(row_dict(row))) for row in connection.execute(query))


def _plain(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value.isoformat() if hasattr(value, "isoformat") else value for name, value in row.items()}
