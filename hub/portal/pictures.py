"""Pictures of QR codes that strangers send: the texts in them, read by a process that has nothing to lose.

What a text is worth is the room's affair (`hub.portal.rooms.verify`).
"""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
import threading
from pathlib import Path
from typing import Final

from hub.portal import picture_reader
from hub.portal.errors import PictureRefusedError

_BEGINNINGS: Final = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff")
_READER: Final = str(Path(picture_reader.__file__))
TIMEOUT_S: Final = 15
# Each takes up to a gigabyte and a processor: of more who ask at once, the others wait.
_AT_ONCE: Final = threading.BoundedSemaphore(2)


def is_picture(data: bytes) -> bool:
    """Whether *data* begins as a PNG or JPEG does; what it is called is nothing to go by."""
    return data.startswith(_BEGINNINGS)


def can_read() -> bool:
    """Whether the packages that read pictures are installed."""
    return all(importlib.util.find_spec(name) is not None for name in ("PIL", "zxingcpp"))


def texts_in(data: bytes) -> list[str]:
    """The texts of the QR codes in the picture *data*, at most `picture_reader.MAX_CODES`; never none.

    Raises:
        PictureRefusedError: it is no picture, one that is too large, or one without a QR code.
    """
    if not can_read():
        raise PictureRefusedError(why="this portal reads no pictures", why_zh="本平台未启用图片识别")
    # Isolated (-I): no folder of the caller's is imported from; and no variable of ours is there to be read.
    command = [sys.executable, "-I", _READER]
    with _AT_ONCE:
        try:
            done = subprocess.run(  # noqa: S603 - our own program, by its path
                command, input=data, capture_output=True, timeout=TIMEOUT_S, env={}, check=False
            )
        except subprocess.TimeoutExpired as error:
            raise PictureRefusedError(why="reading it takes too long", why_zh="识别耗时过长") from error
    if done.returncode == picture_reader.TOO_LARGE:
        most = picture_reader.MAX_PIXELS // 1_000_000
        raise PictureRefusedError(why=f"it has more than {most} million pixels", why_zh=f"图片超过 {most * 100} 万像素")
    if done.returncode:
        raise PictureRefusedError(why="it cannot be read as PNG or JPEG", why_zh="无法按 PNG 或 JPEG 读取")
    texts: list[str] = json.loads(done.stdout)
    if not texts:
        raise PictureRefusedError(
            why="no QR code was found in it; take it closer, straight and evenly lit",
            why_zh="图中未找到二维码，请靠近、摆正并在光线均匀处重拍",
        )
    return texts
