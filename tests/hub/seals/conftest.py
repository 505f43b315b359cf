from __future__ import annotations

import shutil

import pytest

pytest.importorskip("typst", reason="needs the extra `documents`")

from hub.authority.keeping import sm2_signs
from hub.control import Control
from hub.evidence import Evidence
from hub.seals import Seals
from hub.settings import Settings
from tests.hub.seals import city


@pytest.fixture(scope="session")
def founded(tmp_path_factory):
    if not sm2_signs():
        pytest.skip("this libcrypto signs no SM2")
    office = city.found(tmp_path_factory.mktemp("seals") / "var")
    office.evidence.log.close()
    office.control.close()
    return office.settings.home


@pytest.fixture
def office(founded, tmp_path):
    home = tmp_path / "var"
    shutil.copytree(founded, home)
    settings = Settings.at(home)
    clock = city.Clock()
    control = Control.open(settings)
    office = Seals.over(settings, control, Evidence.open(settings, clock=clock))
    office.clock = clock
    yield office
    office.evidence.log.close()
    control.close()
