from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.search import pinyin
from catalog.search.masks import holds, mask_of, ordinals_of
from catalog.search.matching import edits
from catalog.search.text import bigrams, compact, core, grams, indexed, normalise, runs
from catalog.search.thesaurus import Piece, Thesaurus, packaged, read_rows, shortened, strip_city

QUERIES = st.text(st.sampled_from("驾照证机动车人社局公积金查询 ，gjj12３Ａ/_.-\"'*():駕"), max_size=20)


def test_han_runs_become_bigrams_and_latin_runs_words():
    assert grams("机动车 driving_licences") == ("机动", "动车", "driving", "licence")
    assert bigrams("房") == ["房"]
    assert runs(normalise("３０６０１０／000001，驾照")) == ["306010/000001", "驾照"]
    assert {"机", "机动", "动"} <= indexed("机动", single=True)
    assert "机" not in indexed("机动", single=False)


@pytest.mark.parametrize(
    ("written", "same"),
    [("駕照", "驾照"), ("營業執照", "营业执照"), ("ＧＪＪ", "gjj"), ("Real Estate", "real estate")],
)
def test_forms_of_writing_are_one(written, same):
    assert normalise(written) == same


def test_general_words_at_the_end_say_nothing():
    assert core("机动车驾驶证基本信息") == "机动车驾驶证"
    assert core("信息") == "信息"


@given(QUERIES)
def test_tokens_are_letters_and_digits_only(query):
    for gram in (*grams(normalise(query)), *indexed(query, single=True)):
        assert gram
        assert gram.isalnum()
    assert compact(compact(query)) == compact(query)


@given(st.sets(st.integers(0, 299)))
def test_a_mask_holds_what_was_put_in(ordinals):
    mask = mask_of(ordinals, 300)
    assert ordinals_of(mask) == sorted(ordinals)
    assert mask.bit_count() == len(ordinals)
    assert all(holds(mask, at) == (at in ordinals) for at in range(300))


def test_pinyin_in_full_and_by_initials():
    assert pinyin.whole("公积金") == {"gongjijin", "gjj"}
    assert {"jijin", "jj", "gongji", "gj"} <= pinyin.parts("公积金")
    assert pinyin.whole("绿色") == {"lvse", "ls"}
    assert pinyin.whole("gps") == frozenset()
    assert len(pinyin.syllables("龘䶮行")) == 3


def test_searching_needs_no_pinyin_tables():
    script = "import sys, catalog.search.ranking, catalog.search.shelf; print('pypinyin' in sys.modules)"
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "False"


@given(st.text("abcxyz", min_size=1, max_size=6))
def test_every_edit_is_one_letter_away(word):
    for other in edits(word):
        assert other != word
        assert abs(len(other) - len(word)) <= 1
        assert {*shortened(other), other} & {*shortened(word), word}


ROWS = (
    ("=", "机动车驾驶证", ("驾照", "驾驶证")),
    (">", "机动车驾驶证", ("实习驾驶证",)),
    ("=", "housing fund", ("公积金",)),
)


def test_a_group_is_known_by_any_of_its_words():
    thesaurus = Thesaurus(ROWS, ("查询",))
    assert [alias.text for alias in thesaurus.aliases("驾照")] == ["机动车驾驶证", "驾驶证", "实习驾驶证"]
    assert [alias.narrower for alias in thesaurus.aliases("驾照")] == [False, False, True]
    assert thesaurus.aliases("实习驾驶证") == ()
    assert thesaurus.near("机动驾驶证") == ("机动车驾驶证",)
    assert thesaurus.near("驾召") == ()


def test_a_query_is_cut_at_known_terms():
    thesaurus = Thesaurus(ROWS, ("查询", "the"))
    pieces = thesaurus.cut("查询驾照年限 the housing fund")
    assert [piece.text for piece in pieces] == ["查询", "驾照", "年限", "thehousingfund", "the", "housing", "fund"]
    assert [piece.optional for piece in pieces][:3] == [True, False, False]
    assert thesaurus.cut("housing fund")[0].aliases
    assert thesaurus.cut("查询") == (Piece("查询"),)
    assert thesaurus.cut("，。") == ()


@pytest.mark.parametrize("line", ["~,甲,乙", "=,甲", "=,,乙", "=,甲,乙,丙"])
def test_a_faulty_row_of_the_word_data_is_named_by_its_line(line):
    with pytest.raises(ValueError, match="line 2"):
        read_rows(f"# words\n{line}")


def test_the_packaged_words_are_whole():
    rows, fillers = packaged()
    groups = [row for row in rows if row[0] == "="]
    assert len(groups) > 150
    assert {"查询", "信息", "the"} <= set(fillers)
    assert len({(row[0], row[1]) for row in rows}) == len(rows), "one row a term"
    for relation, term, others in rows:
        assert term not in others, (relation, term)
        assert len(set(others)) == len(others), term


@pytest.mark.parametrize(
    ("name", "bare"),
    [("阜阳市公安局", "公安局"), ("市公安局", "公安局"), ("国家税务总局", "国家税务总局"), ("市局", "市局")],
)
def test_a_department_is_known_without_its_city(name, bare):
    assert strip_city(name, "阜阳") == bare
