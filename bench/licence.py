"""How many licences a second are issued, sealed and verified on one core, beside other programs in the same run.

Run `python bench/licence.py` (`--quick` for less than a minute, `--rows` for another population). Rates are medians of
several rounds in which ours and each peer take turns. The last line is JSON. A ratio above 1 means that ours is better
than the first peer named; a peer that is not installed is left out by name. What is called "… alone" is a part of the
work and no peer: `openssl … alone` are bare signatures a second by `openssl speed`, without any document.

- issue_p256, issue_sm2: licences as data by the hub itself, 1,000 a group: slots taken, claims salted, SD-JWT VC
  signed, kept durably in the store, rows with status index and key in the control database (SQLite), log entries
  appended durably (`BENCH_FOLDER` says where all of it lies), and after every 5,000, about as often as a serving hub
  does, published with a signed checkpoint. Not in it: reading the record. Peers: `sd-jwt` makes the same claims
  disclosable and signs them, and keeps and logs nothing; our sealing alone, which does as much as that.
- verify_bundle: from JSON text to verdict, all eight steps. Peer: `sd-jwt` checks one signature and the disclosures of
  the same credential, and neither chain, log, status nor validity.
- pdf_sealed: a page rendered by typst, with seal and code, PAdES B-B. Peers: pyHanko's stock signer on the same pages,
  rendered in its time too, without a visible seal; and the rendering alone.
- verify_pdf: read strictly, signature and chain checked. Peer: pyHanko's validator on the same file.
- pdf_b_b, pdf_b_t, pdf_b_lt, pdf_b_lta: the same document brought from the level of PAdES below to this one, with two
  authorities' lists; `kb` is what it then weighs. Sealed with room for a time stamp, rendering left out.
- ofd_sealed, ofd_sealed_p256: laid out, written with its font subset, sealed by GM/T 0031 with SM2 (P-256).
- verify_ofd, verify_ofd_p256: read strictly, every file's digest, the seal, its maker and the signer checked.
- population_audit: licences a second of one audit of a population, drawn rows included: the log hashed again, every
  status list rebuilt, counts reconciled.
- status_list: KB of the status lists of 20 million licences of which one in a hundred is revoked, at random places,
  scaled from 20 lists of 2^20, signed, as CWTs without their chains as they are published; and with them, as JWTs, and
  compressed alone. Peers: two bits each as they are; their entropy.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

# The folder of this file holds an `audit.py` and a `licence.py` of its own: the packages must come first.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.licences import data, papers, population
from bench.licences.city import make_city
from bench.licences.measure import take
from licence.sm2 import native
from licence.suites import ECDSA_P256_SHA256, SM2_SM3

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.licences.city import City
    from bench.licences.measure import Measure

ROWS, ROWS_QUICK = 200_000, 10_000
SHOWN = frozenset({"ours", "peers", "ratio", "unit"})


def measures(cities: dict[str, City], folder: Path) -> Iterator[tuple[str, Measure]]:
    yield from data.measures(cities, folder)
    yield from papers.pdf_measures(cities[ECDSA_P256_SHA256])
    yield from papers.ofd_measures(cities)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer rounds, for a smoke test")
    parser.add_argument("--rows", type=int, help=f"licences of the population ({ROWS:,}; quick {ROWS_QUICK:,})")
    options = parser.parse_args()
    rows = options.rows or (ROWS_QUICK if options.quick else ROWS)
    cities = {ECDSA_P256_SHA256: make_city()}
    if native.load() is None:
        print("left out: SM2 (no libcrypto that has it)", file=sys.stderr)
    else:
        cities[SM2_SM3] = make_city(SM2_SM3)
    report: dict[str, Any] = {}

    def tell(metric: str, found: dict[str, Any]) -> None:
        report[metric] = found
        ratio = "" if found["ratio"] is None else f"{found['ratio']:.2f} x"
        told = found["peers"] | {name: value for name, value in found.items() if name not in SHOWN}
        others = ", ".join(f"{name} {value:,.0f}" for name, value in told.items())
        print(f"{metric:<18}{found['ours']:>10,.0f} {found['unit']:<5}{ratio:>9}  {others}".rstrip(), flush=True)

    with tempfile.TemporaryDirectory(prefix="zhengtong-bench-", dir=os.environ.get("BENCH_FOLDER")) as name:
        for metric, measure in measures(cities, Path(name)):
            tell(metric, take(measure, quick=options.quick))
        city = cities[ECDSA_P256_SHA256]
        tell("population_audit", population.audited(city, Path(name) / "population", rows))
        tell("status_list", population.list_size(city))
    print(json.dumps(report))


if __name__ == "__main__":
    main()
