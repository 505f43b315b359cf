"""What every room of the office of seals shares: where things are kept, the keys, who may act, the clock.

Opening it is `hub.seals.office`'s.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from hub.actors import Actor
from hub.seals.errors import SealNotYoursError, SealOrderError

if TYPE_CHECKING:
    from collections.abc import Callable

    from catalog.model import Department
    from hub.authority import KeyStore
    from hub.control import Control
    from hub.evidence import Evidence
    from hub.keyring import Keyring
    from hub.settings import Settings


@dataclass
class Desk:
    """The office of seals of one deployment, without what it does. Safe for many threads and processes."""

    settings: Settings
    control: Control
    evidence: Evidence
    keys: KeyStore
    keyring: Keyring
    clock: Callable[[], datetime] = field(default=lambda: datetime.now(UTC))
    random: Callable[[int], bytes] = secrets.token_bytes

    def department(self, code: str) -> Department:
        """The department with this code.

        Raises:
            SealOrderError: the list has none.
        """
        try:
            return self.keys.known_department(code)
        except KeyError:
            why = f"The list names no department `{code[:60]}`."
            raise SealOrderError(why=why, why_zh=f"清单中没有部门 `{code[:60]}`。") from None


def of_department(actor: Actor | str, department: str, *, office: bool = False) -> str:
    """Who acts, as text; of *department*, unless the hub's *office* acts.

    Raises:
        SealNotYoursError: of another department.
        ActorInvalidError: not of the form ``DEPARTMENT:POST``.
    """
    found = actor if isinstance(actor, Actor) else Actor.parse(actor)
    if found.department != department and not office:
        why = f"The seal belongs to `{department}`; somebody of it must act."
        raise SealNotYoursError(why=why, why_zh=f"该印章属于 `{department}`，应由该部门办理。")
    return str(found)
