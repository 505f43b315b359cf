"""A warehouse's files in one bucket of an S3 store, such as MinIO.

The promises are those of `warehouse.storage.Storage`.
"""

from __future__ import annotations

import copy
import hashlib
import importlib.util
import io
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Self
from urllib.parse import urlparse

import duckdb
import urllib3
from minio import Minio
from minio.deleteobjects import DeleteObject
from minio.error import InvalidResponseError, S3Error, ServerError

from warehouse import sql
from warehouse.errors import StorageDamagedError, StorageUnavailableError
from warehouse.storage import Stored

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

CONNECT_S, ANSWER_S = 5, 120
_TRIES = 3  # An object store behind a balancer drops a connection now and then; an absent one is told within seconds.
# Up to this size a file is one request, whose digest the store itself verifies and whose ETag is its MD5.
PART_BYTES = 64 << 20
_DELETED_AT_ONCE = 1000  # S3, DeleteObjects: at most 1,000 keys in a request.
_ABSENT = frozenset({"NoSuchKey", "NoSuchObject", "NoSuchVersion"})


class Bucket:
    """Objects below *prefix* in one bucket of an S3 store.

    *endpoint* is ``host:port``. The bucket must exist, with no rule that expires objects below the prefix. The keys are
    told by no text form, error or log.
    """

    def __init__(
        self,
        endpoint: str,
        bucket: str,
        *,
        access_key: str,
        secret_key: str,
        prefix: str = "",
        secure: bool = True,
        region: str = "us-east-1",
    ) -> None:
        self.endpoint = endpoint
        self.bucket = bucket
        self.prefix = prefix.strip("/")
        self._access_key = access_key
        self._secret_key = secret_key
        self._desk: Path | None = None
        self._secure = secure
        self._region = region

    def __repr__(self) -> str:
        return f"Bucket({self.endpoint!r}, {self.bucket!r}, prefix={self.prefix!r})"

    def on(self, desk: Path) -> Self:  # noqa: D102 - see Storage
        other = copy.copy(self)
        other._desk = desk.absolute()  # noqa: SLF001 - its own class
        return other

    def location(self, name: str) -> str:  # noqa: D102 - see Storage
        return f"s3://{self.bucket}/{self._key(name)}"

    def name(self, location: str) -> str:  # noqa: D102 - see Storage
        key = self._key_of(location)
        return key.removeprefix(self.prefix + "/") if self.prefix else key

    def known(self, location: str) -> str:  # noqa: D102 - see Storage
        return f"s3://{urlparse(location).netloc}/{self._key_of(location)}"

    def desk(self, name: str) -> Path:  # noqa: D102 - see Storage
        if self._desk is None:
            msg = "a bucket needs a local folder to write on: call `on` first"
            raise RuntimeError(msg)
        return self._desk / name

    def publish(self, local: Path, location: str) -> None:  # noqa: D102 - see Storage
        size = local.stat().st_size
        digest, expected = _digests(local)
        with self._asking(), local.open("rb") as data:
            # The store itself refuses a request whose bytes are not those that were signed.
            done = self._client.put_object(
                self.bucket,
                self._key_of(location),
                data,
                size,
                part_size=PART_BYTES,
                num_parallel_uploads=1,
                metadata={"sha256": digest},
            )
            found = self._client.stat_object(self.bucket, self._key_of(location))
        # With keys of a key service an ETag is no digest (S3, "Checking object integrity").
        named = not (found.metadata or {}).get("x-amz-server-side-encryption")
        if found.size != size or (named and str(done.etag).strip('"') != expected):
            raise StorageDamagedError(location=location, detail="what arrived is not what was sent")
        if self._desk is not None and local.is_relative_to(self._desk):
            local.unlink()

    def settle(self, location: str, size_bytes: int | None = None) -> None:  # noqa: D102 - see Storage
        found = self.stat(location)
        if found is None or (size_bytes is not None and found.size_bytes != size_bytes):
            raise StorageDamagedError(location=location, detail="it did not arrive whole")

    def stat(self, location: str) -> Stored | None:  # noqa: D102 - see Storage
        with self._asking():
            try:
                found = self._client.stat_object(self.bucket, self._key_of(location))
            except S3Error as error:
                if error.code in _ABSENT:
                    return None
                raise
        return Stored(location, found.size or 0, found.last_modified or datetime.now(UTC))

    def open_read(self, location: str) -> BinaryIO:  # noqa: D102 - see Storage
        with self._asking():
            try:
                answer = self._client.get_object(self.bucket, self._key_of(location))
            except S3Error as error:
                if error.code in _ABSENT:
                    raise FileNotFoundError(location) from None
                raise
            try:
                # Files here are of some tens of megabytes, and a file that was read whole needs no connection.
                return io.BytesIO(answer.read())
            finally:
                answer.close()
                answer.release_conn()

    def delete(self, locations: Sequence[str]) -> None:  # noqa: D102 - see Storage
        with self._asking():
            for start in range(0, len(locations), _DELETED_AT_ONCE):
                wanted = [DeleteObject(self._key_of(one)) for one in locations[start : start + _DELETED_AT_ONCE]]
                failed = [e for e in self._client.remove_objects(self.bucket, wanted) if e.code not in _ABSENT]
                if failed:
                    raise StorageUnavailableError(place=str(self), detail=f"delete: {failed[0].code}")

    def list(self, name: str) -> Iterator[Stored]:  # noqa: D102 - see Storage
        with self._asking():
            for found in self._client.list_objects(self.bucket, self._key(name).rstrip("/") + "/", recursive=True):
                location = f"s3://{self.bucket}/{found.object_name}"
                yield Stored(location, found.size or 0, found.last_modified or datetime.now(UTC))

    def source(self, location: str) -> str:  # noqa: D102 - see Storage
        return location

    def prepare(self, con: duckdb.DuckDBPyConnection) -> None:  # noqa: D102 - see Storage
        con.execute(f"LOAD {sql.text(str(extension('httpfs')))}")
        secret = {
            "KEY_ID": self._access_key,
            "SECRET": self._secret_key,
            "REGION": self._region,
            "ENDPOINT": self.endpoint,
            "URL_STYLE": "path",
            "SCOPE": f"s3://{self.bucket}",
        }
        given = ", ".join(f"{k} {sql.text(v)}" for k, v in secret.items())
        try:
            con.execute(f"CREATE OR REPLACE SECRET storage (TYPE s3, USE_SSL {str(self._secure).lower()}, {given})")
        except duckdb.Error:
            # The message of a statement that failed may hold the statement, and this one holds a secret.
            raise StorageUnavailableError(place=str(self), detail="the session refused the account") from None
        con.execute(f"SET http_retries = {_TRIES}; SET http_timeout = {ANSWER_S}")

    def properties(self) -> dict[str, str]:  # noqa: D102 - see Storage
        return {
            "s3.endpoint": f"{'https' if self._secure else 'http'}://{self.endpoint}",
            "s3.access-key-id": self._access_key,
            "s3.secret-access-key": self._secret_key,
            "s3.region": self._region,
            "s3.force-virtual-addressing": "false",
            "s3.connect-timeout": str(CONNECT_S),
            "s3.request-timeout": str(ANSWER_S),
        }

    @cached_property
    def _client(self) -> Minio:
        # Made on first use, for tasks are forked and connections must not be.
        pool = urllib3.PoolManager(
            timeout=urllib3.Timeout(connect=CONNECT_S, read=ANSWER_S),
            retries=urllib3.Retry(total=_TRIES, backoff_factor=0.2, status_forcelist=[500, 502, 503, 504]),
            maxsize=8,
        )
        return Minio(
            endpoint=self.endpoint,
            access_key=self._access_key,
            secret_key=self._secret_key,
            region=self._region,
            secure=self._secure,
            http_client=pool,
        )

    def _key(self, name: str) -> str:
        return f"{self.prefix}/{name}" if self.prefix else name

    @staticmethod
    def _key_of(location: str) -> str:
        return urlparse(location).path.lstrip("/")

    @contextmanager
    def _asking(self) -> Iterator[None]:
        try:
            yield
        except S3Error as error:
            raise StorageUnavailableError(place=str(self), detail=str(error.code)) from None
        except (urllib3.exceptions.HTTPError, InvalidResponseError, ServerError, ConnectionError) as error:
            raise StorageUnavailableError(place=str(self), detail=type(error).__name__) from None


def extension(name: str) -> Path:
    """The file of a DuckDB extension, from its wheel ``duckdb-extension-…``; nothing is fetched at run time.

    Raises:
        StorageUnavailableError: the wheel is not installed, or is of another version than DuckDB.
    """
    spec = importlib.util.find_spec(f"duckdb_extension_{name}")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        path = Path(folder) / "extensions" / f"v{duckdb.__version__}" / f"{name}.duckdb_extension"
        if path.exists():
            return path
    raise StorageUnavailableError(place="DuckDB", detail=f"duckdb-extension-{name} {duckdb.__version__} is missing")


def _digests(path: Path) -> tuple[str, str]:
    """The hex SHA-256 of a file, and the ETag that S3 gives it when it is put in parts of `PART_BYTES`."""
    whole, parts = hashlib.sha256(), []
    with path.open("rb") as data:
        while chunk := data.read(PART_BYTES):
            whole.update(chunk)
            parts.append(hashlib.md5(chunk, usedforsecurity=False))
    if len(parts) <= 1:
        one = parts[0] if parts else hashlib.md5(b"", usedforsecurity=False)
        return whole.hexdigest(), one.hexdigest()
    together = hashlib.md5(b"".join(p.digest() for p in parts), usedforsecurity=False)
    return whole.hexdigest(), f"{together.hexdigest()}-{len(parts)}"
