"""One licence's way: issued from its authoritative resource, logged, verified offline, forged, revoked, verified."""

import base64
import json
import os
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest

from audit.entry import Entry
from audit.fsck import check_log
from audit.log import Log
from hub.demo.documents import forge_bundle
from hub.demo.story import STORY_KIND, Story
from hub.errors import HolderNotFoundError, LicenceExistsError, NoIssuingGrantError, SeveralRecordsError
from hub.evidence import log_verifiers
from hub.ingestion import run_here
from hub.licensing import Licensing, course
from hub.settings import Settings
from licence.lifecycle import Action
from licence.trust import TrustStore
from licence.verify import verify

COMPANIES = "3040010001"
REVOKED = {"reason": "提交虚假材料取得登记", "ground": "《市场主体登记管理条例》第四十条", "officer": "licence-officer"}


@pytest.fixture(scope="module")
def story(tmp_path_factory):
    story = Story(Settings.at(tmp_path_factory.mktemp("licence") / "var"), scale=0.02)
    story.build_city()
    story.open_systems()
    story.publish()
    run_here(story.settings, COMPANIES, "day-1")
    story.give_grants()
    yield story
    story.stop()


def command(story, *arguments, lang="en"):
    env = {**os.environ, "ZHENGTONG_HOME": str(story.settings.home)}
    program = [sys.executable, "-c", "import sys; from hub.cli import main; sys.exit(main())"]
    return subprocess.run(
        [*program, "--lang", lang, *arguments], env=env, capture_output=True, text=True, check=False, timeout=120
    )


def test_the_way_of_one_licence(story, tmp_path):
    office = Licensing.open(story.settings)
    kind = office.kind(STORY_KIND)
    identifier, new = story.licences.issue(STORY_KIND)
    assert new

    # A stranger has the file and what was pinned beforehand, and no hub.
    elsewhere = tmp_path / "elsewhere"
    shutil.copytree(story.settings.trust, elsewhere / "trust")
    bundle = office.save_bundle(identifier).read_bytes()
    trust = TrustStore.load(elsewhere / "trust")
    now = datetime.now(UTC) + timedelta(seconds=2)
    assert verify(bundle, trust, now).verdict == "TOTAL-PASSED"

    # A second licence to the same holder is refused and names the first.
    holder = story.licences.first(kind)
    with pytest.raises(LicenceExistsError, match=identifier):
        office.issue(kind, holder.holder, record=holder.record, reason="登记", ground="条例", by="SJJ:licence-officer")

    tampered = tmp_path / "tampered.licence.json"
    tampered.write_bytes(forge_bundle(bundle))
    good = tmp_path / "good.licence.json"
    good.write_bytes(bundle)
    unproven = tmp_path / "unproven.licence.json"
    plain = json.loads(bundle)
    head, path, rest = plain["log"]["proof"].split("\n", 2)
    plain["log"]["proof"] = "\n".join([head, path, _other_hash(rest)])
    unproven.write_text(json.dumps(plain, ensure_ascii=False), encoding="utf-8")

    trusted = ("--trust", str(elsewhere / "trust"))
    assert command(story, "verify", str(good), *trusted).returncode == 0
    assert command(story, "verify", str(tampered), *trusted).returncode == 10
    assert command(story, "verify", str(unproven), *trusted).returncode == 13
    later = (datetime.now(UTC) + timedelta(days=9)).isoformat()
    assert command(story, "verify", str(good), *trusted, "--at", later).returncode == 11

    office.change(identifier, Action.REVOKE, by=kind.issuer, **REVOKED)
    told = command(story, "verify", str(good), *trusted, "--status", str(story.settings.status), "--json")
    assert told.returncode == 12
    assert json.loads(told.stdout)["verdict"] == "TOTAL-FAILED"
    assert "撤销" in command(story, "licence", "show", identifier, lang="zh").stdout

    # The bundle alone cannot know of it: it still holds as of its own status list, until that is too old.
    assert check_log(story.settings.log, log_verifiers(story.settings)).faults == ()
    kinds = check_log(story.settings.log, log_verifiers(story.settings)).entries_by_kind
    assert (kinds["licence.issued"], kinds["licence.status"]) == (1, 1)

    # After revocation the holder may apply again.
    assert story.licences.issue(STORY_KIND)[0] != identifier


def logged(story, kind):
    with Log.open(story.settings.log) as log:
        return sum(Entry.decode(leaf).kind == kind for leaf in log.entries(0, log.size))


def _other_hash(text):
    lines = text.split("\n")
    first = bytearray(base64.b64decode(lines[0]))
    first[0] ^= 1
    return "\n".join([base64.b64encode(first).decode(), *lines[1:]])


@pytest.mark.parametrize("moment", ["_name", "make_valid"])
def test_an_officer_whose_program_died_issues_the_same_licence_once(story, monkeypatch, moment):
    office = Licensing.open(story.settings)
    kind = office.kind(STORY_KIND)
    rows = story.warehouse.scan(kind.resource, None, None, list(kind.source_fields))
    holder = sorted(str(row[kind.holder_field]) for row in rows)[3 if moment == "_name" else 4]

    class DiedError(BaseException):
        pass

    def die(*_arguments, **_named):
        raise DiedError

    with monkeypatch.context() as patch:
        patch.setattr(Licensing if moment == "_name" else course, moment, die)
        with pytest.raises(DiedError):
            office.issue(kind, holder, reason="依申请签发", ground="x", by="SJJ:licence-officer")
    before = logged(story, "licence.issued")
    issued = Licensing.open(story.settings).issue(
        kind, holder, reason="依申请签发", ground="x", by="SJJ:licence-officer"
    )
    trust = TrustStore.load(story.settings.trust)
    bundle = office.bundle(issued.identifier).to_json()
    assert verify(bundle, trust, datetime.now(UTC) + timedelta(seconds=2)).verdict == "TOTAL-PASSED"
    # An entry that was durable before the end is the one handed out; it is not written a second time.
    assert logged(story, "licence.issued") == before + (1 if moment == "_name" else 0)


def test_a_holder_unknown_to_the_resource_gets_none_and_is_not_named(story):
    office = Licensing.open(story.settings)
    stranger = "91341200MA0000000X"
    with pytest.raises(HolderNotFoundError) as refused:
        office.issue(office.kind(STORY_KIND), stranger, reason="r", ground="g", by="SJJ:licence-officer")
    assert stranger not in refused.value.text("zh") + refused.value.text("en")


def test_without_a_grant_of_its_own_a_department_issues_nothing(story):
    office = Licensing.open(story.settings)
    kind = office.kind("机动车驾驶证")
    with office.control.writing() as connection:
        from sqlalchemy import delete

        from hub.control import GrantRow, raise_generation

        connection.execute(delete(GrantRow).where(GrantRow.resource == kind.resource))
        raise_generation(connection)
    with pytest.raises(NoIssuingGrantError, match="GAJ"):
        office.issue(kind, "341202199001011234", reason="r", ground="g", by="GAJ:licence-officer")


def test_a_change_whose_list_was_not_published_is_published_by_the_next_to_come(story, monkeypatch):
    office = Licensing.open(story.settings)
    kind = office.kind(STORY_KIND)
    rows = story.warehouse.scan(kind.resource, None, None, list(kind.source_fields))
    holder = sorted(str(row[kind.holder_field]) for row in rows)[6]
    issued = office.issue(kind, holder, reason="r", ground="g", by="SJJ:licence-officer")
    bundle = office.bundle(issued.identifier).to_json()
    later = datetime.now(UTC) + timedelta(seconds=2)

    def verdict():
        tokens = [path.read_text(encoding="utf-8") for path in story.settings.status.glob("*.jwt")]
        return verify(bundle, TrustStore.load(story.settings.trust), later, tokens).exit_code

    with monkeypatch.context() as patch:
        patch.setattr(Licensing, "publish_status", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            office.change(issued.identifier, Action.REVOKE, by=kind.issuer, **REVOKED)
    assert verdict() == 0
    Licensing.open(story.settings)
    assert verdict() == 12
    assert Licensing.open(story.settings).refresh() == []


def test_a_status_list_is_published_anew_before_it_is_too_old(story):
    office = Licensing.open(story.settings)
    assert office.refresh() == []
    now = office.clock()
    office.clock = lambda: now + timedelta(hours=13)
    assert office.refresh() != []
    office.clock = lambda: now + timedelta(hours=14)
    assert office.refresh() == []


def test_a_full_status_list_is_followed_by_the_next(story):
    office = Licensing.open(story.settings)
    kind = office.kind(STORY_KIND)
    rows = story.warehouse.scan(kind.resource, None, None, list(kind.source_fields))
    holders = sorted(str(row[kind.holder_field]) for row in rows)
    office.slots = 2
    identifiers = []
    for holder in holders[8:11]:
        issued = office.issue(kind, holder, reason="r", ground="g", by="SJJ:licence-officer")
        bundle = office.bundle(issued.identifier).to_json()
        report = verify(bundle, TrustStore.load(story.settings.trust), datetime.now(UTC) + timedelta(hours=15))
        assert report.verdict == "TOTAL-PASSED", report.text("en")
        row = office.show(issued.identifier)
        identifiers.append((row["status_list"], row["status_index"]))
    assert len(set(identifiers)) == 3
    assert len({name for name, _ in identifiers}) == 2


def test_a_holder_of_several_records_must_say_which_and_gets_a_licence_for_each(story):
    houses = "3050010001"
    run_here(story.settings, houses, "day-1")
    office = Licensing.open(story.settings)
    kind = office.kind("不动产权证书")
    rows = story.warehouse.scan(houses, None, None, [kind.holder_field, "unit_no"])
    units = {}
    for row in rows:
        units.setdefault(str(row[kind.holder_field]), []).append(str(row["unit_no"]))
    holder, mine = next((one, found) for one, found in sorted(units.items()) if len(found) > 1)
    order = {"reason": "r", "ground": "g", "by": f"{kind.issuer}:licence-officer"}
    with pytest.raises(SeveralRecordsError, match="unit_no") as refused:
        office.issue(kind, holder, **order)
    assert holder not in str(refused.value)
    issued = {office.issue(kind, holder, record={"unit_no": unit}, **order).identifier for unit in mine[:2]}
    assert len(issued) == 2
    with pytest.raises(LicenceExistsError):
        office.issue(kind, holder, record={"unit_no": mine[0]}, **order)
