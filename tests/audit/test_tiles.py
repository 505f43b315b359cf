from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.errors import LogDamagedError
from audit.tiles import TileFolder, bundle_path, decode_entries, encode_entries, levels_of, tile_path, width_at


@pytest.mark.parametrize(
    ("level", "index", "width", "path"),
    [
        # c2sp.org/tlog-tiles: "index 1234067 will be encoded as x001/x234/067".
        (0, 1234067, 256, "tile/0/x001/x234/067"),
        (0, 0, 256, "tile/0/000"),
        (1, 999, 1, "tile/1/999.p/1"),
        (2, 1000, 255, "tile/2/x001/000.p/255"),
        (63, 1_000_000, 256, "tile/63/x001/x000/000"),
    ],
)
def test_paths_of_tiles(level, index, width, path):
    assert tile_path(level, index, width) == path
    assert bundle_path(index, width) == path.replace(f"tile/{level}", "tile/entries", 1)


def test_the_tree_of_70000_of_the_specification():
    # "273 full level 0 tiles, one partial level 0 tile of width 112, one full level 1 tile, one partial level 1
    # tile of width 17, and one partial level 2 tile of width 1."
    size = 70_000
    assert [width_at(0, n, size) for n in (0, 272, 273, 274)] == [256, 256, 112, 0]
    assert [width_at(1, n, size) for n in (0, 1, 2)] == [256, 17, 0]
    assert [width_at(2, n, size) for n in (0, 1)] == [1, 0]
    assert levels_of(size) == 3
    # "a tree of size 256 will be represented by a full level 0 tile and a partial level 1 tile of width 1"
    assert [levels_of(256), width_at(0, 0, 256), width_at(1, 0, 256)] == [2, 256, 1]
    assert [levels_of(0), levels_of(1), levels_of(255)] == [0, 1, 1]


def test_a_bundle_by_hand():
    assert encode_entries([b"", b"a", b"\x00" * 300]) == b"\x00\x00" + b"\x00\x01a" + b"\x01\x2c" + b"\x00" * 300


@given(st.lists(st.binary(max_size=400), max_size=20))
def test_bundles_read_back(entries):
    assert decode_entries(encode_entries(entries)) == entries


@given(st.lists(st.binary(min_size=1, max_size=40), min_size=1, max_size=5), st.data())
def test_a_cut_bundle_is_never_read_as_whole(entries, data):
    whole = encode_entries(entries)
    cut = whole[: data.draw(st.integers(0, len(whole) - 1))]
    try:
        found = decode_entries(cut)
    except ValueError:
        return
    # A cut between two entries leaves fewer of them, which the reader counts.
    assert found == entries[: len(found)]
    assert len(found) < len(entries)


def test_a_partial_tile_is_read_from_the_full_one_when_it_is_gone(tmp_path):
    full = bytes(range(256)) * 32
    (tmp_path / "tile/0").mkdir(parents=True)
    (tmp_path / "tile/0/000").write_bytes(full)
    assert TileFolder(tmp_path).tile(0, 0, 3) == full[:96]
    (tmp_path / "tile/0/000.p").mkdir()
    (tmp_path / "tile/0/000.p/3").write_bytes(full[:95])
    with pytest.raises(LogDamagedError, match=r"000\.p/3"):
        TileFolder(tmp_path).tile(0, 0, 3)
    with pytest.raises(LogDamagedError, match="missing"):
        TileFolder(tmp_path).tile(1, 0, 256)
