"""The rules of a list that look beyond one field, as DuckDB expressions: between fields, and into another resource.

What is wrong with a field by itself is `warehouse.contract`. A rule that only a share of the rows must keep is measured
in `warehouse.quality`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from catalog import expressions
from catalog.expressions import (
    Comparison,
    Conjunction,
    Disjunction,
    Emptiness,
    FieldName,
    Known,
    Membership,
    Rule,
    Text,
)
from catalog.model import FieldKind, QualityKind
from warehouse import sql
from warehouse.errors import ContractInvalidError
from warehouse.schema import MAX_PRECISION, field_type

if TYPE_CHECKING:
    from collections.abc import Callable
    from decimal import Decimal

    from catalog.expressions import Condition, Literal
    from catalog.model import Field, InformationResource, QualityRule

    Other = Callable[[str], str | None]

# A rule of which the list asks every row, not a share of them.
EVERY_ROW: Final = 1.0
_BIGINT_DIGITS: Final = 19


@dataclass(frozen=True, slots=True)
class RowRule:
    """A rule that a row breaks where *condition* is true; NULL finds nothing wrong.

    *reason* is ``code:field``. *condition* stands over the typed values ``__v{i}`` (and may over the normalised text
    ``__t{i}`` and the landed columns) of a resource's fields in published order. Each of *prepare* is run once before,
    in the same session. Rows marked deleted are spared by whoever judges: of them only the key is there.
    """

    reason: str
    condition: str
    prepare: tuple[str, ...] = ()


def row_rules(resource: InformationResource, other: Other) -> tuple[RowRule, ...]:
    """The rules of *resource* that every row must keep.

    *other* gives a FROM item over the rows that another resource holds now, or None where it has no table yet; into
    such a one nothing is looked up, for then no row could come in before it. A reference into the resource itself is
    measured over all rows instead (`warehouse.quality`): the row referred to may come in the same batch.

    Raises:
        ContractInvalidError: a rule cannot be said of this resource.
    """
    found = []
    for number, rule in enumerate(resource.quality):
        if rule.threshold < EVERY_ROW:
            continue
        if rule.kind is QualityKind.CONSISTENCY:
            found.append(RowRule(f"cross_field:{rule.field}", broken(resource, rule)))
        elif rule.kind is QualityKind.REFERENCE and target_of(rule)[0] != resource.code:
            made = _reference(resource, rule, other, f"__reference_{number}")
            if made is not None:
                found.append(made)
    return tuple(found)


def target_of(rule: QualityRule) -> tuple[str, str]:
    """The resource and the field that a ``reference`` points into."""
    code, _, name = rule.target.rpartition(".")
    return code, name


def referenced(field: Field, item: str, name: str) -> str:
    """A query for the distinct values of *name* in the FROM item, as values ``v`` of the type of *field*."""
    value = f"TRY_CAST({sql.name(name)} AS {field_type(field)})"
    return f"SELECT DISTINCT {value} AS v FROM {item} WHERE {value} IS NOT NULL"


def _reference(resource: InformationResource, rule: QualityRule, other: Other, table: str) -> RowRule | None:
    code, name = target_of(rule)
    item = other(code)
    if item is None:
        return None
    field = _field(resource, rule.field)
    value = value_of(resource, rule.field)
    return RowRule(
        f"no_reference:{rule.field}",
        f"({value} IS NOT NULL AND {value} NOT IN (SELECT v FROM {table}))",
        (f"CREATE OR REPLACE TEMP TABLE {table} AS {referenced(field, item, name)}",),
    )


def broken(
    resource: InformationResource, rule: QualityRule, column: Callable[[InformationResource, str], str] | None = None
) -> str:
    """The condition of a ``consistency``, true where a row breaks it; *column* names the typed value of a field.

    Raises:
        ContractInvalidError: the text is no rule, or cannot be said of this resource.
    """
    compiler = _Compiler(resource, column or value_of)
    parsed = _parsed(resource, rule)
    then = f"NOT ({compiler.condition(parsed.then)})"
    return f"({then})" if parsed.when is None else f"(({compiler.condition(parsed.when)}) AND {then})"


def _parsed(resource: InformationResource, rule: QualityRule) -> Rule:
    try:
        parsed = expressions.parse(rule.target)
    except expressions.RuleSyntaxError as error:
        raise ContractInvalidError(resource=resource.code, detail=error.text("en")) from error
    # The list was checked when it was published; what is compiled must not rest on that.
    known = {f.name: Known(f.type, f.codes, f.landing) for f in resource.fields}
    for code, words in expressions.faults(parsed, known):
        detail = f"the rule `{rule.target}` does not fit ({code}: `{words['value']}`)"
        raise ContractInvalidError(resource=resource.code, detail=detail)
    return parsed


def value_of(resource: InformationResource, name: str) -> str:
    """The column of the typed value of the field *name*, as `warehouse.contract` calls it.

    Raises:
        ContractInvalidError: the resource has no such field.
    """
    return f"__v{resource.fields.index(_field(resource, name))}"


def named(resource: InformationResource, name: str) -> str:
    """The column of the field *name* in a table or in a file of good rows; the other way to call it is `value_of`."""
    return sql.name(_field(resource, name).name)


def _field(resource: InformationResource, name: str) -> Field:
    field = resource.field(name)
    if field is None:
        raise ContractInvalidError(resource=resource.code, detail=f"a rule speaks of `{name}`, which is no field")
    return field


@dataclass(frozen=True, slots=True)
class _Compiler:
    """From the tree of a rule that fits *resource* to SQL. Only quoted values get into it from the list."""

    resource: InformationResource
    column: Callable[[InformationResource, str], str]

    def condition(self, part: Condition) -> str:
        """The condition, true or false or NULL."""
        match part:
            case Conjunction(parts):
                return " AND ".join(f"({self.condition(p)})" for p in parts)
            case Disjunction(parts):
                return " OR ".join(f"({self.condition(p)})" for p in parts)
            case Emptiness(field, negated):
                return f"{self._value(field)} IS {'NOT ' if negated else ''}NULL"
            case Membership(field, values, negated):
                # One by one: of a moment some values may be days and some moments.
                alike = " OR ".join(self._compared(field, "=", value) for value in values)
                return f"NOT ({alike})" if negated else f"({alike})"
            case Comparison(left, op, right):
                if isinstance(right, FieldName):
                    return self._fields(left, op.value, right)
                return self._compared(left, op.value, right)

    def _value(self, field: FieldName) -> str:
        return self.column(self.resource, field.name)

    def _kind(self, field: FieldName) -> FieldKind:
        return _field(self.resource, field.name).type.kind

    def _compared(self, field: FieldName, op: str, value: Literal) -> str:
        left = self._value(field)
        if not isinstance(value, Text):
            return f"{left} {op} {_number(value.value)}"
        kind = self._kind(field)
        if kind is FieldKind.STRING:
            return f"{left} {op} {sql.text(value.value)}"
        # A day stands for the whole of it, so that a moment is cut to its day before the two are compared.
        if expressions.is_day(value.value):
            return f"CAST({left} AS DATE) {op} CAST({sql.text(value.value)} AS DATE)"
        return f"{left} {op} CAST({sql.text(value.value)} AS TIMESTAMP)"

    def _fields(self, left: FieldName, op: str, right: FieldName) -> str:
        kinds = {self._kind(left), self._kind(right)}
        one, other = self._value(left), self._value(right)
        if kinds == {FieldKind.DATE, FieldKind.DATETIME}:
            return f"CAST({one} AS DATE) {op} CAST({other} AS DATE)"
        if FieldKind.DECIMAL in kinds:
            wide = self._wide(left, right)
            # What does not fit a number of 38 digits is not compared, instead of ending the load.
            return f"TRY_CAST({one} AS {wide}) {op} TRY_CAST({other} AS {wide})"
        return f"{one} {op} {other}"

    def _wide(self, *fields: FieldName) -> str:
        """A decimal that holds the values of both fields, as far as there is one."""
        types = [_field(self.resource, field.name).type for field in fields]
        scale = max(t.scale for t in types)
        whole = max(
            (t.length or MAX_PRECISION) - t.scale if t.kind is FieldKind.DECIMAL else _BIGINT_DIGITS for t in types
        )
        return f"DECIMAL({min(MAX_PRECISION, whole + scale)},{scale})"


def _number(value: Decimal | bool) -> str:  # noqa: FBT001 - a value, not a switch
    return str(value).lower() if isinstance(value, bool) else format(value, "f")
