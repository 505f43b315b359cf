"""Files that lie elsewhere: what is fetched is whole and of one moment, and who is at the other end is who we think."""

from __future__ import annotations

import errno
import os
import shutil
import socket
import ssl
import subprocess
import threading
from contextlib import closing, contextmanager, suppress

import pytest

from connectors import objects, places
from connectors import sftp as module
from connectors.errors import (
    ConnectorSettingsError,
    LandingFailedError,
    SourceDeniedError,
    SourceEncodingError,
    SourceIncompleteError,
    SourceObjectMissingError,
    SourceShapeError,
    SourceUnavailableError,
)
from connectors.protocol import Column, ReadRequest
from connectors.registry import connect
from connectors.retry import Waiting
from tests.connectors.kinds import BucketCsvKind, no_secrets
from tests.contracts.connector_suite import landed
from tests.services.minio import allow, minio
from tests.services.sftp import relayed, sftp

__all__ = ["minio", "sftp"]

over_ssh = pytest.mark.service("sftp")
in_a_store = pytest.mark.service("minio")
QUICK = Waiting(sleep=lambda _: None, attempts=3)
HEAD = b"id,name\n"
ROWS = 150_000
LARGE = HEAD + b"".join(b"%d,abcdefghijk\n" % n for n in range(ROWS))  # 2.7 MB


def read(settings, into, name="*.csv", secrets=no_secrets, *, kind="csv", columns=("id", "name"), **options):
    wanted = tuple(Column(column) for column in columns)
    connector = connect(kind, settings, secrets, waiting=QUICK)
    return connector.read(ReadRequest("R", name, wanted, None, "", options), into)


def fails(error, settings, into, name="*.csv", secrets=no_secrets, **options):
    with pytest.raises(error) as caught:
        read(settings, into, name, secrets, **options)
    assert not into.exists()
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
    return caught.value


def ids(batch):
    return [row[1] for row in landed(batch)]


def offsets_of(monkeypatch, door, meddle=None):
    """The offsets from which files are asked for; *meddle* is called at the first block of each."""
    seen = []
    blocks = door.blocks

    def watched(self, found, offset):
        seen.append(offset)
        for number, block in enumerate(blocks(self, found, offset)):
            if not number and meddle:
                meddle(found, len(seen))
            yield block

    monkeypatch.setattr(door, "blocks", watched)
    return seen


# --- SFTP


@pytest.fixture
def there(sftp):
    return sftp.new()


def listed(sftp, path, port):
    """A list of hosts that knows the server at another port too."""
    key = sftp.known_hosts.read_text().partition(" ")[2]
    path.write_text(f"[127.0.0.1]:{port} {key}")
    return str(path)


@over_ssh
def test_who_may_not_log_in_is_not_let_in(sftp, there, into):
    (there / "a.csv").write_bytes(HEAD + b"1,x\n")
    settings = sftp.settings(there, key_file=str(sftp.other_key_file))
    assert fails(SourceDeniedError, settings, into).problem == "login_refused"
    settings = sftp.settings(there, key_file="", password="env:WORD")
    error = fails(SourceDeniedError, settings, into, secrets=lambda _: "wrong-word")
    assert error.problem == "login_refused"
    assert "wrong-word" not in str(error) + repr(error.params)
    settings = sftp.settings(there, user="daemon")
    assert fails(SourceDeniedError, settings, into).problem == "login_refused"


@over_ssh
def test_a_host_key_that_is_not_known_is_refused_and_not_learnt(sftp, there, into, tmp_path):
    (there / "a.csv").write_bytes(HEAD + b"1,x\n")
    hosts = tmp_path / "known_hosts"
    hosts.write_text("")
    error = fails(SourceDeniedError, sftp.settings(there, known_hosts=str(hosts)), into)
    assert error.problem == "host_key_unknown"
    assert "SHA256:" in error.text("zh")
    assert hosts.read_text() == ""
    other = sftp.other_key_file.with_suffix(".pub").read_text()
    hosts.write_text(f"[127.0.0.1]:{sftp.port} {other}")
    error = fails(SourceDeniedError, sftp.settings(there, known_hosts=str(hosts)), into)
    assert (error.problem, error.retryable) == ("host_key_changed", False)
    missing = sftp.settings(there, known_hosts=str(tmp_path / "absent"))
    assert fails(ConnectorSettingsError, missing, into).params["name"] == "known_hosts"


@over_ssh
def test_keys_with_a_passphrase_and_keys_that_are_none(sftp, there, into, tmp_path):
    (there / "a.csv").write_bytes(HEAD + b"1,x\n")
    key = tmp_path / "key"
    shutil.copy(sftp.key_file, key)
    key.chmod(0o600)
    subprocess.run(["ssh-keygen", "-q", "-p", "-a", "1", "-N", "open sesame", "-P", "", "-f", key], check=True)
    settings = sftp.settings(there, key_file=str(key), passphrase="env:WORD")
    assert ids(read(settings, into, secrets=lambda _: "open sesame")) == ["1"]
    into.unlink()
    for secrets, wrong in ((lambda _: "no", settings), (no_secrets, sftp.settings(there, key_file=str(key)))):
        assert fails(ConnectorSettingsError, wrong, into, secrets=secrets).params["name"] == "key_file"
    with pytest.raises(ConnectorSettingsError):
        connect("csv", sftp.settings(there, key_file=""), no_secrets)
    with pytest.raises(ConnectorSettingsError) as caught:
        connect("csv", sftp.settings(there, password="open sesame"), no_secrets)
    assert caught.value.problem == "secret_literal"


@over_ssh
def test_a_server_that_is_not_there_and_one_that_does_not_speak(sftp, there, into):
    assert fails(SourceUnavailableError, sftp.settings(there, port="1"), into).retryable
    with closing(socket.create_server(("127.0.0.1", 0))) as silent:
        settings = sftp.settings(there, port=str(silent.getsockname()[1]), timeout_s="0.2")
        assert fails(SourceUnavailableError, settings, into).problem == "unreachable"


@over_ssh
def test_folders_and_files_that_are_missing_or_not_ours(sftp, there, into):
    assert fails(SourceUnavailableError, sftp.settings(there / "absent"), into).problem == "folder_missing"
    settings = sftp.settings(there)
    assert fails(SourceObjectMissingError, settings, into).problem == "no_file"
    assert fails(ConnectorSettingsError, settings, into, "../*.csv").problem == "path_escapes"
    (there / "a.csv").write_bytes(HEAD + b"1,x\n")
    if os.geteuid() == 0:
        (there / "a.csv").chmod(0o600)
        assert fails(SourceDeniedError, settings, into).problem == "file_denied"
        (there / "closed").mkdir(mode=0o700)
        assert fails(SourceDeniedError, settings, into, "closed/*.csv").problem == "file_denied"


@over_ssh
def test_globs_unfinished_files_markers_links_and_folders(sftp, there, into):
    for name in ("2025/b.csv", "2025/q1/c.csv", "a.csv", ".hidden.csv", "d.csv.part", "e.txt"):
        path = there / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(HEAD + f"{name},x\n".encode())
    (there / "f.csv").symlink_to("a.csv")
    (there / "g.csv").symlink_to("nowhere")
    settings = sftp.settings(there)
    assert ids(read(settings, into)) == ["a.csv", "a.csv"]
    assert ids(read(settings, into, "*/*.csv")) == ["2025/b.csv"]
    assert ids(read(settings, into, "**/*.csv")) == ["2025/b.csv", "2025/q1/c.csv", "a.csv", "a.csv"]
    assert ids(read(settings, into, "2025/**/*.csv", take="last")) == ["2025/q1/c.csv"]
    into.unlink()
    assert fails(SourceIncompleteError, settings, into, "d*.csv").problem == "only_unfinished"
    error = fails(SourceIncompleteError, settings, into, "2025/b.csv", done="{stem}.ok")
    assert error.problem == "done_marker_missing"
    (there / "2025" / "b.ok").touch()
    assert ids(read(settings, into, "2025/b.csv", done="{stem}.ok")) == ["2025/b.csv"]
    assert [path.name for path in into.parent.iterdir()] == [into.name]


@over_ssh
def test_a_file_name_that_is_not_utf_8_is_told(sftp, there, into):
    (there / os.fsdecode("甲.csv".encode("gbk"))).write_bytes(HEAD)
    assert fails(SourceEncodingError, sftp.settings(there), into).params["encoding"] == "utf-8"


@over_ssh
def test_every_kind_reads_from_there(sftp, there, into):
    (there / "a.ndjson").write_text('{"id": 1}\n')
    assert ids(read(sftp.settings(there), into, "*.ndjson", kind="ndjson", columns=("id",))) == ["1"]
    (there / "a.xml").write_text("<r><p><id>2</id></p></r>")
    assert ids(read(sftp.settings(there), into, "*.xml", kind="xml", columns=("id",), record="p")) == ["2"]
    assert connect("csv", sftp.settings(there), no_secrets).probe("a.ndjson", {}) == ('{"id": 1}',)


@over_ssh
def test_a_line_that_breaks_is_taken_up_at_the_same_byte(sftp, there, into, tmp_path, monkeypatch):
    (there / "a.csv").write_bytes(LARGE)
    seen = offsets_of(monkeypatch, module._Door)
    with relayed(sftp.port) as relay:
        relay.breaks = [1_500_000, 900_000]
        settings = sftp.settings(there, port=str(relay.port), known_hosts=listed(sftp, tmp_path / "known", relay.port))
        batch = read(settings, into)
    assert (batch.rows, relay.connections, len(seen)) == (ROWS, 3, 3)
    assert seen[0] == 0
    assert 1_000_000 < seen[1] < seen[2]
    assert ids(batch)[-1] == str(ROWS - 1)
    assert [path.name for path in into.parent.iterdir()] == [into.name]


@over_ssh
def test_a_fetch_given_up_is_gone_on_with_by_the_next_read(sftp, there, into, tmp_path, monkeypatch):
    (there / "a.csv").write_bytes(LARGE)
    seen = offsets_of(monkeypatch, module._Door)
    with relayed(sftp.port) as relay:
        settings = sftp.settings(there, port=str(relay.port), known_hosts=listed(sftp, tmp_path / "known", relay.port))
        relay.breaks = [1_500_000, 10, 10, 10]
        assert fails(SourceUnavailableError, settings, into).retryable
        relay.breaks = []
        (spool,) = into.parent.iterdir()
        (part,) = spool.glob("*/a.csv.part")
        assert 1_000_000 < part.stat().st_size < len(LARGE)
        assert read(settings, into).rows == ROWS
        assert seen[0] == 0
        assert seen[-1] > 1_000_000
    assert [path.name for path in into.parent.iterdir()] == [into.name]


@over_ssh
@pytest.mark.parametrize("how", ["replaced", "damaged"])
def test_a_part_of_something_else_is_never_gone_on_with(sftp, there, into, tmp_path, *, how):
    (there / "a.csv").write_bytes(LARGE)
    other = LARGE.replace(b"abcdefghijk", b"ABCDEFGHIJK")
    with relayed(sftp.port) as relay:
        settings = sftp.settings(there, port=str(relay.port), known_hosts=listed(sftp, tmp_path / "known", relay.port))
        relay.breaks = [1_500_000, 10, 10, 10]
        fails(SourceUnavailableError, settings, into)
        relay.breaks = []
        (part,) = into.parent.glob(".*/*/a.csv.part")
        if how == "replaced":
            (there / "a.csv").write_bytes(other)
            os.utime(there / "a.csv", (1, 1))
            assert [row[2] for row in landed(read(settings, into))] == ["ABCDEFGHIJK"] * ROWS
        else:
            part.write_bytes(part.read_bytes()[:-10] + b"\0" * 10)
            assert fails(SourceIncompleteError, settings, into).problem == "changed_while_read"
            assert read(settings, into).rows == ROWS
    assert [path.name for path in into.parent.iterdir()] == [into.name]


@over_ssh
def test_a_file_that_changes_while_it_is_fetched_is_not_read(sftp, there, into, monkeypatch):
    path = there / "a.csv"
    path.write_bytes(LARGE)

    def grow(found, number):
        with path.open("ab") as file:
            file.write(b"1,y\n")

    offsets_of(monkeypatch, module._Door, grow)
    error = fails(SourceIncompleteError, sftp.settings(there), into)
    assert (error.problem, error.where) == ("changed_while_read", "a.csv")
    assert list(into.parent.iterdir()) == []


@over_ssh
def test_a_file_cut_by_its_writer_is_incomplete_not_ragged(sftp, there, into, monkeypatch):
    path = there / "a.csv"
    path.write_bytes(HEAD + b"1,x,y\n")
    assert fails(SourceShapeError, sftp.settings(there), into).problem == "ragged_row"
    verify = module._Door.verify

    def grown(self, found, fetched):
        verify(self, found, fetched)
        path.write_bytes(HEAD + b"1,x,y\n2,z\n")

    monkeypatch.setattr(module._Door, "verify", grown)
    assert fails(SourceIncompleteError, sftp.settings(there), into).problem == "changed_while_read"


@over_ssh
def test_a_full_disk_of_ours_is_said_to_be_ours(sftp, there, into, monkeypatch):
    (there / "a.csv").write_bytes(LARGE)
    write = places._write

    class Full:
        def write(self, view):
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(places, "_write", lambda file, block, path: write(Full(), block, path))
    assert fails(LandingFailedError, sftp.settings(there), into).problem == "disk_full"
    assert list(into.parent.iterdir()) == []


@over_ssh
def test_listings_are_bounded(sftp, there, into, monkeypatch):
    for number in range(4):
        (there / f"{number}.csv").write_bytes(HEAD)
    monkeypatch.setattr(places, "MOST_ENTRIES", 3)
    assert fails(SourceShapeError, sftp.settings(there), into).problem == "too_many_files"
    monkeypatch.undo()
    (there / "round").symlink_to(".")
    assert fails(SourceShapeError, sftp.settings(there), into, "**/*.csv").problem == "too_many_files"


# --- an object store


class Drop(BucketCsvKind):
    """A folder of a bucket."""

    def __init__(self, server):
        self.server = server
        self.bucket = server.bucket()
        self.prefix = "drop"

    def put(self, name, data):
        self.server.put(self.bucket, f"drop/{name}", data)

    def read(self, into, name="*.csv", keys=None, relay=None, **others):
        more = {"endpoint": f"127.0.0.1:{relay.port}"} if relay else {}
        names = {key: others.pop(key) for key in list(others) if key in {"bucket", "endpoint", "prefix", "ca_file"}}
        if "secure" in others:
            names["secure"] = others.pop("secure")
        access, secret = keys or (self.server.access_key, self.server.secret_key)
        secrets = {"env:ACCESS": access, "env:SECRET": secret}.__getitem__
        return read(self.settings(**more, **names), into, name, secrets, **others)

    def fails(self, error, into, *arguments, **others):
        with pytest.raises(error) as caught:
            self.read(into, *arguments, **others)
        assert not into.exists()
        assert caught.value.__suppress_context__ or caught.value.__context__ is None
        return caught.value


@pytest.fixture
def drop(minio):
    return Drop(minio)


@in_a_store
def test_objects_are_found_by_their_path_as_files_are(drop, into):
    for name in ("a.csv", "2025/b.csv", "2025/q1/c.csv", ".hidden.csv", "d.csv.part", "e.txt"):
        drop.put(name, HEAD + f"{name},x\n".encode())
    drop.server.put(drop.bucket, "other/a.csv", b"not ours")
    assert ids(drop.read(into)) == ["a.csv"]
    assert ids(drop.read(into, "**/*.csv")) == ["2025/b.csv", "2025/q1/c.csv", "a.csv"]
    assert ids(drop.read(into, "*/*.csv")) == ["2025/b.csv"]
    assert ids(drop.read(into, "drop/2025/b.csv", prefix="")) == ["2025/b.csv"]
    assert ids(drop.read(into, "**/*.csv", take="last")) == ["a.csv"]
    into.unlink()
    assert drop.fails(SourceIncompleteError, into, "d*.csv").problem == "only_unfinished"
    assert drop.fails(SourceObjectMissingError, into, "z*.csv").problem == "no_file"
    assert drop.fails(ConnectorSettingsError, into, "../other/a.csv").problem == "path_escapes"
    assert drop.fails(SourceIncompleteError, into, done="{name}.ok").problem == "done_marker_missing"
    drop.put("a.csv.ok", b"")
    assert drop.read(into, done="{name}.ok").rows == 1
    assert [path.name for path in into.parent.iterdir()] == [into.name]


@in_a_store
def test_buckets_that_are_missing_and_keys_that_are_refused(drop, into):
    drop.put("a.csv", HEAD + b"1,x\n")
    for name in ("no-such-bucket", "NO"):
        assert drop.fails(SourceObjectMissingError, into, bucket=name).problem == "no_bucket"
    error = drop.fails(SourceDeniedError, into, keys=("nobody", "not-the-secret"))
    assert error.params["code"] == "InvalidAccessKeyId"
    error = drop.fails(SourceDeniedError, into, keys=(drop.server.access_key, "not-the-secret"))
    assert (error.params["code"], error.retryable) == ("SignatureDoesNotMatch", False)
    assert "not-the-secret" not in str(error) + repr(error.params)
    with pytest.raises(ConnectorSettingsError):
        connect("csv", drop.settings(access_key="AKIA"), no_secrets)


@in_a_store
def test_who_may_list_but_not_read_and_who_may_read_one_folder_alone(drop, into):
    drop.put("a.csv", HEAD + b"1,x\n")
    lister = drop.server.user(allow("ListBucket", bucket=drop.bucket))
    assert drop.fails(SourceDeniedError, into, keys=lister).problem == "store_refused"
    reader = drop.server.user(allow("GetObject", "ListBucket", bucket=drop.bucket, prefix="drop/*"))
    assert ids(drop.read(into, keys=reader)) == ["1"]
    nobody = drop.server.user(allow("PutObject", bucket=drop.bucket))
    assert drop.fails(SourceDeniedError, into.with_name("x"), keys=nobody).params["code"] == "AccessDenied"


@in_a_store
def test_a_store_that_breaks_off_is_taken_up_at_the_same_byte(drop, into, monkeypatch):
    drop.put("a.csv", LARGE)
    seen = offsets_of(monkeypatch, objects._Door)
    # Longer than headers, shorter than the object; connections are kept and used again.
    with relayed(int(drop.server.endpoint.partition(":")[2])) as relay:
        relay.breaks = [1_800_000]
        batch = drop.read(into, relay=relay)
        assert (batch.rows, seen[0]) == (ROWS, 0)
        assert len(seen) == 2
        assert seen[1] > 500_000
        into.unlink()
        relay.down = True
        for end in relay._open:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        assert drop.fails(SourceUnavailableError, into, relay=relay).retryable
    assert list(into.parent.iterdir()) == []


@in_a_store
def test_an_object_replaced_while_it_is_fetched_is_not_read(drop, into, monkeypatch):
    drop.put("a.csv", LARGE)
    other = LARGE.replace(b"abcdefghijk", b"ABCDEFGHIJK")

    def replace(found, number):
        drop.put("a.csv", other)

    with monkeypatch.context() as patch:
        offsets_of(patch, objects._Door, replace)
        error = drop.fails(SourceIncompleteError, into)
        assert (error.problem, error.where) == ("changed_while_read", "a.csv")
    # Between the listing and the request, with the same length: the store itself is asked to look at the content.
    look = objects._Door.look
    with monkeypatch.context() as patch:
        drop.put("a.csv", LARGE)

        def later(self, name):
            found = look(self, name)
            drop.put("a.csv", other)
            return found

        patch.setattr(objects._Door, "look", later)
        assert drop.fails(SourceIncompleteError, into).problem == "changed_while_read"
    drop.server.client().remove_object(drop.bucket, "drop/a.csv")
    assert drop.fails(SourceObjectMissingError, into).problem == "no_file"
    assert list(into.parent.iterdir()) == []


@in_a_store
def test_what_arrives_is_compared_with_what_the_store_holds(drop, into, monkeypatch):
    drop.put("a.csv", HEAD + b"1,abc\n")
    blocks = objects._Door.blocks
    with monkeypatch.context() as patch:
        patch.setattr(
            objects._Door, "blocks", lambda *given: (block.replace(b"abc", b"abd") for block in blocks(*given))
        )
        assert drop.fails(SourceIncompleteError, into).problem == "fetched_differs"
    # An object sent in parts has no digest of the whole.
    data = HEAD + b"1,abcdefghijklmnop\n" * 300_000
    import io

    drop.server.client().put_object(drop.bucket, "drop/a.csv", io.BytesIO(data), -1, part_size=5 * 1024 * 1024)
    assert "-" in drop.server.client().stat_object(drop.bucket, "drop/a.csv").etag
    assert drop.read(into).rows == 300_000


@contextmanager
def impostor(folder):
    """Somebody with a certificate of his own making."""
    key, certificate = folder / "key.pem", folder / "cert.pem"
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=127.0.0.1"
    files = ["-keyout", key, "-out", certificate, "-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run([*command.split(), *files], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)

    def serve():
        while True:
            with suppress(ssl.SSLError, ConnectionError):
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection, context.wrap_socket(connection, server_side=True) as inside:
                    inside.recv(65536)
                    inside.sendall(b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")

    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        yield f"127.0.0.1:{listener.getsockname()[1]}", certificate
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(10)


@in_a_store
def test_a_store_whose_certificate_nobody_signed_is_refused(drop, into, tmp_path):
    with impostor(tmp_path) as (endpoint, certificate):
        assert drop.fails(SourceDeniedError, into, endpoint=endpoint, secure="yes").problem == "certificate"
        trusted = {"endpoint": endpoint, "secure": "yes", "ca_file": str(certificate)}
        assert drop.fails(SourceUnavailableError, into, **trusted).problem == "unreachable"
        absent = {"endpoint": endpoint, "secure": "yes", "ca_file": str(tmp_path / "absent")}
        assert drop.fails(ConnectorSettingsError, into, **absent).params["name"] == "ca_file"


# --- settings


@pytest.mark.parametrize(
    "settings",
    [
        {"place": "ftp", "folder": "/x"},
        {"place": "sftp", "host": "h", "user": "u", "folder": "/x", "key_file": "k"},
        {"place": "sftp", "host": "h", "user": "u", "folder": "/x", "known_hosts": "k"},
        {"place": "sftp", "user": "u", "folder": "/x", "known_hosts": "k", "key_file": "k"},
        {"place": "s3", "endpoint": "e:1", "bucket": "b", "access_key": "env:A"},
        {"place": "s3", "endpoint": "https://e:1", "bucket": "b", "access_key": "env:A", "secret_key": "env:B"},
        {"place": "s3", "endpoint": "e:1", "bucket": "b", "access_key": "env:A", "secret_key": "env:B", "secure": "?"},
    ],
    ids=range(7),
)
def test_settings_of_a_place_that_are_missing_or_wrong(settings):
    with pytest.raises(ConnectorSettingsError):
        connect("csv", settings, no_secrets)
