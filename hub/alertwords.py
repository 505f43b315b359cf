"""The kinds of alert, each with what it means and what to do, in English and Chinese.

When one is raised and cleared is `hub.watching`'s affair, who is sent it `hub.alerts`'.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Severity(StrEnum):
    """``page``: somebody looks now. ``ticket``: within the day."""

    PAGE = "page"
    TICKET = "ticket"


@dataclass(frozen=True, slots=True)
class AlertKind:
    """*en* and *zh* say what happened (templates over the alert's parameters), *do_en* and *do_zh* what to do."""

    severity: Severity
    en: str
    zh: str
    do_en: str
    do_zh: str

    def text(self, lang: str, **params: object) -> str:
        """What happened, in *lang*."""
        return (self.zh if lang == "zh" else self.en).format(**params)

    def remedy(self, lang: str) -> str:
        """What to do, in *lang*."""
        return self.do_zh if lang == "zh" else self.do_en


ALERTS: Final[dict[str, AlertKind]] = {
    "load_failed": AlertKind(
        Severity.TICKET,
        "the load of `{resource}` failed: {error_en}",
        "资源 `{resource}` 归集失败：{error_zh}",
        "Do what the error says, then run `zhengtong ingest run CODE`. The table is as it was before.",
        "按错误提示处理后执行 `zhengtong ingest run 资源代码`。库表保持失败前的状态。",
    ),
    "source_closed": AlertKind(
        Severity.PAGE,
        "the source of `{resource}` refuses us or looks hostile: {error_en}",
        "资源 `{resource}` 的来源拒绝访问或疑似有害：{error_zh}",
        "Nothing is tried again by itself. Call the department's technical contact; then run the load again.",
        "系统不会自动重试。请联系提供部门技术联系人，处理后重新归集。",
    ),
    "rows_rejected": AlertKind(
        Severity.TICKET,
        "a load of `{resource}` was stopped by its contract: {error_en}",
        "资源 `{resource}` 的归集被数据约束拦下：{error_zh}",
        "Read `zhengtong ingest rejects CODE`, have the department mend the rows, or publish a list that fits.",
        "查看 `zhengtong ingest rejects 资源代码`，请提供部门修正数据，或发布新版清单。",
    ),
    "drift_waits": AlertKind(
        Severity.TICKET,
        "the source of `{resource}` has changed its shape and waits for a decision",
        "资源 `{resource}` 的来源结构发生变化，等待审批",
        "See `zhengtong ingest drift CODE`; approve with `--approve`, or publish a list that fits.",
        "查看 `zhengtong ingest drift 资源代码`；用 `--approve` 批准，或发布相符的清单。",
    ),
    "late": AlertKind(
        Severity.TICKET,
        "`{resource}` is later than its list promises: last loaded {success}, due {due}",
        "资源 `{resource}` 未按承诺周期更新：最近成功 {success}，应于 {due} 前更新",
        "Look at its latest loads with `zhengtong ingest status CODE`; if none ran, look at the scheduler.",
        "用 `zhengtong ingest status 资源代码` 查看最近归集；如未运行，请检查调度。",
    ),
    "slow": AlertKind(
        Severity.TICKET,
        "the load of `{resource}` has not ended within its deadline",
        "资源 `{resource}` 的归集超过规定时限仍未结束",
        "See `zhengtong ingest watch`. One that goes on needs nothing; one that stands still: stop it, run it again.",
        "查看 `zhengtong ingest watch`。仍在推进则无需处理；停滞时请终止后重新归集，会从断点继续。",
    ),
    "storage_full": AlertKind(
        Severity.PAGE,
        "no space left while loading `{resource}`",
        "归集 `{resource}` 时存储空间不足",
        "Make room, then run the load. Nothing is half-applied.",
        "请清理空间后重新归集。数据未作任何变更。",
    ),
    "commit_unknown": AlertKind(
        Severity.PAGE,
        "the catalogue did not confirm the commit of `{resource}`",
        "目录库未确认 `{resource}` 的提交",
        "Delete no file. Run the load again: it recognises its own batch. Then run `zhengtong warehouse fsck`.",
        "请勿删除任何文件。重新归集即可识别同一批次，随后执行 `zhengtong warehouse fsck`。",
    ),
    "differs": AlertKind(
        Severity.TICKET,
        "`{resource}` differs from its source: {what_en}",
        "资源 `{resource}` 与来源不一致：{what_zh}",
        "Run `zhengtong ingest run CODE --full`, then reconcile again; if it stays, the report names the rows.",
        "执行 `zhengtong ingest run 资源代码 --full` 后再次对账；如仍不一致，报告列明具体记录。",
    ),
    "slot_lagging": AlertKind(
        Severity.PAGE,
        "the replication slot of `{resource}` holds back {lag_mb} MB of its source's log ({state})",
        "资源 `{resource}` 的复制槽积压来源日志 {lag_mb} MB（{state}）",
        "Run the load now. If the slot is lost, the next load recovers as docs/ingestion.md describes.",
        "立即归集。如复制槽已失效，下一次归集按 docs/ingestion.md 所述恢复。",
    ),
    "warehouse_damaged": AlertKind(
        Severity.PAGE,
        "`zhengtong warehouse fsck` found {findings} faults, the first in `{resource}`",
        "`zhengtong warehouse fsck` 发现 {findings} 处问题，首个涉及 `{resource}`",
        "Run it by hand and follow what each finding says; delete nothing before.",
        "手工执行并按各项提示处理；在此之前请勿删除任何文件。",
    ),
    "hook_paused": AlertKind(
        Severity.TICKET,
        "the web hook `{hook}` of department {consumer} for `{resource}` is paused ({why})",
        "部门 {consumer} 订阅 `{resource}` 的推送地址 `{hook}` 已暂停（{why}）",
        "See `zhengtong hooks show HOOK` and call the department; once it answers, `zhengtong hooks resume HOOK`.",
        "用 `zhengtong hooks show 推送编号` 查看并联系该部门；接收端恢复后执行 `zhengtong hooks resume 推送编号`。",
    ),
    "log_unpublished": AlertKind(
        Severity.PAGE,
        "entries of the log have waited {seconds} seconds for a checkpoint; receipts promise {promised}",
        "日志条目等待检查点已 {seconds} 秒，超过回执承诺的 {promised} 秒",
        "See `zhengtong audit status`, the space on the log's disk, and what the API reports: its process publishes.",
        "查看 `zhengtong audit status`、日志所在磁盘空间和接口服务日志：检查点由接口服务进程发布。",
    ),
    "key_due": AlertKind(
        Severity.TICKET,
        "the key or certificate `{name}` of licences and seals ends on {until}, and none follows it",
        "证照与印章密钥或证书 `{name}` 将于 {until} 到期，尚无后续密钥",
        "Plan its next key: `zhengtong licence keys rotate NAME --from TIME`. A root takes a ceremony, a signer's key "
        "`zhengtong seal signer add PERSON --renew`.",
        "预定下一个密钥：`zhengtong licence keys rotate 名称 --from 时间`。根证书须经密钥仪式；签名人密钥用 "
        "`zhengtong seal signer add 签名人 --renew` 更换。",
    ),
    "crl_ends": AlertKind(
        Severity.TICKET,
        "the revocation list of the authority `{name}` ends on {until} and was not renewed",
        "签发机构 `{name}` 的证书撤销列表将于 {until} 到期，未按时更新",
        "Run `zhengtong licence keys crl`, for a root that is kept apart with `--root`. Verifiers go on until it ends.",
        "执行 `zhengtong licence keys crl`；根密钥离线保管的，加 `--root`。到期前验证不受影响。",
    ),
    "witness_silent": AlertKind(
        Severity.TICKET,
        "the witness `{witness}` has not cosigned the log for {minutes} minutes ({why})",
        "见证方 `{witness}` 已有 {minutes} 分钟未联署日志（{why}）",
        "See `zhengtong witness list` and call whoever runs it. It is asked again by itself; the log goes on without.",
        "查看 `zhengtong witness list` 并联系其运行单位。系统会自动重试；日志照常运行。",
    ),
    "log_forked": AlertKind(
        Severity.PAGE,
        "the witness `{witness}` says that the log is not the one it cosigned before ({why})",
        "见证方 `{witness}` 指出日志与其先前联署的不符（{why}）",
        "Change nothing in `log/`, keep a copy, run `zhengtong audit verify`. Find out if an older log was put back.",
        "请勿改动 `log/`，先保留副本，再执行 `zhengtong audit verify`，并查明是否恢复过旧日志。",
    ),
}
