"""Whose status list token counts: the pinned chain, the signature, the purpose, the time of the certificate.

What its list says of a licence, and whether that is fresh enough, is left to `licence.verify` and
`licence.status.history`.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from licence import chain, jose
from licence.errors import FormatError
from licence.profile import STATUS_SIGNING
from licence.status.lists import StatusToken, parse_status_token
from licence.trust import fingerprint

if TYPE_CHECKING:
    from licence.trust import TrustStore


def authentic_token(text: str, trust: TrustStore) -> StatusToken:
    """The token, once signed by whom *trust* allows; its list is not expanded yet.

    Raises:
        FormatError: malformed, altered, or signed by someone else.
    """
    token = parse_status_token(text)
    if not token.jws.chain:
        raise FormatError("no_signing_certificate", sub_indication="NO_SIGNING_CERTIFICATE_FOUND")
    path = chain.validate(token.jws.chain, trust.anchors_der, trust.suites)
    jose.verify(token.jws, chain.public_key(path.leaf), trust.suites)
    if STATUS_SIGNING not in path.purposes:
        raise FormatError("status_signer_purpose")
    if trust.status_signers and fingerprint(path.leaf) not in trust.status_signers:
        raise FormatError("status_signer_not_pinned")
    if not path.starts <= datetime.fromtimestamp(token.issued_at, UTC) <= path.ends:
        raise FormatError("status_signer_out_of_time")
    return token
