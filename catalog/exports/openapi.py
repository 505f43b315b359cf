"""What one grant allows as an OpenAPI 3.1 document: its paths, its fields after masking, its purposes and limits.

For the programs of the department that holds it. The hub checks every call by itself; this only says beforehand what
will pass. The hub's own document of all its addresses is `/openapi.json`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from catalog import masks
from catalog.changes import words_of
from catalog.impact import GRANT, Dependent, uses
from catalog.model import Check, FieldKind, Mask

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from catalog.access import Grant
    from catalog.model import Field, InformationResource, ResponsibilityList

VERSION: Final = "3.1.0"
# The actions that are calls; the others (batch, subscribe) have other doors.
CALLS: Final = ("query", "verify")
MAX_INTEGER: Final = 2**53
_MAX_KEY_CHARS: Final = 512
_MAX_TEXT_CHARS: Final = 200

# Shown of a value under a mask: the pattern of what can come, beside `***` where the value has not the form expected.
_MASKED: Final[dict[Mask, str]] = {
    Mask.REDACT: r"^\*\*\*$",
    Mask.KEEP_LAST_4: r"^(\*+[\s\S]{4}|\*\*\*)$",
    Mask.KEEP_FIRST_4: r"^([\s\S]{4}\*+|\*\*\*)$",
    Mask.HASH: "^[0-9a-f]{64}$",
    Mask.YEAR: r"^([0-9]{4}|\*\*\*)$",
    Mask.CITIZEN_ID: r"^([0-9]{6}\*{8}[\s\S]{4}|\*\*\*)$",
    Mask.SURNAME: r"^([\s\S]{1,2}\*\*|\*\*\*)$",
    Mask.COUNTY: r"^[\s\S]*\*\*\*$",
}
_KINDS: Final[dict[FieldKind, dict[str, Any]]] = {
    FieldKind.STRING: {"type": "string"},
    # Beyond 2^53 an integer comes as text: two of them would share one JSON number.
    FieldKind.INTEGER: {"type": ["integer", "string"], "pattern": "^-?[0-9]+$"},
    FieldKind.DECIMAL: {"type": "string", "pattern": r"^-?[0-9]+(\.[0-9]+)?$"},
    FieldKind.DATE: {"type": "string", "format": "date"},
    FieldKind.DATETIME: {"type": "string", "description": "YYYY-MM-DDThh:mm:ss"},
    FieldKind.BOOLEAN: {"type": "boolean"},
}
# Specimens of the standards and of a decree, nobody's: an example has to pass the check digit.
_SPECIMENS: Final = {Check.CITIZEN_ID: "11010519491231002X", Check.USCC: "11100000000013338W"}
_SAMPLES: Final[dict[FieldKind, Any]] = {
    FieldKind.STRING: "示例",
    FieldKind.INTEGER: 1,
    FieldKind.DECIMAL: "1.00",
    FieldKind.DATE: "2026-01-01",
    FieldKind.DATETIME: "2026-01-01T00:00:00",
    FieldKind.BOOLEAN: True,
}


def grant_openapi(grant: Grant, list_: ResponsibilityList, server_url: str) -> dict[str, Any]:
    """The document of *grant* under *list_*, the list in force, for the hub at *server_url*.

    It holds what the list still lets the grant give: a field that is no longer shared, or prohibited for each of its
    purposes, is left out. A grant for whose resource or purposes nothing is left has no paths.
    """
    resource = list_.by_code.get(grant.resource)
    usable = uses(Dependent(GRANT, grant.id, grant.consumer, grant.resource, grant.fields, grant.purposes), list_)
    purposes = tuple(code for code in list_.matters_by_code if any(p == code for p, _ in usable))
    fields = [f for f in resource.fields if any(name == f.name for _, name in usable)] if resource else []
    paths: dict[str, Any] = {}
    if resource is not None and fields:
        for action in CALLS:
            if action in grant.actions:
                # A code may hold a slash (分类码/顺序码), which the address keeps.
                path = f"/v1/resources/{quote(resource.code)}:{action}"
                paths[path] = {"post": _operation(action, grant, resource, fields, purposes)}
    return {
        "openapi": VERSION,
        "info": _info(grant, list_, resource),
        "servers": [{"url": server_url.rstrip("/")}],
        "security": [{"callerKey": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "callerKey": {"type": "http", "scheme": "bearer", "description": _say("调用密钥", "The caller key")}
            },
            "schemas": {"Purpose": _purpose(purposes, list_), "Receipt": _RECEIPT, "Problem": _PROBLEM},
        },
        "x-zhengtong-grant": {
            "id": grant.id,
            "consumer": grant.consumer,
            "resource": grant.resource,
            "list_version": grant.list_version,
            "starts": grant.starts.isoformat(),
            "expires": grant.expires.isoformat(),
            "quota_per_day": grant.quota_per_day,
            "rows": [str(rule) for rule in grant.rows],
        },
    }


def _info(grant: Grant, list_: ResponsibilityList, resource: InformationResource | None) -> dict[str, Any]:
    name, name_en = (resource.name, resource.name_en or resource.name) if resource else (grant.resource, grant.resource)
    rows_zh = "；".join(str(rule) for rule in grant.rows)
    limit_zh = f"每日 {grant.quota_per_day} 次" if grant.quota_per_day else "不限次数"
    limit_en = f"{grant.quota_per_day} calls a day" if grant.quota_per_day else "no daily limit"
    zh = f"授权 {grant.id}，有效期至 {grant.expires.isoformat()}，{limit_zh}。依据：{grant.ground}。"
    en = f"Grant {grant.id}, until {grant.expires.isoformat()}, {limit_en}. Ground: {grant.ground}."
    if rows_zh:
        zh += f"仅限下列记录：{rows_zh}。"
        en += f" Only records for which all of these hold: {'; '.join(str(rule) for rule in grant.rows)}."
    return {
        "title": f"{name} / {name_en}",
        "version": list_.version.removeprefix("sha256:")[:12],
        "summary": f"{list_.city} {list_.year}.{list_.batch}",
        "description": _say(zh, en),
    }


def _operation(
    action: str,
    grant: Grant,
    resource: InformationResource,
    fields: list[Field],
    purposes: tuple[str, ...],
) -> dict[str, Any]:
    shown = {field.name: _mask_of(grant, field) for field in fields}
    summary = {
        "query": _say("按查询条件查询记录", "Look records up"),
        "verify": _say("核验记录内容，不返回数据", "Confirm claims about a record; no value is shown"),
    }[action]
    content = {
        "schema": _request(action, grant, resource, fields),
        "example": _example(action, grant, resource, fields, purposes),
    }
    answer = _answer(action, fields, shown)
    problems = {
        "401": _say("密钥无效", "No valid key"),
        "403": _say("不在授权范围内，应答说明缺少什么", "Denied; the answer says what is missing"),
        "422": _say("请求内容有误", "The request must be mended"),
        "429": _say("当日额度已用完", "The quota of the day is used up"),
        "503": _say("暂时无法应答，请重试", "Not now; try again"),
    }
    return {
        "operationId": action,
        "summary": summary,
        "requestBody": {"required": True, "content": {"application/json": content}},
        "responses": {
            "200": {
                "description": _say(
                    "应答已签名（RFC 9421）并存证", "The answer, signed (RFC 9421) and kept as evidence"
                ),
                "content": {"application/json": {"schema": answer}},
            },
            **{
                status: {
                    "description": text,
                    "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
                }
                for status, text in problems.items()
            },
        },
    }


def _request(action: str, grant: Grant, resource: InformationResource, fields: list[Field]) -> dict[str, Any]:
    names = [field.name for field in fields]
    properties: dict[str, Any] = {
        "keys": {
            "type": "object",
            "description": _say("查询条件，须同时满足", "What to look up by; all must fit"),
            "properties": {f.name: _key(f) for f in resource.lookup_fields},
            "additionalProperties": False,
            "minProperties": 1,
        },
        "grant": {"const": grant.id},
        "purpose": {"$ref": "#/components/schemas/Purpose"},
    }
    required = ["keys", "purpose"]
    if action == "query":
        wanted = _say("所需信息项；不填为授权的全部", "fields wanted; all that are granted where absent")
        properties["fields"] = {"type": "array", "items": {"enum": names}, "uniqueItems": True, "minItems": 1}
        properties["fields"]["description"] = wanted
    else:
        properties["claims"] = {
            "type": "object",
            "description": _say("待核验的内容", "what is claimed"),
            "properties": {f.name: {"type": ["string", "integer", "boolean"], "description": f.title} for f in fields},
            "additionalProperties": False,
            "minProperties": 1,
        }
        required.append("claims")
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def _answer(action: str, fields: list[Field], shown: Mapping[str, Mask]) -> dict[str, Any]:
    properties: dict[str, Any] = {
        "resource": {"type": "string"},
        "list_version": {"type": "string"},
        "snapshot": {"type": "string"},
        "grant": {"type": "string"},
        "receipt": {"$ref": "#/components/schemas/Receipt"},
    }
    if action == "query":
        record = {
            "type": "object",
            "properties": {field.name: _value(field, shown[field.name]) for field in fields},
            "additionalProperties": False,
        }
        properties["records"] = {"type": "array", "items": record}
        properties["masked"] = {"type": "object", "additionalProperties": {"enum": [mask.value for mask in Mask]}}
        last = ["records", "masked"]
    else:
        verdict = {"enum": ["yes", "no", "unknown"]}
        properties["results"] = {"type": "object", "properties": {f.name: verdict for f in fields}}
        last = ["results"]
    return {"type": "object", "properties": properties, "required": ["resource", "list_version", "receipt", *last]}


def _mask_of(grant: Grant, field: Field) -> Mask:
    """The list's mask and the grant's both hold."""
    mask = field.mask
    for name, own in grant.masks:
        if name == field.name:
            mask = masks.stricter(mask, own)
    return mask


def _value(field: Field, mask: Mask) -> dict[str, Any]:
    """What comes of a field: its type, or what its mask leaves of it."""
    zh, en = field.title, field.name
    if mask is not Mask.NONE:
        word = words_of(mask)
        zh, en = f"{zh}（脱敏：{word.zh}）", f"{en} (masked: {word.en})"
    if mask is Mask.NULL:
        return {"type": "null", "description": _say(zh, en)}
    if mask is not Mask.NONE:
        return {"type": ["string", "null"], "pattern": _MASKED[mask], "description": _say(zh, en)}
    schema = dict(_KINDS[field.type.kind])
    described = _say(zh, en)
    if "description" in schema:
        described += f" ({schema.pop('description')})"
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    if field.nullable:
        kinds = [*kinds, "null"]
    schema["type"] = kinds if len(kinds) > 1 else kinds[0]
    if field.type.kind is FieldKind.STRING and field.type.length:
        schema["maxLength"] = field.type.length
    if field.codes:
        schema["examples"] = list(field.codes[:3])
    return {**schema, "description": described}


def _key(field: Field) -> dict[str, Any]:
    kinds = ["string", "integer"] if field.type.kind is FieldKind.INTEGER else ["string"]
    return {
        "type": kinds if len(kinds) > 1 else kinds[0],
        "maxLength": _MAX_KEY_CHARS,
        "description": _say(field.title, field.name),
    }


def _example(
    action: str, grant: Grant, resource: InformationResource, fields: list[Field], purposes: Iterable[str]
) -> dict[str, Any]:
    """A request that has the right form; its values are specimens."""
    lookup = next((f for f in resource.lookup_fields if f.key), None) or resource.lookup_fields[0]
    key = _sample(lookup)
    body: dict[str, Any] = {
        "keys": {lookup.name: key if isinstance(key, int) and not isinstance(key, bool) else str(key)},
        "grant": grant.id,
        "purpose": {"matter": next(iter(purposes)), "case": "BJ-2026-0001"},
    }
    if action == "query":
        return {**body, "fields": [field.name for field in fields]}
    return {**body, "claims": {fields[0].name: _sample(fields[0])}}


def _sample(field: Field) -> Any:  # noqa: ANN401 - a JSON scalar
    if field.check is not None:
        return _SPECIMENS[field.check]
    if field.codes:
        return field.codes[0]
    sample = _SAMPLES[field.type.kind]
    return sample[: field.type.length] if isinstance(sample, str) and field.type.length > 0 else sample


def _purpose(purposes: tuple[str, ...], list_: ResponsibilityList) -> dict[str, Any]:
    def text(zh: str, en: str) -> dict[str, Any]:
        return {"type": "string", "maxLength": _MAX_TEXT_CHARS, "description": _say(zh, en)}

    named = "；".join(f"{code} {list_.matters_by_code[code].name}" for code in purposes)
    return {
        "type": "object",
        "properties": {
            "matter": {"enum": list(purposes) or [""], "description": _say(f"事项：{named}", f"The matter: {named}")},
            "case": text("办件号", "the case it is for"),
            "operator": text("经办人", "who asks"),
            "replaces": text("替代材料", "the paper the citizen need not bring"),
        },
        "required": ["matter"],
        "additionalProperties": False,
    }


def _say(zh: str, en: str) -> str:
    return f"{zh} / {en}"


_RECEIPT: Final[dict[str, Any]] = {
    "type": "object",
    "description": _say("存证回执", "Where the evidence of the call stands"),
    "properties": {"entry": {"type": "integer"}, "log": {"type": "string"}, "at": {"type": "string"}},
    "required": ["entry", "log", "at"],
}
_PROBLEM: Final[dict[str, Any]] = {
    "type": "object",
    "description": _say("问题详情（RFC 9457）", "Problem details (RFC 9457)"),
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"type": "string"},
        "detail": {"type": "string"},
    },
    "required": ["type", "title", "status", "code", "detail"],
}
