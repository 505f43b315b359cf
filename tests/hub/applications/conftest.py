"""An office without tables: a list with a keeper of disputes, a minimum, and one resource shared without condition."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from catalog.application import FieldWish, draft
from catalog.model import (
    Cadence,
    Department,
    Domain,
    Need,
    Responsibility,
    ShareMethod,
    ShareType,
)
from hub.actors import Actor
from hub.control import Control
from hub.evidence import Evidence
from hub.office import Office
from tests.hub import world as worlds
from tests.hub.databases import database
from tests.hub.publishing import publish_list
from tests.hub.world import CODE, EMPTY_CODE, MATTER

__all__ = ["database"]

FREE = EMPTY_CODE
WINDOW, CHIEF = Actor("RS", "window"), Actor("RS", "chief")
REVIEWER, SECOND = Actor("GA", "reviewer"), Actor("GA", "second")
KEEPER, MAYOR = Actor("SJ", "office"), Actor("SJ", "chief")


def a_line(resource, consumers=("RS",)):
    return Responsibility(
        resource,
        "GA",
        consumers,
        ("*",),
        "《办法》第三条",
        ShareMethod.SERVICE,
        Cadence.DAILY,
        date(2026, 6, 1),
        Domain.GOVERNMENT,
    )


def city_list(**changes):
    plain = worlds.make_list()
    free = replace(
        plain.resources[1],
        share_type=ShareType.UNCONDITIONAL,
        fields=tuple(replace(f, share_type=ShareType.UNCONDITIONAL) for f in plain.resources[1].fields),
    )
    values = {
        "office": "SJ",
        "departments": (*plain.departments, Department("SJ", "数据局", "Data Office", "11100000000013338W")),
        "resources": (plain.resources[0], free),
        "responsibilities": (a_line(CODE), a_line(FREE, ("*",))),
        "needs": (Need(MATTER, CODE, ("name", "birth"), ("query",), "户口簿"),),
    }
    return worlds.make_list(**{**values, **changes})


@pytest.fixture
def clock():
    return worlds.Clock()


@pytest.fixture
def city(settings, clock):
    """An office that has published the list."""
    control, evidence = Control.open(settings), Evidence.open(settings, clock=clock)
    publish_list(settings, control, evidence, city_list(), by="SJ:office")
    office = Office.over(settings, control, evidence)
    yield office
    office.close()


def publish(city, **changes):
    """Put another list in force."""
    list_ = city_list(**{"batch": 2, **changes})
    publish_list(city.settings, city.control, city.evidence, list_, by="SJ:office")
    return list_


def wish(city, resource=CODE, applicant="RS", purposes=(MATTER,), fields=(), **asked):
    wanted = fields or (() if resource == CODE else (FieldWish("name", "核对"),))
    return draft(city.list_, applicant=applicant, resource=resource, purposes=purposes, fields=wanted, **asked)
