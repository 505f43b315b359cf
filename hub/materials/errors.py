"""What can go wrong with an e-material, named by what the caller does next."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hub.errors import CaseConflictError, CaseUnknownError, RequestError, SetupError, WorkError

if TYPE_CHECKING:
    from licence.errors import CodedError


class ContentRefusedError(RequestError):
    """The file is none that is taken in; *why* never quotes what is in it."""

    code = "material_content_refused"
    en = "The file was not taken in: {why}. Hand in a PDF, OFD, PNG or JPEG as a usual program writes it."
    zh = "未收取该文件：{why_zh}。请提交常用软件生成的 PDF、OFD、PNG 或 JPEG 文件。"


class MaterialUnknownError(CaseUnknownError):
    """No material has this number, or none that this department may see: strangers are told the same."""

    code = "material_unknown"
    en = "There is no material `{material}` that your department may see. Check its number."
    zh = "没有编号为 `{material}` 且贵部门可以查看的材料。请核对编号。"


class MaterialExistsError(CaseConflictError):
    """The department has this file of this holder already."""

    code = "material_exists"
    en = "Your department holds this file for this holder as material `{material}`. Reuse that one, or void it first."
    zh = "贵部门已为该持有人收存此文件，材料编号 `{material}`。请复用该材料，或先将其作废。"


class MaterialVoidError(CaseConflictError):
    """It was declared void before."""

    code = "material_void"
    en = "Material `{material}` was declared void at {at}. Nothing more can be done with it."
    zh = "材料 `{material}` 已于 {at} 作废，不能再办理。"


class MaterialGoneError(CaseConflictError):
    """The file is kept no longer; what is known about it still is."""

    code = "material_gone"
    en = "The file of material `{material}` is kept no longer (since {at}). Ask the holder for the paper."
    zh = "材料 `{material}` 的文件已于 {at} 到期清除。请由持有人重新提交。"


class MaterialRuleError(WorkError):
    """A rule of the material does not allow it; the finding says which."""

    code = "material_rule"
    en = "{why}"
    zh = "{why_zh}"

    @classmethod
    def of(cls, fault: CodedError) -> MaterialRuleError:
        """The same, as a use case says it."""
        return cls(why=fault.text("en"), why_zh=fault.text("zh"))


class MaterialDamagedError(SetupError):
    """The stored file is not what was taken in, or not there."""

    code = "material_damaged"
    en = "The file of material `{material}` is missing or altered. Restore it; see `zhengtong material check`."
    zh = "材料 `{material}` 的文件缺失或被改动。请从备份恢复，并运行 `zhengtong material check`。"
