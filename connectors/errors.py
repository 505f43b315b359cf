"""Why a source could not be read, each class named by what the caller does next.

Leaves it to the caller to retry, stop or ask: `retryable` says which.

    ConnectorError
    ├── SourceUnavailableError     try again: the system does not answer, is locked, or asks us to wait
    ├── SourceIncompleteError      try again later: what is there is half-written, or changed while we read
    ├── SourceEncodingError        mend the input: bytes that are not in the declared encoding
    ├── SourceShapeError           mend the input or the list: columns, rows or pages are not as agreed
    │   └── SourceLapsedError      reload in full: changes since the cursor cannot be had any more
    ├── SourceObjectMissingError   mend the list or ask the department: no such table, file, sheet or path
    ├── SourceDeniedError          call a person: token or password refused
    ├── SourceHostileError         call a person: the input looks built to harm (zip bomb, XML entities)
    ├── ConnectorSettingsError     mend our own settings
    └── LandingFailedError         free the disk, then run again: our own side could not write

An error's message never holds a value of a row: only names of files, headings, counts and positions.
"""

from __future__ import annotations

from typing import ClassVar

from connectors.problems import PROBLEMS


class ConnectorError(Exception):
    """Base of all; *problem* is a code of `connectors.problems.PROBLEMS`, *where* is file:line, sheet, table or URL.

    The remaining parameters are those the code's sentence names. Picklable, so that it can cross to a parent process.
    """

    en: ClassVar[str] = "{where}: {what}"
    zh: ClassVar[str] = "{where}：{what}"
    retryable: ClassVar[bool] = False

    def __init__(self, *, problem: str, where: str, **params: object) -> None:
        self.problem = problem
        self.where = where
        self.params: dict[str, object] = {"problem": problem, "where": where, **params}
        super().__init__(self.text("en"))

    def text(self, lang: str) -> str:
        """The whole message in *lang*: ``zh`` for Chinese, anything else for English."""
        english, chinese = PROBLEMS[self.problem]
        what = (chinese if lang == "zh" else english).format(**self.params)
        return (self.zh if lang == "zh" else self.en).format(**{**self.params, "what": what})

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild, (type(self), self.params))


def _rebuild(kind: type[ConnectorError], params: dict[str, str]) -> ConnectorError:
    return kind(**params)


class SourceUnavailableError(ConnectorError):
    """The system does not answer now. ``params["retry_after_s"]`` is set when it said how long to wait."""

    en = "{where}: {what}. Try again"
    zh = "{where}：{what}。请稍后重试"
    retryable = True


class SourceIncompleteError(ConnectorError):
    """What is there is not whole yet."""

    en = "{where}: {what}. Try again once the department has finished writing it"
    zh = "{where}：{what}。请待提供部门写完后再试"
    retryable = True


class SourceEncodingError(ConnectorError):
    """Bytes that are not text in the declared encoding; nothing is ever replaced silently."""

    en = "{where}: {what}. Declare the right encoding or have the file mended"
    zh = "{where}：{what}。请更正声明的编码，或请提供部门修正文件"


class SourceShapeError(ConnectorError):
    """Columns, rows or pages are not as the list and the department agreed."""

    en = "{where}: {what}. Mend the source, or agree a new version of the list"
    zh = "{where}：{what}。请修正来源，或商定责任清单新版本"


class SourceLapsedError(SourceShapeError):
    """Changes since the cursor are not to be had any more; what the table holds is as of the last commit."""

    en = "{where}: {what}. Reload the resource in full"
    zh = "{where}：{what}。请全量重新加载该资源"


class SourceObjectMissingError(ConnectorError):
    """The source answers, but holds no such table, file, sheet, member or path."""

    en = "{where}: {what}. Check the object's name on the list, or ask the department"
    zh = "{where}：{what}。请核对清单中的对象名称，或联系提供部门"


class SourceDeniedError(ConnectorError):
    """The system refuses us. Trying again may lock the account."""

    en = "{where}: {what}. Ask the department to grant or renew our access; do not retry"
    zh = "{where}：{what}。请联系提供部门授权或更新凭证，勿自动重试"


class SourceHostileError(ConnectorError):
    """The input is built such that reading it on would harm us."""

    en = "{where}: {what}. Nothing was read; have a person look at the file"
    zh = "{where}：{what}。未读取任何内容，请人工检查该文件"


class ConnectorSettingsError(ConnectorError):
    """Our own settings or options are wrong; the source was not touched."""

    en = "{where}: {what}. Mend the settings"
    zh = "{where}：{what}。请更正配置"


class LandingFailedError(ConnectorError):
    """The landed file could not be written; no file stands at its name, and the source is untouched."""

    en = "{where}: {what}. Free the disk or mend the folder, then run again"
    zh = "{where}：{what}。请清理磁盘或修复目录后重新运行"
