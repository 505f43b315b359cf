"""The market office's system as the hub meets it: a paged JSON API on the loopback address, guarded by a token.

It serves the files of `hub.demo.city` and stores nothing. Reading it properly is the work of a connector: it sometimes
answers 429 with Retry-After, as busy systems do.

    GET /api/v1/companies?page=1&page_size=500&updated_since=2026-03-01T00:00:00
    Authorization: Bearer TOKEN

    {"page": 1, "page_size": 500, "pages": 8, "total": 3992, "items": [{…}, …]}

Records are ordered by their last change and then by key; ``updated_since`` is inclusive. Pages are at most
`MOST_PER_PAGE` records, whatever is asked for; a page past the last one is empty.

Run on its own: ``python -m hub.demo.simulator CITY --port 8091`` (ends on SIGTERM or Ctrl-C).
"""

from __future__ import annotations

import argparse
import hmac
import json
import signal
import sys
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self
from urllib.parse import parse_qs, urlsplit

from hub.demo.city import TOKEN_FILE

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

LOOPBACK: Final = "127.0.0.1"
PREFIX: Final = "/api/v1/"
PER_PAGE: Final = 200
MOST_PER_PAGE: Final = 500
# Every so many-th answer is a refusal; the caller waits a second and asks again.
REFUSE_EVERY: Final = 13
RETRY_AFTER_S: Final = 1
IDLE_TIMEOUT_S: Final = 30

# object → (its key, the field that says when a record last changed or "").
OBJECTS: Final[dict[str, tuple[str, str]]] = {
    "companies": ("uscc", "updated_at"),
    "annual-reports": ("report_no", "submitted_at"),
    "special-equipment": ("equipment_code", ""),
}

Record = dict[str, Any]


class MarketSystem:
    """The records behind the API. Any number of threads may ask at once.

    A file that has been replaced (atomically, by `hub.demo.days`) is read again at the next question.
    """

    def __init__(self, folder: Path, token: str, refuse_every: int = REFUSE_EVERY) -> None:
        self._folder = folder
        self._token = token
        self._refuse_every = refuse_every
        self._asked = 0
        self._lock = threading.Lock()
        self._read: dict[str, tuple[tuple[int, int, int], list[Record]]] = {}

    def may_enter(self, authorization: str) -> bool:
        """Whether the Authorization header holds the token."""
        return hmac.compare_digest(authorization.encode(), f"Bearer {self._token}".encode())

    def is_busy(self) -> bool:
        """Count a question and say whether it is one of those that must be asked again; 0 means never."""
        with self._lock:
            self._asked += 1
            return self._refuse_every > 0 and self._asked % self._refuse_every == 0

    def page(self, name: str, number: int, size: int, since: str) -> Record:
        """Page *number* (from 1) of the object *name*: its records that changed at *since* or later."""
        records = self._records(name)
        changed = OBJECTS[name][1]
        if since and changed:
            records = [record for record in records if str(record[changed]) >= since]
        start = (number - 1) * size
        return {
            "page": number,
            "page_size": size,
            "pages": -(-len(records) // size),
            "total": len(records),
            "items": records[start : start + size],
        }

    def _records(self, name: str) -> list[Record]:
        path = self._folder / "sj" / f"{name}.json"
        status = path.stat()
        mark = (status.st_ino, status.st_size, status.st_mtime_ns)
        with self._lock:
            known = self._read.get(name)
            if known is None or known[0] != mark:
                key, changed = OBJECTS[name]
                records: list[Record] = json.loads(path.read_text(encoding="utf-8"))
                records.sort(key=lambda record: (str(record[changed]) if changed else "", str(record[key])))
                known = self._read[name] = (mark, records)
            return known[1]


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    timeout = IDLE_TIMEOUT_S

    def do_GET(self) -> None:
        address = urlsplit(self.path)
        system = self.server.system
        name = address.path.removeprefix(PREFIX)
        if not system.may_enter(self.headers.get("Authorization", "")):
            self._answer(HTTPStatus.UNAUTHORIZED, {"error": "token missing or wrong"})
        elif not address.path.startswith(PREFIX) or name not in OBJECTS:
            self._answer(HTTPStatus.NOT_FOUND, {"error": "no such object"})
        elif system.is_busy():
            self._answer(HTTPStatus.TOO_MANY_REQUESTS, {"error": "busy"}, retry_after_s=RETRY_AFTER_S)
        else:
            query = {key: values[-1] for key, values in parse_qs(address.query).items()}
            number, size = query.get("page", "1"), query.get("page_size", str(PER_PAGE))
            if not (_is_count(number) and _is_count(size)):
                self._answer(HTTPStatus.BAD_REQUEST, {"error": "page and page_size must be whole numbers from 1"})
                return
            since = query.get("updated_since", "")
            self._answer(HTTPStatus.OK, system.page(name, int(number), min(int(size), MOST_PER_PAGE), since))

    def _answer(self, status: HTTPStatus, body: Record, *, retry_after_s: int | None = None) -> None:
        data = json.dumps(body, ensure_ascii=False).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json; charset=utf-8")
        self.send_header("Content-Length", str(len(data)))
        if status is HTTPStatus.UNAUTHORIZED:
            self.send_header("WWW-Authenticate", "Bearer")
        if retry_after_s is not None:
            self.send_header("Retry-After", str(retry_after_s))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name http.server gives it
        """Say nothing: addresses in a log are of use to nobody here."""


def _is_count(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 9 and int(text) > 0


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, address: tuple[str, int], system: MarketSystem) -> None:
        self.system = system
        super().__init__(address, _Handler)

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of a caller that hangs up, as callers do when their process ends; print anything else."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


class MarketSimulator:
    """The API as a context manager: serves in a thread of its own from entering until leaving.

    *port* 0 takes a free one; `base_url` (without the path) says which. The token is the city's own.

    Raises:
        OSError: the port is taken, or the folder holds no city.
    """

    def __init__(self, folder: Path, *, port: int = 0, refuse_every: int = REFUSE_EVERY) -> None:
        self.token = (folder / TOKEN_FILE).read_text(encoding="ascii").strip()
        self._server = _Server((LOOPBACK, port), MarketSystem(folder, self.token, refuse_every))
        self._thread = threading.Thread(target=self._server.serve_forever, name="market-simulator", daemon=True)

    @property
    def port(self) -> int:
        """The port it listens on."""
        return self._server.server_port

    @property
    def base_url(self) -> str:
        """``http://127.0.0.1:PORT``, what ``${MARKET_API}`` stands for."""
        return f"http://{LOOPBACK}:{self.port}"

    def start(self) -> None:
        """Serve in a thread of its own."""
        self._thread.start()

    def stop(self) -> None:
        """Stop serving and free the port; to be called once, after `start`."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve a city's market system until told to stop; the address goes to standard output."""
    parser = argparse.ArgumentParser(prog="python -m hub.demo.simulator", description=main.__doc__)
    parser.add_argument("city", type=Path, help="the folder of the city's sources")
    parser.add_argument("--port", type=int, default=0, help="the port on 127.0.0.1 (default: a free one)")
    chosen = parser.parse_args(arguments)
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    with MarketSimulator(chosen.city, port=chosen.port) as simulator:
        sys.stdout.write(f"{simulator.base_url}\n")
        sys.stdout.flush()
        stopped.wait()
    return 0


if __name__ == "__main__":
    sys.exit(main())
