"""Blocks of information items that the resources are put together from: who or what, what happened, what was kept.

One line is one item: name, title, type, sensitivity grade, marks. Topics of single trades are `topics`.

Types: sN string(N), i integer, dP.S decimal(P,S), date, time, b. Marks: ``!`` always present, ``key`` identifies a
record, ``nn`` never empty, ``lk`` may be looked up by, ``id`` and ``uscc`` check digits, ``m:`` mask, ``cl:`` code
list, ``a:`` aliases, ``re:`` pattern, ``ns`` not shared (grade 4). ``{}`` in a title is what the resource is about.
"""

from __future__ import annotations

from typing import Final

ENTITIES: Final = {
    "P": """
citizen_id 公民身份号码 s18 3 ! nn lk id a:身份证号
id_type 证件类型代码 s3 1 cl:ID-TYPE
name 姓名 s50 2 ! nn
sex 性别代码 s1 1 ! cl:GB/T2261.1
birth_date 出生日期 date 2 !
nation 民族代码 s2 2 cl:GB/T3304
marital_status 婚姻状况代码 s2 2 cl:GB/T2261.2
education 学历代码 s2 2 cl:GB/T4658
political_status 政治面貌代码 s2 2 cl:GB/T4762
household_address 户籍地址 s200 3 m:county
household_division 户籍所在县级区划代码 s6 1 cl:GB/T2260
address 现住址 s200 3 m:county
county_code 县级区划代码 s6 1 ! nn cl:GB/T2260
street_code 乡级区划代码 s9 1 re:[0-9]{9}
village_code 村级区划代码 s12 2 re:[0-9]{12}
phone 联系电话 s20 3 m:keep_last_4
work_unit 工作单位 s150 2
occupation 职业 s60 2
""",
    "C": """
uscc 统一社会信用代码 s18 1 ! nn lk uscc a:社会信用代码
entity_name 单位名称 s150 1 ! nn lk
entity_type 单位类型代码 s1 1 cl:ENTITY-TYPE
industry 行业门类代码 s1 1 ! cl:GB/T4754
legal_representative 法定代表人（负责人）姓名 s50 2 !
legal_representative_id 法定代表人（负责人）证件号码 s18 3 id m:citizen_id
registered_capital 注册资本（万元） d18.4 1
established_on 成立日期 date 1
registered_address 住所 s200 1
business_address 生产经营地址 s200 1
county_code 县级区划代码 s6 1 ! nn cl:GB/T2260
street_code 乡级区划代码 s9 1 re:[0-9]{9}
registrar 登记机关 s100 1
entity_status 存续状态代码 s1 1 cl:ENTITY-STATUS
contact_name 联系人姓名 s50 2 m:surname
contact_phone 联系人电话 s20 3 m:keep_last_4
employee_count 从业人数 i 1
postcode 邮政编码 s6 1 re:[0-9]{6}
""",
    "O": """
object_no {}编号 s40 1 ! nn lk key
object_name {}名称 s150 1 ! nn lk
category 类别 s40 1 !
address 坐落地址 s200 1
county_code 县级区划代码 s6 1 ! nn cl:GB/T2260
street_code 乡级区划代码 s9 1 re:[0-9]{9}
village_code 村级区划代码 s12 1 re:[0-9]{12}
longitude 经度 d10.6 1
latitude 纬度 d9.6 1
built_on 建成日期 date 1
opened_on 启用日期 date 1
owner_name 权属单位名称 s150 1 !
owner_uscc 权属单位统一社会信用代码 s18 1 lk uscc
manager_name 管理单位名称 s150 1
duty_post 责任岗位 s60 1
duty_phone 值守电话 s20 1
facility_status 运行状态代码 s1 1 cl:FACILITY-STATUS
last_checked_on 最近检查日期 date 1
""",
    "X": """
region_name 统计区域名称 s60 1 !
county_code 县级区划代码 s6 1 ! nn key cl:GB/T2260
street_code 乡级区划代码 s9 1 re:[0-9]{9}
""",
}

# What happened or is so; the first letters of a subject's form name the entity, the word after the dot one of these.
ACTIVITIES: Final = {
    "reg": """
register_no 登记编号 s40 1 ! nn lk key
register_type 登记类型 s40 1 !
registered_on 登记日期 date 1 ! nn
register_reason 登记原因 s200 1
registrar_unit 登记机构名称 s100 1 !
effective_on 生效日期 date 1
ended_on 终止日期 date 1
certificate_no 证书编号 s60 1 lk
certificate_issued_on 证书核发日期 date 1
previous_register_no 原登记编号 s40 1
application_no 办件编号 s40 1
channel 申请渠道代码 s1 1 cl:CHANNEL
agent_name 代理人姓名 s50 2 m:surname
archive_no 档案号 s40 1
case_status 办理状态代码 s1 1 ! cl:CASE-STATUS
""",
    "permit": """
licence_no 许可证编号 s60 1 ! nn lk key
licence_name 许可证件名称 s100 1 !
licence_scope 许可内容 s500 1 !
issued_on 发证日期 date 1 ! nn
valid_from 有效期始 date 1
valid_until 有效期止 date 1 !
issuing_authority 发证机关 s100 1 !
authority_uscc 发证机关统一社会信用代码 s18 1 uscc
decision_no 行政许可决定文书号 s80 1
decision_name 行政许可决定文书名称 s150 1
decided_on 许可决定日期 date 1
application_no 办件编号 s40 1
applied_on 申请日期 date 1
accepted_on 受理日期 date 1
channel 申请渠道代码 s1 1 cl:CHANNEL
licence_status 证照状态代码 s2 1 ! cl:LICENCE-STATUS
""",
    "cert": """
certificate_no 证书编号 s60 1 ! nn lk key
certificate_name 证书名称 s100 1 !
qualification_grade 资格等级 s40 1 !
specialty 专业（类别） s80 1
scope 执业范围 s200 1
practice_unit 执业（聘用）单位名称 s150 1
practice_unit_uscc 执业（聘用）单位统一社会信用代码 s18 1 lk uscc
obtained_on 取得日期 date 1 !
registered_on 注册日期 date 1
valid_until 有效期止 date 1 !
issuing_authority 发证机关 s100 1 !
exam_score 考核成绩 d5.1 2
continuing_hours 继续教育学时 i 1
application_no 办件编号 s40 1
licence_status 证照状态代码 s2 1 ! cl:LICENCE-STATUS
""",
    "benefit": """
benefit_no 待遇（救助）编号 s40 1 ! nn lk key
benefit_type 待遇（救助）类别 s60 1 !
household_head 户主姓名 s50 2
household_size 家庭人口数 i 1
covered_persons 保障人数 i 1
applied_on 申请日期 date 1
approved_on 审批日期 date 1 ! nn
approving_unit 审批单位 s100 1
started_on 享受起始日期 date 1 !
ended_on 享受终止日期 date 1
monthly_standard 保障标准（元/月） d10.2 2
monthly_amount 月补助金额（元） d10.2 2 !
account_bank 发放银行 s100 2
account_no 银行账号 s30 4 ns m:keep_last_4
reason 致困（享受）原因 s200 2
benefit_status 待遇状态代码 s1 1 ! cl:BENEFIT-STATUS
""",
    "insure": """
insure_no 个人（单位）编号 s40 1 ! nn lk key
insure_type 险种 s40 1 !
insured_unit 参保（缴存）单位名称 s150 1 !
insured_unit_uscc 参保（缴存）单位统一社会信用代码 s18 1 lk uscc
first_insured_on 首次参保（开户）日期 date 1
paid_until 缴至年月 s6 1 ! re:[0-9]{6}
payment_base 缴费基数（元） d12.2 3
payment_rate 缴费比例 d5.4 1
personal_amount 个人缴费金额（元） d12.2 3
unit_amount 单位缴费金额（元） d12.2 2
paid_months 累计缴费月数 i 1 !
account_balance 账户余额（元） d14.2 3
arrears_months 欠费月数 i 1
agency 经办机构名称 s100 1
insure_place 参保地 s60 1
insure_status 参保缴费状态代码 s1 1 ! cl:INSURE-STATUS
""",
    "case": """
case_no 案件（工单）编号 s40 1 ! nn lk key
case_title 标题 s200 1 !
case_type 问题类别 s60 1 !
case_source 来源渠道 s40 1
occurred_at 发生时间 time 1
accepted_at 受理时间 time 1 ! nn
place 事发地点 s200 1
description 情况描述 s2000 2
handling_unit 承办单位 s100 1 !
assigned_on 交办日期 date 1
due_on 办理期限 date 1
finished_on 办结日期 date 1
result 处理结果 s2000 2 !
satisfaction 满意度评价 s10 1
returned_times 退回次数 i 1
case_status 办理状态代码 s1 1 ! cl:CASE-STATUS
""",
    "project": """
project_code 项目代码 s40 1 ! nn lk key
project_name 项目名称 s200 1 ! nn lk
project_type 项目类型 s40 1 !
project_address 建设地点 s200 1
project_stage 项目阶段代码 s1 1 ! cl:PROJECT-STAGE
total_investment 总投资（万元） d18.4 1 !
fiscal_investment 其中财政资金（万元） d18.4 1
construction_scale 建设规模及内容 s1000 1
planned_start 计划开工日期 date 1
started_on 实际开工日期 date 1
planned_finish 计划完工日期 date 1
finished_on 实际完工日期 date 1
design_unit 设计单位 s150 1
contractor 施工单位 s150 1
supervisor_unit 监理单位 s150 1
approval_no 批复（备案）文号 s80 1 !
approved_on 批复（备案）日期 date 1
""",
    "facility": """
scale 规模 s80 1
service_scope 服务范围 s200 1
capacity 设计能力 d14.2 1
capacity_unit 计量单位 s20 1
technical_grade 技术等级 s20 1
construction_unit 建设单位名称 s150 1
investment 投资额（万元） d18.4 1
funding_source 资金来源 s60 1
maintenance_unit 养护（维保）单位 s150 1
maintenance_cycle 养护周期（天） i 1
last_maintained_on 最近养护日期 date 1
hidden_dangers 隐患数量 i 1
opening_hours 开放（服务）时间 s100 1
photo_count 影像资料数量 i 1
""",
    "list": """
entry_no 名录编号 s40 1 ! nn lk key
entry_type 名录类别 s60 1 !
entry_grade 等级 s20 1
listed_on 列入日期 date 1 ! nn
listed_by 认定（列入）单位 s100 1 !
listing_basis 认定（列入）依据 s300 1
listing_document 认定文号 s80 1
announced_on 公布日期 date 1
valid_until 有效期止 date 1
reviewed_on 复核日期 date 1
review_result 复核结果 s60 1
removed_on 移出日期 date 1
removal_reason 移出原因 s300 1
contact_post 联系岗位 s60 1
""",
    "eval": """
evaluation_no 评价编号 s40 1 ! nn lk key
evaluation_year 评价年度 s4 1 ! nn re:[0-9]{4}
evaluation_type 评价类别 s60 1 !
evaluation_score 评价得分 d6.2 1
evaluation_grade 评价等级 s10 1 !
deducted_points 扣分 d6.2 1
deduction_reason 扣分原因 s500 1
evaluated_by 评价单位 s100 1 !
evaluated_on 评价日期 date 1
announced_on 公布日期 date 1
previous_grade 上年度等级 s10 1
objection 有无异议 b 1
appeal_result 异议处理结果 s200 1
incentive 激励或惩戒措施 s300 1
valid_until 有效期止 date 1
""",
    "deal": """
deal_no 合同（交易）编号 s60 1 ! nn lk key
deal_name 合同（交易）名称 s200 1 !
deal_type 交易方式 s40 1
counterparty_name 相对方名称 s150 1 !
counterparty_uscc 相对方统一社会信用代码 s18 1 lk uscc
signed_on 签订日期 date 1 ! nn
starts_on 履行期始 date 1
ends_on 履行期止 date 1
amount 金额（元） d18.2 1 !
currency 币种 s3 1
payment_terms 付款方式 s200 1
announced_on 公示日期 date 1
announcement_no 公示编号 s60 1
deal_status 履行状态 s20 1
""",
    "monitor": """
monitor_no 监测（检验）编号 s40 1 ! nn lk key
station_no 监测点编号 s40 1 ! lk
station_name 监测点名称 s100 1
monitored_at 监测时间 time 1 ! nn
item 监测项目 s60 1 !
value 监测值 d18.6 1 !
unit 计量单位 s20 1
limit_value 标准限值 d18.6 1
exceeded 是否超标 b 1
exceeded_times 超标倍数 d8.2 1
standard 执行标准 s100 1
method 监测方法 s100 1
instrument 监测设备 s100 1
monitored_by 监测单位 s150 1
quality_grade 质量类别 s20 1
""",
}

# What a resource derived from a subject tells: changes, cancellations, inspections and so on.
DERIVED: Final = {
    "g": """
change_no 变更编号 s40 1 ! nn lk key
change_item 变更事项 s100 1 ! nn
content_before 变更前内容 s1000 2 !
content_after 变更后内容 s1000 2 !
changed_on 变更日期 date 1 ! nn
change_reason 变更原因 s300 1
change_authority 变更核准机关 s100 1
change_application_no 变更办件编号 s40 1
""",
    "z": """
cancel_no 注销编号 s40 1 ! nn lk key
cancelled_on 注销日期 date 1 ! nn
cancel_type 注销类型 s40 1 !
cancel_reason 注销原因 s300 1 !
cancel_authority 注销机关 s100 1
cancel_document 注销文书号 s80 1
cancel_basis 注销依据 s300 1
returned_original 是否交回原证 b 1
""",
    "y": """
renewal_no 延续编号 s40 1 ! nn lk key
renewed_on 延续核准日期 date 1 ! nn
renewed_from 延续后有效期始 date 1 !
renewed_until 延续后有效期止 date 1 !
renewal_times 延续次数 i 1
renewal_review 延续审查结论 s200 1
renewal_application_no 延续办件编号 s40 1
""",
    "j": """
inspection_no 检查编号 s40 1 ! nn lk key
inspection_plan 抽查计划编号 s40 1
inspection_type 检查类型 s40 1 !
inspected_on 检查日期 date 1 ! nn
inspecting_unit 检查机关 s100 1 !
inspector_count 检查人数 i 1
inspection_items 检查事项 s500 1
inspection_result 检查结论代码 s1 1 ! cl:RESULT
problems 发现问题 s1000 1
rectify_due_on 整改期限 date 1
rectified_on 整改完成日期 date 1
reinspection_result 复查结论 s200 1
""",
    "n": """
report_year 报告年度 s4 1 ! nn key re:[0-9]{4}
reported_on 报送日期 date 1 ! nn
report_result 年度审验（报告）结论 s60 1 !
reviewed_by 审验机关 s100 1
main_activities 年度主要活动 s1000 1
annual_income 年度收入（万元） d18.4 2
annual_expense 年度支出（万元） d18.4 2
public_flag 是否向社会公示 b 1
""",
    "s": """
application_no 办件编号 s40 1 ! nn lk key
matter_code 事项代码 s40 1 !
applied_at 申请时间 time 1 ! nn
accepted_at 受理时间 time 1
channel 申请渠道代码 s1 1 ! cl:CHANNEL
applicant_type 申请人类型 s20 1
material_count 材料份数 i 1
shared_count 共享获取材料份数 i 1
promised_on 承诺办结日期 date 1
finished_at 办结时间 time 1
window_no 受理窗口编号 s20 1
case_status 办理状态代码 s1 1 ! cl:CASE-STATUS
""",
    "f": """
payment_no 发放流水号 s40 1 ! nn lk key
payment_period 发放期次 s6 1 ! nn re:[0-9]{6}
payment_item 发放项目 s60 1 !
payment_amount 发放金额（元） d12.2 2 !
paid_on 发放日期 date 1 ! nn
payment_channel 发放方式 s40 1
account_bank 发放银行 s100 2
account_no 银行账号 s30 4 ns m:keep_last_4
payment_result 发放结果 s20 1 !
returned_reason 退回原因 s200 1
""",
    "e": """
ending_no 终止编号 s40 1 ! nn lk key
ended_on 终止日期 date 1 ! nn
ending_type 终止类型 s40 1 !
ending_reason 终止原因 s300 1 !
ending_unit 审核单位 s100 1
settled_amount 结算金额（元） d14.2 2
ending_document 终止文书号 s80 1
""",
    "c": """
penalty_no 行政处罚决定书文号 s80 1 ! nn lk key
penalty_name 案件名称 s200 1 !
violation 违法行为类型 s200 1 !
facts 违法事实 s2000 2
penalty_basis 处罚依据 s500 1 !
penalty_type 行政处罚类别代码 s1 1 ! cl:PENALTY-TYPE
penalty_content 处罚内容 s500 1 !
fine_amount 罚款金额（万元） d14.6 1
confiscated_amount 没收金额（万元） d14.6 1
penalised_on 处罚决定日期 date 1 ! nn
publicity_until 公示截止期 date 1
penalty_authority 处罚机关 s100 1 !
credit_repaired_on 信用修复日期 date 1
""",
    "p": """
assessment_no 考核编号 s40 1 ! nn lk key
assessment_year 考核年度 s4 1 ! nn re:[0-9]{4}
assessment_score 考核得分 d6.2 1 !
assessment_grade 考核等次 s10 1 !
assessed_by 考核单位 s100 1 !
assessed_on 考核日期 date 1
assessment_rank 排名 i 1
assessment_notes 考核说明 s500 1
""",
    "r": """
staff_no 人员编号 s40 1 ! nn lk key
staff_name 人员姓名 s50 2 ! nn
staff_citizen_id 人员公民身份号码 s18 3 ! lk id m:citizen_id
staff_sex 人员性别代码 s1 1 cl:GB/T2261.1
staff_post 岗位 s60 1 !
staff_title 职称（技能等级） s60 1
staff_certificate_no 资格证书编号 s60 1 lk
hired_on 聘用日期 date 1 !
left_on 离岗日期 date 1
staff_phone 人员联系电话 s20 3 m:keep_last_4
training_hours 培训学时 i 1
""",
    "d": """
equipment_no 设备编号 s40 1 ! nn lk key
equipment_name 设备名称 s100 1 ! nn
equipment_model 规格型号 s80 1 !
equipment_maker 制造单位 s150 1
made_on 出厂日期 date 1
used_from 投用日期 date 1 !
equipment_value 原值（万元） d14.4 1
next_inspection_on 下次检验日期 date 1
equipment_state 设备状态 s20 1 !
""",
    "w": """
maintenance_no 维修养护编号 s40 1 ! nn lk key
maintenance_type 维修养护类型 s40 1 !
maintained_on 维修养护日期 date 1 ! nn
maintenance_content 维修养护内容 s500 1 !
maintenance_by 维修养护单位 s150 1 !
maintenance_cost 维修养护费用（元） d14.2 1
accepted_on 验收日期 date 1
acceptance_result 验收结论 s60 1
next_maintenance_on 下次维修养护日期 date 1
""",
    "t": """
stat_period 统计期 s6 1 ! nn key re:[0-9]{6}
indicator_code 指标代码 s20 1 ! nn lk key
indicator_name 指标名称 s100 1 ! nn
indicator_group 指标分组 s60 1
measure_unit 计量单位 s20 1 !
current_value 本期值 d20.4 1 !
cumulative_value 累计值 d20.4 1
previous_value 上年同期值 d20.4 1
growth_rate 同比增减（%） d8.2 1 !
chain_rate 环比增减（%） d8.2 1
year_start_value 年初值 d20.4 1
target_value 年度目标值 d20.4 1
completion_rate 目标完成率（%） d8.2 1
share_of_city 占全市比重（%） d8.2 1
city_rank 全市位次 i 1
province_value 全省同期值 d20.4 1
province_rank 全省位次 i 1
record_count 涉及记录数 i 1
filled_by 填报单位 s100 1 !
compiled_on 编制日期 date 1
audit_state 审核状态 s20 1
is_preliminary 是否初步数 b 1
revised_value 修订值 d20.4 1
revised_on 修订日期 date 1
caliber 统计口径 s300 1
""",
}

TAIL: Final = """
data_source 数据来源单位 s100 1 !
source_system 来源业务名称 s60 1
batch_no 数据批次号 s20 1
valid_flag 记录有效标志代码 s1 1 ! nn cl:VALID
created_at 创建时间 time 1
updated_at 更新时间 time 1 ! nn
operator_post 经办岗位 s60 1
verified_flag 是否核验 b 1
remark 备注 s500 1
"""
