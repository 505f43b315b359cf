"""The licence side's keys: hierarchies by suite, the keys of departments and of the hub, what verifiers pin of them.

`KeyStore` is the door. Keys lie encrypted under ``var/keys/licence``, or others keep them (`hub.authority.signers`);
their certificates are rows (`hub.authority.register`). Made are they in `hub.authority.making`, changed and revoked in
the modules beside. Certificates themselves are `licence.authority`'s.
"""

from __future__ import annotations

from hub.authority.names import BASE_URI
from hub.authority.store import KeyStore

__all__ = ["BASE_URI", "KeyStore"]
