"""The page in an evidence pack, for people: what it holds, in Chinese and English. Plain HTML without anything to load.

It says what the entries say and nothing of bodies. That it does is checked with the pack.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Final

from .checkpoint import parse_unverified
from .errors import CheckpointInvalidError

if TYPE_CHECKING:
    from collections.abc import Container, Mapping

    from .entry import Entry

_STYLE: Final = (
    "body{font-family:sans-serif;margin:2em;max-width:75em}table{border-collapse:collapse;width:100%}"
    "th,td{border:1px solid #999;padding:.3em .5em;text-align:left;vertical-align:top;overflow-wrap:anywhere}"
)
_HEADINGS: Final = (
    ("序号", "Entry"),
    ("时间（UTC）", "Time (UTC)"),
    ("类型", "Kind"),
    ("主体", "Actor"),
    ("资源", "Resource"),
    ("事项", "Purpose"),
    ("结果", "Outcome"),
    ("正文", "Body"),
)
_BODIES: Final = {
    "here": "附 included",
    "withheld": "未附 left out",
    "gone": "已删除 erased",
    "none": "",
}


def page(note: str, entries: Mapping[int, Entry], *, bodies: Container[int], withheld: bool, by: str) -> str:
    """The page of a pack with the signed checkpoint *note* and *entries*, those in *bodies* with their body."""
    try:
        checkpoint = parse_unverified(note)
        log, size = checkpoint.origin, str(checkpoint.size)
    except CheckpointInvalidError:
        log = size = "?"
    rows = []
    for index, entry in entries.items():
        gone = "withheld" if withheld else "gone"
        body = "here" if index in bodies else gone if entry.body_digest else "none"
        cells = (
            str(index),
            entry.at.isoformat(),
            entry.kind,
            entry.actor,
            entry.resource,
            entry.purpose,
            str(entry.facts.get("outcome", "")),
            _BODIES[body],
        )
        rows.append("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in cells) + "</tr>\n")
    head = "".join(f"<th>{zh}<br>{en}</th>" for zh, en in _HEADINGS)
    who = f"<p>制作 Made by: {escape(by)}</p>\n" if by else ""
    return (
        '<!DOCTYPE html>\n<html lang="zh">\n<head><meta charset="utf-8"><title>证据包 Evidence pack</title>'
        f"<style>{_STYLE}</style></head>\n<body>\n<h1>证据包 Evidence pack</h1>\n"
        f"<p>日志 Log: {escape(log)}；检查点覆盖条目 entries covered by the checkpoint: {size}；"
        f"本包条目 entries in this pack: {len(entries)}</p>\n{who}"
        "<p>本页不是证明。请在任一安装了 zhengtong 的机器上核验："
        "This page proves nothing. Check the pack on any machine that has zhengtong installed:</p>\n"
        "<pre>python -m audit PACK.zip --key log.vkey</pre>\n"
        "<p>证据包证明其所含条目确已记入日志，不能证明没有其他条目。"
        "A pack proves that what it holds was logged, not that nothing else was.</p>\n"
        f"<table>\n<tr>{head}</tr>\n{''.join(rows)}</table>\n</body>\n</html>\n"
    )
