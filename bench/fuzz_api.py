"""Ask the whole API what nobody sensible asks, and say where its answers are not what it documents.

    python bench/fuzz_api.py [--minutes N] [--seed S] [--only TEXT] [--control-url URL]

A small world is served by a real server; schemathesis makes requests from the API's own OpenAPI document, and half of
them are sensible ones with a hostile value put in somewhere, by callers of two departments and by strangers. Each
answer must have a documented status, media type and shape; 5xx is never one, and neither is a broken signature. Every
fault is told once, with a request that brings it about; the exit code is 1 if there were any. The last line is JSON.

`tests/hub/api/test_schema.py` runs a short round of it.
"""

from __future__ import annotations

import argparse
import base64
import json
import logging
import random
import sys
import tempfile
import time
import traceback
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import hypothesis
import requests
import schemathesis
from hypothesis import HealthCheck, Phase
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.core import NOT_SET
from schemathesis.core.failures import FailureGroup
from schemathesis.core.result import Ok
from schemathesis.generation.modes import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from catalog.export import to_yaml
from hub.actors import Role
from hub.api import create_app
from hub.callers import issue_key
from hub.control import Control
from hub.evidence import Evidence
from hub.service import Service
from hub.settings import Settings
from licence.seals.image import round_seal
from licence.seals.picture import drawn_picture
from tests.hub import world as worlds
from tests.hub.api.conftest import serving
from tests.hub.databases import placed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

CHECKS: Final = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
TIMEOUT_S: Final = 30
GRANT: Final = "G2"
STRANGERS: Final = ("nobody", "liar")
CALLERS: Final = ("RS", "GA", *STRANGERS)
CALL: Final[dict[str, Any]] = {"purpose": {"matter": worlds.MATTER, "case": "BJ-1"}}
KEYS: Final[dict[str, Any]] = {"citizen_id": worlds.IDS[0]}
WANTED: Final[dict[str, Any]] = {
    "resource": worlds.CODE,
    "purposes": [worlds.MATTER],
    "fields": [{"name": "name", "reason": "核对"}],
    "actions": ["query"],
    "rows": ["birth >= 1960-01-01"],
    "term_days": 30,
    "ground": "《办法》第三条",
}
WRONG: Final[dict[str, Any]] = {"resource": worlds.CODE, "fault": "wrong_value", "wrong": "住址有误"}
DISPUTE: Final[dict[str, Any]] = {**WRONG, "key": KEYS, "fields": ["name"], "right": "李四", "evidence": "户口簿"}
HOOK: Final[dict[str, Any]] = {
    "resource": worlds.CODE,
    "url": "https://127.0.0.1:9/take",
    "purpose": CALL["purpose"],
    "grant": GRANT,
}
# A kind that the department of the resource issues, which one person decides; and what is done with it.
KIND: Final = "11100000000013338W011"
KINDS: Final = f"""kinds:
  - code: "{KIND}"
    name: 居住证
    name_en: Residence permit
    category: 证照
    authority: 住房和城乡建设部
    authority_code: "11100000000013338W"
    issuer: RS
    holder_type: person
    holder_category: 自然人
    resource: "{worlds.CODE}"
    holder_field: citizen_id
    holder_name_field: name
    validity_days: 365
    face:
      - {{name: KZ_XM, title: 姓名, title_en: Name, field: name}}
"""
WHY: Final = {"reason": "申领", "ground": "《居住证暂行条例》第九条"}
APPLIED: Final[dict[str, Any]] = {"kind": KIND, "holder": worlds.IDS[0], **WHY, "channel": "window"}
DECIDED: Final[dict[str, Any]] = {"licence": "1.2.156.3005.2", "action": "suspend", **WHY}
SEAL: Final[dict[str, Any]] = {
    "sort": "licence",
    "name": "某市人力资源和社会保障局",
    "custodian": "RS:all",
    "valid_from": "2026-01-01T00:00:00+08:00",
    "valid_until": "2027-01-01T00:00:00+08:00",
    "ground": "《印章管理办法》",
}
MATERIAL: Final[dict[str, Any]] = {
    "name": "租房合同",
    "matter": worlds.MATTER,
    "holder": worlds.IDS[0],
    "content": base64.b64encode(drawn_picture(round_seal("某局")).data).decode(),
    "units": ["GA"],
}
# What a sensible caller sends to an address, before a value of it is exchanged for another.
SENSIBLE: Final[dict[str, dict[str, Any]]] = {
    "/v1/resources/{code}:query": {**CALL, "keys": KEYS, "fields": ["name", "birth"]},
    "/v1/resources/{code}:verify": {**CALL, "keys": KEYS, "claims": {"name": "张三", "married": True}},
    "/v1/sandbox/resources/{code}:query": {**CALL, "keys": [KEYS, KEYS]},
    "/v1/sandbox/resources/{code}:verify": {**CALL, "keys": KEYS, "claims": {"birth": "1990-01-01"}},
    "/v1/resources/{code}:explain": {**CALL, "action": "query", "keys": ["citizen_id"], "fields": ["name"]},
    "/v1/resources/{code}:batch": {**CALL, "grant": GRANT, "rows": ["birth >= 1960-01-01"], "format": "csv"},
    "/v1/resources/{code}:changes": {**CALL, "grant": GRANT, "cursor": "now", "limit": 10},
    "/v1/applications": WANTED,
    "/v1/applications/{id_}:supply": {"answer": "如下", "term_days": 20},
    "/v1/applications/{id_}:approve": {"note": "可", "masks": {"name": "surname"}, "quota_per_day": 5},
    "/v1/applications/{id_}:settle": {"give": True, "ground": "x", "document": "办〔2026〕1 号"},
    "/v1/grants/{id_}:shrink": {"fields": ["name"], "term_days": 3},
    "/v1/corrections": DISPUTE,
    "/v1/corrections/{id_}:accept": {"mend_by": "2026-03-09", "answer": "将更正"},
    "/v1/corrections/{id_}:recall": {"since": "2026-01-01", "until": "2026-03-02", "note": "x"},
    "/v1/recalls": {"resource": worlds.CODE, "key": KEYS, "fields": ["name"], "since": "2026-01-01"},
    "/v1/demands": {"words": "婚姻登记", "purpose": "核对", "matter": worlds.MATTER, "suspected": "GA"},
    "/v1/demands/{id_}:assign": {"department": "GA"},
    "/v1/demands/{id_}:answer": {"outcome": "planned", "planned_on": "2026-06-01", "ground": "x"},
    "/v1/forms:check": {"fields": ["姓名", {"label": "出生日期", "name": "birth"}], "matter": worlds.MATTER},
    "/v1/hooks": HOOK,
    "/v1/mydata": {"keys": KEYS},
    "/v1/licences/applications": APPLIED,
    "/v1/licences/applications:preview": {"kind": KIND, "holder": worlds.IDS[1], "stated": {"KZ_XM": "欧阳四"}},
    "/v1/licences/applications/{id_}:look": {},
    "/v1/licences/applications/{id_}:return": {"reason": "材料不齐"},
    "/v1/licences/applications/{id_}:complete": {"reason": "已补", "stated": {"KZ_XM": "张三"}},
    "/v1/licences/applications/{id_}:review": {},
    "/v1/licences/applications/{id_}:refuse": {"reason": "不符合条件", "ground": "《条例》第九条"},
    "/v1/licences/decisions": DECIDED,
    "/v1/licences/decisions/{id_}:confirm": {},
    "/v1/licences/decisions/{id_}:drop": {"reason": "撤回"},
    "/v1/licences:find": {"holder": worlds.IDS[4], "purpose": worlds.MATTER},
    "/v1/licences/{identifier}:download": {
        "format": "bundle",
        "reason": "核对",
        "purpose": worlds.MATTER,
        "days": 30,
    },
    "/v1/codes": {"licence": "1.2.156.3005.2", "holder": worlds.IDS[4]},
    "/v1/codes:redeem": {"code": "x" * 22, "purpose": worlds.MATTER},
    "/v1/seals": SEAL,
    "/v1/seals/{code}:approve": {"ground": "《办法》"},
    "/v1/seals/{code}:transfer": {"custodian": "RS:second", "ground": "《办法》"},
    "/v1/seals/{code}:authorise": {"kinds": [KIND], "until": "2026-06-01T00:00:00+08:00", "ground": "《办法》"},
    "/v1/seals/{code}/stamps": {"document": base64.b64encode(b"\x01" * 32).decode(), "purpose": "签发"},
    "/v1/seal-approvals": {"seal": "-", "document": base64.b64encode(b"\x01" * 32).decode(), "purpose": "签发"},
    "/v1/seal-approvals/{id_}:approve": {"document": "", "pin": "73-blue-owl", "password": "123456"},
    "/v1/materials": MATERIAL,
    "/v1/materials:find": {"holder": worlds.IDS[0], "matter": worlds.MATTER},
    "/v1/materials/{id_}:reuse": {"matter": worlds.MATTER, "case": "BJ-2", "purpose": "核对"},
    "/v1/materials/{id_}:void": {"reason": "已失效"},
    "/v1/wallet-offers": {"licence": "1.2.156.3005.2", "holder": worlds.IDS[4]},
    "/v1/wallet-requests": {"matter": worlds.MATTER, "licences": [{"kind": KIND, "fields": ["KZ_XM"]}]},
}
# Where something is opened, by whom, and the beginning of the addresses that act on it.
OPENED: Final = (
    ("/v1/applications", "RS", WANTED),
    ("/v1/corrections", "RS", DISPUTE),
    ("/v1/recalls", "GA", SENSIBLE["/v1/recalls"]),
    ("/v1/demands", "RS", SENSIBLE["/v1/demands"]),
    ("/v1/hooks", "RS", HOOK),
    (f"/v1/resources/{worlds.CODE}:batch", "RS", SENSIBLE["/v1/resources/{code}:batch"]),
    ("/v1/licences/applications", "RS", APPLIED),
    ("/v1/seals", "RS", SEAL),
    ("/v1/materials", "RS", MATERIAL),
    ("/v1/wallet-requests", "RS", SENSIBLE["/v1/wallet-requests"]),
)
HOSTILE: Final[tuple[Any, ...]] = (
    *("", " ", "\x00", "a\x00b", "\u202e\ufeff", "'; DROP TABLE grant_record; --", "=HYPERLINK(1)", "../../etc/passwd"),
    *("%s%n{0}{x}", "\ud800", "𝒳" * 50, "a" * 201, "x" * 5_000, "<script>", "\r\nset-cookie: a=b", "NaN", "-0"),
    *("9999-12-31", "0001-01-01", "2026-02-30", "2026-W01-1", "birth >= 0001-01-01", "name prefix \x00", "now"),
    *(None, True, 0, -1, 1.5, 2**31, 2**53, 2**63, -(2**63) - 1, 10**30),
    *([], {}, [None], [[[[[[[[[]]]]]]]]], {"": ""}, {"a": {"b": {}}}, [{}] * 600, ["name"] * 2),
)
HEADERS: Final[dict[str, tuple[str, ...]]] = {
    "If-Match": ('"1"', '"0"', "*", 'W/"1"', '"999999999999999999"', "\xff"),
    "Accept-Language": ("en", "zh;q=0.1, en;q=1", "*;q=9", "a" * 300, "en;q=\u00b2".encode().decode("latin-1")),
    "Accept": ("text/html", "application/json;q=0"),
    "Idempotency-Key": ('"a"', "", "x" * 300, "\xe9", '"a\\"b"'),
    "Accept-Signature": ("sig=()", "\xff", "(" * 100),
    "Content-Digest": ("sha-256=:x:", "md5=:AAAA:", "\xff"),
    "Signature-Input": ("sig=()", 'sig=("@method");keyid="C1";tag="zhengtong"', 'sig=("@path', "\xff;;"),
    "Signature": ("sig=:AAAA:", "\xff", "sig=::"),
    "Range": ("bytes=0-", "bytes=-1", "bytes=99999999999999999999-", "x=1"),
    "Content-Type": ("text/plain", "application/json; charset=gbk", "application/json;charset=utf-8"),
    "Content-Encoding": ("gzip", "identity"),
    "X-Forwarded-For": ("127.0.0.1", "\xff"),
    "Client-Cert": (":AAAA:", "\xff"),
}


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that was not as documented, and a request that brought it about."""

    operation: str
    caller: str
    what: str
    request: str

    def __str__(self) -> str:
        return f"{self.operation} by {self.caller}: {self.what}\n    {self.request}"


class Traces(logging.Handler):
    """Keeps where the last fault of the program was, which the server writes to its log alone."""

    last = ""

    def emit(self, record: logging.LogRecord) -> None:
        """Keep it."""
        error = record.exc_info[1] if record.exc_info else None
        if error is not None:
            frames = [frame for frame in traceback.extract_tb(error.__traceback__) if "/hub/" in frame.filename]
            where = "; ".join(f"{Path(frame.filename).name}:{frame.lineno}" for frame in frames[-3:])
            self.last = f"{type(error).__name__} {str(error)[:100]} at {where}"


@dataclass(slots=True)
class Place:
    """A served world, what callers have, and what has been opened in it. Not for several threads."""

    url: str
    document: dict[str, Any]
    keys: dict[str, str]
    opened: dict[str, list[str]] = field(default_factory=dict)
    session: requests.Session = field(default_factory=requests.Session)
    traces: Traces = field(default_factory=Traces)
    asked: int = 0
    statuses: dict[int, int] = field(default_factory=dict)

    def headers(self, caller: str) -> dict[str, str]:
        """What *caller* shows."""
        if caller == "nobody":
            return {}
        return {"authorization": f"Bearer {self.keys.get(caller, 'zt_' + 'x' * 43)}"}

    def post(self, path: str, caller: str, plain: dict[str, Any]) -> dict[str, Any]:
        """What a sensible request comes to, {} if nothing."""
        got = self.session.post(self.url + path, json=plain, headers=self.headers(caller), timeout=TIMEOUT_S)
        found: dict[str, Any] = got.json() if got.ok else {}
        return found

    def furnish(self, path: str) -> None:
        """Open anew what the operations at *path* act upon."""
        for where, caller, plain in OPENED:
            kind = "/v1/batches" if where.endswith(":batch") else where
            if path.startswith(f"{kind}/"):
                self._clear_way(kind)
                made = self.post(where, caller, plain)
                self._keep(kind, made.get("id") or made.get("code") or made.get("identifier"))
        if path.startswith("/v1/grants/"):
            self.furnish("/v1/applications/")
            application = self.opened["/v1/applications"][-1]
            approved = self.post(f"/v1/applications/{application}:approve", "GA", {})
            self._keep("/v1/grants", approved.get("grant"))

    def _clear_way(self, kind: str) -> None:
        """A department has one application for a resource under way, and no more."""
        if kind == "/v1/applications" and self.opened.get(kind):
            self.post(f"{kind}/{self.opened[kind][-1]}:withdraw", "RS", {})

    def _keep(self, kind: str, identifier: str | None) -> None:
        if identifier:
            self.opened.setdefault(kind, []).append(identifier)

    def known(self, path: str, name: str) -> list[Any]:
        """Values that fit the parameter *name* of *path*."""
        kind = next((kind for kind in self.opened if path.startswith(f"{kind}/")), "")
        given = {
            "code": [worlds.CODE, worlds.EMPTY_CODE],
            "grant": [GRANT],
            "version": ["current", "previous", *self.opened.get("/v1/lists", ())[-2:]],
            "old": ["previous", "current"],
            "new": ["current", *self.opened.get("/v1/lists", ())[-2:]],
            "case": self.opened.get("/v1/lists", ["L0"])[-2:],
            "number": [1, 0, 999_999_999],
            "index": [0, 3],
            "path": ["checkpoint", "tile/0/000", "tile/entries/000", "tile/0/000.p/3"],
        }
        own = self.opened.get(kind, ["-"])[-2:]
        return own if kind == "/v1/seals" else given.get(name) or own


@contextmanager
def place(home: Path, move: Callable[[Any], Any] = lambda world: world) -> Iterator[Place]:
    """Build a world in *home* and serve it; *move* may put its control tables elsewhere."""
    world = move(worlds.copy(worlds.build(Settings.at(home / "built")), home / "var"))
    world.settings = replace(world.settings, hook_networks="127.0.0.0/8", api_hosts="city.example")
    world.settings.kinds.write_text(KINDS, "utf-8")
    keys = _let_in(world)
    app = create_app(world.settings, open_service=lambda settings: Service.open(settings, clock=world.clock))
    with serving(app) as url, requests.Session() as session:
        session.trust_env = False
        found = Place(url, app.openapi(), keys, session=session)
        server = logging.getLogger("uvicorn.error")
        server.addHandler(found.traces)
        server.setLevel(logging.ERROR)
        server.propagate = False
        try:
            _hand_in(found)
            yield found
        finally:
            server.propagate = True
            server.removeHandler(found.traces)


def _let_in(world: Any) -> dict[str, str]:  # noqa: ANN401 - tests are untyped
    """A key of all roles for each department, and a grant of all actions."""
    control, evidence = Control.open(world.settings), Evidence.open(world.settings, clock=world.clock)
    try:
        worlds.end(world.settings, control, evidence, world.grant.id)
        wanted = worlds.make_grant(world.list, id=GRANT, actions=("query", "verify", "batch", "subscribe"))
        worlds.give(world.settings, control, evidence, wanted)
        return {
            department: issue_key(
                control, evidence, world.list, department=department, name="all", by="office", roles=tuple(Role)
            ).key
            for department in ("RS", "GA", "MZ")
        }
    finally:
        evidence.log.close()
        control.close()


def _hand_in(found: Place) -> None:
    for title in ("甲", "乙"):
        got = found.session.post(
            f"{found.url}/v1/lists",
            data=to_yaml(worlds.make_list(title=title)).encode(),
            headers={**found.headers("MZ"), "content-type": "application/yaml"},
            timeout=TIMEOUT_S,
        )
        found.opened.setdefault("/v1/lists", []).append(got.json()["case"])
    for path in ("/v1/applications/", "/v1/corrections/", "/v1/recalls/", "/v1/demands/", "/v1/batches/", "/v1/hooks/"):
        found.furnish(path)
    for path in ("/v1/licences/applications/", "/v1/seals/", "/v1/materials/", "/v1/wallet-requests/"):
        found.furnish(path)


def operations(found: Place, only: str = "") -> list[Any]:
    """The operations of the API, those that end things last."""
    schema = schemathesis.openapi.from_dict(found.document)
    every = [one.ok() for one in schema.get_all_operations() if isinstance(one, Ok)]
    chosen = [one for one in every if only in one.label]
    return sorted(
        chosen, key=lambda one: (one.method.upper() != "GET", one.path.startswith(("/v1/grants", "/v1/list")))
    )


def attack(found: Place, operation: Any, examples: int, seed: int | None = None) -> list[Fault]:  # noqa: ANN401
    """Ask *operation* for *examples* things, and give back every fault; without *seed* always the same things."""
    faults: dict[tuple[str, str], Fault] = {}
    made = {mode: operation.as_strategy(generation_mode=mode) for mode in GenerationMode}
    found.furnish(operation.path)

    def ask(data: st.DataObject) -> None:
        mode = data.draw(st.sampled_from([GenerationMode.POSITIVE, GenerationMode.POSITIVE, GenerationMode.NEGATIVE]))
        case = data.draw(made[mode])
        caller = data.draw(st.sampled_from(CALLERS))
        _season(found, case, data)
        for fault in _told(found, case, caller):
            faults.setdefault((fault.operation, fault.what), fault)

    run = hypothesis.given(st.data())(ask)
    run = hypothesis.settings(
        max_examples=examples,
        database=None,
        deadline=None,
        derandomize=seed is None,
        # What a request comes to depends on those before: there is nothing to be replayed or made smaller.
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )(run)
    (run if seed is None else hypothesis.seed(seed)(run))()
    return list(faults.values())


def _season(found: Place, case: Any, data: st.DataObject) -> None:  # noqa: ANN401 - the tool's
    """Make of a request that nothing understands one that comes further in."""
    chance = st.integers(0, 3)
    for name in case.path_parameters or {}:
        if data.draw(chance):
            case.path_parameters[name] = data.draw(st.sampled_from(found.known(case.path, name)))
        elif data.draw(st.booleans()):
            case.path_parameters[name] = data.draw(st.sampled_from([x for x in HOSTILE if isinstance(x, str) and x]))
    sensible = SENSIBLE.get(case.path)
    if case.body is not NOT_SET and case.media_type == "application/json" and data.draw(st.booleans()):
        case.body = _exchanged(sensible if sensible is not None else case.body, data)
    for name in case.query or {}:
        if not data.draw(chance):
            case.query[name] = data.draw(st.sampled_from([x for x in HOSTILE if isinstance(x, str | int)]))
    if not data.draw(chance):
        name = data.draw(st.sampled_from(sorted(HEADERS)))
        case.headers[name] = data.draw(st.sampled_from(HEADERS[name]))


def _exchanged(value: Any, data: st.DataObject) -> Any:  # noqa: ANN401 - JSON values
    """*value* with at most one part of it exchanged for something hostile."""
    paths = list(_paths(value))
    if not paths or not data.draw(st.integers(0, 3)):
        return value
    path, new = data.draw(st.sampled_from(paths)), data.draw(st.sampled_from(HOSTILE))
    copied = json.loads(json.dumps(value))
    inner = copied
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = new
    return copied


def _paths(value: Any, before: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:  # noqa: ANN401 - as above
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, inner in items:
        yield (*before, name)
        yield from _paths(inner, (*before, name))


def _told(found: Place, case: Any, caller: str) -> Iterator[Fault]:  # noqa: ANN401 - the tool's
    label = f"{case.method.upper()} {case.operation.path}"
    about = repr(
        {"path": case.path_parameters, "query": case.query, "headers": dict(case.headers or {}), "body": case.body}
    )[:600]
    found.asked += 1
    own = {name: value for name, value in (case.headers or {}).items() if name.lower() != "authorization"}
    case.headers = {**own, **found.headers(caller)}
    try:
        response = case.call(base_url=found.url, session=found.session, timeout=TIMEOUT_S)
    except (UnicodeError, requests.exceptions.InvalidHeader, requests.exceptions.InvalidURL):
        return  # what cannot be written as HTTP; `tests/hub/api/test_hostile.py` writes it by hand
    except requests.RequestException as error:
        yield Fault(label, caller, f"no answer: {type(error).__name__}", about)
        return
    if response.status_code == 500:
        yield Fault(label, caller, f"500 {found.traces.last}", about)
        return
    found.statuses[response.status_code] = found.statuses.get(response.status_code, 0) + 1
    if response.status_code == 503:
        yield Fault(label, caller, f"503 {response.content[:200]!r}", about)
    if caller in STRANGERS and case.operation.definition.raw.get("security") and response.status_code < 300:
        yield Fault(label, caller, f"a stranger is answered {response.status_code}", about)
    try:
        case.validate_response(response, checks=CHECKS)
    except FailureGroup as group:
        for failure in group.exceptions:
            said = " ".join(str(failure.message).split())[:300]
            yield Fault(label, caller, f"{response.status_code} {failure.title}: {said}", about)


def main(arguments: Sequence[str] | None = None) -> int:
    """Fuzz until the time is over; 1 if there were faults."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**32))
    parser.add_argument("--examples", type=int, default=40, help="of each operation in each round")
    parser.add_argument("--only", default="", help="operations whose method and path hold this")
    parser.add_argument("--control-url", help="an empty database at head, instead of SQLite")
    given = parser.parse_args(arguments)
    until, seed = time.monotonic() + given.minutes * 60, given.seed
    told: dict[tuple[str, str], Fault] = {}
    print(f"seed {seed}", flush=True)
    with (
        tempfile.TemporaryDirectory(prefix="fuzz-api-") as folder,
        place(Path(folder), lambda world: placed(world, given.control_url)) as found,
    ):
        while time.monotonic() < until:
            for operation in operations(found, given.only):
                for fault in attack(found, operation, given.examples, seed):
                    if (fault.operation, fault.what) not in told:
                        told[fault.operation, fault.what] = fault
                        print(fault, flush=True)
                if time.monotonic() > until:
                    break
            seed += 1
        print(json.dumps({"asked": found.asked, "statuses": found.statuses, "faults": len(told), "seed": given.seed}))
    return 1 if told else 0


if __name__ == "__main__":
    sys.exit(main())
