"""Drives talks (`hub.client.talk`) over HTTP: one line that waits, and one that lets others run meanwhile.

What is said on a line is the same on both; here is only how bytes, seconds and files are waited for.
"""

from __future__ import annotations

import functools
import inspect
import ssl
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Concatenate, Generic, ParamSpec, TypeVar

import httpx

from hub.client.errors import ClientSettingError, HubCertificateError, HubUnreachableError
from hub.client.talk import File, Pause, Send

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator
    from pathlib import Path

    from hub.client.talk import Step, Talk, Talker

P = ParamSpec("P")
S = TypeVar("S")
T = TypeVar("T")
# Answers are as they were signed: nothing is unpacked on the way.
_AS_IT_IS = {"accept-encoding": "identity"}


class Line:
    """A line that waits. May be shared by threads."""

    def __init__(self, talker: Talker, ca_file: Path | None = None, http: httpx.Client | None = None) -> None:
        self.talker = talker
        # No proxy from the environment: the key goes to the address that was given and nowhere else.
        self.http = http or httpx.Client(verify=_trusted(talker.wire.base_url, ca_file), trust_env=False)

    def run(self, talk: Talk[T]) -> T:
        """What *talk* comes to. Raises: what it raises."""
        value: object = None
        error: HubUnreachableError | None = None
        try:
            while True:
                step = talk.send(value) if error is None else talk.throw(error)
                value, error = None, None
                try:
                    value = self._take(step)
                except HubUnreachableError as caught:
                    error = caught
        except StopIteration as end:
            made: T = end.value
            return made
        finally:
            talk.close()

    def _take(self, step: Step) -> object:
        if isinstance(step, Pause):
            time.sleep(step.seconds)
            return None
        if not isinstance(step, Send):
            return step.do()
        ends = time.monotonic() + step.within_s
        with _heard(self.talker.wire.base_url, step), self.http.stream(**_request(step)) as got:
            step.sink.begin(got.status_code, _fields(got))
            for chunk in got.iter_bytes():
                step.sink.take(chunk)
                if time.monotonic() > ends:
                    raise _too_slow(self.talker.wire.base_url, step)
            return step.sink.end()


class AsyncLine:
    """As `Line`, on an event loop, for any number of its tasks."""

    def __init__(self, talker: Talker, ca_file: Path | None = None, http: httpx.AsyncClient | None = None) -> None:
        self.talker = talker
        self.http = http or httpx.AsyncClient(verify=_trusted(talker.wire.base_url, ca_file), trust_env=False)

    async def run(self, talk: Talk[T]) -> T:
        """As `Line.run`."""
        value: object = None
        error: HubUnreachableError | None = None
        try:
            while True:
                step = talk.send(value) if error is None else talk.throw(error)
                value, error = None, None
                try:
                    value = await self._take(step)
                except HubUnreachableError as caught:
                    error = caught
        except StopIteration as end:
            made: T = end.value
            return made
        finally:
            talk.close()

    async def _take(self, step: Step) -> object:
        import asyncio  # noqa: PLC0415 - a client that waits needs none of it

        if isinstance(step, Pause):
            await asyncio.sleep(step.seconds)
            return None
        if not isinstance(step, Send):
            return await asyncio.to_thread(step.do)
        try:
            async with asyncio.timeout(None if step.within_s == float("inf") else step.within_s):
                return await self._send(step)
        except TimeoutError as error:
            raise _too_slow(self.talker.wire.base_url, step) from error

    async def _send(self, step: Send) -> object:
        import asyncio  # noqa: PLC0415 - as in `_take`

        with _heard(self.talker.wire.base_url, step):
            async with self.http.stream(**_request(step)) as got:
                step.sink.begin(got.status_code, _fields(got))
                async for chunk in got.aiter_bytes():
                    # At once, not in a thread: a task that is cancelled must not leave one that still writes.
                    step.sink.take(chunk)
                return await asyncio.to_thread(step.sink.end) if step.sink.blocks else step.sink.end()


class Waiting(Generic[S]):
    """What offers the talks of *talks* as methods that wait (`waiting`)."""

    def __init__(self, line: Line, talks: S) -> None:
        self._line, self._talks = line, talks


class Awaiting(Generic[S]):
    """What offers the talks of *talks* as coroutines (`awaiting`)."""

    def __init__(self, line: AsyncLine, talks: S) -> None:
        self._line, self._talks = line, talks


def waiting(talk: Callable[Concatenate[S, P], Talk[T]]) -> Callable[Concatenate[Waiting[S], P], T]:
    """*talk* as a method that waits for what it comes to, of the same signature and documentation."""

    def method(self: Waiting[S], /, *args: P.args, **kwargs: P.kwargs) -> T:
        return self._line.run(talk(self._talks, *args, **kwargs))

    return _signed_as(method, talk)


def awaiting(talk: Callable[Concatenate[S, P], Talk[T]]) -> Callable[Concatenate[Awaiting[S], P], Awaitable[T]]:
    """As `waiting`, to be awaited."""

    async def method(self: Awaiting[S], /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await self._line.run(talk(self._talks, *args, **kwargs))

    return _signed_as(method, talk)


def _signed_as(method: T, talk: Callable[..., Any]) -> T:
    """*method*, which says that it returns what *talk* comes to, for whoever asks `help`."""
    signature = inspect.signature(talk)
    comes_to = str(signature.return_annotation).removeprefix("Talk[").removesuffix("]")
    functools.update_wrapper(method, talk)  # type: ignore[arg-type]
    method.__signature__ = signature.replace(return_annotation=comes_to)  # type: ignore[attr-defined]
    return method


def _request(step: Send) -> dict[str, Any]:
    sent = step.sent
    timeout = httpx.Timeout(min(step.silence_s, step.within_s))
    fields = {**_AS_IT_IS, **sent.fields}
    return {
        "method": sent.method,
        "url": sent.url,
        "content": sent.content or None,
        "headers": fields,
        "timeout": timeout,
        "follow_redirects": False,
    }


def _fields(got: httpx.Response) -> dict[str, str]:
    return {name.lower(): value for name, value in got.headers.items()}


def _trusted(base_url: str, ca_file: Path | None) -> ssl.SSLContext | bool:
    """The certificates that are trusted: those of *ca_file*, else the ones that httpx brings."""
    if ca_file is None:
        # Without TLS nothing has to be trusted, and the certificates take a while to load.
        return base_url.startswith("https:")
    try:
        return ssl.create_default_context(cafile=str(ca_file))
    except OSError as error:
        raise ClientSettingError(
            what=str(ca_file), why="no certificates can be read from it", why_zh="无法从中读取证书"
        ) from error


@contextmanager
def _heard(url: str, step: Send) -> Iterator[None]:
    """Turn what may happen on the line into words, and close the file that was being written."""
    try:
        yield
    except (httpx.HTTPError, httpx.StreamError) as error:
        raise _unreachable(url, step, error) from error
    finally:
        if isinstance(step.sink, File):
            step.sink.close()


def _too_slow(url: str, step: Send) -> HubUnreachableError:
    seconds = f"{step.within_s:.0f}"
    found = HubUnreachableError(
        url=url, why=f"its answer was not whole after {seconds} s", why_zh=f"{seconds} 秒内应答未完整送达"
    )
    found.lost = True
    return found


def _unreachable(url: str, step: Send, error: Exception) -> HubUnreachableError:
    """What *error* of the line means for whoever called."""
    below = error.__cause__ or error.__context__
    while below is not None and not isinstance(below, OSError):
        below = below.__cause__ or below.__context__
    if isinstance(below, ssl.SSLCertVerificationError):
        return HubCertificateError(url=url, why=below.verify_message, why_zh=below.verify_message)
    if isinstance(below, ssl.SSLError):
        why = "it does not speak TLS as it should; is it https?"
        found = HubUnreachableError(url=url, why=why, why_zh="TLS 握手失败，请核对是否应使用 https")
    elif type(below).__name__ == "gaierror":
        found = HubUnreachableError(url=url, why="its name is not known", why_zh="域名无法解析")
    else:
        en, zh = next((words for kinds, words in _WORDS if isinstance(error, kinds)), _BROKE_OFF)
        seconds = f"{min(step.silence_s, step.within_s):.0f}"
        found = HubUnreachableError(url=url, why=en.format(seconds=seconds), why_zh=zh.format(seconds=seconds))
    found.lost = not isinstance(error, _NEVER_SENT)
    return found


_NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
_BROKE_OFF = ("the connection broke off before the answer was whole", "应答未完整送达时连接中断")
_WORDS: tuple[tuple[type[Exception], tuple[str, str]], ...] = (
    (httpx.ConnectTimeout, ("no connection within {seconds} s", "{seconds} 秒内未能建立连接")),
    (httpx.PoolTimeout, ("all connections are busy", "连接均被占用")),
    (httpx.ConnectError, ("nothing listens there, or no way leads there", "连接被拒绝或网络不通")),
    (httpx.TimeoutException, ("it was silent for {seconds} s", "{seconds} 秒内没有响应")),
)
