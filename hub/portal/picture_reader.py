"""Reads the QR codes of a picture: run as a program of its own, picture on stdin, their texts as JSON on stdout.

The decoders are large and written in C, and what they read was sent by strangers: so this runs with nothing but the
picture, bounded in memory and time, and what becomes of it is `hub.portal.pictures`'s affair. It imports nothing of
ours.
"""

from __future__ import annotations

import io
import json
import resource
import sys

# Several times what either decoder takes for `MAX_PIXELS`; and seconds of the processor.
MAX_MEMORY_BYTES = 1024 * 1024 * 1024
MAX_CPU_S = 10
# A photograph of a telephone. A small file can say that it is a picture of billions.
MAX_PIXELS = 40_000_000
MAX_CODES = 8
FORMATS = ("PNG", "JPEG")
# Exit codes beside 0.
TOO_LARGE, NO_PICTURE = 3, 4


def main() -> int:
    """Read, and write what was found; the exit code says why nothing was."""
    resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY_BYTES, MAX_MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (MAX_CPU_S, MAX_CPU_S))
    # It writes nothing but its answer, to a pipe.
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    import zxingcpp  # noqa: PLC0415 - within the bounds
    from PIL import Image  # noqa: PLC0415 - as above

    Image.MAX_IMAGE_PIXELS = None  # Judged below, before a pixel is unpacked.
    try:
        picture = Image.open(io.BytesIO(sys.stdin.buffer.read()), formats=FORMATS)
        if picture.width * picture.height > MAX_PIXELS:
            return TOO_LARGE
        grey = picture.convert("L")
        if picture.mode in {"LA", "PA", "RGBA"} or "transparency" in picture.info:
            # What shows through is paper.
            grey = Image.composite(grey, Image.new("L", grey.size, 255), picture.convert("RGBA").getchannel("A"))
    except (OSError, ValueError, SyntaxError):
        return NO_PICTURE
    except MemoryError:
        return TOO_LARGE
    found = zxingcpp.read_barcodes(grey, formats=zxingcpp.barcode_formats_from_str("QRCode"))
    json.dump([one.text for one in found[:MAX_CODES]], sys.stdout)
    return 0


if __name__ == "__main__":
    sys.exit(main())
