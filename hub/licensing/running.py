"""Does the work of runs (`hub.licensing.runs`), one at a time; after a worker that was killed, another goes on.

Any number of workers in any number of processes may run: a claim is a row, held for `LEASE` and renewed with each group
of licences. Whoever finds it lapsed takes the run over. Two that issued at once would still give each record one
licence (`hub.licensing.batches`), so that a claim saves work and decides nothing.
"""

from __future__ import annotations

import logging
import secrets
import socket
import threading
from collections import Counter
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from catalog.steps import CaseError, NotYoursError
from hub.control import LicenceRunLineRow, LicenceRunRow
from hub.errors import HubError, TryAgainError
from hub.licensing.office import Licensing
from hub.licensing.planning import DIGEST_DIGITS, OK
from hub.licensing.reconcile import AGREES
from hub.licensing.runs import (
    COMPARE,
    COMPARING,
    DONE,
    FAILED,
    ISSUING,
    PLAN,
    PLANNED,
    PLANNING,
    WORK,
    Line,
    Runs,
    read,
)
from licence.errors import LicenceError, SignerError
from licence.qr.code import mask_code

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from sqlalchemy.engine import Connection

    from hub.licensing.planning import Planned
    from hub.licensing.runs import Run
    from hub.service import Service
    from licence.model import LicenceKind

# A group takes half a second; reading a table of tens of millions, which nothing renews in between, minutes.
LEASE: Final = timedelta(minutes=15)
# After a failure that may pass; each time twice as long.
FIRST_WAIT: Final = timedelta(seconds=15)
MAX_TRIES: Final = 6
POLL_S: Final = 5.0
# Of each outcome, the first so many rows are kept to be looked at; the counts count all, the command line tells all.
LINES_KEPT: Final = 1_000

_logger = logging.getLogger(__name__)


class _LostError(Exception):
    """The run was given up, or another worker has it."""


class _StoppedError(Exception):
    """The worker shall end; the run is given back."""


class Worker:
    """Works under one name, with an *office* that is opened for each run. For one thread; see `Runner`."""

    def __init__(
        self, runs: Runs, office: Callable[[], Licensing], *, stop: Callable[[], bool] = lambda: False
    ) -> None:
        self._runs = runs
        self._office = office
        self._stopping = stop
        self.name = f"{socket.gethostname()[:40]}-{secrets.token_hex(6)}"

    def run_once(self) -> str | None:
        """Take a run as far as it goes without a person, if one waits; its identifier.

        Raises:
            ControlUnavailableError: nobody could be asked.
        """
        run = self.claim()
        if run is None:
            return None
        self.work(run)
        return run.id

    def claim(self) -> Run | None:
        """The run that waits longest, or whose worker has not been heard of for its lease."""
        now = self._runs.evidence.clock()
        free = sa.or_(LicenceRunRow.lease_until.is_(None), LicenceRunRow.lease_until <= now)
        query = sa.select(LicenceRunRow.id).where(LicenceRunRow.state.in_(WORK), free)
        query = query.order_by(LicenceRunRow.opened_at, LicenceRunRow.id).limit(1).with_for_update(skip_locked=True)
        with self._runs.control.writing() as connection:
            found = connection.execute(query).scalar()
            if found is None:
                return None
            values = {"claimed_by": self.name, "lease_until": now + LEASE, "heard_at": now}
            update = sa.update(LicenceRunRow).where(LicenceRunRow.id == found)
            connection.execute(update.values(**values, tries=LicenceRunRow.tries + 1))
            return read(connection, found)

    def work(self, run: Run) -> None:
        """Steps 1, or 4 and 5, of *run*. Never raises for what is the run's own fault, nor for what may pass."""
        try:
            self._work(run)
        except _LostError:
            _logger.info("run %s is no longer ours", run.id)
        except _StoppedError:
            self._give_back(run, timedelta(0), tries=run.tries - 1)
        except (TryAgainError, SignerError, OSError, sa.exc.SQLAlchemyError) as error:
            self._again(run, error)
        except (HubError, CaseError, LicenceError) as error:
            # A grant that is missing, a kind that was taken out: a person mends it, and lets the run go on.
            self._fail(run, {"code": _code(error), "en": error.text("en"), "zh": error.text("zh")})
        except Exception as error:  # noqa: BLE001 - whatever it is, the run must not stand there as if worked on
            self._again(run, error)

    def _work(self, run: Run) -> None:
        office = self._office()
        kind = office.kind(run.kind)
        if kind.issuer != run.department:
            raise NotYoursError(actor=run.department, needed=kind.issuer)
        if run.state == PLANNING:
            self._plan(office, kind, run)
            return
        if run.state == ISSUING:
            self._issue(office, kind, run)
        # A crash between the two leaves a run that is compared by whoever takes it up.
        self._compare(office, kind, run)

    def _plan(self, office: Licensing, kind: LicenceKind, run: Run) -> None:
        kept, seen = list[Line](), Counter[str]()

        def each(one: Planned) -> None:
            seen[one.outcome] += 1
            if seen[one.outcome] <= LINES_KEPT:
                holder = mask_code(one.candidate.keys[kind.holder_field], kind.holder_type)
                key = one.candidate.holder_hash[:DIGEST_DIGITS]
                kept.append(Line(one.outcome, one.candidate.number, key, holder, "", (one.field,) * bool(one.field)))

        plan = office.plan_batch(kind, by=run.first, each=each)
        planned = {
            "entry": plan.log_index,
            "snapshot": str(plan.snapshot),
            "grant": plan.grant,
            "rows": plan.total,
            "counts": dict(plan.counts),
            "at": self._runs.evidence.clock().isoformat(),
        }
        with self._runs.control.writing() as connection:
            self._keep(connection, run, PLAN, kept)
            self._told(connection, run, state=PLANNED, planned=planned, total=plan.counts[OK], done=0, **_FREE)

    def _issue(self, office: Licensing, kind: LicenceKind, run: Run) -> None:
        # What this run issued before it was killed counts; licences name the run they are of.
        before = self._runs.issued(run.id, limit=1)[0]

        def told(done: int, total: int) -> None:
            with self._runs.control.writing() as connection:
                self._told(connection, run, done=before + done, total=before + total)
            if self._stopping():
                raise _StoppedError

        words = {"reason": run.reason, "ground": run.ground, "second": run.second.partition(":")[2]}
        office.issue_batch(kind, by=run.first, run=run.id, told=told, **words)
        with self._runs.control.writing() as connection:
            self._told(connection, run, state=COMPARING)

    def _compare(self, office: Licensing, kind: LicenceKind, run: Run) -> None:
        done = office.reconcile(kind, by=run.first)
        kept, seen = list[Line](), Counter[str]()
        for one in done.differences:
            seen[one.finding] += 1
            if seen[one.finding] <= LINES_KEPT:
                kept.append(Line(one.finding, one.row, one.key, "", one.licence, one.fields))
        now = self._runs.evidence.clock()
        compared = {
            "entry": done.log_index,
            "snapshot": str(done.snapshot),
            "records": done.records,
            "licences": done.licences,
            "residual": done.residual,
            "agree": done.counts[AGREES],
            "counts": {finding: count for finding, count in done.counts.items() if finding != AGREES},
            "at": now.isoformat(),
        }
        with self._runs.control.writing() as connection:
            self._keep(connection, run, COMPARE, kept)
            self._told(connection, run, state=DONE, compared=compared, ended_at=now, **_FREE)

    def _keep(self, connection: Connection, run: Run, part: str, lines: Iterable[Line]) -> None:
        connection.execute(
            sa.delete(LicenceRunLineRow).where(LicenceRunLineRow.run == run.id, LicenceRunLineRow.part == part)
        )
        rows = [
            {
                "run": run.id,
                "part": part,
                "number": number,
                "outcome": one.outcome,
                "row": one.row,
                "key": one.key,
                "holder": one.holder,
                "licence": one.licence,
                "fields": list(one.fields),
            }
            for number, one in enumerate(lines)
        ]
        if rows:
            connection.execute(sa.insert(LicenceRunLineRow), rows)

    def _told(self, connection: Connection, run: Run, **values: Any) -> None:  # noqa: ANN401 - columns
        """Set columns of the run and renew the claim.

        Raises:
            _LostError: it is no longer ours.
        """
        now = self._runs.evidence.clock()
        ours = sa.update(LicenceRunRow).where(LicenceRunRow.id == run.id, LicenceRunRow.claimed_by == self.name)
        changed = {"heard_at": now, "lease_until": now + LEASE, **values}
        if connection.execute(ours.values(**changed).returning(LicenceRunRow.id)).first() is None:
            raise _LostError

    def _again(self, run: Run, error: Exception) -> None:
        code = _code(error)
        # Its text, or that of what caused it, may quote a value.
        _logger.warning("run %s: %s; trying again", run.id, code)
        if run.tries < MAX_TRIES:
            self._give_back(run, FIRST_WAIT * 2 ** (run.tries - 1), tries=run.tries)
            return
        en = f"It failed {run.tries} times ({code}). Let whoever runs the hub look at its log, then resume."
        self._fail(run, {"code": code, "en": en, "zh": f"已失败 {run.tries} 次（{code}）。请运维人员查看日志后继续。"})

    def _give_back(self, run: Run, wait: timedelta, *, tries: int) -> None:
        """Let anybody take the run after *wait*. Where even that cannot be said, its lease runs out."""
        until = self._runs.evidence.clock() + wait
        with suppress(_LostError, TryAgainError), self._runs.control.writing() as connection:
            self._told(connection, run, claimed_by="", lease_until=until, tries=tries)

    def _fail(self, run: Run, error: dict[str, str]) -> None:
        with suppress(_LostError, TryAgainError), self._runs.control.writing() as connection:
            # Where it stood when it failed: what was issued before it could not be compared is issued.
            behind = read(connection, run.id, hold=True).state
            self._told(connection, run, state=FAILED, behind=behind, error=error, **_FREE)


_FREE: Final[dict[str, Any]] = {"claimed_by": "", "lease_until": None, "tries": 0}


def _code(error: Exception) -> str:
    return str(getattr(error, "code", type(error).__name__))


class Runner:
    """A thread that works on runs, one at a time."""

    def __init__(self, runs: Runs, office: Callable[[], Licensing], *, poll_s: float = POLL_S) -> None:
        self._runs = runs
        self._office = office
        self._poll_s = poll_s
        self._stop = threading.Event()
        self._wake = threading.Event()
        self._thread = threading.Thread(target=self._run, name="licence-runner", daemon=True)

    @classmethod
    def beside(cls, service: Service) -> Runner:
        """Over the open parts of a serving process; the catalogue of kinds is read anew for each run."""
        return cls(Runs(service.control, service.evidence), lambda: Licensing.beside(service))

    def start(self) -> None:
        """Start working."""
        self._thread.start()

    def wake(self) -> None:
        """Look for runs now: a person has just taken a step."""
        self._wake.set()

    def stop(self) -> None:
        """Give back what is worked on, after its next group, and end the thread."""
        self._stop.set()
        self._wake.set()
        self._thread.join()

    def _run(self) -> None:
        worker = Worker(self._runs, self._office, stop=self._stop.is_set)
        while not self._stop.is_set():
            try:
                if worker.run_once() is not None:
                    continue
            except (HubError, OSError, sa.exc.SQLAlchemyError) as error:
                _logger.warning("licences cannot be run now: %s", _code(error))
            self._wake.wait(self._poll_s)
            self._wake.clear()
