"""What the departments' systems ask of the hub in the demonstration, over HTTP like anybody: answered and refused.

Each step returns what came, to be said by the command line. Signing is `hub.client`'s; only what a forger would send is
put together here by hand.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import httpx

from hub import receipts
from hub.client import CallDeniedError, CallUnavailableError
from hub.client.wire import Wire
from hub.demo.systems import PENSIONS, WINDOW
from hub.files import replace_file
from hub.receipts import ReceiptInvalidError
from hub.sandbox.samples import Sandbox
from hub.signatures import AnswerVerifier
from hub.signing import keyfiles
from hub.signing.algorithms import ED25519

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from catalog.model import ResponsibilityList
    from hub.client import Called
    from hub.demo.systems import Systems

CALLED: Final = "3010010001"
# The story: the civil-affairs bureau takes an application for a senior citizen's card without asking for paper.
MATTER: Final = "341200-MZJ-0001"
CASE: Final = "2026-MZ-000001"
BEYOND: Final = "nation"  # a field that the bureau never asked for
PENSION_MATTER: Final = "341200-RSJ-0001"
SEVERAL: Final = 3
_TIMEOUT_S: Final = 30.0


@dataclass(frozen=True, slots=True)
class Denied:
    """A call that was refused: the code of the problem, or "" if it was answered, and its words."""

    code: str
    said: str


@dataclass(frozen=True, slots=True)
class Try:
    """A request that must not be believed, and what the hub made of it. *what* is one of `FORGERIES`."""

    what: str
    status: int
    code: str
    said: str

    @property
    def refused(self) -> bool:
        """Whether the hub found that nobody it knows had signed it."""
        return self.status == httpx.codes.UNAUTHORIZED


FORGERIES: Final = ("replayed", "altered", "elsewhere", "unknown_key")


@dataclass(frozen=True, slots=True)
class Calls:
    """Calls over *systems*, against the API at *url*. *list_* says what the sandbox's rows are."""

    systems: Systems
    url: str
    list_: ResponsibilityList
    lang: str

    def main(self, person: str) -> Called:
        """The story's own call: everything that the grant shows of one person."""
        with self.systems.client(WINDOW) as client:
            return client.query(CALLED, {"citizen_id": person}, matter=MATTER, case=CASE)

    def claims(self, record: Mapping[str, Any]) -> dict[str, str]:
        """What an applicant may have written down who is the person of *record*, a phone number and a slip aside."""
        year, month, day = str(record["birth_date"]).split("-")
        return {
            # Blanks and another way of writing a date are no difference; a masked number can be neither one nor other.
            "name": " ".join(str(record["name"])),
            "birth_date": f"{year}年{int(month)}月{int(day)}日",
            "phone": str(record["phone"]),
            "sex": "2" if record["sex"] == "1" else "1",
        }

    def verify(self, persons: Sequence[str]) -> tuple[dict[str, str], Called]:
        """Have the claims about the first of *persons* verified about whom not too many were wrong lately.

        Raises:
            CallUnavailableError: about all of them.
        """
        with self.systems.client(WINDOW) as client:
            for number, person in enumerate(persons, 1):
                claims = self.claims(client.query(CALLED, {"citizen_id": person}, matter=MATTER, case=CASE).records[0])
                try:
                    return claims, client.verify(CALLED, {"citizen_id": person}, claims, matter=MATTER, case=CASE)
                except CallUnavailableError as error:
                    if error.problem_code != "guesses_exhausted" or number == len(persons):
                        raise
        raise ValueError("there is nobody")

    def several(self, persons: Sequence[str]) -> Called:
        """Several persons in one call, with one receipt."""
        keys = [{"citizen_id": person} for person in persons]
        with self.systems.client(WINDOW) as client:
            return client.query(CALLED, keys, matter=MATTER, fields=["name", "birth_date"], case=CASE)

    def explained(self) -> Mapping[str, Any]:
        """What the hub says beforehand of the call that `beyond` makes."""
        with self.systems.client(WINDOW) as client:
            return client.explain(CALLED, matter=MATTER, fields=[BEYOND], keys=["citizen_id"])

    def beyond(self, person: str) -> Denied:
        """A call for a field that is not granted."""
        with self.systems.client(WINDOW) as client:
            try:
                client.query(CALLED, {"citizen_id": person}, matter=MATTER, fields=[BEYOND])
            except CallDeniedError as error:
                return Denied(error.problem_code, error.text(self.lang))
        return Denied("", "")

    def twice(self, person: str) -> tuple[Called, Called]:
        """One call under one name, sent twice as after a broken connection."""
        name = f"demo-{time.time_ns()}"
        with self.systems.client(WINDOW) as client:
            first, second = (
                client.query(CALLED, {"citizen_id": person}, matter=MATTER, fields=["name"], name=name, case=CASE)
                for _ in range(2)
            )
        return first, second

    def newcomer(self, person: str) -> tuple[Denied, Called]:
        """A department that holds no grant: refused a real record, answered with a made-up one."""
        with self.systems.client(PENSIONS) as client:
            try:
                client.query(CALLED, {"citizen_id": person}, matter=PENSION_MATTER)
            except CallDeniedError as error:
                denied = Denied(error.problem_code, error.text(self.lang))
            else:
                denied = Denied("", "")
        nobody = Sandbox(self.list_).sample_keys(self.list_.by_code[CALLED])["citizen_id"][0]
        with self.systems.client(PENSIONS, sandbox=True) as client:
            return denied, client.query(
                CALLED, {"citizen_id": nobody}, matter=PENSION_MATTER, fields=["name", "birth_date", "address"]
            )

    def forgeries(self, person: str) -> list[Try]:
        """What a thief of one request, or of none, could try: each of `FORGERIES`, sent as it is."""
        return list(self._tried(person))

    def _tried(self, person: str) -> Iterator[Try]:
        pinned = self.systems.pinned
        signed = Wire(self.url, self.systems.key(WINDOW), pinned, lang=self.lang)
        stranger = Wire(self.url, keyfiles.generate(ED25519)[0], pinned, lang=self.lang)

        def asked(wire: Wire) -> tuple[str, bytes, dict[str, str]]:
            sent = wire.sent(wire.query(CALLED, {"citizen_id": person}, fields=["name"], matter=MATTER, case=CASE))
            return sent.url, sent.content, sent.fields

        with httpx.Client(timeout=_TIMEOUT_S, trust_env=False) as http:

            def tried(what: str, url: str, content: bytes, fields: dict[str, str]) -> Try:
                got = http.post(url, content=content, headers=fields)
                problem = got.json() if got.status_code != httpx.codes.OK else {}
                return Try(what, got.status_code, str(problem.get("code", "")), str(problem.get("detail", "")))

            once = asked(signed)
            http.post(once[0], content=once[1], headers=once[2]).raise_for_status()
            yield tried("replayed", *once)
            url, content, fields = asked(signed)
            yield tried("altered", url, content.replace(b'"name"', b'"phone"'), fields)
            url, content, fields = asked(signed)
            yield tried("elsewhere", url.replace(CALLED, "3010010002"), content, fields)
            yield tried("unknown_key", *asked(stranger))


@dataclass(frozen=True, slots=True)
class Kept:
    """An answer kept in *file* with its receipt, the log's *proof* of it, and a copy with one byte changed."""

    file: Path
    proof: Path
    changed: Path
    held: bool
    refused: str


def keep(called: Called, url: str, folder: Path, pinned: str, lang: str) -> Kept:
    """Write *called* to *folder*, as a department files it; check it there, and a copy in which one byte is another.

    `Kept.held`: the answer's check came to its end. `Kept.refused`: why the copy's did not; "" if it did.
    """
    kept = Kept(folder / "receipt.json", folder / "receipt.tlog-proof", folder / "receipt-changed.json", True, "")
    data = json.dumps(called.plain, ensure_ascii=False, indent=1).encode()
    got = httpx.get(f"{url}/v1/log/proof/{called.receipt['entry']}", timeout=_TIMEOUT_S, trust_env=False)
    replace_file(kept.proof, got.raise_for_status().content)
    replace_file(kept.file, data, mode=0o600)
    place = data.index(str(called.records[0]["birth_date"]).encode())
    changed = bytearray(data)
    changed[place + 3] = ord("0") + (changed[place + 3] - ord("0") + 1) % 10
    replace_file(kept.changed, bytes(changed), mode=0o600)
    return Kept(
        kept.file, kept.proof, kept.changed, not _refused(kept.file, pinned, lang), _refused(kept.changed, pinned, lang)
    )


def _refused(file: Path, pinned: str, lang: str) -> str:
    """Why the answer in *file* is not the one that its receipt is about; "": it is."""
    plain = json.loads(file.read_bytes())
    content = {name: value for name, value in plain.items() if name != "receipt"}
    try:
        receipts.check(receipts.read(plain["receipt"]), [AnswerVerifier.from_text(pinned)], answer=content)
    except ReceiptInvalidError as error:
        return error.text(lang)
    return ""
