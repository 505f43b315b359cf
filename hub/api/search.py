"""Search over HTTP: what the catalogue holds by words, filters and facets, with the command line's ranking.

Finding is `hub.search.index`'s affair; the metadata of one resource is served by `hub.api.app`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from fastapi import Query, Request, Response
from pydantic import BaseModel, Field

from hub.api import doors
from hub.api.shapes import documented
from hub.search.index import MAX_PAGE_SIZE, MAX_QUERY_CHARS, Facet, Sort, find_or_record, search_of
from hub.search.words import filters_of, plain_results

if TYPE_CHECKING:
    from fastapi import FastAPI

MAX_PAGE = 1_000_000
Values = Annotated[list[str] | None, Query(max_length=50)]


class NoteShape(BaseModel):
    """Something to be said about the search."""

    code: str
    en: str
    zh: str


class PartShape(NoteShape):
    """Why a hit has the points it has."""

    points: int


class StepShape(NoteShape):
    """A step of the search and how many were found after it."""

    hits: int


class HitShape(BaseModel):
    """A resource that was found."""

    code: str
    name: str
    name_en: str
    provider: str
    provider_name: str
    abstract: str
    share_type: str
    format: str
    cadence: str
    theme: str
    open: bool
    fields: int = Field(description="how many information items it has")
    published_on: str
    score: int
    parts: list[PartShape] | None = Field(None, description="with explain=true")


class FacetValueShape(BaseModel):
    """A value of a facet: *count* is what choosing it would leave, the other facets' filters as they are."""

    value: str
    label: str
    label_zh: str
    count: int


class ExplainedShape(BaseModel):
    """What was looked for and what was loosened."""

    tokens: list[str]
    steps: list[StepShape]


class ResultsShape(BaseModel):
    """A page of results; *nearest* instead of *items* where nothing fits."""

    list_version: str
    query: str
    total: int
    page: int
    size: int
    relaxed: bool = Field(description="not everything asked for is met")
    notes: list[NoteShape]
    items: list[HitShape]
    nearest: list[HitShape]
    facets: dict[str, list[FacetValueShape]]
    explained: ExplainedShape | None = None


def add_to(app: FastAPI) -> None:
    """Hang the route into *app*."""

    @app.get("/v1/search", response_model=ResultsShape, responses=documented(422, 503))
    def search(
        request: Request,
        *,
        q: Annotated[str, Query(max_length=MAX_QUERY_CHARS, description="words; none browses all")] = "",
        department: Values = None,
        type_: Annotated[list[str] | None, Query(alias="type", max_length=50)] = None,
        theme: Values = None,
        format_: Annotated[list[str] | None, Query(alias="format", max_length=50)] = None,
        cadence: Values = None,
        domain: Values = None,
        open_: Annotated[list[str] | None, Query(alias="open", max_length=2)] = None,
        sort: Sort = Sort.RELEVANCE,
        page: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 1,
        size: Annotated[int, Query(ge=1, le=MAX_PAGE_SIZE)] = 20,
        explain: bool = False,
    ) -> Response:
        """Find resources by words, short names, pinyin, codes or English. Open to anyone, like the catalogue.

        Filters take codes or words and may repeat: values of one facet are alternatives, facets hold together.
        A search that finds nothing is counted by its words, without who asked.
        """
        opened = doors.service(request)
        list_ = opened.standing.now().list
        chosen = {
            Facet.DEPARTMENT: department or (),
            Facet.SHARE_TYPE: type_ or (),
            Facet.THEME: theme or (),
            Facet.FORMAT: format_ or (),
            Facet.CADENCE: cadence or (),
            Facet.DOMAIN: domain or (),
            Facet.OPEN: open_ or (),
        }
        results = find_or_record(
            search_of(opened.settings, list_),
            opened.control,
            opened.evidence.clock(),
            q,
            filters=filters_of(list_, chosen),
            page=page,
            size=size,
            explain=explain,
            sort=sort,
        )
        return doors.answer(request, plain_results(results, list_))
