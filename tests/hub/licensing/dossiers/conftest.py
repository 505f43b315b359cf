"""A city that issues two kinds from one resource: a permit that two persons decide, and a card that one decides."""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from audit.entry import Entry
from catalog.model import Mask
from hub.actors import Actor
from hub.control import Control
from hub.evidence import Evidence
from hub.licensing.dossiers import Order
from hub.licensing.dossiers.opening import opened
from hub.settings import Settings
from tests.hub.publishing import publish_list
from tests.hub.world import (
    CODE,
    EMPTY_CODE,
    IDS,
    World,
    copy,
    give,
    load_people,
    make_grant,
    make_list,
    resource,
)

FIELDS = ("citizen_id", "name", "birth", "address", "married", "income", "household")
KIND = """
  - code: "11100000000013338W0{number}"
    name: {name}
    name_en: {name_en}
    category: 证照
    authority: 住房和城乡建设部
    authority_code: "11100000000013338W"
    issuer: RS
    holder_type: person
    holder_category: 自然人
    resource: "{code}"
    holder_field: citizen_id
    holder_name_field: name
    validity_days: 365
    approvals: {approvals}
    renewal: {{opens_days: {opens}}}
    face:
      - {{name: KZ_XM, title: 姓名, title_en: Name, field: name}}
      - {{name: KZ_ZZ, title: 住址, title_en: Address, field: address}}
      - {{name: KZ_CSRQ, title: 出生日期, title_en: Birth, field: birth, type: date}}
"""
KINDS = (
    "kinds:"
    + KIND.format(number=11, name="居住证", name_en="Residence permit", code=CODE, approvals=2, opens=365)
    + KIND.format(number=12, name="服务卡", name_en="Service card", code=CODE, approvals=1, opens=30)
)
TWO, ONE = "居住证", "服务卡"
WINDOW, REVIEWER, CHIEF = Actor("RS", "window-2"), Actor("RS", "reviewer"), Actor("RS", "chief")
STRANGER = Actor("MZ", "window")
WHY, LAW = "申请人申请居住证", "《居住证暂行条例》第九条"
NAMES = ("张三", "欧阳四", "王五", "赵六")


def make_city(settings):
    people = resource()
    # The list masks what a clerk need not see; the issuing department's grant opens it all the same.
    fields = tuple(replace(field, mask=Mask.NONE) for field in people.fields)
    list_ = make_list(resources=(replace(people, fields=fields), resource(EMPTY_CODE)))
    control, evidence = Control.open(settings), Evidence.open(settings)
    publish_list(settings, control, evidence, list_, by="office")
    now = datetime.now(UTC)
    term = {"starts": now - timedelta(days=1), "expires": now + timedelta(days=29), "masks": ()}
    give(settings, control, evidence, make_grant(list_, actions=("query", "batch"), fields=FIELDS, **term))
    load_people(settings)
    control.close()
    evidence.log.close()
    settings.kinds.write_text(KINDS, "utf-8")
    return list_


@pytest.fixture(scope="session")
def city(tmp_path_factory):
    """Built once; each test works on a copy."""
    settings = Settings.at(tmp_path_factory.mktemp("dossiers") / "var")
    list_ = make_city(settings)
    with opened(settings):  # keys and trust are made
        pass
    return World(settings, None, list_, None, "", 0)


@pytest.fixture
def settings(city, tmp_path):
    settings = copy(city, tmp_path / "var").settings
    shutil.copy2(city.settings.kinds, settings.kinds)
    return settings


@pytest.fixture
def parts(settings):
    with opened(settings) as found:
        yield found


@pytest.fixture
def office(parts):
    return parts[0]


@pytest.fixture
def dossiers(parts):
    return parts[1]


def order(number=0, kind=TWO, **changes):
    return Order(**{"kind": kind, "holder": IDS[number], "reason": WHY, "ground": LAW, **changes})


def entries(office, start=0):
    log = office.evidence.log
    return [Entry.decode(leaf) for leaf in log.entries(start, log.size)]


def decided(dossiers, number, kind=TWO, **changes):
    """An application that may be handed out."""
    id_ = dossiers.apply(order(number, kind, **changes), actor=WINDOW).case.id
    dossiers.review(id_, actor=REVIEWER)
    if kind == TWO:
        dossiers.approve(id_, actor=CHIEF)
    return id_
