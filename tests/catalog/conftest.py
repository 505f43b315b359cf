from __future__ import annotations

from datetime import date

import pytest

from catalog.model import (
    Cadence,
    Check,
    Department,
    Disposition,
    Domain,
    Field,
    FieldKind,
    FieldType,
    InformationResource,
    Mask,
    Matter,
    ResourceFormat,
    Responsibility,
    ResponsibilityList,
    ShareMethod,
    ShareType,
    SourceRef,
)

STRING = FieldType(FieldKind.STRING)


def make_resource(code="R1", share_type=ShareType.CONDITIONAL, **changes):
    values = {
        "code": code,
        "name": f"市场主体登记信息{code}",
        "name_en": "Registered market entities",
        "provider": "D1",
        "abstract": "登记的企业和个体工商户",
        "format": ResourceFormat.DATABASE,
        "share_type": share_type,
        "share_condition": "因办理事项需要",
        "share_ground": "《某法》第八条" if share_type is ShareType.NOT_SHARED else "",
        "share_method": ShareMethod.SERVICE,
        "cadence": Cadence.DAILY,
        "open": False,
        "published_on": date(2020, 6, 30),
        "disposition": Disposition.MERGE,
        "source": SourceRef("scjg", "ent*.csv", "changed", options=(("encoding", "gb18030"),)),
        "fields": (
            Field(
                "id",
                "统一社会信用代码",
                FieldType(FieldKind.STRING, 18),
                key=True,
                nullable=False,
                lookup=True,
                check=Check.USCC,
                aliases=("社会信用代码", "tyshxydm"),
            ),
            Field("name", "名称", STRING),
            Field("phone", "联系电话", STRING, grade=3, mask=Mask.KEEP_LAST_4),
            Field("secret", "举报人", STRING, share_type=ShareType.NOT_SHARED, share_condition="依法保密"),
            Field("capital", "注册资本", FieldType(FieldKind.DECIMAL, 18, 2)),
            Field("changed", "变更时间", FieldType(FieldKind.DATETIME)),
        ),
    }
    return InformationResource(**{**values, **changes})


def make_list(**changes):
    values = {
        "city": "示例市",
        "title": "示例市市直部门数据共享责任清单（2020年第一批）",
        "year": 2020,
        "batch": 1,
        "departments": (
            # Published codes (see test_identifiers), under invented names.
            Department("D1", "市场监督管理局", "Market Supervision", "11100000000013338W", aliases=("市监局",)),
            Department("D2", "人力资源和社会保障局", "Human Resources", "11430000006122244L", parent="D1"),
        ),
        "resources": (
            make_resource(),
            make_resource("R2", ShareType.NOT_SHARED),
        ),
        "responsibilities": (
            Responsibility(
                "R1",
                "D1",
                ("D2",),
                ("M1",),
                "《某条例》第五条",
                ShareMethod.SERVICE,
                Cadence.DAILY,
                date(2020, 12, 31),
                Domain.GOVERNMENT,
            ),
        ),
        "matters": (
            Matter("M1", "就业补贴申领", "Employment subsidy", "D2"),
            Matter("M2", "社会保险登记", "Social insurance registration", "D2"),
        ),
    }
    return ResponsibilityList(**{**values, **changes})


@pytest.fixture
def sample():
    return make_list()
