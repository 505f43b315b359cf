"""SM2 signatures with SM3 (GB/T 32918, GM/T 0009), which the `cryptography` package does not have.

Which suite applies is left to `licence.suites`; certificates to `licence.authority` and `licence.chain`.
"""

from licence.sm2.curve import sm3
from licence.sm2.keys import SM2_WITH_SM3_OID, Sm2PrivateKey, Sm2PublicKey, self_test

__all__ = ["SM2_WITH_SM3_OID", "Sm2PrivateKey", "Sm2PublicKey", "self_test", "sm3"]
