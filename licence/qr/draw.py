"""The picture of a code: a QR symbol (ISO/IEC 18004) as SVG, byte-identical each time.

Where it stands on a page is left to whoever lays the page out. Needs `segno`, of the extra ``documents``.
"""

from __future__ import annotations

from io import BytesIO

import segno

# Level M restores 15 % of a symbol: what a worn print needs, at a size a phone reads.
ERROR_CORRECTION = "m"
QUIET_ZONE_MODULES = 4
MAX_TEXT = 4296


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
