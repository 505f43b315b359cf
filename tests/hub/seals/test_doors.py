"""The whole way by command line and over HTTP."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from hub.actors import Role
from hub.api import create_app
from hub.callers import issue_key
from hub.control import Control
from hub.evidence import Evidence
from hub.service import Service
from hub.settings import Settings
from licence.ofd.container import pack
from licence.seals import otp
from licence.seals.algorithms import sm3
from licence.trust import TrustStore
from tests.hub.publishing import publish_list
from tests.hub.seals import city as c
from tests.hub.world import make_list
from tests.licence import independent_seals
from tests.licence.ofd import paper
from tests.licence.pdf import papers

REPOSITORY = Path(__file__).parents[3]
PROGRAM = (sys.executable, "-c", "import sys; from hub.cli import main; sys.exit(main())")
ASKED = ("--custodian", c.KEEPER, "--until", "2099-12-31")


@pytest.fixture
def home(tmp_path):
    """A deployment of now: the command line has the machine's clock."""
    settings = Settings.at(tmp_path / "var")
    control, evidence = Control.open(settings), Evidence.open(settings)
    publish_list(settings, control, evidence, make_list(), by="RS:office")
    evidence.log.close()
    control.close()
    return settings


def run(home, *arguments, stdin="", code=0, lang="en"):
    env = {**os.environ, "LC_ALL": "", "LANG": "C.UTF-8", "ZHENGTONG_HOME": str(home.home)}
    done = subprocess.run(
        [*PROGRAM, "--lang", lang, "seal", *map(str, arguments)],
        env=env,
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        input=stdin,
        timeout=120,
        check=False,
    )
    assert done.returncode == code, done.stderr
    return done.stdout.strip()


def told(home, *arguments, **options):
    return json.loads(run(home, *arguments, "--json", **options))


@pytest.mark.slow
def test_by_command_line(home, tmp_path):
    valid = (*ASKED, "--ground", "x", "--by", c.KEEPER)
    until = (datetime.now(UTC) + timedelta(days=500)).date().isoformat()
    code = run(home, "request", "licence", "某市人社局", "--line", "证照专用章", *valid, "--until", until)
    assert "awaiting approval" in run(home, "list")
    run(home, "approve", code, "--ground", "x", "--by", c.KEEPER, code=4)
    run(home, "approve", code, "--ground", "x", "--by", c.SECOND)
    assert "在用" in run(home, "list", lang="zh")
    run(home, "image", code, "--to", tmp_path / "a.png")
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    run(home, "image", code, "--seal", "--to", tmp_path / "a.esl")
    assert told(home, "verify", tmp_path / "a.esl")["code"] == code
    (tmp_path / "a.ofd").write_bytes(pack(paper.small_files()))
    (tmp_path / "a.pdf").write_bytes(papers.page())
    (tmp_path / "a.txt").write_text("a decision")
    use = ("--purpose", "证照签发", "--by", c.KEEPER)
    for name in ("a.ofd", "a.pdf", "a.txt"):
        run(home, "stamp", code, tmp_path / name, "--to", tmp_path / f"sealed-{name}", *use)
    run(home, "stamp", code, tmp_path / "a.txt", "--to", tmp_path / "no", "--purpose", "x", "--by", c.SECOND, code=4)
    assert not (tmp_path / "no").exists()
    assert [u["form"] for u in told(home, "uses", code)] == ["digest", "pdf", "ofd"]
    assert "signed" in run(home, "uses", code)
    soon = (datetime.now(UTC) + timedelta(days=30)).date().isoformat()
    kinds = ("--kind", c.KIND, "--until", soon, "--ground", "x", "--by", c.KEEPER)
    assert told(home, "authorise", code, *kinds)["automatic"]["kinds"] == [c.KIND]
    assert c.KIND in run(home, "show", code)
    run(home, "disable", code, "--ground", "x", "--by", c.SECOND)
    run(home, "stamp", code, tmp_path / "a.txt", "--to", tmp_path / "no", *use, code=6)
    run(home, "verify", tmp_path / "a.esl", code=5)
    run(home, "destroy", code, "--ground", "x", "--by", c.KEEPER)
    run(home, "destroy", code, "--ground", "x", "--by", c.SECOND)
    assert told(home, "show", code)["state"] == "destroyed"
    run(home, "show", "no-such-seal", code=3)


@pytest.mark.slow
def test_a_remote_signature_by_command_line(home, tmp_path):
    (tmp_path / "pin").write_text(c.PIN)
    uri = run(home, "signer", "add", c.PERSON, "--pin-file", tmp_path / "pin", "--by", c.SECOND)
    (tmp_path / "a.png").write_bytes(c.png())
    until = (datetime.now(UTC) + timedelta(days=300)).date().isoformat()
    order = ("--custodian", c.PERSON, "--until", until, "--picture", tmp_path / "a.png", "--ground", "x")
    code = run(home, "request", "signature", "签名", *order, "--by", c.KEEPER)
    run(home, "approve", code, "--ground", "x", "--by", c.SECOND)
    (tmp_path / "a.ofd").write_bytes(pack(paper.small_files()))
    words = ("--purpose", "签批", "--title", "人社复〔2026〕3 号", "--by", c.SECOND)
    asked = run(home, "sign", "ask", code, tmp_path / "a.ofd", *words)
    assert "人社复〔2026〕3 号" in run(home, "sign", "list", c.PERSON)
    answer = (asked, tmp_path / "a.ofd", "--to", tmp_path / "out.ofd", "--by", c.PERSON)
    run(home, "sign", "approve", *answer, stdin="wrong-pin\n000000\n", code=4)
    secret = base64.b32decode(uri.split("secret=")[1].split("&")[0])
    (tmp_path / "otp").write_text(otp.password(secret, otp.step_at(datetime.now(UTC))))
    proof = ("--pin-file", tmp_path / "pin", "--otp-file", tmp_path / "otp")
    run(home, "sign", "approve", *answer, *proof)
    assert (tmp_path / "out.ofd").exists()
    run(home, "sign", "approve", *answer, *proof, code=6)
    assert told(home, "sign", "list", c.PERSON)[0]["state"] == "spent"
    assert "active" in run(home, "signer", "list")


@pytest.fixture
def http(home):
    keys, control, evidence = {}, Control.open(home), Evidence.open(home)
    for department, post, roles in (
        ("RS", "seal-keeper", (Role.APPLY,)),
        ("RS", "head-of-office", (Role.REVIEW,)),
        ("RS", "deputy-2", (Role.REVIEW,)),
        ("GA", "seal-keeper", (Role.APPLY,)),
        ("GA", "auditor", (Role.AUDIT,)),
    ):
        terms = {"department": department, "name": post, "by": "RS:office", "roles": roles}
        keys[f"{department}:{post}"] = issue_key(control, evidence, make_list(), **terms).key
    evidence.log.close()
    control.close()
    app = create_app(home, open_service=Service.open)
    with TestClient(app, raise_server_exceptions=False) as client:

        def call(method, path, by, body=None, status=200):
            headers = {"authorization": f"Bearer {keys[by]}", "accept-language": "en"}
            done = client.request(method, path, headers=headers, json=body)
            assert done.status_code == status, done.text
            return done.json() if "json" in done.headers["content-type"] else done.content

        call.client = client
        yield call


def rectangle(pdf):
    """Where the seal stands, as the file says it."""
    import re

    return re.findall(rb"/Rect ?\[[^\]]*\]", pdf)


def test_signers_over_http(http):
    path = "/v1/seals/signers"
    order = {"person": c.PERSON, "pin": c.PIN}
    made = http("POST", path, c.SECOND, order, 201)
    assert made["otp_uri"].startswith("otpauth://")
    http("POST", path, c.SECOND, order, 409)
    http("POST", path, c.OTHER, {"person": "RS:other-1", "pin": c.PIN}, 403)
    http("POST", path, c.SECOND, {"person": "RS:other-1", "pin": "111111"}, 422)
    (one,) = http("GET", path, c.SECOND)["items"]
    assert (one["person"], one["state"]) == (c.PERSON, "active")
    assert not {"key", "otp", "salt", "pin"} & one.keys()
    assert http("GET", path, c.OTHER)["items"] == []
    assert len(http("GET", path, "GA:auditor")["items"]) == 1
    renewal = {"pin": "another-pin", "ground": "PIN 码遗失"}
    http("POST", f"{path}/{c.PERSON}:renew", c.SECOND, {"pin": "another-pin"}, 422)
    http("POST", f"{path}/RS:nobody:renew", c.SECOND, renewal, 404)
    assert http("POST", f"{path}/{c.PERSON}:renew", c.SECOND, renewal, 201)["number"] == 2


def test_over_http(http, home):
    now = datetime.now(UTC)
    order = {
        "sort": "official",
        "name": "某市人力资源和社会保障局",
        "custodian": c.KEEPER,
        "valid_from": (now - timedelta(days=1)).isoformat(),
        "valid_until": (now + timedelta(days=500)).isoformat(),
        "picture": base64.b64encode(c.png()).decode(),
        "ground": "x",
    }
    code = http("POST", "/v1/seals", c.KEEPER, order, 201)["code"]
    path, ground = f"/v1/seals/{code}", {"ground": "x"}
    assert http("POST", f"{path}:approve", c.KEEPER, ground, 403)["code"] == "seal_not_yours"
    http("POST", f"{path}:approve", c.OTHER, ground, 403)
    http("POST", f"{path}:stamps", c.KEEPER, ground, 404)
    digest = base64.b64encode(sm3(b"a decision")).decode()
    use = {"document": digest, "purpose": "测试"}
    http("POST", f"{path}/stamps", c.KEEPER, use, 409)
    assert http("POST", f"{path}:approve", c.SECOND, ground)["state"] == "in_use"
    http("POST", f"{path}/stamps", c.SECOND, use, 403)
    http("POST", f"{path}/stamps", c.KEEPER, {"document": "!", "purpose": "x"}, 422)
    done = http("POST", f"{path}/stamps", c.KEEPER, use)
    assert base64.b64decode(done["data"])
    assert [u["id"] for u in http("GET", f"{path}/uses", c.SECOND)["items"]] == [done["use"]]
    page = base64.b64encode(papers.page()).decode()
    placed = {"document": page, "purpose": "测试", "x_mm": 20, "y_mm": 30}
    first, second = (
        base64.b64decode(http("POST", f"{path}/stamps", c.KEEPER, body)["data"])
        for body in (placed, placed | {"x_mm": 90})
    )
    assert rectangle(first) != rectangle(second)
    for wrong in ({"x_mm": 20}, {"x_mm": -1, "y_mm": 1}, {"x_mm": True, "y_mm": 1}, {"x_mm": "1", "y_mm": 1}):
        http("POST", f"{path}/stamps", c.KEEPER, {"document": digest, "purpose": "测试", **wrong}, 422)
    http("GET", path, c.OTHER, status=403)
    assert http("GET", path, "GA:auditor")["code"] == code
    assert http("GET", "/v1/seals", c.OTHER)["items"] == []
    assert http("GET", f"{path}/image", c.KEEPER).startswith(b"\x89PNG")
    http("GET", "/v1/seals/none", c.KEEPER, status=404)
    token = http.client.get("/v1/seal-register")
    from licence.seals.published import read_register

    register = read_register(token.text, TrustStore.load(home.trust))
    assert [s.state for s in register.seals.values()] == ["in_use"]
    http("POST", f"{path}:disable", c.SECOND, ground)
    http("POST", f"{path}/stamps", c.KEEPER, use, 409)


def test_a_remote_signature_over_http(http):
    service = http.client.app.state.service
    from hub.seals import Seals
    from hub.seals.words import Sort
    from licence.seals.register import Action

    office = Seals.over(service.settings, service.control, service.evidence)
    enrolled = office.add_signer(c.PERSON, c.PIN, by=c.SECOND)
    now = datetime.now(UTC)
    term = {"valid_from": now - timedelta(days=1), "valid_until": now + timedelta(days=100)}
    seal = office.request(c.order(sort=Sort.SIGNATURE, custodian=c.PERSON, **term), by=c.KEEPER, ground="x")["code"]
    office.decide(seal, Action.APPROVE, by=c.SECOND, ground="x")
    document = base64.b64encode(sm3(b"a decision")).decode()
    asked = http("POST", "/v1/seal-approvals", c.SECOND, {"seal": seal, "document": document, "purpose": "签批"}, 201)
    assert [a["id"] for a in http("GET", "/v1/seal-approvals", c.PERSON)["items"]] == [asked["id"]]
    proof = {"document": document, "pin": c.PIN, "password": "000000"}
    path = f"/v1/seal-approvals/{asked['id']}:approve"
    assert http("POST", path, c.PERSON, proof, 403)["code"] == "seal_proof_wrong"
    http("POST", path, c.SECOND, proof, 403)
    right = otp.password(c.secret_of(enrolled), otp.step_at(datetime.now(UTC)))
    done = http("POST", path, c.PERSON, {**proof, "password": right})
    trust = c.independent_trust(office)
    signature = base64.b64decode(done["data"])
    assert independent_seals.verify_signature(signature, sm3(b"a decision"), trust, datetime.now(UTC)) == 0
    http("POST", path, c.PERSON, {**proof, "password": right}, 409)
