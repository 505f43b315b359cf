"""Makes HTML of templates: every sentence in both languages beside each other, everything escaped.

Templates say ``{{ t("中文", "English") }}``; there is no catalogue of translations that could lag behind.
"""

from __future__ import annotations

import hashlib
from functools import cache, partial
from importlib import resources
from typing import TYPE_CHECKING, Any, Final

import jinja2

from hub.portal import naming, sendings, words

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jinja2.runtime import Context
    from markupsafe import Markup

    from hub.portal.visits import Visit

_FOLDER: Final = resources.files("hub.portal")
STATIC: Final = "/static/"
MEDIA_TYPES: Final = {
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
    "txt": "text/plain; charset=utf-8",
}


@cache
def environment() -> jinja2.Environment:
    """The templates of the portal."""
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(str(_FOLDER / "templates")),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.globals |= {"static": static_url, "sending": sendings.drawn}
    made.filters |= {"moment": words.moment, "day": words.day, "size": words.size}
    made.filters |= {"counted": words.counted}
    made.filters |= {"actor": _actor, "post": _post}
    return made


# Pieces of pages that use one of these are to be imported with context: whose language it is, the visit knows.
@jinja2.pass_context
def _actor(context: Context, text: str, of: str = "") -> Markup:
    return naming.shown_actor(context["visit"], text, of)


@jinja2.pass_context
def _post(context: Context, text: str, of: str = "") -> Markup:
    return naming.shown_post(context["visit"], text, of)


def render(template: str, visit: Visit, plain: Mapping[str, Any], frame: Mapping[str, Any]) -> str:
    """The page that *template* makes of *plain*; *frame* is what is around every page."""
    around = {
        **frame,
        "t": visit.say,
        "lang": visit.lang,
        "visit": visit,
        "number": partial(words.number, lang=visit.lang),
        "percent": words.percent,
    }
    # A page that used a name of the frame would change what is around it; a test finds it.
    return environment().get_template(template).render({**plain, **around})


@cache
def static_files() -> Mapping[str, tuple[bytes, str]]:
    """The files that pages refer to: bytes and media type by name. They are a few hundred KB and stay in memory."""
    found = {}
    for file in (_FOLDER / "static").iterdir():
        media = MEDIA_TYPES.get(file.name.rpartition(".")[2])
        if media is not None:
            found[file.name] = (file.read_bytes(), media)
    return found


@cache
def static_url(name: str) -> str:
    """The address of a file, another one for other bytes, so that it may be kept for ever."""
    return f"{STATIC}{hashlib.sha256(static_files()[name][0]).hexdigest()[:12]}/{name}"
