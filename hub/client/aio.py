"""The client that lets others run while it waits: as `hub.client.sync`, with ``await``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from hub.client.calls import CallTalks, Shelf
from hub.client.changes import NOW, PAGE, AsyncChanges, AsyncPages, Position
from hub.client.hooks import AsyncHooks, HookTalks
from hub.client.lines import AsyncLine, Awaiting, awaiting
from hub.client.profile import Profile
from hub.client.talk import PATIENCE_S, SILENCE_S, TRIES, Patience, Talker
from hub.client.wire import Wire

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, Mapping, Sequence
    from pathlib import Path
    from types import TracebackType

    import httpx

    from hub.batches.client import AsyncBatches
    from hub.signing.algorithms import PrivateKey


class AsyncClient(Awaiting[CallTalks]):
    """As `Client`, for asyncio. One client is for one event loop, and any number of tasks of it."""

    def __init__(
        self,
        base_url: str,
        key: str | PrivateKey,
        verifier_key: str,
        *,
        lang: str = "zh",
        sandbox: bool = False,
        once: bool = True,
        tries: int = TRIES,
        patience_s: float = PATIENCE_S,
        silence_s: float = SILENCE_S,
        ca_file: Path | None = None,
        http: httpx.AsyncClient | None = None,
    ) -> None:
        wire = Wire(base_url, key, verifier_key, lang=lang, sandbox=sandbox, once=once and tries > 1)
        talker = Talker(wire, Patience(tries, patience_s, silence_s))
        super().__init__(AsyncLine(talker, ca_file, http), CallTalks(talker))

    @classmethod
    def from_profile(cls, name: str = "default", path: Path | None = None, **more: Any) -> Self:  # noqa: ANN401 - as they are
        """As `Client.from_profile`."""
        return cls(**{**Profile.load(name, path).settings(), **more})

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connection."""
        await self._line.http.aclose()

    query = awaiting(CallTalks.query)
    verify = awaiting(CallTalks.verify)
    explain = awaiting(CallTalks.explain)
    resource = awaiting(CallTalks.resource)

    def catalog(self) -> AsyncIterable[Mapping[str, Any]]:
        """As `Client.catalog`, with ``async for``."""
        return AsyncPages(Shelf(self._line.talker), self._line)

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
        return AsyncChanges(Position(self._line.talker, code, cursor, limit, rest), self._line)

    @property
    def batches(self) -> AsyncBatches:
        """As `Client.batches`, to be awaited."""
        from hub.batches.client import AsyncBatches, BatchTalks  # noqa: PLC0415 - as in `Client.batches`

        return AsyncBatches(self._line, BatchTalks(self._line.talker))

    @property
    def hooks(self) -> AsyncHooks:
        """As `Client.hooks`, to be awaited."""
        return AsyncHooks(self._line, HookTalks(self._line.talker))
