from __future__ import annotations

from tests.hub.conftest import built
from tests.hub.portal.conftest import app, members, people, service, uncoded, url, world
from tests.services.chromium import chromium

__all__ = ["app", "built", "chromium", "members", "people", "service", "uncoded", "url", "world"]
