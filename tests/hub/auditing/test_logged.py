from __future__ import annotations

import random
from contextlib import suppress
from datetime import timedelta

import pytest
import sqlalchemy as sa

from audit.entry import Entry
from catalog.clock import Clocks
from catalog.decide import grant_to_plain
from catalog.errors import CatalogError
from catalog.model import Mask
from catalog.terms import Less
from hub import applications, clients, grants
from hub.actors import Actor
from hub.anomalies import Limits
from hub.auditsearch import Desk
from hub.auditviews import look
from hub.authentication import Authenticator
from hub.callers import issue_key, revoke_key, rotate_key
from hub.control import Caller, ClientRow, GrantRow, ListVersion, raise_generation
from hub.errors import HubError
from hub.invocation import RefusedError
from hub.logged import KINDS, UNDER_WAY, Logged, grants_of
from hub.signing.nonces import MemoryNonces
from hub.standing import KnownCaller
from tests.hub.auditing.conftest import AUDITOR, MONDAY
from tests.hub.batches.conftest import Room
from tests.hub.clients.conftest import BODY, BY, Door, bearer, certificate, new_key, register, shown
from tests.hub.databases import database
from tests.hub.publishing import publish_list
from tests.hub.world import CODE, EMPTY_CODE, MATTER, NOW, give, make_grant, make_list

__all__ = ["database"]

CALENDAR = Clocks.default().calendar
DAY = timedelta(days=1)
LIST = make_list()
WINDOW, REVIEWER = Actor("RS", "window"), Actor("GA", "reviewer")
AGAINST_LOG = {"unknown_credential", "unknown_grant", "unknown_list"}


def said(kind, hours=0, /, **facts):
    return Entry(kind, MONDAY + timedelta(hours=hours), "SJ:office", "", "", "", facts)


def call(hours=0, kind="invocation.answered", *, actor="RS", resource=CODE, purpose=MATTER, minutes=0, **facts):
    at = MONDAY + timedelta(hours=hours, minutes=minutes)
    return Entry(kind, at, actor, "a1", resource, purpose, facts)


class TestCredentials:
    S1 = (
        said("client.registered", client="S1", department="RS", environment="production"),
        said("client.key_added", client="S1", credential="K1", kind="key", not_before=MONDAY.isoformat()),
        said("caller.admitted", caller="C1", department="RS", client="S1"),
        said("client.registered", client="S2", department="RS", environment="production"),
        said("client.key_added", client="S2", credential="K2", kind="certificate"),
        said("caller.admitted", caller="C2", department="RS"),
    )

    def fault(self, entry, *more):
        return Logged.of([*self.S1, *more]).credential_fault(entry)

    @pytest.mark.parametrize(
        ("facts", "why"),
        [
            ({"caller": "S1", "credential": "K1", "proof": "signature"}, ""),
            ({"caller": "S1", "credential": "C1", "proof": "bearer"}, ""),
            ({"caller": "S2", "credential": "K2", "proof": "mtls"}, ""),
            ({"caller": "C2", "credential": "C2", "proof": "bearer"}, ""),
            ({"caller": "C2"}, ""),  # of a time when calls named no credential
            ({"caller": "S9", "credential": "K1", "proof": "signature"}, "never"),
            ({"caller": "C1", "credential": "C1", "proof": "bearer"}, "never"),
            ({}, "never"),
            ({"caller": "S1", "credential": "K9", "proof": "signature"}, "unregistered"),
            ({"caller": "S1", "credential": "K2", "proof": "mtls"}, "foreign"),
            ({"caller": "S1", "credential": "C2", "proof": "bearer"}, "foreign"),
            ({"caller": "C2", "credential": "K1", "proof": "signature"}, "foreign"),
            ({"caller": "S1", "credential": "K1", "proof": "bearer"}, "proof"),
            ({"caller": "S1", "credential": "K1", "proof": "wish"}, "proof"),
        ],
    )
    def test_a_caller_shows_what_was_registered_for_it(self, facts, why):
        assert self.fault(call(1, **facts)) == why

    def test_a_caller_of_another_department(self):
        assert self.fault(call(1, actor="MZ", caller="S1", credential="K1", proof="signature")) == "other"
        assert self.fault(call(1, actor="MZ", caller="C2", credential="C2", proof="bearer")) == "other"

    @pytest.mark.parametrize(
        ("change", "why"),
        [
            (said("client.key_revoked", 1, client="S1", credential="K1"), "revoked"),
            (said("client.ended", 1, client="S1", department="RS"), "ended"),
            (said("client.key_revoked", 1, client="S2", credential="K2"), ""),
            (said("client.ended", 1, client="S2", department="RS"), ""),
            (said("caller.revoked", 1, caller="C1", department="RS"), ""),
            (said("client.changed", 1, client="S1", signed_only=True), ""),
        ],
    )
    def test_what_was_ended_opens_nothing_from_then_on(self, change, why):
        shown = {"caller": "S1", "credential": "K1", "proof": "signature"}
        assert self.fault(call(2, **shown), change) == why
        # What was under way when it was ended is no fault.
        assert self.fault(call(1, **shown), change) == ""

    def test_a_system_that_signs_shows_nothing_else(self):
        shown = {"caller": "S1", "credential": "C1", "proof": "bearer"}
        signs = said("client.changed", 1, client="S1", signed_only=True)
        assert self.fault(call(2, **shown), signs) == "sandbox"
        assert self.fault(call(1, **shown), signs) == ""
        assert self.fault(call(3, **shown), signs, said("client.changed", 2, client="S1", signed_only=False)) == ""

    def test_a_system_of_the_sandbox_is_answered_nothing_real(self):
        more = (
            said("client.registered", client="S3", department="RS", environment="sandbox"),
            said("client.key_added", client="S3", credential="K3", kind="key"),
        )
        assert self.fault(call(1, caller="S3", credential="K3", proof="signature"), *more) == "sandbox"

    def test_terms_and_the_overlap_of_a_rotation(self):
        first, later = MONDAY + timedelta(hours=5), MONDAY + timedelta(hours=10)
        new = said(
            "client.key_added",
            client="S1",
            credential="K4",
            kind="hmac",
            not_before=first.isoformat(),
            expires=later.isoformat(),
            replaces="K1",
            old_ends=later.isoformat(),
        )
        for name, proof, hours, why in [
            ("K4", "hmac", 4, "early"),
            ("K4", "hmac", 5, ""),
            ("K4", "hmac", 9, ""),
            ("K4", "hmac", 11, "expired"),
            ("K1", "signature", 9, ""),
            ("K1", "signature", 11, "expired"),
        ]:
            assert self.fault(call(hours, caller="S1", credential=name, proof=proof), new) == why
        longer = said("client.key_added", replaces="K4", old_ends=(later + DAY).isoformat(), client="S1", kind="key")
        found = self.fault(call(11, caller="S1", credential="K4", proof="hmac"), new, longer)
        assert found == "expired"

    def test_a_bearer_key_that_runs_out(self):
        ends = said("caller.admitted", caller="C7", department="RS", expires=(MONDAY + DAY).isoformat())
        assert self.fault(call(23, caller="C7"), ends) == ""
        assert self.fault(call(25, caller="C7"), ends) == "expired"

    def test_a_system_goes_on_as_a_caller_of_before(self):
        adopts = said("client.registered", client="S5", department="RS", environment="production", caller="C2")
        added = said("client.key_added", client="S5", credential="K5", kind="key")
        bearer_ = call(1, caller="C2", credential="C2", proof="bearer")
        signed = call(1, caller="C2", credential="K5", proof="signature")
        assert [self.fault(one, adopts, added) for one in (bearer_, signed)] == ["", ""]
        revoked = said("caller.revoked", caller="C2", department="RS")
        assert [self.fault(one, adopts, added, revoked) for one in (bearer_, signed)] == ["revoked", ""]


class TestGrants:
    GRANT = make_grant(LIST)

    def given(self, **changes):
        return said("grant.given", grant=grant_to_plain(make_grant(LIST, **changes)))

    def faults(self, entry, *more, frozen=()):
        return Logged.of([self.given(), *more]).grant_faults(entry, frozen)

    @pytest.mark.parametrize(
        ("changes", "why"),
        [
            ({}, ""),
            ({"grant": "G9"}, "never"),
            ({"actor": "MZ"}, "other"),
            ({"resource": EMPTY_CODE}, "resource"),
            ({"purpose": "SX002"}, "wider"),
            ({"purpose": ""}, ""),
            ({"action": "batch"}, "wider"),
            ({"action": "verify"}, ""),
            ({"fields": ["name", "address"]}, "wider"),
            ({"fields": ["name"]}, ""),
            ({"hours": 24 * 31}, "expired"),
            ({"hours": -48}, "early"),
        ],
    )
    def test_a_call_is_one_that_the_log_gave(self, changes, why):
        facts = {"grant": "G1", **changes}
        assert self.faults(call(**facts)) == ({facts["grant"]: why} if why else {})

    def test_several_grants_add_up(self):
        other = self.given(id="G2", fields=("address",))
        entry = call(grant="G1,G2", fields=["name", "address"])
        assert self.faults(entry, other) == {}
        assert self.faults(entry) == {"G2": "never"}
        assert self.faults(call(grant="G1,G2", fields=["secret"]), other) == {"G1": "wider", "G2": "wider"}
        assert grants_of(entry) == ("G1", "G2")

    @pytest.mark.parametrize("how", ["revoked", "handed_back", "replaced"])
    def test_what_was_ended_is_used_no_more(self, how):
        ended = said(f"grant.{how}", 1, grant="G1", consumer="RS")
        assert self.faults(call(2, grant="G1"), ended) == {"G1": "ended"}
        assert self.faults(call(1, grant="G1"), ended) == {}
        minutes = UNDER_WAY // timedelta(minutes=1)
        assert self.faults(call(1, minutes=minutes - 1, grant="G1"), ended) == {}
        assert self.faults(call(1, minutes=minutes, grant="G1"), ended) == {"G1": "ended"}

    def test_what_rests_is_not_used_until_it_is_resumed(self):
        rests = said("grant.suspended", 1, grant="G1", consumer="RS")
        assert self.faults(call(2, grant="G1"), rests) == {"G1": "suspended"}
        assert self.faults(call(3, grant="G1"), rests, said("grant.resumed", 2, grant="G1")) == {}
        heir = self.given(id="G2", suspended_at=MONDAY, predecessor="G1")
        assert self.faults(call(2, grant="G2"), heir) == {"G2": "suspended"}

    @pytest.mark.parametrize(
        "changes",
        [{"quota_per_day": 5}, {"masks": ()}, {"masks": (("name", Mask.HASH),)}, {"expires": NOW + 90 * DAY}],
    )
    def test_other_terms_than_were_given(self, changes):
        entry = call(grant="G1")
        assert self.faults(entry, frozen=[make_grant(LIST, **changes)]) == {"G1": "altered"}
        assert self.faults(entry, frozen=[make_grant(LIST, id="G5", **changes)]) == {}
        rested = make_grant(LIST, suspended_at=MONDAY)
        assert self.faults(entry, frozen=[self.GRANT, rested]) == {}

    def test_a_grant_whose_terms_the_log_does_not_say_whole(self):
        logged = Logged.of([said("grant.given", grant={"id": "G3"}), said("grant.given", grant="G4")])
        assert logged.grant_faults(call(grant="G3", fields=["x"]), [make_grant(LIST, id="G3")]) == {}
        assert logged.grant_faults(call(grant="G4")) == {"G4": "never"}


def test_the_list_in_force():
    logged = Logged.of([said("list.published", list_version="a"), said("list.published", 5, list_version="b")])
    for hours, version, why in [(6, "b", ""), (6, "a", "superseded"), (5, "a", ""), (6, "c", "never"), (6, "", "")]:
        assert logged.list_fault(call(hours, list_version=version)) == why
    logged.see(said("list.published", 8, list_version="a"))
    assert logged.list_fault(call(9, list_version="a")) == ""
    assert logged.list_fault(call(9, list_version="b")) == "superseded"


def test_what_cannot_be_read_is_no_crash():
    for kind in KINDS:
        for facts in ({}, {"grant": 7, "client": [], "caller": None, "expires": "soon", "list_version": {}}):
            logged = Logged.of([said(kind, **facts)])
            entry = call(**facts)
            assert logged.credential_fault(entry) in {"never", "unregistered", "other"}
            assert logged.grant_faults(entry) == {}


@pytest.fixture
def door(service, world):
    nonces = MemoryNonces(started=(NOW - DAY).timestamp())
    return Door(service.office, world.clock, service.standing, Authenticator(nonces))


@pytest.fixture
def ask(service, door):
    """Makes a call by what is shown; whether it was answered."""

    def ask(presented, code=CODE):
        opens = lambda view, now: door.authenticator.caller(view, presented, BODY, now)  # noqa: E731 - of this call
        try:
            service.invocation.call("query", opens, code, BODY)
        except RefusedError:
            return False
        return True

    return ask


@pytest.fixture
def against(service, world, desk):
    """What the views say against the log, over the last days until now."""

    def against(days=400, **options):
        now = world.clock.now + timedelta(seconds=1)
        found = look(desk(), CALENDAR, Limits(), since=now - days * DAY, until=now, **options)
        return [one for one in found if one.code in AGAINST_LOG]

    return against


class Town:
    """Ordinary operation: whatever may be done is done at random, and everybody calls meanwhile."""

    def __init__(self, service, world, door, ask):
        self.draw = random.Random(0)
        self.office, self.world, self.door, self.ask = service.office, world, door, ask
        self.systems = []
        self.plain = []
        self.shows = {}
        self.answered = 0

    def step(self):
        self.world.clock.now += timedelta(minutes=self.draw.choice([0, 1, 30, 600]))
        do = self.draw.choice(
            [self.system, self.key, self.key, self.person, self.end, self.grant, self.grant, self.list]
        )
        # Much of what is drawn is not possible just now.
        with suppress(HubError, CatalogError):
            do()
        for show in list(self.shows.values()):
            self.answered += self.ask(show())

    def system(self):
        adopts = self.draw.choice(["", *self.plain])
        made = register(self.office, name=f"s{len(self.systems)}", adopts=adopts)
        self.systems.append(made.id)
        if adopts:
            self.plain.remove(adopts)
        if not self.shows:
            self.key()

    def key(self):
        client = self.draw.choice(self.systems)
        held = [one.id for one in clients.records.credentials(self.office.control, client)]
        rotation = self.draw.choice([None, *(clients.Rotation(one, timedelta(minutes=40)) for one in held)])
        kind = self.draw.randrange(4)
        if kind == 0:
            private, added = new_key(self.office, client, rotation=rotation)
            self.shows[added.id] = lambda: self.door.signed(private)
        elif kind == 1:
            shared = clients.add_shared_key(self.office, client, by=BY, rotation=rotation)
            self.shows[shared.credential] = lambda: self.door.hmac(shared)
        elif kind == 2:
            pem, print_ = certificate(start=self.world.clock.now - DAY)
            added = clients.add_certificate(self.office, client, pem, by=BY, rotation=rotation)
            self.shows[added.id] = lambda: shown(certificate=print_)
        else:
            issued = clients.add_bearer(self.office, client, by=BY, rotation=rotation)
            self.shows[issued.caller] = lambda: bearer(issued.key)

    def person(self):
        control, evidence, list_ = self.office.control, self.office.evidence, self.office.list_
        if self.plain and self.draw.random() < 0.5:
            issued = rotate_key(control, evidence, list_, self.draw.choice(self.plain), by="office")
        else:
            issued = issue_key(control, evidence, list_, department="RS", name="p", by="office")
        self.plain.append(issued.caller)
        self.shows[issued.caller] = lambda: bearer(issued.key)

    def end(self):
        what = self.draw.randrange(4)
        if what == 0:
            clients.end(self.office, self.draw.choice(self.systems), by=BY)
        elif what == 1:
            signed_only = self.draw.random() < 0.5
            clients.set_signed_only(self.office, self.draw.choice(self.systems), by=BY, signed_only=signed_only)
        elif what == 2 and self.plain:
            revoke_key(self.office.control, self.office.evidence, self.draw.choice(self.plain), by="office")
        elif self.shows:
            clients.revoke_credential(self.office, self.draw.choice(list(self.shows)), by=BY)

    def grant(self):
        held = [one.grant.id for one in grants.find(self.office, consumer="RS", ended=False)]
        if not held or self.draw.random() < 0.2:
            now = self.world.clock.now
            made = make_grant(self.office.list_, id=f"G-{len(held)}-{now:%d%H%M}", starts=now, expires=now + 9 * DAY)
            give(self.world.settings, self.office.control, self.office.evidence, made)
            return
        one = self.draw.choice(held)
        what = self.draw.choice(["suspend", "resume", "resume", "revoke", "hand_back", "shrink", "renew", "renew"])
        if what == "shrink":
            grants.shrink(self.office, one, Less(fields=("name",)), actor=WINDOW, reason="缩小")
        elif what == "renew":
            case = applications.renew(self.office, one, actor=WINDOW, reason="续期", term_days=20)
            applications.approve(self.office, case.id, actor=REVIEWER)
        else:
            grants.STEPS[what](self.office, one, actor=WINDOW if what == "hand_back" else REVIEWER, reason="核查")

    def list(self):
        office = self.office
        newer = make_list(batch=self.draw.randrange(1, 4))
        publish_list(self.world.settings, office.control, office.evidence, newer, by="SJ:office")


@pytest.fixture
def town(service, world, door, ask):
    town = Town(service, world, door, ask)
    town.system()
    return town


@pytest.mark.parametrize("seed", range(2))
def test_ordinary_operation_is_nothing_to_ask_about(seed, town, service, against):
    town.draw.seed(seed)
    for _ in range(50):
        town.step()
    assert town.answered > 30
    assert against(office=service.office) == []
    assert against() == []
    # What was so before the period is known as well.
    assert against(days=1, office=service.office) == []


def test_an_order_and_its_files_are_held_against_the_log(world):
    room = Room(world)
    try:
        room.grant()
        room.caller = room.batches.standing.now().caller(room.key())
        batch = room.made()
        room.batches.fetch(room.caller, batch.id, 1)
        stranger = KnownCaller("CAAAAAAAA", "RS", credential="CAAAAAAAA")
        room.order(caller=stranger)
        desk = Desk.here(world.settings, room.evidence, AUDITOR)
        found = look(desk, CALENDAR, Limits(), since=NOW - DAY, until=NOW + DAY)
        (one,) = [one for one in found if one.code in AGAINST_LOG]
        (entry,) = [Entry.decode(room.evidence.log.entry(index)) for index in one.entries]
        assert (one.code, entry.kind, entry.facts["caller"]) == ("unknown_credential", "batch.ordered", "CAAAAAAAA")
        assert room.entries("batch.fetched")
    finally:
        room.close()


class TestByHand:
    """What somebody writes into the control database past the hub."""

    def write(self, service, statement):
        with service.office.control.writing() as connection:
            connection.execute(statement)
            raise_generation(connection)

    def last(self, service):
        """The answer that was made last; behind it stand the looks."""
        log = service.evidence.log
        kinds = [Entry.decode(leaf).kind for leaf in log.entries(0, log.size)]
        return (len(kinds) - 1 - kinds[::-1].index("invocation.answered"),)

    @pytest.fixture
    def show(self, service, ask):
        client = register(service.office)
        issued = clients.add_bearer(service.office, client.id, by=BY)
        assert ask(bearer(issued.key))
        return issued

    def test_a_grant(self, service, ask, show, against):
        self.write(service, sa.update(GrantRow).values(id="G7"))
        assert ask(bearer(show.key))
        for options in ({"office": service.office}, {"office": service.office, "operators": False}, {}):
            (one,) = against(**options)
            assert (one.code, one.entries, dict(one.params)["grant"]) == ("unknown_grant", self.last(service), "G7")
            assert "never gave" in one.text("en")

    def test_a_grant_on_other_terms(self, service, ask, show, against):
        self.write(service, sa.update(GrantRow).values(masks=[]))
        assert ask(bearer(show.key))
        (one,) = against(office=service.office)
        assert (one.code, one.count) == ("unknown_grant", 1)
        assert "other terms" in one.text("en")
        # Masks stand in the bodies alone, which a copy of the log does not hold.
        assert against() == []

    def test_a_grant_that_gives_another_field(self, service, ask, show, against):
        fields = ["citizen_id", "name", "birth", "address", "married", "income", "household"]
        self.write(service, sa.update(GrantRow).values(fields=fields))
        assert ask(bearer(show.key))
        (one,) = against()
        assert "other fields" in one.text("en")

    def test_a_grant_that_was_revoked_and_lives_again(self, service, ask, show, against):
        grants.revoke(service.office, "G1", actor=REVIEWER, reason="停用")
        service.evidence.clock.now += timedelta(hours=1)
        assert not ask(bearer(show.key))
        self.write(service, sa.update(GrantRow).values(revoked_at=None, ended=""))
        assert ask(bearer(show.key))
        (one,) = against(office=service.office)
        assert (one.code, one.count) == ("unknown_grant", 1)

    def test_a_key_and_a_system(self, service, ask, show, against):
        self.write(service, sa.update(Caller).where(Caller.id == show.caller).values(id="C77777777"))
        assert ask(bearer(show.key))
        (one,) = against()
        assert "no such credential" in one.text("en")
        self.write(service, sa.update(ClientRow).values(caller="S99999999"))
        assert ask(bearer(show.key))
        assert len(against()) == 2

    def test_a_list(self, service, world, ask, show, against):
        list_ = make_list(batch=2)
        publish_list(world.settings, service.office.control, service.evidence, list_, by="SJ:office")
        world.clock.now += timedelta(hours=1)
        assert ask(bearer(show.key))
        assert against() == []
        old = ListVersion.version == world.list.version
        self.write(service, sa.update(ListVersion).where(~old).values(status="superseded"))
        self.write(service, sa.update(ListVersion).where(old).values(status="current"))
        assert ask(bearer(show.key))
        (one,) = against()
        assert (one.code, one.count, dict(one.params)["version"]) == ("unknown_list", 1, world.list.version)
