from __future__ import annotations

import threading

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catalog import masks
from catalog.model import Mask
from connectors.errors import ConnectorSettingsError, SourceDeniedError
from connectors.masking import Masks, keyed, masker
from connectors.protocol import Column

KEY = b"0123456789abcdef"
SHOWING = [mask for mask in Mask if mask is not Mask.NONE]


@pytest.mark.parametrize("mask", SHOWING)
def test_a_masker_shows_what_the_catalogue_says(mask):
    found = masker(mask.value, KEY)
    for text in ("110105194912310021", "欧阳小明", "浙江省杭州市西湖区文三路1号", "1949-12-31", "", "短"):
        assert found(text) == masks.apply(mask, text, key=KEY)
    assert found(None) is None


@pytest.mark.parametrize("name", ["", "none"])
def test_nothing_to_hide_costs_nothing(name):
    assert masker(name) is None
    assert not Masks([Column("a", mask=name)])


def test_an_unknown_mask_is_refused_rather_than_passed():
    with pytest.raises(ConnectorSettingsError):
        masker("keep_lsat_4")


def test_a_hash_needs_a_key_of_a_fair_length():
    for key in (None, b"", b"short"):
        with pytest.raises(ConnectorSettingsError) as caught:
            masker("hash", key)
        assert caught.value.params["name"] == "landing_key"
        assert "short" not in str(caught.value)


def test_the_key_in_force_is_looked_up_only_when_needed():
    asked = []

    def secret():
        asked.append(1)
        return KEY.decode()

    with keyed(secret):
        assert masker("redact")("x") == "***"
        assert asked == []
        assert masker("hash")("x") == masker("hash", KEY)("x")
        assert asked == [1]
    with pytest.raises(ConnectorSettingsError):
        masker("hash")


def test_the_key_of_one_thread_is_not_that_of_another():
    answers = []

    def other():
        try:
            masker("hash")
        except ConnectorSettingsError as error:
            answers.append(error.problem)

    with keyed(KEY.decode):
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
    assert answers == ["setting_missing"]


def test_a_key_that_is_not_there_stops_the_read():
    def secret():
        raise SourceDeniedError(problem="secret_missing", where="connectors", reference="env:K")

    with keyed(secret), pytest.raises(SourceDeniedError):
        Masks([Column("a", mask="hash")])


@settings(deadline=None, max_examples=25)
@given(st.lists(st.one_of(st.none(), st.text())), st.sampled_from(SHOWING), st.integers(1, 5))
def test_a_table_is_masked_as_its_texts_are(texts, mask, cut):
    column = Column("a", mask=mask.value)
    texts = [None if text is None else text.encode("utf-8", "replace").decode() for text in texts]
    chunks = [pa.array(texts[i : i + cut], pa.string()) for i in range(0, len(texts), cut)]
    table = pa.table({"a": pa.chunked_array(chunks, pa.string()), "b": pa.array(texts, pa.string())})
    masked = Masks([column, Column("b")], KEY).table(table)
    found = masker(mask.value, KEY)
    assert masked.schema == table.schema
    assert masked.column("a").to_pylist() == [found(text) for text in texts]
    assert masked.column("b").to_pylist() == texts


def test_a_masked_column_must_have_been_read_as_text():
    made = Masks([Column("a", mask="redact")])
    assert made.names() == {"a"}
    with pytest.raises(ConnectorSettingsError):
        made.table(pa.table({"a": [1]}))
