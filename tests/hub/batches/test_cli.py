"""`zhengtong batch …` from order to check, and a download that breaks off, is cheated, or never ends."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from audit.entry import Entry
from hub import clients
from hub.actors import Actor
from hub.api import create_app
from hub.batches.errors import ManifestInvalidError
from hub.batches.manifest import NAME, check
from hub.cli import main
from hub.client import AsyncClient, BatchNotReadyError, CallFailedError, CallInvalidError, Client, HubUnreachableError
from hub.errors import AnswerRefusedError
from hub.service import Service
from hub.signatures import AnswerSigner, AnswerVerifier
from hub.signing import keyfiles
from tests.hub import world as worlds
from tests.hub.api.conftest import serving
from tests.hub.batches.conftest import Room
from tests.hub.world import CODE, MATTER

ORDER = {"grant": "G2", "matter": MATTER}


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
    key.chmod(0o600)
    monkeypatch.setenv("ZHENGTONG_HOME", str(place.settings.home))
    monkeypatch.chdir(tmp_path)

    def run(*arguments, remote=True):
        more = ["--server", place.address, "--key-file", str(key)] if remote else []
        code = main(["batch", *arguments, *more])
        return code, capsys.readouterr()

    return run


def wait(place, id_):
    with Client(place.address, place.key, place.pinned) as client:
        return client.batches.wait(id_, within_s=60, every_s=0.05)


@pytest.fixture(scope="module")
def made(place):
    with Client(place.address, place.key, place.pinned) as client:
        id_ = client.batches.order(CODE, **ORDER)["id"]
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


@pytest.fixture
def own(place, tmp_path, monkeypatch):
    """A profile `own` of a system that signs with its own key."""
    service = place.app.state.service
    by = Actor("GA", "office")
    made_ = clients.register(service.office, department="RS", name=tmp_path.name, contact="officer", by=by)
    key, pem = keyfiles.generate("ed25519")
    clients.add_key(service.office, made_.id, key.public, keyfiles.prove_possession(made_.id, key), by=by)
    keyfiles.write_private(tmp_path / "own.pem", pem)
    file = tmp_path / "profiles.toml"
    file.write_text(
        f'[own]\nurl = "{place.address}"\nanswer_key = "{place.pinned}"\nsigning_key = "own.pem"\n', encoding="utf-8"
    )
    monkeypatch.setenv("ZHENGTONG_PROFILES", str(file))
    monkeypatch.setattr("hub.client.wire.utc_now", lambda: datetime.now(UTC) + timedelta(seconds=2))
    return file


class TestWhoCalls:
    """One way of choosing hub and key for every command that goes over the API."""

    def test_a_profile_signs_with_its_own_key(self, own, run, made, monkeypatch):
        assert run("show", made, "--profile", "own", remote=False)[0] == 0
        monkeypatch.setenv("ZHENGTONG_PROFILE", "own")
        assert run("list", remote=False)[0] == 0

    def test_what_is_on_the_line_goes_before_the_environment(self, own, run, made, monkeypatch):
        monkeypatch.setenv("ZHENGTONG_PROFILE", "absent")
        assert run("show", made)[0] == 0
        code, told = run("show", made, remote=False)
        assert (code, "absent" in told.err, "own" in told.err) == (2, True, True)

    def test_hooks_are_looked_after_in_the_same_way(self, own, run, capsys):
        assert main(["hooks", "list", "--profile", "own", "--json"]) == 0
        assert json.loads(capsys.readouterr().out) == []
        assert main(["hooks", "show", "HX", "--profile", "own"]) == 3
        assert main(["hooks", "pause", "HX", "--profile", "own"]) == 3
        # Nothing follows with a key of that resource's; the address is looked at first.
        assert main(
            ["hooks", "register", CODE, "https://rs.example.cn/in?x=1", "--purpose", MATTER, "--profile", "own"]
        )
        capsys.readouterr()
        assert main(["hooks", "pause", "HX"]) == 2
        assert "--by" in capsys.readouterr().err

    def test_not_two_ways_at_once(self, own, run, made):
        code, told = run("show", made, "--profile", "own")
        assert (code, "--server" in told.err) == (2, True)

    def test_a_key_that_others_can_read_is_not_used(self, run, made, tmp_path, place):
        (tmp_path / "caller.key").chmod(0o644)
        code, told = run("show", made)
        assert (code, "chmod 600" in told.err) == (2, True)
        assert place.key not in told.err + told.out

    def test_nobody_at_all(self, run, made, monkeypatch, tmp_path):
        monkeypatch.setenv("ZHENGTONG_HOME", str(tmp_path / "nowhere"))
        code, told = run("show", made, remote=False)
        assert (code, "--profile" in told.err, "--key-file" in told.err) == (2, True, True)
        code, told = run("show", made)
        assert (code, "--answer-key" in told.err) == (2, True)

    def test_an_answer_key_of_another_hub(self, run, made, tmp_path):
        (tmp_path / "other.pub").write_text(AnswerSigner.from_seed(b"\2" * 32).verifier.to_text())
        assert run("show", made, "--answer-key", "other.pub")[0] == 10
        (tmp_path / "other.pub").write_text("nonsense")
        assert run("show", made, "--answer-key", "other.pub")[0] == 2

    def test_an_address_that_is_none(self, run, made, monkeypatch, place):
        monkeypatch.setattr(place, "address", "hub.example")
        code, told = run("show", made, "--json")
        assert (code, json.loads(told.out)["code"]) == (2, "client_setting")


def test_the_files_become_one_table_whatever_their_form(place, tmp_path):
    with Client(place.address, place.key, place.pinned) as client:
        tables = []
        for form in ("parquet", "csv", "csv.gz"):
            id_ = client.batches.order(CODE, **ORDER, fields=["name", "birth", "address"], format=form)["id"]
            client.batches.wait(id_, within_s=60, every_s=0.05)
            fetched = client.batches.fetch(id_, tmp_path / form)
            tables.append(fetched.to_arrow())
            assert fetched.rows == tables[-1].num_rows == len(fetched.to_pandas()) == 5
            assert [path.parent.name for path in fetched.paths] == [form] * len(fetched.paths)
        names = [sorted(table.column("name").to_pylist()) for table in tables]
        assert names[0] == names[1] == names[2]
        assert [table.column("address").null_count for table in tables] == [tables[0].column("address").null_count] * 3


def test_one_that_will_never_be_ready_is_not_waited_for(place):
    with Client(place.address, place.key, place.pinned) as client:
        id_ = client.batches.order(CODE, **ORDER)["id"]
        client.batches.wait(id_, within_s=60, every_s=0.05)
        client.batches.cancel(id_)
        with pytest.raises(BatchNotReadyError) as caught:
            client.batches.wait(id_, within_s=60, every_s=0.05)
    assert not caught.value.under_way


def test_one_that_waits_for_nobody_orders_and_fetches_alike(place, tmp_path):
    told = []

    async def go():
        async with AsyncClient(place.address, place.key, place.pinned) as client:
            id_ = (await client.batches.order(CODE, **ORDER))["id"]
            await client.batches.wait(id_, within_s=60, every_s=0.05)
            first, second = await asyncio.gather(
                client.batches.fetch(id_, tmp_path / "a", lambda *part: told.append(part)),
                client.batches.fetch(id_, tmp_path / "b"),
            )
            assert id_ in [one["id"] for one in await client.batches.list()]
            assert await client.hooks.find() == []
            assert CODE in [one["code"] async for one in client.catalog()]
            return first, second

    first, second = asyncio.run(go())
    assert first.manifest == second.manifest
    assert len(told) == len(first.paths)
    assert check(tmp_path / "a", [AnswerVerifier.from_text(place.pinned)]).holds


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
    return transport, Client(place.address, place.key, place.pinned, http=http)


def test_a_download_that_breaks_off_goes_on(place, made, tmp_path, monkeypatch):
    monkeypatch.setattr("time.sleep", lambda _: None)
    transport, client = broken(place, bytes_at_once=900)
    with client:
        for _ in range(20):
            try:
                client.batches.fetch(made, tmp_path / "got")
                break
            except HubUnreachableError:
                assert not (tmp_path / "got" / NAME).exists()
    assert transport.asked[0] == ""
    assert transport.asked[1] == "bytes=900-"
    checked = check(tmp_path / "got", [AnswerVerifier.from_text(place.pinned)])
    assert checked.findings == ()


@pytest.mark.parametrize("spoil", [lambda data: data[:-1] + b"!", lambda data: data + data, lambda data: b""])
def test_a_part_that_is_not_what_was_signed_is_not_kept(place, made, tmp_path, monkeypatch, spoil):
    monkeypatch.setattr("time.sleep", lambda _: None)
    _, client = broken(place, bytes_at_once=1 << 30, spoil=spoil)
    with client, pytest.raises(AnswerRefusedError):
        client.batches.fetch(made, tmp_path / "got")
    assert [path.name for path in (tmp_path / "got").glob("*.parquet")] == []


def test_a_manifest_or_answer_of_another_hub_is_not_believed(place, made, tmp_path):
    other = AnswerSigner.from_seed(b"\2" * 32).verifier.to_text()
    with Client(place.address, place.key, other) as client:
        with pytest.raises(ManifestInvalidError):
            client.batches.fetch(made, tmp_path / "got")
        with pytest.raises(AnswerRefusedError):
            client.batches.show(made)
    with Client(place.address, place.key, place.pinned) as client, pytest.raises(CallFailedError) as caught:
        client.batches.fetch("BNOSUCH", tmp_path / "got")
    assert caught.value.status == 404


def test_one_client_with_the_system_s_own_key_does_it_all(place, tmp_path, monkeypatch):
    service = place.app.state.service
    by = Actor("GA", "office")
    made_ = clients.register(service.office, department="RS", name="copy", contact="officer", by=by)
    key, _ = keyfiles.generate("ed25519")
    clients.add_key(service.office, made_.id, key.public, keyfiles.prove_possession(made_.id, key), by=by)
    clients.set_signed_only(service.office, made_.id, by=by, signed_only=True)
    monkeypatch.setattr("time.sleep", lambda _: None)
    # What was signed within the second in which the hub was set up, it refuses.
    monkeypatch.setattr("hub.client.wire.utc_now", lambda: datetime.now(UTC) + timedelta(seconds=2))
    transport = Broken(bytes_at_once=900)
    with Client(place.address, key, place.pinned, http=httpx.Client(transport=transport)) as client:
        assert client.resource(CODE)["code"] == CODE
        id_ = client.batches.order(CODE, **ORDER)["id"]
        assert wait(place, id_)["state"] == "ready"
        assert id_ in [one["id"] for one in client.batches.list()]
        for _ in range(20):
            try:
                fetched = client.batches.fetch(id_, tmp_path / "got")
                break
            except HubUnreachableError:
                continue
        assert fetched.manifest["batch"] == id_
        # Each piece of the download was signed for itself.
        assert len(transport.asked) > 1
        assert check(tmp_path / "got", [AnswerVerifier.from_text(place.pinned)]).holds
        assert client.batches.cancel(id_)["state"] == "cancelled"
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
