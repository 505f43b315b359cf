from __future__ import annotations

import struct
import zlib

import pytest

from hub.actors import Actor
from hub.materials import Materials, Paper, Use
from hub.office import Office
from tests.hub.world import Clock

HOLDER = "11010519491231002X"
CLERK, OTHER, STRANGER = Actor("RS", "window-1"), Actor("GA", "window-2"), Actor("MZ", "window-3")
PAPER = Paper("房屋租赁合同", "居住证申领", "BJ-1", original_seen=True, units=("GA",), matters=("租赁备案",))
USE = Use("租赁备案", "BJ-2", "核对租赁关系", consent=True)


def png(shade=0, extra=b""):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)
    body = chunk(b"IHDR", head) + extra + chunk(b"IDAT", zlib.compress(bytes([0, shade]))) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


@pytest.fixture
def office(settings):
    with Office.open(settings, clock=Clock()) as office:
        yield office


@pytest.fixture
def desk(office):
    return Materials(office)


@pytest.fixture
def taken(desk):
    return desk.add(png(), PAPER, holder=HOLDER, actor=CLERK)
