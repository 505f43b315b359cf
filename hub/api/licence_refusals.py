"""Which errors of the licence library are said over HTTP: those about a record, a licence, a request, or who signs.

The others (a file, a font or a trust store that does not do) are the hub's own faults, answered without their words.
"""

from __future__ import annotations

import re
from typing import Final

from licence import errors
from licence.findings import FINDINGS

# The record or the licence is to be put right first, or never allows it: 409. The call is to be put right: 422.
REFUSALS: Final[tuple[tuple[type[errors.LicenceError], int], ...]] = (
    (errors.NotIssuingDepartmentError, 403),
    (errors.SealProofError, 403),
    (errors.FactsIncompleteError, 409),
    (errors.FaceValueError, 409),
    (errors.GlyphMissingError, 409),
    (errors.EventRefusedError, 409),
    (errors.TransitionRefusedError, 409),
    (errors.SealStateError, 409),
    (errors.IssueRefusedError, 422),
    (errors.GroundMissingError, 422),
    (errors.CopyRefusedError, 422),
    (errors.MaterialRefusedError, 422),
    (errors.SealRefusedError, 422),
    (errors.IdentifierError, 422),
    (errors.PersonCodeError, 422),
    (errors.FormatError, 422),
    (errors.SignerError, 503),
    (errors.Sm2UnavailableError, 503),
)
_WORD: Final = re.compile(r"(?<!^)(?=[A-Z])")


def code_of(error: errors.LicenceError) -> str:
    """The finding of an error that has one; of another, the name of its class: ``facts_incomplete``."""
    return error.code if isinstance(error, errors.CodedError) else _name(type(error))


def explained() -> dict[str, dict[str, object]]:
    """The refusals that have no findings, by code, with their statuses; templates unfilled."""
    found = ((_name(kind), kind, status) for kind, status in REFUSALS if not issubclass(kind, errors.CodedError))
    return {code: {"code": code, "status": status, "en": kind.en, "zh": kind.zh} for code, kind, status in found}


def finding(code: str) -> dict[str, object] | None:
    """What the finding *code* says in both languages, if it is one; several errors may bear it, so without a status."""
    if code not in FINDINGS:
        return None
    en, zh = FINDINGS[code]
    return {"code": code, "en": en, "zh": zh}


def _name(kind: type[errors.LicenceError]) -> str:
    return _WORD.sub("_", kind.__name__.removesuffix("Error")).lower()
