"""The ``zip-csv`` kind: delimited text files inside zip archives, whatever the archives are called.

Leaves everything to the ``csv`` kind, which reads the members of a ``.zip`` too: this one takes any name for an
archive. The object is ``drop*#member.csv``: a glob of archives, then a glob of members (``*.csv`` if left out).
"""

from __future__ import annotations

from connectors.csv_files import CsvConnector


class ZipCsvConnector(CsvConnector):
    """See the module; promises of `connectors.protocol.Connector`."""

    kind = "zip-csv"
    MEMBERS = "*.csv"

    def is_archive(self, pattern: str) -> bool:
        """Always."""
        del pattern
        return True
