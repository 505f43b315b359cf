"""The object store of the tests answers, keeps what it holds, and leaves nothing behind, however the tests end."""

from __future__ import annotations

import signal
from contextlib import closing

import pytest
import urllib3
from minio.error import S3Error

from tests.services import minio as module
from tests.services.ending import ends_with_its_tests
from tests.services.minio import minio

__all__ = ["minio"]

HOLD = """
import sys
from tests.services.minio import running
with running() as server:
    print(server.pid, server.folder, flush=True)
    sys.stdin.read()
"""

needed = pytest.mark.skipif(module.missing() is not None, reason=module.missing() or "")


def got(server, bucket, name):
    with closing(server.client().get_object(bucket, name)) as answer:
        data = answer.read()
        answer.release_conn()
        return data


@pytest.mark.service("minio")
def test_buckets_are_new_and_users_may_what_they_are_allowed(minio):
    one, other = minio.bucket(), minio.bucket()
    assert one != other
    minio.put(one, "a/b.txt", b"x")
    assert [o.object_name for o in minio.client().list_objects(one, recursive=True)] == ["a/b.txt"]
    assert list(minio.client().list_objects(other)) == []
    access_key, secret_key = minio.user(module.allow("GetObject", bucket=one))
    narrow = minio.client(access_key=access_key, secret_key=secret_key)
    with closing(narrow.get_object(one, "a/b.txt")) as answer:
        assert answer.read() == b"x"
        answer.release_conn()
    with pytest.raises(S3Error, match="AccessDenied"):
        list(narrow.list_objects(one))


@needed
@pytest.mark.service("minio")
def test_it_goes_down_and_comes_back_with_what_it_held():
    with module.running() as server:
        bucket = server.bucket()
        server.put(bucket, "a", b"kept")
        server.stop()
        with pytest.raises(urllib3.exceptions.HTTPError):
            server.client().list_buckets()
        server.start()
        assert got(server, bucket, "a") == b"kept"


@needed
@pytest.mark.service("minio")
@pytest.mark.parametrize("end", [signal.SIGKILL, None], ids=["killed", "ended"])
def test_the_server_ends_with_the_tests(end):
    ends_with_its_tests(HOLD, end)


def test_where_it_is_required_its_absence_is_a_failure(monkeypatch):
    monkeypatch.setattr(module, "missing", lambda: "gone")
    for value, outcome in (("1", pytest.fail.Exception), ("", pytest.skip.Exception)):
        monkeypatch.setenv(module.REQUIRED, value)
        with pytest.raises(outcome, match="gone"):
            module.require()
