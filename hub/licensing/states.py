"""Changes the state of licences that were issued.

Which change is allowed is `licence.lifecycle`'s; the list that tells verifiers is `hub.licensing.statuses`'s.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from hub.licensing.archive import Archive
from hub.licensing.errors import LicencePendingError
from hub.licensing.lookups import (
    PENDING,
    change_plain,
    licence_of,
    licence_row,
    update_licence,
    update_status_list,
)
from licence import lifecycle
from licence.lifecycle import Action
from licence.lifecycle.dossier import Event, Step, advance, open_dossier

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hub.evidence import Draft
    from licence.lifecycle import Licence, State

# The steps of a dossier that the actions on a licence are.
STEPS = {action: Step.LAPSE if action is Action.EXPIRE else Step(action.value) for action in Action}


class States(Archive):
    """The room that changes states."""

    def change(
        self, identifier: str, action: Action, *, by: str, reason: str, ground: str, officer: str, second: str = ""
    ) -> State:
        """Move a licence to another state and publish the status list that says so; returns the new state.

        *by* is the department that acts, *officer* the role that decided, *second* who decided beside the officer where
        the kind asks for two.

        Raises:
            LicenceUnknownError: no licence has this identifier.
            LicencePendingError: it was not issued yet.
            LifecycleError: the state, the department or a missing ground does not allow it.
            EventRefusedError: the kind asks for two persons, and this is one.
        """
        with self.control.writing() as connection:
            row = licence_row(connection, identifier, held=True)
            if row["state"] == PENDING:
                raise LicencePendingError(identifier=identifier)
            licence = lifecycle.change(
                licence_of(row, self.kinds), action, by=by, at=self.clock(), reason=reason, ground=ground
            )
            self._persons(row, STEPS[action], licence, officer=officer, second=second)
            # The entry goes first, inside the transaction: a crash after it leaves an entry of a change that the
            # officer was not told of; doing it again adds a second one.
            self.evidence.keep([self._changed(row, action, licence.state, by=by, officer=officer)])
            # The published list no longer tells the truth; should we end here, `refresh` sees it.
            update_status_list(connection, row["status_list"], token_digest=None)
            history = [*row["history"], change_plain(licence.history[-1], officer=officer, second=second)]
            update_licence(connection, identifier, state=licence.state.value, history=history)
        self.publish_status(row["status_list"])
        return licence.state

    def _persons(
        self, row: Mapping[str, Any], step: Step, licence: Licence, *, officer: str, second: str, successor: str = ""
    ) -> None:
        """Hold the decision against the rules of the dossier: two persons where the kind asks for two."""
        last = licence.history[-1]
        before = licence.history[-2]
        dossier = replace(
            open_dossier(self.kinds[row["kind"]]), phase=before.state, licence=row["identifier"], events=()
        )
        event = Event(step, last.by, officer, self.clock(), last.reason, last.ground, second=second, licence=successor)
        advance(dossier, event)

    def _changed(self, row: Mapping[str, Any], action: Action, state: State, *, by: str, officer: str) -> Draft:
        return self.evidence.draft(
            "licence.status",
            actor=f"{by}:{officer}",
            subject=row["holder_hash"],
            resource=row["resource"],
            facts={"licence": row["identifier"], "action": action.value, "state": state.value},
        )
