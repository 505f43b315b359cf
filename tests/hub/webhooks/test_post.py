"""One request to one receiver: whatever it does, it ends in time, and goes nowhere but where it was sent."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from hub.webhooks.address import parse
from hub.webhooks.post import NO_HTTP, TOO_SLOW, UNREACHABLE, UNTRUSTED, NotSentError, post, trust

PLAIN = ssl.create_default_context()


@contextlib.contextmanager
def listening(answer, context=None):
    """A receiver that lets *answer* do what it wants with each connection; its port and what it was sent."""
    server = socket.create_server(("127.0.0.1", 0))
    got, stop = [], threading.Event()

    def serve():
        with contextlib.suppress(OSError):
            while True:
                connection, _ = server.accept()
                with contextlib.suppress(OSError), connection:
                    if context is not None:
                        connection = context.wrap_socket(connection, server_side=True)
                    connection.settimeout(5)
                    data = connection.recv(65_536)
                    while b"\r\n\r\n" not in data or len(data.split(b"\r\n\r\n", 1)[1]) < 2:
                        more = connection.recv(65_536)
                        if not more:
                            break
                        data += more
                    got.append(data)
                    answer(connection, stop)
                    connection.close()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield server.getsockname()[1], got
    finally:
        stop.set()
        server.shutdown(socket.SHUT_RDWR)
        server.close()
        thread.join()


def send(port, **more):
    address = parse(f"http://127.0.0.1:{port}/in")
    return post(
        address, "127.0.0.1", {"host": address.authority}, b"{}", **{"context": PLAIN, "deadline_s": 0.5, **more}
    )


def saying(data):
    return lambda connection, stop: connection.sendall(data)


def test_an_answer_is_taken_with_its_status_and_when_to_come_again():
    with listening(saying(b"HTTP/1.1 429 Slow\r\nRetry-After: 7\r\nContent-Length: 4\r\n\r\nslow")) as (port, got):
        answered = send(port)
    assert (answered.status, answered.retry_after, answered.body) == (429, "7", b"")
    assert got[0].startswith(b"POST /in HTTP/1.1\r\n")
    assert got[0].count(b"ost: 127.0.0.1") == 1
    assert got[0].endswith(b"\r\n\r\n{}")


def test_a_redirect_is_an_answer_and_is_not_followed():
    with listening(saying(b"")) as (other, elsewhere):
        text = f"HTTP/1.1 307 There\r\nLocation: http://127.0.0.1:{other}/\r\nContent-Length: 0\r\n\r\n".encode()
        with listening(saying(text)) as (port, _):
            assert send(port).status == 307
        assert elsewhere == []


def slowly(data):
    def answer(connection, stop):
        connection.sendall(data)
        while not stop.wait(0.05):
            connection.sendall(b"x")

    return answer


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nX-Slow: ",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 4000\r\n\r\n",
    ],
    ids=["nothing", "header", "chunk", "body"],
)
def test_who_never_ends_is_cut_off(data):
    with listening(slowly(data)) as (port, _):
        begun = time.monotonic()
        with pytest.raises(NotSentError) as caught:
            send(port, read=True)
        assert caught.value.outcome == TOO_SLOW
        assert time.monotonic() - begun < 5


def test_who_says_that_it_goes_on_for_ever_is_cut_off():
    def answer(connection, stop):
        while not stop.wait(0.01):
            connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")

    with listening(answer) as (port, _), pytest.raises(NotSentError) as caught:
        send(port)
    assert caught.value.outcome == TOO_SLOW


def test_an_endless_body_is_not_read():
    def answer(connection, stop):
        connection.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
        while not stop.is_set():
            connection.sendall(b"x" * 65_536)

    with listening(answer) as (port, _):
        assert send(port).body == b""
        assert len(send(port, read=True).body) == 4096


@pytest.mark.parametrize(
    "data", [b"nonsense\r\n\r\n", b"HTTP/1.1 abc\r\n\r\n", b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 200, b""]
)
def test_what_is_no_answer_is_said_so(data):
    with listening(saying(data)) as (port, _), pytest.raises(NotSentError) as caught:
        send(port)
    assert caught.value.outcome in (NO_HTTP, UNREACHABLE)


def test_nobody_listens():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(NotSentError) as caught:
        send(port)
    assert caught.value.outcome == UNREACHABLE


@pytest.fixture(scope="module")
def certified(tmp_path_factory):
    """A certificate for the name hooks.test, as a context of a receiver, and the file by which it is trusted."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "hooks.test")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=2))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("hooks.test")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    folder = tmp_path_factory.mktemp("tls")
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    (folder / "cert.pem").write_bytes(pem)
    (folder / "key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    return context, folder / "cert.pem"


def test_the_certificate_fits_the_name_while_the_connection_goes_to_the_checked_address(certified):
    context, file = certified
    with listening(saying(b"HTTP/1.1 204 OK\r\n\r\n"), context) as (port, got):
        address = parse(f"https://hooks.test:{port}/in")
        # No name server knows hooks.test: the connection is to the address that is given, and to no other.
        assert post(address, "127.0.0.1", {"host": address.authority}, b"{}", context=trust(file)).status == 204
        assert f"host: hooks.test:{port}".encode() in got[0].lower()
        other = parse(f"https://elsewhere.test:{port}/in")
        for where, known in ((address, trust()), (other, trust(file))):
            with pytest.raises(NotSentError) as caught:
                post(where, "127.0.0.1", {"host": where.authority}, b"{}", context=known)
            assert caught.value.outcome == UNTRUSTED


def test_a_greeting_that_never_comes_is_cut_off():
    with listening(lambda connection, stop: stop.wait(5)) as (port, _):
        address = parse(f"https://hooks.test:{port}/in")
        with pytest.raises(NotSentError) as caught:
            post(address, "127.0.0.1", {"host": "x"}, b"{}", context=trust(), deadline_s=0.3)
        assert caught.value.outcome == TOO_SLOW
