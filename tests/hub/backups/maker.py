"""Makes backups in children that are killed before and amid each write, from a process of its own."""

from __future__ import annotations

import sys
from pathlib import Path

from hub.actors import Actor
from hub.backups import making, sealing
from hub.backups.checking import check
from hub.backups.recent import standing
from hub.office import Office
from hub.settings import Settings
from tests.audit.dying import deaths

BY = Actor("GA", "administrator")
PASSPHRASE = b"a passphrase of some length"


def act(folder):
    with Office.open(Settings.at(folder / "var")) as office:
        making.make(office, folder / "kept", by=BY, passphrase=PASSPHRASE)


def main():
    folder = Path(sys.argv[1])
    start, scene = folder / "start", folder / "scene"
    # What the passphrase costs is none of this test's.
    sealing.SCRYPT_N = 2
    with Office.open(Settings.at(start / "var")) as office:
        office.evidence.append("x.done", facts={}, body={"n": 1}, actor="GA:x")
    seen, moments = set(), []
    for moment in deaths(start, scene, act):
        moments.append(moment)
        found = standing(scene / "kept", scene / "var", office.now())
        for one in found.known:
            assert check(one.path).faults == (), moment
        seen.add(len(found.known))
    # After every death the next try makes one, and clears away what was left.
    with Office.open(Settings.at(scene / "var")) as office:
        made = making.make(office, scene / "later", by=BY, passphrase=PASSPHRASE)
        assert check(made.path).faults == ()
    print(sorted(seen), len(moments))


if __name__ == "__main__":
    main()
