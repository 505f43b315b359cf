"""Which texts a page can show: asked before a licence is sealed, so that none is issued that cannot be drawn.

Drawing is `hub.licensing.documents`'s, by the same font. An installation without it draws no pages at all, and then
nothing is refused here.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from licence.errors import FontUnusableError, GlyphMissingError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from licence.model import LicenceKind


def require(kind: LicenceKind, facts: Mapping[str, Any]) -> None:
    """Fail unless every text that a licence of *kind* shows of *facts* has its glyphs.

    Raises:
        GlyphMissingError: the field is named and its code points, the text is not.
    """
    known = _characters()
    if known is None:
        return
    texts = {field: str(facts.get(field) or "").strip() for field in kind.source_fields}
    if known.issuperset("".join(texts.values())):
        return
    titles = {face.field: face.title for face in kind.face}
    for field, text in texts.items():
        if known.issuperset(text):
            continue
        lacking = ", ".join(f"U+{ord(c):04X}" for c in sorted(set(text) - known))
        raise GlyphMissingError(
            "glyph_missing_in_field", field=titles.get(field, field), font=_face(), codepoints=lacking
        )


@lru_cache(maxsize=1)
def _characters() -> frozenset[str] | None:
    """The characters that the packaged font has; reading them takes a quarter of a second, once for a process."""
    try:
        from licence import fonts  # noqa: PLC0415 - the extra `documents`

        return fonts.characters()
    except (FontUnusableError, ModuleNotFoundError):
        return None


def _face() -> str:
    from licence.fonts import DEFAULT_FACE  # noqa: PLC0415 - as above

    return DEFAULT_FACE
