"""The 53 departments of the reference city: who they are, how people call them, whom they answer to, on what law.

What they hold is told by the subject modules. The unified social credit codes are made up, with valid check digits.
"""

# ruff: noqa: E501 - a row of the table stays on its line

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Final

from catalog.identifiers import make_uscc, org_code_check_char
from catalog.model import Department, DepartmentKind, Domain, Duty, Theme

OFFICE: Final = "SZJ"

# code | name | English | kind | parent | aliases | posts: catalogue, review, technical | theme | domain | laws
# kind: g government, p party, i institution, v vertical, u utility; domain: z 政务, j 经济社会
_TABLE: Final = """
SZJ|阜阳市数据资源管理局|Data Resources Administration|g||市数据局,数据资源局,市政务服务局|数据资源科,数据资源科,大数据中心|governance|z|国务院关于加快推进全国一体化在线政务服务平台建设的指导意见;国务院关于在线政务服务的若干规定
GAJ|阜阳市公安局|Public Security Bureau|g||市公安局|科技信息化支队,法制支队,科技信息化支队|population|z|中华人民共和国户口登记条例;中华人民共和国居民身份证法
JJD|阜阳市公安局交通警察支队|Traffic Police Division|g|GAJ|交警支队,市交警,车管所|车辆管理所,法制大队,科技信息中心|transport|z|中华人民共和国道路交通安全法;机动车登记规定
MZJ|阜阳市民政局|Civil Affairs Bureau|g||市民政局|规划财务科,政策法规科,信息中心|social_security|z|社会救助暂行办法;婚姻登记条例
RSJ|阜阳市人力资源和社会保障局|Human Resources and Social Security Bureau|g||市人社局,人社局|办公室,政策法规科,信息中心|social_security|z|中华人民共和国社会保险法;中华人民共和国就业促进法
SBZ|阜阳市社会保险事业管理中心|Social Insurance Centre|i|RSJ|社保中心,社保局|综合科,稽核科,信息科|social_security|z|中华人民共和国社会保险法;社会保险费征缴暂行条例
YBJ|阜阳市医疗保障局|Healthcare Security Administration|g||市医保局,医保局|待遇保障科,基金监管科,医保信息中心|health|z|中华人民共和国社会保险法;国务院办公厅关于推进医疗保障基金监管制度体系改革的指导意见
WJW|阜阳市卫生健康委员会|Health Commission|g||市卫健委,卫健委,卫生局|规划信息科,法规监督科,卫生信息中心|health|z|中华人民共和国基本医疗卫生与健康促进法;医疗机构管理条例
JYJ|阜阳市教育局|Education Bureau|g||市教育局|基础教育科,政策法规科,电化教育馆|education|z|中华人民共和国教育法;中华人民共和国义务教育法
SJJ|阜阳市市场监督管理局|Administration for Market Regulation|g||市市场监管局,工商局,质监局,药监局|登记注册局,法规科,信息中心|legal_person|z|企业信息公示暂行条例;中华人民共和国食品安全法
ZRJ|阜阳市自然资源和规划局|Bureau of Natural Resources and Planning|g||市自然资源局,国土局,规划局|地理信息科,法规科,信息中心|space|z|中华人民共和国土地管理法;中华人民共和国城乡规划法
BDC|阜阳市不动产登记中心|Real Estate Registration Centre|i|ZRJ|不动产中心,房产局|登记科,审核科,档案信息科|housing|z|不动产登记暂行条例;不动产登记暂行条例实施细则
ZJJ|阜阳市住房和城乡建设局|Bureau of Housing and Urban-Rural Development|g||市住建局,建委,住建局|住房保障科,法规科,信息中心|housing|z|中华人民共和国建筑法;建设工程质量管理条例
GJJ|阜阳市住房公积金管理中心|Housing Provident Fund Centre|i||市公积金中心,公积金中心,公积金|归集科,稽核科,信息科|housing|z|住房公积金管理条例
CGJ|阜阳市城市管理局|Urban Management Bureau|g||市城管局,城管局,城管执法局,行政执法局|综合科,法规科,数字城管指挥中心|space|z|城市市容和环境卫生管理条例;城市绿化条例
JTJ|阜阳市交通运输局|Transport Bureau|g||市交通局,交通运输局|运输科,政策法规科,信息中心|transport|z|中华人民共和国公路法;中华人民共和国道路运输条例
GLJ|阜阳市公路管理服务中心|Highway Service Centre|i|JTJ|公路局,公路中心|养护科,安全法规科,信息科|transport|z|中华人民共和国公路法;公路安全保护条例
SLJ|阜阳市水利局|Water Resources Bureau|g||市水利局,水务局|水资源科,政策法规科,水利信息中心|space|z|中华人民共和国水法;中华人民共和国防洪法
NYJ|阜阳市农业农村局|Bureau of Agriculture and Rural Affairs|g||市农业农村局,农委,农业局|发展规划科,政策法规科,农机监理所|agriculture|z|中华人民共和国农业法;中华人民共和国农产品质量安全法
LYJ|阜阳市林业局|Forestry Bureau|g||市林业局|林政科,行政审批科,林业调查队|agriculture|z|中华人民共和国森林法;植物检疫条例
HBJ|阜阳市生态环境局|Ecology and Environment Bureau|g||市生态环境局,环保局|综合科,法规科,环境信息中心|environment|z|中华人民共和国环境保护法;排污许可管理办法（试行）
YJJ|阜阳市应急管理局|Emergency Management Bureau|g||市应急局,安监局|指挥中心,政策法规科,信息科|safety|z|中华人民共和国安全生产法;危险化学品安全管理条例
WLJ|阜阳市文化旅游体育局|Bureau of Culture, Tourism and Sports|g||市文旅体局,文旅局,文化局,旅游局,体育局|公共服务科,政策法规科,信息科|culture|z|中华人民共和国公共文化服务保障法;中华人民共和国旅游法
FGW|阜阳市发展和改革委员会|Development and Reform Commission|g||市发改委,发改委|综合科,法规科,市信用中心|economy|z|企业投资项目核准和备案管理条例;政府投资条例
JXJ|阜阳市经济和信息化局|Bureau of Economy and Information Technology|g||市经信局,经信局,工信局|运行监测科,政策法规科,信息化科|economy|j|中华人民共和国中小企业促进法;中华人民共和国节约能源法
CZJ|阜阳市财政局|Finance Bureau|g||市财政局|预算科,法规税政科,信息中心|economy|z|中华人民共和国预算法;中华人民共和国政府采购法
SWJ|阜阳市商务局|Commerce Bureau|g||市商务局|综合科,法规科,电子商务科|economy|j|中华人民共和国对外贸易法;中华人民共和国外商投资法
KJJ|阜阳市科学技术局|Science and Technology Bureau|g||市科技局|规划科,政策法规科,科技信息所|economy|z|中华人民共和国科学技术进步法;中华人民共和国促进科技成果转化法
TJJ|阜阳市统计局|Bureau of Statistics|g||市统计局|普查中心,执法监督科,数据管理中心|economy|j|中华人民共和国统计法;全国经济普查条例
SHJ|阜阳市审计局|Audit Bureau|g||市审计局|综合科,法规科,电子数据科|governance|z|中华人民共和国审计法
SFJ|阜阳市司法局|Justice Bureau|g||市司法局|公共法律服务科,法治督察科,信息科|governance|z|中华人民共和国公证法;中华人民共和国律师法
TYJ|阜阳市退役军人事务局|Veterans Affairs Bureau|g||市退役军人局|移交安置科,权益维护科,服务中心|social_security|z|退役士兵安置条例;军人抚恤优待条例
GZW|阜阳市人民政府国有资产监督管理委员会|State-owned Assets Commission|g||市国资委,国资委|产权科,法规科,信息中心|economy|j|中华人民共和国企业国有资产法
JRJ|阜阳市地方金融监督管理局|Local Financial Supervision Bureau|g||市金融局,金融办|综合科,监管科,信息科|economy|j|防范和处置非法集资条例;融资担保公司监督管理条例
XFJ|阜阳市信访局|Letters and Calls Bureau|g||市信访局|综合科,督查科,信息中心|governance|z|信访条例
RFB|阜阳市人民防空办公室|Civil Air Defence Office|g||市人防办,民防局|工程科,法规科,指挥信息保障中心|safety|z|中华人民共和国人民防空法
FPB|阜阳市扶贫开发局|Poverty Alleviation Bureau|g||市扶贫局,扶贫办|综合科,督查科,信息监测中心|social_security|z|中共中央国务院关于打赢脱贫攻坚战的决定
LSJ|阜阳市粮食和物资储备局|Grain and Material Reserves Bureau|g||市粮储局,粮食局|储备科,执法科,信息科|agriculture|j|粮食流通管理条例;中央储备粮管理条例
JGJ|阜阳市机关事务管理局|Government Offices Administration|g||市机关事务局,市管局|资产科,公共机构节能科,信息科|governance|z|机关事务管理条例;公共机构节能条例
ZFB|阜阳市人民政府办公室|Municipal Government Office|g||市政府办,12345热线,市长热线|信息公开科,督查科,12345热线中心|governance|z|中华人民共和国政府信息公开条例
MZW|阜阳市民族宗教事务局|Ethnic and Religious Affairs Bureau|p||市民宗局|宗教科,政策法规科,办公室|governance|z|宗教事务条例
BBB|中共阜阳市委机构编制委员会办公室|Institutional Establishment Office|p||市委编办,编办|综合科,监督检查科,登记管理科|governance|z|事业单位登记管理暂行条例
DAG|阜阳市档案馆|Municipal Archives|p||市档案馆,档案局|业务指导科,接收征集科,信息技术科|governance|z|中华人民共和国档案法
CJL|阜阳市残疾人联合会|Disabled Persons' Federation|i||市残联|组织联络科,维权科,信息中心|social_security|z|中华人民共和国残疾人保障法;残疾人就业条例
ZGH|阜阳市总工会|Federation of Trade Unions|i||市总工会,工会|基层工作部,法律工作部,网络工作部|social_security|j|中华人民共和国工会法
GGZ|阜阳市公共资源交易中心|Public Resources Trading Centre|i|SZJ|公管局,交易中心|交易科,监督科,信息技术科|economy|z|中华人民共和国招标投标法;中华人民共和国招标投标法实施条例
SWS|国家税务总局阜阳市税务局|Taxation Bureau|v||市税务局,国税局,地税局|征管科,法制科,信息中心|economy|z|中华人民共和国税收征收管理法
QXJ|阜阳市气象局|Meteorological Bureau|v||市气象局,气象台|观测预报科,政策法规科,信息保障中心|environment|j|中华人民共和国气象法
YCJ|阜阳市烟草专卖局|Tobacco Monopoly Bureau|v||市烟草局,烟草局|专卖科,法规科,信息中心|legal_person|z|中华人民共和国烟草专卖法
XFD|阜阳市消防救援支队|Fire and Rescue Division|v||消防支队,消防队|防火监督科,法制科,信息通信科|safety|z|中华人民共和国消防法
HGG|阜阳海关|Fuyang Customs|v||海关|监管科,法规科,技术科|economy|z|中华人民共和国海关法
YZJ|阜阳市邮政管理局|Postal Administration|v||市邮管局,邮政局|行业监管科,法规科,信息科|transport|j|中华人民共和国邮政法;快递暂行条例
GDG|国网阜阳供电公司|State Grid Fuyang Power Supply|u||供电公司,供电局,电力局|营销部,法律事务部,数字化部|economy|j|中华人民共和国电力法;电力供应与使用条例
"""
_KINDS: Final = {
    "g": DepartmentKind.GOVERNMENT,
    "p": DepartmentKind.PARTY,
    "i": DepartmentKind.INSTITUTION,
    "v": DepartmentKind.VERTICAL,
    "u": DepartmentKind.UTILITY,
}
# The first two characters of a USCC: who registers the body, and as what (GB 32100-2015 Annex A).
_PREFIXES: Final = {"g": "11", "p": "11", "i": "12", "v": "11", "u": "91"}
_DOMAINS: Final = {"z": Domain.GOVERNMENT, "j": Domain.ECONOMIC_SOCIAL}


@dataclass(frozen=True, slots=True)
class Office:
    """A department with what the list says of it only through its resources and lines."""

    department: Department
    number: int
    short: str
    theme: Theme
    domain: Domain
    laws: tuple[str, ...]

    @property
    def code(self) -> str:
        """The department's code."""
        return self.department.code


@cache
def offices() -> tuple[Office, ...]:
    """All departments in the order in which the city numbers them, from 1."""
    lines = [line for line in _TABLE.splitlines() if line]
    return tuple(_office(number, *line.split("|")) for number, line in enumerate(lines, start=1))


def _office(  # noqa: PLR0917 - one for each column of the table
    number: int,
    code: str,
    name: str,
    name_en: str,
    kind: str,
    parent: str,
    aliases: str,
    posts: str,
    theme: str,
    domain: str,
    laws: str,
) -> Office:
    called = tuple(aliases.split(","))
    post = posts.split(",")
    # "E" begins organisation codes that the small demonstration city does not use.
    body8 = f"E{number:07d}"
    department = Department(
        code=code,
        name=name,
        name_en=name_en if "Fuyang" in name_en else f"Fuyang {name_en}",
        uscc=make_uscc(f"{_PREFIXES[kind]}341200{body8}{org_code_check_char(body8)}"),
        parent=parent,
        aliases=called,
        contact_role=post[0],
        kind=_KINDS[kind],
        contacts=tuple(zip((Duty.CATALOGUE, Duty.REVIEW, Duty.TECHNICAL), post, strict=True)),
    )
    cited = tuple(f"《{law}》" for law in laws.split(";"))
    return Office(department, number, called[0], Theme(theme), _DOMAINS[domain], cited)
