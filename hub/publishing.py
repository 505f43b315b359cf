"""Publishing a list whole: through its review to the version in force, and the registry the scheduler draws from.

The steps of the review are `hub.drafts`', versions and their storage `hub.published`'s; drawing DAGs is `dags/`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from catalog.review import State, keeper
from hub import drafts, lineage, registry, storing, systems
from hub.actors import Actor
from hub.office import Office
from hub.published import Published, current_version, list_version, versions

if TYPE_CHECKING:
    from catalog.model import InformationResource, ResponsibilityList
    from catalog.review import Finding
    from hub.settings import Settings

EDITOR, REVIEWER = "list-editor", "list-reviewer"


def publish(
    settings: Settings,
    list_: ResponsibilityList,
    *,
    by: str = "",
    approved_by: str = "",
    file: str = "",
    findings: tuple[Finding, ...] = (),
) -> Published:
    """Take *list_* through its whole review and publish it: for the first list of a deployment, and a small office.

    See `publish_in`; opens the deployment of *settings* and closes it again.
    """
    with Office.open(settings) as office:
        return publish_in(office, list_, by=by, approved_by=approved_by, file=file, findings=findings)


def publish_in(
    office: Office,
    list_: ResponsibilityList,
    *,
    by: str = "",
    approved_by: str = "",
    file: str = "",
    findings: tuple[Finding, ...] = (),
) -> Published:
    """Submit as *by*, approve and publish as *approved_by*, and compile the registry.

    The two are posts of the office (default: its ``list-editor``, and a ``list-reviewer`` beside whoever submits).
    They must differ, as in any review. The version in force publishes nothing again.

    1. Submit, unless an open draft holds the same list: then that one is gone on with.
    2. Approve, unless it is approved.
    3. Publish.
    4. Compile the registry.

    A crash between two steps leaves the draft where it was; publishing again goes on from there.

    Raises:
        SameHandsError, NotYoursError: see `catalog.review`.
    """
    current = current_version(office.control)
    if current != list_.version:
        held = list_version(office.settings, current) if current else None
        editor = Actor.parse(by or f"{keeper(held, list_, '')}:{EDITOR}")
        reviewer = Actor.parse(approved_by or f"{editor.department}:{REVIEWER}")
        case = drafts.waiting_for(office, list_.version)
        if case is None:
            case = drafts.submit(office, list_, actor=editor, file=file, findings=findings)
        elif case.state == State.RETURNED or drafts.draft_of(case).predecessor != (current or ""):
            case = drafts.resubmit(office, case.id, actor=editor)
        if case.state == State.SUBMITTED:
            case = drafts.approve(office, case.id, actor=reviewer)
        done = drafts.publish(office, case.id, actor=reviewer)
    else:
        (newest, *_) = versions(office.control)
        done = Published(list_.version, newest.log_index, already=True)
    compile_registry(office)
    return done


def publish_draft(office: Office, id_: str, *, actor: Actor, revision: int | None = None) -> Published:
    """Publish an approved draft and compile the registry; safe to repeat, as each of the two is."""
    done = drafts.publish(office, id_, actor=actor, revision=revision)
    compile_registry(office)
    return done


def compile_registry(office: Office) -> None:
    """Compile the list in force for the scheduler.

    It comes last: a crash before it leaves the scheduler with the old picture until the list is published again,
    which then finds it published and only compiles. Of two who publish at once the later list is what remains: each
    looks, after writing, whether another came into force meanwhile.
    """
    found = systems.load(office.settings.systems_file) if office.settings.systems_file.exists() else {}
    connections = {name: system.connections for name, system in found.items()}
    outlet_root = storing.table_root(office.settings)

    def inlet(resource: InformationResource) -> str:
        source = resource.source
        system = found.get(source.system) or systems.SourceSystem(source.system, "")
        return lineage.uri_of(system, source.object)

    written = None
    while written != (version := current_version(office.control)):
        if version is None:
            return
        list_ = list_version(office.settings, version)
        compiled = registry.compile_list(
            list_,
            outlet_root=outlet_root,
            connections=connections,
            inlet=inlet,
            window_start=office.settings.window_start,
        )
        registry.write(compiled, office.settings.registry)
        written = version
