"""The SFTP server of the tests lets its account in by key alone, and leaves nothing behind."""

from __future__ import annotations

import signal
from contextlib import closing

import paramiko
import pytest

from tests.services import sftp as module
from tests.services.ending import ends_with_its_tests
from tests.services.sftp import sftp

__all__ = ["sftp"]

HOLD = """
import sys
from tests.services.sftp import running
with running() as server:
    found = [p for p in __import__("pathlib").Path("/proc").glob("[0-9]*/cmdline")
             if str(server.folder / "sshd_config").encode() in p.read_bytes() and b"sshd" in p.read_bytes()[:60]]
    print(found[0].parent.name, server.folder, flush=True)
    sys.stdin.read()
"""

needed = pytest.mark.skipif(module.missing() is not None, reason=module.missing() or "")


def client(server, **options):
    made = paramiko.SSHClient()
    made.load_host_keys(str(server.known_hosts))
    given = {"key_filename": str(server.key_file), "allow_agent": False, "look_for_keys": False}
    try:
        made.connect(server.host, server.port, server.user, **{**given, **options})
    except BaseException:
        made.close()
        raise
    return made


@pytest.mark.service("sftp")
def test_files_are_served_to_who_has_the_key_and_to_nobody_else(sftp):
    (sftp.new() / "a.txt").write_text("x")
    with closing(client(sftp)) as inside, closing(inside.open_sftp()) as files:
        (folder,) = files.listdir(str(sftp.root))
        with files.open(f"{sftp.root}/{folder}/a.txt") as file:
            assert file.read() == b"x"
        with pytest.raises(PermissionError):
            files.open(f"{sftp.folder}/host_key")
    with pytest.raises(paramiko.AuthenticationException):
        client(sftp, key_filename=None, password="wrong")
    with pytest.raises(paramiko.AuthenticationException):
        client(sftp, key_filename=str(sftp.other_key_file))


@needed
@pytest.mark.service("sftp")
@pytest.mark.parametrize("end", [signal.SIGKILL, None], ids=["killed", "ended"])
def test_the_server_ends_with_the_tests(end):
    ends_with_its_tests(HOLD, end)


def test_where_it_is_required_its_absence_is_a_failure(monkeypatch):
    monkeypatch.setattr(module, "missing", lambda: "gone")
    for value, outcome in (("1", pytest.fail.Exception), ("", pytest.skip.Exception)):
        monkeypatch.setenv(module.REQUIRED, value)
        with pytest.raises(outcome, match="gone"):
            module.require()
