"""`zhengtong serve`: the data-invocation API on loopback."""

from __future__ import annotations

import errno
import os
import shutil
import socket
from pathlib import Path
from typing import Annotated

import typer

from hub.cli.language import say
from hub.cli.output import OK, note
from hub.errors import PortInUseError
from hub.settings import LOOPBACK, Settings


def check_port(port: int, host: str = LOOPBACK) -> None:
    """Find out now, with a sentence, rather than later, with a traceback, that a port is taken.

    Raises:
        PortInUseError: another program listens there.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise PortInUseError(host=host, port=port, other=port + 1) from error
            raise


def serve(
    *,
    port: Annotated[int | None, typer.Option(help=say("端口", "port"))] = None,
    workers: Annotated[
        int, typer.Option(min=1, max=64, help=say("工作进程数，宜与处理器核数相同", "processes; as many as cores"))
    ] = 1,
) -> int:
    """Serve until Ctrl-C."""
    settings = Settings.from_environment()
    chosen = settings.api_port if port is None else port
    check_port(chosen)
    note(
        say(
            f"数据调用服务：http://{LOOPBACK}:{chosen}/v1/catalog （Ctrl-C 停止）",
            f"Data-invocation API: http://{LOOPBACK}:{chosen}/v1/catalog (Ctrl-C stops)",
        )
    )
    _share_metrics(settings.home / "metrics")
    # Only now: the metrics' folder is looked at on import.
    from hub.api import serving

    serving.run(LOOPBACK, chosen, workers=workers)
    return OK


def _share_metrics(folder: Path) -> None:
    """Let all worker processes count into one folder, which is emptied first: its numbers begin with the service."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(folder)


def add_to(app: typer.Typer) -> None:
    """Hang the command into the tree."""
    app.command("serve", help=say("启动数据调用服务", "Serve the data-invocation API"))(serve)
