"""The client that waits for each answer."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import quote

import httpx

from hub.client.changes import NOW, PAGE, Changes, Position
from hub.client.errors import CallUnavailableError, HubUnreachableError
from hub.client.hooks import Hooks
from hub.client.profile import Profile
from hub.client.wire import Asked, Got, Wire, wait_s
from hub.errors import AnswerRefusedError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path
    from types import TracebackType

    from hub.batches.client import BatchClient
    from hub.client.answers import Called
    from hub.signing.algorithms import PrivateKey

TIMEOUT_S = 30.0
TRIES = 3


class Client:
    """Calls one hub. *key* is a caller key, or the system's own private key, with which every request is signed.

    *verifier_key* is the hub's ``ed25519:…`` answer key, or several in lines: no other's answers are believed. With
    *tries* above 1 a call is sent again when the hub cannot be reached or says when to come again; give it a *name* if
    a repetition must not count twice. A client may be shared by threads; use it as a context. *http* lets a test or a
    proxy bring its own connection.
    """

    def __init__(
        self,
        base_url: str,
        key: str | PrivateKey,
        verifier_key: str,
        *,
        lang: str = "zh",
        sandbox: bool = False,
        tries: int = TRIES,
        http: httpx.Client | None = None,
    ) -> None:
        self._wire = Wire(base_url, key, verifier_key, lang=lang, sandbox=sandbox)
        self._tries = tries
        # No proxy from the environment: the key goes to the address that was given and nowhere else.
        self._http = http or httpx.Client(timeout=TIMEOUT_S, trust_env=False)

    @classmethod
    def from_profile(cls, name: str = "default", path: Path | None = None, **more: Any) -> Self:  # noqa: ANN401
        """The client of a profile (`hub.client.profile`); *more* as for the constructor.

        Raises:
            ProfileError: there is none, or it lacks something.
        """
        profile = Profile.load(name, path)
        return cls(profile.url, profile.key, profile.answer_key, lang=profile.lang, sandbox=profile.sandbox, **more)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self._http.close()

    def query(
        self,
        code: str,
        keys: Mapping[str, str] | Sequence[Mapping[str, str]],
        *,
        matter: str,
        fields: Sequence[str] | None = None,
        grant: str | None = None,
        name: str | None = None,
        **purpose: str,
    ) -> Called:
        """Look up the records of resource *code* that fit *keys*, or each of up to 500 sets of keys.

        *purpose* may add case, operator, replaces. *name*: see the class.

        Raises:
            CallFailedError: see its kinds. AnswerRefusedError: do not believe what came. HubUnreachableError.
        """
        return self._exchange(
            self._wire.query(code, keys, fields=fields, grant=grant, name=name, matter=matter, **purpose)
        )

    def verify(
        self,
        code: str,
        keys: Mapping[str, str],
        claims: Mapping[str, str | int | bool],
        *,
        matter: str,
        grant: str | None = None,
        name: str | None = None,
        **purpose: str,
    ) -> Called:
        """Ask whether *claims* hold for the record that fits *keys*. Raises as `query`."""
        return self._exchange(self._wire.verify(code, keys, claims, grant=grant, name=name, matter=matter, **purpose))

    def explain(
        self,
        code: str,
        *,
        matter: str,
        action: str = "query",
        fields: Sequence[str] = (),
        keys: Sequence[str] = (),
        grant: str | None = None,
    ) -> Mapping[str, Any]:
        """Whether such a call would be allowed now, with what, and why not. Raises as `query`."""
        return self._exchange(self._wire.explain(code, action, fields, keys, grant=grant, matter=matter)).plain

    def changes(
        self,
        code: str,
        *,
        matter: str,
        cursor: str = NOW,
        fields: Sequence[str] | None = None,
        grant: str | None = None,
        limit: int = PAGE,
        **purpose: str,
    ) -> Changes:
        """What changed in resource *code* since *cursor*, event by event, at least once each and in order.

        Iterating raises as `query`. A cursor whose changes are not kept any more is a `CallInvalidError` with
        `problem_code` ``cursor_lapsed``: begin anew, with all rows and the cursor ``now``.
        """
        rest = {"fields": fields, "grant": grant, "matter": matter, **purpose}
        return Changes(Position(self._wire, code, cursor, limit, rest), self._exchange)

    @property
    def batches(self) -> BatchClient:
        """Orders many rows and fetches their files, over this client's connection and with its key."""
        # Whoever makes single calls needs none of it.
        from hub.batches.client import BatchClient  # noqa: PLC0415

        return BatchClient.over(self._wire, self._http)

    @property
    def hooks(self) -> Hooks:
        """The department's web hooks."""
        return Hooks(self._exchange)

    def catalog(self) -> Iterator[Mapping[str, Any]]:
        """Every resource of the catalogue, page by page. Raises as `query`."""
        page = seen = 0
        total = 1
        while seen < total:
            page += 1
            plain = self._exchange(Asked("GET", f"/v1/catalog?page={page}&size=200")).plain
            items, total = plain["items"], int(plain["total"])
            if not items and seen < total:
                raise AnswerRefusedError(why="the catalogue ends before its own total")
            seen += len(items)
            yield from items

    def resource(self, code: str) -> Mapping[str, Any]:
        """The metadata of one resource. Raises as `query`."""
        return self._exchange(Asked("GET", f"/v1/resources/{quote(code, safe='')}")).plain

    def _exchange(self, asked: Asked) -> Called:
        tried = 0
        while True:
            try:
                return self._once(asked)
            except (HubUnreachableError, CallUnavailableError) as error:
                tried += 1
                wait = wait_s(error, tried)
                if tried >= self._tries or wait is None:
                    raise
                time.sleep(wait)

    def _once(self, asked: Asked) -> Called:
        sent = self._wire.sent(asked)
        try:
            got = self._http.request(sent.method, sent.url, content=sent.content or None, headers=sent.fields)
        except httpx.TransportError as error:
            raise HubUnreachableError(url=self._wire.base_url, why=type(error).__name__) from error
        fields = {name.lower(): value for name, value in got.headers.items()}
        return self._wire.believed(asked, sent, Got(got.status_code, fields, got.content))
