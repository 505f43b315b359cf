"""Look at a whole warehouse and say what is wrong with it; nothing is changed, and nothing is hidden by what is broken.

Putting things right is for a person, with what each finding says is to be done.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import ValidationError
from pyiceberg.exceptions import NoSuchTableError
from pyiceberg.exceptions import ValidationError as InvalidMetadataError

from warehouse import feed as feeds
from warehouse import replay, sql
from warehouse import table as tables
from warehouse.errors import WarehouseError
from warehouse.history import PREFIX, UPKEEP, infos, lineage, summary_of
from warehouse.maintain import ORPHAN_DAYS
from warehouse.reach import counted, folders, may_land
from warehouse.reading import read_files
from warehouse.schema import table_name
from warehouse.snapshot import entry_of, field_ids

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pyiceberg.manifest import DataFile
    from pyiceberg.table import Table

    from warehouse.commit import Room
    from warehouse.history import SnapshotInfo
    from warehouse.storage import Stored
    from warehouse.table import FileOfRows

_UNREADABLE = (
    OSError,
    EOFError,
    ValueError,
    KeyError,
    ValidationError,
    InvalidMetadataError,
    pa.ArrowException,
    duckdb.Error,
    WarehouseError,
)
_CHUNK_BYTES = 1 << 20


class Severity(StrEnum):
    """How bad a finding is: ``error`` (answers may be wrong or missing), ``warning`` (they soon may be), ``note``."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Kind:
    """What may be wrong: how bad it is, what it is and what is to be done, in English and Chinese."""

    severity: Severity
    en: str
    zh: str
    do_en: str
    do_zh: str


_RESTORE = (
    "Restore the file from the storage's backup; without one, load the resource again in full.",
    "请从存储备份中恢复该文件；无备份时，对该资源重新全量归集。",
)
_RELOAD = (
    "Stop loads of the resource, keep the files as they are, and load it again in full.",
    "请暂停该资源的归集，保留现有文件，然后重新全量归集。",
)
_LOOK = ("Find out which program wrote it, then load the resource again.", "请查明写入的程序，然后重新归集该资源。")
KINDS: Mapping[str, Kind] = {
    "table-absent": Kind(
        Severity.ERROR,
        "there is no table",
        "没有库表",
        "Check the code, or load the resource.",
        "请核对代码，或先完成首次归集。",
    ),
    "metadata-lost": Kind(Severity.ERROR, "the table's metadata cannot be read", "库表元数据无法读取", *_RESTORE),
    "list-lost": Kind(
        Severity.ERROR, "a snapshot's list of manifests cannot be read", "快照的清单列表无法读取", *_RESTORE
    ),
    "manifest-lost": Kind(Severity.ERROR, "a manifest cannot be read", "清单文件无法读取", *_RESTORE),
    "file-lost": Kind(Severity.ERROR, "a data file is absent", "数据文件缺失", *_RESTORE),
    "file-size": Kind(Severity.ERROR, "a file has another size than was written", "文件大小与写入时不一致", *_RESTORE),
    "file-unreadable": Kind(Severity.ERROR, "a data file cannot be read", "数据文件无法读取", *_RESTORE),
    "file-rows": Kind(
        Severity.ERROR, "a data file holds another number of rows", "数据文件行数与登记不一致", *_RESTORE
    ),
    "file-columns": Kind(
        Severity.ERROR, "a data file has columns without the table's ids", "数据文件列标识与库表不符", *_LOOK
    ),
    "file-bounds": Kind(
        Severity.ERROR, "the bounds kept of a data file are not its own", "数据文件的列界值与登记不一致", *_RELOAD
    ),
    "file-unsorted": Kind(
        Severity.WARNING,
        "a data file is not sorted by key",
        "数据文件未按主键排序",
        "Answers are right, and slower. Run maintenance.",
        "查询结果正确但较慢，请执行维护。",
    ),
    "deletes-wrong": Kind(
        Severity.ERROR, "a delete file names rows that a data file does not have", "删除文件指向不存在的行", *_RELOAD
    ),
    "key-twice": Kind(Severity.ERROR, "rows share a key", "存在主键重复的记录", *_RELOAD),
    "total-wrong": Kind(Severity.ERROR, "the number of rows is not the one recorded", "记录总数与登记不一致", *_RELOAD),
    "quarantine-lost": Kind(Severity.ERROR, "a file of rejected rows is absent", "隔离区文件缺失", *_RESTORE),
    "quarantine-altered": Kind(Severity.ERROR, "a file of rejected rows was altered", "隔离区文件被改动", *_RESTORE),
    "cursor-backwards": Kind(
        Severity.ERROR,
        "a load moved the cursor backwards",
        "某次归集使游标倒退",
        "Load the resource again in full, and find out what wrote that load.",
        "请重新全量归集，并查明该次归集的来源。",
    ),
    "feed-apart": Kind(
        Severity.ERROR,
        "the change feed does not end where the table's last load does",
        "变更日志与库表最近一次归集不一致",
        "Consumers must take the whole table once; then find out who wrote one without the other.",
        "使用方须重新获取全量数据，并查明只写入其一的程序。",
    ),
    "feed-gap": Kind(
        Severity.ERROR,
        "numbers are missing from the change feed",
        "变更日志编号不连续",
        "Consumers must take the whole table once.",
        "使用方须重新获取全量数据。",
    ),
    "attempt-open": Kind(
        Severity.NOTE,
        "a commit was prepared and not finished",
        "有一次提交已准备而未完成",
        "Nothing; the resource's next load settles it.",
        "无需处理，下次归集时自动了结。",
    ),
    "orphans": Kind(
        Severity.NOTE,
        "files lie about that no table names",
        "存在未被任何库表引用的文件",
        "Run maintenance; it deletes those that are old enough.",
        "请执行维护，满足期限的文件会被清理。",
    ),
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong with a resource's tables. *place* is a location, snapshot or column, never a value."""

    code: str
    resource: str
    place: str = ""
    detail: str = ""

    @property
    def severity(self) -> Severity:
        """How bad it is."""
        return KINDS[self.code].severity

    def text(self, lang: str) -> str:
        """What is wrong, as a sentence in Chinese for ``zh``, otherwise in English."""
        kind = KINDS[self.code]
        if lang == "zh":
            where = f"（{self.place}）" if self.place else ""
            return f"`{self.resource}`：{kind.zh}{where}{'：' + self.detail if self.detail else ''}。"
        where = f" ({self.place})" if self.place else ""
        return f"`{self.resource}`: {kind.en}{where}{': ' + self.detail if self.detail else ''}."

    def remedy(self, lang: str) -> str:
        """What is to be done, as a sentence."""
        kind = KINDS[self.code]
        return kind.do_zh if lang == "zh" else kind.do_en

    def to_json(self) -> dict[str, Any]:
        """A JSON-able dict, with both languages."""
        return {
            "code": self.code,
            "severity": self.severity.value,
            "resource": self.resource,
            "place": self.place,
            "en": self.text("en"),
            "zh": self.text("zh"),
            "do_en": self.remedy("en"),
            "do_zh": self.remedy("zh"),
        }


def fsck(room: Room, codes: Sequence[str] = (), *, deep: bool = False, now: datetime) -> list[Finding]:
    """Look at the tables of *codes*, or at all tables; *deep* reads every row as well.

    Raises:
        CatalogueUnavailableError, StorageUnavailableError: nobody could look.
    """
    catalog = room.catalog
    found: list[Finding] = []
    wanted = [(tables.NAMESPACE, table_name(code)) for code in codes] + [feeds.identifier(code) for code in codes]
    every = [] if wanted else [name for space in catalog.list_namespaces() for name in catalog.list_tables(space)]
    names = wanted or [(".".join(name[:-1]), name[-1]) for name in every]
    titles = dict(zip(wanted, [*codes, *codes], strict=True))
    for name in sorted(names):
        title = titles.get(name, ".".join(name))
        try:
            table = catalog.load_table(name)
        except NoSuchTableError:
            # A resource that was never loaded has no feed, and there is nothing wrong with that.
            if name[0] == tables.NAMESPACE:
                found.append(Finding("table-absent", title))
            continue
        except _UNREADABLE as error:
            found.append(Finding("metadata-lost", title, detail=type(error).__name__))
            continue
        found += _Inspection(room, table, table.properties.get(PREFIX + "resource", title), deep, now).findings()
    return found


@dataclass(slots=True)
class _Inspection:
    """The look at one table."""

    room: Room
    table: Table
    resource: str
    deep: bool
    now: datetime
    found: list[Finding] = field(default_factory=list)

    def findings(self) -> list[Finding]:
        listed = [one for name in folders(self.table) for one in self.room.storage.list(name)]
        sizes = {one.location: one.size_bytes for one in listed}
        whole = self._lists(sizes)
        if whole:
            files = self._current()
            self._orphans(listed)
            if files is not None:
                self._data(files, sizes)
                self._totals(files)
                if self.deep and not self.found:
                    self._rows(files)
        loads = list(infos(self.table))
        self._quarantine(loads)
        self._cursors(loads)
        if self.table.name()[-2] == tables.NAMESPACE:
            self._feed(loads)
        return self.found

    def say(self, code: str, place: object = "", detail: str = "") -> None:
        self.found.append(Finding(code, self.resource, str(place), detail))

    def _lists(self, sizes: Mapping[str, int]) -> bool:
        """Whether every list of every snapshot that is kept can be read; the files they name are there in any case."""
        whole, seen = True, set[str]()
        for snapshot in self.table.metadata.snapshots:
            try:
                manifests = snapshot.manifests(self.table.io)
                if self.room.storage.known(snapshot.manifest_list) not in sizes:
                    raise FileNotFoundError(snapshot.manifest_list)
            except _UNREADABLE:
                self.say("list-lost", snapshot.manifest_list)
                whole = False
                continue
            for manifest in manifests:
                path = manifest.manifest_path
                if path in seen:
                    continue
                seen.add(path)
                if sizes.get(self.room.storage.known(path)) != manifest.manifest_length:
                    self.say("manifest-lost", path)
                    whole = False
                    continue
                try:
                    entries = manifest.fetch_manifest_entry(self.table.io)
                except _UNREADABLE:
                    self.say("manifest-lost", path)
                    whole = False
                    continue
                for file in (e.data_file for e in entries if e.data_file.file_path not in seen):
                    seen.add(file.file_path)
                    self._size(file, sizes)
        return whole

    def _size(self, file: DataFile, sizes: Mapping[str, int]) -> None:
        size = sizes.get(self.room.storage.known(file.file_path))
        if size is None:
            self.say("file-lost", file.file_path)
        elif size != file.file_size_in_bytes:
            self.say("file-size", file.file_path, f"{size} ≠ {file.file_size_in_bytes}")

    def _current(self) -> list[FileOfRows] | None:
        try:
            return tables.files_of(self.table, self.resource, self.table.metadata.current_snapshot_id)
        except _UNREADABLE:
            return None  # A delete file is lost, which was said already.

    def _orphans(self, listed: Sequence[Stored]) -> None:
        for _ in may_land(self.table, listed):
            self.say("attempt-open")
        limit = self.now - timedelta(days=ORPHAN_DAYS)
        named = counted(self.room.storage, self.table, listed)
        old = [one for one in listed if one.location not in named and one.modified < limit]
        if old:
            self.say("orphans", detail=f"{len(old)}, {sum(one.size_bytes for one in old)} B")

    def _data(self, files: Sequence[FileOfRows], sizes: Mapping[str, int]) -> None:
        for file in files:
            if sizes.get(self.room.storage.known(file.location)) != file.data_file.file_size_in_bytes:
                continue
            try:
                with self.table.io.new_input(file.location).open() as stream:
                    footer = pq.read_metadata(stream)
            except _UNREADABLE:
                self.say("file-unreadable", file.location)
                continue
            self._footer(file, footer)
        self._deletes(files)

    def _footer(self, file: FileOfRows, footer: pq.FileMetaData) -> None:
        if footer.num_rows != file.records:
            self.say("file-rows", file.location, f"{footer.num_rows} ≠ {file.records}")
        known = {f.field_id for f in self.table.schema().fields}
        if any(marked not in known for marked in field_ids(footer).values()):
            self.say("file-columns", file.location)
            return
        entry = entry_of(self.table.metadata, footer, file.location, file.data_file.file_size_in_bytes)
        for mine, theirs in (
            (entry.lower_bounds, file.data_file.lower_bounds),
            (entry.upper_bounds, file.data_file.upper_bounds),
        ):
            if {k: bytes(v) for k, v in (mine or {}).items()} != {k: bytes(v) for k, v in (theirs or {}).items()}:
                self.say("file-bounds", file.location)
                break
        if not self._sorted(footer):
            self.say("file-unsorted", file.location)

    def _sorted(self, footer: pq.FileMetaData) -> bool:
        """Whether row groups follow each other in the order of the first sort column, as far as bounds tell."""
        order = self.table.sort_order().fields
        names = [name for name, marked in field_ids(footer).items() if order and marked == order[0].source_id]
        if not names:
            return True
        at = list(field_ids(footer)).index(names[0])
        groups = [footer.row_group(i).column(at).statistics for i in range(footer.num_row_groups)]
        known = [g for g in groups if g is not None and g.has_min_max]
        return all(a.max <= b.min for a, b in pairwise(known))

    def _deletes(self, files: Sequence[FileOfRows]) -> None:
        records = {f.location: f.records for f in files}
        for location in {d.file_path for f in files for d in f.delete_files}:
            try:
                with self.table.io.new_input(location).open() as stream:
                    rows = pq.read_table(stream, columns=["file_path", "pos"])
            except _UNREADABLE:
                self.say("file-unreadable", location)
                continue
            places = rows.group_by("file_path").aggregate([("pos", "max"), ("pos", "min")]).to_pylist()
            unique = rows.group_by(["file_path", "pos"]).aggregate([]).num_rows == rows.num_rows
            # Places in files that are no longer of the table are no fault: they went with their file.
            beyond = any(
                p["pos_min"] < 0 or p["pos_max"] >= records.get(p["file_path"], p["pos_max"] + 1) for p in places
            )
            if beyond or not unique:
                self.say("deletes-wrong", location)

    def _totals(self, files: Sequence[FileOfRows]) -> None:
        for snapshot in lineage(self.table):
            told = summary_of(snapshot).get(PREFIX + "total")
            rows = sum(f.rows for f in files)
            if told is not None and int(told) != rows:
                self.say("total-wrong", snapshot.snapshot_id, f"{rows} ≠ {told}")
            # Upkeep by another engine changes no row, so what the newest snapshot of ours tells still holds.
            if told is not None or UPKEEP in summary_of(snapshot):
                return

    def _rows(self, files: Sequence[FileOfRows]) -> None:
        """Read everything once: it decodes, keys are unique, and rows are in order within each file."""
        schema = self.table.schema()
        order = [schema.find_field(s.source_id).name for s in self.table.sort_order().fields]
        with self.room.session(self.room.scratch) as con:
            for file in files:
                try:
                    if order and not self._in_order(con, file, order):
                        self.say("file-unsorted", file.location)
                    columns = ", ".join(
                        f"count({sql.name(f.name)}), max(hash({sql.name(f.name)}))" for f in schema.fields
                    )
                    con.execute(f"SELECT {columns} FROM {read_files(schema, [file])}").fetchone()
                except duckdb.Error:
                    self.say("file-unreadable", file.location)
                    return
            key = [k for k in self.table.properties.get(PREFIX + "key", "").split(",") if k]
            if not key:
                return
            twice = sql.scalar(
                con,
                f"SELECT count(*) FROM (SELECT {sql.names(key)} FROM {read_files(schema, files, live=True)} "
                f"GROUP BY ALL HAVING count(*) > 1)",
            )
            if twice:
                self.say("key-twice", ", ".join(key), str(twice))

    def _in_order(self, con: duckdb.DuckDBPyConnection, file: FileOfRows, order: Sequence[str]) -> bool:
        rows = read_files(self.table.schema(), [file], filename=True)
        key = f"row({sql.names(order)})"
        return not sql.scalar(
            con,
            f"SELECT count(*) FROM (SELECT {key} < lag({key}) OVER (ORDER BY file_row_number) AS back FROM {rows}) "
            f"WHERE back",
        )

    def _quarantine(self, loads: Sequence[SnapshotInfo]) -> None:
        for load in loads:
            if not load.quarantine:
                continue
            location = self.room.storage.location(load.quarantine)
            told = hashlib.sha256()
            try:
                with self.room.storage.open_read(location) as stream:
                    while chunk := stream.read(_CHUNK_BYTES):
                        told.update(chunk)
            except FileNotFoundError:
                self.say("quarantine-lost", location)
                continue
            if not sql.same_digest(told.hexdigest(), load.quarantine_digest):
                self.say("quarantine-altered", location)

    def _cursors(self, loads: Sequence[SnapshotInfo]) -> None:
        for newer, older in pairwise(loads):
            # A load of a range of the past leaves the cursor where it was, and says so; a whole one may set it back.
            if _before(newer.cursor, older.cursor) and not {"window", replay.WHOLE} & newer.facts.keys():
                self.say("cursor-backwards", newer.snapshot_id)

    def _feed(self, loads: Sequence[SnapshotInfo]) -> None:
        told = loads[0].facts.get(feeds.LAST) if loads else None
        if told is None:
            return
        try:
            feed = feeds.find(self.room.catalog, self.resource)
            ends = feeds.last(feed) if feed is not None else 0
            rows = 0
            if feed is not None:
                rows = sum(f.rows for f in tables.files_of(feed, self.resource, feed.metadata.current_snapshot_id))
        except _UNREADABLE:
            return  # The look at the feed itself says so.
        if ends != int(told):
            self.say("feed-apart", loads[0].snapshot_id, f"{ends} ≠ {told}")
        elif rows != ends:
            self.say("feed-gap", detail=f"{rows} ≠ {ends}")


def _before(one: str | None, other: str | None) -> bool:
    """Whether a cursor comes before another: as numbers, as times, or else as text."""
    if one is None or other is None:
        return other is not None
    try:
        return int(one) < int(other)
    except ValueError:
        pass
    try:
        return datetime.fromisoformat(one) < datetime.fromisoformat(other)
    except (ValueError, TypeError):
        return one < other
