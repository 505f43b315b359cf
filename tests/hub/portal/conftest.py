from __future__ import annotations

import httpx
import pytest

from hub.api import create_app
from hub.people import Duty, People
from hub.portal import app as portal
from hub.service import Service
from tests.hub import world as worlds
from tests.hub.api.conftest import serving
from tests.hub.portal.browsing import OFFICE, PASSWORD, Browser


@pytest.fixture(scope="module")
def world(built, tmp_path_factory):
    """One world and one server for the module: its tests add to the log and take nothing away."""
    return worlds.copy(built, tmp_path_factory.mktemp("portal") / "world")


@pytest.fixture(scope="module")
def app(world):
    app = create_app(world.settings, open_service=lambda settings: Service.open(settings, clock=world.clock))
    portal.add_to(app, secure=False, rates=False)
    return app


@pytest.fixture(scope="module")
def url(app):
    with serving(app) as address:
        yield address


@pytest.fixture(scope="module")
def service(app, url):
    """The opened parts behind the server."""
    return app.state.service


@pytest.fixture(scope="module")
def people(service):
    return People(service.settings, service.control, service.evidence)


@pytest.fixture(scope="module")
def members(people, service):
    """A person of each duty, of the department that the world's grant is for, by duty; codes are not asked of them."""
    list_ = service.standing.now().list
    made = {}
    for duty in Duty:
        login = f"{duty.value}.one"
        people.add(
            list_,
            login=login,
            name=f"测试{duty.words[1]}",
            department="RS",
            post=f"{duty.value}-1",
            duties=[duty],
            by=OFFICE,
            password=PASSWORD,
        )
        people.set_password(login, PASSWORD, by=OFFICE, change=False)
        made[duty] = people.get(login)
    return made


@pytest.fixture
def browser(url):
    """Somebody who is not signed in."""
    with httpx.Client(base_url=url, trust_env=False) as client:
        yield Browser(client)


@pytest.fixture
def signed_in(url, members, app):
    """Sign somebody of a duty in: ``signed_in(Duty.STAFF)`` gives a browser."""
    clients = []

    def enter(duty, **headers):
        client = httpx.Client(base_url=url, trust_env=False, headers=headers)
        clients.append(client)
        # What the page of signing in does is tested by itself; here it would cost a tenth of a second each time.
        session = app.state.portal_sessions(members[duty].id)
        client.cookies.set("zhengtong", session.cookie)
        return Browser(client, session.token)

    yield enter
    for client in clients:
        client.close()


@pytest.fixture(scope="module", autouse=True)
def uncoded(app, people, members):
    """One-time codes are asked of nobody here, and sessions can be made without a password."""
    from hub.people import Sessions, sessions

    patch = pytest.MonkeyPatch()
    patch.setattr(sessions, "CODED", frozenset())
    app.state.portal_sessions = Sessions(people).enter
    yield
    patch.undo()


@pytest.fixture(scope="module")
def of_department(url, people, service, app):
    """Sign in a person of any department: ``of_department("GA", Duty.STAFF)``."""
    clients, known = [], {}

    def enter(department, duty, **headers):
        login = f"{duty.value}.{department.lower()}"
        if login not in known:
            list_ = service.standing.now().list
            people.add(
                list_,
                login=login,
                name="另一人",
                department=department,
                post=f"{duty.value}-9",
                duties=[duty],
                by=OFFICE,
                password=PASSWORD,
            )
            people.set_password(login, PASSWORD, by=OFFICE, change=False)
            known[login] = people.get(login).id
        client = httpx.Client(base_url=url, trust_env=False, headers=headers)
        clients.append(client)
        session = app.state.portal_sessions(known[login])
        client.cookies.set("zhengtong", session.cookie)
        return Browser(client, session.token)

    yield enter
    for client in clients:
        client.close()
