"""Trust lists of other cities in a verifier's trust folder, and which trust a licence is judged by.

    lists/NAME.json    the newest root and targets of one list, replaced as a whole

What a list must be to be taken is `licence.trustlist`'s; here it is kept, and asked when the verifier's own anchors do
not know the issuer of a licence. Those come first: no list can say anything about an issuer of one's own.

A licence counts by the list if its issuer was trusted at the time at which its log entry was written. Whoever is
withdrawn from a date can thus still vouch for what he issued before, and, as his log is his own, could write an older
date into it (a document's own word of when it was signed is worth no more): whom nobody trusts any more at all is taken
out of the list, and then nothing of his counts.
"""

from __future__ import annotations

import fcntl
import json
import re
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from audit.entry import Entry
from audit.errors import AuditError
from licence import jose, trustlist
from licence.bundle import LicenceBundle
from licence.credential import parse
from licence.errors import FormatError, IdentifierError, TrustUnreadableError
from licence.identifiers import LicenceIdentifier
from licence.keys import atomic_write
from licence.trust import PUBLIC_MODE, TrustStore
from licence.verifying import judge, recognise, signing_time
from licence.verifying.report import Form

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from licence.trustlist import TrustList
    from licence.verifying.report import Report

FOLDER: Final = "lists"
FORMAT: Final = "zhengtong-trust-list/1"
UNKNOWN: Final = "NO_CERTIFICATE_CHAIN_FOUND"
# Issuers by whose trust one document is judged; a judgement takes some milliseconds.
MAX_TRIED: Final = 200
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_EVER: Final = datetime(1, 1, 2, tzinfo=UTC)
_MEMBERS: Final = frozenset({"format", "root", "targets"})


@dataclass(frozen=True, slots=True)
class Chosen:
    """The trust to judge a licence by; *name* of the list it is of, "" for the verifier's own.

    *fault*: why a list that names the issuer was not taken, or None.
    """

    trust: TrustStore
    name: str = ""
    fault: FormatError | None = None


def names(folder: Path) -> list[str]:
    """The lists that are installed in a trust folder."""
    return sorted(path.stem for path in (folder / FOLDER).glob("*.json") if _NAME.fullmatch(path.stem))


def installed(folder: Path, name: str, *, now: datetime | None) -> TrustList:
    """The list *name* as it was installed. *now* None: whether it has run out is not asked, as when it is renewed.

    Raises:
        TrustUnreadableError: there is none, or it is damaged.
        FormatError: it has run out (``trustlist_expired``).
    """
    path = _path(folder, name)
    try:
        document = jose.strict_json(path.read_bytes(), FOLDER)
    except OSError as error:
        raise TrustUnreadableError(path=path, detail=error.strerror or "unreadable") from None
    except FormatError as fault:
        raise TrustUnreadableError(path=path, detail=str(fault)) from None
    if not isinstance(document, dict) or set(document) != _MEMBERS or document["format"] != FORMAT:
        raise TrustUnreadableError(path=path, detail="not a trust list of the known format")
    root, targets = document["root"], document["targets"]
    if not isinstance(root, str) or not isinstance(targets, str):
        raise TrustUnreadableError(path=path, detail="not a trust list of the known format")
    # The folder is the verifier's own, as its anchors are; the signatures show that it is not damaged.
    return trustlist.pin(root, targets, root_digest=trustlist.digest_of(root), now=now or _EVER)


def check(
    folder: Path, name: str, roots: Sequence[str], targets: str, *, root_digest: str = "", now: datetime
) -> TrustList:
    """The list that *roots* (in order) and *targets* make after what is installed; the first by its root's digest.

    Raises:
        FormatError: a step of `licence.trustlist`; what is installed stays what is trusted.
        TrustUnreadableError: what is installed is damaged.
    """
    if _path(folder, name).exists():
        old = installed(folder, name, now=None)
        # The root that is installed may be among those handed over, as may older ones of the same chain.
        after = [text for text in roots if _version(text) > old.root.version or text == old.root_text]
        fresh = [text for text in after if text != old.root_text]
        if len(after) < len(roots):
            raise FormatError(
                "trustlist_rollback", what="root", found=min(map(_version, roots)), known=old.root.version
            )
        return trustlist.verify_update(old, fresh, targets, now)
    if not roots or not root_digest:
        raise FormatError("trustlist_malformed", what="root", part="digest")
    if len(roots) == 1:
        return trustlist.pin(roots[0], targets, root_digest=root_digest, now=now)
    return _from_first(roots, targets, root_digest, now)


def install(
    folder: Path, name: str, roots: Sequence[str], targets: str, *, root_digest: str = "", now: datetime
) -> TrustList:
    """`check`, then keep it. A crash leaves the old list or the new one, whole. Raises: as `check`.

    Of several at once each checks what the one before has installed: none takes a newer list back.
    """
    path = _path(folder, name)
    path.parent.mkdir(parents=True, exist_ok=True)
    with _alone(path.parent):
        found = check(folder, name, roots, targets, root_digest=root_digest, now=now)
        document = {"format": FORMAT, "root": found.root_text, "targets": found.targets_text}
        atomic_write(path, (json.dumps(document, ensure_ascii=False, indent=1) + "\n").encode(), mode=PUBLIC_MODE)
    return found


def choose(folder: Path, data: bytes, own: TrustStore, *, now: datetime) -> Chosen:
    """By what trust to judge *data*, whose issuer the verifier's *own* anchors do not know.

    For bundles and SD-JWTs, which name their issuer. *now* decides whether a list has run out.
    """
    issuer, at = _issued(data, now)
    fault: FormatError | None = None
    if issuer:
        for name in names(folder):
            try:
                trust = installed(folder, name, now=now).trust_store_at(issuer, at)
                # Lists name no keys of second signatures: what the verifier pins and requires holds here, too.
                trust = replace(trust, second_keys=own.second_keys, require_second=own.require_second)
                return Chosen(trust, name)
            except FormatError as error:
                # Of several lists that do not help, the one that has run out is told: it can be renewed.
                fault = error if fault is None or error.code == "trustlist_expired" else fault
    return Chosen(own, "", fault)


def judge_with_lists(
    folder: Path,
    data: bytes,
    own: TrustStore,
    at: datetime,
    *,
    now: datetime,
    status_tokens: Sequence[str | bytes] = (),
    crls: Sequence[bytes] = (),
    certificates: Sequence[bytes] = (),
    histories: Sequence[str | bytes] = (),
) -> tuple[Report, Chosen]:
    """Judge *data* as `licence.verifying.judge` does; by an installed list where *own* does not know the issuer."""

    def judged(trust: TrustStore) -> Report:
        return judge(
            data,
            trust,
            at,
            status_tokens=status_tokens,
            crls=crls,
            certificates=certificates,
            histories=histories,
        )

    report = judged(own)
    if report.sub_indication != UNKNOWN:
        return report, Chosen(own)
    if recognise(data) is not Form.LICENCE:
        return _by_document(folder, data, own, report, judged, now=now)
    chosen = choose(folder, data, own, now=now)
    return (judged(chosen.trust) if chosen.name else report), chosen


def _by_document(
    folder: Path, data: bytes, own: TrustStore, report: Report, judged: Callable[[TrustStore], Report], *, now: datetime
) -> tuple[Report, Chosen]:
    """Judge a PDF, OFD, seal signature or QR code, which names no issuer that could be believed before it is judged.

    It is judged by each listed issuer's trust alone, of those trusted when it says it was signed; the first whose
    authorities its signer leads to is the one. With more issuers than `MAX_TRIED` none is tried: a file must not cost
    a verifier minutes.
    """
    fault: FormatError | None = None
    try:
        at = signing_time(data, own)
    except FormatError:
        return report, Chosen(own)
    tried = 0
    for name in names(folder):
        try:
            found = installed(folder, name, now=now)
        except FormatError as error:
            fault = error if fault is None or error.code == "trustlist_expired" else fault
            continue
        for uscc in dict.fromkeys(issuer.uscc for issuer in found.issuers_at(at)):
            tried += 1
            if tried > MAX_TRIED:
                return report, Chosen(own, "", fault)
            trust = found.trust_store_at(uscc, at)
            other = judged(trust)
            if other.sub_indication != UNKNOWN:
                return other, Chosen(trust, name)
    return report, Chosen(own, "", fault)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Hold the lists of a trust folder against others who would install; readers need not: files change as a whole."""
    with (folder / "lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _from_first(roots: Sequence[str], targets: str, root_digest: str, now: datetime) -> TrustList:
    """A list begun with its first root, though that was replaced since."""
    first, *later = roots
    if trustlist.digest_of(first) != root_digest:
        raise FormatError("trustlist_malformed", what="root", part="digest")
    return trustlist.verify_chain(first, later, targets, now)


def _issued(data: bytes, now: datetime) -> tuple[str, datetime]:
    """The issuer that *data* names, and when its entry, or it itself, says it was made; nothing is verified yet."""
    try:
        if data.lstrip()[:1] == b"{":
            bundle = LicenceBundle.from_json(data)
            identifier, at = bundle.identifier, Entry.decode(bundle.entry).at
        else:
            credential = parse(data.decode("ascii").strip())
            identifier, at = credential.jti, datetime.fromtimestamp(credential.issued_at, UTC)
        return LicenceIdentifier.parse(identifier).issuer, at
    except (FormatError, IdentifierError, AuditError, ValueError, OverflowError, OSError):
        return "", now


def _version(text: str) -> int:
    role, _ = trustlist.read(text)
    return role.version


def _path(folder: Path, name: str) -> Path:
    if not _NAME.fullmatch(name):
        raise FormatError("trustlist_malformed", what="name", part="name")
    return folder / FOLDER / f"{name}.json"
