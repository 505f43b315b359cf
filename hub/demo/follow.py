"""A department that keeps up with what changes: pages of the feed from a kept cursor, and a receiver that is called.

What is told, and when a receiver is called, is `hub.changes`' and `hub.webhooks`'; this is the department's side.
"""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Final, TypeVar
from urllib.parse import urlsplit

from hub.client import CallInvalidError
from hub.demo.systems import FUND
from hub.files import replace_file
from hub.settings import LOOPBACK
from hub.signatures import AnswerVerifier, Request, SignatureInvalidError, check_digest, verify
from hub.webhooks.hooks import ACTIVE, CHALLENGE, CHANGES, DELIVERED, PAUSED
from hub.webhooks.queue import COVERED

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from hub.client import Client
    from hub.demo.systems import Systems

# The provident fund lets tenants of public housing withdraw, and heirs: it follows both registers.
MATTER: Final = "341200-GJJ-0001"
RESIDENTS: Final = "3010010001"
TENANCIES: Final = "3140010002"
FOLLOWED: Final = (RESIDENTS, TENANCIES)
PATH: Final = "/changes"
WAIT_S: Final = 30.0
MAX_BODY_BYTES: Final = 16_384
_POLL_S: Final = 0.1
_TOLERANCE: Final = timedelta(minutes=5)

Seen = TypeVar("Seen")


class Receiver(ThreadingHTTPServer):
    """The department's own web server, on loopback: it believes a call only by the hub's signature.

    *taken* holds the calls that it believed, *refused* counts the others.
    """

    daemon_threads = True

    def __init__(self, port: int, pinned: str) -> None:
        super().__init__((LOOPBACK, port), _Handler)
        self.taken: list[Mapping[str, Any]] = []
        self.refused = 0
        self._verifiers = [AnswerVerifier.from_text(pinned)]
        self._thread = threading.Thread(target=self.serve_forever, name="receiver", daemon=True)

    @property
    def url(self) -> str:
        """The address that is registered."""
        return f"http://{LOOPBACK}:{self.server_port}{PATH}"

    def start(self) -> None:
        """Begin to take calls."""
        self._thread.start()

    def stop(self) -> None:
        """Take no more."""
        self.shutdown()
        self.server_close()
        self._thread.join()

    def take(self, path: str, fields: Mapping[str, str], body: bytes) -> Mapping[str, Any] | None:
        """The call, if the hub signed it for this address; None: refuse it."""
        try:
            verify(
                Request("POST", path, fields),
                verifiers=self._verifiers,
                required=COVERED,
                now=datetime.now(UTC),
                tolerance=_TOLERANCE,
            )
            check_digest(fields["content-digest"], body)
        except SignatureInvalidError:
            self.refused += 1
            return None
        plain: Mapping[str, Any] = json.loads(body)
        self.taken.append(plain)
        return plain


class _Handler(BaseHTTPRequestHandler):
    server: Receiver
    timeout = 30

    def do_POST(self) -> None:
        body = self.rfile.read(min(int(self.headers.get("Content-Length", "0")), MAX_BODY_BYTES))
        plain = self.server.take(self.path, {name.lower(): value for name, value in self.headers.items()}, body)
        if plain is None:
            self.send_error(HTTPStatus.UNAUTHORIZED)
            return
        # A challenge is answered by its own text, anything else by having been taken.
        answer = json.dumps({"challenge": plain["challenge"]}).encode() if plain["type"] == CHALLENGE else b"{}"
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002, ANN401 - as the library has them
        """Say nothing."""


class Follower:
    """The fund's program. *folder* keeps its cursors from one run to the next."""

    def __init__(self, systems: Systems, folder: Path) -> None:
        self._systems = systems
        self._folder = folder
        self._receiver: Receiver | None = None

    def begin(self) -> list[str]:
        """Follow from now on what is not followed yet; the resources that are new."""
        begun = [code for code in FOLLOWED if not self._cursor(code).exists()]
        with self._systems.client(FUND) as client:
            for code in begun:
                list(self._paged(client, code, "now"))
        return begun

    def pages(self) -> dict[str, Counter[str]]:
        """What each resource's feed tells since the kept cursor, counted by kind."""
        with self._systems.client(FUND) as client:
            return {code: Counter(self._since(client, code)) for code in FOLLOWED}

    def _since(self, client: Client, code: str) -> list[str]:
        try:
            return self._paged(client, code, self._cursor(code).read_text(encoding="ascii"))
        except CallInvalidError:
            # The cursor is of a grant or a table that is no more: begin anew, as any follower would.
            return self._paged(client, code, "now")

    def _paged(self, client: Client, code: str, cursor: str) -> list[str]:
        changes = client.changes(code, matter=MATTER, cursor=cursor)
        kinds = [change.kind for change in changes]
        # Kept when all of it was worked on: after a crash it is told again.
        replace_file(self._cursor(code), changes.cursor.encode())
        return kinds

    def _cursor(self, code: str) -> Path:
        return self._folder / f"{code}.cursor"

    # --- being called ------------------------------------------------------------------------------------------------

    def listen(self) -> Mapping[str, Any]:
        """Have the receiver registered, or find it registered and open at the same address; the hook as it stands."""
        with self._systems.client(FUND) as client:
            known = [hook for hook in client.hooks.find() if hook["resource"] == TENANCIES]
            hook = next((one for one in known if self._open(urlsplit(one["url"]).port or 0)), None)
            for one in known:
                if one is not hook:
                    # Somebody else has its port now, and would be called in its stead.
                    client.hooks.take(one["id"], "end")
            if hook is None:
                self._open(0)
                hook = client.hooks.register(TENANCIES, self.receiver.url, matter=MATTER)
            elif hook["state"] == PAUSED:
                hook = client.hooks.take(hook["id"], "resume")
            found: Mapping[str, Any] = hook
            return _until(lambda: client.hooks.get(found["id"]), lambda one: one["state"] == ACTIVE)

    def called(self, hook: str) -> Sequence[Mapping[str, Any]]:
        """The calls of *hook*, the newest first, once none of them is under way."""
        with self._systems.client(FUND) as client:
            return _until(
                lambda: client.hooks.deliveries(hook),
                lambda calls: any(one["kind"] == CHANGES and one["state"] == DELIVERED for one in calls),
            )

    @property
    def receiver(self) -> Receiver:
        """The receiver, which `listen` opened."""
        assert self._receiver is not None  # noqa: S101 - by `listen`
        return self._receiver

    def stop(self) -> None:
        """Close the receiver."""
        if self._receiver is not None:
            self._receiver.stop()
            self._receiver = None

    def _open(self, port: int) -> bool:
        """Whether the receiver is open at *port*, 0 for any."""
        if self._receiver is None:
            try:
                self._receiver = Receiver(port, self._systems.pinned)
            except OSError:
                return False
            self._receiver.start()
        return port in (0, self._receiver.server_port)


def _until(look: Callable[[], Seen], enough: Callable[[Seen], bool]) -> Seen:
    """What is seen when it is *enough*, or after `WAIT_S`."""
    deadline = time.monotonic() + WAIT_S
    while True:
        seen = look()
        if enough(seen) or time.monotonic() > deadline:
            return seen
        time.sleep(_POLL_S)
