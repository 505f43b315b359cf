"""Options by which people name terms on the command line, and how terms are said; shared by requests and grants."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from hub.cli.language import say
from hub.errors import QueryInvalidError

if TYPE_CHECKING:
    from catalog.model import Mask
    from catalog.rows import RowRule
    from catalog.terms import FieldWish, Less

Matters = Annotated[
    list[str] | None,
    typer.Option("--matter", metavar=say("事项代码", "MATTER"), help=say("事项，可多次", "a matter; may be repeated")),
]
Rows = Annotated[
    list[str] | None,
    typer.Option(
        "--rows",
        metavar=say("规则", "RULE"),
        help=say(
            "行范围，如 'county_code prefix 3412'；可多次，须同时满足",
            "rows, e.g. 'county_code prefix 3412'; may be repeated, all must hold",
        ),
    ),
]
Actions = Annotated[
    list[str] | None,
    typer.Option("--action", help=say("query、verify、batch、subscribe，可多次", "query, verify, batch, subscribe")),
]
OnlyFields = Annotated[
    list[str] | None,
    typer.Option(
        "--field", metavar=say("信息项", "FIELD"), help=say("只保留的信息项，可多次", "keep only this; may be repeated")
    ),
]
Masks = Annotated[
    list[str] | None,
    typer.Option(
        "--mask",
        metavar=say("信息项=方式", "FIELD=MASK"),
        help=say("脱敏，如 name=surname；可多次", "mask a field, e.g. name=surname; may be repeated"),
    ),
]
Quota = Annotated[
    int | None,
    typer.Option("--quota", min=1, help=say("每日调用次数上限", "calls a day at the most"), show_default=False),
]
Days = Annotated[
    int | None, typer.Option("--days", min=1, help=say("期限（天）", "the term in days"), show_default=False)
]


def rules(texts: list[str] | None) -> tuple[RowRule, ...]:
    """The row rules that were given.

    Raises:
        RowRuleError: one is none.
    """
    from catalog.rows import parse_rule

    return tuple(parse_rule(text) for text in texts or ())


def wishes(fields: list[str] | None, statements: list[str] | None) -> tuple[FieldWish, ...]:
    """The fields that were given as ``NAME`` or ``NAME=REASON``, with the statements about them."""
    from catalog.terms import FieldWish

    stated = dict(_pair(text, "--statement") for text in statements or ())
    found = []
    for text in fields or ():
        name, _, reason = text.partition("=")
        found.append(FieldWish(name.strip(), reason.strip(), stated.pop(name.strip(), "")))
    return (*found, *(FieldWish(name, "", statement) for name, statement in stated.items()))


def less(
    *,
    fields: list[str] | None,
    masks: list[str] | None,
    rows: list[str] | None,
    actions: list[str] | None,
    matters: list[str] | None,
    quota: int | None,
    days: int | None,
) -> Less:
    """How terms are to be lessened."""
    from catalog.terms import Less

    return Less(
        fields=tuple(fields) if fields else None,
        actions=tuple(actions) if actions else None,
        purposes=tuple(matters) if matters else None,
        term_days=days,
        masks=tuple(_mask(text) for text in masks or ()),
        rows=rules(rows),
        quota_per_day=quota,
    )


def _mask(text: str) -> tuple[str, Mask]:
    from catalog.model import Mask

    name, mask = _pair(text, "--mask")
    if mask not in tuple(Mask):
        known = ", ".join(Mask)
        raise QueryInvalidError(
            where="--mask", why=f"`{mask}` is no mask; use {known}", why_zh=f"没有脱敏方式 `{mask}`，请使用 {known}"
        )
    return name, Mask(mask)


def _pair(text: str, option: str) -> tuple[str, str]:
    name, found, value = text.partition("=")
    if not found or not name.strip() or not value.strip():
        raise QueryInvalidError(
            where=option, why=f"`{text}` is not of the form NAME=TEXT", why_zh=f"`{text}` 应写作 名称=内容"
        )
    return name.strip(), value.strip()
