"""The page on calling works as it is written: its lines are run, in their order, against a hub that is served."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from audit.notes import VerifierKey
from audit.proof import LogProof
from hub import client, errors
from hub.api.problems import known_problems
from hub.demo.story import CALLED, Story
from hub.ingestion import run_here
from hub.receipts import read
from hub.sandbox.samples import Sandbox
from hub.scheduler import free_port
from hub.settings import Settings
from tests.services import jdk
from tests.test_docs import ROOT, blocks
from tests.test_docs_facts import codes_in, table

PAGE = ROOT / "docs" / "calling.md"
SERVED, SAMPLE, PERSON = "http://127.0.0.1:8080", "000000201304140004", "11010519491231002X"
LIMIT_S = 120
pytestmark = pytest.mark.slow


@dataclasses.dataclass
class Walk:
    """A folder beside a served hub, in which the page's blocks are run."""

    story: Story
    folder: Path
    words: dict[str, str]

    def run(self, info, text):
        """Run a block of the page, its address and its persons being those of this hub."""
        for word, other in self.words.items():
            text = text.replace(word, other)
        if info == "java":
            (self.folder / "Call.java").write_text(text)
            return None
        command = ["bash", "-ec", text] if info == "sh" else [sys.executable, "-W", "error", "-c", text]
        environ = {name: value for name, value in os.environ.items() if not name.startswith("ZHENGTONG_")}
        path = f"{Path(sys.executable).parent}:{environ['PATH']}"
        return subprocess.run(
            command,
            cwd=self.folder,
            env={**environ, "PATH": path, "LC_ALL": "C.UTF-8"},
            capture_output=True,
            text=True,
            check=False,
            timeout=LIMIT_S,
        )

    def read(self, name):
        return json.loads((self.folder / name).read_text())


@pytest.fixture(scope="module")
def walk(tmp_path_factory):
    folder = tmp_path_factory.mktemp("calling")
    story = Story(dataclasses.replace(Settings.at(folder / "var"), api_port=free_port()), scale=0.01)
    story.build_city()
    story.open_systems()
    story.publish()
    run_here(story.settings, CALLED, "day-1")
    story.give_grants()
    address = story.serve()
    resource = story.list_.by_code[CALLED]
    (sample, *_) = Sandbox(story.list_).sample_keys(resource)["citizen_id"]
    yield Walk(story, folder, {SERVED: address, SAMPLE: sample, PERSON: story.someone()})
    story.stop()


@pytest.fixture(scope="module")
def told(walk):
    """What each block printed, by how it begins; what Java says is its own test's affair."""
    told = {}
    for info, text in blocks(PAGE):
        if not text.startswith("java "):
            done = walk.run(info, text)
            assert done is None or done.returncode == 0, f"{text}\n{done.stdout}\n{done.stderr}"
            told[text] = done.stdout if done else ""
    return told


def printed(told, piece):
    (found,) = [out for text, out in told.items() if piece in text]
    return found


def test_the_page_shows_all_its_languages():
    assert {info for info, _ in blocks(PAGE)} == {"sh", "python", "java"}


def test_the_sandbox_tells_a_value_that_it_knows(told, walk):
    keys = json.loads(printed(told, "/v1/sandbox/resources/3010010001\n"))["keys"]
    assert walk.words[SAMPLE] in keys["citizen_id"]


def test_the_sandbox_answers_curl(told, walk):
    assert printed(told, "try-answer.json") == "200\n"
    (record,) = walk.read("try-answer.json")["records"]
    assert record["name"].startswith("样")
    assert walk.read("try-answer.json")["receipt"]["log"].endswith("/sandbox")


def test_secrets_are_for_their_owner_alone(told, walk):
    for name in ("sandbox.key", "sandbox.header", "window.key", "window.bearer", "window.header", "call.json"):
        assert (walk.folder / name).stat().st_mode & 0o077 == 0, name


def test_python_is_answered(told, walk):
    called = printed(told, "client.query(RESOURCE, **asked")
    assert "birth_date" in called
    assert "'phone': 'keep_last_4'" in called
    several, verified = printed(told, "several = client").splitlines()
    assert several == "[1, 1]"
    assert set(re.findall(r"'(\w+)'(?=[,}])", verified)) == {"mismatch"}
    assert read(walk.read("answer.json")["receipt"]).facts("proof") == "signature"


def test_curl_is_answered_where_openssl_signs(told, walk):
    assert printed(told, "> base") == "200\n"
    answer = walk.read("signed-answer.json")
    assert (len(answer["records"]), answer["masked"]) == (1, {"phone": "keep_last_4"})
    assert read(answer["receipt"]).facts("proof") == "signature"


def test_curl_is_answered_in_production_and_a_repetition_is_the_same(told, walk):
    first, second, *fields = printed(told, "Idempotency-Key").splitlines()
    assert (first, second) == ("200", "200")
    names = {line.partition(":")[0].lower() for line in fields}
    assert "zhengtong-receipt" in names
    assert len(walk.read("first.json")["records"]) == 1
    assert read(walk.read("first.json")["receipt"]).facts("proof") == "bearer"


def test_the_receipt_holds_and_an_altered_answer_does_not(told, walk):
    (check,) = [text for text in told if text.startswith("zhengtong receipt check")]
    whole = (walk.folder / "first.json").read_bytes()
    assert b'"keep_last_4"' in whole
    try:
        (walk.folder / "first.json").write_bytes(whole.replace(b'"keep_last_4"', b'"keep_last_3"', 1))
        assert walk.run("sh", check).returncode == 10
    finally:
        (walk.folder / "first.json").write_bytes(whole)


def test_what_is_not_granted_is_a_problem_with_its_reason(told, walk):
    assert printed(told, "problem.json") == "403\n"
    problem = walk.read("problem.json")
    assert problem["code"] == "denied"
    assert "field_not_granted" in [reason["code"] for reason in problem["reasons"]]


def test_the_proof_of_possession_is_of_one_system_alone(told, walk):
    (add,) = [text for text in told if "--public window.key.pub" in text]
    (register,) = [text for text in told if "> window.client" in text]
    other = register.replace("--name window", "--name other").replace("window.client", "other.client")
    assert walk.run("sh", other).returncode == 0
    assert walk.run("sh", add.replace("window.client", "other.client")).returncode != 0


class TestJava:
    @pytest.fixture
    def java(self, told, walk):
        jdk.require()
        (line,) = [text for info, text in blocks(PAGE) if text.startswith("java ")]
        return lambda: walk.run("sh", line)

    @pytest.fixture
    def instead(self, walk):
        """Puts other content into a file until the test has ended."""
        kept = {}

        def put(name, content):
            kept[name] = (walk.folder / name).read_bytes()
            (walk.folder / name).write_bytes(content)

        yield put
        for name, content in kept.items():
            (walk.folder / name).write_bytes(content)

    @pytest.mark.service("jdk")
    def test_it_is_answered_and_the_log_holds_what_was_answered(self, java, walk):
        done = java()
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.startswith("200 {")
        answer = walk.read("java-answer.json")
        assert answer["masked"] == {"phone": "keep_last_4"}
        receipt = read(answer["receipt"])
        assert receipt.facts("proof") == "signature"
        pinned = VerifierKey.from_text((walk.folder / "var/public/log.vkey").read_text().strip())
        proof = walk.run("sh", f"curl --silent --fail {SERVED}/v1/log/proof/{receipt.index}").stdout
        assert LogProof.from_text(proof).verify(receipt.leaf, [pinned]).size > receipt.index

    @pytest.mark.service("jdk")
    def test_the_signature_of_another_key_is_refused_with_the_reason(self, java, walk, instead):
        made = subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519"], capture_output=True, check=True)
        instead("window.key", made.stdout)
        done = java()
        assert done.returncode == 1
        assert done.stdout.startswith("401 ")
        assert json.loads(done.stdout.partition(" ")[2])["code"] == "signature_wrong"

    @pytest.mark.service("jdk")
    def test_an_answer_that_was_not_signed_by_the_pinned_key_is_not_used(self, java, walk, instead):
        pinned = (walk.folder / "answers.key.pub").read_text().strip()
        other = "A" if pinned[12] != "A" else "B"
        instead("answers.key.pub", f"{pinned[:12]}{other}{pinned[13:]}".encode())
        (walk.folder / "java-answer.json").unlink(missing_ok=True)
        done = java()
        assert done.returncode == 2
        assert done.stdout == ""
        assert "Do not use this answer" in done.stderr
        assert not (walk.folder / "java-answer.json").exists()


def test_what_to_do_next_is_told_of_problems_that_exist():
    known = known_problems()
    rows = table(PAGE, "next")
    wrong = [
        code for _, status, codes, _ in rows for code in codes_in([codes]) if str(known[code]["status"]) not in status
    ]
    assert wrong == []
    told = {name for *_, name in rows for name in codes_in([name])}
    assert {name for name in told if not hasattr(client, name) and not hasattr(errors, name)} == set()
