"""Evidence written by the first version, word for word, still comes to the same when it is done again."""

from __future__ import annotations

from datetime import datetime

import pytest

from audit.entry import seal_body
from hub.auditing import replay
from hub.evidence import part_salt
from hub.requests import Call
from tests.hub.world import CODE

AT = "2026-03-02T01:30:00+00:00"
PERSON = "110105199001010109"
FIELDS = ["citizen_id", "name", "birth", "married", "income", "household"]
GRANT = {
    "actions": ["query", "verify"],
    "consumer": "RS",
    "expires": "2026-04-01T01:30:00+00:00",
    "fields": FIELDS,
    "ground": "《办法》第三条",
    "id": "G1",
    "list_version": "sha256:3ba94da33aa0b754860b48887ea134e947de1758f03a80b264b3acbdd941d34c",
    "masks": [["name", "surname"]],
    "purposes": ["SX001"],
    "resource": CODE,
    "revoked_at": None,
    "starts": "2026-03-01T01:30:00+00:00",
}
ANSWERED = {
    "access": {
        "action": "query",
        "consumer": "RS",
        "fields": [],
        "grant": None,
        "lookup": ["citizen_id"],
        "purpose": "SX001",
        "resource": CODE,
    },
    "action": "query",
    "at": AT,
    "call": {"keys": {"citizen_id": PERSON}, "purpose": {"case": "BJ-1", "matter": "SX001", "operator": "李"}},
    "caller": {"department": "RS", "id": "C47D62QW4"},
    "code": CODE,
    "decision": {
        "allowed": True,
        "determined_by": ["grant:G1", f"line:{CODE}/GA"],
        "fields": FIELDS,
        "masks": [
            ["citizen_id", "citizen_id"],
            ["name", "surname"],
            ["birth", "none"],
            ["married", "none"],
            ["income", "none"],
            ["household", "none"],
        ],
        "reasons": [{"code": "allowed", "params": [["purpose", "SX001"], ["grants", "`G1`"]]}],
    },
    "format": 1,
    "grants": [GRANT],
    "outcome": "answered",
}
CONTENT = {
    "resource": CODE,
    "grant": "G1",
    "records": [
        {
            "citizen_id": "110105********0109",
            "name": "张**",
            "birth": "1990-01-01",
            "married": True,
            "income": "1200.50",
            "household": "H1",
        }
    ],
    "masked": {"citizen_id": "citizen_id", "name": "surname"},
}
DENIED = {
    **ANSWERED,
    "call": {"fields": ["address"], "keys": {"citizen_id": PERSON}, "purpose": {"matter": "SX002"}},
    # A denial did not name the lines then.
    "decision": {
        "allowed": False,
        "determined_by": ["grant:G1"],
        "fields": [],
        "masks": [],
        "reasons": [{"code": "purpose_not_granted", "params": [["grant", "G1"], ["purpose", "SX002"]]}],
    },
    "outcome": "denied",
}


def record(service, world, body, content=None):
    """Append the entry that the first version appended for *body*."""
    salt = service.evidence.draw_salt()
    facts = {
        "action": "query",
        "caller": "C47D62QW4",
        "decision": "allowed" if content else "denied",
        "list_version": world.list.version,
        "outcome": body["outcome"],
        "reasons": [reason["code"] for reason in body["decision"]["reasons"]],
        "request_digest": seal_body(Call.from_plain(body["call"]).plain(), part_salt(salt, "request")),
    }
    if content is not None:
        whole = {**content, "list_version": world.list.version, "snapshot": str(world.snapshot)}
        facts["answer_digest"] = seal_body(whole, part_salt(salt, "answer"))
        facts["snapshot"] = str(world.snapshot)
    kind = "invocation.answered" if content else "invocation.denied"
    at = datetime.fromisoformat(AT)
    return service.evidence.append(kind, at=at, actor="RS", resource=CODE, facts=facts, body=body, salt=salt).index


@pytest.mark.parametrize(
    ("body", "content", "end"), [(ANSWERED, CONTENT, "answer_equal"), (DENIED, None, "nothing_answered")]
)
def test_it_comes_to_the_same(service, world, body, content, end):
    report = replay(world.settings, record(service, world, body, content))
    codes = [step.code for step in report.steps]
    assert codes[3:] == ["decision_equal", "request_equal", end]
    assert report.verdict == "same"


@pytest.mark.parametrize(
    "changes", [{"determined_by": ["grant:G1", f"line:{CODE}/GA"]}, {"determined_by": []}, {"fields": ["name"]}]
)
def test_what_it_did_not_say_is_still_a_contradiction(service, world, changes):
    body = {**DENIED, "decision": {**DENIED["decision"], **changes}}
    report = replay(world.settings, record(service, world, body))
    assert (report.verdict, report.steps[3].code) == ("different", "decision_differs")


@pytest.mark.parametrize("format_", [0, 4, "1", None])
def test_a_form_that_is_not_known_is_not_guessed(service, world, format_):
    report = replay(world.settings, record(service, world, {**DENIED, "format": format_}))
    assert (report.verdict, report.steps[-1].code) == ("incomplete", "body_unreadable")
