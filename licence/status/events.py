"""What the log says about licences, entry by entry: issued, bound, changed, a status list published.

Whether the entries are in a trusted log is left to `audit`; what follows from them, to `licence.status.projection` and
`licence.status.history`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from audit.entry import Entry
from audit.errors import AuditError
from licence.credential import MAX_STATUS_INDEX
from licence.errors import FormatError
from licence.lifecycle import Action, State
from licence.model import StatusRef
from licence.profile import BOUND_ENTRY, LICENCE_ENTRY, STATUS_ENTRY

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

# The kind of the entry that records a change of state.
CHANGE_ENTRY = "licence.status"
MAX_TEXT = 512
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
# A canonical entry of one of these kinds holds one of these bytes as they stand: nothing in them is ever escaped.
_MARKS = tuple(f'"kind":"{kind}"'.encode() for kind in (LICENCE_ENTRY, BOUND_ENTRY, CHANGE_ENTRY, STATUS_ENTRY))


@dataclass(frozen=True, slots=True)
class Issued:
    """A licence was issued: entry *index* of the log, logged at *at*. *subject* is the holder's keyed hash."""

    index: int
    at: datetime
    licence: str
    credential: str
    kind: str
    status: StatusRef
    subject: str


@dataclass(frozen=True, slots=True)
class Bound:
    """A licence that had been issued was sealed again for the key of a wallet, with the same status: *credential*."""

    index: int
    at: datetime
    licence: str
    credential: str
    kind: str
    status: StatusRef


@dataclass(frozen=True, slots=True)
class Changed:
    """The state of a licence was changed to *state*."""

    index: int
    at: datetime
    licence: str
    action: Action
    state: State


@dataclass(frozen=True, slots=True)
class Published:
    """A status list token with digest *token* was published at *uri*.

    *version* counts the list's tokens from 1 and *previous* is the digest of the one before; 0 and "" where the entry
    does not say, and then nothing proves that no other came between.
    """

    index: int
    at: datetime
    uri: str
    token: str
    version: int = 0
    previous: str = ""


Event = Issued | Bound | Changed | Published


def published_facts(uri: str, token: str, *, version: int, previous: str) -> dict[str, object]:
    """The facts of a ``status.published`` entry: *token* and *previous* are digests, *previous* "" for version 1."""
    facts: dict[str, object] = {"uri": uri, "token": token, "version": version}
    return facts | {"previous": previous} if previous else facts


def read_event(data: bytes, index: int) -> Event | None:
    """The event in the log entry *data*, or None when it is of another kind.

    Raises:
        FormatError: it is of one of the four kinds and malformed.
    """
    if not any(mark in data for mark in _MARKS):
        return None
    try:
        entry = Entry.decode(data)
    except (AuditError, ValueError, TypeError):
        raise FormatError("licence_entry_malformed", index=index, fact="-") from None
    facts = entry.facts
    if entry.kind == LICENCE_ENTRY:
        return Issued(
            index=index,
            at=entry.at,
            licence=_text(facts, "licence", index),
            credential=_digest(facts, "credential", index),
            kind=_text(facts, "kind", index),
            status=_reference(facts, index),
            subject=entry.subject,
        )
    if entry.kind == BOUND_ENTRY:
        return Bound(
            index=index,
            at=entry.at,
            licence=_text(facts, "licence", index),
            credential=_digest(facts, "credential", index),
            kind=_text(facts, "kind", index),
            status=_reference(facts, index),
        )
    if entry.kind == CHANGE_ENTRY:
        return _changed(entry, index)
    if entry.kind == STATUS_ENTRY:
        return _published(entry, index)
    return None  # The mark stood in a text of another entry.


def _changed(entry: Entry, index: int) -> Changed:
    licence = _text(entry.facts, "licence", index)
    try:
        state = State(_text(entry.facts, "state", index))
    except ValueError:
        raise FormatError("licence_entry_malformed", index=index, fact="state") from None
    try:
        action = Action(_text(entry.facts, "action", index))
    except ValueError:
        raise FormatError("licence_entry_malformed", index=index, fact="action") from None
    return Changed(index, entry.at, licence, action, state)


def _published(entry: Entry, index: int) -> Published:
    version = entry.facts.get("version", 0)
    if not isinstance(version, int) or isinstance(version, bool) or version < 0:
        raise FormatError("licence_entry_malformed", index=index, fact="version")
    return Published(
        index=index,
        at=entry.at,
        uri=_text(entry.facts, "uri", index),
        token=_digest(entry.facts, "token", index),
        version=version,
        previous=_digest(entry.facts, "previous", index) if "previous" in entry.facts else "",
    )


def _text(facts: Mapping[str, object], name: str, index: int) -> str:
    value = facts.get(name)
    if not isinstance(value, str) or not 0 < len(value) <= MAX_TEXT:
        raise FormatError("licence_entry_malformed", index=index, fact=name)
    return value


def _digest(facts: Mapping[str, object], name: str, index: int) -> str:
    value = facts.get(name)
    if not isinstance(value, str) or not _DIGEST.fullmatch(value):
        raise FormatError("licence_entry_malformed", index=index, fact=name)
    return value


def _reference(facts: Mapping[str, object], index: int) -> StatusRef:
    value = facts.get("status")
    if not isinstance(value, dict) or set(value) != {"uri", "idx"}:
        raise FormatError("licence_entry_malformed", index=index, fact="status")
    idx = value["idx"]
    if not isinstance(idx, int) or isinstance(idx, bool) or not 0 <= idx < MAX_STATUS_INDEX:
        raise FormatError("licence_entry_malformed", index=index, fact="status.idx")
    return StatusRef(_text(value, "uri", index), idx)
