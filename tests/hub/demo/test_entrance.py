"""The people of the demonstration: of each duty one, registered once, with a password that opens."""

from __future__ import annotations

from catalog.load import load
from hub.demo.entrance import PASSWORD_FILE, PEOPLE, give_people
from hub.demo.story import DATA
from hub.office import Office
from hub.people import Duty, People, Sessions


def test_people_of_every_duty_may_sign_in_with_the_password_that_is_told(world):
    list_ = load(DATA / "responsibilities.xlsx")
    with Office.open(world.settings) as office:
        entrance = give_people(office, list_)
        again = give_people(office, list_)
        assert [one.id for one in again.people] == [one.id for one in entrance.people]
        assert again.password == entrance.password == (world.settings.home / PASSWORD_FILE).read_text()
        people = People(office.settings, office.control, office.evidence)
        session = Sessions(people).begin("wang", entrance.password)
    assert {duty for one in entrance.people for duty in one.duties} == set(Duty)
    assert (session.proved, session.person.must_change, len(entrance.people)) == (True, False, len(PEOPLE))
    assert (world.settings.home / PASSWORD_FILE).stat().st_mode & 0o077 == 0
