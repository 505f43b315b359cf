"""Keeps the evidence: a public log entry for everything that happened, its details in the protected body store.

What an entry says is its use case's affair; how the log is made tamper-evident is `audit.log`'s.
"""

from __future__ import annotations

import errno
import hashlib
import hmac
import logging
import os
import secrets
import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from audit import checkpoints
from audit.canonical import encode_json
from audit.entry import Entry, sealed
from audit.errors import AuditError, InputInvalidError, LogExistsError, LogMissingError, StorageFullError
from audit.keys import MlDsaSignerKey, MlDsaVerifierKey
from audit.log import Log
from audit.notes import SignerKey, VerifierKey, without_signatures
from audit.store import BodyStore
from hub import quickjson
from hub.errors import EvidenceUnavailableError, StorageFullHubError
from hub.files import create_once
from hub.keyring import Keyring

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from audit.verifiers import PublicKey
    from hub.settings import Settings

ORIGIN_VARIABLE = "ZHENGTONG_LOG_ORIGIN"
DEFAULT_ORIGIN = "zhengtong.local/log"
LOG_KEY_FILE = "log.vkey"
# A file of its own: whoever reads one key from the other file goes on.
SECOND_KEY_FILE = "log-mldsa.vkey"
SALT_BYTES = 32
UNKNOWN_ACTOR = "unknown"
_FULL = (errno.ENOSPC, errno.EDQUOT)
PUBLISH_EVERY_S = 1.0  # a checkpoint per second at most, however many calls
LOOK_BACK = 100_000  # entries: a second of reading, and more than a hub writes before it is asked to go on

_logger = logging.getLogger(__name__)


def utc_now() -> datetime:
    """The clock of the use cases."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Recorded:
    """An entry that is durable: its *index* in the log, its *entry*, and the *salt* of its body (b"" without one)."""

    index: int
    entry: Entry
    salt: bytes

    def salt_for(self, part: str) -> bytes:
        """The salt of the digest of one *part* of the body; see `part_salt`."""
        return part_salt(self.salt, part)


def part_salt(salt: bytes, part: str) -> bytes:
    """A salt for one *part*, from which neither the body's salt nor another part's can be found."""
    return hmac.digest(salt, part.encode(), hashlib.sha256)


@dataclass(slots=True)  # one for each call: see ADR 0024
class Draft:
    """An entry and the body behind it, encoded, before they are kept: *leaf* and *body* are the bytes that will be.

    *body* is b"" where there is none, and then *salt* is too. *more* are bodies that this one names: digest, salt,
    canonical form.
    """

    entry: Entry
    leaf: bytes
    salt: bytes = b""
    body: bytes = b""
    more: tuple[tuple[str, bytes, bytes], ...] = ()

    def recorded(self, index: int) -> Recorded:
        """What it is once it is kept as entry *index*."""
        return Recorded(index, self.entry, self.salt)


class Evidence:
    """The log and the body store of one deployment. Safe for many threads and processes.

    Promises: when `append` returns, body and entry are on disk. If it raises, nothing may be handed out.
    """

    def __init__(
        self,
        log: Log,
        bodies: BodyStore,
        *,
        signer: SignerKey,
        subject_key: bytes,
        second: MlDsaVerifierKey | None = None,
        clock: Callable[[], datetime] = utc_now,
        random: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None:
        self.log = log
        self.bodies = bodies
        self.clock = clock
        self.verifier: VerifierKey = signer.verifier
        self.second = second
        self.origin = self.verifier.name
        self._subject_key = subject_key
        self._random = random
        self._publishing = threading.Lock()

    @classmethod
    def open(
        cls,
        settings: Settings,
        keyring: Keyring | None = None,
        *,
        clock: Callable[[], datetime] = utc_now,
        random: Callable[[int], bytes] = secrets.token_bytes,
    ) -> Evidence:
        """Open the log and the bodies of *settings*; the first opening makes the log and its key.

        The log's origin is ``ZHENGTONG_LOG_ORIGIN`` when the log is made, and fixed from then on.

        Raises:
            EvidenceUnavailableError: the log cannot be opened now.
            KeyFileError: its key cannot.
        """
        ring = keyring or Keyring(settings.keys)
        origin = os.environ.get(ORIGIN_VARIABLE, DEFAULT_ORIGIN)
        with _kept():
            text = ring.secret("log", lambda: SignerKey.generate(origin).to_text().encode())
            signer = SignerKey.from_text(text.decode())
            create_once(settings.public / LOG_KEY_FILE, f"{signer.verifier.to_text()}\n".encode)
            second = _second_key(ring, origin=signer.name) if settings.second_signature else None
            log = open_log(settings.log, signer, second)
            also = None if second is None else second.verifier
            if also is not None:
                # Last: who finds this key may demand its signature, and now there is one.
                create_once(settings.public / SECOND_KEY_FILE, f"{also.to_text()}\n".encode)
            bodies = BodyStore(settings.bodies, clock=clock)
        subject_key = ring.secret("subject")
        return cls(log, bodies, signer=signer, subject_key=subject_key, second=also, clock=clock, random=random)

    def subject(self, values: Mapping[str, str]) -> str:
        """The keyed hash by which entries about the same look-up values can be found, and not guessed."""
        return hmac.digest(self._subject_key, quickjson.encode(dict(values)), hashlib.sha256).hex()

    def draw_salt(self) -> bytes:
        """A fresh salt for a body that is to be appended."""
        return self._random(SALT_BYTES)

    def append(
        self,
        kind: str,
        *,
        facts: Mapping[str, Any],
        body: Mapping[str, Any] | None = None,
        salt: bytes | None = None,
        actor: str = "",
        subject: str = "",
        resource: str = "",
        purpose: str = "",
        at: datetime | None = None,
    ) -> Recorded:
        """Make one entry, and the *body* behind it, durable. Arguments: as `draft`. Raises: as `keep`."""
        drafted = self.draft(
            kind,
            facts=facts,
            body=body,
            salt=salt,
            actor=actor,
            subject=subject,
            resource=resource,
            purpose=purpose,
            at=at,
        )
        return drafted.recorded(self.keep([drafted])[0])

    def draft(
        self,
        kind: str,
        *,
        facts: Mapping[str, Any],
        body: Mapping[str, Any] | None = None,
        salt: bytes | None = None,
        actor: str = "",
        subject: str = "",
        resource: str = "",
        purpose: str = "",
        at: datetime | None = None,
        more: tuple[tuple[str, bytes, bytes], ...] = (),
        encoder: Callable[[Any], bytes] = encode_json,
    ) -> Draft:
        """An entry, ready to be kept. *facts* are public: no personal data, and digests only if salted.

        *encoder* writes canonical JSON of what is in *facts* and *body*.
        """
        salted = b"" if body is None else (salt or self.draw_salt())
        content = b"" if body is None else encoder(body)
        entry = Entry(
            kind=kind,
            at=at or self.clock(),
            actor=actor,
            subject=subject,
            resource=resource,
            purpose=purpose,
            facts=facts,
            body_digest="" if body is None else sealed(content, salted),
        )
        return Draft(entry, encoder(entry.plain()), salted, content, more)

    def keep(self, drafts: Sequence[Draft]) -> range:
        """Make *drafts* durable, in their order and next to each other; their indexes in the log.

        Bodies go first: a crash between leaves bodies that no entry names, which is harmless, whereas an entry
        without its body could never be replayed.

        Raises:
            EvidenceUnavailableError: nothing is recorded for certain; hand out nothing.
        """
        with _kept():
            bodies = [one for d in drafts for one in d.more]
            bodies += [(d.entry.body_digest, d.salt, d.body) for d in drafts if d.salt]
            if bodies:
                self.bodies.put_many(bodies)
            return self.log.append([d.leaf for d in drafts])

    def look_back(self, kind: str, *, resource: str, facts: Mapping[str, Any]) -> int | None:
        """The newest entry of *kind* on *resource* with these *facts* (and others), among the last `LOOK_BACK`.

        For whoever cannot know whether an entry was made before a crash.
        """
        with _kept():
            size = self.log.size
            start = max(0, size - LOOK_BACK)
            newest = None
            for index, leaf in enumerate(self.log.entries(start, size), start):
                entry = Entry.decode(leaf)
                if (entry.kind, entry.resource) == (kind, resource) and facts.items() <= entry.facts.items():
                    newest = index
            return newest

    def publish(self) -> str:
        """Integrate what was appended and sign a new checkpoint; return the signed note."""
        with self._publishing, _kept():
            return self._published()

    def publish_through(self, index: int) -> None:
        """Publish unless a checkpoint already covers *index*; callers that wait for the same one share it."""
        if self.log.published_size > index:
            return
        with self._publishing, _kept():
            if self.log.published_size <= index < self.log.size:
                self._published()

    def _published(self) -> str:
        note = self.log.publish()
        # One a minute is kept, by which what the log said on a day can be shown for ever. Of its signatures the first,
        # for the second is twenty times as long.
        kept = note if self.second is None else without_signatures(note, [self.second])
        checkpoints.keep(self.log.folder, kept, self.clock())
        return note


class Publisher:
    """A thread that publishes the log soon after something was appended, and not more often than its interval.

    *patience* is how many intervals it waits for another process to do so: publishing takes the interpreter from
    whoever answers calls (`hub.api.publishing`), and must not depend on that process alone.
    """

    def __init__(self, evidence: Evidence, interval_s: float = PUBLISH_EVERY_S, *, patience: int = 0) -> None:
        self._evidence = evidence
        self._interval_s = interval_s
        self._patience = patience
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="log-publisher", daemon=True)

    def start(self) -> None:
        """Start publishing."""
        self._thread.start()

    def stop(self) -> None:
        """Publish what is left and end the thread."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        last, waited, seen = False, 0, -1
        while not last:
            last = self._stop.wait(self._interval_s)
            try:
                published = self._evidence.log.published_size
                waited = 0 if published != seen else waited + 1
                seen = published
                if last or waited >= self._patience:
                    self._evidence.publish_through(self._evidence.log.size - 1)
            except (EvidenceUnavailableError, AuditError, OSError):
                # The entries are durable without a checkpoint; the next round tries again.
                _logger.exception("the log could not be published; trying again in %s s", self._interval_s)


def open_log(folder: Path, signer: SignerKey, second: MlDsaSignerKey | None = None) -> Log:
    """Open the log in *folder*, making it first if there is none; of several makers the first wins."""
    try:
        return Log.open(folder, signer, second=second)
    except LogMissingError:
        pass
    try:
        return Log.create(folder, signer.name, signer, second=second)
    except LogExistsError:
        return Log.open(folder, signer, second=second)


def _second_key(ring: Keyring, *, origin: str) -> MlDsaSignerKey:
    text = ring.secret("log-mldsa", lambda: MlDsaSignerKey.generate(origin).to_text().encode())
    return MlDsaSignerKey.from_text(text.decode())


def log_verifier(settings: Settings) -> VerifierKey:
    """The log's Ed25519 key, which signed every checkpoint there ever was, as anyone may fetch it.

    Raises:
        LogMissingError: there is no log yet.
    """
    try:
        return VerifierKey.from_text((settings.public / LOG_KEY_FILE).read_text().strip())
    except FileNotFoundError as error:
        raise LogMissingError(where=str(settings.log)) from error


def log_verifiers(settings: Settings) -> tuple[PublicKey, ...]:
    """The keys that sign the deployment's checkpoints now: both are demanded of whoever pins these.

    Raises:
        LogMissingError: there is no log yet.
    """
    first = log_verifier(settings)
    path = settings.public / SECOND_KEY_FILE
    if not settings.second_signature or not path.exists():
        return (first,)
    return (first, MlDsaVerifierKey.from_text(path.read_text()))


class _kept:  # noqa: N801 - a context manager used as a statement
    """Turns what the log and the body store raise into what the caller does next."""

    def __enter__(self) -> None:
        return

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        # An entry that cannot be encoded is a fault of ours, which trying again would not mend.
        if not isinstance(error, (AuditError, OSError)) or isinstance(error, InputInvalidError):
            return
        if any(isinstance(e, StorageFullError) or getattr(e, "errno", None) in _FULL for e in _chain(error)):
            raise StorageFullHubError from error
        raise EvidenceUnavailableError from error


def _chain(error: BaseException | None) -> Sequence[BaseException]:
    found: list[BaseException] = []
    while error is not None and error not in found:
        found.append(error)
        error = error.__cause__ or error.__context__
    return found
