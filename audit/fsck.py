"""Checks a whole log from its entries: every bundle, every tile, the root, the signature, the journal.

Needs the files and the public keys, no signer and no lock; repairing is left to a person.

1. the checkpoint is opened with the trusted keys;
2. every bundle is hashed anew and compared with its tile of leaf hashes, and so each level with the one above;
3. older partial tiles and bundles, kept for older checkpoints, must be beginnings of the present ones;
4. the root of what was read must be the signed one;
5. the journal must be whole, and where it overlaps the published entries, the same;
6. where witnesses are demanded, enough of them must have cosigned this tree, or an earlier state of it.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from . import tree
from .checkpoint import Checkpoint, parse_unverified
from .entry import Entry
from .errors import CheckpointInvalidError, EntryInvalidError, LogDamagedError, ProofInvalidError
from .journal import Journal
from .tiles import (
    TILE_BYTES,
    TILE_HEIGHT,
    TILE_WIDTH,
    TileFolder,
    bundle_path,
    encode_entries,
    levels_of,
    tile_path,
    width_at,
)
from .verifiers import as_trust
from .witnessed import FILE as WITNESSED
from .witnessed import check_witnessed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from .notes import Verifier
    from .verifiers import Trust

# Past this many a person restores the folder rather than reads on.
MAX_FAULTS = 1000

FAULTS: dict[str, tuple[str, str]] = {
    "checkpoint_missing": ("There is no readable checkpoint.", "没有可读的检查点。"),
    "checkpoint_invalid": ("The checkpoint cannot be trusted: {problem}", "检查点不可信：{problem}"),
    "file_damaged": ("A file cannot be used: {problem}", "文件不可用：{problem}"),
    "entry_altered": ("Entry {index} is not the one that was logged.", "第 {index} 号条目不是当初记录的内容。"),
    "tile_altered": ("The tile does not hold the hashes of what is below it.", "该哈希块与其下层内容不符。"),
    "partial_altered": (
        "The older partial file is no beginning of the present one.",
        "旧的部分文件不是现有文件的开头。",
    ),
    "root_mismatch": (
        "The entries give another root than the checkpoint of size {size}.",
        "由条目算得的根与规模 {size} 的检查点不符。",
    ),
    "journal_damaged": ("The journal is damaged: {problem}", "日志流水损坏：{problem}"),
    "journal_differs": (
        "Entry {index} of the journal is not the published one.",
        "流水中的第 {index} 号条目与已发布的不同。",
    ),
    "witnesses_missing": ("Not enough witnesses cosigned it: {problem}", "见证不足：{problem}"),
    "witnesses_differ": (
        "What the witnesses cosigned is not the beginning of this log: {problem}",
        "见证方联署的内容不是本日志的开头：{problem}",
    ),
    "too_many": ("More than {limit} faults; the rest is left out.", "超过 {limit} 处问题，其余从略。"),
}

# The canonical form of an entry, as far as counting kinds needs it, for one without a backslash: then every quote ends
# a text, and the last ``},"kind":"`` is where the facts end. The facts, which may be long, are not looked at. What does
# not match is decoded in full.
_BEFORE = re.compile(rb'\{"actor":"[^"]*","at":"[^"]{26}Z","body_digest":"[^"]*","facts":\{')
_KIND_AT = b'},"kind":"'
_AFTER = re.compile(rb'\},"kind":"([^"]+)","purpose":"[^"]*","resource":"[^"]*","subject":"[^"]*"\}')
_KIND = re.compile(rb"[a-z0-9_.]+")


@dataclass(frozen=True, slots=True)
class LogFault:
    """One thing wrong: *code* is a key of `FAULTS`, *where* a file of the log."""

    code: str
    where: str
    params: tuple[tuple[str, str], ...] = ()

    def text(self, lang: str) -> str:
        """``where: sentence`` in *lang*."""
        return f"{self.where}: " + FAULTS[self.code][lang == "zh"].format(**dict(self.params))


@dataclass(frozen=True, slots=True)
class LogReport:
    """What a check found. *root* is recomputed from the entries, not the signed one; no faults means all is well.

    *entries_by_kind* counts published entries; those that are no `Entry` are under "". *unpublished* entries are
    whole in the journal but no checkpoint covers them yet. *witnessed* is the size of the newest checkpoint that enough
    witnesses cosigned, None where none were demanded or too few did.
    """

    size: int
    root: bytes
    faults: tuple[LogFault, ...]
    entries_by_kind: Mapping[str, int]
    unpublished: int = 0
    witnessed: int | None = None


@dataclass(slots=True)
class _Check:
    folder: Path
    checkpoint: Checkpoint
    tiles: TileFolder
    faults: list[LogFault] = field(default_factory=list)
    kinds: Counter[bytes] = field(default_factory=Counter)
    # Per level the packed hashes of the tile under way, recomputed from below.
    edges: list[bytearray] = field(default_factory=list)
    # A bundle that is wrong, and the tiles above it: that they differ is no second fault.
    tainted: set[tuple[int, int]] = field(default_factory=set)

    def fault(self, code: str, where: str, **params: object) -> None:
        if len(self.faults) < MAX_FAULTS:
            self.faults.append(LogFault(code, where, tuple((k, str(v)) for k, v in params.items())))
        elif len(self.faults) == MAX_FAULTS:
            self.faults.append(LogFault("too_many", ".", (("limit", str(MAX_FAULTS)),)))

    def taint(self, bundle: int) -> None:
        for level in range(len(self.edges)):
            self.tainted.add((level, bundle >> TILE_HEIGHT * level))


def check_log(folder: Path, verifiers: Trust | Sequence[Verifier]) -> LogReport:
    """Check the log in *folder* against what *verifiers* signed, recomputing everything from the entries.

    With a quorum of witnesses (`Trust`) the published checkpoint may be newer than the one they cosigned.

    Never raises for what is in the files: that is what the report is for. Memory is flat in the size of the log.
    While others append and publish, it checks the checkpoint that stood when it began.
    """
    check = _Check(folder, Checkpoint("?", 0, tree.EMPTY_ROOT), TileFolder(folder))
    trust = as_trust(verifiers)
    _check_checkpoint(check, trust.without_witnesses())  # Step 1.
    size = check.checkpoint.size
    check.edges = [bytearray() for _ in range(levels_of(size))]
    for index in range((size + TILE_WIDTH - 1) // TILE_WIDTH):  # Steps 2 and 3.
        _check_bundle(check, index)
    for level, edge in enumerate(check.edges):
        if edge and level:
            _check_tile(check, level, (size >> TILE_HEIGHT * level) // TILE_WIDTH)
    root = _root(check.edges)  # Step 4.
    if root != check.checkpoint.root:
        check.fault("root_mismatch", "checkpoint", size=size)
    else:
        # The entries give the signed root: what differed from them was the tile.
        check.faults = [_blame_tile(fault) for fault in check.faults]
    unpublished = _check_journal(check)  # Step 5.
    witnessed = _check_witnesses(check, trust)  # Step 6.
    kinds = {kind.decode(): count for kind, count in sorted(check.kinds.items())}
    return LogReport(size, root, tuple(check.faults), kinds, unpublished, witnessed)


def _blame_tile(fault: LogFault) -> LogFault:
    if fault.code != "entry_altered":
        return fault
    return LogFault("tile_altered", fault.where.replace("tile/entries/", "tile/0/", 1))


def _check_checkpoint(check: _Check, trust: Trust) -> None:
    try:
        note = (check.folder / "checkpoint").read_bytes().decode()
    except (OSError, UnicodeDecodeError):
        check.fault("checkpoint_missing", "checkpoint")
        return
    try:
        check.checkpoint = trust.open(note)
    except CheckpointInvalidError as error:
        check.fault("checkpoint_invalid", "checkpoint", problem=error)
    else:
        return
    # The rest can still be checked against what the checkpoint claims, as far as files of that size are there:
    # a forged size must not send us through billions of missing bundles.
    try:
        claimed = parse_unverified(note)
    except CheckpointInvalidError:
        return
    last = max(0, claimed.size - 1) // TILE_WIDTH
    if claimed.size and any(
        (check.folder / path).exists()
        for path in (bundle_path(last), bundle_path(last, width_at(0, last, claimed.size)))
    ):
        check.checkpoint = claimed


def _check_bundle(check: _Check, index: int) -> None:
    """One bundle and its tile of leaf hashes; what the entries give goes on to the level above."""
    size = check.checkpoint.size
    width = width_at(0, index, size)
    kept = _tile_on_disk(check, 0, index)
    try:
        entries = check.tiles.entries(index, size)
    except LogDamagedError as error:
        check.fault("file_damaged", str(error.params["where"]), problem=error.params["problem"])
        # The tile stands in for the entries, so that one lost bundle is one fault.
        _grow(check, index, kept or b"")
        check.taint(index)
        return
    hashes = tree.leaf_hashes(entries)
    _count_kinds(check, entries)
    _check_partials(check, bundle_path(index), width, lambda w: encode_entries(entries[:w]))
    if kept is not None and kept != hashes:
        if _parent_holds(check, index, hashes):
            check.fault("tile_altered", tile_path(0, index, width))
        else:
            step = tree.HASH_BYTES
            at = next(i for i in range(width) if kept[i * step : (i + 1) * step] != hashes[i * step : (i + 1) * step])
            check.fault("entry_altered", bundle_path(index, width), index=index * TILE_WIDTH + at)
            check.taint(index)
    _grow(check, index, hashes)


def _parent_holds(check: _Check, index: int, hashes: bytes) -> bool:
    """Whether the tile above has the hash that the entries of this bundle give; a partial bundle has none above."""
    if len(hashes) < TILE_BYTES:
        return False
    try:
        return check.tiles.reader(check.checkpoint.size)(TILE_HEIGHT, index) == tree.fold(hashes)
    except LogDamagedError:
        return False


def _grow(check: _Check, index: int, hashes: bytes) -> None:
    """Hand the leaf hashes of bundle *index* up, closing each level whose tile is full."""
    check.edges[0] += hashes
    level = 0
    width = width_at(0, index, check.checkpoint.size)
    while width == TILE_WIDTH:
        packed = bytes(check.edges[level])
        if level:
            _check_tile(check, level, index)
        check.edges[level].clear()
        # A hash that cannot be known holds its place, so that those after it stay in theirs.
        check.edges[level + 1] += tree.fold(packed) if len(packed) == TILE_BYTES else bytes(tree.HASH_BYTES)
        level, at = level + 1, index % TILE_WIDTH
        index //= TILE_WIDTH
        width = at + 1


def _check_tile(check: _Check, level: int, index: int) -> None:
    kept = _tile_on_disk(check, level, index)
    if kept is not None and kept != check.edges[level] and (level, index) not in check.tainted:
        check.fault("tile_altered", tile_path(level, index, width_at(level, index, check.checkpoint.size)))


def _tile_on_disk(check: _Check, level: int, index: int) -> bytes | None:
    """The tile, or None when it cannot be read; its older partial forms are checked on the way."""
    size = check.checkpoint.size
    try:
        kept = check.tiles.read_tile(level, index, size)
    except LogDamagedError as error:
        check.fault("file_damaged", str(error.params["where"]), problem=error.params["problem"])
        return None
    width = width_at(level, index, size)
    _check_partials(check, tile_path(level, index), width, lambda w: kept[: w * tree.HASH_BYTES])
    return kept


def _check_partials(check: _Check, full: str, width: int, beginning: Callable[[int], bytes]) -> None:
    """Older partial files of *full*. Wider ones than *width* were left by a crash and are covered by no checkpoint."""
    folder = check.folder / f"{full}.p"
    if not folder.is_dir():
        return
    for name in sorted(file.name for file in folder.iterdir()):
        if name.isascii() and name.isdecimal() and 0 < int(name) <= width:
            path = f"{full}.p/{name}"
            try:
                same = (check.folder / path).read_bytes() == beginning(int(name))
            except FileNotFoundError:
                continue  # Removed by a publisher since it was listed.
            except OSError as error:
                check.fault("file_damaged", path, problem=error.strerror)
                continue
            if not same:
                check.fault("partial_altered", path)


def _count_kinds(check: _Check, entries: Sequence[bytes]) -> None:
    kinds = check.kinds
    before, after = _BEFORE.match, _AFTER.fullmatch
    for entry in entries:
        at = entry.rfind(_KIND_AT)
        found = after(entry, at) if at > 0 and b"\\" not in entry and before(entry, 0, at) else None
        kind = found[1] if found else _kind(entry)
        if kind not in kinds and not _KIND.fullmatch(kind):
            kind = b""
        kinds[kind] += 1


def _kind(entry: bytes) -> bytes:
    try:
        return Entry.decode(entry).kind.encode()
    except EntryInvalidError:
        return b""


def _root(edges: Sequence[bytearray]) -> bytes:
    """The root over the right edge: what a level holds, followed by the smaller subtree that the levels below give."""
    below = b""
    for edge in edges:
        if edge or below:
            below = tree.fold(bytes(edge) + below)
    return below or tree.EMPTY_ROOT


def _check_journal(check: _Check) -> int:
    """How many whole entries the journal holds beyond the checkpoint. An auditor's copy may have no journal."""
    path, size = check.folder / "journal", check.checkpoint.size
    if not path.exists():
        return 0
    try:
        journal = Journal(path, writable=False)
    except LogDamagedError as error:
        check.fault("journal_damaged", "journal", problem=error.params["problem"])
        return 0
    try:
        end = journal.refresh(exclusive=False)
        if journal.base > size:
            _check_base(check, journal.base)
            return 0
        if end < size:
            check.fault("journal_damaged", "journal", problem=f"it ends at entry {end}, and {size} are published")
        kept = journal.entries(journal.base, min(end, size)) or ()
        published: list[bytes] = []
        for index, entry in enumerate(kept, journal.base):
            bundle, at = divmod(index, TILE_WIDTH)
            if (0, bundle) in check.tainted:
                continue
            if not published or at == 0:
                published = check.tiles.entries(bundle, size)
            if entry != published[at]:
                check.fault("journal_differs", "journal", index=index)
    except LogDamagedError as error:
        check.fault("journal_damaged", str(error.params["where"]), problem=error.params["problem"])
        return 0
    finally:
        journal.close()
    return max(0, end - size)


def _check_witnesses(check: _Check, trust: Trust) -> int | None:
    if trust.quorum is None:
        return None
    try:
        return check_witnessed(check.folder, check.checkpoint, trust).size
    except CheckpointInvalidError as error:
        check.fault("witnesses_missing", "checkpoint", problem=error.params["problem"])
    except ProofInvalidError as error:
        check.fault("witnesses_differ", WITNESSED, problem=error.params["problem"])
    except LogDamagedError as error:
        check.fault("file_damaged", str(error.params["where"]), problem=error.params["problem"])
    return None


def _check_base(check: _Check, base: int) -> None:
    """A journal that begins past our checkpoint is right if others have published meanwhile."""
    try:
        now = parse_unverified((check.folder / "checkpoint").read_bytes().decode()).size
    except (OSError, ValueError, CheckpointInvalidError):
        now = check.checkpoint.size
    if base > now:
        check.fault("journal_damaged", "journal", problem=f"it begins at entry {base}, and {now} are published")
