"""Sets a report of verification on paper, as PDF: plain values in, bytes out.

What was judged is the room's affair (`hub.portal.rooms.verify`). Needs the extra ``documents``; without it there is no
PDF, and the page offers none.
"""

from __future__ import annotations

import importlib.util
import json
import threading
from functools import cache
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

# Values arrive as data in `sys.inputs.page` and are set as text, never evaluated.
_TEMPLATE: Final = r"""
#let page-data = json(bytes(sys.inputs.page))
#let faint = rgb("#4a5560")
#let tones = (good: rgb("#00603a"), warn: rgb("#8a5300"), bad: rgb("#b3001b"), calm: faint)
// Digests and identifiers have no blank at which a line could break.
#let broken(value) = value.replace(regex("[0-9A-Za-z.]{16}"), found => found.text + "\u{200b}")
#let tone = tones.at(page-data.tone)
#set document(title: page-data.title)
#set page(paper: "a4", margin: (x: 22mm, top: 22mm, bottom: 24mm), footer: context {
  set text(size: 8pt, fill: faint)
  page-data.foot
  h(1fr)
  [#counter(page).display() / #counter(page).final().first()]
})
#set text(font: sys.inputs.family, size: 10pt, lang: page-data.lang, fallback: false, features: ())
#set par(leading: 0.7em)
#text(size: 9pt, fill: faint, page-data.title)
#block(width: 100%, fill: rgb("#f3f6fb"), stroke: (left: 4pt + tone), inset: 5mm, {
  text(size: 22pt, fill: tone, page-data.verdict)
  parbreak()
  text(size: 11.5pt, page-data.why)
})
#let facts(rows) = table(
  columns: (48mm, 1fr), stroke: (x, y) => (bottom: 0.4pt + rgb("#c8d1dc")), inset: (x: 0mm, y: 1.8mm),
  ..rows.map(((name, value)) => (text(fill: faint, name), text(broken(value)))).flatten(),
)
#facts(page-data.facts)
#for part in page-data.parts {
  v(3mm)
  text(size: 13pt, part.title)
  for step in part.steps {
    block(breakable: false, above: 3mm, {
      text(size: 10.5pt, str(step.number) + ". " + step.name + " – ")
      text(size: 10.5pt, fill: tones.at(step.tone), step.outcome_name)
      linebreak()
      text(broken(step.text))
      for note in step.notes { linebreak(); text(fill: faint, "· " + broken(note)) }
    })
  }
}
#if page-data.claims.len() > 0 {
  v(3mm)
  text(size: 13pt, page-data.claims-title)
  facts(page-data.claims)
}
"""
# A font takes tenths of a second to load and is kept; of two who print at once, one waits.
_PRINTING = threading.Lock()


def can_print() -> bool:
    """Whether the extra ``documents`` is installed."""
    return all(importlib.util.find_spec(name) is not None for name in ("typst", "noto_cjk_sans_otc"))


def report_pdf(page: Mapping[str, Any]) -> bytes:
    """The report *page* as PDF; a character that the font lacks is left open, for a report must always come."""
    with _PRINTING:
        made = _compiler().compile(
            # Each time: a compiler that was made over bytes forgets them once it has compiled them.
            _TEMPLATE.encode(),
            sys_inputs={"page": json.dumps(page, ensure_ascii=False), "family": _family()},
            format="pdf",
        )
    return bytes(made)


@cache
def _compiler() -> Any:  # noqa: ANN401 - typst has no types of its own
    import typst  # noqa: PLC0415 - the extra may not be installed

    from licence.fonts import packaged_font  # noqa: PLC0415 - as above

    fonts = typst.Fonts(
        include_system_fonts=False, include_embedded_fonts=False, font_paths=[str(packaged_font().parent)]
    )
    return typst.Compiler(font_paths=fonts)


def _family() -> str:
    from licence.fonts import DEFAULT_FACE  # noqa: PLC0415 - the extra may not be installed

    return DEFAULT_FACE
