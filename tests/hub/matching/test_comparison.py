from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catalog.identifiers import make_citizen_id
from catalog.model import Check, Field, FieldKind, FieldType, Mask
from hub.matching.comparing import MATCHING, agrees, comparison, together
from hub.matching.dates import moment
from hub.matching.text import Verdict

MATCH, MISMATCH, UNKNOWN = Verdict.MATCH, Verdict.MISMATCH, Verdict.UNKNOWN


def field(name, title, kind=FieldKind.STRING, length=0, scale=0, **more):
    return Field(name, title, FieldType(kind, length, scale), **more)


NAME = field("name", "姓名")
FIRM = field("firm", "单位名称")
DAY = field("born", "出生日期", FieldKind.DATE)
TIME = field("seen", "更新时间", FieldKind.DATETIME)
AMOUNT = field("amount", "金额", FieldKind.DECIMAL, 12, 2)
COUNT = field("count", "人数", FieldKind.INTEGER)
FLAG = field("flag", "是否", FieldKind.BOOLEAN)
PERSON = field("id", "公民身份号码", check=Check.CITIZEN_ID)
CREDIT = field("uscc", "统一社会信用代码", check=Check.USCC)
SEX = field("sex", "性别代码", codes=("1", "2"))
PHONE = field("phone", "联系电话")
HOME = field("address", "住址")
FIELDS = (NAME, DAY, TIME, AMOUNT, COUNT, FLAG, PERSON, CREDIT, SEX, PHONE, HOME)


@pytest.mark.parametrize(
    ("made", "stored", "claim", "verdict"),
    [
        (NAME, None, "张三", UNKNOWN),
        (NAME, "张涛", "張濤", MATCH),
        (NAME, "吴亚峰", "吳亞峯", MATCH),
        (NAME, "黄戶", "黃户", MATCH),
        (NAME, "張濤", "张涛", MATCH),
        (NAME, "啟", "啓", MATCH),
        (NAME, "阿不都·热合曼", "阿不都•热合曼", MATCH),
        (NAME, "阿不都·热合曼", "阿不都．热合曼", MATCH),
        (NAME, "阿不都・热合曼", "阿不都‧ 热合曼", MATCH),
        (NAME, "阿不都·热合曼", "阿不都热合曼", MATCH),
        (NAME, "张 三", "张　三\u200b", MATCH),
        (NAME, "精神", "\ufa1d\ufa19", MATCH),
        (NAME, "\ufa12", "晴", MATCH),
        (NAME, "张三", "张二", MISMATCH),
        (NAME, "张三", "张三丰", MISMATCH),
        (NAME, "王未", "王末", MISMATCH),
        (NAME, "戊戌", "戊戍", MISMATCH),
        (NAME, "李发", "李髮", MATCH),
        (NAME, "李發", "李髮", UNKNOWN),
        (NAME, "李喆", "李哲", UNKNOWN),
        (NAME, "甯静", "宁静", UNKNOWN),
        (NAME, "於平", "于平", UNKNOWN),
        (NAME, "李喆一", "李哲二", MISMATCH),
        (NAME, "张*", "张三", UNKNOWN),
        (NAME, "张三", "＊三", UNKNOWN),
        (NAME, "张三", "·", UNKNOWN),
        (FIRM, "颍淮（阜阳）有限公司", "颍淮(阜阳) 有限公司", MATCH),
        (FIRM, "皖政〔2020〕5号", "皖政[2020]5号", MATCH),
        (FIRM, "ＡＢＣ公司", "abc公司", MATCH),
        (FIRM, "5²", "52", MISMATCH),
        (FIRM, "①号", "1号", MISMATCH),
        (FIRM, "3.5", "35", MISMATCH),
        (DAY, "1990-01-05", "1990/1/5", MATCH),
        (DAY, "1990-01-05", "1990．1．5", MATCH),
        (DAY, "1990-01-05", "19900105", MATCH),
        (DAY, "1990-01-05", "1990年1月5日", MATCH),
        (DAY, "1990-01-05", "１９９０年０１月０５号", MATCH),
        (DAY, "1990-01-05", "一九九〇年一月五日", MATCH),
        (DAY, "1990-01-05", "公元一九九零年元月五日", MATCH),
        (DAY, "1990-12-31", "一九九○年十二月卅一日", MATCH),
        (DAY, "1990-01-05", "1990-01-05T00:00:00", MATCH),
        (DAY, "1990-01-05", "1990-01-04T16:00:00.000Z", MATCH),
        (DAY, "1990-01-05", "1990-01-06", MISMATCH),
        (DAY, "1990-01-05", "05/01/1990", UNKNOWN),
        (DAY, "1990-01-05", "1990", UNKNOWN),
        (DAY, "1990-01-05", "1989年", UNKNOWN),
        (DAY, "1990-01-05", "1990-01", UNKNOWN),
        (DAY, "1990-01-05", "90-01-05", UNKNOWN),
        (DAY, "1990-01-05", "腊月初九", UNKNOWN),
        (DAY, "1990-01-05", "1990-1/5", UNKNOWN),
        (TIME, "2024-01-05T09:30:00", "2024年1月5日 9时30分", MATCH),
        (TIME, "2024-01-05T09:30:00", "20240105093000", MATCH),
        (TIME, "2024-01-05T09:30:00", "2024-01-05T01:30:00Z", MATCH),
        (TIME, "2024-01-05T09:30:00", "2024-01-05 09:31", MISMATCH),
        (TIME, "2024-01-05T00:00:00", "2024-01-05", MATCH),
        (TIME, "2024-01-05T00:00:00", "2024-01-06", MISMATCH),
        (TIME, "2024-01-05T09:30:00", "2024-01-05", UNKNOWN),
        (TIME, "2024-01-05T09:30:00", "2024-01-06", UNKNOWN),
        (AMOUNT, "1200.50", "1,200.5", MATCH),
        (AMOUNT, "1200.50", "１２００．５", MATCH),
        (AMOUNT, "1200.50", "12,00.5", UNKNOWN),
        (AMOUNT, "1200.50", "1200.51", MISMATCH),
        (AMOUNT, "1200.50", "NaN", UNKNOWN),
        (AMOUNT, "1200.50", True, UNKNOWN),
        (COUNT, 7, "007", MATCH),
        (COUNT, 7, 8, MISMATCH),
        (FLAG, True, "是", MATCH),
        (FLAG, False, "无", MATCH),
        (FLAG, True, 1, MATCH),
        (FLAG, True, "否", MISMATCH),
        (FLAG, True, "maybe", UNKNOWN),
        (PERSON, "11010519491231002X", "110105491231002", MATCH),
        (PERSON, "11010519491231002X", "110105 19491231-００2x", MATCH),
        (PERSON, "11010519491231002X", "11010519491231002×", MATCH),
        (PERSON, "11010519491231002X", "110105491231003", MISMATCH),
        (PERSON, "11010519491231002X", "110105194912310020", MISMATCH),
        (PERSON, "11010519491231002X", "110105********002X", UNKNOWN),
        (CREDIT, "11330105002500287C", " １1330105 0025 00287c", MATCH),
        (CREDIT, "11330105002500287C", "11430000006122244L", MISMATCH),
        (CREDIT, "11330105002500287C", "00250028-7", UNKNOWN),
        (SEX, "1", "１", MATCH),
        (SEX, "1", "2", MISMATCH),
        (SEX, "1", "男", UNKNOWN),
        (PHONE, "13812345678", "+86 138-1234-5678", MATCH),
        (PHONE, "13812345678", "0086（138）12345678", MATCH),
        (PHONE, "13812345678", "8613812345678", MATCH),
        (PHONE, "13812345678", "013812345678", MATCH),
        (PHONE, "13812345678", "13812345679", MISMATCH),
        (PHONE, "13812345678", "+1 3812345678", MISMATCH),
        (PHONE, "0558-2261234", "+86 558 226 1234", MATCH),
        (PHONE, "0558-2261234", "2261234", UNKNOWN),
        (PHONE, "0558-2261234转801", "05582261234-801", MISMATCH),
        (PHONE, "0558-2261234转801", "0558 2261234", UNKNOWN),
        (PHONE, "13812345678", "13812345678/13912345678", UNKNOWN),
        (PHONE, "138****5678", "13812345678", UNKNOWN),
        (HOME, "安徽省阜阳市颍州区清河路1号", "阜阳市颍州区清河路1号", MATCH),
        (HOME, "安徽省阜阳市颍州区清河路1号", "安徽阜阳市潁州區清河路１號", MATCH),
        (HOME, "安徽省阜阳市颍州区清河路1号", "颍州区清河路1号", UNKNOWN),
        (HOME, "安徽省阜阳市颍州区清河路1号", "安徽省颍州区清河路1号", UNKNOWN),
        (HOME, "安徽省阜阳市颍州区清河路1号", "清河路1号", UNKNOWN),
        (HOME, "安徽省阜阳市颍州区清河路1号", "江苏省阜阳市颍州区清河路1号", MISMATCH),
        (HOME, "安徽省阜阳市颍州区清河路1号", "阜阳市颍泉区清河路1号", MISMATCH),
        (HOME, "安徽省阜阳市颍州区清河路1号", "清河路2号", MISMATCH),
        (HOME, "安徽省阜阳市颍州区清河路1号", "路1号", MISMATCH),
        (HOME, "北京市朝阳区建国路1号", "朝阳区建国路1号", UNKNOWN),
        (HOME, "吉林省吉林市船营区北京路1号", "吉林市船营区北京路1号", MATCH),
    ],
)
def test_what_a_claim_is_beside_a_value(made, stored, claim, verdict):
    assert comparison(made, stored, claim) is verdict
    if stored is not None:
        assert comparison(made, claim, stored) is verdict
    assert agrees(made, stored, claim, version=MATCHING) is (verdict is MATCH)


def test_a_person_over_a_hundred_is_not_told_by_the_short_number():
    body = "110105491231998"
    full = make_citizen_id("110105", moment_date("1849-12-31"), 998)
    assert comparison(PERSON, full, body) is UNKNOWN
    assert comparison(PERSON, body, body) is MATCH


def moment_date(text):
    from datetime import date

    return date(*moment(text))


def test_what_was_masked_as_it_was_read_is_not_compared():
    account = field("account", "银行账号", landing=Mask.KEEP_LAST_4)
    assert comparison(account, "******1234", "6222021234") is UNKNOWN
    assert comparison(account, "******1234", "******1234") is MATCH


def test_of_several_records_one_that_matches_is_enough():
    assert together([MISMATCH, MATCH, UNKNOWN]) is MATCH
    assert together([UNKNOWN, MISMATCH]) is MISMATCH
    assert together([UNKNOWN]) is together([]) is UNKNOWN


def test_the_first_version_still_decides_as_it_did():
    assert not agrees(NAME, "张涛", "張濤")
    assert agrees(NAME, "5²", "52")
    assert not agrees(PERSON, "11010519491231002X", "110105491231002")
    assert agrees(DAY, "1990-01-05", "1990年1月5日", version=1)
    assert not agrees(DAY, "1990-01-05", "一九九〇年一月五日", version=1)
    with pytest.raises(ValueError, match="version 3"):
        agrees(NAME, "a", "a", version=3)


TEXTS = st.one_of(
    st.text(max_size=12),
    st.text(st.sampled_from("0123456789-/.年月日*〇一二十T: 张張發髮发·（省市区号"), max_size=12),
)


@given(st.sampled_from(FIELDS), TEXTS, TEXTS)
@settings(max_examples=200, deadline=None)
def test_comparing_is_total_reflexive_and_symmetric(made, one, other):
    assert comparison(made, one, one) is MATCH
    assert comparison(made, one, other) is comparison(made, other, one)


@given(st.dates(), st.sampled_from(["{y}-{m}-{d}", "{y}年{m}月{d}日", "{y}.{m:02}.{d:02}", "{y}{m:02}{d:02}"]))
@settings(max_examples=25, deadline=None)
def test_a_date_is_read_back_from_every_form(day, form):
    text = form.format(y=f"{day.year:04}", m=day.month, d=day.day)
    assert moment(text) == (day.year, day.month, day.day)
