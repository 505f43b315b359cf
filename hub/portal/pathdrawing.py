"""Where the boxes and lines of an inclusion path stand: the entry at the foot, the root at the head.

What the hashes are is `audit.tree`'s; the page draws what is placed here, without a style of its own.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from audit import tree

if TYPE_CHECKING:
    from audit.proof import LogProof

BOX_WIDTH: Final = 190
BOX_HEIGHT: Final = 46
ROW_HEIGHT: Final = 82
WIDTH: Final = 640
_CENTRE, _LEFT, _RIGHT = WIDTH // 2, BOX_WIDTH // 2 + 5, WIDTH - BOX_WIDTH // 2 - 5
_HASH_CHARS: Final = 16


@dataclass(frozen=True, slots=True)
class Step:
    """A hash of the path: on which side it is put, of which leaves (first to last) it is the root, and what comes out.

    *low* and *high* are the first and last leaf under *result*.
    """

    left: bool
    first: int
    last: int
    hash: bytes
    low: int
    high: int
    result: bytes

    def to_plain(self) -> dict[str, Any]:
        """JSON values; hashes in hexadecimal."""
        return {
            "side": "left" if self.left else "right",
            "first": self.first,
            "last": self.last,
            "hash": self.hash.hex(),
            "low": self.low,
            "high": self.high,
            "result": self.result.hex(),
        }


def steps_of(entry: bytes, proof: LogProof, size: int) -> list[Step]:
    """The steps from the leaf of *entry* to the root of the tree of *size* leaves. Not verified."""
    node, low, high = tree.leaf_hash(entry), proof.index, proof.index
    found = []
    for (first, end), sibling in zip(tree.path_spans(proof.index, size), proof.path, strict=True):
        left = first < low
        node = tree.node_hash(sibling, node) if left else tree.node_hash(node, sibling)
        low, high = min(low, first), max(high, end - 1)
        found.append(Step(left, first, end - 1, sibling, low, high, node))
    return found


def drawing(index: int, leaf: bytes, steps: list[Step]) -> dict[str, Any]:
    """Boxes with their two lines of text, and the lines between them, in the units of the picture."""
    rows = len(steps)
    boxes = [_box(_CENTRE, rows, f"{index}", leaf, own=True)]
    lines = []
    for number, step in enumerate(steps):
        row, at = rows - number, _LEFT if step.left else _RIGHT
        boxes.append(_box(at, row, _span(step.first, step.last), step.hash))
        boxes.append(_box(_CENTRE, row - 1, _span(step.low, step.high), step.result, own=True))
        lines += [_line(_CENTRE, row), _line(at, row)]
    return {
        "width": WIDTH,
        "height": rows * ROW_HEIGHT + BOX_HEIGHT + 10,
        "box_width": BOX_WIDTH,
        "box_height": BOX_HEIGHT,
        "boxes": boxes,
        "lines": lines,
    }


def base64_of(data: bytes) -> str:
    """A hash as checkpoints and proofs write it."""
    return base64.b64encode(data).decode()


def _box(centre: int, row: int, span: str, content: bytes, *, own: bool = False) -> dict[str, Any]:
    return {
        "x": centre - BOX_WIDTH // 2,
        "y": row * ROW_HEIGHT + 5,
        "centre": centre,
        "span": span,
        "hash": f"{content.hex()[:_HASH_CHARS]}…",
        "own": own,
    }


def _line(centre: int, row: int) -> dict[str, int]:
    return {"x1": centre, "y1": row * ROW_HEIGHT + 5, "x2": _CENTRE, "y2": (row - 1) * ROW_HEIGHT + 5 + BOX_HEIGHT}


def _span(first: int, last: int) -> str:
    return f"{first}" if first == last else f"{first}–{last}"
