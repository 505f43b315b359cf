"""What a licence bundle encloses to prove its time and its signer: a time stamp (RFC 3161) and revocation lists.

Trust never comes from the bundle: a time stamp counts if its chain leads to a pinned anchor, a list if an authority of
the chain signed it. Reading bundles is `licence.bundle`; what a document in it is worth, `licence.verifying`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from licence import chain, crl, timestamps
from licence.errors import FormatError
from licence.report import Note

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from licence.bundle import LicenceBundle
    from licence.trust import TrustStore

# Two offices' clocks differ by less.
SKEW = timedelta(minutes=5)
# An authority's word is missing or was taken back: the stamp proves nothing, and what it is of may still be good.
_OPEN = frozenset(
    {"CRYPTO_CONSTRAINTS_FAILURE", "NO_CERTIFICATE_CHAIN_FOUND", "CHAIN_CONSTRAINTS_FAILURE", "REVOKED"}
    | {"REVOKED_NO_POE", "REVOKED_CA_NO_POE"}
)


@dataclass(frozen=True, slots=True)
class Proven:
    """What the enclosed time stamp proves: the credential existed at *time*, or nothing where that is None.

    *path* is the stamp's own, where one was found; *notes* say what was found.
    """

    time: datetime | None = None
    path: chain.Path | None = None
    notes: tuple[Note, ...] = ()


def all_lists(bundle: LicenceBundle | None, given: Iterable[bytes]) -> tuple[bytes, ...]:
    """The lists *given* and, as far as there is room, those enclosed, which crowd out nothing that was handed in."""
    first = tuple(dict.fromkeys(given))
    more = () if bundle is None else bundle.crls
    return tuple(dict.fromkeys((*first, *more)))[: max(len(first), chain.MAX_LISTS)]


def prove(
    bundle: LicenceBundle | None, trust: TrustStore, at: datetime, *, claimed: datetime, lists: Sequence[bytes]
) -> Proven:
    """What the time stamp of *bundle* proves, if there is one. Raises: as `prove_time`."""
    if bundle is None or bundle.timestamp is None:
        return Proven()
    signed = bundle.credential.partition("~")[0].encode("ascii")
    return prove_time(bundle.timestamp, signed, trust, at, claimed=claimed, lists=lists)


def prove_time(
    token: bytes, signed: bytes, trust: TrustStore, at: datetime, *, claimed: datetime, lists: Sequence[bytes]
) -> Proven:
    """Judge *token*, a time stamp of *signed*, by *trust* at *at*; *claimed* is when the signer says to have signed.

    Raises:
        FormatError: it is no time stamp of *signed*, was altered, or says that *signed* existed before *claimed*.
    """
    path = None
    try:
        stamp = timestamps.verify(token, (signed,), suites=sorted(trust.suites))
        path = chain.validate(stamp.chain, trust.anchors_der, trust.suites)
        if lists:
            chain.check_revocation(path, lists, at=at, made_after=stamp.time)
    except FormatError as fault:
        if fault.sub_indication not in _OPEN:
            raise
        return Proven(path=path, notes=(_unused(fault.code, fault.finding_params),))
    if claimed - stamp.time > SKEW:
        params = {"stamped": _iso(stamp.time), "claimed": _iso(claimed)}
        raise FormatError("judge_time_stamp_contradicts", sub_indication="TIMESTAMP_ORDER_FAILURE", **params)
    times = {"stamped": _iso(stamp.time), "starts": _iso(path.starts), "ends": _iso(path.ends)}
    if not path.starts <= stamp.time <= path.ends:
        return Proven(path=path, notes=(_unused("judge_time_stamp_expired", times),))
    if at > path.ends:
        # Nobody can tell an old token from one made with an old key: that takes an archive stamp, as documents have.
        return Proven(path=path, notes=(_unused("judge_no_proof_of_time", {"limit": times["ends"]}),))
    if stamp.time - at > SKEW:
        return Proven(path=path, notes=(_unused("judge_time_stamp_contradicts", times | {"claimed": "?"}),))
    good = Note("judge_time_stamp_ok", (("stamped", times["stamped"]), ("subject", path.subject)))
    loose = () if set(stamp.chain) <= set(path.certificates) else (Note("judge_certificates_loose"),)
    return Proven(stamp.time, path, (good, *loose))


def unused_lists(lists: Iterable[bytes], paths: Iterable[chain.Path | None]) -> tuple[Note, ...]:
    """A note on each of *lists* that no authority of *paths* issued: nothing vouches for it."""
    authorities = {der for path in paths if path is not None for der in path.certificates[1:]}
    return tuple(
        Note("enclosed_list_unused", (("number", str(number)),))
        for number, der in enumerate(lists, start=1)
        if not any(_is_of(der, authority) for authority in authorities)
    )


def _is_of(der: bytes, authority: bytes) -> bool:
    try:
        crl.read(der, chain.load(authority))
    except FormatError:
        return False
    return True


def _unused(why: str, params: Mapping[str, str]) -> Note:
    return Note("enclosed_stamp_unused", (*params.items(), ("why", why)))


def _iso(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
