"""The checks of a whole population, in one pass over the log and one over the database's rows.

Getting log folder, tokens, rows and figures to the auditor is others' part; so is what to do about a finding.

1. the log is hashed anew against its signed checkpoint (`audit.fsck`);
2. every status list token is one that trust allows;
3. the log's entries are folded into status lists; at the entry that published a token, its list must be the folded one;
4. each issue is looked at: identifier, mandate, certificate and seal at the time; each change: published in time;
5. each row of the database must be what the log says, each licence of the log must have one row;
6. the figures must agree: database = log = lists = published.

Memory: some 60 bytes for each slot of a status list, whatever the length of log and rows.
"""

from __future__ import annotations

import hashlib
from array import array
from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from audit.checkpoint import parse_unverified
from audit.errors import AuditError, LogDamagedError
from audit.fsck import FAULTS, check_log
from audit.tiles import TILE_WIDTH, TileFolder
from audit.verifiers import Trust
from licence.errors import FormatError, IdentifierError
from licence.identifiers import LicenceIdentifier
from licence.lifecycle import State, status_of
from licence.model import Fault
from licence.population.model import PENDING, Count, PopulationReport
from licence.status.authentic import authentic_token
from licence.status.events import Bound, Changed, Issued, Published
from licence.status.lists import SHARD_SLOTS, Status, token_digest
from licence.status.projection import Projection, count_statuses

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime
    from pathlib import Path

    from licence.population.model import Issuer, LicenceRow, Totals
    from licence.trust import TrustStore

MAX_FINDINGS_PER_CODE = 1000
# What a change may take from decision to log, and from log to published list: a revocation is visible in a minute.
CHANGE_WITHIN = timedelta(hours=24)
PUBLISH_WITHIN = timedelta(seconds=60)
# 128 bits over each credential's digest are kept: nobody finds a second text for them.
_DIGEST_BYTES = 16
_PER_BYTE = 4


@dataclass(slots=True)
class _Audit:
    at: datetime
    issuers: Mapping[str, Issuer]
    change_within: timedelta
    publish_within: timedelta
    projection: Projection
    visible_within: timedelta | None = None
    findings: list[Fault] = field(default_factory=list)
    tally: Counter[str] = field(default_factory=Counter)
    # By slot: half a hash of the credential's digest, the log index of the issue, the state, the kind's number, and
    # when the last change was logged.
    digests: bytearray = field(default_factory=bytearray)
    indices: array[int] = field(default_factory=lambda: array("Q"))
    states: bytearray = field(default_factory=bytearray)
    kinds: array[int] = field(default_factory=lambda: array("H"))
    changed: array[float] = field(default_factory=lambda: array("d"))
    # When the list that shows that change was published; 0 while none is.
    shown: array[float] = field(default_factory=lambda: array("d"))
    kind_numbers: dict[str, int] = field(default_factory=dict)
    # By list: when the oldest change was logged that no token shows yet, and the newest publication.
    waiting: dict[str, datetime] = field(default_factory=dict)
    hidden: dict[str, list[int]] = field(default_factory=dict)
    newest: dict[str, int] = field(default_factory=dict)
    found_tokens: dict[str, int] = field(default_factory=dict)
    listed: Counter[Status] = field(default_factory=Counter)

    def find(self, code: str, where: str, **params: object) -> None:
        self.tally[code] += 1
        if self.tally[code] <= MAX_FINDINGS_PER_CODE:
            self.findings.append(Fault(where, code, tuple((k, str(v)) for k, v in params.items())))


def audit_population(
    log: Path,
    trust: TrustStore,
    *,
    rows: Iterable[LicenceRow],
    tokens: Iterable[str],
    issuers: Mapping[str, Issuer],
    totals: Totals,
    at: datetime,
    change_within: timedelta = CHANGE_WITHIN,
    publish_within: timedelta = PUBLISH_WITHIN,
    visible_within: timedelta | None = None,
    slots: int = SHARD_SLOTS,
) -> PopulationReport:
    """Audit the log folder *log*, the newest token of each status list, the database's *rows* and published *totals*.

    *issuers* by their unified social credit codes. *visible_within*: from the decision, as its row has it, to the list
    that shows it; None: not looked at. What is wrong with any of these is a finding, never an exception;
    *rows* and *tokens* are read once, and errors of their own iterators pass through.
    """
    audit = _Audit(at, issuers, change_within, publish_within, Projection(slots), visible_within)
    size, root = _check_log(audit, log, trust)  # Step 1.
    given = _read_tokens(audit, tokens, trust)  # Step 2.
    _fold(audit, log, size, given)  # Steps 3 and 4.
    _check_published(audit, given)
    database = _check_rows(audit, rows)  # Step 5.
    counts = _reconcile(audit, database, totals)  # Step 6.
    return PopulationReport(
        at=at,
        origin=_origin(log),
        size=size,
        root=root,
        lists=len(audit.projection.lists),
        licences=audit.projection.issued,
        pending=database[PENDING],
        counts=counts,
        findings=(*audit.findings, *audit.projection.faults),
        tally=audit.tally + Counter(f.code for f in audit.projection.faults),
    )


def _check_log(audit: _Audit, log: Path, trust: TrustStore) -> tuple[int, bytes]:
    report = check_log(log, Trust(trust.log_verifiers))
    for fault in report.faults:
        en, zh = (FAULTS[fault.code][zh].format(**dict(fault.params)) for zh in (False, True))
        audit.find("population_log_fault", fault.where, problem=f"{zh} {en}")
    return report.size, report.root


def _origin(log: Path) -> str:
    try:
        return parse_unverified((log / "checkpoint").read_text(encoding="utf-8")).origin
    except (OSError, ValueError, AuditError):
        return "?"


def _read_tokens(audit: _Audit, tokens: Iterable[str], trust: TrustStore) -> dict[str, tuple[str, bytes]]:
    """Digest → (URI, packed list) of every token that counts."""
    given: dict[str, tuple[str, bytes]] = {}
    for number, text in enumerate(tokens):
        try:
            token = authentic_token(text, trust)
            states = token.states()
        except FormatError as fault:
            audit.find("population_token_invalid", f"token {number}", fault=fault.code)
            continue
        given[token_digest(text)] = (token.uri, states.packed)
        audit.listed.update(count_statuses(states.packed))
    return given


def _fold(audit: _Audit, log: Path, size: int, given: Mapping[str, tuple[str, bytes]]) -> None:
    folder = TileFolder(log)
    for bundle in range((size + TILE_WIDTH - 1) // TILE_WIDTH):
        try:
            entries = folder.entries(bundle, size)
        except LogDamagedError:
            return  # Step 1 said so; what follows a gap cannot be folded.
        for data in entries:
            _take(audit, data, given)


def _take(audit: _Audit, data: bytes, given: Mapping[str, tuple[str, bytes]]) -> None:
    event, touched = audit.projection.step(data)
    if isinstance(event, Issued):
        _keep(audit, event)
        _check_issue(audit, event)
    elif isinstance(event, Bound):
        # Sealed anew, hence by a key that must have been its issuer's then.
        _check_issue(audit, event)
    elif isinstance(event, Changed):
        place = audit.projection.place(event.licence)
        if place is None:
            return
        audit.states[place] = int(event.state)
        if touched:
            # The first entry of a change counts: two revocations at once were visible with the first.
            audit.changed[place] = event.at.timestamp()
            audit.waiting.setdefault(touched, event.at)
            audit.shown[place] = 0.0
            audit.hidden.setdefault(touched, []).append(place)
    elif isinstance(event, Published):
        _check_token(audit, event, given)


def _keep(audit: _Audit, event: Issued) -> None:
    place = audit.projection.place(event.licence)
    if place is None:
        return
    if place >= len(audit.states):
        more = (place // audit.projection.slots + 1) * audit.projection.slots - len(audit.states)
        audit.digests += bytes(more * _DIGEST_BYTES)
        audit.states += bytes(more)
        audit.indices.frombytes(bytes(more * audit.indices.itemsize))
        audit.kinds.frombytes(bytes(more * audit.kinds.itemsize))
        audit.changed.frombytes(bytes(more * audit.changed.itemsize))
        audit.shown.frombytes(bytes(more * audit.shown.itemsize))
    audit.digests[place * _DIGEST_BYTES : (place + 1) * _DIGEST_BYTES] = _half(event.credential)
    audit.indices[place] = event.index
    audit.states[place] = int(State.VALID)
    audit.kinds[place] = _kind_number(audit, event.kind)


def _half(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:_DIGEST_BYTES]


def _kind_number(audit: _Audit, kind: str) -> int:
    """A number for *kind*, from 1; kinds beyond what 16 bits count share the last: they are in nobody's mandate."""
    known = audit.kind_numbers
    return known.setdefault(kind, len(known) + 1) if len(known) < (1 << 16) - 2 else known.get(kind, (1 << 16) - 1)


def _check_issue(audit: _Audit, event: Issued | Bound) -> None:
    where = f"entry {event.index}"
    try:
        identifier = LicenceIdentifier.parse(event.licence)
    except IdentifierError:
        identifier = None
    if identifier is None or identifier.type_code != event.kind:
        audit.find("population_identifier_differs", where, licence=event.licence, kind=event.kind)
        return
    issuer = audit.issuers.get(identifier.issuer)
    if issuer is None or event.kind not in issuer.kinds:
        audit.find("population_outside_mandate", where, issuer=identifier.issuer, licence=event.licence)
        return
    told = {"licence": event.licence, "issuer": identifier.issuer, "at": event.at.isoformat(timespec="seconds")}
    if not any(starts <= event.at <= ends for starts, ends in issuer.certificates):
        audit.find("population_certificate_out_of_time", where, **told)
    if issuer.seals and not any(starts <= event.at <= ends for starts, ends in issuer.seals):
        audit.find("population_seal_out_of_time", where, **told)


def _check_token(audit: _Audit, event: Published, given: Mapping[str, tuple[str, bytes]]) -> None:
    audit.newest[event.uri] = event.index
    waited = audit.waiting.pop(event.uri, None)
    for place in audit.hidden.pop(event.uri, ()):
        audit.shown[place] = event.at.timestamp()
    if waited is not None:
        _check_publication(audit, event.uri, waited, event.at, f"entry {event.index}")
    uri, packed = given.get(event.token, ("", b""))
    if uri != event.uri:
        return
    audit.found_tokens[event.token] = event.index
    folded = audit.projection.packed(uri)
    size = max(len(folded), len(packed))
    if folded.ljust(size, b"\0") == packed.ljust(size, b"\0"):
        return
    for at in range(size):
        ours, theirs = (part[at] if at < len(part) else 0 for part in (folded, packed))
        for step in range(_PER_BYTE):
            logged, published = ours >> 2 * step & 3, theirs >> 2 * step & 3
            if logged != published:
                idx = at * _PER_BYTE + step
                told = {"uri": uri, "idx": idx, "published": published, "logged": logged}
                audit.find("population_list_differs", f"entry {event.index}", **told)


def _check_publication(audit: _Audit, uri: str, logged: datetime, published: datetime, where: str) -> None:
    late = published - logged
    if late > audit.publish_within:
        told = {"seconds": int(late.total_seconds()), "limit": int(audit.publish_within.total_seconds())}
        audit.find("population_late_publication", where, uri=uri, **told)


def _check_published(audit: _Audit, given: Mapping[str, tuple[str, bytes]]) -> None:
    for uri, waited in audit.waiting.items():
        _check_publication(audit, uri, waited, audit.at, uri)
    for digest, (uri, _) in given.items():
        index = audit.found_tokens.get(digest)
        if index is None:
            audit.find("population_token_not_logged", uri, uri=uri)
        elif index != audit.newest[uri]:
            audit.find("population_token_not_newest", uri, uri=uri, index=index, newest=audit.newest[uri])
    for uri in audit.projection.lists.keys() - {uri for uri, _ in given.values()}:
        audit.find("population_list_missing", uri, uri=uri)


def _check_rows(audit: _Audit, rows: Iterable[LicenceRow]) -> Counter[str]:
    """Step 5; how many rows there are by status name, by ``kind:`` code, and pending."""
    found: Counter[str] = Counter()
    seen = bytearray(len(audit.states))
    for number, row in enumerate(rows):
        place = audit.projection.place(row.identifier)
        where = f"row {number}"
        found[PENDING] += row.state == PENDING
        if row.state != PENDING or place is not None:
            # One that is logged and not handed out yet is issued, on both sides.
            found["issued"] += 1
            found[f"kind:{row.kind}"] += 1
        if place is None:
            if row.state != PENDING:
                audit.find("population_row_without_entry", where, licence=row.identifier)
        elif seen[place]:
            audit.find("population_row_twice", where, licence=row.identifier)
        else:
            seen[place] = 1
            if row.state != PENDING:
                _check_row(audit, row, place, where, found)
    for place, taken in enumerate(audit.states):
        if taken and not seen[place]:
            index = audit.indices[place]
            audit.find("population_entry_without_row", f"entry {index}", index=index)
    return found


def _check_row(audit: _Audit, row: LicenceRow, place: int, where: str, found: Counter[str]) -> None:
    try:
        state = State(row.state)
        found[status_of(state).name] += 1
        same_state = int(state) == audit.states[place]
    except ValueError:
        same_state = False
    digest = audit.digests[place * _DIGEST_BYTES : (place + 1) * _DIGEST_BYTES]
    reference = audit.projection.reference(place)
    parts = row.identifier.split(".")
    fields = {
        "state": same_state,
        "credential_digest": _half(row.credential_digest) == digest,
        "log_index": row.log_index == audit.indices[place],
        "status": (row.status_uri, row.status_index) == (reference.uri, reference.idx),
        "kind": audit.kind_numbers.get(row.kind) == audit.kinds[place],
        "issuer": row.issuer == (parts[-4] if len(parts) > 4 else ""),  # noqa: PLR2004 - serial, version, check after it
    }
    for name, same in fields.items():
        if not same:
            audit.find("population_row_differs", where, licence=row.identifier, field=name)
    logged = audit.changed[place]
    if row.changed_at is None or not logged:
        return
    decided = row.changed_at.timestamp()
    visible = (audit.shown[place] or audit.at.timestamp()) - decided
    if audit.visible_within is not None and visible > audit.visible_within.total_seconds():
        told = {"seconds": int(visible), "limit": int(audit.visible_within.total_seconds())}
        audit.find("population_late_visible", where, licence=row.identifier, **told)
    late = logged - decided
    if late > audit.change_within.total_seconds():
        told = {"seconds": int(late), "limit": int(audit.change_within.total_seconds())}
        audit.find("population_late_change", where, licence=row.identifier, **told)


def _reconcile(audit: _Audit, database: Counter[str], totals: Totals) -> tuple[Count, ...]:
    logged = audit.projection.counts()
    # A change that waits, in time, to be published is in no list yet.
    judged = not audit.waiting
    counts = [Count("issued", database["issued"], audit.projection.issued, None, totals.issued)]
    for name, status, published in (
        ("invalid", Status.INVALID, totals.invalid),
        ("suspended", Status.SUSPENDED, totals.suspended),
    ):
        counts.append(Count(name, database[status.name], logged[status], audit.listed[status], published, judged))
    by_number = Counter(n for n, taken in zip(audit.kinds, audit.states, strict=True) if taken)
    for kind in sorted(audit.kind_numbers.keys() | totals.by_kind.keys()):
        in_log = by_number[audit.kind_numbers.get(kind, 0)]
        counts.append(Count(kind, database[f"kind:{kind}"], in_log, None, totals.by_kind.get(kind)))
    for one in counts:
        if not one.agree:
            told = {"database": one.database, "log": one.log, "lists": one.lists, "published": one.published}
            audit.find("population_counts_differ", one.what, what=one.what, **told)
    return tuple(counts)
