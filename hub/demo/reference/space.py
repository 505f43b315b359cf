"""Subjects of the departments for land, buildings, roads, water, fields, the environment and safety.

The notation is that of `society`.
"""

from __future__ import annotations

from typing import Final

SUBJECTS: Final = """
@ZRJ
国有建设用地使用权出让|Sales of state land use rights|C.deal|land|gt|a=土地出让
国有建设用地划拨|Allocated state land|C.reg|land|t|
建设用地规划许可|Land planning permits|C.permit|planning,land|gyzst|a=用地规划许可证
建设工程规划许可|Construction planning permits|C.permit|planning,building|gyzst|a=工程规划许可证
乡村建设规划许可|Rural planning permits|P.permit|planning|gst|
建设项目用地预审与选址意见|Site opinions of projects|C.permit|land,planning|yst|a=选址意见书
建设工程规划核实|Checked construction plans|C.permit|planning,building|t|
农用地转用审批|Conversions of farmland|O.reg|land|t|
永久基本农田|Permanent basic farmland|O.list|land,farm|gjt|
土地利用现状地类图斑|Land use parcels|O.list|land|gt|
土地整治项目|Land consolidation projects|C.project|land|pt|
临时用地审批|Temporary land use|C.permit|land|yjt|
宅基地使用权确权|Homestead rights|P.reg|land,village|gt|a=宅基地
采矿许可|Mining licences|C.permit|mineral|gzyjnct|a=采矿证
探矿权登记|Exploration rights|C.permit|mineral|gyz|
地质灾害隐患点|Geological hazard sites|O.facility|disaster|jt|th=safety
测绘资质|Surveying qualifications|C.permit|planning|gyjn|
测量标志|Survey marks|O.facility|place_name|wj|
国土空间控制性详细规划|Detailed control plans|O.list|planning|g|U
城市地下管线普查|Underground pipelines|O.facility|urban|gt|
闲置土地处置|Idle land|C.case|land|t|
自然资源违法用地案件|Illegal land use cases|C.case|land|c|
征地补偿安置|Compensation for land taken|P.benefit|land,farm|ft|a=拆迁补偿
涉密测绘成果|Classified survey results|O.list|planning||N=secret
@BDC
不动产登记|Real estate registration|P.reg|estate|gzst|a=房产证,不动产权证,房本
不动产抵押登记|Real estate mortgages|P.reg|estate|gzst|a=房产抵押
不动产查封登记|Seizures of real estate|P.reg|estate|zt|
不动产预告登记|Priority notices|P.reg|estate|zt|
不动产异议登记|Objections to registration|P.reg|estate|z|
居民个人房屋套数查询|Homes owned by persons|P.list|estate|s|a=无房证明
房屋测绘成果|Building surveys|O.list|building,estate|g|
农村土地承包经营权登记|Farmland contract rights|P.reg|farm,land|gt|
林权登记|Forest rights|P.reg|forest,land|gzt|a=林权证
不动产登记历史档案|Historic files of registration|P.list|archive,estate||N=privacy
存量房转移登记|Transfers of existing homes|P.reg|estate|st|a=过户
@ZJJ
建筑工程施工许可|Construction permits|C.permit|building|gzyjst|a=施工许可证
工程竣工验收备案|Completed works|C.reg|building|st|a=竣工备案
建筑业企业资质|Construction firm qualifications|C.permit|building|gzyjnpct|a=资质证书
安全生产许可（建筑施工）|Safety licences of builders|C.permit|building,safety|gyzjc|
工程监理企业资质|Supervision firm qualifications|C.permit|building|gyjp|
注册建造师|Registered constructors|P.cert|building|gyzt|a=建造师
建筑施工特种作业人员|Special operators in construction|P.cert|safety|yt|
建设工程质量监管|Construction quality supervision|O.eval|building|ct|
建设工程消防设计审查验收|Fire reviews of works|C.permit|building,fire|st|
商品房预售许可|Pre-sale permits|C.permit|housing,building|gzjt|a=预售证,五证
商品房买卖合同网签备案|Registered home sales|P.deal|housing|zt|a=网签
房屋租赁登记备案|Registered leases|P.reg|housing|gzst|a=租房备案
房地产开发企业资质|Developer qualifications|C.permit|building|gyzjpt|
房地产经纪机构备案|Estate agencies|C.reg|housing|gzjr|a=房产中介
公共租赁住房保障|Public rental housing|P.benefit|housing,low_income|fset|a=公租房,廉租房
保障性住房轮候|Queue for subsidised housing|P.list|housing|gt|
住房租赁补贴|Rent subsidies|P.benefit|housing|fse|
农村危房改造|Dilapidated rural houses|P.project|housing,village|pt|a=危房
棚户区改造项目|Shanty town projects|C.project|housing|pt|
物业服务企业|Property service firms|C.list|property|gpct|U a=物业
住宅专项维修资金|Maintenance funds of homes|P.deal|property|st|a=维修基金
业主委员会备案|Owners' committees|O.reg|property|gz|
燃气经营许可|Gas licences|C.permit|safety|gyjct|a=燃气
建筑节能与绿色建筑|Energy-saving buildings|O.list|building|pt|U
白蚁防治|Termite control|O.case|building|t|
建筑工程合同备案|Construction contracts|C.deal|building|gt|
@GJJ
住房公积金缴存|Housing fund contributions|P.insure|fund|gzst|a=公积金,公积金缴存
住房公积金贷款|Housing fund loans|P.deal|fund,estate|gst|a=公积金贷款
住房公积金提取|Housing fund withdrawals|P.deal|fund|st|a=提公积金
公积金缴存单位开户|Employers' housing fund|C.insure|fund|gzst|
住房公积金异地转移|Transfers of housing fund|P.reg|fund|st|
住房公积金欠缴催收|Housing fund arrears|C.case|fund|t|
公积金贷款楼盘准入|Projects admitted to loans|O.list|housing,fund|gt|U
住房公积金失信行为|Housing fund dishonesty|P.list|fund,credit|z|th=credit
公积金业务网点|Housing fund branches|O.facility|service|t|U
@CGJ
城市市政公用设施部件|Components of public works|O.list|urban|gwt|U
城市管理案件|Urban management cases|P.case|urban|t|a=数字城管
户外广告设置许可|Outdoor advertising permits|C.permit|urban|gzyjct|a=户外广告
占用挖掘城市道路许可|Road occupation permits|C.permit|urban,road|yjct|a=占道
建筑垃圾处置核准|Construction waste permits|C.permit|waste|gyjct|a=渣土证
城市生活垃圾经营服务许可|Household waste licences|C.permit|waste|gyjc|
生活垃圾处理设施|Waste treatment plants|O.facility|waste|dwt|
公共厕所|Public toilets|O.facility|urban|wt|U a=公厕,厕所
城市绿地公园|Parks and green space|O.facility|urban|wt|U a=公园
城市古树名木|Ancient trees in town|O.list|forest|wt|U
占用城市绿化用地许可|Occupied green space|C.permit|urban|jt|
城市照明设施|Street lighting|O.facility|urban,power|dwt|U a=路灯
城市桥梁|City bridges|O.facility|road|jwt|U
城镇污水排入管网许可|Drainage permits|C.permit|pollution|gyjct|a=排水许可
城市排水管网|Sewers|O.facility|water,urban|wt|
供水水质|Quality of tap water|O.monitor|water|t|U
供热经营许可|Heating licences|C.permit|power|gyj|
违法建设处置|Illegal buildings|P.case|building,urban|ct|a=违建
城市停车场备案|Car parks|O.reg|urban|gzt|U a=停车场
餐厨垃圾收运|Kitchen waste collection|C.deal|waste|jt|
@JTJ
道路运输经营许可|Road transport licences|C.permit|transport,vehicle|gzyjnct|a=道路运输证
道路客运班线经营许可|Coach line licences|C.permit|transport|gzyjct|
道路危险货物运输许可|Dangerous goods transport|C.permit|transport,chemical|gzyjct|
道路运输从业人员资格|Road transport workers|P.cert|driver|gyzst|a=从业资格证
巡游出租汽车经营|Taxis|C.permit|vehicle|gzyjct|a=出租车
网络预约出租汽车运输证|Ride-hailing vehicles|P.permit|vehicle|gzyjst|a=网约车
公交线路站点|Bus lines and stops|O.facility|transport|gt|U a=公交,公交车
公交IC卡发放|Bus cards|P.reg|transport|gzt|a=公交卡
营运车辆动态定位|Positions of commercial vehicles|O.monitor|vehicle|t|
机动车维修经营备案|Vehicle repair shops|C.reg|vehicle|gzjpct|a=修车
机动车驾驶员培训许可|Driving schools|C.permit|driver|gzjrct|a=驾校
汽车客运站|Coach stations|O.facility|transport|jt|U a=汽车站
港口经营许可|Port licences|C.permit|ship|gzyjct|
船舶登记|Ship registration|O.reg|ship|gzt|
船员适任证书|Seafarers' certificates|P.cert|ship|yt|
内河航道|Inland waterways|O.facility|ship,water|wt|
国内水路客货运业务许可|Water transport licences|C.permit|ship|gyjn|
交通建设项目|Transport projects|C.project|road|pt|
交通运输行政处罚|Transport penalties|C.case|transport|t|U th=credit
共享单车投放|Shared bicycles|C.list|urban|t|D=j
@GLJ
国省干线公路|Trunk highways|O.facility|road|gwt|U
农村公路|Rural roads|O.facility|road|gwt|U a=村村通
公路桥梁|Highway bridges|O.facility|road|jwt|U
公路隧道涵洞|Tunnels and culverts|O.facility|road|jw|
超限运输车辆通行许可|Oversize transport permits|C.permit|road,vehicle|jcst|a=超限证
公路交通流量观测|Traffic counts|O.monitor|road|t|D=j
涉路施工活动许可|Works on highways|C.permit|road|yjc|
治超站检测|Overload checks|O.monitor|vehicle|ct|
收费站服务区|Toll stations and service areas|O.facility|road|t|U
公路养护工程|Highway maintenance works|C.project|road|pt|
@SLJ
水库大坝注册登记|Registered dams|O.reg|water|gjwt|a=水库
取水许可|Water abstraction permits|C.permit|water|gzyjnct|a=取水证
河道采砂许可|River sand permits|C.permit|water|jct|a=采砂
水土保持方案审批|Soil conservation plans|C.permit|water|jt|
河道管理范围建设项目审批|Projects within river ways|C.permit|water|jc|
河长湖长|River and lake chiefs|O.list|water|pt|U a=河长制
水闸泵站|Sluices and pumping stations|O.facility|water|dwt|
堤防工程|Dykes|O.facility|water|jw|
江河水情雨情|River levels and rain|O.monitor|water,weather|t|U a=水位
地下水监测|Ground water|O.monitor|water|t|
农村饮水安全工程|Rural drinking water|O.facility|water,village|wt|U
灌区|Irrigation districts|O.facility|water,farm|wt|
水利建设项目|Water projects|C.project|water|pt|
水资源费征收|Water resource fees|C.deal|water|t|
蓄滞洪区居民财产|Property in flood basins|P.list|water,village|gf|
山洪灾害防治点|Flash flood sites|O.facility|disaster,water|jt|th=safety
@NYJ
农药经营许可|Pesticide licences|C.permit|drug|gzyjct|a=农药
兽药生产经营企业许可|Veterinary drug licences|C.permit|drug|gyjc|
农作物种子生产经营许可|Seed licences|C.permit|farm|gzyjct|a=种子
动物防疫条件合格|Animal epidemic prevention|C.permit|farm|gjt|
动物检疫合格证明|Animal quarantine certificates|O.reg|farm|t|
畜禽养殖场备案|Livestock farms|O.reg|farm|gzjt|a=养殖场
生猪定点屠宰|Pig slaughterhouses|C.permit|food,farm|gjct|
执业兽医|Licensed veterinarians|P.cert|farm|yt|
拖拉机和联合收割机登记|Tractors and harvesters|P.reg|machinery|gzyt|a=农机行驶证
农机驾驶操作证|Machinery driving licences|P.cert|driver,machinery|gyzt|a=收割机驾驶证
农机购置补贴|Machinery purchase subsidies|P.benefit|machinery|fst|a=农机补贴
耕地地力保护补贴|Farmland protection subsidies|P.benefit|farm|ft|a=种粮补贴
农村土地承包合同|Farmland contracts|P.deal|farm|gt|
土地经营权流转|Transfers of farmland use|P.deal|farm|gt|a=土地流转
农业产业化龙头企业|Leading farm enterprises|C.list|farm,industry|npt|U
家庭农场|Family farms|P.list|farm|gpt|
绿色食品和地理标志|Green food and indications|C.list|farm,quality|t|U
农产品质量安全监测|Farm product safety|O.monitor|farm,quality|t|U
重大动物疫情|Animal epidemics|O.case|farm||N=secret
高标准农田项目|High-standard fields|C.project|farm,land|pwt|
水产养殖证|Aquaculture permits|P.permit|farm,water|gzyt|
渔业捕捞许可|Fishing licences|P.permit|ship|gzyc|
农村集体资产|Rural collective assets|O.list|asset,village|gt|
农村宅基地审批|Homestead approvals|P.permit|village,land|st|
新型职业农民|Professional farmers|P.cert|farm|t|
@LYJ
林木采伐许可|Felling licences|P.permit|forest|jct|a=采伐证
木材运输证|Timber transport permits|C.permit|forest,vehicle|t|a=木材运输
植物检疫证书|Plant quarantine certificates|C.permit|forest|jt|
林木种苗经营许可|Forest seed licences|C.permit|forest|gyjc|
使用林地审核|Use of forest land|C.permit|forest,land|jct|
野生动物人工繁育许可|Wildlife breeding licences|C.permit|forest|gyjc|
公益林补偿|Public forest compensation|P.benefit|forest|ft|
森林资源小班|Forest parcels|O.list|forest|gt|
自然保护地|Nature reserves|O.facility|forest|jt|U th=environment
湿地公园|Wetland parks|O.facility|forest,water|wt|U th=environment
森林防火设施|Forest fire facilities|O.facility|forest,fire|dwt|
林业有害生物监测|Forest pests|O.monitor|forest|t|
造林绿化工程|Afforestation|C.project|forest|pt|
退耕还林补助|Grain-for-green subsidies|P.benefit|forest|fe|
@HBJ
排污许可|Pollution discharge permits|C.permit|pollution|gzyjnct|a=排污许可证
建设项目环境影响评价审批|Environmental impact approvals|C.permit|pollution,invest|gjst|a=环评
环境影响登记表备案|Environmental impact filings|C.reg|pollution|t|
危险废物经营许可|Hazardous waste licences|C.permit|hazwaste|gzyjnct|a=危废
危险废物转移联单|Hazardous waste manifests|C.deal|hazwaste|t|
辐射安全许可|Radiation safety licences|C.permit|safety|gzyjc|
重点污染源自动监测|Automatic source monitoring|O.monitor|pollution|t|U
环境空气质量|Air quality|O.monitor|weather|t|U a=空气质量,PM2.5
地表水环境质量|Surface water quality|O.monitor|water,pollution|t|U
集中式饮用水水源地|Drinking water sources|O.facility|water|jt|
企业环境信用评价|Environmental credit|C.eval|credit,pollution|gt|U th=credit a=环保信用
突发环境事件应急预案备案|Environmental emergency plans|C.reg|safety,pollution|gj|
环境违法行政处罚|Environmental penalties|C.case|pollution|t|U th=credit
环境信访投诉|Environmental complaints|P.case|pollution|t|a=12369
重点排污单位名录|Key polluters|C.list|pollution|g|U
入河排污口|Outfalls into rivers|O.list|pollution,water|gjt|
污水处理厂运行|Sewage plants|O.monitor|pollution|t|U
噪声功能区监测|Noise monitoring|O.monitor|urban|t|U
土壤污染地块|Polluted soil|O.list|pollution,land|jt|
放射源台账|Radioactive sources|O.list|safety||N=secret
机动车排放检验|Vehicle emission tests|O.monitor|vehicle|t|
@YJJ
危险化学品经营许可|Hazardous chemical licences|C.permit|chemical,safety|gzyjct|a=危化品
危险化学品安全生产许可|Hazardous chemical safety licences|C.permit|chemical,safety|gzyjct|
烟花爆竹经营许可|Fireworks licences|C.permit|safety|gzyjcst|a=烟花爆竹
非煤矿山安全生产许可|Mine safety licences|C.permit|mineral,safety|gyzjc|
特种作业操作证|Special operation certificates|P.cert|safety|yst|a=电工证,焊工证
安全生产标准化企业|Standardised safety firms|C.eval|safety|pt|U
生产安全事故|Production accidents|C.case|safety|ct|
重大危险源|Major hazards|O.list|chemical,safety|jt|
安全隐患排查治理|Hidden dangers|C.case|safety|t|
应急预案备案|Emergency plans|C.reg|safety|g|
应急避难场所|Emergency shelters|O.facility|disaster|wt|U
应急救援队伍|Rescue teams|C.list|disaster|dr|
自然灾害灾情|Natural disasters|O.case|disaster|t|
受灾人员救助|Relief of victims|P.benefit|disaster|ft|a=救灾
安全评价机构|Safety assessment bodies|C.list|safety|rc|U
主要负责人安全培训合格|Safety training of managers|P.cert|safety|y|
事故举报人|Reporters of accidents|P.case|safety||N=reporters
@RFB
防空地下室建设审批|Air-raid shelter approvals|C.permit|defence,building|gst|a=人防
人防工程竣工验收|Completed shelters|C.reg|defence|t|
人防工程维护|Shelter upkeep|O.facility|defence|jw|
人防易地建设费收缴|Shelter fees|C.deal|defence|zt|
防空警报设施|Air-raid sirens|O.facility|defence||N=secret
人防工程平时开发利用|Peacetime use of shelters|C.permit|defence|yjc|
重要经济目标防护|Protected economic targets|O.list|defence||N=secret
人防指挥工程|Command shelters|O.list|defence||N=secret
人防疏散地域|Evacuation areas|O.facility|defence|g|
人防宣传教育基地|Education sites for defence|O.facility|defence,culture|t|U
@XFD
公众聚集场所消防安全检查|Fire checks of public places|C.permit|fire|gjcst|a=消防检查
消防安全重点单位|Key fire safety units|C.list|fire|gjt|
消防监督检查|Fire inspections|C.eval|fire|ct|U
火灾事故|Fires|O.case|fire|t|a=火灾,119
消火栓|Fire hydrants|O.facility|fire,water|wt|U
消防站点|Fire stations|O.facility|fire|dt|U
消防技术服务机构|Fire service firms|C.list|fire|rc|U
建（构）筑物消防员证|Fire operators' certificates|P.cert|fire|yt|
灭火救援预案|Fire-fighting plans|O.list|fire||N=secret
微型消防站|Micro fire stations|O.facility|fire|r|
@QXJ
气象站观测|Weather observations|O.monitor|weather|t|U D=j a=天气
气象灾害预警|Weather warnings|O.list|weather,disaster|gt|U D=j a=台风,暴雨预警
防雷装置设计审核竣工验收|Lightning protection|C.permit|building|jst|D=j a=防雷
升放气球资质|Balloon qualifications|C.permit|weather|yjc|D=j
农业气象服务|Weather for farming|O.monitor|weather,farm|t|U D=j
人工影响天气作业点|Weather modification sites|O.list|weather||N=secret D=j
气候资料|Climate data|O.list|weather|t|D=j
气象探测环境保护|Protected observation sites|O.facility|weather|j|D=j
雷电灾害鉴定|Lightning damage|O.case|weather,disaster|t|D=j
"""
