"""EU DSS and veraPDF, independent implementations in Java, judge our documents at every level, and what is wrong."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from datetime import timedelta
from pathlib import Path

import pytest

pytest.importorskip("typst", reason="needs the extra `documents`")
pytest.importorskip("pyhanko", reason="needs the extra `documents`")

from licence.keys import pem_bundle
from licence.pdf.read import Level
from licence.report import Verdict
from licence.verifying import judge
from tests.licence import world as w
from tests.licence.pdf import archives as a
from tests.licence.pdf import papers as p
from tests.services import jdk

PEER = Path(__file__).parents[2] / "peers" / "dss"
LATER = w.ISSUED + timedelta(days=300)
pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
THEIR_LEVELS = {level.value: f"PAdES-BASELINE-{level.value.removeprefix('B-')}" for level in Level}


def missing(reason):
    (pytest.fail if os.environ.get("ZHENGTONG_REQUIRE_SERVICES") == "1" else pytest.skip)(reason)


@pytest.fixture(scope="module")
def classpath(tmp_path_factory):
    jdk.require()
    if shutil.which("mvn") is None:
        missing("Maven is not installed")
    out = tmp_path_factory.mktemp("dss") / "classpath"
    command = ["mvn", "-q", "-B", "-f", PEER / "pom.xml", "dependency:build-classpath", f"-Dmdep.outputFile={out}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    if done.returncode:
        missing("Maven could not fetch EU DSS and veraPDF")
    return out.read_text()


def flipped(pdf, place):
    return pdf[:place] + bytes([pdf[place] ^ 1]) + pdf[place + 1 :]


def cases():
    """name → (file, time, lists): what both are asked."""
    bb, blt = a.at_level(Level.B_B), a.at_level(Level.B_LT)
    fresh = a.lists(w.ISSUED + timedelta(minutes=30))
    serial = a.signing_key().certificate.serial_number
    before, after = (
        a.lists(w.ISSUED + timedelta(minutes=31), revoked=[(serial, w.ISSUED + timedelta(minutes=m))])
        for m in (-60, 10)
    )
    brief = a.signing_key("short", ends=w.ISSUED + timedelta(hours=1))
    found = {level.value: (a.at_level(level), w.AT, fresh) for level in Level}
    renewed = a.renewed(a.at_level(Level.B_LTA), LATER, a.stamping_key("next"))
    found["renewed"] = (renewed, LATER + timedelta(days=1), a.lists(LATER))
    found |= {
        "altered": (flipped(bb, bb.index(b"stream") + 40), w.AT, fresh),
        "expired": (p.sealed(brief), w.AT + timedelta(hours=1), fresh),
        "expired, stamped": (a.at_level(Level.B_LTA, brief), w.AT + timedelta(hours=1), fresh),
        "revoked": (bb, w.AT, before),
        "revoked, unproven": (bb, w.AT, after),
        "revoked after the stamp": (a.at_level(Level.B_T), w.AT, after),
        "stranger": (p.sealed(p.stamping_key(w.make_root("x"), purposes=())), w.AT, fresh),
        "altered padding": (flipped(a.at_level(Level.B_LTA), -2000 + len(a.at_level(Level.B_LTA))), w.AT, fresh),
        "shadow": (dict(shadows(bb))["page"], w.AT, fresh),
        "shadow after archiving": (dict(shadows(blt))["page"], w.AT, fresh),
    }
    return found


def shadows(pdf):
    """Another page content, shown by an update that anybody can append."""
    page = int(re.findall(rb"(\d+) 0 obj[^>]*?/Type/Page[/ >]", pdf.replace(b"\n", b" "))[-1])
    number = 900
    body = p.current(pdf, page)
    hidden = re.sub(rb"/Contents \d+ 0 R", b"/Contents %d 0 R" % number, body)
    content = b"<</Length 9>>\nstream\nBT ET q Q\nendstream"
    yield "page", p.update(pdf, {page: hidden, number: content}, size=number + 1)


@pytest.fixture(scope="module")
def asked():
    return cases()


@pytest.fixture(scope="module")
def answers(classpath, asked, tmp_path_factory):
    """One run of Java for all files, and for a page that is no PDF/A any more."""
    folder = tmp_path_factory.mktemp("papers")
    (folder / "root.pem").write_bytes(pem_bundle(a.world().trust.anchors))
    lines = []
    for number, (pdf, at, lists) in enumerate([*asked.values(), (unconforming(), w.AT, ())]):
        path = folder / f"{number}.pdf"
        path.write_bytes(pdf)
        crls = []
        for place, crl in enumerate(lists):
            crls.append(folder / f"{number}-{place}.crl")
            crls[-1].write_bytes(crl)
        moment = at.isoformat(timespec="seconds").replace("+00:00", "Z")
        lines.append(f"{path}\t{folder / 'root.pem'}\t{moment}\t{','.join(map(str, crls))}\n")
    (folder / "list").write_text("".join(lines))
    command = ["java", "-Dfile.encoding=UTF-8", "-Dstdout.encoding=UTF-8", "-XX:TieredStopAtLevel=1"]
    command += ["-cp", classpath, PEER / "DssPeer.java", folder / "list"]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", timeout=400, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return dict(zip([*asked, "no PDF/A"], map(json.loads, done.stdout.splitlines()), strict=True))


def unconforming():
    pdf = a.identified()
    assert b"/ID[" in pdf
    return pdf.replace(b"/ID[", b"/Id[")


@pytest.mark.parametrize("name", [*THEIR_LEVELS, "renewed"])
def test_dss_passes_ours_at_the_level_we_say(asked, answers, name):
    (signature,) = answers[name]["signatures"]
    pdf, at, lists = asked[name]
    ours = judge(pdf, a.world().trust, at, crls=lists)
    assert ours.verdict is Verdict.PASSED, ours.text("en")
    assert (signature["indication"], signature["errors"]) == ("TOTAL_PASSED", [])
    assert signature["level"] == THEIR_LEVELS[ours.facts["level"]]
    assert (signature["docmdp"], signature["undefined_changes"]) == ("NO_CHANGE_PERMITTED", 0)


@pytest.mark.parametrize(
    "name",
    ["altered", "expired", "expired, stamped", "revoked, unproven", "revoked after the stamp", "stranger"],
)
def test_dss_and_we_agree(asked, answers, name):
    pdf, at, lists = asked[name]
    ours = judge(pdf, a.world().trust, at, crls=lists)
    (theirs,) = answers[name]["signatures"]
    assert theirs["indication"].replace("_", "-") == ours.verdict.value, (theirs, ours.text("en"))


def test_a_signer_revoked_by_its_own_word_is_refused_where_dss_asks_for_proof(asked, answers):
    pdf, at, lists = asked["revoked"]
    assert judge(pdf, a.world().trust, at, crls=lists).sub_indication == "REVOKED"
    (theirs,) = answers["revoked"]["signatures"]
    assert (theirs["indication"], theirs["sub_indication"]) == ("INDETERMINATE", "REVOKED_NO_POE")


@pytest.mark.parametrize("name", ["shadow", "shadow after archiving", "altered padding"])
def test_we_refuse_what_dss_passes_and_at_most_remarks(asked, answers, name):
    pdf, at, lists = asked[name]
    assert judge(pdf, a.world().trust, at, crls=lists).verdict is Verdict.FAILED
    (theirs,) = answers[name]["signatures"]
    # If this changes, DSS has become stricter: then the case belongs to those above.
    assert theirs["indication"] == "TOTAL_PASSED"
    assert bool(theirs["undefined_changes"]) == name.startswith("shadow")


@pytest.mark.parametrize("name", [*THEIR_LEVELS, "renewed"])
def test_verapdf_finds_pdf_a_at_every_level(answers, name):
    found = answers[name]
    assert (found["flavour"], found["conforms"], found["faults"]) == ("2b", True, [])


def test_verapdf_finds_what_is_wrong(answers):
    assert answers["no PDF/A"]["conforms"] is False
    assert answers["no PDF/A"]["faults"]
