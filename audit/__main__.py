"""`python -m audit PACK.zip --key log.vkey`: check an evidence pack on a machine that has nothing of the hub.

Exit code 0: it holds, by a key that was given. 11: it holds if the key in it is the log's. 13: it does not hold.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from .errors import AuditError
from .pack import check_pack
from .verifiers import Trust, read_verifiers

if TYPE_CHECKING:
    from collections.abc import Sequence

EXITS = {"holds": 0, "unpinned": 11, "invalid": 13}
USAGE = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Check the pack that *arguments* name, print what was found in both languages, return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m audit", description="核验证据包 / Check an evidence pack")
    parser.add_argument("pack", type=Path, help="证据包 / the pack")
    parser.add_argument("--key", type=Path, help="日志公钥文件 / file with the log's public key")
    parser.add_argument("--also", type=Path, help="也须签名的公钥 / file with keys that must have signed, too")
    parser.add_argument("--json", action="store_true", help="输出 JSON / print JSON")
    given = parser.parse_args(arguments)
    try:
        keys, also = (
            () if path is None else read_verifiers(path.read_text("utf-8")) for path in (given.key, given.also)
        )
        if also and not keys:
            parser.error("--also 须与 --key 一起使用 / --also needs --key")
        report = check_pack(given.pack.read_bytes(), Trust(keys, also) if keys else None)
    except (AuditError, OSError, UnicodeDecodeError) as error:
        sys.stderr.write(f"{error.text('zh') if isinstance(error, AuditError) else ''}\n{error}\n".lstrip())
        return USAGE
    plain = json.dumps(report.to_plain(), ensure_ascii=False, indent=2)
    sys.stdout.write((plain if given.json else f"{report.text('zh')}\n\n{report.text('en')}") + "\n")
    return EXITS[report.verdict]


if __name__ == "__main__":
    sys.exit(main())
