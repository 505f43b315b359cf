"""`zhengtong licence audit …`: all licences of a city at once, offline, from what was handed to the auditor.

The checks are `licence.population`'s, gathering their material `hub.population`'s.
"""

from __future__ import annotations

import hashlib
import heapq
import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hub.cli.common import Json, opened
from hub.cli.language import LANG, say
from hub.cli.output import DATA_INVALID, FINDINGS, LOG_INVALID, NOT_FOUND, OK, fail, note, out, print_json, usage
from hub.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from licence.population.model import Issuer, LicenceRow, PopulationReport, Totals
    from licence.trust import TrustStore

audit = typer.Typer(
    invoke_without_command=True,
    rich_markup_mode=None,
    help=say(
        "全量审计：日志、数据库、状态列表、公布数是否一致", "Audit all licences: log, database, lists and figures agree"
    ),
)
SHOWN = 20
# What an auditor who has looked at a log, a row or a list in question does next is said by these codes.
LOG_CODES = frozenset({"population_log_fault"})


@audit.callback()
def run(
    context: typer.Context,
    *,
    folder: Annotated[
        Path | None,
        typer.Option("--folder", help=say("审计目录（audit export 的产物）", "what `audit export` wrote")),
    ] = None,
    log: Annotated[Path | None, typer.Option("--log", help=say("日志目录", "the log's folder"))] = None,
    rows: Annotated[Path | None, typer.Option("--rows", help=say("数据行（ndjson）", "the rows (ndjson)"))] = None,
    database: Annotated[
        bool, typer.Option("--database", help=say("直接读取本平台数据库", "read this hub's database"))
    ] = False,
    status: Annotated[Path | None, typer.Option("--status", help=say("状态列表目录", "status lists"))] = None,
    totals: Annotated[Path | None, typer.Option("--totals", help=say("公布数（JSON）", "published figures"))] = None,
    issuers: Annotated[
        Path | None, typer.Option("--issuers", help=say("颁发机构及期限（JSON）", "issuers with their dates"))
    ] = None,
    trust: Annotated[
        Path | None,
        typer.Option("--trust", help=say("信任目录（默认为本平台发布的）", "trust folder (default: this hub's)")),
    ] = None,
    at: Annotated[str | None, typer.Option("--at", help=say("审计时间（ISO 8601）", "time of the audit"))] = None,
    within: Annotated[
        int,
        typer.Option("--within", min=1, help=say("撤销从作出到可见的秒数上限", "seconds from a decision to its list")),
    ] = 60,
    sample: Annotated[
        int,
        typer.Option("--sample", min=0, max=10_000, help=say("抽取若干份供调阅", "draw so many licences to be shown")),
    ] = 0,
    html: Annotated[Path | None, typer.Option("--html", help=say("写出网页报告", "write the report as a page"))] = None,
    to_json: Annotated[
        Path | None, typer.Option("--json-file", help=say("写出 JSON 报告", "write the report as JSON"))
    ] = None,
    as_json: Json = False,
) -> int:
    """Exit 0: all agree; 20: findings; 13: the log itself is not whole; 5: a file is malformed or not the one exported.

    Trust is pinned: the keys come from --trust, never from what was handed over.
    """
    if context.invoked_subcommand is not None:
        return OK
    from licence.errors import FormatError
    from licence.population import files
    from licence.population.page import to_html
    from licence.trust import TrustStore

    pinned = TrustStore.load(trust or Settings.from_environment().trust)
    given = _Given(log, rows, status, totals, issuers, pinned, _moment(at), within, sample).within(folder, database)
    if database == (given.rows is not None) or (not database and None in {given.log, given.status, given.issuers}):
        message = say(
            "请用 --folder，或 --database，或同时给出 --log、--rows、--status、--issuers",
            "give --folder, or --database, or all of --log, --rows, --status and --issuers",
        )
        return usage(message, as_json=as_json)
    try:
        differing = [] if folder is None else files.Manifest.read(folder).differing(folder)
        if differing:
            return _incomplete(differing, as_json=as_json)
        report, drawn = _of_database(given) if database else _of_files(given)
    except (OSError, FormatError) as error:
        fail(error, as_json=as_json)
        return NOT_FOUND if isinstance(error, OSError) else DATA_INVALID
    plain = json.loads(report.to_json()) | {"sample": drawn}
    if html is not None:
        html.write_text(to_html(report, LANG), encoding="utf-8")
    if to_json is not None:
        to_json.write_text(json.dumps(plain, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    if as_json:
        print_json(plain)
    else:
        _tell(report, drawn)
    if any(report.tally.get(code) for code in LOG_CODES):
        return LOG_INVALID
    return FINDINGS if report.findings else OK


@audit.command("export", help=say("导出审计所需（不含个人信息）", "Write all that the audit needs"))
def export(
    folder: Annotated[
        Path, typer.Argument(metavar=say("目录", "DIR"), help=say("空目录", "an empty folder"), show_default=False)
    ],
    *,
    as_json: Json = False,
) -> int:
    """Rows, figures with their entry, issuers, status lists and the log, as of one moment, and a manifest of hashes."""
    from hub import population

    with opened() as office:
        done = population.export(office, folder)
    if as_json:
        print_json({"ok": True, **done})
    else:
        note(
            say(
                f"已导出：证照 {done['rows']}，日志条目 {done['entries']}，"
                f"状态列表 {done['lists']}，文件 {done['files']}",
                f"Exported: {done['rows']} licences, {done['entries']} log entries, {done['lists']} status lists, "
                f"{done['files']} files",
            )
        )
        print(folder)
    return OK


@dataclass(frozen=True, slots=True)
class _Given:
    """What the auditor has, and by what it is judged."""

    log: Path | None
    rows: Path | None
    status: Path | None
    totals: Path | None
    issuers: Path | None
    trust: TrustStore
    at: datetime
    seconds: int
    sample: int

    def within(self, folder: Path | None, database: bool) -> _Given:  # noqa: FBT001 - the option as it was given
        """The same, with what *folder* has where nothing else was named."""
        from licence.population import files

        if folder is None:
            return self
        return replace(
            self,
            log=self.log or folder / files.LOG,
            rows=self.rows or (None if database else folder / files.ROWS),
            status=self.status or folder / files.STATUS,
            totals=self.totals or folder / files.TOTALS,
            issuers=self.issuers or folder / files.ISSUERS,
        )


def _of_files(given: _Given) -> tuple[PopulationReport, list[str]]:
    from licence.population.files import read_issuers, read_rows

    if given.log is None or given.rows is None or given.status is None or given.issuers is None:
        raise FileNotFoundError  # the caller has said so already
    issuers = read_issuers(given.issuers)
    return _judge(given, given.log, read_rows(given.rows), _tokens(given.status), issuers, _totals(given))


def _tokens(folder: Path) -> Iterator[str]:
    return (path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.jwt")))


def _of_database(given: _Given) -> tuple[PopulationReport, list[str]]:
    """This hub's own rows and log as of one moment; everything else from files where they are given."""
    import tempfile

    from hub import population
    from licence.population.files import read_issuers

    with (
        opened() as office,
        tempfile.TemporaryDirectory() as scratch,
        population.snapshot(office) as (connection, checkpoint, counted, _, lists),
    ):
        # The log as of the rows: what is written meanwhile is another audit's.
        population.copy_log(office.settings.log, checkpoint, Path(scratch))
        issuers = population.issuers(connection, office) if given.issuers is None else read_issuers(given.issuers)
        figures = counted if given.totals is None else _totals(given)
        tokens = lists.values() if given.status is None else _tokens(given.status)
        return _judge(given, Path(scratch), population.rows(connection, office), tokens, issuers, figures)


def _judge(  # noqa: PLR0917 - what is audited, in the order of its steps
    given: _Given,
    log: Path,
    rows: Iterable[LicenceRow],
    tokens: Iterable[str],
    issuers: dict[str, Issuer],
    totals: Totals,
) -> tuple[PopulationReport, list[str]]:
    from licence.population.auditing import audit_population

    draw = _Draw(given.sample, _root_of(log))
    report = audit_population(
        log,
        given.trust,
        rows=draw(rows),
        tokens=tokens,
        issuers=issuers,
        totals=totals,
        at=given.at,
        visible_within=timedelta(seconds=given.seconds),
    )
    return report, draw.drawn()


class _Draw:
    """Draws licences while rows go by: those whose hash with the log's root is smallest.

    The hub cannot foresee the root when it writes a row, and everybody who has the log draws the same ones.
    """

    def __init__(self, size: int, root: bytes) -> None:
        self._size, self._root = size, root
        self._held: list[tuple[int, str]] = []

    def __call__(self, rows: Iterable[LicenceRow]) -> Iterator[LicenceRow]:
        for row in rows:
            if self._size:
                place = int.from_bytes(hashlib.sha256(self._root + row.identifier.encode()).digest()[:8], "big")
                if len(self._held) < self._size:
                    heapq.heappush(self._held, (-place, row.identifier))
                else:
                    heapq.heappushpop(self._held, (-place, row.identifier))
            yield row

    def drawn(self) -> list[str]:
        """The licences drawn, in the order of their drawing."""
        return [identifier for _, identifier in sorted(self._held, reverse=True)]


def _root_of(log: Path) -> bytes:
    from audit.checkpoint import parse_unverified
    from audit.errors import AuditError

    try:
        return parse_unverified((log / "checkpoint").read_text(encoding="utf-8")).root
    except (OSError, ValueError, AuditError):
        return b""  # the audit itself says what is wrong with it


def _totals(given: _Given) -> Totals:
    from audit.verifiers import Trust
    from licence.population.files import read_totals
    from licence.population.model import Totals as Figures

    return Figures() if given.totals is None else read_totals(given.totals, Trust(given.trust.log_verifiers))


def _incomplete(differing: list[str], *, as_json: bool) -> int:
    if as_json:
        print_json({"ok": False, "code": "audit_folder_differs", "files": differing})
    else:
        note(
            say(
                f"目录与清单不符（{len(differing)} 个文件），请重新获取：",
                f"The folder is not the one in its manifest ({len(differing)} files); have it handed over again:",
            )
        )
        for path in differing[:SHOWN]:
            print(path)
    return DATA_INVALID


def _tell(report: PopulationReport, drawn: list[str]) -> None:
    figures: dict[str, Any] = {
        say("日志条目", "log entries"): report.size,
        say("证照", "licences"): report.licences,
        say("待发", "pending"): report.pending,
        say("状态列表", "status lists"): report.lists,
    }
    note(" · ".join(f"{name} {value:,}" for name, value in figures.items()))
    for count in report.counts:
        if not count.agree:
            out.print(f"✗ {count.what}", markup=False)
    for fault in report.findings[:SHOWN]:
        out.print(f"{fault.where}: {fault.text(LANG)}", markup=False)
    total = sum(report.tally.values())
    if total > SHOWN:
        note(say(f"另有 {total - SHOWN} 处，见报告。", f"{total - SHOWN} more are in the report."))
    for identifier in drawn:
        print(identifier)
    note(
        say("全部一致。", "Everything agrees.") if not total else say(f"发现 {total} 处问题。", f"{total} finding(s).")
    )


def _moment(text: str | None) -> datetime:
    if text is None:
        return datetime.now(UTC)
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        message = say("应为 ISO 8601 时间，如 2026-11-22", "an ISO 8601 time is wanted, e.g. 2026-11-22")
        raise typer.BadParameter(message, param_hint="--at") from error
    return at if at.tzinfo else at.astimezone()
