"""The catalogue of kinds (证照目录): reading it, its version, what changed, and the reference catalogue.

Reading is `licence.kinds.reading`, comparing `licence.kinds.compare`; whether a city's resources fit is the caller's.
"""

from __future__ import annotations

from importlib import resources
from typing import TYPE_CHECKING

from licence.kinds.compare import KindChange, diff, version_of
from licence.kinds.reading import load, load_bytes

if TYPE_CHECKING:
    from licence.model import LicenceKind

__all__ = ["KindChange", "diff", "load", "load_bytes", "load_reference", "version_of"]

REFERENCE = "kinds.yaml"


def load_reference() -> tuple[LicenceKind, ...]:
    """The reference catalogue of this package: kinds of the whole country, which name no city's issuer or resource.

    A city makes a kind its own by `LicenceKind.adopted`.
    """
    data = resources.files("licence").joinpath("data", REFERENCE).read_bytes()
    return load_bytes(data, REFERENCE, sourced=False)
