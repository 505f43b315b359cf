"""Finds out which records a past answer held: by the decision kept as evidence, from the snapshot that answered.

Whether the evidence itself holds is `hub.auditing`'s to say; what follows from it, its callers'.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from audit.errors import AuditError
from catalog.correction import stored_form, value_text
from catalog.decide import decision_for_row, decision_from_plain, row_view
from hub.answers import lookup_values
from hub.errors import HubError, ListDamagedError, ListMissingError
from hub.matching import fits
from hub.published import list_version
from hub.requests import Call
from warehouse.errors import WarehouseError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from audit.entry import Entry
    from catalog.decide import Decision
    from catalog.model import InformationResource, ResponsibilityList
    from hub.evidence import Evidence
    from hub.matching import Wire
    from hub.settings import Settings
    from warehouse.engine import Warehouse

ANSWERED = "invocation.answered"


@dataclass(frozen=True, slots=True)
class PastAnswer:
    """An answered call as its evidence has it; *values* are those looked up by, in stored form."""

    index: int
    entry: Entry
    resource: InformationResource
    decision: Decision
    values: Mapping[str, str]
    snapshot: int


class AnswerGoneError(Exception):
    """What is needed to tell is gone or unreadable: a body that was erased, a list, a snapshot."""


class PastAnswers:
    """Past answers of one deployment. Remembers the lists and rows it read; for one thread, for one task."""

    def __init__(self, settings: Settings, evidence: Evidence, warehouse: Warehouse) -> None:
        self._settings = settings
        self._evidence = evidence
        self._warehouse = warehouse
        self._lists: dict[str, ResponsibilityList] = {}
        self._rows: dict[tuple[str, int, tuple[tuple[str, str], ...]], Mapping[str, Wire] | None] = {}

    def read(self, index: int, entry: Entry) -> PastAnswer:
        """The answer that *entry*, of kind `ANSWERED`, is about.

        Raises:
            AnswerGoneError: its body or its list is gone.
        """
        try:
            kept = self._evidence.bodies.get(entry.body_digest)
            if kept is None:
                raise AnswerGoneError
            body: Mapping[str, Any] = kept[1]
            resource = self._list(str(entry.facts["list_version"])).by_code[body["code"]]
            return PastAnswer(
                index=index,
                entry=entry,
                resource=resource,
                decision=decision_from_plain(body["decision"]),
                values=lookup_values(resource, Call.from_plain(body["call"])),
                snapshot=int(entry.facts["snapshot"]),
            )
        except (AuditError, HubError, OSError, KeyError, ValueError, TypeError) as error:
            raise AnswerGoneError from error

    def keys(self, answer: PastAnswer) -> list[dict[str, str]]:
        """The keys, in stored form, of the records that *answer* was about.

        Raises:
            AnswerGoneError: its snapshot cannot be read.
        """
        try:
            rows = self._warehouse.scan(answer.resource.code, answer.snapshot, answer.values)
        except (WarehouseError, OSError) as error:
            raise AnswerGoneError from error
        visible = row_view(answer.decision, answer.resource)
        return [
            {field.name: value_text(row.get(field.name)) for field in answer.resource.key}
            for row in rows
            if all(fits(row.get(name), value) for name, value in answer.values.items()) and visible(row) is not None
        ]

    def told_of(self, answer: PastAnswer, key: Mapping[str, str]) -> tuple[str, ...] | None:
        """The fields that *answer* told of the record with this *key*; None: it was not about that record.

        No field at all means: the record was looked up by its whole key and was said not to be there.

        Raises:
            AnswerGoneError: the snapshot cannot be read, and the values looked up by do not settle it.
        """
        # Values that contradict the key settle it without a look at the table.
        for field in answer.resource.key:
            value = answer.values.get(field.name)
            if value is not None and stored_form(field, value) != key.get(field.name):
                return None
        row = self.row(answer.resource.code, answer.snapshot, key)
        if row is None:
            return () if answer.values.keys() >= key.keys() else None
        if not all(fits(row.get(name), value) for name, value in answer.values.items()):
            return None
        shown = decision_for_row(answer.decision, answer.resource, row)
        return None if shown is None else tuple(shown)

    def row(self, code: str, snapshot: int, key: Mapping[str, str]) -> Mapping[str, Wire] | None:
        """The record with this *key* in a snapshot, or None.

        Raises:
            AnswerGoneError: the snapshot cannot be read.
        """
        place = (code, snapshot, tuple(sorted(key.items())))
        if place not in self._rows:
            try:
                found = self._warehouse.scan(code, snapshot, key, limit=1)
            except (WarehouseError, OSError) as error:
                raise AnswerGoneError from error
            self._rows[place] = found[0] if found else None
        return self._rows[place]

    def _list(self, version: str) -> ResponsibilityList:
        if version not in self._lists:
            try:
                self._lists[version] = list_version(self._settings, version)
            except (ListMissingError, ListDamagedError) as error:
                raise AnswerGoneError from error
        return self._lists[version]
