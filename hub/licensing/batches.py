"""Issues licences to every record of an authoritative resource, in groups; each record once, whatever is killed when.

The rows are read by the hub from the table's snapshot, under a grant of the issuing department with the action `batch`;
the reading is an entry of the log before anybody hears of a row. A group goes through the steps of
`hub.licensing.course` together. A run that died is gone on with by running it again: what is pending is finished first,
and who has a licence is passed by.

Rows are read some at a time, three times over: once to see which of them nothing tells apart, once to plan, once to
issue. What comes of a row is `hub.licensing.planning`'s.
"""

from __future__ import annotations

import hashlib
import unicodedata
from array import array
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

from catalog.access import AccessRequest
from catalog.model import Mask
from hub.batches.order import BATCH
from hub.errors import NoIssuingGrantError
from hub.licensing.course import LICENCES_PER_GROUP, Order, Wanted
from hub.licensing.errors import BatchTooLargeError, KindNotSourcedError, SecondOfficerError
from hub.licensing.issuing import Issuing
from hub.licensing.lookups import holders_of
from hub.licensing.planning import OK, OUTCOMES, ROWS_TOLD, Candidate, Plan, Planned, plan_rows
from hub.storing import open_warehouse
from licence.lifecycle.dossier import TWO_PERSONS, same_person

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence

    from catalog.decide import Grant
    from licence.model import LicenceKind

# What is remembered of each row while they are told apart is 16 bytes: a gigabyte at most.
MAX_ROWS: Final = 50_000_000
_BUCKETS: Final = 256


@dataclass(frozen=True, slots=True)
class BatchDone:
    """What a run came to: its *plan*, and how many licences it *issued*, those that another left pending included."""

    plan: Plan
    issued: int


@dataclass(frozen=True, slots=True)
class Reading:
    """The rows of one snapshot, read under *grant*: *fields* of each, which *further* ones name a record.

    *repeated* are short hashes of the holders that have several records, and of the keys that several records have.
    """

    kind: LicenceKind
    grant: Grant
    snapshot: int | None
    fields: tuple[str, ...]
    further: tuple[str, ...]
    repeated: frozenset[int]


class Batches(Issuing):
    """The room that issues by the thousand. Several runs at once are safe: each record still gets one licence."""

    def plan_batch(self, kind: LicenceKind, *, by: str, each: Callable[[Planned], None] | None = None) -> Plan:
        """What `issue_batch` would do with each row now; issues nothing. *each* is told of every row.

        Raises:
            KindNotSourcedError: no issuer and no resource are named for the kind.
            NoIssuingGrantError: the issuing department may not read the whole resource unmasked in a batch.
            BatchTooLargeError: the resource has more rows than a run takes.
            TableMissingError: nothing was loaded yet.
        """
        return self._plan(self._open_reading(kind), by=by, each=each)

    def issue_batch(
        self,
        kind: LicenceKind,
        *,
        reason: str,
        ground: str,
        by: str,
        second: str = "",
        run: str = "",
        told: Callable[[int, int], None] = lambda _done, _total: None,
    ) -> BatchDone:
        """Issue to every record that can have a licence and has none; *told* hears how many of how many are done.

        It hears so after each group that was issued, and what it raises ends the batch there. *second* is the officer
        who decides beside *by*, where the kind is decided by two. *run*: by what the licences name the batch.

        Raises: as `plan_batch`, GroundMissingError, SecondOfficerError. Whatever is raised, running it again goes on.
        """
        if kind.approvals >= TWO_PERSONS and (not second.strip() or same_person(_post(by), _post(second))):
            raise SecondOfficerError(kind=kind.name)
        reading = self._open_reading(kind)
        finished = len(self._go_on(kind))
        plan = self._plan(reading, by=by)
        order = Order(kind, by, reason, ground, second=second, dossier=run)
        total = plan.counts[OK] + finished
        issued = finished
        # Closed here: what was raised while a group was issued would hold on to the open table.
        with closing(self._groups(reading)) as groups:
            for ready in _ready(groups):
                issued += len(self._issue_group(order, ready))
                told(issued, total)
        return BatchDone(plan, issued)

    def _plan(self, reading: Reading, *, by: str, each: Callable[[Planned], None] | None = None) -> Plan:
        counts, kept = Counter[str](), list[Planned]()
        for group in self._groups(reading):
            for one in group:
                counts[one.outcome] += 1
                if one.outcome != OK and len(kept) < ROWS_TOLD:
                    kept.append(one)
        # Before anybody hears of a row.
        entry = self.evidence.append(
            "licence.batch",
            actor=by,
            resource=reading.kind.resource,
            facts={
                "kind": reading.kind.code,
                "grant": reading.grant.id,
                "snapshot": str(reading.snapshot or ""),
                "list_version": self.standing.now().list.version,
                "rows": counts.total(),
                "outcomes": {outcome: counts[outcome] for outcome in OUTCOMES if counts[outcome]},
            },
        )
        if each is not None:
            for group in self._groups(reading):
                for one in group:
                    each(one)
        whole = {outcome: counts[outcome] for outcome in OUTCOMES}
        return Plan(reading.kind.code, reading.grant.id, reading.snapshot or 0, entry.index, whole, tuple(kept))

    def _open_reading(self, kind: LicenceKind) -> Reading:
        if not kind.sourced:
            raise KindNotSourcedError(kind=kind.name)
        resource = self.standing.now().list.by_code[kind.resource]
        further = tuple(f.name for f in resource.key if f.lookup and f.name != kind.holder_field)
        fields = tuple(dict.fromkeys((*kind.source_fields, *further)))
        grant = self._batch_grant(kind, fields)
        with open_warehouse(self.settings) as warehouse:
            snapshot = warehouse.current_snapshot(kind.resource)
            count = 0 if snapshot is None else warehouse.count(kind.resource, snapshot)
        if count > MAX_ROWS:
            raise BatchTooLargeError(resource=kind.resource, rows=count, limit=MAX_ROWS)
        reading = Reading(kind, grant, snapshot, fields, further, frozenset())
        return replace(reading, repeated=self._repeated(reading))

    def _batch_grant(self, kind: LicenceKind, fields: tuple[str, ...]) -> Grant:
        """In force, of every row without a quota, and with every field as it is: the first of these."""
        rights = self.standing.now().rights(kind.issuer, kind.resource)
        for grant in rights.grants:
            if BATCH not in grant.actions or grant.rows or grant.quota_per_day:
                continue
            request = AccessRequest(kind.issuer, kind.resource, BATCH, fields, (), grant.purposes[0], grant.id)
            decision = rights.decide(request, self.evidence.clock())
            if decision.allowed and all(mask is Mask.NONE for _, mask in decision.masks) and not decision.scopes:
                return grant
        raise NoIssuingGrantError(department=kind.issuer, resource=kind.resource)

    def _parts(self, reading: Reading, fields: Sequence[str]) -> Iterator[list[dict[str, Any]]]:
        if reading.snapshot is None:
            return
        with open_warehouse(self.settings) as warehouse:
            yield from warehouse.scan_parts(
                reading.kind.resource, reading.snapshot, fields, rows_per_part=LICENCES_PER_GROUP
            )

    def _repeated(self, reading: Reading) -> frozenset[int]:
        # Of equal hashes in different buckets there are none, so a bucket is looked at alone.
        seen = [array("Q") for _ in range(_BUCKETS)]
        for part in self._parts(reading, (reading.kind.holder_field, *reading.further)):
            for row in part:
                holder, whole = self._keys(reading, row)
                for keys in (holder, whole) if reading.further else (holder,):
                    short = _short(keys)
                    seen[short % _BUCKETS].append(short)
        found = set[int]()
        for bucket in seen:
            found.update(one for one, other in pairwise(sorted(bucket)) if one == other)
        return frozenset(found)

    def _keys(self, reading: Reading, row: Mapping[str, Any]) -> tuple[dict[str, str], dict[str, str]]:
        """What names a row's holder, and what names the record of a holder of several."""
        holder = {reading.kind.holder_field: str(row[reading.kind.holder_field] or "").strip()}
        return holder, {**holder, **{name: str(row[name]) for name in reading.further}}

    def _candidates(self, reading: Reading, rows: Sequence[dict[str, Any]], first: int) -> list[Candidate]:
        found = []
        for number, row in enumerate(rows, first):
            holder, whole = self._keys(reading, row)
            # As at the counter: the record is named where the holder has several.
            several = _short(holder) in reading.repeated
            keys, other = (whole, holder) if several else (holder, whole)
            rival = several and (not reading.further or _short(whole) in reading.repeated)
            hash_ = self._holder_hash(reading.kind, keys)
            other_hash = self._holder_hash(reading.kind, other) if reading.further else hash_
            found.append(Candidate(number, keys, hash_, other_hash, row, rival=rival))
        return found

    def _groups(self, reading: Reading) -> Generator[tuple[Planned, ...]]:
        """What would come of each row now, some at a time."""
        first = 1
        for rows in self._parts(reading, reading.fields):
            candidates = self._candidates(reading, rows, first)
            first += len(rows)
            hashes = [hash_ for one in candidates for hash_ in {one.holder_hash, one.other_hash}]
            with self.control.reading() as connection:
                holding = holders_of(connection, reading.kind.code, hashes)
            yield plan_rows(reading.kind, candidates, holding, self.clock())


def _ready(groups: Iterable[Sequence[Planned]]) -> Iterator[list[Wanted]]:
    """Those of each group that a licence can be issued to, if there are any."""
    for group in groups:
        ready = [one.candidate for one in group if one.outcome == OK]
        if ready:
            yield [Wanted(one.holder_hash, one.facts) for one in ready]


def _post(officer: str) -> str:
    """The post of ``DEPT:POST``, or of a post alone."""
    return unicodedata.normalize("NFKC", officer).rpartition(":")[2]


def _short(keys: Mapping[str, str]) -> int:
    """64 bits of a hash: of 50 million rows, two that differ are taken for equal once in ten thousand runs."""
    text = "\x1f".join(keys.values()).encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "big") ^ len(keys)
