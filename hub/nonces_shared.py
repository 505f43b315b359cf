"""Remembers the signed requests of the last minutes for all machines of a deployment: rows of the control database.

Each call waits for a commit: for one machine `hub.signing.nonces_file` costs a hundredth of it. The primary key decides
between two who take one nonce at once, wherever they run.
"""

from __future__ import annotations

import hashlib
import math
from typing import TYPE_CHECKING, Final

import sqlalchemy as sa

from hub.control import NonceRow, insert_once
from hub.signing.errors import NoncesForgottenError, SignatureReplayedError

if TYPE_CHECKING:
    from hub.control import Control

KEPT_S: Final = 3_600
"""How long after its time a nonce is still kept: clocks of machines may differ by this much, or be set back."""

SWEEP_S: Final = 60
_DIGEST_BYTES: Final = 16


class SharedNonces:
    """For several machines; see `hub.signing.nonces.Nonces`. Safe for many threads."""

    def __init__(self, control: Control) -> None:
        self._control = control
        self._swept = -math.inf
        self._forgotten = -math.inf

    def take(self, key_id: str, nonce: str, *, until: float, now: float) -> None:
        """See `Nonces`. Raises also ControlUnavailableError: nothing may be taken that cannot be remembered."""
        if until <= self._forgotten:
            raise NoncesForgottenError
        digest = hashlib.blake2b(f"{key_id}\n{nonce}".encode(), digest_size=_DIGEST_BYTES).hexdigest()
        with self._control.writing() as connection:
            if not insert_once(connection, NonceRow, {"digest": digest, "until": math.ceil(until)}):
                raise SignatureReplayedError
            if now - self._swept >= SWEEP_S:
                # In passing, and at most once a minute in each process: there is no other that would do it.
                self._swept, self._forgotten = now, max(self._forgotten, now - KEPT_S)
                connection.execute(sa.delete(NonceRow).where(NonceRow.until < now - KEPT_S))
