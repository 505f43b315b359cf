from __future__ import annotations

import json
import socket
import ssl
import subprocess
import threading
import time
from contextlib import contextmanager

import pytest

from connectors.errors import SourceDeniedError, SourceUnavailableError
from connectors.http_json import HttpJsonConnector
from connectors.protocol import Column, ReadRequest
from connectors.retry import Waiting

BODY = json.dumps({"items": [{"id": n} for n in range(50)], "total": 50}).encode()
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n"
LENGTH = b"Content-Length: %d\r\n\r\n" % len(BODY)


@contextmanager
def serving(*answers, context=None):
    """A server that does what each of *answers* says to its connection, then what the last one says."""
    counted = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve():
            while True:
                try:
                    peer, _ = listener.accept()
                except OSError:
                    return
                try:
                    with context.wrap_socket(peer, server_side=True) if context else peer as peer:
                        peer.recv(65536)
                        counted.append(1)
                        answers[min(len(counted), len(answers)) - 1](peer)
                except OSError:
                    pass

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield listener.getsockname()[1], counted
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join(10)


def whole(peer):
    peer.sendall(HEAD + LENGTH + BODY)


def cut(peer):
    peer.sendall(HEAD + LENGTH + BODY[:100])


def cut_in_a_chunk(peer):
    peer.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\nff\r\n" + BODY[:100])


def reset(peer):
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")


def silent(peer):
    peer.recv(1)


def dripping(peer):
    peer.sendall(HEAD + LENGTH)
    for byte in BODY:
        peer.sendall(bytes([byte]))
        time.sleep(0.02)


def nonsense(peer):
    peer.sendall(b"\x16\x03\x01 what?\r\n\r\n")


def connector(port, scheme="http", **settings):
    return HttpJsonConnector(
        {"base_url": f"{scheme}://127.0.0.1:{port}/api", "timeout_s": "0.3", **settings},
        str,
        waiting=Waiting(sleep=lambda _: None, attempts=3),
    )


def read(made, into):
    return made.read(ReadRequest("R", "rows", (Column("id"),), None), into)


@pytest.mark.parametrize("fault", [cut, cut_in_a_chunk, reset, silent, nonsense])
def test_a_connection_that_fails_once_is_tried_again_and_loses_nothing(into, fault):
    with serving(fault, whole) as (port, counted):
        assert read(connector(port), into).rows == 50
        assert len(counted) == 2


@pytest.mark.parametrize("fault", [cut, cut_in_a_chunk, reset, silent, nonsense])
def test_a_connection_that_fails_for_good_leaves_nothing(into, fault):
    with serving(fault) as (port, counted):
        with pytest.raises(SourceUnavailableError) as caught:
            read(connector(port), into)
        assert (caught.value.problem, len(counted)) == ("no_answer", 3)
    assert list(into.parent.iterdir()) == []


def test_nobody_there(into):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(SourceUnavailableError):
        read(connector(port), into)


def test_a_server_that_drips_is_not_waited_for_without_end(into):
    with serving(dripping) as (port, counted):
        with pytest.raises(SourceUnavailableError) as caught:
            read(connector(port, answer_s="0.2"), into)
        assert (caught.value.problem, len(counted)) == ("too_slow", 1)


def test_a_certificate_that_nobody_vouches_for_is_denied_not_retried(into, tmp_path):
    key, certificate = tmp_path / "key.pem", tmp_path / "cert.pem"
    name = ("-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1")
    sort = ("-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2")
    made = subprocess.run(
        ["openssl", "req", *sort, *name, "-keyout", key, "-out", certificate],
        check=False,
        capture_output=True,
    )
    if made.returncode:
        pytest.skip("no openssl program to make a certificate with")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with serving(whole, context=context) as (port, counted):
        with pytest.raises(SourceDeniedError) as caught:
            read(connector(port, "https"), into)
        assert (caught.value.problem, counted) == ("certificate", [])
        assert read(connector(port, "https", ca_file=str(certificate)), into).rows == 50
