"""Subjects of the departments for government itself, law, culture, archives and the public's voice.

The notation is that of `society`.
"""

from __future__ import annotations

from typing import Final

SUBJECTS: Final = """
@SZJ
政务服务事项目录|Catalogue of service matters|C.list|service|gzt|U a=事项库
政务服务办件|Service cases|P.case|service|t|a=办件
政务服务好差评|Ratings of services|P.case|service|t|a=好差评
电子证照目录|Catalogue of electronic licences|C.list|archive,service|gzt|U th=licence a=电子证照
电子证照签发使用|Use of electronic licences|P.list|archive,service|t|th=licence
电子印章|Electronic seals|C.reg|archive|gzyt|th=licence a=电子公章
电子材料库|Electronic materials|P.list|archive|t|th=licence
政务服务中心窗口|Service centre windows|O.facility|service|rt|U a=政务大厅,办事大厅
自助服务终端|Self-service terminals|O.facility|service|dwt|U
中介服务机构|Intermediary service firms|C.list|service|gpt|U a=中介超市
政务数据共享需求|Data sharing demands|C.case|service|t|
信息系统建设项目|Information projects|C.project|service|pt|a=信息化项目
政务云资源使用|Use of the government cloud|C.deal|asset|t|
安康码申领|Ankang codes|P.reg|identity,service|t|a=安康码,健康码
容缺受理事项|Matters accepted with missing papers|C.list|service|gt|U
减证便民取消证明事项|Abolished certificates|C.list|service|t|U a=证明事项
@SFJ
律师执业|Lawyers|P.cert|lawyer|gyznpt|a=律师证
律师事务所执业许可|Law firms|C.permit|lawyer|gzjnct|a=律所
基层法律服务工作者|Grass-roots legal workers|P.cert|lawyer|gyzn|
公证员|Notaries|P.cert|lawyer|gnp|
公证办理|Notarial acts|P.case|legal|t|a=公证书
司法鉴定机构|Forensic institutions|C.permit|legal|gyjnp|
司法鉴定人|Forensic experts|P.cert|legal|gyzp|
法律援助案件|Legal aid cases|P.case|legal,low_income|st|a=法援
法律职业资格|Legal qualifications|P.cert|lawyer|t|a=司法考试,法考
人民调解案件|Mediation cases|P.case|legal|t|a=调解
人民调解员|Mediators|P.list|legal|pt|
社区矫正对象|Persons in community correction|P.case|legal||N=correction
刑满释放人员安置帮教|Aftercare of released persons|P.case|legal||N=correction
行政复议案件|Administrative reconsiderations|P.case|legal|st|
行政执法人员资格|Enforcement officers|P.cert|legal|yzt|a=执法证
规范性文件备案|Normative documents on file|C.reg|disclosure|zt|U
公共法律服务站点|Legal service points|O.facility|legal|rt|U
人民监督员|People's supervisors|P.list|legal|t|
@WLJ
营业性演出许可|Performance permits|C.permit|culture|jct|a=演出
娱乐场所经营许可|Entertainment venue licences|C.permit|culture,fire|gzyjnct|a=KTV
互联网上网服务经营许可|Internet café licences|C.permit|culture|gzyjct|
文物保护单位|Protected monuments|O.list|culture|gjwt|U a=文物
可移动文物|Movable relics|O.list|culture|t|
非物质文化遗产项目|Intangible heritage|O.list|culture|pt|U a=非遗
非遗代表性传承人|Heritage bearers|P.list|culture|fpt|U
公共图书馆|Public libraries|O.facility|culture|dt|U a=图书馆
博物馆和文化馆|Museums and culture halls|O.facility|culture|dt|U a=博物馆
旅行社业务经营许可|Travel agency licences|C.permit|tourism|gzjnct|a=旅行社
导游证|Tour guide cards|P.cert|tourism|gyznt|a=导游
旅游景区|Scenic areas|O.facility|tourism|gjpt|U a=景点,景区
星级饭店|Star hotels|C.list|tourism|pt|U a=酒店
旅游投诉|Tourism complaints|P.case|tourism|t|
体育场馆|Sports venues|O.facility|culture|jwt|U a=健身,体育馆
高危险性体育项目许可|High-risk sports licences|C.permit|culture,safety|gyjc|a=游泳馆
社会体育指导员|Sports instructors|P.cert|culture|yt|
等级运动员|Graded athletes|P.cert|culture|t|
广播电视节目制作许可|Broadcast production licences|C.permit|culture|gyjn|
农家书屋|Village reading rooms|O.facility|culture,village|t|U
@XFJ
信访事项|Petitions|P.case|petition|t|a=上访
信访人检举控告材料|Accusations by petitioners|P.case|petition||N=petition
领导干部接访安排|Reception days of leaders|C.list|petition|t|U
信访督查督办|Supervised petitions|P.case|petition|t|
信访事项复查复核|Reviewed petitions|P.case|petition|st|
信访救助资金|Relief of petitioners|P.benefit|petition|f|
人民意见征集|Collected opinions of the public|P.case|petition|t|
信访积案化解|Settled old petitions|P.case|petition|t|
信访工作考核|Assessed petition work|C.eval|petition|p|
@JGJ
办公用房|Office space|O.facility|office_affairs|gwt|
公务用车|Official cars|O.reg|office_affairs,vehicle|gzwt|a=公车
公共机构能源资源消费|Energy use of public bodies|C.monitor|office_affairs,power|jt|
机关后勤服务合同|Contracts of logistics|C.deal|office_affairs|pt|
公共机构节能示范单位|Model energy savers|C.list|office_affairs|p|U
办公用房租借|Leased office space|C.deal|office_affairs|zt|
公物仓资产|Common pool of goods|O.list|asset|gt|
机关食堂采购|Canteen purchases|C.deal|food|jt|
公务接待|Official receptions|C.deal|fiscal|t|
@ZFB
市民热线工单|Citizen hotline tickets|P.case|service|t|a=12345,市长热线
政府信息公开目录|Catalogue of disclosed information|C.list|disclosure|gt|U
依申请公开办理|Requests for information|P.case|disclosure|st|
行政规范性文件|Administrative documents|C.list|disclosure|zt|U a=红头文件
政府公报|Government gazettes|C.list|disclosure|t|U
市长信箱来信|Letters to the mayor|P.case|service|t|a=市长信箱
人大建议政协提案办理|Proposals of deputies|P.case|disclosure|pt|U
政府网站和新媒体|Government sites and media|C.list|disclosure|gjt|U
重点工作督查|Supervised key work|C.case|disclosure|pt|
值班应急联络|Duty contacts|C.list|safety||N=secret
@MZW
宗教活动场所登记|Religious venues|O.permit|religion|gzjnt|a=寺庙,教堂
宗教教职人员备案|Clergy on file|P.cert|religion|gzn|
宗教团体|Religious bodies|C.list|religion,social_org|gn|
宗教场所财务监督|Finances of venues|O.eval|religion|n|
民族成份变更|Changes of nationality|P.reg|household|st|a=改民族
清真食品标志牌|Halal food signs|C.permit|food|gzj|
少数民族发展资金项目|Minority development projects|C.project|fiscal|pt|
宗教界人士联系|Contacts with clergy|P.list|religion||N=privacy
大型宗教活动审批|Large religious events|O.permit|religion|j|
@BBB
事业单位法人登记|Public institution registration|C.reg|establishment|gznst|a=事业单位法人证书
机关群团赋码|Codes of organs and bodies|C.reg|establishment|gz|
机构编制台账|Establishment ledger|C.list|establishment|gt|
机构编制实名制|Named establishment|P.list|establishment||N=files
权责清单|Lists of powers and duties|C.list|establishment,disclosure|gt|U a=权力清单
部门主要职责内设机构|Duties and sections of departments|C.list|establishment|g|U a=三定
事业单位绩效|Performance of institutions|C.eval|establishment|p|
中文域名和网站标识|Domain names and site marks|C.reg|establishment|gz|U
编制使用核准|Use of posts|C.permit|establishment|t|
@DAG
馆藏开放档案目录|Catalogue of open archives|C.list|archive|gt|U a=档案
未开放档案|Archives not yet open|C.list|archive||N=archives
档案查阅利用|Use of archives|P.case|archive|st|a=查档案
档案移交进馆|Archives received|C.list|archive|t|
重大活动档案|Archives of major events|C.list|archive|g|U
民生档案跨馆出证|Certificates from archives|P.case|archive,family|st|
机关档案工作评价|Assessed archive work|C.eval|archive|j|
声像档案|Sound and image archives|O.list|archive,culture|t|
现行文件利用|Use of current documents|C.list|archive,disclosure|t|U
家谱方志资料|Genealogies and gazetteers|O.list|archive,culture|t|U
"""
