"""Opens the warehouse of a deployment: tables in a folder or in an object store, the catalogue in SQLite or PostgreSQL.

What a warehouse does is `warehouse.engine`'s affair.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from connectors.errors import ConnectorError
from connectors.registry import secrets_from
from hub.errors import StorageSettingsError

if TYPE_CHECKING:
    from hub.settings import Settings
    from warehouse.engine import Warehouse
    from warehouse.storage import Storage


def open_warehouse(settings: Settings) -> Warehouse:
    """The warehouse that *settings* describe. Nothing is opened before its first use.

    Raises:
        StorageSettingsError: a setting of the object store is missing or no address.
    """
    # Publishing a list asks where tables lie, and needs no engine for that.
    from warehouse.engine import Warehouse  # noqa: PLC0415

    return Warehouse(settings.warehouse, catalog_uri=settings.catalog_url, storage=storage_of(settings))


def table_root(settings: Settings) -> str:
    """The URI below which tables are announced as assets, one for each resource."""
    return f"{settings.storage.rstrip('/')}/data" if settings.storage else (settings.warehouse / "data").as_uri()


def table_dataset(settings: Settings, code: str) -> tuple[str, str]:
    """The table of a resource as lineage names it: (namespace, name)."""
    if settings.storage:
        place = urlsplit(settings.storage)
        return f"s3://{place.netloc}", f"{place.path.strip('/')}/data/{code}".strip("/")
    return "file", str(settings.warehouse / "data" / code)


def storage_of(settings: Settings) -> Storage | None:
    """Where tables lie; None for the folder of the deployment itself."""
    if not settings.storage:
        return None
    # Its client is worth loading only where it is used.
    from warehouse.bucket import Bucket  # noqa: PLC0415

    place, server = urlsplit(settings.storage), urlsplit(settings.s3_endpoint)
    if place.scheme != "s3" or not place.netloc:
        raise StorageSettingsError(name="ZHENGTONG_STORAGE", expected="s3://BUCKET/PREFIX")
    if server.scheme not in {"http", "https"} or not server.netloc:
        raise StorageSettingsError(name="ZHENGTONG_S3_ENDPOINT", expected="https://HOST:PORT")
    return Bucket(
        server.netloc,
        place.netloc,
        access_key=_secret("ZHENGTONG_S3_ACCESS_KEY", settings.s3_access_key),
        secret_key=_secret("ZHENGTONG_S3_SECRET_KEY", settings.s3_secret_key),
        prefix=place.path.strip("/"),
        secure=server.scheme == "https",
    )


def _secret(name: str, reference: str) -> str:
    try:
        return secrets_from(os.environ)(reference)
    except ConnectorError:
        # What was given may be the secret itself, so it is not repeated.
        raise StorageSettingsError(name=name, expected="env:NAME / file:PATH") from None
