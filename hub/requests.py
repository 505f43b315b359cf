"""Parses the bodies of calls into types that cannot be wrong; strict where a lenient reader could be fooled.

Whether the call is allowed is `catalog.decide`'s affair. No message here quotes the body: it holds personal data.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

from catalog.access import ACTIONS
from hub.errors import InvalidRequestError, MalformedRequestError

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_BODY_BYTES = 256 * 1024  # 500 key sets with the longest values that are usual
MAX_SETS = 500
MAX_DEPTH = 8  # a call nests three deep
MAX_INTEGER = 2**53  # RFC 7493 §2.2; past it two integers share one double
MAX_KEYS = 8
MAX_FIELDS = 500
MAX_CLAIMS = 100
MAX_VALUE_CHARS = 512
MAX_TEXT_CHARS = 200

# A string, whole or cut off at the end, which is passed over, or a bracket. Nothing is looked at twice.
_BRACKETS = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"?|([\[\]{}])', re.DOTALL)
_OPENING = frozenset("[{")
_NAME = re.compile(r"[^\s\x00-\x1f\x7f]{1,100}")
_PURPOSE_MEMBERS = ("matter", "case", "operator", "replaces")
_PURPOSE_KNOWN = frozenset(_PURPOSE_MEMBERS)
_OF_QUERY = frozenset({"keys", "purpose", "grant", "fields"})
_OF_VERIFY = frozenset({"keys", "purpose", "grant", "claims"})

Scalar = str | int | bool


@dataclass(slots=True)  # one for each call: see ADR 0024
class Purpose:
    """Why the caller asks: *matter* 事项, *case* 办件号, *operator* 经办人, *replaces* 替代材料; "" = not said."""

    matter: str = ""
    case: str = ""
    operator: str = ""
    replaces: str = ""

    def plain(self) -> dict[str, str]:
        """The members that were given."""
        return {name: getattr(self, name) for name in _PURPOSE_MEMBERS if getattr(self, name)}


@dataclass(slots=True)  # one for each call: see ADR 0024
class Call:
    """A call as its body has it. *keys*: look-up field → value. A query has *fields*, a verification *claims*.

    A query for several at once has *sets* of keys, all by the same fields, and *keys* is the first of them.
    """

    keys: Mapping[str, str]
    purpose: Purpose
    grant: str | None = None
    fields: tuple[str, ...] = ()
    claims: Mapping[str, Scalar] | None = None
    sets: tuple[Mapping[str, str], ...] = ()

    @property
    def sought(self) -> tuple[Mapping[str, str], ...]:
        """Every set of keys that is looked up."""
        return self.sets or (self.keys,)

    def plain(self) -> dict[str, Any]:
        """The form that is digested, kept as evidence and read back by `from_plain`."""
        keys: Any = [dict(keys) for keys in self.sets] if self.sets else dict(self.keys)
        plain: dict[str, Any] = {"keys": keys, "purpose": self.purpose.plain()}
        if self.fields:
            plain["fields"] = list(self.fields)
        if self.grant is not None:
            plain["grant"] = self.grant
        if self.claims is not None:
            plain["claims"] = dict(self.claims)
        return plain

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Call:
        """Read a call back from the evidence.

        Raises:
            InvalidRequestError: *plain* is no call.
        """
        return parse_call("verify" if "claims" in plain else "query", plain)


def read_json(body: bytes) -> Any:  # noqa: ANN401 - any JSON value
    """The value of the JSON text *body* (RFC 8259), refusing what readers disagree on.

    Raises:
        MalformedRequestError: not UTF-8, a member twice, NaN, a fraction, an integer beyond 2^53, a lone surrogate,
            nesting beyond `MAX_DEPTH`, or no JSON at all.
    """
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise MalformedRequestError(why="it is not UTF-8", why_zh="不是 UTF-8 编码") from error
    if text.count("{") + text.count("[") > MAX_DEPTH:
        _refuse_depth(text)
    try:
        # Half a surrogate pair cannot be written in UTF-8, only as an escape.
        return (_DECODER_OF_ESCAPES if "\\u" in text else _DECODER).decode(text)
    except ValueError as error:
        # The decoder's message would quote the body; its position does not.
        where = f"line {error.lineno} column {error.colno}" if isinstance(error, json.JSONDecodeError) else "?"
        raise MalformedRequestError(why=f"no JSON at {where}", why_zh=f"{where} 处不是 JSON") from error


def parse_call(action: str, plain: object) -> Call:
    """The call of *action* (``query`` or ``verify``) that the JSON value *plain* holds.

    A missing purpose is no fault of form: the decision denies it with its reason.

    Raises:
        InvalidRequestError: a member is missing, unknown or of the wrong shape.
    """
    members = _object(plain, "body")
    _refuse_unknown(members, _OF_VERIFY if action == "verify" else _OF_QUERY, "body")
    sets: tuple[Mapping[str, str], ...] = ()
    if action == "query" and isinstance(members.get("keys"), list):
        sets = _sets(members["keys"])
    keys = sets[0] if sets else _keys(members.get("keys"), "keys")
    claims: dict[str, Scalar] | None = None
    if action == "verify":
        claims = {
            name: _claim(value, name) for name, value in _named(members.get("claims"), "claims", MAX_CLAIMS).items()
        }
    grant = members.get("grant")
    return Call(
        keys=keys,
        purpose=_purpose(members.get("purpose")),
        grant=None if grant is None else _text(grant, "grant"),
        fields=_fields(members["fields"]) if "fields" in members else (),
        claims=claims,
        sets=sets,
    )


def parse_question(plain: object) -> tuple[str, Call]:
    """The action and the call that would be made, of a question whether it may be.

    Beside the members of a call it may name its ``action``; values of keys and claims are not needed, as nothing is
    looked up, so that ``keys`` and ``claims`` may be lists of field names.

    Raises:
        InvalidRequestError: a member is missing, unknown or of the wrong shape.
    """
    members = dict(_object(plain, "body"))
    action = _text(members.pop("action", "query"), "action")
    if action not in ACTIONS:
        listed = ", ".join(ACTIONS)
        _invalid("action", f"one of {listed} is wanted", f"应为 {listed} 之一")
    for name in ("keys", "claims"):
        if isinstance(members.get(name), list) and all(isinstance(one, str) for one in members[name]):
            members[name] = dict.fromkeys(members[name], "?")
    if action not in ("query", "verify") and "keys" not in members:
        members["keys"] = {"-": "?"}
        call = parse_call("query", members)
        return action, Call({}, call.purpose, call.grant, call.fields)
    return action, parse_call(action if action == "verify" else "query", members)


def _keys(value: object, where: str) -> dict[str, str]:
    named = _named(value, where, MAX_KEYS)
    return {name: _key_value(text, where, name) for name, text in named.items()}


def _sets(values: list[object]) -> tuple[Mapping[str, str], ...]:
    if not 1 <= len(values) <= MAX_SETS:
        _invalid("keys", f"1 to {MAX_SETS} sets of keys are wanted", f"应有 1 至 {MAX_SETS} 组查询条件")
    sets = tuple(_keys(value, f"keys[{number}]") for number, value in enumerate(values))
    for number, keys in enumerate(sets):
        if keys.keys() != sets[0].keys():
            # What may be looked up by is decided once for the call.
            _invalid(f"keys[{number}]", "it names other fields than the first set", "查询项与第一组不同")
    return sets


def _refuse_depth(text: str) -> None:
    """Bound the nesting before the recursive decoder meets it; brackets inside strings do not count."""
    depth = 0
    for bracket in _BRACKETS.findall(text):
        if bracket in _OPENING:
            depth += 1
            if depth > MAX_DEPTH:
                raise MalformedRequestError(why=f"it nests deeper than {MAX_DEPTH}", why_zh=f"嵌套超过 {MAX_DEPTH} 层")
        elif bracket:
            depth -= 1


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise MalformedRequestError(why="an object names a member twice", why_zh="对象中成员重复")
    return found


def _whole_members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = _members(pairs)
    for name, value in pairs:
        _refuse_surrogate(name)
        for text in value if isinstance(value, list) else [value]:
            if isinstance(text, str):
                _refuse_surrogate(text)
    return found


def _refuse_surrogate(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise MalformedRequestError(why="it holds half a surrogate pair", why_zh="含有不完整的代理对") from error


def _refuse_constant(text: str) -> NoReturn:
    raise MalformedRequestError(why=f"{text} is no JSON number", why_zh=f"{text} 不是 JSON 数值")


def _refuse_fraction(text: str) -> NoReturn:
    del text
    # A double cannot hold 0.1; amounts are compared and digested as the text they are.
    raise MalformedRequestError(why="write decimals as text", why_zh="小数请写成文本")


def _integer(text: str) -> int:
    value = int(text) if len(text) <= len(str(MAX_INTEGER)) + 1 else MAX_INTEGER + 1
    if abs(value) > MAX_INTEGER:
        raise MalformedRequestError(why="write integers beyond 2^53 as text", why_zh="超过 2^53 的整数请写成文本")
    return value


_DECODER, _DECODER_OF_ESCAPES = (
    json.JSONDecoder(
        object_pairs_hook=members,
        parse_constant=_refuse_constant,
        parse_float=_refuse_fraction,
        parse_int=_integer,
    )
    for members in (_members, _whole_members)
)


def _invalid(where: str, why: str, why_zh: str) -> NoReturn:
    raise InvalidRequestError(where=where, why=why, why_zh=why_zh)


def _object(value: object, where: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        _invalid(where, "an object is wanted here", "此处应为对象")
    return value


def _refuse_unknown(members: Mapping[str, Any], allowed: frozenset[str], where: str) -> None:
    if not allowed.issuperset(members):
        listed = ", ".join(sorted(allowed))
        _invalid(where, f"a member is not known; known are {listed}", f"含有未知成员；可用成员为 {listed}")


def _named(value: object, where: str, limit: int) -> Mapping[str, Any]:
    members = _object(value, where)
    if not 1 <= len(members) <= limit:
        _invalid(where, f"1 to {limit} members are wanted here", f"此处应有 1 至 {limit} 个成员")
    for name in members:
        if _NAME.fullmatch(name) is None:
            _invalid(where, "a field name is empty, too long or holds spaces", "信息项名称为空、过长或含有空格")
    # Members of a JSON object have no order (RFC 8259 §4), so that the evidence, which sorts them, decides alike.
    return members if len(members) == 1 else dict(sorted(members.items()))


def _shown(name: str) -> str:
    """A member's name if it reads like a field's; a value put where a name belongs is not repeated."""
    return name if name.isidentifier() else "…"


def _key_value(value: object, where: str, name: str) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str) or not value.strip() or len(value) > MAX_VALUE_CHARS:
        _invalid(
            f"{where}.{_shown(name)}",
            f"text of 1 to {MAX_VALUE_CHARS} characters is wanted",
            f"应为 1 至 {MAX_VALUE_CHARS} 字的文本",
        )
    return value


def _claim(value: object, name: str) -> Scalar:
    return value if isinstance(value, int) else _key_value(value, "claims", name)


def _text(value: object, where: str, name: str = "") -> str:
    if not isinstance(value, str) or len(value) > MAX_TEXT_CHARS:
        _invalid(
            f"{where}.{name}" if name else where,
            f"text of at most {MAX_TEXT_CHARS} characters is wanted",
            f"应为不超过 {MAX_TEXT_CHARS} 字的文本",
        )
    return value


def _fields(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not 1 <= len(value) <= MAX_FIELDS:
        _invalid("fields", f"a list of 1 to {MAX_FIELDS} names is wanted", f"应为 1 至 {MAX_FIELDS} 个名称的列表")
    names = tuple(_text(name, "fields") for name in value)
    if len(set(names)) != len(names):
        _invalid("fields", "a field is named twice", "信息项重复")
    return names


def _purpose(value: object) -> Purpose:
    if value is None:
        return Purpose()
    members = _object(value, "purpose")
    _refuse_unknown(members, _PURPOSE_KNOWN, "purpose")
    return Purpose(**{name: _text(text, "purpose", name).strip() for name, text in members.items()})
