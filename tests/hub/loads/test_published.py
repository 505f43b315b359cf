"""One resource of a list in force, read by itself."""

import json

import pytest

from hub import published
from hub.errors import ListDamagedError, ListMissingError
from hub.settings import Settings
from tests.hub import world as worlds

CODES = (worlds.CODE, worlds.EMPTY_CODE)


@pytest.fixture
def stored(tmp_path):
    settings, list_ = Settings.at(tmp_path), worlds.make_list()
    published.store(settings, list_)
    return settings, list_


def single(stored):
    settings, list_ = stored
    return published.list_path(settings, list_.version).with_suffix(".resources")


def test_each_is_the_one_of_the_list(stored):
    settings, list_ = stored
    for code in CODES:
        assert published.resource_of(settings, list_.version, code) == list_.by_code[code]
    assert published.resource_of(settings, list_.version, "NO-SUCH") is None


def test_without_its_file_the_whole_list_is_read(stored):
    settings, list_ = stored
    single(stored).unlink()
    assert published.resource_of(settings, list_.version, worlds.CODE) == list_.by_code[worlds.CODE]
    published.list_path(settings, list_.version).unlink()
    with pytest.raises(ListMissingError):
        published.resource_of(settings, list_.version, worlds.CODE)


def test_every_flipped_byte_is_found_or_changes_nothing(stored):
    settings, list_ = stored
    path = single(stored)
    data = path.read_bytes()
    index = len(data.split(b"\n", 1)[0])
    # Through the index, and then here and there in what it points to.
    for place in [*range(0, index, 7), *range(index, len(data), 997)]:
        path.write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
        for code in CODES:
            try:
                found = published.resource_of(settings, list_.version, code)
            except ListDamagedError:
                continue
            assert found == list_.by_code[code], place


def test_half_a_file_is_damaged(stored):
    settings, list_ = stored
    path = single(stored)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ListDamagedError):
        published.resource_of(settings, list_.version, CODES[-1])
    path.write_bytes(b"")
    with pytest.raises(ListDamagedError):
        published.resource_of(settings, list_.version, CODES[0])


def test_one_is_read_without_the_others(stored):
    settings, list_ = stored
    index = json.loads(single(stored).read_bytes().split(b"\n", 1)[0])
    assert list(index) == list(CODES)
    published.list_path(settings, list_.version).write_text("{", encoding="utf-8")
    assert published.resource_of(settings, list_.version, worlds.CODE) == list_.by_code[worlds.CODE]
