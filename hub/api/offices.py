"""Opens what licences need beyond calls, once for each serving process, when it is first asked for.

A city may issue no licences at all, and a catalogue of kinds that was exchanged counts from the next request on.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, TypeVar

from hub.api import doors
from hub.licensing import Licensing
from hub.licensing.dossiers.opening import over as dossiers_over
from hub.licensing.errors import NoKindsError
from hub.licensing.paper_office import PaperOffice
from hub.seals import Seals
from hub.wallets.opening import Wallets

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from fastapi import Request

    from hub.licensing.dossiers import Dossiers

T = TypeVar("T")
# Opening makes keys; of two requests that come first, one does it.
_OPENING = threading.RLock()


def licensing(request: Request) -> Licensing:
    """The licence office over this process's parts.

    Raises:
        NoKindsError: there is no catalogue of kinds that can be read.
    """
    return _kept(request, "licensing", lambda: Licensing.beside(doors.service(request)))


def papers(request: Request) -> PaperOffice:
    """The counter where licences are handed out; it reads a font. Raises: as `licensing`."""
    return _kept(request, "papers", lambda: PaperOffice.over(licensing(request), seals(request)))


def seals(request: Request) -> Seals:
    """The register of seals and their use; a city that issues no licences has seals too."""
    service = doors.service(request)
    return _opened(
        request, "seals", (id(service),), lambda: Seals.over(service.settings, service.control, service.evidence)
    )


def dossiers(request: Request) -> Dossiers:
    """The applications and decisions about licences. Raises: as `licensing`."""
    return _kept(request, "dossiers", lambda: dossiers_over(doors.office(request), licensing(request)))


def wallets(request: Request) -> Wallets:
    """Issuing to wallets and asking them.

    Raises:
        WalletsClosedError: the settings do not say how wallets reach the hub.
        NoKindsError: as `licensing`.
    """
    return _kept(request, "wallets", lambda: Wallets.over(licensing(request)))


def _kept(request: Request, name: str, make: Callable[[], T]) -> T:
    """What rests on the catalogue of kinds: opened anew once that was exchanged."""
    service = doors.service(request)
    try:
        stat = service.settings.kinds.stat()
    except OSError as error:
        raise NoKindsError from error
    return _opened(request, name, (id(service), stat.st_mtime_ns, stat.st_size, stat.st_ino), make)


def _opened(request: Request, name: str, mark: tuple[int, ...], make: Callable[[], T]) -> T:
    """The office called *name*, made when it is first asked for and whenever *mark* is another."""
    state = request.app.state
    with _OPENING:
        offices: dict[str, tuple[Any, Any]] = getattr(state, "offices", {})
        known, found = offices.get(name, (None, None))
        if known != mark:
            found = make()
            state.offices = {**getattr(state, "offices", {}), name: (mark, found)}
    opened: T = found
    return opened
