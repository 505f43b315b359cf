"""Subjects of the departments for people: population, welfare, work, insurance, health, education, veterans.

One line is one subject: name | English name | form | topics | derived resources | marks. The form is an entity
(P person, C company, O object, X region) and an activity of `blocks`; the letters are keys of its DERIVED. Marks:
``a=`` aliases, ``N=`` ground for not sharing, ``th=`` theme, ``U`` shared without condition, ``D=j`` 经济社会.
"""

from __future__ import annotations

from typing import Final

SUBJECTS: Final = """
@GAJ
常住人口基本|Resident population|P.reg|household,family|gt|a=人口库,户籍人口
户籍迁移|Household register transfers|P.reg|household|st|a=迁户口
居民户口簿签发|Household booklets|P.reg|household|gz|a=户口本,户口簿
居民身份证签发|Resident identity cards|P.reg|identity|st|a=身份证
居住证核发|Residence permits|P.reg|identity,household|yzst|a=居住证,暂住证
出生登记|Births entered in the household register|P.reg|family,birth|gt|a=上户口
死亡注销户口|Households cancelled by death|P.reg|household|t|a=死亡证明
姓名变更更正|Changes and corrections of names|P.reg|household|s|
流动人口登记|Migrant population|P.reg|household,employment|gt|a=暂住人口
出入境证件签发|Exit-entry documents|P.reg|identity||N=secret a=护照
境外人员临时住宿登记|Temporary lodging of visitors from abroad|P.reg|identity||N=secret
标准地址门楼牌|Standard addresses and door plates|O.reg|place_name|gzt|a=门牌号 U
无犯罪记录证明|Certificates of no criminal record|P.reg|identity|st|a=无犯罪证明
保安服务公司许可|Security service companies|C.permit|security|gzjr|
保安员证|Security guard certificates|P.cert|security|gyt|
旅馆业特种行业许可|Hotel special-trade licences|C.permit|security|gzjcr|a=旅馆特行证
公章刻制备案|Official seal engravings|C.reg|security|zt|a=刻章
典当经营治安许可|Pawnshop special-trade licences|C.permit|security|gzj|
大型群众性活动安全许可|Safety permits for large public events|C.permit|security|jt|
烟花爆竹运输许可|Fireworks transport permits|C.permit|chemical,security|ct|
民用爆炸物品购买许可|Civil explosive purchase permits|C.permit|chemical||N=secret
剧毒化学品公路运输通行证|Road passes for highly toxic chemicals|C.permit|chemical,vehicle|jt|
互联网上网服务场所安全审核|Security reviews of internet cafés|C.permit|security|jc|a=网吧
重点单位治安防范|Security of key units|C.list|security||N=secret
警情接报|Police calls|P.case|security||N=secret a=110
戒毒人员管控|Persons in drug rehabilitation|P.case|disease||N=drugs
治安行政处罚|Public-order penalties|P.case|security|t|
犬只登记|Dog registration|P.reg|urban|yzt|a=养犬证,狗证
@JJD
机动车登记|Vehicle registration|P.reg|vehicle|gzst|a=行驶证,车辆登记
机动车驾驶证|Driving licences|P.cert|driver|gyzt|a=驾照,驾驶证
机动车检验合格|Vehicle inspection certificates|P.reg|vehicle|t|a=年检,年审
机动车抵押登记|Vehicle mortgages|P.reg|vehicle|gz|
道路交通违法行为|Traffic offences|P.case|vehicle,driver|t|a=违章
道路交通事故认定|Traffic accident findings|P.case|vehicle|t|a=车祸
驾驶人累积记分|Drivers' penalty points|P.eval|driver||
校车驾驶资格|School bus driver qualifications|P.cert|driver|yz|
机动车号牌核发|Number plates|P.reg|vehicle|t|a=车牌
货车城区通行证|City passes for lorries|C.permit|vehicle|yt|a=货车通行证
交通信号控制设施|Traffic signal equipment|O.facility|road|dwt|U a=红绿灯
电子警察点位|Traffic camera sites|O.facility|road|d|a=电子眼
道路停车泊位|Roadside parking bays|O.facility|road,urban|wt|U a=停车位
电动自行车登记|Electric bicycle registration|P.reg|vehicle|gzt|a=电动车
驾驶培训考试预约|Driving test bookings|P.reg|driver|t|a=考驾照
剧毒危化品运输车辆备案|Vehicles carrying hazardous chemicals|C.reg|vehicle,chemical|g|
重点运输企业交通安全|Traffic safety of key carriers|C.eval|vehicle,safety|jt|
@MZJ
婚姻登记|Marriage registration|P.reg|marriage|t|a=结婚证,离婚证,婚姻状况
最低生活保障对象|Minimum living allowance recipients|P.benefit|low_income|fset|a=低保
特困人员救助供养|Support of persons in extreme difficulty|P.benefit|low_income,elder|fset|a=五保户
临时救助|Temporary relief|P.benefit|low_income|fst|
低收入家庭认定|Low-income families|P.benefit|low_income|set|
孤儿基本生活保障|Living allowance for orphans|P.benefit|family|fe|a=孤儿
事实无人抚养儿童|De facto unattended children|P.benefit|family|fe|
收养登记|Adoption registration|P.reg|family||N=adoption
困境儿童档案|Files of children in difficulty|P.list|family||N=minors
留守儿童关爱服务|Care for left-behind children|P.list|family|t|
高龄津贴|Allowance for the very old|P.benefit|elder|fset|a=老龄津贴,尊老金
老年人优待证|Senior citizens' cards|P.cert|elder|st|a=老年证,老年卡
养老机构备案|Elderly care homes|C.reg|elder|gzjnrt|a=养老院,敬老院
居家养老服务|Home care for the elderly|P.benefit|elder|ft|
经济困难失能老年人补贴|Subsidies for disabled elderly in hardship|P.benefit|elder,low_income|fe|
困难残疾人生活补贴|Living subsidies for disabled in hardship|P.benefit|disabled,low_income|fet|
重度残疾人护理补贴|Nursing subsidies for severely disabled|P.benefit|disabled|fet|
社会团体登记|Social associations|C.permit|social_org|gznjct|a=社团 th=legal_person
民办非企业单位登记|Private non-enterprise units|C.permit|social_org|gznjc|a=民非 th=legal_person
基金会登记|Foundations|C.permit|social_org|gn|th=legal_person
慈善组织认定|Charity recognition|C.list|social_org|nt|U
慈善募捐备案|Charity fund-raising|C.reg|social_org|t|U
殡葬火化登记|Cremation records|P.reg|family|t|a=火化证明
公墓经营|Cemetery operation|O.permit|place_name|jn|a=墓地
地名命名|Place names|O.reg|place_name|gzt|U th=space a=地名
行政区域界线|Administrative boundaries|O.list|place_name|p|th=space
村（居）民委员会组成|Villagers' and residents' committees|O.list|village|gt|a=村委会,居委会
流浪乞讨人员救助|Aid to vagrants and beggars|P.case|low_income|t|
福利彩票销售站点|Welfare lottery outlets|O.facility|place_name|pt|U a=福彩
社会工作者登记|Social workers|P.cert|social_org|yt|
居民家庭经济状况核对|Checks of household means|P.case|low_income,estate||N=privacy
@RSJ
就业登记|Employment registration|P.reg|employment|gt|a=就业
失业人员登记|Unemployment registration|P.reg|employment|zst|a=失业证
就业创业证|Employment and start-up certificates|P.cert|employment|st|
就业困难人员认定|Persons hard to employ|P.benefit|employment|fet|
公益性岗位安置|Public welfare jobs|P.benefit|employment|fe|
创业担保贷款|Start-up guaranteed loans|P.deal|employment,finance|st|
职业技能培训|Vocational skill training|P.cert|employment|ft|a=技能培训
职业技能等级证书|Vocational skill certificates|P.cert|employment|t|
专业技术职称|Professional titles|P.cert|employment|t|a=职称
高校毕业生实名登记|Registered college graduates|P.reg|employment|t|a=毕业生
人力资源服务许可|Human-resource service licences|C.permit|employment|gzjn|a=职业中介
劳务派遣经营许可|Labour dispatch licences|C.permit|labour|gzyjnct|a=劳务派遣
劳动用工备案|Labour contracts on file|C.reg|labour|gt|a=劳动合同
劳动人事争议仲裁|Labour arbitration|P.case|labour|t|a=劳动仲裁
劳动保障监察案件|Labour inspection cases|C.case|labour|c|
劳动保障违法举报人|Reporters of labour violations|P.case|labour||N=reporters
拖欠农民工工资黑名单|Blacklist of wage defaulters|C.list|labour,credit|zt|U a=欠薪 th=credit
农民工工资保证金|Wage guarantee deposits|C.deal|labour|zt|
工伤认定|Work injury findings|P.case|injury|st|a=工伤
劳动能力鉴定|Assessments of working capacity|P.cert|injury|s|
特殊工时审批|Special working hours approvals|C.permit|labour|y|
民办职业培训学校许可|Private vocational training schools|C.permit|employment,school|gzjn|
技工院校学生学籍|Student records of technician schools|P.reg|pupil|gt|a=技校
事业单位公开招聘|Open recruitment of public institutions|P.list|employment|t|a=事业编考试
引进人才认定|Recognised talents|P.benefit|employment|fst|a=人才引进
公务员考试报名|Civil service examination entries|P.reg|employment|t|
流动人员人事档案|Personnel files of mobile staff|P.list|archive||N=files
@SBZ
城镇职工养老保险参保缴费|Employees' pension insurance contributions|P.insure|employment|gt|a=社保,养老保险,五险
城乡居民养老保险参保缴费|Residents' pension insurance contributions|P.insure|pension|gst|a=新农保,居民养老
机关事业单位养老保险参保|Pension insurance of public bodies|P.insure|pension|gt|
养老保险待遇领取|Pension payments|P.benefit|pension|fet|a=退休金,养老金
养老待遇资格认证|Pension entitlement checks|P.eval|pension|t|a=生存认证
失业保险参保缴费|Unemployment insurance contributions|P.insure|employment|gt|
失业保险金申领|Unemployment benefits|P.benefit|employment|fe|a=失业金
用人单位工伤保险缴费|Work injury insurance contributions|P.insure|injury|gt|
工伤保险待遇支付|Work injury benefits|P.benefit|injury|f|
社会保险关系转移接续|Transfers of social insurance|P.reg|pension|st|a=社保转移
社会保险单位参保登记|Employers enrolled in social insurance|C.insure|labour|gzt|a=单位社保
社会保险费欠缴|Social insurance arrears|C.case|labour|t|
稳岗返还补贴|Job-retention refunds|C.benefit|labour|ft|
社会保障卡制发|Social security cards|P.reg|identity|st|a=社保卡,市民卡
离退休人员供养亲属|Dependants of the retired|P.benefit|family,pension|f|
丧葬抚恤待遇|Funeral and survivor benefits|P.benefit|family|f|
社会保险稽核|Social insurance audits|C.case|labour|t|
被征地农民养老保障|Pension of farmers who lost land|P.insure|pension,farm|ft|a=失地农民
@YBJ
城镇职工医疗保险参保缴费|Employees' medical insurance contributions|P.insure|medical_insurance|gt|a=医保
城乡居民医疗保险参保缴费|Residents' medical insurance contributions|P.insure|medical_insurance|gst|a=新农合
生育保险待遇|Maternity benefits|P.benefit|medical_insurance,birth|f|a=产假津贴
医疗费用结算明细|Details of medical settlements|P.deal|medical_insurance||N=medical
医疗救助对象|Medical aid recipients|P.benefit|medical_insurance,low_income|fet|
异地就医备案|Treatment elsewhere|P.reg|medical_insurance|st|a=异地医保
门诊慢特病认定|Chronic disease outpatients|P.benefit|medical_insurance,disease||N=medical a=慢性病
定点医疗机构协议|Agreements with designated hospitals|C.deal|medical|gzjpt|a=医保医院
定点零售药店协议|Agreements with designated pharmacies|C.deal|drug|gzjpt|a=医保药店
医保医师|Insurance physicians|P.list|medical|gp|
药品集中采购中选结果|Results of drug procurement|X.deal|drug|t|U
医用耗材挂网价格|Listed prices of medical consumables|X.deal|drug|g|U
医保违规处理|Insurance violations|C.case|medical|ct|
医疗保险关系转移|Transfers of medical insurance|P.reg|medical_insurance|s|
医疗服务价格项目|Medical service prices|X.list|medical|g|U
@WJW
医疗机构执业许可|Medical institution licences|C.permit|medical|gzyjnct|a=医院,诊所执照
医师执业注册|Physicians' registration|P.cert|medical|gzt|a=医生执业证,医师证
护士执业注册|Nurses' registration|P.cert|medical|gzyt|a=护士证
乡村医生执业注册|Village doctors' registration|P.cert|medical|yzt|a=村医
出生医学证明|Birth certificates|P.reg|birth,family|st|a=出生证
死亡医学证明|Death certificates|P.reg|family|t|
预防接种记录|Vaccination records|P.reg|disease|t|a=疫苗本,打疫苗
传染病报告|Communicable disease reports|P.case|disease||N=medical
艾滋病感染者随访|Follow-up of HIV infections|P.case|disease||N=hiv
严重精神障碍患者管理|Care of severe mental disorders|P.case|disease||N=mental
电子病历摘要|Medical record summaries|P.list|disease,medical||N=medical
居民健康档案|Residents' health files|P.list|disease||N=medical
公共场所卫生许可|Public place hygiene licences|C.permit|safety|gzyjct|a=卫生许可证
饮用水供水单位卫生许可|Hygiene licences of water suppliers|C.permit|water|gyj|
消毒产品生产企业卫生许可|Hygiene licences of disinfectant makers|C.permit|quality|gyjc|
放射诊疗许可|Radiotherapy licences|C.permit|medical|gyj|
母婴保健技术服务许可|Maternal and infant care licences|C.permit|medical|gyj|
计划生育家庭奖励扶助|Family planning rewards|P.benefit|family|fet|a=独生子女奖励
生育登记服务|Birth planning registration|P.reg|family|st|a=准生证
无偿献血|Blood donations|P.reg|disease|t|a=献血证
职业病诊断机构|Occupational disease clinics|C.list|medical|r|
家庭医生签约|Family doctor contracts|P.deal|medical|t|
医疗废物处置|Medical waste disposal|C.monitor|hazwaste|t|
急救站点|First-aid stations|O.facility|medical|dwt|U a=120
医疗卫生机构资源|Resources of medical institutions|O.facility|medical|dt|U
从业人员健康合格证明|Health certificates of workers|P.cert|food|yt|a=健康证
@JYJ
中小学生学籍|Pupils' records|P.reg|pupil,school|gt|a=学籍
学前教育幼儿|Kindergarten children|P.reg|pupil,school|t|a=幼儿园入园
中等职业学校学籍|Vocational school records|P.reg|pupil,school|gt|a=中专
中小学校基本情况|Primary and middle schools|O.facility|school|dt|U a=学校
幼儿园办园许可|Kindergarten licences|C.permit|school|gzjnrt|a=幼儿园
民办学校办学许可|Private school licences|C.permit|school|gzjnrt|
校外培训机构办学许可|Tutoring centre licences|C.permit|school|gzjct|a=补习班
教师资格证书|Teacher qualification certificates|P.cert|teacher|st|a=教师证
教师职称评审|Teachers' titles|P.cert|teacher|t|
在职教师|Serving teachers|P.list|teacher,school|gt|
家庭经济困难学生资助|Aid to pupils in hardship|P.benefit|pupil,low_income|fst|a=助学金
生源地助学贷款|Student loans|P.deal|pupil|t|a=助学贷款
义务教育入学登记|Enrolment in compulsory education|P.reg|pupil,family|st|a=入学报名
中考成绩|Middle school examination results|P.eval|pupil||N=minors
高考报名|College entrance entries|P.reg|pupil|t|
学历证书|Academic certificates|P.cert|school|t|a=毕业证
校车使用许可|School bus licences|C.permit|vehicle,school|yj|a=校车
学区划分|School districts|O.list|school|g|U a=学区房
特殊教育学生|Pupils in special education|P.reg|pupil,disabled|t|
学校食堂管理|School canteens|O.eval|school,food|jr|
普通话水平测试|Mandarin tests|P.cert|teacher|t|
学生体质健康|Pupils' physical fitness|P.eval|pupil||N=minors
@TYJ
退役军人建档立卡|Files of veterans|P.reg|veteran|gt|a=退伍军人
优抚对象抚恤补助|Pensions of entitled groups|P.benefit|veteran|fset|a=优抚
退役士兵安置|Placement of demobilised soldiers|P.benefit|veteran,employment|ft|
自主就业一次性经济补助|Lump sums for self-employed veterans|P.benefit|veteran|ft|
伤残军人评定|Disability grading of servicemen|P.cert|veteran|g|
烈士纪念设施|Martyrs' memorials|O.facility|culture|wt|U
烈属和军属优待|Preferential treatment of families|P.benefit|veteran,family|ft|a=光荣之家
军队离退休干部安置|Placement of retired officers|P.list|veteran||N=secret
退役军人就业培训|Training of veterans|P.cert|veteran,employment|ft|
双拥共建单位|Civil-military support units|C.list|veteran|p|U
@CJL
残疾人证核发|Disability certificates|P.cert|disabled|gyzst|a=残疾证
残疾人就业保障金|Employment security fund for the disabled|C.insure|disabled,labour|nt|a=残保金
残疾人按比例就业|Quota employment of the disabled|C.eval|disabled|n|
残疾儿童康复救助|Rehabilitation of disabled children|P.benefit|disabled,family|fst|
残疾人辅助器具适配|Assistive devices|P.benefit|disabled|f|
残疾人机动轮椅车燃油补贴|Fuel subsidies for motor wheelchairs|P.benefit|disabled,vehicle|f|
残疾人康复机构|Rehabilitation institutions|C.list|disabled|rp|U
残疾人托养服务|Day care for the disabled|P.benefit|disabled|fe|
盲人医疗按摩人员资格|Blind massage practitioners|P.cert|disabled|yn|
残疾人家庭无障碍改造|Barrier-free homes|P.project|disabled|t|
@ZGH
基层工会组织|Basic trade unions|C.reg|union|gnt|a=工会法人
工会会员实名|Union members|P.reg|union|t|
困难职工帮扶|Aid to workers in hardship|P.benefit|union,low_income|fet|
劳动模范|Model workers|P.list|union|t|U a=劳模
职工互助保障|Workers' mutual protection|P.insure|union|ft|
工人文化宫场馆|Workers' culture palaces|O.facility|culture|w|U
职工疗休养|Workers' recuperation|P.benefit|union|t|
集体合同备案|Collective contracts|C.reg|labour,union|yt|
@FPB
建档立卡贫困人口|Registered poor population|P.benefit|poverty,family|fet|a=贫困户
建档立卡贫困村|Registered poor villages|O.list|poverty,village|pt|a=贫困村
扶贫项目|Poverty relief projects|C.project|poverty|pt|
扶贫资金拨付|Poverty relief funds|C.deal|fiscal,poverty|t|
扶贫小额信贷|Poverty micro-credits|P.deal|poverty,finance|t|
驻村帮扶干部|Stationed relief cadres|P.list|poverty|p|
雨露计划补助|Rain-and-dew training subsidies|P.benefit|poverty,pupil|f|
扶贫资产|Poverty relief assets|O.list|asset,village|gt|
易地扶贫搬迁|Relocation for poverty relief|P.benefit|poverty,housing|t|
光伏扶贫电站|Solar stations for poverty relief|O.facility|power|fwt|
"""
