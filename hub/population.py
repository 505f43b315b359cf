"""Hands all licences of a city to an auditor: rows, issuers, figures, status lists and log, as of one moment.

What is wrong with them is found by `licence.population`; files and their forms are `licence.population.files`'.

The moment is made by the steps below. Whoever issues or changes a licence holds the same lock while it writes row and
entry, so that none is half done at it; rows are then read from a snapshot while others go on.

    1. writers are held
    2. the figures are counted, their entry is written, and the log is published: this is the checkpoint handed out
    3. a snapshot of the rows is opened, the status lists that are served are read, and writers go on
    4. rows, lists, log, issuers and the register of seals are copied; the manifest is written last: a folder without
       one is not whole
"""

from __future__ import annotations

import shutil
import time
from collections import Counter
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Final

import sqlalchemy as sa

from audit.tiles import (
    TILE_WIDTH,
    TileFolder,
    bundle_path,
    encode_entries,
    levels_of,
    tile_path,
    width_at,
)
from hub.authority import BASE_URI
from hub.control import CertificateRow, LicenceRow, SealRow, StatusListRow
from hub.errors import BusyError, QueryInvalidError
from hub.files import replace_file
from hub.licensing.statuses import ENTRY
from licence.authority import Role
from licence.kinds import load as load_kinds
from licence.lifecycle import State, status_of
from licence.population import files
from licence.population.model import PENDING, Issuer, Totals
from licence.population.model import LicenceRow as Row
from licence.population.seals import in_force
from licence.seals.published import read_register
from licence.status.lists import Status
from licence.trust import TrustStore

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from sqlalchemy.engine import Connection

    from hub.office import Office
    from licence.model import LicenceKind

# A change takes some milliseconds: three minutes of trying find a gap between them.
LOCK_TRIES: Final = 3_600
LOCK_PAUSE_S: Final = 0.05
LOCK_NOT_AVAILABLE: Final = "55P03"  # PostgreSQL, appendix A
SEALS: Final = "seals"  # the published register, below the public folder
GROUP: Final = 5_000  # rows fetched at a time: some MB, whatever the population


@contextmanager
def snapshot(office: Office) -> Iterator[tuple[Connection, str, Totals, int, dict[str, str]]]:
    """The moment (steps 1 to 3): a connection that reads its rows, the checkpoint, the figures, their entry, the lists.

    The lists are those that were served, by file name: one that is published later is in no log up to the checkpoint.
    """
    # On SQLite a reader sees what was committed when it first reads; PostgreSQL is asked for as much.
    engine = office.control.engine
    reader = engine.connect()
    try:
        if engine.dialect.name == "postgresql":
            reader = reader.execution_options(isolation_level="REPEATABLE READ")
        with office.control.writing() as writer:  # step 1
            if engine.dialect.name == "postgresql":
                _hold_writers(writer)
            totals = _count(writer)
            recorded = office.evidence.append(  # step 2
                files.TOTALS_ENTRY, actor="hub:licensing", facts=files.totals_facts(totals)
            )
            note = office.evidence.publish()
            reader.execute(sa.select(sa.func.count()).select_from(LicenceRow))  # step 3
            # One that is no text is found by who reads it.
            served = sorted(office.settings.status.glob("*.jwt"))
            lists = {path.name: path.read_text("utf-8", "replace") for path in served}
        yield reader, note, totals, recorded.index, lists
    finally:
        reader.close()


def _hold_writers(writer: Connection) -> None:
    """Wait until nobody has a licence or a status list in hand, and hold both tables (PostgreSQL).

    Whoever changes a licence holds its row (``SELECT … FOR UPDATE``), writes the entry, and the row after it; that
    lock, too, EXCLUSIVE waits for, where SHARE would go ahead between entry and row and show a difference that is
    none. Nothing is held while waiting: who issues takes the tables in the other order.

    Raises:
        BusyError: there was no gap for `LOCK_TRIES`; try again.
    """
    for _ in range(LOCK_TRIES):
        try:
            with writer.begin_nested():
                writer.execute(sa.text("LOCK TABLE licences, status_lists IN EXCLUSIVE MODE NOWAIT"))
        except sa.exc.OperationalError as error:
            if getattr(error.orig, "sqlstate", None) != LOCK_NOT_AVAILABLE:
                raise
            time.sleep(LOCK_PAUSE_S)
        else:
            return
    raise BusyError


def export(office: Office, folder: Path) -> dict[str, int]:
    """Write everything an auditor needs into the empty *folder*; how many of what. Personal data is not among it.

    Raises:
        QueryInvalidError: *folder* holds something.
    """
    if folder.exists() and any(folder.iterdir()):
        raise QueryInvalidError(where=str(folder), why="it is not empty", why_zh="该目录不为空")
    folder.mkdir(parents=True, exist_ok=True)
    with snapshot(office) as (connection, note, _, entry, lists):
        with (folder / files.ROWS).open("wb") as out:
            count = 0
            for row in rows(connection, office):
                out.write(files.row_line(row))
                count += 1
        proof = office.evidence.log.prove(entry, note).to_text()
        totals = files.write_totals(office.evidence.log.entry(entry), proof).encode()
        replace_file(folder / files.TOTALS, totals)
        replace_file(folder / files.ISSUERS, files.write_issuers(issuers(connection, office)).encode())
        size = copy_log(office.settings.log, note, folder / files.LOG)
        past = list(_past_lists(connection, office, size))
    for name, text in lists.items():
        _put(folder / files.STATUS / name, text.encode())
    for below, found in ((files.HISTORY, past), (SEALS, sorted((office.settings.public / SEALS).rglob("*.jwt")))):
        for path in found:
            target = folder / below / path.relative_to(office.settings.public / below)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
    # The figures are public from here on, by the entry that they have.
    replace_file(office.settings.public / "licence-totals.json", totals)
    manifest = files.Manifest.of(folder, office.now())
    replace_file(folder / files.MANIFEST, manifest.to_json().encode())
    return {"rows": count, "entries": size, "lists": len(lists), "files": len(manifest.files)}


def _past_lists(connection: Connection, office: Office, size: int) -> Iterator[Path]:
    """The versions of status lists that were published by the moment: by their rows, or by the log of *size* entries.

    A version that a crash kept from its row has its entry all the same; what has none was never published.
    """
    query = sa.select(StatusListRow.name, StatusListRow.version).order_by(StatusListRow.name)
    versions = {row.name: row.version for row in connection.execute(query)}
    for path in sorted((office.settings.public / files.HISTORY).rglob("*.jwt")):
        entry = path.with_suffix(ENTRY)
        if int(path.stem) <= versions.get(path.parent.name, 0) or (
            entry.is_file() and int(entry.read_text("ascii")) < size
        ):
            yield path


def rows(connection: Connection, office: Office) -> Iterator[Row]:
    """The rows of the database as they are audited, `GROUP` at a time, by their identifiers."""
    usccs = {d.code: d.uscc for d in office.list_.departments}
    issuer_of = {kind.code: usccs.get(kind.issuer, "") for kind in _kinds(office).values()}
    columns = (
        LicenceRow.identifier,
        LicenceRow.kind,
        LicenceRow.state,
        LicenceRow.status_list,
        LicenceRow.status_index,
        LicenceRow.credential_digest,
        LicenceRow.log_index,
        LicenceRow.issued_at,
        LicenceRow.valid_until,
        LicenceRow.history,
    )
    last = ""
    while True:
        query = sa.select(*columns).where(LicenceRow.identifier > last).order_by(LicenceRow.identifier).limit(GROUP)
        group = connection.execute(query).all()
        for row in group:
            history = row.history
            yield Row(
                identifier=row.identifier,
                kind=row.kind,
                issuer=issuer_of.get(row.kind, ""),
                holder_hash="",
                state=row.state,
                status_uri=f"{BASE_URI}/status/{row.status_list}",
                status_index=row.status_index,
                credential_digest=row.credential_digest,
                log_index=row.log_index,
                issued_at=row.issued_at,
                valid_until=row.valid_until,
                # The first is the issue itself.
                changed_at=datetime.fromisoformat(history[-1]["at"]) if len(history) > 1 else None,
            )
        if len(group) < GROUP:
            return
        last = group[-1].identifier


def issuers(connection: Connection, office: Office) -> dict[str, Issuer]:
    """Each issuing department by its USCC: its kinds, and when its certificates and seals held."""
    kinds: dict[str, set[str]] = {}
    for kind in _kinds(office).values():
        if kind.issuer:
            kinds.setdefault(kind.issuer, set()).add(kind.code)
    certificates: dict[str, list[tuple[datetime, datetime]]] = {}
    query = sa.select(CertificateRow).where(CertificateRow.role == Role.LICENCES.value)
    for one in connection.execute(query.with_only_columns(*CertificateRow.__table__.columns)):
        ends = min(t for t in (one.ends, one.invalid_since) if t is not None)
        certificates.setdefault(one.department, []).append((one.starts, ends))
    seals = _seals(connection, office)
    return {
        d.uscc: Issuer(frozenset(kinds[d.code]), tuple(sorted(certificates.get(d.code, ()))), seals.get(d.code, ()))
        for d in office.list_.departments
        if d.code in kinds
    }


def _seals(connection: Connection, office: Office) -> Mapping[str, tuple[tuple[datetime, datetime], ...]]:
    """By department, when it had a seal in force: as the published register says; what it does not have, as made."""
    kept = sorted((office.settings.public / SEALS / "history").glob("*.jwt"))
    trust = TrustStore.load(office.settings.trust) if kept else None
    found = {} if trust is None else dict(in_force(read_register(p.read_text("ascii"), trust) for p in kept))
    made: dict[str, list[tuple[datetime, datetime]]] = {}
    query = sa.select(SealRow.department, SealRow.valid_from, SealRow.valid_until).where(SealRow.made.is_not(None))
    for seal in connection.execute(query):
        made.setdefault(seal.department, []).append((seal.valid_from, seal.valid_until))
    # One whose seals never were in force keeps the days they were made for: no days at all would mean no look at them.
    known = {department: spans for department, spans in found.items() if spans}
    return {department: tuple(sorted(spans)) for department, spans in made.items()} | known


def copy_log(source: Path, note: str, target: Path) -> int:
    """Copy what the checkpoint *note* covers, and not an entry more; how many entries that is.

    Tiles never change, so the log may grow meanwhile.
    """
    from audit.checkpoint import parse_unverified  # noqa: PLC0415 - our own log's note, just published

    size, tiles = parse_unverified(note).size, TileFolder(source)
    for index in range((size + TILE_WIDTH - 1) // TILE_WIDTH):
        width = width_at(0, index, size)
        _put(target / bundle_path(index, width), encode_entries(tiles.entries(index, size)))
    for level in range(levels_of(size)):
        for index in range(((size >> 8 * level) + TILE_WIDTH - 1) // TILE_WIDTH):
            width = width_at(level, index, size)
            _put(target / tile_path(level, index, width), tiles.read_tile(level, index, size))
    _put(target / "checkpoint", note.encode())
    return size


def _put(path: Path, data: bytes) -> None:
    # Not made durable one by one: the manifest is written last, and says whether all of them are there.
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def _count(connection: Connection) -> Totals:
    """The figures that are published: what was handed out, and how much of it is invalid or suspended now."""
    by_kind: Counter[str] = Counter()
    by_status: Counter[Status] = Counter()
    query = sa.select(LicenceRow.kind, LicenceRow.state, sa.func.count()).group_by(LicenceRow.kind, LicenceRow.state)
    for kind, state, count in connection.execute(query):
        if state != PENDING:
            by_kind[kind] += count
            by_status[status_of(State(state))] += count
    return Totals(sum(by_kind.values()), by_status[Status.INVALID], by_status[Status.SUSPENDED], dict(by_kind))


def _kinds(office: Office) -> Mapping[str, LicenceKind]:
    return {kind.code: kind for kind in load_kinds(office.settings.kinds)}
