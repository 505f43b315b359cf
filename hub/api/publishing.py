"""Publishes the log in a process beside those that serve, so that no call waits for an interpreter that is hashing.

What publishing means is `audit.publish`'s. Every serving process publishes, too, when this one has not for `PATIENCE`
seconds: nothing depends on it but how evenly calls are answered.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from typing import TYPE_CHECKING, Final

from hub.evidence import Evidence, Publisher
from hub.settings import Settings

if TYPE_CHECKING:
    from multiprocessing.context import SpawnProcess

PATIENCE: Final = 5
NICE: Final = 5


def start() -> SpawnProcess:
    """Start the process; it ends with this one, however that ends."""
    process = multiprocessing.get_context("spawn").Process(target=_publish, name="log-publisher", daemon=True)
    process.start()
    return process


def _publish() -> None:
    stop = threading.Event()
    # Whoever waits for an answer goes first.
    os.nice(NICE)
    # Ctrl-C is for whoever serves, and ends this process after those.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    threading.Thread(target=_with_parent, args=(stop,), name="parent", daemon=True).start()
    evidence = Evidence.open(Settings.from_environment())
    publisher = Publisher(evidence)
    publisher.start()
    stop.wait()
    publisher.stop()
    evidence.log.close()


def _with_parent(stop: threading.Event) -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        stop.set()
