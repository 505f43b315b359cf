"""Addresses and parameters that will go: since when nothing new should use them, until when they answer, what follows.

One table, from which come the fields of each answer (`Deprecation`, RFC 9745; `Sunset`, RFC 8594; `Link`, RFC 8288) and
the marks in the OpenAPI document. Nothing ends by itself on its day: whoever takes an address away takes its row, too.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

# What callers may rely on (docs/api.md): from the announcement to the end at least a year.
NOTICE: Final = timedelta(days=365)
_MAX_PARAMETERS: Final = 100


@dataclass(frozen=True, slots=True)
class Ending:
    """What will go. *since* and *until* are aware times; *until* None: its end is not set yet.

    *successor* is the address that takes its place, *paper* where it is explained; each a URI reference, or "".

    Raises:
        ValueError: less than the promised notice lies between the two, or a reference could end its field.
    """

    since: datetime
    until: datetime | None = None
    successor: str = ""
    paper: str = ""

    def __post_init__(self) -> None:
        """Hold to what is promised."""
        if self.until is not None and self.until - self.since < NOTICE:
            raise ValueError("an address answers for at least a year after its end was announced")
        if not all(
            text.isascii() and text.isprintable() and "<" not in text and ">" not in text for text in self._links
        ):
            raise ValueError("a URI reference is wanted")

    @property
    def _links(self) -> tuple[str, str]:
        return self.paper, self.successor

    def fields(self) -> list[tuple[bytes, bytes]]:
        """The header fields that say so."""
        said = [(b"deprecation", f"@{int(self.since.timestamp())}".encode())]
        if self.until is not None:
            said.append((b"sunset", format_datetime(self.until, usegmt=True).encode()))
        relations = ("deprecation", "successor-version")
        said += [
            (b"link", f'<{link}>; rel="{relation}"'.encode())
            for link, relation in zip(self._links, relations, strict=True)
            if link
        ]
        return said


@dataclass(frozen=True, slots=True)
class Lifecycle:
    """What will go: addresses by method and pattern, as the OpenAPI document has it, and parameters of the query."""

    addresses: Mapping[tuple[str, str], Ending]
    parameters: Mapping[tuple[str, str, str], Ending]

    def fields(self, method: str, pattern: str, query: bytes = b"") -> list[tuple[bytes, bytes]]:
        """The fields of an answer from *pattern*: of the address itself, else of what the *query* uses."""
        found = self.addresses.get((method, pattern))
        if found is None and self.parameters:
            try:
                used = parse_qsl(query.decode("latin-1"), keep_blank_values=True, max_num_fields=_MAX_PARAMETERS)
            except ValueError:
                used = []
            # Of several the one that goes first.
            endings = [e for name, _ in used if (e := self.parameters.get((method, pattern, name))) is not None]
            found = min(endings, key=_end, default=None)
        return [] if found is None else found.fields()

    def mark(self, document: dict[str, Any]) -> None:
        """Mark in the OpenAPI *document* what will go.

        Raises:
            KeyError: there is no such address or parameter, so that the table is wrong.
        """
        for method, pattern in self.addresses:
            document["paths"][pattern][method.lower()]["deprecated"] = True
        for method, pattern, name in self.parameters:
            marked = [one for one in document["paths"][pattern][method.lower()]["parameters"] if one["name"] == name]
            if not marked:
                raise KeyError(name)
            marked[0]["deprecated"] = True


def _end(ending: Ending) -> tuple[bool, datetime]:
    return (ending.until is None, ending.until or ending.since)


# Nothing is on its way out today.
LIFECYCLE: Final = Lifecycle(addresses={}, parameters={})
