"""What an auditor is handed, as files: rows, issuers and figures, and the manifest that holds them together.

    rows.ndjson    a licence on each line, and nothing of its holder
    issuers.json   by unified social credit code: kinds, and from when until when certificates and seals held
    totals.json    the published figures with their log entry and its proof; or figures alone, as an auditor types them
    status/        the newest token of each status list; status-history/ all of them
    seals/         the published register of seals, every version
    log/           the log's checkpoint and tiles
    manifest.json  SHA-256 and size of each file

What is wrong with the population is found by `licence.population.auditing`; here only the form is judged. The manifest
says that nothing was lost on the way; what is true is said by the log, whose keys the auditor has pinned.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from audit.entry import Entry
from audit.errors import AuditError
from audit.proof import LogProof
from licence import jose
from licence.errors import FormatError
from licence.population.model import Issuer, LicenceRow, Totals

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from audit.notes import Verifier
    from audit.verifiers import Trust

MANIFEST_FORMAT: Final = "zhengtong-audit-folder/1"
TOTALS_FORMAT: Final = "zhengtong-licence-totals/1"
TOTALS_ENTRY: Final = "licence.totals"
ROWS, ISSUERS, TOTALS, MANIFEST = "rows.ndjson", "issuers.json", "totals.json", "manifest.json"
STATUS, HISTORY, LOG = "status", "status-history", "log"
MAX_LINE_BYTES: Final = 4096
MAX_FILE_BYTES: Final = 64 * 1024 * 1024
_CHUNK: Final = 1 << 20
_NAMES: Final = frozenset({
    "identifier", "kind", "issuer", "state", "status_uri", "status_index", "credential_digest", "log_index",
    "issued_at", "valid_until", "changed_at",
})  # fmt: skip
_FIGURES: Final = frozenset({"issued", "invalid", "suspended", "by_kind"})
_PATH: Final = re.compile(r"[0-9A-Za-z][0-9A-Za-z._-]*(?:/[0-9A-Za-z][0-9A-Za-z._-]*)*")


def row_line(row: LicenceRow) -> bytes:
    """A row as a line of ``rows.ndjson``; its holder's hash is left out."""
    plain = {
        "identifier": row.identifier,
        "kind": row.kind,
        "issuer": row.issuer,
        "state": row.state,
        "status_uri": row.status_uri,
        "status_index": row.status_index,
        "credential_digest": row.credential_digest,
        "log_index": row.log_index,
        "issued_at": row.issued_at.isoformat(),
        "valid_until": None if row.valid_until is None else row.valid_until.isoformat(),
        "changed_at": None if row.changed_at is None else row.changed_at.isoformat(),
    }
    return json.dumps(plain, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def read_rows(path: Path) -> Iterator[LicenceRow]:
    """The rows of a file, one after another: memory is that of one line.

    Raises:
        FormatError: ``audit_row_malformed`` with the line; OSError: it cannot be read.
    """
    with path.open("rb") as file:
        number = 0
        while line := file.readline(MAX_LINE_BYTES + 1):
            number += 1
            yield _row(line, number)


def write_issuers(issuers: Mapping[str, Issuer]) -> str:
    """``issuers.json``; deterministic."""
    plain = {
        uscc: {
            "kinds": sorted(one.kinds),
            "certificates": [[a.isoformat(), b.isoformat()] for a, b in one.certificates],
            "seals": [[a.isoformat(), b.isoformat()] for a, b in one.seals],
        }
        for uscc, one in sorted(issuers.items())
    }
    return json.dumps(plain, ensure_ascii=False, indent=1) + "\n"


def read_issuers(path: Path) -> dict[str, Issuer]:
    """Read what `write_issuers` wrote, or a person put together in the same form.

    Raises:
        FormatError: ``audit_file_malformed``; OSError: it cannot be read.
    """
    plain = _json(path)
    if not isinstance(plain, dict):
        raise _bad(path)
    found = {}
    for uscc, one in plain.items():
        if not isinstance(one, dict) or set(one) != {"kinds", "certificates", "seals"}:
            raise _bad(path)
        if not isinstance(one["kinds"], list) or not all(isinstance(kind, str) for kind in one["kinds"]):
            raise _bad(path)
        found[uscc] = Issuer(frozenset(one["kinds"]), _spans(one["certificates"], path), _spans(one["seals"], path))
    return found


def totals_facts(totals: Totals) -> dict[str, object]:
    """The facts of the log entry by which figures are published."""
    return {
        "issued": totals.issued,
        "invalid": totals.invalid,
        "suspended": totals.suspended,
        "by_kind": dict(sorted(totals.by_kind.items())),
    }


def write_totals(entry: bytes, proof: str) -> str:
    """``totals.json``: the figures as the log has them, and the proof that it has."""
    plain = {"format": TOTALS_FORMAT, "entry": entry.decode("utf-8"), "proof": proof}
    return json.dumps(plain, ensure_ascii=False, indent=1) + "\n"


def read_totals(path: Path, log_verifiers: Trust | Sequence[Verifier]) -> Totals:
    """The published figures: with a proof, which must hold; or the bare figures, which are the auditor's own word.

    Raises:
        FormatError: malformed, or the proof does not hold; OSError: it cannot be read.
    """
    plain = _json(path)
    if not isinstance(plain, dict):
        raise _bad(path)
    if "format" not in plain:
        return _figures(plain, path)
    if set(plain) != {"format", "entry", "proof"} or plain["format"] != TOTALS_FORMAT:
        raise _bad(path)
    if not isinstance(plain["entry"], str) or not isinstance(plain["proof"], str):
        raise _bad(path)
    try:
        data = plain["entry"].encode()
        LogProof.from_text(plain["proof"]).verify(data, log_verifiers)
        entry = Entry.decode(data)
    except (AuditError, ValueError, TypeError):
        raise FormatError("log_proof_invalid", sub_indication="LOG_PROOF_INVALID") from None
    if entry.kind != TOTALS_ENTRY:
        raise FormatError("log_entry_wrong_kind", sub_indication="LOG_PROOF_INVALID", expected=TOTALS_ENTRY)
    return _figures(dict(entry.facts), path)


@dataclass(frozen=True, slots=True)
class Manifest:
    """What is in a folder that was handed over: path → (SHA-256 in hex, bytes); *at* is when it was made."""

    at: datetime
    files: Mapping[str, tuple[str, int]]

    def to_json(self) -> str:
        """The text of ``manifest.json``; deterministic."""
        files = {path: {"sha256": digest, "size": size} for path, (digest, size) in sorted(self.files.items())}
        plain = {"format": MANIFEST_FORMAT, "at": self.at.isoformat(), "files": files}
        return json.dumps(plain, ensure_ascii=False, indent=1) + "\n"

    @classmethod
    def of(cls, folder: Path, at: datetime) -> Manifest:
        """The manifest of everything in *folder*."""
        paths = sorted(p for p in folder.rglob("*") if p.is_file() and p != folder / MANIFEST)
        return cls(at, {p.relative_to(folder).as_posix(): _hash(p) for p in paths})

    @classmethod
    def read(cls, folder: Path) -> Manifest:
        """Read the manifest of *folder*; nothing is compared yet.

        Raises:
            FormatError: ``audit_file_malformed``; OSError: it cannot be read.
        """
        path = folder / MANIFEST
        plain = _json(path)
        if not isinstance(plain, dict) or set(plain) != {"format", "at", "files"} or plain["format"] != MANIFEST_FORMAT:
            raise _bad(path)
        if not isinstance(plain["files"], dict):
            raise _bad(path)
        files = {}
        for name, one in plain["files"].items():
            if not _PATH.fullmatch(name) or not isinstance(one, dict) or set(one) != {"sha256", "size"}:
                raise _bad(path)
            if not isinstance(one["sha256"], str) or not isinstance(one["size"], int):
                raise _bad(path)
            files[name] = (one["sha256"], one["size"])
        return cls(_time(plain["at"], path), files)

    def differing(self, folder: Path) -> list[str]:
        """The files that are missing, altered, or too many, by their paths."""
        there = Manifest.of(folder, self.at).files
        return sorted(p for p in self.files.keys() | there.keys() if self.files.get(p) != there.get(p))


def _row(line: bytes, number: int) -> LicenceRow:
    try:
        plain = json.loads(line) if len(line) <= MAX_LINE_BYTES else None
        if not isinstance(plain, dict) or plain.keys() != _NAMES:
            raise _bad_row(number)
        texts = [plain[n] for n in ("identifier", "kind", "issuer", "state", "status_uri", "credential_digest")]
        index, place = plain["log_index"], plain["status_index"]
        if not all(isinstance(t, str) for t in texts) or type(place) is not int or type(index) not in {int, type(None)}:
            raise _bad_row(number)
        return LicenceRow(
            plain["identifier"],
            plain["kind"],
            plain["issuer"],
            "",
            plain["state"],
            plain["status_uri"],
            place,
            plain["credential_digest"],
            index,
            _aware(plain["issued_at"]),
            None if plain["valid_until"] is None else _aware(plain["valid_until"]),
            None if plain["changed_at"] is None else _aware(plain["changed_at"]),
        )
    except (ValueError, TypeError, OverflowError, RecursionError):
        raise _bad_row(number) from None


def _figures(plain: Mapping[str, Any], path: Path) -> Totals:
    by_kind = plain.get("by_kind", {})
    if not set(plain) <= _FIGURES or not isinstance(by_kind, dict):
        raise _bad(path)
    figures = [plain.get(name) for name in ("issued", "invalid", "suspended")]
    if not all(type(n) is int for n in by_kind.values()) or not all(n is None or type(n) is int for n in figures):
        raise _bad(path)
    issued, invalid, suspended = figures
    return Totals(issued, invalid, suspended, by_kind)


def _spans(value: object, path: Path) -> tuple[tuple[datetime, datetime], ...]:
    if not isinstance(value, list) or not all(isinstance(one, list) and len(one) == 2 for one in value):  # noqa: PLR2004 - from, until
        raise _bad(path)
    return tuple((_time(a, path), _time(b, path)) for a, b in value)


def _time(value: object, path: Path) -> datetime:
    try:
        return _aware(value)
    except (ValueError, TypeError, OverflowError):
        raise _bad(path) from None


def _aware(value: object) -> datetime:
    if not isinstance(value, str):
        raise TypeError
    found = datetime.fromisoformat(value)
    if found.utcoffset() is None:
        raise ValueError
    return found.astimezone(UTC)


def _json(path: Path) -> object:
    with path.open("rb") as file:
        data = file.read(MAX_FILE_BYTES + 1)
    if len(data) > MAX_FILE_BYTES:
        raise FormatError("too_large", what=path.name, limit=MAX_FILE_BYTES)
    return jose.strict_json(data, path.name)


def _hash(path: Path) -> tuple[str, int]:
    digest, size = hashlib.sha256(), 0
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
            size += len(chunk)
    return digest.hexdigest(), size


def _bad(path: Path) -> FormatError:
    return FormatError("audit_file_malformed", name=path.name)


def _bad_row(number: int) -> FormatError:
    return FormatError("audit_row_malformed", line=number)
