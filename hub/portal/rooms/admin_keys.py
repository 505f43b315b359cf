"""Administration: which keys there are, until when each holds, and changing one after being told what that does.

How keys are changed is `hub.authority.changes`'s. No page shows, and no function here reads, a private key.
"""

from __future__ import annotations

from datetime import date, datetime, time
from typing import TYPE_CHECKING, Any, Final

from catalog.clock import SHANGHAI
from hub.authority import KeyStore, changes
from hub.authority.names import CUSTODIAN, ISSUING, ROOT
from hub.errors import NotFoundError
from hub.keysknown import known_keys
from hub.people import Duty
from hub.portal import naming
from hub.portal.doors import Room
from hub.portal.errors import FormInvalidError
from hub.portal.rooms.administration import READERS
from hub.portal.visits import Go

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hub.authority.changes import Standing
    from hub.portal.visits import Visit

ROOM = Room()
ADMINISTRATORS: Final = frozenset({Duty.ADMINISTRATOR})
PAGE: Final = 100
# state: tone, (English, Chinese).
STATES: Final[Mapping[str, tuple[str, tuple[str, str]]]] = {
    "signs": ("good", ("signs", "使用中")),
    "planned": ("calm", ("planned", "待启用")),
    "replaced": ("calm", ("replaced, still verifies", "已更换，仍可验签")),
    "revoked": ("bad", ("revoked", "已撤销")),
    "ended": ("calm", ("ended", "已到期")),
    "trusted": ("good", ("trusted", "受信任")),
}
ROLES: Final[Mapping[str, tuple[str, str]]] = {
    "root": ("root of trust", "信任根"),
    "issuing": ("certifies the keys of departments", "签发部门证书"),
    "licences": ("signs licences", "签署证照"),
    "status": ("signs status lists", "签署状态列表"),
    "time-stamps": ("signs time stamps", "签署时间戳"),
    "seal-making": ("makes seals", "制作印章"),
    "seals": ("signs with seals", "用印签名"),
    "documents": ("signs documents", "签署版式文件"),
}
PATH: Final = "/administration/keys"


@ROOM.page(PATH, "admin-keys.html", who=READERS)
def keys(visit: Visit) -> dict[str, Any]:
    """Each key and certificate: purpose, suite, number, since, until, and its light."""
    page = visit.number("page", 1, least=1, most=10_000)
    found = sorted(_standings(visit), key=_order)
    return {
        "own": [
            {
                "name": one.name,
                "says": visit.words(one.says),
                "suite": one.suite,
                "public": one.public,
                "since": one.since.isoformat(),
            }
            for one in known_keys(visit.office.settings)
        ],
        "total": len(found),
        "page": page,
        "size": PAGE,
        "address": f"{PATH}?",
        "due": sum(one.due for one in found),
        "overlap_days": changes.DUE.days,
        "certificates": [_plain(visit, one) for one in found[(page - 1) * PAGE : page * PAGE]],
    }


@ROOM.page(f"{PATH}/{{name}}", "admin-key.html", who=READERS)
def key(visit: Visit) -> dict[str, Any]:
    """A key with its certificates, and what changing it would do."""
    name = visit.path["name"][:200]
    found = [one for one in _standings(visit) if one.kept.name == name]
    if not found:
        raise NotFoundError
    return {
        "name": name,
        "says": _says(visit, found[0]),
        "department_name": _department(visit, found[0]),
        "certificates": [_plain(visit, one) for one in found],
        "planned": any(one.state == "planned" for one in found),
        "apart": any(one.kept.keeper for one in found if one.state in {"signs", "trusted"}),
        "root": name == ROOT or name.startswith("outside-"),
        "issuing": name == ISSUING,
        "may_rotate": visit.has(Duty.ADMINISTRATOR),
        "given": {"from": visit.form.text("from")[:10]},
    }


@ROOM.step(f"{PATH}/{{name}}/rotate", again=key, template="admin-key.html", who=ADMINISTRATORS)
def rotate(visit: Visit) -> Go:
    """Make the next key, which signs now or from a day; the last one goes on verifying."""
    form = visit.form
    if not form.has("told"):
        raise FormInvalidError(
            where="I have read what this does",
            where_zh="已阅读更换的影响",
            why="tick it before the key is changed",
            why_zh="更换前请勾选",
        )
    name, office = visit.path["name"][:200], visit.office
    made = changes.rotate(_store(visit), office.evidence, name, by=str(visit.actor), signs_from=_begins(visit))
    said = visit.say(
        f"新密钥已生成，自 {made.signs_from.astimezone(SHANGHAI):%Y-%m-%d %H:%M} 起签名。",
        f"The next key is made; it signs from {made.signs_from.astimezone(SHANGHAI):%Y-%m-%d %H:%M} on.",
    )
    return Go(f"{PATH}/{made.name}", said)


# --- inside ---------------------------------------------------------------------------------------------------------


def _store(visit: Visit) -> KeyStore:
    return KeyStore(visit.office.settings, visit.office.control, visit.office.evidence.clock)


def _standings(visit: Visit) -> tuple[Standing, ...]:
    store = _store(visit)
    return changes.standings(store, store.kept(), visit.now)


def _order(one: Standing) -> tuple[bool, bool, str, str, int]:
    """What is due first, then what signs, by name."""
    return not one.due, one.state not in {"signs", "trusted"}, one.kept.name, one.kept.suite, -one.kept.number


def _plain(visit: Visit, one: Standing) -> dict[str, Any]:
    tone, words = STATES[one.state]
    kept = one.kept
    return {
        "name": kept.name,
        "says": _says(visit, one),
        "department_name": _department(visit, one),
        "suite": kept.suite,
        "number": kept.number,
        "key_id": kept.key_id,
        "serial": kept.serial,
        "state": one.state,
        "tone": "warn" if one.due else tone,
        "word": visit.say("应更换", "to be changed") if one.due else visit.words(words),
        "signs_from": kept.signs_from.isoformat(),
        "until": kept.ends.isoformat(),
        "days_left": max(0, (kept.ends - visit.now).days),
        "rotate_by": (kept.ends - changes.DUE).isoformat() if one.state in {"signs", "trusted"} else "",
        "apart": bool(kept.keeper),
        "log_index": kept.log_index,
    }


def _says(visit: Visit, one: Standing) -> str:
    role = one.kept.role
    return visit.words(ROLES.get(role, (role, role)))


def _department(visit: Visit, one: Standing) -> str:
    """Whose key it is: a department's, or of one of its posts."""
    if one.kept.name.startswith(CUSTODIAN):
        return naming.actor(visit, one.kept.name.removeprefix(CUSTODIAN))
    return naming.department(visit, one.kept.department) if one.kept.department else ""


def _begins(visit: Visit) -> datetime | None:
    """The beginning of the day that the form names; None: now."""
    text = visit.form.text("from")
    if not text:
        return None
    try:
        day = date.fromisoformat(text)
    except ValueError as error:
        raise FormInvalidError(
            where="Signs from", where_zh="启用日期", why="is a day, as 2026-03-02", why_zh="应为日期，如 2026-03-02"
        ) from error
    begins = datetime.combine(day, time(), SHANGHAI)
    if begins <= visit.now:
        raise FormInvalidError(
            where="Signs from",
            where_zh="启用日期",
            why="is a day to come; leave it empty for now",
            why_zh="应晚于今天；立即启用请留空",
        )
    return begins
