"""Control data: what is published, who may call, what was granted, loaded and issued.

Rows here say what holds now; what happened, provably, is in the log. Use `Control` to open the database.
"""

from hub.control.database import Control, hold_generation, insert_once, open_engine, raise_generation, row_dict
from hub.control.models import (
    AlertRow,
    Base,
    Caller,
    CaseEvent,
    CaseRow,
    ControlState,
    DisputeMark,
    DriftRow,
    GrantRow,
    GrantUsage,
    LicenceRow,
    ListVersion,
    Load,
    MissedQuery,
    Notice,
    PauseRow,
    ReconciliationRow,
    StatusListRow,
    UsageState,
)

__all__ = [
    "AlertRow",
    "Base",
    "Caller",
    "CaseEvent",
    "CaseRow",
    "Control",
    "ControlState",
    "DisputeMark",
    "DriftRow",
    "GrantRow",
    "GrantUsage",
    "LicenceRow",
    "ListVersion",
    "Load",
    "MissedQuery",
    "Notice",
    "PauseRow",
    "ReconciliationRow",
    "StatusListRow",
    "UsageState",
    "hold_generation",
    "insert_once",
    "open_engine",
    "raise_generation",
    "row_dict",
]
