"""The health of loads: what needs a person, the last runs of every resource, and what can be done about one of them.

A department sees its own resources, the office of the list all; see `hub.loadboard`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlencode

from catalog import domains
from hub import drifts, loadboard, loadplan, loads, ordering, pauses, watching
from hub.errors import HubError
from hub.freshness import LIGHTS, PROMISED
from hub.loadboard import RUNS, Concern
from hub.orders import LoadOrder, Mode
from hub.people import Duty
from hub.portal import remedies
from hub.portal.doors import Room
from hub.portal.errors import FormInvalidError
from hub.portal.rooms.catalogue import TONES, word
from hub.portal.sheets import sheet
from hub.portal.visits import Go
from hub.portal.words import quoted
from warehouse.errors import WarehouseError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from catalog.model import InformationResource
    from hub.drifts import Drift
    from hub.freshness import Freshness
    from hub.loadboard import Run
    from hub.loadplan import Plan
    from hub.loads import LoadReport
    from hub.portal.visits import Visit

ROOM = Room()
WHO: Final = frozenset({Duty.ENGINEER, Duty.OFFICE})
PAGE: Final = 25
REJECTS: Final = 100
SHAPES: Final = 10
TABS: Final = {
    "runs": ("最近各次", "Last runs"),
    "rejects": ("被拒记录", "Rejected rows"),
    "shape": ("来源结构", "Source's shape"),
    "order": ("重跑与补归集", "Run again, backfill"),
    "hold": ("暂停与恢复", "Pause, resume"),
}
# Outcome of a load: its tone, what it is called (Chinese, English).
OUTCOMES: Final[Mapping[str, tuple[str, str, str]]] = {
    loads.LOADED: ("good", "已入库", "loaded"),
    loads.UNCHANGED: ("good", "无变化", "unchanged"),
    loads.TRIED: ("calm", "试运行", "tried"),
    loads.FAILED: ("bad", "失败", "failed"),
    loads.RUNNING: ("warn", "进行中", "under way"),
}
# Concern: tone, what it is called, what it means (Chinese, English).
CONCERNS: Final[Mapping[Concern, tuple[str, tuple[str, str], tuple[str, str]]]] = {
    Concern.FAILED: ("bad", ("失败", "Failed"), ("最近一次归集失败", "the newest load failed")),
    Concern.LATE: (
        "bad",
        ("迟到", "Late"),
        ("未按清单的更新周期完成归集", "not loaded within the cycle that the list promises"),
    ),
    Concern.CHANGED: (
        "warn",
        ("结构变更", "Changed"),
        ("近 28 天来源结构有变化", "the source changed its shape within 28 days"),
    ),
    Concern.PAUSED: ("calm", ("暂停", "Paused"), ("已由人员暂停归集", "somebody holds its loads back")),
    Concern.WAITING: (
        "warn",
        ("待审批", "Waiting"),
        ("来源结构变化待审批", "a changed shape waits for a decision"),
    ),
    Concern.NEVER: ("calm", ("未归集", "Never loaded"), ("尚无成功的归集", "no load has succeeded yet")),
}
MODES: Final[Mapping[Mode, tuple[str, str]]] = {
    Mode.USUAL: ("按计划方式重跑", "Run again as scheduled"),
    Mode.FULL: ("全量重新归集", "Reload the whole"),
    Mode.WINDOW: ("按日期区间补归集", "Backfill a range of days"),
    Mode.REPLAY: ("重放被拒记录", "Judge rejected rows again"),
}
# What a run was asked to do, in a word.
ASKED: Final[Mapping[Mode, tuple[str, str]]] = {
    Mode.USUAL: ("按计划", "as scheduled"),
    Mode.FULL: ("全量", "whole"),
    Mode.WINDOW: ("区间", "a range"),
    Mode.REPLAY: ("重放", "rejected rows"),
}
SHAPE_STATES: Final = {
    drifts.ACCEPTED: ("good", "已接受", "accepted"),
    drifts.WAITING: ("warn", "待审批", "waits for a decision"),
    drifts.APPROVED: ("good", "已批准", "approved"),
    drifts.REFUSED: ("bad", "未批准", "refused"),
}


SHEET: Final = sheet(
    "rows",
    ("code", "代码", "Code"),
    ("name", "资源", "Resource"),
    ("provider", "提供方代码", "Provider"),
    ("light", "状态", "State"),
    ("newest.at", "最近一次", "Newest load"),
    ("newest.word", "结果", "Outcome"),
    ("newest.rejected", "拒绝行数", "Rejected"),
)


@ROOM.page("/ingestion", "ingestion.html", who=WHO, csv=(SHEET,))
def ingestion(visit: Visit) -> dict[str, Any]:
    """Counts that are links, and the last runs of each resource beside each other."""
    list_, scope = visit.list_, _scope(visit)
    board = {one.resource: one for one in watching.board(visit.office) if scope is None or one.resource in scope}
    sets = loadboard.concerns(visit.office.control, board.values(), visit.now)
    show, failed = visit.query("show"), visit.query("failed") == "1"
    concern = next((one for one in Concern if one.value == show), None)
    provider = visit.query("dept")
    codes = [code for code in board if concern is None or code in sets[concern]]
    codes = [code for code in codes if not provider or list_.by_code[code].provider == provider]
    if failed:
        kept = loadboard.failed_lately(visit.office.control, codes)
        codes = [code for code in codes if code in kept]
    page = visit.number("page", 1, least=1, most=10_000)
    here = codes[(page - 1) * PAGE : page * PAGE]
    runs = loadboard.recent(visit.office.control, here)
    providers = {list_.by_code[code].provider for code in board}
    return {
        "seen": len(board),
        "concerns": [_concern(visit, one, len(sets[one]), chosen=one is concern) for one in Concern],
        "fine": len(board.keys() - frozenset().union(*sets.values())),
        "show": concern.value if concern is not None else "",
        "failed": failed,
        "dept": provider,
        "departments": [
            {"code": one.code, "name": _name(visit, one)} for one in list_.departments if one.code in providers
        ],
        "runs": RUNS,
        "total": len(codes),
        "page": page,
        "size": PAGE,
        "rows": [_row(visit, list_.by_code[code], board[code], runs.get(code, [])) for code in here],
        "under_way": [_under_way(visit, one) for one in loads.running(visit.office.control) if one.resource in board],
        "address": f"/ingestion?{urlencode(_kept(concern, provider, failed=failed))}&",
    }


@ROOM.page("/ingestion/{code:path}", "ingestion-one.html", who=WHO)
def one_resource(visit: Visit) -> dict[str, Any]:
    """One resource's loads: when, since when, what came of them, and what can be done."""
    resource = _resource(visit)
    tab = visit.query("tab")
    tab = tab if tab in TABS else "runs"
    office, code = visit.office, resource.code
    fresh = watching.lights_of(office, [resource])[resource.code]
    (plan,) = loadplan.plans(office, [code])
    department = visit.list_.departments_by_code.get(resource.provider)
    held = next((found for found in pauses.paused(office.control) if found.resource == code), None)
    shown: dict[str, Any] = {
        "code": code,
        "name": _name(visit, resource),
        "provider_name": _name(visit, department) if department is not None else resource.provider,
        "tab": tab,
        "tabs": [{"key": key, "name": visit.say(*name)} for key, name in TABS.items()],
        "light": {"tone": TONES[fresh.light], "word": visit.words(LIGHTS[fresh.light])},
        "promise": _promise(visit, resource),
        "success": fresh.success.isoformat() if fresh.success else None,
        "due": fresh.due.isoformat() if fresh.due else None,
        "next_run": plan.next_run,
        "cursor": plan.cursor,
        "disposition": word(domains.DISPOSITION, resource.disposition, visit.lang),
        "source": f"{plan.kind} {plan.object}".strip(),
        "trouble": _trouble(visit, plan),
        "held": _pause(held) if held is not None else None,
    }
    more = {"runs": _runs, "rejects": _rejects, "shape": _shape, "order": _order, "hold": _hold}
    return shown | more[tab](visit, resource)


@ROOM.step("/ingestion/{code:path}/pause", again=one_resource, template="ingestion-one.html", who=WHO)
def pause(visit: Visit) -> Go:
    """Hold the resource's loads back."""
    resource = _resource(visit)
    why = visit.form.need("why", "暂停原因", "Reason", most=200)
    pauses.pause(visit.office, resource.code, visit.actor, why)
    return Go(_address(resource.code, "hold"), visit.say("已暂停归集。", "Its loads are paused."))


@ROOM.step("/ingestion/{code:path}/resume", again=one_resource, template="ingestion-one.html", who=WHO)
def resume(visit: Visit) -> Go:
    """Let the resource's loads go on."""
    resource = _resource(visit)
    if pauses.resume(visit.office, resource.code, visit.actor):
        said = visit.say("已恢复归集。", "Its loads go on.")
    else:
        said = visit.say("该资源并未暂停。", "It was not paused.")
    return Go(_address(resource.code, "hold"), said)


@ROOM.step(
    "/ingestion/{code:path}/shape",
    again=one_resource,
    template="ingestion-one.html",
    who=frozenset({Duty.OFFICE}),
)
def decide(visit: Visit) -> Go:
    """Accept or reject the shape that waits, by the digest under which it was seen."""
    resource = _resource(visit)
    digest = visit.form.need("digest", "结构标识", "Shape", most=100)
    approve = visit.form.text("decision") == "accept"
    drifts.decide(visit.office, resource.code, visit.actor, approve=approve, digest=digest)
    if approve:
        said = visit.say("已接受新的结构，下一次归集照此办理。", "The new shape is accepted; the next load goes by it.")
    else:
        said = visit.say("已拒绝新的结构。", "The new shape is rejected.")
    return Go(_address(resource.code, "shape"), said)


@ROOM.step("/ingestion/{code:path}/order", again=one_resource, template="ingestion-one.html", who=WHO)
def order(visit: Visit) -> Go:
    """Begin what the preview said."""
    resource = _resource(visit)
    names = ("mode", "since", "until", "accept", "dry_run")
    wanted = _wanted({name: visit.form.text(name) for name in names})
    ordering.place(visit.office, resource, wanted, visit.actor)
    said = visit.say(
        "已下达。归集在后台进行，离开本页不受影响；进展见下表。",
        "Ordered. It runs by itself, also when you leave; how far it is stands below.",
    )
    return Go(_address(resource.code, "runs"), said)


# --- what the tabs show ----------------------------------------------------------------------------------------------


def _runs(visit: Visit, resource: InformationResource) -> dict[str, Any]:
    found = loads.newest_of(visit.office.control, resource.code, RUNS)
    chosen = visit.number("run", 0, most=2**31)
    return {
        "loads": [_load(visit, one) for one in found],
        "chosen": next((_load_in_full(visit, resource, one) for one in found if one.id == chosen), None),
    }


def _rejects(visit: Visit, resource: InformationResource) -> dict[str, Any]:
    titles = {field.name: field.title if visit.lang == "zh" else field.name for field in resource.fields}
    try:
        found = loadboard.rejected_now(visit.office, resource, limit=REJECTS)
    except WarehouseError as error:
        return {"rejects": [], "stopped": False, "most": REJECTS, "unreadable": quoted(error.text(visit.lang))}
    return {
        "unreadable": "",
        "stopped": found.stopped,
        "most": REJECTS,
        "rejects": [
            {
                "line": one.line,
                "reasons": [why.text(visit.lang, titles.get(why.field, why.field)) for why in one.reasons],
                "batch": one.batch_id[:12],
            }
            for one in found.rows
        ],
    }


def _shape(visit: Visit, resource: InformationResource) -> dict[str, Any]:
    found = drifts.drifts_of(visit.office.control, resource.code)
    return {
        "shapes": [_drift(visit, one) for one in found[:SHAPES]],
        "decides": visit.has(Duty.OFFICE) and visit.list_.office in {"", visit.person.department},
    }


def _order(visit: Visit, resource: InformationResource) -> dict[str, Any]:
    """The form; with what was asked for, what it would do."""
    given = visit.form.text if visit.form.fields else visit.query
    asked = {name: given(name) for name in ("mode", "since", "until", "accept", "dry_run")}
    shown: dict[str, Any] = {
        "asked": asked,
        "modes": [{"value": mode.value, "name": visit.say(*name)} for mode, name in MODES.items()],
        "ranges": bool(resource.source.cursor_field),
        "preview": None,
    }
    if not asked["mode"]:
        return shown
    try:
        wanted = _wanted(asked)
        found = ordering.preview(visit.office, resource, wanted)
    except HubError as error:
        visit.problem = visit.problem or remedies.said(error, visit.lang)
        return shown
    cursor_field = resource.field(resource.source.cursor_field)
    window = found.window or ("", "")
    return shown | {
        "preview": {
            "mode": visit.say(*MODES[wanted.mode]),
            "does": visit.words(ordering.DOES[wanted.mode]),
            "dry_run": wanted.dry_run,
            "by": (cursor_field.title if visit.lang == "zh" else cursor_field.name) if cursor_field else "",
            "first": window[0],
            "last": window[1],
            "days": found.days,
            "rows": found.rows,
            "last_read": found.plan.last_rows,
            "seconds": found.plan.last_seconds,
            "cursor": found.plan.cursor,
            "rejected": found.rejected,
            "running": [_under_way(visit, one) for one in found.running],
            "trouble": _trouble(visit, found.plan),
            "held": _pause(found.pause) if found.pause is not None else None,
            "possible": found.possible,
        }
    }


def _hold(visit: Visit, resource: InformationResource) -> dict[str, Any]:
    del visit, resource
    return {}


# --- pieces ----------------------------------------------------------------------------------------------------------


def _scope(visit: Visit) -> frozenset[str] | None:
    return loadboard.scope_of(visit.list_, visit.person.department, all_seeing=visit.has(Duty.OFFICE))


def _resource(visit: Visit) -> InformationResource:
    return loadboard.need_seen(visit.list_, visit.path["code"], _scope(visit), visit.actor)


def _wanted(asked: Mapping[str, str]) -> LoadOrder:
    mode = asked["mode"]
    params: dict[str, Any] = {"dry_run": asked["dry_run"] == "1", "accept": asked["accept"]}
    if mode == Mode.WINDOW:
        if not (asked["since"] or asked["until"]):
            # Without an end it would be another order than the one that was chosen.
            raise FormInvalidError(
                where="Range", where_zh="日期区间", why="give a first or a last day", why_zh="请填写起始日或截止日"
            )
        params |= {"since": asked["since"], "until": asked["until"]}
    elif mode in {Mode.FULL, Mode.REPLAY}:
        params[mode] = True
    return LoadOrder.from_params(params)


def _address(code: str, tab: str) -> str:
    return f"/ingestion/{quote(code)}?tab={tab}"


def _name(visit: Visit, what: Any) -> str:  # noqa: ANN401 - of the list, with names in both languages
    return str(what.name if visit.lang == "zh" or not what.name_en else what.name_en)


def _kept(concern: Concern | None, provider: str, *, failed: bool) -> list[tuple[str, str]]:
    show = concern.value if concern is not None else ""
    kept = [("show", show), ("dept", provider), ("failed", "1" if failed else "")]
    return [(name, value) for name, value in kept if value]


def _concern(visit: Visit, one: Concern, count: int, *, chosen: bool) -> dict[str, Any]:
    tone, name, means = CONCERNS[one]
    return {
        "key": one.value,
        "tone": tone if count else "calm",
        "name": visit.say(*name),
        "means": visit.say(*means),
        "count": count,
        "chosen": chosen,
    }


def _row(visit: Visit, resource: InformationResource, fresh: Freshness, runs: list[Run]) -> dict[str, Any]:
    cells = [_cell(visit, one) for one in runs]
    return {
        "code": resource.code,
        "name": _name(visit, resource),
        "provider": resource.provider,
        "tone": TONES[fresh.light],
        "light": visit.words(LIGHTS[fresh.light]),
        "cells": cells,
        "newest": max(cells, key=lambda one: one["at"], default=None),
    }


def _cell(visit: Visit, one: Run) -> dict[str, Any]:
    return {
        "id": one.id,
        "tone": OUTCOMES[one.outcome][0],
        "word": visit.say(*OUTCOMES[one.outcome][1:]),
        "at": one.started.isoformat(),
        "rejected": one.rejected,
    }


def _under_way(visit: Visit, one: LoadReport) -> dict[str, Any]:
    resource = visit.list_.by_code.get(one.resource)
    return {
        "code": one.resource,
        "name": _name(visit, resource) if resource is not None else one.resource,
        "started": one.started.isoformat(),
        "read": one.read,
        "about": one.about,
    }


def _load(visit: Visit, one: LoadReport) -> dict[str, Any]:
    tone, *name = OUTCOMES[one.outcome]
    return {
        "id": one.id,
        "started": one.started.isoformat(),
        "finished": one.finished.isoformat() if one.finished else None,
        "tone": tone,
        "outcome": visit.say(*name),
        "mode": visit.say(*ASKED[Mode(one.mode)]),
        "read": one.read,
        "about": one.about,
        "accepted": one.accepted,
        "rejected": one.rejected,
        "inserted": one.inserted,
        "updated": one.updated,
        "deleted": one.deleted,
        "seconds": round(one.total_seconds, 1),
        "error": one.error(visit.lang),
    }


def _load_in_full(visit: Visit, resource: InformationResource, one: LoadReport) -> dict[str, Any]:
    from warehouse.reasons import Reason  # noqa: PLC0415 - only for a run that is looked at

    titles = {field.name: field.title if visit.lang == "zh" else field.name for field in resource.fields}
    reasons = [(Reason.parse(text), rows) for text, rows in one.reasons.items()]
    return _load(visit, one) | {
        "run": one.run,
        "unchanged": one.unchanged,
        "superseded": one.superseded,
        "bytes": one.bytes,
        "cursor": one.cursor,
        "snapshot": None if one.snapshot is None else str(one.snapshot),
        "log_index": one.log_index,
        "list_version": one.list_version,
        "steps": dict(one.seconds),
        "reasons": [[why.text(visit.lang, titles.get(why.field, why.field)), rows] for why, rows in reasons],
    }


def _drift(visit: Visit, one: Drift) -> dict[str, Any]:
    tone, *name = SHAPE_STATES[one.status]
    return {
        "digest": one.digest,
        "mark": one.digest[-12:],
        "tone": tone,
        "status": visit.say(*name),
        "waits": one.status == drifts.WAITING,
        "first_seen": one.first_seen.isoformat(),
        "last_seen": one.last_seen.isoformat(),
        "decided_by": one.decided_by,
        "decided_at": one.decided_at.isoformat() if one.decided_at else None,
        "changes": list(one.report[visit.lang]),
        "columns": [
            {"column": found["column"], "was": found["was"], "now": found["now"], "text": found[visit.lang]}
            for found in one.report.get("findings", ())
        ],
    }


def _trouble(visit: Visit, plan: Plan) -> str:
    """What is wrong with the source system's description; where it lies is told to those who keep it alone."""
    if not plan.trouble or _scope(visit) is None:
        return plan.trouble.get(visit.lang, "")
    return visit.say(
        "平台中该来源系统的配置有误，暂不能归集。请联系数据主管部门。",
        "The hub's description of the source system is not in order, so nothing can be loaded. Tell the hub office.",
    )


def _pause(found: pauses.Pause) -> dict[str, Any]:
    return {"since": found.since.isoformat(), "by": found.by, "why": found.why}


def _promise(visit: Visit, resource: InformationResource) -> str:
    hours = PROMISED[resource.cadence].total_seconds() / 3600
    cadence = word(domains.CADENCE, resource.cadence, visit.lang)
    return visit.say(
        f"{cadence}更新，超过 {hours:,.0f} 小时未成功归集即为逾期",
        f"{cadence}; late when no load has succeeded for {hours:,.0f} hours",
    )
