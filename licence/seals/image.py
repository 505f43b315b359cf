"""The picture of a round seal: red ring, five-pointed star, the name along the arc; SVG, the same bytes each time.

Glyphs are left to whoever renders it, with the font it has; a PNG or OFD picture is made from it there. The drawing
follows the custom of official seals and claims no regulation.
"""

from __future__ import annotations

import math
from typing import Final
from xml.sax.saxutils import escape

from licence.errors import SealRefusedError
from licence.seals.structure import Picture

RED: Final = "#e60012"
FONTS: Final = "SimSun, 'Noto Serif CJK SC', 'Noto Sans CJK SC', serif"
MAX_NAME: Final = 30
MAX_PURPOSE: Final = 12
MIN_DIAMETER_MM: Final = 20
MAX_DIAMETER_MM: Final = 60
# Hundredths of the radius, from the custom of official seals.
_RING: Final = 0.05
_STAR: Final = 0.30
_TEXT_RADIUS: Final = 0.68
_TEXT_SIZE: Final = 0.26
_PURPOSE_SIZE: Final = 0.18
_PURPOSE_AT: Final = 0.58
# A full name spans this much of the circle; a short one keeps its letters together.
_SPAN_DEGREES: Final = 250.0
_STEP_DEGREES: Final = 24.0


def round_seal(name: str, *, purpose: str = "", diameter_mm: int = 42) -> Picture:
    """The picture of *name*'s seal, with *purpose* (such as 行政审批专用章) in a straight line below the star.

    Raises:
        SealRefusedError: a text is empty, too long or not printable, or the diameter is out of range.
    """
    if not 1 <= len(name.strip()) <= MAX_NAME or not name.isprintable():
        raise SealRefusedError("seal_picture_text", limit=MAX_NAME)
    if len(purpose) > MAX_PURPOSE or not purpose.isprintable():
        raise SealRefusedError("seal_picture_text", limit=MAX_PURPOSE)
    if not MIN_DIAMETER_MM <= diameter_mm <= MAX_DIAMETER_MM:
        raise SealRefusedError("seal_picture_bad", limit=MAX_DIAMETER_MM)
    radius = diameter_mm / 2
    ring = radius * _RING
    box = f'viewBox="{_n(-radius)} {_n(-radius)} {diameter_mm} {diameter_mm}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{diameter_mm}mm" height="{diameter_mm}mm" {box}>',
        f'<circle r="{_n(radius - ring / 2)}" fill="none" stroke="{RED}" stroke-width="{_n(ring)}"/>',
        f'<path d="{_star(radius * _STAR)}" fill="{RED}"/>',
        f'<g fill="{RED}" font-family="{FONTS}" text-anchor="middle">',
        *_arc(name.strip(), radius),
    ]
    if purpose:
        size, at = radius * _PURPOSE_SIZE, radius * _PURPOSE_AT
        parts.append(f'<text y="{_n(at)}" font-size="{_n(size)}">{escape(purpose)}</text>')
    parts.append("</g></svg>\n")
    return Picture("SVG", "".join(parts).encode(), diameter_mm, diameter_mm)


def _arc(name: str, radius: float) -> list[str]:
    """One rotated character after the other, read clockwise, the middle of the name at the top."""
    step = min(_STEP_DEGREES, _SPAN_DEGREES / max(len(name) - 1, 1))
    # Letters that stand closer than their width would touch.
    size = min(radius * _TEXT_SIZE, math.radians(step) * radius * _TEXT_RADIUS)
    first = -step * (len(name) - 1) / 2
    return [
        f'<text transform="rotate({_n(first + i * step)})" y="{_n(-radius * _TEXT_RADIUS)}" '
        f'font-size="{_n(size)}">{escape(character)}</text>'
        for i, character in enumerate(name)
    ]


def _star(outer: float) -> str:
    # The inner points of a regular pentagram.
    inner = outer * math.sin(math.pi / 10) / math.sin(7 * math.pi / 10)
    points = []
    for i in range(10):
        length, angle = (outer, inner)[i % 2], math.pi * i / 5
        points.append(f"{_n(length * math.sin(angle))} {_n(-length * math.cos(angle))}")
    return "M" + "L".join(points) + "Z"


def _n(value: float) -> str:
    """Three decimals are a thousandth of a millimetre, and the same on every machine."""
    text = f"{value:.3f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text
