"""Orders batches of a hub and fetches their files, going on where a download stopped; believes what is signed alone.

It is the `batches` of a client; single calls, and how one talks with a hub, are `hub.client`'s.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from hub.batches.errors import ManifestInvalidError
from hub.batches.manifest import MAX_BYTES, NAME, PART_NAME, file_digest, read
from hub.client.errors import BatchNotReadyError, CallUnavailableError, HubUnreachableError
from hub.client.lines import Awaiting, Waiting, awaiting, waiting
from hub.client.talk import OK, PARTIAL, File, Pause, Send, Work
from hub.client.wire import Asked
from hub.errors import AnswerRefusedError
from hub.files import replace_file

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    import pandas as pd
    import pyarrow as pa

    from hub.client.talk import Talk, Talker
    from hub.client.wire import Got, Sent

EVERY_S: Final = 5.0
UNDER_WAY: Final = ("ordered", "running")


@dataclass(frozen=True, slots=True)
class Fetched:
    """The files of a batch in *folder*, each as the *manifest* says, which the hub signed."""

    folder: Path
    manifest: Mapping[str, Any]

    @property
    def paths(self) -> Sequence[Path]:
        """The parts, in order."""
        return tuple(self.folder / part["name"] for part in self.manifest["parts"])

    @property
    def rows(self) -> int:
        """How many rows all the parts have."""
        return int(self.manifest["rows"])

    def to_arrow(self) -> pa.Table:
        """All the rows as one Arrow table, in memory; of CSV, whose cells are texts, all columns are texts.

        For more than memory holds, read `paths` one by one.
        """
        import pyarrow as pa  # noqa: PLC0415 - only whoever asks needs it

        return pa.concat_tables([_table(path) for path in self.paths])

    def to_pandas(self) -> pd.DataFrame:
        """As `to_arrow`, as a pandas data frame."""
        frame: pd.DataFrame = self.to_arrow().to_pandas()
        return frame


class BatchTalks:
    """The batches of one client's department, as talks."""

    def __init__(self, talker: Talker) -> None:
        self._talker = talker

    def order(
        self,
        /,
        code: str,
        *,
        matter: str,
        fields: Sequence[str] | None = None,
        rows: Sequence[str] | None = None,
        grant: str | None = None,
        format: str = "parquet",  # noqa: A002 - what the API calls it
        **purpose: str,
    ) -> Talk[Mapping[str, Any]]:
        """Order a batch of resource *code* for *matter*; *purpose* may add case, operator, replaces.

        *fields*: those wanted, else all that are granted; *rows*: row rules that all must hold, such as
        ``birth >= 1960-01-01``; *format*: parquet, csv or csv.gz. It is not sent again when its answer was lost, for
        it would be ordered twice: see `list` then.

        Raises: as `Client.query`.
        """
        rest = {"fields": fields, "rows": rows, "format": format, "grant": grant, "matter": matter, **purpose}
        return (yield from self._talker.exchange(self._talker.wire.batch(code, **rest))).plain

    def show(self, id_: str) -> Talk[Mapping[str, Any]]:
        """The order as it stands. Raises: as `order`."""
        return (yield from self._talker.exchange(Asked("GET", _address(id_), repeatable=True))).plain

    def list(self) -> Talk[Sequence[Mapping[str, Any]]]:
        """The department's orders, the newest first. Raises: as `order`."""
        plain = (yield from self._talker.exchange(Asked("GET", "/v1/batches", repeatable=True))).plain
        found: Sequence[Mapping[str, Any]] = plain["batches"]
        return found

    def cancel(self, id_: str) -> Talk[Mapping[str, Any]]:
        """Give an order up; its files go. Raises: as `order`."""
        return (yield from self._talker.exchange(Asked("POST", f"{_address(id_)}:cancel"))).plain

    def wait(
        self,
        id_: str,
        *,
        within_s: float = 3600,
        every_s: float = EVERY_S,
        told: Callable[[Mapping[str, Any]], None] | None = None,
    ) -> Talk[Mapping[str, Any]]:
        """Wait until the order is ready, for *within_s* seconds; *told* hears of it each time that it is looked at.

        Raises: as `order`.
            BatchNotReadyError: it never will be (failed, cancelled, expired), or not within the time.
        """
        waited = 0.0
        while True:
            plain: Mapping[str, Any] = yield from self.show(id_)
            if told is not None:
                told(plain)
            if plain["state"] == "ready":
                return plain
            if plain["state"] not in UNDER_WAY or waited >= within_s:
                raise BatchNotReadyError(batch=id_, state=plain["state"], why=(plain["error"] or {}).get("text", ""))
            yield Pause(every_s)
            waited += every_s

    def fetch(self, id_: str, folder: Path, told: Callable[[str, int, int], None] | None = None) -> Talk[Fetched]:
        """Fetch every part into *folder*, then the manifest; may be called again until it succeeds.

        What is there already is kept if its digest fits; a part that came in half is gone on with. A folder that has
        its manifest is whole. *told* hears of each part: name, rows, and rows of all.

        Raises: as `order`.
            ManifestInvalidError: the hub did not sign this manifest.
        """
        address = _address(id_)
        asked = Asked("GET", f"{address}/manifest", repeatable=True)
        data = yield from self._talker.trying(asked, partial(self._manifest, asked))
        manifest = read(data, self._talker.wire.verifiers)
        if manifest["batch"] != id_:
            raise ManifestInvalidError(why="it is another batch's", why_zh="属于其他批量任务")
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for part in manifest["parts"]:
            if PART_NAME.fullmatch(part["name"]) is None:
                raise ManifestInvalidError(why="a part has a name that no part has", why_zh="文件名不合规")
            path = folder / part["name"]
            if not path.is_file() or (yield Work(partial(file_digest, path))) != part["digest"]:
                yield from self._fetch_part(f"{address}/parts/{part['number']}", path, part)
            if told is not None:
                told(part["name"], part["rows"], manifest["rows"])
        replace_file(folder / NAME, data, mode=0o600)
        return Fetched(folder, manifest)

    def _manifest(self, asked: Asked, sent: Sent, got: Got) -> bytes:
        """A file that is signed itself; what the hub says instead of it is signed as an answer."""
        if got.status != OK:
            self._talker.wire.believed(asked, sent, got)
        if len(got.body) > MAX_BYTES:
            raise ManifestInvalidError(why="it is too long", why_zh="过长")
        return got.body

    def _fetch_part(self, address: str, path: Path, part: Mapping[str, Any]) -> Talk[None]:
        """Try as often as it comes further, and some times more."""
        half = path.with_name(path.name + ".half")
        failed, have = 0, _size(half)
        while have < part["bytes"]:
            try:
                yield from self._piece(address, half, have, part)
                break
            except (HubUnreachableError, CallUnavailableError) as error:
                failed = 1 if _size(half) > have else failed + 1
                wait = self._talker.patience.wait_s(error, failed, repeatable=True)
                if wait is None or wait > self._talker.patience.total_s:
                    raise
            yield Pause(wait)
            have = _size(half)
        if (yield Work(partial(file_digest, half))) != part["digest"]:
            half.unlink()
            raise AnswerRefusedError(
                why=f"`{path.name}` is not what the manifest says", why_zh=f"`{path.name}` 与清单不符"
            )
        half.replace(path)

    def _piece(self, address: str, half: Path, have: int, part: Mapping[str, Any]) -> Talk[None]:
        """Bring *half*, of which *have* bytes are there, up to the size of *part*."""
        tag = part["digest"].removeprefix("sha256:")
        fields = {"range": f"bytes={have}-", "if-range": f'"{tag}"'} if have else {}
        asked = Asked("GET", address, fields=fields)
        # Signed anew for every try: the hub takes no signature twice.
        sent = self._talker.wire.sent(asked)
        got: Got = yield Send(sent, File(half, part["bytes"]), self._talker.patience.silence_s)
        if got.status not in (OK, PARTIAL):
            self._talker.wire.believed(asked, sent, got)
            raise AnswerRefusedError(why="it is neither the file nor a problem", why_zh="既不是文件，也不是问题说明")


class Batches(Waiting[BatchTalks]):
    """The batches of one client's department. Every method raises as `Client.query`."""

    order = waiting(BatchTalks.order)
    show = waiting(BatchTalks.show)
    list = waiting(BatchTalks.list)
    cancel = waiting(BatchTalks.cancel)
    wait = waiting(BatchTalks.wait)
    fetch = waiting(BatchTalks.fetch)


class AsyncBatches(Awaiting[BatchTalks]):
    """As `Batches`, to be awaited."""

    order = awaiting(BatchTalks.order)
    show = awaiting(BatchTalks.show)
    list = awaiting(BatchTalks.list)
    cancel = awaiting(BatchTalks.cancel)
    wait = awaiting(BatchTalks.wait)
    fetch = awaiting(BatchTalks.fetch)


def _address(id_: str) -> str:
    return f"/v1/batches/{quote(id_, safe='')}"


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def _table(path: Path) -> pa.Table:
    if path.suffix == ".parquet":
        import pyarrow.parquet as pq  # noqa: PLC0415 - only whoever asks needs it

        return pq.read_table(path)
    import csv  # noqa: PLC0415 - as above
    import gzip  # noqa: PLC0415 - as above

    import pyarrow as pa  # noqa: PLC0415 - as above
    from pyarrow import csv as arrow_csv  # noqa: PLC0415 - as above

    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rt", encoding="utf-8", newline="") as text:
        names = next(csv.reader(text))
    # No value is written as nothing, an empty text as a pair of quotes; a text may hold line ends.
    texts = arrow_csv.ConvertOptions(
        column_types=dict.fromkeys(names, pa.string()),
        null_values=[""],
        strings_can_be_null=True,
        quoted_strings_can_be_null=False,
    )
    with opened(path, "rb") as stream:
        return arrow_csv.read_csv(
            stream, parse_options=arrow_csv.ParseOptions(newlines_in_values=True), convert_options=texts
        )
