"""Control data: what is published, who may call, what was granted, loaded and issued.

Rows here say what holds now; what happened, provably, is in the log. Use `Control` to open the database.
"""

from hub.control.database import Control, open_engine, raise_generation, row_dict
from hub.control.models import (
    Base,
    Caller,
    ControlState,
    GrantRow,
    LicenceRow,
    ListVersion,
    Load,
    StatusListRow,
)

__all__ = [
    "Base",
    "Caller",
    "Control",
    "ControlState",
    "GrantRow",
    "LicenceRow",
    "ListVersion",
    "Load",
    "StatusListRow",
    "open_engine",
    "raise_generation",
    "row_dict",
]
