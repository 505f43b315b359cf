"""The client systems of the demonstration's departments: registered once, each with a key pair that it made itself.

Registering is `hub.clients`'s, calling `hub.client`'s; a profile beside the keys says where the hub is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from hub import client_records as records
from hub import clients
from hub.actors import Actor
from hub.client import Client
from hub.files import create_once, replace_file
from hub.signing import keyfiles
from hub.signing.algorithms import ED25519, key_id

if TYPE_CHECKING:
    from pathlib import Path

    from hub.client_records import ClientRecord
    from hub.office import Office
    from hub.signing.algorithms import PrivateKey

PROFILES: Final = "zhengtong.toml"
SANDBOX: Final = "-sandbox"  # after a profile's name: the same system, over made-up rows
CONTACT: Final = "data-officer"


@dataclass(frozen=True, slots=True)
class System:
    """A program of *department* that calls; *name* is its name there and in the profiles."""

    department: str
    name: str


# The window where the senior citizen's card is asked for; the fund that follows who rents and who has died; the
# pension office, whose programmers have begun before anything was granted.
WINDOW: Final = System("MZJ", "service-window")
FUND: Final = System("GJJ", "fund-system")
PENSIONS: Final = System("RSJ", "pension-system")
ALL: Final = (WINDOW, FUND, PENSIONS)


@dataclass(frozen=True, slots=True)
class Registered:
    """A system as it stands in the register; *new*: since just now. *key_id* is that of its own key."""

    system: System
    client: str
    key_id: str
    new: bool


@dataclass(frozen=True, slots=True)
class Systems:
    """The systems of one deployment. *folder* is where their departments would keep keys; *by* registers them."""

    office: Office
    folder: Path
    by: str

    def register(self, system: System) -> Registered:
        """Register *system* with the public half of its key, or find it registered.

        Each step is looked for before it is taken: a crash between two of them leaves the rest to the next run.
        """
        found = self._known(system)
        new = found is None
        record = found or clients.register(
            self.office,
            department=system.department,
            name=system.name,
            contact=CONTACT,
            by=Actor.parse(self.by),
        )
        key = self.key(system)
        name = key_id(key.public)
        if name not in {one.thumbprint for one in records.credentials(self.office.control, record.id)}:
            proof = keyfiles.prove_possession(record.id, key)
            clients.add_key(self.office, record.id, key.public, proof, by=Actor.parse(self.by))
        return Registered(system, record.id, name, new)

    def bearer_key(self, system: System, file: Path) -> str:
        """A caller key of the same system, in *file*: for the command line."""

        def issue() -> bytes:
            record = self._known(system)
            client = self.register(system).client if record is None else record.id
            return clients.add_bearer(self.office, client, by=Actor.parse(self.by)).key.encode()

        return create_once(file, issue, mode=0o600).decode()

    def write_profiles(self, url: str, lang: str) -> None:
        """Say where the hub is now, for every system, with the key by which its answers are checked."""
        lines = []
        for system in ALL:
            for suffix, more in (("", ""), (SANDBOX, "sandbox = true\n")):
                lines.append(
                    f'[{system.name}{suffix}]\nurl = "{url}"\nanswer_key = "{self.pinned}"\n'
                    f'signing_key = "{self._key_file(system).name}"\nlang = "{lang}"\n{more}'
                )
        replace_file(self.profiles, "\n".join(lines).encode())

    @property
    def pinned(self) -> str:
        """The hub's answer key, as it was got from it over a channel that is trusted."""
        return self.office.settings.answer_key.read_text(encoding="utf-8").strip()

    @property
    def profiles(self) -> Path:
        """The profiles, as `hub.client.Client.from_profile` reads them."""
        return self.folder / PROFILES

    def client(self, system: System, *, sandbox: bool = False) -> Client:
        """The client of *system*, by its profile."""
        return Client.from_profile(system.name + SANDBOX * sandbox, self.profiles)

    def _known(self, system: System) -> ClientRecord | None:
        found = records.find(self.office.control, department=system.department)
        return next((one for one in found if one.name == system.name and one.ended_at is None), None)

    def _key_file(self, system: System) -> Path:
        return self.folder / f"{system.name}.pem"

    def key(self, system: System) -> PrivateKey:
        """The private key of *system*, which never leaves its department."""

        def make() -> bytes:
            return keyfiles.generate(ED25519)[1].encode()

        made = create_once(self._key_file(system), make, mode=0o600)
        return keyfiles.read_private(made.decode())
