"""A copy that the hub hands out, judged by whoever has the file and the trust folder and nothing else."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

pytest.importorskip("typst", reason="needs the extra `documents`")

from hub.authority.keeping import sm2_signs
from hub.licensing.downloads import Order
from hub.licensing.papers import Form
from licence.report import Verdict
from licence.trust import TrustStore
from licence.verifying import judge
from licence.verifying.report import Section
from tests.hub.licensing import papers_city as c

ORDER = Order(matter=c.OTHER_MATTER, reason="核对救助申请", days=30)


@pytest.fixture(scope="module")
def handed(tmp_path_factory):
    if not sm2_signs():
        pytest.skip("this libcrypto signs no SM2")
    settings = c.found(tmp_path_factory.mktemp("copies_offline") / "var")
    office = c.open_office(settings)
    identifier = c.licences(office)[0]
    files = {form: office.downloads.download(identifier, form, ORDER, by=c.CONSUMER) for form in (Form.PDF, Form.OFD)}
    c.close(office.licensing)
    return settings, identifier, files


@pytest.mark.parametrize("form", [Form.PDF, Form.OFD])
def test_it_says_what_for_and_ends(handed, form):
    settings, identifier, files = handed
    given, trust = files[form], TrustStore.load(settings.trust)
    found = judge(given.data, trust, datetime.now(UTC))
    assert found.verdict is Verdict.PASSED, found.text("en")
    copy = found.facts["copy"]
    assert (copy["licence"], copy["number"], copy["purpose"]) == (identifier, given.copy, "核对救助申请")
    (part,) = [p for p in found.parts if p.section is Section.COPY]
    assert [n.code for n in part.steps[0].notes] == ["judge_copy_withdrawal", "judge_names_credential"]
    later = judge(given.data, trust, given.valid_until)
    assert (later.verdict, later.sub_indication, later.exit_code) == (Verdict.FAILED, "EXPIRED", 12)
    earlier = judge(given.data, trust, given.valid_until - timedelta(seconds=1))
    assert earlier.verdict is Verdict.PASSED, earlier.text("en")
