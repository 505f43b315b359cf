"""Code for a call in curl, Python and Java: the blocks of docs/calling.md with this call's values instead of theirs.

The blocks are kept as files; tests hold the paper to them and run the paper. No key is in them but the path of one.
"""

from __future__ import annotations

import json
import re
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from hub.errors import HubError

if TYPE_CHECKING:
    from collections.abc import Mapping

_FOLDER: Final = resources.files("hub.portal")
NAMES: Final = ("curl", "python", "java", "keys")
# What the paper calls, of whom, and how.
_HUB: Final = "http://127.0.0.1:8080"
_CODE: Final = "3010010001"
_ADDRESS: Final = f"/v1/resources/{_CODE}:query"
_LOCAL: Final = re.compile(
    r"https?://[A-Za-z0-9.\-]{1,253}(?::[0-9]{1,5})?|https?://\[[0-9A-Fa-f:.]{2,45}\](?::[0-9]{1,5})?"
)


class SampleMissingError(HubError):
    """A block no longer holds what is to be put in the place of: a fault of ours."""

    code = "sample_missing"
    en = "The code for this call cannot be shown: `{what}` is not in its block."
    zh = "无法给出本次调用的代码：代码块中没有 `{what}`。"


@cache
def block(name: str) -> str:
    """The block *name* as the paper has it."""
    return (_FOLDER / "samples" / f"{name}.txt").read_text("utf-8")


def hub_at(base: str) -> str:
    """The address *base* by which a browser found us, where it is one that can stand in a shell's line."""
    address = base.rstrip("/")
    return address if _LOCAL.fullmatch(address) else _HUB


def body(plain: Mapping[str, Any]) -> str:
    """Lines that write the body of a call into `call.json`; the shell looks at nothing within them."""
    return f"umask 077\ncat > call.json <<'END'\n{json.dumps(plain, ensure_ascii=False, indent=2)}\nEND\n"


def code(*, hub: str, resource: str, action: str, sandbox: bool, lang: str) -> dict[str, str]:
    """The code of a call by name, and how Java is started: each sends what stands in `call.json`."""
    address = f"/v1/{'sandbox/' if sandbox else ''}resources/{quote(resource, safe='/')}:{action}"
    curl = _put(block("curl"), {_HUB: hub, _ADDRESS: address, "Accept-Language: en": f"Accept-Language: {lang}"})
    python = _put(
        block("python"),
        {
            f'"{_HUB}"': f'"{hub}"',
            f'"{_CODE}"': json.dumps(resource),
            "client.query(": f"client.{action}(",
            'lang="en"': f'lang="{lang}"' + (", sandbox=True" if sandbox else ""),
        },
    )
    return {
        "curl": curl,
        "python": python,
        "java": block("java"),
        "start": f"java Call.java {hub}{address} call.json\n",
    }


def keys(client: str) -> str:
    """Lines that make a key pair for the system *client*, where it will be used."""
    return f"echo {client} > window.client\n{block('keys')}"


def _put(text: str, words: Mapping[str, str]) -> str:
    """*text* with other words. Raises: SampleMissingError: one of them is not in it once."""
    for word, other in words.items():
        if text.count(word) != 1:
            raise SampleMissingError(what=word)
        text = text.replace(word, other)
    return text
