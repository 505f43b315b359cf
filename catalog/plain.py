"""The way back from `model.to_plain`: a stored version of a list becomes the list again.

It checks form, not rules: what is stored was validated when it was published. Files of an office are `catalog.load`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields
from datetime import date
from typing import TYPE_CHECKING, Any, Final, TypeVar

from catalog.errors import ListUnreadableError
from catalog.model import (
    Cadence,
    Check,
    CodeList,
    Deletion,
    Department,
    DepartmentKind,
    Disposition,
    Domain,
    Drift,
    DriftPolicy,
    Duty,
    Field,
    FieldKind,
    FieldType,
    InformationResource,
    Mask,
    Matter,
    Need,
    Prohibition,
    QualityKind,
    QualityRule,
    ResourceFormat,
    Responsibility,
    ResponsibilityList,
    ShareMethod,
    ShareType,
    SourceRef,
    Theme,
)

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

T = TypeVar("T", bound="DataclassInstance")
Read = Callable[[Any], Any]

_TYPE = re.compile(r"([a-z]+)(?:\(([0-9]+)(?:,([0-9]+))?\))?")


class _FormError(Exception):
    """A part of the stored value has the wrong form; the argument is its path."""


def from_plain(plain: Mapping[str, Any]) -> ResponsibilityList:
    """The list of which *plain* is `model.to_plain`. Attributes added to the model since take their defaults.

    Raises:
        ListUnreadableError: *plain* has not the form of a list; the message names the part.
    """
    try:
        return _object(ResponsibilityList, _LIST)(plain)
    except _FormError as error:
        path = ".".join(str(part) for part in error.args) or "?"
        raise ListUnreadableError(path="(stored)", why="shape", detail=path) from error


def _object(cls: type[T], readers: Mapping[str, Read]) -> Callable[[Any], T]:
    """A reader of one dataclass; attributes without a reader of their own are taken as text, number or boolean."""
    known = {f.name: f for f in fields(cls)}

    def read(plain: Any) -> T:  # noqa: ANN401 - what was stored
        if not isinstance(plain, Mapping):
            raise _FormError
        values = {}
        for name, value in plain.items():
            if name not in known:
                raise _FormError(name)
            try:
                read_value: Read = readers.get(name, _text)
                values[name] = read_value(value)
            except _FormError as error:
                raise _FormError(name, *error.args) from error
            except (TypeError, ValueError) as error:
                raise _FormError(name) from error
        for name, spec in known.items():
            if name not in values and spec.default is MISSING:
                raise _FormError(name)
        return cls(**values)

    return read


def _text(value: Any) -> str:  # noqa: ANN401 - what was stored
    if type(value) is not str:
        raise _FormError
    return value


def _exactly(*kinds: type) -> Read:
    def read(value: Any) -> Any:  # noqa: ANN401 - what was stored
        if type(value) not in kinds:
            raise _FormError
        return value

    return read


def _many(read_item: Read) -> Read:
    def read(value: Any) -> tuple[Any, ...]:  # noqa: ANN401 - what was stored
        if not isinstance(value, (list, tuple)):
            raise _FormError
        items = []
        for index, item in enumerate(value):
            try:
                items.append(read_item(item))
            except _FormError as error:
                raise _FormError(index, *error.args) from error
            except (TypeError, ValueError) as error:
                raise _FormError(index) from error
        return tuple(items)

    return read


def _optional(read_value: Read) -> Read:
    return lambda value: None if value is None else read_value(value)


def _pair(value: Any) -> tuple[str, str]:  # noqa: ANN401 - what was stored
    name, content = _many(_text)(value)
    return name, content


def _contact(value: Any) -> tuple[Duty, str]:  # noqa: ANN401 - what was stored
    duty, post = _pair(value)
    return Duty(duty), post


def _drift(value: Any) -> tuple[Drift, DriftPolicy]:  # noqa: ANN401 - what was stored
    drift, policy = _pair(value)
    return Drift(drift), DriftPolicy(policy)


def _field_type(value: Any) -> FieldType:  # noqa: ANN401 - what was stored
    match = _TYPE.fullmatch(_text(value))
    if match is None:
        raise _FormError
    return FieldType(FieldKind(match[1]), int(match[2] or 0), int(match[3] or 0))


_texts: Final = _many(_text)
_boolean: Final = _exactly(bool)
_whole: Final = _exactly(int)

_FIELD: Final[Mapping[str, Read]] = {
    "type": _field_type,
    "key": _boolean,
    "nullable": _boolean,
    "lookup": _boolean,
    "grade": _whole,
    "mask": Mask,
    "share_type": ShareType,
    "cadence": _optional(Cadence),
    "codes": _texts,
    "check": _optional(Check),
    "aliases": _texts,
    "landing": Mask,
}
_RESOURCE: Final[Mapping[str, Read]] = {
    "format": ResourceFormat,
    "share_type": ShareType,
    "share_method": ShareMethod,
    "cadence": Cadence,
    "open": _boolean,
    "published_on": date.fromisoformat,
    "disposition": Disposition,
    "source": _object(SourceRef, {"options": _many(_pair)}),
    "fields": _many(_object(Field, _FIELD)),
    "related": _texts,
    "error_budget": _exactly(float, int),
    "classification": _texts,
    "theme": _optional(Theme),
    "aliases": _texts,
    "deletion": Deletion,
    "error_limit": _whole,
    "drift": _many(_drift),
    "quality": _many(_object(QualityRule, {"kind": QualityKind, "threshold": _exactly(float, int)})),
}
_RESPONSIBILITY: Final[Mapping[str, Read]] = {
    "consumers": _texts,
    "purposes": _texts,
    "method": ShareMethod,
    "cadence": Cadence,
    "deadline": date.fromisoformat,
    "domain": Domain,
    "year": _whole,
    "batch": _whole,
}
_DEPARTMENT: Final[Mapping[str, Read]] = {
    "aliases": _texts,
    "kind": _optional(DepartmentKind),
    "contacts": _many(_contact),
}
_MATTER: Final[Mapping[str, Read]] = {"hidden": _boolean}
_NEED: Final[Mapping[str, Read]] = {"fields": _texts, "actions": _texts}
_PROHIBITION: Final[Mapping[str, Read]] = {"consumers": _texts, "purposes": _texts, "fields": _texts}
_LIST: Final[Mapping[str, Read]] = {
    "year": _whole,
    "batch": _whole,
    "departments": _many(_object(Department, _DEPARTMENT)),
    "resources": _many(_object(InformationResource, _RESOURCE)),
    "responsibilities": _many(_object(Responsibility, _RESPONSIBILITY)),
    "matters": _many(_object(Matter, _MATTER)),
    "needs": _many(_object(Need, _NEED)),
    "prohibitions": _many(_object(Prohibition, _PROHIBITION)),
    "code_lists": _many(_object(CodeList, {"items": _many(_pair)})),
}
