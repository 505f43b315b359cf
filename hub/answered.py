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
from hub.matching.comparing import fits
from hub.published import list_version
from hub.recording import with_terms
from hub.requests import Call
from warehouse.errors import WarehouseError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from audit.entry import Entry
    from catalog.decide import Decision
    from catalog.model import InformationResource, ResponsibilityList
    from hub.evidence import Evidence
    from hub.matching.comparing import Wire
    from hub.settings import Settings
    from warehouse.engine import Warehouse

ANSWERED = "invocation.answered"


@dataclass(frozen=True, slots=True)
class PastAnswer:
    """An answered call as its evidence has it; *sought* are the sets of values looked up by, in stored form."""

    index: int
    entry: Entry
    resource: InformationResource
    decision: Decision
    sought: tuple[Mapping[str, str], ...]
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
            body: Mapping[str, Any] = self._whole(kept[1])
            resource = self._list(str(entry.facts["list_version"])).by_code[body["code"]]
            return PastAnswer(
                index=index,
                entry=entry,
                resource=resource,
                decision=decision_from_plain(body["decision"]),
                sought=tuple(lookup_values(resource, keys) for keys in Call.from_plain(body["call"]).sought),
                snapshot=int(entry.facts["snapshot"]),
            )
        except (AuditError, HubError, OSError, KeyError, ValueError, TypeError) as error:
            raise AnswerGoneError from error

    def keys(self, answer: PastAnswer) -> list[dict[str, str]]:
        """The keys, in stored form, of the records that *answer* was about.

        Raises:
            AnswerGoneError: its snapshot cannot be read.
        """
        visible = row_view(answer.decision, answer.resource)
        found: dict[tuple[str, ...], dict[str, str]] = {}
        for values in answer.sought:
            try:
                rows = self._warehouse.scan(answer.resource.code, answer.snapshot, values)
            except (WarehouseError, OSError) as error:
                raise AnswerGoneError from error
            for row in rows:
                if all(fits(row.get(name), value) for name, value in values.items()) and visible(row) is not None:
                    key = {field.name: value_text(row.get(field.name)) for field in answer.resource.key}
                    found.setdefault(tuple(key.values()), key)
        return list(found.values())

    def told_of(self, answer: PastAnswer, key: Mapping[str, str]) -> tuple[str, ...] | None:
        """The fields that *answer* told of the record with this *key*; None: it was not about that record.

        No field at all means: the record was looked up by its whole key and was said not to be there.

        Raises:
            AnswerGoneError: the snapshot cannot be read, and the values looked up by do not settle it.
        """
        for values in answer.sought:
            told = self._told_by(answer, values, key)
            if told is not None:
                return told
        return None

    def _told_by(self, answer: PastAnswer, values: Mapping[str, str], key: Mapping[str, str]) -> tuple[str, ...] | None:
        # Values that contradict the key settle it without a look at the table.
        for field in answer.resource.key:
            value = values.get(field.name)
            if value is not None and stored_form(field, value) != key.get(field.name):
                return None
        row = self.row(answer.resource.code, answer.snapshot, key)
        if row is None:
            return () if values.keys() >= key.keys() else None
        if not all(fits(row.get(name), value) for name, value in values.items()):
            return None
        shown = decision_for_row(answer.decision, answer.resource, row)
        return None if shown is None else tuple(shown)

    def _whole(self, body: Mapping[str, Any]) -> Mapping[str, Any]:
        whole = with_terms(self._evidence.bodies, body)
        if whole is None:
            raise AnswerGoneError
        return whole

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
