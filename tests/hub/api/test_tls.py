"""TLS without a proxy: a served process knows a system by the certificate of its connection, and by nothing like it."""

from __future__ import annotations

import ipaddress
import socket
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from hub import clients
from hub.actors import Actor, Role
from hub.api.tls import Tls, TlsFilesError
from hub.authentication import Presented
from hub.callers import issue_key
from hub.cli.app import run
from hub.office import Office
from hub.peers import SHOWN, Proxies
from hub.signing.errors import CertificateError
from tests.hub import world as worlds
from tests.hub.api.processes import served

BY = Actor("GA", "office")
DAY = timedelta(days=1)


@dataclass
class Made:
    """A certificate and its key, in files and in memory."""

    file: object
    key_file: object
    of: x509.Certificate
    key: object

    @property
    def pem(self):
        return self.file.read_text()

    @property
    def thumbprint(self):
        return self.of.fingerprint(hashes.SHA256()).hex()


class Maker:
    def __init__(self, folder):
        self.folder = folder

    def make(self, name, by=None, *, days=30, purpose=None):
        now = datetime.now(UTC)
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(by.of.subject if by else subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - 60 * DAY)
            .not_valid_after(now + days * DAY)
            .add_extension(x509.BasicConstraints(ca=by is None, path_length=None), critical=True)
            .add_extension(
                x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False
            )
        )
        if purpose:
            builder = builder.add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
        made = builder.sign(by.key if by else key, hashes.SHA256())
        file, key_file = self.folder / f"{name}.pem", self.folder / f"{name}.key"
        file.write_bytes(made.public_bytes(Encoding.PEM))
        key_file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        return Made(file, key_file, made, key)

    def client(self, name, by, **more):
        return self.make(name, by, purpose=ExtendedKeyUsageOID.CLIENT_AUTH, **more)


@dataclass
class City:
    """A hub that speaks TLS, the authority of its clients, and who is registered there."""

    url: str
    make: Maker
    trusted: object
    clients: object
    office: Office
    system: str
    window: Made
    bearer: str

    def context(self, shown=None):
        context = ssl.create_default_context(cafile=self.trusted.file)
        if shown is not None:
            context.load_cert_chain(shown.file, shown.key_file)
        return context

    def http(self, shown=None):
        return httpx.Client(base_url=self.url, verify=self.context(shown), trust_env=False)

    def register(self, made):
        return clients.add_certificate(self.office, self.system, made.pem, by=BY)


@pytest.fixture(scope="module")
def city(built, tmp_path_factory):
    folder = tmp_path_factory.mktemp("tls")
    world, make = worlds.copy(built, folder / "world"), Maker(folder)
    trusted, authority = make.make("root"), make.make("clients")
    server = make.make("server", trusted, purpose=ExtendedKeyUsageOID.SERVER_AUTH)
    with Office.open(world.settings) as office:
        roles = (Role.APPLY, Role.CALL)
        system = clients.register(office, department="RS", name="tls", contact="officer", by=BY, roles=roles).id
        how = {"department": "RS", "name": "other", "by": "office", "roles": roles}
        bearer = issue_key(office.control, office.evidence, world.list, **how).key
        window = make.client("window", authority)
        clients.add_certificate(office, system, window.pem, by=BY)
        options = ("--certificate", server.file, "--private-key", server.key_file, "--client-ca", authority.file)
        trusts = ssl.create_default_context(cafile=trusted.file)
        with served(world.settings, *options, verify=trusts) as hub:
            yield City(hub.url, make, trusted, authority, office, system, window, bearer)


def asked(http, **fields):
    got = http.get("/v1/grants", headers={"accept-language": "en"} | fields)
    return got.status_code, got.json().get("code", "")


def alert(city, shown):
    """What TLS itself says to a client that shows this."""
    address = (httpx.URL(city.url).host, httpx.URL(city.url).port)
    with (
        socket.create_connection(address, timeout=20) as plain,
        city.context(shown).wrap_socket(plain, server_hostname="127.0.0.1") as tls,
        pytest.raises(ssl.SSLError) as caught,
    ):
        tls.recv(1)
    return caught.value.reason


@pytest.mark.slow
class TestWhoIsKnown:
    def test_a_registered_system_is(self, city):
        with city.http(city.window) as http:
            assert asked(http) == (200, "")
            got = http.post(f"/v1/resources/{worlds.CODE}:query", json=worlds.body())
            # The grant's time is over today: who asks is known, and that is what this is about.
            leaf = got.json()["receipt"]["leaf"]
            assert (leaf["actor"], leaf["facts"]["caller"], leaf["facts"]["proof"]) == ("RS", city.system, "mtls")

    def test_without_a_certificate_another_proof_holds_and_none_is_nobody(self, city):
        with city.http() as http:
            assert asked(http) == (401, "key_refused")
            assert asked(http, authorization=f"Bearer {city.bearer}") == (200, "")
            assert http.get("/healthz").status_code == 200

    def test_one_that_is_not_registered_is_refused(self, city):
        with city.http(city.make.client("stranger", city.clients)) as http:
            assert asked(http) == (401, "certificate_refused")
            # Not even beside a proof that holds.
            assert asked(http, authorization=f"Bearer {city.bearer}") == (401, "certificate_refused")

    def test_nor_beside_the_proof_of_another_system(self, city):
        with city.http(city.window) as http:
            assert asked(http, authorization=f"Bearer {city.bearer}") == (401, "certificate_refused")

    def test_one_that_is_revoked_is_refused_from_the_next_request_on(self, city):
        leaving = city.make.client("leaving", city.clients)
        record = city.register(leaving)
        with city.http(leaving) as http:
            assert asked(http) == (200, "")
            clients.revoke_credential(city.office, record.id, by=BY)
            assert asked(http) == (401, "certificate_refused")

    def test_tls_itself_refuses_one_of_another_authority(self, city):
        other = city.make.client("other", city.make.make("elsewhere"))
        city.register(other)
        assert alert(city, other) == "TLSV1_ALERT_UNKNOWN_CA"

    def test_and_one_whose_time_is_over(self, city):
        assert alert(city, city.make.client("old", city.clients, days=-1)) == "SSLV3_ALERT_CERTIFICATE_EXPIRED"

    def test_and_one_that_is_for_servers(self, city):
        wrong = city.make.make("wrong", city.clients, purpose=ExtendedKeyUsageOID.SERVER_AUTH)
        assert alert(city, wrong) == "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE"

    @pytest.mark.parametrize(
        "name",
        [
            "client-cert",
            "x-client-cert",
            SHOWN,
            SHOWN.replace(".", "-"),
            "x-ssl-client-cert",
            "x-forwarded-client-cert",
        ],
    )
    def test_no_header_imitates_one(self, city, name):
        with city.http() as http:
            assert asked(http, **{name: city.window.thumbprint}) == (401, "key_refused")
        with city.http(city.make.client("imitator", city.clients)) as http:
            assert asked(http, **{name: city.window.thumbprint}) == (401, "certificate_refused")

    def test_who_speaks_in_the_clear_is_not_answered(self, city):
        with pytest.raises(httpx.TransportError):
            httpx.get(city.url.replace("https", "http") + "/healthz", trust_env=False)


SCOPE = {"method": "GET", "path": "/", "headers": [(b"client-cert", b"a" * 64)], "client": ("10.0.0.7", 1)}


class TestTwoWhoSaySo:
    def test_the_connection_and_a_proxy_that_say_the_same_are_one(self):
        proxies = Proxies.parse("Client-Cert", "10.0.0.7")
        assert Presented.from_scope({**SCOPE, SHOWN: "a" * 64}, proxies).certificate == "a" * 64
        assert Presented.from_scope(SCOPE, proxies).certificate == "a" * 64
        assert Presented.from_scope(SCOPE).certificate is None

    def test_between_two_nobody_chooses(self):
        with pytest.raises(CertificateError):
            Presented.from_scope({**SCOPE, SHOWN: "b" * 64}, Proxies.parse("Client-Cert", "10.0.0.7"))
        # From anybody else the field is nothing.
        apart = Presented.from_scope({**SCOPE, SHOWN: "b" * 64}, Proxies.parse("Client-Cert", "10.0.0.8"))
        assert apart.certificate == "b" * 64


class TestFiles:
    @pytest.fixture
    def made(self, tmp_path):
        return Maker(tmp_path).make("one")

    def wrong(self, *files):
        with pytest.raises(TlsFilesError) as caught:
            Tls(*files).check()
        assert caught.value.text("zh") != caught.value.text("en")
        return caught.value.params["file"]

    def test_a_certificate_and_its_key_hold(self, made):
        Tls(made.file, made.key_file, made.file).check()

    def test_the_file_that_is_wrong_is_named(self, made, tmp_path):
        other, gone, text = Maker(tmp_path).make("two"), tmp_path / "gone", tmp_path / "text"
        text.write_text("no certificate")
        assert self.wrong(gone, made.key_file) == gone
        assert self.wrong(made.file, gone) == gone
        assert self.wrong(made.file, other.key_file) == other.key_file
        assert self.wrong(made.file, text) == text
        assert self.wrong(made.file, made.key_file, gone) == gone
        assert self.wrong(made.file, made.key_file, text) == text

    def test_nobody_is_asked_for_a_passphrase(self, made, tmp_path):
        sealed = tmp_path / "sealed.key"
        said = made.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"x"))
        sealed.write_bytes(said)
        assert self.wrong(made.file, sealed) == sealed

    @pytest.mark.parametrize(
        "options",
        [
            ("--certificate", "c.pem"),
            ("--private-key", "k.pem"),
            ("--client-ca", "a.pem"),
            ("--host", "0.0.0.0"),  # noqa: S104 - that it is not
        ],
    )
    def test_an_option_without_those_it_needs_is_refused(self, monkeypatch, capsys, tmp_path, options):
        monkeypatch.setenv("ZHENGTONG_HOME", str(tmp_path))
        code = run(["--lang", "en", "serve", *options])
        assert code == 2
        assert options[0] in capsys.readouterr().err
