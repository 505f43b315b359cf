"""Batch orders (批量交换): a department orders many rows, and gets files with a signed manifest, for some days.

The states of an order::

    ordered ──> running ──> ready ──> expired
       │           │          │
       └───────────┴──────────┴────> cancelled          running ──> failed (a code of `FAILURES` says what to do)

What is ordered is decided at once and frozen: fields, masks, rows, list version and snapshot. Whether it still holds is
asked again before files are made and before each is handed out, so that a revocation stops what lies there, too.

Leaves deciding to `hub.batches.order`, making files to `hub.batches.making`, HTTP to `hub.api.batches`.
"""

from __future__ import annotations

import shutil
import threading
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, Self

import sqlalchemy as sa

from hub.auditing import MASK_KEY
from hub.batches.errors import (
    BatchClosedError,
    BatchExpiredError,
    BatchStateError,
    BatchUnknownError,
)
from hub.batches.manifest import NAME
from hub.batches.order import selection_of, speaks_against
from hub.batches.rows import (
    ACTOR,
    CANCELLED,
    EXPIRED,
    LIVE,
    READY,
    Batch,
    Part,
    batch_of,
    caller_facts,
    end,
    failure_text,
    held_part,
    read,
    read_parts,
)
from hub.batches.taking import take
from hub.control import BatchPart, BatchRow
from hub.keyring import Keyring
from hub.published import list_version
from hub.recording import MAX_CODE_CHARS
from hub.storing import storage_of
from hub.usage import Usage
from warehouse.engine import Warehouse

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from catalog.model import InformationResource
    from hub.batches.order import Wish
    from hub.control import Control
    from hub.errors import RequestError
    from hub.evidence import Evidence
    from hub.receipts import Receipt
    from hub.settings import Settings
    from hub.signatures import AnswerSigner
    from hub.standing import KnownCaller, Standing
    from warehouse.masking import Masked

MAX_FOUND: Final = 500


class Batches:
    """The batch orders of one deployment. Safe for many threads and processes; writers queue.

    Promise: an order that was taken has its entry in the log, and so has every refusal, manifest and first download
    before anything leaves. A crash between an entry and its commit leaves an entry about what did not happen.
    """

    def __init__(
        self,
        settings: Settings,
        control: Control,
        evidence: Evidence,
        standing: Standing,
        signer: AnswerSigner,
        *,
        mask_key: bytes,
        threads: int | None = 1,
    ) -> None:
        self.settings = settings
        self.control = control
        self.evidence = evidence
        self.standing = standing
        self.signer = signer
        self.mask_key = mask_key
        self.usage = Usage(control, evidence.log)
        self._threads = threads
        self._house: Warehouse | None = None
        self._opening = threading.Lock()

    @classmethod
    def over(
        cls,
        settings: Settings,
        control: Control,
        evidence: Evidence,
        standing: Standing,
        signer: AnswerSigner,
        *,
        threads: int | None = 1,
    ) -> Self:
        """The batches over parts that are open already.

        *threads*: how many of them an order is made with, None: as many as there are cores. One leaves room for calls
        in the same process.
        """
        mask_key = Keyring(settings.keys).secret(MASK_KEY)
        return cls(settings, control, evidence, standing, signer, mask_key=mask_key, threads=threads)

    def close(self) -> None:
        """Let go of the warehouse; the rest was opened by others."""
        with self._opening:
            if self._house is not None:
                self._house.close()
            self._house = None

    @property
    def house(self) -> Warehouse:
        """The warehouse, opened when it is first asked."""
        with self._opening:
            if self._house is None:
                settings = self.settings
                self._house = Warehouse(
                    settings.warehouse,
                    catalog_uri=settings.catalog_url,
                    storage=storage_of(settings),
                    threads=self._threads,
                )
            return self._house

    def folder(self, id_: str) -> Path:
        """Where the files of a batch lie."""
        return self.settings.batches / id_

    def order(self, caller: KnownCaller, code: str, wish: Wish | RequestError) -> tuple[Batch, Receipt]:
        """Take an order of *caller*'s department; see `hub.batches.taking.take`.

        Raises:
            RefusedError: it was not taken; its cause says why, and evidence of it is kept.
            EvidenceUnavailableError, ControlUnavailableError: nothing was taken because nothing could be recorded.
        """
        return take(self, caller, code, wish)

    @contextmanager
    def masked(self, plan: Mapping[str, Any], resource: InformationResource, snapshot: int) -> Iterator[Masked]:
        """What *plan* shows of *snapshot*; see `Warehouse.masked`."""
        with self.house.masked(selection_of(plan, resource), snapshot, key=self.mask_key) as rows:
            yield rows

    # --- looking -----------------------------------------------------------------------------------------------------

    def get(self, id_: str, department: str | None = None) -> Batch:
        """The batch called *id_*, of *department* where one is given.

        Raises:
            BatchUnknownError: there is none, or it is another department's.
        """
        with self.control.reading() as connection:
            batch = read(connection, id_)
        if department is not None and batch.department != department:
            raise BatchUnknownError(batch=id_[:MAX_CODE_CHARS])
        return batch

    def find(self, department: str | None = None, *, state: str = "", limit: int = MAX_FOUND) -> tuple[Batch, ...]:
        """Batches, the newest first; those of *department* where one is given."""
        query = sa.select(BatchRow.__table__).order_by(BatchRow.ordered_at.desc(), BatchRow.id)
        query = query if department is None else query.where(BatchRow.department == department)
        query = query.where(BatchRow.state == state) if state else query
        with self.control.reading() as connection:
            return tuple(batch_of(row) for row in connection.execute(query.limit(min(limit, MAX_FOUND))))

    def parts(self, id_: str) -> tuple[Part, ...]:
        """The files of a batch that are whole, in order; those that would be empty have no name."""
        with self.control.reading() as connection:
            return read_parts(connection, id_)

    def resource_of(self, batch: Batch) -> InformationResource:
        """The resource as the list version has it under which *batch* was decided.

        Raises:
            ListMissingError, ListDamagedError
        """
        return list_version(self.settings, batch.list_version).by_code[batch.resource]

    # --- handing out -------------------------------------------------------------------------------------------------

    def manifest(self, id_: str, department: str) -> bytes:
        """The signed manifest of a batch that is ready.

        Raises:
            BatchUnknownError, BatchExpiredError, BatchStateError, BatchClosedError: see `_open`.
        """
        self._open(id_, department)
        return (self.folder(id_) / NAME).read_bytes()

    def fetch(self, caller: KnownCaller, id_: str, number: int) -> tuple[Path, Part]:
        """The file of part *number* and what is known of it, for *caller*'s department; its first time leaves an entry.

        Raises:
            BatchUnknownError: no such batch or part, or another department's.
            BatchExpiredError, BatchStateError, BatchClosedError: see `_open`.
            EvidenceUnavailableError: nothing is handed out.
        """
        batch = self._open(id_, caller.department)
        part = next((one for one in self.parts(id_) if one.number == number and one.name), None)
        if part is None:
            raise BatchUnknownError(batch=f"{id_}/parts/{number}")
        if part.fetched_log_index is None:
            with self.control.writing() as connection:
                held = held_part(connection, id_, number)
                if held.fetched_log_index is None:
                    # The entry goes first: a crash before the commit leaves one about a download that did not begin.
                    entry = self.evidence.append(
                        "batch.fetched",
                        actor=caller.department,
                        resource=batch.resource,
                        facts={
                            **caller_facts(caller),
                            "batch": id_,
                            "order": batch.log_index,
                            "grant": batch.grant,
                            "part": number,
                            "rows": part.rows,
                            "digest": part.digest,
                        },
                    )
                    fetched = {"fetched_at": entry.entry.at, "fetched_log_index": entry.index}
                    own = (BatchPart.batch_id == id_, BatchPart.number == number)
                    connection.execute(sa.update(BatchPart).where(*own).values(**fetched))
                    part = replace(part, fetched_at=entry.entry.at, fetched_log_index=entry.index)
        return self.folder(id_) / part.name, part

    def _open(self, id_: str, department: str) -> Batch:
        """The batch, if its files may be handed to *department* now.

        Raises:
            BatchUnknownError, BatchExpiredError, BatchStateError
            BatchClosedError: what it rests on was revoked, suspended or changed since.
        """
        batch = self.get(id_, department)
        at = self.evidence.clock()
        if batch.state == EXPIRED or (batch.expires is not None and batch.expires <= at):
            raise BatchExpiredError(batch=id_, expires=batch.expires.isoformat() if batch.expires else "")
        if batch.state != READY:
            raise BatchStateError(batch=id_, state=batch.state, wanted=READY)
        against = speaks_against(batch.plan, self.standing.now(), at)
        if against is not None:
            code, words = against
            self.evidence.append(
                "batch.denied",
                actor=department,
                resource=batch.resource,
                facts={"batch": id_, "grant": batch.grant, "outcome": "denied", "reasons": [code]},
            )
            why, why_zh = (failure_text(code, words, lang) for lang in ("en", "zh"))
            raise BatchClosedError(batch=id_, why=why, why_zh=why_zh)
        return batch

    # --- ending ------------------------------------------------------------------------------------------------------

    def cancel(self, id_: str, department: str, *, by: str) -> Batch:
        """Give an order up, made or not; its files go.

        Raises:
            BatchUnknownError
            BatchStateError: it has ended already.
        """
        with self.control.writing() as connection:
            batch = read(connection, id_, hold=True)
            if batch.department != department:
                raise BatchUnknownError(batch=id_[:MAX_CODE_CHARS])
            if batch.state not in LIVE:
                raise BatchStateError(batch=id_, state=batch.state, wanted=" / ".join(LIVE))
            entry = self.evidence.append(
                "batch.cancelled",
                actor=department,
                resource=batch.resource,
                facts={"batch": id_, "grant": batch.grant, "by": by, "state": batch.state},
            )
            end(connection, id_, CANCELLED, entry.entry.at)
        self.remove(id_)
        return self.get(id_)

    def sweep(self) -> int:
        """Expire what has had its time, and remove files that belong to no order that goes on; how many expired.

        Safe to run anywhere, at any time: a crash leaves files that the next sweep removes, closed since the expiry.
        """
        now = self.evidence.clock()
        due = sa.select(BatchRow.id).where(BatchRow.state == READY, BatchRow.expires <= now)
        with self.control.reading() as connection:
            ids = [row.id for row in connection.execute(due)]
        for id_ in ids:
            with self.control.writing() as connection:
                batch = read(connection, id_, hold=True)
                if batch.state == READY:
                    self.evidence.append(
                        "batch.expired",
                        actor=ACTOR,
                        resource=batch.resource,
                        facts={"batch": id_, "grant": batch.grant},
                    )
                    connection.execute(sa.update(BatchRow).where(BatchRow.id == id_).values(state=EXPIRED))
        # Folders first: an order is there before its folder is, so that what was made meanwhile is not taken for left.
        folders = [path.name for path in self.settings.batches.glob("*")]
        with self.control.reading() as connection:
            live = {row.id for row in connection.execute(sa.select(BatchRow.id).where(BatchRow.state.in_(LIVE)))}
        for name in folders:
            if name not in live:
                self.remove(name)
        return len(ids)

    def remove(self, id_: str) -> None:
        """Remove the files of a batch; whoever has one open reads on."""
        shutil.rmtree(self.folder(id_), ignore_errors=True)
