"""Recognises who a request is from, without HTTP: by signature, certificate, a gateway's fields or a bearer key.

What the caller may then see is decided elsewhere; credentials are registered by `hub.clients`. One request proves one
thing in one way:

    1. find the one way among the header fields; two, or one twice, are refused: which counts is not for us to choose
    2. check it, against a credential in force (the signature: `hub.signing.requests`; the gateway's fields:
       `hub.signing.hmac_profile`; a bearer key by its hash)
    3. a client certificate, where the deployment believes one, is of the same system; alone, it is the way
"""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from hub.control import Caller, ClientCredential
from hub.credentials import BEARER, CERTIFICATE, HMAC, KEY, SIGNATURE, Credential, KnownCaller
from hub.errors import HubError, KeyRefusedError, SetupError
from hub.nonces_shared import SharedNonces
from hub.peers import SHOWN, Forwarders, Proxies
from hub.signing import hmac_profile, requests
from hub.signing.errors import (
    CertificateError,
    FieldMalformedError,
    ProofAmbiguousError,
    SignatureElsewhereError,
    SignatureKeyError,
)
from hub.signing.nonces_file import FileNonces

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hub.control import Control
    from hub.settings import Settings
    from hub.signing.algorithms import PublicKey
    from hub.signing.nonces import Nonces
    from hub.signing.requests import Signed
    from hub.standing import View

MACHINE: Final = "machine"
DATABASE: Final = "database"
NONCES: Final = (MACHINE, DATABASE)
_FLUSH_EVERY_S: Final = 60.0
_SHANGHAI_S: Final = 8 * 3600
_DAY_S: Final = 86_400
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_AUTHORIZATION: Final = "authorization"
# The fields by which a request says who sends it, and the way that each is of.
_WAYS: Final = {
    "signature-input": SIGNATURE,
    "signature": SIGNATURE,
    _AUTHORIZATION: BEARER,
    **dict.fromkeys(hmac_profile.FIELDS, HMAC),
}
# Every field that proves something, but the one of a bearer key.
OTHER_PROOFS: Final = frozenset(_WAYS) - {_AUTHORIZATION}

_logger = logging.getLogger(__name__)


class AuthenticationSettingsError(SetupError):
    """A setting that says how callers are recognised is of the wrong form."""

    code = "authentication_settings"
    en = "The setting `{name}` must be {expected}. See docs/operations.md."
    zh = "配置项 `{name}` 应为 {expected}。见 docs/operations.md。"


@dataclass(slots=True)  # one for each call: see ADR 0024
class Presented:
    """A request as it came. *path* and *query* (without its mark) are as they were sent, percent-encoded.

    *headers* are the lines as received, names in lower case; *certificate* is the SHA-256 (hex) of the client's, where
    whoever terminates TLS is believed to have checked that the client holds its key.
    """

    method: str
    authority: str
    path: str
    query: str
    headers: Sequence[tuple[str, str]]
    certificate: str | None = None
    scheme: str = "http"

    @classmethod
    def from_scope(cls, scope: Mapping[str, Any], proxies: Proxies | None = None) -> Presented:
        """The request of an ASGI *scope*; *proxies* are those who say what certificate a client has, if anybody.

        Raises:
            CertificateError: one of them says so in a way that cannot be read, or the connection itself says otherwise.
        """
        headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]]
        certificate = scope.get(SHOWN)
        if proxies is not None:
            client = scope.get("client")
            said, headers = proxies.certificate(client[0] if client else "", headers)
            if certificate is not None and said is not None and said != certificate:
                # The connection is one system's and the request said to be another's: neither is for us to choose.
                raise CertificateError
            certificate = certificate or said
        hosts = [value for name, value in headers if name == "host"]
        raw = scope.get("raw_path") or scope["path"].encode()
        return cls(
            method=scope["method"],
            # Of two hosts none is the one that was signed for.
            authority=hosts[0] if len(hosts) == 1 else "",
            path=raw.partition(b"?")[0].decode("latin-1"),
            query=scope.get("query_string", b"").decode("latin-1"),
            headers=headers,
            certificate=certificate,
            scheme=scope.get("scheme", "http"),
        )


class _Known:
    """Takes every nonce: of a request that was taken before."""

    def take(self, key_id: str, nonce: str, *, until: float, now: float) -> None:
        """Take it."""


_KNOWN: Final = _Known()


class Authenticator:
    """Recognises callers. Safe for many threads; each process has its own.

    *hosts* are the names and ports by which the hub is called: where they are given, what is signed for another host is
    refused, which may know the same key. Without them a request is believed to be for us that says it is for anybody.
    """

    def __init__(self, nonces: Nonces, *, hosts: frozenset[str] = frozenset(), used: LastUsed | None = None) -> None:
        self._nonces = nonces
        self._hosts = hosts
        self._used = used

    @classmethod
    def open(cls, settings: Settings, control: Control, *, now: datetime) -> Authenticator:
        """As *settings* say; `close` ends it.

        Raises:
            AuthenticationSettingsError
        """
        if settings.nonces not in NONCES:
            raise AuthenticationSettingsError(name="ZHENGTONG_NONCES", expected=" / ".join(NONCES))
        nonces: Nonces = (
            SharedNonces(control)
            if settings.nonces == DATABASE
            else FileNonces(settings.nonces_file, started=now.timestamp())
        )
        proxies_of(settings)  # whoever opens this learns at once what would fail at the first connection
        hosts = frozenset(host.strip().lower() for host in settings.api_hosts.split(",") if host.strip())
        used = LastUsed(control)
        used.start()
        return cls(nonces, hosts=hosts, used=used)

    def close(self) -> None:
        """Keep the days of use, and let go of the nonces' file."""
        if self._used is not None:
            self._used.stop()
        if isinstance(self._nonces, FileNonces):
            self._nonces.close()

    def caller(
        self, view: View, presented: Presented, body: bytes, now: datetime, *, again: bool = False
    ) -> KnownCaller:
        """Who *presented* with *body* is from, at *now*, as *view* has it.

        *again*: it was asked of this very request before, under an older view, so that its nonce is known.

        Raises:
            SigningError: it is not taken, and why; the errors of `hub.signing`.
            KeyRefusedError: it says in no way that counts who sends it.
            NoncesFullError, ControlUnavailableError: nothing is known of it; try again.
        """
        at = now.timestamp()
        nonces = _KNOWN if again else self._nonces
        way, fields = _way(presented.headers)  # step 1
        shown = self._certificate(view, presented, at)
        signed: Signed | None = None
        if way == SIGNATURE:  # step 2
            found, signed = self._signed(view, presented, body, now, nonces)
        elif way == HMAC:
            found = self._gateway(view, fields, now, nonces)
        elif way == BEARER:
            found = _bearer(view, fields[_AUTHORIZATION], at)
        elif shown is not None:
            found = shown
        else:
            raise KeyRefusedError
        if shown is not None and shown.caller.id != found.caller.id:  # step 3
            raise CertificateError
        if self._used is not None:
            self._used.note(found.caller, at)
        return found.caller if signed is None else replace(found.caller, signed=signed)

    def bearer(self, view: View, field: str, now: datetime) -> KnownCaller | None:
        """Who a request is from whose one proof is the Authorization *field*; None: nobody, or ask `caller` why not.

        The short way for what most callers show. The request must hold no other proof, and this field once.
        """
        at = now.timestamp()
        try:
            found = _bearer(view, field, at)
        except KeyRefusedError:
            return None
        if self._used is not None:
            self._used.note(found.caller, at)
        return found.caller

    def _signed(
        self, view: View, presented: Presented, body: bytes, now: datetime, nonces: Nonces
    ) -> tuple[Credential, Signed]:
        authority = presented.authority
        if not authority or (self._hosts and authority.lower() not in self._hosts):
            raise SignatureElsewhereError
        at = now.timestamp()
        found: Credential | None = None

        def key(handle: str) -> PublicKey | None:
            nonlocal found
            for found in view.credentials(KEY, handle):
                if found.in_force(at):
                    return found.key  # type: ignore[return-value]  # of this kind they are public keys
            return None

        target = f"{presented.path}?{presented.query}" if presented.query else presented.path
        message = requests.Message(presented.method, presented.scheme, authority, target, presented.headers, body)
        signed = requests.verify(message, keys=key, nonces=nonces, now=now)
        if found is None:
            raise SignatureKeyError
        return found, signed

    def _gateway(self, view: View, fields: Mapping[str, str], now: datetime, nonces: Nonces) -> Credential:
        at = now.timestamp()
        found: list[Credential] = []

        def keys(rid: str) -> list[bytes]:
            found.extend(one for one in view.credentials(HMAC, rid) if one.in_force(at))
            return [one.key for one in found if isinstance(one.key, bytes)]

        return found[hmac_profile.verify(fields, keys=keys, nonces=nonces, now=now).which]

    def _certificate(self, view: View, presented: Presented, at: float) -> Credential | None:
        if presented.certificate is None:
            return None
        for one in view.credentials(CERTIFICATE, presented.certificate.lower()):
            if one.in_force(at):
                return one
        # A connection by a certificate that is not of this city's systems, or no longer, is nobody's.
        raise CertificateError


def proxies_of(settings: Settings) -> Proxies | None:
    """Who is believed about client certificates; None, and nobody, unless the deployment names them.

    Raises:
        AuthenticationSettingsError
    """
    try:
        return Proxies.parse(settings.certificate_header, settings.certificate_proxies)
    except ValueError as error:
        names = "ZHENGTONG_CERTIFICATE_HEADER, ZHENGTONG_CERTIFICATE_PROXIES"
        raise AuthenticationSettingsError(name=names, expected="Client-Cert, 10.0.0.7,10.1.0.0/24") from error


def forwarders_of(settings: Settings) -> Forwarders | None:
    """Who is believed about the addresses they ask for; None, and nobody, unless the deployment names them.

    Raises:
        AuthenticationSettingsError
    """
    try:
        return Forwarders.parse(settings.trusted_proxies)
    except ValueError as error:
        name = "ZHENGTONG_TRUSTED_PROXIES"
        raise AuthenticationSettingsError(name=name, expected="10.0.0.7,10.1.0.0/24") from error


def _way(headers: Sequence[tuple[str, str]]) -> tuple[str, dict[str, str]]:
    """In which way the request says who sends it ("" for none), and the fields by which it does.

    A signature's fields may be on several lines: their standard says how those are read together.

    Raises:
        ProofAmbiguousError: in several, or in one more than once.
        FieldMalformedError: a field holds what ends a line.
    """
    way = ""
    fields: dict[str, str] = {}
    for name, value in headers:
        this = _WAYS.get(name)
        if this is None:
            continue
        if (way and this != way) or (name in fields and this != SIGNATURE):
            raise ProofAmbiguousError
        if "\r" in value or "\n" in value or "\0" in value:
            raise FieldMalformedError
        way, fields[name] = this, value.strip(" \t")
    return way, fields


def _bearer(view: View, field: str, at: float) -> Credential:
    scheme, _, key = field.partition(" ")
    found = view.bearer(key.lstrip(" ")) if scheme.lower() == BEARER else None
    if found is None or not found.in_force(at):
        raise KeyRefusedError
    return found


class LastUsed:
    """Keeps on which day (Asia/Shanghai) a credential was last used: by day, not by call, and off the calls' way.

    A crash loses a minute of it. It says which credentials nobody uses any more; what was done with them, the log does.
    """

    def __init__(self, control: Control, *, every_s: float = _FLUSH_EVERY_S) -> None:
        self._control = control
        self._every_s = every_s
        self._days: dict[str, int] = {}
        self._fresh: dict[str, int] = {}
        self._changing = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="credentials-used", daemon=True)

    def note(self, caller: KnownCaller, at: float) -> None:
        """The credential of *caller* was used at POSIX time *at*."""
        day = int(at + _SHANGHAI_S) // _DAY_S
        if self._days.get(caller.credential, -1) < day:
            with self._changing:
                self._days[caller.credential] = self._fresh[caller.credential] = day

    def start(self) -> None:
        """Write every minute what came up."""
        self._thread.start()

    def stop(self) -> None:
        """Write what is left and end the thread."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()
        self.flush()

    def flush(self) -> None:
        """Write what came up; where the database does not answer, it is for the next time."""
        with self._changing:
            fresh, self._fresh = self._fresh, {}
        if not fresh:
            return
        try:
            with self._control.writing() as connection:
                for credential, day in fresh.items():
                    said = (_EPOCH + timedelta(days=day)).date().isoformat()
                    for table in (ClientCredential, Caller):
                        older = sa.and_(table.id == credential, table.last_used < said)
                        connection.execute(sa.update(table).where(older).values(last_used=said))
        except HubError:
            _logger.warning("the days of use could not be kept; trying again in %s s", self._every_s, exc_info=True)
            with self._changing:
                self._fresh = {**fresh, **self._fresh}

    def _run(self) -> None:
        while not self._stop.wait(self._every_s):
            self.flush()
