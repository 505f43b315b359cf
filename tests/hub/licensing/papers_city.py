"""A city that issues licences of four layouts under one seal, and departments that may see more or less of them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from catalog.model import Mask, Matter, Need
from hub.actors import Actor
from hub.control import Control
from hub.evidence import Evidence
from hub.licensing import Licensing, glyphs
from hub.licensing.paper_office import PaperOffice
from hub.seals import Seals
from hub.seals.registering import SealOrder
from hub.seals.words import Sort
from hub.settings import Settings
from licence.seals.register import Action
from licence.seals.structure import V5
from tests.hub.publishing import publish_list
from tests.hub.world import CODE, EMPTY_CODE, IDS, give, load_people, make_grant, make_list, resource

MATTER, OTHER_MATTER = "SX001", "SX003"
FIELDS = ("citizen_id", "name", "birth", "address", "married", "income", "household")
RARE = "欧阳𬱖𠅤"
PEOPLE = [
    (IDS[0], "张三", "1990-01-01", "北京市朝阳区某街 1 号", "是", "1200.50", "H1"),
    (
        IDS[1],
        RARE,
        "1990-01-02",
        "北京市海淀区" + "某某街道办事处某某社区居民委员会某某小区" * 3 + " 2 号",
        "否",
        "8.00",
        "H1",
    ),
    (IDS[2], "王五\ue123", "1990-01-03", "某街 3 号", None, None, "H2"),
    (IDS[3], "李四", "1990-01-04", "某街 4 号", "是", "0.10", "H2"),
    (IDS[4], "赵六", "1990-01-05", "北京市西城区某路", "否", "99999999.99", "H2"),
]
# The papers of the relief, by what replaces each: a licence, a call, a call that is not granted, nothing at all.
NEEDS = (
    Need(OTHER_MATTER, CODE, ("citizen_id", "name", "address"), ("query",), "居住证复印件"),
    Need(OTHER_MATTER, CODE, ("citizen_id", "name"), ("query",), "居住证明"),
    Need(OTHER_MATTER, CODE, ("name", "income"), ("query",), "收入证明"),
    Need(OTHER_MATTER, CODE, ("household",), ("verify",), "户口簿复印件"),
    Need(OTHER_MATTER, EMPTY_CODE, ("name",), ("query",), "参保证明"),
    Need(OTHER_MATTER, CODE, ("married",)),
)
_KIND = """
  - code: "11100000000013338W{code}"
    name: {name}
    name_en: {name_en}
    category: {category}
    authority: 某市人力资源和社会保障局
    authority_code: "11100000000013338W"
    issuer: RS
    holder_type: person
    holder_category: 自然人
    resource: "306010/000001"
    holder_field: citizen_id
    holder_name_field: name
    validity_days: 365
    template: {template}
    face:
      - {{name: KZ_XM, title: 姓名, field: name}}
      - {{name: KZ_ZZ, title: 住址, field: address}}
      - {{name: KZ_CSRQ, title: 出生日期, field: birth, type: date}}
"""
KINDS = "kinds:" + "".join(
    _KIND.format(code=code, name=name, name_en=en, category=category, template=template)
    for code, name, en, category, template in (
        ("011", "居住证", "Residence permit", "证照", "certificate"),
        ("012", "老年人优待证", "Senior card", "证照", "card"),
        ("013", "公共租赁住房准予意见书", "Opinion on public housing", "批文", "opinion"),
        ("014", "居住证明", "Proof of residence", "证明", "proof"),
    )
)
CODES = [f"11100000000013338W{code}" for code in ("011", "012", "013", "014")]
ISSUER, CONSUMER, STRANGER = Actor("RS", "window-1"), Actor("MZ", "window-2"), Actor("GA", "window-3")
ORDER = {"reason": "申领", "ground": "《居住证暂行条例》第九条", "by": "RS:licence-officer"}


def city_list(needs=()):
    people = resource()
    fields = tuple(replace(field, mask=Mask.NONE) for field in people.fields)
    plain = make_list(resources=(replace(people, fields=fields), resource(EMPTY_CODE)))
    line = replace(plain.responsibilities[0], consumers=("RS", "MZ"))
    matters = (*plain.matters, Matter(OTHER_MATTER, "社会救助", "Relief", "MZ"))
    return replace(plain, responsibilities=(line, *plain.responsibilities[1:]), matters=matters, needs=needs)


def found(home, structure=V5, needs=()):
    """Publish, load, issue, make and authorise the seal; closed again when it returns."""
    settings, list_ = Settings.at(home), city_list(needs)
    control, evidence = Control.open(settings), Evidence.open(settings)
    publish_list(settings, control, evidence, list_, by="office")
    now = datetime.now(UTC)
    term = {"starts": now - timedelta(days=1), "expires": now + timedelta(days=29), "masks": ()}
    actions = ("query", "batch")
    give(settings, control, evidence, make_grant(list_, actions=actions, fields=FIELDS, **term))
    give(
        settings,
        control,
        evidence,
        make_grant(list_, id="G2", consumer="MZ", fields=FIELDS, purposes=(OTHER_MATTER,), actions=("query",), **term),
    )
    load_people(settings, PEOPLE)
    settings.kinds.write_text(KINDS, "utf-8")
    control.close()
    evidence.log.close()
    licensing = Licensing.open(settings)
    seals = Seals.over(settings, licensing.control, licensing.evidence)
    order = SealOrder(
        Sort.LICENCE,
        "某市人力资源和社会保障局",
        "RS",
        "RS:seal-keeper",
        now - timedelta(days=1),
        now + timedelta(days=300),
        line="证照专用章",
        structure=structure,
    )
    code = seals.request(order, by="RS:applicant", ground="《印章管理办法》")["code"]
    seals.decide(code, Action.APPROVE, by="RS:head", ground="《印章管理办法》")
    seals.authorise(code, CODES, now + timedelta(days=100), by="RS:seal-keeper", ground="《印章管理办法》")
    with pytest.MonkeyPatch.context() as patch:
        # One of them is as of an installation without the font: sealed, although no page can show it.
        patch.setattr(glyphs, "_characters", lambda: None)
        for kind in licensing.kinds.values():
            for holder in IDS if kind.code == CODES[0] else IDS[1:2]:
                licensing.issue(kind, holder, **ORDER)
    close(licensing)
    return settings


def open_office(settings):
    licensing = Licensing.open(settings)
    return PaperOffice.over(licensing, Seals.over(settings, licensing.control, licensing.evidence))


def close(licensing):
    licensing.evidence.log.close()
    licensing.control.close()


def licences(office, kind=CODES[0]):
    """Identifiers by holder's place in `IDS`."""
    rows = {holder: office.licensing.find(holder=holder, kind=kind) for holder in IDS}
    return {IDS.index(holder): found[0]["identifier"] for holder, found in rows.items() if found}
