"""What each department keeps, as values: the subject lines of the four domain modules, read once.

What becomes of a subject (resources, matters) is `compose` and `matters`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Final

from catalog.model import Domain, Theme
from hub.demo.reference import economy, governance, society, space

# The grounds on which something is not shared: word of the marks → citation.
GROUNDS: Final = {
    "secret": "《中华人民共和国保守国家秘密法》第九条",
    "statistics": "《中华人民共和国统计法》第二十五条",
    "medical": "《中华人民共和国基本医疗卫生与健康促进法》第九十二条",
    "hiv": "《艾滋病防治条例》第三十九条",
    "mental": "《中华人民共和国精神卫生法》第四条",
    "drugs": "《戒毒条例》第七条",
    "adoption": "《中华人民共和国收养法》第二十二条",
    "minors": "《中华人民共和国未成年人保护法》第三十九条",
    "reporters": "《劳动保障监察条例》第九条；《中华人民共和国安全生产法》第七十三条",
    "files": "《中华人民共和国保守国家秘密法》第九条；《干部人事档案工作条例》",
    "privacy": "《中华人民共和国民法总则》第一百一十一条",
    "tax": "《中华人民共和国税收征收管理法》第八条",
    "audit": "《中华人民共和国审计法》第十四条",
    "commercial": "《中华人民共和国反不正当竞争法》第九条",
    "correction": "《中华人民共和国社区矫正法》第五十四条",
    "petition": "《信访条例》第二十三条",
    "archives": "《中华人民共和国档案法》第十九条",
}


@dataclass(frozen=True, slots=True)
class Subject:
    """One subject of a department. *number* counts within the department from 1; *ground* closes it to sharing."""

    department: str
    number: int
    stem: str
    name_en: str
    entity: str
    activity: str
    topics: tuple[str, ...]
    derived: str
    aliases: tuple[str, ...]
    ground: str
    theme: Theme | None
    public: bool
    domain: Domain | None


@cache
def subjects() -> tuple[Subject, ...]:
    """All subjects in the order of the modules; a department's are together."""
    found: list[Subject] = []
    for module in (society, economy, space, governance):
        department, number = "", 0
        for line in module.SUBJECTS.splitlines():
            if line.startswith("@"):
                department, number = line[1:], 0
            elif line:
                number += 1
                found.append(_subject(department, number, *line.split("|")))
    return tuple(found)


def _subject(  # noqa: PLR0917 - one for each column of a line
    department: str, number: int, stem: str, name_en: str, form: str, topics: str, derived: str, marks: str
) -> Subject:
    entity, _, activity = form.partition(".")
    said = dict(mark.partition("=")[::2] for mark in marks.split())
    return Subject(
        department=department,
        number=number,
        stem=stem,
        name_en=name_en,
        entity=entity,
        activity=activity,
        topics=tuple(topics.split(",")),
        derived=derived,
        aliases=tuple(said["a"].split(",")) if "a" in said else (),
        ground=GROUNDS[said["N"]] if "N" in said else "",
        theme=Theme(said["th"]) if "th" in said else None,
        public="U" in said,
        domain=Domain.ECONOMIC_SOCIAL if "D" in said else None,
    )
