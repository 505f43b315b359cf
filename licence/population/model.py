"""What an audit of a whole population takes and gives: rows, issuers, totals; findings, counts, the report as JSON.

The checks are `licence.population.auditing`, the page `licence.population.page`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from licence.model import Fault

FORMAT = "zhengtong-population-audit/1"
PENDING = "pending"


@dataclass(frozen=True, slots=True)
class LicenceRow:
    """A licence as the issuer's database has it. *state*: a state code, or ``pending`` for one not handed out yet.

    *changed_at*: when the state was last changed, None for a licence as it was issued. *log_index*: of the entry of
    its issue. Times are aware.
    """

    identifier: str
    kind: str
    issuer: str
    holder_hash: str
    state: str
    status_uri: str
    status_index: int
    credential_digest: str
    log_index: int | None
    issued_at: datetime
    valid_until: datetime | None = None
    changed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Issuer:
    """What an issuer may do: *kinds* by their codes, and the (from, until) of each certificate it signed licences with.

    *seals*: the same of its seals; none at all: seals are not looked at.
    """

    kinds: frozenset[str]
    certificates: tuple[tuple[datetime, datetime], ...]
    seals: tuple[tuple[datetime, datetime], ...] = ()


@dataclass(frozen=True, slots=True)
class Totals:
    """The figures that were published; None where none was."""

    issued: int | None = None
    invalid: int | None = None
    suspended: int | None = None
    by_kind: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Count:
    """One figure from each source, None where the source does not tell. *what* is a name of a figure, or a kind's code.

    *judged*: every figure that is there was compared; lists are not while a change waits to be published in time.
    """

    what: str
    database: int
    log: int
    lists: int | None
    published: int | None
    judged: bool = True

    @property
    def agree(self) -> bool:
        """Whether the figures that are there are the same one."""
        told = [self.published, self.lists if self.judged else None]
        return all(n is None or n == self.log for n in (self.database, *told))


@dataclass(frozen=True, slots=True)
class PopulationReport:
    """What the audit found, of *size* log entries with *root*, at the time *at* that the auditor gave.

    *findings* holds at most a thousand of each code, *tally* counts them all. No finding means all is well.
    """

    at: datetime
    origin: str
    size: int
    root: bytes
    lists: int
    licences: int
    pending: int
    counts: tuple[Count, ...]
    findings: tuple[Fault, ...]
    tally: Mapping[str, int]

    def to_json(self) -> str:
        """The report as JSON; deterministic, both languages, ends in a newline."""
        document: dict[str, Any] = {
            "format": FORMAT,
            "at": self.at.isoformat(),
            "log": {"origin": self.origin, "size": self.size, "root": self.root.hex()},
            "licences": self.licences,
            "pending": self.pending,
            "status_lists": self.lists,
            "counts": [
                {
                    "what": c.what,
                    "database": c.database,
                    "log": c.log,
                    "lists": c.lists,
                    "published": c.published,
                    "agree": c.agree,
                }
                for c in self.counts
            ],
            "tally": dict(sorted(self.tally.items())),
            "findings": [
                {
                    "where": f.where,
                    "code": f.code,
                    "params": dict(f.params),
                    "text": {"zh": f.text("zh"), "en": f.text("en")},
                }
                for f in self.findings
            ],
        }
        return json.dumps(document, ensure_ascii=False, indent=1) + "\n"
