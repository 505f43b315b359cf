"""Help: a walk for each duty, the words of the field, and both on one page for the printer (一本通)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from hub.errors import NotFoundError
from hub.people import Duty
from hub.people.duties import WORDS
from hub.portal import glossary
from hub.portal.doors import EVERYONE, Room
from hub.portal.frame import SECTIONS
from hub.portal.tours import TOURS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hub.portal.glossary import Term
    from hub.portal.tours import Tour
    from hub.portal.visits import Visit

ROOM = Room()
# Where, which page that is, and what each key does there; templates name them in `aria-keyshortcuts`.
KEYS: Final = (
    (("Every page", "所有页面"), "", (("/", ("search", "查找")), ("?", ("this list", "查看快捷键")))),
    (
        ("Scan instead of paper", "扫码亮证"),
        "/window",
        (
            ("F2", ("to the field for the code", "回到扫码框")),
            ("F4", ("keep the proof", "留存凭证")),
            ("Esc", ("clear what is shown", "清除显示内容")),
        ),
    ),
)


@ROOM.page("/help", "help.html", who=EVERYONE)
def helping(visit: Visit) -> dict[str, Any]:
    """Where to begin, and which pages each duty is for."""
    own = visit.known.duties if visit.known is not None else frozenset()
    return {
        # Those of one's own duties first, and everybody's.
        "tours": [
            {
                "name": one.name,
                "whose": _whose(visit, one),
                "question": visit.words(one.question),
                "own": one.duty in own,
            }
            for one in sorted(TOURS, key=lambda one: one.duty is not None and one.duty not in own)
        ],
        "keys": [
            {
                "where": visit.words(where),
                "page": page,
                "does": [[key, visit.words(does)] for key, does in keys],
            }
            for where, page, keys in KEYS
        ],
        "duties": [
            {
                "name": visit.words(WORDS[duty]),
                "pages": [
                    {"to": to, "name": visit.words(name)} for to, name, who in SECTIONS if who is None or duty in who
                ],
            }
            for duty in Duty
        ],
    }


@ROOM.page("/help/tours/{name}", "help-tour.html", who=EVERYONE)
def tour(visit: Visit) -> dict[str, Any]:
    """One walk, stop by stop."""
    for one in TOURS:
        if one.name == visit.path["name"]:
            return {"tour": _plain(visit, one)}
    raise NotFoundError


@ROOM.page("/help/glossary", "help-glossary.html", who=EVERYONE)
def words(visit: Visit) -> dict[str, Any]:
    """The words of the field, all of them or those that hold what is asked for."""
    asked = visit.query("q")
    found = glossary.found(asked)
    return {"q": asked, "total": len(glossary.terms()), "count": len(found), "groups": _sections(visit, found)}


@ROOM.page("/help/handbook", "help-handbook.html", who=EVERYONE)
def handbook(visit: Visit) -> dict[str, Any]:
    """All walks and all words, to be printed."""
    return {"tours": [_plain(visit, one) for one in TOURS], "groups": _sections(visit, glossary.terms())}


def _whose(visit: Visit, one: Tour) -> str:
    return visit.say("所有人", "everybody") if one.duty is None else visit.words(WORDS[one.duty])


def _plain(visit: Visit, one: Tour) -> dict[str, Any]:
    return {
        "name": one.name,
        "whose": _whose(visit, one),
        "question": visit.words(one.question),
        "stops": [{"to": stop.to, "do": visit.words(stop.do), "see": visit.words(stop.see)} for stop in one.stops],
    }


def _sections(visit: Visit, found: Iterable[Term]) -> list[dict[str, Any]]:
    """*found* by section; each word in the language of the page first."""
    chinese = visit.lang == "zh"
    sections: dict[str, list[dict[str, str]]] = {}
    for one in found:
        english_name, _, chinese_name = one.section.partition(" · ")
        shown = {
            "word": one.chinese if chinese else one.english,
            "other": one.english if chinese else one.chinese,
            "meaning": one.meaning_zh if chinese else one.meaning,
            "source": (one.source_zh if chinese else one.source).replace("`", ""),
        }
        sections.setdefault(chinese_name if chinese else english_name, []).append(shown)
    return [{"name": name, "terms": terms} for name, terms in sections.items()]
