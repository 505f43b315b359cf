from __future__ import annotations

from tests.connectors import kinds
from tests.contracts.connector_suite import ConnectorSuite


class TestCsv(ConnectorSuite):
    source = kinds.CsvKind()


class TestCsvInUtf16(ConnectorSuite):
    source = kinds.Utf16CsvKind()


class TestZipCsv(ConnectorSuite):
    source = kinds.ZipCsvKind()


class TestSqlite(ConnectorSuite):
    source = kinds.SqliteKind()


class TestNdjson(ConnectorSuite):
    source = kinds.NdjsonKind()


class TestParquet(ConnectorSuite):
    source = kinds.ParquetKind()


class TestXml(ConnectorSuite):
    source = kinds.XmlKind()


class TestFixedWidth(ConnectorSuite):
    source = kinds.FixedWidthKind()


class TestExcel(ConnectorSuite):
    source = kinds.ExcelKind()


class TestHttpJson(ConnectorSuite):
    source = kinds.HttpJsonKind()
