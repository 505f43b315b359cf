"""Where things are kept and how the parts of one deployment find each other.

Reads the environment once, at the door; what the settings point at is opened by the use cases.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from pathlib import Path

from catalog.clock import NATIONAL
from hub.providersettings import ProviderSettings

DEFAULT_HOME = "var"
DEFAULT_API_PORT = 8080
LOOPBACK = "127.0.0.1"
# Three years: as long as snapshots are kept by which past answers are replayed.
DEFAULT_AUDIT_DAYS = 1095
DEFAULT_WINDOW_START = 1
DEFAULT_NONCES = "machine"
# Some 2.5 GB of Parquet; whoever needs more orders it in pieces, which can be made and fetched one by one.
DEFAULT_BATCH_ROWS = 50_000_000
DEFAULT_BATCH_HOURS = 72
BATCHES_INSIDE, BATCHES_APART = "inside", "apart"
DEFAULT_CALLS_AT_ONCE = 512
DEFAULT_CALLS_PER_SECOND = 1_000
# An issuing to a wallet takes three requests, a presentation two; people of one building come by one address.
DEFAULT_WALLET_CALLS_PER_SECOND = 2
DEFAULT_METRICS_FROM = "127.0.0.0/8,::1"
DEFAULT_VERIFY_MISSES = 5
DEFAULT_WITNESS_MINUTES = 30
DEFAULT_LOG_FORMAT = "text"
DEFAULT_LOG_LEVEL = "info"
DEFAULT_STOP_SECONDS = 0
DEFAULT_LICENCE_SUITE = "ecdsa-p256-sha256"
_OFF = frozenset({"off", "no", "false", "0"})


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
    ``ZHENGTONG_OPENLINEAGE`` (where lineage events go: ``http(s)://…`` or ``file:///…``), ``ZHENGTONG_AUDIT_DAYS``,
    ``ZHENGTONG_BODY_RETENTION_DAYS`` (how long the bodies of entries are kept; 0: for ever);
    ``ZHENGTONG_WINDOW_START`` (the local hour, 0 to 23, at which the four hours of the daily pulls begin);
    ``ZHENGTONG_WALLET_CALLS_PER_SECOND`` (what wallets of one address may ask, all of them behind a proxy; 0: no
    limit); ``ZHENGTONG_CALLS_AT_ONCE`` and ``ZHENGTONG_CALLS_PER_SECOND`` (what a serving process takes on, and from
    one caller; 0: no limit); ``ZHENGTONG_BATCH_ROWS`` (the most of one order), ``ZHENGTONG_BATCH_HOURS`` (how long its
    files are kept), ``ZHENGTONG_BATCH_WORKER`` (``inside``: the API's process makes them, ``apart``: only ``zhengtong
    batch run`` does); ``ZHENGTONG_API_HOSTS`` (the names by which clients call the API, comma-separated),
    ``ZHENGTONG_API_SCHEME`` (``https`` where a proxy terminates TLS: how clients call it),
    ``ZHENGTONG_NONCES`` (where signed requests are remembered: ``machine`` or ``database``),
    ``ZHENGTONG_CERTIFICATE_HEADER`` and ``ZHENGTONG_CERTIFICATE_PROXIES`` (the field in which a proxy says a client's
    certificate, and the addresses of such proxies); ``ZHENGTONG_VERIFY_MISSES`` (claims about one record that may fail
    to match, per grant and hour; 0: no limit); ``ZHENGTONG_HOOK_NETWORKS`` (networks in which web hooks may lie, beside
    the public Internet), ``ZHENGTONG_HOOK_CA`` (certificates by which receivers are known, beside the system's);
    ``ZHENGTONG_LOG_SECOND_SIGNATURE`` (``off``: checkpoints are signed with Ed25519 alone), ``ZHENGTONG_WITNESSES``
    (the file that says which witnesses are asked to cosign them), ``ZHENGTONG_WITNESS_MINUTES`` (how long one may be
    silent before it is an alert); ``ZHENGTONG_LOG_FORMAT`` (``text``, or ``json``: a line for each request, too),
    ``ZHENGTONG_LOG_LEVEL`` (``info``, ``warning``, ``error``), ``ZHENGTONG_LOG_FILE`` (instead of standard error),
    ``ZHENGTONG_TRACING`` (``on``: spans for OpenTelemetry), ``ZHENGTONG_STOP_SECONDS`` (how long a server that was told
    to stop says so before it does); ``ZHENGTONG_LICENCE_SUITE`` (by which suite new licences are signed),
    ``ZHENGTONG_LICENCE_SECOND`` (by which suite bundles bear a second signature; ``off``: none),
    ``ZHENGTONG_SIGNERS`` (the file that says which of their keys others keep); ``ZHENGTONG_PORTAL_CODES`` (``off``:
    nobody is made to set up one-time codes for the portal, as in a demonstration); ``ZHENGTONG_BACKUPS`` (the folder of
    backups, best on another disk); ``ZHENGTONG_TRUSTED_PROXIES`` (the addresses of proxies that are believed about whom
    they ask for). Those of single sign-on are `hub.providersettings`'.
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
    body_days: int = DEFAULT_AUDIT_DAYS
    window_start: int = DEFAULT_WINDOW_START
    hook_networks: str = ""
    hook_ca: Path | None = None
    api_hosts: str = ""
    api_scheme: str = ""
    nonces: str = DEFAULT_NONCES
    certificate_header: str = ""
    certificate_proxies: str = ""
    batch_rows: int = DEFAULT_BATCH_ROWS
    batch_hours: int = DEFAULT_BATCH_HOURS
    batch_worker: str = BATCHES_INSIDE
    calls_at_once: int = DEFAULT_CALLS_AT_ONCE
    calls_per_second: int = DEFAULT_CALLS_PER_SECOND
    wallet_calls_per_second: int = DEFAULT_WALLET_CALLS_PER_SECOND
    metrics_from: str = DEFAULT_METRICS_FROM
    verify_misses: int = DEFAULT_VERIFY_MISSES
    second_signature: bool = True
    witnesses_file: Path | None = None
    witness_minutes: int = DEFAULT_WITNESS_MINUTES
    log_format: str = DEFAULT_LOG_FORMAT
    log_level: str = DEFAULT_LOG_LEVEL
    log_file: Path | None = None
    tracing: bool = False
    stop_seconds: int = DEFAULT_STOP_SECONDS
    licence_suite: str = DEFAULT_LICENCE_SUITE
    licence_second: str = ""
    signers_file: Path | None = None
    portal_codes: bool = True
    trusted_proxies: str = ""
    provider: ProviderSettings | None = None
    backups_folder: Path | None = None

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
            # A body without its snapshot proves what was asked and decided, and replays no longer.
            body_days=int(
                env.get("ZHENGTONG_BODY_RETENTION_DAYS", env.get("ZHENGTONG_AUDIT_DAYS", str(DEFAULT_AUDIT_DAYS)))
            ),
            window_start=int(env.get("ZHENGTONG_WINDOW_START", str(DEFAULT_WINDOW_START))),
            hook_networks=env.get("ZHENGTONG_HOOK_NETWORKS", ""),
            hook_ca=_path(env.get("ZHENGTONG_HOOK_CA")),
            api_hosts=env.get("ZHENGTONG_API_HOSTS", ""),
            api_scheme=env.get("ZHENGTONG_API_SCHEME", ""),
            nonces=env.get("ZHENGTONG_NONCES", DEFAULT_NONCES),
            certificate_header=env.get("ZHENGTONG_CERTIFICATE_HEADER", ""),
            certificate_proxies=env.get("ZHENGTONG_CERTIFICATE_PROXIES", ""),
            batch_rows=int(env.get("ZHENGTONG_BATCH_ROWS", str(DEFAULT_BATCH_ROWS))),
            batch_hours=int(env.get("ZHENGTONG_BATCH_HOURS", str(DEFAULT_BATCH_HOURS))),
            batch_worker=env.get("ZHENGTONG_BATCH_WORKER", BATCHES_INSIDE),
            calls_at_once=int(env.get("ZHENGTONG_CALLS_AT_ONCE", str(DEFAULT_CALLS_AT_ONCE))),
            metrics_from=env.get("ZHENGTONG_METRICS_FROM", DEFAULT_METRICS_FROM),
            calls_per_second=int(env.get("ZHENGTONG_CALLS_PER_SECOND", str(DEFAULT_CALLS_PER_SECOND))),
            wallet_calls_per_second=int(
                env.get("ZHENGTONG_WALLET_CALLS_PER_SECOND", str(DEFAULT_WALLET_CALLS_PER_SECOND))
            ),
            verify_misses=int(env.get("ZHENGTONG_VERIFY_MISSES", str(DEFAULT_VERIFY_MISSES))),
            second_signature=env.get("ZHENGTONG_LOG_SECOND_SIGNATURE", "on").strip().lower() not in _OFF,
            witnesses_file=_path(env.get("ZHENGTONG_WITNESSES")),
            witness_minutes=int(env.get("ZHENGTONG_WITNESS_MINUTES", str(DEFAULT_WITNESS_MINUTES))),
            log_format=env.get("ZHENGTONG_LOG_FORMAT", DEFAULT_LOG_FORMAT).strip().lower(),
            log_level=env.get("ZHENGTONG_LOG_LEVEL", DEFAULT_LOG_LEVEL).strip().lower(),
            log_file=_path(env.get("ZHENGTONG_LOG_FILE")),
            tracing=env.get("ZHENGTONG_TRACING", "off").strip().lower() not in _OFF,
            stop_seconds=int(env.get("ZHENGTONG_STOP_SECONDS", str(DEFAULT_STOP_SECONDS))),
            licence_suite=env.get("ZHENGTONG_LICENCE_SUITE", DEFAULT_LICENCE_SUITE).strip().lower(),
            licence_second=_unless_off(env.get("ZHENGTONG_LICENCE_SECOND", "off")),
            signers_file=_path(env.get("ZHENGTONG_SIGNERS")),
            portal_codes=env.get("ZHENGTONG_PORTAL_CODES", "on").strip().lower() not in _OFF,
            trusted_proxies=env.get("ZHENGTONG_TRUSTED_PROXIES", ""),
            provider=ProviderSettings.from_environment(env),
            backups_folder=_path(env.get("ZHENGTONG_BACKUPS")),
        )

    @classmethod
    def at(cls, home: Path) -> Settings:
        """Settings for a deployment under *home* with every other choice at its default."""
        return cls.from_environment({"ZHENGTONG_HOME": str(home)})

    def may_read_metrics(self, peer: str) -> bool:
        """Whether whoever calls from the address *peer* is told the metrics."""
        try:
            address = ip_address(peer)
        except ValueError:
            return False
        return any(address in network for network in map(ip_network, self.metrics_from.split(",")))

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
    def nonces_file(self) -> Path:
        """What the processes of this machine remember of the signed requests of the last minutes."""
        return self.home / "run" / "nonces"

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
    def batches(self) -> Path:
        """Files of batch orders until they expire."""
        return self.home / "batches"

    @property
    def own_calendar(self) -> Path:
        """The calendar that was put in force in this deployment; it holds unless `calendar_file` names another."""
        return self.home / "calendar.csv"

    @property
    def backups(self) -> Path:
        """Where backups are made and looked for."""
        return self.backups_folder or self.home / "backups"

    @property
    def airflow(self) -> Path:
        """AIRFLOW_HOME of the embedded scheduler."""
        return self.home / "airflow"


def _unless_off(text: str) -> str:
    plain = text.strip().lower()
    return "" if plain in _OFF else plain


def _path(text: str | None) -> Path | None:
    return Path(text).absolute() if text else None
