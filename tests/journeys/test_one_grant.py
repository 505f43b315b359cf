"""One grant's way over HTTP: looked for, applied for, argued about, used up to its quota, disputed, lessened, ended."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path

import httpx

from audit.entry import Entry
from audit.log import Log
from audit.notes import VerifierKey
from audit.proof import LogProof
from catalog.clock import SHANGHAI
from catalog.export import to_yaml
from catalog.model import Need
from hub.actors import Role
from hub.api import create_app
from hub.auditing import replay, verify_log
from hub.callers import issue_key
from hub.cli import app as commands
from hub.control import CaseEvent, Control
from hub.evidence import Evidence
from hub.service import Service
from tests.hub import world as worlds
from tests.hub.api.conftest import serving
from tests.hub.applications.conftest import city_list
from tests.hub.conftest import control_url, settings
from tests.hub.databases import database
from tests.hub.publishing import publish_list
from tests.hub.world import CODE, IDS, MATTER, PEOPLE
from tests.services.postgres import postgres

__all__ = ["control_url", "database", "postgres", "settings"]

PERSON, OUTSIDER = IDS[0], IDS[2]
MENDED = "张叁"
WRONG = f"{PEOPLE[0][1]}的姓名应为{MENDED}，见户口簿 {PERSON}"
# What no entry, notice or problem may hold: whatever tells one of the people from another.
SECRETS = (*(value for person in PEOPLE for value in person[:4] if len(value or "") > 1), MENDED, WRONG)
ROWS = "household in H1"
QUOTA = 3
POSTS = {
    "editor": ("SJ", "list-editor", (Role.OFFICE,)),
    "checker": ("SJ", "list-checker", (Role.OFFICE,)),
    "window": ("RS", "window", (Role.APPLY,)),
    "greedy": ("RS", "desk", (Role.APPLY, Role.REVIEW)),
    "system": ("RS", "system", (Role.CALL,)),
    "reviewer": ("GA", "reviewer", (Role.REVIEW,)),
    "second": ("GA", "second", (Role.REVIEW,)),
    "stranger": ("MZ", "window", (Role.CALL, Role.APPLY, Role.REVIEW)),
}


@dataclass
class Doors:
    """The API of a running deployment, and who comes to it."""

    http: httpx.Client
    keys: dict[str, str]
    settings: object
    clock: worlds.Clock
    problems: list[str]
    trays: list[str]

    def send(self, who, method, path, body=None, *, status=200, **headers):
        """One request, a minute after the one before."""
        self.clock.now += timedelta(minutes=1)
        given = {"accept-language": "zh", **headers}
        if who:
            given["authorization"] = f"Bearer {self.keys[who]}"
        got = self.http.request(method, path, json=body, headers=given)
        assert got.status_code == status, got.text
        if status >= 400:
            self.problems.append(got.text)
        return got

    def get(self, who, path, **options):
        return self.send(who, "GET", path, **options)

    def post(self, who, path, body=None, **options):
        return self.send(who, "POST", path, {} if body is None else body, **options)

    def query(self, person=PERSON, *, status=200, **body):
        """A call for *person* by the consumer's system."""
        keys = {"keys": {"citizen_id": person}, "purpose": {"matter": MATTER, "case": "BJ-1"}}
        return self.post("system", f"/v1/resources/{CODE}:query", {**keys, **body}, status=status)

    def denied(self, **body):
        """The reasons of a call that is denied, with what would have to change."""
        problem = self.query(status=403, **body).json()
        return [(one["code"], one["remedy"]) for one in problem["reasons"]]

    def told(self, who):
        """The unread notices of *who*, by kind, newest first."""
        tray = self.get(who, "/v1/inbox")
        self.trays.append(json.dumps(tray.json()["notices"], ensure_ascii=False))
        found = {}
        for notice in tray.json()["notices"]:
            found.setdefault(notice["kind"], []).append(notice)
        return found

    def submit(self, list_):
        """Hand a list in; its case."""
        sent = self.http.post(
            "/v1/lists",
            content=to_yaml(list_),
            headers={"authorization": f"Bearer {self.keys['editor']}", "content-type": "application/yaml"},
        )
        assert sent.status_code == 201, sent.text
        return sent.json()["case"]

    @contextmanager
    def publish(self, list_):
        """Take a list through its review into force; a context in which its case is approved and not in force yet."""
        case = self.submit(list_)
        path = f"/v1/lists/{case}"
        assert self.post("editor", f"{path}:approve", status=403).json()["code"] == "same_hands"
        self.post("checker", f"{path}:approve", {"note": "核对无误"})
        yield case
        assert self.post("checker", f"{path}:publish").json()["version"] == list_.version


@contextmanager
def at_the_doors(settings):
    """A deployment with tables, a first list that asks for no minimum, and a key for each post."""
    clock, first = worlds.Clock(), city_list(needs=())
    control, evidence = Control.open(settings), Evidence.open(settings, clock=clock)
    publish_list(settings, control, evidence, first, by="SJ:office")
    keys = {
        who: issue_key(control, evidence, first, department=department, name=name, by="SJ:office", roles=roles).key
        for who, (department, name, roles) in POSTS.items()
    }
    evidence.log.close()
    control.close()
    worlds.load_people(settings)
    app = create_app(settings, open_service=lambda settings: Service.open(settings, clock=clock))
    with serving(app) as address, httpx.Client(base_url=address, trust_env=False, timeout=60) as http:
        yield Doors(http, keys, settings, clock, [], [])


def test_the_way_of_one_grant(settings, monkeypatch, capsys):
    with at_the_doors(settings) as doors:
        into_force(doors)
        application = applied_for(doors)
        grant = agreed_to(doors, application)
        entries = used_up(doors, grant)
        rested(doors, grant)
        disputed(doors, entries[0])
        narrowed_by_a_list(doors, grant, monkeypatch, capsys)
        grant = lessened(doors, grant)
        ended(doors, grant)
        leaves = proven(doors)
    audited(settings, leaves, monkeypatch)
    nobody_is_named(settings, doors, leaves)


def into_force(doors):
    """The office publishes the list that says what the matter needs, four eyes over it."""
    with doors.publish(city_list()):
        assert doors.get(None, "/readyz").json()["list_version"] != city_list().version
    assert doors.get(None, "/readyz").json()["list_version"] == city_list().version


def applied_for(doors):
    """The applicant finds the resource, learns that its form need not ask, is denied, and applies; the path."""
    found = doors.get(None, "/v1/search?q=人口基础").json()
    assert CODE in [hit["code"] for hit in found["items"]]
    form = {"fields": ["姓名", "出生日期", "血型"], "matter": MATTER}
    report = doors.post("window", "/v1/forms:check", form).json()
    verdicts = {line["label"]: line["verdict"] for line in report["lines"]}
    held = "collected_already_shareable"
    assert verdicts == {"姓名": held, "出生日期": held, "血型": "unknown"}
    assert report["findings"] == 2

    assert doors.denied() == [("no_grant", "apply")]

    body = {"resource": CODE, "purposes": [MATTER], "fields": [{"name": "income", "reason": "核算待遇"}]}
    assert doors.post("system", "/v1/applications", body, status=403).json()["code"] == "role_missing"
    made = doors.post("window", "/v1/applications", body, status=201).json()
    assert [wish["name"] for wish in made["fields"]] == ["name", "birth", "income"]
    assert (made["state"], made["answerer"], made["clock"]["day"]) == ("submitted", "GA", 1)
    assert made["clock"]["left"] == made["clock"]["of"] > 0
    (waiting,) = doors.get("reviewer", "/v1/inbox").json()["waiting"]
    assert (waiting["id"], waiting["working_days_left"]) == (made["id"], made["clock"]["of"])
    assert doors.told("reviewer")["application_submitted"][0]["case"] == made["id"]
    return f"/v1/applications/{made['id']}"


def agreed_to(doors, path):
    """Asked, supplied, and agreed to, once, though two reviewers do so at the same moment; the grant."""
    asked = doors.post("reviewer", f"{path}:ask", {"question": "何时需要？"})
    assert doors.told("window")["application_asked"]
    doors.post("window", f"{path}:supply", {"answer": "每月"}, status=409, **{"if-match": '"1"'})
    doors.post("window", f"{path}:supply", {"answer": "每月"}, **{"if-match": asked.headers["etag"]})
    assert doors.post("window", f"{path}:approve", status=403).json()["code"] == "role_missing"
    assert doors.post("greedy", f"{path}:approve", status=403).json()["code"] == "not_yours"
    assert doors.post("stranger", f"{path}:approve", status=403).json()["code"] == "not_yours"
    assert doors.denied() == [("no_grant", "apply")]

    less = {"fields": ["name", "birth"], "masks": {"name": "surname"}, "rows": [ROWS], "quota_per_day": QUOTA}
    codes = at_once(doors, ("reviewer", "second"), f"{path}:approve", less)
    assert sorted(codes) == [200, 409]
    done = doors.get("window", path).json()
    assert [step["step"] for step in done["history"]] == ["submit", "ask", "supply", "approve"]
    assert (done["state"], done["clock"], done["terms"]["rows"]) == ("granted", None, [ROWS])
    (grant,) = doors.get("window", "/v1/grants").json()["items"]
    assert (grant["id"], grant["fields"], grant["quota_per_day"]) == (done["grant"], ["name", "birth"], QUOTA)
    assert grant["given_by"].startswith("GA:")
    assert doors.told("window")["application_approved"]
    return grant["id"]


def at_once(doors, who, path, body):
    """The status codes of the same request, sent by each at the same moment."""
    ready, codes = threading.Barrier(len(who)), []

    def send(one):
        headers = {"authorization": f"Bearer {doors.keys[one]}"}
        with httpx.Client(base_url=doors.http.base_url, trust_env=False, timeout=60) as http:
            ready.wait()
            got = http.post(path, json=body, headers=headers)
        codes.append(got.status_code)
        if got.is_error:
            doors.problems.append(got.text)

    threads = [threading.Thread(target=send, args=(one,)) for one in who]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return codes


def used_up(doors, grant):
    """Calls see what was agreed to and no more, until the day's are used up; the entries of the answered ones."""
    answer = doors.query().json()
    assert answer["records"] == [{"name": "张**", "birth": PEOPLE[0][2]}]
    assert (answer["grant"], answer["masked"]) == (grant, {"name": "surname"})
    assert [scope["rows"] for scope in answer["scopes"]] == [[ROWS]]
    assert doors.denied(fields=["income"]) == [("field_not_granted", "apply")]
    outside = doors.query(OUTSIDER).json()
    assert outside["records"] == []
    last = doors.query(IDS[1], fields=["birth"]).json()
    assert last["records"] == [{"birth": PEOPLE[1][2]}]
    spent = doors.query(status=429)
    assert spent.json()["code"] == "quota_exhausted"
    again = parsedate_to_datetime(spent.headers["retry-after"])
    midnight = (doors.clock.now.astimezone(SHANGHAI) + timedelta(days=1)).replace(hour=0, minute=0, second=0)
    assert again == midnight.replace(microsecond=0)
    doors.clock.now = again.astimezone(UTC) - timedelta(minutes=1, seconds=1)
    doors.query(status=429)
    doors.clock.now = again.astimezone(UTC) - timedelta(minutes=1)
    assert doors.query().json()["records"] == answer["records"]
    use = doors.get("window", f"/v1/grants/{grant}").json()["use"]
    assert (use["calls"], use["today"]) == (QUOTA + 1, 1)
    return [one["receipt"]["entry"] for one in (answer, outside, last)]


def next_day(doors):
    """Tomorrow, with a quota of its own."""
    doors.clock.now += timedelta(days=1)


def rested(doors, grant):
    path, why = f"/v1/grants/{grant}", {"reason": "核查用途"}
    assert doors.post("window", f"{path}:suspend", why, status=403).json()["code"] == "role_missing"
    assert doors.post("stranger", f"{path}:suspend", why, status=403).json()["code"] == "not_yours"
    assert doors.post("reviewer", f"{path}:suspend", why).json()["state"] == "suspended"
    assert doors.denied() == [("grant_suspended", "ask_provider")]
    assert doors.post("checker", f"{path}:resume", {"reason": "核查完毕"}).json()["state"] == "in_force"
    assert len(doors.query().json()["records"]) == 1
    assert len(doors.told("window")["grant_changed"]) == 2
    next_day(doors)


def disputed(doors, entry):
    """What was wrong is told with the next answer, called back, put right, and told no more."""
    body = {
        "resource": CODE,
        "fault": "wrong_value",
        "wrong": WRONG,
        "right": MENDED,
        "evidence": "户口簿",
        "entry": entry,
    }
    opened = doors.post("system", "/v1/corrections", {**body, "fields": ["name"]}, status=201)
    case = opened.json()["id"]
    path = f"/v1/corrections/{case}"
    (told,) = doors.query().json()["disputed"]
    assert (told["position"], told["fields"], told["case"]) == (0, ["name"], case)
    assert "disputed" not in doors.query(IDS[1]).json()

    (waiting,) = doors.get("reviewer", "/v1/inbox").json()["waiting"]
    assert (waiting["id"], waiting["kind"]) == (case, "correction")
    doors.get("stranger", path, status=403)
    mend_by = doors.clock.now.date() + timedelta(days=7)
    doors.post("reviewer", f"{path}:accept", {"mend_by": mend_by.isoformat()}, **{"if-match": opened.headers["etag"]})
    recalled = doors.post("reviewer", f"{path}:recall", {"note": "姓名有误"}).json()
    (recipient,) = recalled["recipients"]
    assert recipient["department"] == "RS"
    assert entry in recipient["entries"]
    (notice,) = doors.told("window")["recall"]
    assert CODE in notice["text"]
    assert doors.get("system", f"/v1/recalls/{recalled['id']}").json()["recipients"] == [recipient]
    done = doors.post("system", f"/v1/recalls/{recalled['id']}:acknowledge", {"done": "已重新核验"}).json()
    assert done["state"] == "acknowledged"

    people = [(PERSON, MENDED, *PEOPLE[0][2:]), *PEOPLE[1:]]
    snapshot = worlds.load_people(doors.settings, people, name="mended.parquet")
    mended = doors.post("reviewer", f"{path}:mended", {"where": str(snapshot)}).json()
    assert mended["checked"] == "changed"
    answer = doors.query().json()
    assert ("disputed" in answer, answer["snapshot"]) == (False, str(snapshot))
    assert doors.told("window")["correction_settled"]
    next_day(doors)


def narrowed_by_a_list(doors, grant, monkeypatch, capsys):
    """A draft that drops a field says whom it hits; published, the field is in no answer any more."""
    plain = city_list()
    resource = plain.resources[0]
    without = replace(resource, fields=tuple(field for field in resource.fields if field.name != "birth"))
    narrower = city_list(
        batch=2,
        resources=(without, plain.resources[1]),
        needs=(Need(MATTER, CODE, ("name",), ("query",), "户口簿"),),
    )
    with doors.publish(narrower) as case:
        changes = doors.get("reviewer", f"/v1/lists/current/diff/{case}").json()["changes"]
        assert "field_dropped" in [change["code"] for change in changes]
        monkeypatch.setenv("ZHENGTONG_HOME", str(doors.settings.home))
        capsys.readouterr()
        assert commands.run(["list", "impact", case, "--json"]) == 0
        breaks = json.loads(capsys.readouterr().out)["breaks"]
        hit = [one for one in breaks if one["kind"] == "grant"]
        assert [(one["id"], one["consumer"], one["fields"]) for one in hit] == [(grant, "RS", ["birth"])]
        assert doors.query().json()["records"] == [{"name": "张**", "birth": PEOPLE[0][2]}]
    answer = doors.query().json()
    assert (answer["records"], answer["list_version"]) == ([{"name": "张**"}], narrower.version)
    assert doors.denied(fields=["birth"]) == [("field_unknown", "mend_request")]
    with Log.open(doors.settings.log) as log:
        facts = Entry.decode(log.entry(answer["receipt"]["entry"])).facts
    assert (facts["reasons"], facts["fields"]) == (["allowed", "field_withheld"], ["name"])
    assert doors.told("window")["list_published"]
    next_day(doors)


def lessened(doors, grant):
    """Its holder makes do with less: another grant takes its place between two calls."""
    doors.post("window", f"/v1/grants/{grant}:shrink", {"reason": "够用", "quota_per_day": QUOTA + 1}, status=422)
    body = {"reason": "够用", "fields": ["name"], "quota_per_day": 1}
    successor = doors.post("window", f"/v1/grants/{grant}:shrink", body).json()
    assert (successor["predecessor"], successor["fields"], successor["quota_per_day"]) == (grant, ["name"], 1)
    assert doors.query().json()["grant"] == successor["id"]
    doors.query(status=429)
    assert doors.denied(fields=["income"]) == [("field_not_granted", "apply")]
    assert doors.get("window", f"/v1/grants/{grant}").json()["state"] == "replaced"
    return successor["id"]


def ended(doors, grant):
    path = f"/v1/grants/{grant}"
    assert doors.post("reviewer", f"{path}:hand-back", {"reason": "x"}, status=403).json()["code"] == "role_missing"
    assert doors.post("window", f"{path}:hand-back", {"reason": "不再需要"}).json()["state"] == "handed_back"
    assert set(doors.denied()) == {("grant_revoked", "apply")}
    doors.post("window", f"{path}:hand-back", {"reason": "不再需要"})
    doors.post("reviewer", f"{path}:resume", {"reason": "x"}, status=409)
    assert doors.told("reviewer")["grant_changed"]


# Every step, and no other, in the order in which they were taken; calls and publications of checkpoints left out.
STEPS = [
    "list.published", *["caller.admitted"] * len(POSTS),
    "list.submit", "list.approve", "list.published",
    "application.submit", "application.ask", "application.supply", "application.approve", "grant.given",
    "grant.suspended", "grant.resumed",
    "correction.submit", "correction.accept", "recall.issued", "recall.acknowledged", "correction.mended",
    "list.submit", "list.approve", "list.published",
    "grant.given", "grant.replaced", "grant.handed_back",
]  # fmt: skip


def proven(doors):
    """Every entry, as anyone gets it proven who has pinned the key of the log."""
    pinned = VerifierKey.from_text((doors.settings.public / "log.vkey").read_text(encoding="utf-8").strip())
    with Log.open(doors.settings.log) as log:
        leaves = list(log.entries(0, log.size))
    for index, leaf in enumerate(leaves):
        proof = LogProof.from_text(doors.get(None, f"/v1/log/proof/{index}").text)
        assert proof.verify(leaf, [pinned]).size > index
    kinds = [Entry.decode(leaf).kind for leaf in leaves]
    assert [kind for kind in kinds if not kind.startswith(("invocation.", "load."))] == STEPS
    return leaves


def audited(settings, leaves, monkeypatch):
    """The auditor finds nothing, and every call decided and answered alike once more."""
    assert verify_log(settings).faults == ()
    monkeypatch.setenv("ZHENGTONG_HOME", str(settings.home))
    assert commands.run(["audit", "verify", "--json"]) == 0
    calls = [index for index, leaf in enumerate(leaves) if Entry.decode(leaf).kind.startswith("invocation.")]
    outcomes = [Entry.decode(leaves[index]).facts["outcome"] for index in calls]
    assert outcomes.count("answered") == 11
    for index in calls:
        report = replay(settings, index)
        assert report.verdict == "same", report.text("en")
    control = Control.open(settings)
    with control.reading() as connection:
        steps = connection.execute(CaseEvent.__table__.select()).all()
    control.close()
    for step in steps:
        entry = Entry.decode(leaves[step.log_index])
        assert (entry.kind.partition(".")[2], entry.facts["case"]) == (step.step, step.case_id)


def nobody_is_named(settings, doors, leaves):
    public = {"log": b"".join(path.read_bytes() for path in Path(settings.log).rglob("*") if path.is_file())}
    public["entries"] = b"".join(leaves)
    public["problems"] = "".join(doors.problems).encode()
    public["notices"] = "".join(doors.trays).encode()
    assert len(doors.problems) > 15
    for where, data in public.items():
        assert [secret for secret in SECRETS if secret.encode() in data] == [], where
        escaped = [secret for secret in SECRETS if json.dumps(secret).strip('"').encode() in data]
        assert escaped == [], where


# Where a person's number may be written into a step of the office: address, body, and who sends it.
WRITTEN = [
    ("window", "/v1/applications", {"resource": CODE, "purposes": [MATTER], "rows": [f"citizen_id in {PERSON}"]}),
    ("window", "/v1/applications", {"resource": CODE, "purposes": [MATTER], "rows": [f"citizen_id is {PERSON}"]}),
    ("window", "/v1/applications", {"resource": CODE, "purposes": [MATTER], "rows": [f"birth <= {PERSON}"]}),
    ("window", "/v1/applications", {"resource": CODE, "purposes": [MATTER], "rows": [f"{PERSON} in A"]}),
    ("window", "/v1/applications", {"resource": CODE, "purposes": [MATTER], "fields": [PERSON]}),
    ("window", "/v1/applications", {"resource": CODE, "purposes": [PERSON]}),
    ("window", "/v1/applications", {"resource": CODE, "purposes": [MATTER], PERSON: 1}),
    ("reviewer", "{application}:approve", {"rows": [f"citizen_id in {PERSON}"]}),
    ("reviewer", "{application}:approve", {"rows": ["color in red"]}),
    ("reviewer", "{application}:approve", {"note": PERSON}),
    ("reviewer", "{application}:refuse", {"ground": "《办法》", "note": PERSON}),
    ("reviewer", "{application}:ask", {"question": PERSON}),
    ("window", "{application}:withdraw", {"note": PERSON}),
    ("reviewer", "{disputed}:settle", {"give": False, "ground": "《办法》", "document": PERSON}),
    ("window", "{grant}:shrink", {"reason": "x", "rows": [f"citizen_id in {PERSON}"]}),
    ("reviewer", "{grant}:suspend", {"reason": PERSON}),
    ("checker", "{draft}:return", {"note": PERSON}),
    ("window", "/v1/demands", {"words": "火化信息", "purpose": f"核对 {PERSON}"}),
    ("system", "/v1/resources/" + CODE + ":query", {"keys": {PERSON: "x"}, "purpose": {"matter": MATTER}}),
    ("system", "/v1/resources/" + CODE + ":query", {"keys": {"citizen_id": PERSON}, "purpose": {"matter": PERSON}}),
]


def test_a_persons_number_is_turned_away_and_said_back_to_nobody(settings):
    """Whoever writes one where it would become public is refused, and the refusal does not repeat it."""
    with at_the_doors(settings) as doors:
        into_force(doors)
        asked = {"resource": CODE, "purposes": [MATTER]}
        granted = doors.post("window", "/v1/applications", asked, status=201).json()["id"]
        grant = doors.post("reviewer", f"/v1/applications/{granted}:approve", {}).json()["grant"]
        refused = doors.post("window", "/v1/applications", {**asked, "term_days": 30}, status=201).json()["id"]
        doors.post("reviewer", f"/v1/applications/{refused}:refuse", {"ground": "《办法》"})
        doors.post("window", f"/v1/applications/{refused}:dispute", {"reason": "职责所需"})
        waiting = doors.post("window", "/v1/applications", {**asked, "term_days": 60}, status=201).json()["id"]
        places = {
            "application": f"/v1/applications/{waiting}",
            "disputed": f"/v1/applications/{refused}",
            "grant": f"/v1/grants/{grant}",
            "draft": f"/v1/lists/{doors.submit(city_list(batch=3))}",
        }
        for who, path, body in WRITTEN:
            headers = {"authorization": f"Bearer {doors.keys[who]}"}
            got = doors.http.post(path.format(**places), json=body, headers=headers)
            assert got.status_code in (403, 422), (path, body, got.text)
            assert PERSON not in got.text, (path, body)
        for who in POSTS:
            if who != "system":
                doors.told(who)
        with Log.open(settings.log) as log:
            leaves = list(log.entries(0, log.size))
        assert PERSON.encode() not in b"".join(leaves)
        assert PERSON not in "".join(doors.trays)
