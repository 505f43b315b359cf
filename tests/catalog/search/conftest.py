from __future__ import annotations

import pytest

from tests.catalog.search.worlds import Memory, make_list


@pytest.fixture(scope="session")
def memory():
    return Memory(make_list())
