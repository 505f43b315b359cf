from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit import tree
from audit.errors import ProofInvalidError

# Leaves, roots and proofs of the Certificate Transparency reference implementation (google/certificate-transparency
# merkletree tests; today transparency-dev/merkle testonly/constants.go): sizes 1 to 8.
LEAVES = [
    bytes.fromhex(h)
    for h in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
]
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
INCLUSION = {
    (0, 8): [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ],
    (5, 8): [
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ],
}
CONSISTENCY = {
    (6, 8): [
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ],
    (2, 5): [
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ],
    (1, 1): [],
}
HASHES = [tree.leaf_hash(leaf) for leaf in LEAVES]
MANY = [tree.leaf_hash(n.to_bytes(2, "big")) for n in range(300)]
MANY_ROOTS = [tree.root(MANY[:size]) for size in range(301)]


def defined_root(hashes):
    """MTH by the words of RFC 6962 §2.1, to compare with."""
    if len(hashes) == 1:
        return hashes[0]
    split = 1
    while split * 2 < len(hashes):
        split *= 2
    return tree.node_hash(defined_root(hashes[:split]), defined_root(hashes[split:]))


def test_known_roots():
    assert tree.root([]).hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    for size in range(1, 9):
        assert tree.root(HASHES[:size]).hex() == ROOTS[size - 1]


@pytest.mark.parametrize(("index", "size"), INCLUSION)
def test_known_inclusion_paths(index, size):
    path = tree.inclusion_path(index, size, tree.subtrees(HASHES[:size]))
    assert [step.hex() for step in path] == INCLUSION[index, size]


@pytest.mark.parametrize(("old", "new"), CONSISTENCY)
def test_known_consistency_paths(old, new):
    path = tree.consistency_path(old, new, tree.subtrees(HASHES[:new]))
    assert [step.hex() for step in path] == CONSISTENCY[old, new]


def test_roots_are_those_of_the_definition():
    for size in range(1, 301):
        assert MANY_ROOTS[size] == defined_root(MANY[:size]) == tree.root_at(size, tree.subtrees(MANY[:size]))


def test_every_index_of_every_size_to_300_proves():
    read = tree.subtrees(MANY)
    proofs = 0
    for size in range(1, 301):
        for index in range(size):
            path = tree.inclusion_path(index, size, read)
            tree.verify_inclusion(MANY[index], index, size, path, MANY_ROOTS[size])
            proofs += 1
    assert proofs == 300 * 301 // 2


def test_every_pair_of_sizes_is_consistent():
    read = tree.subtrees(MANY)
    for new in range(0, 301, 3):
        for old in range(new + 1):
            path = tree.consistency_path(old, new, read)
            tree.verify_consistency(old, new, MANY_ROOTS[old], MANY_ROOTS[new], path)
            if 0 < old < new:
                with pytest.raises(ProofInvalidError):
                    tree.verify_consistency(old, new, MANY_ROOTS[old - 1], MANY_ROOTS[new], path)


@given(st.data())
def test_a_wrong_inclusion_proof_fails(data):
    size = data.draw(st.integers(1, 300))
    index = data.draw(st.integers(0, size - 1))
    path = list(tree.inclusion_path(index, size, tree.subtrees(MANY)))
    leaf, root = MANY[index], MANY_ROOTS[size]

    def refuse(leaf=leaf, index=index, size=size, path=path, root=root):
        with pytest.raises(ProofInvalidError):
            tree.verify_inclusion(leaf, index, size, path, root)

    other = data.draw(st.integers(-2, 400).filter(lambda n: n != index))
    refuse(index=other)
    refuse(root=MANY_ROOTS[size - 1])
    refuse(leaf=MANY[index - 1] if size > 1 else MANY[7])
    refuse(path=[*path, root])
    refuse(size=0)
    refuse(root=root[:-1])
    bit = data.draw(st.integers(0, 255))
    refuse(leaf=flip(leaf, bit))
    refuse(root=flip(root, bit))
    if path:
        at = data.draw(st.integers(0, len(path) - 1))
        refuse(path=[*path[:at], flip(path[at], bit), *path[at + 1 :]])
        refuse(path=path[:-1])
        refuse(path=path[1:])


@given(st.integers(1, 300), st.integers(1, 300))
def test_a_size_whose_path_has_another_shape_fails(size, wrong):
    # The last leaf's path says where the tree ends, so no other size can be claimed for it.
    path = tree.inclusion_path(size - 1, size, tree.subtrees(MANY))
    if wrong != size:
        with pytest.raises(ProofInvalidError):
            tree.verify_inclusion(MANY[size - 1], size - 1, wrong, path, MANY_ROOTS[wrong])


@given(st.data())
def test_a_wrong_consistency_proof_fails(data):
    new = data.draw(st.integers(2, 300))
    old = data.draw(st.integers(1, new - 1))
    path = list(tree.consistency_path(old, new, tree.subtrees(MANY)))

    def refuse(old=old, new=new, old_root=MANY_ROOTS[old], new_root=MANY_ROOTS[new], path=path):
        with pytest.raises(ProofInvalidError):
            tree.verify_consistency(old, new, old_root, new_root, path)

    bit = data.draw(st.integers(0, 255))
    at = data.draw(st.integers(0, len(path) - 1))
    refuse(old_root=flip(MANY_ROOTS[old], bit))
    refuse(new_root=flip(MANY_ROOTS[new], bit))
    refuse(path=[*path[:at], flip(path[at], bit), *path[at + 1 :]])
    refuse(path=path[:-1])
    refuse(path=[*path, MANY[0]])
    refuse(old=new, new=old)
    refuse(path=[])


def test_two_roots_of_one_size_are_not_consistent():
    with pytest.raises(ProofInvalidError):
        tree.verify_consistency(5, 5, MANY_ROOTS[5], MANY_ROOTS[6], [])
    with pytest.raises(ProofInvalidError):
        tree.verify_consistency(0, 5, MANY_ROOTS[1], MANY_ROOTS[5], [])


def test_paths_outside_the_tree_are_refused():
    with pytest.raises(ValueError, match="not in a tree"):
        tree.inclusion_path(3, 3, tree.subtrees(MANY))
    with pytest.raises(ValueError, match="no consistency"):
        tree.consistency_path(4, 3, tree.subtrees(MANY))


def flip(data, bit):
    return bytes(byte ^ (1 << bit % 8 if n == bit // 8 else 0) for n, byte in enumerate(data))


@pytest.mark.parametrize("size", [*range(1, 18), 64, 100])
def test_all_paths_at_once_are_those_found_one_by_one(size):
    hashes = [tree.leaf_hash(bytes([n])) for n in range(size)]
    read = tree.subtrees(hashes)
    root, found = tree.paths(b"".join(hashes))
    assert root == tree.root(hashes)
    assert found == [b"".join(tree.inclusion_path(index, size, read)) for index in range(size)]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 8, 21])
def test_the_hashes_of_a_path_stand_for_the_leaves_that_are_told(size):
    for index in range(size):
        path = tree.inclusion_path(index, size, tree.subtrees(MANY))
        spans = tree.path_spans(index, size)
        assert [tree.root(MANY[low:high]) for low, high in spans] == list(path)
    with pytest.raises(ValueError, match="not in a tree"):
        tree.path_spans(size, size)
