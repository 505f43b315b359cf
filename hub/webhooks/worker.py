"""The threads of a serving process that look for changes and call web hooks; any number of processes may run them.

What one round does is `hub.webhooks.queue`'s.
"""

from __future__ import annotations

import logging
import secrets
import threading
from typing import TYPE_CHECKING, Final

from hub.auditing import MASK_KEY
from hub.changes.cursor import KEY_BYTES, Sealer
from hub.changes.feed import SECRET, ChangeFeed
from hub.keyring import Keyring
from hub.storing import open_warehouse
from hub.webhooks.address import Fence, networks
from hub.webhooks.hooks import Hooks
from hub.webhooks.post import trust
from hub.webhooks.queue import Queue

if TYPE_CHECKING:
    from collections.abc import Callable

    from hub.control import Control
    from hub.evidence import Evidence
    from hub.settings import Settings
    from hub.signatures import AnswerSigner
    from hub.standing import Standing

# Receivers that never answer hold a thread for as long as one try may take. Half of the threads make first tries only,
# so that calls to those who answer go out while others are being tried again.
THREADS: Final = 4
IDLE_S: Final = 1.0

_logger = logging.getLogger(__name__)


def open_feed(
    settings: Settings, standing: Standing, evidence: Evidence, control: Control, signer: AnswerSigner
) -> ChangeFeed:
    """The change feed over the opened parts of a process; its secrets are made on first use."""
    ring = Keyring(settings.keys)
    key = ring.secret(SECRET, lambda: secrets.token_bytes(KEY_BYTES))
    return ChangeFeed(
        standing,
        evidence,
        control,
        open_warehouse(settings),
        signer=signer,
        sealer=Sealer(key),
        mask_key=ring.secret(MASK_KEY),
    )


def open_hooks(settings: Settings, feed: ChangeFeed, evidence: Evidence, control: Control) -> Hooks:
    """The web hooks of a deployment. Raises: HookSettingsError."""
    return Hooks(control, evidence, feed, Fence(networks(settings.hook_networks)))


class HookWorker:
    """Looks and calls until it is stopped. A round that fails is logged by its kind and tried again."""

    def __init__(self, queue: Queue, *, threads: int = THREADS, idle_s: float = IDLE_S) -> None:
        self._queue = queue
        self._idle_s = idle_s
        self._stop = threading.Event()
        rounds: list[Callable[[], bool]] = [self._look]
        rounds += [self._send_first if number % 2 else self._send for number in range(threads)]
        self._threads = [
            threading.Thread(target=self._run, args=(one,), name=f"hooks-{number}", daemon=True)
            for number, one in enumerate(rounds)
        ]

    @classmethod
    def over(cls, settings: Settings, hooks: Hooks, signer: AnswerSigner) -> HookWorker:
        """The worker of a serving process."""
        return cls(Queue(hooks, signer, trust(settings.hook_ca)))

    def start(self) -> None:
        """Start looking and calling."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End the threads; a try that is under way ends first, within its deadline."""
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _look(self) -> bool:
        self._queue.look()
        return False

    def _send(self) -> bool:
        return self._queue.send()

    def _send_first(self) -> bool:
        return self._queue.send(first_tries_only=True)

    def _run(self, one: Callable[[], bool]) -> None:
        while not self._stop.is_set():
            busy = False
            try:
                busy = one()
            except Exception as error:  # noqa: BLE001 - one bad round must not end the thread, whatever it was
                # Only the kind: the text of an error may quote what it was about.
                _logger.error("a round of web hooks failed: %s", type(error).__name__)  # noqa: TRY400 - see above
            if not busy:
                self._stop.wait(self._idle_s)
