"""The papers that matters ask for most, and the subject that makes each needless.

Which matter asks for which is `matters`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

# In the order in which they are asked for; by what a matter is about: persons, bodies, what stands on land. A line is
# subject | paper | topics of the matters that ask for it, * for all.
_TABLE: Final = {
    "P": """
常住人口基本|居民身份证复印件|*
居民户口簿签发|户口簿复印件|*
婚姻登记|结婚证（离婚证）复印件|family,household,birth,housing,fund,estate,low_income
不动产登记|不动产权证书复印件|estate,housing,fund,household,pupil,low_income,place_name,power
居民个人房屋套数查询|住房情况证明|housing,fund,low_income
城镇职工养老保险参保缴费|社会保险参保证明|employment,labour,pension,injury,housing,fund,pupil,household
最低生活保障对象|最低生活保障证复印件|low_income,elder,disabled,pupil,medical_insurance,legal,housing
残疾人证核发|残疾人证复印件|disabled,elder,low_income,pupil,driver,employment
无犯罪记录证明|无犯罪记录证明|lawyer,teacher,security,driver,tourism,social_org
学历证书|学历证书复印件|employment,teacher,lawyer,drug,medical,science,tourism,safety,fire
机动车登记|机动车行驶证复印件|vehicle,driver
机动车驾驶证|机动车驾驶证复印件|vehicle,driver,machinery
出生医学证明|出生医学证明复印件|birth,family,household,pupil
死亡医学证明|死亡证明|family,household,estate
个人所得税完税|收入（完税）证明|housing,fund,low_income
住房公积金缴存|住房公积金缴存证明|housing,fund
退役军人建档立卡|退役军人证件复印件|veteran,employment
就业创业证|就业创业证复印件|employment,union
居住证核发|居住证复印件|identity,household,pupil,vehicle,housing
城乡居民医疗保险参保缴费|医疗保险参保证明|medical_insurance,birth,disease
中小学生学籍|在读证明|pupil,low_income,family
建档立卡贫困人口|贫困户证明|poverty,low_income,farm,village
失业人员登记|失业登记证明|employment,low_income
专业技术职称|职称证书复印件|teacher,science,employment
""",
    "C": """
企业登记注册|营业执照复印件|*
常住人口基本|法定代表人身份证复印件|*
失信联合惩戒对象名单|无失信记录证明|*
公共信用综合评价|信用报告|bidding,finance,invest,science,fiscal,trade,building
个体工商户登记|个体工商户营业执照复印件|food,tobacco,market,drug,culture,urban,vehicle
事业单位法人登记|事业单位法人证书复印件|medical,school,science,culture,establishment
社会团体登记|社会团体法人登记证书复印件|social_org,religion
社会保险单位参保登记|职工社会保险缴纳证明|labour,employment,building,bidding,fund,disabled,union
税务登记|税务登记证明|tax,labour,trade,finance,invest
纳税信用等级评价|纳税信用证明|invest,finance,bidding,trade,credit,science
不动产登记|经营场所产权证明|food,drug,market,medical,culture,school,fire,security,post,chemical,grain,tobacco
公众聚集场所消防安全检查|消防安全检查合格证明|culture,medical,school,security,tourism,elder
建设项目环境影响评价审批|环境影响评价批复|pollution,hazwaste,chemical,mineral,water,building
公共场所卫生许可|卫生许可证复印件|culture,tourism
从业人员健康合格证明|从业人员健康证明|food
企业投资项目备案|项目备案证明|building,land,planning,pollution,invest,fire,water,safety
排污许可|排污许可证复印件|pollution,hazwaste
无犯罪记录证明|法定代表人无犯罪记录证明|security,school,finance
注册建造师|注册建造师证书复印件|building
安全生产许可（建筑施工）|安全生产许可证复印件|building
""",
    "O": """
企业登记注册|营业执照复印件|*
不动产登记|不动产权证书复印件|*
国有建设用地使用权出让|国有建设用地使用权出让合同|land,planning,building,estate
建设用地规划许可|建设用地规划许可证复印件|land,planning,building
建设工程规划许可|建设工程规划许可证复印件|planning,building,fire,defence
建筑工程施工许可|建筑工程施工许可证复印件|building,fire,defence
工程竣工验收备案|竣工验收备案表|building,property,housing
标准地址门楼牌|门牌证明|place_name,urban,post
企业投资项目备案|项目备案证明|land,planning,building,power,water
""",
}


@dataclass(frozen=True, slots=True)
class Paper:
    """A paper, the *stem* of the subject that replaces it, and the topics of matters that ask for it (none: all)."""

    stem: str
    name: str
    topics: frozenset[str]


def _paper(line: str) -> Paper:
    stem, name, topics = line.split("|")
    return Paper(stem, name, frozenset() if topics == "*" else frozenset(topics.split(",")))


PAPERS: Final = {entity: tuple(_paper(line) for line in table.split("\n") if line) for entity, table in _TABLE.items()}

# The subjects that a list has before it has any other, however small it is.
ESSENTIAL: Final = frozenset(paper.stem for papers in PAPERS.values() for paper in papers)
