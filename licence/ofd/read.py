"""Read an OFD (GB/T 33190) strictly: its metadata, its signatures, and that each covers the whole container.

It needs the standard library and `cryptography` only. It shows nothing and judges no seal: whether the SES_Signature
is over `Signature.digest`, and who made it, is left to `licence.seals`.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from cryptography.hazmat.primitives import hashes

from licence.errors import FormatError
from licence.ofd.container import check_path, unpack
from licence.ofd.markup import Element, check_plain, parse

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT: Final = "OFD.xml"
SM3: Final = "SM3"
SHA256: Final = "SHA256"
# How files name the digests: by OID or by name. What is not here, MD5 and SHA-1 among it, is never accepted.
_METHODS: Final = {
    "1.2.156.10197.1.401": SM3,
    "SM3": SM3,
    "2.16.840.1.101.3.4.2.1": SHA256,
    "SHA256": SHA256,
    "SHA-256": SHA256,
}
MAX_SIGNATURES: Final = 64
MAX_TEXT: Final = 4096
MAX_CUSTOM_DATA: Final = 256


@dataclass(frozen=True, slots=True)
class Policy:
    """What the verifier takes from files.

    *digests*: the digests allowed in signatures. *later_signatures*: a signature may leave uncovered what signatures
    after it added, and the list of signatures itself, as programs do that sign one document several times.
    *canonical*: only containers in the form `container.pack` writes, in which every byte is authenticated.
    """

    digests: frozenset[str] = frozenset({SM3})
    later_signatures: bool = True
    canonical: bool = False


# For our own documents: nothing at all may be unauthenticated.
OWN: Final = Policy(later_signatures=False, canonical=True)


@dataclass(frozen=True, slots=True)
class Signature:
    """One signature of the document; every digest it lists fits, and it lists every file but those in *uncovered*.

    *path* is that of its Signature.xml, *digest* what the SES_Signature *value* must be over, by *method*. *seal* is a
    separate SESeal file, if any, which is not compared with the one in *value*. *uncovered* names files that the policy
    lets it leave out, other than its own two.
    """

    identifier: str
    kind: str
    path: str
    provider: str
    signed_at: str
    signature_method: str
    method: str
    digest: bytes
    value_path: str
    value: bytes
    seal: bytes | None
    covered: tuple[str, ...]
    uncovered: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Document:
    """The facts of an OFD. *unauthenticated* names what could be altered without breaking a signature.

    It holds where every one of *signatures* is accepted: who accepts only some reads their `uncovered`. It is empty for
    our own documents. For strangers' it may name ``zip`` (directories, dates, attributes and coding of the container,
    never a name or the contents of a file) and files that no signature covers.
    """

    identifier: str
    title: str
    custom: Mapping[str, str]
    files: Mapping[str, bytes]
    signatures: tuple[Signature, ...]
    unauthenticated: tuple[str, ...]


def read_ofd(data: bytes, policy: Policy = OWN) -> Document:
    """Read *data* and check that each signature in it covers the container (``coverage``).

    A document without signatures is refused: nothing of it would be authenticated.

    Raises:
        FormatError: the container, a judged file or the coverage is not as prescribed or as *policy* asks.
    """
    # Step 1: the container.
    container = unpack(data)
    if policy.canonical and not container.canonical:
        raise FormatError("ofd_not_canonical")
    files = container.files
    # Step 2: no XML in it has a document type, not even one that nobody here reads.
    for name, content in files.items():
        if name.lower().endswith(".xml"):
            check_plain(content)
    # Step 3: one document, its metadata and its list of signatures.
    body = parse(_file(files, ROOT), "OFD").need("DocBody")
    info = body.need("DocInfo")
    _file(files, _resolve(ROOT, _text(body.need("DocRoot"))))
    listed = body.one("Signatures")
    if listed is None:
        raise FormatError("ofd_unsigned")
    # Steps 4 to 6, for each signature: read it, check each digest, check that nothing is left out.
    list_path = _resolve(ROOT, _text(listed))
    signatures = _signatures(files, list_path, policy)
    covered = {name for signature in signatures for name in (*signature.covered, signature.path, signature.value_path)}
    loose = sorted(set(files) - covered)
    return Document(
        _text(info.need("DocID")),
        _text(title) if (title := info.one("Title")) else "",
        _custom(info),
        files,
        signatures,
        tuple(([] if container.canonical else ["zip"]) + loose),
    )


def _custom(info: Element) -> dict[str, str]:
    custom: dict[str, str] = {}
    holder = info.one("CustomDatas")
    for item in holder.all("CustomData") if holder else ():
        name = item.attributes.get("Name", "")
        if not name or name in custom or len(custom) >= MAX_CUSTOM_DATA:
            raise FormatError("ofd_element_repeated", name="CustomData")
        custom[name] = _text(item)
    return custom


def _signatures(files: Mapping[str, bytes], list_path: str, policy: Policy) -> tuple[Signature, ...]:
    items = list(parse(_file(files, list_path), "Signatures").all("Signature"))
    if not items:
        raise FormatError("ofd_unsigned")
    if len(items) > MAX_SIGNATURES:
        raise FormatError("ofd_too_many_signatures", limit=MAX_SIGNATURES)
    paths = [_resolve(list_path, item.attributes.get("BaseLoc", "")) for item in items]
    identifiers = {item.attributes.get("ID", "") for item in items}
    if len(set(paths)) != len(paths) or len(identifiers) != len(items):
        raise FormatError("ofd_element_repeated", name="Signature")
    # Many signatures over large files cost one digest of each file.
    digests: dict[tuple[str, str], bytes] = {}
    read = [_Signature(files, path, policy, digests) for path in paths]
    found = []
    for place, (item, one) in enumerate(zip(items, read, strict=True)):
        optional: set[str] = set()
        if policy.later_signatures:
            # Whoever signs after this one rewrites the list and adds these files.
            optional = {list_path} | {name for other in read[place + 1 :] for name in other.files}
        uncovered = set(files) - set(one.covered) - one.own
        if uncovered - optional:
            raise FormatError("ofd_uncovered", count=len(uncovered - optional), first=min(uncovered - optional)[:80])
        found.append(one.finish(item, tuple(sorted(uncovered))))
    return tuple(found)


class _Signature:
    """One Signature.xml, its digests checked while it is made."""

    def __init__(
        self, files: Mapping[str, bytes], path: str, policy: Policy, digests: dict[tuple[str, str], bytes]
    ) -> None:
        self.path, self.raw = path, _file(files, path)
        top = parse(self.raw, "Signature")
        self.info = top.need("SignedInfo")
        self.value_path = _resolve(path, _text(top.need("SignedValue")))
        seal = self.info.one("Seal")
        self.seal_path = _resolve(path, _text(seal.need("BaseLoc"))) if seal else None
        self.own = frozenset({path, self.value_path})
        self.value = _file(files, self.value_path)
        self.seal = _file(files, self.seal_path) if self.seal_path else None
        self.files = self.own | ({self.seal_path} if self.seal_path else set())
        references = self.info.need("References")
        self.method = _METHODS.get(references.attributes.get("CheckMethod", ""), "")
        if self.method not in policy.digests:
            raise FormatError("ofd_digest_not_allowed", sub_indication="CRYPTO_CONSTRAINTS_FAILURE")
        covered: dict[str, None] = {}
        for reference in references.all("Reference"):
            name = _referred(files, path, reference.attributes.get("FileRef", ""))
            if name in covered:
                raise FormatError("ofd_reference_repeated", name=name[:80])
            if name in self.own:
                raise FormatError("ofd_reference_to_itself")
            found = digests.get((self.method, name))
            if found is None:
                digests[self.method, name] = found = digest(self.method, files[name])
            if not hmac.compare_digest(found, _digest_value(reference)):
                raise FormatError("ofd_digest_differs", sub_indication="HASH_FAILURE", name=name[:80])
            covered[name] = None
        self.covered = tuple(covered)

    def finish(self, item: Element, uncovered: tuple[str, ...]) -> Signature:
        provider, made = self.info.one("Provider"), self.info.one("SignatureDateTime")
        method = self.info.one("SignatureMethod")
        return Signature(
            item.attributes.get("ID", ""),
            item.attributes.get("Type", "Seal"),
            self.path,
            provider.attributes.get("ProviderName", "") if provider else "",
            _text(made) if made else "",
            _text(method) if method else "",
            self.method,
            digest(self.method, self.raw),
            self.value_path,
            self.value,
            self.seal,
            self.covered,
            uncovered,
        )


def digest(method: str, data: bytes) -> bytes:
    """The digest of *data* by `SM3` or `SHA256`."""
    if method == SHA256:
        return hashlib.sha256(data).digest()
    hasher = hashes.Hash(hashes.SM3())
    hasher.update(data)
    return hasher.finalize()


def _digest_value(reference: Element) -> bytes:
    text = _text(reference.need("CheckValue"))
    try:
        value = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise FormatError("base64_not_canonical", what="CheckValue") from error
    if base64.b64encode(value).decode() != text:
        raise FormatError("base64_not_canonical", what="CheckValue")
    return value


def _text(element: Element) -> str:
    text = element.text
    if len(text) > MAX_TEXT:
        raise FormatError("too_large", what=element.name, limit=MAX_TEXT)
    return text


def _resolve(base: str, path: str) -> str:
    """The name of the file that *path* means in file *base*: from the root if it begins with ``/``."""
    if path.startswith("/"):
        check_path(path[1:])
        return path[1:]
    check_path(path)
    folder = base.rpartition("/")[0]
    return f"{folder}/{path}" if folder else path


def _referred(files: Mapping[str, bytes], base: str, path: str) -> str:
    """As `_resolve`, but some programs write references from the root without the ``/``; that is asked for second."""
    for name in (_resolve(base, path), _resolve("", path)):
        if name in files:
            return name
    raise FormatError("ofd_file_missing", name=path[:80])


def _file(files: Mapping[str, bytes], name: str) -> bytes:
    if name not in files:
        raise FormatError("ofd_file_missing", name=name[:80])
    return files[name]
