"""The licence bundle (证照数据包): one JSON file with everything a stranger needs to verify a licence offline.

Reading checks form only; what the parts are worth is left to `licence.verify`. Trust never comes from a bundle.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import Any

from licence import jose
from licence.errors import FormatError

FORMAT = "zhengtong-licence-bundle/1"
SUFFIX = ".licence.json"
# A status token may come along; one of a city's size (1 million licences) is well under 1 MiB.
MAX_BUNDLE_BYTES = 32 * 1024 * 1024
_REQUIRED = frozenset({"format", "identifier", "credential", "chain", "log"})
_OPTIONAL = frozenset({"status"})
_LOG = frozenset({"entry", "proof"})
_STATUS_REQUIRED = frozenset({"token"})
_WHAT = "bundle"


@dataclass(frozen=True, slots=True)
class LicenceBundle:
    """A licence with its evidence.

    *credential*: SD-JWT VC compact. *chain*: its certificates as DER, leaf first, a copy of x5c for tools that do not
    open JWS headers; must equal it. *entry*: the log leaf bytes. *proof*: C2SP tlog-proof text. *status_token*, and
    the log entry and proof of its publication, or None.
    """

    identifier: str
    credential: str
    chain: tuple[bytes, ...]
    entry: bytes
    proof: str
    status_token: str | None = None
    status_entry: bytes | None = None
    status_proof: str | None = None

    def to_json(self) -> str:
        """The text of the ``.licence.json`` file; deterministic, UTF-8 when encoded, ends in a newline."""
        document: dict[str, Any] = {
            "format": FORMAT,
            "identifier": self.identifier,
            "credential": self.credential,
            "chain": [base64.b64encode(c).decode("ascii") for c in self.chain],
            "log": {"entry": self.entry.decode("utf-8"), "proof": self.proof},
        }
        if self.status_token is not None:
            status: dict[str, str] = {"token": self.status_token}
            if self.status_entry is not None:
                status["entry"] = self.status_entry.decode("utf-8")
            if self.status_proof is not None:
                status["proof"] = self.status_proof
            document["status"] = status
        return json.dumps(document, ensure_ascii=False, indent=1) + "\n"

    @classmethod
    def from_json(cls, text: str | bytes) -> LicenceBundle:
        """Read a bundle from untrusted text.

        Raises:
            FormatError: too large, not the JSON of a bundle, a member missing, repeated or unknown.
        """
        if len(text) > MAX_BUNDLE_BYTES:
            raise FormatError("too_large", what=_WHAT, limit=MAX_BUNDLE_BYTES)
        document = _members(jose.strict_json(text, _WHAT), _REQUIRED, _OPTIONAL)
        if document["format"] != FORMAT:
            raise FormatError("bundle_unknown_format")
        log = _members(document["log"], _LOG, frozenset())
        status = _members(document.get("status", {"token": ""}), _STATUS_REQUIRED, _LOG)
        chain = document["chain"]
        if not isinstance(chain, list) or not 0 < len(chain) <= jose.MAX_CHAIN:
            raise FormatError("bundle_unknown_format")
        return cls(
            identifier=_text(document["identifier"]),
            credential=_text(document["credential"]),
            chain=tuple(jose.b64_decode(c, "chain", jose.MAX_CERTIFICATE_BYTES) for c in chain),
            entry=_text(log["entry"]).encode(),
            proof=_text(log["proof"]),
            status_token=_text(status["token"]) if "status" in document else None,
            status_entry=_text(status["entry"]).encode() if "entry" in status else None,
            status_proof=_text(status["proof"]) if "proof" in status else None,
        )


def _members(value: object, required: frozenset[str], optional: frozenset[str]) -> dict[str, Any]:
    if not isinstance(value, dict) or not required <= set(value) <= required | optional:
        raise FormatError("bundle_unknown_format")
    return value


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise FormatError("bundle_unknown_format")
    return value
