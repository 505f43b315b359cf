"""The register of seals (印章登记): asking for one, making it, disabling, destroying, handing it to a new custodian.

Which step is possible, and which needs a second person, is `licence.seals.register`'s. Each step is an entry in the
log, made inside the transaction and before its commit: a crash between leaves an entry of a step that nobody was told
of, and taking it again adds a second one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from hub.actors import Actor
from hub.control import SealRow, insert_once, row_dict
from hub.seals import store
from hub.seals.desk import of_department
from hub.seals.errors import SealOrderError, SealUnknownError, told
from hub.seals.publishing import Publishing
from hub.seals.words import Sort
from licence.seals import algorithms, make, register
from licence.seals.image import round_seal
from licence.seals.picture import drawn_picture, given_picture
from licence.seals.published import seal_digest
from licence.seals.register import Action, State
from licence.seals.structure import V5, WRITTEN, Picture

if TYPE_CHECKING:
    from collections.abc import Container
    from datetime import datetime

    from sqlalchemy.engine import Connection

FAMILY_BYTES: Final = 4
MAX_LISTED: Final = 500
_PLAIN_CODE = re.compile(r"[A-Za-z0-9]{1,20}")
_ENTRIES: Final = {
    Action.APPROVE: "seal.made",
    Action.REJECT: "seal.rejected",
    Action.DISABLE: "seal.disabled",
    Action.ENABLE: "seal.enabled",
    Action.REQUEST_DESTRUCTION: "seal.destruction.requested",
    Action.KEEP: "seal.kept",
    Action.DESTROY: "seal.destroyed",
}


@dataclass(frozen=True, slots=True)
class SealOrder:
    """A seal that is asked for (申请制章).

    Without *png* a round seal is drawn: *name* in the arc, *line* below the star. A name seal or a signature has to be
    given as PNG. *custodian* is a post of the department, or a signer with a key of their own (`hub.seals.signers`).
    """

    sort: Sort
    name: str
    department: str
    custodian: str
    valid_from: datetime
    valid_until: datetime
    line: str = ""
    png: bytes = b""
    width_mm: int = 42
    height_mm: int = 42
    structure: int = V5

    def picture(self) -> Picture:
        """The picture as PNG.

        Raises:
            SealRefusedError, GlyphMissingError, FontUnusableError: it cannot be drawn, or is not to be used.
        """
        if self.png:
            return given_picture(self.png, width_mm=self.width_mm, height_mm=self.height_mm)
        if self.sort.personal:
            why = "A name seal or a signature is given as a PNG picture."
            raise SealOrderError(why=why, why_zh="名章和签名须提供 PNG 图像。")
        return drawn_picture(round_seal(self.name, purpose=self.line, diameter_mm=self.width_mm))


class Registering(Publishing):
    """The room that keeps the register."""

    def request(self, order: SealOrder, *, by: Actor | str, ground: str, office: bool = False) -> dict[str, Any]:
        """Ask for a seal; it is made once another person has approved it. Returns it as `show` does.

        Raises:
            SealOrderError, SealNotYoursError: mend the request, or let the department ask.
        """
        actor = of_department(by, order.department, office=office)
        department = self.department(order.department)
        self._custodian(order)
        with told():
            picture = order.picture()
        stem = department.code if _PLAIN_CODE.fullmatch(department.code) else department.uscc
        family = f"{stem}-{self.random(FAMILY_BYTES).hex().upper()}"
        with self.control.writing() as connection:
            return self._requested(connection, order, picture, family=family, version=1, actor=actor, ground=ground)

    def transfer(
        self, code: str, custodian: str, *, by: Actor | str, ground: str, office: bool = False
    ) -> dict[str, Any]:
        """Ask for a new version of a seal, kept by *custodian*; when it is made, the old one is disabled (移交).

        Raises: as `request`.
        """
        with self.control.reading() as connection:
            row = store.seal_row(connection, code)
        actor = of_department(by, row["department"], office=office)
        order = SealOrder(
            Sort(row["sort"]),
            row["name"],
            row["department"],
            custodian,
            row["valid_from"],
            row["valid_until"],
            structure=row["structure"],
        )
        self._custodian(order)
        picture = Picture("PNG", row["picture"], row["width_mm"], row["height_mm"])
        with self.control.writing() as connection:
            query = sa.select(sa.func.max(SealRow.version)).where(SealRow.family == row["family"])
            version = int(connection.execute(query).scalar_one()) + 1
            return self._requested(
                connection, order, picture, family=row["family"], version=version, actor=actor, ground=ground
            )

    def decide(
        self, code: str, action: Action, *, by: Actor | str, ground: str, office: bool = False
    ) -> dict[str, Any]:
        """Take a step of the register and publish it; returns the seal as `show` does.

        Raises:
            SealUnknownError: there is no such seal.
            SealStateRefusedError: its state does not allow the step.
            SealNotYoursError: another department, or the same person twice.
        """
        with self.control.reading() as connection:
            row = store.seal_row(connection, code)
        actor = of_department(by, row["department"], office=office)
        # Looked up before the transaction: the first asking of a keeper makes their key in one of its own.
        parts = self._makers(row) if action is Action.APPROVE else None
        with self.control.writing() as connection:
            row = store.seal_row(connection, code, hold=True)
            now = self.clock()
            with told():
                seal = register.change(store.seal_of(row), action, by=actor, at=now, ground=ground)
            values: dict[str, Any] = {}
            facts: dict[str, Any] = {"seal": code, "state": seal.state.value}
            if parts is not None:
                values = self._made(row, seal, parts, now)
                facts |= {"digest": values["seal_digest"], "structure": row["structure"]}
            recorded = self.evidence.append(
                _ENTRIES[action], actor=actor, resource=code, facts=facts, body={"ground": ground}, at=now
            )
            self._write(connection, code, seal, recorded.index, values)
            if parts is not None:
                self._disable_others(connection, row, actor, ground, now)
        self.publish()
        return self.show(code)

    def destroy(self, code: str, *, by: Actor | str, ground: str, office: bool = False) -> dict[str, Any]:
        """The next step towards a seal's destruction (销毁): asking for it, or, by another person, deciding so."""
        state = self.show(code)["state"]
        action = Action.DESTROY if state == State.DESTRUCTION_REQUESTED else Action.REQUEST_DESTRUCTION
        return self.decide(code, action, by=by, ground=ground, office=office)

    def show(self, code: str) -> dict[str, Any]:
        """A seal as the register keeps it, without its picture. Raises: SealUnknownError."""
        with self.control.reading() as connection:
            row = store.seal_row(connection, code)
        return plain(row, self.outdated([row]))

    def find(
        self, *, department: str | None = None, state: str | None = None, limit: int = 50, offset: int = 0
    ) -> list[dict[str, Any]]:
        """Seals by code, as `show` gives them."""
        query = sa.select(SealRow.__table__).order_by(SealRow.code).limit(min(limit, MAX_LISTED)).offset(offset)
        if department is not None:
            query = query.where(SealRow.department == department)
        if state is not None:
            query = query.where(SealRow.state == state)
        with self.control.reading() as connection:
            rows = [row_dict(row) for row in connection.execute(query)]
        outdated = self.outdated(rows)
        return [plain(row, outdated) for row in rows]

    def count(self, *, department: str | None = None, state: str | None = None) -> int:
        """How many seals `find` would give in all."""
        query = sa.select(sa.func.count()).select_from(SealRow)
        if department is not None:
            query = query.where(SealRow.department == department)
        if state is not None:
            query = query.where(SealRow.state == state)
        with self.control.reading() as connection:
            return int(connection.execute(query).scalar_one())

    def picture(self, code: str) -> bytes:
        """The picture of a seal as PNG, made or not yet. Raises: SealUnknownError."""
        with self.control.reading() as connection:
            return bytes(store.seal_row(connection, code)["picture"])

    def seal_file(self, code: str) -> bytes:
        """The SESeal in DER.

        Raises:
            SealUnknownError: there is no such seal, or it is not made.
        """
        with self.control.reading() as connection:
            made = store.seal_row(connection, code)["made"]
        if made is None:
            raise SealUnknownError(what=code[:80])
        return bytes(made)

    def _custodian(self, order: SealOrder) -> None:
        """The custodian is a post of the department; in the register of signers, with a key in force."""
        if order.structure not in WRITTEN:
            why = "Seals are made in version 5 or 4."
            raise SealOrderError(why=why, why_zh="电子印章只制作第 5 版或第 4 版。")
        of_department(Actor.parse(order.custodian), order.department)
        if order.sort is Sort.LICENCE:
            with self.control.reading() as connection:
                personal = store.is_signer(connection, order.custodian)
            if personal:
                why = "A licence-issuing seal is kept by a post, not by a signer with a key of their own."
                raise SealOrderError(why=why, why_zh="证照专用章应由岗位保管，不能由持个人密钥的签名人保管。")

    def _requested(
        self,
        connection: Connection,
        order: SealOrder,
        picture: Picture,
        *,
        family: str,
        version: int,
        actor: str,
        ground: str,
    ) -> dict[str, Any]:
        code, now = f"{family}-{version}", self.clock()
        digest = algorithms.sm3(picture.data)
        with told():
            seal = register.request(
                code=code,
                name=order.name,
                kind=order.sort.number,
                image_digest=digest,
                department=order.department,
                custodian=order.custodian,
                valid_from=order.valid_from,
                valid_until=order.valid_until,
                by=actor,
                at=now,
                ground=ground,
            )
        recorded = self.evidence.append(
            "seal.requested",
            actor=actor,
            resource=code,
            facts={"seal": code, "sort": order.sort.value, "custodian": order.custodian, "state": seal.state.value},
            body={"name": order.name, "picture": digest.hex(), "ground": ground},
            at=now,
        )
        row = {
            "code": code,
            "family": family,
            "version": version,
            "sort": order.sort.value,
            "name": order.name,
            "department": order.department,
            "custodian": order.custodian,
            "state": seal.state.value,
            "structure": order.structure,
            "valid_from": order.valid_from,
            "valid_until": order.valid_until,
            "picture": picture.data,
            "picture_digest": digest.hex(),
            "width_mm": picture.width_mm,
            "height_mm": picture.height_mm,
            "made": None,
            "seal_digest": "",
            "auto": None,
            "changed_at": now,
            "log_index": recorded.index,
            "history": store.history_plain(seal.history),
        }
        insert_once(connection, SealRow, row)
        return plain(row)

    def _makers(self, row: dict[str, Any]) -> tuple[make.SealSigner, tuple[bytes, ...]]:
        """The seal maker, and the certificates of who is to keep the seal."""
        return make.signer_of(self.keys.seal_maker()), self.keeper_certificates(row)

    def _made(
        self, row: dict[str, Any], seal: register.Seal, parts: tuple[make.SealSigner, tuple[bytes, ...]], now: datetime
    ) -> dict[str, Any]:
        maker, certificates = parts
        with told():
            made = make.make_seal(
                maker,
                seal_id=seal.code,
                kind=seal.kind,
                name=seal.name,
                picture=Picture("PNG", row["picture"], row["width_mm"], row["height_mm"]),
                custodians=certificates,
                created=now,
                valid_from=seal.valid_from,
                valid_until=seal.valid_until,
                version=row["structure"],
            )
            made = self.stamped_seal(made)
        return {"made": made.raw, "seal_digest": seal_digest(made.raw)}

    def _disable_others(
        self, connection: Connection, row: dict[str, Any], actor: str, ground: str, now: datetime
    ) -> None:
        """Of a family of versions only the newest that was made may be in use."""
        query = sa.select(SealRow.code).where(
            SealRow.family == row["family"], SealRow.code != row["code"], SealRow.state == State.IN_USE.value
        )
        for code in connection.execute(query).scalars().all():
            self._disable(connection, code, actor, ground, now)

    def _disable(self, connection: Connection, code: str, actor: str, ground: str, now: datetime) -> None:
        seal = register.disable(store.seal_of(store.seal_row(connection, code)), by=actor, at=now, ground=ground)
        facts = {"seal": code, "state": seal.state.value}
        recorded = self.evidence.append(
            _ENTRIES[Action.DISABLE], actor=actor, resource=code, facts=facts, body={"ground": ground}, at=now
        )
        self._write(connection, code, seal, recorded.index, {})

    def _write(
        self, connection: Connection, code: str, seal: register.Seal, log_index: int, values: dict[str, Any]
    ) -> None:
        last = seal.history[-1]
        store.change_seal(
            connection,
            code,
            state=last.state.value,
            changed_at=last.at,
            log_index=log_index,
            history=store.history_plain(seal.history),
            # Whoever disabled it did not mean that the hub goes on by itself once it is enabled again.
            **({} if last.state is State.IN_USE and last.action == Action.APPROVE else {"auto": None}),
            **values,
        )


def plain(row: dict[str, Any], outdated: Container[str] = ()) -> dict[str, Any]:
    """A seal as people and programs are told it; of *outdated* ones it is told that they need a next version.

    A personal seal's name is a person's name, and is left out.
    """
    sort = Sort(row["sort"])
    return {
        "code": row["code"],
        "sort": sort.value,
        "name": "" if sort.personal else row["name"],
        "department": row["department"],
        "custodian": row["custodian"],
        "state": row["state"],
        "structure": row["structure"],
        "valid_from": row["valid_from"].isoformat(),
        "valid_until": row["valid_until"].isoformat(),
        "digest": row["seal_digest"],
        "outdated": row["code"] in outdated,
        "automatic": row["auto"],
        "possible": [action.value for action in register.TRANSITIONS.get(State(row["state"]), {})],
        "log_index": row["log_index"],
        "history": row["history"],
    }
