from __future__ import annotations

import hashlib
import io
import json
import subprocess
import sys
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import pytest

from audit import packfile
from audit.__main__ import main
from audit.entry import Entry, seal_body
from audit.errors import AuditError
from audit.keys import MlDsaSignerKey, WitnessSignerKey
from audit.notes import SignerKey
from audit.pack import Contents, body_file, check_pack, make_pack
from audit.packfile import PackTooLargeError
from audit.packreport import FAULTS, NOTES, VERDICTS
from audit.pinned import PinnedLog
from audit.verifiers import Trust, read_verifier, read_verifiers
from tests.audit.conftest import ORIGIN

AT = datetime(2026, 1, 1, tzinfo=UTC)
LIST = b'{"city":"..."}'
VERSION = "sha256:" + hashlib.sha256(LIST).hexdigest()
SALT = b"0123456789abcdef"
BODY = {"call": {"keys": {"citizen_id": "11010519491231002X"}}}


def entry(number):
    return Entry(
        kind="invocation.answered",
        at=AT,
        actor="RS",
        subject="ab" * 32,
        resource="306010/000001",
        purpose="SX001",
        facts={"outcome": "answered", "list_version": VERSION, "request_digest": f"sha256:{number:064x}"},
        body_digest=seal_body({**BODY, "number": number}, SALT),
    ).encode()


def receipt(number, **changes):
    plain = {"entry": number, "log": ORIGIN, "leaf": json.loads(entry(number)), "key": "k", "signature": "AAAA"}
    return json.dumps({**plain, **changes}).encode()


@pytest.fixture
def seen(log, key):
    log.append([entry(number) for number in range(20)])
    log.publish()
    return PinnedLog(log.folder, [key.verifier])


def contents_of(seen, key, indexes=(3, 17), **changes):
    values = {
        "note": seen.note,
        "entries": {index: seen.entry(index) for index in indexes},
        "proofs": {index: seen.prove(index) for index in indexes},
        "keys": {"log": key.verifier.to_text()},
        "bodies": {index: body_file(SALT, {**BODY, "number": index}) for index in indexes},
        "lists": {VERSION: LIST},
        "receipts": [receipt(indexes[0])],
        "asked": {"subjects": ["ab" * 32]},
        "by": "SJ:auditor",
    }
    return Contents(**{**values, **changes})


@pytest.fixture
def contents(seen, key):
    return contents_of(seen, key)


@pytest.fixture
def trust(key):
    return Trust([key.verifier])


def codes(report):
    return [fault.code for fault in report.faults]


def notes(report):
    return [note.code for note in report.notes]


def rezipped(data, change):
    """The pack with its files changed, as somebody would who has a zip program and no more."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    change(files)
    return packfile.write(files)


class TestAPack:
    def test_holds_by_the_pinned_key(self, contents, trust):
        report = check_pack(make_pack(contents), trust)
        assert (report.verdict, report.faults, report.notes) == ("holds", (), ())
        assert (report.entries, report.origin, report.size) == ((3, 17), ORIGIN, 20)

    def test_is_the_same_bytes_for_the_same_contents(self, contents):
        assert make_pack(contents) == make_pack(contents)

    def test_without_a_pinned_key_says_that_it_proves_nothing(self, contents):
        report = check_pack(make_pack(contents))
        assert (report.verdict, notes(report)) == ("unpinned", ["key_not_pinned"])

    def test_of_a_log_with_another_key_does_not_hold(self, contents):
        report = check_pack(make_pack(contents), Trust([SignerKey.generate(ORIGIN).verifier]))
        assert report.verdict == "invalid"
        assert codes(report) == ["checkpoint_invalid"]

    def test_without_bodies_says_so_of_each_entry(self, seen, key, trust):
        left_out = check_pack(make_pack(contents_of(seen, key, bodies={}, withheld=True)), trust)
        assert (left_out.verdict, notes(left_out)) == ("holds", ["body_withheld"] * 2)
        assert "2 × Its body was left out." in left_out.text("en")
        gone = check_pack(make_pack(contents_of(seen, key, bodies={}, lists={})), trust)
        assert (gone.verdict, notes(gone)) == ("holds", ["body_gone", "body_gone", "list_absent"])

    def test_a_receipt_may_come_with_the_answer_that_it_was_in(self, seen, key, trust):
        answer = json.dumps({"records": [], "receipt": json.loads(receipt(3))}).encode()
        assert check_pack(make_pack(contents_of(seen, key, receipts=[answer])), trust).verdict == "holds"

    def test_what_bodies_have_in_common_is_found_by_its_digest(self, log, key, trust):
        shared = {"grants": []}
        terms = seal_body(shared, SALT)
        body = {"terms": terms}
        log.append([Entry("k", AT, "RS", "", "", "", {}, seal_body(body, SALT)).encode()])
        log.publish()
        seen = PinnedLog(log.folder, [key.verifier])
        given = {"bodies": {0: body_file(SALT, body)}, "receipts": [], "lists": {}}
        whole = contents_of(seen, key, (0,), terms={terms: body_file(SALT, shared)}, **given)
        assert check_pack(make_pack(whole), trust).notes == ()
        assert notes(check_pack(make_pack(contents_of(seen, key, (0,), **given)), trust)) == ["terms_absent"]
        false = contents_of(seen, key, (0,), terms={terms: body_file(SALT, {"grants": [1]})}, **given)
        assert codes(check_pack(make_pack(false), trust)) == ["body_differs"]

    def test_a_page_shows_nothing_of_bodies(self, contents):
        with zipfile.ZipFile(io.BytesIO(make_pack(contents))) as archive:
            page = archive.read("summary.html").decode()
        assert "11010519491231002X" not in page
        assert all(word in page for word in ("306010/000001", "SX001", "SJ:auditor", "证据包", "Evidence pack"))

    def test_a_page_holds_no_markup_of_others(self, seen, key, trust):
        data = make_pack(contents_of(seen, key, by="<script>alert(1)</script>"))
        assert b"<script>alert" not in data.replace(b'"by":"<script>alert', b"")
        assert check_pack(data, trust).verdict == "holds"

    def test_wants_the_second_signature_and_the_witness_where_these_are_asked_for(self, log, key, seen):
        second, witness = MlDsaSignerKey.generate(ORIGIN), WitnessSignerKey.generate("witness.example/w")
        text = seen.checkpoint.text()
        note = seen.note + second.signature_line(text) + witness.cosignature_line(text, AT)
        cosigned = PinnedLog(log.folder, [key.verifier], note)
        data = make_pack(contents_of(cosigned, key))
        also = [second.verifier, witness.verifier]
        assert check_pack(data, Trust([key.verifier], also)).verdict == "holds"
        plain = make_pack(contents_of(seen, key))
        assert codes(check_pack(plain, Trust([key.verifier], also))) == ["checkpoint_invalid"]
        forged = WitnessSignerKey.generate("witness.example/w")
        assert codes(check_pack(data, Trust([key.verifier], [forged.verifier]))) == ["checkpoint_invalid"]


class TestAHostilePack:
    def test_no_byte_may_be_another(self, seen, key, trust):
        data = make_pack(contents_of(seen, key, (3,)))
        # Every byte once, with a bit that goes round: a flip of each bit takes a minute and finds nothing more.
        for place in range(len(data)):
            flipped = bytearray(data)
            flipped[place] ^= 1 << place % 8
            assert check_pack(bytes(flipped), trust).verdict == "invalid", place

    def test_nor_may_any_be_missing_or_more(self, contents, trust):
        data = make_pack(contents)
        for cut in range(0, len(data), 97):
            assert check_pack(data[:cut], trust).verdict == "invalid"
        for more in (data + b"\0", b"\0" + data, data + data):
            assert check_pack(more, trust).verdict == "invalid"

    @pytest.mark.parametrize(
        ("change", "code", "where"),
        [
            (lambda files: files.update({"notes.txt": b"x"}), "file_unknown", "notes.txt"),
            (lambda files: files.update({"bodies/5.json": b"{}"}), "file_unknown", "bodies/5.json"),
            (lambda files: files.pop("entries/3.proof"), "proof_invalid", "entries/3.json"),
            (lambda files: files.update({"entries/3.proof": files["entries/17.proof"]}), "proof_invalid", None),
            (lambda files: files.update({"entries/3.json": files["entries/17.json"]}), "proof_invalid", None),
            (lambda files: files.update({"entries/3.json": entry(99)}), "proof_invalid", "entries/3.proof"),
            (lambda files: files.update({"entries/3.json": b"{}"}), "entry_invalid", "entries/3.json"),
            (lambda files: files.update({"bodies/3.json": body_file(SALT, BODY)}), "body_differs", "bodies/3.json"),
            (lambda files: files.update({"bodies/3.json": b'{"body":' * 9999}), "body_differs", "bodies/3.json"),
            (lambda files: files.update({f"lists/{'0' * 64}.json": LIST}), "list_differs", None),
            (lambda files: files.update({"keys/log.vkey": b"log+00+AAAA\n"}), "key_invalid", "keys/log.vkey"),
            (lambda files: files.update({"summary.html": b"<p>all is well</p>"}), "file_differs", "summary.html"),
            (lambda files: files.update({"SHA256SUMS": b""}), "file_differs", "SHA256SUMS"),
            (lambda files: files.pop("summary.html"), "file_differs", "summary.html"),
            (lambda files: files.update({"checkpoint": files["checkpoint"].replace(b"\n20\n", b"\n21\n")}),
             "checkpoint_invalid", "checkpoint"),
            (lambda files: files.pop("checkpoint"), "unreadable", ""),
            (lambda files: files.update({"pack.json": b'{"format":"other"}'}), "unreadable", ""),
            (lambda files: files.update({"pack.json": b"[" * 9999}), "unreadable", ""),
            (lambda files: files.update({"pack.json": files["pack.json"] + b" "}), "file_differs", "pack.json"),
        ],
    )  # fmt: skip
    def test_what_was_changed_is_named(self, contents, trust, change, code, where):
        report = check_pack(rezipped(make_pack(contents), change), trust)
        assert report.verdict == "invalid"
        assert (code, where or report.faults[0].where) in [(fault.code, fault.where) for fault in report.faults]

    @pytest.mark.parametrize(
        "given",
        [
            receipt(4),
            receipt(3, leaf=json.loads(entry(4))),
            receipt(3, log="another.example/log"),
            receipt(3, leaf=None),
            receipt(3, leaf={"deep": [[[[[]]]]] * 2**10}),
            receipt(3, entry=[]),
            b"{}",
            b"no json",
        ],
    )
    def test_a_receipt_of_something_else_is_told(self, seen, key, trust, given):
        report = check_pack(make_pack(contents_of(seen, key, receipts=[given])), trust)
        assert codes(report) == ["receipt_differs"]

    def test_entries_of_another_history_do_not_hold(self, seen, key, trust, tmp_path):
        from audit.log import Log

        with Log.create(tmp_path / "other", ORIGIN, key) as other:
            other.append([entry(number + 100) for number in range(20)])
            other.publish()
            theirs = PinnedLog(other.folder, [key.verifier])
            mixed = contents_of(seen, key, proofs={3: theirs.prove(3), 17: seen.prove(17)}, receipts=[])
        assert codes(check_pack(make_pack(mixed), trust)) == ["proof_invalid"]

    def test_one_without_entries_proves_nothing(self, seen, key, trust):
        report = check_pack(make_pack(contents_of(seen, key, receipts=[], entries={}, proofs={}, bodies={})), trust)
        assert codes(report) == ["empty"]

    def test_a_bomb_is_not_unpacked(self, trust):
        made = io.BytesIO()
        with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("pack.json", b"\0" * 50_000_000)
        report = check_pack(made.getvalue(), trust)
        assert "compressed" in report.text("en")

    def test_files_that_lie_upon_each_other_are_not_read(self, contents, trust):
        """The directory names one long file a hundred times, at one place."""
        made = io.BytesIO()
        with zipfile.ZipFile(made, "w") as archive:
            archive.writestr("a", b"\0" * 10_000)
            whole = archive.infolist()[0]
            for number in range(100):
                again = zipfile.ZipInfo(f"a{number}")
                for name in ("header_offset", "file_size", "compress_size", "CRC"):
                    setattr(again, name, getattr(whole, name))
                archive.filelist.append(again)
                archive.NameToInfo[again.filename] = again
        assert "longer than it is" in check_pack(made.getvalue(), trust).text("en")

    @pytest.mark.parametrize("name", ["../evil", "/etc/passwd", "a/../../b", "a\\b", "C:evil", "a//b", ".hidden", "é"])
    def test_names_that_lead_elsewhere_are_refused(self, trust, name):
        made = io.BytesIO()
        with zipfile.ZipFile(made, "w") as archive:
            archive.writestr(name, b"x")
        assert "leads elsewhere" in check_pack(made.getvalue(), trust).text("en")

    @pytest.mark.filterwarnings("ignore:Duplicate name")
    def test_a_name_that_is_there_twice_is_refused(self, contents, trust):
        made = io.BytesIO(make_pack(contents))
        with zipfile.ZipFile(made, "a") as archive:
            archive.writestr("entries/3.json", entry(99))
        assert "two files" in check_pack(made.getvalue(), trust).text("en")

    @pytest.mark.parametrize("data", [b"", b"PK", b"no zip at all", b"PK\x05\x06" + b"\0" * 18])
    def test_other_bytes_are_no_pack(self, trust, data):
        assert codes(check_pack(data, trust)) == ["unreadable"]

    def test_one_that_is_too_large_is_neither_made_nor_read(self, contents, trust, monkeypatch):
        data = make_pack(contents)
        monkeypatch.setattr(packfile, "MAX_PACK_BYTES", 1000)
        assert codes(check_pack(data, trust)) == ["unreadable"]
        with pytest.raises(PackTooLargeError):
            make_pack(contents)


class TestWithoutTheHub:
    def test_a_machine_with_the_verifier_alone_checks_it(self, contents, key, tmp_path):
        (tmp_path / "one.zip").write_bytes(make_pack(contents))
        (tmp_path / "log.vkey").write_text(key.verifier.to_text())
        script = (
            "import sys; from audit.__main__ import main; code = main(['one.zip', '--key', 'log.vkey', '--json'])\n"
            "foreign = {m.partition('.')[0] for m in sys.modules} & "
            "{'hub', 'catalog', 'warehouse', 'connectors', 'licence', 'typer', 'rich', 'duckdb', 'sqlalchemy'}\n"
            "sys.exit(code or len(foreign))"
        )
        done = subprocess.run(
            [sys.executable, "-c", script],
            cwd=tmp_path,
            env={"PYTHONPATH": str(Path(__file__).parents[2])},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["verdict"] == "holds"

    def test_its_exit_codes_say_what_to_do(self, contents, key, tmp_path, capsys):
        pack, vkey, other = tmp_path / "one.zip", tmp_path / "log.vkey", tmp_path / "other.vkey"
        pack.write_bytes(make_pack(contents))
        vkey.write_text(key.verifier.to_text())
        other.write_text(SignerKey.generate(ORIGIN).verifier.to_text())
        assert main([str(pack), "--key", str(vkey)]) == 0
        assert "成立" in capsys.readouterr().out
        assert main([str(pack)]) == 11
        assert main([str(pack), "--key", str(other)]) == 13
        assert main([str(pack), "--key", str(vkey), "--also", str(other)]) == 13
        assert main([str(tmp_path / "none.zip")]) == 2
        assert main([str(pack), "--key", str(pack)]) == 2
        with pytest.raises(SystemExit):
            main([str(pack), "--also", str(vkey)])


def test_keys_of_every_type_are_read(key):
    for one in (key, MlDsaSignerKey.generate(ORIGIN), WitnessSignerKey.generate("w")):
        assert read_verifier(one.verifier.to_text()) == one.verifier
    assert read_verifiers(f"\n{key.verifier.to_text()}\n\n") == (key.verifier,)
    for wrong in ("", "no key", "a+b+c"):
        with pytest.raises(AuditError):
            read_verifiers(wrong)


def test_findings_are_in_both_languages():
    for english, chinese in (*FAULTS.values(), *NOTES.values(), *VERDICTS.values()):
        assert english.isascii()
        assert not chinese.isascii()
