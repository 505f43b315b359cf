"""Blocks of information items about land, buildings, traffic, water, fields, the environment and safety.

The notation is that of `blocks`.
"""

from __future__ import annotations

from typing import Final

TOPICS_OF_SPACE: Final = {
    "vehicle": """
plate_no 号牌号码 s10 1 lk
plate_type 号牌种类 s20 1
vin 车辆识别代号 s17 2 lk
vehicle_type 车辆类型 s20 1
brand_model 品牌型号 s60 1
vehicle_use 使用性质 s20 1
fuel_type 燃料种类 s20 1
seats 核定载客人数 i 1
vehicle_registered_on 初次登记日期 date 1
inspection_valid_until 检验有效期止 date 1
""",
    "driver": """
licence_class 准驾车型 s20 1
first_licensed_on 初次领证日期 date 1
points 累积记分 i 2
medical_due_on 提交身体条件证明日期 date 2
file_no 档案编号 s12 1 lk re:[0-9]{12}
""",
    "place_name": """
place_name_pinyin 地名罗马字母拼写 s120 1
place_name_origin 地名来历 s300 1
former_place_name 曾用地名 s100 1
place_name_class 地名类别 s40 1
approved_document 命名批准文号 s60 1
sign_count 地名标志数量 i 1
""",
    "equipment": """
equipment_code 设备代码 s30 1 lk
equipment_kind 设备种类 s40 1
equipment_place 设备使用地点 s200 1
manufacturer_name 制造单位名称 s150 1
use_certificate_no 使用登记证编号 s60 1 lk
last_inspected_on 最近检验日期 date 1
next_inspected_on 下次检验日期 date 1
maintained_by 维保单位 s150 1
""",
    "land": """
parcel_no 宗地号 s30 1 lk
land_use 土地用途 s60 1
land_area 土地面积（平方米） d16.2 1
land_right_type 权利性质 s40 1
land_term_until 使用期限止 date 1
plot_ratio 容积率 d6.2 1
transfer_price 出让价款（万元） d18.4 1
transfer_contract_no 出让合同编号 s60 1
land_grade 土地级别 s10 1
""",
    "estate": """
estate_unit_no 不动产单元号 s28 2 lk
estate_certificate_no 不动产权证号 s60 2 lk
estate_location 不动产坐落 s200 3 m:county
right_type 权利类型 s40 1
building_area 建筑面积（平方米） d14.2 2
planned_use 规划用途 s40 1
co_ownership 共有情况 s60 2
mortgage_amount 债权数额（万元） d18.4 3
sealed_up 是否查封 b 2
""",
    "planning": """
planning_permit_no 规划许可证号 s60 1 lk
land_use_class 用地性质 s60 1
floor_area 建筑规模（平方米） d16.2 1
building_height 建筑高度（米） d8.2 1
green_rate 绿地率（%） d6.2 1
red_line_no 用地红线编号 s40 1
planning_conditions 规划条件文号 s60 1
""",
    "mineral": """
mine_name 矿山名称 s100 1
mineral_kind 矿种 s40 1
mining_scale 生产规模（万吨/年） d14.2 1
mining_area 矿区面积（平方公里） d12.4 1
reserves 保有资源储量（万吨） d16.2 2
mining_method 开采方式 s40 1
""",
    "building": """
building_name 单体建筑名称 s100 1
structure 结构类型 s40 1
floors_above 地上层数 i 1
floors_below 地下层数 i 1
gross_area 总建筑面积（平方米） d16.2 1
seismic_grade 抗震设防烈度 s10 1
quality_supervisor 质量监督机构 s100 1
contract_price 合同价格（万元） d18.4 1
""",
    "housing": """
house_code 房屋编码 s40 2 lk
house_area 房屋面积（平方米） d12.2 2
rent_month 月租金（元） d10.2 2
allotted_on 配租（售）日期 date 2
queue_no 轮候号 s20 1
estate_name 小区名称 s100 1
building_no 楼栋号 s20 2
room_no 房号 s20 3
""",
    "property": """
estate_name 小区名称 s100 1
households_served 服务户数 i 1
service_area 服务面积（平方米） d16.2 1
fee_standard 物业费标准（元/平方米·月） d8.2 1
committee_name 业主委员会名称 s100 1
fund_balance 维修资金余额（元） d18.2 2
""",
    "urban": """
grid_no 所在单元网格 s20 1
component_code 部件代码 s20 1 lk
road_name 所在道路 s60 1
material_kind 材质 s40 1
advertising_size 设置尺寸 s60 1
occupied_area 占用面积（平方米） d12.2 1
duration_days 期限（天） i 1
""",
    "waste": """
waste_kind 垃圾（废弃物）种类 s40 1
daily_tons 日处理量（吨） d12.2 1
disposal_site 处置场所 s100 1
transport_route 运输路线 s200 1
transport_vehicles 运输车辆数 i 1
""",
    "road": """
route_code 路线编号 s20 1 lk
start_stake 起点桩号 s20 1
end_stake 止点桩号 s20 1
length_km 里程（公里） d10.3 1
lane_count 车道数 i 1
pavement 路面类型 s20 1
traffic_volume 日均交通量（辆） i 1
load_limit 限载（吨） d8.2 1
""",
    "transport": """
line_no 线路编号 s20 1 lk
line_name 线路名称 s100 1
start_station 起点站 s60 1
end_station 终点站 s60 1
first_bus 首班时间 s5 1
last_bus 末班时间 s5 1
vehicles_count 营运车辆数 i 1
fare 票价（元） d8.2 1
transport_scope 道路运输经营范围 s200 1
""",
    "ship": """
ship_name 船名 s60 1 lk
ship_no 船舶识别号 s20 1 lk
gross_tonnage 总吨位 d12.2 1
home_port 船籍港 s40 1
ship_kind 船舶种类 s40 1
berth_no 泊位号 s20 1
""",
    "water": """
river_name 所在河流（湖泊） s60 1
basin 所属流域 s40 1
storage_capacity 库容（万立方米） d16.2 1
flood_level 防洪标准 s40 1
controlled_area 控制（灌溉）面积（亩） d16.2 1
water_intake 许可取水量（万立方米/年） d14.2 1
water_use 取水用途 s40 1
river_chief 河长岗位 s60 1
water_level 水位（米） d10.2 1
""",
    "farm": """
crop_kind 作物（畜种）名称 s60 1
planted_area 种植面积（亩） d14.2 1
yield_tons 产量（吨） d14.2 1
stock_head 存栏数量 i 1
plot_code 地块编码 s19 1 lk
contract_area 承包面积（亩） d12.2 2
subsidy_area 补贴面积（亩） d12.2 1
production_mode 经营方式 s40 1
""",
    "machinery": """
machine_no 农机号牌 s20 1 lk
machine_kind 机具品目 s40 1
machine_model 机具型号 s60 1
engine_no 发动机号 s40 2
machine_power 功率（千瓦） d8.2 1
purchase_price 购机价格（元） d14.2 1
subsidy_amount 补贴金额（元） d14.2 1
""",
    "village": """
village_name 村（社区）名称 s60 1
household_count 户数 i 1
resident_count 人口数 i 1
collective_income 集体经济收入（万元） d14.4 1
toilet_reform 改厕户数 i 1
village_secretary_post 负责岗位 s60 1
""",
    "forest": """
compartment_no 林班号 s20 1 lk
tree_species 树种 s40 1
forest_kind 林种 s40 1
forest_area 林地面积（公顷） d14.4 1
stock_volume 蓄积量（立方米） d14.2 1
tree_age 树龄（年） i 1
quarantine_result 检疫结果 s60 1
cutting_volume 采伐蓄积（立方米） d12.2 1
""",
    "pollution": """
pollutant_kind 污染物种类 s100 1
outlet_no 排放口编号 s20 1 lk
outlet_count 排放口数量 i 1
permitted_amount 许可排放量（吨/年） d14.4 1
actual_amount 实际排放量（吨/年） d14.4 1
treatment 治理工艺 s200 1
receiving_water 受纳水体 s60 1
management_class 管理类别 s20 1
online_monitoring 是否安装自动监测 b 1
""",
    "hazwaste": """
waste_code 危险废物代码 s20 1 lk
waste_name 危险废物名称 s100 1
produced_tons 产生量（吨） d14.4 1
transferred_tons 转移量（吨） d14.4 1
manifest_no 转移联单编号 s40 1 lk
disposal_mode 利用处置方式 s40 1
storage_tons 贮存量（吨） d14.4 1
""",
    "safety": """
hazard_grade 危险源（隐患）等级 s10 1
hazard_kind 危险源（隐患）类型 s60 1
safety_officer 安全管理人员 s50 2
emergency_plan_no 应急预案备案编号 s40 1 lk
standard_grade 安全生产标准化等级 s10 1
casualties 伤亡人数 i 2
direct_loss 直接经济损失（万元） d16.4 1
rectification_state 整改状态 s20 1
""",
    "chemical": """
chemical_name 化学品名称 s100 1
cas_no CAS号 s20 1
max_storage 最大储量（吨） d14.4 2
process 生产工艺 s200 2
tank_count 储罐数量 i 1
""",
    "disaster": """
disaster_kind 灾害种类 s40 1
disaster_on 灾害发生日期 date 1
affected_people 受灾人口 i 1
affected_crops 农作物受灾面积（公顷） d14.2 1
collapsed_houses 倒塌房屋（间） i 1
relief_material 救灾物资 s100 1
relief_quantity 救灾物资数量 d14.2 1
""",
    "defence": """
defence_area 人防建筑面积（平方米） d14.2 2
protection_class 防护等级 s10 2
peacetime_use 平时用途 s40 1
shelter_capacity 可容纳人数 i 2
siren_model 警报器型号 s40 2
""",
    "grain": """
grain_kind 粮食品种 s20 1
grain_quantity 数量（吨） d14.2 1
grain_grade 质量等级 s10 1
storage_no 仓（货位）号 s20 1 lk
warehoused_on 入库日期 date 1
moisture 水分（%） d6.2 1
""",
    "weather": """
weather_station 气象站号 s10 1 lk
temperature 气温（℃） d6.1 1
rainfall 降水量（毫米） d8.1 1
wind_speed 风速（米/秒） d6.1 1
humidity 相对湿度（%） d6.1 1
warning_grade 预警等级 s10 1
warning_kind 预警种类 s20 1
""",
    "fire": """
fire_grade 火灾危险性类别 s10 1
hydrant_state 消防设施状态 s20 1
water_supply 供水能力（升/秒） d10.2 1
fire_floor_area 消防审查面积（平方米） d14.2 1
evacuation_exits 安全出口数量 i 1
""",
    "power": """
account_number 用电户号 s20 2 lk
power_category 用电类别 s20 1
power_month 月用电量（千瓦时） d16.2 2
voltage_level 供电电压等级 s10 1
contract_capacity 合同容量（千伏安） d14.2 1
arrears_fee 欠费金额（元） d14.2 2
transformer_no 变压器编号 s20 1
""",
}
