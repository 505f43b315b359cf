"""The errors of this package, named by what the caller does next.

    CatalogError
    ├── ListInvalidError      mend the list: it was read, and every fault in it is named
    ├── ListUnreadableError   get the file again or save it anew: nothing in it could be judged
    ├── ListTooLongForExcelError  export to YAML instead
    └── IdentifierError       mend the identifier

What each single fault of a list means is `catalog.faults`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from catalog.faults import Fault


class CatalogError(Exception):
    """Base of this package's errors; `text` gives the message in either language."""

    en: ClassVar[str] = "the catalogue failed"
    zh: ClassVar[str] = "目录处理失败"

    def __init__(self, **params: object) -> None:
        self.params = params
        super().__init__(self.text("en"))

    def text(self, lang: str) -> str:
        """The message in Chinese for ``zh`` and in English for anything else."""
        return (self.zh if lang == "zh" else self.en).format(**self.params)


class ListInvalidError(CatalogError):
    """The file was read, and the list in it breaks rules. Mend every fault named and load again.

    *faults* holds warnings too, in the order of the file; at least one has severity ``error``.
    """

    en = "{path}: {count} faults in the responsibility list; mend them and load again"
    zh = "{path}：数据共享责任清单有 {count} 处错误，请改正后重新导入"

    def __init__(self, faults: tuple[Fault, ...], path: str) -> None:
        self.faults = faults
        self.path = path
        super().__init__(path=path, count=sum(f.severity == "error" for f in faults))

    def text(self, lang: str) -> str:
        """The summary on one line, then one line for each fault, warnings marked as such."""
        lines = [super().text(lang)]
        lines += [f"  {fault.where}  {fault.text(lang)}" for fault in self.faults]
        return "\n".join(lines)


# Why a file cannot be read, and the mend, by code: (English, Chinese).
UNREADABLE: dict[str, tuple[str, str]] = {
    "not_found": ("no such file; check the path", "文件不存在，请检查路径"),
    "not_permitted": (
        "the file cannot be opened ({detail}); check its permissions",
        "文件无法打开（{detail}），请检查权限",
    ),
    "suffix": (
        "`{detail}` is no form of list; give a .xlsx or .yaml file, or a folder or .zip of CSV files, one per table",
        "不支持 `{detail}` 格式，请提供 .xlsx 或 .yaml 文件，或每表一个 CSV 文件的文件夹或 .zip",
    ),
    "encoding": (
        "the text is not UTF-8 (looks like {detail}); save the file as UTF-8",
        "文本不是 UTF-8 编码（疑似 {detail}），请另存为 UTF-8",
    ),
    "syntax": (
        "line {detail}: not well-formed YAML; mend the line, mind indentation, colons and quotes",
        "第 {detail} 行：不符合 YAML 语法，请检查缩进、冒号和引号",
    ),
    "nesting": (
        "line {detail}: nested deeper than any list is; remove the extra brackets or indentation",
        "第 {detail} 行：嵌套层次超出清单结构，请删除多余的括号或缩进",
    ),
    "encrypted": (
        "the file has a password or is in the old .xls format; remove the password, save a workbook as .xlsx",
        "文件已加密或为旧版 .xls 格式，请去除密码，工作簿请另存为 .xlsx",
    ),
    "truncated": (
        "the file is truncated or damaged ({detail}); get it again",
        "文件不完整或已损坏（{detail}），请重新获取",
    ),
    "too_big": (
        "unpacked it is larger than {detail} MiB; remove pictures and sheets that are no part of the list",
        "解压后超过 {detail} MiB，请删除与清单无关的图片和工作表",
    ),
    "too_big_file": (
        "the file is larger than {detail} MiB; remove pictures and sheets that are no part of the list",
        "文件超过 {detail} MiB，请删除与清单无关的图片和工作表",
    ),
    "too_many_parts": (
        "the archive has more than {detail} entries, which no list has; get the file again",
        "压缩包内超过 {detail} 个文件，不符合清单结构，请重新获取文件",
    ),
    "no_tables": (
        "no CSV file in it; put one for each table, named 封面.csv, 部门.csv, 资源.csv, 信息项.csv, 责任.csv",
        "其中没有 CSV 文件，请每表放入一个：封面.csv、部门.csv、资源.csv、信息项.csv、责任.csv",
    ),
    "csv": (
        "line {detail}: the quotes do not close; write a quote within a value twice",
        "第 {detail} 行：引号不配对，值内的引号请写两次",
    ),
    "too_many_rows": (
        "it has more than {detail} rows; delete blank formatted rows below the table, or split the list",
        "超过 {detail} 行，请删除表格下方带格式的空行，或拆分清单",
    ),
    "too_wide": (
        "a sheet covers more than {detail} cells; delete blank formatted rows and columns around the table",
        "工作表范围超过 {detail} 个单元格，请删除表格周围带格式的空行和空列",
    ),
    "shape": (
        "the stored version does not have the form of a list at `{detail}`; restore it from the published file",
        "已存版本在 `{detail}` 处不符合清单结构，请从已发布的文件恢复",
    ),
}


class ListUnreadableError(CatalogError):
    """Nothing in the file could be judged. Get it again or save it anew; *why* is a key of `UNREADABLE`."""

    def __init__(self, *, path: str, why: str, detail: str = "") -> None:
        self.path = path
        self.why = why
        super().__init__(path=path, detail=detail)

    def text(self, lang: str) -> str:
        """The reason and the mend after the file's name."""
        en, zh = UNREADABLE[self.why]
        sentence = (zh if lang == "zh" else en).format(**self.params)
        return f"{self.path}：{sentence}" if lang == "zh" else f"{self.path}: {sentence}"


class ListTooLongForExcelError(CatalogError):
    """A text is longer than a spreadsheet's cell may hold, in a workbook or in CSV; nothing was written."""

    en = "{where}: {length} characters, but an Excel cell holds at most {limit}; export the list as YAML instead"
    zh = "{where}：共 {length} 个字符，超过 Excel 单元格上限 {limit}，请改为导出 YAML"


# What is wrong with an identifier, by code: (English, Chinese). The identifier itself is never in the message,
# for it may be a person's.
IDENTIFIER_FAULTS: dict[str, tuple[str, str]] = {
    "length": ("it has {found} characters, {expected} are needed", "应为 {expected} 位，实为 {found} 位"),
    "alphabet": ("position {position} holds a character that is not allowed there", "第 {position} 位的字符不允许"),
    "check_char": ("the check character does not fit", "校验码不符"),
    "org_code": (
        "positions 9 to 17 are no valid organisation code (GB 11714)",
        "第 9 至 17 位不是有效的组织机构代码（GB 11714）",
    ),
    "date": ("positions 7 to 14 are no date", "第 7 至 14 位不是有效日期"),
    "sequence": ("the sequence must be 0 to 999", "顺序码应为 0 至 999"),
}


class IdentifierError(CatalogError):
    """The identifier cannot be right. Mend it at its source; *why* is a key of `IDENTIFIER_FAULTS`."""

    def __init__(self, *, kind: str, why: str, **params: object) -> None:
        self.kind = kind
        self.why = why
        super().__init__(kind=kind, **params)

    def text(self, lang: str) -> str:
        """The kind of identifier and what is wrong with it, without its value."""
        en, zh = IDENTIFIER_FAULTS[self.why]
        if lang == "zh":
            return f"{IDENTIFIER_KINDS[self.kind][1]}有误：{zh.format(**self.params)}"
        return f"not a valid {IDENTIFIER_KINDS[self.kind][0]}: {en.format(**self.params)}"


IDENTIFIER_KINDS: dict[str, tuple[str, str]] = {
    "uscc": ("unified social credit code (GB 32100)", "统一社会信用代码（GB 32100）"),
    "citizen_id": ("citizen identity number (GB 11643)", "公民身份号码（GB 11643）"),
    "org_code": ("organisation code (GB 11714)", "组织机构代码（GB 11714）"),
}
