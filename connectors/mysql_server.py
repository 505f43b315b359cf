"""Reach a MySQL or MariaDB server: settings, one read-only snapshot, and what its refusals mean to the caller.

Leaves what is read to `connectors.mysql`.

Settings: ``host`` (and ``port``, 3306) or ``socket``; ``database``, ``user``, ``password`` = a secret's reference;
``ssl`` = ``preferred`` (default: encrypted where the server can), ``verify`` (the certificate is checked), ``off``;
``ca_file``, whose certificates are then the only ones that count; ``connect_timeout_s`` (15); ``statement_timeout_s``
(3600), after which the server ends a statement of ours; ``time_zone`` (the server's own by default), in which
``TIMESTAMP`` columns are written, as ``+08:00``.
"""

from __future__ import annotations

import ssl
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pymysql
from pymysql import converters, err

from connectors import options as opt
from connectors.errors import (
    ConnectorError,
    ConnectorSettingsError,
    SourceDeniedError,
    SourceIncompleteError,
    SourceObjectMissingError,
    SourceShapeError,
    SourceUnavailableError,
)
from connectors.relational import APPLICATION_NAME, CONNECT_TIMEOUT_S, STATEMENT_TIMEOUT_S

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

PORT = 3306
# Metadata and row locks: somebody is altering the table.
LOCK_TIMEOUT_S = 30
# The server waits this long for us to take more rows; its own default (60 s) is shorter than a slow disk's worst.
WRITE_TIMEOUT_S = 3600
# A server that dies without a word, or a firewall that forgets: the kernel would wait for ever.
SILENCE_S = 60.0

# MySQL Reference Manual, "Server Error Message Reference"; MariaDB, "Error Codes" (1900–1999, 4000 ff. its own).
LOGIN_REFUSED = {1044, 1045, 1130, 1227, 1698, 1820, 1862, 3118, 3878, 4151}
TABLE_DENIED = {1142, 1143, 1370}
CHANGED = {1054, 1412}
TIMED_OUT = {1969, 3024}
TOO_MANY = {1040, 1203, 1226}
LOCKED = {1205, 1213}
LOST = {1053, 1317, 1927, 2006, 2013, 2014, 2055}
WRITES = {1290, 1792, 1836}
NO_DATABASE, NO_TABLE, NO_VIEW, NO_CONNECTION, NO_TLS = 1049, 1146, 1356, 2003, 2026


class Server:
    """What the settings say; opens a connection for each snapshot and keeps none."""

    def __init__(self, settings: Mapping[str, str], secrets: Callable[[str], str], kind: str) -> None:
        self._socket = settings.get("socket", "")
        self._host = "" if self._socket else opt.required(settings, "host", kind)
        self._port = opt.integer(settings, "port", PORT, kind, least=1)
        self.database = opt.required(settings, "database", kind)
        self._user = opt.required(settings, "user", kind)
        self._password = settings.get("password", "")
        self._secrets = secrets
        self._connect_timeout_s = opt.seconds(settings, "connect_timeout_s", CONNECT_TIMEOUT_S, kind)
        self.statement_s = opt.seconds(settings, "statement_timeout_s", STATEMENT_TIMEOUT_S, kind)
        self._time_zone = settings.get("time_zone", "")
        self._ca_file = settings.get("ca_file", "")
        self._ssl = opt.choice(settings, "ssl", ("preferred", "verify", "off"), kind)
        if self._ca_file and self._ssl == "off":
            raise ConnectorSettingsError(problem="setting_invalid", where=kind, name="ssl", expected="verify")
        self._kind = kind

    def where(self, table: str) -> str:
        """How messages name *table*."""
        return f"{self.database}:{table}"

    @contextmanager
    def snapshot(self, table: str) -> Iterator[Any]:
        """A PyMySQL connection inside one read-only transaction: everything in it sees the same state of InnoDB.

        Tables of engines without versions (MyISAM, Aria) are read as they are at each statement. The server itself
        refuses whatever would write, and ends a statement that takes too long.

        Raises:
            ConnectorError: everything that PyMySQL raises inside the block too, by what the caller does next.
        """
        where = self.where(table)
        with self._named(where):
            connection = self._opened()
            try:
                yield connection
            finally:
                # Not `close`: that would first take in all the rows that are still on their way.
                connection._force_close()  # noqa: SLF001

    def _opened(self) -> Any:  # noqa: ANN401  # PyMySQL's stubs do not know what a connection is made of
        secret = self._secrets(self._password) if self._password else ""
        arguments: dict[str, Any] = {"unix_socket": self._socket or None, "host": self._host or None}
        if self._ssl == "off" or self._socket:
            # A socket leads nowhere else; making a context for it would only take time.
            arguments["ssl_disabled"] = True
        elif self._ssl == "verify" or self._ca_file:
            arguments["ssl"] = self._verifying()
        connection: Any = pymysql.connect(
            **arguments,
            port=self._port,
            user=self._user,
            # As the server keeps it; PyMySQL would take a text for Latin-1.
            password=secret.encode(),
            database=self.database,
            charset="utf8mb4",
            # Zero dates warn, PAD_CHAR pads, ANSI_QUOTES and NO_BACKSLASH_ESCAPES change what a literal is: not here.
            sql_mode="",
            autocommit=None,
            # Encoders only: what the server sends stays the text that it is.
            conv=converters.encoders,  # type: ignore[arg-type]  # the stubs' dict is not covariant
            connect_timeout=self._connect_timeout_s,
            read_timeout=self.statement_s + SILENCE_S,
            write_timeout=SILENCE_S,
            program_name=APPLICATION_NAME,
        )
        try:
            with connection.cursor() as cursor:
                self._prepare(cursor)
        except BaseException:
            connection._force_close()  # noqa: SLF001
            raise
        return connection

    def _prepare(self, cursor: Any) -> None:  # noqa: ANN401  # as `_opened`
        cursor.execute("SELECT VERSION()")
        version = cursor.fetchone()[0]
        if "mariadb" in version.lower():
            cursor.execute("SET SESSION max_statement_time = %s", [self.statement_s])
        else:
            cursor.execute("SET SESSION max_execution_time = %s", [round(self.statement_s * 1000)])
        cursor.execute("SET SESSION net_write_timeout = %s, lock_wait_timeout = %s", [WRITE_TIMEOUT_S, LOCK_TIMEOUT_S])
        if self._time_zone:
            cursor.execute("SET SESSION time_zone = %s", [self._time_zone])
        cursor.execute("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        cursor.execute("SET SESSION TRANSACTION READ ONLY")
        cursor.execute("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY")

    def _verifying(self) -> ssl.SSLContext:
        try:
            return ssl.create_default_context(cafile=self._ca_file or None)
        except (OSError, ssl.SSLError):
            raise ConnectorSettingsError(
                problem="setting_invalid", where=self._kind, name="ca_file", expected="a file of certificates (PEM)"
            ) from None

    @contextmanager
    def _named(self, where: str) -> Iterator[None]:
        """Turn what PyMySQL and the network raise into our errors. Messages of the server may quote values: none stays.

        A refusal of TLS comes as another error's cause, a lost connection as one of the operating system's.
        """
        try:
            yield
        except err.MySQLError as failure:
            raise self._error(failure, where) from None
        except RuntimeError:
            # PyMySQL says so when a way to log in needs what is not there.
            raise SourceDeniedError(problem="login_refused", where=where) from None
        except (TimeoutError, ConnectionError, ssl.SSLError):
            raise SourceUnavailableError(problem="connection_lost", where=where) from None

    def _error(self, failure: err.MySQLError, where: str) -> ConnectorError:  # noqa: PLR0911  # a way out for each class
        code = failure.args[0] if failure.args and isinstance(failure.args[0], int) else 0
        if code == NO_TLS or isinstance(getattr(failure, "original_exception", None), ssl.SSLError):
            return SourceDeniedError(problem="no_trusted_tls", where=where, sslmode=self._ssl)
        if code in LOGIN_REFUSED:
            return SourceDeniedError(problem="login_refused", where=where)
        if code in TABLE_DENIED:
            return SourceDeniedError(problem="file_denied", where=where)
        if code == NO_DATABASE:
            return SourceObjectMissingError(problem="no_database", where=where)
        if code in {NO_TABLE, NO_VIEW}:
            return SourceObjectMissingError(problem="no_table", where=where, table=where.partition(":")[2])
        if code in CHANGED:
            return SourceIncompleteError(problem="table_changed", where=where)
        if code in WRITES:
            return SourceShapeError(problem="reading_writes", where=where)
        return self._unavailable(code, where)

    def _unavailable(self, code: int, where: str) -> SourceUnavailableError:
        if code in TIMED_OUT:
            return SourceUnavailableError(problem="statement_timeout", where=where, waited_s=self.statement_s)
        if code in TOO_MANY:
            return SourceUnavailableError(problem="too_many_sessions", where=where)
        if code in LOCKED:
            return SourceUnavailableError(problem="database_locked", where=where, waited_s=LOCK_TIMEOUT_S)
        if code in LOST:
            return SourceUnavailableError(problem="connection_lost", where=where)
        if code == NO_CONNECTION:
            return SourceUnavailableError(problem="cannot_connect", where=where)
        return SourceUnavailableError(problem="database_unreadable", where=where, detail=str(code))
