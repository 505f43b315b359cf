"""Has the log's checkpoints cosigned by witnesses (C2SP tlog-witness), after their publication and beside it.

What a witness checks is `audit.witness`'s affair, which of them are enough `audit.policy`'s, the HTTP request
`hub.witnesses.post`'s.

The steps of a round:

1. the published checkpoint is read, without the cosignatures that it has already;
2. each witness whose turn it is is asked in a thread of its own, with the proof that the log grew out of what that
   witness cosigned last, as far as we know; a witness that remembers another size says so (409) and is asked once more;
3. its cosignature is checked and kept: as this witness's newest, in the published checkpoint if that is still the same,
   and, as soon as there are enough of them, in `audit.witnessed`'s file;
4. who has been silent for long becomes an alert, who says that the log is another one does so at once.

Killed between 2 and 3 the witness remembers a checkpoint whose cosignature nobody got: the next round is told so by the
409, asks again from there, and gets it.
"""

from __future__ import annotations

import fcntl
import logging
import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final, TextIO

from audit.checkpoint import parse_unverified
from audit.errors import AuditError, CheckpointInvalidError, InputInvalidError
from audit.files import make_folder, replace_files
from audit.notes import signed_by, with_signatures, without_signatures
from audit.policy import Policy, Witness, read_policy
from audit.witness import add_cosignatures, request_body
from audit.witnessed import FILE as WITNESSED
from audit.witnessed import keep_witnessed
from hub import alerts
from hub.errors import WitnessesFileError
from hub.witnesses.post import NotAnsweredError, post, size_said

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import httpx

    from audit.checkpoint import Checkpoint
    from audit.log import Log
    from hub.control import Control
    from hub.evidence import Evidence
    from hub.settings import Settings

LOOK_EVERY_S: Final = 1.0
ROUND_EVERY_S: Final = 10.0  # of a busy log, one checkpoint in ten is cosigned; what it covers, every later one does
FRESH_S: Final = 300.0  # an idle log is cosigned anew, so that a silent witness is not mistaken for an idle log
FIRST_RETRY_S, LAST_RETRY_S = 10.0, 300.0
ROUND_TAKES_S: Final = 15.0  # more than one request may take; who is slower is waited for by nobody
MAX_WITNESSES: Final = 32
FOLDER: Final = "cosigned"
LOCK: Final = "witness.lock"
_ASKS: Final = 3
_CONFLICT: Final = 409
_NOT_CONSISTENT: Final = 422
_OK: Final = 200

_logger = logging.getLogger(__name__)


class ForkedError(Exception):
    """The witness cosigned another history than ours; *why* is a word for people to look up."""

    def __init__(self, why: str) -> None:
        self.why = why
        super().__init__(why)


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known of a witness: the *size* and time of the newest checkpoint it cosigned, and its last answer."""

    name: str
    key: str
    url: str
    size: int | None
    at: datetime | None
    outcome: str = ""


@dataclass(slots=True)
class _State:
    """One witness as the asking process sees it. Times without a zone are monotonic seconds."""

    witness: Witness
    since: datetime
    size: int = 0
    at: datetime | None = None
    asked: float = float("-inf")
    turn: float = float("-inf")
    failures: int = 0
    busy: bool = False
    outcome: str = ""
    told: set[str] = field(default_factory=set)  # which alerts may stand


def load(path: Path | None) -> Policy | None:
    """The witnesses to be asked and their quorum; None where there is no file.

    Raises:
        WitnessesFileError: it cannot be read or has another form.
    """
    if path is None:
        return None
    try:
        policy = read_policy(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise WitnessesFileError(path=path, why=error.strerror or type(error).__name__) from error
    except UnicodeDecodeError as error:
        raise WitnessesFileError(path=path, why="UTF-8") from error
    except InputInvalidError as error:
        raise WitnessesFileError(path=path, why=str(error.params.get("problem", ""))) from error
    wrong = [one.name for one in policy.witnesses if not one.url.startswith(("https://", "http://"))]
    if wrong or not 1 <= len(policy.witnesses) <= MAX_WITNESSES:
        why = f"`{wrong[0]}` has no http(s) URL" if wrong else f"1 to {MAX_WITNESSES} witnesses are wanted"
        raise WitnessesFileError(path=path, why=why)
    return policy


class Asker:
    """Asks the witnesses of one deployment. Any number of processes may have one; one of them asks at a time."""

    def __init__(
        self,
        policy: Policy,
        evidence: Evidence,
        control: Control,
        *,
        silent_after: timedelta,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._policy = policy
        self._evidence = evidence
        self._control = control
        self._silent_after = silent_after
        self._transport = transport
        self._lock: TextIO | None = None
        self._keeping = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="witnesses", daemon=True)
        self._last = ("", float("-inf"))
        now = evidence.clock()
        self._states = [_State(one, now) for one in policy.witnesses]

    @classmethod
    def over(cls, settings: Settings, evidence: Evidence, control: Control) -> Asker | None:
        """The asker of a serving process; None where the deployment names no witness. Raises: WitnessesFileError."""
        policy = load(settings.witnesses_file)
        if policy is None:
            return None
        return cls(policy, evidence, control, silent_after=timedelta(minutes=settings.witness_minutes))

    def start(self) -> None:
        """Start asking."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread. Who is being asked is not waited for: what it answers, the next process asks for again."""
        self._stop.set()
        self._thread.join()
        self.release()

    def lead(self) -> bool:
        """Whether this process is the one that asks: it then goes on to be until `release`, or until it dies."""
        if self._lock is not None:
            return True
        make_folder(self._log.folder / FOLDER)
        file = (self._log.folder / FOLDER / LOCK).open("a")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            return False
        self._lock = file
        # Another process may have asked until now, and have raised either alert.
        for state in self._states:
            state.told = {"witness_silent", "log_forked"}
            note, state.at = newest(self._log.folder, state.witness)
            state.size = parse_unverified(note).size if note else 0
        return True

    def release(self) -> None:
        """Let another process ask."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def round(self) -> list[Standing]:
        """Ask everyone whose turn it is, wait for them `ROUND_TAKES_S` at most, and say what is known of each."""
        published = self._log.checkpoint
        note = without_signatures(published, [one.key for one in self._policy.witnesses])
        size, now = parse_unverified(note).size, time.monotonic()
        threads = []
        for state in self._states:
            due = now >= state.turn and (state.at is None or state.size != size or now - state.asked >= FRESH_S)
            if due and not state.busy:
                state.busy, state.asked = True, now
                name = f"witness-{state.witness.name}"
                threads.append(threading.Thread(target=self._ask, args=(state, note), name=name, daemon=True))
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(max(0.0, now + ROUND_TAKES_S - time.monotonic()))
        return [
            Standing(s.witness.name, s.witness.key.to_text(), s.witness.url, s.size if s.at else None, s.at, s.outcome)
            for s in self._states
        ]

    @property
    def _log(self) -> Log:
        return self._evidence.log

    def _run(self) -> None:
        while not self._stop.wait(LOOK_EVERY_S):
            try:
                if self._due() and self.lead():
                    self.round()
            except Exception as error:  # noqa: BLE001 - one bad round must not end the thread, whatever it was
                _logger.error("a round of witnesses failed: %s", type(error).__name__)  # noqa: TRY400 - told by kind

    def _due(self) -> bool:
        """Whether there is something new, or it is time to look after those who have not cosigned."""
        now, text = time.monotonic(), self._log.checkpoint.partition("\n\n")[0]
        seen, at = self._last
        # At once when the log was idle, and no more often than this when it is not.
        if now - at < ROUND_EVERY_S or (text == seen and not any(self._waiting(state, now) for state in self._states)):
            return False
        self._last = (text, now)
        return True

    @staticmethod
    def _waiting(state: _State, now: float) -> bool:
        return state.at is None or state.failures > 0 or now - state.asked >= FRESH_S

    def _ask(self, state: _State, note: str) -> None:
        """Steps 2 to 4 for one witness."""
        try:
            with_it = cosigned(self._log, note, state.witness, state.size, transport=self._transport)
            self._keep(state.witness, with_it)
        except ForkedError as error:
            self._failed(state, error.why, forked=True)
        except NotAnsweredError as error:
            self._failed(state, error.why)
        except (AuditError, OSError) as error:
            # Its cosignature cannot be kept now, or does not hold.
            self._failed(state, "not_kept" if not isinstance(error, CheckpointInvalidError) else "bad_answer")
        except Exception as error:  # noqa: BLE001 - in a thread of its own nobody else would be told
            _logger.error("asking `%s` failed: %s", state.witness.name, type(error).__name__)  # noqa: TRY400 - as above
            self._failed(state, "failed")
        else:
            state.size, state.at = parse_unverified(with_it).size, self._evidence.clock()
            state.failures, state.turn, state.outcome = 0, float("-inf"), "cosigned"
            self._clear(state)
        finally:
            state.busy = False

    def _keep(self, witness: Witness, note: str) -> None:
        """Step 3, for one cosignature after another. A crash between loses nothing that is not asked for again."""
        folder = self._log.folder
        with self._keeping:
            replace_files([(folder / FOLDER / witness.key.key_id.hex(), note.encode())])
            self._log.add_signatures(note)
            self._keep_witnessed(note)

    def _keep_witnessed(self, note: str) -> None:
        """Gather what the witnesses have cosigned of this checkpoint; enough of it takes the place of the older."""
        folder, text = self._log.folder, note.partition("\n\n")[0]
        for one in self._policy.witnesses:
            other, _ = newest(folder, one)
            if other is not None and other.partition("\n\n")[0] == text:
                note = with_signatures(note, other)
        quorum = self._policy.quorum
        if quorum is not None and not quorum.met(signed_by(note, quorum.keys)[1]):
            return
        try:
            before = parse_unverified((folder / WITNESSED).read_text("utf-8"))
        except (OSError, UnicodeDecodeError, CheckpointInvalidError):
            before = None
        # An answer that came late is of an older checkpoint.
        if before is None or before.size <= parse_unverified(note).size:
            keep_witnessed(folder, note)

    def _failed(self, state: _State, why: str, *, forked: bool = False) -> None:
        now = self._evidence.clock()
        state.turn = time.monotonic() + min(LAST_RETRY_S, FIRST_RETRY_S * 2**state.failures)
        state.failures, state.outcome = min(state.failures + 1, 10), why
        silent = now - (state.at or state.since)
        if forked:
            self._tell("log_forked", state, {"why": why}, now)
        elif silent >= self._silent_after:
            self._tell("witness_silent", state, {"minutes": int(silent.total_seconds()) // 60, "why": why}, now)

    def _tell(self, kind: str, state: _State, params: dict[str, str | int], at: datetime) -> None:
        state.told.add(kind)
        name = state.witness.name
        _logger.warning("witness `%s`: %s", name, params["why"])
        self._safely(
            lambda: alerts.raise_alert(
                self._control, kind, key=f"{kind}:{name}", at=at, params={"witness": name, **params}
            )
        )

    def _clear(self, state: _State) -> None:
        for kind in sorted(state.told):
            if self._safely(
                lambda: alerts.clear(self._control, f"{kind}:{state.witness.name}", at=self._evidence.clock())  # noqa: B023 - called at once
            ):
                state.told.discard(kind)

    @staticmethod
    def _safely(act: Callable[[], object]) -> bool:
        """Whether *act* could be done: without the database witnesses are asked all the same."""
        try:
            act()
        except Exception as error:  # noqa: BLE001 - whatever the database says
            _logger.error("an alert about a witness was not kept: %s", type(error).__name__)  # noqa: TRY400 - as above
            return False
        return True


def cosigned(log: Log, note: str, witness: Witness, old: int, *, transport: httpx.BaseTransport | None = None) -> str:
    """*note*, a published checkpoint of *log*, with the cosignature of *witness*; *old* is a guess at what it saw.

    Raises:
        ForkedError: it has cosigned a tree that ours does not grow out of.
        NotAnsweredError: it did not cosign; try again later.
        CheckpointInvalidError: what it answered is no cosignature of its own.
    """
    new = parse_unverified(note)
    old = min(old, new.size)
    for _ in range(_ASKS):
        path = log.consistency(old, new.size) if 0 < old < new.size else ()
        answer = post(witness.url, request_body(old, path, note), transport=transport)
        if answer.status == _OK:
            return add_cosignatures(note, answer.text(), [witness.key])
        if answer.status == _CONFLICT:
            old = _seen_by(answer.text(), old, new, log)
            continue
        if answer.status == _NOT_CONSISTENT:
            # It agreed on the size, and from there our proof leads to our root: it has another tree at that size.
            raise ForkedError("not_consistent")
        raise NotAnsweredError(f"http_{answer.status}")
    raise NotAnsweredError("changing")


def _seen_by(said: str, old: int, new: Checkpoint, log: Log) -> int:
    """The size to ask from, by a witness's 409."""
    size = size_said(said)
    if size == old == new.size:
        raise ForkedError("another_root")
    if size > new.size:
        # We may have published meanwhile, and another process may have asked.
        if size > log.published_size:
            raise ForkedError("longer_elsewhere")
        raise NotAnsweredError("overtaken")
    return size


def newest(folder: Path, witness: Witness) -> tuple[str | None, datetime | None]:
    """The newest checkpoint of the log in *folder* that *witness* cosigned, and when, as it says."""
    try:
        note = (folder / FOLDER / witness.key.key_id.hex()).read_text("utf-8")
        at = witness.key.cosigned_at(note)
    except (OSError, UnicodeDecodeError, CheckpointInvalidError):
        # Spoilt or not there: it is asked for again.
        return None, None
    return (note, at.astimezone(UTC)) if at is not None else (None, None)


def standings(settings: Settings) -> list[Standing]:
    """What is kept of the witnesses that the deployment names, without asking anyone. Raises: WitnessesFileError."""
    policy = load(settings.witnesses_file)
    found = []
    for one in policy.witnesses if policy else ():
        note, at = newest(settings.log, one)
        size = parse_unverified(note).size if note else None
        found.append(Standing(one.name, one.key.to_text(), one.url, size, at))
    return found


def witnessed(settings: Settings) -> str | None:
    """The newest checkpoint that a quorum of witnesses cosigned, as it is kept; unverified."""
    try:
        return (settings.log / WITNESSED).read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        return None
