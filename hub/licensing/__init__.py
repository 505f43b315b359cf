"""Electronic licences (电子证照): issue from the authoritative resource, change their state, publish what holds.

`Licensing` is the office of one deployment, and `hub.licensing.office` opens it. What it does lies in rooms:
`hub.licensing.desk` (its kinds and files), `hub.licensing.issuing` (the six steps), `hub.licensing.batches` (issuing by
the thousand), `hub.licensing.states` (changes), `hub.licensing.statuses` (publishing status lists),
`hub.licensing.lookups` (rows of the control database).
Formats are `licence`'s; who may call data is `hub.invocation`'s.
"""

from __future__ import annotations

from hub.licensing.issuing import Issued
from hub.licensing.lookups import PENDING
from hub.licensing.office import Licensing, refresh_status_lists
from hub.licensing.statuses import STATUS_SLOTS, STATUS_TTL_S, STATUS_VALID, status_uri

__all__ = [
    "PENDING",
    "STATUS_SLOTS",
    "STATUS_TTL_S",
    "STATUS_VALID",
    "Issued",
    "Licensing",
    "refresh_status_lists",
    "status_uri",
]
