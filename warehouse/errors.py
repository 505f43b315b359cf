"""What can go wrong in the warehouse, named by what the caller does next; texts in English and Chinese.

    WarehouseError
    ├── ErrorBudgetExceededError   mend the source or the list; the quarantine file says which rows and why
    ├── QualityGateError           call a person: the batch as a whole is not what the list promises
    ├── DriftWaitsError            call a person: the source changed its columns, and the list wants that approved
    ├── SourceEmptiedError         call a person: a whole pull came back empty over a table that holds rows
    ├── ContractInvalidError       mend the list: a field's rule cannot be applied
    ├── SchemaIncompatibleError    call a person: the list changed a table in a way that needs a decision
    ├── CommitConflictError        run again: another writer was first, nothing of this batch is in
    ├── CommitUnknownError         run again, and delete nothing: the commit may have landed
    ├── StagedFileDamagedError     extract again: a file is not the one that was handed on
    ├── StorageFullError           free space, run again: nothing is half-applied
    ├── StorageUnavailableError    run again: the object store did not answer, nothing is half-applied
    ├── StorageDamagedError        call a person: a file in the storage is absent or not what was written
    ├── CatalogueUnavailableError  run again: the catalogue's database did not answer, nothing was asked of it yet
    ├── TableMissingError          mend the call, or run `ensure` first
    ├── SnapshotMissingError       mend the call: no such snapshot, or it was expired
    ├── IndexMissingError          build the index first
    ├── IndexDamagedError          build the index again: its file is not what was written
    ├── FieldNotIndexedError       mend the call: look-ups go by the list's look-up fields
    └── FieldMissingError          mend the call: the table has no such field

No message carries a value of a row.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Sequence

    from warehouse.drift import DriftReport
    from warehouse.quality import Finding
    from warehouse.staging import Checked


class WarehouseError(Exception):
    """Base of the package; *params* fill the templates *en* and *zh*."""

    en: ClassVar[str] = "The warehouse cannot go on: {detail}."
    zh: ClassVar[str] = "数据仓库无法继续：{detail}。"

    def __init__(self, **params: object) -> None:
        self.params = params
        super().__init__(self.en.format(**params))

    def text(self, lang: str) -> str:
        """The message in Chinese for ``zh``, otherwise in English."""
        return (self.zh if lang == "zh" else self.en).format(**self.params)


class ErrorBudgetExceededError(WarehouseError):
    """Too large a share of the rows was rejected. Nothing was committed; *checked* names the quarantine file."""

    en = (
        "`{resource}`: {rejected} of {read} rows were rejected, more than the error budget of {budget} allows "
        "(most often: {worst}). Nothing was committed. Read `{quarantine}`, mend the source or the list, load again."
    )
    zh = (
        "`{resource}`：读取 {read} 行，不合格 {rejected} 行，超出差错容限 {budget}（最多的原因：{worst}）。"
        "未提交任何数据。请查看 `{quarantine}`，修正数据源或责任清单后重新归集。"
    )

    def __init__(self, *, checked: Checked, **params: object) -> None:
        self.checked = checked
        super().__init__(**params)


class QualityGateError(WarehouseError):
    """The batch as a whole breaks a rule of the list. Nothing was committed; *findings* say which and by how much.

    To take this very batch all the same, call the check again with the digests of the findings as accepted.
    """

    en = (
        "`{resource}`: the batch is held back: {findings}. Nothing was committed. Ask the department; then mend the "
        "source, change the rule in the list, or accept this batch as it is (mark {marks})."
    )
    zh = (
        "`{resource}`：本批数据暂缓入库：{findings_zh}。未提交任何数据。请与提供部门核实后修正数据源、"
        "调整责任清单规则，或确认按现状接受本批（标记 {marks}）。"
    )

    def __init__(self, *, resource: str, findings: Sequence[Finding]) -> None:
        self.findings = tuple(findings)
        super().__init__(
            resource=resource,
            findings="; ".join(finding.text("en") for finding in findings),
            findings_zh="；".join(finding.text("zh") for finding in findings),
            marks=",".join(finding.mark for finding in findings),
        )


class DriftWaitsError(WarehouseError):
    """The source changed its columns in a way that may not simply go on. Nothing was staged. *report* says how."""

    en = "`{resource}`: the source changed its columns: {drift}. The load waits (state `{digest}`)."
    zh = "`{resource}`：数据源结构发生变化：{drift_zh}。归集暂停（状态 `{digest}`）。"

    def __init__(self, *, resource: str, report: DriftReport) -> None:
        self.report = report
        super().__init__(
            resource=resource,
            drift="; ".join(report.lines("en")),
            drift_zh="；".join(report.lines("zh")),
            digest=report.digest,
        )


class SourceEmptiedError(WarehouseError):
    """A full pull held no row while the table does: a source that lost its data is likelier than one that has none."""

    en = (
        "`{resource}`: the source delivered no row at all, and the table holds {rows}. Nothing was deleted. Ask the "
        "department; if the resource really is empty, let the list retire it."
    )
    zh = (
        "`{resource}`：数据源未提供任何记录，而现有数据 {rows} 行。未删除任何数据。请与提供部门核实；"
        "如该资源确已清空，请在责任清单中停用。"
    )


class ContractInvalidError(WarehouseError):
    """A rule of the list cannot be applied to the rows."""

    en = "`{resource}`: the contract cannot be applied: {detail}. Mend the list and publish it again."
    zh = "`{resource}`：数据约束无法执行：{detail}。请修正责任清单并重新发布。"


class SchemaIncompatibleError(WarehouseError):
    """The list and the table disagree in a way that adding a column does not settle."""

    en = (
        "`{resource}`: field `{field}` was {was} in the table and is {now} in the list. "
        "A person must decide: publish it as a new field, or migrate the table."
    )
    zh = "`{resource}`：信息项 `{field}` 在库表中为 {was}，在责任清单中为 {now}。须人工决定：另立信息项，或迁移库表。"


class CommitConflictError(WarehouseError):
    """Another writer was first. Nothing of this batch is in the table."""

    en = "`{resource}`: another load was committed meanwhile ({detail}). Nothing was written; run this load again."
    zh = "`{resource}`：其间另有归集任务已提交（{detail}）。本批未写入，请重新执行。"


class CommitUnknownError(WarehouseError):
    """The catalogue failed while committing. The batch may be in: no file of it may be deleted."""

    en = (
        "`{resource}`: the catalogue did not confirm the commit ({detail}). It may have landed: delete nothing, "
        "run this load again, it recognises its own batch."
    )
    zh = (
        "`{resource}`：目录库未确认提交（{detail}），数据可能已写入。"
        "请勿删除任何文件，重新执行即可，系统能识别同一批次。"
    )


class StagedFileDamagedError(WarehouseError):
    """A file between extract and commit is absent or not the one whose digest was handed on."""

    en = "`{resource}`: `{path}` is not the file that was handed on ({detail}). Extract this load again."
    zh = "`{resource}`：`{path}` 与交接时的文件不一致（{detail}）。请重新抽取。"


class StorageFullError(WarehouseError):
    """No room left while writing. Readers see the table as before."""

    en = "`{resource}`: no space left while writing under `{folder}`. Nothing was applied; free space and run again."
    zh = "`{resource}`：写入 `{folder}` 时存储空间不足。数据未作任何变更，请清理空间后重新执行。"


class StorageUnavailableError(WarehouseError):
    """The object store did not do what it was asked. Readers see the table as before."""

    en = "The storage {place} did not answer as it should ({detail}). Nothing was applied; run again when it does."
    zh = "存储 {place} 未正常应答（{detail}）。数据未作任何变更，请在其恢复后重新执行。"


class StorageDamagedError(WarehouseError):
    """A file in the storage is absent or other than what was written."""

    en = "`{location}` in the storage is not what was written ({detail}). Run `zhengtong warehouse fsck`."
    zh = "存储中的 `{location}` 与写入内容不一致（{detail}）。请执行 `zhengtong warehouse fsck` 检查。"


class CatalogueUnavailableError(WarehouseError):
    """The catalogue's database could not be asked, so nothing was changed."""

    en = "The catalogue of tables did not answer ({detail}). Nothing was changed; run again when its database is back."
    zh = "库表目录未应答（{detail}）。数据未作任何变更，请在其数据库恢复后重新执行。"


class TableMissingError(WarehouseError):
    """No table is kept for this resource."""

    en = "No table is kept for the resource `{resource}`. Check its code, or load it for the first time."
    zh = "资源 `{resource}` 尚无库表。请核对资源代码，或先完成首次归集。"


class SnapshotMissingError(WarehouseError):
    """The table has no such snapshot."""

    en = "`{resource}` has no snapshot `{snapshot}`. It was never committed, or was expired."
    zh = "资源 `{resource}` 没有快照 `{snapshot}`：从未提交，或已过期清理。"


class IndexMissingError(WarehouseError):
    """No look-up index was built for this resource."""

    en = "No look-up index was built for `{resource}`. Run the index step of its load."
    zh = "资源 `{resource}` 尚未建立查询索引。请执行归集流程的索引步骤。"


class IndexDamagedError(WarehouseError):
    """A look-up file is not what was written."""

    en = "The look-up file `{path}` is damaged. Delete it and run the index step of its resource's load again."
    zh = "查询索引文件 `{path}` 已损坏。请删除该文件，并重新执行该资源归集流程的索引步骤。"


class FieldNotIndexedError(WarehouseError):
    """The field is not one by which records are looked up."""

    en = "`{resource}` is not looked up by `{field}`. Look-up fields: {known}."
    zh = "资源 `{resource}` 不能按 `{field}` 查询。可查询的信息项：{known}。"


class FieldMissingError(WarehouseError):
    """The table has no such field."""

    en = "The table of `{resource}` has no field `{field}`. Its fields: {known}."
    zh = "资源 `{resource}` 的库表没有信息项 `{field}`。现有信息项：{known}。"
