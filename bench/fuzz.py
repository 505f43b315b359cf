"""Feed what strangers send to the readers that meet it first, and say which of them break their promises.

    python bench/fuzz.py [--minutes N] [--seed S] [TARGET ...]

Each target reads bytes that were made of good ones by cutting, turning, doubling and mixing them, or of nothing at all.
It may refuse them with the errors that it documents and no other; what it takes must be what was good, or say the same
when it is written again. Targets are taken in turns, each for some seconds, until the time is over. What broke a
promise is told with the bytes that did it, made as short as they get; the exit code is then 1. The last line is JSON.

Before that each target is fed tiresome inputs of 64 KB, none of which may take long. What the readers of licences,
seals and documents begin from lies in `bench/fuzz_corpus/`; the readers are in `bench/fuzzing/licences.py`.

`tests/fuzz/test_readers.py` runs a short round of it.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import hashlib
import io
import json
import random
import sys
import tempfile
import time
import zipfile
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import hypothesis
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import HealthCheck
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from audit.checkpoint import Checkpoint
from audit.entry import Entry, seal_body
from audit.errors import EntryInvalidError, KeyTextError, NoteInvalidError, ProofInvalidError
from audit.log import Log
from audit.notes import SignerKey, open_note
from audit.pack import Contents, body_file, check_pack, make_pack
from audit.pinned import PinnedLog
from audit.proof import LogProof
from audit.verifiers import Trust, read_verifiers
from bench.fuzzing import licences
from bench.fuzzing.target import Target, hold, slowest, text_of
from catalog.rows import RowRuleError, parse_rule
from hub import receipts, signatures
from hub.api.problems import language
from hub.batches.errors import ManifestInvalidError
from hub.batches.manifest import read as read_manifest
from hub.batches.manifest import sign as sign_manifest
from hub.changes.cursor import MAX_CURSOR_CHARS, Position, Sealer
from hub.changes.errors import CursorInvalidError
from hub.errors import InvalidRequestError, MalformedRequestError
from hub.once import name_of
from hub.peers import thumbprint
from hub.requests import Call, parse_call, parse_question, read_json
from hub.signatures import AnswerSigner, Component, SignatureInvalidError
from hub.signing import algorithms, fields, hmac_profile, requests
from hub.signing.errors import FieldMalformedError, SigningError
from hub.signing.nonces import MemoryNonces
from hub.webhooks.address import parse as parse_address
from hub.webhooks.errors import HookAddressError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

NOW: Final = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)
ORIGIN: Final = "log.city.example/audit"
TURN_S: Final = 5.0
EXAMPLES_A_TURN: Final = 2_000
_SIGNER: Final = AnswerSigner.from_seed(bytes(range(32)))
_CALLER: Final = algorithms.ed25519_signer(Ed25519PrivateKey.from_private_bytes(bytes(32)))
_CALLERS: Final = {algorithms.key_id(_CALLER.public): _CALLER.public}
_LOG_KEY: Final = SignerKey(ORIGIN, hashlib.sha256(b"a key for fuzzing").digest())
_OTHER_KEY: Final = SignerKey("witness.example", hashlib.sha256(b"another").digest())
_SEALER: Final = Sealer(bytes(range(64)))
_HMAC_KEY: Final = b"k" * 32
# Pieces that parsers stumble over, mixed in by name rather than by chance.
_PIECES: Final = (
    *(b"", b"\x00", b"\n", b"\r\n", b" ", b"\t", b'"', b"\\", b"\\u0000", b"\\ud800", b"\xef\xbb\xbf", b"\xff\xfe"),
    *(b"\xc0\xaf", b"\xed\xa0\x80", b"{", b"}", b"[" * 100, b"]", b":", b",", b";", b"=", b"==", b"+", b"-", b"/"),
    *(
        b"NaN",
        b"-Infinity",
        b"null",
        b"true",
        b"1e400",
        b"-0",
        b"0.1",
        b"9" * 400,
        b"9" * 5_000,
        b"%2e%2e%2f",
        b"\xe2\x80\xae",
    ),
    *("\u2014 ".encode(), "\u0661".encode(), b"?1", b";req", b'"@method"', b'{"a":1,"a":2}', b"\xf0\x90\x80\x80"),
)


def _json(data: bytes) -> Any:  # noqa: ANN401 - any JSON value
    """A JSON value as the standard library reads it, which takes more than we do; refused as a form of input."""
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        raise MalformedRequestError(why="no JSON", why_zh="不是 JSON") from error


# --- bodies of calls ---------------------------------------------------------------------------------------------

_QUERY: Final = (
    '{"keys": {"citizen_id": "11010519491231002X", "n": 12}, "fields": ["name", "birth"], "grant": "G1",'
    ' "purpose": {"matter": "SX001", "case": "BJ-1", "operator": "窗口 3", "replaces": "户口簿"}}'
).encode()
_SETS: Final = b'{"keys": [{"id": "1"}, {"id": "2"}], "purpose": {"matter": "SX001"}}'
_VERIFY: Final = '{"keys": {"id": "1"}, "claims": {"name": "张三", "n": 3, "t": true}, "purpose": {}}'.encode()


def _read_json(data: bytes) -> None:
    value = read_json(data)
    hold(value == json.loads(data), "the standard library reads another value")
    json.dumps(value, ensure_ascii=False).encode()


def _parse_call(data: bytes) -> None:
    plain = read_json(data)
    with contextlib.suppress(InvalidRequestError):
        parse_question(plain)
    call = parse_call("verify" if isinstance(plain, dict) and "claims" in plain else "query", plain)
    hold(Call.from_plain(call.plain()) == call, "the evidence of it is read back as another call")


# --- signed requests and answers ---------------------------------------------------------------------------------

_DICTIONARIES: Final = (
    b'call=("@method" "@authority" "@path" "@query");created=1772352000;nonce="abcdefghijklmnop";keyid="k";tag="t"',
    b'a=1, b=:AAAA:, c=?1, d=?0, e;x;y=tok, f=("a" b;p=1 :AA==:);q="\\"\\\\", g=-999999999999999, *h=*t',
    b"call=:" + base64.b64encode(bytes(64)) + b":",
)


def _read_fields(data: bytes) -> None:
    text = text_of(data)
    try:
        whole: Mapping[str, Any] | None = fields.parse_dictionary(text)
    except FieldMalformedError:
        whole = None
    for quick in (fields.parse_inner_lists, fields.parse_signatures):
        with contextlib.suppress(FieldMalformedError):
            hold(quick(text) == whole, f"{quick.__name__} reads what the whole parser does not")
    if whole is None:
        raise FieldMalformedError
    hold(fields.parse_dictionary(fields.write_dictionary(whole)) == whole, "written again it is another")


def _request() -> requests.Message:
    body = b'{"keys": {"citizen_id": "11010519491231002X"}}'
    bare = requests.message_to(
        "post", "https://hub.example/v1/resources/R/1:query?x=1", [("content-type", "application/json")], body
    )
    added = requests.sign(bare, _CALLER, created=NOW, nonce="n" * 20)
    return replace(bare, fields=[*bare.fields, *added.items()])


def _write_request(message: requests.Message) -> bytes:
    lines = [f"{name}: {value}" for name, value in message.fields]
    head = "\n".join([message.method, message.authority, message.target, *lines])
    return head.encode("latin-1") + b"\n\n" + message.body


def _verify_request(data: bytes) -> None:
    head, _, body = data.partition(b"\n\n")
    method, authority, target, *lines = (*head.decode("latin-1").split("\n"), "", "", "")
    sent = [(name, value) for name, mark, value in (line.partition(": ") for line in lines) if mark]
    message = requests.Message(method, "https", authority, target, sent, body)
    requests.verify(message, keys=_CALLERS.get, nonces=MemoryNonces(started=0), now=NOW)
    good = _request()
    hold(message.body == good.body, "another body")
    hold(message.method == good.method, "another method")
    hold(message.target == good.target, "another target")
    hold(message.authority.lower().removesuffix(":443") == good.authority, "another authority")


_SIGNED: Final = ("signature-input", "signature", "content-digest")
_COVERED: Final = (Component("@status"), Component("content-digest"), Component("@path", req=True))


def _answer() -> signatures.Response:
    asked = signatures.Request("POST", "/v1/x", {})
    bare = signatures.Response(200, {"content-digest": signatures.content_digest(b"{}")}, asked)
    return replace(bare, fields={**bare.fields, **_SIGNER.sign(bare, _COVERED, NOW)})


def _answer_lines() -> bytes:
    return "\n".join(_answer().fields[name] for name in _SIGNED).encode()


def _verify_answer(data: bytes) -> None:
    good = _answer()
    given = replace(good, fields=dict(zip(_SIGNED, text_of(data).split("\n"), strict=False)))
    signatures.verify(given, verifiers=[_SIGNER.verifier], required=_COVERED, now=NOW, tolerance=timedelta(minutes=5))
    signatures.check_digest(given.fields["content-digest"], b"{}")
    hold(given.fields["signature"] == good.fields["signature"], "another signature")


def _hmac_fields() -> bytes:
    return "\n".join(hmac_profile.sign("R1", "S1", _HMAC_KEY, at=NOW).values()).encode()


def _verify_hmac(data: bytes) -> None:
    given = dict(zip(hmac_profile.FIELDS, text_of(data).split("\n"), strict=False))
    told = hmac_profile.verify(given, keys=lambda _: [_HMAC_KEY], nonces=MemoryNonces(started=0), now=NOW)
    # Nothing stands between its parts (the national profile signs them so), so that they may change places.
    hold(told.sid + told.rid == "S1R1", "another requester or service")


# --- the log and what is proven by it ----------------------------------------------------------------------------


def _entry(number: int) -> bytes:
    return Entry(
        kind="invocation.answered",
        at=NOW,
        actor="RS",
        subject="ab" * 32,
        resource="306010/000001",
        purpose="SX001",
        facts={"outcome": "answered", "number": number, "answer_digest": seal_body({"a": "答"}, bytes(16))},
        body_digest=seal_body({"number": number}, bytes(16)),
    ).encode()


@cache
def _proven() -> tuple[LogProof, bytes]:
    """A proof of an entry, and an evidence pack of it."""
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        with Log.create(Path(folder) / "log", ORIGIN, _LOG_KEY) as log:
            log.append([_entry(number) for number in range(5)])
            log.publish()
        seen = PinnedLog(Path(folder) / "log", [_LOG_KEY.verifier])
        proof = seen.prove(3)
        contents = Contents(
            note=seen.note,
            entries={3: seen.entry(3)},
            proofs={3: proof},
            keys={"log": _LOG_KEY.verifier.to_text()},
            bodies={3: body_file(bytes(16), {"number": 3})},
            asked={"subjects": ["ab" * 32]},
            by="SJ:auditor",
        )
        return proof, make_pack(contents)


def _note() -> str:
    return Checkpoint(ORIGIN, 7, bytes(32), ("ext",)).sign([_LOG_KEY, _OTHER_KEY])


def _open_note(data: bytes) -> None:
    note = _note()
    text = open_note(text_of(data), [_LOG_KEY.verifier])
    hold(note.startswith(text + "\n"), "another text was signed")


def _read_keys(data: bytes) -> None:
    for key in read_verifiers(text_of(data)):
        hold(read_verifiers(key.to_text())[0].to_text() == key.to_text(), "written again it is another key")


def _check_proof(data: bytes) -> None:
    proof = LogProof.from_text(text_of(data))
    hold(LogProof.from_text(proof.to_text()) == proof, "written again it is another proof")
    proof.verify(_entry(3), [_LOG_KEY.verifier], ORIGIN)
    hold(proof.index == _proven()[0].index, "another place is proven")


class _FaultyError(Exception):
    """The pack has faults."""


def _check_pack(data: bytes) -> None:
    report = check_pack(data, Trust([_LOG_KEY.verifier]))
    for finding in (*report.faults, *report.notes):
        finding.text("en"), finding.text("zh")
    if report.faults:
        raise _FaultyError
    hold(data == _proven()[1], "a pack that was changed has no fault")


def _loose_pack() -> bytes:
    """The same files compressed: not of the form, and an opening for whoever changes an archive by hand."""
    made = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(_proven()[1])) as pack, zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as loose:
        for name in pack.namelist():
            loose.writestr(zipfile.ZipInfo(name), pack.read(name), zipfile.ZIP_DEFLATED)
    return made.getvalue()


def _read_entry(data: bytes) -> None:
    hold(Entry.decode(data).encode() == data, "written again it is another entry")


def _receipt() -> bytes:
    return receipts.issue(_SIGNER, ORIGIN, 3, _entry(3), answer_salt=bytes(16).hex()).encode()


def _read_receipt(data: bytes) -> None:
    plain = _json(data)
    receipt = receipts.read(plain)
    receipts.check(receipt, [_SIGNER.verifier], answer={"a": "答"})
    receipt.encode()
    good = receipts.read(json.loads(_receipt()))
    hold((receipt.index, receipt.leaf, receipt.origin) == (3, good.leaf, ORIGIN), "another receipt was signed")


def _read_manifest(data: bytes) -> None:
    read_manifest(data, [_SIGNER.verifier])
    hold(data == _manifest(), "another manifest was signed")


def _manifest() -> bytes:
    return sign_manifest({"batch": "B1", "rows": 2, "parts": [{"name": "0001.parquet", "rows": 2}]}, _SIGNER)


# --- texts in fields and members ---------------------------------------------------------------------------------


def _cursor() -> bytes:
    position = Position("t", 7, 3, "G1", "v")
    return _SEALER.seal(position, department="RS", resource="R1").encode()


def _open_cursor(data: bytes) -> None:
    text = text_of(data)[:MAX_CURSOR_CHARS]
    _SEALER.open(text, department="RS", resource="R1")
    hold(text.encode() == _cursor(), "a cursor that was changed was opened")


def _read_rule(data: bytes) -> None:
    rule = parse_rule(text_of(data))
    hold(parse_rule(str(rule)) == rule, "written again it is another rule")


def _read_address(data: bytes) -> None:
    address = parse_address(text_of(data))
    hold(parse_address(address.url) == address, "written again it is another address")


def _read_texts(data: bytes) -> None:
    text = data.decode("latin-1")
    hold(language(text) in ("zh", "en"), "another language")
    name_of(text)


def _read_certificate(data: bytes) -> None:
    hold(len(thumbprint(data.decode("latin-1"))) == len("ab" * 32), "no digest")


_CERTIFICATES: Final = (b"ab" * 32, b":" + base64.b64encode(b"0\x82\x01\x00") + b":", b"-----BEGIN%20CERTIFICATE-----")


@cache
def targets() -> dict[str, Target]:
    """Every target by its name."""
    body = (MalformedRequestError, InvalidRequestError)
    listed = (
        Target("read_json", _read_json, (MalformedRequestError,), (_QUERY, _VERIFY, b"[1, -2]", b'"a"')),
        Target("parse_call", _parse_call, body, (_QUERY, _SETS, _VERIFY)),
        Target("fields", _read_fields, (FieldMalformedError,), _DICTIONARIES),
        Target("verify_request", _verify_request, (SigningError,), (_write_request(_request()),), whole=True),
        Target("verify_answer", _verify_answer, (SignatureInvalidError,), (_answer_lines(),), whole=True),
        Target("verify_hmac", _verify_hmac, (SigningError,), (_hmac_fields(),)),
        Target("open_note", _open_note, (NoteInvalidError,), (_note().encode(),), whole=True),
        Target("read_keys", _read_keys, (KeyTextError,), (_LOG_KEY.verifier.to_text().encode(),)),
        Target("proof", _check_proof, (ProofInvalidError,), (_proven()[0].to_text().encode(),), whole=True),
        Target("pack", _check_pack, (_FaultyError,), (_proven()[1], _loose_pack()), whole=True),
        Target("entry", _read_entry, (EntryInvalidError,), (_entry(0), _entry(2**53))),
        Target(
            "receipt", _read_receipt, (receipts.ReceiptInvalidError, MalformedRequestError), (_receipt(),), whole=True
        ),
        Target("manifest", _read_manifest, (ManifestInvalidError,), (_manifest(),), whole=True),
        Target("cursor", _open_cursor, (CursorInvalidError,), (_cursor(),), whole=True),
        Target("row_rule", _read_rule, (RowRuleError,), (b"birth >= 1960-01-01", b'code in "a", "b"', b"x prefix 34")),
        Target("hook_address", _read_address, (HookAddressError,), (b"https://a.example:8443/x%20", b"https://[::1]/")),
        Target("header_texts", _read_texts, (InvalidRequestError,), (b'"a-1"', b"en;q=0.5, zh-CN;q=0.9")),
        Target("certificate", _read_certificate, (SigningError,), _CERTIFICATES),
    )
    return {one.name: one for one in (*listed, *licences.targets())}


def mangled(samples: Sequence[bytes]) -> st.SearchStrategy[bytes]:
    """Bytes that were once one of *samples*, and a few that never were."""
    return st.one_of(_changed(samples), _changed(samples), st.binary(max_size=200), st.text(max_size=60).map(_utf8))


def _utf8(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


@st.composite
def _changed(draw: st.DrawFn, samples: Sequence[bytes]) -> bytes:
    data = draw(st.sampled_from(samples))
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(data)))
        to = min(len(data), at + draw(st.sampled_from((0, 1, 1, 2, 8, 64))))
        match draw(st.integers(0, 5)):
            case 0:  # one bit
                if at < len(data):
                    data = data[:at] + bytes([data[at] ^ 1 << draw(st.integers(0, 7))]) + data[at + 1 :]
            case 1:  # cut off
                data = data[:at]
            case 2:  # something else there
                data = data[:at] + draw(st.sampled_from(_PIECES)) + data[to:]
            case 3:  # a part twice
                data = data[:to] + data[at:to] + data[to:]
            case 4:  # a part of another, or of itself, from elsewhere
                other = draw(st.sampled_from(samples))
                begin = draw(st.integers(0, len(other)))
                data = data[:at] + other[begin : begin + to - at + 1] + data[to:]
            case _:
                data = data[:at] + draw(st.binary(min_size=1, max_size=4)) + data[to:]
    return data


def run(target: Target, examples: int, seed: int | None = None, until: float | None = None) -> int:
    """Feed *target* for *examples* times, or until the monotonic time *until*; how often it was fed.

    Raises:
        Exception: what broke a promise, with the shortest bytes that do as its note.
    """
    fed, broken = 0, False

    def feed(data: bytes) -> None:
        nonlocal fed, broken
        # Once something broke, there is time to make it short.
        if until is not None and not broken and time.monotonic() > until:
            return
        fed += 1
        try:
            target(data)
        except Exception as error:
            broken = True
            error.add_note(f"{target.name} was fed {data!r}")
            raise

    made = hypothesis.settings(
        max_examples=examples,
        database=None,
        deadline=None,
        derandomize=seed is None,
        suppress_health_check=list(HealthCheck),
    )(hypothesis.given(mangled(target.samples))(feed))
    (made if seed is None else hypothesis.seed(seed)(made))()
    return fed


def _tell(target: Target, error: Exception) -> None:
    notes = " ".join(getattr(error, "__notes__", ()))
    print(f"{target.name}: {type(error).__name__}: {error} {notes}"[:2_000], flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Fuzz until the time is over; 1 if a promise was broken."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**32))
    parser.add_argument(
        "names", nargs="*", metavar="TARGET", help=f"of {', '.join(targets())}; all where none is named"
    )
    given = parser.parse_args(arguments)
    if unknown := [name for name in given.names if name not in targets()]:
        parser.error(f"no target {', '.join(unknown)}")
    seed = given.seed
    chosen = [targets()[name] for name in given.names or targets()]
    fed: dict[str, int] = dict.fromkeys((one.name for one in chosen), 0)
    broken: set[str] = set()
    print(f"seed {seed}", flush=True)
    worst: dict[str, float] = {}
    for target in chosen:
        try:
            worst[target.name] = round(slowest(target), 3)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is what was looked for
            broken.add(target.name)
            _tell(target, error)
    until = time.monotonic() + given.minutes * 60
    while time.monotonic() < until and len(broken) < len(chosen):
        for target in chosen:
            if target.name in broken or time.monotonic() > until:
                continue
            try:
                fed[target.name] += run(target, EXAMPLES_A_TURN, seed, min(until, time.monotonic() + TURN_S))
            except Exception as error:  # noqa: BLE001 - whatever it is, it is what was looked for
                broken.add(target.name)
                _tell(target, error)
        seed += 1
    print(json.dumps({"fed": fed, "broken": sorted(broken), "seed": given.seed, "slowest_64k_s": worst}))
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
