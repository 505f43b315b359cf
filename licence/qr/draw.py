"""The picture of a code: a QR symbol (ISO/IEC 18004) as SVG, PNG or modules, byte-identical each time.

Where it stands on a page is left to whoever lays the page out. Needs `segno`, of the extra ``documents``.
"""

from __future__ import annotations

from io import BytesIO

import segno

# Level M restores 15 % of a symbol: what a worn print needs, at a size a phone reads.
ERROR_CORRECTION = "m"
QUIET_ZONE_MODULES = 4
MAX_TEXT = 4296


def qr_matrix(text: str) -> tuple[str, ...]:
    """The symbol for *text* as rows of ``0`` and ``1`` without its quiet zone. Raises: as `qr_svg`."""
    if not 0 < len(text) <= MAX_TEXT:
        raise ValueError(f"a QR code holds 1 to {MAX_TEXT} characters")
    symbol = segno.make_qr(text, error=ERROR_CORRECTION, boost_error=False)
    return tuple("".join("1" if module else "0" for module in row) for row in symbol.matrix)


def qr_png(text: str, *, scale: int = 8) -> bytes:
    """The symbol for *text* as a PNG, *scale* pixels a module, the same bytes each time. Raises: as `qr_svg`."""
    if not 0 < len(text) <= MAX_TEXT:
        raise ValueError(f"a QR code holds 1 to {MAX_TEXT} characters")
    out = BytesIO()
    symbol = segno.make_qr(text, error=ERROR_CORRECTION, boost_error=False)
    symbol.save(out, kind="png", scale=scale, border=QUIET_ZONE_MODULES)
    return out.getvalue()


def qr_svg(text: str, *, scale: int = 4, title: str = "") -> bytes:
    """The symbol for *text* as an SVG document; *scale*: user units a module. *title* is what a screen reader says.

    Raises:
        ValueError: *text* is empty or longer than a symbol holds.
    """
    if not 0 < len(text) <= MAX_TEXT:
        raise ValueError(f"a QR code holds 1 to {MAX_TEXT} characters")
    symbol = segno.make_qr(text, error=ERROR_CORRECTION, boost_error=False)
    out = BytesIO()
    symbol.save(out, kind="svg", scale=scale, border=QUIET_ZONE_MODULES, xmldecl=False, title=title or None)
    return out.getvalue()
