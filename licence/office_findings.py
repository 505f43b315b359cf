"""The coded findings of the licence office: kinds, persons' codes, the life cycle, annotated copies, materials.

`licence.findings` holds them with the others; which applies is decided where the code is raised.
"""

from __future__ import annotations

from typing import Final

OFFICE_FINDINGS: Final[dict[str, tuple[str, str]]] = {
    # Kinds.
    "bad_authority_code": (
        "authority_code `{value}` is no unified social credit code: {why}",
        "定义机构代码`{value}`不是有效的统一社会信用代码：{why}",
    ),
    "duplicate_kind_name": ("name `{value}` is already used at {first}.", "证照名称`{value}`已在 {first} 使用。"),
    "attribute_not_allowed": ("{name} `{value}` is none of: {allowed}.", "{name} 的值`{value}`不在其列：{allowed}。"),
    "attribute_not_texts": ("`{name}` must be a list of texts, each once.", "`{name}`应为不重复的文本列表。"),
    "attribute_not_number": (
        "`{name}` must be a whole number from {low} to {high}.",
        "`{name}`应为 {low} 至 {high} 的整数。",
    ),
    "attribute_not_date": ("`{name}` must be a date, YYYY-MM-DD.", "`{name}`应为日期（YYYY-MM-DD）。"),
    "validity_several": (
        "More than one kind of validity is given ({names}). Keep one; none means no end.",
        "同时给出了多种有效期（{names}）。请只保留一种；均不填表示长期。",
    ),
    "validity_field_unknown": (
        "validity_field `{value}` is no date field of this kind's face.",
        "validity_field `{value}`不是本类型照面中的日期项。",
    ),
    "renewal_without_end": ("A kind without an end has nothing to renew.", "长期有效的证照无需延续。"),
    "renewal_window_empty": (
        "Renewal opens {opens} and closes {closes} days before the end: nobody could ask. Open it earlier.",
        "延续申请在届满前 {closes} 日截止，在届满前 {opens} 日开始：无人可以申请。请提前开始。",
    ),
    "codes_missing": (
        "A field of type code needs `codes`: code and title of each.",
        "代码型照面项应给出 `codes`（代码与名称）。",
    ),
    "codes_not_allowed": ("`codes` belong to a field of type code only.", "只有代码型照面项才可给出 `codes`。"),
    "face_too_long": ("A face has at most {limit} fields.", "照面项不超过 {limit} 项。"),
    "face_value_of_other_type": (
        "Face field {field} holds no value of type {type}. Correct the authoritative record.",
        "照面项 {field} 的值不属于类型 {type}。请更正权威记录。",
    ),
    "face_not_mapped": (
        "The mapping of kind `{kind}` does not fit its face: {missing}. Map each required field once, and no other.",
        "类型`{kind}`的数据来源映射与照面不符：{missing}。必填项均应映射，且不得映射照面以外的项。",
    ),
    # What differs between two catalogues.
    "kind_added": ("Kind `{kind}` is new.", "新增证照类型“{kind}”。"),
    "kind_removed": ("Kind `{kind}` is no longer in the catalogue.", "目录不再列入证照类型“{kind}”。"),
    "kind_recoded": (
        "Kind `{kind}` has a new code: {old} became {new}.",
        "证照类型“{kind}”改码：由 {old} 改为 {new}。",
    ),
    "kind_changed": (
        "Kind `{kind}`: {attribute} changed from {old} to {new}.",
        "证照类型“{kind}”的{attribute}由 {old} 改为 {new}。",
    ),
    "face_field_added": ("Kind `{kind}`: face field {field} is new.", "证照类型“{kind}”新增照面项 {field}。"),
    "face_field_removed": ("Kind `{kind}`: face field {field} is gone.", "证照类型“{kind}”取消照面项 {field}。"),
    "face_field_changed": (
        "Kind `{kind}`, face field {field}: {attribute} changed from {old} to {new}.",
        "证照类型“{kind}”照面项 {field} 的{attribute}由 {old} 改为 {new}。",
    ),
    "face_reordered": (
        "Kind `{kind}`: the face fields stand in another order.",
        "证照类型“{kind}”的照面项次序有调整。",
    ),
    # Codes of organisations and persons.
    "person_code_length": (
        "it has {found} characters instead of {expected}.",
        "长度为 {found} 位，应为 {expected} 位。",
    ),
    "person_code_characters": ("character {position} may not stand there.", "第 {position} 位的字符不允许。"),
    "person_code_organisation": (
        "the organisation code inside it (positions 9 to 17) does not hold.",
        "其中的组织机构代码（第 9 至 17 位）校验不符。",
    ),
    "person_code_date": ("the date of birth is not in the calendar.", "出生日期不存在。"),
    "person_code_check": ("the check character does not hold.", "校验位不符。"),
    # The life cycle.
    "event_not_possible": (
        "In phase {phase} the step “{step}” is not possible. Possible now: {possible}.",
        "当前环节为“{phase}”，不能{step}。目前可以：{possible}。",
    ),
    "event_before_last": (
        "The step “{step}” is dated {at}, before the last one ({last}). Give its true time.",
        "“{step}”的时间 {at} 早于上一环节（{last}）。请填写真实时间。",
    ),
    "event_other_unit": (
        "Unit `{by}` may not take the step “{step}”: it belongs to `{issuer}`.",
        "单位`{by}`不得{step}：应由颁发机构`{issuer}`办理。",
    ),
    "event_without": ("The step “{step}” needs {missing}. State it.", "{step}必须写明{missing}。请补充。"),
    "event_same_person": (
        "`{officer}` took the step “{before}” and may not also take “{step}”. Let another person decide.",
        "`{officer}`已办理“{before}”，不得再{step}。请由他人办理。",
    ),
    "event_wrong_licence": (
        "Identifier `{licence}` does not fit the step “{step}”: {why}.",
        "证照标识`{licence}`不适用于{step}：{why}。",
    ),
    "event_time_not_aware": ("The time of a step must carry its time zone.", "环节时间必须带时区。"),
    "history_too_long": ("A dossier holds at most {limit} steps.", "一份案卷最多 {limit} 个环节。"),
    # Annotated copies.
    "copy_text_missing": (
        "An annotated copy needs {name} in at most {limit} characters.",
        "加注件必须填写{name}，不超过 {limit} 字。",
    ),
    "copy_text_hidden": ("{name} holds control characters.", "{name}含控制字符。"),
    "copy_validity": (
        "An annotated copy must end after it is made and within {limit} days.",
        "加注件的截止时间应晚于加注时间，且不超过 {limit} 日。",
    ),
    "copy_outlives_licence": (
        "The copy would be valid longer than the licence ({limit}).",
        "加注件的有效期超出证照有效期（{limit}）。",
    ),
    "copy_of_ended": (
        "A licence in state {state} is not copied for use.",
        "状态为“{state}”的证照不得制作加注件。",
    ),
    "copy_unreadable": (
        "The annotation is incomplete or holds what does not belong to it.",
        "加注信息不完整或含有不属于加注信息的内容。",
    ),
    "copy_expired": (
        "The annotated copy was valid until {limit}. Ask for a new one.",
        "加注件有效期至 {limit}，已失效。请重新获取。",
    ),
    "copy_not_yet": (
        "The annotated copy was made at {made}, later than the time asked about.",
        "加注件制作于 {made}，晚于所问时间。",
    ),
    "copy_other_purpose": (
        "The annotated copy was made for “{purpose}” and for nothing else.",
        "加注件仅限用于“{purpose}”，不得用于其他事项。",
    ),
    "copy_other_licence": ("The annotated copy is of another licence.", "加注件属于另一份证照。"),
    # Materials.
    "material_bad": ("The material's {name} is missing or malformed.", "材料的{name}缺失或格式错误。"),
    "material_not_valid": ("The material is valid from {starts} until {ends}.", "材料有效期为 {starts} 至 {ends}。"),
    "material_invalidated": ("The material was declared invalid at {at}.", "材料已于 {at} 作废。"),
    "material_other_unit": ("`{unit}` may not reuse this material.", "`{unit}`不得复用本材料。"),
    "material_other_matter": ("This material may not be reused for `{matter}`.", "本材料不得复用于`{matter}`。"),
    "material_no_consent": (
        "The holder must agree before this material is reused, and has not.",
        "复用本材料须经持有人同意，目前未取得同意。",
    ),
    "material_digest_differs": (
        "The file is not the one that was taken in: its digest differs.",
        "文件与入库时不一致：摘要不符。",
    ),
    "material_entry_differs": (
        "The log entry contradicts the material in `{fact}`.",
        "日志条目的 `{fact}` 与材料不一致。",
    ),
}
