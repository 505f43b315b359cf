"""What every room of the licence office shares: where things are kept, the kinds, what verifiers pin, the files.

Opening it is `hub.licensing.office`'s.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from hub.authority import second
from hub.errors import KindUnknownError
from hub.licensing.errors import KindNotSourcedError
from hub.licensing.lookups import licence_row
from hub.licensing.store import Store
from licence.bundle import SUFFIX
from licence.kinds import load_reference

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from catalog.model import Department, ResponsibilityList
    from hub.authority import KeyStore
    from hub.control import Control
    from hub.evidence import Evidence
    from hub.invocation import Invocation
    from hub.settings import Settings
    from hub.standing import Standing
    from licence.model import LicenceKind

# 2^20 entries of 2 bits are 256 KiB before compression; when a list is full the next one is opened.
STATUS_SLOTS = 2**20


@dataclass
class Desk:
    """The licence office of one deployment, without what it does."""

    settings: Settings
    control: Control
    evidence: Evidence
    keys: KeyStore
    kinds: Mapping[str, LicenceKind]
    standing: Standing
    invocation: Invocation
    clock: Callable[[], datetime] = field(default=lambda: datetime.now(UTC))
    slots: int = STATUS_SLOTS
    store: Store = field(init=False)

    def __post_init__(self) -> None:
        self.store = Store(self.settings.licences / "store")

    def prepare(self, list_: ResponsibilityList) -> None:
        """Make missing keys and publish what a verifier pins: the root certificate and the log's key."""
        departments = list_.departments_by_code
        issuers = [departments[code] for code in sorted({kind.issuer for kind in self.kinds.values() if kind.sourced})]
        self.keys.prepare(issuers, _operator(list_), self.clock())
        second.prepare(self.keys, self.evidence, [department.uscc for department in issuers])
        self.keys.publish((self.evidence.verifier,))

    def kind(self, name: str) -> LicenceKind:
        """The kind with this code or name.

        Raises:
            KindNotSourcedError: only the reference catalogue has it; the city has not made it its own.
            KindUnknownError: there is none.
        """
        found = _named(name, self.kinds.values())
        if found is not None:
            return found
        known = _named(name, load_reference())
        if known is not None:
            raise KindNotSourcedError(kind=known.name)
        raise KindUnknownError(kind=name)

    def show(self, identifier: str) -> dict[str, Any]:
        """What the office keeps of a licence: kind, states, times, entry; nothing of its holder.

        Raises:
            LicenceUnknownError: no licence has this identifier.
        """
        with self.control.reading() as connection:
            return shown(licence_row(connection, identifier))

    def owner(self, holder_type: str, holder: str) -> str:
        """The keyed hash by which all licences of a holder are found: of its code and the type of that, not the kind.

        Two spellings of a code that differ in case, width or outer spaces are one holder's.
        """
        code = unicodedata.normalize("NFKC", holder).strip().upper()
        return self.evidence.subject({"holder_type": holder_type, "holder": code})

    def _path(self, identifier: str, suffix: str = SUFFIX) -> Path:
        return self.settings.licences / f"{identifier}{suffix}"


def shown(row: Mapping[str, Any]) -> dict[str, Any]:
    """What may be told of a row: all but the hashes of its holder."""
    return {name: value for name, value in row.items() if name not in {"holder_hash", "owner_hash"}}


def _named(name: str, kinds: Iterable[LicenceKind]) -> LicenceKind | None:
    """By its code before its names: a name is anybody's choice."""
    kinds = tuple(kinds)
    by_code = next((kind for kind in kinds if kind.code == name), None)
    return by_code or next((kind for kind in kinds if name in {kind.name, kind.name_en}), None)


def _operator(list_: ResponsibilityList) -> Department:
    """The department that runs the hub: by convention of the list, its first."""
    return list_.departments[0]
