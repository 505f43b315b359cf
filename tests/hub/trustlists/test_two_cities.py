"""Two hubs: city A takes city B's list, and B's licences verify in A, by the rules that hold for such lists."""

from __future__ import annotations

import base64
import json
import threading
import time
from datetime import UTC, datetime, timedelta

import pytest
import yaml
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from hub.authority.keeping import sm2_signs
from hub.cli import main
from hub.licensing import Licensing
from hub.licensing.papers import Form, Paper
from hub.settings import Settings
from licence import trustlist_folder
from licence.errors import FormatError, TrustUnreadableError
from licence.identifiers import LicenceIdentifier
from licence.trust import TrustStore
from licence.trustlist_folder import choose, installed, judge_with_lists, names
from licence.verifying import judge
from tests.hub.licensing import papers_city
from tests.hub.licensing.test_batches import ORDER, fill
from tests.hub.world import IDS, make_list

DAY = timedelta(days=1)
OFFICERS = ("one", "two", "three", "four", "signer", "second")
USCC = {d.code: d.uscc for d in make_list().departments}["RS"]


def now():
    return datetime.now(UTC).replace(microsecond=0)


@pytest.fixture(scope="module")
def cities(tmp_path_factory):
    """Homes of A and B; a licence of B, its status list, and officers' keys by name."""
    base = tmp_path_factory.mktemp("cities")
    (base / "words").write_text("a passphrase")
    homes = {}
    for name in OFFICERS:
        assert main(["trust", "list", "key", str(base / f"{name}.key"), "--passphrase-file", str(base / "words")]) == 0
    for name in ("a", "b"):
        settings = fill(Settings.at(base / name))
        office = Licensing.open(settings)
        issued = office.issue(office.kind("居住证"), IDS[0], **ORDER)
        (base / f"{name}.licence.json").write_text(office.bundle(issued.identifier).to_json(), "utf-8")
        office.control.close()
        homes[name] = settings
    return base, homes


@pytest.fixture
def run(cities, tmp_path, monkeypatch, capsys):
    base, homes = cities
    monkeypatch.setenv("ZHENGTONG_HOME", str(homes["a"].home))
    monkeypatch.chdir(tmp_path)

    def go(*arguments, words=True):
        extra = ["--passphrase-file", str(base / "words")] if words else []
        code = main([*arguments, *extra, "--json"])
        out = capsys.readouterr().out
        return code, json.loads(out) if out.strip() else None

    return go


@pytest.fixture
def world(cities, run, tmp_path):
    """What officers have: their keys, and a way to draw up roots and lists."""
    return Officers(cities, run, tmp_path)


class Officers:
    def __init__(self, cities, run, folder):
        self.base, self.homes = cities
        self.run, self.folder = run, folder
        self.public = {}
        for name in OFFICERS:
            key = load_pem_private_key((self.base / f"{name}.key").read_bytes(), b"a passphrase")
            self.public[name] = base64.b64encode(key.public_key().public_bytes_raw()).decode()
            (folder / f"{name}.key").symlink_to(self.base / f"{name}.key")
        self.trust = folder / "trust"
        TrustStore.load(self.homes["a"].trust).save(self.trust)
        self.root("root-1")
        self.targets("list-1")

    def make(self, name, draft, signers):
        (self.folder / f"{name}.yaml").write_text(yaml.safe_dump(draft, allow_unicode=True), "utf-8")
        keys = [part for s in signers for part in ("--key", str(self.folder / f"{s}.key"))]
        code, told = self.run(
            "trust", "list", "make", str(self.folder / f"{name}.yaml"), str(self.folder / name), *keys
        )
        assert code == 0, told
        return told

    def root(self, name, version=1, keys=("one", "two", "three"), signers=("one", "two"), days=365):
        draft = {
            "version": version,
            "expires": (now() + days * DAY).isoformat(),
            "keys": [self.public[k] for k in keys],
            "root_threshold": 2,
            "targets_keys": [self.public["signer"], self.public["second"]],
            "targets_threshold": 2,
        }
        self.digest = self.make(name, draft, signers)["digest"]

    def targets(
        self,
        name,
        version=1,
        *,
        root=1,
        signers=("signer", "second"),
        until=None,
        starts=None,
        days=7,
        issuers=True,
        uscc=USCC,
        trust=None,
    ):
        issuer = {
            "name": "乙市人力资源和社会保障局",
            "uscc": uscc,
            "from": (starts or now() - 30 * DAY).isoformat(),
            "until": None if until is None else until.isoformat(),
            "trust": str(trust or self.homes["b"].trust),
        }
        draft = {
            "version": version,
            "root": root,
            "expires": (now() + days * DAY).isoformat(),
            "issuers": [issuer] if issuers else [],
        }
        self.make(name, draft, signers)

    def take(self, verb, targets, *roots, digest=None, name="city-b"):
        given = [part for r in roots for part in ("--root", str(self.folder / r))]
        given += ["--digest", self.digest if digest is None else digest] if digest != "" else []
        arguments = [name, *given, "--targets", str(self.folder / targets), "--trust", str(self.trust)]
        return self.run("trust", "list", verb, *arguments, words=False)

    def issued(self, number):
        """A bundle that city B issues now to another person."""
        office = Licensing.open(self.homes["b"])
        issued = office.issue(office.kind("居住证"), IDS[number], **ORDER)
        file = self.folder / f"{number}.licence.json"
        file.write_text(office.bundle(issued.identifier).to_json(), "utf-8")
        office.control.close()
        return file

    def verify(self, city="b", file=None):
        file, lists = file or self.base / f"{city}.licence.json", self.homes[city].status
        return self.run("verify", str(file), "--trust", str(self.trust), "--status", str(lists), words=False)


def test_a_licence_of_city_b_verifies_in_city_a_once_its_list_is_installed(world):
    assert world.verify()[0] == 11
    assert world.take("check", "list-1", "root-1")[0] == 0
    assert world.verify()[0] == 11
    code, told = world.take("install", "list-1", "root-1")
    assert (code, told["version"], told["issuers"][0]["uscc"]) == (0, 1, USCC)
    code, report = world.verify()
    assert (code, report["verdict"]) == (0, "TOTAL-PASSED")
    # A's own go by A's own anchors, whatever the list says about the same code.
    assert world.verify("a")[0] == 0


@pytest.mark.parametrize(("until", "exit_code"), [(1, 0), (-1, 11)], ids=["signed before", "signed after"])
def test_withdrawn_from_a_date(world, until, exit_code):
    world.targets("list-2", 2, until=now() + until * DAY, starts=now() - 30 * DAY)
    assert world.take("install", "list-2", "root-1")[0] == 0
    assert world.verify()[0] == exit_code


def test_who_was_withdrawn_vouches_for_what_he_signed_before_and_for_nothing_when_taken_out(world):
    later = now() + 2 * DAY
    world.targets("list-2", 2, until=now() + DAY)
    world.take("install", "list-2", "root-1")
    data = (world.base / "b.licence.json").read_bytes()
    own = TrustStore.load(world.trust)
    # After the day of withdrawal, what was logged before it still leads to B's anchors.
    assert choose(world.trust, data, own, now=later).name == "city-b"
    assert (
        choose(world.trust, data.replace(b'\\"at\\":\\"2', b'\\"at\\":\\"3'), own, now=later).fault.code
        == "trustlist_no_issuer"
    )
    world.targets("list-3", 3, issuers=False)
    assert world.take("install", "list-3")[0] == 0
    assert world.verify()[0] == 11


def test_an_older_list_is_refused_and_the_newer_one_stays(world):
    world.targets("list-2", 2)
    assert world.take("install", "list-2", "root-1")[0] == 0
    code, told = world.take("install", "list-1")
    assert (code, told["code"]) == (5, "trustlist_rollback")
    assert installed(world.trust, "city-b", now=None).targets.version == 2


def test_the_root_changes_hands_by_thresholds_of_old_and_new(world):
    world.take("install", "list-1", "root-1")
    new = ("three", "four", "two")
    world.root("root-2", 2, keys=new, signers=("three", "four"))
    world.targets("list-2", 2, root=2)
    # The old threshold is missing: of the old officers only one has signed.
    assert world.take("install", "list-2", "root-2")[1]["code"] == "trustlist_threshold"
    code, told = world.run(
        "trust", "list", "sign", str(world.folder / "root-2"), "--key", str(world.folder / "two.key")
    )
    assert (code, len(told["signed_by"])) == (0, 3)
    assert world.take("install", "list-2", "root-2")[0] == 0
    assert world.verify()[0] == 0
    # The old root is no way back, alone or before the new one.
    assert world.take("install", "list-1", "root-1")[1]["code"] == "trustlist_rollback"
    world.targets("list-3", 3, root=1)
    assert world.take("install", "list-3")[1]["code"] == "trustlist_other_root"


def test_who_comes_late_begins_with_the_first_root_that_he_knows(world):
    first = world.digest
    world.root("root-2", 2, signers=("one", "two"))
    world.targets("list-2", 2, root=2)
    assert world.take("install", "list-2", "root-1", "root-2", digest=world.digest)[0] == 5
    assert world.take("install", "list-2", "root-1", "root-2", digest=first)[0] == 0


def test_a_root_that_was_left_out_is_missed(world):
    world.take("install", "list-1", "root-1")
    world.root("root-3", 3)
    world.targets("list-2", 2, root=3)
    assert world.take("install", "list-2", "root-3")[1]["code"] == "trustlist_root_skipped"


def test_too_few_signatures_and_other_keys(world):
    world.targets("list-2", 2, signers=("signer",))
    assert world.take("install", "list-2", "root-1")[1]["code"] == "trustlist_threshold"
    world.targets("list-2", 2, signers=("one", "two"))
    assert world.take("install", "list-2", "root-1")[1]["code"] == "trustlist_threshold"
    assert names(world.trust) == []


def test_a_frozen_list_is_not_taken_and_ends_to_count(world):
    world.targets("list-0", 1, days=-1)
    assert world.take("install", "list-0", "root-1")[1]["code"] == "trustlist_expired"
    world.take("install", "list-1", "root-1")
    data, own = (world.base / "b.licence.json").read_bytes(), TrustStore.load(world.trust)
    later = now() + 8 * DAY
    report, chosen = judge_with_lists(world.trust, data, own, later, now=later)
    assert (report.exit_code, chosen.fault.code) == (11, "trustlist_expired")
    with pytest.raises(FormatError):
        installed(world.trust, "city-b", now=later)
    # It is renewed all the same: what it signed tells who may go on.
    world.targets("list-2", 2)
    assert world.take("install", "list-2")[0] == 0


def test_the_first_root_must_be_the_one_whose_digest_came_another_way(world):
    assert world.take("install", "list-1", "root-1", digest="0" * 64)[0] == 5
    assert world.take("install", "list-1", "root-1", digest="")[0] == 2
    assert names(world.trust) == []


def test_each_byte_of_a_list_counts(world):
    data = (world.folder / "list-1").read_bytes()
    for at in range(0, len(data), max(1, len(data) // 60)):
        (world.folder / "spoilt").write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
        assert world.take("install", "spoilt", "root-1")[0] in {2, 5}
    assert names(world.trust) == []


def test_what_is_installed_and_damaged_is_said(world, capsys):
    world.take("install", "list-1", "root-1")
    path = world.trust / "lists" / "city-b.json"
    path.write_text("{}")
    with pytest.raises(TrustUnreadableError):
        installed(world.trust, "city-b", now=None)
    assert world.verify()[0] == 5


def test_what_is_shown(world, capsys):
    world.take("install", "list-1", "root-1")
    code, told = world.run("trust", "list", "show", "--trust", str(world.trust), words=False)
    assert (code, told["city-b"]["version"]) == (0, 1)
    code, told = world.run("trust", "list", "show", str(world.folder / "root-1"), words=False)
    assert (code, len(told["signed_by"]), told["digest"]) == (0, 2, world.digest)
    assert main(["trust", "list", "show", str(world.folder / "list-1")]) == 0
    assert USCC in capsys.readouterr().out


@pytest.mark.parametrize(
    "draft", ["[]", "x: [", "version: 1\nroot: 1\n", "keys: [zz]\nversion: 1\nexpires: 2030-01-01\n"], ids=str
)
def test_a_draft_with_faults_is_named(world, draft):
    (world.folder / "bad.yaml").write_text(draft)
    key = str(world.folder / "one.key")
    assert (
        world.run("trust", "list", "make", str(world.folder / "bad.yaml"), str(world.folder / "x"), "--key", key)[0]
        == 2
    )
    assert not (world.folder / "x").exists()


@pytest.mark.parametrize("name", ["../x", "A", "", "x" * 64])
def test_a_list_has_a_plain_name(world, name):
    assert world.take("install", "list-1", "root-1", name=name)[0] in {2, 5}


def test_a_licence_that_city_b_issues_after_its_withdrawal_is_refused_and_those_before_are_not(world):
    before, withdrawn = world.issued(1), now()
    while now() <= withdrawn:
        time.sleep(0.05)
    after = world.issued(4)
    world.targets("list-2", 2, until=withdrawn + timedelta(seconds=1))
    assert world.take("install", "list-2", "root-1")[0] == 0
    assert world.verify(file=before)[0] == 0
    code, report = world.verify(file=after)
    assert (code, report["verdict"]) == (11, "INDETERMINATE")
    assert world.verify()[0] == 0


def test_two_installs_at_once_end_with_the_newest(world, monkeypatch):
    world.targets("list-2", 2)
    world.take("install", "list-1", "root-1")
    original, order = trustlist_folder.check, []

    def slow(*arguments, **named):
        found = original(*arguments, **named)
        if found.targets.version == 1:
            # The other one would now install version 2, and this one take it back.
            other.start()
            other.join(0.3)
        order.append(found.targets.version)
        return found

    def text(name):
        return (world.folder / name).read_text("utf-8")

    def newer():
        trustlist_folder.install(world.trust, "city-b", [], text("list-2"), now=now())

    other = threading.Thread(target=newer)
    monkeypatch.setattr(trustlist_folder, "check", slow)
    trustlist_folder.install(world.trust, "city-b", [], text("list-1"), now=now())
    other.join()
    assert order == [1, 2]
    assert installed(world.trust, "city-b", now=None).targets.version == 2
    assert names(world.trust) == ["city-b"]


@pytest.fixture(scope="module")
def papers(tmp_path_factory):
    """Papers of city B, which name no issuer that could be believed before they are judged."""
    pytest.importorskip("typst", reason="needs the extra `documents`")
    if not sm2_signs():
        pytest.skip("this libcrypto signs no SM2")
    settings = papers_city.found(tmp_path_factory.mktemp("papers") / "var")
    office = papers_city.open_office(settings)
    identifier = papers_city.licences(office, papers_city.CODES[0])[0]
    paper = Paper.of(office.licensing.kinds[papers_city.CODES[0]], office.licensing.sealed(identifier))
    found = {form: office.documents.draw(paper, form).data for form in (Form.PDF, Form.OFD, Form.QR)}
    papers_city.close(office.licensing)
    return settings, identifier, found


@pytest.mark.parametrize("form", ["PDF", "OFD", "QR"])
def test_papers_of_a_listed_city_verify_as_by_its_own_trust(world, papers, form):
    settings, identifier, found = papers
    data, at = found[Form[form]], now()
    data = data.encode() if isinstance(data, str) else data
    home = TrustStore.load(settings.trust)
    helpers = {"certificates": home.certificates}
    theirs = judge(data, home, at, **helpers)
    own = TrustStore.load(world.trust)
    before, chosen = judge_with_lists(world.trust, data, own, at, now=at, **helpers)
    assert (before.exit_code, chosen.name) == (11, "")
    uscc = LicenceIdentifier.parse(identifier).issuer
    world.targets("list-2", 2, uscc=uscc, trust=settings.trust)
    assert world.take("install", "list-2", "root-1")[0] == 0
    after, chosen = judge_with_lists(world.trust, data, own, at, now=at, **helpers)
    assert (after.verdict, chosen.name) == (theirs.verdict, "city-b")
    assert after.sub_indication == theirs.sub_indication != "NO_CERTIFICATE_CHAIN_FOUND"
    world.targets("list-3", 3, uscc=uscc, trust=settings.trust, until=now() - 20 * DAY)
    assert world.take("install", "list-3")[0] == 0
    gone, chosen = judge_with_lists(world.trust, data, own, at, now=at, **helpers)
    assert (gone.exit_code, chosen.name) == (11, "")
