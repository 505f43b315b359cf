"""What a person follows (关注), and what changed in it: versions, pauses, shapes, freshness, corrections, demands.

Nothing is kept but what is followed: the news is made of the control tables and the lists in the store. What a
department may not know of a resource (why its loads rest, what a correction says) is no news.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, Final

import sqlalchemy as sa

from hub import grants
from hub.casewords import CASE_STATES
from hub.control import CaseEvent, CaseRow, DriftRow, FollowRow, ListVersion, insert_once
from hub.errors import HubError, ListMissingError, RequestError
from hub.freshness import Light
from hub.pauses import paused
from hub.published import resource_of
from hub.watching import lights_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence
    from datetime import datetime

    from catalog.model import ResponsibilityList
    from hub.control import Control
    from hub.office import Office
    from hub.settings import Settings

# One person's; a department of the reference city has some twenty resources.
MAX_FOLLOWED: Final = 200
NEWS_DAYS: Final = 30
# Lists of a month that are compared; a city publishes one in a month.
MAX_VERSIONS: Final = 5


class Kind(StrEnum):
    """What can be followed."""

    RESOURCE = "resource"
    DEPARTMENT = "department"
    DEMAND = "demand"


class What(StrEnum):
    """What happened, as one word."""

    ADDED = "added"
    CHANGED = "changed"
    REMOVED = "removed"
    PAUSED = "paused"
    SHAPE = "shape"
    LATE = "late"
    DISPUTED = "disputed"
    DEMAND = "demand"


# what: (English, Chinese).
WORDS: Final[dict[What, tuple[str, str]]] = {
    What.ADDED: ("came onto the list", "列入责任清单"),
    What.CHANGED: ("was changed on the list", "清单内容有变更"),
    What.REMOVED: ("went off the list", "已从责任清单移除"),
    What.PAUSED: ("its loads are paused", "归集已暂停"),
    What.SHAPE: ("its source changed its shape", "来源结构发生变化"),
    What.LATE: ("was not updated in time", "逾期未更新"),
    What.DISPUTED: ("correction", "数据校核"),
    What.DEMAND: ("demand", "数据需求"),
}


class TooManyFollowedError(RequestError):
    """A person follows as much as one can read about."""

    code = "too_many_followed"
    en = "You follow {limit} things already. Leave some of them first."
    zh = "关注已达 {limit} 项。请先取消一部分。"


class NotFollowableError(RequestError):
    """There is no such thing to follow."""

    code = "not_followable"
    en = "There is nothing of the kind `{kind}` with this code to follow."
    zh = "没有可关注的对象（类型 `{kind}`）。"


@dataclass(frozen=True, slots=True)
class Followed:
    """One thing that is followed."""

    kind: Kind
    code: str
    since: datetime


@dataclass(frozen=True, slots=True)
class News:
    """One thing that happened *at* an instant to what is followed: *code* a resource or a demand.

    *state*: (English, Chinese) where there is one. *case* is given to who may look at it.
    """

    at: datetime
    what: What
    code: str
    state: tuple[str, str] = ("", "")
    case: str = ""

    @property
    def words(self) -> tuple[str, str]:
        """(English, Chinese)."""
        en, zh = WORDS[self.what]
        if self.state == ("", ""):
            return en, zh
        return f"{en}: {self.state[0]}", f"{zh}：{self.state[1]}"


# --- What is followed ------------------------------------------------------------------------------------------------


def follow(office: Office, person: str, kind: str, code: str, *, at: datetime) -> None:
    """Follow something; once is as good as twice.

    Raises:
        NotFollowableError: there is no such thing.
        TooManyFollowedError: `MAX_FOLLOWED` are followed.
    """
    known = _known(office, kind, code)
    with office.control.writing() as connection:
        held = sa.select(sa.func.count()).where(FollowRow.person == person)
        if int(connection.execute(held).scalar_one()) >= MAX_FOLLOWED:
            raise TooManyFollowedError(limit=MAX_FOLLOWED)
        insert_once(connection, FollowRow, {"person": person, "kind": known.value, "code": code, "since": at})


def leave(control: Control, person: str, kind: str, code: str) -> None:
    """Follow something no longer; what is not followed may be left, too: it may be gone from the list."""
    mine = (FollowRow.person == person, FollowRow.kind == kind, FollowRow.code == code)
    with control.writing() as connection:
        connection.execute(sa.delete(FollowRow).where(*mine))


def followed(control: Control, person: str) -> tuple[Followed, ...]:
    """What *person* follows, by kind and code."""
    query = sa.select(FollowRow.kind, FollowRow.code, FollowRow.since).where(FollowRow.person == person)
    with control.reading() as connection:
        rows = connection.execute(query.order_by(FollowRow.kind, FollowRow.code))
        return tuple(Followed(Kind(row.kind), row.code, row.since) for row in rows)


def follows(control: Control, person: str, kind: Kind, code: str) -> bool:
    """Whether *person* follows this."""
    mine = (FollowRow.person == person, FollowRow.kind == kind.value, FollowRow.code == code)
    with control.reading() as connection:
        return connection.execute(sa.select(FollowRow.code).where(*mine)).first() is not None


def _known(office: Office, kind: str, code: str) -> Kind:
    list_ = office.list_
    match kind:
        case Kind.RESOURCE if code in list_.by_code:
            return Kind.RESOURCE
        case Kind.DEPARTMENT if code in list_.departments_by_code:
            return Kind.DEPARTMENT
        case Kind.DEMAND:
            try:
                office.cases.get(code, "demand")
            except HubError as error:
                raise NotFollowableError(kind=kind) from error
            return Kind.DEMAND
    raise NotFollowableError(kind=kind[:20])


# --- What changed ----------------------------------------------------------------------------------------------------


def news(
    office: Office, list_: ResponsibilityList, mine: Sequence[Followed], *, department: str, limit: int
) -> tuple[News, ...]:
    """What happened within `NEWS_DAYS` to what is followed, the newest first, as *department* may know it."""
    if not mine:
        return ()
    since = office.now() - timedelta(days=NEWS_DAYS)
    whole = {one.code for one in mine if one.kind is Kind.DEPARTMENT}
    codes = {one.code for one in mine if one.kind is Kind.RESOURCE}
    codes |= {one.code for one in list_.resources if one.provider in whole}
    demands = {one.code for one in mine if one.kind is Kind.DEMAND}
    found = [
        *_versions(office, codes, since),
        *_loads(office, list_, codes, since),
        *_corrections(office, list_, codes, department, since),
        *_demands(office, demands, since),
    ]
    return tuple(sorted(found, key=lambda one: one.at, reverse=True)[:limit])


def _versions(office: Office, codes: Collection[str], since: datetime) -> Iterator[News]:
    """The lists that came into force, each against the one before."""
    query = sa.select(ListVersion.version, ListVersion.published_at).order_by(ListVersion.log_index.desc())
    with office.control.reading() as connection:
        rows = connection.execute(query.limit(MAX_VERSIONS + 1)).all()
    for new, old in pairwise(rows):
        if new.published_at < since:
            return
        for code in codes:
            try:
                before = _form(office.settings, old.version, code)
                after = _form(office.settings, new.version, code)
            except ListMissingError:
                break  # archived away: of what was before it nothing can be said
            if before != after:
                what = What.ADDED if not before else What.REMOVED if not after else What.CHANGED
                yield News(new.published_at, what, code)


@lru_cache(maxsize=20_000)
def _form(settings: Settings, version: str, code: str) -> bytes:
    """A digest of a resource as a version holds it, b"" where it does not. A version never changes."""
    found = resource_of(settings, version, code)
    return b"" if found is None else hashlib.sha256(repr(found).encode()).digest()


def _loads(office: Office, list_: ResponsibilityList, codes: Collection[str], since: datetime) -> Iterator[News]:
    """What holds loads back, and promises that are broken."""
    for one in paused(office.control):
        if one.resource in codes and one.since >= since:
            yield News(one.since, What.PAUSED, one.resource)
    query = sa.select(DriftRow.resource, DriftRow.first_seen).where(
        DriftRow.first_seen >= since, DriftRow.resource.in_(codes)
    )
    with office.control.reading() as connection:
        for row in connection.execute(query):
            yield News(row.first_seen, What.SHAPE, row.resource)
    lights = lights_of(office, [list_.by_code[code] for code in codes if code in list_.by_code])
    for code, light in lights.items():
        if light.light is Light.LATE and light.due is not None and light.due >= since:
            yield News(light.due, What.LATE, code)


def _corrections(
    office: Office, list_: ResponsibilityList, codes: Collection[str], department: str, since: datetime
) -> Iterator[News]:
    """That data is disputed and how it was settled, for the parties and for those whose answers say so."""
    query = sa.select(CaseRow.id, CaseRow.resource, CaseRow.opener, CaseRow.state, CaseRow.updated_at).where(
        CaseRow.kind == "correction", CaseRow.updated_at >= since, CaseRow.resource.in_(codes)
    )
    with office.control.reading() as connection:
        rows = connection.execute(query).all()
    held = {one.grant.resource for one in grants.find(office, consumer=department, ended=False)} if rows else set()
    for row in rows:
        resource = list_.by_code.get(row.resource)
        party = department in {row.opener, list_.office, resource.provider if resource is not None else ""}
        if party or row.resource in held:
            state = CASE_STATES["correction"][row.state]
            yield News(row.updated_at, What.DISPUTED, row.resource, state, row.id if party else "")


def _demands(office: Office, ids: Collection[str], since: datetime) -> Iterator[News]:
    """The steps that demands took; the first, by which they were asked for, is no news."""
    query = sa.select(CaseEvent.case_id, CaseEvent.at, CaseEvent.state).where(
        CaseEvent.case_id.in_(ids), CaseEvent.at >= since, CaseEvent.step != "submit"
    )
    with office.control.reading() as connection:
        for row in connection.execute(query):
            yield News(row.at, What.DEMAND, row.case_id, CASE_STATES["demand"][row.state], row.case_id)
