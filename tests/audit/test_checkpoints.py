from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from audit.checkpoints import FILE, ConsistencyProof, keep, kept, kept_at, prove_growth
from audit.errors import CheckpointInvalidError, LogDamagedError, ProofInvalidError, StorageFullError
from audit.files import write_all
from audit.log import Log
from audit.notes import SignerKey
from audit.pinned import PinnedLog
from audit.sampling import draws, sample
from audit.searchindex import SearchIndex
from audit.searching import Query, QueryError
from tests.audit.conftest import ORIGIN, entry_bytes

BEGIN = datetime(2026, 3, 1, 1, 30, tzinfo=UTC)


def minute(number):
    return BEGIN + timedelta(minutes=number)


@pytest.fixture
def grown(log):
    """A log that was published, and kept, at ten minutes, with 37 entries more each time."""
    for number in range(10):
        log.append([entry_bytes(37 * number + one) for one in range(37)])
        assert keep(log.folder, log.publish(), minute(number))
    return log


def sizes(found):
    return [one.checkpoint.size for one in found]


class TestKeeping:
    def test_each_checkpoint_is_found_by_when_it_was_published(self, grown):
        assert sizes(kept(grown.folder)) == [37 * n for n in range(1, 11)]
        for number in range(10):
            assert kept_at(grown.folder, minute(number)).checkpoint.size == 37 * (number + 1)
            assert kept_at(grown.folder, minute(number) + timedelta(seconds=59)).at == minute(number)
        assert kept_at(grown.folder, BEGIN - timedelta(seconds=1)) is None
        assert kept_at(grown.folder / "none", BEGIN) is None

    def test_once_a_minute_and_only_what_has_grown(self, log):
        log.append([entry_bytes(0)])
        first = log.publish()
        assert keep(log.folder, first, BEGIN)
        assert not keep(log.folder, first, minute(5))
        log.append([entry_bytes(1)])
        second = log.publish()
        assert not keep(log.folder, second, BEGIN + timedelta(seconds=59))
        assert not keep(log.folder, second, BEGIN - timedelta(days=1))
        assert keep(log.folder, second, minute(1))
        assert sizes(kept(log.folder)) == [1, 2]

    def test_what_was_kept_is_never_changed(self, grown):
        before = (grown.folder / FILE).read_bytes()
        grown.append([entry_bytes(370)])
        keep(grown.folder, grown.publish(), minute(20))
        assert (grown.folder / FILE).read_bytes().startswith(before)

    @pytest.mark.parametrize("cut", [1, 50, 10_000])
    def test_a_line_that_a_crash_left_unfinished_does_not_count_and_is_cut_off(self, grown, cut):
        path = grown.folder / FILE
        lines = path.read_bytes().splitlines(keepends=True)
        path.write_bytes(b"".join(lines[:-1]) + lines[-1][:-1][:cut])
        assert sizes(kept(grown.folder)) == [37 * n for n in range(1, 10)]
        assert kept_at(grown.folder, minute(100)).checkpoint.size == 333
        assert keep(grown.folder, grown.checkpoint, minute(9))
        assert path.read_bytes() == b"".join(lines)

    def test_a_full_disk_leaves_what_was_there(self, grown, monkeypatch):
        before = sizes(kept(grown.folder))
        grown.append([entry_bytes(370)])
        note = grown.publish()

        def full(fd, data, offset):
            write_all(fd, data[: len(data) // 2], offset)
            raise OSError(28, "No space left on device")

        monkeypatch.setattr("audit.checkpoints.write_all", full)
        with pytest.raises(StorageFullError):
            keep(grown.folder, note, minute(20))
        monkeypatch.undo()
        assert sizes(kept(grown.folder)) == before
        assert keep(grown.folder, note, minute(20))

    def test_a_shorter_or_another_log_is_not_appended_to_it(self, grown, tmp_path, key):
        with Log.create(tmp_path / "other", ORIGIN, key) as other, pytest.raises(LogDamagedError):
            keep(grown.folder, other.checkpoint, minute(50))
        stranger = SignerKey.generate("another.example/log")
        with Log.create(tmp_path / "third", stranger.name, stranger) as third:
            third.append([entry_bytes(n) for n in range(500)])
            with pytest.raises(LogDamagedError):
                keep(grown.folder, third.publish(), minute(50))

    @pytest.mark.parametrize(
        "damage",
        [
            lambda lines: [lines[0], lines[2], lines[1], *lines[3:]],
            lambda lines: [lines[0], lines[0], *lines[1:]],
            lambda lines: [b"{}\n", *lines[1:]],
            lambda lines: [lines[0].replace(b'{"at"', b'{ "at"'), *lines[1:]],
            lambda lines: [lines[0].replace(b"+00:00", b""), *lines[1:]],
            lambda lines: [b"\xff\n", *lines[1:]],
        ],
    )
    def test_lines_that_are_not_what_was_written_are_named(self, grown, damage):
        path = grown.folder / FILE
        path.write_bytes(b"".join(damage(path.read_bytes().splitlines(keepends=True))))
        with pytest.raises(LogDamagedError, match=rf"{FILE}:\d"):
            list(kept(grown.folder))


class TestGrowth:
    def test_is_proven_between_any_two_days_by_a_file(self, grown, key):
        log = PinnedLog(grown.folder, [key.verifier])
        notes = [one.note for one in kept(grown.folder)]
        for first, old in enumerate(notes):
            for new in notes[first:]:
                text = prove_growth(log, old, new).to_text()
                before, after = ConsistencyProof.from_text(text).verify([key.verifier], ORIGIN)
                assert (before.size, after.size) == (37 * (first + 1), 37 * (notes.index(new) + 1))

    def test_of_a_rewritten_log_is_not(self, grown, key, tmp_path):
        with Log.create(tmp_path / "other", ORIGIN, key) as other:
            other.append([entry_bytes(1000 + number) for number in range(500)])
            other.publish()
            proof = prove_growth(PinnedLog(other.folder, [key.verifier]), next(kept(grown.folder)).note)
        with pytest.raises(ProofInvalidError):
            proof.verify([key.verifier])

    def test_needs_both_signatures_and_the_same_log(self, grown, key):
        proof = prove_growth(PinnedLog(grown.folder, [key.verifier]), next(kept(grown.folder)).note)
        with pytest.raises(CheckpointInvalidError):
            proof.verify([SignerKey.generate(ORIGIN).verifier])
        with pytest.raises(CheckpointInvalidError):
            proof.verify([key.verifier], "another.example/log")
        with pytest.raises(ProofInvalidError):
            ConsistencyProof(proof.path, proof.new, proof.old).verify([key.verifier])

    def test_no_byte_of_the_file_may_be_another(self, grown, key):
        text = prove_growth(PinnedLog(grown.folder, [key.verifier]), next(kept(grown.folder)).note).to_text().encode()
        for place in range(len(text)):
            for bit in (1, 0x20):
                flipped = bytearray(text)
                flipped[place] ^= bit
                with pytest.raises((ProofInvalidError, UnicodeDecodeError)):
                    ConsistencyProof.from_text(flipped.decode()).verify([key.verifier], ORIGIN)
        for cut in range(len(text)):
            with pytest.raises((ProofInvalidError, UnicodeDecodeError)):
                ConsistencyProof.from_text(text[:cut].decode()).verify([key.verifier], ORIGIN)


class TestSampling:
    def test_follows_the_rule_that_is_written_down(self, grown, key):
        """The rule of the paper in five lines, by itself."""
        import base64
        import hashlib

        log = PinnedLog(grown.folder, [key.verifier])
        root = base64.b64encode(log.checkpoint.root).decode()
        drawn = []
        for k in range(1000):
            text = f"zhengtong.cn/log-sample@v1\n{ORIGIN}\n370\n{root}\n2026 年第一季度\n{k}\n"
            number = int(hashlib.sha256(text.encode()).hexdigest(), 16) % 370
            if number not in drawn:
                drawn.append(number)
        assert sample(log, "2026 年第一季度", 50, Query()) == drawn[:50]

    def test_is_the_same_with_an_index_and_without_and_another_with_another_seed(self, grown, key, tmp_path):
        grown.append([entry_bytes(number, "licence.issued") for number in range(40)])
        grown.publish()
        log = PinnedLog(grown.folder, [key.verifier])
        index = SearchIndex(tmp_path / "index", log)
        index.extend()
        query = Query(kinds=("licence.issued",))
        drawn = sample(log, "seed", 10, query)
        assert len(set(drawn)) == 10
        assert all(370 <= place < 410 for place in drawn)
        assert sample(log, "seed", 10, query, index) == drawn != sample(log, "seeds", 10, query)
        assert sample(log, "seed", 3, query) == drawn[:3]
        assert sorted(sample(log, "seed", 1000, query)) == list(range(370, 410))
        assert sample(log, "seed", 5, Query(kinds=("none",))) == []

    @pytest.mark.parametrize("seed", ["", "  ", "a\nb", "x" * 201])
    def test_a_seed_is_one_line(self, grown, key, seed):
        with pytest.raises(QueryError):
            next(draws(PinnedLog(grown.folder, [key.verifier]).checkpoint, seed, 5))


def test_a_kept_line_is_plain_json(grown):
    line = json.loads((grown.folder / FILE).read_text().splitlines()[0])
    assert line["at"] == "2026-03-01T01:30:00+00:00"
    assert line["checkpoint"].startswith(f"{ORIGIN}\n37\n")
