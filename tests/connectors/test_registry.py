from __future__ import annotations

import logging
import socket
import traceback

import pytest

from connectors.errors import ConnectorError, ConnectorSettingsError, SourceDeniedError, SourceUnavailableError
from connectors.problems import PROBLEMS
from connectors.protocol import Column, ReadRequest
from connectors.registry import KINDS, MAKERS, connect, secrets_from
from connectors.retry import Waiting

SECRET = "S3cr3t-that-must-not-show"
SECRETS = (
    "access_key",
    "client_secret",
    "key_password",
    "landing_key",
    "passphrase",
    "password",
    "secret",
    "secret_key",
    "token",
)


@pytest.fixture
def nobody():
    """A port of this machine on which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    return str(port)


def settings(port, folder):
    """Enough for any kind: each takes of them what it knows."""
    return {
        "base_url": f"http://127.0.0.1:{port}/api",
        "token_url": f"http://127.0.0.1:{port}/token",
        "endpoint": f"127.0.0.1:{port}",
        "host": "127.0.0.1",
        "port": port,
        "bucket": "rows",
        "region": "cn-north-1",
        "database": "rows",
        "user": "reader",
        "driver": "",
        "client_id": "hub",
        "key_id": "hub",
        "folder": str(folder / "no-such"),
        "path": str(folder / "no-such.sqlite"),
        "url": f"postgresql+psycopg://reader@127.0.0.1:{port}/rows",
        "timeout_s": "1",
        "connect_timeout_s": "2",
        **dict.fromkeys(SECRETS, "env:S"),
    }


def shown(error):
    """All that anybody who gets hold of *error* could print of it, and of what it came from."""
    texts = []
    seen = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        texts += [str(error), repr(error), repr(error.args), repr(vars(error))]
        if isinstance(error, ConnectorError):
            texts += [error.text("en"), error.text("zh")]
        texts += traceback.format_exception(error)
        error = error.__cause__ or error.__context__
    return "\n".join(texts)


AUTHS = {"http-json": ("token", "basic", "oauth2", "signed")}


@pytest.mark.parametrize(("kind", "auth"), [(kind, auth) for kind in KINDS for auth in AUTHS.get(kind, ("",))])
def test_no_kind_shows_a_secret_when_it_cannot_connect(kind, auth, nobody, tmp_path, caplog):
    caplog.set_level(logging.DEBUG)
    given = {**settings(nobody, tmp_path), **({"auth": auth} if auth else {})}
    asked = []

    def secrets(reference):
        asked.append(reference)
        return SECRET

    columns = (Column("id"), Column("at"), Column("name", mask="hash"))
    request = ReadRequest("R", "rows", columns, None, "at", {"create": "yes", "order_column": "at"}, key=("id",))
    errors = []
    try:
        connector = connect(kind, given, secrets, waiting=Waiting(sleep=lambda _: None, attempts=2))
        for call in (lambda: connector.probe("rows", {}), lambda: connector.read(request, tmp_path / "batch")):
            with pytest.raises(ConnectorError) as caught:
                call()
            errors.append(caught.value)
        assert SECRET not in repr(connector)
    except ConnectorSettingsError as error:
        # A kind may want more than these settings before it tries.
        errors.append(error)
    told = "\n".join(map(shown, errors))
    assert errors
    assert told
    assert SECRET not in told
    assert SECRET not in caplog.text
    assert not any(SECRET in repr(vars(record)) for record in caplog.records)
    if auth:
        assert asked


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", SECRETS)
def test_a_secret_in_the_clear_is_refused_for_every_kind(kind, name, tmp_path):
    for value in (SECRET, "vault:x", "env:", ":x"):
        with pytest.raises(ConnectorSettingsError) as caught:
            connect(kind, {**settings("1", tmp_path), name: value}, secrets_from({}))
        assert (caught.value.problem, caught.value.params["name"]) == ("secret_literal", name)
        assert SECRET not in shown(caught.value)


@pytest.mark.parametrize(
    "value",
    [
        f"postgresql://reader:{SECRET}@db.example/rows",
        f"https://u:{SECRET}@api.example",
        f"mysql+pymysql://db.example/rows?user=x&password={SECRET}",
        f"host=db.example password={SECRET}",
        f"Driver=DM8;Server=db;Uid=x;PWD={SECRET};",
        f"appid=1&access_token={SECRET}",
        f"api_key = {SECRET}",
    ],
)
def test_a_password_inside_an_address_is_refused(value, tmp_path):
    for name in ("url", "base_url", "query"):
        with pytest.raises(ConnectorSettingsError) as caught:
            connect("http-json", {**settings("1", tmp_path), name: value}, secrets_from({}))
        assert (caught.value.problem, caught.value.params["name"]) == ("secret_inside", name)
        assert SECRET not in shown(caught.value)


def test_an_address_with_a_port_or_an_at_sign_is_no_password(tmp_path):
    for value in ("https://api.example:8443/a@b", "https://api.example/a:b@c", "postgresql://reader@db:5432/rows"):
        connect("csv", {"folder": str(tmp_path), "note": value}, secrets_from({}))


# --- references ------------------------------------------------------------------------------------------------------


def test_secrets_come_from_the_environment_and_from_files(tmp_path):
    (tmp_path / "key").write_text("gehéim\r\n", encoding="utf-8")
    resolve = secrets_from({"A": "x"}, tmp_path)
    assert (resolve("env:A"), resolve("file:key")) == ("x", "gehéim")


@pytest.mark.parametrize("reference", ["env:B", "file:no-such", "env:EMPTY", "airflow:none#password"])
def test_a_secret_that_is_not_there_is_named_by_its_reference(reference, tmp_path):
    resolve = secrets_from({"EMPTY": "", "A": SECRET}, tmp_path, {"airflow": lambda _: None})
    with pytest.raises(SourceDeniedError) as caught:
        resolve(reference)
    assert (caught.value.problem, caught.value.params["reference"]) == ("secret_missing", reference)


def test_a_further_scheme_is_asked_for_what_stands_behind_the_colon(tmp_path):
    asked = []

    def look_up(name):
        asked.append(name)
        return SECRET

    resolve = secrets_from({}, extra={"airflow": look_up})
    assert resolve("airflow:CITIZENS#extra:token") == SECRET
    assert asked == ["CITIZENS#extra:token"]
    assert connect("csv", {"folder": str(tmp_path), "password": "airflow:CITIZENS#password"}, resolve)
    with pytest.raises(ConnectorSettingsError):
        connect("csv", {"folder": str(tmp_path), "password": "airflow:CITIZENS#password"}, secrets_from({}))


def test_a_store_of_secrets_that_fails_is_to_be_tried_again_and_not_quoted():
    def broken(name):
        raise RuntimeError(f"row: {SECRET}")

    with pytest.raises(SourceUnavailableError) as caught:
        secrets_from({}, extra={"airflow": broken})("airflow:X#y")
    assert caught.value.problem == "secret_unreadable"
    assert caught.value.params["detail"] == "RuntimeError"
    assert caught.value.__suppress_context__
    assert SECRET not in caught.value.text("zh")


def test_what_is_no_reference_is_not_repeated():
    with pytest.raises(ConnectorSettingsError) as caught:
        secrets_from({})(f"{SECRET}:x")
    assert SECRET not in shown(caught.value)


def test_the_resolver_shows_no_environment():
    resolve = secrets_from({"A": SECRET})
    assert repr(resolve) == "Secrets(env, file)"


# --- kinds -----------------------------------------------------------------------------------------------------------


def test_an_unknown_kind_is_told_the_known_ones():
    with pytest.raises(ConnectorSettingsError) as caught:
        connect("csvv", {}, str)
    assert "http-json" in str(caught.value)


def test_kinds_are_sorted_and_each_has_a_maker():
    assert tuple(sorted(MAKERS)) == KINDS
    assert {"http-json", "postgresql-cdc"} <= set(KINDS)


def test_every_problem_is_told_in_both_languages_with_the_same_parameters():
    import string

    def names(text):
        return {name.partition(":")[0] for _, name, _, _ in string.Formatter().parse(text) if name}

    for code, (english, chinese) in PROBLEMS.items():
        assert names(english) == names(chinese), code
        assert any("\u4e00" <= char <= "\u9fff" for char in chinese), code
