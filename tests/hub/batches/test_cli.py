"""`zhengtong batch …` from order to check, and a download that breaks off, is cheated, or never ends."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from audit.entry import Entry
from hub import clients
from hub.actors import Actor
from hub.api import create_app
from hub.batches.client import BatchClient
from hub.batches.errors import ManifestInvalidError
from hub.batches.manifest import NAME, check
from hub.cli import main
from hub.client import CallFailedError, CallInvalidError, Client, HubUnreachableError
from hub.errors import AnswerRefusedError
from hub.service import Service
from hub.signatures import AnswerSigner, AnswerVerifier
from hub.signing import keyfiles
from tests.hub import world as worlds
from tests.hub.api.conftest import serving
from tests.hub.batches.conftest import Room
from tests.hub.world import CODE, MATTER

ORDER = {"grant": "G2", "purpose": {"matter": MATTER}}


@pytest.fixture(scope="module")
def place(built, tmp_path_factory):
    world = worlds.copy(built, tmp_path_factory.mktemp("cli") / "world")
    # Clients go by the real clock, and so do commands.
    world.clock.now = datetime.now(UTC)
    room = Room(world)
    room.grant(starts=world.clock.now - timedelta(days=1), expires=world.clock.now + timedelta(days=30))
    world.key = room.key()
    room.close()
    app = create_app(
        world.settings,
        open_service=lambda settings: Service.open(settings, clock=lambda: datetime.now(UTC)),
    )
    with serving(app) as address:
        world.address, world.app = address, app
        world.pinned = world.settings.answer_key.read_text().strip()
        yield world


@pytest.fixture
def run(place, monkeypatch, capsys, tmp_path):
    key = tmp_path / "caller.key"
    key.write_text(place.key)
    monkeypatch.setenv("ZHENGTONG_HOME", str(place.settings.home))
    monkeypatch.chdir(tmp_path)

    def run(*arguments, remote=True):
        more = ["--server", place.address, "--key-file", str(key)] if remote else []
        code = main(["batch", *arguments, *more])
        return code, capsys.readouterr()

    return run


def wait(place, id_):
    with BatchClient(place.address, place.key, place.pinned) as client:
        for _ in range(400):
            plain = client.show(id_)
            if plain["state"] not in ("ordered", "running"):
                return plain
    raise AssertionError(plain)


@pytest.fixture(scope="module")
def made(place):
    with BatchClient(place.address, place.key, place.pinned) as client:
        id_ = client.order(CODE, ORDER)["id"]
    assert wait(place, id_)["state"] == "ready"
    return id_


def test_from_order_to_check(place, run, tmp_path):
    code, told = run("order", CODE, "--purpose", MATTER, "--grant", "G2", "--rows", "household in H2",
                     "--fields", "name,household", "--json")  # fmt: skip
    plain = json.loads(told.out)
    assert (code, plain["rows_total"]) == (8, 3)
    wait(place, plain["id"])
    assert run("show", plain["id"])[0] == 0
    code, told = run("list")
    assert (code, plain["id"] in told.out) == (0, True)
    code, told = run("fetch", plain["id"])
    assert code == 0, told.err
    folder = tmp_path / plain["id"]
    assert sorted(path.name for path in folder.iterdir()) == [NAME, "part-0001.parquet"]
    assert run("check", str(folder), remote=False)[0] == 0
    (folder / "part-0001.parquet").write_bytes(b"x")
    code, told = run("check", str(folder), remote=False)
    assert (code, "part-0001.parquet" in told.err) == (10, True)
    (folder / NAME).unlink()
    assert run("check", str(folder), remote=False)[0] == 10
    assert run("fetch", plain["id"])[0] == 0
    assert run("check", str(folder), "--json", remote=False)[0] == 0
    assert run("cancel", plain["id"])[0] == 0
    assert run("show", plain["id"])[0] == 6


def test_what_the_hub_refuses_is_told_with_its_exit_code(place, run, made, monkeypatch):
    code, told = run("order", CODE, "--purpose", "NOSUCH", "--grant", "G2")
    assert (code, "NOSUCH" in told.err) == (4, True)
    assert run("order", CODE, "--purpose", MATTER, "--grant", "G2", "--format", "xlsx")[0] == 2
    code, told = run("show", "BNOSUCH", "--json")
    assert (code, json.loads(told.out)["ok"]) == (3, False)
    monkeypatch.setattr(place, "address", "http://127.0.0.1:1")
    assert run("show", made)[0] == 75


def test_run_makes_what_waits(run):
    code, told = run("run", "--once", remote=False)
    assert code == 0, told.err


class Broken(httpx.BaseTransport):
    """Sends *bytes_at_once* of each part and breaks off; *spoil* changes what arrives."""

    def __init__(self, bytes_at_once, spoil=None):
        self.inner = httpx.HTTPTransport()
        self.bytes_at_once, self.spoil, self.asked = bytes_at_once, spoil, []

    def handle_request(self, request):
        answer = self.inner.handle_request(request)
        if "/parts/" not in str(request.url):
            return answer
        self.asked.append(request.headers.get("range", ""))
        data = b"".join(answer.stream)
        if self.spoil is not None:
            data = self.spoil(data)
        sent = data[: self.bytes_at_once]

        def stream():
            yield sent
            if len(sent) < len(data):
                raise httpx.ReadError("gone")

        kept = [(name, value) for name, value in answer.headers.raw if name.lower() != b"content-length"]
        return httpx.Response(answer.status_code, headers=kept, stream=_Stream(stream()))

    def close(self):
        self.inner.close()


class _Stream(httpx.SyncByteStream):
    def __init__(self, chunks):
        self.chunks = chunks

    def __iter__(self):
        return self.chunks


def broken(place, **options):
    transport = Broken(**options)
    http = httpx.Client(transport=transport, trust_env=False)
    return transport, BatchClient(place.address, place.key, place.pinned, http=http)


def test_a_download_that_breaks_off_goes_on(place, made, tmp_path, monkeypatch):
    monkeypatch.setattr("hub.batches.client.WAIT_S", 0)
    transport, client = broken(place, bytes_at_once=900)
    with client:
        for _ in range(20):
            try:
                client.fetch(made, tmp_path / "got")
                break
            except HubUnreachableError:
                assert not (tmp_path / "got" / NAME).exists()
    assert transport.asked[0] == ""
    assert transport.asked[1] == "bytes=900-"
    checked = check(tmp_path / "got", [AnswerVerifier.from_text(place.pinned)])
    assert checked.findings == ()


@pytest.mark.parametrize("spoil", [lambda data: data[:-1] + b"!", lambda data: data + data, lambda data: b""])
def test_a_part_that_is_not_what_was_signed_is_not_kept(place, made, tmp_path, monkeypatch, spoil):
    monkeypatch.setattr("hub.batches.client.WAIT_S", 0)
    _, client = broken(place, bytes_at_once=1 << 30, spoil=spoil)
    with client, pytest.raises(AnswerRefusedError):
        client.fetch(made, tmp_path / "got")
    assert [path.name for path in (tmp_path / "got").glob("*.parquet")] == []


def test_a_manifest_or_answer_of_another_hub_is_not_believed(place, made, tmp_path):
    other = AnswerSigner.from_seed(b"\2" * 32).verifier.to_text()
    with BatchClient(place.address, place.key, other) as client:
        with pytest.raises(ManifestInvalidError):
            client.fetch(made, tmp_path / "got")
        with pytest.raises(AnswerRefusedError):
            client.show(made)
    with BatchClient(place.address, place.key, place.pinned) as client, pytest.raises(CallFailedError) as caught:
        client.fetch("BNOSUCH", tmp_path / "got")
    assert caught.value.status == 404


def test_one_client_with_the_system_s_own_key_does_it_all(place, tmp_path, monkeypatch):
    service = place.app.state.service
    by = Actor("GA", "office")
    made_ = clients.register(service.office, department="RS", name="copy", contact="officer", by=by)
    key, _ = keyfiles.generate("ed25519")
    clients.add_key(service.office, made_.id, key.public, keyfiles.prove_possession(made_.id, key), by=by)
    clients.set_signed_only(service.office, made_.id, by=by, signed_only=True)
    monkeypatch.setattr("hub.batches.client.WAIT_S", 0)
    # What was signed within the second in which the hub was set up, it refuses.
    monkeypatch.setattr("hub.client.wire.utc_now", lambda: datetime.now(UTC) + timedelta(seconds=2))
    transport = Broken(bytes_at_once=900)
    with Client(place.address, key, place.pinned, http=httpx.Client(transport=transport)) as client:
        assert client.resource(CODE)["code"] == CODE
        id_ = client.batches.order(CODE, ORDER)["id"]
        assert wait(place, id_)["state"] == "ready"
        assert id_ in [one["id"] for one in client.batches.list()]
        for _ in range(20):
            try:
                manifest = client.batches.fetch(id_, tmp_path / "got")
                break
            except HubUnreachableError:
                continue
        assert manifest["batch"] == id_
        # Each piece of the download was signed for itself.
        assert len(transport.asked) > 1
        assert check(tmp_path / "got", [AnswerVerifier.from_text(place.pinned)]).holds
        with client.batches as again:
            assert again.cancel(id_)["state"] == "cancelled"
        with pytest.raises(CallInvalidError) as caught:
            client.batches.fetch(id_, tmp_path / "got")
    assert caught.value.problem_code == "batch_state"
    log = service.evidence.log
    (ordered,) = [
        entry
        for entry in map(Entry.decode, log.entries(0, log.size))
        if entry.kind == "batch.ordered" and entry.facts["batch"] == id_
    ]
    assert (ordered.facts["caller"], ordered.facts["proof"]) == (made_.id, "signature")
