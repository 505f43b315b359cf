"""Orders batches of a hub and fetches their files, going on where a download stopped; believes what is signed alone.

Single calls are made with `hub.client`.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any, Final, Self
from urllib.parse import quote

import httpx

from hub.batches.errors import ManifestInvalidError
from hub.batches.manifest import NAME, PART_NAME, file_digest, read
from hub.client.errors import HubUnreachableError
from hub.client.wire import Asked, Got, Sent, Wire
from hub.errors import AnswerRefusedError
from hub.files import replace_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path
    from types import TracebackType

    from hub.signing.algorithms import PrivateKey

TIMEOUT_S: Final = 60.0
TRIES: Final = 5  # of one part, each where the one before it stopped
WAIT_S: Final = 2.0


class BatchClient:
    """Talks to one hub; *key* is a caller key, or the system's own private key, with which every request is signed.

    *verifier_key* is the hub's ``ed25519:…`` answer key. Use as a context.
    """

    def __init__(
        self,
        base_url: str,
        key: str | PrivateKey,
        verifier_key: str,
        *,
        lang: str = "zh",
        http: httpx.Client | None = None,
    ) -> None:
        # No proxy from the environment: the key goes to the address that was given and nowhere else.
        self._http = http or httpx.Client(timeout=TIMEOUT_S, trust_env=False)
        self._wire = Wire(base_url, key, verifier_key, lang=lang)
        self._closes = True

    @classmethod
    def over(cls, wire: Wire, http: httpx.Client) -> Self:
        """The batches of a client that is open already, and closes its own connection when it ends."""
        made = cls.__new__(cls)
        made._wire, made._http, made._closes = wire, http, False  # noqa: SLF001 - its own
        return made

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        if self._closes:
            self._http.close()

    def order(self, code: str, order: Mapping[str, Any]) -> dict[str, Any]:
        """Order a batch of resource *code*; *order* as the API's body.

        Raises:
            CallFailedError: what the hub says, verifiably. AnswerRefusedError: do not believe what came.
            HubUnreachableError
        """
        return self._exchange("POST", f"/v1/resources/{quote(code, safe='')}:batch", order)

    def show(self, id_: str) -> dict[str, Any]:
        """The order as it stands. Raises: as `order`."""
        return self._exchange("GET", f"/v1/batches/{quote(id_, safe='')}")

    def list(self) -> Any:  # noqa: ANN401 - a JSON array
        """The department's orders, the newest first. Raises: as `order`."""
        return self._exchange("GET", "/v1/batches")["batches"]

    def cancel(self, id_: str) -> dict[str, Any]:
        """Give an order up. Raises: as `order`."""
        return self._exchange("POST", f"/v1/batches/{quote(id_, safe='')}:cancel")

    def fetch(self, id_: str, folder: Path, told: Callable[[str, int, int], None] | None = None) -> dict[str, Any]:
        """Fetch every part into *folder*, then the manifest, which is returned; may be called again until it succeeds.

        What is there already is kept if its digest fits; a part that came in half is gone on with. A folder that has
        its manifest is whole. *told* hears of each part: name, rows, and rows of all.

        Raises:
            CallFailedError, HubUnreachableError, AnswerRefusedError: as `order`.
            ManifestInvalidError: the hub did not sign this manifest.
        """
        address = f"/v1/batches/{quote(id_, safe='')}"
        data = self._get(f"{address}/manifest")
        manifest = read(data, self._wire.verifiers)
        if manifest["batch"] != id_:
            raise ManifestInvalidError(why="it is another batch's", why_zh="属于其他批量任务")
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for part in manifest["parts"]:
            if PART_NAME.fullmatch(part["name"]) is None:
                raise ManifestInvalidError(why="a part has a name that no part has", why_zh="文件名不合规")
            path = folder / part["name"]
            if not path.is_file() or file_digest(path) != part["digest"]:
                self._fetch_part(f"{address}/parts/{part['number']}", path, part)
            if told is not None:
                told(part["name"], part["rows"], manifest["rows"])
        replace_file(folder / NAME, data, mode=0o600)
        return manifest

    def _fetch_part(self, address: str, path: Path, part: Mapping[str, Any]) -> None:
        half = path.with_name(path.name + ".half")
        for attempt in range(TRIES):
            try:
                self._append(address, half, part)
                break
            except httpx.TransportError as error:
                if attempt == TRIES - 1:
                    raise HubUnreachableError(url=self._wire.base_url, why=type(error).__name__) from error
                time.sleep(WAIT_S * attempt)
        if file_digest(half) != part["digest"]:
            half.unlink()
            raise AnswerRefusedError(why=f"`{path.name}` is not what the manifest says")
        half.replace(path)

    def _append(self, path: str, half: Path, part: Mapping[str, Any]) -> None:
        """Bring *half* up to the size of *part*."""
        have = half.stat().st_size if half.is_file() else 0
        if have >= part["bytes"]:
            return
        tag = part["digest"].removeprefix("sha256:")
        fields = {"range": f"bytes={have}-", "if-range": f'"{tag}"'} if have else {}
        # Signed anew for every try: the hub takes no request twice.
        asked = Asked("GET", path, fields=fields)
        sent = self._wire.sent(asked)
        with self._http.stream("GET", sent.url, headers=sent.fields) as got:
            if got.status_code not in (httpx.codes.OK, httpx.codes.PARTIAL_CONTENT):
                got.read()
                self._wire.believed(asked, sent, _got(got))
                raise AnswerRefusedError(why="it is neither the file nor a problem")
            # The hub may answer whole what was asked in part.
            mode = os.O_APPEND if got.status_code == httpx.codes.PARTIAL_CONTENT else os.O_TRUNC
            descriptor = os.open(half, os.O_WRONLY | os.O_CREAT | mode, 0o600)
            with os.fdopen(descriptor, "ab") as stream:
                for chunk in _bounded(got, part["bytes"]):
                    stream.write(chunk)
                stream.flush()
                os.fsync(stream.fileno())

    def _get(self, path: str) -> bytes:
        """A file that is signed itself; what the hub says instead of it is signed as an answer."""
        asked = Asked("GET", path)
        sent, got = self._sent(asked)
        if got.status != httpx.codes.OK:
            self._wire.believed(asked, sent, got)
        return got.body

    def _exchange(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        asked = Asked(method, path, body)
        return dict(self._wire.believed(asked, *self._sent(asked)).plain)

    def _sent(self, asked: Asked) -> tuple[Sent, Got]:
        sent = self._wire.sent(asked)
        try:
            got = self._http.request(sent.method, sent.url, content=sent.content or None, headers=sent.fields)
        except httpx.TransportError as error:
            raise HubUnreachableError(url=self._wire.base_url, why=type(error).__name__) from error
        return sent, _got(got)


def _got(got: httpx.Response) -> Got:
    return Got(got.status_code, {name.lower(): value for name, value in got.headers.items()}, got.content)


def _bounded(got: httpx.Response, most: int) -> Iterator[bytes]:
    """The body, no more of it than the manifest says: an endless one fills no disk."""
    seen = 0
    for chunk in got.iter_bytes():
        seen += len(chunk)
        if seen > most:
            raise AnswerRefusedError(why="more came than the manifest says")
        yield chunk
