"""Anyone fetches the revocation lists, and is told cheaply that the last one still stands."""

from __future__ import annotations

import pytest
from cryptography import x509
from fastapi import FastAPI
from fastapi.testclient import TestClient

from hub.api import revocation_lists
from hub.authority.revocations import renew_lists
from hub.errors import NotFoundError


@pytest.fixture
def client(keys, log):
    from types import SimpleNamespace

    app = FastAPI()
    app.state.service = SimpleNamespace(settings=keys.settings)
    revocation_lists.add_to(app)

    @app.exception_handler(NotFoundError)
    def missing(_request, _error):
        from fastapi import Response

        return Response(status_code=404)

    renew_lists(keys, log)
    return TestClient(app)


def test_every_list_is_found_and_read(client, keys):
    paths = client.get("/v1/crl").json()["revocation_lists"]
    found = {client.get(path).content for path in paths}
    assert found == set(keys.crls())
    for path in paths:
        answer = client.get(f"{path}.crl")
        assert answer.headers["content-type"] == "application/pkix-crl"
        assert x509.load_der_x509_crl(answer.content).next_update_utc


def test_who_has_it_is_told_so(client):
    (path, *_) = client.get("/v1/crl").json()["revocation_lists"]
    tag = client.get(path).headers["etag"]
    same = client.get(path, headers={"if-none-match": f'"x", W/{tag}'})
    assert (same.status_code, same.content) == (304, b"")
    assert client.get(path, headers={"if-none-match": '"x"'}).status_code == 200


@pytest.mark.parametrize("name", ["0" * 16, "x", "..%2Fregister", "0" * 15 + "G", "a" * 400, "%00"])
def test_nothing_else_is_found(client, name):
    assert client.get(f"/v1/crl/{name}").status_code == 404
