"""What departments, resources and matters are called in a visit's language; a code that the list lost stays a code."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from catalog.domains import CodeDomain
    from hub.portal.visits import Visit


class _Named(Protocol):
    @property
    def name(self) -> str: ...

    @property
    def name_en(self) -> str: ...


def department(visit: Visit, code: str) -> str:
    """The name of a department; ``*`` is every one."""
    if code == "*":
        return visit.say("所有部门", "every department")
    return _name(visit, visit.list_.departments_by_code, code)


def resource(visit: Visit, code: str) -> str:
    """The name of a resource."""
    return _name(visit, visit.list_.by_code, code)


def matter(visit: Visit, code: str) -> str:
    """The name of a matter; ``*`` is every one."""
    if code == "*":
        return visit.say("所有事项", "every matter")
    return _name(visit, visit.list_.matters_by_code, code)


def word(visit: Visit, domain: CodeDomain, value: str) -> str:
    """What a coded value is called."""
    member = domain.find(value)
    if member is None:
        return value
    return domain.word(member) if visit.lang == "zh" else member.name.lower().replace("_", " ")


def _name(visit: Visit, known: Mapping[str, _Named], code: str) -> str:
    found = known.get(code)
    if found is None:
        return code
    return found.name if visit.lang == "zh" else found.name_en or found.name
