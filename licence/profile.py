"""Object identifiers and names that issuing and verifying share: the profile of our certificates and credentials.

Values only; how they are used is left to `licence.authority`, `licence.credential` and `licence.verify`.
"""

from __future__ import annotations

from typing import Final

from cryptography.x509 import ObjectIdentifier

# ITU-T X.667 UUID-based arcs: they need no registration. id-kp-oauthStatusSigning of the Token Status List draft (§10)
# has no number assigned yet; STATUS_SIGNING stands in its place.
LICENCE_SIGNING: Final = ObjectIdentifier("2.25.169703427927337094492926452619147386169")
STATUS_SIGNING: Final = ObjectIdentifier("2.25.17491817125958936503489112917321418424")
SEAL_MAKING: Final = ObjectIdentifier("2.25.258973889063822253494189276248439032673")
DEMONSTRATION_POLICY: Final = ObjectIdentifier("2.25.242507621217792602293986690338823943921")

CREDENTIAL_TYP: Final = "dc+sd-jwt"
STATUS_TYP: Final = "statuslist+jwt"
# The verifiable credential type of a kind is this prefix and the kind's 21-character code.
VCT_PREFIX: Final = "zhengtong-licence-kind/"
LICENCE_ENTRY: Final = "licence.issued"
# Of a licence that was sealed again for the key of a wallet.
BOUND_ENTRY: Final = "licence.bound"
STATUS_ENTRY: Final = "status.published"
