"""Blocks of information items that belong to one trade or topic; a subject names those that fit it.

The notation is that of `blocks`. Topics of land, traffic, fields and safety are `topics_space`.
"""

from __future__ import annotations

from typing import Final

from hub.demo.reference.topics_space import TOPICS_OF_SPACE

_TOPICS_OF_PEOPLE: Final = {
    "household": """
household_no 户号 s20 2 lk
relation_to_head 与户主关系 s20 2
former_name 曾用名 s50 2
birth_place 出生地 s100 2
native_place 籍贯 s60 2
household_type 户口性质 s20 2
police_station 派出所名称 s60 1
moved_from 迁出地 s200 2
moved_to 迁入地 s200 2
""",
    "family": """
spouse_name 配偶姓名 s50 2
spouse_citizen_id 配偶公民身份号码 s18 3 id m:citizen_id
guardian_name 监护人姓名 s50 2
guardian_citizen_id 监护人公民身份号码 s18 3 id m:citizen_id
guardian_phone 监护人联系电话 s20 3 m:keep_last_4
guardian_relation 与监护人关系 s20 2
children_count 子女数 i 2
""",
    "identity": """
document_no 证件号码 s30 3 lk m:keep_first_4
document_issued_on 证件签发日期 date 2
document_valid_until 证件有效期止 date 2
document_authority 证件签发机关 s60 1
photo_no 相片编号 s40 4 ns m:redact
handled_station 受理网点 s60 1
""",
    "security": """
incident_category 警情类别 s40 2
risk_grade 风险等级 s10 2
police_station 管辖派出所 s60 1
surveillance_points 技防点位数 i 2
guard_count 保卫人员数 i 1
filing_no 备案编号 s40 1
""",
    "low_income": """
family_income_month 家庭月人均收入（元） d10.2 3
family_property 家庭财产状况 s300 3
dibao_type 救助对象类别 s40 1
has_major_illness 是否患重病 b 4 ns
disability_flag 是否残疾 b 2
checked_on 经济状况核对日期 date 1
check_report_no 核对报告编号 s40 2
public_notice_on 公示日期 date 1
""",
    "elder": """
age 年龄 i 2
living_alone 是否独居 b 2
care_grade 护理等级 s10 2
nursing_home 入住机构名称 s100 2
subsidy_type 补贴类别 s40 1
emergency_contact 紧急联系人 s50 2 m:surname
emergency_phone 紧急联系人电话 s20 3 m:keep_last_4
""",
    "marriage": """
marriage_certificate_no 结婚（离婚）证字号 s40 2 lk
partner_name 对方姓名 s50 2
partner_citizen_id 对方公民身份号码 s18 3 lk id m:citizen_id
partner_nationality 对方国籍 s40 1
marriage_business_type 业务类型 s20 1
marriage_registered_on 婚姻登记日期 date 2
marriage_office 婚姻登记处 s60 1
""",
    "social_org": """
organisation_kind 社会组织类型 s20 1
business_supervisor 业务主管单位 s100 1
activity_region 活动地域 s60 1
council_term_ends 理事会届满日期 date 1
members_count 会员数 i 1
is_charity 是否慈善组织 b 1
tax_free 是否具有公益性捐赠税前扣除资格 b 1
""",
    "employment": """
employment_form 就业形式 s20 1
employer_name 用人单位名称 s150 1
employment_date 就业日期 date 1
unemployed_on 失业日期 date 2
job_intention 求职意向 s60 1
skill_grade 技能等级 s20 1
training_course 培训工种 s60 1
training_hours_total 培训课时 i 1
hard_to_employ 是否就业困难人员 b 2
""",
    "labour": """
contract_term 合同期限类型 s20 1
contract_starts 合同起始日期 date 1
contract_ends 合同终止日期 date 1
post_name 岗位名称 s60 1
wage_month 月工资（元） d12.2 3
dispute_type 争议类型 s40 1
arrears_amount 拖欠工资金额（元） d14.2 1
arrears_persons 涉及人数 i 1
""",
    "pension": """
retired_on 退休日期 date 2
pension_month 月养老金（元） d10.2 3
contribution_years 缴费年限（年） d6.2 2
certified_on 待遇资格认证日期 date 1
certified_by 认证方式 s20 1
pension_bank 发放银行 s60 2
transferred_from 关系转出地 s60 1
transferred_to 关系转入地 s60 1
""",
    "injury": """
injured_on 事故伤害日期 date 2
injury_part 伤害部位 s60 4 ns
injury_grade 劳动能力鉴定等级 s10 2
recognised_on 认定日期 date 1
recognition_no 认定决定书编号 s60 1
work_unit_uscc 用人单位统一社会信用代码 s18 1 lk uscc
""",
    "medical_insurance": """
insured_category 参保人员类别 s40 1
designated_hospital 定点医疗机构 s100 1
visit_date 就诊日期 date 3
settlement_no 结算单据号 s40 2
fee_total 医疗费总额（元） d14.2 3
fund_paid 统筹基金支付（元） d14.2 3
self_paid 个人负担（元） d14.2 3
diagnosis_code 疾病诊断编码 s20 4 ns
hospital_grade 医院等级 s10 1
""",
    "medical": """
department_name 科室名称 s60 1
beds 床位数 i 1
medical_grade 机构等级 s20 1
subjects_of_practice 诊疗科目 s500 1
doctors_count 执业医师数 i 1
nurses_count 注册护士数 i 1
visits_year 年诊疗人次 i 1
is_designated 是否医保定点 b 1
""",
    "birth": """
infant_name 新生儿姓名 s50 2
infant_sex 新生儿性别代码 s1 1 cl:GB/T2261.1
born_at 出生时间 time 2
birth_weight 出生体重（克） i 3
gestation_weeks 孕周 i 3
mother_name 母亲姓名 s50 2
mother_citizen_id 母亲公民身份号码 s18 3 lk id m:citizen_id
father_name 父亲姓名 s50 2
midwifery_unit 接生机构 s100 1
""",
    "disease": """
disease_name 病种名称 s60 4 ns
onset_on 发病日期 date 4 ns
diagnosed_on 诊断日期 date 3
report_unit 报告单位 s100 1
vaccine_name 疫苗名称 s60 2
vaccine_dose 接种剂次 i 2
vaccinated_on 接种日期 date 2
follow_up_times 随访次数 i 2
""",
    "school": """
school_name 学校名称 s100 1
school_code 学校标识码 s10 1 lk re:[0-9]{10}
school_stage 办学层次 s20 1
school_nature 办学性质 s20 1
pupils_count 在校学生数 i 1
classes_count 班级数 i 1
teachers_count 专任教师数 i 1
campus_area 校园占地面积（平方米） d14.2 1
""",
    "pupil": """
student_no 学籍号 s20 2 lk
grade_name 年级 s20 1
class_name 班级 s20 1
enrolled_on 入学日期 date 1
graduated_on 毕业日期 date 1
boarding 是否寄宿 b 1
aid_type 资助类别 s40 2
guardian_name 监护人姓名 s50 2
guardian_phone 监护人联系电话 s20 3 m:keep_last_4
""",
    "teacher": """
teaching_subject 任教学科 s40 1
teacher_grade 教师职称 s40 1
teaching_stage 任教学段 s20 1
post_grade 岗位等级 s20 1
teaching_years 教龄（年） i 1
mandarin_grade 普通话等级 s10 1
""",
    "market": """
business_scope 经营范围 s2000 1
enterprise_type 企业（机构）类型 s40 1
business_term_from 经营期限自 date 1
business_term_to 经营期限至 date 1
approved_on 核准日期 date 1
shareholders 股东（发起人）名单 s1000 2
branch_count 分支机构数 i 1
annual_report_year 最近年报年度 s4 1 re:[0-9]{4}
is_abnormal 是否列入经营异常名录 b 1
""",
    "food": """
business_form 主体业态 s60 1
food_items 食品类别（经营项目） s300 1
premises_area 经营场所面积（平方米） d12.2 1
safety_manager 食品安全管理人员 s50 2
risk_level 风险等级 s10 1
kitchen_open 是否明厨亮灶 b 1
safety_grade 量化分级等级 s10 1
sampling_passed 最近抽检是否合格 b 1
""",
    "drug": """
drug_category 药品（器械）类别 s60 1
approval_number 批准文号 s60 1
quality_manager 质量负责人 s50 2
pharmacist_name 执业药师姓名 s50 2
warehouse_address 仓库地址 s200 1
storage_conditions 储存条件 s60 1
""",
    "quality": """
product_name 产品（样品）名称 s100 1
product_model 规格型号 s60 1
product_batch 批号 s40 1
producer 生产单位 s150 1
sampled_on 抽样日期 date 1
sampled_place 抽样地点 s150 1
unqualified_items 不合格项目 s300 1
standard_no 执行标准编号 s60 1
""",
    "intellectual": """
patent_no 专利（商标）号 s40 1 lk
patent_title 专利（商标）名称 s200 1
patent_type 类型 s20 1
filed_on 申请日 date 1
granted_on 授权公告日 date 1
pledged 是否质押 b 1
""",
    "fund": """
loan_contract_no 借款合同编号 s40 2
loan_amount 贷款金额（万元） d14.4 3
loan_term 贷款期限（月） i 2
loan_balance 贷款余额（元） d16.2 3
overdue_times 逾期期数 i 2
withdraw_reason 提取原因 s60 1
withdraw_amount 提取金额（元） d14.2 3
""",
    "culture": """
protection_grade 保护级别 s20 1
era 年代 s40 1
heritage_kind 遗产类别 s40 1
collection_count 藏品（馆藏）数量 i 1
visitors_year 年接待人次 i 1
ticket_price 门票价格（元） d8.2 1
free_open 是否免费开放 b 1
""",
    "tourism": """
scenic_grade 质量等级 s10 1
rooms 客房数 i 1
max_capacity 最大承载量（人） i 1
guide_card_no 导游证号 s40 1 lk
bond_amount 质量保证金（万元） d12.2 1
""",
    "credit": """
credit_subject 信用主体类别 s20 1
credit_score 信用得分 d6.2 1
credit_grade 信用等级 s10 1
bad_record_count 不良信息条数 i 1
good_record_count 良好信息条数 i 1
red_or_black 红黑名单标识 s10 1
restriction 联合惩戒措施 s300 1
""",
    "invest": """
investor 投资方名称 s150 1
investor_country 投资方国别（地区） s40 1
contract_capital 合同投资额（万元） d18.4 1
actual_capital 实际到位资金（万元） d18.4 1
energy_use 年综合能耗（吨标准煤） d14.2 1
jobs 带动就业人数 i 1
""",
    "industry": """
main_product 主要产品 s200 1
output_value 工业总产值（万元） d18.4 2
operating_revenue 营业收入（万元） d18.4 2
profit_total 利润总额（万元） d18.4 2
rd_expense 研发投入（万元） d18.4 2
power_use 用电量（千瓦时） d18.2 1
park_name 所在园区 s60 1
""",
    "fiscal": """
budget_unit 预算单位名称 s150 1
budget_subject 预算科目编码 s20 1 lk
budget_amount 预算金额（万元） d18.4 1
paid_amount 支付金额（万元） d18.4 1
fund_nature 资金性质 s40 1
document_number 资金文号 s80 1
performance_grade 绩效评价等级 s10 1
""",
    "asset": """
asset_code 资产编号 s40 1 lk
asset_name 资产名称 s100 1
asset_value 账面原值（万元） d18.4 1
net_value 账面净值（万元） d18.4 1
asset_use 使用状况 s20 1
asset_location 存放地点 s200 1
""",
    "trade": """
customs_code 海关注册编码 s10 1 lk re:[0-9A-Z]{10}
import_value 进口额（万美元） d18.4 2
export_value 出口额（万美元） d18.4 2
goods_name 主要商品 s100 1
trade_country 贸易国别（地区） s40 1
declaration_no 报关单号 s18 3 lk
""",
    "science": """
result_name 成果（项目）名称 s200 1
technical_field 技术领域 s60 1
platform_grade 级别 s20 1
award_name 奖项名称 s100 1
award_year 年度 s4 1 re:[0-9]{4}
participants 主要完成人 s300 2
support_amount 支持金额（万元） d14.4 1
""",
    "lawyer": """
law_firm 所在机构名称 s100 1
practice_kind 执业类别 s20 1
first_practised_on 首次执业日期 date 1
discipline 行业惩戒情况 s200 1
cases_year 年办案数 i 1
""",
    "legal": """
legal_matter 法律事项类别 s60 1
parties 当事人 s300 3 m:redact
legal_document_no 法律文书号 s80 2 lk
legal_officer 承办人 s50 2
legal_result 结案方式 s60 1
""",
    "veteran": """
service_from 入伍日期 date 2
service_to 退役日期 date 2
service_unit 服役单位 s100 4 ns
veteran_kind 优抚对象类别 s40 2
disability_grade 残疾等级 s10 2
placement_mode 安置方式 s40 1
certificate_of_merit 立功受奖情况 s200 2
""",
    "finance": """
institution_kind 机构类别 s40 1
paid_capital 实缴资本（万元） d18.4 1
loans_outstanding 贷款（在保）余额（万元） d18.4 2
nonperforming_rate 不良率（%） d8.4 2
guarantee_amount 担保额（万元） d18.4 2
regulatory_grade 监管评级 s10 2
""",
    "petition": """
petition_channel 信访渠道 s20 1
petition_persons 信访人次 i 2
petition_demand 信访诉求 s500 3
responsible_unit 责任单位 s100 1
repeat_flag 是否重复信访 b 1
""",
    "poverty": """
poverty_cause 主要致贫原因 s60 2
lifted_year 脱贫年度 s4 1 re:[0-9]{4}
helper_unit 帮扶单位 s100 1
helper_post 帮扶责任岗位 s60 1
income_per_head 人均纯收入（元） d12.2 3
measures 帮扶措施 s500 1
""",
    "office_affairs": """
office_area 办公用房面积（平方米） d12.2 1
persons_allowed 核定编制数 i 1
energy_month 月能耗（千瓦时） d14.2 1
official_car_count 公务用车数量 i 1
used_by 使用单位 s100 1
""",
    "disclosure": """
index_no 索引号 s40 1 lk
disclosure_topic 主题分类 s60 1
document_title 文件标题 s200 1
document_number 发文字号 s60 1
issued_by 发布机构 s100 1
abolished 是否废止 b 1
""",
    "religion": """
religion_kind 宗教类别 s20 2
venue_kind 场所类别 s40 1
clergy_count 教职人员数 i 2
management_head_post 管理组织负责岗位 s60 1
""",
    "establishment": """
organ_level 机构规格 s20 1
staffing_quota 编制数 i 1
staff_actual 实有人数 i 1
sponsor 举办单位 s100 1
opening_capital 开办资金（万元） d14.4 1
purpose_scope 宗旨和业务范围 s500 1
""",
    "archive": """
fonds_no 全宗号 s20 1 lk
archive_title 案卷题名 s200 1
archive_year 归档年度 s4 1 re:[0-9]{4}
retention 保管期限 s10 1
pages 页数 i 1
secrecy 密级 s10 2
digitised 是否数字化 b 1
""",
    "disabled": """
disability_kind 残疾类别 s20 2
disability_level 残疾等级 s10 2
disability_certificate_no 残疾人证号 s20 3 lk m:citizen_id
assistive_device 辅助器具 s60 2
rehabilitation_item 康复项目 s60 4 ns
caretaker 照料人 s50 2
""",
    "union": """
union_name 基层工会名称 s100 1
union_members 会员人数 i 1
model_worker_grade 劳模级别 s20 1
aid_amount 帮扶金额（元） d12.2 2
""",
    "bidding": """
tender_no 招标项目编号 s60 1 lk
section_name 标段名称 s150 1
control_price 最高投标限价（元） d18.2 1
winner 中标（成交）单位 s150 1
winning_price 中标（成交）价（元） d18.2 1
bidders_count 投标人数量 i 1
agency_name 招标代理机构 s150 1
opened_at 开标时间 time 1
""",
    "tax": """
taxpayer_no 纳税人识别号 s20 2 lk
taxpayer_kind 纳税人类型 s20 1
tax_item 税种 s40 1
tax_period 所属期 s6 1 re:[0-9]{6}
tax_amount 税额（元） d18.2 3
tax_arrears 欠税余额（元） d18.2 2
credit_level 纳税信用级别 s2 1
invoice_kinds 核定票种 s100 2
""",
    "tobacco": """
retail_form 零售业态 s40 1
supply_unit 供货企业 s100 1
nearest_distance 与最近零售点距离（米） d10.1 1
order_cycle 订货周期 s20 1
""",
    "post": """
network_kind 网点类型 s20 1
daily_parcels 日均投递量（件） i 1
couriers 快递员人数 i 1
brand_name 经营品牌 s40 1
complaint_rate 有效申诉率 d8.4 1
""",
    "service": """
service_item_code 政务服务事项编码 s40 1 lk
service_item_name 政务服务事项名称 s200 1
service_hall 政务服务中心 s100 1
window_name 窗口名称 s60 1
case_duration 办理时长（小时） d10.2 1
rating 好差评星级 s2 1
run_times 跑动次数 i 1
""",
}

TOPICS: Final = _TOPICS_OF_PEOPLE | TOPICS_OF_SPACE
