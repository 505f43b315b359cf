"""What is handed in with an application for a licence, and what speaks against it before anything is looked up.

Whether it can be issued is `hub.licensing.planning`'s; which step is possible, `licence.lifecycle.dossier`'s.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping  # noqa: TC003 - fields of a dataclass
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from catalog.eligibility import check_text
from catalog.steps import CaseInvalidError, problem
from licence.lifecycle.dossier import MAX_TEXT

if TYPE_CHECKING:
    from collections.abc import Iterable

    from catalog.model import InformationResource
    from catalog.steps import Problem
    from licence.model import LicenceKind

# How an application came in: English, Chinese.
CHANNELS: Final[dict[str, tuple[str, str]]] = {
    "window": ("at the window", "窗口"),
    "online": ("online", "网上"),
    "mobile": ("by mobile device", "移动端"),
    "terminal": ("at a terminal", "自助终端"),
    "post": ("by post", "邮寄"),
}
MAX_HOLDER_CHARS: Final = 64
MAX_VALUE_CHARS: Final = 1_000
MAX_ITEMS: Final = 100
_HOLDER = re.compile(r"[0-9A-Za-z()（）-]{1,64}")
_MATERIAL = re.compile(r"[0-9A-Za-z][0-9A-Za-z._:/-]{0,199}")
# Digits within an identifier may be many, but a citizen id is none.
_PERSONAL = re.compile(r"(?<![0-9A-Za-z])(?:1[3-9][0-9]{9}|[0-9]{17}[0-9Xx])(?![0-9A-Za-z])")


@dataclass(frozen=True, slots=True)
class Order:
    """What is asked for: a licence of *kind* for *holder*, or, with *predecessor*, its renewal or change.

    *record* names one of several records by further look-up fields; *stated* is what the applicant says, by fields of
    the face (``KZ_*``, or their titles); *materials* are identifiers of e-materials. *change*: not a renewal. With a
    *predecessor* the holder may be left out: the licence says who it is.
    """

    kind: str
    holder: str
    reason: str
    ground: str
    record: Mapping[str, str] = field(default_factory=dict)
    stated: Mapping[str, str] = field(default_factory=dict)
    matter: str = ""
    materials: tuple[str, ...] = ()
    channel: str = "window"
    predecessor: str = ""
    change: bool = False

    @property
    def purpose(self) -> str:
        """``new``, ``renew`` or ``change``."""
        return "new" if not self.predecessor else "change" if self.change else "renew"


def check(order: Order, kind: LicenceKind, resource: InformationResource) -> None:
    """Refuse *order* with everything that must be mended at once.

    Raises:
        CaseInvalidError: with every problem.
    """
    found = list(check_who(order.holder, order.record, resource))
    found += check_stated(order.stated, kind)
    for where, text in (("reason", order.reason), ("ground", order.ground)):
        found += check_words(where, text, holder=order.holder)
    found += check_materials(order.materials)
    if order.matter and kind.matters and order.matter not in kind.matters:
        found.append(problem("matter", "dossier_matter", known=", ".join(kind.matters)))
    elif order.matter:
        found += check_words("matter", order.matter, holder=order.holder)
    if order.channel not in CHANNELS:
        found.append(problem("channel", "dossier_channel", known=", ".join(CHANNELS)))
    if found:
        raise CaseInvalidError(tuple(dict.fromkeys(found)))


def check_who(holder: str, record: Mapping[str, str], resource: InformationResource) -> Iterable[Problem]:
    """What speaks against a holder's code and the record's keys; neither is repeated."""
    if not _HOLDER.fullmatch(holder):
        yield problem("holder", "dossier_holder")
    known = [f.name for f in resource.lookup_fields]
    if any(name not in known for name in record):
        yield problem("record", "dossier_record", resource=resource.code, known=", ".join(known))
    if any(_shapeless(value) for value in record.values()):
        yield problem("record", "dossier_text_shape")


def check_stated(stated: Mapping[str, str], kind: LicenceKind) -> Iterable[Problem]:
    """What speaks against what an applicant stated; no value is repeated."""
    if len(stated) > MAX_ITEMS:
        yield problem("stated", "dossier_many", limit=str(MAX_ITEMS))
        return
    named = {name for face in kind.face for name in (face.name, face.title)}
    if not stated.keys() <= named:
        yield problem("stated", "dossier_stated", known=", ".join(face.name for face in kind.face))
    if any(_shapeless(value) for value in stated.values()):
        yield problem("stated", "dossier_text_shape")


def check_materials(materials: tuple[str, ...]) -> Iterable[Problem]:
    """What speaks against cited e-materials."""
    if len(materials) > MAX_ITEMS:
        yield problem("materials", "dossier_many", limit=str(MAX_ITEMS))
    elif any(not _MATERIAL.fullmatch(one) or _PERSONAL.search(one) for one in materials):
        yield problem("materials", "dossier_material")


def check_words(where: str, text: str, *, holder: str = "") -> list[Problem]:
    """What speaks against a text that an officer writes into a dossier: its length, a number of a person in it."""
    found = check_text(where, text, MAX_TEXT)
    if not text.strip():
        found.append(problem(where, "text_missing"))
    if _shapeless(text):
        found.append(problem(where, "dossier_text_shape"))
    elif holder and _plain(holder) in _plain(text):
        found.append(problem(where, "dossier_names_holder"))
    return found


def need_words(words: Mapping[str, str], *, holder: str = "") -> None:
    """Refuse texts that an officer must write, by the member each stands in.

    Raises:
        CaseInvalidError: with every problem.
    """
    found = [one for where, text in words.items() for one in check_words(where, text, holder=holder)]
    if found:
        raise CaseInvalidError(tuple(dict.fromkeys(found)))


def _plain(text: str) -> str:
    return "".join(c for c in unicodedata.normalize("NFKC", text).casefold() if c.isalnum())


def _shapeless(text: str) -> bool:
    """Control and format characters and halves of surrogate pairs; a line break is a control character, too."""
    return len(text) > MAX_VALUE_CHARS or any(unicodedata.category(c) in {"Cc", "Cf", "Cs"} for c in text)
