"""Sends one request to a web hook's checked address, bounded in time and in what is read, whoever answers.

Where it may be sent is `hub.webhooks.address`', what is sent and what an answer means `hub.webhooks.queue`'s. No
redirect is followed and no proxy used: the request goes where it was allowed to go and nowhere else.
"""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from hub.webhooks.address import Address

DEADLINE_S: Final = 10.0
CONNECT_S: Final = 5.0
MAX_ANSWER_BYTES: Final = 4_096  # of the answer to a challenge; of others nothing is read past the header
UNREACHABLE, UNTRUSTED, TOO_SLOW, NO_HTTP = "unreachable", "untrusted", "too_slow", "no_http"


class NotSentError(Exception):
    """There was no answer; *outcome* is one of the words above. Whether the receiver got the request is not known."""

    def __init__(self, outcome: str) -> None:
        self.outcome = outcome
        super().__init__(outcome)


@dataclass(frozen=True, slots=True)
class Answered:
    """What a receiver answered: *body* at most `MAX_ANSWER_BYTES` of it, b"" where it was not asked for."""

    status: int
    retry_after: str = ""
    body: bytes = b""


def trust(ca_file: Path | None = None) -> ssl.SSLContext:
    """The certificates that receivers are known by: the system's, and those of *ca_file*."""
    context = ssl.create_default_context()
    if ca_file is not None:
        context.load_verify_locations(cafile=ca_file)
    return context


def post(
    address: Address,
    ip: str,
    headers: Mapping[str, str],
    body: bytes,
    *,
    context: ssl.SSLContext,
    read: bool = False,
    deadline_s: float = DEADLINE_S,
) -> Answered:
    """POST *body* to *address* at *ip*; with *read* the beginning of the answer's body, too.

    The receiver's certificate must fit the host of *address*. After *deadline_s* the connection is cut, however busily
    it still answers.

    Raises:
        NotSentError: there is no answer.
    """
    connection = _Pinned(address, ip, context)
    cut = threading.Event()

    def expire() -> None:
        cut.set()
        connection.cut()

    timer = threading.Timer(deadline_s, expire)
    timer.daemon = True
    timer.start()
    try:
        connection.request("POST", address.path, body, {**headers, "connection": "close"})
        answer = connection.getresponse()
        content = answer.read(MAX_ANSWER_BYTES) if read else b""
        if cut.is_set():
            raise NotSentError(TOO_SLOW)
        return Answered(answer.status, answer.headers.get("retry-after", ""), content)
    except ssl.SSLError as error:
        raise NotSentError(TOO_SLOW if cut.is_set() else UNTRUSTED) from error
    except TimeoutError as error:
        raise NotSentError(TOO_SLOW) from error
    except OSError as error:
        raise NotSentError(TOO_SLOW if cut.is_set() else UNREACHABLE) from error
    except (http.client.HTTPException, ValueError) as error:
        raise NotSentError(TOO_SLOW if cut.is_set() else NO_HTTP) from error
    finally:
        timer.cancel()
        connection.close()


class _Pinned(http.client.HTTPConnection):
    """A connection to one IP address, whatever the name of its host means now."""

    def __init__(self, address: Address, ip: str, context: ssl.SSLContext) -> None:
        super().__init__(address.host, address.port, timeout=CONNECT_S)
        self._ip, self._context, self._address = ip, context, address
        self._opened: socket.socket | None = None
        self._cut = False

    def connect(self) -> None:
        """Connect, and check the receiver's certificate."""
        self._opened = self.sock = socket.create_connection((self._ip, self._address.port), CONNECT_S)
        if self._address.secure:
            # Not shaken hands at once, so that a receiver that never ends its greeting can be cut off, too.
            secured = self._context.wrap_socket(
                self.sock, server_hostname=self._address.host, do_handshake_on_connect=False
            )
            self._opened = self.sock = secured
            if self._cut:
                # Time was up while the plain socket was handed over, and nobody was there to be cut off.
                raise TimeoutError
            secured.do_handshake()
        # From here the deadline alone counts; a receiver may think as long as it lasts.
        self.sock.settimeout(None)

    def cut(self) -> None:
        """End whatever is going on, from another thread."""
        self._cut = True
        opened = self._opened
        if opened is not None:
            try:
                # The plain socket's: that of TLS would first tidy up what the other thread is using.
                socket.socket.shutdown(opened, socket.SHUT_RDWR)
            except OSError:
                return
