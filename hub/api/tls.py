"""TLS that the API speaks itself, where no proxy stands before it: its certificate, and whose certificates it asks for.

Which client a certificate is of, `hub.authentication` finds; how it gets there, `hub.peers` says.
"""

from __future__ import annotations

import logging
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from hub.errors import SetupError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import uvicorn

# What a client may have sent before it learnt that it is refused; whoever goes on sending is cut off.
_PIECES_AFTER: Final = 8
_logger = logging.getLogger(__name__)


class TlsFilesError(SetupError):
    """A file of keys or certificates cannot be used; nothing of its content is told."""

    code = "tls_files"
    en = "`{file}` cannot be used for TLS: {why}."
    zh = "`{file}` 不能用于 TLS：{why_zh}。"


class _SealedError(Exception):
    """The private key is sealed with a passphrase."""


@dataclass(frozen=True, slots=True)
class Tls:
    """The files, all PEM. *certificate* is followed by those of the authorities between it and the root.

    With *client_ca* clients are asked for a certificate; who has none may still call by another proof. One that is not
    of these authorities, or not in its term, ends the connection.
    """

    certificate: Path
    private_key: Path
    client_ca: Path | None = None

    def check(self) -> None:
        """Find out now what would fail later.

        Raises:
            TlsFilesError
        """
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        for file in (self.certificate, self.private_key, *([self.client_ca] if self.client_ca else [])):
            try:
                file.read_bytes()
            except OSError as error:
                raise TlsFilesError(file=file, why="it cannot be read", why_zh="无法读取") from error
        try:
            context.load_cert_chain(self.certificate, self.private_key, _sealed)
        except _SealedError as error:
            why = {"why": "it is sealed with a passphrase, and nobody is there to type it", "why_zh": "私钥设有口令"}
            raise TlsFilesError(file=self.private_key, **why) from error
        except ssl.SSLError as error:
            why = {
                "why": f"`{self.certificate}` and it are not a certificate and its private key, in PEM",
                "why_zh": f"它与 `{self.certificate}` 不是配对的 PEM 格式证书和私钥",
            }
            raise TlsFilesError(file=self.private_key, **why) from error
        if self.client_ca is not None:
            try:
                context.load_verify_locations(self.client_ca)
            except ssl.SSLError as error:
                why = {"why": "it holds no certificates in PEM", "why_zh": "其中没有 PEM 格式的证书"}
                raise TlsFilesError(file=self.client_ca, **why) from error

    def options(self) -> dict[str, Any]:
        """What the server is told."""
        said: dict[str, Any] = {"ssl_certfile": self.certificate, "ssl_keyfile": self.private_key}
        if self.client_ca is not None:
            said |= {
                "ssl_ca_certs": self.client_ca,
                "ssl_cert_reqs": ssl.CERT_OPTIONAL,
                "ssl_context_factory": plain_spoken,
            }
        return said


def plain_spoken(config: uvicorn.Config, usual: Callable[[], ssl.SSLContext]) -> ssl.SSLContext:
    """The *usual* context, which tells clients why their certificates are refused."""
    del config
    context = usual()
    context.sslobject_class = _Told
    return context


class _Told(ssl.SSLObject):
    """One connection's TLS. A certificate that is refused is answered with TLS's own alert, which says why.

    asyncio drops the connection together with the alert that OpenSSL has ready. It does send what is ready when more is
    waited for; so more is waited for, until the client, which has been told, goes, or its time for the handshake ends.
    """

    _refused: ssl.SSLCertVerificationError | None = None
    _left = _PIECES_AFTER

    def do_handshake(self) -> None:
        """Go on with the handshake. Raises: as `ssl.SSLObject`."""
        if self._refused is not None:
            self._left -= 1
            if not self._left:
                raise self._refused
            raise ssl.SSLWantReadError
        try:
            super().do_handshake()
        except ssl.SSLCertVerificationError as error:
            self._refused = error
            _logger.info("a client's certificate was refused: %s", error.verify_message)
            raise ssl.SSLWantReadError from error


def _sealed() -> str:
    raise _SealedError
