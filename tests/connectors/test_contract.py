from __future__ import annotations

import pytest

from tests.connectors import kinds
from tests.contracts.connector_suite import ConnectorSuite
from tests.services.minio import minio
from tests.services.sftp import sftp

__all__ = ["minio", "sftp"]


class TestCsv(ConnectorSuite):
    source = kinds.CsvKind()


class TestCsvInUtf16(ConnectorSuite):
    source = kinds.Utf16CsvKind()


class TestCsvInGzip(ConnectorSuite):
    source = kinds.GzipCsvKind()


@pytest.mark.service("sftp")
class TestCsvOverSftp(ConnectorSuite):
    source = kinds.SftpCsvKind()

    @pytest.fixture(autouse=True)
    def server(self, sftp):
        self.source.server = sftp


@pytest.mark.service("minio")
class TestCsvInABucket(ConnectorSuite):
    source = kinds.BucketCsvKind()

    @pytest.fixture(autouse=True)
    def server(self, minio):
        self.source.server = minio


class TestZipCsv(ConnectorSuite):
    source = kinds.ZipCsvKind()


class TestSqlite(ConnectorSuite):
    source = kinds.SqliteKind()


class TestNdjson(ConnectorSuite):
    source = kinds.NdjsonKind()


class TestJson(ConnectorSuite):
    source = kinds.JsonKind()


class TestDbf(ConnectorSuite):
    source = kinds.DbfKind()


class TestParquet(ConnectorSuite):
    source = kinds.ParquetKind()


class TestXml(ConnectorSuite):
    source = kinds.XmlKind()


class TestXmlInZip(ConnectorSuite):
    source = kinds.ZipXmlKind()


class TestFixedWidth(ConnectorSuite):
    source = kinds.FixedWidthKind()


class TestExcel(ConnectorSuite):
    source = kinds.ExcelKind()


class TestHttpJson(ConnectorSuite):
    source = kinds.HttpJsonKind()
