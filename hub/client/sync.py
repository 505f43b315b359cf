"""The client that waits for each answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from hub.client.calls import CallTalks, Shelf
from hub.client.changes import NOW, PAGE, Changes, Pages, Position
from hub.client.hooks import Hooks, HookTalks
from hub.client.lines import Line, Waiting, waiting
from hub.client.profile import Profile
from hub.client.talk import PATIENCE_S, SILENCE_S, TRIES, Patience, Talker
from hub.client.wire import Wire

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path
    from types import TracebackType

    import httpx

    from hub.batches.client import Batches
    from hub.signing.algorithms import PrivateKey


class Client(Waiting[CallTalks]):
    """Calls one hub. *key* is a caller key, or the system's own private key, with which every request is signed.

    *verifier_key* is the hub's ``ed25519:…`` answer key, or several in lines: no other's answers are believed. A
    client may be shared by threads; use it as a context.

    A call is tried up to *tries* times within *patience_s* seconds, waits included, where that is safe: when no
    connection came about, when the hub says when to come again, and, of what may be sent twice, when the answer was
    lost. So that a query may be, the client names each of them (`once`): it counts once however often it is sent. The
    name costs the hub two writes; with ``once=False`` a call without a *name* of yours is never sent again after its
    answer was lost. *silence_s*: how long the hub may say nothing.

    *ca_file*: the certificates (PEM) that a hub at https is trusted by, instead of the public ones. *http* lets a test
    or a proxy bring its own connection.

    Raises:
        ClientSettingError: address, key, answer key or certificates cannot be used.
    """

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
        http: httpx.Client | None = None,
    ) -> None:
        wire = Wire(base_url, key, verifier_key, lang=lang, sandbox=sandbox, once=once and tries > 1)
        talker = Talker(wire, Patience(tries, patience_s, silence_s))
        super().__init__(Line(talker, ca_file, http), CallTalks(talker))

    @classmethod
    def from_profile(cls, name: str = "default", path: Path | None = None, **more: Any) -> Self:  # noqa: ANN401 - as they are
        """The client of a profile (`hub.client.profile`); *more* as for the constructor, before what the profile says.

        Raises:
            ProfileError: there is none, it lacks something, or its key is open to others.
        """
        return cls(**{**Profile.load(name, path).settings(), **more})

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self._line.http.close()

    query = waiting(CallTalks.query)
    verify = waiting(CallTalks.verify)
    explain = waiting(CallTalks.explain)
    resource = waiting(CallTalks.resource)

    def catalog(self) -> Iterable[Mapping[str, Any]]:
        """Every resource of the catalogue, page by page. Iterating raises as `query`."""
        return Pages(Shelf(self._line.talker), self._line)

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
        return Changes(Position(self._line.talker, code, cursor, limit, rest), self._line)

    @property
    def batches(self) -> Batches:
        """Orders many rows and fetches their files, over this client's connection and with its key."""
        # Whoever makes single calls needs none of it.
        from hub.batches.client import Batches, BatchTalks  # noqa: PLC0415

        return Batches(self._line, BatchTalks(self._line.talker))

    @property
    def hooks(self) -> Hooks:
        """The department's web hooks."""
        return Hooks(self._line, HookTalks(self._line.talker))
