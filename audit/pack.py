"""Evidence packs: what an auditor hands on about some entries, in one file that any machine can check by itself.

A pack holds entries with their proofs, the signed checkpoint that these lead to, and as far as the auditor may hand
them on the bodies behind the entries, the versions of the list they name, receipts, keys, and a page for people. What
may be handed on is left to the callers; the archive, to `audit.packfile`; the page, to `audit.packpage`.

=====================  ================================================================================================
``pack.json``          the format; whether bodies were left out on purpose; what was asked for and by whom (claims)
``checkpoint``         the signed note, with its cosignatures
``entries/N.json``     entry N, the very bytes that are the leaf
``entries/N.proof``    its proof (C2SP tlog-proof)
``bodies/N.json``      its body and salt, unless left out or erased
``terms/HEX.json``     what bodies have in common and name by its digest, ``sha256:HEX``, with its salt
``lists/HEX.json``     a list that an entry names: SHA-256 of the file is HEX
``receipts/HEX.json``  a receipt, as its holder gave it: SHA-256 of the file is HEX
``keys/NAME.vkey``     public keys, to be compared with those one has
``summary.html``       the page
``SHA256SUMS``         of all the others
=====================  ================================================================================================

A pack proves that what it holds was logged. That nothing else was, it cannot prove.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

from .canonical import encode
from .entry import Entry, seal_body
from .errors import AuditError, CheckpointInvalidError, InputInvalidError
from .expiry import fate_of
from .packfile import PackUnreadableError, read, write
from .packpage import page
from .packreport import PackFault, PackReport
from .proof import LogProof
from .tree import leaf_hash, verify_inclusion
from .verifiers import Trust, read_verifier

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .checkpoint import Checkpoint
    from .notes import Verifier

FORMAT: Final = "zhengtong.cn/evidence-pack@v1"
_ENTRY: Final = re.compile(r"entries/(0|[1-9][0-9]{0,18})\.json")
_TERMS: Final = re.compile(r"terms/([0-9a-f]{64})\.json")
_LIST: Final = re.compile(r"lists/([0-9a-f]{64})\.json")
_RECEIPT: Final = re.compile(r"receipts/([0-9a-f]{64})\.json")
_KEY: Final = re.compile(r"keys/[a-z0-9-]{1,40}\.vkey")
LOG_KEY: Final = "keys/log.vkey"


@dataclass(frozen=True, slots=True)
class Contents:
    """What a pack holds. *entries*, their *proofs* and *bodies* are by index, *lists* by version (``sha256:…``).

    *bodies* and *terms*, the latter by digest, are files as `body_file` writes them. *asked* and *by* are told to the
    reader and proven by nothing.
    """

    note: str
    entries: Mapping[int, bytes]
    proofs: Mapping[int, LogProof]
    keys: Mapping[str, str]
    bodies: Mapping[int, bytes] = field(default_factory=dict)
    withheld: bool = False
    terms: Mapping[str, bytes] = field(default_factory=dict)
    lists: Mapping[str, bytes] = field(default_factory=dict)
    receipts: Sequence[bytes] = ()
    asked: Mapping[str, Any] = field(default_factory=dict)
    by: str = ""


def body_file(salt: bytes, body: Mapping[str, Any]) -> bytes:
    """A body and its salt as a file of a pack. Raises: CanonicalError."""
    return encode({"body": body, "salt": salt.hex()})


def make_pack(contents: Contents) -> bytes:
    """The pack of *contents*: the same bytes for the same contents. Nothing is checked.

    Raises:
        PackTooLargeError: make several.
        EntryInvalidError: an entry is none.
    """
    return write(_files(contents))


def _files(contents: Contents) -> dict[str, bytes]:
    head = {"asked": contents.asked, "by": contents.by, "format": FORMAT, "withheld": contents.withheld}
    files = {"pack.json": encode(head), "checkpoint": contents.note.encode()}
    for index, data in contents.entries.items():
        files[f"entries/{index}.json"] = data
    for index, proof in contents.proofs.items():
        files[f"entries/{index}.proof"] = proof.to_text().encode()
    for index, body in contents.bodies.items():
        files[f"bodies/{index}.json"] = body
    for digest, data in contents.terms.items():
        files[f"terms/{digest.removeprefix('sha256:')}.json"] = data
    for version, data in contents.lists.items():
        files[f"lists/{version.removeprefix('sha256:')}.json"] = data
    for receipt in contents.receipts:
        files[f"receipts/{sha256(receipt).hexdigest()}.json"] = receipt
    for name, text in contents.keys.items():
        files[f"keys/{name}.vkey"] = f"{text}\n".encode()
    entries = {index: Entry.decode(data) for index, data in sorted(contents.entries.items())}
    files["summary.html"] = page(
        contents.note, entries, bodies=contents.bodies.keys(), withheld=contents.withheld, by=contents.by
    ).encode()
    sums = "".join(f"{sha256(files[name]).hexdigest()}  {name}\n" for name in sorted(files))
    return {**files, "SHA256SUMS": sums.encode()}


def check_pack(data: bytes, trust: Trust | None = None) -> PackReport:
    """Check everything that *data*, the bytes of a pack, claims. Never raises on whatever they hold.

    Without *trust* the log's key is taken out of the pack itself, and the report says that it proves nothing then.
    """
    return _Check(data, trust).run()


class _Check:
    """One check under way."""

    def __init__(self, data: bytes, trust: Trust | None) -> None:
        self._data = data
        self._trust = trust
        self._files: dict[str, bytes] = {}
        self._entries: dict[int, Entry] = {}
        self._known: set[str] = {"SHA256SUMS", "summary.html"}
        self._faults: list[PackFault] = []
        self._notes: list[PackFault] = []

    def run(self) -> PackReport:
        """The steps of a check, in their order."""
        checkpoint = None
        try:
            self._files = read(self._data)
            contents = self._contents()
            checkpoint = self._checkpoint(contents)
        except InputInvalidError as error:
            self._fault("unreadable", "", problem=str(error.params.get("problem", error)))
            return self._report(None)
        self._check_entries(contents, checkpoint)
        for index, body in contents.bodies.items():
            entry = self._entries.get(index)
            plain = self._check_body(f"bodies/{index}.json", body, entry.body_digest if entry else "")
            terms = str(plain.get("terms", "")) if isinstance(plain, dict) else ""
            if terms and terms not in contents.terms:
                self._note("terms_absent", f"bodies/{index}.json")
        for digest, body in contents.terms.items():
            self._check_body(f"terms/{digest.removeprefix('sha256:')}.json", body, digest)
        self._check_lists(contents)
        for receipt in contents.receipts:
            self._check_receipt(contents, receipt, checkpoint)
        for name in sorted(self._files.keys() - self._known):
            self._fault("file_unknown", name)
        if not self._faults:
            self._check_form(contents)
        return self._report(checkpoint)

    def _fault(self, code: str, where: str, **params: str) -> None:
        self._faults.append(PackFault(code, where, tuple(params.items())))

    def _note(self, code: str, where: str = "", **params: str) -> None:
        self._notes.append(PackFault(code, where, tuple(params.items())))

    def _report(self, checkpoint: Checkpoint | None) -> PackReport:
        return PackReport(
            faults=tuple(self._faults),
            notes=tuple(self._notes),
            entries=tuple(sorted(self._entries)),
            origin=checkpoint.origin if checkpoint else "",
            size=checkpoint.size if checkpoint else 0,
            pinned=self._trust is not None,
        )

    def _text(self, name: str) -> str:
        self._known.add(name)
        try:
            return self._files[name].decode()
        except (KeyError, UnicodeDecodeError) as error:
            raise PackUnreadableError(problem=f"`{name}` is missing, or no text") from error

    def _contents(self) -> Contents:
        """What the files say, read as strictly as it takes to write them again."""
        try:
            head = json.loads(self._text("pack.json"))
            asked, by, form, withheld = head["asked"], head["by"], head["format"], head["withheld"]
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise PackUnreadableError(problem="`pack.json` has another form") from error
        if form != FORMAT or not isinstance(asked, dict) or not isinstance(by, str) or not isinstance(withheld, bool):
            raise PackUnreadableError(problem=f"it is not of the format `{FORMAT}`")
        entries, proofs, bodies = {}, {}, {}
        for name in sorted(self._files):
            found = _ENTRY.fullmatch(name)
            if found is None:
                continue
            index = int(found[1])
            self._known.add(name)
            entries[index] = self._files[name]
            try:
                proofs[index] = LogProof.from_text(self._text(f"entries/{index}.proof"))
            except AuditError as error:
                self._fault("proof_invalid", name, problem=str(error.params.get("problem", "")))
            if f"bodies/{index}.json" in self._files:
                self._known.add(f"bodies/{index}.json")
                bodies[index] = self._files[f"bodies/{index}.json"]
        return Contents(
            note=self._text("checkpoint"),
            entries=dict(sorted(entries.items())),
            proofs=proofs,
            keys=self._keys(),
            bodies=bodies,
            withheld=withheld,
            terms={f"sha256:{hex_}": data for hex_, data in self._named(_TERMS)},
            lists={f"sha256:{hex_}": data for hex_, data in self._named(_LIST)},
            receipts=[data for _, data in self._named(_RECEIPT)],
            asked=asked,
            by=by,
        )

    def _named(self, form: re.Pattern[str]) -> list[tuple[str, bytes]]:
        found = [(match[1], name) for name in sorted(self._files) if (match := form.fullmatch(name))]
        self._known |= {name for _, name in found}
        return [(hex_, self._files[name]) for hex_, name in found]

    def _keys(self) -> dict[str, str]:
        found = {}
        for name in sorted(self._files):
            if _KEY.fullmatch(name):
                text = self._text(name).removesuffix("\n")
                found[name.removeprefix("keys/").removesuffix(".vkey")] = text
        return found

    def _checkpoint(self, contents: Contents) -> Checkpoint | None:
        keys: dict[str, Verifier] = {}
        for name, text in contents.keys.items():
            try:
                keys[name] = read_verifier(text)
            except AuditError as error:
                self._fault("key_invalid", f"keys/{name}.vkey", problem=str(error.params.get("problem", "")))
        trust = self._trust
        if trust is None:
            self._note("key_not_pinned")
            trust = Trust([keys["log"]] if "log" in keys else [])
        elif "log" in keys and keys["log"].key_id not in {key.key_id for key in trust.verifiers}:
            self._note("key_differs", LOG_KEY)
        try:
            return trust.open(contents.note)
        except CheckpointInvalidError as error:
            self._fault("checkpoint_invalid", "checkpoint", problem=str(error.params.get("problem", "")))
            return None

    def _check_entries(self, contents: Contents, checkpoint: Checkpoint | None) -> None:
        if not contents.entries:
            self._fault("empty", "entries")
        for index, data in contents.entries.items():
            name = f"entries/{index}.json"
            try:
                self._entries[index] = Entry.decode(data)
            except AuditError as error:
                self._fault("entry_invalid", name, problem=str(error.params.get("problem", "")))
                continue
            proof = contents.proofs.get(index)
            if proof is None or checkpoint is None:
                continue
            try:
                if (proof.index, proof.checkpoint, proof.extra) != (index, contents.note, b""):
                    raise CheckpointInvalidError(problem="it is of another entry, or leads to another checkpoint")
                verify_inclusion(leaf_hash(data), index, checkpoint.size, proof.path, checkpoint.root)
            except AuditError as error:
                self._fault("proof_invalid", f"entries/{index}.proof", problem=str(error.params.get("problem", "")))
        for index, entry in self._entries.items():
            if entry.body_digest and index not in contents.bodies:
                self._note_absent(index, entry, withheld=contents.withheld)

    def _note_absent(self, index: int, entry: Entry, *, withheld: bool) -> None:
        """Why the body of *entry* is not there, as far as the pack itself holds an entry that says so."""
        name = f"entries/{index}.json"
        fate = fate_of(index, entry, self._entries.items())
        if withheld or fate is None:
            self._note("body_withheld" if withheld else "body_gone", name)
            return
        code = fate.kind.replace("bodies.", "body_")
        self._note(code, name, on=fate.at.date().isoformat(), entry=str(fate.index))

    def _check_body(self, name: str, data: bytes, digest: str) -> object:
        """The body in the file *name*, None where it is not the one with this *digest*."""
        try:
            plain = json.loads(data)
            salt, body = bytes.fromhex(plain["salt"]), plain["body"]
            if body_file(salt, body) == data and seal_body(body, salt) == digest:
                found: object = body
                return found
        except (ValueError, KeyError, TypeError, RecursionError, InputInvalidError):
            pass
        self._fault("body_differs", name)
        return None

    def _check_lists(self, contents: Contents) -> None:
        for version, data in contents.lists.items():
            if sha256(data).hexdigest() != version.removeprefix("sha256:"):
                self._fault("list_differs", f"lists/{version.removeprefix('sha256:')}.json")
        for version in sorted({str(entry.facts.get("list_version", "")) for entry in self._entries.values()} - {""}):
            if version not in contents.lists:
                self._note("list_absent", version=version)

    def _check_receipt(self, contents: Contents, data: bytes, checkpoint: Checkpoint | None) -> None:
        """That a receipt is about an entry of the pack. Its signature is for who has the hub's answer key to check."""
        try:
            plain = json.loads(data)
            receipt = plain if "leaf" in plain else plain["receipt"]
            entry = contents.entries.get(receipt["entry"])
            same = encode(receipt["leaf"]) == entry
            log = receipt["log"]
        except (ValueError, KeyError, TypeError, RecursionError, InputInvalidError):
            same, log = False, ""
        if not same or (checkpoint is not None and log != checkpoint.origin):
            self._fault("receipt_differs", f"receipts/{sha256(data).hexdigest()}.json")

    def _check_form(self, contents: Contents) -> None:
        """Written again it is the same to the byte: the page, the sums and the archive say what was checked."""
        try:
            again = _files(contents)
            differing = sorted(name for name, data in again.items() if self._files.get(name) != data)
            for name in differing:
                self._fault("file_differs", name)
            if not differing and write(again) != self._data:
                self._fault("form_differs", "")
        except AuditError as error:
            self._fault("unreadable", "", problem=str(error.params.get("problem", "")))
