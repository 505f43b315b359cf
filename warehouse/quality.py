"""The quality rules of a list over a batch as a whole: measured after the check, before the commit.

What a single row must keep is `warehouse.contract` and `warehouse.rules`. When a table grows old although nothing is
loaded is for `hub` to watch.

Rules are measured over the good rows of the batch: of a whole pull that is the table as it will be, of a delta what
changed. These hold a batch back: ``completeness``, ``uniqueness``, ``reference``, ``consistency``, ``volume`` and
``volume_band``. These are told only: ``validity``, whose rows were rejected one by one, so that it is the error budget
that stops a load; and ``timeliness``, for to hold old rows back leaves older ones in their place.
"""

from __future__ import annotations

import hashlib
import json
import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

from catalog import domains
from catalog.model import Disposition, FieldKind, QualityKind
from warehouse import checks, rules, sql
from warehouse.errors import QualityGateError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import datetime

    import duckdb

    from catalog.model import InformationResource, QualityRule
    from warehouse.history import SnapshotInfo
    from warehouse.rules import Other
    from warehouse.staging import Checked

USUAL_LOADS: Final = 10  # So many of the last whole pulls make the usual number of rows,
LEAST_LOADS: Final = 3  # and with fewer nothing is usual yet.
FEW: Final = 3  # As in `warehouse.checks`: of a delta's handful of rows one is a large share and no alarm.
LOCAL: Final = ZoneInfo("Asia/Shanghai")  # Departments write local time.
_DAY_S: Final = 86_400
_ROUNDING: Final = 1e-6  # Of a row; shares are binary fractions.
_BLOCKING: Final = frozenset(QualityKind) - {QualityKind.VALIDITY, QualityKind.TIMELINESS}


MARK_DIGITS: Final = 12


@dataclass(frozen=True, slots=True)
class Finding:
    """A rule of the list that a batch breaks. It carries counts, never values.

    *measured* is in the unit of *threshold*: a share, days, or rows. *rows* are those looked at, *broken* those of them
    that break the rule (0 where rows do not). *usual* is the median that a band rests on. *blocks*: the batch is held
    back. *digest* names the finding of this batch, by which a person accepts it.
    """

    kind: QualityKind
    field: str
    threshold: float
    measured: float
    rows: int
    broken: int
    blocks: bool
    digest: str
    target: str = ""
    usual: float = 0.0

    @property
    def mark(self) -> str:
        """The first digits of the digest, short enough to be typed."""
        return self.digest.removeprefix("sha256:")[:MARK_DIGITS]

    def text(self, lang: str) -> str:
        """The finding as a sentence."""
        en, zh = _SENTENCES[self.kind]
        share = self.kind not in _COUNTED
        words = {
            "field": f"`{self.field}`",
            "target": f"`{self.target}`",
            "measured": f"{self.measured:.2%}" if share else f"{self.measured:,.0f}",
            "threshold": f"{self.threshold:.2%}" if share else f"{self.threshold:,.0f}",
            "age": f"{self.measured:.1f}",
            "rows": f"{self.rows:,}",
            "broken": f"{self.broken:,}",
            "usual": f"{self.usual:,.0f}",
            "least": f"{self.usual * self.threshold:,.0f}",
            "most": f"{self.usual / self.threshold:,.0f}" if self.threshold else "∞",
        }
        return (zh if lang == "zh" else en).format(**words)

    def to_json(self) -> dict[str, Any]:
        """A JSON-able dict, with the sentences in both languages."""
        return {
            "kind": self.kind.value,
            "name": domains.QUALITY_KIND.word(self.kind),
            "field": self.field,
            "target": self.target,
            "threshold": self.threshold,
            "measured": self.measured,
            "rows": self.rows,
            "broken": self.broken,
            "usual": self.usual,
            "blocks": self.blocks,
            "digest": self.digest,
            "en": self.text("en"),
            "zh": self.text("zh"),
        }


_COUNTED: Final = frozenset({QualityKind.VOLUME, QualityKind.TIMELINESS})
_SENTENCES: Final[Mapping[QualityKind, tuple[str, str]]] = {
    QualityKind.COMPLETENESS: (
        "{field} is filled in {measured} of {rows} rows, {threshold} are promised",
        "{field} 完整率为 {measured}（共 {rows} 行），要求不低于 {threshold}",
    ),
    QualityKind.UNIQUENESS: (
        "{measured} of {rows} values of {field} differ from all others, {threshold} are promised",
        "{field} 唯一率为 {measured}（共 {rows} 个取值），要求不低于 {threshold}",
    ),
    QualityKind.VALIDITY: (
        "{broken} of {rows} rows were rejected for {field}: {measured} are valid, {threshold} are promised",
        "{field} 有 {broken} 行不合规（共 {rows} 行），规范率为 {measured}，要求不低于 {threshold}",
    ),
    QualityKind.REFERENCE: (
        "{measured} of {rows} values of {field} are found in {target}, {threshold} are promised",
        "{field} 有 {measured} 存在于 {target}（共 {rows} 个取值），要求不低于 {threshold}",
    ),
    QualityKind.CONSISTENCY: (
        "{broken} of {rows} rows break the rule {target}: {measured} keep it, {threshold} are promised",
        "有 {broken} 行不符合规则 {target}（共 {rows} 行），符合率为 {measured}，要求不低于 {threshold}",
    ),
    QualityKind.TIMELINESS: (
        "the newest {field} is {age} days old, {threshold} are promised",
        "最新的 {field} 距今 {age} 天，要求不超过 {threshold} 天",
    ),
    QualityKind.VOLUME: ("{measured} rows, {threshold} are promised", "共 {measured} 行，要求不少于 {threshold} 行"),
    QualityKind.VOLUME_BAND: (
        "{rows} rows, where {usual} are usual; from {least} to {most} are taken without asking",
        "共 {rows} 行，以往通常为 {usual} 行，允许范围为 {least} 至 {most} 行",
    ),
}


def judge(
    con: duckdb.DuckDBPyConnection,
    resource: InformationResource,
    checked: Checked,
    history: Sequence[SnapshotInfo],
    now: datetime,
    *,
    other: Other = lambda _code: None,
    whole: bool | None = None,
    own: str | None = None,
) -> tuple[Finding, ...]:
    """The rules that the batch breaks, in the order of the list.

    *history* are the loads before, newest first. *other* gives a FROM item over another resource's rows, or None where
    it has no table: a reference into such a one is not measured. *own* is such an item for this resource's own rows.
    *whole* says whether the batch is the whole resource (None: as its disposition says).

    Raises:
        ContractInvalidError: a rule cannot be said of this resource.
    """
    if whole is None:
        whole = resource.disposition is Disposition.REPLACE
    batch = _Batch(con, resource, checked, checks.good_rows(checked), history, now, other, whole, own)
    found = (batch.finding(rule) for rule in resource.quality)
    return tuple(finding for finding in found if finding is not None)


def enforce(resource: InformationResource, findings: Sequence[Finding], accepted: Collection[str] = ()) -> None:
    """Hold the batch back for what blocks it; *accepted* are digests, or marks, of findings that a person accepted.

    Raises:
        QualityGateError: nothing may be committed of it.
    """
    blocking = [f for f in findings if f.blocks and f.digest not in accepted and f.mark not in accepted]
    if blocking:
        raise QualityGateError(resource=resource.code, findings=blocking)


@dataclass(frozen=True, slots=True)
class _Batch:
    con: duckdb.DuckDBPyConnection
    resource: InformationResource
    checked: Checked
    good: str
    history: Sequence[SnapshotInfo]
    now: datetime
    other: Other
    whole: bool
    own: str | None

    def finding(self, rule: QualityRule) -> Finding | None:  # noqa: PLR0911 - one for each kind
        """What breaks *rule*, None where it is kept or cannot be told."""
        match rule.kind:
            case QualityKind.COMPLETENESS:
                column = rules.named(self.resource, rule.field)
                return self._share(rule, *self._counts(f"count(*), count(*) FILTER ({column} IS NULL)"))
            case QualityKind.UNIQUENESS:
                return self._share(rule, *self._repeats(rule))
            case QualityKind.VALIDITY:
                reasons = dict(self.checked.reasons)
                bad = sum(n for reason, n in reasons.items() if reason.split(":")[1] == rule.field and _is_form(reason))
                # A row may have two faults in one field; it is one row all the same.
                return self._share(rule, self.checked.read, min(bad, self.checked.rejected_rows))
            case QualityKind.REFERENCE:
                return self._reference(rule)
            case QualityKind.CONSISTENCY:
                # What every row must keep was judged row by row.
                if rule.threshold >= rules.EVERY_ROW:
                    return None
                broken = rules.broken(self.resource, rule, rules.named)
                return self._share(rule, *self._counts(f"count(*), count(*) FILTER ({broken})"))
            case QualityKind.TIMELINESS:
                return self._age(rule)
            case QualityKind.VOLUME:
                return self._volume(rule)
            case QualityKind.VOLUME_BAND:
                return self._band(rule)

    def _counts(self, columns: str, rows: str = "") -> tuple[int, int]:
        row = self.con.execute(f"SELECT {columns} FROM {rows or self.good}").fetchone()
        return (int(row[0] or 0), int(row[1] or 0)) if row else (0, 0)

    def _repeats(self, rule: QualityRule) -> tuple[int, int]:
        column = rules.named(self.resource, rule.field)
        once = f"(SELECT count(*) AS n FROM {self.good} WHERE {column} IS NOT NULL GROUP BY {column})"
        return self._counts("sum(n), sum(n) FILTER (n > 1)", once)

    def _reference(self, rule: QualityRule) -> Finding | None:
        code, name = rules.target_of(rule)
        itself = code == self.resource.code
        if rule.threshold >= rules.EVERY_ROW and not itself:
            return None
        field = self.resource.field(rule.field)
        item = self.own if itself else self.other(code)
        if field is None or (item is None and not itself):
            return None
        known = [] if item is None else [rules.referenced(field, item, name)]
        # A row may refer to one that came in the same batch.
        known += [rules.referenced(field, self.good, name)] if itself else []
        column = sql.name(field.name)
        missing = f"count(*) FILTER ({column} NOT IN ({' UNION '.join(known)}))"
        return self._share(rule, *self._counts(f"count({column}), {missing}"))

    def _share(self, rule: QualityRule, rows: int, broken: int) -> Finding | None:
        if not rows:
            return None
        allowed = (1 - rule.threshold) * rows + (0 if self.whole else FEW)
        if broken <= allowed + _ROUNDING:
            return None
        return self._found(rule, 1 - broken / rows, rows, broken)

    def _age(self, rule: QualityRule) -> Finding | None:
        field = self.resource.field(rule.field)
        if field is None or field.type.kind not in {FieldKind.DATE, FieldKind.DATETIME}:
            return None
        local = self.now.astimezone(LOCAL).replace(tzinfo=None)
        column = sql.name(field.name)
        # A day counts until it is over.
        newest = f"max({column})" if field.type.kind is FieldKind.DATETIME else f"max({column}) + INTERVAL 1 DAY"
        row = self.con.execute(
            f"SELECT date_diff('second', {newest}, ?::TIMESTAMP) FROM {self.good}", [local]
        ).fetchone()
        if row is None or row[0] is None:
            return None
        age = max(0.0, row[0] / _DAY_S)
        return self._found(rule, age, self.checked.accepted, 0) if age > rule.threshold else None

    def _volume(self, rule: QualityRule) -> Finding | None:
        # Of a delta nobody knows yet which rows are new; it is short only where it is so even if all of them are.
        held = 0 if self.whole or not self.history else self.history[0].total
        rows = held + self.checked.accepted
        return self._found(rule, float(rows), rows, 0) if rows < rule.threshold else None

    def _band(self, rule: QualityRule) -> Finding | None:
        if not self.whole:
            return None
        usual = usual_rows(self.history)
        rows = self.checked.read
        if usual is None or not rule.threshold or usual * rule.threshold <= rows <= usual / rule.threshold:
            return None
        return self._found(rule, rows / usual, rows, 0, usual=usual)

    def _found(self, rule: QualityRule, measured: float, rows: int, broken: int, *, usual: float = 0.0) -> Finding:
        plain = [self.resource.code, self.checked.batch_id, rule.kind.value, rule.field, rule.target, rule.threshold]
        digest = hashlib.sha256(json.dumps(plain, ensure_ascii=False).encode()).hexdigest()
        return Finding(
            kind=rule.kind,
            field=rule.field,
            threshold=rule.threshold,
            measured=round(measured, 6),
            rows=rows,
            broken=broken,
            blocks=rule.kind in _BLOCKING,
            digest=f"sha256:{digest}",
            target=rule.target,
            usual=usual,
        )


def usual_rows(history: Sequence[SnapshotInfo]) -> float | None:
    """The median number of rows of the last whole pulls that found any, None while there are fewer than three.

    *history* is that of a resource that is pulled whole, newest first. What a replay put in is no pull.
    """
    pulls = [info.read for info in history if info.read and not getattr(info, "facts", {}).get("replay")]
    return statistics.median(pulls[:USUAL_LOADS]) if len(pulls) >= LEAST_LOADS else None


def _is_form(reason: str) -> bool:
    """Whether a reason is about the form of a field's value, which ``validity`` speaks of."""
    return reason.startswith(("bad_", "too_long:", "impossible_"))
