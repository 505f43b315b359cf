"""Compares what the authoritative resource says with what was issued: nothing is changed, every difference is told.

Rows are told by number and keyed digest, licences by identifier and digest; what stands in them is never told.
The reading is recorded as a batch is, and so is the result.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from hub.control import LicenceRow, row_dict
from hub.licensing.batches import Batches
from hub.licensing.course import LICENCES_PER_GROUP
from hub.licensing.errors import StoreDamagedError
from hub.licensing.lookups import PENDING
from hub.licensing.planning import DIGEST_DIGITS, OK, OUTCOMES, ROWS_TOLD, plan_rows
from licence import credential
from licence.errors import FaceValueError, FactsIncompleteError
from licence.issue import face
from licence.lifecycle import State

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    from hub.licensing.batches import Reading
    from hub.licensing.planning import Candidate
    from licence.model import LicenceKind

AGREES, DIFFERS, GONE, EXPIRED = "agrees", "face_differs", "record_gone", "expired"
NOT_ISSUED, UNREADABLE = "not_issued", "licence_unreadable"
# What a reconciliation finds: English, Chinese. Records without a licence that fail a rule are told by that rule.
FINDINGS: Final[dict[str, tuple[str, str]]] = {
    AGREES: ("licence agrees with the record", "证照与记录一致"),
    NOT_ISSUED: ("record without a licence: not issued yet", "有记录无证照：尚未签发"),
    **{outcome: (f"record without a licence: {en}", f"有记录无证照：{zh}") for outcome, (en, zh) in OUTCOMES.items()},
    DIFFERS: ("the face no longer agrees with the record", "照面与记录不一致"),
    EXPIRED: ("the licence is past its end and not marked as lapsed", "证照已届满而未置为失效"),
    GONE: ("licence whose record is gone", "有证照而记录已不存在"),
    UNREADABLE: ("the licence cannot be read from the store", "无法从存储读取证照"),
}
STANDING: Final = (PENDING, State.VALID.value, State.SUSPENDED.value)


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that does not agree: *row* of the snapshot (0: none), digest of its *key*, *licence* if there is one.

    *fields* are names of the face that differ, never what stands in them.
    """

    finding: str
    row: int
    key: str
    licence: str = ""
    fields: tuple[str, ...] = ()

    def plain(self) -> dict[str, Any]:
        """Without personal data."""
        return {
            "finding": self.finding,
            "row": self.row,
            "key": self.key,
            "licence": self.licence,
            "fields": list(self.fields),
        }


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """What was compared: *records* of *snapshot* with *licences*; recorded as entry *log_index*.

    *differences* are the first `ROWS_TOLD`; *counts* counts all, in the order of `FINDINGS`.
    """

    kind: str
    snapshot: int
    log_index: int
    records: int
    licences: int
    counts: Mapping[str, int]
    differences: tuple[Difference, ...]

    @property
    def residual(self) -> int:
        """How many things do not agree; 0 means that every record has its licence and every licence its record."""
        return sum(count for finding, count in self.counts.items() if finding != AGREES)


class Reconciling(Batches):
    """The room that compares."""

    def reconcile(self, kind: LicenceKind, *, by: str) -> Reconciliation:
        """Compare every record of the kind's resource with every licence of the kind that stands.

        Raises: as `Batches.plan_batch`.
        """
        reading = self._open_reading(kind)
        counts, kept = Counter[str](), list[Difference]()
        seen = set[bytes]()
        records = 0

        def tell(found: Difference) -> None:
            counts[found.finding] += 1
            if found.finding != AGREES and len(kept) < ROWS_TOLD:
                kept.append(found)

        first = 1
        for rows in self._parts(reading, reading.fields):
            candidates = self._candidates(reading, rows, first)
            first += len(rows)
            records += len(rows)
            standing = self._standing(kind, [h for one in candidates for h in (one.holder_hash, one.other_hash)])
            for found in self._compared(reading, candidates, standing):
                tell(found)
            # What is remembered of a licence that has its record: as much as is needed to tell licences apart.
            seen.update(bytes.fromhex(hash_)[:DIGEST_DIGITS] for hash_ in standing)
        licences = 0
        for row in self._all_standing(kind):
            licences += 1
            if bytes.fromhex(row["holder_hash"])[:DIGEST_DIGITS] not in seen:
                tell(Difference(GONE, 0, row["holder_hash"][:DIGEST_DIGITS], row["identifier"]))
        entry = self.evidence.append(
            "licence.reconciled",
            actor=by,
            resource=kind.resource,
            facts={
                "kind": kind.code,
                "grant": reading.grant.id,
                "snapshot": str(reading.snapshot or ""),
                "list_version": self.standing.now().list.version,
                "records": records,
                "licences": licences,
                "findings": {finding: counts[finding] for finding in FINDINGS if counts[finding]},
            },
        )
        whole = {finding: counts[finding] for finding in FINDINGS}
        return Reconciliation(kind.code, reading.snapshot or 0, entry.index, records, licences, whole, tuple(kept))

    def _compared(
        self, reading: Reading, candidates: Sequence[Candidate], standing: Mapping[str, Mapping[str, Any]]
    ) -> Iterator[Difference]:
        kind, now = reading.kind, self.clock()
        without = []
        for one in candidates:
            row = standing.get(one.holder_hash) or standing.get(one.other_hash)
            if row is None or row["state"] == PENDING:
                without.append(one)
                continue
            finding, fields = self._judged(kind, one.facts, row, now)
            yield Difference(finding, one.number, one.holder_hash[:DIGEST_DIGITS], row["identifier"], fields)
        for planned in plan_rows(kind, without, (), now):
            finding = NOT_ISSUED if planned.outcome == OK else planned.outcome
            fields = (planned.field,) if planned.field else ()
            key = planned.candidate.holder_hash[:DIGEST_DIGITS]
            yield Difference(finding, planned.candidate.number, key, "", fields)

    def _judged(
        self, kind: LicenceKind, facts: Mapping[str, Any], row: Mapping[str, Any], now: datetime
    ) -> tuple[str, tuple[str, ...]]:
        if row["valid_until"] is not None and row["valid_until"] <= now:
            return EXPIRED, ()
        try:
            claims = credential.parse(self._sealed_of(row).credential).claims
        except StoreDamagedError:
            return UNREADABLE, ()
        try:
            expected: dict[str, str] = face(kind, facts)
        except (FactsIncompleteError, FaceValueError):
            # The record could not be issued from today; which fields, is the plan's to say.
            expected = face(replace(kind, face=()), facts) if facts.get(kind.holder_field) else {}
        shown = {name: value for name, value in claims.items() if name.startswith("KZ_")}
        expected = {**expected, "CZZT": str(facts.get(kind.holder_name_field) or "").strip()}
        shown["CZZT"] = claims["CZZT"]
        fields = tuple(sorted(n for n in {*expected, *shown} if expected.get(n) != shown.get(n)))
        return (DIFFERS, fields) if fields else (AGREES, ())

    def _standing(self, kind: LicenceKind, hashes: Sequence[str]) -> dict[str, dict[str, Any]]:
        query = sa.select(LicenceRow.__table__).where(
            LicenceRow.kind == kind.code,
            LicenceRow.holder_hash.in_(hashes),
            LicenceRow.state.in_(STANDING),
            sa.not_(LicenceRow.replacing),
        )
        with self.control.reading() as connection:
            return {row.holder_hash: row_dict(row) for row in connection.execute(query)}

    def _all_standing(self, kind: LicenceKind) -> Iterator[Mapping[str, Any]]:
        found, last = LicenceRow.__table__.c, ""
        while True:
            query = sa.select(found.identifier, found.holder_hash).where(
                found.kind == kind.code,
                found.state.in_(STANDING[1:]),
                sa.not_(found.replacing),
                found.identifier > last,
            )
            with self.control.reading() as connection:
                rows = connection.execute(query.order_by(found.identifier).limit(LICENCES_PER_GROUP)).all()
            yield from map(row_dict, rows)
            if len(rows) < LICENCES_PER_GROUP:
                return
            last = rows[-1].identifier
