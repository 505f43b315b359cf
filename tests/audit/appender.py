"""A child process for the kill tests: appends for ever, publishes now and then, prints what was acknowledged."""

from __future__ import annotations

import sys
from pathlib import Path

from audit.log import Log
from audit.notes import SignerKey


def main() -> None:
    folder, key, name = Path(sys.argv[1]), SignerKey.from_text(sys.argv[2]), sys.argv[3]
    with Log.open(folder, key) as log:
        print("ready", flush=True)
        number = 0
        while True:
            entries = [f"{name}:{number}:{part}".encode() for part in range(number % 5 + 1)]
            places = log.append(entries)
            print(f"{places.start} {' '.join(e.decode() for e in entries)}", flush=True)
            number += 1
            if number % 7 == 0:
                log.publish()


if __name__ == "__main__":
    main()
