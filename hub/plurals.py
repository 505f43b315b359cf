"""Says in English how many of a thing there are. Chinese has no plural."""

from __future__ import annotations

import re
from typing import Final

_CHOICE: Final = re.compile(r"\[([^|\[\]]*)\|([^|\[\]]*)\]")


def agreed(text: str, count: float) -> str:
    """*text* with each ``[one|many]`` as *count* wants it: ``[resource was|resources were]``."""
    return _CHOICE.sub(r"\1" if count == 1 else r"\2", text)
