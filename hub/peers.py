"""Which client certificate a connection was made with, and from which address: as it says itself, or a trusted proxy.

Only a proxy at a named address is believed, and only one field of it; from anybody else that field is taken away. What
TLS knows comes with the connection, beside whatever the request says. Which system a certificate is of,
`hub.authentication` finds. Addresses are believed for limits alone (`hub.api.limits`): they open nothing.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from hub.signing.errors import CertificateError

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Iterable, Mapping
    from ipaddress import IPv4Network, IPv6Network

# Under this name a request's scope holds what `shown_by` found; no header field comes to stand there.
SHOWN = "zhengtong.certificate"
# And under this one the address that a trusted proxy speaks for.
SOURCE = "zhengtong.source"
# More proxies in a row than anybody has; whoever sends more has made them up.
MAX_FORWARDED = 20
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


@dataclass(frozen=True)
class Forwarders:
    """Who is believed to say for which address it asks (``X-Forwarded-For``)."""

    networks: tuple[IPv4Network | IPv6Network, ...]

    @classmethod
    def parse(cls, addresses: str) -> Forwarders | None:
        """The comma-separated *addresses* and networks; None for none. Raises: ValueError: one is none."""
        networks = tuple(ip_network(one.strip()) for one in addresses.split(",") if one.strip())
        return cls(networks) if networks else None

    def source(self, peer: str, headers: Iterable[tuple[bytes, bytes]]) -> str:
        """The address that *peer* asks for; its own, unless it is believed and says one.

        Each proxy adds at the end whom it was asked by. What stands before the last address that is none of ours
        was written by whoever is there, and may be anything.
        """
        if not _among(peer, self.networks):
            return peer
        said = b",".join(value for name, value in headers if name == b"x-forwarded-for").decode("latin-1")
        for one in reversed(said.split(",")[-MAX_FORWARDED:]):
            address = _address(one)
            if address is None:
                return peer
            peer = address
            if not _among(peer, self.networks):
                return peer
        return peer


def source_of(scope: Mapping[str, Any]) -> str:
    """The address that limits count a request by: the connection's, or the one that a trusted proxy speaks for."""
    said = scope.get(SOURCE)
    if said is not None:
        return str(said)
    client = scope.get("client")
    return str(client[0]) if client else ""


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


def _address(text: str) -> str | None:
    """The address in an element of ``X-Forwarded-For``, which some proxies write with a port; None for none."""
    plain = text.strip()
    if plain.startswith("["):
        plain = plain[1:].partition("]")[0]
    elif plain.count(":") == 1:
        plain = plain.partition(":")[0]
    try:
        return str(ip_address(plain))
    except ValueError:
        return None


@lru_cache(maxsize=ADDRESSES_REMEMBERED)
def _among(peer: str, networks: tuple[IPv4Network | IPv6Network, ...]) -> bool:
    try:
        address = ip_address(peer)
    except ValueError:
        return False
    return any(address in network for network in networks)
