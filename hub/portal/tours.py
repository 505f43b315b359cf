"""A first walk through the portal for each duty: where to go, what to do there, and what there is to see.

Told for the demonstration's data; on a city's own, the same pages show its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypeAlias

from hub.people.duties import Duty

Words: TypeAlias = tuple[str, str]
"""(English, Chinese)."""


@dataclass(frozen=True, slots=True)
class Stop:
    """One page of a walk: *to* its address, what to *do* there, and what to *see*."""

    to: str
    do: Words
    see: Words


@dataclass(frozen=True, slots=True)
class Tour:
    """The walk of *duty*, or of anybody (None). *question*: what it answers."""

    duty: Duty | None
    question: Words
    stops: tuple[Stop, ...]

    @property
    def name(self) -> str:
        """The last part of its address."""
        return "everybody" if self.duty is None else self.duty.value


TOURS: Final = (
    Tour(
        None,
        ("What does the city share, and can I trust this licence?", "本市共享哪些数据？这份证照可信吗？"),
        (
            Stop(
                "/catalogue?q=驾照",
                ("Search for driving licences by the everyday word.", "查找“驾照”。"),
                (
                    "Resources whose name, fields or everyday words fit; each with a light that says how fresh it is.",
                    "名称、信息项或俗称相符的资源，每项都有状态灯，说明更新是否及时。",
                ),
            ),
            Stop(
                "/board",
                ("Open the responsibility board.", "打开责任看板。"),
                (
                    "Which department owes what, how it stands, why, and what clears it; two rates.",
                    "哪个部门应共享什么、现状如何、为何如此、怎样消除；两项归集率各附口径。",
                ),
            ),
            Stop(
                "/verify",
                (
                    "Give it the tampered licence of the demonstration, then the genuine one beside it.",
                    "先交验演示中被篡改的证照，再交验旁边的真证照。",
                ),
                (
                    "The answer first, the reason in one sentence, then each step. Nothing of the file is kept.",
                    "先给结论，再用一句话说明原因，随后列出每一步；文件不会留存。",
                ),
            ),
        ),
    ),
    Tour(
        Duty.STAFF,
        ("How do I get data instead of asking for paper?", "怎样用数据代替纸质材料？"),
        (
            Stop(
                "/",
                ("Begin at the start page.", "从首页开始。"),
                (
                    "What waits for your department, the nearest deadline first, and what changed in what you follow.",
                    "等本部门办理的事，时限近者在前；以及所关注内容的变化。",
                ),
            ),
            Stop(
                "/catalogue",
                ("Find a resource and look at the button on its card.", "找到一项资源，看卡片上的按钮。"),
                (
                    "The button is your own state: apply, day 3 of 10, granted with calls left, or not shared and why.",
                    "按钮就是本部门的状态：可申请、办理第几日、已授权及剩余次数，或不予共享及依据。",
                ),
            ),
            Stop(
                "/requests",
                ("Apply from the resource's page; then follow the case here.", "在资源页发起申请，在此查看进度。"),
                (
                    "The matter ticks the fields that it needs. Each case has its clock and its next step.",
                    "选定事项后自动勾选所需信息项；每件申请都有时限和下一步。",
                ),
            ),
            Stop(
                "/grants",
                ("Open a grant and try a call.", "打开一项授权，试调用一次。"),
                (
                    "Request, answer, what was masked and why, the receipt; the same call in curl, Python and Java.",
                    "请求、结果、脱敏及原因、回执；同一调用的 curl、Python、Java 写法。",
                ),
            ),
            Stop(
                "/corrections",
                ("Something in the data is wrong: report it.", "发现数据有误，提出校核。"),
                (
                    "The provider answers by its clock; meanwhile answers say that the field is in dispute.",
                    "提供方在时限内答复；其间查询结果会标注争议。",
                ),
            ),
        ),
    ),
    Tour(
        Duty.REVIEWER,
        ("Who asks for our data, and what do I answer?", "谁在申请我们的数据？如何答复？"),
        (
            Stop(
                "/requests",
                ("Open the case with the oldest clock.", "打开时限最近的一件。"),
                (
                    "What is asked beside what the list says; what the matter needs at least.",
                    "申请内容与清单规定并列，并显示该事项的最低需要。",
                ),
            ),
            Stop(
                "/requests",
                ("Agree to less: fewer fields, a mask, fewer calls.", "部分同意：减少信息项、加脱敏、降低次数。"),
                (
                    "Refusing wants the ground of the list. Every decision is in the log, by post.",
                    "不同意须引用清单依据；每个决定都以岗位名义记入日志。",
                ),
            ),
            Stop(
                "/grants",
                ("See who has your data now, and how much of it is used.", "查看谁在使用本部门数据、用了多少。"),
                (
                    "Calls by day; pause, shrink or end a grant, with a reason.",
                    "按日调用量；可暂停、缩小或终止，须写理由。",
                ),
            ),
            Stop(
                "/drafting",
                (
                    "Change what your department shares: edit the draft of the list.",
                    "修改本部门的共享内容：编辑清单草案。",
                ),
                (
                    "What differs from the list in force, and what has to be mended before it is sent.",
                    "与现行清单的差异，以及报送前须改正之处。",
                ),
            ),
        ),
    ),
    Tour(
        Duty.LICENCES,
        ("How does a record become a licence that anybody can verify?", "一条记录怎样成为人人可验的证照？"),
        (
            Stop(
                "/licences",
                ("Choose a kind of licence.", "选择一种证照。"),
                (
                    "Its face fields, the resource it is made from, its seal, and whether one or two persons decide.",
                    "照面信息项、来源资源、用章，以及由一人还是两人决定。",
                ),
            ),
            Stop(
                "/licences/apply",
                ("Begin a case by the holder's key.", "用持证主体的主键发起办理。"),
                (
                    "The face is filled from the record; what the applicant said differently is shown beside it.",
                    "照面由记录预填；与申请人所述不同之处并列显示。",
                ),
            ),
            Stop(
                "/licences/decisions",
                ("As a second person, decide what a colleague proposed.", "作为第二名审批人员，决定同事提交的事项。"),
                ("Nobody decides their own proposal.", "自己提交的，自己不能决定。"),
            ),
            Stop(
                "/licences/batches",
                ("Look at a batch before it issues anything.", "在批量签发之前先试算。"),
                (
                    "How many rows are ready, are issued already, or break which rule; then progress.",
                    "可签发、已有证照、违反哪条规则的行数；随后的进度不因离开页面而中断。",
                ),
            ),
            Stop(
                "/licences/find",
                ("Find a licence, and look who relied on it before you revoke it.", "查找证照；撤销前先看谁使用过它。"),
                (
                    "Suspend, correct, revoke, with reason and ground: verifiers see it within a minute.",
                    "暂扣、更正、撤销，均须写明理由和依据，一分钟内对验证者可见。",
                ),
            ),
            Stop(
                "/seals",
                ("Look at a seal: who keeps it, what it sealed.", "查看印章：由谁保管、盖过什么。"),
                (
                    "Only its custodian may use it; each use is written down.",
                    "只有保管岗位可以用印，每次用印都有记录。",
                ),
            ),
        ),
    ),
    Tour(
        Duty.WINDOW,
        ("A citizen stands before me: how do I do without paper?", "群众就在窗口，怎样免交材料？"),
        (
            Stop(
                "/window",
                (
                    "Choose the matter once; then scan the code that the citizen shows.",
                    "先选定事项，再扫描群众出示的码。",
                ),
                (
                    "Valid or not, large; and only the fields that the matter needs.",
                    "以大字显示是否有效；只显示该事项所需信息项。",
                ),
            ),
            Stop(
                "/verify",
                ("A file or a number was given instead: verify it here.", "群众给的是文件或编号：在此核验。"),
                (
                    "At signing time, now, or on a date; the report as PDF.",
                    "可按签发时、现在或某日判定；报告可存为 PDF。",
                ),
            ),
            Stop(
                "/materials",
                (
                    "A paper that is no licence was handed in before: find and reuse it.",
                    "以前交过的其他材料：查找并复用。",
                ),
                ("Where it came from, until when it counts, where it was used.", "来源、有效期和使用记录。"),
            ),
        ),
    ),
    Tour(
        Duty.ENGINEER,
        ("Did last night's loads arrive, and what do I do about the others?", "昨夜的数据都到了吗？没到的怎么办？"),
        (
            Stop(
                "/ingestion",
                ("Look at the last 28 loads of every resource.", "查看每项资源最近 28 次加载。"),
                (
                    "Light, word and number for each; what needs a person is on top.",
                    "每次都有灯、词和数字；需要人处理的排在最前。",
                ),
            ),
            Stop(
                "/ingestion",
                ("Open one whose source changed its shape.", "打开来源结构有变化的一项。"),
                (
                    "Old beside new; accept it as it was seen, or reject it. Nothing is loaded until somebody decides.",
                    "新旧结构并列；可接受或拒绝；决定之前不入库。",
                ),
            ),
            Stop(
                "/ingestion",
                ("Look at rejected rows, and order a backfill with a preview.", "查看被拒收的行，预览后补归集。"),
                (
                    "The rule and the field, never the value; what a backfill would read before it does.",
                    "只显示规则与信息项，不显示值；补归集前先说明要读什么。",
                ),
            ),
        ),
    ),
    Tour(
        Duty.OFFICE,
        ("Does every department keep what the list promises?", "各部门是否履行清单承诺？"),
        (
            Stop(
                "/board",
                ("Open a red light of the board.", "点开看板上的红灯。"),
                ("Since when, why, who clears it how.", "自何时起、为何、由谁怎样消除。"),
            ),
            Stop(
                "/lists",
                ("Review a draft of the list, and publish a version.", "审核清单草案，发布新版本。"),
                (
                    "What the change takes from whom; objections; versions with their differences.",
                    "变动影响谁；有无异议；各版本差异。",
                ),
            ),
            Stop(
                "/demands",
                ("See what departments need and the list lacks.", "查看部门需要而清单所缺的数据。"),
                ("Claimed, answered, or disputed, each with its clock.", "已认领、已答复或有争议，各有时限。"),
            ),
            Stop(
                "/audit/anomalies",
                ("Look at calls that are unlike the others.", "查看异常调用。"),
                (
                    "At night, in bulk, of one person again and again: each a link to its entries.",
                    "夜间、大量、反复查同一人，均可点到日志条目。",
                ),
            ),
        ),
    ),
    Tour(
        Duty.LEADER,
        ("How does the city stand, in six numbers?", "六个数字看全市情况。"),
        (
            Stop(
                "/overview",
                ("Open a number.", "点开一个数字。"),
                (
                    "Its definition, numerator, denominator and day, down to the rows it is made of.",
                    "口径、分子、分母、截止时间，直至构成它的行。",
                ),
            ),
            Stop(
                "/board",
                ("Compare departments.", "比较各部门。"),
                (
                    "Rates for government data and for economic and social data, apart.",
                    "政务数据与经济社会数据分别计算。",
                ),
            ),
        ),
    ),
    Tour(
        Duty.AUDITOR,
        ("Can I prove what happened, without trusting the hub?", "不依赖平台，怎样证明发生过什么？"),
        (
            Stop(
                "/audit",
                ("Search the log by department, resource, kind or day.", "按部门、资源、类型或日期检索日志。"),
                ("Entries with their place in the log; never a name.", "条目及其在日志中的位置，从不出现姓名。"),
            ),
            Stop(
                "/audit",
                ("Open an entry, and follow its path to the checkpoint.", "打开一条，沿路径核到检查点。"),
                (
                    "As a drawing and as text; the same check by openssl is in the papers.",
                    "既有图也有文字；用 openssl 的同样核验见文档。",
                ),
            ),
            Stop(
                "/audit/growth",
                ("Check that yesterday's log is the beginning of today's.", "核验昨日的日志是今日日志的开头。"),
                ("A consistency proof between two checkpoints.", "两个检查点之间的一致性证明。"),
            ),
            Stop(
                "/audit/sample",
                ("Draw a sample that nobody could have chosen.", "抽取无人能预先挑选的样本。"),
                (
                    "The seed comes from a later checkpoint; replay decides each call again.",
                    "种子取自其后的检查点；复算重新判定每次调用。",
                ),
            ),
            Stop(
                "/audit/pack",
                ("Take an evidence pack with you.", "带走存证包。"),
                ("All that is needed to check it on a machine of your own.", "在自己的机器上核验所需的全部内容。"),
            ),
        ),
    ),
    Tour(
        Duty.ADMINISTRATOR,
        ("Who may do what, and is the hub in order?", "谁可以做什么？平台是否正常？"),
        (
            Stop(
                "/people",
                ("Add somebody, and give duties.", "添加人员，给予职责。"),
                (
                    "Administrator and auditor go with no other duty; the first password is changed at first use.",
                    "系统管理员与审计员不得兼任其他职责；首次登录须改口令。",
                ),
            ),
            Stop(
                "/administration",
                ("Look at each part of the hub.", "查看平台各部分。"),
                ("A light, since when, and what clears it.", "状态灯、自何时起、怎样消除。"),
            ),
            Stop(
                "/administration/keys",
                ("Look at the keys.", "查看密钥。"),
                ("What each signs, until when, and when it is rotated.", "用途、有效期和轮换时间。"),
            ),
            Stop(
                "/administration/backups",
                ("Look at the backups.", "查看备份。"),
                (
                    "How old, what is in it, and the command that makes the next one.",
                    "时间、内容，以及做下一次备份的命令。",
                ),
            ),
        ),
    ),
)
