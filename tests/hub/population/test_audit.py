"""A hub hands over all its licences, and an auditor finds each way in which one of its books lies, by name."""

from __future__ import annotations

import json
import shutil
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from hub import population
from hub.cli import main
from hub.control import LicenceRow
from hub.licensing import Licensing
from hub.office import Office
from hub.settings import Settings
from licence.errors import FormatError
from licence.lifecycle import Action
from licence.population import files
from licence.status import StatusList, sign_status_list
from tests.hub.licensing.test_batches import ORDER, fill
from tests.hub.world import PEOPLE


@pytest.fixture(scope="module")
def city(tmp_path_factory):
    """A hub with four licences, one of them revoked, and the folder that it handed over."""
    settings = fill(Settings.at(tmp_path_factory.mktemp("audited") / "var"))
    office = Licensing.open(settings)
    office.issue_batch(office.kind("居住证"), **ORDER)
    first = office.find()[0]["identifier"]
    office.change(first, Action.REVOKE, by="RS", reason="r", ground="g", officer="o")
    status_key = office.keys.status()
    office.control.close()
    folder = settings.home.parent / "handed-over"
    with Office.open(settings) as opened:
        done = population.export(opened, folder)
    return settings, folder, done, status_key, first


@pytest.fixture
def handed(city, tmp_path):
    shutil.copytree(city[1], tmp_path / "folder")
    return tmp_path / "folder"


@pytest.fixture
def audit(city, handed, monkeypatch, capsys):
    """Run the audit as somebody who has the folder and the trust folder, and no hub."""
    settings = city[0]

    def go(*options, manifest=True):
        if manifest:
            found = files.Manifest.of(handed, datetime.now(UTC))
            (handed / files.MANIFEST).write_text(found.to_json())
        arguments = ["--trust", str(settings.trust), "--folder", str(handed), *options, "--json"]
        code = main(["licence", "audit", *arguments])
        return code, json.loads(capsys.readouterr().out)

    monkeypatch.setenv("ZHENGTONG_HOME", "/nonexistent")
    return go


def rewrite(path, change):
    path.write_bytes(b"".join(change([*path.read_bytes().splitlines(keepends=True)])))


def test_what_is_handed_over_agrees_and_holds_nothing_personal(city, handed, audit):
    settings, _, done, _, _ = city
    code, report = audit(manifest=False)
    assert (code, report["findings"], report["licences"]) == (0, [], 4)
    figures = {c["what"]: (c["database"], c["log"], c["lists"], c["published"]) for c in report["counts"]}
    assert figures["issued"] == (4, 4, None, 4)
    assert figures["invalid"] == (1, 1, 1, 1)
    assert (done["rows"], done["lists"]) == (4, 1)
    told = b"".join(p.read_bytes() for p in handed.rglob("*") if p.is_file())
    assert not [
        value
        for person in PEOPLE
        for value in (person[0], person[1], person[3])
        if value and len(value) > 1 and value.encode() in told
    ]
    assert (settings.public / "licence-totals.json").read_bytes() == (handed / files.TOTALS).read_bytes()


def altered_leaf(folder, _):
    (path, *_) = sorted((folder / "log/tile/entries").rglob("*"))[-1:]
    data = path.read_bytes()
    at = data.index(b'"licence.issued"')
    path.write_bytes(data[:at] + b'"licence.issueD"' + data[at + 16 :])


def extra_bit(folder, key):
    (path,) = (folder / "status").glob("*.jwt")
    now = datetime.now(UTC)
    bits = {"size": 2**20, "states": {0: 1, 3: 1}}
    path.write_text(
        sign_status_list(
            StatusList.build(bits["size"], bits["states"]),
            key=key,
            uri=f"{population.BASE_URI}/status/1",
            issued_at=now,
            expires_at=now + timedelta(days=1),
            ttl_s=60,
        )
    )


def edit(path, change):
    plain = json.loads(path.read_text("utf-8"))
    change(plain)
    path.write_text(json.dumps(plain), "utf-8")


def wrong_total(folder, _):
    (folder / files.TOTALS).write_text('{"issued": 5}')


def no_mandate(folder, _):
    edit(folder / files.ISSUERS, lambda p: [one.update(kinds=["11100000000013338W012"]) for one in p.values()])


def past(folder, what):
    span = [["2020-01-01T00:00:00+00:00", "2021-01-01T00:00:00+00:00"]]
    edit(folder / files.ISSUERS, lambda p: [one.update({what: span}) for one in p.values()])


def late(folder, _):
    def change(lines):
        rows = [json.loads(line) for line in lines]
        for row in rows:
            if row["changed_at"]:
                decided = datetime.fromisoformat(row["changed_at"]) - timedelta(seconds=61)
                row["changed_at"] = decided.isoformat()
        return [json.dumps(row).encode() + b"\n" for row in rows]

    rewrite(folder / files.ROWS, change)


def other_state(folder, _):
    rewrite(folder / files.ROWS, lambda lines: [line.replace(b'"state":"03"', b'"state":"01"') for line in lines])


FAULTS = {
    "row deleted": (lambda f, _: rewrite(f / files.ROWS, lambda lines: lines[1:]), "population_entry_without_row", 20),
    "row twice": (lambda f, _: rewrite(f / files.ROWS, lambda lines: [*lines, lines[0]]), "population_row_twice", 20),
    "row with another state": (other_state, "population_row_differs", 20),
    "list with one bit more": (extra_bit, "population_token_not_logged", 20),
    "list withheld": (lambda f, _: next((f / "status").glob("*.jwt")).unlink(), "population_list_missing", 20),
    "leaf of the log altered": (altered_leaf, "population_log_fault", 13),
    "wrong total": (wrong_total, "population_counts_differ", 20),
    "outside the mandate": (no_mandate, "population_outside_mandate", 20),
    "certificate out of time": (lambda f, _: past(f, "certificates"), "population_certificate_out_of_time", 20),
    "seal out of time": (lambda f, _: past(f, "seals"), "population_seal_out_of_time", 20),
    "late revocation": (late, "population_late_visible", 20),
}


@pytest.mark.parametrize("name", FAULTS)
def test_each_planted_fault_is_found_and_named(city, handed, audit, name):
    plant, code, exit_code = FAULTS[name]
    plant(handed, city[3])
    got, report = audit()
    assert got == exit_code
    assert code in report["tally"]
    found = [f for f in report["findings"] if f["code"] == code]
    assert found
    assert all(f["text"]["zh"] != f["text"]["en"] and "<" not in f["text"]["en"] for f in found)


def test_a_file_altered_on_the_way_is_named_before_anything_is_judged(handed, audit):
    rewrite(handed / files.ROWS, lambda lines: lines[1:])
    (handed / "stray").write_text("x")
    code, told = audit(manifest=False)
    assert (code, told["files"]) == (5, ["rows.ndjson", "stray"])


@pytest.mark.parametrize(
    "line",
    [b"{}\n", b"[1]\n", b"x\n", b'{"identifier":' + b"1" * 5000 + b"}\n", b"[" * 4000 + b"\n"],
    ids=["members", "list", "text", "long", "nested"],
)
def test_a_malformed_row_is_named_by_its_line(handed, audit, line):
    rewrite(handed / files.ROWS, lambda lines: [lines[0], line])
    code, told = audit()
    assert (code, told["ok"]) == (5, False)
    assert "2" in told["message"]


def test_figures_whose_proof_does_not_hold_are_none(handed, audit):
    edit(handed / files.TOTALS, lambda p: p.update(entry=p["entry"].replace('"issued":4', '"issued":5')))
    assert audit()[0] == 5


def test_the_same_licences_are_drawn_by_everybody(handed, audit):
    drawn = audit("--sample", "2")[1]["sample"]
    assert len(set(drawn)) == 2
    rewrite(handed / files.ROWS, lambda lines: lines[::-1])
    assert audit("--sample", "2")[1]["sample"] == drawn


def test_the_page_and_the_file_say_the_same(handed, audit, tmp_path):
    wrong_total(handed, None)
    page, plain = tmp_path / "a.html", tmp_path / "a.json"
    code, told = audit("--html", str(page), "--json-file", str(plain))
    assert (code, json.loads(plain.read_text("utf-8"))) == (20, told)
    assert "5" in page.read_text("utf-8")
    assert "<script" not in page.read_text("utf-8")


def test_a_hub_audits_its_own_database(city, monkeypatch, capsys):
    settings = city[0]
    monkeypatch.setenv("ZHENGTONG_HOME", str(settings.home))
    assert main(["licence", "audit", "--database", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["licences"], told["findings"]) == (4, [])
    with Office.open(settings) as office, office.control.writing() as connection:
        connection.execute(sa.update(LicenceRow).where(LicenceRow.identifier == city[4]).values(state="01"))
    try:
        assert main(["licence", "audit", "--database", "--json"]) == 20
        assert "population_row_differs" in capsys.readouterr().out
    finally:
        with Office.open(settings) as office, office.control.writing() as connection:
            connection.execute(sa.update(LicenceRow).where(LicenceRow.identifier == city[4]).values(state="03"))


@pytest.mark.parametrize("arguments", [[], ["--log", "x"], ["--database", "--rows", "x"]])
def test_what_to_audit_must_be_said(city, monkeypatch, capsys, arguments):
    monkeypatch.setenv("ZHENGTONG_HOME", str(city[0].home))
    assert main(["licence", "audit", *arguments]) == 2
    assert "--folder" in capsys.readouterr().err


def test_a_folder_with_something_in_it_is_not_written_to(city, monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("ZHENGTONG_HOME", str(city[0].home))
    (tmp_path / "x").write_text("x")
    assert main(["licence", "audit", "export", str(tmp_path)]) == 2
    assert [p.name for p in tmp_path.iterdir()] == ["x"]


def test_licences_issued_meanwhile_are_another_audits(city, tmp_path):
    settings = city[0]
    with Office.open(settings) as office, population.snapshot(office) as (connection, note, totals, _, _):
        with office.control.writing() as writer:
            writer.execute(sa.delete(LicenceRow).where(LicenceRow.identifier == "none"))
            found = [row.identifier for row in population.rows(connection, office)]
        assert len(found) == totals.issued == 4
        office.evidence.append("grant.given", facts={})
        office.evidence.publish()
        size = population.copy_log(settings.log, note, tmp_path / "log")
        assert size == office.evidence.log.size - 1


def test_lists_published_meanwhile_are_another_audits(city, tmp_path, monkeypatch, capsys):
    """One published right after the moment is in no log up to its checkpoint: nobody may be accused of it."""
    settings, moment = city[0], population.snapshot

    @contextmanager
    def busy(office):
        with moment(office) as found:
            desk = Licensing.open(settings)
            desk.publish_status("1")
            desk.control.close()
            yield found

    monkeypatch.setattr(population, "snapshot", busy)
    folder = tmp_path / "folder"
    with Office.open(settings) as office:
        population.export(office, folder)
    newest = settings.status / "1.jwt"
    assert (folder / files.STATUS / "1.jwt").read_bytes() != newest.read_bytes()
    kept, there = ({p.name for p in (f / files.HISTORY / "1").glob("*.jwt")} for f in (folder, settings.public))
    assert len(there - kept) == 1
    monkeypatch.setenv("ZHENGTONG_HOME", str(settings.home))
    for source in (["--trust", str(settings.trust), "--folder", str(folder)], ["--database"]):
        assert main(["licence", "audit", *source, "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["findings"] == []


def test_the_register_of_seals_is_handed_over(city, tmp_path):
    settings, folder = city[0], tmp_path / "folder"
    kept = settings.public / population.SEALS / "history" / "1.jwt"
    kept.parent.mkdir(parents=True, exist_ok=True)
    try:
        kept.write_text("x")
        with Office.open(settings) as office, pytest.MonkeyPatch.context() as patch:
            patch.setattr(population, "_seals", lambda *_: {})
            population.export(office, folder)
    finally:
        kept.unlink()
    assert (folder / population.SEALS / "history" / "1.jwt").read_text() == "x"
    assert "seals/history/1.jwt" in files.Manifest.read(folder).files


def test_rows_are_fetched_in_groups(city, monkeypatch):
    monkeypatch.setattr(population, "GROUP", 1)
    with Office.open(city[0]) as office, office.control.reading() as connection:
        found = [row.identifier for row in population.rows(connection, office)]
    assert found == sorted(set(found))
    assert len(found) == 4


@pytest.mark.parametrize("text", ["[]", '{"x": 1}', '{"files": 1}', '{"format": "x", "at": "", "files": {"../x": 1}}'])
def test_a_manifest_of_another_form(tmp_path, text):
    (tmp_path / files.MANIFEST).write_text(text)
    with pytest.raises(FormatError):
        files.Manifest.read(tmp_path)
