"""The client that lets others run while it waits: as `hub.client.sync`, with ``await``."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import quote

import httpx

from hub.client.changes import NOW, PAGE, AsyncChanges, Position
from hub.client.errors import CallUnavailableError, HubUnreachableError
from hub.client.profile import Profile
from hub.client.sync import TIMEOUT_S, TRIES
from hub.client.wire import Asked, Got, Wire, wait_s

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path
    from types import TracebackType

    from hub.client.answers import Called
    from hub.signing.algorithms import PrivateKey


class AsyncClient:
    """As `Client`, for asyncio. One client is for one event loop, and any number of tasks of it."""

    def __init__(
        self,
        base_url: str,
        key: str | PrivateKey,
        verifier_key: str,
        *,
        lang: str = "zh",
        sandbox: bool = False,
        tries: int = TRIES,
        http: httpx.AsyncClient | None = None,
    ) -> None:
        self._wire = Wire(base_url, key, verifier_key, lang=lang, sandbox=sandbox)
        self._tries = tries
        self._http = http or httpx.AsyncClient(timeout=TIMEOUT_S, trust_env=False)

    @classmethod
    def from_profile(cls, name: str = "default", path: Path | None = None, **more: Any) -> Self:  # noqa: ANN401
        """As `Client.from_profile`."""
        profile = Profile.load(name, path)
        return cls(profile.url, profile.key, profile.answer_key, lang=profile.lang, sandbox=profile.sandbox, **more)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connection."""
        await self._http.aclose()

    async def query(
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
        """As `Client.query`."""
        return await self._exchange(
            self._wire.query(code, keys, fields=fields, grant=grant, name=name, matter=matter, **purpose)
        )

    async def verify(
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
        """As `Client.verify`."""
        return await self._exchange(
            self._wire.verify(code, keys, claims, grant=grant, name=name, matter=matter, **purpose)
        )

    async def explain(
        self,
        code: str,
        *,
        matter: str,
        action: str = "query",
        fields: Sequence[str] = (),
        keys: Sequence[str] = (),
        grant: str | None = None,
    ) -> Mapping[str, Any]:
        """As `Client.explain`."""
        asked = self._wire.explain(code, action, fields, keys, grant=grant, matter=matter)
        return (await self._exchange(asked)).plain

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
    ) -> AsyncChanges:
        """As `Client.changes`, with ``async for``."""
        rest = {"fields": fields, "grant": grant, "matter": matter, **purpose}
        return AsyncChanges(Position(self._wire, code, cursor, limit, rest), self._exchange)

    async def resource(self, code: str) -> Mapping[str, Any]:
        """As `Client.resource`."""
        return (await self._exchange(Asked("GET", f"/v1/resources/{quote(code, safe='')}"))).plain

    async def _exchange(self, asked: Asked) -> Called:
        tried = 0
        while True:
            try:
                return await self._once(asked)
            except (HubUnreachableError, CallUnavailableError) as error:
                tried += 1
                wait = wait_s(error, tried)
                if tried >= self._tries or wait is None:
                    raise
                await asyncio.sleep(wait)

    async def _once(self, asked: Asked) -> Called:
        sent = self._wire.sent(asked)
        try:
            got = await self._http.request(sent.method, sent.url, content=sent.content or None, headers=sent.fields)
        except httpx.TransportError as error:
            raise HubUnreachableError(url=self._wire.base_url, why=type(error).__name__) from error
        fields = {name.lower(): value for name, value in got.headers.items()}
        return self._wire.believed(asked, sent, Got(got.status_code, fields, got.content))
