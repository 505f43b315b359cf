"""What the office has issued: the sealed licence out of the store, its bundle made on demand, licences found again.

Issuing is `hub.licensing.issuing`'s; the files of the store are `hub.licensing.store`'s.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa
from cryptography import x509

from hub.authority import second
from hub.control import LicenceRow, row_dict
from hub.errors import LicenceUnknownError
from hub.files import replace_file
from hub.licensing.desk import shown
from hub.licensing.errors import LicencePendingError, StoreDamagedError
from hub.licensing.lookups import PENDING, licence_row, status_list_row
from hub.licensing.statuses import Statuses, status_uri
from hub.licensing.store import Place
from licence import credential
from licence.bundle import LicenceBundle
from licence.credential import digest_of
from licence.errors import FormatError
from licence.identifiers import LicenceIdentifier
from licence.model import HOLDER_TYPES, SealedLicence, StatusRef
from licence.suites import ECDSA_P256_SHA256
from licence.timestamping import TimeStampingAuthority, stamp

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

PAGE_ROWS: Final = 100
ROWS_PER_READ: Final = 1000
SERIAL_BITS: Final = 128


@dataclass(frozen=True, slots=True)
class StoreFault:
    """What a row names and the store does not hold: *where* is the place or the file."""

    identifier: str
    where: str


@dataclass(frozen=True, slots=True)
class StoreCheck:
    """The store against the rows: *named* rows were read, *before* of them from bundles of before there was a store.

    *unnamed* records are named by no row: an issue that was cut short left them, they were never handed out.
    *torn* are segments with a torn tail, harmless too.
    """

    segments: int
    records: int
    named: int
    before: int
    torn: tuple[int, ...]
    faults: tuple[StoreFault, ...]

    @property
    def unnamed(self) -> int:
        """Records that no row names."""
        return self.records - (self.named - self.before)


class Archive(Statuses):
    """The room that keeps and finds. Safe for many processes."""

    def sealed(self, identifier: str) -> SealedLicence:
        """The sealed credential of a licence that was issued, whatever its state is now.

        Raises:
            LicenceUnknownError: no licence has this identifier.
            LicencePendingError: it was not handed out yet.
            StoreDamagedError: the store does not hold what was issued.
        """
        with self.control.reading() as connection:
            row = licence_row(connection, identifier)
        return self._sealed_of(row)

    def bundle(self, identifier: str, documents: Mapping[str, bytes] | None = None) -> LicenceBundle:
        """The licence with its evidence, and with its *documents* by form (``pdf``, ``ofd``) if they are given.

        The evidence is the credential with its log proof, the newest status token with its entry and proof, the
        revocation lists of its authorities, a time stamp that says since when at the latest the credential exists, and,
        where that is set, a second signature.

        Raises: as `sealed`.
        """
        with self.control.reading() as connection:
            row = licence_row(connection, identifier)
        sealed = self._sealed_of(row)
        token, status_index = self._newest_status(row["status_list"])
        index, log = int(row["log_index"]), self.evidence.log
        self.evidence.publish_through(max(index, status_index))
        jws = credential.parse(sealed.credential).jws
        return LicenceBundle(
            identifier=identifier,
            credential=sealed.credential,
            chain=jws.chain,
            entry=log.entry(index),
            proof=log.prove(index).to_text(),
            status_token=token,
            status_entry=log.entry(status_index),
            status_proof=log.prove(status_index).to_text(),
            crls=self._lists_of(jws.chain),
            timestamp=stamp(self._time_stamps(), jws.token.encode("ascii"), suites=(ECDSA_P256_SHA256,)),
            documents=dict(documents or {}),
            second=second.sign(self.keys, self.evidence, jws.token, LicenceIdentifier.parse(identifier).issuer),
        )

    def save_bundle(self, identifier: str, path: Path | None = None) -> Path:
        """Write the bundle to *path*, by default into the folder of licences; for its owner's eyes alone."""
        target = path or self._path(identifier)
        replace_file(target, self.bundle(identifier).to_json().encode(), mode=0o600)
        return target

    def find(
        self,
        *,
        holder: str = "",
        holder_type: str = "",
        kind: str = "",
        state: str = "",
        key_id: str = "",
        since: datetime | None = None,
        until: datetime | None = None,
        after: str = "",
        limit: int = PAGE_ROWS,
    ) -> list[dict[str, Any]]:
        """Licences that meet all that is given, by identifier, *limit* of them from the one past *after*.

        *holder* is a holder's code, *holder_type* its type (empty: any); *kind* a code of a kind; *key_id* of the
        certificate it was signed with; issued from *since* until before *until*. What was never handed out is not
        found. Nothing is recorded here: that is for whoever shows the answer to somebody.
        """
        found = LicenceRow.__table__.c
        wanted = [found.state == state if state else found.state != PENDING]
        if holder:
            types = [holder_type] if holder_type else list(HOLDER_TYPES)
            wanted.append(found.owner_hash.in_([self.owner(one, holder) for one in types]))
        for column, value in ((found.kind, kind), (found.key_id, key_id)):
            if value:
                wanted.append(column == value)
        if since is not None:
            wanted.append(found.issued_at >= since)
        if until is not None:
            wanted.append(found.issued_at < until)
        if after:
            wanted.append(found.identifier > after)
        query = sa.select(LicenceRow.__table__).where(*wanted).order_by(found.identifier).limit(limit)
        with self.control.reading() as connection:
            return [shown(row_dict(row)) for row in connection.execute(query)]

    def check_store(self) -> StoreCheck:
        """Read every licence that was issued, and compare it with its row; faults are named, nothing is changed."""
        states = [self.store.walk(segment) for segment in self.store.segments()]
        named = before = 0
        faults = []
        for row in self._rows():
            named += 1
            before += row["segment"] is None
            try:
                self._sealed_of(row, pending=True)
            except StoreDamagedError as damaged:
                where = f"{damaged.params['file']}:{damaged.params['offset']}"
                faults.append(StoreFault(row["identifier"], where))
        return StoreCheck(
            segments=len(states),
            records=sum(state.records for state in states),
            named=named,
            before=before,
            torn=tuple(state.segment for state in states if state.torn),
            faults=tuple(faults),
        )

    def _rows(self, kind: str = "") -> Iterator[dict[str, Any]]:
        """All rows that name a credential, by identifier, some at a time."""
        found = LicenceRow.__table__.c
        where = [sa.or_(found.segment.is_not(None), found.bundle_path.is_not(None))]
        if kind:
            where.append(found.kind == kind)
        last = ""
        while True:
            query = sa.select(LicenceRow.__table__).where(*where, found.identifier > last)
            with self.control.reading() as connection:
                rows = connection.execute(query.order_by(found.identifier).limit(ROWS_PER_READ)).all()
            yield from map(row_dict, rows)
            if len(rows) < ROWS_PER_READ:
                return
            last = rows[-1].identifier

    def _sealed_of(self, row: Mapping[str, Any], *, pending: bool = False) -> SealedLicence:
        if row["state"] == PENDING and not pending:
            raise LicencePendingError(identifier=row["identifier"])
        text = self._credential_of(row)
        digest = digest_of(text.partition("~")[0]) if text.isascii() else ""
        if digest != row["credential_digest"]:
            raise StoreDamagedError(file=str(row["segment"] or row["bundle_path"]), offset=row["segment_offset"] or 0)
        reference = StatusRef(status_uri(row["status_list"]), row["status_index"])
        return SealedLicence(text, row["identifier"], digest, row["kind"], reference)

    def _credential_of(self, row: Mapping[str, Any]) -> str:
        if row["segment"] is not None:
            place = Place(row["segment"], row["segment_offset"], row["sealed_bytes"])
            return self.store.read(place).decode("ascii", "replace")
        if row["bundle_path"] is None:
            raise LicenceUnknownError(identifier=row["identifier"])
        # Of before there was a store: a file for each licence.
        path = Path(row["bundle_path"])
        try:
            return LicenceBundle.from_json(path.read_bytes()).credential
        except (OSError, FormatError) as error:
            raise StoreDamagedError(file=path.name, offset=0) from error

    def _lists_of(self, chain: Sequence[bytes]) -> tuple[bytes, ...]:
        """The newest revocation lists of the authorities above the first certificate of *chain*."""
        names = {x509.load_der_x509_certificate(one).issuer for one in chain}
        return tuple(one for one in self.keys.crls() if x509.load_der_x509_crl(one).issuer in names)

    def _time_stamps(self) -> TimeStampingAuthority:
        # Of 128 random bits none come twice, not after a restart either.
        serials = iter(lambda: secrets.randbits(SERIAL_BITS) | 1, 0)
        return TimeStampingAuthority(self.keys.time_stamps(), self.clock, serials)

    def _newest_status(self, name: str) -> tuple[str, int]:
        """The token of status list *name* that tells how things stand, and its entry; published anew if need be."""
        with self.control.reading() as connection:
            row = status_list_row(connection, name, held=False)
        if row["token_digest"] is not None and row["valid_until"] > self.clock() and row["version"]:
            token = self.kept_status(name, row["version"])
            if token.exists():
                return token.read_text("utf-8"), int(row["log_index"])
        return self.publish_status(name)
