"""What can go wrong in the use cases, named by what the caller does next.

Leaves HTTP status codes to `hub.api.problems` and exit codes to the command line.

    HubError
    ├── RequestError                    mend the request
    │   ├── MalformedRequestError       … its bytes: not JSON as RFC 8259 has it, a digest that does not fit
    │   ├── InvalidRequestError         … its members: missing, unknown, of the wrong shape
    │   ├── RequestTooLargeError        … its size
    │   ├── MediaTypeError              … its Content-Type
    │   ├── TooManyRecordsError         … give more keys
    │   └── NotFoundError               … the address: no such resource, entry or file
    │       └── ResourceUnknownError
    ├── KeyRefusedError                 use a caller key that is valid
    ├── DeniedError                     apply for a grant; carries the decision's reasons
    ├── TryAgainError                   nothing was answered; try again later
    │   ├── BusyError                   … in a second
    │   ├── BodyTooSlowError
    │   ├── IndexUnavailableError
    │   ├── EvidenceUnavailableError
    │   ├── ControlUnavailableError
    │   └── StorageFullHubError         … after a person has made room
    ├── SetupError                      call a person: the deployment is not in order
    │   ├── ListMissingError
    │   ├── ListDamagedError
    │   ├── ControlShapeError           … its control tables are those of another version of the program
    │   ├── KeyFileError
    │   ├── SystemsFileError            … its file of source systems, or a secret it refers to
    │   ├── SystemUnknownError          … a system that the list names and the file does not describe
    │   ├── StorageSettingsError        … where tables are to lie
    │   ├── AlertsFileError             … its file of those whom alerts are sent to
    │   ├── WitnessesFileError          … its file of witnesses
    │   ├── SchedulerFailedError        … a process of the scheduler ended; read its log
    │   ├── SchedulerUnreachableError   … the scheduler does not answer as it should
    │   ├── PortInUseError              … another program listens where we must
    │   ├── DemoMissingError            … the demonstration's files are not beside the program
    │   └── PartMissingError            … a part of the program that was not installed
    ├── GrantError                      mend the grant or key that is to be given
    │   ├── GrantInvalidError
    │   ├── GrantUnknownError
    │   └── CallerUnknownError
    ├── WorkError                       mend the step of a case, or look at the case again
    │   ├── ActorInvalidError           … who acts: DEPARTMENT:POST
    │   ├── QueryInvalidError           … what was asked for
    │   ├── OrderInvalidError           … a load's parameters
    │   ├── LoadPausedError             … the resource's loads are held back; let them go on first
    │   ├── NothingRejectedError        … there is nothing to judge again
    │   ├── DriftUnknownError           … no such shape of the source waits for a decision
    │   ├── TextRefusedError            … a text that cannot be kept
    │   ├── RoleMissingError            … use a key that opens this
    │   ├── CaseUnknownError
    │   ├── VersionUnknownError
    │   ├── CaseConflictError           … somebody was first: read it again
    │   └── ListSupersededError         … draw it up against the list in force
    ├── QuotaExhaustedError             wait for the next day, or ask for more
    ├── TooFastError                    wait for some seconds
    ├── UnforeseenError                 report it: a fault of the program itself
    ├── LicensingError                  mend the order to issue or to change a licence
    │   ├── KindUnknownError
    │   ├── HolderNotFoundError
    │   ├── SeveralRecordsError
    │   ├── LicenceExistsError
    │   ├── LicenceUnknownError
    │   └── NoIssuingGrantError
    └── AnswerRefusedError              (client) do not use this answer: its signature or receipt does not hold
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from catalog.decide import Decision, Reason


class HubError(Exception):
    """Base of every error of a use case. *code* is stable; *en* and *zh* are templates over the parameters."""

    code: ClassVar[str] = "hub_error"
    en: ClassVar[str] = "The hub could not do this."
    zh: ClassVar[str] = "平台无法完成此操作。"

    def __init__(self, **params: object) -> None:
        self.params = params
        super().__init__(self.en.format(**params))

    def text(self, lang: str) -> str:
        """The message in *lang* (``zh``, else English)."""
        return (self.zh if lang == "zh" else self.en).format(**self.params)


class RequestError(HubError):
    """The request itself must be mended."""

    code = "request_invalid"
    en = "The request cannot be answered as it stands."
    zh = "请求有误，无法办理。"


class MalformedRequestError(RequestError):
    """The bytes are not the JSON text that is asked for; *why* never quotes the body."""

    code = "request_malformed"
    en = "The body is not acceptable JSON: {why}. Send one JSON object in UTF-8."
    zh = "请求体不是可接受的 JSON：{why_zh}。请发送一个 UTF-8 编码的 JSON 对象。"


class DigestMismatchError(RequestError):
    """The Content-Digest header (RFC 9530) does not fit the body."""

    code = "content_digest_mismatch"
    en = "The Content-Digest header does not fit the body that arrived. Send the request again."
    zh = "Content-Digest 标头与收到的请求体不符。请重新发送。"


class InvalidRequestError(RequestError):
    """A member is missing, unknown or of the wrong shape; *where* is its path in the body."""

    code = "request_invalid"
    en = "`{where}`: {why}."
    zh = "`{where}`：{why_zh}。"


class RequestTooLargeError(RequestError):
    """The body is larger than the door reads."""

    code = "request_too_large"
    en = "The body is larger than {limit_bytes} bytes. Ask for fewer keys at a time."
    zh = "请求体超过 {limit_bytes} 字节。请减少每次查询的条件。"


class MediaTypeError(RequestError):
    """The body is not declared as JSON."""

    code = "media_type_unsupported"
    en = "The body must be sent as `Content-Type: application/json`, uncompressed."
    zh = "请求体须以 `Content-Type: application/json` 发送，且不压缩。"


class TooManyRecordsError(RequestError):
    """The keys fit more records than one call may answer."""

    code = "too_many_records"
    en = "The keys fit more than {limit} records. Give a more selective key."
    zh = "查询条件命中超过 {limit} 条记录。请提供更精确的查询条件。"


class NotFoundError(RequestError):
    """There is nothing at this address."""

    code = "not_found"
    en = "There is nothing at this address. See /v1/catalog for the resources."
    zh = "此地址没有内容。资源目录见 /v1/catalog。"


class ResourceUnknownError(NotFoundError):
    """The published list holds no such resource."""

    code = "resource_unknown"
    en = "The published list holds no resource `{resource}`. See `zhengtong list show`, or /v1/catalog."
    zh = "已发布的责任清单中没有资源 `{resource}`。请查阅 `zhengtong list show` 或 /v1/catalog。"


class KeyRefusedError(HubError):
    """No caller key, an unknown one or a revoked one: which of these is not said."""

    code = "key_refused"
    en = "No valid caller key. Send `Authorization: Bearer KEY` with a key that the hub issued and did not revoke."
    zh = "调用密钥无效。请在 `Authorization: Bearer 密钥` 中使用平台签发且未吊销的密钥。"


class DeniedError(HubError):
    """The decision was no; its reasons say why and what to apply for."""

    code = "denied"
    en = "The call was denied: {why}"
    zh = "调用被拒绝：{why_zh}"

    def __init__(self, decision: Decision) -> None:
        self.decision = decision
        self.reasons: tuple[Reason, ...] = decision.reasons
        super().__init__(
            why=". ".join(r.text("en") for r in decision.reasons),
            why_zh="。".join(r.text("zh") for r in decision.reasons),
        )


class TryAgainError(HubError):
    """Nothing was answered; the same request may be sent again after *retry_after_s* seconds."""

    code = "try_again"
    en = "The hub cannot answer now. Try again later."
    zh = "平台暂时无法应答，请稍后重试。"
    retry_after_s: ClassVar[int] = 5


class BusyError(TryAgainError):
    """More calls are under way than this process takes on at once."""

    code = "busy"
    en = "The hub is answering as many calls as it can. Try again in a moment."
    zh = "平台正在处理的调用已达上限，请稍后重试。"
    retry_after_s = 1


class BodyTooSlowError(TryAgainError):
    """The body did not arrive in time."""

    code = "body_too_slow"
    en = "The body of the request did not arrive in time. Send it again."
    zh = "请求体未在规定时间内送达，请重新发送。"
    retry_after_s = 1


class TooFastError(HubError):
    """One caller asks more often than its share of this process; *wait_s* seconds later it may again."""

    code = "too_fast"
    en = "Too many calls in a short time. Try again in {seconds} s."
    zh = "短时间内调用过多，请在 {seconds} 秒后重试。"

    def __init__(self, wait_s: float) -> None:
        self.retry_after_s = max(1, math.ceil(wait_s))
        super().__init__(seconds=self.retry_after_s)


class IndexUnavailableError(TryAgainError):
    """The resource has no look-up index (yet), or it could not be read."""

    code = "index_unavailable"
    en = "Resource `{resource}` has no readable look-up index now. Try again after its next load."
    zh = "资源 `{resource}` 暂无可用的查询索引。请在下一次归集后重试。"
    retry_after_s = 30


class EvidenceUnavailableError(TryAgainError):
    """The evidence entry could not be made durable, so no answer was given."""

    code = "evidence_unavailable"
    en = "The evidence of this call could not be kept, so no answer is given. Try again later."
    zh = "本次调用的存证无法写入，因此不予应答。请稍后重试。"


class ControlUnavailableError(TryAgainError):
    """The control database did not answer."""

    code = "control_unavailable"
    en = "The control database does not answer. Try again later."
    zh = "控制数据库没有响应。请稍后重试。"


class StorageFullHubError(EvidenceUnavailableError):
    """The disk that keeps the evidence is full."""

    code = "storage_full"
    en = "The disk that keeps the evidence is full, so no answer is given. The operator must make room."
    zh = "存证磁盘已满，因此不予应答。请运维人员清理空间。"
    retry_after_s = 60


class SetupError(HubError):
    """A person must put the deployment in order."""

    code = "setup"
    en = "The deployment is not in order."
    zh = "部署不完整。"


class ListMissingError(SetupError):
    """No responsibility list is published, or not the version asked for."""

    code = "list_missing"
    en = "No responsibility list is published, or not version `{version}`. Publish one: `zhengtong list publish FILE`."
    zh = "尚未发布责任清单，或没有版本 `{version}`。请先发布：`zhengtong list publish FILE`。"


class ControlShapeError(SetupError):
    """A table or column is not there: the tables are of another version than the program."""

    code = "control_shape"
    en = "The control database has the tables of another version. Stop older programs, and start this version once."
    zh = "控制数据库的表结构属于其他版本。请停止旧版本程序，并用本版本启动一次以完成升级。"


class ListDamagedError(SetupError):
    """A stored list version is not the one its digest names."""

    code = "list_damaged"
    en = "The stored list `{version}` is not the one that was published. Restore it from a backup."
    zh = "存储的责任清单 `{version}` 与发布时不一致。请从备份恢复。"


class KeyFileError(SetupError):
    """A key file cannot be opened with the deployment's passphrase."""

    code = "key_file"
    en = "Key file `{name}` cannot be opened: {why}. Check the passphrase, or restore the file from a backup."
    zh = "密钥文件 `{name}` 无法打开：{why}。请检查口令，或从备份恢复该文件。"


class GrantError(HubError):
    """The grant or key that is to be given or revoked must be mended."""

    code = "grant"
    en = "The grant cannot be given."
    zh = "授权无法办理。"


class GrantInvalidError(GrantError):
    """The grant contradicts the published list or an earlier grant."""

    code = "grant_invalid"
    en = "Grant `{grant}` cannot be given: {why}."
    zh = "授权 `{grant}` 无法办理：{why_zh}。"


class GrantUnknownError(GrantError):
    """No grant has this identifier."""

    code = "grant_unknown"
    en = "There is no grant `{grant}`."
    zh = "没有授权 `{grant}`。"


class CallerUnknownError(GrantError):
    """No caller has this identifier."""

    code = "caller_unknown"
    en = "There is no caller `{caller}`."
    zh = "没有调用方 `{caller}`。"


class WorkError(HubError):
    """A step of a case cannot be taken as it was given."""

    code = "work_invalid"
    en = "This step cannot be taken."
    zh = "无法办理此步骤。"


class ActorInvalidError(WorkError):
    """Who acts is not said, or not as a department and a post of it."""

    code = "actor_invalid"
    en = "`{value}` does not say who acts. Write DEPARTMENT:POST, for example `MZJ:data-officer`; no personal names."
    zh = "`{value}` 未说明办理人。请写作 部门代码:岗位，例如 `MZJ:data-officer`；不要填写个人姓名。"


class OrderInvalidError(WorkError):
    """A load was ordered in a way that cannot be done."""

    code = "order_invalid"
    en = "This load cannot be run as ordered: {why}."
    zh = "无法按此要求归集：{why_zh}。"


class LoadPausedError(WorkError):
    """Somebody holds the resource's loads back. Nothing was read."""

    code = "load_paused"
    en = (
        "Loads of `{resource}` are paused since {since} by {by}: {reason}. "
        "Let them go on with `zhengtong ingest resume {resource}`."
    )
    zh = "资源 `{resource}` 自 {since} 起由 {by} 暂停归集：{reason}。恢复：`zhengtong ingest resume {resource}`。"


class NothingRejectedError(WorkError):
    """No row of this resource lies rejected, so that there is nothing to judge again."""

    code = "nothing_rejected"
    en = "No row of `{resource}` lies rejected now; there is nothing to replay."
    zh = "资源 `{resource}` 目前没有被拒记录，无需重放。"


class DriftUnknownError(WorkError):
    """No changed shape of this resource's source waits for a decision."""

    code = "drift_unknown"
    en = "No changed shape of the source of `{resource}` waits for a decision. See `zhengtong ingest drift`."
    zh = "资源 `{resource}` 没有待审批的来源结构变化。请用 `zhengtong ingest drift` 查看。"


class QueryInvalidError(WorkError):
    """A question that cannot be answered as asked; *where* names the parameter."""

    code = "query_invalid"
    en = "`{where}`: {why}."
    zh = "`{where}`：{why_zh}。"


class TextRefusedError(WorkError):
    """A text is longer than what is kept of its sort, or holds a NUL character; it is not repeated."""

    code = "text_refused"
    en = "A text is too long, or holds a character that no database keeps. Shorten it, or type it anew."
    zh = "文本过长，或含有数据库不能保存的字符。请缩短或重新输入。"


class RoleMissingError(WorkError):
    """The key is valid and does not open this door."""

    code = "role_missing"
    en = "This key does not carry the role `{role}`. Use a key of your department that does, or ask the hub office."
    zh = "该密钥没有 `{role}` 权限。请使用本部门具有该权限的密钥，或向数据主管部门申请。"


class CaseUnknownError(WorkError):
    """No case has this number."""

    code = "case_unknown"
    en = "There is no case `{case}`. Check its number."
    zh = "没有编号为 `{case}` 的事项。请核对编号。"


class CaseConflictError(WorkError):
    """Somebody took a step of this case first."""

    code = "case_conflict"
    en = "Case `{case}` has changed since you read it (now revision {revision}). Read it again, then decide."
    zh = "事项 `{case}` 在您查看后已有变动（当前修订号 {revision}）。请重新查看后再办理。"


class VersionUnknownError(WorkError):
    """No published version and no draft is meant by this, or several could be."""

    code = "list_version_unknown"
    en = "`{version}` names no single version of the list. `zhengtong list versions` shows them."
    zh = "`{version}` 不能确定唯一的清单版本。可用 `zhengtong list versions` 查看各版本。"


class ListSupersededError(WorkError):
    """What was drawn up rests on a list that no longer holds."""

    code = "list_superseded"
    en = "This rests on list version `{version}`, which is no longer in force. Draw it up against the list in force."
    zh = "所依据的清单版本 `{version}` 已不是现行版本。请依据现行清单重新提出。"


class QuotaExhaustedError(HubError):
    """The grant's calls of this day are used up."""

    code = "quota_exhausted"
    en = "Grant `{grant}` allows {limit} calls a day, and today's are used up. Wait until {resets}, or apply for more."
    zh = "授权 `{grant}` 每日限 {limit} 次，今日额度已用完。请于 {resets} 后再调用，或申请增加额度。"


class AnswerRefusedError(HubError):
    """(client) The answer must not be used: *why* names what did not hold."""

    code = "answer_refused"
    en = "The answer is not used: {why}. Ask again over a connection you trust, and report it if it happens again."
    zh = "应答不予采信：{why_zh}。请通过可信连接重试；如再次发生，请报告。"


class SystemsFileError(SetupError):
    """The file of source systems, or a secret it refers to, cannot be read; *path* is the file or the reference."""

    code = "systems_file"
    en = (
        "`{path}` cannot be read as a file of source systems or a secret ({why}). Mend it; docs/ingestion.md shows one."
    )
    zh = "无法读取来源系统配置或密钥引用 `{path}`（{why}）。请修正；示例见 docs/ingestion.md。"


class SystemUnknownError(SetupError):
    """The responsibility list names a source system that the systems file does not describe."""

    code = "system_unknown"
    en = "The list reads from system `{system}`, which `{path}` does not describe. Add it there."
    zh = "责任清单引用了来源系统 `{system}`，但 `{path}` 中没有它。请在该文件中添加。"


class StorageSettingsError(SetupError):
    """A setting of the object store is missing or of the wrong form."""

    code = "storage_settings"
    en = "The setting `{name}` must be {expected}. See docs/operations.md."
    zh = "配置项 `{name}` 应为 {expected}。见 docs/operations.md。"


class AlertsFileError(SetupError):
    """The file that says whom alerts are sent to cannot be read; *why* never quotes it."""

    code = "alerts_file"
    en = "The alerts file `{path}` cannot be used: {why}. See docs/operations.md for its form."
    zh = "告警配置文件 `{path}` 无法使用：{why}。格式见 docs/operations.md。"


class WitnessesFileError(SetupError):
    """The file that says which witnesses are asked cannot be used."""

    code = "witnesses_file"
    en = "The witnesses file `{path}` cannot be used: {why}. See docs/operations.md for its form."
    zh = "见证方配置文件 `{path}` 无法使用：{why}。格式见 docs/operations.md。"


class SchedulerFailedError(SetupError):
    """A process of the embedded Airflow ended or did not come up in time."""

    code = "scheduler_failed"
    en = "Airflow's `{component}` ended or did not come up. Its log is `{log}`; mend what it says and start again."
    zh = "Airflow 的 `{component}` 已退出或未能启动。日志见 `{log}`；请按其提示处理后重新启动。"


class SchedulerUnreachableError(SetupError):
    """Airflow's API did not answer as expected."""

    code = "scheduler_unreachable"
    en = "Airflow at `{url}` did not answer as expected ({status}). Look at its logs and try again."
    zh = "位于 `{url}` 的 Airflow 未按预期应答（{status}）。请查看其日志后重试。"


class PortInUseError(SetupError):
    """Another program listens on the port this one needs."""

    code = "port_in_use"
    en = "Port {port} on {host} is in use. Stop the other program, or choose a port: ZHENGTONG_API_PORT={other}."
    zh = "{host} 的端口 {port} 已被占用。请停止占用它的程序，或改用其他端口：ZHENGTONG_API_PORT={other}。"


class PartMissingError(SetupError):
    """A package that the command needs is not installed."""

    code = "part_missing"
    en = "This command needs the hub, which is not installed here (no `{module}`): pip install 'zhengtong[server]'."
    zh = "该命令需要平台程序，此处未安装（缺少 `{module}`）：pip install 'zhengtong[server]'。"


class DemoMissingError(SetupError):
    """The demonstration's list and data are not beside the program."""

    code = "demo_missing"
    en = "The demonstration needs `{path}`, which is not there. Run it from a clone of the repository."
    zh = "演示需要 `{path}`，但未找到。请在代码仓库的克隆目录中运行。"


class UnforeseenError(HubError):
    """A fault of the program itself; only the kind of the exception is told, for its text may quote data."""

    code = "unforeseen"
    en = "Something unforeseen happened ({kind}). Run the same command with --trace and report what it prints."
    zh = "发生了未预料的错误（{kind}）。请加上 --trace 重新运行，并报告其输出。"


class LicensingError(HubError):
    """A licence cannot be issued or changed as ordered."""

    code = "licensing"
    en = "The licence cannot be issued or changed."
    zh = "证照无法签发或变更。"


class KindUnknownError(LicensingError):
    """The catalogue of kinds holds no such kind."""

    code = "kind_unknown"
    en = "There is no licence kind `{kind}`. `zhengtong licence kinds` lists them."
    zh = "证照目录中没有 `{kind}`。可用 `zhengtong licence kinds` 查看。"


class HolderNotFoundError(LicensingError):
    """The authoritative resource has no record of the holder; who was asked for is not repeated."""

    code = "holder_not_found"
    en = "Resource `{resource}` has no record of this holder, so no {kind} can be issued. Check the identifier given."
    zh = "权威资源 `{resource}` 中没有该持证主体的记录，无法签发{kind}。请核对所给的代码。"


class SeveralRecordsError(LicensingError):
    """The holder has several records in the resource, and the order does not say which one the licence is about."""

    code = "several_records"
    en = "Resource `{resource}` has {records} records of this holder. Say which: give one of {further} with --record."
    zh = "资源 `{resource}` 中该持证主体有 {records} 条记录。请用 --record 给出 {further} 之一，指明是哪一条。"


class LicenceExistsError(LicensingError):
    """The holder has a licence of this kind that holds or is suspended."""

    code = "licence_exists"
    en = "The holder already has licence `{identifier}` of this kind. Revoke or cancel it before issuing another."
    zh = "该持证主体已持有同类证照 `{identifier}`。如需重新签发，请先撤销或注销。"


class LicenceUnknownError(LicensingError):
    """No licence has this identifier."""

    code = "licence_unknown"
    en = "There is no licence `{identifier}`. Check the identifier."
    zh = "没有证照 `{identifier}`。请核对证照标识。"


class NoIssuingGrantError(LicensingError):
    """The issuing department may not read the facts unmasked."""

    code = "no_issuing_grant"
    en = "Department `{department}` holds no grant to read `{resource}` unmasked. It must apply for one first."
    zh = "部门 `{department}` 没有对 `{resource}` 的未脱敏查询授权。请先申请授权。"
