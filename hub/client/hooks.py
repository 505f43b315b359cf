"""A department's web hooks: registers an address to be called when there is something to fetch, and looks after it.

When a hook is called, and how its receiver checks that, is said in docs/api.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from hub.client.changes import NOW
from hub.client.wire import Asked

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from hub.client.answers import Called


class Hooks:
    """The web hooks of one client's department. Every method raises as `Client.query`."""

    def __init__(self, exchange: Callable[[Asked], Called]) -> None:
        self._exchange = exchange

    def register(
        self,
        code: str,
        url: str,
        *,
        matter: str,
        fields: Sequence[str] | None = None,
        grant: str | None = None,
        cursor: str = NOW,
        **purpose: str,
    ) -> Mapping[str, Any]:
        """Have *url* called when resource *code* has changed since *cursor*; it is challenged first."""
        body: dict[str, Any] = {
            "resource": code,
            "url": url,
            "cursor": cursor,
            "purpose": {"matter": matter, **purpose},
        }
        body |= {"fields": list(fields)} if fields else {}
        body |= {"grant": grant} if grant else {}
        return self._exchange(Asked("POST", "/v1/hooks", body)).plain

    def find(self, *, ended: bool = False) -> Sequence[Mapping[str, Any]]:
        """The hooks that go on, or those that have *ended*, the newest first."""
        found: Sequence[Mapping[str, Any]] = self._exchange(
            Asked("GET", f"/v1/hooks?ended={str(ended).lower()}")
        ).plain["hooks"]
        return found

    def get(self, id_: str) -> Mapping[str, Any]:
        """One hook."""
        return self._exchange(Asked("GET", _address(id_))).plain

    def deliveries(self, id_: str, *, limit: int = 100) -> Sequence[Mapping[str, Any]]:
        """Its calls and every try of them, the newest first."""
        plain = self._exchange(Asked("GET", f"{_address(id_)}/deliveries?limit={limit}")).plain
        found: Sequence[Mapping[str, Any]] = plain["deliveries"]
        return found

    def take(self, id_: str, step: str) -> Mapping[str, Any]:
        """Take the *step*: pause, resume, retry or end."""
        return self._exchange(Asked("POST", f"{_address(id_)}:{quote(step, safe='')}", {})).plain


def _address(id_: str) -> str:
    return f"/v1/hooks/{quote(id_, safe='')}"
