"""Keys that end soon and lists that nobody renewed are told of; first-made keys come on record."""

from __future__ import annotations

import contextlib

from audit.entry import Entry
from hub.authority import register
from hub.authority.changes import rotate
from hub.authority.made import record_made
from hub.authority.making import LEAF_DAYS
from hub.authority.revocations import renew_lists
from hub.authority.watching import CRL_ENDS, KEY_DUE, about_keys
from tests.hub.authority.conftest import again

BY = "DSJ:key-keeper"


def told(keys, clock, kind):
    return {key: words for key, found, _, words in about_keys(keys, clock()) if found == kind}


def test_a_key_is_told_of_sixty_days_before_its_end(keys, log, clock):
    assert told(keys, clock, KEY_DUE) == {}
    clock.pass_(days=LEAF_DAYS - 59)
    due = told(keys, clock, KEY_DUE)
    status = next(key for key in due if key.startswith("key_due:status@"))
    assert due[status]["name"] == "status"
    rotate(keys, log, "status", by=BY)
    assert status not in told(keys, clock, KEY_DUE)
    assert status in {key for key, *_ in about_keys(keys, clock())}


def test_a_list_that_is_not_renewed(keys, log, clock):
    renew_lists(keys, log)
    assert told(keys, clock, CRL_ENDS) == {}
    clock.pass_(days=6)
    late = told(keys, clock, CRL_ENDS)
    assert {words["name"] for words in late.values()} == {"issuing"}
    renew_lists(keys, log)
    assert told(keys, clock, CRL_ENDS) == {}


def made(log):
    entries = (Entry.decode(leaf) for leaf in log.log.entries(0, log.log.size))
    return [one.facts["key"] for one in entries if one.kind == "keys.made"]


def test_first_made_keys_are_on_record_once(keys, log):
    assert made(log) == []
    done = record_made(keys, log)
    assert sorted(done) == sorted(made(log)) == sorted(k.key_id for k in keys.kept())
    assert record_made(again(keys), log) == []
    keys.custodian(next(iter(keys._known)))
    renew_lists(keys, log)
    assert len(made(log)) == len(set(made(log))) == len(keys.kept()) > len(done)


def test_a_crash_between_entry_and_row_leaves_no_key_off_the_record(keys, log, monkeypatch):
    def killed(*_args, **_named):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(register, "update", killed)
        with contextlib.suppress(KeyboardInterrupt):
            record_made(keys, log)
    record_made(keys, log)
    assert {k.key_id for k in keys.kept()} == set(made(log))
