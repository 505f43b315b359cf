"""Forms that make something with each sending: a value in the form, drawn when it is shown, lets the first one through.

Reloading the page that answered sends the form again, as going back and a second click do.
"""

from __future__ import annotations

import hashlib
import secrets
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from hub.once import release, take_sending
from hub.portal.errors import ForeignFormError, SentBeforeError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hub.portal.visits import Visit

FIELD: Final = "sending"
_BYTES: Final = 16
_MAX_CHARS: Final = 40


def drawn() -> str:
    """The value of a form that is shown now."""
    return secrets.token_urlsafe(_BYTES)


@contextmanager
def once(visit: Visit) -> Iterator[None]:
    """Do the block for the first sending of the visit's form alone; after an error it may be sent again.

    A crash within the block leaves the form as sent: what it made is then looked for before another one is shown.

    Raises:
        SentBeforeError: it was sent before.
        ForeignFormError: it has no such value, as none of our pages shows it.
    """
    value = visit.form.text(FIELD)
    if not 0 < len(value) <= _MAX_CHARS:
        raise ForeignFormError
    # Of this session alone: nobody uses up what another was shown.
    name = hashlib.sha256(f"form\n{visit.entered.token}\n{value}".encode("utf-8", "surrogatepass")).hexdigest()
    if not take_sending(visit.office.control, name, visit.now):
        raise SentBeforeError
    try:
        yield
    except Exception:
        release(visit.office.control, name)
        raise
