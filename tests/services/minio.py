"""A real MinIO for tests: one server for each test process, buckets of their own for each test that asks.

Installing it is `tests/services/install`, which builds it once from source and keeps it outside the tree.

Without MinIO such tests are skipped, and say so; ``ZHENGTONG_REQUIRE_SERVICES=1`` makes that a failure.
"""

from __future__ import annotations

import io
import os
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

REQUIRED = "ZHENGTONG_REQUIRE_SERVICES"
CACHE = "ZHENGTONG_SERVICES"
START_S = 60
ADDRESSES_TRIED = 5
# The keeper ends when its standard input does: at the end of the tests, and when they are killed as well. It has a
# session of its own, so that Ctrl-C reaches the tests alone, which then close the pipe. Until then it takes the server
# down and up again, at the same address and over the same data, as it is told.
KEEPER = """
program=$1 folder=$2 address=$3
up() {
  "$program" server --quiet --address "$address" --certs-dir "$folder/certs" "$folder/data" \
    >>"$folder/log" 2>&1 </dev/null &
  server=$!
}
down() { kill -9 "$server" 2>/dev/null; wait "$server" 2>/dev/null; }
up
echo "$server"
while read -r word; do "$word"; echo "$server"; done
down
rm -rf "$folder"
"""


def program():
    """The server program, or None."""
    kept = Path(os.environ.get(CACHE) or Path.home() / ".cache" / "zhengtong" / "services") / "bin" / "minio"
    found = shutil.which("minio") or (str(kept) if os.access(kept, os.X_OK) else None)
    return None if found is None else Path(found)


def missing():
    """Why there can be no server here, or None."""
    return None if program() else "MinIO is not installed; tests/services/install does it"


class Server:
    """A running server, on which buckets and users come and go."""

    def __init__(self, keeper, endpoint, access_key, secret_key):
        self._keeper = keeper
        self.endpoint = endpoint
        self.access_key = access_key
        self.secret_key = secret_key
        self.pid = int(keeper.stdout.readline())

    def client(self, **options):
        """A client that may do anything, and does not try again."""
        import urllib3
        from minio import Minio

        pool = urllib3.PoolManager(timeout=10, retries=False)
        # With the region given, nobody needs the right to ask for it.
        given = {"access_key": self.access_key, "secret_key": self.secret_key, "region": "us-east-1", "secure": False}
        return Minio(endpoint=self.endpoint, http_client=pool, **{**given, **options})

    def bucket(self):
        """A new, empty bucket; its name."""
        name = f"t-{secrets.token_hex(6)}"
        self.client().make_bucket(name)
        return name

    def put(self, bucket, name, data):
        """An object of these bytes."""
        self.client().put_object(bucket, name, io.BytesIO(data), len(data))

    def user(self, *statements):
        """A new user whom only these statements of a policy allow anything; access key and secret key."""
        from minio.credentials import StaticProvider
        from minio.minioadmin import MinioAdmin

        root = StaticProvider(self.access_key, self.secret_key)
        admin = MinioAdmin(endpoint=self.endpoint, credentials=root, secure=False)
        name, word = f"u{secrets.token_hex(6)}", secrets.token_hex(16)
        policy = {"Version": "2012-10-17", "Statement": list(statements)}
        admin.user_add(name, word)
        admin.policy_add(name, policy=policy)
        admin.policy_set(name, user=name)
        return name, word

    def stop(self):
        """Take the server down, as if its power had gone."""
        self._tell("down")

    def start(self):
        """Bring it back with all it held."""
        self.pid = self._tell("up")
        if not self.ready():
            pytest.fail("MinIO did not come back")

    def _tell(self, word):
        self._keeper.stdin.write(word + "\n")
        self._keeper.stdin.flush()
        return int(self._keeper.stdout.readline())

    def ready(self):
        """Wait until this server, and no other at its address, answers; whether it does."""
        end = time.monotonic() + START_S
        while time.monotonic() < end:
            try:
                self.client().list_buckets()
            except Exception:  # noqa: BLE001  # whatever it says while it starts
                if not Path(f"/proc/{self.pid}/fd/0").exists():
                    return False
                time.sleep(0.05)
            else:
                return True
        return False


def address():
    """A loopback address that nobody listens on at this moment."""
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"


@contextmanager
def running():
    """A server of its own."""
    # Between asking for a free port and taking it, another may have come first.
    for _ in range(ADDRESSES_TRIED):
        with _kept(address()) as server:
            if server.ready():
                yield server
                return
            log = (server.folder / "log").read_text(errors="replace")
    pytest.fail(f"MinIO did not start: {log}")


@contextmanager
def _kept(endpoint):
    folder = Path(tempfile.mkdtemp(prefix="zhengtong-minio-"))
    (folder / "data").mkdir()
    access_key, secret_key = f"root{secrets.token_hex(6)}", secrets.token_hex(16)
    keeper = subprocess.Popen(
        ["/bin/sh", "-c", KEEPER, "keeper", program(), folder, endpoint],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd="/",
        env={
            "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
            "HOME": str(folder),
            "MINIO_ROOT_USER": access_key,
            "MINIO_ROOT_PASSWORD": secret_key,
            "MINIO_BROWSER": "off",
            "MINIO_UPDATE": "off",
            # The data may lie on the disk the system runs from.
            "MINIO_CI_CD": "1",
        },
        text=True,
        start_new_session=True,
    )
    try:
        server = Server(keeper, endpoint, access_key, secret_key)
        server.folder = folder
        yield server
    finally:
        keeper.stdin.close()
        keeper.wait(START_S)
        keeper.stdout.close()
        shutil.rmtree(folder, ignore_errors=True)


def allow(*actions, bucket, prefix="*"):
    """One statement of a policy."""
    resources = [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/{prefix}"]
    return {"Effect": "Allow", "Action": [f"s3:{a}" for a in actions], "Resource": resources}


def require():
    """End the test that asked for a server where there can be none."""
    why = missing()
    if why is not None:
        (pytest.fail if os.environ.get(REQUIRED) == "1" else pytest.skip)(why)


@pytest.fixture(scope="session")
def minio():
    """The server of this test process: ``endpoint`` (host:port), ``access_key``, ``secret_key``, ``bucket()``."""
    require()
    with running() as server:
        yield server
