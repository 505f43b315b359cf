"""What the commands for the register of seals and those for remote signatures share: options, wiring, files.

Leaves what is done with a seal to the commands.
"""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hub.cli.language import say
from hub.cli.output import OK, print_json

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hub.seals import Seals

Code = Annotated[str, typer.Argument(metavar="SEAL", help=say("印章编码", "the seal's code"), show_default=False)]
Purpose = Annotated[str, typer.Option("--purpose", help=say("用途", "what for"), show_default=False)]
To = Annotated[Path, typer.Option("--to", help=say("写入此文件", "write to this file"), show_default=False)]
File = Annotated[
    Path,
    typer.Argument(
        metavar="FILE",
        help=say("OFD 或 PDF；其他文件按 SM3 摘要签章", "an OFD or PDF; of any other file its SM3 digest is sealed"),
        show_default=False,
        exists=True,
        dir_okay=False,
    ),
]


@contextmanager
def opened() -> Iterator[Seals]:
    """The office of seals of this deployment; at the end of the block the log is published and all closed."""
    from hub.seals import Seals
    from hub.settings import Settings

    office = Seals.open(Settings.from_environment())
    try:
        yield office
    finally:
        office.evidence.publish()
        office.evidence.log.close()
        office.control.close()


def document(file: Path) -> bytes:
    """What is sealed of *file* (`hub.seals.using.sealable`)."""
    from hub.seals.using import sealable

    return sealable(file.read_bytes())


def written(to: Path, data: bytes, told: dict[str, Any], *, as_json: bool) -> int:
    """Write what came of it to *to*, and say so, with *told* for programs; the exit code."""
    to.write_bytes(data)
    if as_json:
        print_json({"ok": True, "file": str(to), "size_bytes": len(data), **told})
    else:
        print(to)
    return OK
