"""Whose status list token counts: the pinned chain, the signature, the purpose, the time of the certificate.

A CWT is published without certificates: it names its signer's by digest, and that and its chain are looked for among
what the verifier has.

What its list says of a licence, and whether that is fresh enough, is left to `licence.verify` and
`licence.status.history`.
"""

from __future__ import annotations

import hmac
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from licence import chain
from licence.errors import FormatError
from licence.profile import STATUS_SIGNING
from licence.status.cwt import SignedCwt
from licence.status.lists import StatusToken, parse_status_token
from licence.trust import fingerprint

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from licence.trust import TrustStore

SIGNER_UNKNOWN: Final = "status_signer_unknown"


def authentic_token(text: str | bytes, trust: TrustStore, certificates: Sequence[bytes] = ()) -> StatusToken:
    """The token (JWT as text, CWT as bytes), once signed by whom *trust* allows; its list is not expanded yet.

    *certificates* (DER), with those of *trust*, help a CWT that came without its chain; the token returned has it.

    Raises:
        FormatError: malformed, altered, or signed by someone else; ``status_signer_unknown``: its signer's certificate
            is not at hand.
    """
    helpers = (*certificates, *trust.certificates)
    token = with_signer(parse_status_token(text), helpers, trust.anchors_der, trust.suites)
    path = chain.validate(token.chain, trust.anchors_der, trust.suites)
    token.verify(chain.public_key(path.leaf), trust.suites)
    if STATUS_SIGNING not in path.purposes:
        raise FormatError("status_signer_purpose")
    if trust.status_signers and fingerprint(path.leaf) not in trust.status_signers:
        raise FormatError("status_signer_not_pinned")
    if not path.starts <= datetime.fromtimestamp(token.issued_at, UTC) <= path.ends:
        raise FormatError("status_signer_out_of_time")
    return token


def with_signer(
    token: StatusToken, certificates: Iterable[bytes], anchors: frozenset[bytes], suites: frozenset[str]
) -> StatusToken:
    """*token* with the chain of its signer, which is looked for among *certificates* (DER) where it came without.

    Nothing found here is trusted: the leaf is the one whose digest is signed, and has yet to lead to an anchor.

    Raises:
        FormatError: it names no certificate (``no_signing_certificate``); or one that is not at hand
            (``status_signer_unknown``, with the token's ``uri``), or whose chain leads to no anchor.
    """
    if token.chain:
        return token
    signed = token.signed
    if not isinstance(signed, SignedCwt) or not signed.x5t:
        raise FormatError("no_signing_certificate", sub_indication="NO_SIGNING_CERTIFICATE_FOUND")
    named = signed.x5t.hex()
    known = tuple(dict.fromkeys(certificates))
    leaf = next((der for der in known if hmac.compare_digest(fingerprint(der), named)), None)
    if leaf is None:
        raise FormatError(SIGNER_UNKNOWN, sub_indication="NO_SIGNING_CERTIFICATE_FOUND", x5t=named, uri=token.uri)
    path = chain.lead((leaf,), known, anchors, suites)
    return replace(token, signed=replace(signed, chain=path.certificates))
