"""Which client certificate a connection was made with: as TLS itself knows, or as a trusted proxy says that ends it.

Only a proxy at a named address is believed, and only one field of it; from anybody else that field is taken away. What
TLS knows comes with the connection, beside whatever the request says. Which system a certificate is of,
`hub.authentication` finds.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING
from urllib.parse import unquote

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from hub.signing.errors import CertificateError

if TYPE_CHECKING:
    import asyncio
    from ipaddress import IPv4Network, IPv6Network

# Under this name a request's scope holds what `shown_by` found; no header field comes to stand there.
SHOWN = "zhengtong.certificate"
MAX_CERTIFICATE_CHARS = 16_384
ADDRESSES_REMEMBERED = 1_024
_HEX = re.compile(r"[0-9A-Fa-f]{64}")
_FIELD_NAME = re.compile(r"[a-z0-9-]{1,64}")


@dataclass(frozen=True)
class Proxies:
    """Who is believed to say what certificate a client has, and in which field (a lower-case name)."""

    field: str
    networks: tuple[IPv4Network | IPv6Network, ...]

    @classmethod
    def parse(cls, field: str, addresses: str) -> Proxies | None:
        """*field*, believed of the comma-separated *addresses* and networks; None where no field is named.

        Raises:
            ValueError: an address is none, there is none, or the field's name is none.
        """
        if not field:
            return None
        if _FIELD_NAME.fullmatch(field.lower()) is None:
            raise ValueError("the name of a header field is wanted")
        networks = tuple(ip_network(one.strip()) for one in addresses.split(",") if one.strip())
        if not networks:
            raise ValueError("a field that is believed of nobody")
        return cls(field.lower(), networks)

    def certificate(self, peer: str, headers: list[tuple[str, str]]) -> tuple[str | None, list[tuple[str, str]]]:
        """The SHA-256 (hex) of the certificate of the client behind *peer*, and *headers* without the field.

        Raises:
            CertificateError: the proxy names two, or one in a form that is not known.
        """
        said = [value for name, value in headers if name == self.field]
        if not said:
            return None, headers
        others = [(name, value) for name, value in headers if name != self.field]
        if not _among(peer, self.networks):
            return None, others
        if len(said) > 1:
            raise CertificateError
        # A proxy that asks for certificates and was shown none says so by an empty field.
        text = said[0].strip()
        return (thumbprint(text) if text else None), others


def shown_by(transport: asyncio.BaseTransport) -> str | None:
    """The SHA-256 (hex) of the certificate that the client of *transport* proved to be its own; None for none.

    Whether it is of a known authority and in its term, the handshake has checked: without that there is no connection.
    """
    tls = transport.get_extra_info("ssl_object")
    der = None if tls is None else tls.getpeercert(binary_form=True)
    return hashlib.sha256(der).hexdigest() if der else None


def thumbprint(text: str) -> str:
    """The SHA-256 (hex) that *text* says: itself, with or without colons, or of the certificate that it is.

    A certificate is ``:base64 of DER:`` (RFC 9440), or PEM, percent-encoded as proxies do that pass it on.

    Raises:
        CertificateError: it is none of these.
    """
    if len(text) > MAX_CERTIFICATE_CHARS:
        raise CertificateError
    if _HEX.fullmatch(text.replace(":", "")):
        return text.replace(":", "").lower()
    try:
        if text.startswith(":") and text.endswith(":"):
            return hashlib.sha256(base64.b64decode(text[1:-1], validate=True)).hexdigest()
        certificate = x509.load_pem_x509_certificate(unquote(text).encode())
    except (binascii.Error, ValueError) as error:
        raise CertificateError from error
    return hashlib.sha256(certificate.public_bytes(Encoding.DER)).hexdigest()


@lru_cache(maxsize=ADDRESSES_REMEMBERED)
def _among(peer: str, networks: tuple[IPv4Network | IPv6Network, ...]) -> bool:
    try:
        address = ip_address(peer)
    except ValueError:
        return False
    return any(address in network for network in networks)
