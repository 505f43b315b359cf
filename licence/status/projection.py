"""Status lists folded from the log: the same entries give the same bytes, in whatever batches they are read.

Reading entries from a trusted log is left to `audit`, signing the lists to `licence.status.lists`.
"""

from __future__ import annotations

import hashlib
from array import array
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from licence.errors import FormatError
from licence.lifecycle import status_of
from licence.model import Fault, StatusRef
from licence.status.events import Bound, Changed, Event, Issued, read_event
from licence.status.lists import DEFAULT_BITS, SHARD_SLOTS, Status, StatusList

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

# 96 MiB of lists for 268 million licences: an entry that names one list more does not take the memory of this process.
MAX_SHARDS = 256
# Past this many a person looks at the log rather than reads on; the rest is counted.
MAX_FAULTS = 1000
_BYTE = 8
_MASK = (1 << DEFAULT_BITS) - 1
_FIRST_CAPACITY = 1 << 10


class SlotIndex:
    """Licence identifier → number below 2^63, in 16 bytes of memory a licence at three quarters full.

    Open addressing by the first 8 bytes of SHA-256; identifiers are not kept. Two that share these bytes (1 in 10^5
    for some pair among 20 million) would be taken for one, which `put` reports as a repetition.
    """

    def __init__(self) -> None:
        self._resize(_FIRST_CAPACITY)
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def put(self, identifier: str, number: int) -> int | None:
        """Keep *number* for *identifier*; what was kept before stays, and is returned."""
        if (self._count + 1) * 4 > self._capacity * 3:
            self._grow()
        key = _key(identifier)
        at = self._find(key)
        if self._keys[at]:
            return self._numbers[at]
        self._keys[at], self._numbers[at] = key, number
        self._count += 1
        return None

    def get(self, identifier: str) -> int | None:
        """The number kept for *identifier*, or None."""
        at = self._find(_key(identifier))
        return self._numbers[at] if self._keys[at] else None

    def _find(self, key: int) -> int:
        keys, mask = self._keys, self._capacity - 1
        at = key & mask
        while keys[at] and keys[at] != key:
            at = (at + 1) & mask
        return at

    def _resize(self, capacity: int) -> None:
        self._capacity = capacity
        self._keys = array("Q", bytes(8 * capacity))
        self._numbers = array("Q", bytes(8 * capacity))

    def _grow(self) -> None:
        keys, numbers = self._keys, self._numbers
        self._resize(self._capacity * 2)
        for key, number in zip(keys, numbers, strict=True):
            if key:
                at = self._find(key)
                self._keys[at], self._numbers[at] = key, number


def _key(identifier: str) -> int:
    # Zero stands for an empty place.
    return int.from_bytes(hashlib.sha256(identifier.encode()).digest()[:8], "big") or 1


@dataclass(slots=True)
class _Shard:
    uri: str
    packed: bytearray
    taken: bytearray


@dataclass(slots=True)
class Projection:
    """The state of every status list after the first *position* entries of a log.

    One writer; `apply` takes the entries that follow, all of them, in the log's order. *slots*: entries of each list.
    An entry that cannot be right (see `faults`) changes nothing, and the fold goes on: a projection must not stop
    because of what someone managed to log. INVALID is never left again (draft §7.1).
    """

    slots: int = SHARD_SLOTS
    position: int = 0
    issued: int = 0
    bound: int = 0
    changed: int = 0
    faults: list[Fault] = field(default_factory=list)
    fault_count: int = 0
    _shards: list[_Shard] = field(default_factory=list)
    _numbers: dict[str, int] = field(default_factory=dict)
    _places: SlotIndex = field(default_factory=SlotIndex)

    @classmethod
    def of(cls, entries: Iterable[bytes], *, slots: int = SHARD_SLOTS) -> Projection:
        """The full rebuild, from the first entry of the log."""
        made = cls(slots)
        made.apply(entries)
        return made

    def apply(self, entries: Iterable[bytes]) -> frozenset[str]:
        """Fold in the entries from `position` on; the URIs of the lists whose bytes or members changed."""
        touched = {self.step(data)[1] for data in entries}
        return frozenset(touched - {""})

    def step(self, data: bytes) -> tuple[Event | None, str]:
        """Fold in the entry at `position`: its event, None when it has none or cannot be right, and the list touched.

        "" when the bytes and members of every list stay as they were.
        """
        touched: set[str] = set()
        before = self.fault_count
        try:
            event = read_event(data, self.position)
        except FormatError as fault:
            self._fault(fault.code, **fault.finding_params)
            event = None
        if isinstance(event, Issued):
            self._issue(event, touched)
        elif isinstance(event, Bound):
            self._bind(event)
        elif isinstance(event, Changed):
            self._change(event, touched)
        self.position += 1
        return (event if self.fault_count == before else None), "".join(touched)

    @property
    def lists(self) -> Mapping[str, StatusList]:
        """Every list by its URI, in the order of first use."""
        return {s.uri: StatusList(DEFAULT_BITS, bytes(s.packed)) for s in self._shards}

    def counts(self) -> Mapping[Status, int]:
        """How many issued licences have each status."""
        found = dict.fromkeys(Status, 0)
        for shard in self._shards:
            for status, count in count_statuses(shard.packed).items():
                found[status] += count
        # A slot that nobody has reads VALID as well.
        found[Status.VALID] = self.issued - sum(n for s, n in found.items() if s is not Status.VALID)
        return found

    def place(self, licence: str) -> int | None:
        """The number of the licence's slot, counted through all lists from 0; None when it was not issued."""
        return self._places.get(licence)

    def reference(self, place: int) -> StatusRef:
        """The list and the entry in it of slot *place*."""
        number, idx = divmod(place, self.slots)
        return StatusRef(self._shards[number].uri, idx)

    def packed(self, uri: str) -> bytes:
        """The bytes of the list at *uri* as they are now; none for a list without licences."""
        number = self._numbers.get(uri)
        return b"" if number is None else bytes(self._shards[number].packed)

    def _issue(self, event: Issued, touched: set[str]) -> None:
        uri, idx = event.status.uri, event.status.idx
        if idx >= self.slots:
            self._fault("projection_index_outside", index=event.index, idx=idx, slots=self.slots)
            return
        number = self._numbers.get(uri)
        if number is None:
            if len(self._shards) >= MAX_SHARDS:
                self._fault("projection_too_many_lists", index=event.index, limit=MAX_SHARDS)
                return
            number = len(self._shards)
        elif self._shards[number].taken[idx // _BYTE] >> idx % _BYTE & 1:
            self._fault("projection_slot_shared", index=event.index, idx=idx, uri=uri)
            return
        if self._places.put(event.licence, number * self.slots + idx) is not None:
            self._fault("projection_issued_twice", index=event.index, licence=event.licence)
            return
        if number == len(self._shards):
            packed, taken = (self.slots * DEFAULT_BITS + _BYTE - 1) // _BYTE, (self.slots + _BYTE - 1) // _BYTE
            self._shards.append(_Shard(uri, bytearray(packed), bytearray(taken)))
            self._numbers[uri] = number
        self._shards[number].taken[idx // _BYTE] |= 1 << idx % _BYTE
        self.issued += 1
        touched.add(uri)

    def _bind(self, event: Bound) -> None:
        """A wallet's version takes no entry of a list: it must name the one that its licence has, while that holds."""
        place = self._places.get(event.licence)
        if place is None:
            self._fault("projection_bound_unknown", index=event.index, licence=event.licence)
        elif self.reference(place) != event.status:
            self._fault("projection_bound_elsewhere", index=event.index, licence=event.licence)
        elif self._value(place) != Status.VALID:
            self._fault("projection_bound_not_in_force", index=event.index, licence=event.licence)
        else:
            self.bound += 1

    def _change(self, event: Changed, touched: set[str]) -> None:
        place = self._places.get(event.licence)
        if place is None:
            self._fault("projection_licence_unknown", index=event.index, licence=event.licence)
            return
        number, idx = divmod(place, self.slots)
        shard, value = self._shards[number], int(status_of(event.state))
        at, shift = idx * DEFAULT_BITS // _BYTE, idx * DEFAULT_BITS % _BYTE
        before = self._value(place)
        if before == Status.INVALID != value:
            self._fault("projection_left_invalid", index=event.index, licence=event.licence)
            return
        self.changed += 1
        # The same again, as of two officers who revoke at once, is one revocation.
        if before != value:
            shard.packed[at] ^= (before ^ value) << shift
            touched.add(shard.uri)

    def _value(self, place: int) -> int:
        number, idx = divmod(place, self.slots)
        return self._shards[number].packed[idx * DEFAULT_BITS // _BYTE] >> idx * DEFAULT_BITS % _BYTE & _MASK

    def _fault(self, code: str, **params: object) -> None:
        self.fault_count += 1
        if len(self.faults) < MAX_FAULTS:
            named = tuple((name, str(value)) for name, value in params.items())
            self.faults.append(Fault(f"entry {self.position}", code, named))


def count_statuses(packed: bytes | bytearray) -> Mapping[Status, int]:
    """How many entries of two bits have each status; the reserved value 3 is counted nowhere."""
    by_byte = [packed.count(bytes([value])) for value in range(256)]
    return {
        status: sum(
            n * sum(value >> s & _MASK == status for s in range(0, _BYTE, 2)) for value, n in enumerate(by_byte)
        )
        for status in Status
    }
