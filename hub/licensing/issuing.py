"""Issues one licence at the counter: the facts by an ordinary, recorded call of the authoritative resource.

The steps after the facts are `hub.licensing.course`'s.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hub.callers import issue_key
from hub.errors import HolderNotFoundError, LicenceExistsError, NoIssuingGrantError, SeveralRecordsError
from hub.invocation import RefusedError
from hub.keyring import Keyring
from hub.licensing.course import Course, Order, Wanted
from hub.licensing.errors import ApprovalMissingError, KindNotSourcedError
from hub.licensing.lookups import PENDING, licence_row, standing_licence
from licence.lifecycle.dossier import TWO_PERSONS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from catalog.model import ResponsibilityList
    from licence.model import LicenceKind
    from licence.wallet.jwk import HolderKey

CALLER_NAME = "licence office"


@dataclass(frozen=True, slots=True)
class Issued:
    """A licence that may be handed out: its log entry is *log_index*. `Licensing.bundle` makes the file for it."""

    identifier: str
    kind: str
    log_index: int


class Issuing(Course):
    """The counter. Safe for many processes."""

    def issue(
        self,
        kind: LicenceKind,
        holder: str,
        *,
        reason: str,
        ground: str,
        by: str,
        record: Mapping[str, str] | None = None,
        approved: str | None = None,
        second: str = "",
        holder_key: HolderKey | None = None,
        valid_from: datetime | None = None,
        valid_until: datetime | None = None,
    ) -> Issued:
        """Issue a licence of *kind* to the holder with identifier *holder* (a citizen id, a USCC …).

        A holder may have several records, a person several houses: *record* then names one by further look-up fields.
        *approved* is the case in which it was decided, *second* who decided beside the officer. *holder_key*: of the
        holder's wallet, whose possession was proved. *valid_from* and *valid_until* stand in place of the kind's rule.

        Raises:
            SeveralRecordsError: it does not name one.
            LicenceExistsError: one that holds was issued already, and is named.
            HolderNotFoundError: the authoritative resource knows no such holder.
            NoIssuingGrantError, DeniedError: the issuing department may not read the facts.
            FactsIncompleteError: required fields are empty.
            KindNotSourcedError: no issuer and no resource are named for the kind.
            ApprovalMissingError: the kind is decided by two persons, and no case is named.
        """
        if not kind.sourced:
            raise KindNotSourcedError(kind=kind.name)
        if kind.approvals >= TWO_PERSONS and not approved:
            raise ApprovalMissingError(kind=kind.name)
        # What a licence is about: the same again is the same licence.
        keys = {kind.holder_field: holder, **(record or {})}
        facts = self._facts(kind, keys)
        order = Order(kind, by, reason, ground, second=second, dossier=approved or "")
        wanted = Wanted(self._holder_hash(kind, keys), facts, holder_key, valid_from, valid_until)
        return self._issued(kind, self._issue_once(order, wanted))

    def _issue_once(self, order: Order, wanted: Wanted) -> str:
        while True:
            with self.control.reading() as connection:
                standing = standing_licence(connection, order.kind.code, wanted.holder_hash)
            if standing is not None:
                identifier, state = standing
                # Pending may also mean that another is about to issue it; then it is not we who finish it.
                if state == PENDING and self._go_on(order.kind, [identifier]):
                    return identifier
                if state != PENDING:
                    raise LicenceExistsError(identifier=identifier)
                continue
            issued = self._issue_group(order, [wanted])
            if issued:
                return issued[0]

    def _issued(self, kind: LicenceKind, identifier: str) -> Issued:
        with self.control.reading() as connection:
            row = licence_row(connection, identifier)
        return Issued(identifier, kind.code, int(row["log_index"]))

    def _holder_hash(self, kind: LicenceKind, keys: Mapping[str, str]) -> str:
        return self.evidence.subject({"kind": kind.code, **keys})

    def _facts(self, kind: LicenceKind, keys: Mapping[str, str]) -> Mapping[str, Any]:
        view = self.standing.now()
        now = self.evidence.clock()
        face = set(kind.source_fields)
        # In force, unlimited in rows, and with every field of the face: the first of these, by its identifier.
        grants = [
            g
            for g in view.grants(kind.issuer, kind.resource)
            if g.revoked_at is None
            and g.suspended_at is None
            and g.starts <= now < g.expires
            and not g.rows
            and "query" in g.actions
            and face <= set(g.fields)
        ]
        if not grants:
            raise NoIssuingGrantError(department=kind.issuer, resource=kind.resource)
        # The fields of the list alone are asked for: the least the face needs.
        call = {
            "keys": dict(keys),
            "fields": list(kind.source_fields),
            "grant": grants[0].id,
            "purpose": {"matter": grants[0].purposes[0]},
        }
        body = json.dumps(call, ensure_ascii=False).encode()
        try:
            answer = self.invocation.query(self._caller_key(view.list, kind.issuer), kind.resource, body)
        except RefusedError as refused:
            raise refused.cause from refused
        records = answer.content["records"]
        if not records:
            raise HolderNotFoundError(kind=kind.name, resource=kind.resource)
        if answer.content["masked"]:
            # A licence with a masked face would be worthless, and nobody would notice before a counter does.
            raise NoIssuingGrantError(department=kind.issuer, resource=kind.resource)
        if len(records) > 1:
            further = ", ".join(f.name for f in view.list.by_code[kind.resource].lookup_fields if f.name not in keys)
            raise SeveralRecordsError(resource=kind.resource, records=len(records), further=further or "-")
        record: Mapping[str, Any] = records[0]
        return record

    def _caller_key(self, list_: ResponsibilityList, department: str) -> str:
        def admit() -> bytes:
            issued = issue_key(
                self.control, self.evidence, list_, department=department, name=CALLER_NAME, by="hub:licensing"
            )
            return issued.key.encode()

        return Keyring(self.settings.keys).secret(f"licence-caller-{department}", admit).decode()
