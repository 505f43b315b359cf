"""Documents that the tests of OFD build, and a stand-in for whoever makes SES_Signatures."""

import hashlib
import hmac
import struct
import zlib

from licence.fonts import read_font
from licence.ofd.layout import Box, Line, Page, Text, licence_page
from licence.ofd.seal import Stamp, seal
from licence.ofd.write import Licence, write

FONT = read_font()
IDENTIFIER = "1.2.156.3005.2.11100000000013338W011.11430000006122244L.20230000403.001.U"
LICENCE = Licence("营业执照", "某市市场监督管理局", "2026-03-01", {"ZZBS": IDENTIFIER, "sha256": "00" * 32})
FIELDS = (
    ("名称", "某市㛃䶮<𬱖𠅤>𫖯龘𰻝商贸有限公司"),
    ("统一社会信用代码", "91110000000013338W"),
    ("类型", "有限责任公司"),
    ("法定代表人", "㐱𬀩𣲘"),
    ("经营范围", "食品销售；日用百货销售；技术服务、技术开发、技术咨询。" * 6),
    ("注册资本", "100万元"),
)
STAMP = Stamp(b"\x30\x03seal", Box(130, 215, 42, 42), "20260301080000Z")
KEY = b"stand-in"


def png(size=2):
    def chunk(kind, data):
        return struct.pack(">L", len(data)) + kind + data + struct.pack(">L", zlib.crc32(kind + data))

    rows = b"".join(b"\0" + b"\0\xff\0" * size for _ in range(size))
    head = struct.pack(">LLBBBBB", size, size, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def sign(digest):
    return hmac.digest(KEY, digest, hashlib.sha256)


def accepted(signature):
    return hmac.compare_digest(signature.value, sign(signature.digest))


def page(**changes):
    fields = {
        "title": "营业执照",
        "fields": FIELDS,
        "issuer": "某市市场监督管理局",
        "issued_on": "2026年3月1日",
        "identifier": IDENTIFIER,
        "qr_png": png(),
    }
    return licence_page(FONT, **(fields | changes))


def files(**changes):
    return write(LICENCE, [page(**changes)], FONT)


def small_files():
    return write(LICENCE, [Page((Text(20, 30, 5, "证A"), Line(20, 40, 90, 40)))], FONT)


def sealed(of=None):
    return seal(small_files() if of is None else of, STAMP, sign)
