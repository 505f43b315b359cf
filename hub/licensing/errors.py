"""What is said where a kind cannot be issued as the catalogue has it; other errors of licences are in `hub.errors`."""

from __future__ import annotations

from hub.errors import KindUnknownError, LicensingError


class KindNotSourcedError(KindUnknownError):
    """The kind is known, but no issuing department or resource is named for it in this city."""

    code = "kind_not_sourced"
    en = "No issuer and no resource are named for licence kind `{kind}` here. Adopt it in the catalogue of kinds first."
    zh = "本市尚未为证照类型 `{kind}` 指定颁发部门和数据来源。请先在证照目录中补充。"


class NoKindsError(KindUnknownError):
    """There is no catalogue of kinds that can be read: the city issues no licences, or its file has faults."""

    code = "no_kinds"
    en = (
        "There is no catalogue of licence kinds that can be read. Whoever runs the hub puts `kinds.yaml` in its place, "
        "or mends it: `zhengtong licence kinds` names its faults."
    )
    zh = (
        "没有可读取的证照类型目录。请由平台运维人员放置或更正`kinds.yaml`：`zhengtong licence kinds` 会列出其中的错误。"
    )


class BatchTooLargeError(LicensingError):
    """The resource has more rows than one run reads."""

    code = "licence_batch_too_large"
    en = "Resource `{resource}` has {rows} rows; a batch of licences takes at most {limit}."
    zh = "资源 `{resource}` 有 {rows} 行；批量签发最多支持 {limit} 行。"


class StoreDamagedError(LicensingError):
    """The store of licences does not hold at a place what was written there. Call a person; restore from a backup."""

    code = "licence_store_damaged"
    en = "The store of licences is damaged: segment `{file}` at byte {offset}. Restore the segment from a backup."
    zh = "证照存储已损坏：分段文件 `{file}`，字节位置 {offset}。请从备份恢复该文件。"


class LicencePendingError(LicensingError):
    """The licence was not issued yet: an issue that was cut short is gone on with by issuing again."""

    code = "licence_pending"
    en = "Licence `{identifier}` is not issued yet. Issue it again: what was cut short is gone on with."
    zh = "证照 `{identifier}` 尚未签发完成。请重新签发，系统将从中断处继续。"


class ApprovalMissingError(LicensingError):
    """The kind is decided by two persons, and no decided case is named."""

    code = "licence_approval_missing"
    en = (
        "Licences of kind `{kind}` are decided by two persons. Take in an application and have it reviewed and "
        "approved; the licence is issued from that case."
    )
    zh = "`{kind}`须由两人审批。请先受理申请，经审查、批准后，由该案卷签发。"


class SecondOfficerError(LicensingError):
    """The kind is decided by two persons, and a second one is not named or is the first."""

    code = "licence_second_officer"
    en = "Licences of kind `{kind}` are decided by two persons. Name the second officer, another than the first."
    zh = "`{kind}`须由两人审批。请指明第二名审批人员，且不得与第一名相同。"


class OtherHolderError(LicensingError):
    """What a licence is to be renewed from is not the record it was issued from."""

    code = "licence_other_record"
    en = "The record found is not the one that licence `{identifier}` was issued from. Name that record with --record."
    zh = "所查记录不是证照 `{identifier}` 签发时所依据的记录。请用 --record 指明原记录。"
