"""One-time codes (动态码): a holder shows one, one reader redeems it within a minute, and that is on record.

What a code is, is `licence.qr.once`'s; what a reader may see, `hub.licensing.copies.who_may`'s.

1. Made for: the holder, by a service that has identified the person (a key with the role `person`) and gives the
   holder's code; or by the department that issued the licence, at its counter.
2. Redeemed by: any department whose grants on the licence's resource open something for the matter it names. It is
   shown the state, and of the face the fields that the decision shows unmasked.
3. A code is spent by the attempt, whoever attempts it: which licence it is for is known only then.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from hub.actors import Role
from hub.control import OneTimeCodeRow, insert_once
from hub.keyring import Keyring
from hub.licensing.copies import allowed_to
from hub.licensing.document_errors import CodeNotYoursError, NotInForceError, said
from hub.licensing.papers import Paper
from licence.lifecycle import State
from licence.qr import once

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from datetime import datetime

    from hub.actors import Actor
    from hub.control import Control
    from hub.licensing.office import Licensing
    from licence.qr.once import Held, OneTimeCode

MINTED: Final = "licence.minted"
REDEEMED: Final = "licence.redeemed"
KEY_NAME: Final = "one-time-codes"


class ControlOnce:
    """`licence.qr.once.OnceStore` in the control database: kept between processes, and durable."""

    def __init__(self, control: Control) -> None:
        self._control = control

    def put(self, digest: bytes, held: Held) -> bool:
        """See `OnceStore.put`."""
        values = {
            "digest": digest.hex(),
            "licence": held.licence,
            "minted_at": held.minted_at,
            "expires_at": held.expires_at,
            "spent_at": held.spent_at,
        }
        with self._control.writing() as connection:
            return insert_once(connection, OneTimeCodeRow, values)

    def spend(self, digest: bytes, at: datetime) -> Held | None:
        """See `OnceStore.spend`: the database says who was first."""
        table = OneTimeCodeRow.__table__
        which = table.c.digest == digest.hex()
        with self._control.writing() as connection:
            first = connection.execute(
                sa.update(OneTimeCodeRow)
                .where(which, table.c.spent_at.is_(None))
                .values(spent_at=at)
                .returning(table.c.digest)
            ).first()
            row: Any = connection.execute(sa.select(table).where(which)).first()
        if row is None:
            return None
        return once.Held(row.licence, row.minted_at, row.expires_at, None if first is not None else row.spent_at)

    def forget(self, before: datetime) -> int:
        """See `OnceStore.forget`."""
        table = OneTimeCodeRow.__table__
        with self._control.writing() as connection:
            gone = connection.execute(
                sa.delete(OneTimeCodeRow).where(table.c.expires_at < before).returning(table.c.digest)
            ).all()
        return len(gone)


@dataclass(frozen=True, slots=True)
class Shown:
    """What the reader of a code is shown; *face* by name and title, *valid_until* None: no end."""

    identifier: str
    kind: str
    kind_name: str
    state: State
    issued_at: datetime
    valid_until: datetime | None
    face: tuple[tuple[str, str, str], ...]
    log_index: int


class Codes:
    """Makes and redeems one-time codes. Safe for many threads and processes."""

    def __init__(self, office: Licensing, *, random: Callable[[int], bytes] = secrets.token_bytes) -> None:
        self.office = office
        self.store = ControlOnce(office.control)
        self._random = random
        self._key = Keyring(office.settings.keys).secret(KEY_NAME)

    def mint(self, identifier: str, *, by: Actor, roles: Collection[str] = (), holder: str = "") -> OneTimeCode:
        """A code for a licence that holds; *holder* is the code of the person whom a service has identified.

        Raises:
            LicenceUnknownError: no licence has this identifier.
            CodeNotYoursError: neither by the issuing department nor for the holder.
            NotInForceError: the licence does not hold.
        """
        office = self.office
        row = office.show(identifier)
        kind = office.kind(row["kind"])
        with said():
            paper = Paper.of(kind, office.sealed(identifier))
        owner = office.owner(paper.text("CZZTDMLXDM"), paper.text("CZZTDM"))
        for_holder = Role.PERSON in roles and bool(holder)
        if for_holder:
            for_holder = secrets.compare_digest(office.owner(paper.text("CZZTDMLXDM"), holder), owner)
        if not for_holder and by.department != kind.issuer:
            raise CodeNotYoursError
        state = State(row["state"])
        if state is not State.VALID:
            raise NotInForceError(identifier=identifier, state=state.en, state_zh=state.zh)
        now = office.evidence.clock()
        # Codes of yesterday are of no use to anybody.
        self.store.forget(now - once.LIFETIME)
        # The entry goes first: a crash after it leaves an entry of a code that nobody was shown.
        office.evidence.append(
            MINTED, actor=str(by), subject=owner, resource=kind.resource, facts={"licence": identifier}
        )
        with said():
            return once.mint(self.store, self._key, identifier, now=now, random=self._random(once.HANDLE_BYTES))

    def redeem(self, text: str, *, matter: str, by: Actor, reason: str = "") -> Shown:
        """What the licence of the code says to the department of *by* for *matter*; the code is spent.

        *reason* is kept in the entry's protected body.

        Raises:
            DocumentRefusedError: no code of ours, spent before, or past its minute.
                DeniedError: the department may not be shown anything of it; that is on record, too.
        """
        office = self.office
        now = office.evidence.clock()
        with said():
            held = once.redeem(self.store, [self._key], text, now=now)
        row = office.show(held.licence)
        kind = office.kind(row["kind"])
        basis = allowed_to(office, kind, held.licence, by, matter)
        with said():
            paper = Paper.of(kind, office.sealed(held.licence))
        seen = set(basis.fields)
        face = tuple(
            (field.name, field.title, paper.text(field.name))
            for field in kind.face
            if field.field in seen and paper.text(field.name)
        )
        state = State(row["state"])
        recorded = office.evidence.append(
            REDEEMED,
            actor=str(by),
            subject=office.owner(paper.text("CZZTDMLXDM"), paper.text("CZZTDM")),
            resource=kind.resource,
            purpose=matter,
            facts={
                "licence": held.licence,
                "state": state.value,
                "fields": [name for name, _, _ in face],
                "by": list(basis.determined),
            },
            body={"reason": reason} if reason else None,
        )
        return Shown(
            held.licence, kind.code, kind.name, state, row["issued_at"], row["valid_until"], face, recorded.index
        )
