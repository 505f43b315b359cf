"""Put a GM/T 0031 seal on an OFD: every file but the signature's own is listed with its SM3 digest.

The SES_Signature is made by an argument, so that keys and sealing servers are left to others (`licence.seals`).
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from licence.errors import IssueRefusedError
from licence.ofd.container import pack
from licence.ofd.read import ROOT, SM3, digest
from licence.ofd.write import FIRST_PAGE_ID, FOLDER, SIGNATURES, escape, numbers, xml

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from licence.ofd.layout import Box

SIGN_FOLDER: Final = f"{FOLDER}/Signs/Sign_0"
#: What the TBS_Sign of GM/T 0031 names as propertyInfo.
SIGNATURE_PATH: Final = f"/{SIGN_FOLDER}/Signature.xml"
_SM3_OID = "1.2.156.10197.1.401"
_SM2_SM3_OID = "1.2.156.10197.1.501"


@dataclass(frozen=True, slots=True)
class Stamp:
    """Which seal goes where: *seal* is the SESeal in DER, *signed_at* the time of sealing as ``YYYYMMDDhhmmssZ``.

    *page* counts from 0, *box* is in millimetres.
    """

    seal: bytes
    box: Box
    signed_at: str
    page: int = 0


def seal(files: Mapping[str, bytes], stamp: Stamp, sign: Callable[[bytes], bytes]) -> bytes:
    """The sealed OFD of *files* (`licence.ofd.write.write`), as its bytes.

    *sign* takes the SM3 digest of Signature.xml and returns the SES_Signature over it in DER, whose propertyInfo is
    `SIGNATURE_PATH`. It is called once; nothing is written anywhere, so that a failure leaves nothing behind.

    Raises:
        IssueRefusedError: the files are signed already.
    """
    if SIGNATURES in files:
        raise IssueRefusedError("ofd_signed_already")
    covered = dict(files)
    covered[SIGNATURES] = xml(
        "Signatures",
        f'<ofd:MaxSignId>1</ofd:MaxSignId><ofd:Signature ID="1" Type="Seal" BaseLoc="{SIGNATURE_PATH}"/>',
    )
    covered[f"{SIGN_FOLDER}/Seal.esl"] = stamp.seal
    signature = _signature(covered, stamp)
    value = sign(digest(SM3, signature))
    whole = covered | {SIGNATURE_PATH[1:]: signature, f"{SIGN_FOLDER}/SignedValue.dat": value}
    # OFD.xml first: programs that tell formats by the first bytes look for its name there.
    return pack({ROOT: whole.pop(ROOT), **whole})


def _signature(covered: Mapping[str, bytes], stamp: Stamp) -> bytes:
    references = "".join(
        f'<ofd:Reference FileRef="/{name}"><ofd:CheckValue>{_seal_check(data) if data is stamp.seal else _check(data)}'
        "</ofd:CheckValue></ofd:Reference>"
        for name, data in covered.items()
    )
    box = numbers(stamp.box.x, stamp.box.y, stamp.box.width, stamp.box.height)
    return xml(
        "Signature",
        '<ofd:SignedInfo><ofd:Provider ProviderName="zhengtong" Version="1.0" Company="zhengtong"/>'
        f"<ofd:SignatureMethod>{_SM2_SM3_OID}</ofd:SignatureMethod>"
        f"<ofd:SignatureDateTime>{escape(stamp.signed_at)}</ofd:SignatureDateTime>"
        f'<ofd:References CheckMethod="{_SM3_OID}">{references}</ofd:References>'
        f'<ofd:StampAnnot ID="1" PageRef="{FIRST_PAGE_ID + stamp.page}" Boundary="{box}"/>'
        f"<ofd:Seal><ofd:BaseLoc>/{SIGN_FOLDER}/Seal.esl</ofd:BaseLoc></ofd:Seal></ofd:SignedInfo>"
        f"<ofd:SignedValue>/{SIGN_FOLDER}/SignedValue.dat</ofd:SignedValue>",
    )


def _check(data: bytes) -> str:
    return base64.b64encode(digest(SM3, data)).decode()


# A seal is the largest of the small files, and the same on every document it is put on.
_seal_check = lru_cache(maxsize=256)(_check)
