"""The doors of e-materials over HTTP: who may do what, what others see, and what hostile uploads come to."""

from __future__ import annotations

import base64
import io
import json
import zipfile
import zlib

import pytest

from hub.actors import Role
from hub.callers import issue_key
from hub.materials import Materials
from hub.materials.content import MAX_CONTENT_BYTES
from tests.hub.api.conftest import app, http, url, world  # noqa: F401 - the served world of the API's tests
from tests.hub.api.test_hostile import Line, said
from tests.hub.materials.conftest import HOLDER, png

DOOR = "/v1/materials"
USE = {"matter": "租赁备案", "case": "BJ-2", "purpose": "核对租赁关系", "consent": True}


@pytest.fixture(scope="module")
def keys(http, world):  # noqa: F811
    """Keys by whose they are: clerks of two departments, an officer who decides, one who only calls, an auditor."""
    service = http.app.state.service
    wanted = {
        "clerk": ("RS", Role.APPLY),
        "decider": ("RS", Role.REVIEW),
        "other": ("GA", Role.APPLY),
        "caller": ("RS", Role.CALL),
        "auditor": ("RS", Role.AUDIT),
    }
    return {
        name: issue_key(
            service.control, service.evidence, world.list, department=unit, name=name, by="office", roles=(role,)
        ).key
        for name, (unit, role) in wanted.items()
    }


@pytest.fixture
def ask(http, keys):  # noqa: F811
    def ask(who, path, body=None):
        headers = {"authorization": f"Bearer {keys[who]}"} if who else {}
        return http.get(path, headers=headers) if body is None else http.post(path, json=body, headers=headers)

    return ask


def paper(content, **changes):
    return {
        "name": "房屋租赁合同",
        "matter": "居住证申领",
        "holder": HOLDER,
        "content": base64.b64encode(content).decode(),
        "units": ["GA"],
        "matters": ["租赁备案"],
    } | changes


@pytest.fixture(scope="module")
def taken(http, keys):  # noqa: F811
    answer = http.post(DOOR, json=paper(png(1)), headers={"authorization": f"Bearer {keys['clerk']}"})
    assert answer.status_code == 201, answer.text
    return answer.json()["identifier"]


def test_from_taking_in_to_void(ask):
    one = ask("clerk", DOOR, paper(png(2), case="BJ-1")).json()
    found = ask("other", f"{DOOR}:find", {"holder": HOLDER, "matter": "租赁备案"}).json()["materials"]
    assert one["identifier"] in [each["identifier"] for each in found]
    assert HOLDER not in json.dumps(found)
    use = ask("other", f"{DOOR}/{one['identifier']}:reuse", USE)
    assert use.status_code == 201
    file = ask("other", f"{DOOR}/{one['identifier']}/uses/{use.json()['use']}/content")
    assert (file.content, file.headers["content-type"]) == (png(2), "image/png")
    assert (file.headers["cache-control"], file.headers["x-content-type-options"]) == ("no-store", "nosniff")
    assert "record" in ask("other", f"{DOOR}/{one['identifier']}/record").json()
    assert ask("clerk", f"{DOOR}/{one['identifier']}:void", {"reason": "合同已解除"}).json()["voided_at"]
    assert ask("other", f"{DOOR}/{one['identifier']}:reuse", USE).status_code == 422
    assert ask("clerk", f"{DOOR}/{one['identifier']}:void", {"reason": "x"}).status_code == 409


@pytest.mark.parametrize("who", ["", "caller", "auditor"])
@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("", paper(png(3))),
        (":find", {"holder": HOLDER}),
        ("/{id}", None),
        ("/{id}/record", None),
        ("/{id}/uses/1/content", None),
        ("/{id}:reuse", USE),
        ("/{id}:void", {"reason": "x"}),
    ],
)
def test_other_roles_do_nothing(ask, taken, who, path, body):
    answer = ask(who, DOOR + path.replace("{id}", taken), body)
    assert answer.status_code == (403 if who else 401)
    assert taken not in answer.text


def test_whoever_decides_may_look(ask, taken):
    assert ask("decider", f"{DOOR}/{taken}").json()["identifier"] == taken


def test_another_department_is_told_the_same_of_what_is_not_its_own_as_of_nothing(ask):
    own = ask("clerk", DOOR, paper(png(4), units=[])).json()["identifier"]
    for path, body in (
        ("/{id}", None),
        ("/{id}/record", None),
        ("/{id}/uses/1/content", None),
        ("/{id}:reuse", USE),
        ("/{id}:void", {"reason": "x"}),
    ):
        there, none = (ask("other", DOOR + path.replace("{id}", id_), body) for id_ in (own, "M-none"))
        assert (there.status_code, there.json()["code"]) == (404, none.json()["code"])
        assert none.status_code == 404
    found = ask("other", f"{DOOR}:find", {"holder": HOLDER}).json()["materials"]
    assert own not in [one["identifier"] for one in found]


def test_a_use_of_one_department_fetches_nothing_for_another(ask, taken):
    use = ask("other", f"{DOOR}/{taken}:reuse", USE).json()["use"]
    assert ask("clerk", f"{DOOR}/{taken}/uses/{use}/content").status_code == 404


def bomb():
    """An OFD whose one file unpacks to 200 MB."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("OFD.xml", bytes(200_000_000))
    return out.getvalue()


HOSTILE = {
    "executable named as a picture": b"MZ" + bytes(200),
    "ELF": b"\x7fELF" + bytes(200),
    "script": b"<script>alert(1)</script>",
    "zip that is no OFD": b"PK\x03\x04" + bytes(100),
    "bomb": bomb(),
    "picture with a program behind it": png() + b"MZ" + bytes(2000),
    "picture of a gigantic size": png().replace(
        png()[12:33],
        b"IHDR" + b"\x7f\xff\xff\xff\x7f\xff\xff\xff\x08\0\0\0\0"
        + zlib.crc32(b"IHDR\x7f\xff\xff\xff\x7f\xff\xff\xff\x08\0\0\0\0").to_bytes(4, "big"),
    ),
    "nothing": b"",
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files_are_refused_and_leave_nothing(ask, http, name):  # noqa: F811
    desk = Materials(http.app.state.service.office)
    before = desk.check()
    answer = ask("clerk", DOOR, paper(HOSTILE[name]))
    assert answer.status_code == 422, answer.text
    assert answer.json()["code"] == "material_content_refused"
    assert desk.check() == before


def test_what_is_no_base64_is_named(ask):
    answer = ask("clerk", DOOR, paper(b"") | {"content": "!!"})
    assert (answer.status_code, "content" in answer.text) == (422, True)


class TestSize:
    def head(self, keys, *lines):
        fields = [f"POST {DOOR} HTTP/1.1", "Host: x", f"Authorization: Bearer {keys['clerk']}"]
        return "\r\n".join([*fields, "Content-Type: application/json", *lines]).encode() + b"\r\n\r\n"

    def test_a_gigabyte_that_is_announced_is_not_kept(self, http, keys):  # noqa: F811
        block = b"x" * (1 << 20)
        assert set(said(http, self.head(keys, f"Content-Length: {1 << 30}"), *[block] * 12)) <= {413}

    def test_chunks_without_end_are_cut_off(self, http, keys):  # noqa: F811
        block = b"%x\r\n%b\r\n" % (1 << 20, b"x" * (1 << 20))
        assert 413 in said(http, self.head(keys, "Transfer-Encoding: chunked"), *[block] * 12)

    def test_what_is_packed_is_not_unpacked(self, http, keys):  # noqa: F811
        packed = zlib.compress(bytes(50_000_000))
        lines = ("Content-Encoding: deflate", f"Content-Length: {len(packed)}")
        with Line(http) as line:
            line.write(self.head(keys, *lines) + packed)
            assert line.status() == 415

    def test_the_largest_door_is_smaller_than_the_largest_file(self):
        from hub.api.materials import MAX_BODY_BYTES

        assert MAX_BODY_BYTES * 3 // 4 <= MAX_CONTENT_BYTES
