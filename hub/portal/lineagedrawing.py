"""Where the boxes and lines of a resource's surroundings stand: what it comes from at the left, who uses it right.

What stands beside what is `catalog.neighbours`' and the use cases'; the page draws it, with a list beside.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

WIDTH: Final = 760
BOX_WIDTH: Final = 220
BOX_HEIGHT: Final = 40
ROW_HEIGHT: Final = 54
# Of each side; the list beside has all of them.
SHOWN: Final = 8
# A box holds so many Chinese characters, or twice as many letters.
_CHARS: Final = 24
_LEFT, _RIGHT = 0, WIDTH - BOX_WIDTH
_CENTRE: Final = (WIDTH - BOX_WIDTH) // 2


def drawing(name: str, before: Sequence[Mapping[str, str]], after: Sequence[Mapping[str, str]]) -> dict[str, Any]:
    """Boxes and lines for what has a ``name`` and perhaps an address ``to``, in the units of the picture."""
    rows = max(1, min(SHOWN, len(before)), min(SHOWN, len(after)))
    height = rows * ROW_HEIGHT
    middle = (height - BOX_HEIGHT) // 2
    boxes = [{"x": _CENTRE, "y": middle, "name": _cut(name), "to": "", "own": True}]
    lines = []
    for side, x in ((before, _LEFT), (after, _RIGHT)):
        shown = side[:SHOWN]
        top = (height - len(shown) * ROW_HEIGHT) // 2 + (ROW_HEIGHT - BOX_HEIGHT) // 2
        for number, one in enumerate(shown):
            y = top + number * ROW_HEIGHT
            boxes.append({"x": x, "y": y, "name": _cut(one["name"]), "to": one.get("to", ""), "own": False})
            from_left = x == _LEFT
            lines.append(
                {
                    "x1": BOX_WIDTH if from_left else _CENTRE + BOX_WIDTH,
                    "y1": (y if from_left else middle) + BOX_HEIGHT // 2,
                    "x2": _CENTRE if from_left else _RIGHT,
                    "y2": (middle if from_left else y) + BOX_HEIGHT // 2,
                }
            )
    return {
        "width": WIDTH,
        "height": height,
        "box_width": BOX_WIDTH,
        "box_height": BOX_HEIGHT,
        "boxes": boxes,
        "lines": lines,
        "more": max(0, len(before) - SHOWN) + max(0, len(after) - SHOWN),
    }


def _cut(name: str) -> str:
    """*name* as far as a box holds it; Han characters are twice as wide as letters."""
    width = 0
    for position, char in enumerate(name):
        width += 2 if ord(char) > 0x2E80 else 1  # noqa: PLR2004 - where scripts of East Asia begin
        if width > _CHARS:
            return f"{name[: position - 1]}…"
    return name
