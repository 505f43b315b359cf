"""Makes the short identifiers by which people call cases, grants and callers; licences have their own (GB/T 36904)."""

from __future__ import annotations

import base64
import secrets
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_ID_BYTES = 5


def new_identifier(mark: str, random: Callable[[int], bytes] = secrets.token_bytes) -> str:
    """A fresh identifier, e.g. ``G7XK2M4QA``: *mark* and eight letters A–Z or digits 2–7 (RFC 4648 §6)."""
    return mark + base64.b32encode(random(_ID_BYTES)).decode()
