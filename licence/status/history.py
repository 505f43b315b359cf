"""What a status list said at any past time, proved offline from the log entries of its published versions.

Getting entries, proofs and tokens is the caller's part; what a status means for a licence is `licence.verify`.

1. every version's entry is in a log that trust pins, and names this list;
2. every token that came along is the one its entry records, and signed by whom trust allows;
3. the entries are of one log, each once, and their times follow their order;
4. a version that counts is followed by the next count, and names the digest of the one before: none was left out;
5. the newest version logged at or before T decides; the version after it proves that no other came between.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from audit.errors import AuditError, CheckpointInvalidError
from audit.proof import LogProof
from audit.tree import leaf_hash, verify_inclusion
from audit.verifiers import Trust
from licence import jose
from licence.errors import FormatError
from licence.status.authentic import authentic_token
from licence.status.events import Published, read_event
from licence.status.lists import MAX_TOKEN_BYTES, Status, token_digest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from licence.status.lists import StatusToken
    from licence.trust import TrustStore

FORMAT = "zhengtong-status-history/1"
# A version each minute for a month; a history of longer is asked for in parts.
MAX_VERSIONS = 50_000
MAX_HISTORY_BYTES = 256 * 1024 * 1024
# The clock of the writer may be set back by so much between two entries, and the log's may lag behind the signer's.
SKEW = timedelta(minutes=5)
_LOG_INVALID = "LOG_PROOF_INVALID"
_MEMBERS = frozenset({"entry", "proof", "token"})
_WHAT = "status history"


@dataclass(frozen=True, slots=True)
class StatusVersion:
    """One published version, **unverified**: its log entry, the proof of it (C2SP tlog-proof), its token or None.

    A version without its token still proves when the one before it ended.
    """

    entry: bytes
    proof: str
    token: str | None = None


@dataclass(frozen=True, slots=True)
class StatusAt:
    """What the list said of entry *idx* at time *at*.

    *value* is None outside the list. *as_of*: when the list was signed; *logged_at*, *index*: its log entry; *origin*:
    the log. *next_update*: when its publisher promised the next one; *until*: after that it says nothing.
    *fresh*: *at* is before *until*. *closed*: the following version is at hand, so that nobody can have shown another
    between; otherwise an even newer version may have existed at *at*.
    """

    at: datetime
    idx: int
    value: int | None
    as_of: datetime
    logged_at: datetime
    next_update: datetime
    until: datetime
    index: int
    origin: str
    closed: bool

    @property
    def fresh(self) -> bool:
        """Whether the version was still to be relied on at the time asked about."""
        return self.at < self.until

    @property
    def status(self) -> Status | None:
        """The value as a status; None outside the list, for a value of no meaning, and for one that is not fresh.

        INVALID is irreversible and stands however old the list is.
        """
        if self.value == Status.INVALID:
            return Status.INVALID
        return Status(self.value) if self.fresh and self.value in {Status.VALID, Status.SUSPENDED} else None


@dataclass(frozen=True, slots=True)
class _Checked:
    version: StatusVersion
    event: Published
    origin: str
    token: StatusToken | None


@dataclass(frozen=True, slots=True)
class StatusHistory:
    """The verified versions of one list, oldest first; made by `verified` alone. Safe to share between threads."""

    uri: str
    _versions: tuple[_Checked, ...]

    @classmethod
    def verified(cls, uri: str, versions: Sequence[StatusVersion], trust: TrustStore) -> StatusHistory:
        """Check *versions* of the list at *uri*, in any order, by steps 1 to 4.

        Raises:
            FormatError: a step failed; the code says which and the params which log entry.
        """
        if not versions:
            raise FormatError("history_empty")
        if len(versions) > MAX_VERSIONS:
            raise FormatError("too_large", what=_WHAT, limit=MAX_VERSIONS)
        found = sorted((_check(v, uri, trust) for v in versions), key=lambda c: c.event.index)
        for before, after in itertools.pairwise(found):
            _check_order(before, after)
            _check_gap(before.event, after.event)
        return cls(uri, tuple(found))

    def __len__(self) -> int:
        return len(self._versions)

    def status_at(self, at: datetime, idx: int) -> StatusAt:
        """What the list said of entry *idx* at the aware time *at* (step 5).

        Raises:
            FormatError: ``history_before_first``: no version is so old; ``history_token_missing``: the version that
                decides came without its token, or its list cannot be read.
            ValueError: *at* is naive: an error of the calling program.
        """
        place = self._place(at)
        found, event = self._versions[place], self._versions[place].event
        if found.token is None:
            raise FormatError("history_token_missing", index=event.index)
        token, as_of = found.token, _time(found.token.issued_at)
        until = _time(token.expires_at)
        promised = until if token.ttl is None else min(until, _time(token.issued_at + token.ttl))
        return StatusAt(
            at=at,
            idx=idx,
            value=token.states().value(idx),
            as_of=as_of,
            logged_at=event.at,
            next_update=promised,
            until=until,
            index=event.index,
            origin=found.origin,
            closed=place + 1 < len(self._versions) and event.version > 0,
        )

    def evidence_at(self, at: datetime) -> tuple[StatusVersion, ...]:
        """The one or two versions that prove the answer for *at*: the one that decides, and the next without its token.

        Raises: as `status_at`.
        """
        place = self._place(at)
        following = [StatusVersion(c.version.entry, c.version.proof) for c in self._versions[place + 1 : place + 2]]
        return (self._versions[place].version, *following)

    def _place(self, at: datetime) -> int:
        if at.tzinfo is None:
            raise ValueError("status_at: the time must carry its zone")
        # Of versions whose clock was set back, the one later in the log: what stands behind others overrides them.
        for place in range(len(self._versions) - 1, -1, -1):
            if self._versions[place].event.at <= at:
                return place
        raise FormatError("history_before_first", sub_indication="TRY_LATER", first=_iso(self._versions[0].event.at))


def to_json(uri: str, versions: Sequence[StatusVersion]) -> str:
    """The text of a history to hand on; deterministic, ends in a newline."""
    plain = [
        {"entry": v.entry.decode(), "proof": v.proof} | ({} if v.token is None else {"token": v.token})
        for v in versions
    ]
    return jose.compact_json({"format": FORMAT, "uri": uri, "versions": plain}).decode() + "\n"


def from_json(text: str | bytes) -> tuple[str, tuple[StatusVersion, ...]]:
    """The list's URI and its **unverified** versions.

    Raises:
        FormatError: too large, or not such a text.
    """
    if len(text) > MAX_HISTORY_BYTES:
        raise FormatError("too_large", what=_WHAT, limit=MAX_HISTORY_BYTES)
    document = jose.strict_json(text, _WHAT)
    if not isinstance(document, dict) or set(document) != {"format", "uri", "versions"} or document["format"] != FORMAT:
        raise FormatError("history_malformed")
    uri, listed = document["uri"], document["versions"]
    if not isinstance(uri, str) or not isinstance(listed, list) or len(listed) > MAX_VERSIONS:
        raise FormatError("history_malformed")
    return uri, tuple(_version(one) for one in listed)


def _version(plain: Any) -> StatusVersion:  # noqa: ANN401 - any JSON value
    if not isinstance(plain, dict) or not {"entry", "proof"} <= set(plain) <= _MEMBERS:
        raise FormatError("history_malformed")
    if not all(isinstance(value, str) for value in plain.values()):
        raise FormatError("history_malformed")
    return StatusVersion(plain["entry"].encode(), plain["proof"], plain.get("token"))


def _check(version: StatusVersion, uri: str, trust: TrustStore) -> _Checked:
    """Steps 1 and 2 for one version."""
    try:
        proof = LogProof.from_text(version.proof)
        # `extra` is authenticated by nothing; we write none, so any was added by someone else.
        if proof.extra or proof.to_text() != version.proof:
            raise FormatError("log_proof_invalid", sub_indication=_LOG_INVALID)
        checkpoint = Trust(trust.log_verifiers).open(proof.checkpoint)
        verify_inclusion(leaf_hash(version.entry), proof.index, checkpoint.size, proof.path, checkpoint.root)
    except CheckpointInvalidError:
        raise FormatError("log_key_untrusted", sub_indication=_LOG_INVALID) from None
    except (AuditError, ValueError, TypeError):
        raise FormatError("log_proof_invalid", sub_indication=_LOG_INVALID) from None
    event = read_event(version.entry, proof.index)
    if not isinstance(event, Published) or event.uri != uri:
        raise FormatError("history_other_list", sub_indication=_LOG_INVALID, index=proof.index)
    if version.token is None:
        return _Checked(version, event, checkpoint.origin, None)
    if len(version.token) > MAX_TOKEN_BYTES or not version.token.isascii():
        raise FormatError("too_large", what="status list token", limit=MAX_TOKEN_BYTES)
    if token_digest(version.token) != event.token:
        raise FormatError("history_token_differs", sub_indication="HASH_FAILURE", index=proof.index)
    token = authentic_token(version.token, trust)
    if token.uri != uri:
        raise FormatError("history_other_list", index=proof.index)
    if _time(token.issued_at) > event.at + SKEW:
        raise FormatError("history_signed_after_logged", sub_indication=_LOG_INVALID, index=proof.index)
    return _Checked(version, event, checkpoint.origin, token)


def _check_order(before: _Checked, after: _Checked) -> None:
    """Step 3."""
    if before.event.index == after.event.index or before.origin != after.origin:
        raise FormatError("history_entry_twice", sub_indication=_LOG_INVALID, index=after.event.index)
    if after.event.at < before.event.at - SKEW:
        raise FormatError("history_disordered", sub_indication=_LOG_INVALID, index=after.event.index)


def _check_gap(before: Published, after: Published) -> None:
    """Step 4. Entries that do not count prove no more than that their own version existed."""
    if after.version == 0 and before.version == 0:
        return
    if after.version != before.version + 1 or (after.version > 1 and after.previous != before.token):
        raise FormatError("history_version_missing", before=before.index, index=after.index)


def _time(numeric_date: int) -> datetime:
    return datetime.fromtimestamp(numeric_date, UTC)


def _iso(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
