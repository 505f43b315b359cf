"""Sample rows of a resource, made from its entry in the list: what a newcomer may look up before holding any grant.

No row is about anybody (see `hub.sandbox.values`), and every row keeps the resource's contract: types, lengths,
patterns, codes, check digits, unique keys, rules between fields, references into other resources. The n-th row depends
on the resource's code, the list's version and n alone. Who may look at them is the doors' affair.
"""

from __future__ import annotations

import hashlib
import threading
from contextlib import suppress
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from catalog import expressions, masks
from catalog.model import FieldKind, Mask, QualityKind
from hub.errors import SetupError
from hub.sandbox import values
from hub.sandbox.patterns import PatternNotMadeError
from hub.sandbox.rules import kept, literals
from warehouse.errors import FieldNotIndexedError
from warehouse.lookup import Found, FoundMany
from warehouse.schema import iceberg_type
from warehouse.wire import wanted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from catalog.expressions import Rule
    from catalog.model import Field, InformationResource, ResponsibilityList
    from hub.matching.comparing import Wire

ROWS: Final = 1_000
SAMPLE_KEYS: Final = 3
# Of so many rows one has each edge value of a field, and one in ten none where it may be empty.
_CYCLE, _EMPTY = 50, range(40, 45)
_ATTEMPTS: Final = 60
_REFERENCES_TRIED: Final = 20
# Sample values are nobody's, so that their hashes need no secret.
_MASK_KEY: Final = b"the sandbox of sample rows"


class SampleNotMadeError(SetupError):
    """No sample row can be made of a resource: a pattern or a rule is beyond what is understood here."""

    code = "sample_not_made"
    en = "No sample row can be made for `{resource}`: field `{field}` asks for what the sandbox cannot make."
    zh = "无法为资源 `{resource}` 生成样例数据：信息项 `{field}` 的要求超出沙箱的生成能力。"


class Sandbox:
    """Sample rows of all resources of one list. Safe for many threads."""

    def __init__(self, list_: ResponsibilityList) -> None:
        self._list = list_
        self._version = list_.version
        self._resources: dict[str, _Maker] = {}
        self._lookups: dict[str, SandboxLookup] = {}
        self._lock = threading.Lock()

    def count(self, resource: InformationResource) -> int:
        """How many sample rows there are: `ROWS`, or as many as there are keys."""
        return self._maker(resource).count

    def row(self, resource: InformationResource, n: int) -> dict[str, Wire]:
        """The *n*-th sample row (from 0), as wire values in the order of the fields.

        Raises:
            SampleNotMadeError: see there.
            IndexError: there are not so many.
        """
        maker = self._maker(resource)
        if not 0 <= n < maker.count:
            raise IndexError(n)
        typed = self._typed(resource, n, ())
        return {f.name: _wire(f, typed[f.name]) for f in resource.fields}

    def rows(self, resource: InformationResource) -> Iterator[dict[str, Wire]]:
        """All sample rows. Raises: as `row`."""
        return (self.row(resource, n) for n in range(self.count(resource)))

    def sample_keys(self, resource: InformationResource, count: int = SAMPLE_KEYS) -> dict[str, tuple[str, ...]]:
        """For every field to look up by, some values that find a sample row, in the form in which they are asked for.

        Raises:
            SampleNotMadeError: see there.
        """
        found: dict[str, dict[str, None]] = {f.name: {} for f in resource.lookup_fields}
        for row in self.rows(resource):
            for name, known in found.items():
                value = row[name]
                if value is not None and len(known) < count:
                    known[str(value).lower() if isinstance(value, bool) else str(value)] = None
            if all(len(known) >= count for known in found.values()):
                break
        return {name: tuple(known) for name, known in found.items()}

    def lookup(self, code: str) -> SandboxLookup:
        """What finds sample rows of the resource with this *code*, as `warehouse` finds real ones.

        Raises:
            KeyError: the list has no such resource.
        """
        resource = self._list.by_code[code]
        with self._lock:
            if code not in self._lookups:
                self._lookups[code] = SandboxLookup(self, resource, self._version)
            return self._lookups[code]

    def _maker(self, resource: InformationResource) -> _Maker:
        maker = self._resources.get(resource.code)
        if maker is None or maker.resource != resource:
            maker = self._resources[resource.code] = _Maker(resource, self._version)
        return maker

    def _typed(self, resource: InformationResource, n: int, asked: tuple[str, ...]) -> dict[str, Any]:
        """The *n*-th row in typed values; *asked* are the resources whose rows are being made and refer to it."""
        maker = self._maker(resource)
        row = maker.first(n)
        for reference in maker.references:
            # Resources that refer to each other in a circle end where they began.
            if row[reference.field] is not None and reference.resource not in (*asked, resource.code):
                row[reference.field] = self._referred(maker, reference, n, (*asked, resource.code))
        return maker.mended(row, n)

    def _referred(self, maker: _Maker, reference: _Reference, n: int, asked: tuple[str, ...]) -> Any:  # noqa: ANN401 - a value of any type
        """A value that rows of the other resource hold: by *n* where it must be unique here, as it then is there."""
        name = reference.field
        resource = self._list.by_code.get(reference.resource)
        if resource is None or resource.field(reference.target) is None:
            return maker.first(n)[name]
        other = self._maker(resource)
        start = n if name in maker.numbers else values.draw(maker.seed, n, name, "refers")(other.count)
        for step in range(_REFERENCES_TRIED):
            value = self._typed(resource, (start + step) % other.count, asked)[reference.target]
            if value is not None:
                return value
        return None


class _Reference(NamedTuple):
    """*field* must hold a value that *target* has in a row of *resource*."""

    field: str
    resource: str
    target: str


class _Maker:
    """What is known of one resource before any row of it is made."""

    def __init__(self, resource: InformationResource, version: str) -> None:
        self.resource = resource
        self.seed = f"{resource.code}\x1f{version}"
        by_kind: dict[QualityKind, list[str]] = {}
        for rule in resource.quality:
            by_kind.setdefault(rule.kind, []).append(rule.field)
        self._filled = {
            *by_kind.get(QualityKind.COMPLETENESS, ()),
            *(f.name for f in resource.fields if not f.nullable),
        }
        self.references = tuple(
            _Reference(rule.field, *_target(rule.target))
            for rule in resource.quality
            if rule.kind is QualityKind.REFERENCE
        )
        self._rules = tuple(
            expressions.parse(rule.target) for rule in resource.quality if rule.kind is QualityKind.CONSISTENCY
        )
        self.count, self.numbers = self._numbered(by_kind.get(QualityKind.UNIQUENESS, ()))

    def _numbered(self, unique: Sequence[str]) -> tuple[int, dict[str, tuple[int, int]]]:
        """How many rows there are, and the fields that tell them apart: (rows before it changes, its values)."""
        numbers: dict[str, tuple[int, int]] = {}
        count = ROWS
        capacities = [(f, self._capacity(f)) for f in self.resource.key]
        whole = next((f for f, most in capacities if most >= ROWS), None)
        if whole is not None:
            numbers[whole.name] = (1, ROWS)
        else:
            # No field alone is enough: they count together, the last one quickest.
            each = 1
            for field, most in reversed(capacities):
                numbers[field.name] = (each, most)
                each *= most
            count = min(ROWS, each)
        for name in unique:
            alone = self.resource.field(name)
            if alone is not None and name not in numbers:
                numbers[name] = (1, self._capacity(alone))
                count = min(count, numbers[name][1])
        return count, numbers

    def _capacity(self, field: Field) -> int:
        try:
            return values.number_of(field)
        except PatternNotMadeError as error:
            raise SampleNotMadeError(resource=self.resource.code, field=field.name) from error

    def first(self, n: int) -> dict[str, Any]:
        """The *n*-th row before references and rules between fields are seen to."""
        return {f.name: self._value(f, i, n) for i, f in enumerate(self.resource.fields)}

    def _value(self, field: Field, i: int, n: int) -> Any:  # noqa: ANN401 - a value of any field's type
        drawn = values.draw(self.seed, n, field.name)
        with suppress(PatternNotMadeError):
            if field.name in self.numbers:
                each, most = self.numbers[field.name]
                return values.nth(field, n // each % most)
            turn = (n + 7 * i) % _CYCLE
            if turn in _EMPTY and field.name not in self._filled and not field.key:
                return None
            edges = values.edges(field, drawn) if not field.key else ()
            value = edges[turn] if turn < len(edges) else values.ordinary(field, n, drawn)
            return self._present(field, value)
        if field.name in self._filled or field.key:
            raise SampleNotMadeError(resource=self.resource.code, field=field.name)
        return None

    def _present(self, field: Field, value: Any) -> Any:  # noqa: ANN401 - as `_value`
        """*value*, unless it would mark the row as deleted."""
        source = self.resource.source
        if field.name != source.deleted_field or str(value).lower() != source.deleted_value.lower():
            return value
        return next((code for code in field.codes if code != source.deleted_value), False if value is True else None)

    def mended(self, row: dict[str, Any], n: int) -> dict[str, Any]:
        """*row*, with other values where it would break a rule between fields.

        Raises:
            SampleNotMadeError: none were found.
        """
        for rule in self._rules:
            if not kept(rule, row):
                self._mend(rule, row, n)
        return row

    def _mend(self, rule: Rule, row: dict[str, Any], n: int) -> None:
        kept_as_they_are = {*self.numbers, *(reference.field for reference in self.references)}
        named = [f for f in self.resource.fields if f.name in rule.fields]
        free = [f for f in named if f.name not in kept_as_they_are and not f.key]
        for attempt in range(_ATTEMPTS):
            for field in free:
                drawn = values.draw(self.seed, n, field.name, attempt)
                with suppress(PatternNotMadeError):
                    row[field.name] = self._present(field, self._tried(rule, field, n, drawn))
            # What was mended for one rule must not break another that was kept before it.
            if all(kept(each, row) for each in self._rules):
                return
        for field in free:
            if field.name not in self._filled:
                row[field.name] = None
        if not all(kept(each, row) for each in self._rules):
            raise SampleNotMadeError(resource=self.resource.code, field=rule.fields[0])

    def _tried(self, rule: Rule, field: Field, n: int, drawn: values.Draw) -> Any:  # noqa: ANN401 - as `_value`
        """A value for *field*: drawn, or one of those that *rule* itself compares it with."""
        named = literals(rule, field.name, values.ordinary(field, 0, values.draw()))
        if named and drawn(2):
            value = named[drawn(len(named))]
            if not field.codes or str(value) in field.codes:
                return int(value) if field.type.kind is FieldKind.INTEGER else value
        return values.ordinary(field, n, drawn)


class SandboxLookup:
    """Finds sample rows of one resource by look-up field, as `warehouse.lookup.Lookup` does. Safe for many threads.

    The rows are made when the first is asked for, which takes about a second.
    """

    def __init__(self, sandbox: Sandbox, resource: InformationResource, version: str) -> None:
        self.code = resource.code
        self._sandbox = sandbox
        self._resource = resource
        digest = hashlib.blake2b(f"{resource.code}\n{version}".encode(), digest_size=8).digest()
        self._snapshot_id = int.from_bytes(digest, "big") >> 1
        self._fields = {f.name: f for f in (*resource.key[:1], *resource.lookup_fields)}
        self._index: dict[str, dict[Wire, list[dict[str, Any]]]] | None = None
        self._lock = threading.Lock()

    @property
    def snapshot_id(self) -> int:
        """A number as of a snapshot, of which there is none; another with every version of the list."""
        return self._snapshot_id

    def find(self, field: str, value: str, limit: int = 100) -> list[dict[str, Any]]:
        """At most *limit* sample rows whose *field* is *value*, ordered by key, as wire values.

        Raises:
            FieldNotIndexedError: records are not looked up by this field.
            SampleNotMadeError: see there.
        """
        return self.look(field, value, limit).rows

    def look(self, field: str, value: str, limit: int = 100) -> Found:
        """As `find`, with the number in place of a snapshot. Raises: as `find`."""
        sought = self._fields.get(field)
        if sought is None:
            known = ", ".join(self._fields)
            raise FieldNotIndexedError(resource=self.code, field=field, known=known)
        wish = wanted(iceberg_type(sought.type), value)
        rows = self._indexed()[field].get(wish, []) if wish is not None else []
        return Found(self._snapshot_id, [dict(row) for row in rows[:limit]])

    def look_many(self, field: str, values: Sequence[str], limit: int = 100) -> FoundMany:
        """As `look`, for each of *values* in their order. Raises: as `find`."""
        return FoundMany(self._snapshot_id, [self.look(field, value, limit).rows for value in values])

    def close(self) -> None:
        """Forget the rows; the next question makes them again."""
        with self._lock:
            self._index = None

    def _indexed(self) -> Mapping[str, Mapping[Wire, list[dict[str, Any]]]]:
        with self._lock:
            if self._index is None:
                index: dict[str, dict[Wire, list[dict[str, Any]]]] = {name: {} for name in self._fields}
                for row in sorted(self._sandbox.rows(self._resource), key=self._place):
                    for name, found in index.items():
                        if row[name] is not None:
                            found.setdefault(row[name], []).append(row)
                self._index = index
            return self._index

    def _place(self, row: Mapping[str, Any]) -> tuple[Any, ...]:
        numbers = FieldKind.DECIMAL
        return tuple(Decimal(row[f.name]) if f.type.kind is numbers else row[f.name] for f in self._resource.key)


def _target(text: str) -> tuple[str, str]:
    code, _, name = text.rpartition(".")
    return code, name


def _wire(field: Field, value: Any) -> Wire:  # noqa: ANN401 - a value of any field's type
    """*value* as the warehouse gives it out (see `warehouse.wire`), masked where the field is masked as it is read."""
    made: Wire
    match value:
        case bool() | int() | None | str():
            made = value
        case Decimal():
            made = f"{value:.{field.type.scale}f}"
        case datetime():
            made = value.isoformat(timespec="seconds")
        case date():
            made = value.isoformat()
        case _:
            raise TypeError(type(value))
    if field.landing is Mask.NONE:
        return made
    masked = masks.apply(field.landing, made, key=_MASK_KEY)
    return masked if isinstance(masked, str | int) else None
