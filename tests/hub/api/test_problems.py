"""Every error of the hub and of a case as a problem: its status has a title, its answer is said in both languages."""

from __future__ import annotations

import importlib
import pkgutil

import pytest

import hub
from catalog import steps
from hub import errors
from hub.api import licence_refusals, problems, public
from licence import errors as licence

# What no request should come to; the address of the problem explains it all the same.
FAULTS = {
    "HubError",
    "UnforeseenError",
    "AnswerRefusedError",
    "ManifestInvalidError",
    "ReceiptInvalidError",
    "SignatureInvalidError",
}


def classes():
    for module in pkgutil.walk_packages(hub.__path__, "hub."):
        if "migrations" not in module.name:
            importlib.import_module(module.name)
    found, waiting = set(), [errors.HubError, steps.CaseError]
    while waiting:
        one = waiting.pop()
        waiting += one.__subclasses__()
        if one.__module__.startswith(("hub.", "catalog.")):
            found.add(one)
    return sorted(found, key=lambda one: one.__qualname__)


def status(kind):
    return next(number for base, number in problems.STATUS if issubclass(kind, base))


def test_every_error_has_a_status_with_a_title_and_few_are_faults_of_ours():
    assert {status(one) for one in classes()} <= problems.TITLES.keys()
    # The client and the demonstration answer nobody; pages have statuses of their own (tests/hub/portal).
    apart = ("hub.client.", "hub.demo.", "hub.portal.")
    faults = {one.__name__ for one in classes() if status(one) == 500 and not one.__module__.startswith(apart)}
    assert faults <= FAULTS


def test_no_class_stands_behind_its_base_where_it_is_never_reached():
    kinds = [kind for kind, _ in problems.STATUS]
    hidden = [late for number, late in enumerate(kinds) for early in kinds[:number] if issubclass(late, early)]
    assert hidden == []


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("SecondOfficerError", 403),
        ("ApprovalMissingError", 403),
        ("CodeNotYoursError", 403),
        ("SealNotYoursError", 403),
        ("CopyUnknownError", 404),
        ("NoKindsError", 404),
        ("LicencePendingError", 409),
        ("SealStateRefusedError", 409),
        ("MaterialVoidError", 409),
        ("StoreDamagedError", 503),
        ("DocumentDriftedError", 503),
        ("WalletsClosedError", 503),
    ],
)
def test_errors_of_licences_say_what_to_do_next(name, wanted):
    (kind,) = {one for one in classes() if one.__name__ == name}
    assert status(kind) == wanted
    explained = problems.known_problems()[kind.code]
    assert (explained["status"], bool(explained["en"]), bool(explained["zh"])) == (wanted, True, True)


REFUSED = [
    (licence.FactsIncompleteError(kind="居住证", fields="KZ_ZZ"), 409, "facts_incomplete", "KZ_ZZ"),
    (
        licence.FaceValueError("face_value_of_other_type", field="KZ_XM", type="date"),
        409,
        "face_value_of_other_type",
        "KZ_XM",
    ),
    (
        licence.GlyphMissingError("glyph_missing_in_field", field="姓名", codepoints="U+E123"),
        409,
        "glyph_missing_in_field",
        "姓名",
    ),
    (licence.EventRefusedError("event_other_unit", by="MZ", issuer="RS"), 409, "event_other_unit", "RS"),
    (licence.IssueRefusedError("status_does_not_fit", idx=1, value="x"), 422, "status_does_not_fit", ""),
    (
        licence.GroundMissingError(action_en="revoked", missing="a ground", action_zh="撤销", missing_zh="依据"),
        422,
        "ground_missing",
        "",
    ),
    (licence.NotIssuingDepartmentError(by="MZ", issuer="RS"), 403, "not_issuing_department", "RS"),
    (licence.SignerError("signer_gone", detail="DeviceRemoved"), 503, "signer_gone", "DeviceRemoved"),
]


@pytest.mark.parametrize("case", REFUSED, ids=[code for _, _, code, _ in REFUSED])
def test_what_the_licence_library_refuses_is_a_problem_with_its_code(http, monkeypatch, case):
    error, wanted, code, word = case

    def refuse(*given):
        raise error

    monkeypatch.setattr(public, "catalogue", refuse)
    for lang in ("zh", "en"):
        got = http.get("/v1/catalog", headers={"accept-language": lang})
        assert (got.status_code, got.json()["code"]) == (wanted, code)
        assert got.json()["detail"] == error.text(lang)
        assert word in got.json()["detail"]
        assert got.headers["content-type"] == problems.MEDIA_TYPE
        assert ("retry-after" in got.headers) == (wanted == 503)
    explained = http.get(got.json()["type"]).json()
    assert explained["code"] == code
    assert explained["zh"] != explained["en"]


def test_a_fault_of_the_hubs_own_files_is_none_and_its_words_are_not_told(http, monkeypatch):
    def refuse(*given):
        raise licence.KeyFileError("key_file_exposed", path="/var/keys/x.pem", mode="0644")

    monkeypatch.setattr(public, "catalogue", refuse)
    got = http.get("/v1/catalog")
    assert (got.status_code, got.json()["code"]) == (500, "internal")
    assert "/var/keys" not in got.text


def test_a_refusal_that_the_hub_says_in_its_own_words_has_the_same_status():
    own = {one.code: status(one) for one in classes()}
    said = {code: plain["status"] for code, plain in licence_refusals.explained().items()}
    assert {code: own.get(code, number) for code, number in said.items()} == said
    assert licence_refusals.finding("nothing_of_this_name") is None


def test_a_code_is_one_problem_with_one_status():
    told = {}
    for one in classes():
        if not one.__module__.startswith(("hub.client.", "hub.demo.")):
            told.setdefault(one.code, set()).add(status(one))
    assert {code: found for code, found in told.items() if len(found) > 1} == {}
