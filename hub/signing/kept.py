"""What evidence keeps of a signed request, so that it can be shown years later that its sender asked this and no more.

Without it that a system had signed would be the hub's word. A request is taken by `hub.signing.requests`; whose key it
was is for whoever compares its thumbprint with the log's entry about the registration.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from audit.errors import KeyTextError
from hub.signing.algorithms import key_id, public_key, public_text
from hub.signing.errors import SignatureWrongError, SigningError
from hub.signing.fields import InnerList, parse_inner_lists
from hub.signing.requests import LABEL, TAG, check_digest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hub.signing.requests import Signed

MEMBERS: Final = frozenset({"base", "body", "key", "signature"})
_PARAMETERS: Final = '"@signature-params": '
_DIGEST: Final = '"content-digest": '


@dataclass(frozen=True, slots=True)
class Shown:
    """What a kept request shows: *method* and *path* as signed, the *body* as sent, and the thumbprint of the key."""

    method: str
    path: str
    body: bytes
    key_id: str


def plain(signed: Signed, body: bytes) -> dict[str, str]:
    """The JSON form of a request that was taken, with *body*, which is UTF-8."""
    return {
        "base": signed.base.decode(),
        "body": body.decode(),
        "key": public_text(signed.key),
        "signature": base64.b64encode(signed.signature).decode(),
    }


def check(kept: Mapping[str, Any]) -> Shown:
    """Check that the key in *kept* signed the base in it, and that the base covers the body in it.

    Raises:
        SignatureWrongError: it does not hold.
        audit.errors.Sm2MissingError: an SM2 key, on a machine that cannot check one.
    """
    try:
        base, body = str(kept["base"]), str(kept["body"]).encode()
        key = public_key(str(kept["key"]))
        key.verify(base64.b64decode(str(kept["signature"]), validate=True), base.encode("ascii"))
        *lines, parameters = base.split("\n")
        said = parse_inner_lists(f"{LABEL}={parameters.removeprefix(_PARAMETERS)}")[LABEL]
        (digest,) = [line.removeprefix(_DIGEST) for line in lines if line.startswith(_DIGEST)]
        check_digest(digest, body)
        method, path = (_covered(lines, name) for name in ("@method", "@path"))
    except (KeyTextError, SigningError, KeyError, ValueError, binascii.Error) as error:
        raise SignatureWrongError from error
    whose = key_id(key)
    ours = isinstance(said, InnerList) and said.parameters.get("tag") == TAG and said.parameters.get("keyid") == whose
    if not ours or not parameters.startswith(_PARAMETERS):
        raise SignatureWrongError
    return Shown(method, path, body, whose)


def _covered(lines: list[str], name: str) -> str:
    """The value of the derived component *name*; of a whole address, its path. Raises: ValueError."""
    start = f'"{name}": '
    found = [line.removeprefix(start) for line in lines if line.startswith(start)]
    if not found and name == "@path":
        whole = _covered(lines, "@target-uri").partition("?")[0]
        return "/" + whole.split("://", 1)[-1].partition("/")[2]
    (value,) = found
    return value
