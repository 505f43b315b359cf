"""Use of a licence-issuing seal by the hub itself, as its custodian authorised in advance (授权自动用印).

An authorisation names kinds of licence and ends by itself; each use is looked at and recorded as any other
(`hub.seals.using`), many licences' uses together where they are sealed together.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from hub.actors import Actor
from hub.control import SealRow, row_dict
from hub.seals import store
from hub.seals.errors import NoSealForError, SealNotYoursError, SealOrderError, SealStateRefusedError, told
from hub.seals.using import DocumentSigner, Recording, Using, stamp_time
from hub.seals.words import OFD, PDF, Sort
from licence.ofd.seal import SIGNATURE_PATH, Stamp
from licence.ofd.seal import seal as seal_files
from licence.pdf.sign import SealPlace, seal_pdf
from licence.seals import make
from licence.seals.algorithms import sm3
from licence.seals.register import State

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from licence.ofd.layout import Box
    from licence.seals.structure import SESeal

# What is authorised in advance is looked at again every year.
MAX_AUTOMATIC: Final = timedelta(days=366)
MAX_KINDS: Final = 1000
MAX_GROUP: Final = 10_000
MAX_KIND_CHARS: Final = 40
AUTOMATIC_POST: Final = "hub:seals"


class Automating(Using):
    """The room where seals are used without a person."""

    def authorise(
        self, code: str, kinds: Sequence[str], until: datetime, *, by: Actor | str, ground: str
    ) -> dict[str, Any]:
        """The custodian lets the hub use a licence-issuing seal on licences of *kinds* until then (授权自动用印).

        It takes the place of what was authorised before; no kinds end it.

        Raises:
            SealNotYoursError: only the custodian may.
            SealStateRefusedError: the seal is not in use.
            SealOrderError: no licence-issuing seal, or too long, or too many kinds.
        """
        actor = str(by if isinstance(by, Actor) else Actor.parse(by))
        named = sorted(set(kinds))
        with self.control.writing() as connection:
            row, now = store.seal_row(connection, code, hold=True), self.clock()
            if actor != row["custodian"]:
                why = "Only the custodian may authorise this."
                raise SealNotYoursError(why=why, why_zh="只有该印章的保管人可以授权。")
            if row["state"] != State.IN_USE:
                why = "Only a seal in use can be authorised."
                raise SealStateRefusedError(why=why, why_zh="只有在用的印章可以授权。")
            fits = all(1 <= len(kind) <= MAX_KIND_CHARS for kind in named) and len(named) <= MAX_KINDS
            if Sort(row["sort"]) is not Sort.LICENCE or not fits:
                why = f"Only a licence-issuing seal, and at most {MAX_KINDS} kinds of licence."
                raise SealOrderError(why=why, why_zh=f"仅限证照专用章，且证照类型不超过 {MAX_KINDS} 种。")
            if named and not now < until <= min(row["valid_until"], now + MAX_AUTOMATIC):
                why = f"It ends with the seal, and after {MAX_AUTOMATIC.days} days at the latest."
                raise SealOrderError(why=why, why_zh=f"授权不得超过印章有效期，最长 {MAX_AUTOMATIC.days} 天。")
            auto = {"kinds": named, "until": until.astimezone(UTC).isoformat(), "by": actor} if named else None
            recorded = self.evidence.append(
                "seal.authorised",
                actor=actor,
                resource=code,
                facts={"seal": code, "kinds": named, "until": auto["until"] if auto else ""},
                body={"ground": ground},
                at=now,
            )
            connection.execute(
                sa.update(SealRow).where(SealRow.code == code).values(auto=auto, log_index=recorded.index)
            )
        return self.show(code)

    def seal_for(self, department: str, kind: str) -> Automatic:
        """The licence-issuing seal that licences of *kind* by *department* bear, ready for the hub's own use.

        Raises:
            NoSealForError: none is authorised for it now.
            SealOutdatedError: its keeper's key was changed, and the seal has no next version yet.
        """
        query = sa.select(SealRow.__table__).where(
            SealRow.department == department,
            SealRow.sort == Sort.LICENCE.value,
            SealRow.state == State.IN_USE.value,
            SealRow.auto.is_not(None),
        )
        now = self.clock()
        with self.control.reading() as connection:
            rows = [row_dict(row) for row in connection.execute(query.order_by(SealRow.code))]
        for row in rows:
            if kind in row["auto"]["kinds"] and datetime.fromisoformat(row["auto"]["until"]) > now:
                key = self.keeper_key(row)
                return Automatic(self, row, kind, make.signer_of(key), store.parsed(bytes(row["made"])))
        raise NoSealForError(department=department[:60], kind=kind[:60])


@dataclass(frozen=True, slots=True)
class Automatic:
    """A seal that the hub may use by itself for licences of one *kind*. Each use is looked at and recorded anew."""

    office: Automating = field(repr=False)
    row: Mapping[str, Any] = field(repr=False)
    kind: str
    signer: make.SealSigner = field(repr=False)
    seal: SESeal = field(repr=False)

    @property
    def code(self) -> str:
        """The seal's code."""
        return str(self.row["code"])

    @property
    def png(self) -> bytes:
        """The picture."""
        return bytes(self.row["picture"])

    def signatures(self, digests: Sequence[bytes], *, at: datetime, purpose: str, path: str) -> list[bytes]:
        """SES_Signatures over documents of these digests, in their order: one use, counted, one entry in the log.

        *path* is what each names as its signed file (``licence.ofd.seal.SIGNATURE_PATH``).

        Raises:
            SealStateRefusedError, NoSealForError: the seal was disabled since, or the authorisation has ended.
            SealOrderError: an empty group, or one of more than 10,000.
        """
        if not 1 <= len(digests) <= MAX_GROUP:
            why = f"A group holds 1 to {MAX_GROUP} documents."
            raise SealOrderError(why=why, why_zh=f"每组应为 1 至 {MAX_GROUP} 份文件。")
        with told():
            use = self.office.record(
                self.code, AUTOMATIC_POST, form=OFD, digests=digests, purpose=purpose, automatic_for=self.kind
            )
            made = [
                make.apply_seal(self.seal, self.signer, document_digest=one, at=at, property_info=path)
                for one in digests
            ]
        self.office.mark(use, b"".join(one.signature for one in made))
        return [one.raw for one in made]

    def stamp_ofd(self, files: Mapping[str, bytes], box: Box, *, at: datetime, purpose: str, page: int = 0) -> bytes:
        """The sealed OFD of *files* (`licence.ofd.write.write`). Raises: as `signatures`; IssueRefusedError."""

        def sign(digest: bytes) -> bytes:
            return self.signatures([digest], at=at, purpose=purpose, path=SIGNATURE_PATH)[0]

        return seal_files(files, Stamp(self.seal.raw, box, stamp_time(at), page), sign)

    def stamp_pdf(self, pdf: bytes, *, at: datetime, purpose: str, place: SealPlace | None = None) -> bytes:
        """The PDF with the seal and the department's signature (B-B). Raises: as `stamp_ofd`."""
        key = self.office.keys.documents(self.row["department"])
        with told():
            recording = Recording(
                lambda: self.office.record(
                    self.code, AUTOMATIC_POST, form=PDF, digests=(sm3(pdf),), purpose=purpose, automatic_for=self.kind
                ),
                key.sign,
            )
            sealed = seal_pdf(
                pdf,
                DocumentSigner(key.suite, key.chain_der, recording.sign),
                signed_at=at,
                seal_png=self.png,
                place=place or SealPlace(),
                name=self.row["name"],
                reason=purpose,
            )
        self.office.mark(recording.uses[0], sealed)
        return sealed
