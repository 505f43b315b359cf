"""The small changes that are made to a module's syntax tree: which there are and where; making them is `swap`'s part.

What is left alone on purpose: docstrings, annotations, the words of errors (arguments of `raise`), f-strings, names of
a note's parameters (keys of dictionaries), decorators and default values, and classes' own fields.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

MODULE: Final = "<module>"
_ORDER: Final[dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]]] = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
}
_ARITHMETIC: Final[dict[type[ast.operator], type[ast.operator]]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
}
_TEXTS: Final = {ast.If: "if", ast.While: "while", ast.IfExp: "… if"}


@dataclass(frozen=True, slots=True)
class Mutant:
    """One change: in which function (`MODULE` outside of all), in which lines, and its text before and after.

    *number* counts the changes of a function that read alike, from 1.
    """

    module: str
    where: str
    lines: tuple[int, int]
    before: str
    after: str
    number: int
    # Whether it changes what is decided rather than a value, an argument or a sum.
    decides: bool

    @property
    def name(self) -> str:
        """What stays the same when lines move."""
        again = f" #{self.number}" if self.number > 1 else ""
        return f"{self.module}:{self.where}: {self.before} → {self.after}{again}"


@dataclass(frozen=True, slots=True)
class Site:
    """A mutant and how to make it: field *field* of *node* becomes *value* (at *index* where the field is a list)."""

    mutant: Mutant
    node: ast.AST
    field: str
    index: int | None
    value: object

    def swap(self, value: object) -> object:
        """Put *value* in; return what was there."""
        if self.index is None:
            old = getattr(self.node, self.field)
            setattr(self.node, self.field, value)
        else:
            held = getattr(self.node, self.field)
            old, held[self.index] = held[self.index], value
        return old


# A new expression, and the texts before and after it (its own where empty).
_Other = tuple[ast.expr, str, str]


@dataclass(frozen=True, slots=True)
class _Change:
    node: ast.AST
    field: str
    index: int | None
    value: ast.AST | object
    before: str
    after: str
    lines: tuple[int, int]


def sites(tree: ast.Module, module: str) -> list[Site]:
    """All changes that can be made to *tree*, in the order of its text."""
    found: list[Site] = []
    seen: dict[tuple[str, str, str], int] = {}
    for where, change in _outside(tree):
        key = (where, change.before, change.after)
        seen[key] = seen.get(key, 0) + 1
        decides = change.field == "test" or not isinstance(change.value, ast.Constant | ast.BinOp | ast.Call)
        if isinstance(change.value, ast.Constant) and isinstance(change.value.value, bool):
            decides = True
        decides = decides or change.before.startswith("not ")
        mutant = Mutant(module, where, change.lines, change.before, change.after, seen[key], decides=decides)
        found.append(Site(mutant, change.node, change.field, change.index, change.value))
    return found


def _outside(tree: ast.Module) -> Iterator[tuple[str, _Change]]:
    for statement in tree.body:
        if isinstance(statement, ast.FunctionDef):
            yield from ((statement.name, one) for one in _function(statement))
        elif isinstance(statement, ast.ClassDef):
            for part in statement.body:
                if isinstance(part, ast.FunctionDef):
                    yield from ((f"{statement.name}.{part.name}", one) for one in _function(part))
        elif isinstance(statement, ast.Assign | ast.AnnAssign) and not _is_all(statement):
            yield from ((MODULE, one) for one in _statement(statement))


def _is_all(statement: ast.Assign | ast.AnnAssign) -> bool:
    return isinstance(statement, ast.Assign) and ast.unparse(statement.targets[0]) == "__all__"


def _function(function: ast.FunctionDef) -> Iterator[_Change]:
    for index, statement in enumerate(function.body):
        if index or not _is_text(statement):
            yield from _removed(function, "body", index, statement)
            yield from _statement(statement)


def _is_text(statement: ast.stmt) -> bool:
    return (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
    )


def _span(node: ast.AST) -> tuple[int, int]:
    start = getattr(node, "lineno", 0)
    return start, getattr(node, "end_lineno", None) or start


def _removed(parent: ast.AST, field: str, index: int, statement: ast.stmt) -> Iterator[_Change]:
    """Leave out a `raise`, a check that is only called, a `return` of nothing, or a jump."""
    gone = (
        isinstance(statement, ast.Raise | ast.Continue | ast.Break)
        or (isinstance(statement, ast.Expr) and not _is_text(statement))
        or (isinstance(statement, ast.Return) and _is_nothing(statement.value))
    )
    if gone:
        value = ast.copy_location(ast.Pass(), statement)
        yield _Change(parent, field, index, value, ast.unparse(statement), "pass", _span(statement))


def _is_nothing(value: ast.expr | None) -> bool:
    return value is None or (isinstance(value, ast.Constant) and value.value is None)


def _statement(statement: ast.stmt) -> Iterator[_Change]:
    if isinstance(statement, ast.FunctionDef):
        yield from _function(statement)
        return
    if isinstance(statement, ast.Raise | ast.Import | ast.ImportFrom | ast.ClassDef | ast.Global | ast.Nonlocal):
        return
    if isinstance(statement, ast.AugAssign) and type(statement.op) in _ARITHMETIC:
        other = ast.AugAssign(statement.target, _ARITHMETIC[type(statement.op)](), statement.value)
        lines = _span(statement)
        yield _Change(statement, "op", None, other.op, ast.unparse(statement), ast.unparse(other), lines)
    for field, held in ast.iter_fields(statement):
        if field in ("annotation", "decorator_list", "type_params"):
            continue
        for index, child in enumerate(held) if isinstance(held, list) else ((None, held),):
            if isinstance(child, ast.stmt):
                if index is not None:
                    yield from _removed(statement, field, index, child)
                yield from _statement(child)
            elif isinstance(child, ast.expr):
                # Lines of a condition or value, without those of a block below it.
                lines = (min(statement.lineno, child.lineno), _span(child)[1])
                yield from _expression(statement, field, index, child, lines)
            elif isinstance(child, ast.AST):
                yield from _part(child, _span(statement))


def _part(part: ast.AST, lines: tuple[int, int]) -> Iterator[_Change]:
    """Handlers, cases, arms of `with` and of comprehensions: neither statement nor expression."""
    for field, held in ast.iter_fields(part):
        for index, child in enumerate(held) if isinstance(held, list) else ((None, held),):
            if isinstance(child, ast.stmt):
                if index is not None:
                    yield from _removed(part, field, index, child)
                yield from _statement(child)
            elif isinstance(child, ast.expr) and field != "type":
                yield from _expression(part, field, index, child, lines if _span(child)[0] == 0 else _span(child))
            elif isinstance(child, ast.AST):
                yield from _part(child, lines)


def _expression(
    parent: ast.AST, field: str, index: int | None, node: ast.expr, lines: tuple[int, int]
) -> Iterator[_Change]:
    if isinstance(node, ast.JoinedStr):
        return
    text = ast.unparse(node)
    for value, before, after in (*_truths(parent, field, node, text), *_others(parent, field, node, text)):
        ast.fix_missing_locations(ast.copy_location(value, node))
        yield _Change(parent, field, index, value, before, after or ast.unparse(value), lines)
    for inner, held in ast.iter_fields(node):
        for at, child in enumerate(held) if isinstance(held, list) else ((None, held),):
            if isinstance(child, ast.expr):
                yield from _expression(node, inner, at, child, lines)
            elif isinstance(child, ast.comprehension | ast.keyword):
                yield from _arm(child, lines)


def _truths(parent: ast.AST, field: str, node: ast.expr, text: str) -> Iterator[_Other]:
    """A condition, or a part of one, that always holds or never."""
    condition = (
        field == "test" or (isinstance(parent, ast.comprehension) and field == "ifs") or isinstance(parent, ast.BoolOp)
    )
    if condition and not isinstance(node, ast.Constant):
        word = _TEXTS.get(type(parent), "…")
        for truth in (False,) if isinstance(parent, ast.While) else (True, False):
            yield ast.Constant(truth), f"{word} {text}", f"{word} {truth}"


def _others(parent: ast.AST, field: str, node: ast.expr, text: str) -> Iterator[_Other]:
    match node:
        case ast.Compare(left=left, ops=ops, comparators=right):
            for at, op in enumerate(ops):
                for other in _ORDER[type(op)]:
                    yield ast.Compare(left, [*ops[:at], other(), *ops[at + 1 :]], right), text, ""
        case ast.BoolOp(op=op, values=values):
            yield ast.BoolOp(ast.Or() if isinstance(op, ast.And) else ast.And(), values), text, ""
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            yield operand, text, ""
        case ast.BinOp(left=first, op=op, right=second) if type(op) in _ARITHMETIC:
            yield ast.BinOp(first, _ARITHMETIC[type(op)](), second), text, ""
        case ast.Call(func=function, args=args, keywords=keywords):
            for at, keyword in enumerate(keywords):
                if keyword.arg is not None:
                    yield ast.Call(function, args, [*keywords[:at], *keywords[at + 1 :]]), text, ""
        case ast.Constant(value=value) if not (isinstance(parent, ast.Dict) and field == "keys"):
            for new in _constants(value):
                yield ast.Constant(new), f"{text} in {_around(parent)}", ""
        case _:
            pass


def _arm(part: ast.comprehension | ast.keyword, lines: tuple[int, int]) -> Iterator[_Change]:
    for field, held in ast.iter_fields(part):
        for index, child in enumerate(held) if isinstance(held, list) else ((None, held),):
            if isinstance(child, ast.expr):
                yield from _expression(part, field, index, child, lines)


def _around(parent: ast.AST) -> str:
    """What a constant stands in, so that two of them can be told apart; blocks are left out."""
    text = ast.unparse(parent)
    return text.splitlines()[0]


def _constants(value: object) -> tuple[bool | int | str | bytes, ...]:
    match value:
        case bool():
            return (not value,)
        case int():
            return (value + 1, value - 1) if value else (1,)
        case str():
            return ("",) if value else ("x",)
        case bytes():
            return (b"",) if value else (b"x",)
        case _:
            return ()
