from __future__ import annotations

from datetime import timedelta
from itertools import count

import httpx
import pytest

from audit.keys import WitnessSignerKey
from audit.policy import Quorum
from audit.policy import Witness as Known
from audit.witness import Witness
from hub.control import Control
from hub.evidence import Evidence
from hub.witnesses.asking import Asker, Policy
from tests.hub.world import Clock

SILENT = timedelta(minutes=30)


def known(number):
    return Known(f"W{number}", signer(number).verifier, f"https://w{number}.example")


def signer(number):
    return WitnessSignerKey(f"w{number}.example", bytes([number]) * 32)


def policy(number, least):
    members = tuple(known(n) for n in range(1, number + 1))
    return Policy((), members, Quorum(least, tuple(one.key for one in members)))


class Net(httpx.BaseTransport):
    """Real witnesses behind no network; *down* ones are not reached, others answer as they are told to."""

    def __init__(self, folder, logs, clock):
        self.witnesses = {f"w{n}.example": Witness(folder / f"w{n}", signer(n), logs, clock) for n in (1, 2, 3)}
        self.down = set()
        self.instead = {}
        self.asked = []

    def handle_request(self, request):
        host = request.url.host
        self.asked.append(host)
        if host in self.down:
            raise httpx.ConnectError("down")
        if host in self.instead:
            return self.instead[host](request)
        assert (request.method, request.url.path) == ("POST", "/add-checkpoint")
        answer = self.witnesses[host].add_checkpoint(request.read())
        return httpx.Response(answer.status, text=answer.body, headers={"content-type": answer.media_type})


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def control(settings):
    control = Control.open(settings)
    yield control
    control.close()


@pytest.fixture
def evidence(settings, clock):
    evidence = Evidence.open(settings, clock=clock)
    yield evidence
    evidence.log.close()


@pytest.fixture
def net(tmp_path, evidence, clock):
    keys = [evidence.verifier, evidence.second]
    return Net(tmp_path / "witnesses", {evidence.origin: keys}, clock)


@pytest.fixture
def append(evidence):
    """Appends so many entries and publishes them; gives the size."""

    made = count(1)

    def append(wanted, evidence=evidence):
        for _ in range(wanted):
            evidence.append("caller.admitted", facts={"number": next(made)})
        evidence.publish()
        return evidence.log.published_size

    return append


@pytest.fixture
def asker(evidence, control, net):
    made = []

    def asker(number=1, least=1, evidence=evidence):
        one = Asker(policy(number, least), evidence, control, silent_after=SILENT, transport=net)
        assert one.lead()
        made.append(one)
        return one

    yield asker
    for one in made:
        one.release()
