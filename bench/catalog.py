"""Measures the catalogue at the size of the reference city: loading, deciding, searching.

Run `python bench/catalog.py` (`--quick` for less than a minute). Each figure is the median of several runs, ours and
the peers' in turn. The last line is JSON. A ratio above 1 means that ours is faster, or smaller, than the peer.

- load_s, load_peak_mb: the list of 1,227 resources and more than 40,000 fields from its workbook to a checked list,
  every rule applied, in a process of its own; the peak is that of the whole process. Peers, each in its own process:
  `calamine` and `openpyxl` read every cell of the same workbook and judge nothing. `frictionless` and `datacontract`
  check the same metadata in their own notation (a data package; an ODCS contract), read from JSON: types, constraints
  and required attributes, but no departments, lines, matters, codes across tables, names alike or places in a sheet.
  They are found on the path, or in the folders that ZHENGTONG_BENCH_PEERS names; without them a sentence says so.
  CKAN is no peer here: it validates inside a server with PostgreSQL and Solr.
- decide_per_s: allowed decisions per second and core over that list with 10,000 grants, about pairs that were asked
  about before; decide_mixed_per_s: one in five is denied, and told why in full. Peer: a scan over the grants of all
  (bench/decide.py).
- search_p95_ms, page_p95_ms: the 95th percentile of searches, and of pages of the whole catalogue in every order, with
  all facets, over 10,000 resources of the same city and its counties. Peer: as in bench/search.py.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.decide import scan
from bench.search import ask_peer, percentile, trigram_table
from catalog.decide import Policy
from catalog.export import to_xlsx
from catalog.model import FieldKind
from catalog.search.shelf import Facet, Filters, Sort
from hub.demo.reference import grants_for, reference_list, requests_for
from hub.demo.reference.subjects import subjects
from hub.demo.reference.use import STARTS
from hub.search.index import Search
from hub.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from catalog.decide import AccessRequest
    from catalog.model import Field, ResponsibilityList

ROOT = Path(__file__).resolve().parent.parent
PEERS_ENV = "ZHENGTONG_BENCH_PEERS"
GRANTS = 10_000
NOW = STARTS + timedelta(days=100)

# What each child runs, once it is started and its libraries are imported. It prints a count as proof of work.
CHILD = """
import json, resource, sys, time
from pathlib import Path
{imports}
source = Path(sys.argv[1])
begin = time.perf_counter()
{work}
seconds = time.perf_counter() - begin
status = Path("/proc/self/status")
if status.exists():
    # The high-water mark of this program alone: ru_maxrss would begin with that of the process it was forked from.
    peak = int(next(line for line in status.read_text().splitlines() if line.startswith("VmHWM")).split()[1]) / 1024
else:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << 20)
print(json.dumps({{"seconds": seconds, "peak_mb": peak, "count": count}}))
"""
OURS = (
    "from catalog.load import load_report\nfrom catalog import sheets",
    """report = load_report(source)
assert report.list_
count = sum(len(r.fields) for r in report.list_.resources)""",
)
CALAMINE = (
    "from python_calamine import CalamineWorkbook",
    """book = CalamineWorkbook.from_path(source)
count = sum(len(book.get_sheet_by_name(name).to_python()) for name in book.sheet_names)""",
)
OPENPYXL = (
    "from openpyxl import load_workbook",
    """book = load_workbook(source, read_only=True)
count = sum(1 for sheet in book for row in sheet.iter_rows(values_only=True))""",
)
FRICTIONLESS = (
    "from frictionless import Package",
    """descriptor = json.loads(source.read_text())
package = Package.from_descriptor(descriptor)
errors = list(Package.metadata_validate(descriptor))
assert not errors, errors[:3]
count = sum(len(r.schema.fields) for r in package.resources)""",
)
DATACONTRACT = (
    "from datacontract.data_contract import DataContract",
    """run = DataContract(data_contract_file=str(source)).lint()
assert run.result == "passed", run.pretty()[:500]
count = len(run.checks)""",
)
# Steady and many times slower than ours: one run says enough, and a quick one does without.
SLOW = frozenset({"openpyxl", "frictionless", "datacontract"})


def child(script: tuple[str, str], source: Path, *, folders: str = "") -> dict[str, float]:
    """Run *script* on *source* in a fresh interpreter."""
    code = CHILD.format(imports=script[0], work=script[1])
    path = os.pathsep.join(part for part in (folders, str(ROOT)) if part)
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code, str(source)],
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(done.stderr.strip()[-2000:])
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def installed(module: str) -> str | None:
    """The folder of ZHENGTONG_BENCH_PEERS in which *module* is, "" when it is on the path, None when nowhere."""
    for folder in os.environ.get(PEERS_ENV, "").split(os.pathsep):
        if folder and (Path(folder) / module).is_dir():
            return folder
    found = subprocess.run(
        [sys.executable, "-c", f"import importlib.util as u, sys; sys.exit(u.find_spec('{module}') is None)"],
        check=False,
    )
    return None if found.returncode else ""


# The same metadata in the peers' notations.

_PACKAGE_TYPES = {
    FieldKind.STRING: "string",
    FieldKind.INTEGER: "integer",
    FieldKind.DECIMAL: "number",
    FieldKind.DATE: "date",
    FieldKind.DATETIME: "datetime",
    FieldKind.BOOLEAN: "boolean",
}
# Of ODCS 3.0, in which a date may have a time.
_CONTRACT_TYPES = _PACKAGE_TYPES | {FieldKind.DATETIME: "date"}


def data_package(list_: ResponsibilityList) -> dict[str, Any]:
    """The resources as a data package with a table schema each."""

    def field(one: Field) -> dict[str, Any]:
        constraints: dict[str, Any] = {"required": not one.nullable}
        if one.codes:
            constraints["enum"] = list(one.codes)
        if one.pattern:
            constraints["pattern"] = one.pattern
        if one.type.kind is FieldKind.STRING and one.type.length:
            constraints["maxLength"] = one.type.length
        return {
            "name": one.name,
            "title": one.title,
            "type": _PACKAGE_TYPES[one.type.kind],
            "constraints": constraints,
        }

    return {
        "name": "city",
        "resources": [
            {
                "name": f"r{resource.code}",
                "title": resource.name,
                "description": resource.abstract,
                "path": f"{resource.code}.csv",
                "schema": {"fields": [field(f) for f in resource.fields], "primaryKey": [f.name for f in resource.key]},
            }
            for resource in list_.resources
        ],
    }


def contract(list_: ResponsibilityList) -> dict[str, Any]:
    """The resources as one ODCS contract with a schema object each."""

    def field(one: Field, position: int) -> dict[str, Any]:
        made: dict[str, Any] = {
            "name": one.name,
            "businessName": one.title,
            "logicalType": _CONTRACT_TYPES[one.type.kind],
            "required": not one.nullable,
            "classification": str(one.grade),
        }
        if one.type.kind is FieldKind.STRING and one.type.length:
            made["logicalTypeOptions"] = {"maxLength": one.type.length}
        return made | ({"primaryKey": True, "primaryKeyPosition": position} if one.key else {})

    return {
        "apiVersion": "v3.0.2",
        "kind": "DataContract",
        "id": "city",
        "name": list_.title,
        "version": "1.0.0",
        "status": "active",
        "schema": [
            {
                "name": f"r{resource.code}",
                "businessName": resource.name,
                "description": resource.abstract,
                "logicalType": "object",
                "properties": [field(f, n + 1) for n, f in enumerate(resource.fields)],
            }
            for resource in list_.resources
        ],
    }


# Measuring.


def loading(
    list_: ResponsibilityList, folder: Path, runs: int, *, quick: bool
) -> tuple[dict[str, dict[str, Any]], list[str]]:
    workbook, package, odcs = folder / "city.xlsx", folder / "package.json", folder / "contract.json"
    workbook.write_bytes(to_xlsx(list_))
    package.write_text(json.dumps(data_package(list_)))
    odcs.write_text(json.dumps(contract(list_)))
    said: list[str] = []
    jobs: dict[str, tuple[tuple[str, str], Path, str]] = {
        "ours": (OURS, workbook, ""),
        "calamine": (CALAMINE, workbook, ""),
    }
    if quick:
        said.append(f"{', '.join(sorted(SLOW))}: measured without --quick only, they take too long.")
    else:
        jobs["openpyxl"] = (OPENPYXL, workbook, "")
    for name, script, source in (("frictionless", FRICTIONLESS, package), ("datacontract", DATACONTRACT, odcs)):
        found = None if quick else installed(name)
        if found is None and not quick:
            said.append(f"{name} is not installed (looked on the path and in {PEERS_ENV}): not measured.")
        elif found is not None:
            jobs[name] = (script, source, found)
    times: dict[str, list[dict[str, float]]] = {}
    for _ in range(runs):
        for name, (script, source, path) in list(jobs.items()):
            if name in SLOW and name in times:
                continue
            try:
                measured = child(script, source, folders=path)
            except RuntimeError as error:
                said.append(f"{name} failed: {str(error).splitlines()[-1][:200]}")
                del jobs[name]
            else:
                times.setdefault(name, []).append(measured)
    said.append("CKAN is not measured: its validation runs inside a server with PostgreSQL and Solr.")
    fields = sum(len(resource.fields) for resource in list_.resources)
    assert times["ours"][0]["count"] == fields
    report = {}
    for metric, key, unit in (("load_s", "seconds", "s"), ("load_peak_mb", "peak_mb", "MB")):
        middle = {name: statistics.median(run[key] for run in found) for name, found in times.items()}
        report[metric] = row(middle.pop("ours"), middle, unit, less_is_better=True, against="calamine")
    return report, said


def row(
    ours: float, peers: dict[str, float], unit: str, *, less_is_better: bool = False, against: str = ""
) -> dict[str, Any]:
    peer = peers.get(against) if against else next(iter(peers.values()), None)
    ratio = None if peer is None else round(peer / ours if less_is_better else ours / peer, 3)
    return {
        "ours": round(ours, 3),
        "peers": {name: round(value, 3) for name, value in peers.items()},
        "ratio": ratio,
        "unit": unit,
    }


def deciding(list_: ResponsibilityList, runs: int) -> dict[str, dict[str, Any]]:
    grants = grants_for(list_, GRANTS, 1)
    policy = Policy(list_, grants)
    report = {}
    for metric, allowed in (("decide_per_s", 1.0), ("decide_mixed_per_s", 0.8)):
        requests = requests_for(list_, grants, 20_000, 1, allowed=allowed)
        for request in requests:
            policy.decide(request, NOW)
        # No two are asked at the same instant, as in life.
        timed = [(request, NOW + timedelta(microseconds=number)) for number, request in enumerate(requests)]
        ours, peer = [], []
        for _ in range(runs):
            ours.append(rate(timed, policy.decide))
            peer.append(rate(timed[:50], lambda request, on: scan(request, list_, grants, on)))
        report[metric] = row(statistics.median(ours), {"scan": statistics.median(peer)}, "decisions/s")
    return report


def rate(timed: Sequence[tuple[AccessRequest, datetime]], work: Callable[[AccessRequest, datetime], object]) -> float:
    begin = time.perf_counter()
    for request, on in timed:
        work(request, on)
    return len(timed) / (time.perf_counter() - begin)


def searching(count: int, runs: int, folder: Path) -> dict[str, dict[str, Any]]:
    large = reference_list(resources=count)
    peer = trigram_table(large)
    words = [subject.stem for subject in subjects()][:: 807 // 100]
    aliases = [alias for subject in subjects() for alias in subject.aliases][::3]
    queries = [*words, *aliases, *(name for d in large.departments for name in d.aliases[:1])]
    pages: list[tuple[Sort, Filters, int]] = [
        (sort, filters, page)
        for sort in Sort
        for page in (1, 7)
        for filters in (
            Filters(),
            Filters.of({Facet.DEPARTMENT: ["GAJ", "RSJ"]}),
            Filters.of({Facet.SHARE_TYPE: ["1"]}),
        )
    ]
    search = Search(Settings.at(folder / "var"), large)
    try:
        for query in queries:
            search.find(query)
        ours, plain, browsed = [], [], []
        for _ in range(runs):
            ours.append(percentile([lambda q=query: search.find(q) for query in queries]))  # type: ignore[misc]
            plain.append(percentile([lambda q=query: ask_peer(peer, q) for query in queries]))  # type: ignore[misc]
            browsed.append(
                percentile(
                    [
                        lambda s=sort, f=filters, p=page: search.find("", sort=s, filters=f, page=p)  # type: ignore[misc]
                        for sort, filters, page in pages
                    ]
                )
            )
    finally:
        search.close()
    found = row(statistics.median(ours), {"fts5_trigram": statistics.median(plain)}, "ms", less_is_better=True)
    return {"search_p95_ms": found, "page_p95_ms": row(statistics.median(browsed), {}, "ms", less_is_better=True)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer runs, 2,000 resources to search; under a minute")
    options = parser.parse_args()
    runs, searched = (3, 2_000) if options.quick else (5, 10_000)
    list_ = reference_list()
    with tempfile.TemporaryDirectory() as name:
        report, said = loading(list_, Path(name), runs, quick=options.quick)
        report |= deciding(list_, runs)
        report |= searching(searched, runs, Path(name))
    fields = sum(len(resource.fields) for resource in list_.resources)
    print(f"{len(list_.resources):,} resources, {fields:,} fields, {GRANTS:,} grants, median of {runs} runs;")
    print(f"searches over {searched:,} resources\n")
    print(f"{'metric':<19} {'ratio':>8} {'ours':>12}  {'unit':<12} peers")
    for metric, found in report.items():
        peers = ", ".join(f"{peer} {value:,}" for peer, value in found["peers"].items())
        ratio = "" if found["ratio"] is None else found["ratio"]
        print(f"{metric:<19} {ratio:>8} {found['ours']:>12,}  {found['unit']:<12} {peers}")
    print("\n" + "\n".join(said))
    print(json.dumps(report))


if __name__ == "__main__":
    main()
