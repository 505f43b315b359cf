"""`zhengtong serve`: the data-invocation API, on loopback or, with TLS, where departments reach it."""

from __future__ import annotations

import errno
import os
import shutil
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hub.cli.language import say
from hub.cli.output import OK, note
from hub.errors import PortInUseError, QueryInvalidError
from hub.settings import LOOPBACK, Settings

if TYPE_CHECKING:
    from hub.api.tls import Tls


def check_port(port: int, host: str = LOOPBACK) -> None:
    """Find out now, with a sentence, rather than later, with a traceback, that a port is taken.

    Raises:
        PortInUseError: another program listens there.
    """
    family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    with socket.socket(family, kind) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(address)
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
    certificate: Annotated[
        Path | None,
        typer.Option("--certificate", help=say("自行启用 TLS：证书链文件（PEM）", "speak TLS: its certificates, PEM")),
    ] = None,
    private_key: Annotated[
        Path | None, typer.Option("--private-key", help=say("证书的私钥文件（PEM）", "the certificate's key, PEM"))
    ] = None,
    client_ca: Annotated[
        Path | None,
        typer.Option(
            "--client-ca",
            help=say("签发客户端证书的机构证书（PEM）", "authorities of clients' certificates, PEM"),
        ),
    ] = None,
    host: Annotated[
        str, typer.Option("--host", help=say("监听地址；非本机地址须启用 TLS", "address; TLS unless this machine's"))
    ] = LOOPBACK,
) -> int:
    """Serve until Ctrl-C."""
    settings = Settings.from_environment()
    chosen = settings.api_port if port is None else port
    tls = _tls(certificate, private_key, client_ca, host)
    check_port(chosen, host)
    where = f"{'http' if tls is None else 'https'}://{f'[{host}]' if ':' in host else host}:{chosen}/v1/catalog"
    note(say(f"数据调用服务：{where} （Ctrl-C 停止）", f"Data-invocation API: {where} (Ctrl-C stops)"))
    _share_metrics(settings.home / "metrics")
    # Only now: the metrics' folder is looked at on import.
    from hub.api import serving

    serving.run(host, chosen, workers=workers, tls=tls)
    return OK


def _tls(certificate: Path | None, private_key: Path | None, client_ca: Path | None, host: str) -> Tls | None:
    """The files of TLS, if it is to be spoken. Nobody outside is answered in the clear.

    Raises:
        QueryInvalidError: one of the options needs another.
        TlsFilesError: one of the files cannot be used.
    """
    from hub.api.tls import Tls

    if certificate is None or private_key is None:
        alone = next((n for n, f in (("--certificate", certificate), ("--private-key", private_key)) if f), None)
        if alone or client_ca is not None or host != LOOPBACK:
            raise QueryInvalidError(
                where=alone or ("--host" if client_ca is None else "--client-ca"),
                why="it goes with `--certificate` and `--private-key`",
                why_zh="须与 `--certificate` 和 `--private-key` 一起使用",
            )
        return None
    tls = Tls(certificate, private_key, client_ca)
    tls.check()
    return tls


def _share_metrics(folder: Path) -> None:
    """Let all worker processes count into one folder, which is emptied first: its numbers begin with the service."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(folder)


def add_to(app: typer.Typer) -> None:
    """Hang the command into the tree."""
    app.command("serve", help=say("启动数据调用服务", "Serve the data-invocation API"))(serve)
