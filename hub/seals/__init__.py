"""Electronic seals (电子印章) as a service: register, use, remote signatures, and the published register.

`Seals` is the office of one deployment. What it does lies in rooms: `hub.seals.publishing` (the signed register),
`hub.seals.registering` (from the request to the destruction), `hub.seals.using` (用印), `hub.seals.automatic`
(授权自动用印), `hub.seals.signers` (persons with keys of their own), `hub.seals.cloud` (云签). What is allowed is
said by `licence.seals.register` and `licence.seals.cloud`.
"""

from __future__ import annotations

from hub.seals.office import Seals

__all__ = ["Seals"]
