"""Measures decisions over a city: 53 departments, 1,227 resources of 20 to 60 fields, 300 matters, 10,000 grants.

Run `python bench/decide.py` (`--quick` for less than a minute). Each figure is the median of several runs, in CPU
time of one core. The last line is JSON. A ratio above 1 means that ours is faster than the peer.

Every request is a different one, for a time of its own, and made just before it is decided, as one that was just
parsed. But for `busy` they are drawn evenly from the 10,000 pairs of a consumer and a resource, which is the hardest
on the processor's caches: a decision then waits for memory longer than it computes.

- index: grants per second taken in (no peer).
- cold: no two requests are about the same consumer, resource, purpose and action, and each is the first ever.
  Peer: a scan over all grants, without an index.
- warm: allowed requests about what was asked about before, for other fields at other times. Peer: the same scan.
- busy: as warm, about the 500 pairs that a city asks about most.
- mixed: as warm, but one in five is denied, and told why in full.
- denied: denied requests alone.
- rows: as warm, under grants for some rows, and the decision applied to one record.

Where they are installed, two policy engines answer the same questions (may this consumer use this resource for this
matter in this way?) over the same grants. They say yes or no alone: fields, masks, rows, times and reasons would
come on top. Each is used in its fastest way: `casbin` with policies kept by consumer and resource (FastEnforcer),
`cedarpy` with the policies of each pair found and parsed beforehand.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import sys
import time
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from catalog.decide import AccessRequest, Grant, Policy, decision_for_row
from catalog.model import (
    Cadence,
    Department,
    Disposition,
    Domain,
    Field,
    FieldKind,
    FieldType,
    InformationResource,
    Mask,
    Matter,
    Prohibition,
    ResourceFormat,
    Responsibility,
    ResponsibilityList,
    ShareMethod,
    ShareType,
    SourceRef,
)
from catalog.rows import parse_rule

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

DEPARTMENTS, RESOURCES, MATTERS, GRANTS = 53, 1_227, 300, 10_000
CHUNK, SCANNED = 1_000, 50
NOW = datetime(2026, 3, 2, 1, 30, tzinfo=UTC)
STRING = FieldType(FieldKind.STRING)


@dataclass(frozen=True, slots=True)
class City:
    """A list, the grants given under it, and for each grant a request that it allows."""

    list: ResponsibilityList
    grants: tuple[Grant, ...]


def city(count: int, draw: random.Random) -> City:
    departments = [f"D{number:03d}" for number in range(DEPARTMENTS)]
    matters = [Matter(f"SX{n:05d}", f"事项{n}", "", draw.choice(departments)) for n in range(MATTERS)]
    resources = tuple(resource(f"306{n:03d}/{n:06d}", draw.choice(departments), draw) for n in range(RESOURCES))
    lines = tuple(
        Responsibility(
            r.code, r.provider, ("*",), ("*",), "《条例》", ShareMethod.SERVICE, Cadence.DAILY, date(2026, 6, 1),
            Domain.GOVERNMENT,
        )
        for r in resources
    )  # fmt: skip
    prohibitions = tuple(
        Prohibition(r.code, (draw.choice(departments),), ("*",), "《某法》", (r.fields[-1].name,))
        for r in draw.sample(resources, 100)
    )
    list_ = ResponsibilityList(
        "示例市", "清单", 2026, 1,
        tuple(Department(code, code, code, "") for code in departments),
        resources, lines, tuple(matters), prohibitions=prohibitions,
    )  # fmt: skip
    pairs = draw.sample([(d, r) for d in departments for r in resources], count)
    return City(list_, tuple(grant(f"G{n:06d}", d, r, matters, draw) for n, (d, r) in enumerate(pairs)))


def resource(code: str, provider: str, draw: random.Random) -> InformationResource:
    fields = tuple(
        Field(
            f"field_{n:02d}", f"信息项{n}", STRING, key=n == 0, lookup=n < 2,
            mask=Mask.KEEP_LAST_4 if n % 5 == 4 else Mask.NONE,
        )
        for n in range(draw.randint(20, 60))
    )  # fmt: skip
    return InformationResource(
        code, f"信息{code}", "", provider, "摘要", ResourceFormat.DATABASE, ShareType.CONDITIONAL, "", "",
        ShareMethod.SERVICE, Cadence.DAILY, False, date(2026, 1, 1), Disposition.REPLACE, SourceRef("s", "o"), fields,
    )  # fmt: skip


def grant(id_: str, consumer: str, of: InformationResource, matters: list[Matter], draw: random.Random) -> Grant:
    names = [f.name for f in of.fields[:-1]]
    chosen = tuple(draw.sample(names, draw.randint(4, 15)))
    return Grant(
        id_, consumer, of.code, chosen, ((chosen[0], Mask.SURNAME),),
        tuple(m.code for m in draw.sample(matters, draw.randint(1, 4))), ("query", "verify"),
        NOW - timedelta(days=draw.randint(1, 300)), NOW + timedelta(days=draw.randint(1, 300)), "", "《条例》",
    )  # fmt: skip


def requests(grants: Sequence[Grant], count: int, draw: random.Random) -> list[tuple[AccessRequest, datetime]]:
    """Allowed requests, all different: other fields of a grant, and each at a time of its own."""
    made = []
    for number in range(count):
        one = draw.choice(grants)
        fields = tuple(draw.sample(one.fields, draw.randint(1, 4))) if draw.random() < 0.8 else ()
        request = AccessRequest(
            one.consumer, one.resource, draw.choice(one.actions), fields, ("field_00",), draw.choice(one.purposes)
        )
        made.append((request, NOW + timedelta(microseconds=number)))
    return made


def denied(request: AccessRequest, draw: random.Random) -> AccessRequest:
    return draw.choice(
        (
            replace(request, purpose=None),
            replace(request, lookup=()),
            replace(request, action="subscribe"),
            replace(request, fields=("field_00", "nosuch")),
            replace(request, grant="G999999"),
        )
    )


def scan(request: AccessRequest, list_: ResponsibilityList, grants: Sequence[Grant], on: datetime) -> bool:
    """What one would write first: go through the grants, and see which cover the request. Fields and masks included."""
    if not any(m.code == request.purpose for m in list_.matters):
        return False
    given: dict[str, Mask] = {}
    for one in grants:
        if (
            one.consumer == request.consumer
            and one.resource == request.resource
            and one.starts <= on < one.expires
            and one.revoked_at is None
            and request.action in one.actions
            and request.purpose in one.purposes
        ):
            own = dict(one.masks)
            given |= {name: own.get(name, Mask.NONE) for name in one.fields}
    return bool(given) and all(name in given for name in request.fields)


def rate(count: int, work: Callable[[], object]) -> float:
    begin = time.process_time()
    work()
    return count / (time.process_time() - begin)


def decide_all(policy: Policy, asked: Sequence[tuple[AccessRequest, datetime]]) -> int:
    allowed = 0
    decide = policy.decide
    for request, on in asked:
        allowed += decide(request, on).allowed
    return allowed


def fresh_rate(
    count: int,
    make: Callable[[int], Sequence[tuple[AccessRequest, datetime]]],
    work: Callable[[Sequence[tuple[AccessRequest, datetime]]], object],
) -> float:
    """Requests per second, each made just before its time is taken."""
    spent = 0.0
    for _ in range(0, count, CHUNK):
        asked = make(CHUNK)
        begin = time.process_time()
        work(asked)
        spent += time.process_time() - begin
    return count / spent


def one_run(town: City, count: int, draw: random.Random) -> dict[str, float]:
    list_, grants = town.list, town.grants
    # Every purpose and action of every grant, once: the first for cold, the rest only so that warm is warm.
    every = [
        (AccessRequest(g.consumer, g.resource, action, g.fields[:2], ("field_00",), purpose), NOW)
        for g in grants
        for purpose in g.purposes
        for action in g.actions
    ]
    first = list({(r.consumer, r.resource): (r, on) for r, on in every}.values())
    begin = time.process_time()
    policy = Policy(list_, grants)
    built = len(grants) / (time.process_time() - begin)
    cold = rate(len(first), lambda: decide_all(policy, first))
    assert decide_all(policy, every) == len(every)

    def allowed(number: int) -> list[tuple[AccessRequest, datetime]]:
        return requests(grants, number, draw)

    def refused(number: int) -> list[tuple[AccessRequest, datetime]]:
        return [(denied(r, draw), on) for r, on in allowed(number)]

    def mixed(number: int) -> list[tuple[AccessRequest, datetime]]:
        return [(denied(r, draw), on) if draw.random() < 0.2 else (r, on) for r, on in allowed(number)]

    def scan_all(asked: Sequence[tuple[AccessRequest, datetime]]) -> None:
        for request, on in asked[:SCANNED]:
            assert scan(request, list_, grants, on)

    rule = parse_rule("field_01 prefix 3412")
    narrow = Policy(list_, [replace(g, rows=(rule,)) for g in grants])
    decide_all(narrow, every)
    row = {"field_00": "1", "field_01": "341202"}

    def with_rows(asked: Sequence[tuple[AccessRequest, datetime]]) -> None:
        for request, on in asked:
            assert decision_for_row(narrow.decide(request, on), list_.by_code[request.resource], row)

    assert decide_all(policy, allowed(CHUNK)) == CHUNK
    assert decide_all(policy, refused(CHUNK)) == 0
    return {
        "index": built,
        "cold": cold,
        "warm": fresh_rate(count, allowed, lambda asked: decide_all(policy, asked)),
        "busy": fresh_rate(count, lambda number: requests(grants[:500], number, draw), lambda a: decide_all(policy, a)),
        "mixed": fresh_rate(count, mixed, lambda asked: decide_all(policy, asked)),
        "denied": fresh_rate(count // 5, refused, lambda asked: decide_all(policy, asked)),
        "rows": fresh_rate(count // 5, allowed, with_rows),
        "scan": fresh_rate(CHUNK, allowed, scan_all) * SCANNED / CHUNK,
    }


def casbin_rate(town: City, asked: Sequence[tuple[AccessRequest, datetime]]) -> float | None:
    """Decisions per second of casbin's plain access-control model over the same grants; None: it is not installed."""
    try:
        from casbin import FastEnforcer  # type: ignore[import-not-found, unused-ignore]  # noqa: PLC0415
        from casbin.model import FastModel  # type: ignore[import-not-found, unused-ignore]  # noqa: PLC0415
    except ImportError:
        return None
    by = [0, 1]
    model = FastModel(by)
    model.load_model_from_text(
        """
        [request_definition]
        r = sub, obj, matter, act
        [policy_definition]
        p = sub, obj, matter, act
        [policy_effect]
        e = some(where (p.eft == allow))
        [matchers]
        m = r.sub == p.sub && r.obj == p.obj && r.matter == p.matter && r.act == p.act
        """
    )
    enforcer = FastEnforcer(model, cache_key_order=by)
    enforcer.add_policies([[g.consumer, g.resource, m, a] for g in town.grants for m in g.purposes for a in g.actions])

    def work() -> None:
        for request, _ in asked:
            assert enforcer.enforce(request.consumer, request.resource, request.purpose, request.action)

    return rate(len(asked), work)


def cedar_rate(town: City, asked: Sequence[tuple[AccessRequest, datetime]]) -> float | None:
    """Decisions per second of Cedar, given the policies of the pair alone; None: it is not installed."""
    try:
        import cedarpy  # type: ignore[import-not-found, unused-ignore]  # noqa: PLC0415
    except ImportError:
        return None
    policies: dict[tuple[str, str], str] = {}
    for g in town.grants:
        actions = ", ".join(f'Action::"{a}"' for a in g.actions)
        text = (
            f'permit(principal == Department::"{g.consumer}", action in [{actions}], resource == '
            f'Resource::"{g.resource}") when {{ {json.dumps(list(g.purposes))}.contains(context.matter) }};'
        )
        policies[g.consumer, g.resource] = policies.get((g.consumer, g.resource), "") + text

    parsed = {pair: cedarpy.PolicySet.from_str(text) for pair, text in policies.items()}
    entities = cedarpy.Entities.from_json_str("[]")

    def work() -> None:
        for request, _ in asked:
            question = {
                "principal": f'Department::"{request.consumer}"',
                "action": f'Action::"{request.action}"',
                "resource": f'Resource::"{request.resource}"',
                "context": {"matter": request.purpose},
            }
            assert cedarpy.is_authorized(question, parsed[request.consumer, request.resource], entities).allowed

    return rate(len(asked), work)


def measure(count: int, runs: int) -> dict[str, dict[str, Any]]:
    draw = random.Random(7)
    town = city(GRANTS, draw)
    runs_found = [one_run(town, count, draw) for _ in range(runs)]
    middle = {name: statistics.median(run[name] for run in runs_found) for name in runs_found[0]}
    asked = requests(town.grants, CHUNK, draw)
    engines = {"casbin": casbin_rate(town, asked), "cedarpy": cedar_rate(town, asked)}
    report: dict[str, dict[str, Any]] = {}
    for metric in ("index", "cold", "warm", "busy", "mixed", "denied", "rows"):
        peers = {"scan": round(middle["scan"])} if metric in ("cold", "warm") else {}
        if metric == "warm":
            peers |= {name: round(found) for name, found in engines.items() if found is not None}
        report[metric] = {
            "ours": round(middle[metric]),
            "peers": peers,
            "ratio": round(middle[metric] / middle["scan"], 3) if peers else None,
            "unit": "grants/s" if metric == "index" else "decisions/s",
        }
    return report


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer requests and runs, less than a minute")
    options = parser.parse_args()
    count, runs = (50_000, 3) if options.quick else (500_000, 5)
    report = measure(count, runs)
    print(f"{GRANTS:,} grants, {count:,} different requests, median of {runs} runs\n")
    print(f"{'metric':<12} {'ours':>12} {'scan':>12} {'ratio':>10}  unit")
    for metric, row in report.items():
        ratio = "" if row["ratio"] is None else row["ratio"]
        print(f"{metric:<12} {row['ours']:>12} {row['peers'].get('scan', ''):>12} {ratio:>10}  {row['unit']}")
    for name in ("casbin", "cedarpy"):
        figure = report["warm"]["peers"].get(name)
        told = f"{figure:,} answers of yes or no per second" if figure else "not installed, not measured"
        print(f"{name}: {told}")
    print(json.dumps(report))


if __name__ == "__main__":
    main()
