"""Reads how terms are to be lessened out of a form: what is still ticked, shorter, fewer, masked more.

Whether it is less is `catalog.terms`'; what a term means, `catalog.decide`'s.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from catalog import domains
from catalog.access import ACTIONS
from catalog.errors import CatalogError
from catalog.model import Mask
from catalog.rows import parse_rule, rules_to_plain
from catalog.terms import Less
from hub.portal import naming
from hub.portal.errors import FormInvalidError

if TYPE_CHECKING:
    from catalog.rows import RowRule
    from catalog.terms import Terms
    from hub.portal.forms import Form
    from hub.portal.visits import Visit

MAX_DIGITS = 10


def number(form: Form, name: str, zh: str, en: str) -> int | None:
    """A whole number of a form; None where the field is empty.

    Raises:
        FormInvalidError: it is none.
    """
    text = form.text(name)
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= MAX_DIGITS):
        raise FormInvalidError(where=en, where_zh=zh, why="a whole number is wanted", why_zh="应为整数", field=name)
    return int(text)


def rules(form: Form, name: str) -> tuple[RowRule, ...]:
    """Row rules, one a line.

    Raises:
        FormInvalidError: a line is none.
    """
    try:
        return tuple(parse_rule(line.strip()) for line in form.text(name).splitlines() if line.strip())
    except CatalogError as error:
        raise FormInvalidError(
            where="Rows", where_zh="行范围", why=error.text("en").rstrip("."), why_zh=error.text("zh").rstrip("。")
        ) from error


def less_of(form: Form, had: Terms) -> Less:
    """How the form of the macro ``less`` lessens *had*; what was left as it is, is None.

    Raises:
        FormInvalidError: a field holds what it cannot.
    """
    quota = number(form, "quota", "每日调用次数", "Calls a day")
    days = number(form, "days", "期限（天）", "Term in days")
    return Less(
        fields=_kept(form, "field", had.fields),
        actions=_kept(form, "action", had.actions),
        purposes=_kept(form, "purpose", had.purposes),
        masks=tuple((name, _mask(form, name)) for name in had.fields if form.text(f"mask_{name}")),
        rows=rules(form, "rows"),
        term_days=None if days == had.term_days else days,
        quota_per_day=None if quota in {None, had.quota_per_day} else quota,
    )


def _kept(form: Form, name: str, had: tuple[str, ...]) -> tuple[str, ...] | None:
    ticked = tuple(form.texts(name))
    return None if set(ticked) == set(had) else ticked


def _mask(form: Form, name: str) -> Mask:
    try:
        return Mask(form.text(f"mask_{name}"))
    except ValueError as error:
        raise FormInvalidError(
            where="Mask", where_zh="脱敏方式", why="choose one of the list", why_zh="请从列表中选择"
        ) from error


def plain(visit: Visit, terms: Terms, resource: str) -> dict[str, Any]:
    """*terms* as pages show them, and as the macro ``less`` wants them."""
    found = visit.list_.by_code.get(resource)
    rows = []
    own = dict(terms.masks)
    for name in terms.fields:
        field = found.field(name) if found is not None else None
        rows.append(
            {
                "name": name,
                "title": field.title if field is not None else name,
                "grade": field.grade if field is not None else None,
                "list_mask": naming.mask(visit, field.mask) if field is not None else "",
                "mask": naming.mask(visit, own[name]) if name in own else "",
            }
        )
    return {
        "fields": rows,
        "actions": [{"code": one, "name": naming.word(visit, domains.ACTION, one)} for one in terms.actions],
        "purposes": [{"code": one, "name": naming.matter(visit, one)} for one in terms.purposes],
        "rows": rules_to_plain(terms.rows),
        "quota_per_day": terms.quota_per_day,
        "term_days": terms.term_days,
        "masks": [{"value": one.value, "name": naming.mask(visit, one)} for one in Mask],
    }


def actions(visit: Visit) -> list[dict[str, str]]:
    """What can be done with data, for a form to offer."""
    return [{"code": one, "name": naming.word(visit, domains.ACTION, one)} for one in ACTIONS]
