"""Does batches again from their evidence: the order, the manifest of its files, and each file that was handed out.

The steps are those of `hub.auditing`; of a file they are taken for the order that it was made for, and then

    5. the part is made again from the snapshot that was ordered, and compared
    6. what still lies on the disk is compared with what was recorded

Whether a grant still stood when a file was fetched is not kept in the evidence, and is not decided again.
"""

from __future__ import annotations

import json
import tempfile
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from catalog.decide import decide, grant_from_plain, request_from_plain, request_to_plain
from hub.auditing import MASK_KEY
from hub.batches.manifest import NAME, digest, file_digest
from hub.batches.order import PLAN_FORMAT, decide_order, selection_of, wish_from_plain
from hub.errors import HubError
from hub.keyring import Keyring
from warehouse.errors import WarehouseError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from audit.entry import Entry
    from catalog.decide import AccessRequest, Decision
    from catalog.model import InformationResource, ResponsibilityList
    from hub.replaying import Run

ORDERED, DENIED, READY, FETCHED = "batch.ordered", "batch.denied", "batch.ready", "batch.fetched"
_FORMATS: Final = (PLAN_FORMAT,)


def replay_batch(run: Run, entry: Entry) -> None:
    """Take the steps for *entry*, of one of the kinds above.

    Raises:
        StoppedError: the last step of *run* says why it ended there.
    """
    if entry.kind == DENIED:
        _refusal(run, entry)
        return
    if entry.kind == ORDERED:
        plan, resource = _order(run, run.index, entry)
        _count(run, entry, plan, resource)
        _files(run, str(entry.facts.get("batch", "")), order=run.index)
        return
    index = entry.facts.get("order")
    if not isinstance(index, int):
        raise run.stop(1, "order_unnamed")
    order = run.entry(index, (ORDERED,))
    batch = str(entry.facts.get("batch", ""))
    if any(order.facts.get(name) != entry.facts.get(name) for name in ("batch", "grant")):
        raise run.stop(1, "order_differs", order=index, batch=batch)
    run.note(1, "order_found", order=index)
    plan, resource = _order(run, index, order)
    if entry.kind == READY:
        _files(run, batch, order=index, recorded=str(entry.facts.get("manifest_digest", "")))
        return
    _part(run, entry, plan, resource)


def _refusal(run: Run, entry: Entry) -> None:
    body, salt = run.body(run.index, entry, _FORMATS)
    if "decision" in body:
        list_ = run.list_(str(entry.facts.get("list_version", "")))
        try:
            grants = [grant_from_plain(grant) for grant in body["grants"]]
            decision = decide(request_from_plain(body["access"]), list_, grants, datetime.fromisoformat(body["at"]))
        except (HubError, ValueError, KeyError, TypeError) as error:
            raise run.stop(4, "body_unreadable") from error
        run.decided(entry, body, decision)
    if "order" in body:
        run.requested(entry, body["order"], salt)
    run.nothing(entry, 7, "nothing_answered" if "decision" in body else "nothing_decided")


def _order(run: Run, index: int, entry: Entry) -> tuple[Mapping[str, Any], InformationResource]:
    """Steps 2 to 4 and 7 for the order *entry*, number *index*: its plan, and the resource as the list has it."""
    plan, salt = run.body(index, entry, _FORMATS)
    list_ = run.list_(str(entry.facts.get("list_version", "")))
    try:
        wish = wish_from_plain(plan["order"])
        resource = list_.by_code[plan["code"]]
        again = decide_order(wish, plan["caller"]["department"], resource, _asking(plan, list_))
        same = (request_to_plain(again.request), list(again.fields)) == (plan["access"], list(plan["fields"]))
    except HubError as error:
        raise run.stop(4, "decision_differs", decision=error.code, recorded="allowed") from error
    except (ValueError, KeyError, TypeError) as error:
        raise run.stop(4, "body_unreadable") from error
    if run.decided(entry, plan, again.decision) and not same:
        raise run.stop(4, "decision_differs", decision="allowed", recorded="allowed")
    run.requested(entry, wish.plain(), salt)
    return plan, resource


def _asking(plan: Mapping[str, Any], list_: ResponsibilityList) -> Any:  # noqa: ANN401 - as `decide_order` asks
    at, grants = datetime.fromisoformat(plan["at"]), [grant_from_plain(grant) for grant in plan["grants"]]

    def ask(request: AccessRequest) -> Decision:
        return decide(request, list_, grants, at)

    return ask


def _count(run: Run, entry: Entry, plan: Mapping[str, Any], resource: InformationResource) -> None:
    """Step 5 of an order: as many rows as were told."""
    snapshot, recorded = int(plan["snapshot"]), entry.facts.get("rows")
    try:
        with run.warehouse.masked(selection_of(plan, resource), snapshot, key=_key(run)) as rows:
            found = rows.count()
    except (WarehouseError, OSError) as error:
        raise run.stop(5, "snapshot_missing", snapshot=snapshot, resource=resource.code) from error
    if found == recorded:
        run.note(5, "rows_equal", snapshot=snapshot, rows=found)
    else:
        run.note(5, "rows_differ", snapshot=snapshot, rows=found, recorded=recorded)


def _files(run: Run, batch: str, *, order: int, recorded: str = "") -> None:
    """Step 6: the files that lie there are those of the manifest, and it is the one that was *recorded*."""
    folder = run.settings.batches / Path(batch).name
    try:
        manifest = json.loads((folder / NAME).read_bytes())
        fits = manifest["entry"] == order and recorded in ("", digest(manifest))
        names = [(str(part["name"]), str(part["digest"])) for part in manifest["parts"]]
    except OSError:
        # An order does not rest on its files; what was said of the files does.
        run.note(6, "files_gone" if recorded else "files_none")
        return
    except (ValueError, KeyError, TypeError):
        run.note(6, "files_differ", name=NAME)
        return
    if not fits:
        run.note(6, "files_differ", name=NAME)
        return
    for name in _altered(folder, names):
        run.note(6, "files_differ", name=name)
        return
    run.note(6, "files_equal", files=len(names))


def _altered(folder: Path, names: list[tuple[str, str]]) -> Iterator[str]:
    for name, expected in names:
        path = folder / Path(name).name
        if not path.is_file() or file_digest(path) != expected:
            yield path.name


def _part(run: Run, entry: Entry, plan: Mapping[str, Any], resource: InformationResource) -> None:
    """Steps 5 and 6 of a file that was handed out."""
    number, recorded, rows = int(entry.facts["part"]), entry.facts["digest"], entry.facts["rows"]
    snapshot, form = int(plan["snapshot"]), str(plan["order"]["format"])
    kept = run.settings.batches / Path(str(entry.facts["batch"])).name / f"part-{number:04d}.{form}"
    if kept.is_file() and file_digest(kept) != recorded:
        raise run.stop(6, "files_differ", name=kept.name)
    run.settings.staging.mkdir(parents=True, exist_ok=True)
    try:
        # It holds rows: in a folder of its own that only we read, and gone with it.
        with (
            tempfile.TemporaryDirectory(prefix="replay-", dir=run.settings.staging) as folder,
            run.warehouse.masked(selection_of(plan, resource), snapshot, key=_key(run)) as masked,
        ):
            path = Path(folder) / kept.name
            written = masked.write(number - 1, path, form)
            made = file_digest(path)
    except (WarehouseError, OSError, IndexError) as error:
        raise run.stop(5, "snapshot_missing", snapshot=snapshot, resource=resource.code) from error
    told = {"part": number, "snapshot": snapshot, "rows": written}
    if made == recorded:
        run.note(5, "part_equal", **told)
    elif written == rows:
        run.note(5, "part_other_bytes", **told)
    else:
        run.note(5, "part_differs", recorded=rows, **told)


def _key(run: Run) -> bytes:
    return Keyring(run.settings.keys).secret(MASK_KEY)
