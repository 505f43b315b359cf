"""All licences of the demonstration city, handed to an auditor and audited offline, from files alone.

Gathering them is `hub.population`'s, the checks are `licence.population`'s.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from audit.verifiers import Trust
from hub import population
from licence.population import files
from licence.population.auditing import audit_population
from licence.trust import TrustStore

if TYPE_CHECKING:
    from pathlib import Path

    from hub.office import Office
    from licence.population.model import PopulationReport

FOLDER: Final = "licence-audit"
VISIBLE_WITHIN: Final = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Audited:
    """What was handed over, in *folder*, and what the auditor found."""

    folder: Path
    handed: dict[str, int]
    report: PopulationReport


def audit_licences(office: Office, papers: Path) -> Audited:
    """Export everything into a folder of *papers*, and audit that folder."""
    folder = papers / FOLDER
    # That of an earlier demonstration.
    shutil.rmtree(folder, ignore_errors=True)
    handed = population.export(office, folder)
    trust = TrustStore.load(office.settings.trust)
    report = audit_population(
        folder / files.LOG,
        trust,
        rows=files.read_rows(folder / files.ROWS),
        tokens=[path.read_text(encoding="utf-8") for path in sorted((folder / files.STATUS).glob("*.jwt"))],
        issuers=files.read_issuers(folder / files.ISSUERS),
        totals=files.read_totals(folder / files.TOTALS, Trust(trust.log_verifiers)),
        at=datetime.now(UTC),
        visible_within=VISIBLE_WITHIN,
    )
    return Audited(folder, handed, report)
