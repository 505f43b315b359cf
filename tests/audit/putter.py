"""A child process for the kill tests: puts bodies for ever, erases one now and then, prints what was acknowledged."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

from audit import bodywriter, canonical
from audit.store import BodyStore


def sealed(name, number):
    """(digest, salt, canonical body) of a body that follows from its name and number; of some it is long."""
    salt = hashlib.sha256(f"salt {name}:{number}".encode()).digest()
    body = canonical.encode({"name": name, "number": number, "filler": "x" * (number % 11 * 700)})
    return "sha256:" + hashlib.sha256(salt + body).hexdigest(), salt, body


def main():
    folder, name = Path(sys.argv[1]), sys.argv[2]
    bodywriter.SEGMENT_BYTES = 200_000
    bodies = BodyStore(folder)
    print("ready", flush=True)
    number = 0
    while True:
        items = [sealed(name, number + part) for part in range(number % 5 + 1)]
        bodies.put_many(items)
        print(f"put {number} {len(items)}", flush=True)
        if number % 7 == 0:
            bodies.erase(items[0][0])
            print(f"erased {number}", flush=True)
        number += len(items)


if __name__ == "__main__":
    main()
