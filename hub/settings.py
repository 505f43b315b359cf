"""Where things are kept and how the parts of one deployment find each other.

Reads the environment once, at the door; what the settings point at is opened by the use cases.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from catalog.clock import NATIONAL

DEFAULT_HOME = "var"
DEFAULT_API_PORT = 8080
LOOPBACK = "127.0.0.1"
# Three years: as long as snapshots are kept by which past answers are replayed.
DEFAULT_AUDIT_DAYS = 1095
DEFAULT_WINDOW_START = 1


@dataclass(frozen=True, slots=True)
class Settings:
    """One deployment's folders and addresses; *home* holds everything the hub writes.

    Environment: ``ZHENGTONG_HOME`` (default ``./var``), ``ZHENGTONG_CONTROL_URL`` (SQLAlchemy URL),
    ``ZHENGTONG_CATALOG_URL`` (Iceberg SqlCatalog URL), ``ZHENGTONG_SYSTEMS`` (the file that maps source systems
    to connectors), ``ZHENGTONG_API_PORT``, ``ZHENGTONG_CLOCKS`` and ``ZHENGTONG_CLOCK_PROFILE`` (the city's file of
    clocks, and which of its profiles holds), ``ZHENGTONG_CALENDAR`` (the city's file of working days),
    ``ZHENGTONG_STORAGE`` (``s3://BUCKET/PREFIX``: tables and quarantine lie there instead of below *home*), with
    ``ZHENGTONG_S3_ENDPOINT`` (``http(s)://HOST:PORT``), ``ZHENGTONG_S3_ACCESS_KEY`` and ``ZHENGTONG_S3_SECRET_KEY``
    (references: ``env:NAME`` or ``file:PATH``); ``ZHENGTONG_ALERTS`` (the file that says whom alerts are sent to),
    ``ZHENGTONG_OPENLINEAGE`` (where lineage events go: ``http(s)://…`` or ``file:///…``), ``ZHENGTONG_AUDIT_DAYS``;
    ``ZHENGTONG_WINDOW_START`` (the local hour, 0 to 23, at which the four hours of the daily pulls begin).
    """

    home: Path
    control_url: str
    catalog_url: str | None
    systems_file: Path
    api_port: int = DEFAULT_API_PORT
    clocks_file: Path | None = None
    clock_profile: str = NATIONAL
    calendar_file: Path | None = None
    storage: str = ""
    s3_endpoint: str = ""
    s3_access_key: str = ""
    s3_secret_key: str = ""
    alerts_file: Path | None = None
    openlineage: str = ""
    audit_days: int = DEFAULT_AUDIT_DAYS
    window_start: int = DEFAULT_WINDOW_START

    @classmethod
    def from_environment(cls, environ: dict[str, str] | None = None) -> Settings:
        """Read the settings from *environ* (default: the process's own)."""
        env = dict(os.environ) if environ is None else environ
        home = Path(env.get("ZHENGTONG_HOME", DEFAULT_HOME)).absolute()
        return cls(
            home=home,
            control_url=env.get("ZHENGTONG_CONTROL_URL", f"sqlite:///{home / 'control.sqlite'}"),
            catalog_url=env.get("ZHENGTONG_CATALOG_URL"),
            systems_file=Path(env.get("ZHENGTONG_SYSTEMS", str(home / "systems.yaml"))),
            api_port=int(env.get("ZHENGTONG_API_PORT", str(DEFAULT_API_PORT))),
            clocks_file=_path(env.get("ZHENGTONG_CLOCKS")),
            clock_profile=env.get("ZHENGTONG_CLOCK_PROFILE", NATIONAL),
            calendar_file=_path(env.get("ZHENGTONG_CALENDAR")),
            storage=env.get("ZHENGTONG_STORAGE", ""),
            s3_endpoint=env.get("ZHENGTONG_S3_ENDPOINT", ""),
            s3_access_key=env.get("ZHENGTONG_S3_ACCESS_KEY", ""),
            s3_secret_key=env.get("ZHENGTONG_S3_SECRET_KEY", ""),
            alerts_file=_path(env.get("ZHENGTONG_ALERTS")),
            openlineage=env.get("ZHENGTONG_OPENLINEAGE", ""),
            audit_days=int(env.get("ZHENGTONG_AUDIT_DAYS", str(DEFAULT_AUDIT_DAYS))),
            window_start=int(env.get("ZHENGTONG_WINDOW_START", str(DEFAULT_WINDOW_START))),
        )

    @classmethod
    def at(cls, home: Path) -> Settings:
        """Settings for a deployment under *home* with every other choice at its default."""
        return cls.from_environment({"ZHENGTONG_HOME": str(home)})

    @property
    def warehouse(self) -> Path:
        """Iceberg tables, quarantine and look-up indexes."""
        return self.home / "warehouse"

    @property
    def staging(self) -> Path:
        """Landed and checked files on their way into a commit."""
        return self.home / "staging"

    @property
    def lists(self) -> Path:
        """Published responsibility lists by version, and the compiled registry."""
        return self.home / "lists"

    @property
    def registry(self) -> Path:
        """The JSON registry the DAG file draws from."""
        return self.lists / "registry.json"

    @property
    def log(self) -> Path:
        """The transparency log's public files."""
        return self.home / "log"

    @property
    def bodies(self) -> Path:
        """The protected store of entry bodies."""
        return self.home / "bodies"

    @property
    def keys(self) -> Path:
        """Private keys, encrypted; mode 0700."""
        return self.home / "keys"

    @property
    def public(self) -> Path:
        """What anyone may fetch: trust anchors, log key, status lists."""
        return self.home / "public"

    @property
    def trust(self) -> Path:
        """What a verifier pins: the root certificate and the log's key."""
        return self.public / "trust"

    @property
    def answer_key(self) -> Path:
        """The public key by which callers check answers."""
        return self.public / "answers.key.pub"

    @property
    def status(self) -> Path:
        """The published status lists."""
        return self.public / "status"

    @property
    def kinds(self) -> Path:
        """The catalogue of licence kinds in force."""
        return self.home / "kinds.yaml"

    @property
    def caller_key(self) -> Path:
        """Where a calling department's own program keeps its caller key; the hub itself never reads it."""
        return self.home / "clients" / "caller.key"

    @property
    def licences(self) -> Path:
        """Licence bundles handed out."""
        return self.home / "licences"

    @property
    def airflow(self) -> Path:
        """AIRFLOW_HOME of the embedded scheduler."""
        return self.home / "airflow"


def _path(text: str | None) -> Path | None:
    return Path(text).absolute() if text else None
