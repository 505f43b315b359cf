"""Files on an SFTP server, fetched over SSH.

Leaves spooling and going on after a broken line to `connectors.places.Remote`, and the protocol to paramiko.

Settings with ``place=sftp``: ``host``, ``port`` (22), ``user``, ``folder`` (on the server); ``known_hosts`` = a file in
OpenSSH's form that lists the server's host key (``ssh-keyscan -p PORT HOST``, compared with what the department says
of its key); ``key_file`` = a private key (``passphrase`` = a secret's reference, if it has one) or ``password`` = a
secret's reference; ``timeout_s`` (30). A host key that is not listed is refused, never learnt. Keys of an agent or of
the home folder are not tried: too many offers lock accounts.
"""

from __future__ import annotations

import errno
import logging
import posixpath
import stat
from collections import deque
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import paramiko

from connectors import options as opt
from connectors.errors import (
    ConnectorError,
    ConnectorSettingsError,
    SourceDeniedError,
    SourceEncodingError,
    SourceUnavailableError,
)
from connectors.places import Entry, Found, Remote

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from connectors.places import Door
    from connectors.retry import Waiting

PORT = 22
TIMEOUT_S = 30.0
# What one request reads, and how many are under way: as OpenSSH's own client does it, so that a line with a long way
# is filled too (32 KiB x 64 at 50 ms are 40 MB/s).
REQUEST_BYTES = 32 * 1024
REQUESTS = 64
# paramiko writes a traceback for every line that breaks; what matters of it is in our errors.
LOG_CHANNEL = "connectors.sftp.transport"
logging.getLogger(LOG_CHANNEL).setLevel(logging.CRITICAL)


class Sftp:
    """The place; see the module."""

    def __init__(self, settings: Mapping[str, str], secrets: Callable[[str], str], waiting: Waiting, kind: str) -> None:
        self.host = opt.required(settings, "host", kind)
        self.port = opt.integer(settings, "port", PORT, kind, least=1)
        self.user = opt.required(settings, "user", kind)
        self.folder = opt.required(settings, "folder", kind)
        self.known_hosts = Path(opt.required(settings, "known_hosts", kind))
        self.key_file = settings.get("key_file", "")
        self.timeout_s = opt.seconds(settings, "timeout_s", TIMEOUT_S, kind)
        self.waiting = waiting
        self.kind = kind
        self._references = {name: settings[name] for name in ("password", "passphrase") if settings.get(name)}
        self._secrets = secrets
        if not self.key_file and "password" not in self._references:
            raise ConnectorSettingsError(problem="setting_missing", where=kind, name="key_file | password")

    @property
    def where(self) -> str:
        """The server, as messages call it."""
        return f"sftp://{self.host}:{self.port}"

    def secret(self, name: str) -> str | None:
        """The secret that the setting *name* refers to."""
        reference = self._references.get(name)
        return None if reference is None else self._secrets(reference)

    @contextmanager
    def opened(self, spool: Path) -> Iterator[Door]:
        """The folder on the server, over a connection of its own."""
        door = _Door(self, spool)
        try:
            door.connect()
            yield door
        finally:
            door.close()


class _Refuse(paramiko.MissingHostKeyPolicy):
    """Says which key was shown, so that a person can compare it with what the department says."""

    def __init__(self, where: str) -> None:
        self._where = where

    def missing_host_key(self, client: paramiko.SSHClient, hostname: str, key: paramiko.PKey) -> NoReturn:
        del client, hostname
        raise SourceDeniedError(problem="host_key_unknown", where=self._where, fingerprint=key.fingerprint)


class _Door(Remote):
    """One connection."""

    def __init__(self, place: Sftp, spool: Path) -> None:
        super().__init__(place.where, spool, place.waiting)
        self._place = place
        self._client: paramiko.SSHClient | None = None
        self._files: paramiko.SFTPClient | None = None

    def connect(self) -> None:
        """Connect, check who is there, log in, and look whether the folder is there.

        Raises:
            SourceUnavailableError: nobody answers, or the folder is not there.
            SourceDeniedError: the host key is not the one we know, or the server does not let us in.
            ConnectorSettingsError: our key or list of hosts cannot be read.
        """
        place = self._place
        client = self._client = paramiko.SSHClient()
        client.set_log_channel(LOG_CHANNEL)
        client.set_missing_host_key_policy(_Refuse(self.where))
        try:
            client.load_host_keys(str(place.known_hosts))
        except (OSError, paramiko.SSHException):
            raise self._setting("known_hosts", "OpenSSH known_hosts") from None
        key = self._key()
        password = place.secret("password")
        with self._named():
            client.connect(
                place.host,
                place.port,
                place.user,
                password=password,
                pkey=key,
                timeout=place.timeout_s,
                banner_timeout=place.timeout_s,
                auth_timeout=place.timeout_s,
                channel_timeout=place.timeout_s,
                allow_agent=False,
                look_for_keys=False,
            )
            files = self._files = client.open_sftp()
            channel = files.get_channel()
            if channel is not None:
                channel.settimeout(place.timeout_s)
            try:
                files.stat(place.folder)
            except FileNotFoundError:
                raise SourceUnavailableError(problem="folder_missing", where=f"{self.where}{place.folder}") from None

    def _key(self) -> paramiko.PKey | None:
        place = self._place
        if not place.key_file:
            return None
        passphrase = place.secret("passphrase")
        for kind in (paramiko.Ed25519Key, paramiko.ECDSAKey, paramiko.RSAKey):
            with suppress(OSError, ValueError, TypeError, paramiko.SSHException):
                return kind.from_private_key_file(place.key_file, passphrase)
        # No file, no key, one of a kind that nobody takes any more, or a passphrase that is missing or wrong.
        raise self._setting("key_file", "OpenSSH private key (and its passphrase)")

    def _setting(self, name: str, expected: str) -> ConnectorSettingsError:
        return ConnectorSettingsError(problem="setting_invalid", where=self._place.kind, name=name, expected=expected)

    def reconnect(self) -> None:
        """A new connection."""
        self.close()
        self.connect()

    def close(self) -> None:
        """Close the connection, whatever state it is in."""
        files, client = self._files, self._client
        self._files = self._client = None
        for one in (files, client):
            if one is not None:
                with suppress(Exception):
                    one.close()

    @property
    def _sftp(self) -> paramiko.SFTPClient:
        if self._files is None:
            raise SourceUnavailableError(problem="unreachable", where=self.where, detail="closed")
        return self._files

    def _path(self, name: str) -> str:
        return posixpath.join(self._place.folder, name)

    def entries(self, folder: str) -> Iterator[Entry]:
        """What the folder holds; links are followed, as on a disk."""
        with self._named(folder):
            try:
                found = self._sftp.listdir_attr(self._path(folder))
            except FileNotFoundError:
                return
            entries = [(one.filename, self._followed(folder, one)) for one in found]
        for name, status in entries:
            if status is not None and stat.S_ISDIR(status.st_mode or 0):
                yield Entry(name, is_folder=True)
            elif status is not None and stat.S_ISREG(status.st_mode or 0):
                yield Entry(name, False, status.st_size or 0, _mark(status))

    def _followed(self, folder: str, one: paramiko.SFTPAttributes) -> paramiko.SFTPAttributes | None:
        if not stat.S_ISLNK(one.st_mode or 0):
            return one
        with suppress(FileNotFoundError):
            return self._sftp.stat(self._path(folder + one.filename))
        return None

    def look(self, name: str) -> Found | None:
        """The file as it is now."""
        with self._named(name):
            try:
                status = self._sftp.stat(self._path(name))
            except FileNotFoundError:
                return None
        if not stat.S_ISREG(status.st_mode or 0):
            return None
        return Found(name, status.st_size or 0, _mark(status))

    def blocks(self, found: Found, offset: int) -> Iterator[bytes]:
        """The bytes from *offset*, with many requests under way."""
        with self._named(found.name):
            file = self._sftp.open(self._path(found.name), "rb")
        reads = _Reads(self._sftp, file)
        asking = True
        try:
            while True:
                with self._named(found.name):
                    while asking and len(reads) < REQUESTS and offset < found.size_bytes:
                        size = min(REQUEST_BYTES, found.size_bytes - offset)
                        # A line that is down takes no more requests, but what it has brought is not thrown away.
                        asking = reads.ask(offset, size)
                        offset += size
                    if not len(reads):
                        return
                    block = reads.answer()
                if block is None:
                    # Less than was asked for: the file has shrunk; the caller sees that by its length.
                    return
                yield block
        finally:
            with suppress(Exception):
                file.close()

    @contextmanager
    def _named(self, name: str = "") -> Iterator[None]:
        """Say what paramiko raises in our own words: its messages may quote the server's, or a path of ours."""
        where = f"{self.where}/{name}" if name else self.where
        try:
            yield
        except ConnectorError:
            raise
        except paramiko.BadHostKeyException as failure:
            raise SourceDeniedError(
                problem="host_key_changed", where=self.where, fingerprint=failure.key.fingerprint
            ) from None
        except paramiko.AuthenticationException as failure:
            raise self._not_let_in(failure) from None
        except UnicodeDecodeError:
            # A server of GBK names; there is no way to tell paramiko so.
            raise SourceEncodingError(problem="bad_bytes", where=where, offset=0, encoding="utf-8") from None
        except OSError as failure:
            if failure.errno in {errno.EACCES, errno.EPERM}:
                raise SourceDeniedError(problem="file_denied", where=where) from None
            raise SourceUnavailableError(problem="unreachable", where=where, detail=type(failure).__name__) from None
        except (paramiko.SSHException, EOFError) as failure:
            raise SourceUnavailableError(problem="unreachable", where=where, detail=type(failure).__name__) from None

    def _not_let_in(self, failure: paramiko.AuthenticationException) -> ConnectorError:
        # Neither is a refusal: the server had too many connections at that moment, or was on its way down.
        if "transport shut down" in str(failure) or "timeout" in str(failure).lower():
            return SourceUnavailableError(problem="unreachable", where=self.where, detail="log-in broke off")
        return SourceDeniedError(problem="login_refused", where=self.where)


class _Reads:
    """Read requests under way, answered in order.

    paramiko's own read-ahead asks from a thread that is left behind, spinning, when the line breaks. These are the two
    halves of a request that it is made of.
    """

    def __init__(self, client: paramiko.SFTPClient, file: paramiko.SFTPFile) -> None:
        self._client = client
        self._handle = file.handle
        self._asked: deque[tuple[int, int]] = deque()
        self._answers: dict[int, bytes | None] = {}

    def __len__(self) -> int:
        return len(self._asked)

    def ask(self, offset: int, size: int) -> bool:
        """Ask for *size* bytes from *offset*; False where there is nobody to ask any more."""
        with suppress(OSError, EOFError):
            self._ask(offset, size)
            return True
        return False

    def _ask(self, offset: int, size: int) -> None:
        number = self._client._async_request(  # type: ignore[attr-defined]  # noqa: SLF001 - see the class
            self, paramiko.sftp.CMD_READ, self._handle, paramiko.sftp.int64(offset), size
        )
        self._asked.append((number, size))

    def answer(self) -> bytes | None:
        """The bytes of the oldest request; None where the file ends before them."""
        number, size = self._asked.popleft()
        while number not in self._answers:
            self._client._read_response()  # type: ignore[attr-defined]  # noqa: SLF001 - see the class
        data = self._answers.pop(number)
        return data if data is not None and len(data) == size else None

    def _async_response(self, kind: int, message: paramiko.Message, number: int) -> None:
        """What paramiko calls with the answer to *number*."""
        if kind == paramiko.sftp.CMD_DATA:
            self._answers[number] = message.get_string()
            return
        self._answers[number] = None
        with suppress(EOFError):
            self._client._convert_status(message)  # type: ignore[attr-defined]  # noqa: SLF001 - see the class


def _mark(status: paramiko.SFTPAttributes) -> str:
    return str(status.st_mtime or 0)
