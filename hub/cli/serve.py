"""`zhengtong serve`: the data-invocation API on loopback."""

from __future__ import annotations

import errno
import socket
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
) -> int:
    """Serve until Ctrl-C."""
    import uvicorn

    from hub.api import create_app

    settings = Settings.from_environment()
    chosen = settings.api_port if port is None else port
    check_port(chosen)
    note(
        say(
            f"数据调用服务：http://{LOOPBACK}:{chosen}/v1/catalog （Ctrl-C 停止）",
            f"Data-invocation API: http://{LOOPBACK}:{chosen}/v1/catalog (Ctrl-C stops)",
        )
    )
    uvicorn.run(create_app(settings), host=LOOPBACK, port=chosen, log_level="warning", access_log=False)
    return OK


def add_to(app: typer.Typer) -> None:
    """Hang the command into the tree."""
    app.command("serve", help=say("启动数据调用服务", "Serve the data-invocation API"))(serve)
