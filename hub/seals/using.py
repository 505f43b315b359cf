"""The use of seals (用印): on an OFD, a PDF or a digest, by the custodian; by the hub is `hub.seals.automatic`'s.

The steps of a use, by number:

    1. look whether the register allows it, while the seal's row is held
    2. write the use down, row and log entry, both durable
    3. sign
    4. mark the use as signed

A crash before the end of step 2 leaves no signature; between 3 and 4 it leaves a use of which no signature is known,
and nobody was given one. A use without a record cannot be.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from hub.actors import Actor
from hub.control import SealUseRow
from hub.seals import store
from hub.seals.errors import NoSealForError, SealNotYoursError, SealOrderError, SealStateRefusedError, told
from hub.seals.usage import Usage
from hub.seals.words import DIGEST, OFD, PDF, RECORDED, SIGNED
from licence.errors import SealRefusedError
from licence.ofd.container import unpack
from licence.ofd.layout import Box
from licence.ofd.read import ROOT
from licence.ofd.seal import SIGNATURE_PATH, Stamp
from licence.ofd.seal import seal as seal_files
from licence.ofd.write import SIGNATURES
from licence.pdf.sign import SealPlace, seal_pdf
from licence.seals import make, register
from licence.seals.algorithms import SM3_BYTES, sm3
from licence.seals.register import State

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from sqlalchemy.engine import Connection

    from licence.seals.structure import SESSignature

MAX_DOCUMENT_BYTES: Final = 64 * 1024 * 1024
PLAIN_DIGEST: Final = "digest"


@dataclass(frozen=True, slots=True)
class Place:
    """Where the seal stands on the first page: millimetres from the left, and from the top (OFD) or bottom (PDF)."""

    x_mm: float = 130.0
    y_mm: float = 215.0


@dataclass(frozen=True, slots=True)
class Stamped:
    """What came of a use: the sealed file, or the SES_Signature over a digest; *use* is its number."""

    form: str
    data: bytes = field(repr=False)
    use: str = ""


@dataclass(slots=True)
class Recording:
    """Signs, but only after the use is on record: steps 1 to 3. *uses* are the uses that were recorded."""

    record: Callable[[], str]
    sign_der: Callable[[bytes], bytes]
    uses: list[str] = field(default_factory=list)

    def sign(self, data: bytes) -> bytes:
        """Steps 2 and 3."""
        self.uses.append(self.record())
        return self.sign_der(data)


@dataclass(frozen=True, slots=True)
class DocumentSigner:
    """A department's document key as `licence.pdf.sign` wants it, signing after the use is on record."""

    suite: str
    chain_der: tuple[bytes, ...]
    sign: Callable[[bytes], bytes]


@dataclass(frozen=True, slots=True)
class _Wish:
    """A use that is wanted: by whom, of which seal, on what form, for what, and the time the seal will name."""

    row: dict[str, Any]
    actor: str
    form: str
    purpose: str
    at: datetime


class Using(Usage):
    """The room where seals are used."""

    def stamp(
        self, code: str, document: bytes, *, by: Actor | str, purpose: str, place: Place | None = None
    ) -> Stamped:
        """Use a seal on *document*: a PDF or OFD gets it on its first page, 32 bytes are the SM3 digest of a document.

        An OFD must be one that names a list of signatures and has none yet, as ours are.

        Raises:
            SealNotYoursError: only the custodian may.
            SealStateRefusedError: the seal is not in use, or not valid now.
            SealOrderError: the document cannot be sealed.
        """
        actor = str(by if isinstance(by, Actor) else Actor.parse(by))
        if len(document) > MAX_DOCUMENT_BYTES:
            why = f"A document of more than {MAX_DOCUMENT_BYTES // 2**20} MiB is not sealed here."
            raise SealOrderError(why=why, why_zh=f"文件超过 {MAX_DOCUMENT_BYTES // 2**20} MiB，不能在此用印。")
        with self.control.reading() as connection:
            row = store.seal_row(connection, code)
            personal = store.is_signer(connection, row["custodian"])
        if actor != row["custodian"]:
            why = "Only the custodian may use this seal."
            raise SealNotYoursError(why=why, why_zh="只有该印章的保管人可以用印。")
        if personal:
            why = "This seal signs with its keeper's own key: ask for a remote signature."
            raise SealOrderError(why=why, why_zh="该印章使用保管人本人的密钥，请申请云签。")
        require_usable(row)
        with told():
            wish = _Wish(row, actor, form_of(document), purpose, self.clock().replace(microsecond=0))
            if wish.form == PDF:
                return self._stamped_pdf(wish, document, place)
            return self._stamped_gm(wish, document, place)

    def _stamped_gm(self, wish: _Wish, document: bytes, place: Place | None) -> Stamped:
        """An OFD or a digest, by GM/T 0031."""
        key = self.keeper_key(wish.row)
        done: list[SESSignature] = []
        uses: list[str] = []

        def apply(digest: bytes, path: str) -> bytes:
            recording = Recording(
                lambda: self.record(
                    wish.row["code"], wish.actor, form=wish.form, digests=(digest,), purpose=wish.purpose
                ),
                key.sign_der,
                uses,
            )
            applied = make.apply_seal(
                store.parsed(bytes(wish.row["made"])),
                make.SealSigner(key.chain_der[0], key.suite, recording.sign),
                document_digest=digest,
                at=wish.at,
                property_info=path,
            )
            applied = self.stamped_signature(applied)
            done.append(applied)
            return applied.raw

        if wish.form == DIGEST:
            data = apply(document, PLAIN_DIGEST)
        else:
            data = seal_ofd(document, wish.row, wish.at, place, lambda digest: apply(digest, SIGNATURE_PATH))
        self.mark(uses[0], done[0].signature)
        return Stamped(wish.form, data, uses[0])

    def _stamped_pdf(self, wish: _Wish, document: bytes, place: Place | None) -> Stamped:
        digest, key = sm3(document), self.keys.documents(wish.row["department"])
        recording = Recording(
            lambda: self.record(wish.row["code"], wish.actor, form=PDF, digests=(digest,), purpose=wish.purpose),
            key.sign,
        )
        sealed = seal_pdf(
            document,
            DocumentSigner(key.suite, key.chain_der, recording.sign),
            signed_at=wish.at,
            seal_png=bytes(wish.row["picture"]),
            place=pdf_place(wish.row, place),
            name=wish.row["name"],
            reason=wish.purpose,
        )
        self.mark(recording.uses[0], sealed)
        return Stamped(PDF, sealed, recording.uses[0])

    def mark(self, use: str, signature: bytes) -> None:
        """Step 4."""
        with self.control.writing() as connection:
            store.change_use(connection, use, state=SIGNED, signature_digest=sm3(signature).hex())

    def record(
        self,
        code: str,
        actor: str,
        *,
        form: str,
        digests: Sequence[bytes],
        purpose: str,
        automatic_for: str = "",
        approval: str = "",
    ) -> str:
        """Steps 1 and 2: a use of the seal on documents of these SM3 *digests*, on record when this returns.

        Raises:
            SealStateError, SealRefusedError: the register does not allow it now.
        """
        with self.control.writing() as connection:
            return self.recorded(
                connection,
                code,
                actor,
                form=form,
                digests=digests,
                purpose=purpose,
                automatic_for=automatic_for,
                approval=approval,
            )

    def recorded(
        self,
        connection: Connection,
        code: str,
        actor: str,
        *,
        form: str,
        digests: Sequence[bytes],
        purpose: str,
        automatic_for: str = "",
        approval: str = "",
    ) -> str:
        """As `record`, within a transaction; it is on record when that is committed."""
        row, now = store.seal_row(connection, code, hold=True), self.clock()
        if automatic_for:
            require_authorised(row, automatic_for, now)
        digest = digests[0] if len(digests) == 1 else sm3(b"".join(digests))
        register.use(
            store.seal_of(row),
            by=row["custodian"] if automatic_for else actor,
            at=now,
            document_digest=digest,
            purpose=purpose,
        )
        id_ = self.random(16).hex()
        facts: dict[str, Any] = {"seal": code, "use": id_, "form": form, "count": len(digests)}
        if automatic_for:
            facts |= {"automatic": True, "kind": automatic_for}
        entry = self.evidence.append(
            "seal.used",
            actor=actor,
            resource=code,
            facts=facts,
            # A digest of a document can be guessed where the document can: it stays behind the salt of the body.
            body={"purpose": purpose, "digests": [one.hex() for one in digests], "approval": approval},
            at=now,
        )
        values = {
            "id": id_,
            "seal": code,
            "by": actor,
            "at": now,
            "purpose": purpose,
            "form": form,
            "automatic": bool(automatic_for),
            "count": len(digests),
            "document_digest": digest.hex(),
            "approval": approval,
            "state": RECORDED,
            "signature_digest": "",
            "log_index": entry.index,
        }
        connection.execute(sa.insert(SealUseRow).values(**values))
        return id_


def require_usable(row: Mapping[str, Any]) -> None:
    """The seal is made and in use; the register's machine looks again at the moment of use.

    Raises:
        SealStateRefusedError: it is not.
    """
    if row["made"] is None or row["state"] != State.IN_USE:
        state = State(row["state"])
        why = f"A seal that is {state.en} cannot be used."
        raise SealStateRefusedError(why=why, why_zh=f"状态为“{state.zh}”的印章不能用印。")


def require_authorised(row: Mapping[str, Any], kind: str, at: datetime) -> None:
    """The hub may use the seal for this kind now.

    Raises:
        NoSealForError: not, or not any more.
    """
    auto = row["auto"]
    if auto is None or kind not in auto["kinds"] or datetime.fromisoformat(auto["until"]) <= at:
        raise NoSealForError(department=row["department"], kind=kind[:60])


def form_of(document: bytes) -> str:
    """Which form a document is of, by its first bytes; what is neither PDF nor OFD has to come as its digest.

    Raises:
        SealOrderError: it is none of them.
    """
    if document.startswith(b"%PDF"):
        return PDF
    if document.startswith(b"PK\x03\x04"):
        return OFD
    if len(document) == SM3_BYTES:
        return DIGEST
    why = "Neither a PDF nor an OFD, nor the 32 bytes of an SM3 digest."
    raise SealOrderError(why=why, why_zh="既非 PDF、OFD，也非 32 字节的 SM3 摘要。")


def sealable(file: bytes) -> bytes:
    """What is sealed of any file: a PDF or an OFD itself, of another one its SM3 digest."""
    # Word processors pack their files likewise; an archive says in the clear what the files in it are called.
    ofd = file.startswith(b"PK\x03\x04") and ROOT.encode() in file
    return file if ofd or file.startswith(b"%PDF") else sm3(file)


def seal_ofd(
    document: bytes, row: Mapping[str, Any], at: datetime, place: Place | None, sign: Callable[[bytes], bytes]
) -> bytes:
    """The sealed OFD of an unsealed one; *sign* as in `licence.ofd.seal.seal`.

    Raises:
        FormatError: it is no OFD.
        IssueRefusedError: it is signed already.
        SealRefusedError: it names no list of signatures.
    """
    files = dict(unpack(document).files)
    if SIGNATURES not in files and SIGNATURES.encode() not in files.get(ROOT, b""):
        # A seal that no reader would look for.
        raise SealRefusedError("seal_ofd_without_list")
    where = place or Place()
    box = Box(where.x_mm, where.y_mm, row["width_mm"], row["height_mm"])
    return seal_files(files, Stamp(bytes(row["made"]), box, stamp_time(at)), sign)


def stamp_time(at: datetime) -> str:
    """A time as the signature's file in an OFD has it."""
    return at.astimezone(UTC).strftime("%Y%m%d%H%M%SZ")


def pdf_place(row: Mapping[str, Any], place: Place | None) -> SealPlace:
    """Where a seal of *row* stands on the first page of a PDF."""
    size = (float(row["width_mm"]), float(row["height_mm"]))
    if place is None:
        return SealPlace(width_mm=size[0], height_mm=size[1])
    return SealPlace(place.x_mm, place.y_mm, *size)
