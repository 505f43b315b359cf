"""Who may do what with licences, seals, e-materials and wallets: every door, knocked at in every role.

A row says which roles open a door, what the department whose affair it is gets, and what another one gets.
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass, field, replace

import pytest
from fastapi.testclient import TestClient

from hub.actors import Role
from hub.api import create_app
from hub.callers import issue_key
from hub.settings import Settings
from licence.seals.image import round_seal
from licence.seals.picture import drawn_picture
from tests.hub.licensing.dossiers.conftest import LAW, ONE, WHY, make_city
from tests.hub.world import IDS, MATTER

OWN, OTHER = "RS", "MZ"
C, A, R, O, U, P = Role.CALL, Role.APPLY, Role.REVIEW, Role.OFFICE, Role.AUDIT, Role.PERSON  # noqa: E741 - the office
OPEN = {200, 201}
# Let in, and then the step is not possible now or something in the body is wrong.
LET_IN = {200, 201, 404, 409, 422}
ONE_KIND = "11100000000013338W012"
WORDS = {"reason": WHY, "ground": LAW}
DIGEST = base64.b64encode(b"\x01" * 32).decode()
PAPER = {"name": "租房合同", "matter": MATTER, "holder": IDS[0]}
SEAL = {
    "sort": "licence",
    "name": "某市人力资源和社会保障局",
    "custodian": "RS:review",
    "valid_from": "2026-01-01T00:00:00+08:00",
    "valid_until": "2099-01-01T00:00:00+08:00",
    "ground": LAW,
}
ORDER = {"kind": ONE, "holder": IDS[1], **WORDS}
DECISION = {"licence": "{suspended}", "action": "resume", **WORDS}
COPY = {"format": "bundle", "reason": "核对", "purpose": MATTER, "days": 3}


@dataclass(frozen=True)
class Row:
    door: str
    roles: str
    other: int | dict
    own: set = field(default_factory=lambda: OPEN)
    body: object = None

    @property
    def let_in(self):
        return {by_letter[letter] for letter in self.roles}


by_letter = {"C": C, "A": A, "R": R, "O": O, "U": U, "P": P}
# The office and auditors see all.
SEEN = {A: 403, R: 403, O: 200, U: 200}
TABLE = [
    Row("GET /v1/licences/{licence}", "CAROU", 200),
    Row("POST /v1/licences:find", "CAR", 403, body={"holder": IDS[0], "purpose": MATTER}),
    Row("POST /v1/licences:verify", "CAROU", 200, body=b"x"),
    Row("POST /v1/licences/{licence}:download", "CAR", 403, body=COPY),
    Row("POST /v1/codes", "CARP", {C: 403, A: 403, R: 403, P: 403}, {201, 403}, {"licence": "{licence}"}),
    Row("POST /v1/codes:redeem", "CAR", 422, {422}, {"code": "x" * 22, "purpose": MATTER}),
    Row("GET /v1/licences/applications", "AROU", 200),
    Row("GET /v1/licences/applications/{case}", "AROU", SEEN),
    Row("POST /v1/licences/applications", "A", 403, LET_IN, ORDER),
    Row("POST /v1/licences/applications:preview", "AR", 403, body={"kind": ONE, "holder": IDS[1]}),
    Row("POST /v1/licences/applications/{case}:look", "AR", 403, body={}),
    Row("POST /v1/licences/applications/{case}:complete", "A", 403, LET_IN, {"reason": WHY}),
    Row("POST /v1/licences/applications/{case}:return", "R", 403, LET_IN, {"reason": WHY}),
    Row("POST /v1/licences/applications/{case}:review", "R", 403, LET_IN, {}),
    Row("POST /v1/licences/applications/{case}:approve", "R", 403, LET_IN, {}),
    Row("POST /v1/licences/applications/{case}:hand-out", "R", 403, LET_IN, {}),
    Row("POST /v1/licences/applications/{case}:refuse", "R", 403, LET_IN, WORDS),
    Row("POST /v1/licences/applications/{case}:withdraw", "A", 403, LET_IN, {"reason": WHY}),
    Row("GET /v1/licences/decisions", "AROU", 200),
    Row("POST /v1/licences/decisions", "R", 403, LET_IN, DECISION),
    Row("GET /v1/licences/decisions/{decision}", "AROU", SEEN),
    Row("POST /v1/licences/decisions/{decision}:confirm", "R", 403, LET_IN, {}),
    Row("POST /v1/licences/decisions/{decision}:drop", "R", 403, LET_IN, {"reason": WHY}),
    Row("GET /v1/seals", "AROU", 200),
    Row("GET /v1/seals/{seal}", "AROU", SEEN),
    Row("GET /v1/seals/{seal}/uses", "AROU", SEEN),
    Row("GET /v1/seals/{seal}/image", "AROU", SEEN),
    Row("POST /v1/seals", "ARO", {A: 403, R: 403, O: 201}, LET_IN, {**SEAL, "department": OWN}),
    Row("POST /v1/seals/{seal}/stamps", "ARO", 403, {403, 409}, {"document": DIGEST, "purpose": WHY}),
    *(
        Row(f"POST /v1/seals/{{seal}}:{step}", "ARO", {A: 403, R: 403, O: 409}, {200, 403, 409}, {"ground": LAW})
        for step in ("disable", "enable", "keep", "request-destruction")
    ),
    Row("GET /v1/seals/signers", "AROU", 200),
    Row("POST /v1/seals/signers", "ARO", {A: 403, R: 403, O: 422}, {422}, {"person": "RS:deputy", "pin": "1"}),
    Row("POST /v1/seals/signers/{none}:renew", "ARO", 404, {404, 422}, {"pin": "73-blue-owl", "ground": LAW}),
    Row("GET /v1/seal-approvals", "ARO", 200),
    Row(
        "POST /v1/seal-approvals",
        "ARO",
        {A: 403, R: 403, O: 422},
        {422},
        {"seal": "{seal}", "document": DIGEST, "purpose": WHY},
    ),
    Row("POST /v1/seal-approvals/{none}:approve", "ARO", 404, {404}, {"document": DIGEST, "pin": "1", "password": "1"}),
    Row("POST /v1/seal-approvals/{none}:decline", "ARO", 404, {404}, {}),
    Row("POST /v1/materials", "AR", 422, LET_IN, {**PAPER, "content": "eA=="}),
    Row("POST /v1/materials:find", "AR", 200, body={"holder": IDS[0], "matter": MATTER}),
    Row("GET /v1/materials/{material}", "AR", 404),
    Row("GET /v1/materials/{material}/record", "AR", 404),
    Row("POST /v1/materials/{material}:reuse", "AR", 404, LET_IN, {"matter": MATTER, "case": "BJ-1", "purpose": WHY}),
    Row("GET /v1/materials/{material}/uses/1/content", "AR", 404, LET_IN),
    Row("POST /v1/materials/{material}:void", "AR", 404, LET_IN, {"reason": WHY}),
    Row("POST /v1/wallet-offers", "ARP", {A: 403, R: 403, P: 422}, {201, 422}, {"licence": "{licence}"}),
    Row(
        "POST /v1/wallet-requests",
        "C",
        422,
        {201, 422},
        {"matter": MATTER, "licences": [{"kind": ONE_KIND, "fields": ["KZ_XM"]}]},
    ),
    Row("GET /v1/wallet-requests/{none}", "C", 404, {404}),
]
# Steps that want other members, and those after which a seal is none: by the role alone, below.
BY_ROLE = {"approve", "reject", "destroy", "transfer", "authorise"}
NEW = ("/v1/licences", "/v1/codes", "/v1/seal", "/v1/materials", "/v1/wallet-")


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    settings = replace(Settings.at(tmp_path_factory.mktemp("may") / "var"), api_hosts="city.example")
    make_city(settings)
    with TestClient(create_app(settings)) as client:
        yield client


@pytest.fixture(scope="module")
def keys(client):
    service = client.app.state.service
    list_ = service.standing.now().list

    def made(department, role):
        given = issue_key(
            service.control,
            service.evidence,
            list_,
            department=department,
            name=str(role),
            by="office",
            roles=(role,),
        )
        return {"authorization": f"Bearer {given.key}"}

    return {(department, role): made(department, role) for department in (OWN, OTHER) for role in Role}


@pytest.fixture(scope="module")
def things(client, keys):
    """One of each, opened by the department that issues."""

    def post(path, role, body):
        got = client.post(path, json=body, headers=keys[OWN, role])
        assert got.status_code == 201, got.text
        return got.json()

    order = {**ORDER, "holder": IDS[0]}
    issued = []
    for holder in (IDS[0], IDS[3]):
        case = post("/v1/licences/applications", A, {**order, "holder": holder})["id"]
        for step in ("review", "hand-out"):
            got = client.post(f"/v1/licences/applications/{case}:{step}", json={}, headers=keys[OWN, R])
            assert got.status_code == 200, got.text
        issued.append(got.json()["licence"])
    licence, suspended = issued
    png = base64.b64encode(drawn_picture(round_seal("某局")).data).decode()
    return {
        "licence": licence,
        "suspended": suspended,
        "case": post("/v1/licences/applications", A, {**order, "holder": IDS[2]})["id"],
        "decision": post("/v1/licences/decisions", R, {**DECISION, "licence": suspended, "action": "suspend"})["id"],
        "seal": post("/v1/seals", A, SEAL)["code"],
        "material": post("/v1/materials", A, {**PAPER, "content": png})["identifier"],
        "none": "0" * 32,
    }


def knock(client, things, row, headers):
    method, path = row.door.split(" ")
    body = row.body
    if isinstance(body, dict):
        body = {name: value.format(**things) if isinstance(value, str) else value for name, value in body.items()}
        return client.request(method, path.format(**things), json=body, headers=headers)
    return client.request(method, path.format(**things), content=body, headers=headers)


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.door)
class TestEveryDoor:
    def test_is_shut_to_nobody_and_to_other_roles(self, client, keys, things, row):
        assert knock(client, things, row, {}).status_code == 401
        for role in set(Role) - row.let_in:
            for department in (OWN, OTHER):
                got = knock(client, things, row, keys[department, role])
                assert (got.status_code, got.json()["code"]) == (403, "role_missing"), role

    def test_gives_another_department_what_is_its_to_have(self, client, keys, things, row):
        for role in sorted(row.let_in):
            wanted = row.other[role] if isinstance(row.other, dict) else row.other
            got = knock(client, things, row, keys[OTHER, role])
            assert got.status_code == wanted, (role, got.text)
            if wanted >= 400:
                assert IDS[0] not in got.text

    def test_opens_to_the_department_whose_affair_it_is(self, client, keys, things, row):
        for role in sorted(row.let_in):
            got = knock(client, things, row, keys[OWN, role])
            assert got.status_code in row.own, (role, got.text)


@pytest.mark.parametrize("step", sorted(BY_ROLE))
def test_a_seal_s_further_steps_are_for_the_same_roles(client, keys, things, step):
    path = f"/v1/seals/{things['seal']}:{step}"
    assert client.post(path, json={"ground": LAW}).status_code == 401
    for role in (C, U, P):
        got = client.post(path, json={"ground": LAW}, headers=keys[OWN, role])
        assert (got.status_code, got.json()["code"]) == (403, "role_missing")
    for role in (A, R):
        body = {"ground": LAW, **({"custodian": "MZ:x"} if step == "transfer" else {})}
        assert client.post(path, json=body, headers=keys[OTHER, role]).status_code in {403, 409}


def test_the_table_holds_every_door_that_wants_a_key(client):
    told = {re.sub(r"\{\w+\}|(?<=uses/)\d+", "{}", row.door) for row in TABLE}
    told |= {f"POST /v1/seals/{{}}:{step}" for step in BY_ROLE}
    served = {
        f"{method.upper()} " + re.sub(r"\{\w+\}", "{}", path)
        for path, operations in client.app.openapi()["paths"].items()
        for method, operation in operations.items()
        if path.startswith(NEW) and "security" in operation
    }
    assert served == told


def test_what_needs_no_key_among_them_is_what_is_published(client):
    open_ = {
        path
        for path, operations in client.app.openapi()["paths"].items()
        for operation in operations.values()
        if path.startswith(NEW) and "security" not in operation
    }
    assert open_ == {"/v1/seal-register", "/v1/wallet-credentials/{digest}"}
