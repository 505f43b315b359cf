"""Change the code that verifies, one place at a time, and tell which changes no test notices.

    python -m bench.mutation [--module NAME ...] [--quick] [--out FILE] [--again] [--report FILE] [--tests PATH ...]

Nothing is written but *FILE*, one JSON line a mutant; what it holds already for the same text of a module is not tried
again, so that a run may be stopped and gone on with. `--again` tries only what survived, say with new tests.
Mutants that mean the same as the code are explained in `bench/mutation/equivalents.toml`; an explanation that fits no
survivor any more is told too. The exit code is 1 if a survivor or an explanation is left over.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import json
import sys
import time
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from bench.mutation.run import KILLED, NOT_APPLICABLE, OPEN, TIMED_OUT, Plan, Result, run

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

EQUIVALENTS: Final = Path(__file__).with_name("equivalents.toml")
_QUICK_STEP: Final = 97
# What decides whether something is genuine, the most critical first.
MODULES: Final = (
    *("verify", "verify_status", "steps", "chain", "credential", "crl", "status.lists", "seals.verify", "ofd.read"),
    *("pdf.read", "pdf.updates", "qr.code", "enclosed", "past", "timestamps", "bundle", "trust", "trustlist", "jose"),
    *("certificates", "der", "status.cwt", "status.authentic", "status.events", "status.projection"),
    *("status.history", "seals.der", "seals.structure", "seals.algorithms", "seals.published", "ofd.container"),
    *("pdf.objects", "pdf.structure", "pdf.cms", "qr.base45", "qr.cbor", "qr.cose", "predicates"),
    *("verifying.case", "verifying.codes", "verifying.copies", "verifying.door", "verifying.licences"),
    *("verifying.moments", "verifying.pdf", "verifying.replay", "verifying.report", "verifying.seals", "sm2.pure"),
    *("wallet.binding", "wallet.jwt", "wallet.vp"),
)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.mutation", description=__doc__.splitlines()[0])
    parser.add_argument("--module", action="append", default=[], help="such as chain or status.lists; all without it")
    parser.add_argument("--package", default="licence", help="whose modules these are")
    parser.add_argument("--explained", type=Path, default=EQUIVALENTS, help="another file of explanations")
    parser.add_argument("--tests", nargs="+", default=["tests/licence", "-m", "not slow"], help="handed to pytest")
    parser.add_argument("--out", type=Path, help="keep what was found here, and go on from it")
    parser.add_argument("--learnt", type=Path, help="keep here which test goes where; drop it when tests change")
    parser.add_argument("--again", action="store_true", help="try only what survived")
    parser.add_argument("--quick", action="store_true", help=f"every {_QUICK_STEP}th mutant only")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--budget", type=float, default=30.0, help="seconds of tests for one mutant, at most")
    parser.add_argument("--patience", type=float, default=10.0, help="seconds until a mutant is called endless")
    parser.add_argument("--minutes", type=float, help="begin nothing after so many")
    parser.add_argument("--report", type=Path, help="write a table and all survivors here, as Markdown")
    parser.add_argument("--list", action="store_true", help="only report what `--out` holds")
    options, more = parser.parse_known_args(arguments)
    names = [f"{options.package}.{name}" for name in options.module or MODULES]
    digests = {name: _digest(name) for name in names}
    kept = _kept(options.out, digests)
    began = time.time()

    def wanted(mutant: Any) -> bool:  # noqa: ANN401 - a Mutant
        old = kept.get(mutant.name)
        return old["state"] in OPEN if old and options.again else not (old or options.again)

    def told(result: Result) -> None:
        row = {
            "name": result.mutant.name,
            "module": result.mutant.module,
            "line": result.mutant.lines[0],
            "state": result.state,
            "by": result.by,
            "tests": result.tests,
            "seconds": result.seconds,
            "digest": digests[result.mutant.module],
        }
        if result.mutant.name in kept and result.state in OPEN:
            return
        kept[result.mutant.name] = row
        if options.out:
            with options.out.open("a", encoding="utf-8") as file:
                file.write(json.dumps(row, ensure_ascii=False) + "\n")

    if not options.list:
        plan = Plan(names, wanted, told, step=_QUICK_STEP if options.quick else 1)
        plan.budget_s, plan.jobs, plan.patience_s = options.budget, options.jobs, options.patience
        plan.learnt = options.learnt
        if options.minutes is not None:
            plan.until = began + 60 * options.minutes
        code = run(plan, [*options.tests, *more])
        if code:
            print(f"pytest ended with {code}", file=sys.stderr)
            return 2
        for name in names:
            if name not in plan.complete:
                print(f"not gone through to the end: {name}")
    explained = explanations(options.explained.read_text(encoding="utf-8"))
    whole = not (options.module or options.quick)
    text, left = report(kept.values(), explained, stale=whole or options.list)
    print(text)
    if options.report:
        options.report.write_text(text, encoding="utf-8")
    return 1 if left else 0


def _digest(module: str) -> str:
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        raise SystemExit(f"no module `{module}`")
    return hashlib.sha256(Path(spec.origin).read_bytes()).hexdigest()[:16]


def _kept(out: Path | None, digests: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """Rows of an earlier run by name, of modules whose text is the same; the newest holds."""
    if out is None or not out.exists():
        return {}
    rows = (json.loads(line) for line in out.read_text(encoding="utf-8").splitlines())
    return {row["name"]: row for row in rows if digests.get(row["module"]) == row["digest"]}


def explanations(text: str) -> dict[str, str]:
    """Names of mutants → why no test can notice them."""
    return {name: part["why"] for part in tomllib.loads(text).get("equivalent", ()) for name in part["mutants"]}


def report(rows: Iterable[Mapping[str, Any]], explained: Mapping[str, str], *, stale: bool) -> tuple[str, int]:
    """A table by module and all survivors that nobody explained; how many of these and of outlived explanations."""
    table: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        if row["state"] != NOT_APPLICABLE:
            table.setdefault(row["module"], []).append(row)
    lines = ["| module | mutants | killed | explained | unexplained | seconds |", "|---|--:|--:|--:|--:|--:|"]
    left: list[str] = []
    total = [0, 0, 0, 0, 0.0]
    for module, held in table.items():
        dead = sum(row["state"] in (KILLED, TIMED_OUT) for row in held)
        survivors = [row for row in held if row["state"] in OPEN]
        bare = [row for row in survivors if row["name"] not in explained]
        spent = sum(row["seconds"] for row in held)
        numbers = (len(held), dead, len(survivors) - len(bare), len(bare), spent)
        total = [a + b for a, b in zip(total, numbers, strict=True)]
        lines.append(f"| `{module}` | {numbers[0]} | {dead} | {numbers[2]} | {numbers[3]} | {spent:.0f} |")
        left += [f"- line {row['line']}, {row['state']}: {row['name']}" for row in bare]
    lines.append(f"| all | {total[0]} | {total[1]} | {total[2]} | {total[3]} | {total[4]:.0f} |")
    open_names = {row["name"] for held in table.values() for row in held if row["state"] in OPEN}
    old = [f"- explained, and no survivor: {name}" for name in explained if name not in open_names] if stale else []
    return "\n".join([*lines, "", *left, *old, ""]), len(left) + len(old)


if __name__ == "__main__":
    sys.exit(main())
