"""What the tests of people share."""

from __future__ import annotations

import base64
from urllib.parse import parse_qs, urlsplit

from hub.actors import Actor
from licence.seals import otp

BY = Actor("SJ", "administrator")
PASSWORD = "correct horse battery staple"


def code_of(address, at, ahead=0):
    """The one-time code that an authenticator with *address* shows at *at*, *ahead* steps later."""
    text = parse_qs(urlsplit(address).query)["secret"][0]
    secret = base64.b32decode(text + "=" * (-len(text) % 8))
    return otp.password(secret, otp.step_at(at) + ahead)
