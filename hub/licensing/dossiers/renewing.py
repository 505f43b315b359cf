"""The licence that an application is to renew or change (延续、变更): whose it is, and whether it may be now.

Reads alone; what comes of the application is `hub.licensing.dossiers.steps`'.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from catalog.clock import day_of
from catalog.steps import CaseInvalidError, problem
from licence.lifecycle import State
from licence.lifecycle.dossier import Dossier, open_dossier

if TYPE_CHECKING:
    from datetime import datetime

    from hub.licensing.dossiers.counter import Counter
    from hub.licensing.dossiers.orders import Order
    from licence.model import LicenceKind


def open_for(order: Order, kind: LicenceKind, counter: Counter, now: datetime) -> Dossier:
    """An empty dossier; of a renewal or change, with the licence it is about, which must allow it *now*.

    Raises:
        LicenceUnknownError: no licence has this identifier.
        CaseInvalidError: it is another kind's or holder's, not in force, or cannot be renewed now.
    """
    if not order.predecessor:
        return open_dossier(kind)
    row = predecessor_row(order, kind, counter)
    keys = {kind.holder_field: order.holder, **order.record}
    alone = {kind.holder_field: order.holder}
    # At the first issue a record may have been named where the holder alone is enough, and the other way round.
    if row["holder_hash"] not in {counter.holder_hash(kind, one) for one in (keys, alone)}:
        raise CaseInvalidError([problem("holder", "dossier_other_holder", licence=order.predecessor)])
    state = State(row["state"]) if row["state"] in tuple(State) else State.OTHER
    if state is not State.VALID:
        raise CaseInvalidError(
            [
                problem(
                    "predecessor",
                    "dossier_predecessor",
                    licence=order.predecessor,
                    state=state.en,
                    state_zh=state.zh,
                )
            ]
        )
    if not order.change:
        if kind.renewal is None:
            raise CaseInvalidError([problem("predecessor", "dossier_renewal", kind=kind.name)])
        if row["valid_until"] is not None:
            opens, closes = (day_of(at) for at in kind.renewal.window(row["valid_until"]))
            if not opens <= day_of(now) <= closes:
                when = {"opens": opens.isoformat(), "closes": closes.isoformat()}
                raise CaseInvalidError([problem("predecessor", "dossier_renewal_when", **when)])
    return open_dossier(kind, predecessor=order.predecessor)


def predecessor_row(order: Order, kind: LicenceKind, counter: Counter) -> dict[str, Any]:
    """The row of the licence that is to be renewed or changed, which is of *kind*.

    Raises:
        LicenceUnknownError: no licence has this identifier.
        CaseInvalidError: it is of another kind.
    """
    row = counter.licence(order.predecessor)
    if row["kind"] != kind.code:
        raise CaseInvalidError([problem("kind", "dossier_other_kind", licence=order.predecessor)])
    return row
