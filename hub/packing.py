"""Gathers what an evidence pack holds about some entries: their bodies, the lists they name, receipts, the keys.

What a pack is and how it is checked is `audit.pack`'s. That one was made, and of what, is an entry before the file
leaves (``audit.exported``), with the digest of the file.
"""

from __future__ import annotations

import hashlib
import json
import re
from typing import TYPE_CHECKING, Any, Final

from audit.entry import Entry
from audit.errors import AuditError
from audit.expiry import fate_of
from audit.pack import Contents, body_file, make_pack
from catalog.model import to_plain
from hub.anomalies import subjects_of
from hub.errors import ListDamagedError, ListMissingError, QueryInvalidError
from hub.keeping.fates import said_after
from hub.published import list_version

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from audit.searching import Query
    from audit.verifiers import PublicKey
    from hub.auditsearch import Desk
    from hub.settings import Settings

_RANGE: Final = re.compile(r"([0-9]{1,15})(?:-([0-9]{1,15}))?", re.ASCII)
EXPORTED: Final = "audit.exported"
MAX_ENTRIES: Final = 10_000
MAX_SUBJECTS: Final = 500  # an entry has 65,535 bytes


def pack(
    desk: Desk,
    settings: Settings | None,
    indexes: Sequence[int],
    *,
    query: Query,
    bodies: bool = True,
    receipts: Sequence[bytes] = (),
    keys: Mapping[str, str],
) -> bytes:
    """A pack of the entries *indexes*, which *query*, if it says anything, was asked for; with *keys* by name.

    Over copied files (*settings* None) there are no bodies and lists to put in. A body that is damaged is left out like
    one that was erased: the pack's reader sees that it is not there, the log's own check says why.

    Raises:
        QueryInvalidError: no entries, or more than `MAX_ENTRIES`.
        EntryMissingError, LogDamagedError: an entry is not there, or not what was logged.
        PackTooLargeError: make several packs.
        EvidenceUnavailableError: it could not be recorded, and may not be handed out.
    """
    places = sorted(set(indexes))
    if not 1 <= len(places) <= MAX_ENTRIES:
        raise QueryInvalidError(
            where="entries",
            why=f"1 to {MAX_ENTRIES} entries fit, these are {len(places)}",
            why_zh=f"应为 1 至 {MAX_ENTRIES} 个条目，现为 {len(places)} 个",
        )
    entries = {index: desk.log.entry(index) for index in places}
    asked = [Entry.decode(data) for data in entries.values()]
    found: dict[int, bytes] = {}
    terms: dict[str, bytes] = {}
    if bodies and settings is not None:
        for index, entry in zip(places, asked, strict=True):
            _add_body(desk, index, entry.body_digest, found, terms)
        gone = {index: entry for index, entry in zip(places, asked, strict=True) if index not in found}
        # What says that a body went is packed with it, so that the pack's reader need not take our word.
        entries |= {index: desk.log.entry(index) for index in _fates(desk, gone)}
        entries = dict(sorted(entries.items()))
    places = list(entries)
    data = make_pack(
        Contents(
            note=desk.log.note,
            entries=entries,
            proofs={index: desk.log.prove(index) for index in places},
            keys=keys,
            bodies=found,
            withheld=not bodies,
            terms=terms,
            lists={} if settings is None else _lists(settings, asked),
            receipts=receipts,
            asked=query.to_plain(),
            by=desk.actor,
        )
    )
    _record(desk, asked, places, data, bodies=bool(found))
    return data


def places_of(text: str) -> list[int]:
    """The numbers of entries that *text* names, as ``1,5,9-12``.

    Raises:
        QueryInvalidError: it names none, or more than a pack has.
    """
    found: list[int] = []
    for part in text.replace("，", ",").split(","):
        match = _RANGE.fullmatch(part.strip())
        first = int(match[1]) if match else 0
        last = int(match[2] or match[1]) if match else -1
        if last < first or last - first > MAX_ENTRIES:
            raise QueryInvalidError(
                where="entries",
                why="numbers or ranges are wanted, as 1,5,9-12",
                why_zh="应为序号或范围，如 1,5,9-12",
            )
        found += range(first, last + 1)
    return found


def names_of(keys: Sequence[PublicKey]) -> dict[str, str]:
    """The log's *keys* as a pack names them: the first ``log``."""
    return {("log" if not number else f"log-{number + 1}"): key.to_text() for number, key in enumerate(keys)}


def _add_body(desk: Desk, index: int, digest: str, found: dict[int, bytes], terms: dict[str, bytes]) -> None:
    """Put the body with this *digest* into *found*, and what it has in common with others into *terms*."""
    kept = _kept(desk, digest)
    if kept is None:
        return
    salt, body = kept
    found[index] = body_file(salt, body)
    named = str(body.get("terms", ""))
    if named and named not in terms:
        common = _kept(desk, named)
        if common is not None:
            terms[named] = body_file(*common)


def _fates(desk: Desk, gone: Mapping[int, Entry]) -> set[int]:
    """The entries that say what became of the bodies of those that are *gone*."""
    missing = {index: entry for index, entry in gone.items() if entry.body_digest}
    if not missing:
        return set()
    first = min(missing.values(), key=lambda entry: entry.at)
    said = list(said_after(desk.index, first))
    fates = (fate_of(index, entry, said) for index, entry in missing.items())
    return {fate.index for fate in fates if fate is not None}


def _kept(desk: Desk, digest: str) -> tuple[bytes, dict[str, Any]] | None:
    if not digest or desk.evidence is None:
        return None
    try:
        return desk.evidence.bodies.get(digest)
    except (AuditError, OSError):
        return None


def _lists(settings: Settings, entries: Sequence[Entry]) -> dict[str, bytes]:
    """The lists that *entries* name, each in the form of which its version is the digest."""
    found = {}
    for version in sorted({str(entry.facts.get("list_version", "")) for entry in entries} - {""}):
        try:
            plain = to_plain(list_version(settings, version))
        except (ListMissingError, ListDamagedError):
            continue
        found[version] = json.dumps(plain, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()
    return found


def _record(desk: Desk, entries: Sequence[Entry], places: Sequence[int], data: bytes, *, bodies: bool) -> None:
    """Write down that the pack was made; the entry is about the persons whose entries are in it."""
    if desk.evidence is None:
        return
    subjects = sorted({subject for entry in entries for subject in subjects_of(entry)})
    facts: dict[str, Any] = {
        "entries": len(places),
        "first": places[0],
        "last": places[-1],
        "bodies": bodies,
        "pack": f"sha256:{hashlib.sha256(data).hexdigest()}",
    }
    # Of more persons than an entry has room for, as many entries as it takes: each of them can be found by each.
    for start in range(0, max(1, len(subjects)), MAX_SUBJECTS):
        part = subjects[start : start + MAX_SUBJECTS]
        named = {"subjects": part} if len(part) > 1 else {}
        subject = part[0] if len(part) == 1 else ""
        desk.evidence.append(EXPORTED, actor=desk.actor, subject=subject, facts={**facts, **named})
