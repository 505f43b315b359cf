"""The auditor's commands as an auditor types them, at the hub and on a machine with copied files."""

from __future__ import annotations

import json
import shutil
from datetime import timedelta

import pytest

from audit.checkpoints import keep
from audit.entry import Entry
from tests.hub.auditing.conftest import MONDAY
from tests.hub.world import IDS

BY = ("--by", "RS:auditor")


@pytest.fixture
def copied(service, world, tmp_path):
    """Copies the public files to another machine, as they are now; gives the options that name them."""

    def copied():
        service.evidence.publish()
        folder = tmp_path / "elsewhere"
        shutil.copytree(world.settings.log, folder / "log")
        shutil.copy(world.settings.public / "log.vkey", folder / "log.vkey")
        return ("--log", folder / "log", "--key-file", folder / "log.vkey")

    return copied


def kinds(service):
    return [Entry.decode(data).kind for data in service.evidence.log.entries(0, service.evidence.log.size)]


def test_a_person_is_searched_for_by_number_and_found_without_it(run, calls, service):
    one, _ = calls(), calls(keys={"citizen_id": IDS[1]})
    code, out, err = run("audit", "search", "--person", f"citizen_id={IDS[0]}", *BY)
    assert code == 0
    assert str(one) in out.split()
    assert "1 found" in err
    assert IDS[0] not in out + err
    assert kinds(service)[-1] == "audit.searched"
    code, out, _ = run("audit", "search", "--kind", "invocation.", "--limit", "1", "--json", *BY)
    assert [json.loads(line)["index"] for line in out.splitlines()] == [one]


def test_at_the_hub_who_audits_must_be_said(run):
    assert run("audit", "search")[0] == 2
    assert run("audit", "search", "--by", "nobody")[0] == 2


def test_on_copied_files_it_is_said_that_nothing_is_recorded(run, calls, service, copied):
    one = calls()
    options = copied()
    size = service.evidence.log.size
    subject = service.evidence.subject({"citizen_id": IDS[0]})
    code, out, err = run("audit", "search", "--subject", subject, "--kind", "invocation.", *options)
    assert code == 0
    assert str(one) in out.split()
    assert "not recorded" in err
    assert run("audit", "search", "--person", f"citizen_id={IDS[0]}", *options)[0] == 2
    assert run("audit", "search", *options[:2])[0] == 2
    assert service.evidence.log.size == size


def test_a_tampered_copy_is_told(run, calls, copied):
    calls()
    options = copied()
    bundle = next(path for path in (options[1] / "tile" / "entries").rglob("*") if path.is_file())
    bundle.write_bytes(bundle.read_bytes().replace(b"invocation.answered", b"invocation.answerec"))
    assert run("audit", "search", *options)[0] == 13


def test_the_index_is_built_and_compared(run, calls, world):
    calls()
    code, out, _ = run("audit", "index", "--check", "--json", *BY)
    assert code == 0
    assert json.loads(out)["differs"] == []
    import sqlite3

    database = sqlite3.connect(f"{world.settings.log}.index")
    database.execute("UPDATE entry SET kind = actor WHERE idx = 1")
    database.commit()
    database.close()
    assert run("audit", "index", "--check", *BY)[0] == 13


def test_a_sample_is_drawn_alike_here_and_there_and_done_again_here(run, calls, service, copied):
    for number in range(3):
        calls(keys={"citizen_id": IDS[number]})
    options = copied()
    code, out, _ = run("audit", "sample", "q1", "--kind", "invocation.", "--size", "2", "--json", *BY)
    here = json.loads(out)
    assert (code, [one["verdict"] for one in here["drawn"]]) == (0, ["same", "same"])
    code, out, _ = run("audit", "sample", "q1", "--kind", "invocation.", "--size", "2", "--json", *options)
    there = json.loads(out)
    assert (code, there["size"], there["root"]) == (0, here["size"], here["root"])
    assert [one["index"] for one in there["drawn"]] == [one["index"] for one in here["drawn"]]
    first = here["drawn"][0]["index"]
    service.evidence.bodies.erase(Entry.decode(service.evidence.log.entry(first)).body_digest)
    code, out, _ = run("audit", "sample", "q1", "--kind", "invocation.answered", "--size", "3", *BY)
    assert (code, "incomplete" in out) == (11, True)


def test_a_sample_that_contradicts_the_record_ends_with_13(run, calls, world, monkeypatch):
    from warehouse.lookup import Lookup

    true = Lookup.look

    def lying(self, *args, **kwargs):
        found = true(self, *args, **kwargs)
        found.rows[0]["birth"] = "1980-01-01"
        return found

    monkeypatch.setattr(Lookup, "look", lying)
    calls()
    monkeypatch.undo()
    monkeypatch.setenv("ZHENGTONG_HOME", str(world.settings.home))
    code, out, _ = run("audit", "sample", "q1", "--kind", "invocation.", *BY)
    assert (code, "DIFFERENT" in out) == (13, True)


def test_anomalies_end_with_20_where_there_is_something_to_ask(run, calls, service):
    for _ in range(3):
        calls()
    options = ("--from", "2026-03-01", "--to", "2026-03-03", *BY)
    assert run("audit", "anomalies", *options)[0] == 0
    code, out, _ = run("audit", "anomalies", *options, "--calls", "3", "--json")
    found = json.loads(out)["findings"]
    assert (code, [one["code"] for one in found]) == (20, ["bulk"])
    assert len(found[0]["entries"]) == 3
    assert IDS[0] not in out


@pytest.fixture
def days(service, world, calls):
    """Three days with a call each, the checkpoint of each kept; gives the numbers of the entries."""
    found = []
    for day in range(3):
        world.clock.now = MONDAY + timedelta(days=day)
        found.append(calls())
        keep(world.settings.log, service.evidence.publish(), world.clock.now)
    return found


def test_growth_is_proven_between_days_and_the_file_checked_elsewhere(run, days, world, tmp_path):
    file = tmp_path / "growth"
    code, out, _ = run("audit", "consistency", "--from", "2026-03-02", "--to", "2026-03-03", "-o", file, "--json")
    told = json.loads(out)
    assert (code, told["new"] - told["old"]) == (0, 1)
    assert run("audit", "consistency", file, "--key-file", world.settings.public / "log.vkey")[0] == 0
    file.write_text(file.read_text().replace(f"\n{told['old']}\n", f"\n{told['old'] - 1}\n"))
    assert run("audit", "consistency", file)[0] == 13
    code, _, err = run("audit", "consistency", "--from", "2026-03-01")
    assert (code, "2026-03-02" in err) == (3, True)
    assert run("audit", "consistency")[0] == 2


def test_the_checkpoints_of_days_are_listed_and_prove_entries(run, days):
    code, out, _ = run("audit", "checkpoints", "--json")
    assert (code, [one["size"] for one in json.loads(out)]) == (0, [index + 1 for index in days])
    code, out, _ = run("audit", "show", days[0], "--on", "2026-03-02", "--json")
    assert (code, f"\n{days[0] + 1}\n" in json.loads(out)["proof"]) == (0, True)
    assert run("audit", "show", days[1], "--on", "2026-03-02")[0] == 13


def test_evidence_is_packed_and_checked(run, calls, world, service, tmp_path):
    one = calls()
    file, key = tmp_path / "one.zip", world.settings.public / "log.vkey"
    code, out, _ = run("evidence", "pack", "--entries", f"0-1,{one}", "-o", file, *BY)
    assert (code, "Holds: 3 entries" in out) == (0, True)
    assert kinds(service)[-1] == "audit.exported"
    assert run("evidence", "check", file, "--key-file", key)[0] == 0
    assert run("evidence", "check", file)[0] == 11
    code, out, _ = run("evidence", "check", file, "--key-file", key, "--also", key, "--json")
    assert (code, json.loads(out)["verdict"]) == (0, "holds")
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)
    assert run("evidence", "check", file, "--key-file", key)[0] == 13


def test_evidence_about_a_person(run, calls, service, tmp_path, copied):
    one, _ = calls(), calls(keys={"citizen_id": IDS[1]})
    file = tmp_path / "one.zip"
    code, out, _ = run(
        "evidence", "pack", "--person", f"citizen_id={IDS[0]}", "--to", "2026-03-02", "-o", file, "--json", *BY
    )
    assert (code, json.loads(out)["entries"]) == (0, [one])
    subject = service.evidence.subject({"citizen_id": IDS[0]})
    code, out, _ = run("evidence", "pack", "--subject", subject, "-o", file, "--json", *copied())
    assert (code, one in json.loads(out)["entries"]) == (0, True)
    for wrong in ((), ("--entries", "1", "--subject", subject), ("--entries", "9-1"), ("--entries", "x")):
        assert run("evidence", "pack", *wrong, "-o", file, *BY)[0] == 2


def test_a_clerk_shows_a_person_who_used_their_data(run, calls, service):
    one = calls()
    code, out, err = run("mydata", f"citizen_id={IDS[0]}", *BY, "--json")
    told = json.loads(out)
    assert (code, [use["entry"] for use in told["uses"]], len(told["limits"])) == (0, [one], 3)
    code, out, err = run("mydata", f"citizen_id={IDS[0]}", *BY)
    assert "Human Resources" in out
    assert "recorded" in err
    assert IDS[0] not in out + err
    assert kinds(service)[-1] == "mydata.shown"
