"""A small city whose log, lists, database and figures agree; each way in which one of them lies is found and named."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from html.parser import HTMLParser

import pytest

from audit.entry import Entry
from audit.log import Log
from licence.identifiers import mint
from licence.population.auditing import MAX_FINDINGS_PER_CODE, audit_population
from licence.population.model import Issuer, LicenceRow, Totals
from licence.population.page import to_html
from licence.status import StatusList, sign_status_list, token_digest
from licence.status.events import published_facts
from tests.licence import world as w

URI = "https://licences.city.example/status/{}"
SLOTS = 64
SECOND = timedelta(seconds=1)
COUNT = 100
ISSUERS = {w.AGRICULTURE: Issuer(frozenset({w.KIND.code}), ((w.STARTS, w.ENDS),), ((w.STARTS, w.ENDS),))}
TOTALS = Totals(COUNT, 2, 1, {w.KIND.code: COUNT})
FINAL = {3: ("02", "suspend"), 70: ("03", "revoke"), 71: ("07", "withdraw")}


def identifier(number, kind=w.KIND.code, issuer=w.AGRICULTURE):
    return str(mint(type_code=kind, issuer=issuer, serial=f"{number:08d}"))


def digest(number):
    return f"sha256:{number:064x}"


def issued(number, at=w.ISSUED, slot=None, name=None, kind=w.KIND.code):
    shard, idx = divmod(number if slot is None else slot, SLOTS)
    facts = {
        "licence": name or identifier(number),
        "credential": digest(number),
        "kind": kind,
        "status": {"uri": URI.format(shard + 1), "idx": idx},
    }
    return Entry("licence.issued", at, "agriculture", "", "R1", "", facts).encode()


def changed(number, state, action, at=w.AT):
    facts = {"licence": identifier(number), "action": action, "state": state}
    return Entry("licence.status", at, "agriculture", "", "R1", "", facts).encode()


def published(uri, token, at):
    facts = published_facts(uri, token_digest(token), version=1, previous="")
    return Entry("status.published", at, "hub", "", "", "", facts).encode()


def row(number, **changes):
    shard, idx = divmod(number, SLOTS)
    state = FINAL.get(number, ("01",))[0]
    base = {
        "identifier": identifier(number),
        "kind": w.KIND.code,
        "issuer": w.AGRICULTURE,
        "holder_hash": "",
        "state": state,
        "status_uri": URI.format(shard + 1),
        "status_index": idx,
        "credential_digest": digest(number),
        "log_index": number,
        "issued_at": w.ISSUED,
        "changed_at": w.AT - 5 * SECOND if number in FINAL else None,
    }
    return LicenceRow(**(base | changes))


def token(world, uri, states, at=w.AT + 30 * SECOND, key=None):
    statuses = StatusList.build(SLOTS, states)
    ends = at + timedelta(days=1)
    return sign_status_list(statuses, key=key or world.status_key, uri=uri, issued_at=at, expires_at=ends, ttl_s=60)


def make_tokens(world, **changes):
    return [token(world, URI.format(1), {3: 2}, **changes), token(world, URI.format(2), {6: 1, 7: 1}, **changes)]


class City:
    """What is handed to an auditor. `run` writes the log and audits."""

    def __init__(self, world, folder):
        self.world, self.folder = world, folder
        self.entries = [issued(n) for n in range(COUNT)]
        self.changes = [changed(n, *FINAL[n]) for n in FINAL]
        self.tokens = make_tokens(world)
        self.published = [published(URI.format(n), t, w.AT + 31 * SECOND) for n, t in enumerate(self.tokens, start=1)]
        self.rows = [row(n) for n in range(COUNT)]
        self.issuers, self.totals, self.late = ISSUERS, TOTALS, []

    def run(self, spoil=None, **options):
        with Log.create(self.folder / "log", "log.city.example", self.world.log_key) as log:
            log.append([*self.entries, *self.changes, *self.published, *self.late])
            log.publish()
        if spoil:
            spoil(self.folder / "log")
        arguments = {"rows": iter(self.rows), "tokens": iter(self.tokens), "at": w.AT + timedelta(hours=1)}
        arguments |= {"issuers": self.issuers, "totals": self.totals, "slots": SLOTS}
        return audit_population(self.folder / "log", self.world.trust, **(arguments | options))


@pytest.fixture
def city(world, tmp_path):
    return City(world, tmp_path)


def test_a_city_in_order(city):
    report = city.run()
    assert report.findings == ()
    assert (report.licences, report.lists, report.size, report.pending) == (COUNT, 2, COUNT + 5, 0)
    figures = {c.what: (c.database, c.log, c.lists, c.published) for c in report.counts}
    assert figures == {
        "issued": (100, 100, None, 100),
        "invalid": (2, 2, 2, 2),
        "suspended": (1, 1, 1, 1),
        w.KIND.code: (100, 100, None, 100),
    }
    assert report.origin == "log.city.example"


def test_rows_may_come_in_any_order_and_wait(city):
    city.rows = city.rows[::-1]
    city.rows[5] = replace(city.rows[5], state="pending")
    city.rows.append(row(COUNT + 7, state="pending"))
    report = city.run()
    assert (report.findings, report.pending) == ((), 2)


def other(city, **changes):
    def swap(number):
        city.rows[number] = replace(city.rows[number], **changes)

    return swap


SPOILS = {
    "row gone": (lambda c: c.rows.pop(9), {"population_entry_without_row", "population_counts_differ"}),
    "row of nothing": (
        lambda c: c.rows.append(row(500)),
        {"population_row_without_entry", "population_counts_differ"},
    ),
    "row twice": (lambda c: c.rows.append(row(4)), {"population_row_twice", "population_counts_differ"}),
    "credential": (lambda c: other(c, credential_digest=digest(9))(4), {"population_row_differs"}),
    "log index": (lambda c: other(c, log_index=None)(4), {"population_row_differs"}),
    "slot": (lambda c: other(c, status_index=5)(4), {"population_row_differs"}),
    "issuer": (lambda c: other(c, issuer=w.FORESTRY)(4), {"population_row_differs"}),
    "kind": (lambda c: other(c, kind="K")(4), {"population_row_differs", "population_counts_differ"}),
    "state": (lambda c: other(c, state="07")(70), {"population_row_differs"}),
    "no state": (lambda c: other(c, state="x")(70), {"population_row_differs", "population_counts_differ"}),
    "revoked in the database alone": (
        lambda c: other(c, state="03")(4),
        {"population_row_differs", "population_counts_differ"},
    ),
    "late change": (lambda c: other(c, changed_at=w.AT - timedelta(days=2))(70), {"population_late_change"}),
    "total": (lambda c: setattr(c, "totals", Totals(COUNT + 1, 2, 1)), {"population_counts_differ"}),
    "total of a kind": (lambda c: setattr(c, "totals", Totals(by_kind={"K": 1})), {"population_counts_differ"}),
    "no mandate": (
        lambda c: setattr(c, "issuers", {w.AGRICULTURE: replace(ISSUERS[w.AGRICULTURE], kinds=frozenset())}),
        {"population_outside_mandate"},
    ),
    "unknown issuer": (lambda c: setattr(c, "issuers", {}), {"population_outside_mandate"}),
    "certificate": (
        lambda c: setattr(
            c, "issuers", {w.AGRICULTURE: replace(ISSUERS[w.AGRICULTURE], certificates=((w.AT, w.ENDS),))}
        ),
        {"population_certificate_out_of_time"},
    ),
    "seal": (
        lambda c: setattr(c, "issuers", {w.AGRICULTURE: replace(ISSUERS[w.AGRICULTURE], seals=((w.AT, w.ENDS),))}),
        {"population_seal_out_of_time"},
    ),
    "issued twice": (lambda c: c.late.append(issued(4, slot=100)), {"projection_issued_twice"}),
    "slot shared": (
        lambda c: c.late.append(issued(101, slot=4)),
        {"projection_slot_shared"},
    ),
    "identifier": (
        lambda c: c.late.append(issued(101, name=identifier(101)[:-1] + "?")),
        {"population_identifier_differs", "population_entry_without_row", "population_counts_differ"},
    ),
    "identifier of another kind": (
        lambda c: c.late.append(issued(101, kind="K")),
        {"population_identifier_differs", "population_entry_without_row", "population_counts_differ"},
    ),
    "token missing": (lambda c: c.tokens.pop(), {"population_list_missing", "population_counts_differ"}),
    "token of a stranger": (
        lambda c: c.tokens.append(token(c.world, URI.format(1), {}, key=c.world.agriculture)),
        {"population_token_invalid"},
    ),
    "token not logged": (
        lambda c: c.tokens.append(token(c.world, URI.format(1), {})),
        {"population_token_not_logged"},
    ),
    "malformed entry": (
        lambda c: c.late.append(changed(4, "08", "revoke")),
        {"licence_entry_malformed"},
    ),
    "change never published": (
        lambda c: (c.late.append(changed(8, "03", "revoke", w.AT + 40 * SECOND)), other(c, state="03")(8)),
        {"population_late_publication", "population_counts_differ"},
    ),
}


@pytest.mark.parametrize("name", SPOILS)
def test_each_lie_is_named(city, name):
    spoil, expected = SPOILS[name]
    spoil(city)
    report = city.run()
    assert set(report.tally) == expected
    assert {f.code for f in report.findings} == expected


def test_a_list_that_says_other_than_the_log_is_named_entry_by_entry(city):
    city.tokens = [token(city.world, URI.format(1), {3: 2}), token(city.world, URI.format(2), {6: 1, 8: 1})]
    city.published = [published(URI.format(n), t, w.AT + SECOND) for n, t in enumerate(city.tokens, start=1)]
    report = city.run()
    found = [dict(f.params) for f in report.findings if f.code == "population_list_differs"]
    assert [(f["idx"], f["published"], f["logged"]) for f in found] == [("7", "0", "1"), ("8", "1", "0")]
    assert set(report.tally) == {"population_list_differs"}


def test_an_outdated_token_is_named(city):
    newer = token(city.world, URI.format(1), {3: 2}, at=w.AT + 50 * SECOND)
    city.late.append(published(URI.format(1), newer, w.AT + 51 * SECOND))
    assert set(city.run().tally) == {"population_token_not_newest"}


def test_publication_is_late_by_the_bound(city):
    assert city.run(publish_within=31 * SECOND).findings == ()
    city.folder = city.folder / "again"
    city.folder.mkdir()
    report = city.run(publish_within=30 * SECOND)
    assert set(report.tally) == {"population_late_publication"}


def test_a_change_may_wait_to_be_published_in_time(city):
    city.late.append(changed(8, "03", "revoke", w.AT + 40 * SECOND))
    city.rows[8] = row(8, state="03")
    city.totals = Totals()
    assert city.run(at=w.AT + 60 * SECOND).findings == ()


def test_two_revocations_at_once_are_one(city):
    city.changes.append(changed(70, "03", "revoke", w.AT + SECOND))
    assert city.run().findings == ()


@pytest.mark.parametrize("name", ["tile/entries/000.p/105", "checkpoint"])
def test_an_altered_log_is_told(city, name):
    def spoil(folder):
        path = folder / name
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(data)

    assert "population_log_fault" in city.run(spoil).tally


def test_a_missing_log_is_a_finding(city):
    report = city.run(lambda folder: folder.rename(folder.with_name("gone")))
    assert report.tally["population_log_fault"] >= 1
    assert report.tally["population_row_without_entry"] == COUNT


def test_findings_are_bounded_and_counted(city):
    city.rows += [row(n) for n in range(1000, 1000 + MAX_FINDINGS_PER_CODE + 5)]
    report = city.run()
    assert report.tally["population_row_without_entry"] == MAX_FINDINGS_PER_CODE + 5
    assert sum(f.code == "population_row_without_entry" for f in report.findings) == MAX_FINDINGS_PER_CODE
    assert "5 more are not listed." in to_html(report, "en")


def test_the_report_as_json(city):
    city.rows.pop()
    report = city.run()
    document = json.loads(report.to_json())
    assert document["format"] == "zhengtong-population-audit/1"
    assert document["tally"] == dict(report.tally)
    assert document["findings"][0]["text"]["zh"]
    assert document["log"] == {"origin": "log.city.example", "size": report.size, "root": report.root.hex()}
    assert isinstance(report.tally, Mapping)


class Balanced(HTMLParser):
    def __init__(self):
        super().__init__()
        self.open, self.links = [], []

    def handle_starttag(self, tag, attrs):
        if tag != "meta":
            self.open.append(tag)
        self.links += [value for name, value in attrs if name in {"src", "href"}]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@pytest.mark.parametrize(("lang", "said"), [("zh", "全部一致"), ("en", "Everything agrees")])
def test_the_page_stands_alone(city, lang, said):
    page = to_html(city.run(), lang)
    reader = Balanced()
    reader.feed(page)
    assert (reader.open, reader.links) == ([], [])
    assert said in page


def test_what_comes_from_outside_is_escaped(city):
    city.rows.append(row(4, identifier="<script>alert(1)</script>"))
    city.totals = Totals(by_kind={"<img src=x>": 1})
    report = city.run()
    for lang in ("zh", "en"):
        page = to_html(report, lang)
        assert "<script" not in page
        assert "<img" not in page
        assert "&lt;script&gt;" in page


def test_a_licence_bound_to_a_wallet_counts_once(city):
    facts = {
        "licence": identifier(0),
        "credential": digest(999),
        "kind": w.KIND.code,
        "status": {"uri": URI.format(1), "idx": 0},
    }
    city.late = [Entry("licence.bound", w.AT, "hub:wallets", "", "R1", "", facts).encode()]
    assert city.run().findings == ()


def test_a_licence_bound_by_who_has_no_mandate_is_found(city):
    facts = {"licence": identifier(0), "credential": digest(999), "kind": w.KIND.code}
    facts["status"] = {"uri": URI.format(1), "idx": 0}
    late = w.ENDS + timedelta(days=400)
    city.late = [Entry("licence.bound", late, "hub:wallets", "", "R1", "", facts).encode()]
    assert "population_certificate_out_of_time" in city.run(at=late).tally
