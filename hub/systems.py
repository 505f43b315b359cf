"""Source systems: which connector opens which departmental system, and where its secrets are kept.

The responsibility list names systems only by reference; this file of the deployment says what they are.
Reading records from them is `connectors`.
"""

from __future__ import annotations

import os
import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import yaml

from connectors.registry import connect, secrets_from
from connectors.retry import Waiting
from hub.errors import SystemsFileError, SystemUnknownError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from connectors.protocol import Connector

_PARTS: Final = ("kind", "connections", "settings")

# Every task reads the file of a city's systems, for which the one in Python takes a tenth of a second.
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, slots=True)
class SourceSystem:
    """One departmental system. *settings* may hold references (``env:NAME``, ``file:PATH``), never secrets.

    *connections* is how many readers the system allows at once.
    """

    name: str
    kind: str
    settings: Mapping[str, str] = field(default_factory=dict)
    connections: int = 1


def load(path: Path) -> dict[str, SourceSystem]:
    """Read the systems file: ``NAME: {kind: …, connections: 1, settings: {…}}``.

    Raises:
        SystemsFileError: the file is absent or not of this shape.
    """
    try:
        plain = yaml.load(path.read_text(encoding="utf-8"), Loader=_LOADER)  # noqa: S506 - both loaders are the safe one
        return {name: _system(path, name, entry) for name, entry in plain["systems"].items()}
    except OSError as error:
        raise SystemsFileError(path=path, why=error.strerror or type(error).__name__) from error
    except (yaml.YAMLError, UnicodeDecodeError, KeyError, TypeError, ValueError, AttributeError) as error:
        # The text of a YAML error may quote a line of the file, and a line may hold what should not be printed.
        mark = getattr(error, "problem_mark", None)
        where = "" if mark is None else f", line {mark.line + 1}"
        raise SystemsFileError(path=path, why=type(error).__name__ + where) from error


def _system(path: Path, name: str, entry: Mapping[str, Any]) -> SourceSystem:
    if not isinstance(entry, dict):
        raise SystemsFileError(path=path, why=f"`{name}`: `kind`?")
    # A setting that stands a step too far to the left would otherwise be missed in silence.
    astray = [str(key) for key in entry if key not in _PARTS]
    if astray or not entry.get("kind"):
        raise SystemsFileError(path=path, why=f"`{name}`: {', '.join(f'`{key}`?' for key in astray or _PARTS[:1])}")
    return SourceSystem(
        name=name,
        kind=str(entry["kind"]),
        settings={key: str(value) for key, value in (entry.get("settings") or {}).items()},
        connections=int(entry.get("connections", 1)),
    )


def open_system(path: Path, name: str, secrets: Mapping[str, Callable[[str], str | None]] | None = None) -> Connector:
    """The connector for system *name* of the systems file at *path*.

    *secrets* resolves references of further schemes, such as ``airflow:CONNECTION`` inside a task.

    Raises:
        SystemUnknownError: the list names a system that the file does not describe.
    """
    system = load(path).get(name)
    if system is None:
        raise SystemUnknownError(system=name, path=path)
    return connect(
        system.kind,
        system.settings,
        secrets_from(os.environ, extra=secrets or {}),
        waiting=Waiting(jitter=random.random),
    )
