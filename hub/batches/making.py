"""Makes the files of batch orders, one order at a time, so that a worker that is killed anywhere is gone on after.

The steps, by number, for `Worker.make`:

    1. claim an order that nobody makes   5. count the table again, and compare
    2. ask whether it may still be made   6. sign the manifest
    3. write the next part aside          7. record it
    4. keep the part; again from 3        8. it is ready

Any number of workers in any number of processes may run: a claim is a row, held for `LEASE` and renewed with each part.
Whoever finds it lapsed takes the order over, and the one who had it keeps nothing from then on.
"""

from __future__ import annotations

import logging
import secrets
import socket
import threading
from contextlib import suppress
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import pyarrow.parquet as pq
import sqlalchemy as sa

from catalog.decide import decision_from_plain
from catalog.rows import rules_to_plain
from hub.batches.manifest import NAME, digest, file_digest, read, sign
from hub.batches.order import scopes_of, speaks_against
from hub.batches.rows import ACTOR, FAILED, ORDERED, READY, RUNNING, Batch, Part, end
from hub.batches.rows import read as read_batch
from hub.control import BatchPart, BatchRow
from hub.errors import HubError, TryAgainError
from hub.files import replace_file, sync_folder
from warehouse.errors import FieldMissingError, SnapshotMissingError, TableMissingError
from warehouse.masking import PARQUET

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from sqlalchemy.engine import Connection

    from hub.batches.desk import Batches
    from warehouse.masking import Column, Masked

# A part of a million rows takes seconds; the count of a table of a billion, which nothing renews in between, minutes.
LEASE: Final = timedelta(minutes=15)
# After a failure that may pass; each time twice as long.
FIRST_WAIT: Final = timedelta(seconds=30)
MAX_TRIES: Final = 8
POLL_S: Final = 5.0
SWEEP_EVERY_S: Final = 60.0

# How the CSV files are to be read, for whoever has but the manifest.
CSV_FORM: Final = {
    "encoding": "utf-8-sig",
    "delimiter": ",",
    "header": True,
    "null": "",
    "guard": "a text that begins with = + - @ (half or full width), tab or line end, or with apostrophes and one of "
    "them, has one apostrophe more before it",
}

_logger = logging.getLogger(__name__)


class _LostError(Exception):
    """The order was cancelled, or another worker has it."""


class _StoppedError(Exception):
    """The worker shall end; the order is given back."""


class _FailedError(Exception):
    """The order comes to nothing: *code* is one of `hub.batches.errors.FAILURES`, *words* what its sentence needs."""

    def __init__(self, code: str, words: Mapping[str, Any]) -> None:
        self.code = code
        self.words = words
        super().__init__(code)


class Worker:
    """Makes orders under one name. For one thread; see `Runner` for a service."""

    def __init__(self, batches: Batches, *, stop: Callable[[], bool] = lambda: False) -> None:
        self._batches = batches
        self._stopping = stop
        self.name = f"{socket.gethostname()[:40]}-{secrets.token_hex(6)}"

    def run_once(self) -> str | None:
        """Make one order, if there is one to make; its number.

        Raises:
            ControlUnavailableError: nobody could be asked.
        """
        batch = self.claim()
        if batch is None:
            return None
        self.make(batch)
        return batch.id

    def claim(self) -> Batch | None:
        """Step 1: the order that waits longest, or whose worker has not been heard of for its lease."""
        now = self._batches.evidence.clock()
        waiting = sa.or_(
            sa.and_(BatchRow.state == ORDERED, sa.or_(BatchRow.lease_until.is_(None), BatchRow.lease_until <= now)),
            sa.and_(BatchRow.state == RUNNING, BatchRow.lease_until <= now),
        )
        query = sa.select(BatchRow.id).where(waiting).order_by(BatchRow.ordered_at, BatchRow.id).limit(1)
        with self._batches.control.writing() as connection:
            # Two who come at once: on SQLite the second waits for the transaction, elsewhere it passes the row by.
            found = connection.execute(query.with_for_update(skip_locked=True)).scalar()
            if found is None:
                return None
            claimed = {
                "claimed_by": self.name,
                "lease_until": now + LEASE,
                "state": RUNNING,
                "tries": BatchRow.tries + 1,
            }
            connection.execute(sa.update(BatchRow).where(BatchRow.id == found).values(**claimed))
            return read_batch(connection, found)

    def make(self, batch: Batch) -> None:
        """Steps 2 to 8. Never raises for what is the order's own fault, nor for what may pass: the order says it."""
        try:
            self._make(batch)
        except _LostError:
            _logger.info("batch %s is no longer ours", batch.id)
            for left in self._batches.folder(batch.id).glob(f"*.{self.name}.tmp"):
                left.unlink(missing_ok=True)
        except _StoppedError:
            self._give_back(batch, timedelta(0), tries=batch.tries - 1)
        except _FailedError as failure:
            self._fail(batch, failure)
        except (SnapshotMissingError, TableMissingError, FieldMissingError):
            self._fail(batch, _FailedError("batch_snapshot_gone", {}))
        except Exception as error:  # noqa: BLE001 - whatever it is, the order must not wait for a person to look
            kind = getattr(error, "code", type(error).__name__)
            if batch.tries >= MAX_TRIES:
                self._fail(batch, _FailedError("batch_gave_up", {"tries": batch.tries, "kind": kind}))
                return
            # Its text, or that of what caused it, may quote a value.
            _logger.warning("batch %s: %s; trying again", batch.id, kind)
            self._give_back(batch, FIRST_WAIT * 2 ** (batch.tries - 1), tries=batch.tries)

    def _make(self, batch: Batch) -> None:
        batches = self._batches
        against = speaks_against(batch.plan, batches.standing.now(), batches.evidence.clock())  # step 2
        if against is not None:
            raise _FailedError(*against)
        folder = batches.folder(batch.id)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        resource = batches.resource_of(batch)
        with batches.masked(batch.plan, resource, batch.snapshot) as rows:
            kept = {part.number: part for part in batches.parts(batch.id)}
            for number in range(1, len(rows.parts) + 1):
                if number not in kept or not _whole(folder, kept[number]):
                    kept[number] = self._part(batch, rows, number, folder)
            counted, made = rows.count(), sum(part.rows for part in kept.values())  # step 5
            if made != counted or counted != batch.rows_total:
                raise _FailedError("batch_count_differs", {"made": made, "counted": counted})
            self._finish(batch, rows.columns, [kept[number] for number in sorted(kept)], folder)

    def _part(self, batch: Batch, rows: Masked, number: int, folder: Path) -> Part:
        if self._stopping():
            raise _StoppedError
        name = f"part-{number:04d}.{batch.form}"
        aside = folder / f"{name}.{self.name}.tmp"
        written = rows.write(number - 1, aside, batch.form)  # step 3
        # A crash up to here leaves a file that nobody looks for, until the folder goes.
        if batch.form == PARQUET and pq.read_metadata(aside).num_rows != written:
            raise _FailedError("batch_count_differs", {"made": pq.read_metadata(aside).num_rows, "counted": written})
        if written == 0 and number > 1:
            # One file without rows has the columns of an empty batch; more would say nothing.
            name = ""
        part = Part(number, name, written, aside.stat().st_size if name else 0, file_digest(aside) if name else "")
        with self._batches.control.writing() as connection:  # step 4
            self._hold(connection, batch)
            # Whoever lost the claim never comes here, so that one name has one writer. A crash between renaming and
            # the commit leaves a whole file that is written once more.
            if name:
                aside.replace(folder / name)
                sync_folder(folder)
            else:
                aside.unlink()
            own = (BatchPart.batch_id == batch.id, BatchPart.number == number)
            connection.execute(sa.delete(BatchPart).where(*own))
            values = {"number": number, "name": name, "rows": written, "bytes": part.bytes, "digest": part.digest}
            connection.execute(sa.insert(BatchPart).values(batch_id=batch.id, **values))
            done = sa.select(sa.func.sum(BatchPart.rows)).where(BatchPart.batch_id == batch.id)
            progress = {"rows_done": int(connection.execute(done).scalar_one())}
            connection.execute(sa.update(BatchRow).where(BatchRow.id == batch.id).values(**progress))
        return part

    def _hold(self, connection: Connection, batch: Batch) -> None:
        """Renew the claim, and hold it until the transaction ends.

        Raises:
            _LostError: it is no longer ours.
        """
        renewed = sa.update(BatchRow).where(
            BatchRow.id == batch.id, BatchRow.state == RUNNING, BatchRow.claimed_by == self.name
        )
        values = {"lease_until": self._batches.evidence.clock() + LEASE}
        if connection.execute(renewed.values(**values).returning(BatchRow.id)).first() is None:
            raise _LostError

    def _finish(self, batch: Batch, columns: Sequence[Column], parts: Sequence[Part], folder: Path) -> None:
        batches = self._batches
        path = folder / NAME
        made = _made_before(path, batches, parts)
        if made is None:
            at = batches.evidence.clock()
            expires = at + timedelta(hours=batches.settings.batch_hours)
            made = _manifest(batch, columns, parts, resource=batches.resource_of(batch).name)
            made |= {"log": batches.evidence.origin, "made_at": at.isoformat(), "expires": expires.isoformat()}
            replace_file(path, sign(made, batches.signer), mode=0o600)  # step 6
            made = read(path.read_bytes(), [batches.signer.verifier])
        with batches.control.writing() as connection:
            self._hold(connection, batch)
            # Steps 7 and 8. A crash between them: the manifest is recorded, served to nobody, and recorded once more.
            entry = batches.evidence.append(
                "batch.ready",
                actor=ACTOR,
                resource=batch.resource,
                facts={
                    "batch": batch.id,
                    "order": batch.log_index,
                    "grant": batch.grant,
                    "manifest_digest": digest(made),
                    "rows": made["rows"],
                    "parts": len(made["parts"]),
                },
            )
            end(
                connection,
                batch.id,
                READY,
                entry.entry.at,
                rows_done=made["rows"],
                expires=datetime.fromisoformat(made["expires"]),
                manifest_digest=digest(made),
                ready_log_index=entry.index,
            )
        # What workers that were killed had written aside. A crash before this leaves it there until the files expire.
        for left in folder.glob("*.tmp"):
            left.unlink(missing_ok=True)

    def _fail(self, batch: Batch, failure: _FailedError) -> None:
        batches = self._batches
        with suppress(_LostError), batches.control.writing() as connection:
            self._hold(connection, batch)
            entry = batches.evidence.append(
                "batch.failed",
                actor=ACTOR,
                resource=batch.resource,
                facts={"batch": batch.id, "grant": batch.grant, "reasons": [failure.code, *_reasons(failure)]},
            )
            words = {name: value for name, value in failure.words.items() if name != "reasons"}
            end(connection, batch.id, FAILED, entry.entry.at, error_code=failure.code, error=words)
        batches.remove(batch.id)

    def _give_back(self, batch: Batch, wait: timedelta, *, tries: int) -> None:
        """Let anybody take the order after *wait*. Where even that cannot be said, its lease runs out."""
        with suppress(_LostError, TryAgainError), self._batches.control.writing() as connection:
            self._hold(connection, batch)
            until = self._batches.evidence.clock() + wait
            values = {"state": ORDERED, "claimed_by": "", "lease_until": until, "tries": tries}
            connection.execute(sa.update(BatchRow).where(BatchRow.id == batch.id).values(**values))


class Runner:
    """A thread that makes orders one at a time, and sweeps what has expired."""

    def __init__(self, batches: Batches, *, poll_s: float = POLL_S) -> None:
        self._batches = batches
        self._poll_s = poll_s
        self._stop = threading.Event()
        self._wake = threading.Event()
        self._thread = threading.Thread(target=self._run, name="batch-runner", daemon=True)

    def start(self) -> None:
        """Start making."""
        self._thread.start()

    def wake(self) -> None:
        """Look for orders now: one was just taken."""
        self._wake.set()

    def stop(self) -> None:
        """Give back what is being made, at its next part, and end the thread."""
        self._stop.set()
        self._wake.set()
        self._thread.join()

    def _run(self) -> None:
        worker = Worker(self._batches, stop=self._stop.is_set)
        since_sweep = SWEEP_EVERY_S
        while not self._stop.is_set():
            try:
                if since_sweep >= SWEEP_EVERY_S:
                    self._batches.sweep()
                    since_sweep = 0.0
                if worker.run_once() is not None:
                    continue
            except (HubError, OSError, sa.exc.SQLAlchemyError) as error:
                _logger.warning("batches cannot be made now: %s", getattr(error, "code", type(error).__name__))
            self._wake.wait(self._poll_s)
            self._wake.clear()
            since_sweep += self._poll_s


def _reasons(failure: _FailedError) -> list[str]:
    """The codes of the decision's reasons, where one speaks against the order."""
    return [code for code in str(failure.words.get("reasons", "")).split(",") if code]


def _whole(folder: Path, part: Part) -> bool:
    """Whether the file of *part* is there as it was kept."""
    return not part.name or ((folder / part.name).is_file() and file_digest(folder / part.name) == part.digest)


def _made_before(path: Path, batches: Batches, parts: Sequence[Part]) -> dict[str, Any] | None:
    """The manifest that a worker before us signed over just these parts, if one did."""
    with suppress(HubError, FileNotFoundError):
        made = read(path.read_bytes(), [batches.signer.verifier])
        if made["parts"] == _named(parts):
            return made
    return None


def _named(parts: Sequence[Part]) -> list[dict[str, Any]]:
    return [
        {"number": p.number, "name": p.name, "rows": p.rows, "bytes": p.bytes, "digest": p.digest}
        for p in parts
        if p.name
    ]


def _manifest(batch: Batch, columns: Sequence[Column], parts: Sequence[Part], *, resource: str) -> dict[str, Any]:
    decision = decision_from_plain(batch.plan["decision"])
    plain: dict[str, Any] = {
        "batch": batch.id,
        "entry": batch.log_index,
        "order_digest": batch.plan["digests"]["order"],
        "purpose_digest": batch.plan["digests"]["purpose"],
        "department": batch.department,
        "grant": batch.grant,
        "resource": {"code": batch.resource, "name": resource},
        "list_version": batch.list_version,
        "snapshot": str(batch.snapshot),
        "format": batch.form,
        "fields": [{"name": c.name, "type": c.type, "masks": [str(mask) for mask in c.masks]} for c in columns],
        "scopes": [
            {"grant": s.grant, "rows": rules_to_plain(s.rows), "masks": {name: str(mask) for name, mask in s.masks}}
            for s in scopes_of(decision)
        ],
        "chosen": list(batch.plan["order"].get("rows", ())),
        "parts": _named(parts),
        "rows": sum(part.rows for part in parts),
    }
    if batch.form != PARQUET:
        plain["csv"] = CSV_FORM
    return plain
