"""Make a connector from its kind and settings, with secrets by reference only.

Leaves where settings are kept to `hub`, and what each kind means by them to its module.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from connectors.errors import ConnectorSettingsError, SourceDeniedError, SourceUnavailableError
from connectors.pace import Hours, Paced, PacedAcknowledging, bucket
from connectors.protocol import Acknowledges
from connectors.retry import Waiting

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from connectors.protocol import Connector

# Settings that name a secret, by how they end (`password`, `source_password`). Holding one in the clear is refused, so
# that a settings file can be shown to anybody.
SECRET_SETTINGS = (
    "token",
    "password",
    "passphrase",
    "secret",
    "secret_key",
    "access_key",
    "landing_key",
)
SCHEMES = ("env", "file")
# A password inside an address or a connection string: user:password@, ?password=, "Pwd=…;".
_IN_AN_ADDRESS = re.compile(r"://[^/?#\s@]*:[^/?#\s@]+@")
_IN_A_STRING = re.compile(
    r"(?:^|[?&;\s])(?:password|passwd|pwd|secret|(?:access_)?token|api_?key)\s*=\s*[^\s;&]", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Given:
    """What a kind's maker is given; *secrets* resolves a reference each time it is needed."""

    settings: Mapping[str, str]
    secrets: Callable[[str], str]
    waiting: Waiting


def connect(
    kind: str,
    settings: Mapping[str, str],
    secrets: Callable[[str], str],
    *,
    waiting: Waiting | None = None,
    now: Callable[[], datetime] | None = None,
) -> Connector:
    """The connector of *kind*; *secrets* resolves a reference (see `secrets_from`) each time it is needed.

    Nothing is opened yet. Each kind's module is imported on its first use: a task that reads SQLite should not pay for
    loading DuckDB and calamine. *now* (aware) is the clock by which the system's hours are kept (`connectors.pace`).

    Raises:
        ConnectorSettingsError: the kind is unknown, a setting is missing or wrong, or a secret stands in the clear.
    """
    if kind not in MAKERS:
        raise ConnectorSettingsError(problem="kind_unknown", where="connectors", kind=kind, known=", ".join(KINDS))
    check_secrets(kind, settings, getattr(secrets, "schemes", SCHEMES))
    waiting = waiting or Waiting()
    hours = Hours.of(settings, kind)
    rows = bucket(settings, "rows_per_s", kind, sleep=waiting.sleep)
    reference = settings.get("landing_key", "")
    inner = MAKERS[kind](Given(settings, secrets, waiting))
    wrapped = PacedAcknowledging if isinstance(inner, Acknowledges) else Paced
    return wrapped(
        inner,
        hours=hours,
        rows=rows,
        landing_key=partial(secrets, reference) if reference else None,
        now=now or partial(datetime.now, UTC),
    )


def check_secrets(kind: str, settings: Mapping[str, str], schemes: Collection[str] = SCHEMES) -> None:
    """Refuse settings that hold a secret instead of naming it.

    Raises:
        ConnectorSettingsError: a secret stands in the clear, by itself or inside an address or a connection string.
    """
    for name, value in settings.items():
        if name.endswith(SECRET_SETTINGS):
            if value and not (value.partition(":")[0] in schemes and value.partition(":")[2]):
                raise ConnectorSettingsError(problem="secret_literal", where=kind, name=name)
        elif _IN_AN_ADDRESS.search(value) or _IN_A_STRING.search(value):
            raise ConnectorSettingsError(problem="secret_inside", where=kind, name=name)


class Secrets:
    """Resolves references to secrets; see `secrets_from`. Holds none itself."""

    def __init__(
        self, environ: Mapping[str, str], folder: Path | None, extra: Mapping[str, Callable[[str], str | None]]
    ) -> None:
        self._environ = environ
        self._folder = folder
        self._extra = dict(extra)
        self.schemes = (*SCHEMES, *self._extra)

    def __repr__(self) -> str:
        # The default would show the environment to whoever prints a traceback's values.
        return f"Secrets({', '.join(self.schemes)})"

    def __call__(self, reference: str) -> str:
        """The secret that *reference* names.

        Raises:
            ConnectorSettingsError: no such scheme.
            SourceDeniedError: it is not there.
            SourceUnavailableError: where it is kept does not answer.
        """
        scheme, _, name = reference.partition(":")
        if scheme == "env":
            value = self._environ.get(name)
        elif scheme == "file":
            value = self._file(name)
        elif scheme in self._extra:
            value = self._kept(scheme, name)
        else:
            # What stands before the colon may be the beginning of a secret: it is not repeated.
            raise ConnectorSettingsError(
                problem="secret_scheme", where="connectors", scheme="…", known=", ".join(self.schemes)
            )
        if not value:
            raise SourceDeniedError(problem="secret_missing", where="connectors", reference=reference)
        return value

    def _file(self, name: str) -> str | None:
        path = Path(name) if self._folder is None else self._folder / name
        try:
            return path.read_text(encoding="utf-8").removesuffix("\n").removesuffix("\r")
        except (OSError, UnicodeDecodeError):
            return None

    def _kept(self, scheme: str, name: str) -> str | None:
        try:
            return self._extra[scheme](name)
        except Exception as failure:  # noqa: BLE001 - another program's store; its message may hold what it keeps
            raise SourceUnavailableError(
                problem="secret_unreadable",
                where="connectors",
                reference=f"{scheme}:{name}",
                detail=type(failure).__name__,
            ) from None


def secrets_from(
    environ: Mapping[str, str],
    folder: Path | None = None,
    extra: Mapping[str, Callable[[str], str | None]] | None = None,
) -> Secrets:
    """A resolver of ``env:NAME`` (in *environ*) and ``file:PATH`` (relative to *folder*; a last line end dropped).

    *extra* adds schemes: ``{"airflow": look_up}`` has ``airflow:CONN_ID#field`` answered by
    ``look_up("CONN_ID#field")``, which returns None where there is no such secret.

    The resolver raises SourceDeniedError when the secret is not there; its message names the reference alone.
    """
    return Secrets(environ, folder, extra or {})


def _csv(given: Given) -> Connector:
    from connectors.csv_files import CsvConnector  # noqa: PLC0415

    return CsvConnector(given.settings, given.secrets, given.waiting)


def _dbf(given: Given) -> Connector:
    from connectors.dbf import DbfConnector  # noqa: PLC0415

    return DbfConnector(given.settings, given.secrets, given.waiting)


def _excel(given: Given) -> Connector:
    from connectors.excel import ExcelConnector  # noqa: PLC0415

    return ExcelConnector(given.settings, given.secrets, given.waiting)


def _exchange(given: Given) -> Connector:
    from connectors.exchange import ExchangeConnector  # noqa: PLC0415

    return ExchangeConnector(given.settings, given.secrets)


def _fixed_width(given: Given) -> Connector:
    from connectors.fixed_width import FixedWidthConnector  # noqa: PLC0415

    return FixedWidthConnector(given.settings, given.secrets, given.waiting)


def _http_json(given: Given) -> Connector:
    from connectors.http_json import HttpJsonConnector  # noqa: PLC0415

    return HttpJsonConnector(given.settings, given.secrets, waiting=given.waiting)


def _json(given: Given) -> Connector:
    from connectors.json_files import JsonConnector  # noqa: PLC0415

    return JsonConnector(given.settings, given.secrets, given.waiting)


def _mysql(given: Given) -> Connector:
    from connectors.mysql import MysqlConnector  # noqa: PLC0415

    return MysqlConnector(given.settings, given.secrets)


def _ndjson(given: Given) -> Connector:
    from connectors.ndjson import NdjsonConnector  # noqa: PLC0415

    return NdjsonConnector(given.settings, given.secrets, given.waiting)


def _parquet(given: Given) -> Connector:
    from connectors.parquet import ParquetConnector  # noqa: PLC0415

    return ParquetConnector(given.settings, given.secrets, given.waiting)


def _postgresql(given: Given) -> Connector:
    from connectors.postgresql import PostgresqlConnector  # noqa: PLC0415

    return PostgresqlConnector(given.settings, given.secrets)


def _postgresql_cdc(given: Given) -> Connector:
    from connectors.cdc import PostgresqlCdcConnector  # noqa: PLC0415

    return PostgresqlCdcConnector(given.settings, given.secrets, sleep=given.waiting.sleep)


def _sqlalchemy(given: Given) -> Connector:
    from connectors.sqlalchemy_db import SqlalchemyConnector  # noqa: PLC0415

    return SqlalchemyConnector(given.settings, given.secrets)


def _sqlite(given: Given) -> Connector:
    from connectors.sqlite import SqliteConnector  # noqa: PLC0415

    return SqliteConnector(given.settings)


def _tsv(given: Given) -> Connector:
    from connectors.csv_files import TsvConnector  # noqa: PLC0415

    return TsvConnector(given.settings, given.secrets, given.waiting)


def _xml(given: Given) -> Connector:
    from connectors.xml_files import XmlConnector  # noqa: PLC0415

    return XmlConnector(given.settings, given.secrets, given.waiting)


def _zip_csv(given: Given) -> Connector:
    from connectors.zip_csv import ZipCsvConnector  # noqa: PLC0415

    return ZipCsvConnector(given.settings, given.secrets, given.waiting)


# A new kind: a maker above and a line here; KINDS follows by itself.
MAKERS: MappingProxyType[str, Callable[[Given], Connector]] = MappingProxyType(
    {
        "csv": _csv,
        "dbf": _dbf,
        "excel": _excel,
        "exchange": _exchange,
        "fixed-width": _fixed_width,
        "http-json": _http_json,
        "json": _json,
        "mysql": _mysql,
        "ndjson": _ndjson,
        "parquet": _parquet,
        "postgresql": _postgresql,
        "postgresql-cdc": _postgresql_cdc,
        "sqlalchemy": _sqlalchemy,
        "sqlite": _sqlite,
        "tsv": _tsv,
        "xml": _xml,
        "zip-csv": _zip_csv,
    }
)
KINDS = tuple(sorted(MAKERS))
