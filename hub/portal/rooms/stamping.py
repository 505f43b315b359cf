"""Using a seal on a file: it comes in, is sealed, and goes back; it stays in memory and nothing of it is kept.

Who may use which seal on what is `hub.seals`'s.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from hub.api import offices
from hub.portal.doors import Room
from hub.portal.errors import FormInvalidError
from hub.portal.rooms.seals import PEOPLE, own_seal, plain_seal
from hub.portal.terms import number
from hub.portal.visits import Download
from hub.seals.using import Place, form_of, sealable
from hub.seals.words import DIGEST, OFD, PDF

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hub.portal.visits import Visit
    from hub.seals.using import Stamped

ROOM = Room()
# A document of some hundred pages; it is held in memory while it is sealed, and sent back.
MAX_FILE_BYTES: Final = 24 * 1024 * 1024
# The longer side of A2: larger than any page that is sealed.
MAX_MM: Final = 600
SEALED_AS: Final[Mapping[str, tuple[str, str]]] = {
    PDF: ("application/pdf", ".pdf"),
    OFD: ("application/ofd", ".ofd"),
    DIGEST: ("application/octet-stream", ".ses"),
}
# (Chinese, English).
LEFT: Final = ("距左边（毫米）", "From the left, mm")
UP: Final = ("距上边（OFD）或下边（PDF）（毫米）", "From the top (OFD) or the bottom (PDF), mm")
# Of a form beside its file: what multipart adds, and the other fields.
FORM_BYTES: Final = 64 * 1024


@ROOM.page("/seals/{code}/stamp", "seals-stamp.html", who=PEOPLE)
def stamping(visit: Visit) -> dict[str, Any]:
    """Ask for a file and where the seal is to stand."""
    row = own_seal(visit)
    return {
        **plain_seal(visit, row),
        "mine": row["custodian"] == str(visit.actor),
        "signed_by_person": offices.seals(visit.request).keeps_own_key(row["custodian"]),
        "limit_mb": MAX_FILE_BYTES // 1024**2,
        "given": {name: visit.form.text(name)[:500] for name in ("purpose", "x_mm", "y_mm")},
    }


@ROOM.step(
    "/seals/{code}/stamp",
    again=stamping,
    template="seals-stamp.html",
    who=PEOPLE,
    max_bytes=MAX_FILE_BYTES + FORM_BYTES,
)
def stamp(visit: Visit) -> Download:
    """Use the seal on a file and send it back; the use is on record before it is signed."""
    row, purpose = own_seal(visit), visit.form.need("purpose", "用途", "Purpose", most=500)
    done = offices.seals(visit.request).stamp(
        row["code"], document_of(visit), by=visit.actor, purpose=purpose, place=_place(visit)
    )
    return sealed(done)


def document_of(visit: Visit) -> bytes:
    """What is to be sealed of the file that was sent: itself, or its digest.

    Raises:
        FormInvalidError: none was sent, or an empty one, or one that is not what its name says.
    """
    files = visit.form.files.get("file", ())
    if not files or not files[-1].data:
        raise FormInvalidError(where="File", where_zh="文件", why="choose one", why_zh="请选择文件")
    sent = files[-1]
    for form in (PDF, OFD):
        # By its digest it could be signed all the same, and no reader of PDFs would show the seal.
        suffix = SEALED_AS[form][1]
        if sent.name.lower().endswith(suffix) and form_of(sealable(sent.data)) != form:
            kind = form.upper()
            raise FormInvalidError(
                where="File",
                where_zh="文件",
                why=f"it is named {suffix} and is no {kind}. Export it again; or name it rightly, to sign its digest",
                why_zh=f"名称为 {suffix}，内容却不是 {kind}。请重新导出；如只签署摘要，请改用与内容相符的文件名",
            )
    return sealable(sent.data)


def sealed(done: Stamped) -> Download:
    """What came of a use; it is named by the use, since what people call their files may name somebody."""
    media_type, suffix = SEALED_AS[done.form]
    return Download(done.data, media_type, f"sealed-{done.use[:12]}{suffix}")


def _place(visit: Visit) -> Place | None:
    """Where the seal is to stand; None: at its usual place."""
    x, y = (number(visit.form, name, zh, en) for name, zh, en in (("x_mm", *LEFT), ("y_mm", *UP)))
    if x is None and y is None:
        return None
    if x is None or y is None or max(x, y) > MAX_MM:
        raise FormInvalidError(
            where="Place of the seal",
            where_zh="印章位置",
            why=f"both distances, 0 to {MAX_MM} mm",
            why_zh=f"两个距离须同时填写，0 至 {MAX_MM} 毫米",
        )
    return Place(float(x), float(y))
