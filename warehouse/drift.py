"""What became of a source's columns since they were last settled, and what the list has to happen then.

Which columns a source has is for `connectors` to find and for `hub` to remember; approving is a person's work. Pure.

A *state* is a plain dict: ``types`` (field to the source's own word for its type), ``new`` (headings that no field asks
for), ``missing`` (fields), ``renamed`` (field to the heading it was found under), and ``retyped`` (field to [before,
now]), which is None where there is no earlier state to compare with.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from catalog.model import Drift, DriftPolicy, FieldKind
from warehouse.errors import DriftWaitsError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from catalog.model import Field, InformationResource

    State = Mapping[str, Any]

MAX_NAMED: Final = 200  # Columns of a state; a source with more of them has changed into something else altogether.
MAX_NAME_CHARS: Final = 200
_SHOWN: Final = 5


class Outcome(StrEnum):
    """What becomes of a load whose source has drifted.

    ``same``: no drift. ``recorded``: none that anybody is told of. ``accepted``: it goes on, and the drift is
    reported. ``approved``: a person approved of just this. ``waits``: for a person to approve. ``stops``: until the
    source or the list is mended; there is nothing to approve.
    """

    SAME = "same"
    RECORDED = "recorded"
    ACCEPTED = "accepted"
    APPROVED = "approved"
    WAITS = "waits"
    STOPS = "stops"


@dataclass(frozen=True, slots=True)
class Drifted:
    """One column that drifted, and the *outcome* for it alone. *was* and *now* are types in the source's words.

    *required*: the list wants it filled, or it is key. *was* is the type in the list where no earlier one is known.
    """

    drift: Drift
    column: str
    outcome: Outcome
    required: bool = False
    was: str = ""
    now: str = ""

    def text(self, lang: str) -> str:
        """What happened to the column and what comes of it; names of columns, never values."""
        what, what_zh = _WHAT[self.drift]
        then, then_zh = _THEN[self.drift, self.outcome]
        words = {"column": self.column, "was": self.was, "now": self.now}
        return (what_zh + "，" + then_zh if lang == "zh" else f"{what}: {then}").format(**words)


_WHAT: Final[Mapping[Drift, tuple[str, str]]] = {
    Drift.NEW: ("a new column `{column}`", "新增列 `{column}`"),
    Drift.MISSING: ("the column `{column}` is gone", "缺少列 `{column}`"),
    Drift.RETYPED: (
        "the column `{column}` is now `{now}` instead of `{was}`",
        "列 `{column}` 的类型由 `{was}` 变为 `{now}`",
    ),
}
_APPROVAL: Final = ("a person must approve", "须人工批准")
_APPROVED: Final = ("a person approved", "已经人工批准")
_THEN: Final[Mapping[tuple[Drift, Outcome], tuple[str, str]]] = {
    (Drift.NEW, Outcome.ACCEPTED): ("not read until the list has it", "列入清单前不读取"),
    (Drift.NEW, Outcome.RECORDED): ("ignored", "已忽略"),
    (Drift.MISSING, Outcome.ACCEPTED): ("its field will be empty", "相应信息项将为空"),
    (Drift.MISSING, Outcome.RECORDED): ("its field will be empty", "相应信息项将为空"),
    (Drift.MISSING, Outcome.STOPS): (
        "the list wants it filled, so mend the source or the list",
        "而责任清单要求必填，请修正数据源或责任清单",
    ),
    (Drift.RETYPED, Outcome.ACCEPTED): ("taken as long as its values keep the contract", "取值符合数据约束时照常接收"),
    (Drift.RETYPED, Outcome.RECORDED): ("ignored", "已忽略"),
    **{(drift, Outcome.WAITS): _APPROVAL for drift in Drift},
    **{(drift, Outcome.APPROVED): _APPROVED for drift in Drift},
}


@dataclass(frozen=True, slots=True)
class DriftReport:
    """What drifted and what becomes of the load. *digest* names the state, by which a person approves of it."""

    resource: str
    outcome: Outcome
    findings: tuple[Drifted, ...]
    digest: str
    state: Mapping[str, Any]

    @property
    def blocks(self) -> bool:
        """Whether the load may not go on."""
        return self.outcome in {Outcome.WAITS, Outcome.STOPS}

    @property
    def told(self) -> bool:
        """Whether somebody should be told of it."""
        return self.outcome not in {Outcome.SAME, Outcome.RECORDED}

    def lines(self, lang: str) -> tuple[str, ...]:
        """What somebody should be told, one sentence for each column, the gravest first; the last one for the rest."""
        told = [f for f in self.findings if f.outcome is not Outcome.RECORDED]
        told.sort(key=lambda f: -_RANK[f.outcome])
        lines = [finding.text(lang) for finding in told[:_SHOWN]]
        more = len(told) - len(lines)
        if more:
            lines.append(f"另有 {more} 列变化" if lang == "zh" else f"{more} more columns changed")
        return tuple(lines)

    def to_json(self) -> dict[str, Any]:
        """A JSON-able dict, with the sentences in both languages."""
        return {
            "resource": self.resource,
            "outcome": self.outcome.value,
            "digest": self.digest,
            "findings": [
                {
                    "drift": f.drift.value,
                    "column": f.column,
                    "outcome": f.outcome.value,
                    "required": f.required,
                    "was": f.was,
                    "now": f.now,
                    "en": f.text("en"),
                    "zh": f.text("zh"),
                }
                for f in self.findings
            ],
            "state": dict(self.state),
            "en": list(self.lines("en")),
            "zh": list(self.lines("zh")),
        }

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> DriftReport:
        """Inverse of `to_json`."""
        findings = tuple(
            Drifted(Drift(f["drift"]), f["column"], Outcome(f["outcome"]), f["required"], f["was"], f["now"])
            for f in plain["findings"]
        )
        return cls(plain["resource"], Outcome(plain["outcome"]), findings, plain["digest"], plain["state"])

    def enforce(self) -> None:
        """Stop here if the load may not go on.

        Raises:
            DriftWaitsError: a person must approve, or the source or the list be mended.
        """
        if self.blocks:
            raise DriftWaitsError(resource=self.resource, report=self)


def observe(
    resource: InformationResource,
    *,
    types: Mapping[str, str],
    extra: Iterable[str] = (),
    absent: Iterable[str] = (),
    renamed: Iterable[tuple[str, str]] = (),
    before: State | None = None,
) -> dict[str, Any]:
    """The state of a source: what one read of it found, compared with the types of the settled state *before*.

    *types* are those that the source declares, *extra* the headings that no field of the list asks for, *absent* the
    fields that it does not have, *renamed* fields with the heading they were found under. A source that declares no
    types drifts in none. Without *before* the types are compared with those of the list, by `judge`.
    """
    known = {f.name for f in resource.fields}
    now = {name: _cut(type_) for name, type_ in sorted(types.items()) if name in known}
    had = None if before is None else before["types"]
    changed = None if had is None else {n: [had[n], t] for n, t in now.items() if had.get(n, t) != t}
    return {
        "types": now,
        "new": sorted({_cut(name) for name in extra})[:MAX_NAMED],
        "missing": sorted(set(absent) & known),
        "renamed": {name: _cut(heading) for name, heading in sorted(renamed)},
        "retyped": changed,
    }


def judge(resource: InformationResource, observed: State, approved: Collection[str] = ()) -> DriftReport:
    """What becomes of a load over a source in the state *observed*; *approved* are digests that a person approved.

    A field that must be filled, or is key, and is missing stops the load whatever the policy says, and whoever approved
    it: every row would be rejected. The digest does not rest on what stayed as it was.
    """
    found = [*_new(resource, observed), *_missing(resource, observed), *_retyped(resource, observed)]
    plain = [resource.code, *([f.drift.value, f.column, f.was, f.now] for f in found)]
    text = json.dumps(plain, ensure_ascii=False, separators=(",", ":"))
    digest = "sha256:" + hashlib.sha256(text.encode()).hexdigest()
    if digest in approved:
        found = [replace(f, outcome=Outcome.APPROVED) if f.outcome is Outcome.WAITS else f for f in found]
    return DriftReport(resource.code, _worst(found), tuple(found), digest, dict(observed))


def confirm(report: DriftReport, reasons: Iterable[tuple[str, int]], approved: Collection[str] = ()) -> DriftReport:
    """The report once the rows were checked: a column of another type was taken only as far as it keeps the contract.

    *reasons* are those of `Checked.reasons`. Where rows were rejected for such a column, its drift waits after all.
    """
    rejected = {name for reason, rows in reasons if rows for name in reason.partition(":")[2].split(",")}
    found = tuple(
        replace(f, outcome=Outcome.WAITS)
        if f.drift is Drift.RETYPED and f.outcome is Outcome.ACCEPTED and f.column in rejected
        else f
        for f in report.findings
    )
    if report.digest in approved:
        return report
    return replace(report, outcome=_worst(found), findings=found)


_OUTCOMES: Final[Mapping[DriftPolicy, Outcome]] = {
    DriftPolicy.EVOLVE: Outcome.ACCEPTED,
    DriftPolicy.FREEZE: Outcome.WAITS,
    DriftPolicy.DISCARD: Outcome.RECORDED,
}
_RANK: Final = {outcome: rank for rank, outcome in enumerate(Outcome)}


def _new(resource: InformationResource, observed: State) -> list[Drifted]:
    outcome = _OUTCOMES[resource.drift_policy(Drift.NEW)]
    return [Drifted(Drift.NEW, name, outcome) for name in observed["new"]]


def _missing(resource: InformationResource, observed: State) -> list[Drifted]:
    outcome = _OUTCOMES[resource.drift_policy(Drift.MISSING)]
    fields = [field for name in observed["missing"] if (field := resource.field(name)) is not None]
    return [
        Drifted(Drift.MISSING, f.name, Outcome.STOPS if _required(f) else outcome, required=_required(f))
        for f in fields
    ]


def _retyped(resource: InformationResource, observed: State) -> list[Drifted]:
    outcome = _OUTCOMES[resource.drift_policy(Drift.RETYPED)]
    changed = observed["retyped"]
    if changed is None:
        declared = [
            (field, observed["types"][field.name]) for field in resource.fields if field.name in observed["types"]
        ]
        changed = {f.name: [str(f.type), type_] for f, type_ in declared if not fits(f.type.kind, type_)}
    return [Drifted(Drift.RETYPED, name, outcome, was=was, now=now) for name, (was, now) in changed.items()]


# The first that a source's type begins with; what is not here is of no known family, and fits everything.
_FAMILIES: Final = (
    (FieldKind.BOOLEAN, re.compile(r"bool|bit\b|tinyint\(1\)")),
    (FieldKind.DATETIME, re.compile(r"date\b|datetime|time|smalldatetime")),
    (
        FieldKind.INTEGER,
        re.compile(
            r"(?:tiny|small|medium|big|unsigned |u)?int(?:eger|\d+)?\b|(?:small|big)?serial"
            r"|(?:numeric|decimal|number)\(\d+(?:, *0)?\)"
        ),
    ),
    (FieldKind.DECIMAL, re.compile(r"numeric|decimal|number|float|double|real|money|smallmoney")),
    (FieldKind.STRING, re.compile(r"n?(?:var)?char|character|bpchar|varchar|string|\w*text|n?clob|name\b|uuid|enum")),
)
# A text may hold anything, which the contract then judges; a code that became a number has lost its leading zeros.
_TAKEN: Final[Mapping[FieldKind, frozenset[FieldKind]]] = {
    FieldKind.STRING: frozenset({FieldKind.STRING}),
    FieldKind.INTEGER: frozenset({FieldKind.STRING, FieldKind.INTEGER, FieldKind.DECIMAL}),
    FieldKind.DECIMAL: frozenset({FieldKind.STRING, FieldKind.INTEGER, FieldKind.DECIMAL}),
    FieldKind.DATE: frozenset({FieldKind.STRING, FieldKind.DATETIME}),
    FieldKind.DATETIME: frozenset({FieldKind.STRING, FieldKind.DATETIME}),
    FieldKind.BOOLEAN: frozenset({FieldKind.STRING, FieldKind.BOOLEAN, FieldKind.INTEGER}),
}


def fits(kind: FieldKind, declared: str) -> bool:
    """Whether a source's column of the type *declared* may be one of this kind, by the words databases use."""
    found = next((family for family, words in _FAMILIES if words.match(declared.strip().lower())), None)
    return found is None or found in _TAKEN[kind]


def _required(field: Field) -> bool:
    return field.key or not field.nullable


def _worst(findings: Iterable[Drifted]) -> Outcome:
    return max((f.outcome for f in findings), key=_RANK.__getitem__, default=Outcome.SAME)


def _cut(text: str) -> str:
    return text if len(text) <= MAX_NAME_CHARS else text[:MAX_NAME_CHARS] + "…"
