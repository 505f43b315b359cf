"""Publishing a list, whole: the version, its log entry, and the registry the scheduler draws from.

Versions and their storage are `hub.published`; drawing DAGs is `dags/`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hub import registry, systems
from hub.control import Control
from hub.evidence import Evidence
from hub.published import Published, publish_list

if TYPE_CHECKING:
    from catalog.model import ResponsibilityList
    from hub.settings import Settings


def publish(settings: Settings, list_: ResponsibilityList, *, by: str) -> Published:
    """Publish *list_* and compile the registry.

    The registry comes last: a crash before it leaves the scheduler with the old picture until the list is published
    again, which then finds it published and only compiles.
    """
    control = Control.open(settings)
    try:
        done = publish_list(settings, control, Evidence.open(settings), list_, by=by)
    finally:
        control.close()
    connections = {}
    if settings.systems_file.exists():
        connections = {name: system.connections for name, system in systems.load(settings.systems_file).items()}
    outlet_root = (settings.warehouse / "data").as_uri()
    compiled = registry.compile_list(list_, outlet_root=outlet_root, connections=connections)
    registry.write(compiled, settings.registry)
    return done
