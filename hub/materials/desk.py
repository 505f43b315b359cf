"""Takes in papers that may be reused, finds them, lets them be reused, declares them void, and proves all of it.

What a file is, is `hub.materials.content`'s; keeping it `hub.materials.files`'; looking after what is kept
`hub.materials.store`'s; rules of reuse `licence.materials`'.

The steps of taking in, by number:

    1. the file is recognised by its content, and judged fit to be kept
    2. the file is made durable under its digest
    3. the entry is written, inside the transaction of the row
    4. the row is committed

A crash after 2 leaves a file that no row names, which `check` finds and clears away; after 3 an entry of a taking in
that nobody was told of. There is never a row without its file.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from hub.control import MaterialRow, MaterialUseRow, insert_once, row_dict
from hub.errors import InvalidRequestError
from hub.materials.content import media_type_of
from hub.materials.errors import (
    MaterialDamagedError,
    MaterialExistsError,
    MaterialGoneError,
    MaterialRuleError,
    MaterialUnknownError,
    MaterialVoidError,
)
from hub.materials.files import DamagedFileError
from hub.materials.rows import columns_of, material_of, material_row, own_rows, sees, update_row, uses_of, view
from hub.materials.store import Store
from licence.errors import MaterialRefusedError
from licence.material_bundle import MaterialBundle
from licence.materials import Material, Origin, Provenance, ReuseRules

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy.engine import Connection

    from hub.actors import Actor
    from hub.materials.words import Standing

KEPT, REUSED, VOIDED = "material.kept", "material.reused", "material.voided"
# 80 bits: nobody shall guess another one.
_IDENTIFIER_BYTES: Final = 10
MAX_HOLDER_CHARS: Final = 64
MAX_FOUND: Final = 200
MAX_TEXT: Final = 500
# Whoever recorded a use fetches the file within the working day; later it records another.
FETCH_WITHIN: Final = timedelta(hours=12)


@dataclass(frozen=True, slots=True)
class Paper:
    """What a clerk says of a file taken in. *valid_until* None: no end. *units*, *matters*: who may reuse it."""

    name: str
    matter: str
    case: str = ""
    origin: Origin = Origin.HANDED_IN
    original_seen: bool = False
    units: tuple[str, ...] = ()
    matters: tuple[str, ...] = ()
    needs_consent: bool = True
    valid_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Use:
    """What a material is reused for. *consent*: the holder agreed to this use."""

    matter: str
    case: str
    purpose: str
    consent: bool = False


class Materials(Store):
    """What departments do with the e-material store (电子材料库). Safe for many threads and processes."""

    def add(self, content: bytes, paper: Paper, *, holder: str, actor: Actor) -> dict[str, Any]:
        """Take a file in for *holder* (a code of whatever kind); what the actor's department is told of it.

        Two who take in the same file for the same holder at one department: one succeeds, the other is told.

        Raises:
            ContentRefusedError: the file is not taken in.
            MaterialRuleError: what was said of it is malformed.
            MaterialExistsError: the department has it already.
        """
        media_type = media_type_of(content)  # step 1
        hashed = self._holder(holder)
        with self._files.taking():
            digest = self._files.keep(content)  # step 2
            now = self._evidence.clock()
            try:
                material = Material(
                    identifier=f"M{now:%Y%m%d}-{secrets.token_hex(_IDENTIFIER_BYTES)}",
                    name=paper.name,
                    digest=digest,
                    media_type=media_type,
                    size_bytes=len(content),
                    holder=hashed,
                    provenance=Provenance(paper.origin, actor.department, paper.matter, now, paper.original_seen),
                    reuse=ReuseRules(paper.units, paper.matters, paper.needs_consent),
                    valid_from=now,
                    valid_until=paper.valid_until,
                )
            except MaterialRefusedError as fault:
                raise MaterialRuleError.of(fault) from fault
            with self._control.writing() as connection:
                values = columns_of(material) | {
                    "case_number": _short(paper.case, "case"),
                    "taken_by": str(actor),
                    "voided_by": "",
                    "void_reason": "",
                    "log_index": 0,
                }
                # The row first: of two who are here at once, the other waits here and then writes no entry.
                if not insert_once(connection, MaterialRow, values):
                    raise MaterialExistsError(material=_standing(connection, values["standing"]))
                recorded = self._evidence.append(  # step 3
                    KEPT,
                    actor=str(actor),
                    subject=hashed,
                    purpose=paper.matter,
                    facts=material.log_facts(),
                    body={"material": material.identifier, "name": paper.name, "case": paper.case},
                    at=now,
                )
                update_row(connection, material.identifier, log_index=recorded.index)
                row = material_row(connection, material.identifier)
            # Step 4 is the end of the block above.
        return view(row, (), actor.department)

    def show(self, identifier: str, *, department: str) -> dict[str, Any]:
        """What *department* may know of a material, and of its uses.

        Raises:
            MaterialUnknownError: there is none, or none of this department's business; which is not said.
        """
        with self._control.reading() as connection:
            row = self._seen(connection, identifier, department)
            return view(row, uses_of(connection, identifier), department)

    def find(self, *, actor: Actor, holder: str = "", matter: str = "") -> list[dict[str, Any]]:
        """The materials that the actor's department may see, newest first, at most `MAX_FOUND`.

        Of *holder*, if given, which is recorded: who looked up whose papers, and for which *matter*.
        """
        department = actor.department
        query = sa.select(MaterialRow.__table__).order_by(MaterialRow.taken_at.desc(), MaterialRow.identifier)
        if holder:
            hashed = self._holder(holder)
            query = query.where(MaterialRow.holder_hash == hashed)
        else:
            # Others' papers are found by whose they are, and not by looking through them.
            query = query.where(MaterialRow.unit == department).limit(MAX_FOUND)
        with self._control.reading() as connection:
            found = [row_dict(row) for row in connection.execute(query)]
        found = [row for row in found if sees(row, department)][:MAX_FOUND]
        if holder:
            self._evidence.append(
                "material.found",
                actor=str(actor),
                subject=hashed,
                purpose=matter,
                facts={"materials": len(found)},
            )
        return [view(row, (), department) for row in found]

    def own_papers(
        self, department: str, *, standing: Standing | None = None, limit: int = 50, offset: int = 0
    ) -> tuple[list[dict[str, Any]], int]:
        """A page of what *department* took in, newest first, and how many there are in all."""
        wanted = own_rows(department, standing, self._evidence.clock())
        table = MaterialRow.__table__
        query = sa.select(table).where(*wanted).order_by(table.c.taken_at.desc(), table.c.identifier)
        with self._control.reading() as connection:
            total = connection.execute(sa.select(sa.func.count()).select_from(table).where(*wanted)).scalar_one()
            rows = [row_dict(row) for row in connection.execute(query.limit(min(limit, MAX_FOUND)).offset(offset))]
        return [view(row, (), department) for row in rows], int(total)

    def reuse(self, identifier: str, use: Use, *, actor: Actor) -> dict[str, Any]:
        """Record a use of a material in a later case; its number, by which the file can then be fetched.

        Raises:
            MaterialUnknownError: none that the actor's department may reuse or took in.
            MaterialRuleError: out of time, void, another matter, no consent.
            MaterialGoneError, MaterialDamagedError: there is no file to reuse.
        """
        with self._control.writing() as connection:
            row = self._seen(connection, identifier, actor.department)
            now = self._evidence.clock()
            try:
                material_of(row).check_reuse(
                    unit=actor.department, matter=_need(use.matter, "matter"), at=now, consent=use.consent
                )
            except MaterialRefusedError as fault:
                raise MaterialRuleError.of(fault) from fault
            self._content(row)
            facts = {"material": identifier, "digest": row["digest"], "matter": use.matter, "consent": use.consent}
            purpose, case = _need(use.purpose, "purpose"), _need(use.case, "case")
            recorded = self._evidence.append(
                REUSED,
                actor=str(actor),
                subject=row["holder_hash"],
                purpose=use.matter,
                facts=facts,
                body={"material": identifier, "case": case, "purpose": purpose},
            )
            values = {
                "material": identifier,
                "unit": actor.department,
                "used_by": str(actor),
                "matter": use.matter,
                "case_number": case,
                "purpose": purpose,
                "consent": use.consent,
                "used_at": now,
                "log_index": recorded.index,
            }
            number = connection.execute(
                sa.insert(MaterialUseRow).values(values).returning(MaterialUseRow.id)
            ).scalar_one()
        return {"use": int(number), "material": identifier, "entry": recorded.index, "at": now.isoformat()}

    def fetch(self, identifier: str, use: int, *, department: str) -> tuple[bytes, str]:
        """The file and its type, for whoever recorded *use* of it, within `FETCH_WITHIN`.

        Raises:
            MaterialUnknownError: no such use by *department*, or it was too long ago.
            MaterialGoneError, MaterialDamagedError: there is no file.
        """
        with self._control.reading() as connection:
            row = self._seen(connection, identifier, department)
            known = {one["id"]: one for one in uses_of(connection, identifier) if one["unit"] == department}
        if use not in known or self._evidence.clock() - known[use]["used_at"] > FETCH_WITHIN:
            raise MaterialUnknownError(material=identifier[:64])
        return self._content(row), row["media_type"]

    def void(self, identifier: str, *, reason: str, actor: Actor) -> dict[str, Any]:
        """Declare a material void (作废), for good: only whoever took it in.

        Raises:
            MaterialUnknownError: none that the department may see.
            MaterialRuleError: another department took it in, or no reason is given.
            MaterialVoidError: somebody was first.
        """
        with self._control.writing() as connection:
            row = self._seen(connection, identifier, actor.department, held=True)
            if row["unit"] != actor.department:
                raise MaterialRuleError.of(MaterialRefusedError("material_other_unit", unit=actor.department))
            if row["voided_at"] is not None:
                raise MaterialVoidError(material=identifier, at=row["voided_at"].isoformat(timespec="seconds"))
            why = _need(reason, "reason")
            recorded = self._evidence.append(
                VOIDED,
                actor=str(actor),
                subject=row["holder_hash"],
                facts={"material": identifier, "digest": row["digest"]},
                body={"material": identifier, "reason": why},
            )
            update_row(
                connection,
                identifier,
                voided_at=recorded.entry.at,
                voided_by=str(actor),
                void_reason=why,
                void_log_index=recorded.index,
                standing=None,
            )
            return view(material_row(connection, identifier), uses_of(connection, identifier), actor.department)

    def bundle(self, identifier: str, *, department: str) -> MaterialBundle:
        """The record by which anybody verifies the file, with proofs from the newest checkpoint.

        Raises:
            MaterialUnknownError: none that *department* may see.
        """
        with self._control.reading() as connection:
            row = self._seen(connection, identifier, department)
        entry, proof = self._proven(row["log_index"])
        void = (None, None) if row["void_log_index"] is None else self._proven(row["void_log_index"])
        return MaterialBundle(material_of(row), entry, proof, *void)

    def export(self, identifier: str, use: Use, *, actor: Actor) -> tuple[bytes, MaterialBundle, str]:
        """File, record and type, to be handed out: a use like any other, and recorded as one. Raises: as `reuse`."""
        recorded = self.reuse(identifier, use, actor=actor)
        content, media_type = self.fetch(identifier, recorded["use"], department=actor.department)
        return content, self.bundle(identifier, department=actor.department), media_type

    def own(self, identifier: str, *, department: str) -> tuple[bytes, MaterialBundle]:
        """The file as it is stored, with its record, for judging it where it lies: nothing of it is shown to anybody.

        Raises:
            MaterialUnknownError, MaterialGoneError, MaterialDamagedError.
        """
        with self._control.reading() as connection:
            row = self._seen(connection, identifier, department)
        return self._content(row), self.bundle(identifier, department=department)

    def _content(self, row: dict[str, Any]) -> bytes:
        if row["erased_at"] is not None:
            raise MaterialGoneError(material=row["identifier"], at=row["erased_at"].isoformat(timespec="seconds"))
        try:
            return self._files.read(row["digest"])
        except DamagedFileError as error:
            raise MaterialDamagedError(material=row["identifier"]) from error

    def _proven(self, index: int) -> tuple[bytes, str]:
        self._evidence.publish_through(index)
        log = self._evidence.log
        return log.entry(index), log.prove(index).to_text()

    def _seen(self, connection: Connection, identifier: str, department: str, *, held: bool = False) -> dict[str, Any]:
        row = material_row(connection, identifier, held=held)
        if not sees(row, department):
            raise MaterialUnknownError(material=identifier[:64])
        return row

    def _holder(self, code: str) -> str:
        text = code.strip()
        if not text or len(text) > MAX_HOLDER_CHARS or not text.isprintable():
            raise InvalidRequestError(
                where="holder", why="the holder's identifier is wanted", why_zh="应填写持有人的证件号码或代码"
            )
        return self._evidence.subject({"holder": text.upper()})


def _standing(connection: Connection, key: str) -> str:
    query = sa.select(MaterialRow.identifier).where(MaterialRow.standing == key)
    return str(connection.execute(query).scalar() or "")


def _need(text: str, where: str) -> str:
    if not text.strip():
        raise InvalidRequestError(where=where, why="it is missing", why_zh="缺少该项")
    return _short(text, where)


def _short(text: str, where: str) -> str:
    most = MAX_TEXT if where in {"purpose", "reason"} else 200
    if len(text) > most or not (text.isprintable() or not text):
        raise InvalidRequestError(
            where=where, why=f"a text of at most {most} characters is wanted", why_zh=f"应为不超过 {most} 字的文本"
        )
    return text.strip()
