from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from catalog.changes import Weight
from licence import kinds
from licence.errors import FaceValueError, KindsInvalidError
from licence.model import Category, FaceField, FieldType, HolderCategory, Level, Renewal
from tests.licence.test_kinds import GOOD

EXTENDED = GOOD.replace(
    "    validity_days: 2190\n",
    """\
    authority_level: 省级
    issuing_levels: [市级, 县级]
    matters: [拖拉机驾驶证核发, 拖拉机驾驶证换发]
    holder_category: 自然人
    validity_field: KZ_YXQZ
    renewal: {opens_days: 90, closes_days: 30}
    approvals: 2
    template: tractor
    seal: 农机专用章
""",
).replace(
    "      - {name: KZ_ZZ,",
    """\
      - {name: KZ_YXQZ, title: 有效期止, field: ends, type: date, required: false}
      - {name: KZ_XB, title: 性别, field: sex, type: code, codes: {"1": 男, 2: 女}}
      - {name: KZ_ZZ,""",
)


def load(text):
    return kinds.load_bytes(text.encode(), "k.yaml")


def codes_of(text):
    with pytest.raises(KindsInvalidError) as caught:
        load(text)
    assert all(f.text("zh") and f.text("en") for f in caught.value.faults)
    return {f.code: f.where for f in caught.value.faults}


def test_all_attributes_are_read():
    kind = load(EXTENDED)[0]
    assert (kind.authority_level, kind.issuing_levels) == (Level.PROVINCE, (Level.CITY, Level.COUNTY))
    assert kind.matters == ("拖拉机驾驶证核发", "拖拉机驾驶证换发")
    assert (kind.holder_category, kind.approvals) == (HolderCategory.PERSON, 2)
    assert (kind.template, kind.seal, kind.renewal) == ("tractor", "农机专用章", Renewal(90, 30))
    assert [f.type for f in kind.face] == [FieldType.TEXT, FieldType.DATE, FieldType.CODE, FieldType.TEXT]
    assert kind.face[2].codes == (("1", "男"), ("2", "女"))


@pytest.mark.parametrize(
    ("change", "code", "line"),
    [
        (("authority_level: 省级", "authority_level: 州级"), "attribute_not_allowed", 13),
        (("[市级, 县级]", "[市级, 州级]"), "attribute_not_allowed", 14),
        (("[市级, 县级]", "市级"), "attribute_not_texts", 14),
        (("[拖拉机驾驶证核发, 拖拉机驾驶证换发]", "[甲, 甲]"), "attribute_not_texts", 15),
        (("holder_category: 自然人", "holder_category: 猫"), "attribute_not_allowed", 16),
        (("validity_field: KZ_YXQZ", "validity_field: KZ_ZZ"), "validity_field_unknown", 17),
        (("validity_field: KZ_YXQZ", "validity_years: 101"), "attribute_not_number", 17),
        (("validity_field: KZ_YXQZ", "validity_until: 2025-02-30"), "attribute_not_date", 17),
        (("template: tractor", "validity_years: 2"), "validity_several", 2),
        (("opens_days: 90", "opens_days: 9"), "renewal_window_empty", 18),
        (("opens_days: 90", "opens_days: 30"), "renewal_window_empty", 18),
        (("opens_days: 90", "opens_days: soon"), "attribute_not_number", 18),
        (("    validity_field: KZ_YXQZ\n", ""), "renewal_without_end", 17),
        (("approvals: 2", "approvals: 3"), "attribute_not_number", 19),
        (('codes: {"1": 男, 2: 女}', "required: true"), "codes_missing", 25),
        (('type: code, codes: {"1"', 'codes: {"1"'), "codes_not_allowed", 25),
        (('{"1": 男, 2: 女}', '{"1": 男, 1: 女}'), "attribute_repeated", 25),
        (("type: date", "type: time"), "attribute_not_allowed", 24),
        (("name: 老年卡", "name: 拖拉机和联合收割机驾驶证"), "duplicate_kind_name", 28),
    ],
)
def test_faults_of_the_new_attributes_with_their_line(change, code, line):
    assert EXTENDED.count(change[0]) == 1
    assert codes_of(EXTENDED.replace(*change))[code] == f"k.yaml:{line}"


def test_the_narrowest_window_of_renewal():
    assert load(EXTENDED.replace("opens_days: 90", "opens_days: 31"))[0].renewal == Renewal(31, 30)


def test_an_authority_code_must_hold():
    wrong = GOOD.replace("11100000000013338W", "111000000000133389")
    assert set(codes_of(wrong)) == {"bad_authority_code"}


def test_a_face_is_bounded():
    many = "".join(f"      - {{name: KZ_F{i}, title: x, field: x}}\n" for i in range(201))
    assert set(codes_of(GOOD + many)) == {"face_too_long"}


@pytest.mark.parametrize("text", ["[" * 5000, "kinds: " + "[" * 5000, "kinds: " + "{a: " * 5000])
def test_deep_nesting_is_a_fault(text):
    assert set(codes_of(text)) == {"kinds_syntax"}


# --- values and validity ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        (FieldType.DATE, ["2024-02-29"], ["2023-02-29", "20240229", "2024-2-9", "", "2024-02-29 "]),
        (FieldType.INTEGER, ["0", "-12", "9" * 18], ["01", "1.0", "", "9" * 19, "１", "1\n"]),
        (FieldType.DECIMAL, ["0", "12.50", "-0.1"], [".5", "1.", "1e3", "NaN", ""]),
        (FieldType.CODE, ["1", "2"], ["3", "", "男"]),
        (FieldType.TEXT, ["", "x" * 4000], ["x" * 4001]),
    ],
)
def test_a_face_value_is_of_its_type(kind, good, bad):
    field = FaceField("KZ_X", "x", "x", type=kind, codes=(("1", "男"), ("2", "女")))
    for text in good:
        assert field.accept(text) == text
    for text in bad:
        with pytest.raises(FaceValueError) as caught:
            field.accept(text)
        assert caught.value.code == "face_value_of_other_type"


def test_ends():
    kind = replace(load(GOOD)[1], face=(FaceField("KZ_E", "止", "ends", type=FieldType.DATE),))
    leap = datetime(2024, 2, 29, 8, 30, tzinfo=UTC)
    assert kind.ends_at(leap) is None
    assert replace(kind, validity_days=20).ends_at(leap) == datetime(2024, 3, 20, 8, 30, tzinfo=UTC)
    assert replace(kind, validity_years=5).ends_at(leap) == datetime(2029, 2, 28, 8, 30, tzinfo=UTC)
    assert replace(kind, validity_years=4).ends_at(leap) == datetime(2028, 2, 29, 8, 30, tzinfo=UTC)
    new_year = datetime(2024, 12, 31, 15, 59, 59, tzinfo=UTC)
    assert replace(kind, validity_until=date(2024, 12, 31)).ends_at(leap) == new_year
    by_record = replace(kind, validity_field="KZ_E")
    assert by_record.ends_at(leap, {"ends": "2024-12-31"}) == new_year
    assert by_record.ends_at(leap, {"ends": None}) is None
    with pytest.raises(FaceValueError):
        by_record.ends_at(leap, {"ends": "forever"})


def test_renewal_window():
    opens, closes = Renewal(90, 30).window(datetime(2025, 4, 1, tzinfo=UTC))
    assert (opens, closes) == (datetime(2025, 1, 1, tzinfo=UTC), datetime(2025, 3, 2, tzinfo=UTC))


# --- versions and differences ----------------------------------------------------------------------------------------


def test_version_is_of_the_content():
    a, b = load(EXTENDED)
    version = kinds.version_of([a, b])
    assert version == kinds.version_of([b, a]) == kinds.version_of(load("# x\n" + EXTENDED))
    assert version.startswith("sha256:")
    changed = [
        replace(a, seal="x"),
        replace(a, approvals=1),
        replace(a, renewal=None),
        replace(a, face=a.face[::-1]),
        replace(a, face=(replace(a.face[0], title="x"), *a.face[1:])),
        replace(a, validity_field="", validity_until=date(2030, 1, 1)),
    ]
    versions = {kinds.version_of([c, b]) for c in changed}
    assert len(versions | {version, kinds.version_of([a])}) == len(changed) + 2


def test_a_version_stays_what_it_was():
    # Attributes at their default are not part of it: files of before the new attributes keep their version.
    assert kinds.version_of(load(GOOD)) == "sha256:9ecb587e4b5749b238985e0e2956f82731c88c1ffa5f8919aac5e6ff48c9ab89"


def test_nothing_changed():
    assert kinds.diff(load(EXTENDED), load(EXTENDED)[::-1]) == ()


A, B = load(EXTENDED)
LONG = replace(A, validity_field="", validity_years=2)


def face(index, **changes):
    return replace(A, face=(*A.face[:index], replace(A.face[index], **changes), *A.face[index + 1 :]))


@pytest.mark.parametrize(
    ("old", "new", "code", "weight"),
    [
        ([A, B], [A], "kind_removed", Weight.BREAKING),
        ([A], [A, B], "kind_added", Weight.WIDENING),
        ([A], [replace(A, code=A.code[:-1] + "9")], "kind_recoded", Weight.BREAKING),
        ([A], [replace(A, face=A.face[1:])], "face_field_removed", Weight.BREAKING),
        ([replace(A, face=A.face[:3])], [A], "face_field_added", Weight.WIDENING),
        ([replace(A, face=A.face[1:])], [A], "face_field_added", Weight.NARROWING),
        ([A], [face(1, type=FieldType.TEXT)], "face_field_changed", Weight.WIDENING),
        ([A], [face(0, type=FieldType.INTEGER)], "face_field_changed", Weight.BREAKING),
        ([face(0, type=FieldType.INTEGER)], [face(0, type=FieldType.DECIMAL)], "face_field_changed", Weight.WIDENING),
        ([face(0, type=FieldType.DECIMAL)], [face(0, type=FieldType.INTEGER)], "face_field_changed", Weight.BREAKING),
        ([A], [face(0, required=False)], "face_field_changed", Weight.NARROWING),
        ([A], [face(2, codes=(("1", "男"),))], "face_field_changed", Weight.NARROWING),
        ([A], [face(2, codes=(*A.face[2].codes, ("9", "未说明")))], "face_field_changed", Weight.WIDENING),
        ([A], [face(0, title="机型")], "face_field_changed", Weight.NEUTRAL),
        ([A], [replace(A, face=A.face[::-1])], "face_reordered", Weight.NEUTRAL),
        ([A], [replace(A, category=Category.APPROVAL)], "kind_changed", Weight.BREAKING),
        ([A], [replace(A, holder_type="001")], "kind_changed", Weight.BREAKING),
        ([A], [replace(A, matters=A.matters[:1])], "kind_changed", Weight.NARROWING),
        ([A], [replace(A, matters=(*A.matters, "x"))], "kind_changed", Weight.WIDENING),
        ([A], [replace(A, approvals=1)], "kind_changed", Weight.WIDENING),
        ([replace(A, approvals=1)], [A], "kind_changed", Weight.NARROWING),
        ([A], [replace(A, renewal=None)], "kind_changed", Weight.NARROWING),
        ([A], [replace(A, renewal=Renewal(91, 30))], "kind_changed", Weight.WIDENING),
        ([A], [replace(A, renewal=Renewal(90, 31))], "kind_changed", Weight.NARROWING),
        ([LONG], [replace(LONG, validity_years=None)], "kind_changed", Weight.WIDENING),
        ([LONG], [replace(LONG, validity_years=None, validity_days=720)], "kind_changed", Weight.NARROWING),
        ([LONG], [A], "kind_changed", Weight.NARROWING),
        ([A], [LONG], "kind_changed", Weight.NARROWING),
        (
            [replace(LONG, validity_years=4)],
            [replace(LONG, validity_years=None, validity_days=1461)],
            "kind_changed",
            Weight.NEUTRAL,
        ),
        ([A], [replace(A, seal="x")], "kind_changed", Weight.NEUTRAL),
    ],
)
def test_each_change_has_its_code_and_weight(old, new, code, weight):
    (found,) = kinds.diff(old, new)
    assert (found.code, found.weight, found.breaking) == (code, weight, weight is Weight.BREAKING)
    for lang in ("en", "zh"):
        assert "<" not in found.text(lang)
        assert A.name in found.text(lang) or B.name in found.text(lang)


def test_every_attribute_is_compared():
    others = {
        "name": "x", "name_en": "x", "category": Category.APPROVAL, "authority": "x", "authority_code": "x",
        "authority_level": Level.CITY, "issuer": "x", "issuing_levels": (), "matters": (), "holder_type": "099",
        "holder_category": None, "resource": "x", "holder_field": "x", "holder_name_field": "x", "template": "x",
        "seal": "x", "approvals": 1, "renewal": None, "predicates": ("x",), "face": (), "validity_days": 1,
        "validity_years": 1, "validity_until": date(2030, 1, 1), "validity_field": "",
    }  # fmt: skip
    assert set(others) | {"code"} == set(A.__dataclass_fields__)
    for name, value in others.items():
        assert kinds.diff([A], [replace(A, **{name: value})]), name
