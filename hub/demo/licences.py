"""The licences of the demonstration: one of each kind, one by two persons, one kind for everybody, a renewal.

Each step returns what came; issuing is `hub.licensing`'s, applications are `hub.licensing.dossiers`'.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from catalog.steps import CaseError
from hub.actors import Actor
from hub.errors import LicenceExistsError
from hub.licensing import Licensing
from hub.licensing.dossiers.opening import over
from hub.licensing.dossiers.orders import Order
from licence.lifecycle import State
from licence.lifecycle.dossier import TWO_PERSONS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hub.cases import Case
    from hub.licensing.batches import BatchDone
    from hub.licensing.dossiers import Dossiers
    from hub.licensing.dossiers.prefill import Prefilled
    from hub.licensing.planning import Plan
    from hub.licensing.reconcile import Reconciliation
    from hub.office import Office
    from licence.model import LicenceKind
    from warehouse.engine import Warehouse

CASE_KIND: Final = "防空地下室建设意见书"
BATCH_KIND: Final = "老年人优待证"
RENEWED_KIND: Final = "植物检疫证书"
REASON: Final = "依申请签发"
BATCH_REASON: Final = "纸质优待证换发电子证照"
BATCH_GROUND: Final = "《安徽省实施〈中华人民共和国老年人权益保障法〉办法》"
# What the applicant of the two-person kind states, and which of it the record contradicts.
STATED_RIGHT, STATED_WRONG = "KZ_XMMC", "KZ_FKDXSMJ"
TOO_MUCH: Final = Decimal(120)
WINDOW, FIRST, SECOND, CLERK = "window-1", "section-head", "deputy-director", "licence-officer"


@dataclass(frozen=True, slots=True)
class Holder:
    """The *holder* of a licence and further keys that name the *record*, with all *facts* of it."""

    holder: str
    record: Mapping[str, str]
    facts: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Step:
    """What *by* did; *said* is why it was refused, "" where it was not."""

    what: str
    by: str
    said: str = ""


@dataclass(frozen=True, slots=True)
class Handled:
    """An application from the counter to the licence; no *prefilled* and no *steps* where it was there already."""

    case: str
    licence: str
    prefilled: Prefilled | None = None
    steps: tuple[Step, ...] = ()


@dataclass(frozen=True, slots=True)
class Renewed:
    """A licence and its next version, with their states; *new*: since just now."""

    before: str
    before_state: State
    after: str
    after_state: State
    new: bool


class Licences:
    """The licence office, as the departments of the demonstration use it."""

    def __init__(self, office: Office, warehouse: Warehouse) -> None:
        self._office = office
        self._warehouse = warehouse

    @cached_property
    def licensing(self) -> Licensing:
        """The licence office."""
        return Licensing.open(self._office.settings)

    @property
    def kinds(self) -> list[LicenceKind]:
        """The kinds, in the order of their catalogue."""
        return list(self.licensing.kinds.values())

    def issue_each_kind(self, lang: str) -> list[tuple[str, str, bool]]:
        """A licence of every kind that one person decides on: (kind's name, identifier, newly issued)."""
        single = [kind for kind in self.kinds if kind.approvals < TWO_PERSONS]
        return [(kind.name if lang == "zh" else kind.name_en, *self.issue(kind.name)) for kind in single]

    def issue(self, name: str) -> tuple[str, bool]:
        """The licence of the first holder of the kind's resource, and whether it was issued just now."""
        kind = self.licensing.kind(name)
        first = self.first(kind)
        try:
            issued = self.licensing.issue(
                kind,
                first.holder,
                record=first.record,
                reason=REASON,
                ground=kind.name,
                by=f"{kind.issuer}:{CLERK}",
            )
        except LicenceExistsError as exists:
            return str(exists.params["identifier"]), False
        return issued.identifier, True

    def first(self, kind: LicenceKind) -> Holder:
        """The first complete record of the kind's resource, named by its holder and its key."""
        resource = self._office.list_.by_code[kind.resource]
        keys = [f.name for f in resource.key if f.lookup and f.name != kind.holder_field]
        rows = self._warehouse.scan(kind.resource, None, None, [*dict.fromkeys([*kind.source_fields, *keys])])
        required = [kind.holder_field, *keys, *(f.field for f in kind.face if f.required)]
        complete = [row for row in rows if all(row.get(field) for field in required)]
        found = min(complete, key=lambda row: (str(row[kind.holder_field]), *(str(row[key]) for key in keys)))
        return Holder(str(found[kind.holder_field]), {key: str(found[key]) for key in keys}, found)

    # --- an application that two persons decide ---------------------------------------------------------------------

    def handle(self) -> Handled:
        """Apply, review, be refused to approve one's own review, approve by another, hand out."""
        kind = self.licensing.kind(CASE_KIND)
        dossiers = over(self._office, self.licensing)
        first = self.first(kind)
        standing = self._standing(kind, first)
        if standing:
            return Handled(self._case_of(dossiers, kind, standing), standing)
        # One that an earlier demonstration left waiting is not gone on with: it is withdrawn, as an applicant may.
        for left in dossiers.find(department=kind.issuer, open_=True)[1]:
            dossiers.withdraw(left.id, actor=Actor(kind.issuer, WINDOW), reason="申请人撤回")
        stated = {
            STATED_RIGHT: str(first.facts["project_name"]),
            STATED_WRONG: str(Decimal(str(first.facts["basement_area"])) + TOO_MUCH),
        }
        order = Order(kind.code, first.holder, REASON, "《中华人民共和国人民防空法》第二十二条", first.record, stated)
        handed = dossiers.apply(order, actor=Actor(kind.issuer, WINDOW))
        steps = [Step("apply", WINDOW)]
        for what, post in (
            ("review", FIRST),
            ("approve", FIRST),
            ("approve", SECOND),
            ("hand_out", CLERK),
        ):
            steps.append(_taken(dossiers, handed.case, what, Actor(kind.issuer, post)))
        licence = dossiers.get(handed.case.id).value["licence"]
        return Handled(handed.case.id, str(licence), handed.prefilled, tuple(steps))

    def left(self, name: str) -> tuple[str, str]:
        """A licence of the kind that holds, and the case it was decided in; "" where there is none. Issues nothing."""
        kind = self.licensing.kind(name)
        licence = self._standing(kind, self.first(kind))
        return licence, self._case_of(over(self._office, self.licensing), kind, licence) if licence else ""

    def _standing(self, kind: LicenceKind, first: Holder) -> str:
        found = self.licensing.find(holder=first.holder, kind=kind.code, state=State.VALID.value)
        return str(found[-1]["identifier"]) if found else ""

    def _case_of(self, dossiers: Dossiers, kind: LicenceKind, licence: str) -> str:
        found = dossiers.find(department=kind.issuer)[1]
        return next((case.id for case in found if case.value["licence"] == licence), "")

    # --- all of a kind ----------------------------------------------------------------------------------------------

    def plan(self) -> Plan:
        """What issuing to every record of the kind would do."""
        return self.licensing.plan_batch(self.licensing.kind(BATCH_KIND), by=self._batch_officer)

    def issue_all(self) -> BatchDone:
        """Do it."""
        return self.licensing.issue_batch(
            self.licensing.kind(BATCH_KIND), reason=BATCH_REASON, ground=BATCH_GROUND, by=self._batch_officer
        )

    def reconcile(self) -> Reconciliation:
        """What is left: records without a licence, licences without a record, faces that differ."""
        return self.licensing.reconcile(self.licensing.kind(BATCH_KIND), by=self._batch_officer)

    @property
    def _batch_officer(self) -> str:
        return f"{self.licensing.kind(BATCH_KIND).issuer}:{CLERK}"

    # --- renewal ----------------------------------------------------------------------------------------------------

    def renew(self) -> Renewed:
        """Renew a licence by an application of its own; the version before lapses at the same moment."""
        kind = self.licensing.kind(RENEWED_KIND)
        known = self.licensing.find(holder=self.first(kind).holder, kind=kind.code)
        done = next((row for row in known if row["predecessor"] and row["state"] == State.VALID.value), None)
        if done is not None:
            return self._renewed(str(done["predecessor"]), str(done["identifier"]), new=False)
        before, _ = self.issue(kind.name)
        dossiers = over(self._office, self.licensing)
        order = Order(
            kind.code,
            "",
            "货物尚未起运，申请延续",
            "《植物检疫条例》第七条",
            self.first(kind).record,
            predecessor=before,
        )
        case = dossiers.apply(order, actor=Actor(kind.issuer, WINDOW)).case
        dossiers.review(case.id, actor=Actor(kind.issuer, FIRST))
        dossiers.hand_out(case.id, actor=Actor(kind.issuer, CLERK))
        return self._renewed(before, str(dossiers.get(case.id).value["licence"]), new=True)

    def _renewed(self, before: str, after: str, *, new: bool) -> Renewed:
        states = [State(self.licensing.show(one)["state"]) for one in (before, after)]
        return Renewed(before, states[0], after, states[1], new)


def _taken(dossiers: Dossiers, case: Case, what: str, actor: Actor) -> Step:
    try:
        getattr(dossiers, what)(case.id, actor=actor)
    except CaseError as refused:
        return Step(what, actor.post, refused.text("zh") + "\n" + refused.text("en"))
    return Step(what, actor.post)
