from __future__ import annotations

import ipaddress
import json

import pytest

from hub.webhooks.address import Fence
from hub.webhooks.hooks import Hooks
from hub.webhooks.post import Answered
from hub.webhooks.queue import Queue
from tests.hub.changes.conftest import town

__all__ = ["town"]

ROW = ("1", "张三", "10.00", "x")


class Receiver:
    """Takes calls as a department's system would, or as it should not; *says* is what it answers next."""

    def __init__(self):
        self.calls = []
        self.says = None

    def __call__(self, address, ip, headers, body, *, context, read):
        plain = json.loads(body)
        self.calls.append((address, ip, headers, body))
        if self.says is not None:
            if isinstance(self.says, Exception):
                raise self.says
            return self.says
        echo = json.dumps({"challenge": plain.get("challenge", "")}).encode()
        return Answered(204 if plain["type"] == "changes" else 200, body=echo if read else b"")


@pytest.fixture
def receiver():
    return Receiver()


@pytest.fixture
def hooks(town):
    fence = Fence((ipaddress.ip_network("10.0.0.0/8"),), resolver=lambda host, port: ["10.1.2.3"])
    return Hooks(town.control, town.evidence, town.feed, fence)


@pytest.fixture
def queue(hooks, town, receiver):
    return Queue(hooks, town.signer, context=None, send_to=receiver, jitter=lambda: 0.5)
