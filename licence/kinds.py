"""Read the catalogue of licence kinds (证照类型目录) from YAML: every fault in one pass, each with its line.

Whether the resources and departments it names exist is left to the caller, who holds the responsibility list.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import yaml

from licence.errors import KindsInvalidError, KindsUnreadableError
from licence.identifiers import ISSUER_LENGTH, TYPE_LENGTH
from licence.model import HOLDER_TYPES, HOLDER_WORDS, Category, FaceField, Fault, LicenceKind

if TYPE_CHECKING:
    from pathlib import Path

# A catalogue of every kind a province knows is some 2,000 kinds.
MAX_FILE_BYTES = 8 * 1024 * 1024
MAX_VALIDITY_DAYS = 36_525
_CODE = re.compile(rf"[0-9A-Z]{{{TYPE_LENGTH}}}")
_FACE_NAME = re.compile(r"KZ_[A-Z0-9_]{1,60}")
_KIND_TEXTS = (
    "code",
    "name",
    "name_en",
    "category",
    "authority",
    "authority_code",
    "issuer",
    "holder_type",
    "resource",
    "holder_field",
    "holder_name_field",
)
_KIND_OPTIONAL = ("validity_days", "predicates")
_FACE_TEXTS = ("name", "title", "field")
_FACE_OPTIONAL = ("title_en", "required")
_STR = "tag:yaml.org,2002:str"
_NULL = "tag:yaml.org,2002:null"
_BOOL = "tag:yaml.org,2002:bool"
_INT = "tag:yaml.org,2002:int"


def load(path: Path) -> tuple[LicenceKind, ...]:
    """The kinds in the file at *path*, in its order.

    Raises:
        KindsUnreadableError: no file, too large, or not text.
        KindsInvalidError: with every fault found.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise KindsUnreadableError(path=path, detail=error.strerror or "unreadable") from None
    return load_bytes(data, path.name)


def load_bytes(data: bytes, name: str) -> tuple[LicenceKind, ...]:
    """The kinds in *data*; *name* is the file's name for messages.

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
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{name}:{mark.line + 1 if mark else 1}"
        detail = str(getattr(error, "problem", None) or "syntax")
        raise KindsInvalidError(name, (Fault(where, "kinds_syntax", (("detail", detail),)),)) from None
    reader = _Reader(name)
    kinds = reader.kinds(root)
    if reader.faults:
        raise KindsInvalidError(name, tuple(reader.faults))
    return kinds


class _Loader(yaml.SafeLoader):
    """The safe loader without aliases: no catalogue needs them, and they expand."""

    def compose_node(self, parent: Any, index: Any) -> Any:  # noqa: ANN401 - pyyaml's own signature
        if self.check_event(yaml.AliasEvent):
            mark: Any = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            raise yaml.composer.ComposerError(None, None, "aliases are not allowed", mark)
        return super().compose_node(parent, index)


class _Reader:
    """Folds YAML nodes into kinds and collects faults; a node with a fault yields a stand-in and reading goes on."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.faults: list[Fault] = []

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
        self.unique_codes(listed)
        return tuple(found)

    def unique_codes(self, listed: yaml.SequenceNode) -> None:
        first: dict[str, int] = {}
        for item in listed.value:
            pairs = item.value if isinstance(item, yaml.MappingNode) else []
            for key, value in pairs:
                if key.value == "code" and isinstance(value, yaml.ScalarNode) and value.value:
                    line = first.setdefault(value.value, value.start_mark.line)
                    if line != value.start_mark.line:
                        self.fault(value, "duplicate_code", value=value.value, first=f"{self.name}:{line + 1}")

    def kind(self, node: yaml.Node) -> LicenceKind | None:
        members = self.members(node, "kinds", (*_KIND_TEXTS, "face"), _KIND_OPTIONAL)
        if members is None:
            return None
        before = len(self.faults)
        texts = {name: self.text(members, name) for name in _KIND_TEXTS}
        self.codes(node, members, texts)
        category = self.category(members, texts["category"])
        holder_type = HOLDER_WORDS.get(texts["holder_type"], texts["holder_type"])
        if texts["holder_type"] and holder_type not in HOLDER_TYPES:
            allowed = ", ".join([*HOLDER_TYPES, *HOLDER_WORDS])
            self.fault(members["holder_type"], "bad_holder_type", value=texts["holder_type"], allowed=allowed)
        face = self.face(members.get("face"))
        days = self.validity_days(members.get("validity_days"))
        predicates = self.predicates(members.get("predicates"))
        if len(self.faults) > before:
            return None
        return LicenceKind(
            **{k: v for k, v in texts.items() if k not in {"category", "holder_type"}},
            category=category,
            holder_type=holder_type,
            face=face,
            validity_days=days,
            predicates=predicates,
        )

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
        fields: dict[str, FaceField] = {}
        for item in node.value:
            members = self.members(item, "face", _FACE_TEXTS, _FACE_OPTIONAL)
            if members is None:
                continue
            name = self.text(members, "name")
            if name and not _FACE_NAME.fullmatch(name):
                self.fault(members["name"], "bad_face_name", value=name)
            if name and name in fields:
                self.fault(members["name"], "duplicate_face_name", value=name)
            fields[name] = FaceField(
                name=name,
                title=self.text(members, "title"),
                field=self.text(members, "field"),
                required=self.required(members.get("required")),
                title_en=self.text(members, "title_en", required=False),
            )
        return tuple(fields.values())

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
