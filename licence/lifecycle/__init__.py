"""The life cycle of a licence as pure state machines: states, licences, dossiers of steps, annotated copies.

Storing them and publishing what follows belong to `hub`.
"""

from __future__ import annotations

from licence.lifecycle.licences import (
    Change,
    Licence,
    cancel,
    change,
    expire,
    issue,
    resume,
    revoke,
    status_of,
    suspend,
    transfer,
    withdraw,
)
from licence.lifecycle.states import STATE_NAMES, TRANSITIONS, Action, State

__all__ = [
    "STATE_NAMES",
    "TRANSITIONS",
    "Action",
    "Change",
    "Licence",
    "State",
    "cancel",
    "change",
    "expire",
    "issue",
    "resume",
    "revoke",
    "status_of",
    "suspend",
    "transfer",
    "withdraw",
]
