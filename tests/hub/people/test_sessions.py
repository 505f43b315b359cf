"""Signing in: passwords, one-time codes, waiting, and how sessions end."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
import sqlalchemy as sa

from hub.control import PersonRow, SessionRow
from hub.people import Duty, passwords
from hub.people import sessions as module
from hub.people.errors import CodeRefusedError, PersonInvalidError, SignInRefusedError, SignInWaitsError
from tests.hub.people.helping import BY, PASSWORD, code_of
from tests.hub.world import NOW

STEP = timedelta(seconds=30)


@pytest.mark.parametrize(
    "password",
    ["elevenchars", "x" * 129, "aaaaaaaaaaaaaaaa", "121212121212", "my zhang.san is it", "ZHANG.SAN123456"],
)
def test_a_password_that_is_not_good_enough(password):
    with pytest.raises(PersonInvalidError) as error:
        passwords.check(password, login="zhang.san")
    assert error.value.params["where"] == "password"
    assert password not in error.value.text("en") + error.value.text("zh")


def test_a_password_is_the_same_however_a_keyboard_composed_it():
    composed, taken_apart = "caf\u00e9 correct horse", "cafe\u0301 correct horse"
    kept = passwords.hashed(passwords.check(taken_apart))
    assert passwords.fits(kept, composed)
    assert not passwords.fits(kept, "cafe correct horse")


def test_a_password_that_is_drawn_is_good_enough_and_another_each_time():
    drawn = {passwords.draw() for _ in range(50)}
    assert len(drawn) == 50
    assert all(passwords.check(one) == one for one in drawn)


def test_a_password_is_kept_as_argon2id_of_rfc_9106(people, control):
    kept = passwords.hashed(passwords.check(PASSWORD))
    assert kept.startswith("$argon2id$v=19$m=65536,t=3,p=1$")
    assert kept != passwords.hashed(PASSWORD)
    assert not passwords.fits("", "nobody's password")
    assert not passwords.fits("no hash", PASSWORD)


def test_nothing_that_opens_anything_is_kept_readable(people, sessions, control, add):
    made = add()
    people.new_code(made.id, by=BY)
    session = sessions.begin("zhang.san", PASSWORD)
    with control.reading() as connection:
        kept = f"{connection.execute(sa.select(PersonRow.__table__)).all()}"
        cookies = f"{connection.execute(sa.select(SessionRow.digest)).all()}"
    assert PASSWORD not in kept
    assert session.cookie not in cookies
    with control.reading() as connection:
        secret = connection.execute(sa.select(PersonRow.code_secret)).scalar_one()
    assert secret
    assert code_secret(people, made, secret) not in secret.encode()


def code_secret(people, person, sealed):
    return people.sealing.open(person.id, sealed)


def test_signing_in_and_out(sessions, add, entries):
    made = add()
    session = sessions.begin(" Zhang.San ", PASSWORD)
    assert (session.person.id, session.proved) == (made.id, True)
    found = sessions.find(session.cookie)
    assert (found.person, found.token, found.cookie) == (session.person, session.token, "")
    assert sessions.find(session.token) is None
    sessions.end(session.cookie)
    assert sessions.find(session.cookie) is None
    assert [one.kind for one in entries()][-1] == "person.signed_in"


def test_unknown_disabled_and_wrong_are_answered_alike(people, sessions, add, monkeypatch):
    add()
    gone = add("li.si")
    people.disable(gone.id, by=BY, reason="离职")
    hashed = []
    fits = passwords.fits
    monkeypatch.setattr(passwords, "fits", lambda kept, text: hashed.append(bool(kept)) or fits(kept, text))
    for login in ("zhang.san", "li.si", "nobody"):
        answers = []
        for _ in range(module.FREE_TRIES + 1):
            with pytest.raises((SignInRefusedError, SignInWaitsError)) as error:
                sessions.begin(login, "wrong password of mine")
            answers.append((type(error.value), error.value.text("zh")))
        assert [kind for kind, _ in answers] == [SignInRefusedError] * module.FREE_TRIES + [SignInWaitsError]
        assert answers[-1][1] == SignInWaitsError(seconds=module.FIRST_WAIT_S + 1).text("zh")
    # Each took the time of a hash, whether there was one to compare with or not.
    assert len(hashed) == 3 * module.FREE_TRIES


def test_strangers_are_remembered_within_bounds(sessions, cheap, monkeypatch):
    monkeypatch.setattr(module, "MAX_STRANGERS", 3)
    for number in range(5):
        with pytest.raises(SignInRefusedError):
            sessions.begin(f"nobody{number}", PASSWORD)
    assert list(sessions._strangers._tries) == ["nobody2", "nobody3", "nobody4"]


def test_after_wrong_tries_even_the_right_password_waits_longer_each_time(sessions, add, clock, entries):
    add()
    for _ in range(module.FREE_TRIES):
        with pytest.raises(SignInRefusedError):
            sessions.begin("zhang.san", "wrong password of mine")
    waits = []
    for _ in range(module.DOUBLINGS + 2):
        with pytest.raises(SignInWaitsError) as error:
            sessions.begin("zhang.san", PASSWORD)
        waits.append(error.value.params["seconds"] - 1)
        clock.now += timedelta(seconds=waits[-1])
        with pytest.raises(SignInRefusedError):
            sessions.begin("zhang.san", "wrong password of mine")
    assert waits[:3] == [30, 60, 120]
    assert waits[-1] == waits[-2] == module.FIRST_WAIT_S * 2**module.DOUBLINGS
    refused = [one for one in entries() if one.kind == "person.refused"]
    assert (refused[0].facts["failures"], len(refused)) == (module.FREE_TRIES, len(waits) + 1)
    clock.now += timedelta(seconds=waits[-1])
    assert sessions.begin("zhang.san", PASSWORD).proved
    # Who signed in begins anew.
    with pytest.raises(SignInRefusedError):
        sessions.begin("zhang.san", "wrong password of mine")
    assert sessions.begin("zhang.san", PASSWORD).proved


def test_wrong_tries_at_once_are_all_counted(sessions, add, control):
    made = add()

    def wrong(_):
        with pytest.raises((SignInRefusedError, SignInWaitsError)):
            sessions.check_password(made, "wrong password of mine")

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(wrong, range(4)))
    with control.reading() as connection:
        assert connection.execute(sa.select(PersonRow.failures)).scalar_one() == 4


# --- one-time codes -------------------------------------------------------------------------------------------------


@pytest.fixture
def coded(people, sessions, add, clock):
    """Somebody with one-time codes, and the address of the authenticator."""
    made = add()
    address = people.new_code(made.id, by=BY)
    sessions.confirm_code(made, code_of(address, clock.now))
    clock.now += STEP
    return people.get(made.id), address


def test_a_code_is_asked_for_once_it_was_confirmed(people, sessions, add, clock):
    made = add()
    address = people.new_code(made.id, by=BY)
    assert sessions.begin("zhang.san", PASSWORD).proved
    with pytest.raises(CodeRefusedError):
        sessions.confirm_code(made, "000000")
    sessions.confirm_code(made, code_of(address, clock.now))
    assert people.get(made.id).coded
    assert not sessions.begin("zhang.san", PASSWORD).proved


def test_proving_makes_another_cookie_and_the_one_before_opens_nothing(sessions, coded, clock, entries):
    _, address = coded
    first = sessions.begin("zhang.san", PASSWORD)
    assert not sessions.find(first.cookie).proved
    assert [one.kind for one in entries()].count("person.signed_in") == 0
    proved = sessions.prove(sessions.find(first.cookie), code_of(address, clock.now))
    assert proved.proved
    assert proved.cookie != first.cookie
    assert proved.token != first.token
    assert sessions.find(first.cookie) is None
    assert sessions.find(proved.cookie).proved
    assert [one.kind for one in entries()].count("person.signed_in") == 1


def test_a_code_is_taken_once(sessions, coded, clock):
    _, address = coded
    code = code_of(address, clock.now)
    sessions.prove(sessions.begin("zhang.san", PASSWORD), code)
    again = sessions.begin("zhang.san", PASSWORD)
    for used in (code, code_of(address, clock.now, -1), "12345", "\ud800"):
        with pytest.raises(CodeRefusedError):
            sessions.prove(again, used)


def test_of_two_who_show_a_code_at_once_one_gets_in(sessions, coded, clock):
    _, address = coded
    code = code_of(address, clock.now)
    both = [sessions.begin("zhang.san", PASSWORD) for _ in range(2)]

    def prove(session):
        try:
            return sessions.prove(session, code)
        except CodeRefusedError:
            return None

    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(prove, both))
    assert sum(one is not None for one in found) == 1


def test_wrong_codes_wait_as_wrong_passwords_do_and_a_right_password_does_not_forgive_them(sessions, coded, clock):
    _, address = coded
    for _ in range(module.FREE_TRIES):
        session = sessions.begin("zhang.san", PASSWORD)
        with pytest.raises(CodeRefusedError):
            sessions.prove(session, "000000")
    with pytest.raises(SignInWaitsError):
        sessions.begin("zhang.san", PASSWORD)
    with pytest.raises(SignInWaitsError):
        sessions.prove(session, code_of(address, clock.now))


def test_codes_of_a_lost_telephone_end_and_sessions_with_them(people, sessions, coded, clock):
    person, address = coded
    cookie = sessions.prove(sessions.begin("zhang.san", PASSWORD), code_of(address, clock.now)).cookie
    people.end_codes(person.id, by=BY)
    assert sessions.find(cookie) is None
    assert not people.get(person.id).coded
    clock.now += STEP
    with pytest.raises(CodeRefusedError):
        sessions.confirm_code(person, code_of(address, clock.now))


def test_a_new_secret_ends_the_codes_of_the_old_one(people, sessions, coded, clock):
    person, address = coded
    other = people.new_code(person.id, by=BY)
    with pytest.raises(CodeRefusedError):
        sessions.confirm_code(person, code_of(address, clock.now))
    sessions.confirm_code(person, code_of(other, clock.now))


@pytest.mark.parametrize(
    ("duty", "needs"), [(Duty.STAFF, False), (Duty.ADMINISTRATOR, True), (Duty.OFFICE, True), (Duty.AUDITOR, True)]
)
def test_who_changes_what_others_rely_on_needs_codes(sessions, add, duty, needs):
    assert sessions.needs_code(add("zhang.san", duty)) == needs


def test_who_is_lent_such_a_duty_needs_codes_too(people, sessions, add):
    giver, taker = add("zhang.san", Duty.OFFICE), add("li.si", Duty.STAFF)
    people.hand_over(giver, "li.si", [Duty.OFFICE], starts=NOW, ends=NOW + timedelta(days=1), reason="休假")
    assert sessions.needs_code(people.get(taker.id))


# --- how sessions end -----------------------------------------------------------------------------------------------


def test_a_session_ends_when_nothing_is_asked_for_a_while(sessions, add, clock):
    add()
    cookie = sessions.begin("zhang.san", PASSWORD).cookie
    for _ in range(3):
        clock.now += module.IDLE
        assert sessions.find(cookie) is not None
    clock.now += module.IDLE + timedelta(seconds=1)
    assert sessions.find(cookie) is None


def test_a_session_ends_after_a_working_day_however_busy(sessions, add, clock):
    add()
    cookie = sessions.begin("zhang.san", PASSWORD).cookie
    while clock.now < NOW + module.LONGEST:
        clock.now += timedelta(minutes=20)
        assert sessions.find(cookie) is not None
    clock.now = NOW + module.LONGEST + timedelta(seconds=1)
    assert sessions.find(cookie) is None


def test_sessions_that_ended_are_forgotten_when_others_begin(sessions, add, clock, control):
    add()
    sessions.begin("zhang.san", PASSWORD)
    clock.now += module.IDLE
    still = sessions.begin("zhang.san", PASSWORD).cookie
    clock.now += timedelta(seconds=1)
    cookie = sessions.begin("zhang.san", PASSWORD).cookie
    with control.reading() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(SessionRow)).scalar_one() == 2
    assert sessions.find(still) is not None
    assert sessions.find(cookie) is not None


@pytest.mark.parametrize("cookie", ["", "x", "\ud800", "0" * 64])
def test_a_cookie_of_ones_own_making_opens_nothing(sessions, add, cookie):
    add()
    sessions.begin("zhang.san", PASSWORD)
    assert sessions.find(cookie) is None
