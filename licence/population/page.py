"""The report of a population audit as one page, in Chinese or English, that needs nothing from anywhere.

What is in the report is `licence.population.model`.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from licence.population.model import Count, PopulationReport

_WORDS: dict[str, tuple[str, str]] = {
    "title": ("证照全量审计报告", "Audit of all licences"),
    "well": ("全部一致，未发现问题。", "Everything agrees; nothing was found wrong."),
    "wrong": ("发现 {count} 处问题。", "{count} finding(s)."),
    "at": ("审计时间", "Time of the audit"),
    "log": ("日志", "Log"),
    "size": ("条目数", "Entries"),
    "root": ("重新计算的根哈希", "Root hash, computed anew"),
    "licences": ("已签发证照", "Licences issued"),
    "pending": ("待发证照", "Not handed out yet"),
    "lists": ("状态列表", "Status lists"),
    "figures": ("数目核对", "Figures"),
    "what": ("项目", "Figure"),
    "database": ("数据库", "Database"),
    "published": ("公布数", "Published"),
    "agree": ("结论", "Result"),
    "same": ("一致", "agree"),
    "differ": ("不一致", "differ"),
    "findings": ("问题清单", "Findings"),
    "where": ("位置", "Where"),
    "finding": ("问题", "Finding"),
    "more": ("另有 {count} 处未列出。", "{count} more are not listed."),
    "issued": ("签发", "Issued"),
    "invalid": ("失效（撤销、注销等）", "Invalid"),
    "suspended": ("暂扣", "Suspended"),
}
_STYLE = (
    "body{font:16px/1.5 system-ui,'Noto Sans CJK SC',sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem}"
    "table{border-collapse:collapse;width:100%;margin:1rem 0}"
    "th,td{border:1px solid #bbb;padding:.3rem .6rem;text-align:left;overflow-wrap:anywhere}"
    "td.n{text-align:right}.well{color:#165c26}.wrong{color:#a11}code{font-size:.85em}"
)


def to_html(report: PopulationReport, lang: str) -> str:
    """The page in *lang* (``zh``, otherwise English); everything from outside is escaped."""
    total = sum(report.tally.values())
    verdict = _word("wrong", lang).format(count=total) if total else _word("well", lang)
    facts = (
        ("at", report.at.isoformat(timespec="seconds")),
        ("log", report.origin),
        ("size", report.size),
        ("root", report.root.hex()),
        ("licences", report.licences),
        ("pending", report.pending),
        ("lists", report.lists),
    )
    parts = [
        f'<!doctype html>\n<html lang="{"zh-CN" if lang == "zh" else "en"}"><head><meta charset="utf-8">',
        f'<meta name="viewport" content="width=device-width"><title>{_word("title", lang)}</title>',
        f"<style>{_STYLE}</style></head><body><h1>{_word('title', lang)}</h1>",
        f'<p class="{"wrong" if total else "well"}"><strong>{verdict}</strong></p><table>',
        *(f'<tr><th scope="row">{_word(name, lang)}</th><td>{escape(str(value))}</td></tr>' for name, value in facts),
        f"</table><h2>{_word('figures', lang)}</h2><table><tr>",
        *(f'<th scope="col">{_word(w, lang)}</th>' for w in ("what", "database", "log", "lists", "published", "agree")),
        "</tr>",
        *(_count(one, lang) for one in report.counts),
        "</table>",
    ]
    if total:
        heads = f'<th scope="col">{_word("where", lang)}</th><th scope="col">{_word("finding", lang)}</th>'
        parts.append(f"<h2>{_word('findings', lang)}</h2><table><tr>{heads}</tr>")
        parts += [f"<tr><td>{escape(f.where)}</td><td>{escape(f.text(lang))}</td></tr>" for f in report.findings]
        parts.append("</table>")
        if total > len(report.findings):
            parts.append(f"<p>{_word('more', lang).format(count=total - len(report.findings))}</p>")
    return "\n".join([*parts, "</body></html>\n"])


def _count(one: Count, lang: str) -> str:
    what = _word(one.what, lang) if one.what in _WORDS else escape(one.what)
    figures = (one.database, one.log, one.lists, one.published)
    cells = "".join(f'<td class="n">{"–" if n is None else n}</td>' for n in figures)
    result, css = ("same", "well") if one.agree else ("differ", "wrong")
    return f'<tr><th scope="row">{what}</th>{cells}<td class="{css}">{_word(result, lang)}</td></tr>'


def _word(name: str, lang: str) -> str:
    return _WORDS[name][0 if lang == "zh" else 1]
