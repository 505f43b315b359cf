"""Take the rows of a MySQL or MariaDB query straight from the connection, as Arrow columns of bytes.

Leaves connecting, sending and the result's head to PyMySQL, and what the bytes mean to `connectors.mysql`.

PyMySQL makes a packet object of every row and calls four functions for every value. Departments' tables are wide and
long, so rows are walked here in the bytes as they arrive (MySQL Client/Server Protocol, "Text Resultset Row"), which
is about twice as fast, and nothing is decoded, rounded or turned into a date on the way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa
from pymysql import err
from pymysql.connections import MySQLResult
from pymysql.constants import COMMAND, CR

if TYPE_CHECKING:
    from collections.abc import Iterator

ROWS_PER_BATCH = 20_000
# A table of photographs must not hold twenty thousand of them in memory.
BYTES_PER_BATCH = 32 * 1024 * 1024
CHUNK_BYTES = 256 * 1024
# Of the protocol: a packet this long goes on in the next one; the marks of NULL, of a length's width, of an end.
LONGEST_PACKET = 0xFFFFFF
NULL, TWO_BYTES, THREE_BYTES, EIGHT_BYTES, ERROR = 0xFB, 0xFC, 0xFD, 0xFE, 0xFF
HEAD_BYTES, END_BYTES = 4, 9
WIDTHS = {TWO_BYTES: 2, THREE_BYTES: 3, EIGHT_BYTES: 8}


def stream(connection: Any, query: str) -> Iterator[list[pa.Array]]:  # noqa: ANN401  # PyMySQL's inner names are untyped
    """Run *query* on a PyMySQL *connection*; batches of binary arrays, one for each column, as the rows arrive.

    Whoever stops before the last batch has to close the connection: the rest of the rows are on their way.

    Raises:
        pymysql.err.MySQLError: the server refused or ended the query, or the connection is lost.
    """
    connection._execute_command(COMMAND.COM_QUERY, query)  # noqa: SLF001  # the one way to send without reading
    result = MySQLResult(connection)
    result.init_unbuffered_query()
    # Else the result would read on to the end when it is collected.
    result.unbuffered_active = False
    columns: list[list[bytes | None]] = [[] for _ in range(result.field_count)]
    adders = [column.append for column in columns]
    rows = held = 0
    for packet in _packets(connection._rfile.read1):  # noqa: SLF001  # PyMySQL has nothing but whole packets
        position = 0
        for add in adders:
            size = packet[position]
            position += 1
            if size >= NULL:
                if size == NULL:
                    add(None)
                    continue
                width = WIDTHS[size]
                size = int.from_bytes(packet[position : position + width], "little")
                position += width
            end = position + size
            add(packet[position:end])
            position = end
        rows += 1
        held += position
        if rows == ROWS_PER_BATCH or held >= BYTES_PER_BATCH:
            yield [pa.array(column, pa.binary()) for column in columns]
            for column in columns:
                column.clear()
            rows = held = 0
    if rows:
        yield [pa.array(column, pa.binary()) for column in columns]


def _packets(read: Any) -> Iterator[bytes]:  # noqa: ANN401  # BufferedReader.read1
    """The row packets without their heads, up to the packet that says that there are no more."""
    waiting, at = b"", 0
    longer: list[bytes] = []
    while True:
        while len(waiting) - at < HEAD_BYTES:
            waiting, at = waiting[at:] + _received(read), 0
        size = waiting[at] | waiting[at + 1] << 8 | waiting[at + 2] << 16
        at += HEAD_BYTES
        if len(waiting) - at < size:
            # Joined once: adding chunk by chunk to a photograph of many megabytes would copy it each time.
            pieces = [waiting[at:]]
            have = len(pieces[0])
            while have < size:
                pieces.append(_received(read))
                have += len(pieces[-1])
            waiting, at = b"".join(pieces), 0
        packet = waiting[at : at + size]
        at += size
        if longer or size == LONGEST_PACKET:
            longer.append(packet)
            if size == LONGEST_PACKET:
                continue
            packet, longer = b"".join(longer), []
        elif packet[0] == ERROR:
            err.raise_mysql_exception(packet)
        elif packet[0] == EIGHT_BYTES and size < END_BYTES:
            return
        yield packet


def _received(read: Any) -> bytes:  # noqa: ANN401  # BufferedReader.read1
    data: bytes = read(CHUNK_BYTES)
    if not data:
        # Without this a server that dies would look like the end of the table.
        raise err.OperationalError(CR.CR_SERVER_LOST, "the connection ended before the rows did")
    return data
