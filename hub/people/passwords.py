"""Passwords: which are good enough, and the form in which they are kept (Argon2id, RFC 9106)."""

from __future__ import annotations

import secrets
import unicodedata
from functools import cache
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from hub.people.errors import PersonInvalidError

# NIST SP 800-63B §3.1.1.2: length alone makes them strong; rules on characters make them guessable.
MIN_CHARS: Final = 12
MAX_CHARS: Final = 128
# Of what is left of a password once repetition is out of it: "aaaaaaaaaaaa" and "123123123123" are none.
MIN_DIFFERENT: Final = 6
# A password that is drawn: letters and digits that are not taken for each other, 98 bits of them.
_ALPHABET: Final = "abcdefghjkmnpqrstuvwxyz23456789"
_GROUPS, _GROUP_CHARS = 4, 5
# RFC 9106 §4, second recommended option: 64 MiB, three passes.
_HASHER: Final = PasswordHasher(time_cost=3, memory_cost=64 * 1024, parallelism=1)


def check(password: str, *, login: str = "") -> str:
    """*password* as it is kept (NFC), if it is good enough.

    Raises:
        PersonInvalidError: too short or long, of too few different characters, or made of the login.
    """
    text = unicodedata.normalize("NFC", password)
    if not MIN_CHARS <= len(text) <= MAX_CHARS:
        raise _bad(f"from {MIN_CHARS} to {MAX_CHARS} characters", f"应为 {MIN_CHARS} 至 {MAX_CHARS} 个字符")
    if len(set(text.casefold())) < MIN_DIFFERENT:
        raise _bad(f"at least {MIN_DIFFERENT} different characters", f"至少 {MIN_DIFFERENT} 个不同字符")
    if login and login.casefold() in text.casefold():
        raise _bad("it must not contain the login", "不得包含登录名")
    return text


def draw() -> str:
    """A password to hand over, to be changed at first use."""
    while True:
        groups = ("".join(secrets.choice(_ALPHABET) for _ in range(_GROUP_CHARS)) for _ in range(_GROUPS))
        text = "-".join(groups)
        if len(set(text)) >= MIN_DIFFERENT:
            return text


def hashed(password: str) -> str:
    """The hash that is kept of *password*, which `check` let through."""
    return _HASHER.hash(password)


def fits(kept: str, password: str) -> bool:
    """Whether *password* is the one whose hash was *kept*; takes as long where there is none."""
    text = unicodedata.normalize("NFC", password)[: MAX_CHARS + 1]
    try:
        return _HASHER.verify(kept or _nobodys(), text) and bool(kept)
    except (VerificationError, InvalidHashError):
        return False


@cache
def _nobodys() -> str:
    return _HASHER.hash("nobody's password")


def _bad(why: str, why_zh: str) -> PersonInvalidError:
    return PersonInvalidError(where="password", why=why, why_zh=why_zh)
