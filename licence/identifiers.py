"""The identifier of an electronic licence (电子证照标识, follows GB/T 36904): mint, parse, check.

It knows vendors' deviations well enough to name them, and accepts none; what the type code stands for is
left to the catalogue of kinds.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from licence.errors import IdentifierError

ROOT = "1.2.156.3005.2"
# Seen in the wild in place of the root above.
FOREIGN_ROOT = "1.2.156.3003.2"
ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
TYPE_LENGTH = 21
ISSUER_LENGTH = 18
REGION_LENGTH = 6
VERSION_LENGTH = 3
MAX_VERSION = 999
# Real serials run to 32 characters (a UUID without hyphens); the bound only keeps hostile input small.
MAX_SERIAL_LENGTH = 64
MAX_IDENTIFIER_LENGTH = 160
_PARTS = 5
_MODULUS = 36
_VALUES = {c: i for i, c in enumerate(ALPHABET)}
_UPPER = re.compile(r"[0-9A-Z]+")
_ANY_CASE = re.compile(r"[0-9A-Za-z]+")
_DIGITS = re.compile(r"[0-9]+")


def check_char(payload: str) -> str:
    """The ISO 7064 hybrid MOD 37,36 check character of *payload*, characters ``0-9A-Z``.

    Raises:
        IdentifierError: *payload* holds another character, or nothing.
    """
    if not _UPPER.fullmatch(payload):
        raise IdentifierError("identifier_bad_characters", part="payload")
    return _hybrid_check(payload, letter_offset=0)


def _hybrid_check(payload: str, *, letter_offset: int) -> str:
    return _check_of(_state(payload, _MODULUS, letter_offset=letter_offset))


def _state(payload: str, p: int, *, letter_offset: int = 0) -> int:
    for c in payload:
        value = _VALUES[c]
        # letter_offset 1 reproduces a vendor's mistake: A = 11, B = 12 …
        if letter_offset and not c.isdigit():
            value += letter_offset
        p = (p + value) % _MODULUS or _MODULUS
        p = p * 2 % (_MODULUS + 1)
    return p


@lru_cache(maxsize=4096)
def _state_after(opening: str) -> int:
    """Type and issuer are those of millions of identifiers."""
    return _state(opening, _MODULUS)


def _check_of(p: int) -> str:
    return ALPHABET[(_MODULUS + 1 - p) % _MODULUS]


@dataclass(frozen=True, slots=True)
class LicenceIdentifier:
    """``ROOT.TYPE.ISSUER.SERIAL.VERSION.CHECK``; an instance is always well-formed.

    *type_code*: 18-character USCC of the defining authority and three characters. *issuer*: USCC of the issuing
    authority (its own check character is not examined here). *serial*: 1 to 64 of ``0-9A-Z``. *version*: 1 to 999,
    a renewal of the same licence counts up.
    """

    type_code: str
    issuer: str
    serial: str
    version: int

    def __post_init__(self) -> None:
        _require(self.type_code, "type", TYPE_LENGTH)
        _require(self.issuer, "issuer", ISSUER_LENGTH)
        if not _UPPER.fullmatch(self.serial) or len(self.serial) > MAX_SERIAL_LENGTH:
            raise IdentifierError("identifier_bad_characters", part="serial")
        if not 1 <= self.version <= MAX_VERSION:
            raise IdentifierError("identifier_bad_version")

    @property
    def check(self) -> str:
        """The check character over TYPE‖ISSUER‖SERIAL‖VERSION."""
        # The parts are of the right characters: the instance is well-formed.
        start = _state_after(f"{self.type_code}{self.issuer}")
        return _check_of(_state(f"{self.serial}{self.version:03d}", start))

    def __str__(self) -> str:
        return f"{ROOT}.{self.type_code}.{self.issuer}.{self.serial}.{self.version:03d}.{self.check}"

    @classmethod
    def parse(cls, text: str) -> LicenceIdentifier:
        """Read an identifier; ``str(parse(t)) == t`` for everything accepted.

        Raises:
            IdentifierError: with the code of the fault. Known vendor variants are named:
                ``identifier_foreign_root``, ``identifier_region_issuer``, ``identifier_lower_case_serial``,
                ``identifier_vendor_check``.
        """
        if len(text) > MAX_IDENTIFIER_LENGTH:
            raise IdentifierError("identifier_bad_shape")
        if text.startswith(FOREIGN_ROOT + "."):
            raise IdentifierError("identifier_foreign_root")
        if not text.startswith(ROOT + "."):
            raise IdentifierError("identifier_bad_root")
        parts = text[len(ROOT) + 1 :].split(".")
        if len(parts) != _PARTS:
            raise IdentifierError("identifier_bad_shape")
        type_code, issuer, serial, version, check = parts
        if len(issuer) == REGION_LENGTH and _DIGITS.fullmatch(issuer):
            raise IdentifierError("identifier_region_issuer")
        _require(type_code, "type", TYPE_LENGTH)
        _require(issuer, "issuer", ISSUER_LENGTH)
        if not _UPPER.fullmatch(serial) and _ANY_CASE.fullmatch(serial):
            raise IdentifierError("identifier_lower_case_serial")
        if len(version) != VERSION_LENGTH or not _DIGITS.fullmatch(version):
            raise IdentifierError("identifier_bad_version")
        found = cls(type_code, issuer, serial, int(version))
        if check != found.check:
            payload = f"{type_code}{issuer}{serial}{version}"
            if check == _hybrid_check(payload, letter_offset=1):
                raise IdentifierError("identifier_vendor_check", expected=found.check)
            raise IdentifierError("identifier_bad_check", expected=found.check)
        return found


def mint(*, type_code: str, issuer: str, serial: str, version: int = 1) -> LicenceIdentifier:
    """A new identifier; *serial* must never have been used for this type and issuer (the caller's promise).

    Raises:
        IdentifierError: a part is not of its form.
    """
    return LicenceIdentifier(type_code, issuer, serial, version)


def _require(value: str, part: str, length: int) -> None:
    if len(value) != length:
        raise IdentifierError("identifier_bad_length", part=part, expected=length, found=len(value))
    if not _UPPER.fullmatch(value):
        raise IdentifierError("identifier_bad_characters", part=part)
