"""A reference wallet: the holder's side of key proofs, presentations and OpenID4VP, for tests and demonstrations.

It keeps its key in memory and asks nobody for consent; a wallet for people does both otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from licence import credential, jose
from licence.errors import FormatError
from licence.wallet import binding, jwt, vci

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from licence.wallet.jwk import HolderKey


@dataclass(frozen=True, slots=True)
class Wallet:
    """A holder's key (P-256 or Ed25519) and what is done with it."""

    private_key: ec.EllipticCurvePrivateKey | Ed25519PrivateKey = field(repr=False)

    @property
    def public_key(self) -> HolderKey:
        """What licences are bound to."""
        return self.private_key.public_key()

    def proof(self, *, issuer: str, nonce: str, at: datetime, **claims: object) -> str:
        """A key proof (OpenID4VCI 1.0 Appendix F.1) for *issuer*; *claims* are added to it or replace its own."""
        payload: dict[str, object] = {"aud": issuer, "iat": int(at.timestamp()), "nonce": nonce}
        return jwt.sign(self.private_key, vci.PROOF_TYP, payload | claims, with_key=True)

    def present(
        self, text: str, names: Iterable[str], *, nonce: str, audience: str, at: datetime, **claims: object
    ) -> str:
        """An SD-JWT+KB that shows the claims called *names* of the credential *text* (see `proof` for *claims*).

        Raises:
            FormatError: *text* is no credential.
        """
        part = credential.parse(text).present(names)
        payload: dict[str, object] = {
            "iat": int(at.timestamp()),
            "aud": audience,
            "nonce": nonce,
            "sd_hash": binding.sd_hash(part),
        }
        return part + jwt.sign(self.private_key, binding.TYP, payload | claims, with_key=False)

    def answer(self, request: Mapping[str, Any], held: Sequence[str], *, at: datetime) -> bytes:
        """The ``direct_post`` body that answers the request object's *payload* from the credentials *held*.

        Each query takes the first licence that has its type and all its claims with their values.

        Raises:
            FormatError: a query is not answered by any, hence none is.
        """
        token: dict[str, list[str]] = {}
        for query in request["dcql_query"]["credentials"]:
            text, names = _choose(query, held)
            if query.get("require_cryptographic_holder_binding", True):
                shown = self.present(text, names, nonce=request["nonce"], audience=request["client_id"], at=at)
            else:
                shown = credential.parse(text).present(names)
            token[query["id"]] = [shown]
        form = {"vp_token": jose.compact_json(token).decode(), "state": request["state"]}
        return urlencode(form).encode("ascii")


def _choose(query: Mapping[str, Any], held: Sequence[str]) -> tuple[str, list[str]]:
    asked = query.get("claims", [])
    for text in held:
        found = credential.parse(text)
        fits = all(
            c["path"][0] in found.claims and ("values" not in c or found.claims[c["path"][0]] in c["values"])
            for c in asked
        )
        if found.vct in query["meta"]["vct_values"] and fits:
            return text, [c["path"][0] for c in asked]
    raise FormatError("vp_not_answered", query=query["id"])
