"""The grants of the demonstration, which departments get as departments do: one post applies, another agrees.

Deciding is `hub.applications`'; here is only what ``demo/applications.yaml`` wants, and who takes each step.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import yaml

from catalog.application import Application, FieldWish, State, from_plain
from hub import applications, grants
from hub.actors import Actor
from hub.licensing import Licensing

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from catalog.decide import Grant
    from hub.office import Office
    from licence.model import LicenceKind

APPLYING_POST: Final = "data-officer"
REVIEWING_POST: Final = "data-reviewer"


def give_grants(office: Office, file: Path) -> list[Grant]:
    """Get the grants of *file*.

    What is granted already is not applied for again; what an earlier demonstration left waiting is decided.
    """
    plain = yaml.safe_load(file.read_text(encoding="utf-8"))
    kinds = Licensing.open(office.settings).kinds.values()
    wanted = [_wanted(entry, kinds) for entry in plain["applications"]]
    return [_granted(office, application) for application in wanted]


def _wanted(entry: dict[str, Any], kinds: Iterable[LicenceKind]) -> Application:
    face = {f"签发{k.name}": k.source_fields for k in kinds if k.resource == entry["resource"]}
    if entry["fields"] == "face":
        reasons = {name: f"{title}，证面内容" for title, names in face.items() for name in names}
    else:
        reasons = entry["fields"]
    return Application(
        applicant=entry["applicant"],
        resource=entry["resource"],
        purposes=tuple(entry["purposes"]),
        fields=tuple(FieldWish(name, reason) for name, reason in reasons.items()),
        actions=tuple(entry["actions"]),
        term_days=entry["term_days"],
        ground=entry.get("ground") or "、".join(face),
    )


def _granted(office: Office, application: Application) -> Grant:
    applicant, resource = application.applicant, application.resource
    asked = application.asked
    for known in grants.find(office, consumer=applicant, resource=resource, ended=False):
        held = known.grant
        if (set(held.fields), held.purposes, held.actions) == (set(asked.fields), asked.purposes, asked.actions):
            return held
    waiting = [
        case
        for case in applications.find(office, concerning=applicant, resource=resource, state=State.SUBMITTED)
        if from_plain(case.value).asked == asked
    ]
    applied_by = Actor(applicant, APPLYING_POST)
    case = waiting[0] if waiting else applications.apply(office, application, actor=applied_by)
    if case.open:
        # Another post, also where a department asks itself for what it keeps.
        case = applications.approve(office, case.id, actor=Actor(case.answerer, REVIEWING_POST))
    return grants.get(office.control, str(case.value["grant"])).grant
