"""ofdrw, an independent implementation in Java, reads our text, finds our signature and agrees on every digest."""

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

import pytest

pytest.importorskip("fontTools", reason="needs the extra `documents`")
pytest.importorskip("noto_cjk_sans_otc", reason="needs the font package of the extra `documents`")

from licence.ofd.container import pack, unpack
from licence.ofd.layout import Box
from licence.ofd.read import read_ofd
from licence.ofd.seal import SIGNATURE_PATH, Stamp, seal
from licence.seals.structure import V4
from licence.suites import SM2_SM3
from tests.licence.ofd import paper
from tests.licence.seals import city as c

PEER = Path(__file__).parents[2] / "peers" / "ofdrw"
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def classpath(tmp_path_factory):
    if not (shutil.which("mvn") and shutil.which("java")):
        missing("Maven and Java are not installed")
    out = tmp_path_factory.mktemp("ofdrw") / "classpath"
    command = ["mvn", "-q", "-B", "-f", PEER / "pom.xml", "dependency:build-classpath", f"-Dmdep.outputFile={out}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    if done.returncode:
        missing("Maven could not fetch ofdrw")
    return out.read_text()


def missing(reason):
    if os.environ.get("ZHENGTONG_REQUIRE_SERVICES") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


def ask(classpath, path, *more):
    command = [
        "java",
        "-Dfile.encoding=UTF-8",
        "-Dstdout.encoding=UTF-8",
        "-cp",
        classpath,
        PEER / "OfdrwPeer.java",
        path,
        *more,
    ]
    return subprocess.run(command, capture_output=True, encoding="utf-8", timeout=120, check=False)


def test_ofdrw_reads_what_we_wrote(classpath, tmp_path):
    city = c.make_city(SM2_SM3)
    made = c.new_seal(city, version=V4)
    stamp = Stamp(made.raw, Box(130, 215, 42, 42), "20260301080000Z")
    where = {"property_info": SIGNATURE_PATH}
    data = seal(paper.files(), stamp, lambda digest: c.applied(city, made, document_digest=digest, **where).raw)
    (tmp_path / "a.ofd").write_bytes(data)
    done = ask(classpath, tmp_path / "a.ofd", "seal")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    text = "".join(line.removeprefix("text ") for line in lines if line.startswith("text "))
    for expected in ("营业执照", "㐱𬀩𣲘", paper.IDENTIFIER, "某市㛃䶮<𬱖𠅤>𫖯龘𰻝商贸有限公司"):
        assert expected in text
    (signature,) = read_ofd(data).signatures
    raw = unpack(data).files[signature.path]
    assert f"signature Seal {hashlib.sha256(raw).hexdigest()} {len(signature.value)}" in lines
    assert "seal valid" in lines
    assert "digests valid" in lines


def test_ofdrw_refuses_an_altered_page_too(classpath, tmp_path):
    files = dict(unpack(paper.sealed()).files)
    name = "Doc_0/Pages/Page_0/Content.xml"
    (tmp_path / "b.ofd").write_bytes(pack(files | {name: files[name].replace("证A".encode(), "证B".encode())}))
    done = ask(classpath, tmp_path / "b.ofd")
    assert done.returncode != 0
    assert "FileIntegrityException" in done.stderr
