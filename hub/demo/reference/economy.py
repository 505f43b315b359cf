"""Subjects of the departments for the economy: registers of business, finance, trade, statistics, supplies.

The notation is that of `society`.
"""

from __future__ import annotations

from typing import Final

SUBJECTS: Final = """
@SJJ
企业登记注册|Enterprise registration|C.reg|market|gznst|a=营业执照,工商登记
个体工商户登记|Individual businesses|C.reg|market|gznst|a=个体户执照
农民专业合作社登记|Farmers' cooperatives|C.reg|market,farm|gzn|a=合作社
外商投资企业登记|Foreign-invested enterprises|C.reg|market,invest|gzn|
企业股东及出资|Shareholders and contributions|C.list|market|g|
企业主要人员|Principal staff of enterprises|C.list|market|g|a=高管
企业经营异常名录|Abnormal operations|C.list|market,credit|zt|U th=credit a=经营异常
严重违法失信企业名单|Serious violators|C.list|market,credit|z|U th=credit a=老赖企业
动产抵押登记|Chattel mortgages|C.reg|market|gz|
股权出质登记|Pledges of shares|C.reg|market|gz|a=股权质押
企业名称自主申报|Declared enterprise names|C.reg|market|t|a=核名
食品经营许可|Food business licences|C.permit|food|gzyjcst|a=食品经营许可证,餐饮许可
食品生产许可|Food production licences|C.permit|food,quality|gzyjct|
食品小作坊登记|Small food workshops|C.permit|food|gzjc|a=小作坊
食品安全监督抽检|Food safety samples|C.monitor|food,quality|t|U th=safety a=食品抽检
药品零售经营许可|Drug retail licences|C.permit|drug|gzyjct|a=药店许可
医疗器械经营许可|Medical device licences|C.permit|drug|gzyjc|
第二类医疗器械经营备案|Class II device filings|C.reg|drug|gzj|
药品监督抽检|Drug samples|C.monitor|drug,quality|t|U th=safety
执业药师注册|Licensed pharmacists|P.cert|drug|gyz|
化妆品生产经营检查|Cosmetics makers and sellers|C.eval|quality|c|
特种设备使用登记|Special equipment in use|O.reg|equipment|gzjt|th=safety a=电梯登记
特种设备作业人员资格|Special equipment operators|P.cert|equipment|yt|a=叉车证
电梯维护保养|Lift maintenance|O.monitor|equipment|jt|th=safety
特种设备检验检测|Special equipment tests|O.monitor|equipment|t|th=safety
工业产品生产许可|Industrial product licences|C.permit|quality|gzyj|
产品质量监督抽查|Product quality samples|C.monitor|quality|ct|U
检验检测机构资质认定|Qualified testing bodies|C.permit|quality|gyjp|
计量器具强制检定|Compulsory verification of instruments|O.monitor|equipment|t|
企业产品标准自我声明|Declared product standards|C.list|quality|t|U
专利授权|Granted patents|C.list|intellectual|t|U
注册商标|Registered trade marks|C.list|intellectual|t|U
知识产权质押融资|Pledged intellectual property|C.deal|intellectual,finance|t|
消费者投诉举报|Consumer complaints|P.case|food|t|a=12315
广告发布登记|Advertising registration|C.reg|market|jc|
直销网点备案|Direct sales outlets|C.reg|market|j|
守合同重信用企业|Contract-abiding enterprises|C.list|credit|p|U th=credit
市场监管双随机抽查|Random inspections of the market|C.eval|market|t|U
市场监管行政处罚|Market regulation penalties|C.case|market|t|U th=credit
@YCJ
烟草专卖零售许可|Tobacco retail licences|C.permit|tobacco|gzyjcst|a=烟草证
烟草专卖批发许可|Tobacco wholesale licences|C.permit|tobacco|gyj|
烟草制品准运|Tobacco transport permits|C.permit|tobacco,vehicle|t|
卷烟零售户等级|Grades of cigarette retailers|C.eval|tobacco|t|
涉烟违法案件|Tobacco offences|C.case|tobacco|t|
卷烟销售|Cigarette sales|X.list|tobacco|t|D=j
烟叶种植收购合同|Tobacco leaf contracts|P.deal|farm|t|D=j
零售点合理布局规划|Layout of retail outlets|O.list|tobacco|g|U
烟草专卖品鉴别检验|Tests of tobacco goods|C.monitor|quality,tobacco|t|
卷烟打假线索举报人|Informants on fake cigarettes|P.case|tobacco||N=reporters
@FGW
企业投资项目备案|Enterprise project filings|C.project|invest|gzst|a=项目备案
企业投资项目核准|Enterprise project approvals|C.project|invest|gjst|
政府投资项目审批|Government investment projects|C.project|invest,fiscal|gjpt|a=立项
固定资产投资项目节能审查|Energy reviews of projects|C.permit|invest|jt|
重点建设项目|Key construction projects|C.project|invest|wpt|a=重点工程
公共信用综合评价|Public credit evaluations|C.eval|credit|gt|th=credit a=信用
红名单|Red list of credit|C.list|credit|zt|U th=credit
失信联合惩戒对象名单|Joint sanctions list|C.list|credit|zt|U th=credit a=黑名单,失信
信用修复|Credit repairs|C.case|credit|st|th=credit
信用承诺|Credit pledges|C.list|credit|t|U th=credit
双公示行政许可归集|Collected licensing decisions|C.list|credit|t|U th=credit a=双公示
双公示行政处罚归集|Collected penalty decisions|C.list|credit|t|U th=credit
价格监测|Price monitoring|X.monitor|market|t|U D=j a=菜价
政府定价经营服务收费|Government-set charges|C.list|market|g|U D=j
油气管道保护|Oil and gas pipelines|O.facility|safety|jw|
充电基础设施|Charging facilities|O.facility|power|dwt|U a=充电桩
天然气供需|Supply of natural gas|X.list|industry|t|D=j
价格认定|Price appraisals|C.case|legal|t|
物资储备与国民经济动员|Economic mobilisation resources|C.list|industry||N=secret
@JXJ
规模以上工业企业运行|Industry above designated size|C.list|industry|nt|D=j a=规上企业
中小企业专精特新认定|Specialised small enterprises|C.list|industry|npt|U a=专精特新
企业技术改造项目|Technical upgrade projects|C.project|industry|pt|
企业技术中心认定|Enterprise technology centres|C.list|industry,science|pn|U
工业园区|Industrial parks|O.facility|industry,land|pt|U
工业企业能耗监测|Industrial energy use|C.monitor|industry|jt|
落后产能淘汰|Outdated capacity|C.list|industry|t|U
无线电台执照|Radio station licences|C.permit|equipment|gyzjc|a=电台执照
无线电频率使用许可|Radio frequency licences|C.permit|equipment|y|
民用爆炸物品销售备案|Sales of civil explosives|C.reg|chemical||N=secret
通信基站站址|Base station sites|O.facility|equipment|wt|
工业互联网平台应用|Industrial internet use|C.list|industry|t|U
两化融合贯标企业|Enterprises certified for integration|C.list|industry|p|U
中小企业公共服务示范|Model service bodies for small firms|C.list|industry|p|U
软件和信息服务业企业|Software and information firms|C.list|industry|nt|
新能源汽车推广应用|New-energy vehicles promoted|C.benefit|vehicle|ft|
@CZJ
部门预算|Departmental budgets|C.list|fiscal|gt|U a=预算公开
部门决算|Departmental final accounts|C.list|fiscal|t|U
国库集中支付|Treasury payments|C.deal|fiscal|t|
政府采购项目|Government procurement|C.deal|fiscal,bidding|gpt|U a=政采
政府采购供应商|Procurement suppliers|C.list|bidding|gp|U
非税收入收缴|Non-tax revenue|C.deal|fiscal|t|
财政票据领用|Fiscal receipts|C.reg|fiscal|zt|
财政专项资金|Special fiscal funds|C.deal|fiscal|pt|
惠民惠农补贴一卡通|Subsidies on one card|P.benefit|farm|fet|a=一卡通
行政事业单位国有资产|Assets of public bodies|C.list|asset|gzt|
代理记账机构许可|Book-keeping agency licences|C.permit|market|gznjct|a=代理记账
会计专业技术资格|Accounting qualifications|P.cert|employment|t|a=会计证
会计人员采集|Accountants on record|P.reg|employment|g|
地方政府债券项目|Local bond projects|C.project|fiscal|pt|
政府和社会资本合作项目|Public-private partnership projects|C.project|fiscal|pt|a=PPP
政府购买服务|Purchased services|C.deal|fiscal|pt|U
@SWJ
对外贸易经营者备案|Foreign trade operators|C.reg|trade|gzt|a=外贸备案
外商投资|Foreign investment|C.project|invest,trade|nt|D=j
成品油零售经营许可|Petrol retail licences|C.permit|safety|gzyjct|a=加油站
拍卖企业经营许可|Auction licences|C.permit|market|gjn|
单用途预付卡备案|Prepaid cards|C.reg|market|jct|a=预付卡
二手车交易市场|Second-hand car markets|C.reg|vehicle,market|jt|
报废机动车回收企业资质|Vehicle scrapping firms|C.permit|vehicle|gjt|
家政服务企业|Domestic service firms|C.list|employment|rt|U a=家政
电子商务企业|Electronic commerce firms|C.list|market|nt|D=j
社会消费品零售|Retail sales|X.list|market|t|U D=j
对外劳务合作经营资格|Overseas labour licences|C.permit|labour|gj|
生活必需品市场监测|Markets of daily necessities|X.monitor|market|t|U D=j
招商引资项目|Attracted investment projects|C.project|invest|gpt|D=j a=招商
便民商业网点|Neighbourhood shops|O.facility|market|t|U
@KJJ
高新技术企业认定|High-tech enterprises|C.list|science|gnpt|U a=高企
科技型中小企业评价|Technology-based small firms|C.eval|science|t|U
科技计划项目|Science projects|C.project|science|gpt|
科技成果登记|Registered results of science|C.reg|science|t|U
技术合同认定登记|Technology contracts|C.deal|science|t|
重点实验室|Key laboratories|O.list|science|dp|U
科学技术奖励|Science awards|C.list|science|t|U
科技企业孵化器|Technology incubators|C.list|science|pt|U
外国人来华工作许可|Work permits of foreigners|P.permit|identity,employment|gzyst|a=外国专家证
科技特派员|Science commissioners|P.list|science,farm|pt|
科研仪器设备开放共享|Shared scientific instruments|O.facility|science|d|U
实验动物使用许可|Laboratory animal licences|C.permit|science|yj|
@TJJ
县级行政区划代码|County division codes|O.list|place_name|g|U
城乡划分代码|Urban-rural classification codes|O.list|place_name|g|U
基本单位名录库|Register of basic units|C.list|industry|gt|D=j
经济普查单位|Units of the economic census|C.list|industry||N=statistics D=j
人口普查个人资料|Individual census records|P.list|household||N=statistics D=j
住户调查样本|Household survey samples|P.list|farm||N=statistics D=j
农业普查农户资料|Farm census records|P.list|farm||N=statistics D=j
地区生产总值|Gross regional product|X.list|industry|t|U D=j a=GDP
居民消费价格指数|Consumer price index|X.list|market|t|U D=j a=CPI
固定资产投资完成|Fixed asset investment|X.list|invest|t|U D=j
居民人均可支配收入|Disposable income|X.list|employment|t|U D=j
服务业生产经营|Service industries|C.list|industry|t|D=j
粮食产量调查|Grain output surveys|X.monitor|farm|t|D=j
统计从业单位执法检查|Statistics law inspections|C.eval|industry|c|
统计年鉴指标|Yearbook indicators|X.list|industry|g|U D=j
@SHJ
审计项目计划|Audit plans|C.project|fiscal|p|
审计结果公告|Published audit results|C.list|fiscal|t|U
审计发现问题整改|Rectified audit findings|C.case|fiscal|t|
审计调查取证资料|Audit evidence|C.list|fiscal||N=audit
内部审计机构备案|Internal audit units|C.reg|fiscal|r|
领导干部经济责任审计|Accountability audits|C.eval|fiscal||N=audit
政府工程竣工决算审计|Audits of government projects|C.project|fiscal,building|t|
社会审计机构核查|Checks of audit firms|C.eval|fiscal|c|
@GZW
国家出资企业名录|State-invested enterprises|C.list|asset,industry|gnt|U D=j a=国企
国有产权登记|State property rights|C.reg|asset|gzn|D=j
国有企业财务快报|Flash reports of state firms|C.list|industry|nt|D=j
企业国有资产交易|Sales of state assets|C.deal|asset,bidding|t|U D=j
国有企业负责人履职考核|Assessments of state firm heads|C.eval|industry||D=j
国有资产评估备案|Appraisals of state assets|C.reg|asset|t|D=j
国有企业投资项目|State firms' projects|C.project|invest|gpt|D=j
国有资本经营预算|State capital budgets|C.list|fiscal|t|U D=j
厂办大集体改革|Reform of collective factories|C.case|labour|t|D=j
@JRJ
小额贷款公司设立|Micro-credit companies|C.permit|finance|gzjnct|D=j a=小贷公司
融资担保公司设立|Financing guarantee companies|C.permit|finance|gzyjnct|D=j
典当行经营许可年审|Pawnshops' annual reviews|C.eval|finance|nc|D=j
区域股权市场挂牌企业|Listed firms on regional markets|C.list|finance|t|U D=j
上市后备企业|Firms preparing to list|C.list|finance,industry|p|D=j a=上市
非法集资案件线索|Leads on illegal fund-raising|C.case|finance||N=secret D=j
非法集资风险排查|Checks for illegal fund-raising|C.eval|finance|t|D=j
银行业金融机构网点|Bank branches|O.facility|finance|gt|U D=j a=银行
企业信贷需求|Credit demand of firms|C.deal|finance|t|D=j
政策性农业保险|Subsidised farm insurance|P.insure|farm,finance|ft|D=j
融资租赁公司监管|Leasing companies|C.eval|finance|jn|D=j
@GGZ
工程建设招标公告|Construction tenders|C.deal|bidding|gt|U a=招标
中标结果公示|Awarded tenders|C.deal|bidding|zt|U a=中标
政府采购交易|Procurement transactions|C.deal|bidding|t|U
国有土地使用权出让交易|Land use right sales|C.deal|bidding,land|t|U a=土地拍卖
国有产权交易|State property transactions|C.deal|bidding,asset|t|U
投标企业诚信档案|Bidders' credit files|C.list|bidding,credit|gp|th=credit
评标专家库|Evaluation experts|P.list|bidding|p|
招标代理机构考核|Assessed tender agencies|C.eval|bidding|r|U
投标保证金收退|Bid bonds|C.deal|bidding|t|
交易场所视频档案|Videos of trading venues|O.list|archive||N=commercial
招标投标投诉处理|Complaints on tenders|C.case|bidding|c|
@SWS
税务登记|Tax registration|C.reg|tax|gzt|a=税务登记证
纳税申报|Tax returns|C.deal|tax||N=tax
纳税信用等级评价|Tax credit ratings|C.eval|tax,credit|gt|U th=credit a=纳税信用
个人所得税完税|Income tax payments|P.deal|tax|t|a=个税,完税证明
欠税公告|Published tax arrears|C.list|tax|zt|U th=credit
重大税收违法案件|Major tax offences|C.case|tax|c|U th=credit
非正常户认定|Irregular taxpayers|C.list|tax|zt|U
发票领用|Invoices issued|C.deal|tax|zt|
社会保险费征缴|Collected social insurance fees|C.insure|tax,labour|t|
契税缴纳|Deed tax payments|P.deal|tax,estate|t|a=契税
车辆购置税缴纳|Vehicle purchase tax|P.deal|tax,vehicle|t|a=购置税
小微企业税收减免|Tax relief of small firms|C.deal|tax|t|
税收收入|Tax revenue|X.list|tax|t|U D=j
@HGG
报关单位注册登记|Customs registrants|C.reg|trade|gzyt|a=报关
企业信用认证等级|Customs credit grades|C.eval|trade,credit|gt|U th=credit
进出口货物报关|Import and export declarations|C.deal|trade||N=commercial
出口食品生产企业备案|Export food makers|C.reg|food,trade|gj|
进出口|Imports and exports|X.list|trade|t|U D=j a=外贸数据
口岸卫生许可|Port hygiene licences|C.permit|trade|gyj|
减免税货物监管|Duty-free goods|C.deal|trade|t|
海关行政处罚|Customs penalties|C.case|trade|t|U th=credit
出入境检验检疫|Entry-exit inspection and quarantine|C.monitor|trade,quality|t|
@YZJ
快递业务经营许可|Courier licences|C.permit|post|gzynjct|D=j a=快递
快递末端网点备案|Courier outlets|O.reg|post|gzt|D=j
邮政普遍服务营业场所|Post offices|O.facility|post|gjt|U D=j a=邮局
智能快件箱|Parcel lockers|O.facility|post|gt|U D=j a=快递柜
邮政用户申诉|Complaints of postal users|P.case|post|t|D=j
邮路和投递路线|Postal routes|O.list|post|g|D=j
快递从业人员职业技能|Couriers' skills|P.cert|post|t|D=j
寄递安全检查|Parcel safety checks|C.eval|post|c|D=j
快递业务量|Parcel volumes|X.list|post|t|U D=j
@GDG
居民用电户|Household electricity users|P.deal|power|gt|D=j a=电费
企业用电户|Business electricity users|C.deal|power|gt|D=j
企业用电量|Electricity use of firms|C.monitor|power|t|D=j
用电报装申请|New electricity connections|C.reg|power|st|D=j a=报装
变电站和配电设施|Substations and distribution|O.facility|power|wt|D=j
计划停电公告|Planned outages|O.list|power|t|U D=j a=停电
违约用电和窃电处理|Electricity theft|C.case|power|t|D=j
分布式光伏并网|Distributed solar connections|O.reg|power|zt|D=j
供电服务投诉|Complaints on supply|P.case|power|t|D=j
低保户免费电量|Free electricity for the poor|P.benefit|power|fe|D=j
电网调度运行|Grid dispatch|O.monitor|power||N=secret D=j
@LSJ
粮食收购资格|Grain purchase qualifications|C.permit|grain|gzjnct|D=j a=粮食收购证
地方储备粮库存|Local grain reserves|O.list|grain||N=secret D=j
粮食质量监测|Grain quality|O.monitor|grain|t|D=j
粮食仓储设施|Grain storage|O.facility|grain|dwt|D=j a=粮库
粮食流通|Grain circulation|C.list|grain|nt|D=j
应急成品粮供应网点|Emergency grain outlets|O.facility|grain|pt|U D=j
救灾物资储备|Relief material reserves|O.list|disaster|gt|D=j
粮食收购价格监测|Grain purchase prices|X.monitor|grain|t|U D=j
军粮供应站点|Army grain outlets|O.list|grain||N=secret D=j
放心粮油示范企业|Trusted grain firms|C.list|grain|p|U D=j
"""
