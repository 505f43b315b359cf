"""Read the catalogue of licence kinds (证照类型目录) from YAML: every fault in one pass, each with its line.

Whether the resources and departments it names exist is left to the caller, who holds the responsibility list; what
differs between two catalogues is `licence.kinds.compare`.
"""

from __future__ import annotations

import re
from datetime import date
from enum import StrEnum
from typing import TYPE_CHECKING, Any, TypeVar

import yaml

from licence.errors import IssueRefusedError, KindsInvalidError, KindsUnreadableError, PersonCodeError
from licence.identifiers import ISSUER_LENGTH, TYPE_LENGTH
from licence.model import (
    HOLDER_TYPES,
    HOLDER_WORDS,
    Category,
    FaceField,
    Fault,
    FieldType,
    HolderCategory,
    Level,
    LicenceKind,
    Renewal,
)
from licence.persons import check_uscc
from licence.predicates import check_name

if TYPE_CHECKING:
    from pathlib import Path

# A catalogue of every kind a province knows is some 2,000 kinds.
MAX_FILE_BYTES = 8 * 1024 * 1024
MAX_VALIDITY_DAYS = 36_525
MAX_VALIDITY_YEARS = 100
MAX_RENEWAL_DAYS = 3_660
# The longest face in use has some 60 fields.
MAX_FACE_FIELDS = 200
PERSONS = (1, 2)
_CODE = re.compile(rf"[0-9A-Z]{{{TYPE_LENGTH}}}")
_FACE_NAME = re.compile(r"KZ_[A-Z0-9_]{1,60}")
_KIND_TEXTS = ("code", "name", "name_en", "category", "authority", "authority_code", "holder_type")
# Where a city takes the facts from; a reference catalogue leaves it to the cities.
_SOURCE_TEXTS = ("issuer", "resource", "holder_field", "holder_name_field")
_MORE_TEXTS = ("validity_field", "template", "seal")
_VALIDITIES = ("validity_days", "validity_years", "validity_until", "validity_field")
_KIND_OPTIONAL = (
    "predicates",
    "authority_level",
    "issuing_levels",
    "matters",
    "holder_category",
    "approvals",
    "renewal",
    "template",
    "seal",
    *_VALIDITIES,
)
_FACE_TEXTS = ("name", "title")
_FACE_OPTIONAL = ("title_en", "required", "type", "codes")
_RENEWAL = ("opens_days", "closes_days")
_STR = "tag:yaml.org,2002:str"
_NULL = "tag:yaml.org,2002:null"
_BOOL = "tag:yaml.org,2002:bool"
_INT = "tag:yaml.org,2002:int"
_DATE = "tag:yaml.org,2002:timestamp"


def load(path: Path, *, sourced: bool = True) -> tuple[LicenceKind, ...]:
    """The kinds in the file at *path*, in its order; unless *sourced*, they may do without issuer and resource.

    Raises:
        KindsUnreadableError: no file, too large, or not text.
        KindsInvalidError: with every fault found.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise KindsUnreadableError(path=path, detail=error.strerror or "unreadable") from None
    return load_bytes(data, path.name, sourced=sourced)


def load_bytes(data: bytes, name: str, *, sourced: bool = True) -> tuple[LicenceKind, ...]:
    """The kinds in *data*; *name* is the file's name for messages, *sourced* as for `load`.

    Raises:
        KindsUnreadableError: too large or not UTF-8.
        KindsInvalidError: with every fault found.
    """
    if len(data) > MAX_FILE_BYTES:
        raise KindsUnreadableError(path=name, detail=f"larger than {MAX_FILE_BYTES} bytes")
    try:
        root = yaml.compose(data.decode("utf-8-sig"), Loader=_Loader)
    except UnicodeDecodeError:
        raise KindsUnreadableError(path=name, detail="not UTF-8") from None
    except RecursionError:
        raise KindsInvalidError(name, (Fault(f"{name}:1", "kinds_syntax", (("detail", "nested too deep"),)),)) from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{name}:{mark.line + 1 if mark else 1}"
        detail = str(getattr(error, "problem", None) or "syntax")
        raise KindsInvalidError(name, (Fault(where, "kinds_syntax", (("detail", detail),)),)) from None
    reader = _Reader(name, sourced=sourced)
    kinds = reader.kinds(root)
    if reader.faults:
        raise KindsInvalidError(name, tuple(reader.faults))
    return kinds


_W = TypeVar("_W", bound=StrEnum)
_D = TypeVar("_D")


class _Loader(yaml.SafeLoader):
    """The safe loader without aliases: no catalogue needs them, and they expand."""

    def compose_node(self, parent: Any, index: Any) -> Any:  # noqa: ANN401 - pyyaml's own signature
        if self.check_event(yaml.AliasEvent):
            mark: Any = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            raise yaml.composer.ComposerError(None, None, "aliases are not allowed", mark)
        return super().compose_node(parent, index)


class _Reader:
    """Folds YAML nodes into kinds and collects faults; a node with a fault yields a stand-in and reading goes on."""

    def __init__(self, name: str, *, sourced: bool) -> None:
        self.name = name
        self.faults: list[Fault] = []
        source = _SOURCE_TEXTS if sourced else ()
        self.kind_required = (*_KIND_TEXTS, *source, "face")
        self.kind_optional = (*_KIND_OPTIONAL, *(() if sourced else _SOURCE_TEXTS))
        self.face_required = (*_FACE_TEXTS, "field") if sourced else _FACE_TEXTS
        self.face_optional = _FACE_OPTIONAL if sourced else (*_FACE_OPTIONAL, "field")

    def fault(self, node: yaml.Node, code: str, **params: object) -> None:
        where = f"{self.name}:{node.start_mark.line + 1}"
        self.faults.append(Fault(where, code, tuple((k, str(v)) for k, v in params.items())))

    def kinds(self, root: yaml.Node | None) -> tuple[LicenceKind, ...]:
        listed = None
        if isinstance(root, yaml.MappingNode):
            listed = next((v for k, v in root.value if k.value == "kinds"), None)
            for key, _ in root.value:
                if key.value != "kinds":
                    self.fault(key, "attribute_unknown", name=key.value)
        if not isinstance(listed, yaml.SequenceNode) or not listed.value:
            if root is None:
                self.faults.append(Fault(f"{self.name}:1", "kinds_not_a_list"))
            else:
                self.fault(root, "kinds_not_a_list")
            return ()
        found = [k for node in listed.value if (k := self.kind(node)) is not None]
        self.unique(listed, "code", "duplicate_code")
        self.unique(listed, "name", "duplicate_kind_name")
        return tuple(found)

    def unique(self, listed: yaml.SequenceNode, name: str, fault: str) -> None:
        first: dict[str, int] = {}
        for item in listed.value:
            pairs = item.value if isinstance(item, yaml.MappingNode) else []
            for key, value in pairs:
                if key.value == name and isinstance(value, yaml.ScalarNode) and value.value:
                    line = first.setdefault(value.value, value.start_mark.line)
                    if line != value.start_mark.line:
                        self.fault(value, fault, value=value.value, first=f"{self.name}:{line + 1}")

    def kind(self, node: yaml.Node) -> LicenceKind | None:
        members = self.members(node, "kinds", self.kind_required, self.kind_optional)
        if members is None:
            return None
        before = len(self.faults)
        texts = {name: self.text(members, name) for name in (*_KIND_TEXTS, *_SOURCE_TEXTS)}
        texts |= {name: self.text(members, name, required=False) for name in _MORE_TEXTS}
        self.codes(node, members, texts)
        category = self.category(members, texts["category"])
        holder_type = HOLDER_WORDS.get(texts["holder_type"], texts["holder_type"])
        if texts["holder_type"] and holder_type not in HOLDER_TYPES:
            allowed = ", ".join([*HOLDER_TYPES, *HOLDER_WORDS])
            self.fault(members["holder_type"], "bad_holder_type", value=texts["holder_type"], allowed=allowed)
        face = self.face(members.get("face"))
        days = self.validity_days(members.get("validity_days"))
        years = self.number(members, "validity_years", 1, MAX_VALIDITY_YEARS)
        until = self.day(members, "validity_until")
        self.one_validity(node, members, texts["validity_field"], face)
        more: dict[str, Any] = {k: v for k, v in texts.items() if k not in {"category", "holder_type"}}
        more |= {
            "predicates": self.predicates(members.get("predicates")),
            "authority_level": self.word(members, "authority_level", Level, Level.NATIONAL),
            "issuing_levels": tuple(Level(t) for t in self.texts(members, "issuing_levels", tuple(Level))),
            "matters": self.texts(members, "matters"),
            "holder_category": self.word(members, "holder_category", HolderCategory, None),
            "approvals": self.number(members, "approvals", *PERSONS) or 1,
            "renewal": self.renewal(members.get("renewal"), members),
        }
        if len(self.faults) > before:
            return None
        found = LicenceKind(
            category=category,
            holder_type=holder_type,
            face=face,
            validity_days=days,
            validity_years=years,
            validity_until=until,
            **more,
        )
        return found if self.computable(found, members.get("predicates")) else None

    def computable(self, kind: LicenceKind, node: yaml.Node | None) -> bool:
        """Whether each predicate can be computed from the face; one that cannot is a fault on its line."""
        items = node.value if isinstance(node, yaml.SequenceNode) else []
        before = len(self.faults)
        for item in items:
            try:
                check_name(kind, str(item.value))
            except IssueRefusedError as refused:
                self.fault(item, refused.code, **refused.finding_params)
        return len(self.faults) == before

    def members(
        self, node: yaml.Node, where: str, required: tuple[str, ...], optional: tuple[str, ...]
    ) -> dict[str, yaml.Node] | None:
        if not isinstance(node, yaml.MappingNode):
            self.fault(node, "kind_not_a_mapping", where=where)
            return None
        members: dict[str, yaml.Node] = {}
        for key, value in node.value:
            name = str(key.value) if isinstance(key, yaml.ScalarNode) else "?"
            if name in members:
                self.fault(key, "attribute_repeated", name=name)
            elif name not in required + optional:
                self.fault(key, "attribute_unknown", name=name)
            members[name] = value
        for name in required:
            if name not in members:
                self.fault(node, "attribute_missing", name=name)
        return members

    def text(self, members: dict[str, yaml.Node], name: str, *, required: bool = True) -> str:
        node = members.get(name)
        if node is None:
            return ""
        # A code of digits alone, unquoted, is taken as it is written (001 stays 001); `on` or `1.5` is no text.
        digits = isinstance(node, yaml.ScalarNode) and node.tag == _INT and str(node.value).isdigit()
        if not isinstance(node, yaml.ScalarNode) or (node.tag not in {_STR, _NULL} and not digits):
            self.fault(node, "attribute_not_text", name=name)
            return ""
        value = "" if node.tag == _NULL else str(node.value).strip()
        if required and not value:
            self.fault(node, "attribute_missing", name=name)
        return value

    def codes(self, node: yaml.Node, members: dict[str, yaml.Node], texts: dict[str, str]) -> None:
        code, authority = texts["code"], texts["authority_code"]
        if code and not _CODE.fullmatch(code):
            self.fault(members.get("code", node), "bad_kind_code", value=code)
        elif code and authority and (len(authority) != ISSUER_LENGTH or not code.startswith(authority)):
            self.fault(members.get("code", node), "code_not_of_authority", value=code, authority=authority)
        elif authority:
            try:
                check_uscc(authority)
            except PersonCodeError as error:
                where = members.get("authority_code", node)
                self.fault(where, "bad_authority_code", value=authority, why=error.text("zh"))

    def category(self, members: dict[str, yaml.Node], text: str) -> Category:
        if text and text not in set(Category):
            self.fault(members["category"], "bad_category", value=text)
            return Category.LICENCE
        return Category(text) if text else Category.LICENCE

    def face(self, node: yaml.Node | None) -> tuple[FaceField, ...]:
        if node is None:
            return ()
        if not isinstance(node, yaml.SequenceNode) or not node.value:
            self.fault(node, "face_empty")
            return ()
        if len(node.value) > MAX_FACE_FIELDS:
            self.fault(node, "face_too_long", limit=MAX_FACE_FIELDS)
            return ()
        fields: dict[str, FaceField] = {}
        for item in node.value:
            members = self.members(item, "face", self.face_required, self.face_optional)
            if members is None:
                continue
            name = self.text(members, "name")
            if name and not _FACE_NAME.fullmatch(name):
                self.fault(members["name"], "bad_face_name", value=name)
            if name and name in fields:
                self.fault(members["name"], "duplicate_face_name", value=name)
            kind = self.word(members, "type", FieldType, FieldType.TEXT)
            fields[name] = FaceField(
                name=name,
                title=self.text(members, "title"),
                field=self.text(members, "field"),
                required=self.required(members.get("required")),
                title_en=self.text(members, "title_en", required=False),
                type=kind,
                codes=self.code_list(item, members.get("codes"), kind),
            )
        return tuple(fields.values())

    def code_list(self, item: yaml.Node, node: yaml.Node | None, kind: FieldType) -> tuple[tuple[str, str], ...]:
        if node is None:
            if kind is FieldType.CODE:
                self.fault(item, "codes_missing")
            return ()
        if kind is not FieldType.CODE:
            self.fault(node, "codes_not_allowed")
            return ()
        if not isinstance(node, yaml.MappingNode) or not node.value:
            self.fault(node, "codes_missing")
            return ()
        codes: dict[str, str] = {}
        for key, value in node.value:
            code = self.text({"codes": key}, "codes")
            if code in codes:
                self.fault(key, "attribute_repeated", name=code)
            codes[code] = self.text({"codes": value}, "codes")
        return tuple(codes.items())

    def required(self, node: yaml.Node | None) -> bool:
        if node is None:
            return True
        if node.tag != _BOOL or str(node.value).lower() not in {"true", "false"}:
            self.fault(node, "bad_required")
            return True
        return str(node.value).lower() == "true"

    def validity_days(self, node: yaml.Node | None) -> int | None:
        if node is None or node.tag == _NULL:
            return None
        digits = str(node.value) if isinstance(node, yaml.ScalarNode) and node.tag == _INT else ""
        if not re.fullmatch(r"[1-9][0-9]{0,4}", digits) or int(digits) > MAX_VALIDITY_DAYS:
            self.fault(node, "bad_validity_days")
            return None
        return int(digits)

    def predicates(self, node: yaml.Node | None) -> tuple[str, ...]:
        if node is None or node.tag == _NULL:
            return ()
        items = node.value if isinstance(node, yaml.SequenceNode) else [node]
        names = [str(i.value) for i in items if isinstance(i, yaml.ScalarNode) and i.tag == _STR]
        if not isinstance(node, yaml.SequenceNode) or len(names) != len(items):
            self.fault(node, "attribute_not_text", name="predicates")
            return ()
        return tuple(names)

    def word(self, members: dict[str, yaml.Node], name: str, words: type[_W], default: _D) -> _W | _D:
        text = self.text(members, name) if name in members else ""
        if not text:
            return default
        if text not in set(words):
            self.fault(members[name], "attribute_not_allowed", name=name, value=text, allowed=", ".join(words))
            return default
        return words(text)

    def texts(self, members: dict[str, yaml.Node], name: str, allowed: tuple[str, ...] = ()) -> tuple[str, ...]:
        node = members.get(name)
        if node is None:
            return ()
        items = node.value if isinstance(node, yaml.SequenceNode) else [node]
        found = [str(i.value).strip() for i in items if isinstance(i, yaml.ScalarNode) and i.tag == _STR]
        whole = len(found) == len(items) and all(found) and len(set(found)) == len(found)
        if not isinstance(node, yaml.SequenceNode) or not whole:
            self.fault(node, "attribute_not_texts", name=name)
            return ()
        wrong = [t for t in found if allowed and t not in allowed]
        if wrong:
            self.fault(node, "attribute_not_allowed", name=name, value=wrong[0], allowed=", ".join(allowed))
            return ()
        return tuple(found)

    def number(self, members: dict[str, yaml.Node], name: str, low: int, high: int) -> int | None:
        node = members.get(name)
        if node is None or node.tag == _NULL:
            return None
        digits = str(node.value) if isinstance(node, yaml.ScalarNode) and node.tag == _INT else ""
        if not re.fullmatch(r"0|[1-9][0-9]{0,4}", digits) or not low <= int(digits) <= high:
            self.fault(node, "attribute_not_number", name=name, low=low, high=high)
            return None
        return int(digits)

    def day(self, members: dict[str, yaml.Node], name: str) -> date | None:
        node = members.get(name)
        if node is None or node.tag == _NULL:
            return None
        text = str(node.value) if isinstance(node, yaml.ScalarNode) and node.tag in {_DATE, _STR} else ""
        try:
            return date.fromisoformat(text if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text) else "")
        except ValueError:
            self.fault(node, "attribute_not_date", name=name)
            return None

    def one_validity(
        self, node: yaml.Node, members: dict[str, yaml.Node], field: str, face: tuple[FaceField, ...]
    ) -> None:
        given = [name for name in _VALIDITIES if name in members and members[name].tag != _NULL]
        if len(given) > 1:
            self.fault(node, "validity_several", names=", ".join(given))
        if field and not any(f.name == field and f.type is FieldType.DATE for f in face):
            self.fault(members["validity_field"], "validity_field_unknown", value=field)

    def renewal(self, node: yaml.Node | None, kind: dict[str, yaml.Node]) -> Renewal | None:
        if node is None or node.tag == _NULL:
            return None
        members = self.members(node, "renewal", _RENEWAL[:1], _RENEWAL[1:])
        if members is None:
            return None
        opens = self.number(members, "opens_days", 1, MAX_RENEWAL_DAYS)
        closes = self.number(members, "closes_days", 0, MAX_RENEWAL_DAYS) or 0
        if opens is None:
            return None
        if closes >= opens:
            self.fault(node, "renewal_window_empty", opens=opens, closes=closes)
        if not any(name in kind and kind[name].tag != _NULL for name in _VALIDITIES):
            self.fault(node, "renewal_without_end")
        return Renewal(opens, closes)
