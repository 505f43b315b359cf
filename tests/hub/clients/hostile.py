"""A hub that answers as it is told to, byte by byte; and both clients under one suite."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
from contextlib import contextmanager
from datetime import UTC, datetime

from audit.entry import Entry, seal_body
from hub.client import AsyncClient, Client
from hub.receipts import issue
from hub.requests import parse_call
from hub.signatures import AnswerSigner, Component, Request, Response, content_digest

SIGNER = AnswerSigner.from_seed(b"\5" * 32)
OTHER = AnswerSigner.from_seed(b"\6" * 32)
PINNED = SIGNER.verifier.to_text()
ORIGIN = "hostile.example/log"
SALT = "ab" * 32
RECORD = {"name": "张三"}


class Heard:
    """A request as it came."""

    def __init__(self, head, body):
        first, *lines = head.split("\r\n")
        self.method, self.path, _ = first.split(" ")
        self.fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        self.body = body

    @property
    def name(self):
        return self.fields.get("idempotency-key")


class Hub:
    """Gives each request to the next of *acts*, the last of them for ever: (connection, request) → None."""

    def __init__(self, acts, context=None):
        self._context = context
        self.acts, self.heard = list(acts), []
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._socket.settimeout(0.05)
        self.url = f"http{'s' if context else ''}://127.0.0.1:{self._socket.getsockname()[1]}"
        self.ended, self.fault = threading.Event(), None
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def close(self):
        self.ended.set()
        self._thread.join()
        self._socket.close()
        if self.fault is not None:
            raise self.fault

    def _serve(self):
        while not self.ended.is_set():
            try:
                connection, _ = self._socket.accept()
            except TimeoutError:
                continue
            with connection:
                connection.settimeout(5)
                try:
                    if self._context is not None:
                        with self._context.wrap_socket(connection, server_side=True) as wrapped:
                            self._answer(wrapped)
                    else:
                        self._answer(connection)
                except OSError:
                    pass  # It was the client that went away.
                except Exception as error:  # noqa: BLE001 - a fault of the test's own
                    self.fault = error

    def _answer(self, connection):
        data = b""
        while b"\r\n\r\n" not in data:
            more = connection.recv(65536)
            if not more:
                return
            data += more
        head, _, body = data.partition(b"\r\n\r\n")
        heard = Heard(head.decode("latin-1"), b"")
        while len(body) < int(heard.fields.get("content-length", 0)):
            body += connection.recv(65536)
        heard.body = body
        self.heard.append(heard)
        act = self.acts.pop(0) if len(self.acts) > 1 else self.acts[0]
        act(connection, heard)


def message(status, fields, body, *, length=None):
    fields = {"content-length": len(body) if length is None else length, "connection": "close", **fields}
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"HTTP/1.1 {status} X\r\n{head}\r\n".encode() + body


def answer(heard, *, change=lambda parts: None, signer=SIGNER, at=None):
    """A true answer to a query, unless *change* meddles with its parts before they are put together."""
    at = at or datetime.now(UTC)
    content = {"records": [RECORD], "masked": []}
    request = parse_call("query", json.loads(heard.body)).plain()
    parts = {"content": content, "request": request, "at": at, "index": 7, "origin": ORIGIN, "action": "query"}
    change(parts)
    facts = {
        "answer_digest": seal_body(content, bytes.fromhex(SALT)),
        "request_digest": seal_body(parts["request"], bytes.fromhex(SALT)),
        "fields": ["name"],
    }
    leaf = Entry("invocation.answered", parts["at"], "RS", "", "306010/000001", "SX001", facts).encode()
    receipt = issue(signer, ORIGIN, 7, leaf, request_salt=SALT, answer_salt=SALT).plain()
    parts["receipt"] = receipt
    parts.get("after", lambda receipt: None)(receipt)
    body = json.dumps({**parts["content"], "receipt": receipt}, ensure_ascii=False).encode()
    field = f'entry={parts["index"]}, log="{parts["origin"]}"'
    return message(200, {"content-type": "application/json", "zhengtong-receipt": field}, body)


def problem(heard, status, code, *, more=None, signer=SIGNER):
    """A signed problem."""
    body = json.dumps({"code": code, "detail": code}).encode()
    fields = {"content-type": "application/problem+json", "content-digest": content_digest(body)}
    covered = [Component("@status"), *map(Component, fields), Component("@method", req=True)]
    covered += [Component("@path", req=True)]
    if "content-digest" in heard.fields:
        covered.append(Component("content-digest", req=True))
    request = Request(heard.method, heard.path.partition("?")[0], heard.fields)
    fields |= signer.sign(Response(status, fields, request), covered, datetime.now(UTC))
    return message(status, {**fields, **(more or {})}, body)


def says(make=answer, **options):
    return lambda connection, heard: connection.sendall(make(heard, **options))


def hangs_up(connection, heard):
    """Without a word."""


def half(connection, heard):
    whole = answer(heard)
    connection.sendall(whole[: len(whole) - 40])


def silent(connection, heard):
    connection.settimeout(3)
    connection.recv(1)


def drips(connection, heard):
    """Never silent, never done."""
    whole = answer(heard)
    head, _, body = whole.partition(b"\r\n\r\n")
    connection.sendall(head + b"\r\n\r\n")
    for byte in body:
        connection.sendall(bytes([byte]))
        time.sleep(0.02)


def endless(connection, heard):
    connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n\r\n")
    while True:
        connection.sendall(b" " * 65536)


def gateway(status, body=b"<html>", **fields):
    return lambda connection, heard: connection.sendall(message(status, {"content-type": "text/html", **fields}, body))


class Both:
    """A client of either kind, driven alike."""

    def __init__(self, kind):
        self.kind = kind

    def ask(self, url, do, **options):
        """What *do* returns of a client: a value, or what is awaited for it."""
        given = {"base_url": url, "key": "zt_key", "verifier_key": PINNED, "lang": "en", **options}
        if self.kind == "sync":
            with Client(**given) as client:
                return do(client)

        async def go():
            async with AsyncClient(**given) as client:
                return await do(client)

        return asyncio.run(go())

    def query(self, url, **options):
        asked = {"matter": "SX001", "name": options.pop("name", None)}
        return self.ask(url, lambda client: client.query("306010/000001", {"id": "1"}, **asked), **options)


@contextmanager
def hub(*acts, context=None):
    made = Hub(acts, context)
    try:
        yield made
    finally:
        made.close()
