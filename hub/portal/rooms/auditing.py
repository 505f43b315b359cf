"""The audit pages: search, an entry with its proof, a sample by lot, growth between two days, evidence packs.

Finding, drawing, replaying and packing are `hub.auditsearch`'s, `hub.auditing`'s and `hub.packing`'s, which record what
is asked. A person who is asked about is sent in a form and hashed at once: nothing of them stands in an address.
"""

from __future__ import annotations

import base64
import functools
import json
import re
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

from audit.checkpoints import ConsistencyProof, Kept, kept, kept_at, prove_growth
from audit.errors import (
    AuditError,
    EntryMissingError,
    EntryUnpublishedError,
    InputInvalidError,
    LogMissingError,
    ProofInvalidError,
)
from audit.pack import check_pack
from audit.sampling import MAX_SEED_CHARS
from audit.searching import Query, describe, moment_of
from audit.tree import leaf_hash
from audit.verifiers import Trust
from catalog.clock import SHANGHAI
from hub.anomalies import Limits
from hub.auditing import KINDS, replay
from hub.auditsearch import Desk, Drawn, lookup_of, replay_all
from hub.auditviews import look
from hub.auditwords import GROUPS, group_of, outcome_of
from hub.errors import HubError, NotFoundError
from hub.evidence import log_verifier, log_verifiers
from hub.packing import names_of, pack, places_of
from hub.people import Duty
from hub.portal import naming
from hub.portal.doors import Room
from hub.portal.errors import FormInvalidError, LogNotSoundError
from hub.portal.pathdrawing import base64_of, drawing, steps_of
from hub.portal.visits import Download, Shown
from hub.portal.words import quoted
from hub.replaying import VERDICTS
from hub.witnesses import asking

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from audit.searching import Hit
    from hub.anomalies import Finding
    from hub.portal.doors import Act
    from hub.portal.visits import Answer, Visit

ROOM = Room()
WHO: Final = frozenset({Duty.AUDITOR, Duty.OFFICE})
PAGE: Final = 50
MAX_DRAWN: Final = 1_000
# Each takes a scan of a snapshot, and somebody waits for the page.
MAX_REPLAYED: Final = 50
MAX_LOOK: Final = timedelta(days=31)
GROWTH_FILE: Final = "growth.tlog-consistency"
_HASH: Final = re.compile(r"[0-9a-f]{64}")
TONES: Final[Mapping[str, str]] = {"same": "good", "different": "bad", "incomplete": "warn", "logged": "calm"}
# (English, Chinese), as `zhengtong audit sample` has them.
DRAWN: Final[Mapping[str, tuple[str, str]]] = {
    "same": ("same", "一致"),
    "different": ("different", "不一致"),
    "incomplete": ("incomplete", "无法判定"),
    "logged": ("in the log", "已记入日志"),
}
# Checks entry and proof with nothing but Python, by RFC 9162 §2.1.3.2.
COMMAND: Final = """python3 - entry-{number}.json entry-{number}.tlog-proof <<'END'
import base64, hashlib, sys
h = lambda data: hashlib.sha256(data).digest()
head, note = open(sys.argv[2], encoding="utf-8").read().split("\\n\\n", 1)
lines = head.split("\\n")
n, path = int(lines[1].split()[1]), [base64.b64decode(line) for line in lines[2:]]
last, root = int(note.split("\\n")[1]) - 1, note.split("\\n")[2]
node = h(b"\\0" + open(sys.argv[1], "rb").read())
for step in path:
    if n % 2 or n == last:
        node = h(b"\\1" + step + node)
        while n and n % 2 == 0:
            n, last = n >> 1, last >> 1
    else:
        node = h(b"\\1" + node + step)
    n, last = n >> 1, last >> 1
print("the root is", "the same" if base64.b64encode(node).decode() == root and last == 0 else "ANOTHER")
END"""


def _audited(act: Act) -> Act:
    """Let what the log raises become what a page says."""

    @functools.wraps(act)
    def within(visit: Visit) -> Answer:
        try:
            return act(visit)
        except (EntryMissingError, EntryUnpublishedError, LogMissingError) as error:
            raise NotFoundError from error
        except InputInvalidError as error:
            en, zh = error.text("en").rstrip("."), error.text("zh").rstrip("。")
            raise FormInvalidError(where="search", where_zh="检索", why=en, why_zh=zh) from error
        except AuditError as error:
            raise LogNotSoundError(why=error.text("en"), why_zh=error.text("zh")) from error

    return within


# --- search ---------------------------------------------------------------------------------------------------------


@ROOM.page("/audit", "audit.html", who=WHO)
@_audited
def search(visit: Visit) -> dict[str, Any]:
    """Find entries by who, what, about which resource and when; the newest first. The question is an entry itself."""
    sought = {name: visit.query(name).strip() for name in ("department", "actor", "group", "kind", "resource")}
    sought |= {name: visit.query(name).strip() for name in ("purpose", "outcome", "from", "to")}
    page = visit.number("page", 1, least=1, most=100_000)
    return _found(visit, sought, (), page)


@ROOM.step("/audit/subject", again=search, template="audit.html", who=WHO)
@_audited
def search_subject(visit: Visit) -> Shown:
    """Find the entries about a person, who is turned into the keyed hash here, and goes no further."""
    form = visit.form
    subject = form.text("subject")
    if not subject:
        key = form.need("key", "查询条件", "Looked up by", most=100)
        value = form.need("value", "条件的值", "Value", most=200)
        resource = form.text("resource")[:100]
        subject = visit.service.evidence.subject(lookup_of(visit.list_, {key: value}, resource))
    if not _HASH.fullmatch(subject):
        raise FormInvalidError(
            where="Keyed hash", where_zh="散列值", why="is 64 hexadecimal digits", why_zh="应为 64 位十六进制数"
        )
    number = form.text("page", "1")
    page = int(number) if number.isascii() and number.isdigit() and len(number) < 6 and int(number) else 1  # noqa: PLR2004
    return Shown(_found(visit, {}, (subject,), page), "audit.html")


def _found(visit: Visit, sought: Mapping[str, str], subjects: tuple[str, ...], page: int) -> dict[str, Any]:
    desk = _desk(visit)
    found = desk.newest(_query(sought, subjects), skip=(page - 1) * PAGE, limit=PAGE)
    kept_ = [(name, value) for name, value in sought.items() if value]
    list_ = _list(visit)
    # A city's thousands of fields have a few names.
    fields = {
        (not field.key, field.name): field.title
        for one in (list_.resources if list_ else ())
        for field in one.lookup_fields
    }
    # What records are told apart by comes first: it is what people are mostly looked up by.
    keys = {name: title for (_, name), title in sorted(fields.items())}
    actors, kinds = desk.tally("actor"), desk.tally("kind")
    of_departments = _summed(actors, lambda actor: actor.partition(":")[0])
    of_groups = _summed(kinds, lambda kind: next((group for group in GROUPS if kind.startswith(group)), ""))
    departments = [
        (one.code, _counted(visit.words((one.name_en or one.name, one.name)), of_departments.get(one.code, 0)))
        for one in (list_.departments if list_ else ())
    ]
    groups = [(prefix, _counted(visit.words(words), of_groups.get(prefix, 0))) for prefix, words in GROUPS.items()]
    outcomes = sorted(one for one in desk.tally("outcome").items() if one[0])
    return {
        "entries": [_row(visit, hit) for hit in found.hits],
        "total": found.total,
        "more": found.more,
        "size": PAGE,
        "page": page,
        "log_size": desk.log.size,
        "sought": {name: sought.get(name, "") for name in _FIELDS},
        "narrowed": bool(kept_ or subjects),
        "subject": subjects[0] if subjects else "",
        "departments": [("", visit.say("全部", "all")), *departments],
        "groups": [("", visit.say("全部", "all")), *groups],
        "outcomes": [
            ("", visit.say("全部", "all")),
            *((name, _counted(visit.words(outcome_of(name)), count)) for name, count in outcomes),
        ],
        "keys": [(name, f"{title} ({name})" if visit.lang == "zh" else name) for name, title in keys.items()],
        "address": f"/audit?{urlencode(kept_)}{'&' if kept_ else ''}",
    }


_FIELDS: Final = ("department", "actor", "group", "kind", "resource", "purpose", "outcome", "from", "to")


def _summed(tally: Mapping[str, int], under: Callable[[str], str]) -> dict[str, int]:
    """The counts of *tally* by what each word stands *under*."""
    found: dict[str, int] = {}
    for word, count in tally.items():
        name = under(word)
        found[name] = found.get(name, 0) + count
    return found


def _counted(name: str, count: int) -> str:
    return f"{name} ({count:,})"


def _row(visit: Visit, hit: Hit) -> dict[str, Any]:
    about = hit.about
    return {
        "index": hit.index,
        "at": moment_of(about.at).isoformat(),
        "kind": about.kind,
        "group": visit.words(group_of(about.kind)),
        "actor": about.actor,
        "resource": about.resource,
        "purpose": about.purpose,
        "outcome": about.outcome,
        "outcome_word": visit.words(outcome_of(about.outcome)),
    }


def _query(sought: Mapping[str, str], subjects: tuple[str, ...] = ()) -> Query:
    wanted: dict[str, str] = {name: value for name, value in sought.items() if value}
    actor = wanted.get("actor") or (f"{wanted['department']}:" if "department" in wanted else "")
    kind = wanted.get("kind") or wanted.get("group", "")
    return Query(
        actors=_only(actor),
        subjects=subjects,
        resources=_only(wanted.get("resource", "")),
        purposes=_only(wanted.get("purpose", "")),
        kinds=_only(kind),
        outcomes=_only(wanted.get("outcome", "")),
        since=_day(wanted.get("from", "")),
        until=_day(wanted.get("to", ""), end=True),
    )


def _only(value: str) -> tuple[str, ...]:
    return (value,) if value else ()


# --- an entry -------------------------------------------------------------------------------------------------------


@ROOM.page("/audit/entries/{number}", "audit-entry.html", who=WHO)
@_audited
def entry(visit: Visit) -> dict[str, Any]:
    """One entry: what it says, that it is in the log, by a drawing, by hashes and by a command of one's own."""
    return _entry(visit)


def _entry(visit: Visit) -> dict[str, Any]:
    desk, number = _desk(visit), _number(visit)
    data, proof = desk.log.entry(number), desk.log.prove(number)
    steps = steps_of(data, proof, desk.log.size)
    leaf = leaf_hash(data)
    about = describe(data)
    plain = json.loads(data)
    return {
        "index": number,
        "group": visit.words(group_of(about.kind)),
        "fields": {name: value for name, value in plain.items() if name != "facts"},
        "facts": json.dumps(plain["facts"], ensure_ascii=False, indent=2),
        "leaf": leaf.hex(),
        "path": [step.to_plain() for step in steps],
        "drawing": drawing(number, leaf, steps),
        "checkpoint": _checkpoint(desk),
        "key": log_verifier(visit.service.settings).to_text(),
        "proof": proof.to_text(),
        "command": COMMAND.format(number=number),
        "witnesses": _witnesses(visit, number),
        "before": number - 1 if number else None,
        "after": number + 1 if number + 1 < desk.log.size else None,
        "can_replay": about.kind in KINDS,
        "replayed": None,
    }


@ROOM.step("/audit/entries/{number}/replay", again=entry, template="audit-entry.html", who=WHO)
@_audited
def replay_entry(visit: Visit) -> Shown:
    """Decide and answer again what the entry is about, and compare."""
    plain = _entry(visit)
    report = replay(visit.service.settings, _number(visit))
    replayed = {
        "tone": TONES[report.verdict],
        "verdict": visit.words(VERDICTS[report.verdict]),
        "steps": [{"number": step.number, "text": step.text(visit.lang)} for step in report.steps],
    }
    return Shown({**plain, "replayed": replayed}, "audit-entry.html")


@ROOM.page("/audit/entries/{number}/entry", "audit-entry.html", who=WHO, json=False)
@_audited
def entry_file(visit: Visit) -> Download:
    """The bytes that the leaf is the hash of."""
    number = _number(visit)
    return Download(_desk(visit).log.entry(number), "application/json", f"entry-{number}.json")


@ROOM.page("/audit/entries/{number}/proof", "audit-entry.html", who=WHO, json=False)
@_audited
def proof_file(visit: Visit) -> Download:
    """The inclusion proof in the form of C2SP tlog-proof."""
    number = _number(visit)
    return Download(_desk(visit).log.prove(number).to_text().encode(), "text/plain", f"entry-{number}.tlog-proof")


# --- growth ---------------------------------------------------------------------------------------------------------


@ROOM.page("/audit/growth", "audit-growth.html", who=WHO)
@_audited
def growth(visit: Visit) -> dict[str, Any]:
    """That the log only grew between two days: both checkpoints, the path between them, and who cosigned."""
    desk = _desk(visit)
    old, new, proof = _growth(visit, desk)
    try:
        proof.verify((log_verifier(visit.service.settings),))
    except ProofInvalidError as error:
        holds, why = False, quoted(error.text(visit.lang))
    else:
        holds, why = True, ""
    since, until = visit.query("from"), visit.query("to")
    query = urlencode([(name, value) for name, value in (("from", since), ("to", until)) if value])
    return {
        "since": since,
        "until": until,
        "old": _plain_kept(old),
        "new": _plain_kept(new),
        "path": [{"hash": step.hex()} for step in proof.path],
        "holds": holds,
        "why": why,
        "file": f"/audit/growth/{GROWTH_FILE}?{query}",
        "command": f"zhengtong audit consistency {GROWTH_FILE} --key-file log.vkey",
        "checkpoint": _checkpoint(desk),
        "witnesses": _witnesses(visit, new.checkpoint.size - 1),
    }


@ROOM.page("/audit/growth/{name}", "audit-growth.html", who=WHO, json=False)
@_audited
def growth_file(visit: Visit) -> Download:
    """The consistency proof with both signed notes."""
    if visit.path["name"] != GROWTH_FILE:
        raise NotFoundError
    text = _growth(visit, _desk(visit))[2].to_text()
    return Download(text.encode(), "text/plain", GROWTH_FILE)


def _growth(visit: Visit, desk: Desk) -> tuple[Kept, Kept, ConsistencyProof]:
    """The checkpoints of two days, by default the first that was kept and the last, and the proof between them."""
    folder = visit.service.settings.log
    since, until = _day(visit.query("from"), end=True), _day(visit.query("to"), end=True)
    first = next(iter(kept(folder)), None)
    old = first if since is None else kept_at(folder, since) or first
    # Checkpoints are kept once a minute at most: the newest may not be among them yet.
    new = Kept(visit.now, desk.log.note) if until is None else kept_at(folder, until)
    if old is None or new is None:
        raise NotFoundError
    if new.checkpoint.size < old.checkpoint.size:
        raise FormInvalidError(where="To", where_zh="止", why="is after the first day", why_zh="应晚于起始日期")
    return old, new, prove_growth(desk.log, old.note, new.note)


def _plain_kept(one: Kept) -> dict[str, Any]:
    return {"at": one.at.isoformat(), "size": one.checkpoint.size, "root": base64_of(one.checkpoint.root)}


# --- sample ---------------------------------------------------------------------------------------------------------


@ROOM.page("/audit/sample", "audit-sample.html", who=WHO, json=False)
def sample_asked(visit: Visit) -> dict[str, Any]:
    """Ask for the seed, how many, and from among what."""
    return _sample_form(visit)


@ROOM.step("/audit/sample", again=sample_asked, template="audit-sample.html", who=WHO)
@_audited
def sample(visit: Visit) -> Shown:
    """Draw by lot from a seed that was drawn in public; if wanted, do each again."""
    form, again = visit.form, visit.form.has("again")
    seed = form.need("seed", "种子", "Seed", most=MAX_SEED_CHARS)
    most = MAX_REPLAYED if again else MAX_DRAWN
    text = form.text("wanted", "20")
    wanted = int(text) if text.isascii() and text.isdigit() and len(text) < 6 else 0  # noqa: PLR2004 - of MAX_DRAWN
    if not 1 <= wanted <= most:
        raise FormInvalidError(where="How many", where_zh="条数", why=f"is 1 to {most}", why_zh=f"应为 1 至 {most}")
    query = _query({"group": form.text("group"), "from": form.text("from"), "to": form.text("to")})
    desk = _desk(visit)
    reading = bool(query.to_plain()) and not desk.cover()
    places = desk.draw(seed, wanted, query, reading=reading)
    if again:
        drawn = list(replay_all(visit.service.settings, desk.log, places))
    else:
        drawn = [Drawn(place, describe(desk.log.entry(place)).kind, None) for place in places]
    plain = {
        **_sample_form(visit),
        "drawn": [_plain_drawn(visit, one) for one in drawn],
        "checkpoint": _checkpoint(desk),
        "places": ",".join(map(str, places)),
    }
    return Shown(plain, "audit-sample.html")


def _sample_form(visit: Visit) -> dict[str, Any]:
    return {
        "groups": [("", visit.say("全部", "all")), *((prefix, visit.words(words)) for prefix, words in GROUPS.items())],
        "most": MAX_DRAWN,
        "most_again": MAX_REPLAYED,
        "drawn": None,
        "places": "",
        "checkpoint": None,
    }


def _plain_drawn(visit: Visit, one: Drawn) -> dict[str, Any]:
    why = "" if one.report is None or one.verdict == "same" else one.report.steps[-1].text(visit.lang)
    return {
        "index": one.index,
        "kind": one.kind,
        "group": visit.words(group_of(one.kind)),
        "tone": TONES[one.verdict],
        "verdict": visit.words(DRAWN[one.verdict]),
        "why": why,
    }


# --- anomalies ------------------------------------------------------------------------------------------------------


@ROOM.page("/audit/anomalies", "audit-anomalies.html", who=WHO, json=False)
def anomalies_asked(visit: Visit) -> dict[str, Any]:
    """Ask for which days is to be looked for what is out of the ordinary."""
    return _anomaly_form(visit)


def _anomaly_form(visit: Visit) -> dict[str, Any]:
    today = visit.now.astimezone(SHANGHAI).date()
    return {
        "since": visit.form.text("from") or (today - timedelta(days=7)).isoformat(),
        "until": visit.form.text("to") or today.isoformat(),
        "operators": visit.form.has("operators"),
        "most_days": MAX_LOOK.days,
        "findings": None,
    }


@ROOM.step("/audit/anomalies", again=anomalies_asked, template="audit-anomalies.html", who=WHO)
@_audited
def anomalies(visit: Visit) -> Shown:
    """Look; each finding is a question and no proof of wrong."""
    since = _day(visit.form.need("from", "起始日期", "From", most=10))
    until = _day(visit.form.need("to", "截止日期", "To", most=10), end=True)
    if since is None or until is None or not timedelta() < until - since <= MAX_LOOK:
        raise FormInvalidError(
            where="To",
            where_zh="截止日期",
            why=f"is after the first day, by {MAX_LOOK.days} days at most",
            why_zh=f"应晚于起始日期，且不超过 {MAX_LOOK.days} 天",
        )
    desk, office = _desk(visit), visit.office
    desk.cover()
    operators = visit.form.has("operators")
    found = look(desk, office.clocks.calendar, Limits(), since=since, until=until, office=office, operators=operators)
    findings = [{"code": one.code, "text": _told(visit, one), "entries": list(one.entries[:20])} for one in found]
    return Shown({**_anomaly_form(visit), "findings": findings}, "audit-anomalies.html")


def _told(visit: Visit, one: Finding) -> str:
    """A finding with names for who is meant, and behind each what to search the log for."""

    def named(text: str) -> str:
        return ", ".join(naming.actor_in_text(visit, who) for who in text.split(", "))

    params = tuple((name, named(value) if name == "who" else value) for name, value in one.params)
    return replace(one, params=params).text(visit.lang)


# --- evidence packs -------------------------------------------------------------------------------------------------


@ROOM.page("/audit/pack", "audit-pack.html", who=WHO, json=False)
def pack_asked(visit: Visit) -> dict[str, Any]:
    """Ask which entries are to be packed."""
    return {"entries": visit.form.text("entries") or visit.query("entries"), "bodies": visit.form.has("bodies")}


@ROOM.step("/audit/pack", again=pack_asked, template="audit-pack.html", who=WHO)
@_audited
def packed(visit: Visit) -> Download:
    """Entries with all that proves them in one file, which needs nothing of the hub to be checked."""
    settings, desk = visit.service.settings, _desk(visit)
    places = places_of(visit.form.need("entries", "条目序号", "Entries"))
    desk.cover()
    keys = log_verifiers(settings)
    data = pack(desk, settings, places, query=Query(), bodies=visit.form.has("bodies"), keys=names_of(keys))
    report = check_pack(data, Trust(keys))
    if report.verdict != "holds":
        raise LogNotSoundError(why=report.text("en"), why_zh=report.text("zh"))
    return Download(data, "application/zip", f"evidence-{places[0]}.zip")


# --- inside ---------------------------------------------------------------------------------------------------------


def _desk(visit: Visit) -> Desk:
    return Desk.here(visit.service.settings, visit.service.evidence, visit.actor)


def _number(visit: Visit) -> int:
    text = visit.path["number"]
    if not (text.isascii() and text.isdigit() and len(text) <= 15):  # noqa: PLR2004 - no log has more
        raise NotFoundError
    return int(text)


def _checkpoint(desk: Desk) -> dict[str, Any]:
    one = desk.log.checkpoint
    return {
        "origin": one.origin,
        "size": one.size,
        "root": base64_of(one.root),
        "signed_by": [_signer(line) for line in desk.log.note.split("\n") if line.startswith("— ")],
        "note": desk.log.note,
    }


def _signer(line: str) -> str:
    """Whose signature a line of a note is: the name, and the key's number as it stands in the key's text."""
    _, name, signature = line.split(" ", 2)
    return f"{name}+{base64.b64decode(signature)[:4].hex()}"


def _witnesses(visit: Visit, number: int) -> list[dict[str, Any]]:
    """Who cosigned the log, how far, and whether that covers entry *number*."""
    return [
        {
            "name": one.name,
            "key": one.key,
            "size": one.size,
            "at": one.at.isoformat() if one.at else None,
            "covers": one.size is not None and one.size > number,
        }
        for one in asking.standings(visit.service.settings)
    ]


def _list(visit: Visit) -> Any:  # noqa: ANN401 - a list, or None before one is published
    try:
        return visit.list_
    except HubError:
        return None


def _day(text: str, *, end: bool = False) -> datetime | None:
    """The beginning of a day in Shanghai, or of the next one."""
    if not text:
        return None
    try:
        day = date.fromisoformat(text) + timedelta(days=end)
        return datetime(day.year, day.month, day.day, tzinfo=SHANGHAI)
    except (ValueError, OverflowError) as error:
        raise FormInvalidError(
            where="Day", where_zh="日期", why="is written as 2026-03-02", why_zh="应写作 2026-03-02"
        ) from error
