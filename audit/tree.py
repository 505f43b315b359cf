"""Merkle tree hashing and proofs by RFC 6962 §2.1 and RFC 9162 §2.1, over whatever holds the hashes.

Where hashes are kept is left to `audit.tiles`: the functions here ask a reader for the hash of a perfect subtree
and so touch O(log n) of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from hashlib import sha256

from .errors import ProofInvalidError

HASH_BYTES = 32
EMPTY_ROOT = sha256(b"").digest()

Subtrees = Callable[[int, int], bytes]
"""(level, index) → MTH(D[index·2^level : (index+1)·2^level]), a perfect subtree; level 0 is the leaf hashes."""


def leaf_hash(data: bytes) -> bytes:
    """SHA-256(0x00 ‖ data), RFC 6962 §2.1."""
    return sha256(b"\x00" + data).digest()


def leaf_hashes(entries: Iterable[bytes]) -> bytes:
    """The leaf hashes of *entries*, packed: 32 bytes each."""
    return b"".join([sha256(b"\x00" + data).digest() for data in entries])


def node_hash(left: bytes, right: bytes) -> bytes:
    """SHA-256(0x01 ‖ left ‖ right), RFC 6962 §2.1."""
    return sha256(b"\x01" + left + right).digest()


def parents(packed: bytes) -> bytes:
    """The packed hashes one level up; an odd last hash has no parent yet and is left out."""
    usable = len(packed) - len(packed) % (2 * HASH_BYTES)
    return b"".join(
        [sha256(b"\x01" + packed[i : i + 2 * HASH_BYTES]).digest() for i in range(0, usable, 2 * HASH_BYTES)]
    )


def fold(packed: bytes) -> bytes:
    """The root over packed 32-byte hashes, one or more."""
    while len(packed) > HASH_BYTES:
        # Promoting the odd last hash unhashed is the same as splitting at the largest power of two (§2.1).
        odd = packed[-HASH_BYTES:] if len(packed) % (2 * HASH_BYTES) else b""
        packed = parents(packed) + odd
    return packed


def root(hashes: Iterable[bytes]) -> bytes:
    """MTH over leaf hashes; of none, SHA-256 of nothing."""
    packed = b"".join(hashes)
    return fold(packed) if packed else EMPTY_ROOT


def subtrees(hashes: Sequence[bytes]) -> Subtrees:
    """A reader over leaf hashes in memory, each level computed once."""
    levels = [b"".join(hashes)]
    while len(levels[-1]) > HASH_BYTES:
        levels.append(parents(levels[-1]))

    def read(level: int, index: int) -> bytes:
        return levels[level][index * HASH_BYTES : (index + 1) * HASH_BYTES]

    return read


def root_at(size: int, read: Subtrees) -> bytes:
    """MTH of the first *size* leaves."""
    return _mth(0, size, read) if size else EMPTY_ROOT


def inclusion_path(index: int, size: int, read: Subtrees) -> tuple[bytes, ...]:
    """PATH(index, D[size]) of RFC 6962 §2.1.1, from the leaf's sibling up to the root's child.

    Raises:
        ValueError: *index* is not below *size*.
    """
    if not 0 <= index < size:
        raise ValueError(f"index {index} is not in a tree of {size}")
    path: list[bytes] = []
    low, high = 0, size
    while high - low > 1:
        middle = low + _split(high - low)
        if index < middle:
            path.append(_mth(middle, high, read))
            high = middle
        else:
            path.append(_mth(low, middle, read))
            low = middle
    return tuple(reversed(path))


def path_spans(index: int, size: int) -> tuple[tuple[int, int], ...]:
    """Of which leaves, from the first to before the last, each hash of `inclusion_path` is the root; in its order.

    Raises:
        ValueError: *index* is not below *size*.
    """
    if not 0 <= index < size:
        raise ValueError(f"index {index} is not in a tree of {size}")
    spans: list[tuple[int, int]] = []
    low, high = 0, size
    while high - low > 1:
        middle = low + _split(high - low)
        if index < middle:
            spans.append((middle, high))
            high = middle
        else:
            spans.append((low, middle))
            low = middle
    return tuple(reversed(spans))


def consistency_path(old: int, new: int, read: Subtrees) -> tuple[bytes, ...]:
    """PROOF(old, D[new]) of RFC 6962 §2.1.2; empty when *old* is 0 or *new*.

    Raises:
        ValueError: not 0 ≤ old ≤ new.
    """
    if not 0 <= old <= new:
        raise ValueError(f"no consistency from {old} to {new}")
    path: list[bytes] = []
    low, high, whole = 0, new, True
    while 0 < old < high:
        middle = low + _split(high - low)
        if old <= middle:
            path.append(_mth(middle, high, read))
            high = middle
        else:
            path.append(_mth(low, middle, read))
            low, whole = middle, False
    if path and not whole:
        # SUBPROOF(m, D[m], false): the verifier does not know this subtree's root yet.
        path.append(_mth(low, high, read))
    return tuple(reversed(path))


def paths(hashes: bytes) -> tuple[bytes, list[bytes]]:
    """The root over the packed leaf *hashes*, one or more, and for each leaf its inclusion path, packed.

    As `inclusion_path` finds them one by one, but each hash of the tree is made once.
    """
    found: list[list[bytes]] = [[] for _ in range(len(hashes) // HASH_BYTES)]
    level, width = hashes, 1
    while (count := len(level) // HASH_BYTES) > 1:
        steps = [level[at : at + HASH_BYTES] for at in range(0, len(level), HASH_BYTES)]
        for index, path in enumerate(found):
            beside = (index // width) ^ 1
            if beside < count:
                path.append(steps[beside])
        level = parents(level) + (steps[-1] if count % 2 else b"")
        width *= 2
    return level, [b"".join(path) for path in found]


def verify_inclusion(leaf: bytes, index: int, size: int, path: Sequence[bytes], root_hash: bytes) -> None:
    """Check by RFC 9162 §2.1.3.2 that the tree of *size* with *root_hash* holds leaf hash *leaf* at *index*.

    Raises:
        ProofInvalidError: it does not, or the path has another length than such a proof has.
    """
    _check_hashes(root_hash)
    if root_over(leaf, index, size, path) != root_hash:
        raise ProofInvalidError(problem=f"entry {index} is not in the tree of {size} with this root")


def root_over(leaf: bytes, index: int, size: int, path: Sequence[bytes]) -> bytes:
    """The root of the tree of *size* that holds leaf hash *leaf* at *index*, if *path* is its inclusion path.

    Raises:
        ProofInvalidError: the path has another length than such a proof has.
    """
    _check_hashes(leaf, *path)
    if not 0 <= index < size:
        raise ProofInvalidError(problem=f"index {index} is not in a tree of {size}")
    at, last, found = index, size - 1, leaf
    for step in path:
        if last == 0:
            raise ProofInvalidError(problem="the inclusion path is too long")
        if at & 1 or at == last:
            found = node_hash(step, found)
            while at and not at & 1:
                at, last = at >> 1, last >> 1
        else:
            found = node_hash(found, step)
        at, last = at >> 1, last >> 1
    if last:
        raise ProofInvalidError(problem="the inclusion path is too short")
    return found


def verify_consistency(old: int, new: int, old_root: bytes, new_root: bytes, path: Sequence[bytes]) -> None:
    """Check by RFC 9162 §2.1.4.2 that the tree of *new* leaves extends the tree of *old* leaves.

    Every tree extends the empty one, whose root must be SHA-256 of nothing.

    Raises:
        ProofInvalidError: it does not, or the path has another length than such a proof has.
    """
    _check_hashes(old_root, new_root, *path)
    if not 0 <= old <= new:
        raise ProofInvalidError(problem=f"a tree of {new} cannot extend one of {old}")
    if old in (0, new):
        if path:
            raise ProofInvalidError(problem="the consistency path is too long")
        if old_root != (EMPTY_ROOT if old == 0 else new_root) or (new == 0 and new_root != EMPTY_ROOT):
            raise ProofInvalidError(problem=f"two different roots for size {old}")
        return
    # When the old tree is one perfect subtree, the verifier holds its root and the proof leaves it out.
    steps = [old_root, *path] if old & (old - 1) == 0 else list(path)
    if not steps:
        raise ProofInvalidError(problem="the consistency path is too short")
    if _climb(old, new, steps) != (old_root, new_root):
        raise ProofInvalidError(problem=f"the tree of {new} does not extend the tree of {old}")


def _climb(old: int, new: int, steps: Sequence[bytes]) -> tuple[bytes, bytes]:
    """The two roots that a consistency path gives (RFC 9162 §2.1.4.2, steps 3 to 5)."""
    at, last = old - 1, new - 1
    while at & 1:
        at, last = at >> 1, last >> 1
    old_found = new_found = steps[0]
    for step in steps[1:]:
        if last == 0:
            raise ProofInvalidError(problem="the consistency path is too long")
        if at & 1 or at == last:
            old_found, new_found = node_hash(step, old_found), node_hash(step, new_found)
            while at and not at & 1:
                at, last = at >> 1, last >> 1
        else:
            new_found = node_hash(new_found, step)
        at, last = at >> 1, last >> 1
    if last:
        raise ProofInvalidError(problem="the consistency path is too short")
    return old_found, new_found


def _mth(low: int, high: int, read: Subtrees) -> bytes:
    """MTH(D[low:high]) for a range that the splits of §2.1 produce: *low* is a multiple of its largest power of two."""
    count = high - low
    if count & (count - 1) == 0:
        level = count.bit_length() - 1
        return read(level, low >> level)
    middle = low + _split(count)
    return node_hash(_mth(low, middle, read), _mth(middle, high, read))


def _split(count: int) -> int:
    """The largest power of two smaller than *count* (§2.1)."""
    return 1 << ((count - 1).bit_length() - 1)


def _check_hashes(*hashes: bytes) -> None:
    if any(len(h) != HASH_BYTES for h in hashes):
        raise ProofInvalidError(problem=f"a hash has another length than {HASH_BYTES} bytes")
