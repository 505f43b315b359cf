from __future__ import annotations

import pytest
import yaml

from licence import kinds
from licence.errors import KindsInvalidError, KindsUnreadableError
from licence.model import Category

GOOD = """\
kinds:
  - code: 11100000000013338W011
    name: 拖拉机和联合收割机驾驶证
    name_en: Tractor and combine harvester driving licence
    category: 证照
    authority: 农业农村部
    authority_code: 11100000000013338W
    issuer: agriculture
    holder_type: 自然人
    resource: R1
    holder_field: citizen_id
    holder_name_field: name
    validity_days: 2190
    face:
      - {name: KZ_ZJCX, title: 准驾机型, title_en: Class, field: vehicle_class, required: true}
      - {name: KZ_ZZ, title: 住址, field: address, required: false}
  - code: 11100000000013338W012
    name: 老年卡
    name_en: Senior card
    category: 证明
    authority: 民政部
    authority_code: 11100000000013338W
    issuer: civil
    holder_type: "111"
    resource: R2
    holder_field: citizen_id
    holder_name_field: name
    validity_days: null
    face:
      - {name: KZ_KH, title: 卡号, field: card}
"""


def faults_of(text):
    with pytest.raises(KindsInvalidError) as caught:
        kinds.load_bytes(text.encode(), "kinds.yaml")
    assert all(f.text("zh") and f.text("en") for f in caught.value.faults)
    assert caught.value.text("zh").count("\n") == len(caught.value.faults)
    return [(f.where, f.code) for f in caught.value.faults]


def test_good_catalogue(tmp_path):
    path = tmp_path / "kinds.yaml"
    path.write_text(GOOD)
    first, second = kinds.load(path)
    assert (first.code, first.category, first.holder_type) == ("11100000000013338W011", Category.LICENCE, "111")
    assert first.face[0].required
    assert not first.face[1].required
    assert first.validity_days == 2190
    assert first.source_fields == ("citizen_id", "name", "vehicle_class", "address")
    assert second.validity_days is None
    assert second.category is Category.CERTIFICATE


def test_every_fault_in_one_pass_with_its_line():
    bad = (
        GOOD.replace("category: 证照", "category: 执照")  # line 5
        .replace("authority_code: 11100000000013338W\n    issuer: agriculture", "authority_code: X\n    issuer: ''")
        .replace("validity_days: 2190", "validity_days: 0")
        .replace("required: false", "required: maybe")
        .replace("name: KZ_KH", "name: kh")
        .replace("name: 老年卡\n", "name: 老年卡\n    colour: red\n")
        .replace('holder_type: "111"', "holder_type: cat")
    )
    assert faults_of(bad) == [
        ("kinds.yaml:8", "attribute_missing"),
        ("kinds.yaml:2", "code_not_of_authority"),
        ("kinds.yaml:5", "bad_category"),
        ("kinds.yaml:16", "bad_required"),
        ("kinds.yaml:13", "bad_validity_days"),
        ("kinds.yaml:19", "attribute_unknown"),
        ("kinds.yaml:25", "bad_holder_type"),
        ("kinds.yaml:31", "bad_face_name"),
    ]


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (("W012", "W011"), ("kinds.yaml:17", "duplicate_code")),
        (("code: 11100000000013338W012", "code: X"), ("kinds.yaml:17", "bad_kind_code")),
        (("code: 11100000000013338W012", "code: 123"), ("kinds.yaml:17", "bad_kind_code")),
        (("name: 老年卡", "name: on"), ("kinds.yaml:18", "attribute_not_text")),
        (('holder_type: "111"', "holder_type: 1.5"), ("kinds.yaml:24", "attribute_not_text")),
        (("    resource: R2\n", ""), ("kinds.yaml:17", "attribute_missing")),
        (("resource: R2", "resource: [R2]"), ("kinds.yaml:25", "attribute_not_text")),
        (("issuer: civil", "issuer: civil\n    issuer: civil"), ("kinds.yaml:24", "attribute_repeated")),
        (("name: KZ_ZZ", "name: KZ_ZJCX"), ("kinds.yaml:16", "duplicate_face_name")),
        (("- {name: KZ_KH, title: 卡号, field: card}", "[]"), ("kinds.yaml:30", "face_empty")),
        (("- {name: KZ_KH, title: 卡号, field: card}", "- x"), ("kinds.yaml:30", "kind_not_a_mapping")),
        (("kinds:", "others: 1\nkinds:"), ("kinds.yaml:1", "attribute_unknown")),
        (("kinds:", "kinds: &a"), None),
        (('holder_type: "111"', "holder_type: 111"), None),
        (('holder_type: "111"', "holder_type: 001"), None),
    ],
)
def test_single_faults(change, fault):
    text = GOOD.replace(*change)
    if fault is None:
        assert kinds.load_bytes(text.encode(), "kinds.yaml")
    else:
        assert fault in faults_of(text)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "kinds_not_a_list"),
        ("[]", "kinds_not_a_list"),
        ("kinds: 3", "kinds_not_a_list"),
        ("kinds: []", "kinds_not_a_list"),
        ("kinds: [\n", "kinds_syntax"),
        ("a: &x [1]\nkinds: [*x, *x]", "kinds_syntax"),
        ("kinds: !!python/object:os.system []\n", "kinds_not_a_list"),
    ],
)
def test_wrong_from_the_start(text, code):
    assert code in [c for _, c in faults_of(text)]


def test_unreadable(tmp_path):
    with pytest.raises(KindsUnreadableError):
        kinds.load(tmp_path / "none.yaml")
    with pytest.raises(KindsUnreadableError):
        kinds.load_bytes("kinds: 好".encode("gb18030"), "k.yaml")


def test_reads_what_pyyaml_writes():
    again = yaml.safe_dump(yaml.safe_load(GOOD), allow_unicode=True)
    assert kinds.load_bytes(again.encode(), "k.yaml") == kinds.load_bytes(GOOD.encode(), "k.yaml")


@pytest.mark.parametrize(
    "name", ["is_rich", "age_over_0", "age_over_151", "valid_on_KZ_NONE", "age_over_18 ", "valid_on_KZ_KH"]
)
def test_a_predicate_that_cannot_be_computed_is_a_fault_of_its_line(name):
    (fault,) = faults_of(GOOD + f'    predicates:\n      - age_over_60\n      - "{name}"\n')
    assert fault == (f"kinds.yaml:{GOOD.count(chr(10)) + 3}", "predicate_unknown")


def test_an_age_needs_a_birth_date_to_compute_it_from():
    text = GOOD.replace('holder_type: "111"', 'holder_type: "001"') + "    predicates: [age_over_18]\n"
    assert faults_of(text) == [(f"kinds.yaml:{GOOD.count(chr(10)) + 1}", "predicate_no_birth_date")]
