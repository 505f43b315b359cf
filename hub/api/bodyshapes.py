"""The bodies of the office's addresses in the OpenAPI document: for each step an address of its own, with its members.

Which members a step takes is said where it is read; here is only what each is like. Bodies are parsed by the doors,
which are stricter than a schema can say.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from catalog.correction import Fault, Ground
from catalog.decide import ACTIONS
from catalog.model import Mask

if TYPE_CHECKING:
    from collections.abc import Mapping

Schema = dict[str, Any]
_TEXT: Final[Schema] = {"type": "string"}
_TEXTS: Final[Schema] = {"type": "array", "items": _TEXT}
_DAY: Final[Schema] = {"type": "string", "format": "date"}
_COUNT: Final[Schema] = {"type": "integer", "minimum": 0}

_WISH: Final[Schema] = {
    "type": "object",
    "properties": {
        "name": _TEXT,
        "reason": {**_TEXT, "description": "why it is needed; of what the list names for the matter, none is needed"},
        "statement": {**_TEXT, "description": "how a field of sensitivity grade 4 is protected"},
    },
    "required": ["name"],
    "additionalProperties": False,
}
# Members that are fields, in the three ways in which fields are named.
WISHES: Final[Schema] = {
    "type": "array",
    "items": {"oneOf": [_TEXT, _WISH]},
    "description": "fields beyond the minimum",
}
NAMES: Final[Schema] = {**_TEXTS, "description": "names of fields"}
LABELS: Final[Schema] = {
    "type": "array",
    "items": {
        "oneOf": [
            _TEXT,
            {
                "type": "object",
                "properties": {"label": _TEXT, "name": _TEXT},
                "required": ["label"],
                "additionalProperties": False,
            },
        ]
    },
    "description": "what the form asks for",
}

MEMBERS: Final[Mapping[str, Schema]] = {
    "actions": {"type": "array", "items": {"type": "string", "enum": list(ACTIONS)}},
    "answer": _TEXT,
    "department": {**_TEXT, "description": "a department's code"},
    "digest": {**_TEXT, "description": "the digest under which the shape was seen"},
    "document": {**_TEXT, "description": "the number of the government's decision; tier 3 alone"},
    "done": {**_TEXT, "description": "what was done about it"},
    "entry": {"type": "integer", "description": "the receipt's log entry"},
    "evidence": {**_TEXT, "description": "what it is known by; a wrong value is not taken up without"},
    "fault": {"type": "string", "enum": [fault.value for fault in Fault]},
    "give": {"type": "boolean", "description": "true: the grant is given; false: the refusal stands"},
    "ground": {**_TEXT, "description": "the law, rule or line it rests on"},
    "key": {"type": "object", "additionalProperties": {"type": ["string", "integer"]}, "description": "field → value"},
    "list_version": {**_TEXT, "description": "refuse if another list is in force by now"},
    "masks": {
        "type": "object",
        "additionalProperties": {"type": "string", "enum": [mask.value for mask in Mask]},
        "description": "field → mask, at least as strict as the list's",
    },
    "matter": {**_TEXT, "description": "a matter's code"},
    "mend_by": _DAY,
    "note": _TEXT,
    "outcome": _TEXT,
    "planned_on": _DAY,
    "purpose": {**_TEXT, "description": "what it is needed for"},
    "purposes": {**_TEXTS, "description": "matters, by their codes"},
    "question": _TEXT,
    "quota_per_day": _COUNT,
    "reason": _TEXT,
    "renews": {**_TEXT, "description": "the grant whose place it is to take"},
    "reply": _TEXT,
    "resource": {**_TEXT, "description": "a resource's code"},
    "right": {**_TEXT, "description": "what it should be"},
    "rows": {**_TEXTS, "description": "row rules, all of which must hold, e.g. `county_code prefix 3412`"},
    "since": _DAY,
    "suspected": {**_TEXT, "description": "the department that may have it"},
    "term_days": {"type": "integer", "minimum": 1},
    "until": _DAY,
    "verdict": _TEXT,
    "volume_per_day": {**_COUNT, "description": "calls a day; 0: no limit"},
    "where": {**_TEXT, "description": "the snapshot or load in which it was put right"},
    "why": _TEXT,
    "words": {**_TEXT, "description": "what data, in words"},
    "wrong": {**_TEXT, "description": "what is wrong, in words"},
}


@dataclass(frozen=True, slots=True)
class BodyShape:
    """The members one body takes. *fields* is what its member of that name is like; *special* other members'."""

    required: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    fields: Mapping[str, Any] | None = None
    special: tuple[tuple[str, Schema], ...] = ()

    def schema(self) -> Schema:
        """The JSON schema of the body."""
        own = {**dict(self.special), **({"fields": dict(self.fields)} if self.fields else {})}
        names = (*self.required, *self.optional)
        schema: Schema = {
            "type": "object",
            "properties": {name: own.get(name) or MEMBERS[name] for name in names},
            "additionalProperties": False,
        }
        return schema | ({"required": list(self.required)} if self.required else {})


UPHELD: Final[Schema] = {"type": "string", "enum": ["upheld", "dismissed"]}
GROUNDS: Final[Schema] = {"type": "string", "enum": [ground.value for ground in Ground]}
ANSWERS: Final[Schema] = {"type": "string", "enum": ["met", "refused", "planned"]}


def describe(
    document: dict[str, Any], bodies: Mapping[str, BodyShape], steps: Mapping[str, Mapping[str, BodyShape]]
) -> None:
    """Put bodies into an OpenAPI *document*, and an address for each step where one address takes all of them.

    *bodies* are by path, *steps* by the path that ends with ``{step}`` and the step.
    """
    paths = document["paths"]
    for path, shape in bodies.items():
        paths[path]["post"]["requestBody"] = _request(shape)
    for path, taken in steps.items():
        shared = paths.pop(path)["post"]
        parameters = [one for one in shared.get("parameters", ()) if one["name"] != "step"]
        for step, shape in taken.items():
            operation = {
                **shared,
                "operationId": f"{shared['operationId']}_{step.replace('-', '_')}",
                "summary": f"{shared['summary']}: {step}",
                "parameters": parameters,
                "requestBody": _request(shape),
            }
            paths[path.replace("{step}", step)] = {"post": operation}


def _request(shape: BodyShape) -> Schema:
    return {"required": True, "content": {"application/json": {"schema": shape.schema()}}}
