"""Files in a bucket of an object store that speaks S3 (MinIO, the clouds' own).

Leaves spooling and going on after a broken line to `connectors.places.Remote`, and the protocol to the minio client.

Settings with ``place=s3``: ``endpoint`` (``host:port``), ``bucket``, ``prefix`` (a folder in the bucket, by default
all of it), ``access_key`` and ``secret_key`` = secrets' references, ``secure`` (``yes``; ``no`` for plain HTTP),
``ca_file`` (the certificates to trust, instead of the usual ones), ``region`` (``us-east-1``), ``timeout_s`` (30). An
object's path in the bucket is taken for folders and a name, as every tool does.
"""

from __future__ import annotations

import hashlib
import re
import ssl
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import urllib3
from minio import Minio
from minio.error import InvalidResponseError, MinioException, S3Error, ServerError

from connectors import options as opt
from connectors.errors import (
    ConnectorError,
    ConnectorSettingsError,
    SourceDeniedError,
    SourceIncompleteError,
    SourceObjectMissingError,
    SourceUnavailableError,
)
from connectors.places import BLOCK_BYTES, Entry, Found, Remote

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from connectors.places import Door
    from connectors.retry import Waiting

REGION = "us-east-1"
TIMEOUT_S = 30.0
ABSENT = frozenset({"NoSuchKey", "NoSuchVersion", "MethodNotAllowed"})
CHANGED = frozenset({"PreconditionFailed", "InvalidRange"})
DENIED = frozenset(
    {
        "AccessDenied",
        "AllAccessDisabled",
        "AccountProblem",
        "ExpiredToken",
        "InvalidAccessKeyId",
        "InvalidToken",
        "SignatureDoesNotMatch",
        "AuthorizationHeaderMalformed",
        "RequestTimeTooSkewed",
    }
)
ENCRYPTED_HEADERS = ("x-amz-server-side-encryption", "x-amz-sse")
# The ETag of an object that was sent in one piece is the MD5 of its bytes; others (in parts, encrypted) say nothing.
_PLAIN_ETAG = re.compile("[0-9a-f]{32}")


class Bucket:
    """The place; see the module."""

    def __init__(self, settings: Mapping[str, str], secrets: Callable[[str], str], waiting: Waiting, kind: str) -> None:
        self.endpoint = opt.required(settings, "endpoint", kind)
        self.bucket = opt.required(settings, "bucket", kind)
        self.prefix = settings.get("prefix", "").strip("/")
        self.secure = opt.switch(settings, "secure", kind, default=True)
        self.region = settings.get("region", "") or REGION
        self.timeout_s = opt.seconds(settings, "timeout_s", TIMEOUT_S, kind)
        self.waiting = waiting
        self._kind = kind
        self._ca_file = settings.get("ca_file", "")
        self._secrets = secrets
        self._keys = [opt.required(settings, name, kind) for name in ("access_key", "secret_key")]
        if "/" in self.endpoint:
            raise ConnectorSettingsError(problem="setting_invalid", where=kind, name="endpoint", expected="host:port")

    @property
    def where(self) -> str:
        """The bucket, as messages call it."""
        return f"s3://{self.endpoint}/{self.bucket}"

    @contextmanager
    def opened(self, spool: Path) -> Iterator[Door]:
        """The bucket; nothing is asked of the store yet."""
        access_key, secret_key = (self._secrets(reference) for reference in self._keys)
        with self._pool() as pool:
            try:
                client = Minio(
                    endpoint=self.endpoint,
                    access_key=access_key,
                    secret_key=secret_key,
                    secure=self.secure,
                    region=self.region,
                    http_client=pool,
                )
            except ValueError:
                raise ConnectorSettingsError(
                    problem="setting_invalid", where=self._kind, name="endpoint", expected="host:port"
                ) from None
            yield _Door(self, client, spool)

    def _pool(self) -> urllib3.PoolManager:
        try:
            context = ssl.create_default_context(cafile=self._ca_file or None)
        except (OSError, ssl.SSLError):
            raise ConnectorSettingsError(
                problem="setting_invalid", where=self._kind, name="ca_file", expected="PEM"
            ) from None
        # Trying again is `Remote`'s matter; redirects would take the signature elsewhere.
        return urllib3.PoolManager(timeout=self.timeout_s, retries=False, ssl_context=context)


class _Door(Remote):
    """The bucket, with a client."""

    def __init__(self, place: Bucket, client: Minio, spool: Path) -> None:
        super().__init__(place.where, spool, place.waiting)
        self._place = place
        self._client = client
        self._prefix = f"{place.prefix}/" if place.prefix else ""

    def reconnect(self) -> None:
        """Nothing to do: every request stands for itself."""

    def entries(self, folder: str) -> Iterator[Entry]:
        """What lies under the prefix, as if it were a folder."""
        prefix = self._prefix + folder
        with self._named(folder):
            for one in self._client.list_objects(self._place.bucket, prefix=prefix, recursive=False):
                name = (one.object_name or "")[len(prefix) :]
                if one.is_dir:
                    yield Entry(name.rstrip("/"), is_folder=True)
                elif name:
                    yield Entry(name, False, one.size or 0, (one.etag or "").strip('"'))

    def look(self, name: str) -> Found | None:
        """The object as it is now."""
        with self._named(name):
            try:
                one = self._client.stat_object(self._place.bucket, self._prefix + name)
            except S3Error as failure:
                if failure.code in ABSENT:
                    return None
                raise
        return Found(name, one.size or 0, (one.etag or "").strip('"'))

    def blocks(self, found: Found, offset: int) -> Iterator[bytes]:
        """The bytes from *offset*, of the very object that was found."""
        if offset >= found.size_bytes:
            return
        with self._named(found.name):
            answer = self._client.get_object(
                self._place.bucket,
                self._prefix + found.name,
                offset=offset,
                request_headers={"If-Match": f'"{found.mark}"'} if found.mark else None,
            )
        try:
            while True:
                with self._named(found.name):
                    block = answer.read(BLOCK_BYTES)
                if not block:
                    return
                yield block
        finally:
            with suppress(Exception):
                answer.close()
                answer.release_conn()

    def verify(self, found: Found, path: Path) -> None:
        """Compare the MD5 that the store holds, where it holds one."""
        if not _PLAIN_ETAG.fullmatch(found.mark) or self._is_encrypted(found.name):
            return
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False))
        if digest.hexdigest() != found.mark:
            raise SourceIncompleteError(problem="fetched_differs", where=found.name)

    def _is_encrypted(self, name: str) -> bool:
        """Whether the store encrypts the object: its ETag then looks like an MD5 of what it holds, and is none."""
        with self._named(name):
            one = self._client.stat_object(self._place.bucket, self._prefix + name)
        return any(header.lower().startswith(ENCRYPTED_HEADERS) for header in one.metadata or {})

    @contextmanager
    def _named(self, name: str = "") -> Iterator[None]:
        """Say what the client raises in our own words: its messages hold whole addresses and ids."""
        where = f"{self.where}/{name}" if name else self.where
        try:
            yield
        except ConnectorError:
            raise
        except S3Error as failure:
            raise self._answered(failure, where) from None
        except ServerError as failure:
            raise SourceUnavailableError(
                problem="unreachable", where=where, detail=f"HTTP {failure.status_code}"
            ) from None
        except urllib3.exceptions.SSLError:
            raise SourceDeniedError(problem="certificate", where=self.where) from None
        except (urllib3.exceptions.HTTPError, InvalidResponseError, OSError, MinioException) as failure:
            raise SourceUnavailableError(problem="unreachable", where=where, detail=type(failure).__name__) from None
        except ValueError:
            # What no bucket can be called; the client looks before it asks.
            raise SourceObjectMissingError(problem="no_bucket", where=self.where, bucket=self._place.bucket) from None

    def _answered(self, failure: S3Error, where: str) -> ConnectorError:
        code = failure.code or "?"
        if code == "NoSuchBucket":
            return SourceObjectMissingError(problem="no_bucket", where=self.where, bucket=self._place.bucket)
        if code in DENIED:
            return SourceDeniedError(problem="store_refused", where=where, code=code)
        if code in ABSENT or code in CHANGED:
            return SourceIncompleteError(problem="changed_while_read", where=where)
        return SourceUnavailableError(problem="unreachable", where=where, detail=code)
