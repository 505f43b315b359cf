"""ofdrw, an independent implementation in Java, accepts the OFD that the hub hands out under the department's seal."""

from __future__ import annotations

import hashlib

import pytest

pytest.importorskip("typst", reason="needs the extra `documents`")

from hub.authority.keeping import sm2_signs
from hub.licensing.downloads import Order
from hub.licensing.papers import Form
from licence.ofd.container import pack, unpack
from licence.ofd.read import read_ofd
from licence.seals.structure import V4, V5, parse_signature
from tests.hub.licensing import papers_city as c
from tests.licence.ofd.test_peer_ofdrw import ask, classpath

__all__ = ["classpath"]
pytestmark = pytest.mark.slow


@pytest.fixture(params=[V4, V5], ids=["V4", "V5"])
def made(request, tmp_path):
    """A copy as it is downloaded, under a seal of this version, and the file that ofdrw is given."""
    if not sm2_signs():
        pytest.skip("this libcrypto signs no SM2")
    office = c.open_office(c.found(tmp_path / "var", structure=request.param))
    order = Order(c.MATTER, "办理住房公积金提取", 30)
    done = office.downloads.download(c.licences(office)[1], Form.OFD, order, by=c.ISSUER)
    c.close(office.licensing)
    (tmp_path / "a.ofd").write_bytes(done.data)
    return request.param, done.data, tmp_path / "a.ofd"


def test_ofdrw_reads_what_the_hub_handed_out_and_accepts_seals_of_the_version_it_knows(classpath, made):
    version, data, path = made
    (signature,) = read_ofd(data).signatures
    files = unpack(data).files
    done = ask(classpath, path, "seal")
    text = "".join(line.removeprefix("text ") for line in done.stdout.splitlines() if line.startswith("text "))
    for expected in ("居住证", c.RARE, "人力资源和社会保障局"):
        assert expected in text
    seal = parse_signature(signature.value).signed.seal
    assert seal.structure == version
    assert any(name.endswith(".esl") and kept == seal.raw for name, kept in files.items())
    if version == V4:
        assert done.returncode == 0, done.stderr
        digest = hashlib.sha256(files[signature.path]).hexdigest()
        told = {f"signature Seal {digest} {len(signature.value)}", "seal valid", "digests valid"}
        assert told <= set(done.stdout.splitlines())
    else:
        # It knows V1 and V4, and takes the V5 seal in the signature for another than the one beside it.
        assert done.returncode != 0
        assert "印章(Seal.esl)" in done.stderr


def test_ofdrw_refuses_a_page_that_was_altered(classpath, made):
    _, data, path = made
    files = dict(unpack(data).files)
    name = "Doc_0/Pages/Page_0/Content.xml"
    path.write_bytes(pack(files | {name: files[name].replace("居住证".encode(), "居住征".encode())}))
    done = ask(classpath, path)
    assert done.returncode != 0
    assert "FileIntegrityException" in done.stderr
