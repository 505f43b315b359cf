"""The first administrator and everybody after, as they are registered on the hub's machine."""

from __future__ import annotations

import io
import json

import pytest

from hub.cli.app import run
from hub.people import Duty, People, Sessions, passwords
from hub.people.errors import SignInRefusedError
from hub.service import Service
from tests.hub.people.helping import PASSWORD

BY = "SJ:hub-office"
ADMIN = ("--login", "admin", "--name", "王芳", "--department", "RS", "--post", "system-administrator")


@pytest.fixture
def shell(world, monkeypatch, capsys):
    """Run `zhengtong people …` in this process, and read what it said."""
    from argon2 import PasswordHasher

    monkeypatch.setenv("ZHENGTONG_HOME", str(world.settings.home))
    monkeypatch.setattr(passwords, "_HASHER", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))

    def go(*arguments, code=0, stdin=""):
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(stdin.encode())))
        capsys.readouterr()
        done = run(["people", *arguments])
        told = capsys.readouterr()
        assert done == code, told.out + told.err
        return json.loads(told.out) if "--json" in arguments else told.out

    return go


@pytest.fixture
def begin(world):
    """Sign in as at the portal."""

    def go(login, password):
        service = Service.open(world.settings)
        try:
            people = People(service.settings, service.control, service.evidence)
            return Sessions(people).begin(login, password)
        finally:
            service.close()

    return go


def test_the_first_administrator_is_made_and_told_a_password_once(shell, begin):
    made = shell("add", *ADMIN, "--duty", "administrator", "--by", BY, "--json")
    assert (made["duties"], made["must_change"]) == (["administrator"], True)
    session = begin("admin", made["password"])
    assert session.person.has(Duty.ADMINISTRATOR)
    assert "password" not in shell("show", "admin", "--json")
    assert made["password"] not in shell("list", "--all")


def test_a_password_is_read_from_a_file_or_standard_input(shell, begin, tmp_path):
    told = shell("add", *ADMIN, "--duty", "staff", "--by", BY, "--password-file", "-", stdin=PASSWORD + "\n")
    assert PASSWORD not in told
    assert len(told.split()) == 1
    assert begin("admin", PASSWORD).person.must_change
    file = tmp_path / "password"
    file.write_text("another horse, another staple\n")
    shell("password", "admin", "--by", BY, "--password-file", str(file))
    assert begin("admin", "another horse, another staple")
    shell("password", "admin", "--by", BY, "--password-file", "-", stdin="short\n", code=2)
    drawn = shell("password", "admin", "--by", BY).split()[1]
    assert begin("admin", drawn)


def test_duties_disabling_and_codes(shell, begin):
    made = shell("add", *ADMIN, "--duty", "staff", "--by", BY, "--json")
    given = shell("duties", "admin", "--duty", "staff", "--duty", "reviewer", "--by", BY, "--json")
    assert given["duties"] == ["reviewer", "staff"]
    shell("duties", "admin", "--duty", "auditor", "--duty", "reviewer", "--by", BY, code=2)
    shell("duties", "admin", "--duty", "king", "--by", BY, code=2)
    assert shell("disable", made["id"], "--reason", "离职", "--by", BY, "--json")["disabled"]
    with pytest.raises(SignInRefusedError):
        begin("admin", made["password"])
    assert shell("list", "--json") == {"total": 0, "people": []}
    assert shell("list", "--all", "--words", "王", "--json")["total"] == 1
    assert not shell("enable", "admin", "--by", BY, "--json")["disabled"]
    assert begin("admin", made["password"])
    assert not shell("code", "admin", "--by", BY, "--json")["coded"]


def test_what_is_refused_says_so_by_its_exit_code(shell):
    shell("show", "nobody", code=3)
    shell("add", *ADMIN, "--duty", "administrator", "--duty", "staff", "--by", BY, code=2)
    shell("add", *ADMIN, "--duty", "staff", "--by", "nobody", code=2)


def test_the_last_administrator_and_the_own_post_are_refused_here_too(shell):
    shell("add", *ADMIN, "--duty", "administrator", "--by", BY)
    shell("disable", "admin", "--by", BY, "--reason", "离职", code=6)
    shell("duties", "admin", "--duty", "office", "--by", "RS:system-administrator", code=4)
    assert shell("show", "admin", "--json")["duties"] == ["administrator"]


def test_a_subject_is_bound_and_let_go_of(shell, monkeypatch):
    shell("add", *ADMIN, "--duty", "administrator", "--by", BY)
    shell("bind", "admin", "--subject", "s-1", "--by", BY, code=1)
    for name, value in {
        "ISSUER": "https://sso.example/realms/city", "CLIENT_ID": "portal",
        "RETURN": "https://hub.example/sign-in/provider/back",
    }.items():  # fmt: skip
        monkeypatch.setenv(f"ZHENGTONG_OIDC_{name}", value)
    assert shell("bind", "admin", "--subject", "s-1", "--by", BY, "--json")["login"] == "admin"
    shell("bind", "admin", "--subject", "", "--by", BY, code=2)
    shell("unbind", "admin", "--by", "RS:system-administrator", code=4)
    shell("unbind", "admin", "--by", BY)
    shell("unbind", "nobody", "--by", BY, code=3)
