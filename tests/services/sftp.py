"""A real OpenSSH server for tests, that offers nothing but SFTP: one for each test process, on a loopback port.

Installing it is `tests/services/install`. It has a host key, settings and an account's key of its own, and leaves the
machine's alone. Run by root, it lets the account `nobody` in, so that what may not be read cannot be read.

Without OpenSSH such tests are skipped, and say so; ``ZHENGTONG_REQUIRE_SERVICES=1`` makes that a failure.
"""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest

REQUIRED = "ZHENGTONG_REQUIRE_SERVICES"
ACCOUNT = "nobody"
START_S = 30
ADDRESSES_TRIED = 5
SETTINGS = """
ListenAddress 127.0.0.1
Port {port}
HostKey {folder}/host_key
PidFile none
AuthorizedKeysFile {folder}/authorized_keys
AllowUsers {user}
StrictModes no
PasswordAuthentication yes
KbdInteractiveAuthentication no
UsePAM no
MaxStartups 100
MaxAuthTries 20
LogLevel VERBOSE
Subsystem sftp internal-sftp
ForceCommand internal-sftp
"""
# The keeper ends when its standard input does: at the end of the tests, and when they are killed as well.
KEEPER = """
program=$1 folder=$2
"$program" -D -e -f "$folder/sshd_config" 2>"$folder/log" </dev/null &
server=$!
echo "$server"
read -r _ || :
kill "$server" 2>/dev/null
wait "$server" 2>/dev/null
rm -rf "$folder"
"""


def program():
    """The server program by its whole path, without which it does not run; or None."""
    found = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    return None if found is None else Path(found)


def missing():
    """Why there can be no server here, or None."""
    if program() is None or shutil.which("ssh-keygen") is None:
        return "OpenSSH's server is not installed; tests/services/install does it"
    return None


class Server:
    """A running server. *root* is a folder that its account may read and the tests may write."""

    host = "127.0.0.1"

    def __init__(self, folder, port, user):
        self.folder = folder
        self.port = port
        self.user = user
        self.key_file = folder / "key"
        self.other_key_file = folder / "other_key"
        self.known_hosts = folder / "known_hosts"
        self.root = folder / "root"

    def settings(self, folder, **others):
        """The settings of a connector that reads in *folder*, below `root`."""
        given = {
            "place": "sftp",
            "host": self.host,
            "port": str(self.port),
            "user": self.user,
            "folder": str(folder),
            "key_file": str(self.key_file),
            "known_hosts": str(self.known_hosts),
            "timeout_s": "10",
        }
        return {**given, **others}

    def new(self):
        """A new, empty folder below `root`."""
        made = Path(tempfile.mkdtemp(dir=self.root))
        made.chmod(0o755)
        return made


def _port():
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _key(path):
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "test", "-f", path], check=True)
    return path.with_suffix(".pub").read_text()


def _answers(port, pid):
    end = time.monotonic() + START_S
    while time.monotonic() < end and _lives(pid):
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 5) as connection:
            if connection.recv(8).startswith(b"SSH-2.0"):
                return True
        time.sleep(0.05)
    return False


def _lives(pid):
    """Whether it has files open: one that ended and is waited for has none. The shell closes its input for a moment."""
    try:
        return any(Path(f"/proc/{pid}/fd").iterdir())
    except OSError:
        return False


@contextmanager
def running():
    """A server of its own."""
    # Between asking for a free port and taking it, another may have come first.
    for _ in range(ADDRESSES_TRIED):
        with _kept(_port()) as (server, pid):
            if _answers(server.port, pid):
                yield server
                return
            kept = server.folder / "log"
            log = kept.read_text(errors="replace") if kept.exists() else "it ended before it wrote its log"
    pytest.fail(f"sshd did not start: {log}")


@contextmanager
def _kept(port):
    folder = Path(tempfile.mkdtemp(prefix="zhengtong-sftp-"))
    user = getpass.getuser()
    if os.geteuid() == 0:
        user = ACCOUNT
        # Where no service has ever started it, the folder it locks itself into is not there.
        Path("/run/sshd").mkdir(mode=0o755, parents=True, exist_ok=True)
    folder.chmod(0o755)
    (folder / "root").mkdir(mode=0o755)
    (folder / "known_hosts").write_text(f"[127.0.0.1]:{port} {_key(folder / 'host_key')}")
    (folder / "authorized_keys").write_text(_key(folder / "key"))
    _key(folder / "other_key")
    (folder / "sshd_config").write_text(SETTINGS.format(folder=folder, port=port, user=user))
    keeper = subprocess.Popen(
        ["/bin/sh", "-c", KEEPER, "keeper", program(), folder],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd="/",
        text=True,
        start_new_session=True,
    )
    try:
        yield Server(folder, port, user), keeper.stdout.readline().strip()
    finally:
        keeper.stdin.close()
        keeper.wait(START_S)
        keeper.stdout.close()
        shutil.rmtree(folder, ignore_errors=True)


class Relay:
    """A port that passes everything on to another, until it is told to break off: a line that can fail.

    *breaks* are numbers of bytes from the server after which a connection is cut; each entry serves one connection.
    """

    def __init__(self, port):
        self.target = port
        self.breaks = []
        self.down = False
        self.connections = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._open = []
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def _accept(self):
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self.down:
                client.close()
                continue
            self.connections += 1
            server = socket.create_connection(("127.0.0.1", self.target))
            self._open += [client, server]
            left = self.breaks.pop(0) if self.breaks else None
            for source, sink, most in ((client, server, None), (server, client, left)):
                thread = threading.Thread(target=self._pass, args=(source, sink, most), daemon=True)
                self._threads.append(thread)
                thread.start()

    def _pass(self, source, sink, left):
        with suppress(OSError):
            while data := source.recv(65536):
                if left is not None and len(data) >= left:
                    sink.sendall(data[:left])
                    break
                left = None if left is None else left - len(data)
                # Whoever has gone is read from until the other has too: a reset would throw away what was sent before.
                with suppress(OSError):
                    sink.sendall(data)
        with suppress(OSError):
            sink.shutdown(socket.SHUT_WR)
        with suppress(OSError):
            source.shutdown(socket.SHUT_RD)

    def close(self):
        self.down = True
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for end in self._open:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(10)
        for end in self._open:
            end.close()


@contextmanager
def relayed(port):
    """A relay to *port*."""
    relay = Relay(port)
    try:
        yield relay
    finally:
        relay.close()


def require():
    """End the test that asked for a server where there can be none."""
    why = missing()
    if why is not None:
        (pytest.fail if os.environ.get(REQUIRED) == "1" else pytest.skip)(why)


@pytest.fixture(scope="session")
def sftp():
    """The server of this test process."""
    require()
    with running() as server:
        yield server
