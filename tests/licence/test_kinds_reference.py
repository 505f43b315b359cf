"""The reference catalogue that the package carries, judged as an officer and a verifier would."""

from __future__ import annotations

import re
from collections import Counter
from datetime import UTC, datetime

import pytest
import yaml

from catalog.identifiers import check_uscc as catalog_uscc
from licence import kinds
from licence.errors import FaceValueError, KindsInvalidError
from licence.model import Category, FieldType, HolderCategory, Level, SourceMapping
from licence.persons import check_uscc

HOUSING = "11100000000013338W"


@pytest.fixture(scope="module")
def reference():
    return kinds.load_reference()


def named(reference, name):
    return next(k for k in reference if k.name == name)


def test_it_is_large_and_whole(reference):
    assert len(reference) >= 231
    assert {k.category for k in reference} >= {Category.LICENCE, Category.APPROVAL, Category.CERTIFICATE}
    assert {k.approvals for k in reference} == {1, 2}
    assert {k.authority_level for k in reference} == {Level.NATIONAL}
    for kind in reference:
        assert kind.matters, kind.name
        assert kind.issuing_levels, kind.name
        assert kind.holder_category, kind.name
        assert kind.template, kind.name
        assert kind.seal, kind.name
        assert 4 <= len(kind.face) <= 12, kind.name


def test_codes_names_and_templates_are_unique(reference):
    for attribute in ("code", "name", "name_en", "template"):
        repeated = [v for v, n in Counter(getattr(k, attribute) for k in reference).items() if n > 1]
        assert repeated == [], attribute


def test_every_authority_has_one_code_whose_check_characters_hold(reference):
    codes = {}
    for kind in reference:
        assert check_uscc(kind.authority_code) == catalog_uscc(kind.authority_code) == kind.code[:18]
        assert codes.setdefault(kind.authority, kind.authority_code) == kind.authority_code
    assert len(set(codes.values())) == len(codes) >= 30
    assert codes["住房和城乡建设部"] == HOUSING
    made_up = {c for a, c in codes.items() if a not in {"住房和城乡建设部", "国家市场监督管理总局"}}
    assert all(c[8:10] == "DE" for c in made_up)


def test_codes_seen_in_published_identifiers(reference):
    assert named(reference, "建筑工程施工许可证").code == HOUSING + "009"
    assert named(reference, "安全生产考核合格证书（建筑施工企业安管人员）").code == HOUSING + "011"


def test_fields_are_named_in_words(reference):
    for kind in reference:
        for field in kind.face:
            assert re.fullmatch(r"[\u4e00-\u9fff]{2,}", field.title), (kind.name, field.title)
            assert re.fullmatch(r"[A-Z][ -~’é²³]+", field.title_en), (kind.name, field.title)
            assert not re.search(r"[0-9]|field$", field.title_en.lower()) or "10,000" in field.title_en
            if field.title.endswith(("日期", "有效期至", "有效期起", "有效期止")):
                assert field.type is FieldType.DATE, (kind.name, field.title)


def test_one_title_means_one_thing_throughout(reference):
    words = {}
    for kind in reference:
        for field in kind.face:
            assert words.setdefault(field.title, field.title_en) == field.title_en


@pytest.mark.parametrize(
    "name",
    [
        "居民身份证", "居住证", "居民户口簿", "结婚证", "离婚证", "营业执照", "食品经营许可证", "药品经营许可证",
        "道路运输经营许可证", "机动车驾驶证", "机动车行驶证", "不动产权证书", "建设工程规划许可证", "教师资格证书",
        "医师执业证书", "出生医学证明", "残疾人证", "社会保障卡", "排污许可证", "取水许可证",
    ],
)  # fmt: skip
def test_what_every_counter_knows_is_there(reference, name):
    assert named(reference, name)


def test_facts_of_some_kinds(reference):
    food = named(reference, "食品经营许可证")
    assert (food.validity_years, food.holder_category) == (5, HolderCategory.ORGANISATION)
    identity = named(reference, "居民身份证")
    assert (identity.approvals, identity.validity_field) == (2, "KZ_YXQZ")
    assert dict(next(f.codes for f in identity.face if f.title == "性别")) == {"1": "男", "2": "女"}
    assert named(reference, "营业执照").ends_at(datetime(2025, 1, 1, tzinfo=UTC)) is None


def test_a_reference_kind_is_issued_only_after_a_city_adopts_it(reference):
    kind = named(reference, "教师资格证书")
    assert not kind.sourced
    source = SourceMapping("JYJ", "R9", "citizen_id", "name", {f.name: f"f{i}" for i, f in enumerate(kind.face)})
    own = kind.adopted(source)
    assert own.sourced
    assert own.source_fields == ("citizen_id", "name", *(f"f{i}" for i in range(len(kind.face))))
    assert kinds.version_of([own]) != kinds.version_of([kind])


def test_a_mapping_must_fit_the_face(reference):
    kind = named(reference, "残疾人证")
    full = {f.name: "x" for f in kind.face}
    optional = next(f.name for f in kind.face if not f.required)
    lean = {n: v for n, v in full.items() if n != optional}
    assert optional not in {f.name for f in kind.adopted(SourceMapping("a", "r", "h", "n", lean)).face}
    required = next(f.name for f in kind.face if f.required)
    for wrong in ({n: v for n, v in full.items() if n != required}, full | {"KZ_NONE": "x"}):
        with pytest.raises(FaceValueError) as caught:
            kind.adopted(SourceMapping("a", "r", "h", "n", wrong))
        assert caught.value.code == "face_not_mapped"


def test_the_city_that_loads_it_as_its_own_is_told_what_is_missing(reference):
    data = yaml.safe_dump({"kinds": [{"code": "x"}]}).encode()
    with pytest.raises(KindsInvalidError) as caught:
        kinds.load_bytes(data, "k.yaml")
    named_missing = {dict(f.params).get("name") for f in caught.value.faults}
    assert {"issuer", "resource", "holder_field", "holder_name_field"} <= named_missing


def test_the_demonstration_agrees_where_both_name_a_kind(reference, pytestconfig):
    own = {k.name: k.code for k in kinds.load(pytestconfig.rootpath / "demo" / "licence-kinds.yaml")}
    codes = {k.code: k.name for k in reference}
    for name, code in own.items():
        assert codes.get(code, name) == name
    assert sum(name in {k.name for k in reference} for name in own) >= 8
