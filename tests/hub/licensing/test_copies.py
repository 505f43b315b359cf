"""Who may have a licence shown; copies that ended or were withdrawn; codes that one reader redeems once."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

pytest.importorskip("typst", reason="needs the extra `documents`")

from audit.entry import Entry
from catalog.model import Mask
from hub.actors import Role
from hub.authority.keeping import sm2_signs
from hub.errors import DeniedError, InvalidRequestError
from hub.licensing import queries
from hub.licensing.codes import ControlOnce
from hub.licensing.copies import who_may
from hub.licensing.document_errors import (
    CodeNotYoursError,
    CopyEndedError,
    CopyUnknownError,
    CopyWidensError,
    DocumentRefusedError,
    NotInForceError,
)
from hub.licensing.downloads import Order
from hub.licensing.papers import Form
from licence.bundle import LicenceBundle
from licence.lifecycle import Action
from licence.trust import TrustStore
from licence.verifying import judge
from tests.hub.licensing import papers_city as c
from tests.hub.world import IDS

ORDER = Order(c.MATTER, "办理住房公积金提取", 30)
RELIEF = Order(c.OTHER_MATTER, "核对救助申请", 30)


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    if not sm2_signs():
        pytest.skip("this libcrypto signs no SM2")
    return c.found(tmp_path_factory.mktemp("copies") / "var")


@pytest.fixture
def office(settings):
    office = c.open_office(settings)
    yield office
    c.close(office.licensing)


@pytest.fixture
def identifier(office):
    return c.licences(office)[0]


@pytest.fixture
def later(office, monkeypatch):
    """Let time pass, for the hub."""
    real = office.licensing.evidence.clock

    def pass_(span):
        monkeypatch.setattr(office.licensing.evidence, "clock", lambda: real() + span)

    return pass_


def logged(office, since, kind):
    log = office.licensing.evidence.log
    return [e for e in map(Entry.decode, log.entries(since, log.size)) if e.kind == kind]


class TestWhoMay:
    @pytest.fixture
    def ask(self, office):
        view, kind = office.licensing.standing.now(), office.licensing.kinds[c.CODES[0]]
        at = office.licensing.evidence.clock()
        return lambda department, matter, view=view, **how: who_may(view, kind, department, matter, at, **how)

    def test_the_issuing_department_may_for_any_matter(self, ask):
        assert ask("RS", "whatever", whole=True).determined == ("issuer:RS",)

    def test_another_needs_a_grant_for_the_matter(self, ask):
        assert "grant:G2" in ask("MZ", c.OTHER_MATTER, whole=True).determined
        for department, matter in (("MZ", c.MATTER), ("MZ", "nothing"), ("GA", c.OTHER_MATTER), ("none", c.MATTER)):
            with pytest.raises(DeniedError):
                ask(department, matter)

    @pytest.mark.parametrize("how", ["masked", "not granted", "some rows"])
    def test_a_document_is_not_for_who_may_see_less_than_all_of_it(self, office, ask, how):
        view = office.licensing.standing.now()

        class Less:
            def decide(self, request, on):
                found = view.decide(request, on)
                masks = dict(found.masks)
                if how == "masked":
                    masks["name"] = Mask.SURNAME
                elif how == "not granted":
                    del masks["name"]
                else:
                    scope = type("Scope", (), {"rows": ("x",), "masks": (("name", Mask.NONE),)})()
                    return replace(found, scopes=(scope,))
                return replace(found, masks=tuple(masks.items()), fields=tuple(masks))

        assert ask("MZ", c.OTHER_MATTER, Less()).fields == ("citizen_id", "address", "birth")
        with pytest.raises(CopyWidensError) as caught:
            ask("MZ", c.OTHER_MATTER, Less(), whole=True)
        assert caught.value.params["fields"] == "name"

    def test_a_no_is_on_record_and_nothing_is_handed_out(self, office, identifier):
        size = office.licensing.evidence.log.size
        for actor, order in (
            (c.STRANGER, ORDER),
            (c.CONSUMER, ORDER),
            (c.STRANGER, Order("11010519491231002X", "x", 1)),
        ):
            for form in (Form.PDF, Form.BUNDLE):
                with pytest.raises(DeniedError):
                    office.downloads.download(identifier, form, order, by=actor)
        denied = logged(office, size, "licence.denied")
        assert len(denied) == 6
        assert all(e.facts["licence"] == identifier and e.facts["reasons"] for e in denied)
        assert "11010519491231002X" not in str([e.plain() for e in denied])
        assert office.downloads.copies.find(department="GA") == []


class TestDownloads:
    @pytest.mark.parametrize(
        ("reason", "matter", "days"),
        [("", "SX001", 1), (" ", "SX001", 1), ("x", "", 1), ("x", "S", 0), ("x", "S", 181), ("x" * 101, "S", 1)],
    )
    def test_reason_matter_and_term_are_wanted(self, reason, matter, days):
        with pytest.raises(InvalidRequestError):
            Order(matter, reason, days)

    @pytest.mark.parametrize("form", list(Form))
    def test_each_form_is_handed_out_and_on_record(self, office, identifier, form):
        size = office.licensing.evidence.log.size
        out = office.downloads.download(identifier, form, RELIEF, by=c.CONSUMER)
        (entry,) = logged(office, size, "licence.downloaded")
        row = office.downloads.copies.get(out.copy)
        assert (row["department"], row["reason"], row["log_index"]) == ("MZ", RELIEF.reason, out.log_index)
        assert entry.facts["copy"] == out.copy
        assert entry.purpose == RELIEF.matter
        told = str(entry.plain())
        assert not any(text in told for text in (IDS[0], "张三", RELIEF.reason))

    def test_a_copy_does_not_outlive_its_licence(self, office, identifier, later):
        later(timedelta(days=360))
        out = office.downloads.download(identifier, Form.QR, ORDER, by=c.ISSUER)
        assert out.valid_until - office.licensing.evidence.clock() > timedelta(days=20)
        # The seal's own term has ended by then; a page would have to bear it.

    def test_only_its_own_departments_see_a_copy_again(self, office, identifier):
        out = office.downloads.download(identifier, Form.OFD, RELIEF, by=c.CONSUMER)
        assert (
            office.downloads.again(out.copy, by=c.CONSUMER) == office.downloads.again(out.copy, by=c.ISSUER) == out.data
        )
        with pytest.raises(CopyUnknownError):
            office.downloads.again(out.copy, by=c.STRANGER)

    @pytest.mark.parametrize("form", [Form.PDF, Form.OFD])
    def test_the_verifier_says_that_a_copy_ended_or_was_withdrawn(self, office, identifier, later, form):
        out = office.downloads.download(identifier, form, ORDER, by=c.ISSUER)
        assert queries.checked(office.downloads, out.data)["copy"]["state"] == "valid"
        later(timedelta(days=31))
        assert queries.checked(office.downloads, out.data)["copy"]["state"] == "expired"
        later(timedelta())
        size = office.licensing.evidence.log.size
        office.downloads.copies.withdraw(out.copy, by="RS:window-1", reason="事项已办结")
        assert queries.checked(office.downloads, out.data)["copy"]["state"] == "withdrawn"
        (entry,) = logged(office, size, "licence.withdrawn")
        assert entry.facts == {"copy": out.copy, "licence": identifier}
        with pytest.raises(CopyEndedError):
            office.downloads.copies.withdraw(out.copy, by="RS:window-1", reason="again")
        with pytest.raises(CopyUnknownError):
            office.downloads.copies.withdraw("KNONE", by="RS:window-1", reason="x")

    def test_a_status_list_that_is_there_as_a_cwt_alone_is_judged_by(self, office, identifier, later, monkeypatch):
        settings, told = office.licensing.settings, []
        judged = queries.judge
        monkeypatch.setattr(
            queries, "judge", lambda *given, **more: told.append(more["status_tokens"]) or judged(*given, **more)
        )
        data = office.licensing.bundle(identifier).to_json().encode()
        later(timedelta(seconds=2))
        whole = queries.checked(office.downloads, data)
        (path,) = settings.status.glob("*.jwt")
        kept = path.read_bytes()
        path.unlink()
        try:
            assert queries.checked(office.downloads, data)["verdict"] == whole["verdict"] == "TOTAL-PASSED"
        finally:
            path.write_bytes(kept)
        assert told == [[kept.decode()], [path.with_suffix(".cwt").read_bytes()]]

    def test_an_altered_copy_is_believed_nothing(self, office, identifier):
        out = office.downloads.download(identifier, Form.PDF, ORDER, by=c.ISSUER)
        at = out.data.index(b"/Keywords")
        broken = out.data[: at + 14] + bytes([out.data[at + 14] ^ 1]) + out.data[at + 15 :]
        found = queries.checked(office.downloads, broken)
        assert (found["verdict"], found["copy"]) == ("TOTAL-FAILED", None)

    def test_of_a_licence_that_does_not_hold_there_is_the_bundle_alone(self, office):
        identifier = c.licences(office)[3]
        office.licensing.change(
            identifier, Action.SUSPEND, by="RS", reason="核查", ground="《条例》第五条", officer="head"
        )
        for form in Form:
            if form is Form.BUNDLE:
                assert b"licence-bundle" in office.downloads.download(identifier, form, ORDER, by=c.ISSUER).data
            else:
                with pytest.raises(NotInForceError):
                    office.downloads.download(identifier, form, ORDER, by=c.ISSUER)
        with pytest.raises(NotInForceError):
            office.codes.mint(identifier, by=c.ISSUER)

    def test_the_whole_bundle_holds_both_documents_as_copies_of_one_number(self, office, identifier):
        out = office.downloads.download(identifier, Form.WHOLE, ORDER, by=c.ISSUER)
        bundle = LicenceBundle.from_json(out.data)
        assert set(bundle.documents) == {"pdf", "ofd"}
        settings = office.licensing.settings
        at = datetime.now(UTC) + timedelta(seconds=2)
        assert judge(out.data, TrustStore.load(settings.trust), at).exit_code == 0
        for data in bundle.documents.values():
            assert queries.checked(office.downloads, data)["copy"]["copy"] == out.copy


class TestFinding:
    def test_licences_of_a_holder_are_found_and_that_is_on_record(self, office, identifier):
        size = office.licensing.evidence.log.size
        found = queries.licences_of(office.licensing, IDS[0], c.OTHER_MATTER, by=c.CONSUMER)
        assert [row["identifier"] for row in found.rows] == [identifier]
        assert len(queries.licences_of(office.licensing, IDS[1], c.OTHER_MATTER, by=c.CONSUMER).rows) == 4
        assert not {"holder_hash", "owner_hash"} & found.rows[0].keys()
        first, _ = logged(office, size, "licence.found")
        assert IDS[0] not in str(first.plain())
        assert first.facts["licences"] == [identifier]

    def test_without_a_grant_nothing_is_found(self, office):
        size = office.licensing.evidence.log.size
        with pytest.raises(DeniedError):
            queries.licences_of(office.licensing, IDS[0], c.MATTER, by=c.STRANGER)
        assert len(logged(office, size, "licence.denied")) == 1


class TestCodes:
    def test_a_reader_sees_the_state_and_what_its_grant_opens_once(self, office, identifier):
        size = office.licensing.evidence.log.size
        code = office.codes.mint(identifier, by=c.STRANGER, roles=(Role.PERSON,), holder=IDS[0])
        shown = office.codes.redeem(code.text, matter=c.OTHER_MATTER, by=c.CONSUMER)
        assert (shown.identifier, shown.state.zh) == (identifier, "有效")
        assert {name: value for name, _, value in shown.face}["KZ_XM"] == "张三"
        with pytest.raises(DocumentRefusedError) as caught:
            office.codes.redeem(code.text, matter=c.OTHER_MATTER, by=c.CONSUMER)
        assert caught.value.finding == "once_spent"
        (entry,) = logged(office, size, "licence.redeemed")
        assert entry.facts["fields"] == ["KZ_XM", "KZ_ZZ", "KZ_CSRQ"]
        assert "张三" not in str(entry.plain())

    def test_only_the_holder_and_the_issuer_have_one_made(self, office, identifier):
        office.codes.mint(identifier, by=c.ISSUER)
        for how in (
            {"by": c.STRANGER},
            {"by": c.STRANGER, "holder": IDS[0]},
            {"by": c.STRANGER, "roles": (Role.PERSON,)},
            {"by": c.STRANGER, "roles": (Role.PERSON,), "holder": IDS[1]},
        ):
            with pytest.raises(CodeNotYoursError):
                office.codes.mint(identifier, **how)

    def test_a_code_ends_after_a_minute(self, office, identifier, later):
        code = office.codes.mint(identifier, by=c.ISSUER)
        later(timedelta(seconds=61))
        with pytest.raises(DocumentRefusedError) as caught:
            office.codes.redeem(code.text, matter=c.OTHER_MATTER, by=c.CONSUMER)
        assert caught.value.finding == "once_expired"

    def test_who_may_see_nothing_burns_it(self, office, identifier):
        code = office.codes.mint(identifier, by=c.ISSUER)
        with pytest.raises(DeniedError):
            office.codes.redeem(code.text, matter=c.MATTER, by=c.STRANGER)
        with pytest.raises(DocumentRefusedError):
            office.codes.redeem(code.text, matter=c.OTHER_MATTER, by=c.CONSUMER)

    def test_of_two_processes_one_redeems(self, office, settings, identifier):
        texts = [office.codes.mint(identifier, by=c.ISSUER).text for _ in range(8)]
        script = (
            "import sys;from pathlib import Path;from hub.settings import Settings;from datetime import UTC,datetime;"
            "from hub.control import Control;from hub.keyring import Keyring;from hub.licensing.codes import *;"
            "from licence.errors import FormatError;s=Settings.at(Path(sys.argv[1]));st=ControlOnce(Control.open(s));"
            "k=Keyring(s.keys).secret(KEY_NAME);print('ready',flush=True);sys.stdin.readline()\n"
            "for t in sys.argv[2:]:\n"
            "  try: once.redeem(st,[k],t,now=datetime.now(UTC)); print('got')\n"
            "  except FormatError as e: print(e.code)\n"
        )
        command = [sys.executable, "-c", script, str(settings.home), *texts]
        both = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(2)]
        for one in both:
            assert one.stdout.readline() == "ready\n"
        for one in both:
            one.stdin.write("go\n")
            one.stdin.flush()
        said = [one.communicate(timeout=60)[0].split() for one in both]
        assert [sorted(pair) for pair in zip(*said, strict=True)] == [["got", "once_spent"]] * 8

    def test_the_store_keeps_its_promises(self, office, identifier):
        store, now = ControlOnce(office.licensing.control), office.licensing.evidence.clock()
        from licence.qr.once import Held

        held = Held(identifier, now, now + timedelta(seconds=60))
        assert store.put(b"\7" * 32, held)
        assert not store.put(b"\7" * 32, replace(held, licence="other"))
        assert store.spend(b"\7" * 32, now).spent_at is None
        assert store.spend(b"\7" * 32, now).spent_at == now
        assert store.spend(b"\6" * 32, now) is None
        assert store.forget(now + timedelta(seconds=61)) >= 1
        assert store.spend(b"\7" * 32, now) is None
