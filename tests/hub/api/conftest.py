from __future__ import annotations

import threading
from contextlib import contextmanager

import httpx
import pytest
import uvicorn

from hub.api import create_app
from hub.api.serving import Protocol
from hub.service import Service
from tests.hub import world as worlds


class _Server(uvicorn.Server):
    def __init__(self, app):
        super().__init__(
            uvicorn.Config(
                app, proxy_headers=False, host="127.0.0.1", port=0, log_level="critical", ws="none", http=Protocol
            )
        )
        self.ready = threading.Event()

    async def startup(self, sockets=None):
        await super().startup(sockets)
        self.ready.set()


@contextmanager
def serving(app):
    """A real server on a free loopback port; gives its address."""
    server = _Server(app)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        assert server.ready.wait(30)
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()


@pytest.fixture(scope="module")
def world(built, tmp_path_factory):
    """One world and one server for the module: its tests add to the log and take nothing away."""
    return worlds.copy(built, tmp_path_factory.mktemp("api") / "world")


@pytest.fixture(scope="module")
def app(world):
    return create_app(world.settings, open_service=lambda settings: Service.open(settings, clock=world.clock))


@pytest.fixture(scope="module")
def url(app):
    with serving(app) as address:
        yield address


@pytest.fixture(scope="module")
def http(app, url):
    with httpx.Client(base_url=url, trust_env=False) as client:
        client.app = app
        yield client
