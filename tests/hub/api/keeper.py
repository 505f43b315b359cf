"""Keeps evidence in children that are killed before and amid each write of it, from a process of its own.

In the tests' own process other threads may run, which a fork would leave behind amid anything.
"""

from __future__ import annotations

import sys
from pathlib import Path

from audit.entry import Entry, sealed
from audit.fsck import check_log
from audit.log import Log
from audit.notes import SignerKey
from audit.store import BodyStore
from hub.evidence import Evidence
from tests.audit.dying import deaths

KEY = SignerKey("zhengtong.local/log", bytes(32))
TERMS = b'{"terms":1}'


def opened(folder):
    log = Log.open(folder / "log", KEY)
    return Evidence(log, BodyStore(folder / "bodies"), signer=KEY, subject_key=b"subject")


def drafts(evidence, numbers):
    more = (sealed(TERMS, bytes(16)), bytes(16), TERMS)
    return [evidence.draft("x.done", facts={"n": n}, body={"n": n, "long": "x" * 500}, more=(more,)) for n in numbers]


def numbers(folder):
    """What each entry is about, its body found and the same."""
    bodies = BodyStore(folder / "bodies")
    found = []
    with Log.open(folder / "log") as log:
        for leaf in log.entries(0, log.size):
            entry = Entry.decode(leaf)
            kept = bodies.get(entry.body_digest)
            assert kept is not None, "an entry without its body"
            assert kept[1]["n"] == entry.facts["n"]
            found.append(entry.facts["n"])
    if found:
        assert bodies.get(sealed(TERMS, bytes(16))) is not None, "terms that an entry names"
    return found


def act(folder):
    evidence = opened(folder)
    evidence.keep(drafts(evidence, (1, 2)))
    evidence.keep(drafts(evidence, (3,)))


def main():
    folder = Path(sys.argv[1])
    start, scene = folder / "start", folder / "scene"
    Log.create(start / "log", KEY.name, KEY).close()
    seen, moments = set(), []
    for moment in deaths(start, scene, act):
        moments.append(moment)
        found = numbers(scene)
        assert found == [1, 2, 3][: len(found)], f"{moment}: {found}"
        seen.add(len(found))
        evidence = opened(scene)
        assert evidence.keep(drafts(evidence, (9,))) == range(len(found), len(found) + 1)
        assert numbers(scene) == [*found, 9], moment
        assert check_log(scene / "log", [KEY.verifier]).faults == (), moment
    print(sorted(seen), len(moments))


if __name__ == "__main__":
    main()
