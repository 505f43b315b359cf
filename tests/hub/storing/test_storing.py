from dataclasses import replace

import pytest

from hub import storing
from hub.errors import StorageSettingsError
from hub.settings import Settings

GIVEN = {
    "ZHENGTONG_STORAGE": "s3://bucket/a/city",
    "ZHENGTONG_S3_ENDPOINT": "http://store.example:9000",
    "ZHENGTONG_S3_ACCESS_KEY": "env:STORE_ID",
    "ZHENGTONG_S3_SECRET_KEY": "env:STORE_WORD",
}


@pytest.fixture
def given(tmp_path, monkeypatch):
    monkeypatch.setenv("STORE_ID", "the-id")
    monkeypatch.setenv("STORE_WORD", "the-word")

    def settings(**changes):
        return Settings.from_environment({"ZHENGTONG_HOME": str(tmp_path), **GIVEN, **changes})

    return settings


def test_the_address_is_taken_apart(given):
    bucket = storing.storage_of(given())
    assert (bucket.endpoint, bucket.bucket, bucket.prefix) == ("store.example:9000", "bucket", "a/city")
    assert storing.storage_of(given(ZHENGTONG_S3_ENDPOINT="https://store.example")).endpoint == "store.example"
    assert storing.storage_of(given(ZHENGTONG_STORAGE="s3://bucket")).prefix == ""


def test_without_a_store_tables_lie_in_the_deployments_own_folder(tmp_path):
    settings = Settings.at(tmp_path)
    assert storing.storage_of(settings) is None
    assert storing.table_root(settings) == (tmp_path / "warehouse" / "data").as_uri()
    with storing.open_warehouse(settings) as house:
        assert house.root == tmp_path / "warehouse"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ZHENGTONG_STORAGE", "https://bucket/city"),
        ("ZHENGTONG_STORAGE", "s3:///city"),
        ("ZHENGTONG_STORAGE", "bucket"),
        ("ZHENGTONG_S3_ENDPOINT", ""),
        ("ZHENGTONG_S3_ENDPOINT", "store.example:9000"),
        ("ZHENGTONG_S3_ACCESS_KEY", ""),
        ("ZHENGTONG_S3_SECRET_KEY", "env:NOT_SET_ANYWHERE"),
        ("ZHENGTONG_S3_SECRET_KEY", "in-the-clear"),
        ("ZHENGTONG_S3_SECRET_KEY", "vault:in-the-clear"),
        ("ZHENGTONG_S3_SECRET_KEY", "file:/no/such/file"),
    ],
)
def test_a_setting_that_is_wrong_is_named_and_not_repeated(given, name, value):
    with pytest.raises(StorageSettingsError, match=name) as refused:
        storing.storage_of(given(**{name: value}))
    error = refused.value
    told = [error.text("zh"), error.text("en"), repr(error.__dict__), repr(error.__cause__)]
    assert not [text for text in told if "in-the-clear" in text or "the-word" in text]


def test_no_secret_is_in_what_settings_print(given):
    settings = given()
    assert "the-word" not in repr(settings) + repr(replace(settings)) + repr(storing.storage_of(settings))


def test_tables_are_named_for_lineage_by_where_they_lie(given, tmp_path):
    assert storing.table_dataset(given(), "R1") == ("s3://bucket", "a/city/data/R1")
    assert storing.table_dataset(given(ZHENGTONG_STORAGE="s3://bucket/"), "R1") == ("s3://bucket", "data/R1")
    assert storing.table_root(given()) == "s3://bucket/a/city/data"
    assert storing.table_dataset(Settings.at(tmp_path), "R1")[0] == "file"
