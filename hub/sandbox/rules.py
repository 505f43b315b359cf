"""Whether a row in memory keeps the rules between its fields; for sample rows alone, whose rows are in no table.

Over tables the rules are run by `warehouse.rules`, and mean the same there.
"""

from __future__ import annotations

import operator
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from catalog.expressions import (
    Comparison,
    Conjunction,
    Disjunction,
    Emptiness,
    FieldName,
    Membership,
    Number,
    Op,
    Text,
    Truth,
    is_day,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from catalog.expressions import Condition, Literal, Rule

_OPERATIONS: Final = {
    Op.EQUAL: operator.eq,
    Op.UNEQUAL: operator.ne,
    Op.LESS: operator.lt,
    Op.AT_MOST: operator.le,
    Op.GREATER: operator.gt,
    Op.AT_LEAST: operator.ge,
}


def kept(rule: Rule, row: Mapping[str, Any]) -> bool:
    """Whether *row* (name to typed value or None) keeps *rule*; what is undecided is not broken."""
    if rule.when is not None and _holds(rule.when, row) is not True:
        return True
    return _holds(rule.then, row) is not False


def literals(rule: Rule, name: str, beside: object) -> list[Any]:
    """The values that *rule* compares the field *name* with, of the type of *beside*."""
    found: list[Any] = []

    def walk(part: Condition) -> None:
        match part:
            case Conjunction(parts) | Disjunction(parts):
                for inner in parts:
                    walk(inner)
            case Membership(FieldName(field), values) if field == name:
                found.extend(literal_value(value, beside) for value in values)
            case Comparison(FieldName(field), _, right) if field == name and not isinstance(right, FieldName):
                found.append(literal_value(right, beside))

    for part in (rule.when, rule.then):
        if part is not None:
            walk(part)
    return found


def literal_value(literal: Literal, beside: object) -> Any:  # noqa: ANN401 - a value of any field's type
    """The value of *literal* where it is compared with the value *beside*."""
    match literal:
        case Truth(value):
            return value
        case Number(value):
            return value
        case Text(value) if isinstance(beside, datetime):
            return datetime.fromisoformat(value)
        case Text(value) if isinstance(beside, date):
            return date.fromisoformat(value[:10])
        case Text(value):
            return value


def _holds(part: Condition, row: Mapping[str, Any]) -> bool | None:  # noqa: PLR0911 - one way out for each kind
    match part:
        case Conjunction(parts):
            found = [_holds(p, row) for p in parts]
            return False if False in found else None if None in found else True
        case Disjunction(parts):
            found = [_holds(p, row) for p in parts]
            return True if True in found else None if None in found else False
        case Emptiness(field, negated):
            return (row[field.name] is None) is not negated
        case Membership(field, values, negated):
            found = [_compared(row[field.name], Op.EQUAL, value) for value in values]
            if None in found:
                return None
            return (True in found) is not negated
        case Comparison(left, op, FieldName(name)):
            return _ordered(row[left.name], op, row[name])
        case Comparison(left, op, right):
            return _compared(row[left.name], op, right)


def _compared(value: object, op: Op, literal: Any) -> bool | None:  # noqa: ANN401 - a literal of any kind
    if isinstance(value, datetime) and isinstance(literal, Text) and is_day(literal.value):
        value = value.date()
    return _ordered(value, op, literal_value(literal, value))


def _ordered(one: Any, op: Op, other: Any) -> bool | None:  # noqa: ANN401 - values of any field's type
    if one is None or other is None:
        return None
    if isinstance(one, datetime) is not isinstance(other, datetime) and isinstance(one, date):
        one, other = (v.date() if isinstance(v, datetime) else v for v in (one, other))
    if isinstance(one, Decimal | int) and isinstance(other, Decimal | int):
        one, other = Decimal(one), Decimal(other)
    return bool(_OPERATIONS[op](one, other))
