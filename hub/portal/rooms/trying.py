"""The try-out console: a call made from a form, with made-up rows or with real ones, and the code that makes it again.

What is asked travels in the form alone, never in an address. What is answered is `hub.handcalls`'s to say; the code is
that of the paper on calling (`hub.portal.samples`).
"""

from __future__ import annotations

import json
import secrets
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from catalog.eligibility import covering, lines_of
from catalog.model import FieldKind, Mask, ShareType
from catalog.reasons import REMEDIES
from catalog.terms import minimum_of
from hub import grants, handcalls
from hub.answers import QUERY, VERIFY
from hub.api import problems
from hub.handcalls import Asked
from hub.invocation import RefusedError
from hub.people import Duty
from hub.portal import naming, samples
from hub.portal.doors import TRIES, Room
from hub.portal.errors import FormInvalidError
from hub.portal.rooms.requests import ALL
from hub.portal.rooms.resources import masks_of_mine, matters_of
from hub.portal.visits import Shown
from hub.sandbox.samples import SampleNotMadeError
from hub.search.resources import resource_of
from hub.usage import count

if TYPE_CHECKING:
    from collections.abc import Mapping

    from catalog.model import Field, InformationResource
    from hub.invocation import Answer
    from hub.portal.visits import Visit

ROOM = Room()
SANDBOX, PRODUCTION = "sandbox", "production"
# Values of a code list that a form offers to choose from; of more, one is typed.
CODES: Final = 60
VALUE_CHARS: Final = 200
VERDICTS: Final[Mapping[str, tuple[str, str, str]]] = {
    "match": ("good", "一致", "the same"),
    "mismatch": ("bad", "不一致", "not the same"),
    "unknown": ("calm", "无法核验", "cannot be said"),
}
FORMS: Final[Mapping[FieldKind, str]] = {FieldKind.DATE: "2026-03-02", FieldKind.DATETIME: "2026-03-02T09:30:00"}
# How the fields of a form are called that hold what is looked up by, and what is to be verified.
KEY, CLAIM = "key_", "claim_"


@ROOM.page("/try/{code:path}", "try.html", who=TRIES)
def trying(visit: Visit) -> dict[str, Any]:
    """The form of a call."""
    return _page(visit)


@ROOM.step("/try/{code:path}", again=trying, template="try.html", who=TRIES)
def send(visit: Visit) -> Shown:
    """Make the call, and show what came: an answer, or the problem that a system would get."""
    found = resource_of(visit.office, visit.list_, visit.path["code"])
    asked, place = _asked(visit, found), _place(visit)
    began = perf_counter()
    result: dict[str, Any]
    status = 200
    try:
        if place == PRODUCTION:
            # A form that is sent again is the same call: it counts once.
            name = visit.form.text("once")[:VALUE_CHARS] or secrets.token_urlsafe(12)
            answer = handcalls.call(visit.service, visit.person, asked, name=name)
        else:
            answer = handcalls.rehearse(visit.service, visit.person, asked)
    except RefusedError as error:
        status = problems.status_of(error.cause)
        result = {"problem": _problem(visit, found, error, recorded=place == PRODUCTION), "answer": None}
    else:
        result = {"problem": None, "answer": _answered(visit, found, answer, recorded=place == PRODUCTION)}
    result["took_ms"] = round(1000 * (perf_counter() - began))
    return Shown(_page(visit) | {"result": {**result, **_again(visit, found, asked, place)}}, status=status)


# --- the form -------------------------------------------------------------------------------------------------------


def _page(visit: Visit) -> dict[str, Any]:
    list_ = visit.list_
    found = resource_of(visit.office, list_, visit.path["code"])
    place, action = _place(visit), _action(visit)
    real = place == PRODUCTION
    shown = masks_of_mine(visit, found) if real else _shared(found)
    matters = _matters(visit, found, real=real)
    chosen = visit.form.text("matter") or (matters[0] if matters else "")
    keys = _sample_keys(visit, found) if not real else {}
    if real:
        count(visit.office.control, visit.office.evidence.log)
    return {
        "code": found.code,
        "resource_name": naming.resource(visit, found.code),
        "provider_name": naming.department(visit, found.provider),
        "place": place,
        "action": action,
        # Real data are for department staff whose department holds a grant (`hub.handcalls` says so, too).
        "closed": "" if not real else "duty" if not visit.has(Duty.STAFF) else "" if shown else "grant",
        "matters": [[code, f"{naming.matter(visit, code)} ({code})"] for code in matters],
        "matter": chosen,
        "case": visit.form.text("case"),
        "once": secrets.token_urlsafe(12),
        "post": visit.person.post,
        "lookups": [
            _input(visit, one, KEY, keys.get(one.name, ()), filled=number == 0)
            for number, one in enumerate(found.lookup_fields)
        ],
        "fields": _fields(visit, found, shown, chosen),
        "claims": [_input(visit, one, CLAIM) for one in found.fields if one.name in shown],
        "quotas": _quotas(visit, found) if real else [],
        "result": None,
    }


def _place(visit: Visit) -> str:
    """Where the call goes; made-up rows unless real ones are asked for."""
    return PRODUCTION if (visit.form.text("at") or visit.query("at")) == PRODUCTION else SANDBOX


def _action(visit: Visit) -> str:
    return VERIFY if (visit.form.text("action") or visit.query("action")) == VERIFY else QUERY


def _shared(found: InformationResource) -> dict[str, Mask]:
    """What the list lets anybody have, masked as it says: what the sandbox gives."""
    return {one.name: one.mask for one in found.fields if one.share_type is not ShareType.NOT_SHARED}


def _matters(visit: Visit, found: InformationResource, *, real: bool) -> list[str]:
    """The matters to choose from: those of the grants, or, in the sandbox, those the list covers."""
    list_, department = visit.list_, visit.person.department
    if real:
        held = grants.find(visit.office, consumer=department, resource=found.code, ended=False)
        return list(dict.fromkeys(code for one in held for code in matters_of(visit, one.grant)))
    lines = lines_of(list_, department, found.code)
    return [one.code for one in list_.matters if covering(list_, lines, department, one.code)]


def _sample_keys(visit: Visit, found: InformationResource) -> Mapping[str, tuple[str, ...]]:
    try:
        return visit.service.trial.rows(visit.list_).sample_keys(found)
    except SampleNotMadeError:
        return {}


def _input(
    visit: Visit, field: Field, mark: str, known: tuple[str, ...] = (), *, filled: bool = False
) -> dict[str, Any]:
    """A field of the form for a value of *field*; *known* are made-up values, the first of which may be *filled* in."""
    name = f"{mark}{field.name}"
    lists = {one.code: one for one in visit.list_.code_lists}
    codes = lists[field.code_list].items if field.code_list in lists else tuple((one, "") for one in field.codes)
    choices = [[value, f"{value} {title}".strip()] for value, title in codes] if len(codes) <= CODES else []
    if field.type.kind is FieldKind.BOOLEAN:
        choices = [["true", visit.say("是", "yes")], ["false", visit.say("否", "no")]]
    return {
        "name": name,
        "title": field.title,
        "field": field.name,
        # As the API takes it: what a browser makes of dates goes by the reader's country.
        "form": FORMS.get(field.type.kind, ""),
        "value": visit.form.text(name) if visit.form.fields else known[0] if filled and known else "",
        "codes": choices,
        "known": list(known),
    }


def _fields(visit: Visit, found: InformationResource, shown: Mapping[str, Mask], matter: str) -> list[dict[str, Any]]:
    """What may be asked for; ticked is what the matter needs, or everything where the list names nothing."""
    least = {name for name in minimum_of(visit.list_, (matter,), found.code).fields if name in shown} or set(shown)
    ticked = set(visit.form.texts("field")) if visit.form.fields else least
    return [
        {
            "name": one.name,
            "title": one.title,
            "grade": one.grade,
            "mask": naming.mask(visit, shown[one.name]),
            "ticked": one.name in ticked,
        }
        for one in found.fields
        if one.name in shown
    ]


def _quotas(visit: Visit, found: InformationResource) -> list[dict[str, Any]]:
    """What is left of today under each grant that the call may count against."""
    held = grants.find(visit.office, consumer=visit.person.department, resource=found.code, ended=False)
    used = {one.grant.id: grants.use_of(visit.office.control, one.grant.id, on=visit.now).today for one in held}
    return [
        {
            "grant": one.grant.id,
            "limit": one.grant.quota_per_day,
            "left": max(0, one.grant.quota_per_day - used[one.grant.id]) if one.grant.quota_per_day else None,
        }
        for one in held
        if one.state(visit.now) == grants.IN_FORCE
    ]


def _asked(visit: Visit, found: InformationResource) -> Asked:
    """The call that the form says.

    Raises:
        FormInvalidError: nothing to look up by, or nothing to verify.
    """
    form = visit.form
    keys = _values(visit, [one.name for one in found.lookup_fields], KEY)
    if not keys:
        named = [one.title for one in found.lookup_fields], [one.name for one in found.lookup_fields]
        zh, en = "、".join(named[0]), ", ".join(named[1])
        raise FormInvalidError(
            where="Look up by", where_zh="查询条件", why=f"fill in at least one of {en}", why_zh=f"请至少填写一项：{zh}"
        )
    claims = None
    if _action(visit) == VERIFY:
        claims = _values(visit, [one.name for one in found.fields], CLAIM)
        if not claims:
            raise FormInvalidError(
                where="To verify", where_zh="核验内容", why="fill in at least one value", why_zh="请至少填写一项"
            )
    return Asked(
        found.code, form.text("matter"), keys, form.text("case")[:VALUE_CHARS], tuple(form.texts("field")), claims
    )


def _values(visit: Visit, names: list[str], mark: str) -> dict[str, str]:
    found = {name: visit.form.text(f"{mark}{name}")[:VALUE_CHARS] for name in names}
    return {name: value for name, value in found.items() if value}


# --- what came ------------------------------------------------------------------------------------------------------


def _answered(visit: Visit, found: InformationResource, answer: Answer, *, recorded: bool) -> dict[str, Any]:
    content = answer.content
    masked: Mapping[str, str] = content.get("masked", {})
    records: list[Mapping[str, Any]] = list(content.get("records", ()))
    names = [one.name for one in found.fields if any(one.name in record for record in records)]
    allowances = answer.prepared.allowances if answer.prepared is not None else ()
    return {
        "columns": [_named(found, name) | {"masked": name in masked} for name in names],
        "rows": [[_text(record.get(name)) for name in names] for record in records],
        "found": len(records),
        "verdicts": [
            _named(found, name) | dict(zip(("tone", "word"), _verdict(visit, verdict), strict=True))
            for name, verdict in content.get("results", {}).items()
        ],
        "masks": [_mask(visit, found, name, mask) for name, mask in masked.items()],
        "disputed": "disputed" in content,
        "grant": content["grant"],
        "snapshot": content["snapshot"],
        "list_version": content["list_version"],
        "left": [{"grant": one.grant, "left": max(0, one.limit - one.used), "limit": one.limit} for one in allowances],
        "receipt": _receipt(visit, answer.receipt.index, answer.receipt.origin, recorded=recorded),
        "raw": json.dumps(answer.plain(), ensure_ascii=False, indent=2),
    }


def _text(value: object) -> str:
    """A value as JSON writes it, texts without their quotes; nothing where there is none."""
    return "" if value is None else value if isinstance(value, str) else json.dumps(value)


def _verdict(visit: Visit, verdict: str) -> tuple[str, str]:
    tone, zh, en = VERDICTS[verdict]
    return tone, visit.say(zh, en)


def _mask(visit: Visit, found: InformationResource, name: str, mask: str) -> dict[str, str]:
    """A field that shows less, how, and who says so."""
    field = found.field(name)
    of_list = field is not None and field.mask == mask
    why = ("责任清单规定", "the list asks for it") if of_list else ("授权规定", "the grant asks for it")
    return _named(found, name) | {"mask": naming.mask(visit, mask), "why": visit.say(*why)}


def _named(found: InformationResource, name: str) -> dict[str, str]:
    field = found.field(name)
    return {"name": name, "title": field.title if field is not None else name}


def _receipt(visit: Visit, index: int, origin: str, *, recorded: bool) -> dict[str, Any]:
    """Where the evidence stands; the entry itself is for those who may look into the log."""
    to = f"/audit/entries/{index}" if visit.has(*ALL) else f"/v1/log/proof/{index}"
    return {
        "index": index,
        "log": origin,
        "recorded": recorded,
        "to": to if recorded else "",
        "audits": visit.has(*ALL),
    }


def _problem(visit: Visit, found: InformationResource, error: RefusedError, *, recorded: bool) -> dict[str, Any]:
    """The problem as the API says it, with what to do next."""
    plain = problems.problem(error.cause, visit.lang, refused=error)
    ways = {"apply": f"/apply/{quote(found.code)}", "renew": "/grants", "ask_provider": f"/r/{quote(found.code)}"}
    reasons = [
        {
            "code": one["code"],
            "text": one["text"],
            "next": visit.words(REMEDIES[one["remedy"]]),
            "to": ways.get(one["remedy"], "") if one["remedy"] != "apply" or visit.has(Duty.STAFF) else "",
        }
        for one in plain.pop("reasons", ())
    ]
    plain.pop("receipt", None)
    return {
        **{name: plain[name] for name in ("title", "status", "code", "detail")},
        "reasons": reasons,
        "receipt": _receipt(visit, error.receipt.index, error.receipt.origin, recorded=recorded),
    }


def _again(visit: Visit, found: InformationResource, asked: Asked, place: str) -> dict[str, Any]:
    """The request as a system would send it, and the code that does."""
    hub = samples.hub_at(str(visit.request.base_url))
    sandbox = place == SANDBOX
    made = samples.code(hub=hub, resource=found.code, action=asked.action, sandbox=sandbox, lang=visit.lang)
    plain = asked.plain(visit.person.post)
    return {
        "address": made["start"].split()[2],
        "request": json.dumps(plain, ensure_ascii=False, indent=2),
        "body": samples.body(plain),
        "samples": made,
        "answer_key": visit.service.signer.verifier.to_text(),
    }
