"""A department's web hooks: registers an address to be called when there is something to fetch, and looks after it.

When a hook is called, and how its receiver checks that, is said in docs/api.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from hub.client.changes import NOW
from hub.client.lines import Awaiting, Waiting, awaiting, waiting
from hub.client.wire import Asked

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hub.client.talk import Talk, Talker


class HookTalks:
    """The web hooks of one client's department. Every talk raises as `Client.query`."""

    def __init__(self, talker: Talker) -> None:
        self._talker = talker

    def register(
        self,
        /,
        code: str,
        url: str,
        *,
        matter: str,
        fields: Sequence[str] | None = None,
        grant: str | None = None,
        cursor: str = NOW,
        **purpose: str,
    ) -> Talk[Mapping[str, Any]]:
        """Have *url* called when resource *code* has changed since *cursor*; it is challenged first."""
        body: dict[str, Any] = {
            "resource": code,
            "url": url,
            "cursor": cursor,
            "purpose": {"matter": matter, **purpose},
        }
        body |= {"fields": list(fields)} if fields else {}
        body |= {"grant": grant} if grant else {}
        # Sent twice it would be two hooks.
        return (yield from self._talker.exchange(Asked("POST", "/v1/hooks", body))).plain

    def find(self, *, ended: bool = False) -> Talk[Sequence[Mapping[str, Any]]]:
        """The hooks that go on, or those that have *ended*, the newest first."""
        found: Sequence[Mapping[str, Any]] = (yield from self._read(f"/v1/hooks?ended={str(ended).lower()}"))["hooks"]
        return found

    def get(self, id_: str) -> Talk[Mapping[str, Any]]:
        """One hook."""
        found: Mapping[str, Any] = yield from self._read(_address(id_))
        return found

    def deliveries(self, id_: str, *, limit: int = 100) -> Talk[Sequence[Mapping[str, Any]]]:
        """Its calls and every try of them, the newest first."""
        plain = yield from self._read(f"{_address(id_)}/deliveries?limit={limit}")
        found: Sequence[Mapping[str, Any]] = plain["deliveries"]
        return found

    def take(self, id_: str, step: str) -> Talk[Mapping[str, Any]]:
        """Take the *step*: pause, resume, retry or end."""
        return (yield from self._talker.exchange(Asked("POST", f"{_address(id_)}:{quote(step, safe='')}", {}))).plain

    def _read(self, path: str) -> Talk[Mapping[str, Any]]:
        return (yield from self._talker.exchange(Asked("GET", path, repeatable=True))).plain


class Hooks(Waiting[HookTalks]):
    """The web hooks of one client's department. Every method raises as `Client.query`."""

    register = waiting(HookTalks.register)
    find = waiting(HookTalks.find)
    get = waiting(HookTalks.get)
    deliveries = waiting(HookTalks.deliveries)
    take = waiting(HookTalks.take)


class AsyncHooks(Awaiting[HookTalks]):
    """As `Hooks`, to be awaited."""

    register = awaiting(HookTalks.register)
    find = awaiting(HookTalks.find)
    get = awaiting(HookTalks.get)
    deliveries = awaiting(HookTalks.deliveries)
    take = awaiting(HookTalks.take)


def _address(id_: str) -> str:
    return f"/v1/hooks/{quote(id_, safe='')}"
