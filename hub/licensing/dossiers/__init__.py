"""Applications for licences and decisions on licences, as cases of the hub (ADR 0011), by `licence.lifecycle.dossier`.

`Dossiers` is the use case, and `hub.licensing.dossiers.opening` opens it. Its rooms: `steps` (from application to
licence), `decisions` (what becomes of a licence), `prefill` (what the city knows already), `content` (what a case
holds), `orders` (what is handed in), `renewing` (which licence is renewed), `holders` (whose code is kept sealed),
`counter` (what it asks of the licence office), `lapsing` (licences whose validity ended), `views` (how cases are
shown).
"""

from __future__ import annotations

from hub.licensing.dossiers.orders import CHANNELS, Order
from hub.licensing.dossiers.steps import Dossiers, Handed

__all__ = ["CHANNELS", "Dossiers", "Handed", "Order"]
