"""Who takes a step: a department and a post of it, and which doors a key opens.

Whether that actor may take that step is the case's own affair; who holds which key, `hub.grants`'s.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from hub.errors import ActorInvalidError

_ACTOR = re.compile(r"(?P<department>[^\s:]{1,100}):(?P<post>[^\x00-\x1f\x7f:]{1,80})")
# A post is no person: a run of digits this long is a phone or identity number that has no place in a public log.
PERSONAL = re.compile(r"\d{7}")


class Role(StrEnum):
    """What a caller key opens beside its department's name (GB/T 39477 keeps operators, auditors and offices apart)."""

    CALL = "call"
    APPLY = "apply"
    REVIEW = "review"
    OFFICE = "office"
    AUDIT = "audit"
    PERSON = "person"


@dataclass(frozen=True, slots=True)
class Actor:
    """A post of a department, written ``MZJ:window-2``. It stands in the public log: never a person's name."""

    department: str
    post: str

    def __str__(self) -> str:
        return f"{self.department}:{self.post}"

    @classmethod
    def parse(cls, text: str) -> Actor:
        """The actor that *text* names.

        Raises:
            ActorInvalidError: no ``DEPARTMENT:POST``, or the post looks like a number of a person.
        """
        found = _ACTOR.fullmatch(text.strip())
        if found is None or not found["post"].strip() or PERSONAL.search(text):
            raise ActorInvalidError(value=PERSONAL.sub("…", text)[:60])
        return cls(found["department"], found["post"].strip())


def department_of(actor: str) -> str:
    """The department of an entry's actor, which names a post of it or not."""
    return actor.partition(":")[0]
