"""A short round of `bench/fuzz_api.py`: whatever is asked, the API answers as its own document says."""

from __future__ import annotations

import pytest

from bench.fuzz_api import CALLERS, attack, operations, place
from tests.hub.databases import POSTGRESQL, SQLITE, migrate, placed

# Of each operation, by callers of two departments and by strangers: well under two minutes on two busy cores.
EXAMPLES = {SQLITE: 8, POSTGRESQL: 5}


@pytest.fixture(scope="module", params=[SQLITE, pytest.param(POSTGRESQL, marks=pytest.mark.service(POSTGRESQL))])
def served(request, tmp_path_factory):
    """A world of its own, since these requests end grants and publish lists; and how many examples it is asked."""
    home, url = tmp_path_factory.mktemp("fuzzed"), None
    if request.param == POSTGRESQL:
        postgres = request.getfixturevalue("postgres")
        name = postgres.create(postgres.prepared("head", migrate))
        url = postgres.url(name)
    with place(home, lambda world: placed(world, url)) as found:
        yield found, EXAMPLES[request.param]
    if url is not None:
        postgres.drop(name)


@pytest.mark.slow
def test_every_answer_is_documented(served):
    found, examples = served
    faults = [fault for operation in operations(found) for fault in attack(found, operation, examples)]
    assert not faults, "\n".join(map(str, faults))
    # It came further in than the doors.
    assert {"/v1/applications", "/v1/batches", "/v1/corrections", "/v1/grants", "/v1/hooks"} <= found.opened.keys()
    assert {200, 400, 401, 403, 404, 409, 415, 422} <= found.statuses.keys()
    assert found.asked > examples * len(operations(found)) / 2


class TestItFinds:
    @pytest.fixture
    def broken(self, served):
        """The place as it would look if the API did not do what its document says."""
        found, _ = served
        document = found.document
        yield found
        found.document = document

    @pytest.mark.slow
    def test_an_answer_that_is_not_documented(self, broken):
        broken.document = _without(broken.document, "/v1/keys", "get", "200")
        faults = attack(broken, _operation(broken, "GET /v1/keys"), 2)
        assert any("Undocumented status code" in fault.what for fault in faults)

    @pytest.mark.slow
    def test_a_shape_that_does_not_fit(self, broken):
        broken.document = {**broken.document, "components": _other_shape(broken.document["components"])}
        faults = attack(broken, _operation(broken, "GET /v1/keys"), 2)
        assert any("schema" in fault.what for fault in faults), faults

    @pytest.mark.slow
    def test_a_stranger_who_is_answered(self, broken):
        broken.keys.update(dict.fromkeys(CALLERS, broken.keys["RS"]))
        try:
            # Which requests one seed makes depends on what else the process has imported.
            found = any(
                "a stranger is answered" in fault.what
                for seed in range(20)
                for fault in attack(broken, _operation(broken, "GET /v1/grants"), 20, seed)
            )
        finally:
            broken.keys.pop("liar")
        assert found


def _operation(found, label):
    return next(one for one in operations(found) if one.label == label)


def _without(document, path, method, status):
    operation = document["paths"][path][method]
    kept = {name: answer for name, answer in operation["responses"].items() if name != status}
    kept["418"] = {"description": "x"}
    return {**document, "paths": {**document["paths"], path: {method: {**operation, "responses": kept}}}}


def _other_shape(components):
    shapes = components["schemas"]
    other = {**shapes["KeysShape"], "required": ["there_is_no_such_member"]}
    return {**components, "schemas": {**shapes, "KeysShape": other}}
