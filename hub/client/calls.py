"""What can be asked of a hub, as talks: each question and what is made of its answer, once for both clients."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from hub.client.wire import Asked
from hub.errors import AnswerRefusedError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from hub.client.answers import Called
    from hub.client.talk import Talk, Talker

CATALOG_PAGE = 200  # resources


class CallTalks:
    """The talks of one client."""

    def __init__(self, talker: Talker) -> None:
        self.talker = talker
        self.wire = talker.wire

    def query(
        self,
        /,
        code: str,
        keys: Mapping[str, str] | Sequence[Mapping[str, str]],
        *,
        matter: str,
        fields: Sequence[str] | None = None,
        grant: str | None = None,
        name: str | None = None,
        **purpose: str,
    ) -> Talk[Called]:
        """Look up the records of resource *code* that fit *keys*, or each of up to 500 sets of keys.

        *matter* says what for; *purpose* may add case, operator, replaces. *fields*: those wanted, else all that are
        granted. *name* (1 to 255 visible ASCII characters) makes a repetition within 24 hours, also by another
        process, the same call with the same answer.

        Raises:
            CallDeniedError: apply for a grant, or mend the purpose; `reasons` says which.
            CallInvalidError, InvalidRequestError: mend the request.
            CallKeyRefusedError: mend key or clock. CallUnavailableError, HubUnreachableError: try again later.
            AnswerRefusedError: do not use what came.
        """
        called: Called = yield from self.talker.exchange(
            self.wire.query(code, keys, fields=fields, grant=grant, name=name, matter=matter, **purpose)
        )
        return called

    def verify(
        self,
        /,
        code: str,
        keys: Mapping[str, str],
        claims: Mapping[str, str | int | bool],
        *,
        matter: str,
        grant: str | None = None,
        name: str | None = None,
        **purpose: str,
    ) -> Talk[Called]:
        """Have *claims* about the one record that fits *keys* confirmed, without any value. Raises as `query`."""
        called: Called = yield from self.talker.exchange(
            self.wire.verify(code, keys, claims, grant=grant, name=name, matter=matter, **purpose)
        )
        return called

    def explain(
        self,
        code: str,
        *,
        matter: str,
        action: str = "query",
        fields: Sequence[str] = (),
        keys: Sequence[str] = (),
        grant: str | None = None,
    ) -> Talk[Mapping[str, Any]]:
        """Whether such a call would be allowed now, with what, and why not. Raises as `query`."""
        asked = self.wire.explain(code, action, fields, keys, grant=grant, matter=matter)
        return (yield from self.talker.exchange(asked)).plain

    def resource(self, code: str) -> Talk[Mapping[str, Any]]:
        """The metadata of one resource. Raises as `query`."""
        asked = Asked("GET", f"/v1/resources/{quote(code, safe='')}", repeatable=True)
        return (yield from self.talker.exchange(asked)).plain


class Shelf:
    """Every resource of the catalogue, page by page; see `hub.client.changes.Walk`."""

    def __init__(self, talker: Talker) -> None:
        self._talker = talker
        self._page = self._seen = 0
        self.more = True

    def begin(self) -> None:
        """From the first page."""
        self._page = self._seen = 0
        self.more = True

    def page(self) -> Talk[Iterator[Mapping[str, Any]]]:
        """The next page's resources. Raises as `CallTalks.query`."""
        self._page += 1
        asked = Asked("GET", f"/v1/catalog?page={self._page}&size={CATALOG_PAGE}", repeatable=True)
        plain = (yield from self._talker.exchange(asked)).plain
        items, total = plain["items"], int(plain["total"])
        self._seen += len(items)
        self.more = self._seen < total
        if self.more and not items:
            raise AnswerRefusedError(why="the catalogue ends before its own total", why_zh="目录条数少于其所称的总数")
        return iter(items)
