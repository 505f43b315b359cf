"""What may be wrong with a responsibility list: each kind of fault with its severity, its meaning and its mend.

Finding faults is `catalog.cells`, `catalog.build` and `catalog.validate`; this module only names them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

Severity = Literal["error", "warning"]

# code: (severity, English, Chinese). Parameters: value, column (heading or attribute), allowed, first (the place of
# the other party to a clash), and what else a sentence names.
FAULTS: Final[dict[str, tuple[Severity, str, str]]] = {
    # The shape of the file.
    "missing_sheet": (
        "error",
        "the sheet `{value}` is missing; add it, with its headings",
        "缺少工作表 `{value}`，请补充该表及其表头",
    ),
    "unknown_sheet": (
        "warning",
        "the sheet `{value}` is no part of a list and was not read; rename it to one of {allowed} if it should be",
        "工作表 `{value}` 不属于清单，未读取；如应导入，请改名为：{allowed}",
    ),
    "duplicate_sheet": (
        "error",
        "`{value}` is the table `{other}` a second time (first `{first}`) and was not read; keep one",
        "`{value}` 与 `{first}` 同为 `{other}` 表，未读取，请保留其一",
    ),
    "external_link": (
        "warning",
        "{count} links lead out of the workbook and were not opened: {value}; paste values, then remove the links",
        "工作簿含 {count} 处外部链接，均未打开：{value}；请将引用内容粘贴为数值后断开链接",
    ),
    "too_many_errors": (
        "error",
        "{shown} faults are shown, {more} more are not; mend these and load again",
        "已列出 {shown} 处，另有 {more} 处未列出，请先改正后重新导入",
    ),
    "too_many_warnings": (
        "warning",
        "{shown} notices are shown, {more} more are not",
        "已列出 {shown} 处提示，另有 {more} 处未列出",
    ),
    "missing_headings": (
        "error",
        "no heading row found in the first {rows} rows; put one with {allowed}",
        "前 {rows} 行未找到表头，请设置表头：{allowed}",
    ),
    "missing_column": ("error", "the column `{column}` is missing; add it", "缺少 `{column}` 列，请补充"),
    "unknown_column": (
        "error",
        "`{value}` is no column of this table; rename it to one of {allowed}, or delete it",
        "`{value}` 不是本表的列，请改为下列之一或删除：{allowed}",
    ),
    "duplicate_column": (
        "error",
        "the column `{value}` stands twice (first at {first}); delete one",
        "`{value}` 列重复（首次出现于 {first}），请删除其一",
    ),
    "outside_table": (
        "error",
        "`{value}` stands under no heading; give its column a heading, or delete it",
        "`{value}` 所在列没有表头，请补充表头或删除",
    ),
    "formula_error": (
        "error",
        "the formula in this cell ends in an error; replace it with its value",
        "单元格公式结果为错误值，请改为具体内容",
    ),
    "formula": (
        "warning",
        "{count} cells of this sheet, from here on, are formulas, whose last results were read; paste them as values",
        "本表自此有 {count} 个单元格为公式，已按最后一次计算结果读取，请粘贴为数值",
    ),
    "unknown_attribute": (
        "error",
        "`{value}` is no attribute here; rename it to one of {allowed}, or delete it",
        "`{value}` 不是此处的属性，请改为下列之一或删除：{allowed}",
    ),
    "duplicate_attribute": (
        "error",
        "`{value}` stands twice (first at {first}); delete one",
        "`{value}` 重复（首次出现于 {first}），请删除其一",
    ),
    "tag_not_allowed": (
        "error",
        "the YAML tag `{value}` is not allowed; delete it and write plain text",
        "不允许使用 YAML 标签 `{value}`，请删除并写为普通文本",
    ),
    "wrong_shape": (
        "error",
        "`{column}` must be {expected}; mind the indentation",
        "`{column}` 应为{expected_zh}，请检查缩进",
    ),
    # Single values.
    "missing_value": ("error", "`{column}` is empty; fill it in", "`{column}` 为空，请填写"),
    "unknown_value": (
        "error",
        "`{value}` is not allowed as `{column}`; write one of {allowed}",
        "`{column}` 不允许填 `{value}`，请填写下列之一：{allowed}",
    ),
    "bad_code": (
        "error",
        "`{value}` is no code; write 1 to 64 of letters, digits, `.`, `_`, `-`, `/`, beginning with a letter or digit",
        "`{value}` 不是有效代码，应为 1 至 64 位字母、数字或 `.`、`_`、`-`、`/`，以字母或数字开头",
    ),
    "bad_field_name": (
        "error",
        "`{value}` is no field name; write letters, digits and `_`, beginning with a letter",
        "`{value}` 不是有效字段名，应由文字、数字和 `_` 组成，并以文字开头",
    ),
    "bad_number": (
        "error",
        "`{value}` is not allowed as `{column}`; write {allowed}",
        "`{column}` 不允许填 `{value}`，应为{allowed_zh}",
    ),
    "bad_boolean": (
        "error",
        "`{value}` is neither yes nor no; write 是/否 or true/false",
        "`{value}` 不是“是”或“否”，请填写“是”或“否”",
    ),
    "bad_date": (
        "error",
        "`{value}` is no date; write it like 2020-06-30",
        "`{value}` 不是有效日期，请按 2020-06-30 的格式填写",
    ),
    "bad_type": (
        "error",
        "`{value}` is no type; write one of {allowed} (in YAML within braces: in quotes)",
        "`{value}` 不是有效数据类型，请填写下列之一：{allowed}（YAML 花括号内须加引号）",
    ),
    "bad_uscc": (
        "error",
        "`{value}` is {problem}; take the code from the certificate",
        "`{value}`：{problem_zh}，请按证书核对",
    ),
    "bad_pattern": (
        "error",
        "`{value}` is no regular expression ({problem}); mend it",
        "`{value}` 不是有效的正则表达式（{problem}），请改正",
    ),
    "bad_options": (
        "error",
        "`{value}` is no set of reading options; write name=value;name=value, or a JSON object of texts",
        "`{value}` 不是有效的读取选项，请写为 名称=值;名称=值，或值均为文本的 JSON 对象",
    ),
    "long_number": (
        "error",
        "`{value}` is a number in which Excel kept 15 digits only; format the cell as text and type the value again",
        "`{value}` 为数值单元格，Excel 仅保留 15 位有效数字，请将单元格设为文本格式后重新填写",
    ),
    "cell_is_date": (
        "error",
        "Excel turned this cell into the date `{value}`; format the cell as text and type the value again",
        "Excel 已将该单元格转为日期 `{value}`，请将单元格设为文本格式后重新填写",
    ),
    "control_character": (
        "error",
        "`{column}` holds an invisible control character (U+{value}); type the text again",
        "`{column}` 含有不可见的控制字符（U+{value}），请重新填写",
    ),
    "too_long": (
        "error",
        "`{column}` has {value} characters, {allowed} are the most; shorten it",
        "`{column}` 共 {value} 个字符，最多 {allowed} 个，请缩短",
    ),
    "bad_contact": (
        "error",
        "`{value}` is no duty with its post; write duty=post, the duty one of {allowed}",
        "`{value}` 不是“职责=岗位”，职责请填写下列之一：{allowed}",
    ),
    "bad_drift": (
        "error",
        "`{value}` says not what happens when the source changes; write drift=policy, of {allowed} and {other}",
        "`{value}` 不是“变化=处理方式”，变化请填写下列之一：{allowed}；处理方式请填写下列之一：{other}",
    ),
    "personal_contact": (
        "warning",
        "`{column}` holds a telephone or identity number; name a post, not a person",
        "`{column}` 含有手机号码或身份号码，请填写岗位，不要填写个人信息",
    ),
    # References.
    "unknown_department": (
        "error",
        "`{value}` is no department of this list; add it to the departments, or write one of its codes",
        "部门表中没有 `{value}`，请在部门表中补充，或填写已有的部门代码",
    ),
    "unknown_resource": (
        "error",
        "`{value}` is no resource of this list; add it to the resources, or correct the code",
        "资源表中没有 `{value}`，请在资源表中补充，或更正代码",
    ),
    "unknown_matter": (
        "error",
        "`{value}` is no matter of this list; add it to the matters, or correct the code",
        "事项表中没有 `{value}`，请在事项表中补充，或更正代码",
    ),
    "ambiguous_department": (
        "error",
        "more than one department is called `{value}`; write the department's code",
        "有多个部门名为 `{value}`，请填写部门代码",
    ),
    "duplicate_code": (
        "error",
        "the code `{value}` was given before, at {first}; give each its own",
        "代码 `{value}` 与 {first} 重复，请分别赋码",
    ),
    "unknown_code_list": (
        "error",
        "`{value}` is no code list of this list; add it to the code lists, or write one of {allowed}",
        "代码表中没有 `{value}`，请补充该代码表，或填写下列之一：{allowed}",
    ),
    "empty_code_list": (
        "error",
        "the code list `{value}` has no value; fill in its values",
        "代码表 `{value}` 没有代码值，请补充",
    ),
    "duplicate_code_value": (
        "error",
        "the value `{value}` stands in this code list before, at {first}; delete one",
        "代码值 `{value}` 与 {first} 重复，请删除其一",
    ),
    "too_many_codes": (
        "error",
        "up to here fields refer to more than {allowed} values; share a code list like `{value}` as a resource instead",
        "至此各信息项引用的代码值连同 `{value}` 超过 {allowed} 个，过长的代码表请作为信息资源单独共享",
    ),
    "code_list_renamed": (
        "error",
        "the code list is called `{value}` here and `{other}` at {first}; write the same name, or another code",
        "该代码表此处名为 `{value}`，而 {first} 名为 `{other}`，请统一名称或另行赋码",
    ),
    "codes_and_code_list": (
        "error",
        "the values written here are not those of the code list `{value}`; delete one of the two",
        "此处值域与代码表 `{value}` 不一致，请删除其一",
    ),
    "nobody_owes": (
        "warning",
        "nobody owes the resource `{value}`; add a line for it, or delete the reference",
        "没有部门对信息资源 `{value}` 负有共享责任，请补充责任行，或删除该引用",
    ),
    "short_code": (
        "warning",
        "the code `{value}` has fewer than {allowed} digits (类 1, 项 2, 目 3, then a running number); complete it",
        "代码 `{value}` 不足 {allowed} 位（类 1 位、项 2 位、目 3 位及顺序码），请补全",
    ),
    "odd_code": (
        "warning",
        "the code `{value}` is not made like nearly all the others, such as `{other}`; make it alike",
        "代码 `{value}` 的编码结构与多数代码（如 `{other}`）不一致，请统一",
    ),
    "cyclic_parent": (
        "error",
        "`{value}` stands above itself ({chain}); correct the parent",
        "`{value}` 的上级形成循环（{chain}），请更正上级部门",
    ),
    # Rules over a resource and its fields.
    "no_fields": (
        "error",
        "the resource `{value}` has no information item; describe its fields",
        "信息资源 `{value}` 没有信息项，请补充",
    ),
    "no_key": (
        "error",
        "the resource `{value}` has no key field; mark the fields that identify a record",
        "信息资源 `{value}` 没有主键，请标明唯一标识一条记录的字段",
    ),
    "duplicate_field": (
        "error",
        "the field `{value}` was named before, at {first} (capitals make no difference); rename one",
        "字段 `{value}` 与 {first} 重名（不区分大小写），请改名",
    ),
    "alias_clash": (
        "error",
        "`{value}` already means another field, at {first}; delete the alias from one",
        "`{value}` 已指向 {first} 的字段，请删除其中一个别名",
    ),
    "check_needs_string": (
        "error",
        "a check-digit rule needs a text, but the type is `{value}`; make it string(18)",
        "校验码规则只适用于字符型，现为 `{value}`，请改为 string(18)",
    ),
    "not_shared_without_ground": (
        "error",
        "not shared (不予共享), but no ground is given; cite the law, regulation or State Council document",
        "共享类型为不予共享，但未列明依据，请注明法律、行政法规或国务院规定",
    ),
    "hidden_without_ground": (
        "error",
        "uses for this matter are hidden from the person (不予显示), but no ground is given; cite the law",
        "该事项的使用记录对本人不予显示，但未列明依据，请注明法律、行政法规",
    ),
    "hidden_ground_idle": (
        "warning",
        "a ground for hiding is given, but the matter is not hidden; say so (是), or delete the ground",
        "填写了不予显示依据，但未标明对本人不予显示，请填“是”，或删除依据",
    ),
    "condition_missing": (
        "warning",
        "conditionally shared (有条件共享), but no condition is given; state it",
        "共享类型为有条件共享，但未填写共享条件，请补充",
    ),
    "not_a_field": (
        "error",
        "`{column}` names `{value}`, which is no field of the resource; write one of {allowed}",
        "`{column}` 填写的 `{value}` 不是本资源的字段，请填写下列之一：{allowed}",
    ),
    "merge_without_cursor": (
        "error",
        "the disposition is merge (增量合并), but there is no cursor field; name the field that grows with each change",
        "入库方式为增量合并，但未填写增量字段，请填写随每次变更递增的字段",
    ),
    "deleted_value_missing": (
        "error",
        "a deletion field is named, but not the value that marks a deleted record; fill in `{column}`",
        "已填写删除标志字段，但未填写表示已删除的值，请填写 `{column}`",
    ),
    "deletion_needless": (
        "error",
        "with the disposition {value} no row is ever deleted; delete the way of deletion, or change the disposition",
        "入库方式为{value}时不会删除记录，请删去删除方式，或改用其他入库方式",
    ),
    "drift_twice": (
        "error",
        "what happens on `{value}` is said twice; keep one",
        "`{value}` 的处理方式重复填写，请保留其一",
    ),
    "landing_structural": (
        "error",
        "`{value}` is the {column} of the resource, which it could not be when masked as it is read; delete the mask",
        "`{value}` 是本资源的{column}，入库脱敏后无法使用，请删去入库脱敏",
    ),
    "landing_key": (
        "error",
        "masked by {value} different records would share a key; write {allowed}, or delete the mask",
        "主键按“{value}”入库脱敏后不同记录会重码，请改为{allowed}或删去",
    ),
    "landing_type": (
        "error",
        "what a mask leaves is text, but the type is `{value}`; make it string",
        "脱敏结果为文本，而数据类型为 `{value}`，请改为 string",
    ),
    "landing_length": (
        "error",
        "the mask leaves {allowed} characters, but the type is `{value}`; make it longer",
        "脱敏结果为 {allowed} 个字符，而数据类型为 `{value}`，请加长",
    ),
    "landing_ruled": (
        "error",
        "masked values cannot keep `{column}`; delete the one or the other",
        "脱敏后的取值无法满足 `{column}`，请删除其一",
    ),
    "landing_empty": (
        "error",
        "the mask empties a field that may not be empty; let it be empty, or choose another mask",
        "该脱敏方式会置空，而信息项不可为空，请改为可空或另选脱敏方式",
    ),
    "landing_looked_up": (
        "warning",
        "a field masked by {value} as it is read can be looked up by what is left of it only; is that meant?",
        "信息项按“{value}”入库脱敏后，只能按剩余内容检索，请确认",
    ),
    "ground_cites_nothing": (
        "warning",
        "`{value}` names no law, regulation or State Council document; cite it with its article",
        "`{value}` 未列明法律、行政法规或国务院规定，请注明名称和条款",
    ),
    "abstract_says_nothing": (
        "warning",
        "the abstract `{value}` says no more than the name; say what it holds, about whom and since when",
        "摘要 `{value}` 未说明内容，请概述所含内容、对象和范围",
    ),
    "format_source_mismatch": (
        "warning",
        "the format is {value}, but the source is `{other}`; write {allowed}, or correct the source",
        "信息资源格式为 {value}，而来源对象为 `{other}`，请改为 {allowed} 或更正来源",
    ),
    "quality_needs_field": (
        "error",
        "a rule of this kind is about a field; name it",
        "此类质量规则须指明字段，请填写",
    ),
    "quality_field_needless": (
        "error",
        "a rule on the number of rows is about no field; delete it",
        "数据量规则不针对字段，请删除字段名",
    ),
    "quality_needs_target": (
        "error",
        "a rule of this kind says in what its values must be found; write resource code.field",
        "此类质量规则须指明引用目标，请填写 信息资源代码.字段名",
    ),
    "quality_target_needless": (
        "error",
        "a rule of this kind refers to nothing; delete the target",
        "此类质量规则没有引用目标，请删除",
    ),
    "quality_not_whole": (
        "warning",
        "only whole pulls have a usual size, but the disposition is {value}; make it a rule on the number of rows",
        "只有全量替换的数据量才有常值，而入库方式为{value}，请改用数据量规则",
    ),
    "quality_no_time": (
        "warning",
        "the age of `{value}` cannot be told, for it is no date and no time; name a field that is",
        "`{value}` 不是日期或日期时间，无法判断及时性，请改为此类信息项",
    ),
    "quality_field_unsaid": (
        "error",
        "the rule does not speak of `{value}`, at which its breaches would be laid; write one of {allowed}",
        "规则未涉及字段 `{value}`，不能将不合格归于该字段，请填写下列之一：{allowed}",
    ),
    "quality_needs_rule": (
        "error",
        "a rule of this kind says what must hold between fields; write it, such as `valid_from <= valid_to`",
        "此类质量规则须写明字段间应满足的关系，例如 `valid_from <= valid_to`",
    ),
    "bad_rule": (
        "error",
        "`{value}` is no rule between fields: {problem}; write it like `if status = '2' then closed_on is not null`",
        "`{value}` 不是有效的字段间规则：{problem_zh}，请按 `if status = '2' then closed_on is not null` 的形式填写",
    ),
    "rule_field_unknown": (
        "error",
        "the rule speaks of `{value}`, which is no field of the resource; write one of {allowed}",
        "规则中的 `{value}` 不是本资源的字段，请填写下列之一：{allowed}",
    ),
    "rule_unlike": (
        "error",
        "`{value}` and `{other}` cannot be compared; compare fields of one kind",
        "`{value}` 与 `{other}` 类型不同，无法比较，请比较同类字段",
    ),
    "rule_order": (
        "error",
        "`{other}` cannot be said of `{value}`, which is true or false; write = or <>",
        "`{value}` 为逻辑型，不能使用 `{other}`，请使用 = 或 <>",
    ),
    "rule_value": (
        "error",
        "`{value}` is no value of `{other}`; write it like {allowed}",
        "`{value}` 不是 `{other}` 的取值，请按 {allowed} 的形式填写",
    ),
    "rule_code": (
        "error",
        "`{value}` is no code of `{other}`; use one of its values",
        "`{value}` 不是 `{other}` 的代码，请使用其值域中的代码",
    ),
    "rule_empty_text": (
        "error",
        "empty text is no value; write `{value} is null`",
        "空文本不是取值，请写为 `{value} is null`",
    ),
    "rule_on_masked": (
        "error",
        "`{value}` is masked as it is read, so its value cannot be compared; only `is null` can be said of it",
        "`{value}` 已入库脱敏，不能比较其取值，只能判断是否为空（is null）",
    ),
    "method_format_mismatch": (
        "error",
        "the sharing method {value} does not fit the resource format {format}; write one of {allowed}",
        "共享方式 {value} 与信息资源格式 {format} 不符，请填写下列之一：{allowed}",
    ),
    "system_as_name": (
        "error",
        "`{value}` is the name of a system, not of what it holds; name the information itself",
        "`{value}` 是系统名称而非信息资源名称，请按信息内容命名",
    ),
    "similar_names": (
        "warning",
        "`{value}` differs from `{other}` at {first} by punctuation or space at most; keep one, or tell them apart",
        "`{value}` 与 {first} 的 `{other}` 仅标点或空格不同或完全相同，请合并或区分",
    ),
    "near_names": (
        "warning",
        "`{value}` is nearly `{other}` at {first}; if both hold the same, keep one, else tell them apart",
        "`{value}` 与 {first} 的 `{other}` 名称相近，如内容相同请合并，否则请区分",
    ),
    # Rules over the lines.
    "deadline_past": (
        "warning",
        "the deadline {value} was before today, {today}; set one that can be kept, or see that it is done",
        "完成时限 {value} 早于今日 {today}，请重新确定时限或督促完成",
    ),
    "promise_prohibited": (
        "warning",
        "this prohibition forbids what the line at {first} promises of `{value}`; change one of them",
        "本条禁止了 {first} 责任行对 `{value}` 的共享，请更正其一",
    ),
    # Rules over what matters need.
    "need_not_shared": (
        "warning",
        "`{value}` is not shared (不予共享), so the matter cannot have it; delete the need or correct the share type",
        "`{value}` 为不予共享，事项无法使用，请删除本行或更正共享类型",
    ),
    "need_without_line": (
        "warning",
        "no line owes `{value}` to `{other}` for this matter; add one, or delete the need",
        "没有责任行向 `{other}` 提供 `{value}` 用于本事项，请补充责任行或删除本行",
    ),
    "need_prohibited": (
        "warning",
        "the prohibition at {first} keeps from the matter `{value}` what this line says it needs; change one of them",
        "{first} 的不予共享条款禁止事项 `{value}` 使用本行所列数据，请更正其一",
    ),
    "provider_mismatch": (
        "warning",
        "the line's provider is `{value}`, the resource's is `{other}`; correct one",
        "责任行的提供方为 `{value}`，而资源的提供方为 `{other}`，请更正其一",
    ),
    "not_shared_on_list": (
        "warning",
        "the resource `{value}` is not shared (不予共享), so this line allows nothing; delete it or correct the type",
        "信息资源 `{value}` 为不予共享，本行不产生任何授权，请删除本行或更正共享类型",
    ),
    "duplicate_line": (
        "warning",
        "this line says the same as {first}; delete one",
        "本行与 {first} 内容相同，请删除其一",
    ),
}

# Long values are cut in messages; what matters is to find the cell.
_SHOWN_CHARS: Final = 60


def shown(value: str) -> str:
    """*value* on one line and no longer than is useful in a message."""
    line = " ".join(value.split())
    return line if len(line) <= _SHOWN_CHARS else line[: _SHOWN_CHARS - 1] + "…"


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault: where (``sheet!cell`` or ``file:line``), which, and the words its sentence needs."""

    where: str
    code: str
    params: tuple[tuple[str, str], ...] = ()

    @property
    def severity(self) -> Severity:
        """``error`` stops loading, ``warning`` does not."""
        return FAULTS[self.code][0]

    def text(self, lang: str) -> str:
        """What is wrong and the mend, in Chinese for ``zh`` and in English for anything else."""
        severity, en, zh = FAULTS[self.code]
        params = dict(self.params)
        if lang == "zh":
            return ("（提示）" if severity == "warning" else "") + zh.format(**params)
        return ("(warning) " if severity == "warning" else "") + en.format(**params)
