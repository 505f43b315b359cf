"""What is said where a document, a copy or a one-time code of a licence cannot be given."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from hub.errors import LicensingError
from licence.errors import LicenceError

if TYPE_CHECKING:
    from collections.abc import Iterator


class DocumentRefusedError(LicensingError):
    """The libraries of licences refuse: a glyph is missing, an annotation malformed, a code spent."""

    code = "licence_document_refused"
    en = "{why}"
    zh = "{why_zh}"

    def __init__(self, error: LicenceError) -> None:
        #: The finding's own code, or the name of the class of the error.
        self.finding = str(getattr(error, "code", type(error).__name__))
        super().__init__(why=error.text("en"), why_zh=error.text("zh"))


class DocumentDriftedError(LicensingError):
    """A kept signature is not of the document that is drawn now. Call a person: code, font or seal was exchanged."""

    code = "licence_document_drifted"
    en = (
        "Document `{template}` of licence `{identifier}` is not drawn as it was when it was signed. Nothing was handed "
        "out. Restore the pinned versions of font and renderer."
    )
    zh = (
        "证照 `{identifier}` 的文书（模板 `{template}`）与签名时生成的内容不一致，未予提供。"
        "请恢复所固定的字库和排版程序版本。"
    )


class SealNotRepeatableError(LicensingError):
    """The seal was put on with more than its signature (a time stamp, extensions): nothing that is kept would do."""

    code = "licence_seal_not_repeatable"
    en = "The seal was put on with more than its signature: the document could not be drawn again. Report it."
    zh = "用印结果除签名值外还含有其他内容，文书将无法重新生成。请报告。"


class NotInForceError(LicensingError):
    """Documents are handed out of licences that hold; of others, the bundle, which says their state."""

    code = "licence_not_in_force"
    en = "Licence `{identifier}` is {state}. No document of it is handed out; fetch the bundle, which proves its state."
    zh = "证照 `{identifier}` 当前状态为“{state_zh}”，不再提供其文书。可下载数据包，其中含状态证明。"


class CopyWidensError(LicensingError):
    """A document shows everything on a licence, and the department's grants do not open all of it."""

    code = "licence_copy_widens"
    en = (
        "A copy of this licence shows more than `{department}` may see of `{resource}` for matter `{matter}`: "
        "{fields}. Apply for the fields without mask or row rule, or have a one-time code shown."
    )
    zh = (
        "该证照的副本所含内容超出`{department}`为事项`{matter}`可从 `{resource}` 查看的范围：{fields}。"
        "请申请相应信息项（不脱敏、不限行），或由持证主体出示动态码。"
    )


class CopyUnknownError(LicensingError):
    """There is no such copy, or it is none of the asking department's business."""

    code = "licence_copy_unknown"
    en = "There is no copy `{copy}`. `zhengtong licence copies` lists those that were handed out."
    zh = "没有加注件 `{copy}`。可用 `zhengtong licence copies` 查看已提供的加注件。"


class CopyEndedError(LicensingError):
    """The copy was withdrawn before."""

    code = "licence_copy_ended"
    en = "Copy `{copy}` was withdrawn on {day}."
    zh = "加注件 `{copy}` 已于 {day} 撤回。"


class CodeNotYoursError(LicensingError):
    """Who asks for a one-time code is neither the issuing department nor acting for the holder."""

    code = "licence_code_not_yours"
    en = "A one-time code is made for the holder, or by the department that issued the licence."
    zh = "动态码只能由持证主体本人（经身份核验）申请，或由颁发部门生成。"


@contextmanager
def said() -> Iterator[None]:
    """Let errors of `licence` be heard as the hub's own, with their texts."""
    try:
        yield
    except LicenceError as error:
        raise DocumentRefusedError(error) from error
