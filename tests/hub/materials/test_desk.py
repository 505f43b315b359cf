from __future__ import annotations

import os
import subprocess
import sys
import threading
from dataclasses import replace
from datetime import timedelta

import pytest

from audit.entry import Entry
from hub.actors import Actor
from hub.auditsearch import Desk
from hub.control import Control
from hub.errors import HubError, InvalidRequestError
from hub.keeping import holds
from hub.materials import Materials
from hub.materials.desk import FETCH_WITHIN
from hub.materials.errors import (
    ContentRefusedError,
    MaterialDamagedError,
    MaterialExistsError,
    MaterialGoneError,
    MaterialRuleError,
    MaterialUnknownError,
    MaterialVoidError,
)
from hub.materials.files import SEALED, DamagedFileError, MaterialFiles
from licence.material_bundle import MaterialBundle, judge_material
from licence.trust import TrustStore
from tests.hub.databases import POSTGRESQL, SQLITE
from tests.hub.materials.conftest import CLERK, HOLDER, OTHER, PAPER, STRANGER, USE, png
from tests.licence import world as w


@pytest.fixture(params=[SQLITE, pytest.param(POSTGRESQL, marks=pytest.mark.service(POSTGRESQL))])
def database(request):
    return request.param


def entries(office):
    log = office.evidence.log
    return [Entry.decode(leaf) for leaf in log.entries(0, log.size)]


def trust(office):
    return TrustStore((w.make_root().certificate,), (office.evidence.verifier,))


AUDITOR = Actor("SJ", "auditor")


def path_of(office, digest):
    name = digest.removeprefix("sha256:")
    return office.settings.home / "materials" / name[:2] / name


class TestTakingIn:
    def test_the_file_lies_under_its_digest_for_the_owner_alone(self, office, taken):
        path = path_of(office, taken["digest"])
        stored = path.read_bytes()
        assert stored.startswith(SEALED)
        assert png()[8:] not in stored
        assert len(stored) == len(SEALED) + 12 + len(png()) + 16
        assert path.stat().st_mode & 0o777 == 0o600
        assert path.parent.stat().st_mode & 0o777 == 0o700
        assert (taken["media_type"], taken["unit"], taken["taken_by"]) == ("image/png", "RS", "RS:window-1")

    def test_the_entry_tells_of_it_and_nothing_of_its_holder(self, office, taken):
        (entry,) = [e for e in entries(office) if e.kind == "material.kept"]
        assert (entry.actor, entry.facts["digest"]) == ("RS:window-1", taken["digest"])
        for secret in (HOLDER, PAPER.name, PAPER.case):
            assert secret not in entry.encode().decode()

    def test_the_same_file_twice(self, desk, taken, office):
        with pytest.raises(MaterialExistsError, match=taken["identifier"]):
            desk.add(png(), PAPER, holder=HOLDER.lower(), actor=CLERK)
        other = desk.add(png(), PAPER, holder=HOLDER, actor=OTHER)
        third = desk.add(png(), PAPER, holder="110105194912310038", actor=CLERK)
        assert len({taken["identifier"], other["identifier"], third["identifier"]}) == 3
        assert desk.check().files == 1
        assert [e.kind for e in entries(office)] == ["material.kept"] * 3

    def test_two_who_take_in_the_same_file_at_once(self, office, settings):
        start, done = threading.Barrier(8), []

        def take(number):
            start.wait()
            try:
                done.append(Materials(office).add(png(), PAPER, holder=HOLDER, actor=CLERK)["identifier"])
            except MaterialExistsError as there:
                done.append(there)

        threads = [threading.Thread(target=take, args=(n,)) for n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        (identifier,) = [one for one in done if isinstance(one, str)]
        assert all(identifier in str(one) for one in done)
        assert [e.facts["material"] for e in entries(office) if e.kind == "material.kept"] == [identifier]
        report = Materials(office).check()
        assert (report.materials, report.files, report.orphans) == (1, 1, ())

    @pytest.mark.parametrize(
        "changes",
        [{"name": ""}, {"name": "a\nb"}, {"matter": ""}, {"units": ("GA", "GA")}, {"case": "x" * 201}],
        ids=str,
    )
    def test_what_is_malformed_is_refused_and_leaves_no_row(self, desk, changes):
        with pytest.raises((MaterialRuleError, InvalidRequestError)):
            desk.add(png(), replace(PAPER, **changes), holder=HOLDER, actor=CLERK)
        assert desk.check().materials == 0

    @pytest.mark.parametrize("holder", ["", " ", "x" * 65, "a\x00b"])
    def test_a_holder_is_wanted_and_not_said_back(self, desk, holder):
        with pytest.raises(InvalidRequestError) as caught:
            desk.add(png(), PAPER, holder=holder, actor=CLERK)
        assert "x" * 65 not in caught.value.text("en")

    def test_a_hostile_file_leaves_nothing(self, desk, office):
        with pytest.raises(ContentRefusedError):
            desk.add(b"<script>", PAPER, holder=HOLDER, actor=CLERK)
        assert not (office.settings.home / "materials").exists()


KILLED = """
import os, sys
from pathlib import Path
from hub.materials import Materials, desk
from hub.office import Office
from hub.settings import Settings
from tests.hub.materials.conftest import CLERK, HOLDER, PAPER, png
where = sys.argv[1]
def die(*arguments, **named):
    os._exit(9)
office = Office.open(Settings.from_environment())
if where == "row":
    desk.insert_once = die
elif where == "entry":
    office.evidence.append = die
else:
    desk.update_row = die
Materials(office).add(png(), PAPER, holder=HOLDER, actor=CLERK)
"""


class TestKilled:
    @pytest.mark.parametrize(("where", "logged"), [("row", 0), ("entry", 0), ("commit", 1)])
    def test_between_file_and_row_leaves_an_orphan_that_is_found_and_cleaned(
        self, office, desk, settings, where, logged
    ):
        environ = {**os.environ, "ZHENGTONG_HOME": str(settings.home), "ZHENGTONG_CONTROL_URL": settings.control_url}
        done = subprocess.run([sys.executable, "-c", KILLED, where], env=environ, check=False, timeout=60)
        assert done.returncode == 9
        found = desk.check()
        assert (found.materials, found.files, len(found.orphans), found.sound) == (0, 1, 1, True)
        assert len([e for e in entries(office) if e.kind == "material.kept"]) == logged
        assert desk.check(clean=True).cleaned
        assert desk.check().files == 0
        assert desk.add(png(), PAPER, holder=HOLDER, actor=CLERK)["digest"] == found.orphans[0]

    def test_a_file_half_written_is_swept_and_others_stay(self, desk, office, taken):
        stray = path_of(office, taken["digest"]).with_name("0a.tmp")
        stray.write_bytes(b"x")
        assert desk.check(clean=True).strays == 1
        assert not stray.exists()
        assert desk.check() == replace(desk.check(), materials=1, files=1, strays=0)

    def test_nobody_sweeps_while_somebody_takes_in(self, desk, office, monkeypatch):
        order, inside = [], threading.Event()
        original = office.evidence.append

        def slow(*arguments, **named):
            inside.set()
            sweeper.join(0.3)
            order.append("entry")
            return original(*arguments, **named)

        def sweep():
            inside.wait(10)
            Materials(office).check(clean=True)
            order.append("swept")

        monkeypatch.setattr(office.evidence, "append", slow)
        sweeper = threading.Thread(target=sweep)
        sweeper.start()
        desk.add(png(), PAPER, holder=HOLDER, actor=CLERK)
        sweeper.join()
        assert order == ["entry", "swept"]
        assert desk.check().sound


class TestReuse:
    def test_it_is_recorded_and_then_the_file_is_there(self, desk, office, taken):
        use = desk.reuse(taken["identifier"], USE, actor=OTHER)
        assert desk.fetch(taken["identifier"], use["use"], department="GA") == (png(), "image/png")
        (entry,) = [e for e in entries(office) if e.kind == "material.reused"]
        assert (entry.actor, entry.facts["matter"], entry.facts["consent"]) == ("GA:window-2", "租赁备案", True)
        assert USE.case not in entry.encode().decode()
        (told,) = desk.show(taken["identifier"], department="RS")["uses"]
        assert (told["by"], told["case"], told["purpose"]) == ("GA:window-2", "BJ-2", "核对租赁关系")

    @pytest.mark.parametrize(
        ("use", "code"),
        [
            (replace(USE, consent=False), "agree"),
            (replace(USE, matter="别的事项"), "别的事项"),
        ],
    )
    def test_the_rules_hold(self, desk, taken, use, code):
        with pytest.raises(MaterialRuleError, match=code):
            desk.reuse(taken["identifier"], use, actor=OTHER)
        assert desk.show(taken["identifier"], department="RS")["uses"] == []

    @pytest.mark.parametrize("missing", ["matter", "case", "purpose"])
    def test_a_use_says_what_for(self, desk, taken, missing):
        with pytest.raises(InvalidRequestError):
            desk.reuse(taken["identifier"], replace(USE, **{missing: " "}), actor=OTHER)

    def test_a_use_lasts_a_working_day_and_is_its_own_departments(self, desk, office, taken):
        use = desk.reuse(taken["identifier"], USE, actor=OTHER)["use"]
        for department, number in (("RS", use), ("GA", use + 1)):
            with pytest.raises(MaterialUnknownError):
                desk.fetch(taken["identifier"], number, department=department)
        office.evidence.clock.now += FETCH_WITHIN + timedelta(seconds=1)
        with pytest.raises(MaterialUnknownError):
            desk.fetch(taken["identifier"], use, department="GA")

    def test_forced_browsing_by_another_department_finds_nothing(self, desk, taken):
        identifier = taken["identifier"]
        unknown = {"material": identifier}
        tries = [
            lambda: desk.show(identifier, department="MZ"),
            lambda: desk.reuse(identifier, USE, actor=STRANGER),
            lambda: desk.void(identifier, reason="x", actor=STRANGER),
            lambda: desk.bundle(identifier, department="MZ"),
            lambda: desk.export(identifier, USE, actor=STRANGER),
            lambda: desk.own(identifier, department="MZ"),
            lambda: desk.fetch(identifier, 1, department="MZ"),
        ]
        for one in tries:
            with pytest.raises(MaterialUnknownError) as caught:
                one()
            assert caught.value.params == unknown
        with pytest.raises(MaterialUnknownError) as caught:
            desk.show("M-none", department="RS")
        assert caught.value.code == "material_unknown"
        assert desk.find(actor=STRANGER, holder=HOLDER) == []

    def test_others_may_not_see_each_others_cases(self, desk, taken):
        own = desk.add(png(1), replace(PAPER, units=("GA", "MZ")), holder=HOLDER, actor=CLERK)
        desk.reuse(own["identifier"], USE, actor=OTHER)
        seen = desk.show(own["identifier"], department="MZ")
        assert (seen["uses"], seen["case"], seen["taken_by"]) == ([], "", "")
        assert len(desk.show(own["identifier"], department="GA")["uses"]) == 1


class TestFinding:
    def test_by_holder_is_recorded_under_the_keyed_hash(self, desk, office, taken):
        assert [m["identifier"] for m in desk.find(actor=OTHER, holder=HOLDER, matter="租赁备案")] == [
            taken["identifier"]
        ]
        (found,) = [e for e in entries(office) if e.kind == "material.found"]
        (kept,) = [e for e in entries(office) if e.kind == "material.kept"]
        assert (found.subject, found.actor, found.purpose) == (kept.subject, "GA:window-2", "租赁备案")
        assert HOLDER not in found.encode().decode()

    def test_without_a_holder_a_department_sees_its_own(self, desk, taken):
        assert len(desk.find(actor=CLERK)) == 1
        assert desk.find(actor=OTHER) == []


class TestVoid:
    def test_it_ends_reuse_and_shows_in_the_record(self, desk, office, taken):
        done = desk.void(taken["identifier"], reason="合同已解除", actor=CLERK)
        assert done["void_reason"] == "合同已解除"
        with pytest.raises(MaterialRuleError, match="invalid"):
            desk.reuse(taken["identifier"], USE, actor=OTHER)
        with pytest.raises(MaterialVoidError):
            desk.void(taken["identifier"], reason="again", actor=CLERK)
        judged = judge_material(
            png(), desk.bundle(taken["identifier"], department="GA"), trust(office), office.evidence.clock()
        )
        assert (judged.exit_code, judged.deciding.code) == (12, "material_void_logged")
        again = desk.add(png(), PAPER, holder=HOLDER, actor=CLERK)
        assert again["identifier"] != taken["identifier"]

    def test_only_who_took_it_in_and_with_a_reason(self, desk, taken):
        with pytest.raises(MaterialRuleError):
            desk.void(taken["identifier"], reason="x", actor=OTHER)
        with pytest.raises(InvalidRequestError):
            desk.void(taken["identifier"], reason=" ", actor=CLERK)


class TestStored:
    @pytest.mark.parametrize("spoil", ["alter", "remove"])
    def test_an_altered_file_is_never_handed_out_and_found(self, desk, office, taken, spoil):
        path = path_of(office, taken["digest"])
        path.write_bytes(png(7)) if spoil == "alter" else path.unlink()
        with pytest.raises(MaterialDamagedError):
            desk.reuse(taken["identifier"], USE, actor=OTHER)
        found = desk.check()
        assert not found.sound
        assert (found.altered or found.missing) == (taken["identifier"],)
        assert not any(e.kind == "material.reused" for e in entries(office))

    def test_files_are_let_go_when_their_time_is_over(self, desk, office, taken):
        kept = desk.add(png(), replace(PAPER, valid_until=None), holder="OTHER1", actor=CLERK)
        short = desk.add(
            png(3), replace(PAPER, valid_until=office.evidence.clock() + timedelta(days=1)), holder=HOLDER, actor=CLERK
        )
        desk.void(taken["identifier"], reason="x", actor=CLERK)
        office.evidence.clock.now += timedelta(days=32)
        assert desk.expire(0) == []
        assert set(desk.expire(30)) == {taken["identifier"], short["identifier"]}
        assert desk.expire(30) == []
        # The content of the first is that of another material, which stands.
        report = desk.check()
        assert (report.files, report.orphans, report.sound, report.materials) == (1, (), True, 3)
        assert desk.reuse(kept["identifier"], USE, actor=OTHER)["use"]
        with pytest.raises((MaterialGoneError, MaterialRuleError)):
            desk.reuse(short["identifier"], USE, actor=OTHER)
        assert sum(e.kind == "material.erased" for e in entries(office)) == 2


class TestSealed:
    def test_no_byte_can_be_changed(self, desk, office, taken):
        path, good = path_of(office, taken["digest"]), path_of(office, taken["digest"]).read_bytes()
        for place in range(len(good)):
            path.write_bytes(good[:place] + bytes([good[place] ^ 1]) + good[place + 1 :])
            with pytest.raises(DamagedFileError):
                desk._files.read(taken["digest"])
        for cut in (0, len(SEALED), len(SEALED) + 11, len(SEALED) + 12, len(good) - 1):
            path.write_bytes(good[:cut])
            with pytest.raises(DamagedFileError):
                desk._files.read(taken["digest"])

    def test_one_file_cannot_stand_in_for_another(self, desk, office, taken):
        other = desk.add(png(4), PAPER, holder=HOLDER, actor=CLERK)
        path_of(office, taken["digest"]).write_bytes(path_of(office, other["digest"]).read_bytes())
        assert desk.check().altered == (taken["identifier"],)

    def test_another_secret_opens_nothing(self, desk, office, taken):
        stranger = MaterialFiles(office.settings.home / "materials", lambda: bytes(32))
        with pytest.raises(DamagedFileError):
            stranger.read(taken["digest"])

    def test_files_of_earlier_versions_are_read_and_sealed(self, desk, office, taken):
        path = path_of(office, taken["digest"])
        path.write_bytes(png())
        use = desk.reuse(taken["identifier"], USE, actor=OTHER)
        assert desk.fetch(taken["identifier"], use["use"], department="GA")[0] == png()
        assert (desk.check().lying_open, desk.check().sound) == (1, True)
        assert desk.check(clean=True).lying_open == 1
        assert path.read_bytes().startswith(SEALED)
        assert path.stat().st_mode & 0o777 == 0o600
        assert (desk.check().lying_open, desk.check().sound) == (0, True)

    def test_the_same_paper_again_seals_what_lies_open_and_mends_what_is_damaged(self, desk, office, taken):
        path = path_of(office, taken["digest"])
        for content in (png(), png(9), SEALED + bytes(50), b""):
            path.write_bytes(content)
            assert desk._files.keep(png()) == taken["digest"]
            assert path.read_bytes().startswith(SEALED)
            assert desk._files.read(taken["digest"]) == png()

    def test_an_altered_file_that_lies_open_is_left_for_who_looks_into_it(self, desk, office, taken):
        path_of(office, taken["digest"]).write_bytes(png(7))
        assert desk.check(clean=True).altered == (taken["identifier"],)
        assert path_of(office, taken["digest"]).read_bytes() == png(7)


class TestHeld:
    @pytest.fixture
    def over(self, desk, office, taken):
        """A material whose time is over, with a use; and a way to hold."""
        use = desk.reuse(taken["identifier"], USE, actor=OTHER)
        void = desk.void(taken["identifier"], reason="x", actor=CLERK)
        office.evidence.clock.now += timedelta(days=32)
        (kept,) = [e for e in entries(office) if e.kind == "material.kept"]
        return {"kept": taken["entry"], "use": use["entry"], "void": void["entry"] + 2, "holder": kept.subject}

    def held(self, office, numbers=(), subjects=()):
        return holds.hold(Desk.here(office.settings, office.evidence, AUDITOR), numbers, subjects, "京检〔2026〕1号")

    @pytest.mark.parametrize("by", ["kept", "use", "void", "holder"])
    def test_a_hold_keeps_the_file_until_it_is_released(self, desk, office, taken, over, by):
        number = self.held(office, subjects=[over["holder"]]) if by == "holder" else self.held(office, [over[by]])
        assert desk.expire(30) == []
        assert desk.check().files == 1
        assert not any(e.kind == "material.erased" for e in entries(office))
        holds.release(Desk.here(office.settings, office.evidence, AUDITOR), number, "京检〔2026〕2号")
        assert desk.expire(30) == [taken["identifier"]]
        assert desk.check().files == 0

    def test_a_hold_of_something_else_keeps_nothing(self, desk, office, taken, over):
        self.held(office, subjects=["0" * 64])
        assert desk.expire(30) == [taken["identifier"]]


class TestVerifying:
    def test_file_and_record_are_judged_by_anybody(self, desk, office, taken):
        content, bundle, media_type = desk.export(taken["identifier"], USE, actor=OTHER)
        again = MaterialBundle.from_json(bundle.to_json())
        assert again == bundle
        report = judge_material(content, again, trust(office), office.evidence.clock())
        assert (report.exit_code, media_type) == (0, "image/png")
        assert HOLDER not in bundle.to_json()

    def test_the_store_is_judged_where_it_lies(self, desk, office, taken):
        content, bundle = desk.own(taken["identifier"], department="RS")
        assert judge_material(content, bundle, trust(office), office.evidence.clock()).exit_code == 0


def test_every_error_speaks_both_languages():
    from hub.materials import errors

    kinds = [k for k in vars(errors).values() if isinstance(k, type) and issubclass(k, HubError)]
    assert len({k.code for k in kinds if k.__module__ == errors.__name__}) == 7


def test_the_uses_survive_a_new_office(settings, office, taken):
    Materials(office).reuse(taken["identifier"], USE, actor=OTHER)
    control = Control.open(settings)
    control.close()
    assert len(Materials(office).show(taken["identifier"], department="RS")["uses"]) == 1
