"""What the clients of a drill hold of a hub's answers, and whether the log and the bodies have it all.

Everything is looked up in the files alone, as an auditor would: no process of the hub is asked. Who calls and who is
killed is left to `bench/kills_calls.py`.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from audit import checkpoints, tree
from audit.checkpoint import open_checkpoint, parse_unverified
from audit.entry import Entry
from audit.errors import AuditError
from audit.fsck import check_log
from audit.log import Log
from audit.store import BodyStore
from hub import receipts, usage
from hub.control import Control, GrantUsage
from hub.evidence import log_verifier, log_verifiers, part_salt
from hub.once import NAMED
from hub.receipts import ReceiptInvalidError
from hub.recording import with_terms
from hub.requests import parse_call
from hub.signatures import AnswerVerifier

if TYPE_CHECKING:
    from collections.abc import Mapping

    from audit.checkpoint import Checkpoint
    from audit.notes import VerifierKey
    from hub.settings import Settings

OK = 200


@dataclass(frozen=True, slots=True)
class Asked:
    """A request of a *kind* of call, as it was sent."""

    kind: str
    request: bytes

    @property
    def call(self) -> Mapping[str, Any]:
        """What it asks for, as evidence has it."""
        action = "verify" if self.kind == "verify" else "query"
        return parse_call(action, json.loads(self.request.partition(b"\r\n\r\n")[2])).plain()


@dataclass(frozen=True, slots=True)
class Got:
    """What came back."""

    status: int
    body: bytes

    @property
    def plain(self) -> Any:  # noqa: ANN401 - any JSON value
        """The body."""
        return json.loads(self.body)


class Ledger:
    """Answers and refusals, as they came. *faults* is what was found, a sentence each; *tally* how much was looked at.

    Of the resource *scarce* each day *quota* calls are allowed, and *at_once* more may slip through: as many as are
    answered at one moment (`hub.usage`).
    """

    def __init__(self, settings: Settings, *, scarce: str = "", quota: int = 0, at_once: int = 0) -> None:
        self.faults: list[str] = []
        self.tally: Counter[str] = Counter()
        self.known: dict[int, bytes] = {}
        self._settings = settings
        self._scarce, self._quota, self._at_once = scarce, quota, at_once
        self._fresh: list[tuple[Asked, Got]] = []
        self._seen: list[str] = []

    def fault(self, text: str) -> None:
        """Something is not as promised."""
        self.faults.append(text)

    def take(self, asked: Asked, got: Got) -> None:
        """Keep what has a receipt; nothing else was promised to be in the log."""
        if b'"receipt":{' not in got.body:
            self.tally[f"without receipt: {got.status} {got.plain.get('code', '')}"] += 1
            return
        self._fresh.append((asked, got))
        self.tally["answered" if got.status == OK else "refused"] += 1

    def note(self) -> None:
        """Take down the checkpoint as anybody may fetch it now."""
        note = (self._settings.log / "checkpoint").read_text("utf-8")
        if self._seen and note == self._seen[-1]:
            return
        if self._seen and parse_unverified(note).size < parse_unverified(self._seen[-1]).size:
            self.fault("the checkpoint went back")
        self._seen.append(note)

    def at_rest(self) -> None:
        """Look up what was received since the last time, while no process runs."""
        settings = self._settings
        report = check_log(settings.log, log_verifiers(settings))
        self.faults += [fault.text("en") for fault in report.faults]
        held: dict[int, tuple[Asked, Got]] = {}
        for asked, got in self._fresh:
            index = got.plain["receipt"]["entry"]
            if index in self.known or index in held:
                self.fault(f"entry {index} was given twice")
            held[index] = (asked, got)
        self._fresh = []
        if not held:
            return
        bodies = BodyStore(settings.bodies)
        verifier = AnswerVerifier.from_text(settings.answer_key.read_text())
        with Log.open(settings.log) as log:
            start = min(*held, log.size)
            for index, leaf in enumerate(log.entries(start, log.size), start):
                if index in held:
                    why = mismatch(*held.pop(index), leaf, bodies, verifier)
                    self.known[index] = tree.leaf_hash(leaf)
                    self.tally["receipts found"] += 1
                    if why:
                        self.fault(f"entry {index}: {why}")
        for index in held:
            self.fault(f"entry {index} was promised, and is not in the log")

    def at_the_end(self) -> None:
        """Look at the whole log once more, at what was seen of it, and at what was counted from it."""
        settings = self._settings
        named: Counter[str] = Counter()
        used: Counter[tuple[str, str]] = Counter()
        scarce: Counter[str] = Counter()
        with Log.open(settings.log) as log:
            last = open_checkpoint(log.checkpoint, [log_verifier(settings)])
            if last.size != log.size:
                self.fault(f"it stopped with {log.size} entries, of which {last.size} are published")
            for index, leaf in enumerate(log.entries(0, log.size)):
                if index in self.known and self.known[index] != tree.leaf_hash(leaf):
                    self.fault(f"entry {index} is another than before")
                entry = Entry.decode(leaf)
                if entry.kind == usage.ANSWERED:
                    named[entry.facts.get(NAMED, "")] += 1
                    day, uses = usage.day_of(entry.at), int(entry.facts.get("count", 1))
                    scarce[day] += uses if entry.resource == self._scarce else 0
                    for grant in filter(None, str(entry.facts["grant"]).split(",")):
                        used[grant, day] += uses
            for index, leaf_hash in self.known.items():
                self._proven(partial(_verify_inclusion, log, last, index, leaf_hash))
            for note in self._seen:
                self._proven(partial(_verify_growth, log, last, note, log_verifier(settings)))
            self.tally["entries"], self.tally["checkpoints seen"] = log.size, len(self._seen)
            self.tally["checkpoints kept"] = sum(1 for _ in checkpoints.kept(settings.log))
            self._counted(log, used, scarce)
        del named[""]
        self.faults += [f"a named call stands {n} times in the log" for n in named.values() if n > 1]

    def _counted(self, log: Log, used: Mapping[tuple[str, str], int], scarce: Mapping[str, int]) -> None:
        control = Control.open(self._settings)
        try:
            usage.count(control, log)
            with control.reading() as connection:
                rows = connection.execute(sa.select(GrantUsage.grant, GrantUsage.day, GrantUsage.calls)).all()
        finally:
            control.close()
        if {(row.grant, row.day): row.calls for row in rows} != used:
            self.fault("uses were counted that are not in the log, or the reverse")
        for day, answered in scarce.items():
            self.tally["answered within the quota"] += min(answered, self._quota)
            if answered > self._quota + self._at_once:
                self.fault(f"{answered} calls were answered on {day}, {self._quota} are allowed")

    def _proven(self, verify: partial[None]) -> None:
        try:
            verify()
            self.tally["proofs"] += 1
        except AuditError as error:
            self.fault(str(error))


def _verify_inclusion(log: Log, last: Checkpoint, index: int, leaf_hash: bytes) -> None:
    tree.verify_inclusion(leaf_hash, index, last.size, log.prove(index).path, last.root)


def _verify_growth(log: Log, last: Checkpoint, note: str, verifier: VerifierKey) -> None:
    old = open_checkpoint(note, [verifier])
    tree.verify_consistency(old.size, last.size, old.root, last.root, log.consistency(old.size, last.size))


def mismatch(asked: Asked, got: Got, leaf: bytes, bodies: BodyStore, verifier: AnswerVerifier) -> str:
    """What of *got* is not as *leaf*, the entry where its receipt says, and its body have it; "" for nothing."""
    plain = dict(got.plain)
    try:
        receipt = receipts.read(plain.pop("receipt"))
        call = asked.call if receipt.request_salt else None
        receipts.check(receipt, [verifier], request=call, answer=plain if got.status == OK else None)
        if receipt.leaf != leaf:
            return "it is not the one of the receipt"
        kept = bodies.get(receipt.entry.body_digest)
        body = None if kept is None else with_terms(bodies, kept[1])
    except (AuditError, ReceiptInvalidError) as error:
        return str(error)
    if kept is None or body is None:
        return "its body, or the terms it names, are not there"
    salts = {"request": receipt.request_salt, "answer": receipt.answer_salt}
    if any(salt and part_salt(kept[0], part).hex() != salt for part, salt in salts.items()):
        return "the salts of the receipt are not those of the body"
    if call is not None and body["call"] != call:
        return "the body tells of another request"
    return ""
