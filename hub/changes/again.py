"""Does a page of changes again from its evidence: the same decision, the same request, the same events.

The steps are those of `hub.auditing`; in step 5 the feed is read between the two places that the page lay between,
which never change once they are there. A page may have told of cases, too, of which the control database holds the
newest state alone: where one changed since, the page can no longer be told again, and that is what is said.
"""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from audit.entry import seal_body
from catalog.decide import decide, grant_from_plain, request_from_plain
from hub.answers import grant_of
from hub.auditing import MASK_KEY
from hub.changes.cursor import NOW, Position, Sealer
from hub.changes.errors import CursorInvalidError
from hub.changes.events import CORRECTION, RECALL, Viewer
from hub.changes.feed import BODY_FORMAT, SECRET, content_of, view_digest
from hub.changes.reader import Read, Reader
from hub.control import Control
from hub.errors import HubError
from hub.evidence import part_salt
from hub.keyring import Keyring
from warehouse.errors import WarehouseError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from audit.entry import Entry
    from catalog.decide import Decision
    from catalog.model import ResponsibilityList
    from hub.replaying import Run


def replay_page(run: Run, entry: Entry) -> None:
    """Take the steps for *entry*, of kind ``changes.answered`` or ``changes.denied``.

    Raises:
        StoppedError: the last step of *run* says why it ended there.
    """
    body, salt = run.body(run.index, entry, (BODY_FORMAT,))
    if "decision" not in body:
        run.nothing(entry, 4, "nothing_decided")
        return
    list_ = run.list_(str(entry.facts.get("list_version", "")))
    decision = _decide(run, entry, body, list_)
    run.requested(entry, body["call"], salt)
    if "answer_digest" not in entry.facts:
        run.nothing(entry, 7, "nothing_answered")
        return
    page = _page(run, entry, body, decision, list_)
    same = seal_body(page, part_salt(salt, "answer")) == entry.facts["answer_digest"]
    cases = any(event["kind"] in (CORRECTION, RECALL) for event in page["events"])
    differs = "page_of_cases" if cases or body["from"]["case"] != body["through"]["case"] else "page_differs"
    run.note(7, "page_equal" if same else differs, events=len(page["events"]))


def _decide(run: Run, entry: Entry, body: Mapping[str, Any], list_: ResponsibilityList) -> Decision:
    try:
        grants = [grant_from_plain(grant) for grant in body["grants"]]
        decision = decide(request_from_plain(body["access"]), list_, grants, datetime.fromisoformat(body["at"]))
    except (ValueError, KeyError, TypeError) as error:
        raise run.stop(4, "body_unreadable") from error
    run.decided(entry, body, decision)
    return decision


def _page(
    run: Run, entry: Entry, body: Mapping[str, Any], decision: Decision, list_: ResponsibilityList
) -> dict[str, Any]:
    """Steps 5 and 6: the page, read anew."""
    ring = Keyring(run.settings.keys)
    department, resource = str(body["caller"]["department"]), list_.by_code[body["code"]]
    try:
        sealer = Sealer(ring.secret(SECRET))
        start = _start(body, decision, sealer, department)
        through = replace(start, seq=int(body["through"]["seq"]), case=int(body["through"]["case"]))
        viewer = Viewer(resource, decision, department=department, sealer=sealer, mask_key=ring.secret(MASK_KEY))
        read = _read(run, entry, body, viewer, start=start, through=through)
    except (HubError, WarehouseError, OSError, sqlite3.Error, KeyError, ValueError) as error:
        raise run.stop(5, "changes_missing") from error
    return content_of(
        resource.code,
        list_.version,
        decision,
        start,
        read,
        cursor=lambda position: sealer.seal(position, department=department, resource=resource.code),
    )


def _start(body: Mapping[str, Any], decision: Decision, sealer: Sealer, department: str) -> Position:
    """Where the page began: what its cursor says, under the grant that was used; the end of the feed where it said so.

    Raises:
        CursorInvalidError: it leads elsewhere than the body says.
    """
    began, cursor = body["from"], str(body["call"]["cursor"])
    if cursor == NOW:
        place = (str(began["table"]), int(began["seq"]), int(began["case"]))
        return Position(*place, grant_of(decision), view_digest(decision))
    opened = sealer.open(cursor, department=department, resource=str(body["code"]))
    if (opened.table, opened.seq, opened.case) != (began["table"], began["seq"], began["case"]):
        raise CursorInvalidError(resource=str(body["code"]))
    return replace(opened, grant=grant_of(decision))


def _read(
    run: Run, entry: Entry, body: Mapping[str, Any], viewer: Viewer, *, start: Position, through: Position
) -> Read:
    """Raises: HubError, WarehouseError, OSError, sqlite3.Error: what the page told of is not kept any more."""
    snapshot, department = int(entry.facts["snapshot"]), str(body["caller"]["department"])
    control = Control.attach(run.settings)
    try:
        reader, now = Reader(control, run.warehouse), datetime.fromisoformat(body["at"])
        events = reader.between(viewer, department, start, through, snapshot=snapshot, now=now)
    finally:
        control.close()
    return Read(events, through, bool(entry.facts["more"]), snapshot)
