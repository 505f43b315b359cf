"""Make a connector from its kind and settings, with secrets by reference only.

Leaves where settings are kept to `hub`, and what each kind means by them to its module.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from connectors.errors import ConnectorSettingsError, SourceDeniedError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from connectors.protocol import Connector
    from connectors.retry import Waiting

# Settings that name a secret. Holding one in the clear is refused, so that a settings file can be shown to anybody.
SECRET_SETTINGS = ("token",)
REFERENCE_PREFIXES = ("env:", "file:")
KINDS = ("csv", "excel", "fixed-width", "http-json", "ndjson", "parquet", "sqlite", "xml", "zip-csv")


def connect(
    kind: str, settings: Mapping[str, str], secrets: Callable[[str], str], *, waiting: Waiting | None = None
) -> Connector:
    """The connector of *kind*; *secrets* resolves a reference (see `secrets_from`) each time it is needed.

    Nothing is opened yet. Each kind's module is imported on its first use: a task that reads SQLite should not pay for
    loading DuckDB and calamine.

    Raises:
        ConnectorSettingsError: the kind is unknown, a setting is missing or wrong, or a secret stands in the clear.
    """
    for name in SECRET_SETTINGS:
        if settings.get(name) and not settings[name].startswith(REFERENCE_PREFIXES):
            raise ConnectorSettingsError(problem="secret_literal", where=kind, name=name)
    makers = {
        "csv": _csv,
        "excel": _excel,
        "fixed-width": _fixed_width,
        "ndjson": _ndjson,
        "parquet": _parquet,
        "sqlite": _sqlite,
        "xml": _xml,
        "zip-csv": _zip_csv,
    }
    if kind == "http-json":
        from connectors.http_json import HttpJsonConnector  # noqa: PLC0415

        return HttpJsonConnector(settings, secrets, waiting=waiting)
    if kind not in makers:
        raise ConnectorSettingsError(problem="kind_unknown", where="connectors", kind=kind, known=", ".join(KINDS))
    return makers[kind](settings)


def secrets_from(environ: Mapping[str, str], folder: Path | None = None) -> Callable[[str], str]:
    """A resolver of ``env:NAME`` (in *environ*) and ``file:PATH`` (relative to *folder*; a last line end dropped).

    The resolver raises SourceDeniedError when the secret is not there; its message names the reference alone.
    """

    def resolve(reference: str) -> str:
        scheme, _, name = reference.partition(":")
        value: str | None = None
        if scheme == "env":
            value = environ.get(name)
        elif scheme == "file":
            path = Path(name) if folder is None else folder / name
            try:
                value = path.read_text(encoding="utf-8").removesuffix("\n").removesuffix("\r")
            except (OSError, UnicodeDecodeError):
                value = None
        else:
            raise ConnectorSettingsError(problem="secret_literal", where="connectors", name="secret")
        if not value:
            raise SourceDeniedError(problem="secret_missing", where="connectors", reference=reference)
        return value

    return resolve


def _csv(settings: Mapping[str, str]) -> Connector:
    from connectors.csv_files import CsvConnector  # noqa: PLC0415

    return CsvConnector(settings)


def _excel(settings: Mapping[str, str]) -> Connector:
    from connectors.excel import ExcelConnector  # noqa: PLC0415

    return ExcelConnector(settings)


def _fixed_width(settings: Mapping[str, str]) -> Connector:
    from connectors.fixed_width import FixedWidthConnector  # noqa: PLC0415

    return FixedWidthConnector(settings)


def _ndjson(settings: Mapping[str, str]) -> Connector:
    from connectors.ndjson import NdjsonConnector  # noqa: PLC0415

    return NdjsonConnector(settings)


def _parquet(settings: Mapping[str, str]) -> Connector:
    from connectors.parquet import ParquetConnector  # noqa: PLC0415

    return ParquetConnector(settings)


def _sqlite(settings: Mapping[str, str]) -> Connector:
    from connectors.sqlite import SqliteConnector  # noqa: PLC0415

    return SqliteConnector(settings)


def _xml(settings: Mapping[str, str]) -> Connector:
    from connectors.xml_files import XmlConnector  # noqa: PLC0415

    return XmlConnector(settings)


def _zip_csv(settings: Mapping[str, str]) -> Connector:
    from connectors.zip_csv import ZipCsvConnector  # noqa: PLC0415

    return ZipCsvConnector(settings)
