"""Opens everything a serving process needs, once, and closes it again: the wiring behind the doors.

Nothing here decides anything; each part is described where it is defined.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hub.again import NamedCalls, PastCalls
from hub.auditing import MASK_KEY
from hub.authentication import Authenticator
from hub.callerusage import CallerUsage
from hub.control import Control
from hub.enumeration import Budget, ControlMisses
from hub.evidence import Evidence, Publisher, utc_now
from hub.files import create_once
from hub.invocation import Invocation
from hub.keyring import Keyring
from hub.office import Office
from hub.once import Names
from hub.signatures import AnswerSigner
from hub.standing import Standing
from hub.storing import open_warehouse
from hub.trial import Trial
from hub.usage import Usage, count

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from hub.settings import Settings

ANSWER_KEY = "answers"


@dataclass(frozen=True, slots=True)
class Service:
    """The opened parts of one serving process. Every part is safe for many threads."""

    settings: Settings
    control: Control
    evidence: Evidence
    standing: Standing
    invocation: Invocation
    signer: AnswerSigner
    publisher: Publisher
    office: Office
    authenticator: Authenticator
    trial: Trial
    named: NamedCalls
    callers: CallerUsage

    @classmethod
    def open(cls, settings: Settings, *, clock: Callable[[], datetime] = utc_now, patience: int = 0) -> Service:
        """Open the parts of *settings* and start publishing the log, with *patience* as `Publisher` has it.

        Raises:
            SetupError, TryAgainError: the deployment cannot serve; the message says what to do.
        """
        ring = Keyring(settings.keys)
        control = Control.open(settings)
        evidence = Evidence.open(settings, ring, clock=clock)
        standing = Standing(settings, control)
        warehouse = open_warehouse(settings)
        signer = answer_signer(settings, ring)
        usage = Usage(control, evidence.log)
        mask_key = ring.secret(MASK_KEY)
        budget = Budget(settings.verify_misses, misses=ControlMisses(control))
        parts = (standing, evidence, warehouse, usage)
        invocation = Invocation(*parts, mask_key=mask_key, signer=signer, budget=budget)
        trial = Trial(*parts, mask_key=mask_key, signer=signer)
        past = PastCalls(settings, evidence, warehouse, signer, mask_key)
        # What was counted once need not be read again when the first quota of the day is asked for.
        count(control, evidence.log)
        publisher = Publisher(evidence, patience=patience)
        publisher.start()
        office = Office.over(settings, control, evidence)
        return cls(
            settings,
            control,
            evidence,
            standing,
            invocation,
            signer,
            publisher,
            office,
            Authenticator.open(settings, control, now=clock()),
            trial,
            NamedCalls(invocation, evidence, Names(control, evidence), past, standing),
            CallerUsage(evidence.log),
        )

    def close(self) -> None:
        """Publish what was appended and let go of files and connections."""
        self.authenticator.close()
        self.publisher.stop()
        self.evidence.log.close()
        self.control.close()


def answer_signer(settings: Settings, ring: Keyring | None = None) -> AnswerSigner:
    """The key that signs answers; its public half is kept in var/public for whoever wants to pin it."""
    seed = (ring or Keyring(settings.keys)).secret(ANSWER_KEY, lambda: secrets.token_bytes(32))
    signer = AnswerSigner.from_seed(seed)
    create_once(settings.answer_key, f"{signer.verifier.to_text()}\n".encode)
    return signer
