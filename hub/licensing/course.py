"""The course of issuing a group of licences, of one or of a thousand.

The steps, by number:

    1. slots and running numbers, in one short control transaction
    2. seal: pure, in `licence.issue`, outside of any transaction
    3. keep: the sealed credentials are durable in the store
    4. name: pending rows say where they lie, in one transaction
    5. log: the digests are durable entries, in one append
    6. hand out: the rows say 有效 and name their entries, in one transaction

A kill after 1 loses slots, which nobody gets again; after 2 or 3 it leaves credentials that no row names, and nobody
ever sees. From 4 on the row says what was sealed, so it is gone on with and not sealed again: step 5 looks whether the
log has the entry already. No status list need be published: a slot says 有效 from the beginning of its list.

Facts come from `hub.licensing.issuing` and `hub.licensing.batches`.
"""

from __future__ import annotations

import fcntl
import hashlib
import secrets
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from audit.entry import Entry
from hub import quickjson
from hub.control import LicenceRow, StatusListRow, row_dict
from hub.evidence import LOOK_BACK
from hub.licensing import glyphs
from hub.licensing.archive import Archive
from hub.licensing.lookups import PENDING, change_plain, insert_standing, make_valid, take_slots, update_licence
from hub.licensing.statuses import status_uri
from licence import lifecycle
from licence.credential import digest_of
from licence.identifiers import LicenceIdentifier, mint
from licence.issue import issue, salts_needed
from licence.model import StatusRef
from licence.profile import LICENCE_ENTRY
from licence.status import events

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence
    from datetime import datetime

    from catalog.model import Department
    from hub.evidence import Draft
    from licence.keys import SigningKey
    from licence.model import LicenceKind
    from licence.wallet.jwk import HolderKey

SEALED: Final = ".sealed"
SERIAL_DIGITS: Final = 8
SALT_BYTES: Final = 16
# A group is sealed, kept, logged and named together: half a second's work, and what one kill can leave undone.
LICENCES_PER_GROUP: Final = 1000
LEAVES_PER_READ: Final = 10_000
# By how much the clocks of two processes of one deployment may differ.
CLOCKS_APART: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Order:
    """What was decided: licences of *kind*, by *by* (department:officer) and *second*, in the case *dossier* if any."""

    kind: LicenceKind
    by: str
    reason: str
    ground: str
    second: str = ""
    dossier: str = ""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A licence that is to be issued from *facts* about what has *holder_hash*.

    *ends* False: by the rule of the kind. *identifier* and *predecessor*: it is the next version of a licence.
    """

    holder_hash: str
    facts: Mapping[str, Any]
    holder_key: HolderKey | None = None
    valid_from: datetime | None = None
    valid_until: datetime | None = None
    identifier: LicenceIdentifier | None = None
    predecessor: str = ""


class Course(Archive):
    """The room that takes the steps. Safe for many processes: they seal at once, and take steps 3 to 6 in turn."""

    def _issue_group(self, order: Order, wanted: Sequence[Wanted]) -> list[str]:
        """Issue all of *wanted* whose holder has no such licence meanwhile; the identifiers of those issued.

        Raises: as `licence.issue.issue`; then none of them was issued.
        """
        rows, sealed = self._seal_group(order, wanted)  # steps 1 and 2
        with self._alone():
            self._name(rows, sealed)  # steps 3 and 4
            with self.control.writing() as connection:
                there = insert_standing(connection, rows)
            rows = [row for row in rows if row["identifier"] in there]
            self._finish(rows, known={})  # steps 5 and 6
        return [row["identifier"] for row in rows]

    def _go_on(self, kind: LicenceKind, identifiers: Collection[str] = ()) -> list[str]:
        """Finish what was named and not handed out, of these *identifiers* (none: all of the *kind*); those finished.

        The one who names finishes before it lets others in, so what is pending here was left by a kill.
        """
        found = LicenceRow.__table__.c
        where = [found.kind == kind.code, found.state == PENDING, sa.not_(found.replacing)]
        if identifiers:
            where.append(found.identifier.in_(list(identifiers)))
        query = sa.select(LicenceRow.__table__).where(*where).limit(LICENCES_PER_GROUP)
        finished: list[str] = []
        with self._alone():
            while True:
                with self.control.reading() as connection:
                    rows = [row_dict(row) for row in connection.execute(query)]
                if not rows:
                    return finished
                rows = self._taken_over(rows)
                self._finish(rows, known=self._logged(rows))
                finished += [row["identifier"] for row in rows]

    def _seal_group(self, order: Order, wanted: Sequence[Wanted]) -> tuple[list[dict[str, Any]], list[str]]:
        """Pending rows and credentials, kept by nobody yet."""
        first = lifecycle.issue(  # Refuses an order without a reason, before anything is taken.
            identifier="",
            kind=order.kind.code,
            issuer=order.kind.issuer,
            at=self.clock(),
            reason=order.reason,
            ground=order.ground,
        )
        history = [change_plain(change, officer=order.by, second=order.second) for change in first.history]
        slots = self._take_slots(len(wanted))
        key = self.keys.department(order.kind.issuer)
        issuer = self.standing.now().list.departments_by_code[order.kind.issuer]
        # Whole seconds: what is sealed and what is stored must be the same instant.
        now = self.clock().replace(microsecond=0)
        common = {"history": history, "key_id": key_id(key), "dossier": order.dossier, "issued_at": now}
        rows, sealed = [], []
        for one, (shard, slot, number) in zip(wanted, slots, strict=True):
            row, text = self._seal(order, one, key, issuer=issuer, slot=(shard, slot, number), now=now)
            rows.append({**common, **row})
            sealed.append(text)
        return rows, sealed

    def _take_slots(self, count: int) -> list[tuple[str, int, int]]:
        with self.control.writing() as connection:
            slots = take_slots(connection, self.slots, count)
            lists = {shard for shard, _, _ in slots}
            fresh = sa.select(StatusListRow.name).where(
                StatusListRow.name.in_(lists), StatusListRow.published_at.is_(None)
            )
            unpublished = list(connection.execute(fresh).scalars())
        for name in unpublished:
            # Before the first licence names it: a verifier that asks for the list must find one.
            self.publish_status(name)
        return slots

    def _seal(
        self,
        order: Order,
        one: Wanted,
        key: SigningKey,
        *,
        issuer: Department,
        slot: tuple[str, int, int],
        now: datetime,
    ) -> tuple[dict[str, Any], str]:
        kind = order.kind
        glyphs.require(kind, one.facts)
        shard, index, number = slot
        identifier = one.identifier or mint(
            type_code=kind.code, issuer=issuer.uscc, serial=f"{now.year}{number:0{SERIAL_DIGITS}d}"
        )
        ends = one.valid_until or kind.ends_at(one.valid_from or now, one.facts)
        count = salts_needed(kind)
        drawn = secrets.token_bytes(count * SALT_BYTES)
        sealed = issue(
            kind,
            one.facts,
            identifier=identifier,
            issued_at=now,
            valid_until=ends,
            key=key,
            status_ref=StatusRef(status_uri(shard), index),
            salts=[drawn[at : at + SALT_BYTES] for at in range(0, len(drawn), SALT_BYTES)],
            valid_from=one.valid_from,
            issuer_name=issuer.name,
            holder=one.holder_key,
        )
        row: dict[str, Any] = {
            "identifier": sealed.identifier,
            "kind": kind.code,
            "holder_hash": one.holder_hash,
            "owner_hash": self.owner(kind.holder_type, str(one.facts[kind.holder_field])),
            "resource": kind.resource,
            "status_list": shard,
            "status_index": index,
            "state": PENDING,
            "valid_until": ends,
            "credential_digest": sealed.digest,
            "log_index": None,
            "bundle_path": None,
            "predecessor": one.predecessor,
            "replacing": bool(one.predecessor),
        }
        return row, sealed.credential

    def _name(self, rows: Sequence[dict[str, Any]], sealed: Sequence[str]) -> None:
        """Step 3: put the credentials into the store, and their places into *rows*."""
        for row, place in zip(rows, self.store.append([text.encode("ascii") for text in sealed]), strict=True):
            row |= {"segment": place.segment, "segment_offset": place.offset, "sealed_bytes": place.length}

    def _finish(self, rows: Sequence[Mapping[str, Any]], *, known: Mapping[str, int]) -> None:
        """Steps 5 and 6 for *rows*; *known* are the entries of some of them that are in the log already."""
        version = self.standing.now().list.version
        indexes = dict(known)
        drafts = {row["identifier"]: self._entry(row, version) for row in rows if row["identifier"] not in indexes}
        if drafts:
            indexes.update(zip(drafts, self.evidence.keep(list(drafts.values())), strict=True))
        if rows:
            with self.control.writing() as connection:
                make_valid(connection, {row["identifier"]: indexes[row["identifier"]] for row in rows})

    def _entry(self, row: Mapping[str, Any], list_version: str) -> Draft:
        return self.evidence.draft(
            LICENCE_ENTRY,
            actor=row["history"][0]["officer"],
            subject=row["holder_hash"],
            resource=row["resource"],
            facts={
                "licence": row["identifier"],
                "credential": row["credential_digest"],
                "kind": row["kind"],
                "status": {"uri": status_uri(row["status_list"]), "idx": row["status_index"]},
                "list_version": list_version,
            },
            encoder=quickjson.encode,
        )

    def _logged(self, rows: Sequence[Mapping[str, Any]]) -> dict[str, int]:
        """Which of *rows* have an entry already, and where: a kill may lie between step 5 and step 6.

        The log is read backwards to before the oldest of them was sealed, and at least `LOOK_BACK` entries.
        """
        known = {row["identifier"]: int(row["log_index"]) for row in rows if row["log_index"] is not None}
        asked = {row["credential_digest"]: row["identifier"] for row in rows if row["log_index"] is None}
        oldest = min((row["issued_at"] for row in rows), default=self.clock()) - CLOCKS_APART
        log = self.evidence.log
        size = stop = log.size
        while stop and len(asked) > 0:
            start = max(0, stop - LEAVES_PER_READ)
            leaves = list(log.entries(start, stop))
            for index, leaf in enumerate(leaves, start):
                event = events.read_event(leaf, index)
                if isinstance(event, events.Issued) and asked.get(event.credential) == event.licence:
                    known[asked.pop(event.credential)] = index
            if size - start >= LOOK_BACK and Entry.decode(leaves[0]).at < oldest:
                break
            stop = start
        return known

    def _taken_over(self, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """*rows*, those of before there was a store brought into it; what was never sealed is given up."""
        kept = []
        for row in rows:
            if row["segment"] is None:
                draft = self._path(row["identifier"], SEALED)
                try:
                    text = draft.read_text(encoding="ascii")
                except FileNotFoundError:
                    with self.control.writing() as connection:
                        connection.execute(sa.delete(LicenceRow).where(LicenceRow.identifier == row["identifier"]))
                    continue
                self._name([row], [text])
                row["credential_digest"] = digest_of(text.partition("~")[0])
                changed = ("segment", "segment_offset", "sealed_bytes", "credential_digest")
                with self.control.writing() as connection:
                    update_licence(connection, row["identifier"], **{name: row[name] for name in changed})
                draft.unlink()
            kept.append(row)
        return kept

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """One process at a time takes steps 3 to 6: what another finds pending was then left by a kill."""
        self.settings.licences.mkdir(mode=0o700, parents=True, exist_ok=True)
        with (self.settings.licences / "issuing.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def key_id(key: SigningKey) -> str:
    """By what a row names the key that signed: SHA-256 of its certificate, in hex."""
    return hashlib.sha256(key.chain_der[0]).hexdigest()
