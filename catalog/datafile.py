"""The small data files of the catalogue: calendars, clocks, synonyms. A city may replace each by its own.

Here is what they share: how they are read, and what may be wrong with one; what they mean is said by who reads them.
"""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Final

from catalog.errors import CatalogError

if TYPE_CHECKING:
    from collections.abc import Sequence

DATA: Final = Path(__file__).parent / "data"
# A century of holidays, a thousand profiles, ten thousand synonyms are smaller.
MAX_FILE_BYTES: Final = 1_000_000

# What may be wrong with such a file, by code: (English, Chinese).
DATA_FAULTS: dict[str, tuple[str, str]] = {
    "unreadable": ("cannot be read ({detail}); check path and permissions", "无法读取（{detail}），请检查路径和权限"),
    "too_big": ("larger than {limit} bytes; delete what is no part of it", "超过 {limit} 字节，请删除无关内容"),
    "encoding": ("not UTF-8; save the file as UTF-8", "不是 UTF-8 编码，请另存为 UTF-8"),
    "headings": ("the first row must be `{expected}`", "首行应为 `{expected}`"),
    "cells": (
        "{found} cells where {expected} are needed: date, kind, name",
        "应有 {expected} 列（日期、类别、名称），实有 {found} 列",
    ),
    "date": ("`{value}` is no date; write it like 2026-10-01", "`{value}` 不是有效日期，请按 2026-10-01 的格式填写"),
    "kind": ("`{value}` is neither `holiday` nor `workday`", "`{value}` 应为 `holiday`（休息）或 `workday`（上班）"),
    "name": ("the name of the holiday is empty; fill it in", "节日名称为空，请填写"),
    "duplicate": (
        "`{value}` stands twice (first in line {first}); delete one",
        "`{value}` 重复（首次见第 {first} 行），请删除其一",
    ),
    "worked_anyway": (
        "`{value}` is no weekend day and worked anyway; check the date",
        "`{value}` 不是周末，本就上班，请核对日期",
    ),
    "year_line": (
        "write the source of a year as `#year,2026,the notice it is taken from`",
        "年度来源行应写作 `#year,2026,所依据的通知`",
    ),
    "year_without_source": (
        "the year {value} has no source; add a line `#year,{value},…`",
        "{value} 年没有来源，请补充 `#year,{value},…` 行",
    ),
    "syntax": ("not well-formed YAML; mind indentation, colons and quotes", "不符合 YAML 语法，请检查缩进、冒号和引号"),
    "shape": ("`{member}` must be {expected}", "`{member}` 应为{expected_zh}"),
    "unknown": ("`{member}` is unknown here; allowed: {allowed}", "`{member}` 不是此处的属性，可用：{allowed}"),
    "missing": ("`{member}` is missing; add it", "缺少 `{member}`，请补充"),
    "rule_missing": (
        "profile `{profile}` lacks the rule `{rule}`; add it",
        "时限方案 `{profile}` 缺少规则 `{rule}`，请补充",
    ),
    "rule_twice": ("rule `{rule}` stands twice; delete one", "规则 `{rule}` 重复，请删除其一"),
    "profile_unknown": ("there is no profile `{value}`; known: {allowed}", "没有时限方案 `{value}`，现有：{allowed}"),
    "extends": (
        "`{value}` cannot be extended: it is no profile that stands before this one",
        "无法继承 `{value}`：它不是排在前面的时限方案",
    ),
    "synonym": ("two words are needed: label, standard", "应填写两项：表单用语、标准名称"),
    "synonym_twice": (
        "`{value}` already means `{first}`; delete one",
        "`{value}` 已对应 `{first}`，请删除其一",
    ),
    "synonym_chain": (
        "`{value}` is itself written for `{standard}`; name that one",
        "`{value}` 本身对应 `{standard}`，请直接填写后者",
    ),
}


@dataclass(frozen=True, slots=True)
class DataFault:
    """One fault of a data file; *where* is ``file`` or ``file:line``, *code* a key of `DATA_FAULTS`."""

    where: str
    code: str
    params: tuple[tuple[str, str], ...] = ()

    def text(self, lang: str) -> str:
        """What is wrong and the mend, in Chinese for ``zh`` and in English for anything else."""
        en, zh = DATA_FAULTS[self.code]
        return (zh if lang == "zh" else en).format(**dict(self.params))


def fault(where: str, code: str, **params: str) -> DataFault:
    """A fault with its words."""
    return DataFault(where, code, tuple(params.items()))


class DataFileInvalidError(CatalogError):
    """A data file must be mended; *faults* names every fault at once."""

    code: ClassVar[str] = "data_file_invalid"
    en: ClassVar[str] = "A data file of the catalogue has faults; mend them."
    zh: ClassVar[str] = "目录数据文件有误，请改正。"

    def __init__(self, faults: Sequence[DataFault]) -> None:
        self.faults = tuple(faults)
        super().__init__()

    def __str__(self) -> str:
        return self.text("en")

    def text(self, lang: str) -> str:
        """Every fault, a line each."""
        return "\n".join(f"{found.where}: {found.text(lang)}" for found in self.faults)


def read_text(path: Path) -> str:
    """The text of a data file, UTF-8 with or without a byte order mark.

    Raises:
        DataFileInvalidError: it cannot be opened, is too big, or is not UTF-8.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        detail = error.strerror or type(error).__name__
        raise DataFileInvalidError([fault(path.name, "unreadable", detail=detail)]) from error
    if len(data) > MAX_FILE_BYTES:
        raise DataFileInvalidError([fault(path.name, "too_big", limit=f"{MAX_FILE_BYTES:,}")])
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataFileInvalidError([fault(path.name, "encoding")]) from error


def cells_by_line(text: str) -> list[tuple[int, list[str]]]:
    """The rows of a CSV text that are not blank, each with its line, from 1. No cell of these files spans lines."""
    rows = []
    for number, line in enumerate(text.splitlines(), start=1):
        cells = [cell.strip() for cell in next(csv.reader(io.StringIO(line)), [])]
        if any(cells):
            rows.append((number, cells))
    return rows
