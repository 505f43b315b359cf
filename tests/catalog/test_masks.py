from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.masks import RANK, REDACTED, apply, stricter
from catalog.model import Mask

KEY = b"0123456789abcdef"


@pytest.mark.parametrize(
    ("mask", "value", "shown"),
    [
        (Mask.NONE, "任意", "任意"),
        (Mask.NONE, 7, 7),
        (Mask.REDACT, "任意", REDACTED),
        (Mask.NULL, "任意", None),
        (Mask.KEEP_LAST_4, "13800001234", "*******1234"),
        (Mask.KEEP_LAST_4, "1234567", REDACTED),
        (Mask.KEEP_FIRST_4, "13800001234", "1380*******"),
        (Mask.KEEP_FIRST_4, 12345678, "1234****"),
        (Mask.CITIZEN_ID, "11010519491231002X", "110105********002X"),
        (Mask.CITIZEN_ID, "110105491231002", REDACTED),
        (Mask.YEAR, "1949-12-31", "1949"),
        (Mask.YEAR, "1949-12-31T08:00:00", "1949"),
        (Mask.YEAR, "19491231", "1949"),
        (Mask.YEAR, "民国三十八年", REDACTED),
        (Mask.SURNAME, "张三", "张**"),
        (Mask.SURNAME, "欧阳修文", "欧阳**"),
        (Mask.SURNAME, "欧阳", "欧**"),
        (Mask.SURNAME, "王", REDACTED),
        (Mask.COUNTY, "安徽省合肥市蜀山区长江西路1号", "安徽省合肥市蜀山区***"),
        (Mask.COUNTY, "北京市朝阳区建国路1号", "北京市朝阳区***"),
        (Mask.COUNTY, "新疆维吾尔自治区乌鲁木齐市天山区新华路2号", "新疆维吾尔自治区乌鲁木齐市天山区***"),
        (Mask.COUNTY, "河北省唐山市路北区某街3号", "河北省唐山市路北区***"),
        (Mask.COUNTY, "山东省济宁市市中区某街3号", "山东省济宁市市中区***"),
        (Mask.COUNTY, "湖南省永州市道县某镇", "湖南省永州市道县***"),
        # Without a county the address is shown to the city, never further.
        (Mask.COUNTY, "浙江省义乌市稠城街道某某工业区5号", "浙江省义乌市***"),
        (Mask.COUNTY, "合肥市幸福小区3栋402室", "合肥市***"),
        (Mask.COUNTY, "幸福小区3栋402室", REDACTED),
        (Mask.COUNTY, "某路省直大院", REDACTED),
        (Mask.COUNTY, "", REDACTED),
    ],
)
def test_what_each_mask_shows(mask, value, shown):
    assert apply(mask, value, key=KEY) == shown


@given(st.sampled_from(Mask))
def test_nothing_stays_nothing(mask):
    assert apply(mask, None, key=KEY) is None


@given(st.sampled_from([m for m in Mask if m is not Mask.NONE]), st.text(min_size=9))
def test_no_mask_but_none_shows_a_whole_long_value(mask, value):
    assert apply(mask, value, key=KEY) != value


def test_a_hash_depends_on_the_key_and_joins_equal_values():
    one = apply(Mask.HASH, "13800001234", key=KEY)
    # HMAC-SHA256 computed with OpenSSL: printf 13800001234 | openssl dgst -sha256 -hmac 0123456789abcdef
    assert one == "ab3bc0021955147516f348894d38c9d4aa1f5582d2e2d2794f2c945a00d87de9"
    assert apply(Mask.HASH, 13800001234, key=KEY) == one
    assert apply(Mask.HASH, "13800001234", key=KEY[::-1]) != one
    assert apply(Mask.HASH, True, key=KEY) == apply(Mask.HASH, "true", key=KEY)


def test_a_hash_with_a_guessable_key_is_refused():
    with pytest.raises(ValueError, match="16 bytes"):
        apply(Mask.HASH, "x", key=b"")


def test_stricter_is_a_semilattice():
    for a, b, c in itertools.product(Mask, repeat=3):
        assert stricter(a, b) is stricter(b, a)
        assert stricter(a, stricter(b, c)) is stricter(stricter(a, b), c)
        assert stricter(a, a) is a
        assert stricter(a, Mask.NONE) is a
        assert stricter(a, Mask.NULL) is Mask.NULL
        assert RANK[stricter(a, b)] >= max(RANK[a], RANK[b])


def test_two_different_partial_masks_show_nothing_together():
    assert stricter(Mask.KEEP_FIRST_4, Mask.KEEP_LAST_4) is Mask.REDACT
    assert set(RANK) == set(Mask)
