"""The terms of an application and of a grant: what a matter needs at the least, and which terms lie within others.

Who may ask, and what becomes of an application, is `catalog.application`; what terms allow, `catalog.decide`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from catalog import masks as mask_rules
from catalog.model import Mask
from catalog.rows import check_rules, rules_from_plain, rules_to_plain
from catalog.steps import Problem, problem, register_problems

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from catalog.model import InformationResource, ResponsibilityList
    from catalog.rows import RowRule

MAX_TERM_DAYS: Final = 1_096  # three years, a leap day among them
MAX_CALLS_PER_DAY: Final = 1_000_000_000

register_problems(
    {
        "terms_empty": (
            "nothing is left of {what}; refuse the application, or leave something of it",
            "{what_zh} 已无内容，请保留部分内容，或不予同意",
        ),
        "terms_more": (
            "`{value}` was not asked for; terms may be less than what was asked, never more",
            "申请中没有 `{value}`；同意的内容只能少于申请，不能超出申请",
        ),
        "terms_quota_more": (
            "{value} calls a day are more than the {limit} there were; give fewer",
            "每日 {value} 次超过原有的 {limit} 次，请减少",
        ),
        "terms_quota_none": (
            "a quota of `{value}` is none; give 1 to {limit} calls a day",
            "额度 `{value}` 无效，请填写每日 1 至 {limit} 次",
        ),
        "terms_term_more": (
            "{value} days are longer than the {limit} there were; give fewer",
            "{value} 天长于原有的 {limit} 天，请缩短",
        ),
        "terms_term_none": (
            "a term of `{value}` days is none; give 1 day or more",
            "期限 `{value}` 天无效，至少为 1 天",
        ),
        "terms_mask_weaker": (
            "`{mask}` hides less of `{field}` than `{least}`, which holds already; give a mask that hides as much",
            "`{field}` 的脱敏方式 `{mask}` 弱于现有的 `{least}`，请采用不弱于它的方式",
        ),
        "terms_same": (
            "this lessens nothing; name what to lessen",
            "没有任何缩减，请说明要缩减的内容",
        ),
    }
)


@dataclass(frozen=True, slots=True)
class FieldWish:
    """A field that is asked for.

    *reason* says why, where it is beyond the minimum of the matter; *statement*, how one of sensitivity grade 4 will
    be protected.
    """

    name: str
    reason: str = ""
    statement: str = ""


@dataclass(frozen=True, slots=True)
class Terms:
    """What a grant allows. *quota_per_day* 0: no limit; *masks* hold beyond those of the list."""

    fields: tuple[str, ...]
    actions: tuple[str, ...]
    purposes: tuple[str, ...]
    term_days: int
    masks: tuple[tuple[str, Mask], ...] = ()
    rows: tuple[RowRule, ...] = ()
    quota_per_day: int = 0


@dataclass(frozen=True, slots=True)
class Less:
    """How terms are to be lessened; None leaves a member as it is. *rows* and *masks* come on top of what there is."""

    fields: tuple[str, ...] | None = None
    actions: tuple[str, ...] | None = None
    purposes: tuple[str, ...] | None = None
    term_days: int | None = None
    masks: tuple[tuple[str, Mask], ...] = ()
    rows: tuple[RowRule, ...] = ()
    quota_per_day: int | None = None


@dataclass(frozen=True, slots=True)
class Minimum:
    """What matters need of a resource at the least, by the list; *replaces* are the papers nobody need bring then."""

    fields: tuple[str, ...] = ()
    actions: tuple[str, ...] = ()
    replaces: tuple[str, ...] = ()


def minimum(list_: ResponsibilityList, matter: str, resource: str) -> Minimum:
    """What *matter* needs of *resource* at the least; nothing where the list does not say."""
    return minimum_of(list_, (matter,), resource)


def minimum_of(list_: ResponsibilityList, matters: Iterable[str], resource: str) -> Minimum:
    """What all *matters* together need, each once, in the order of the list."""
    needs = [need for matter in dict.fromkeys(matters) for need in list_.needs_of(matter, resource)]
    return Minimum(
        fields=tuple(dict.fromkeys(name for need in needs for name in need.fields)),
        actions=tuple(dict.fromkeys(action for need in needs for action in need.actions)),
        replaces=tuple(dict.fromkeys(need.replaces for need in needs if need.replaces)),
    )


def lessened(terms: Terms, less: Less) -> Terms:
    """*terms* with *less* applied; whether that really is less, and leaves anything, is said by `excess`."""
    fields = _kept(terms.fields, less.fields)
    own = dict(terms.masks)
    for name, mask in less.masks:
        own[name] = mask_rules.stricter(own.get(name, Mask.NONE), mask)
    return Terms(
        fields=fields,
        actions=_kept(terms.actions, less.actions),
        purposes=_kept(terms.purposes, less.purposes),
        term_days=terms.term_days if less.term_days is None else less.term_days,
        masks=tuple((name, mask) for name, mask in own.items() if name in fields and mask is not Mask.NONE),
        # All rules of a grant must hold, so that a further one can only take rows away.
        rows=tuple(dict.fromkeys((*terms.rows, *less.rows))),
        quota_per_day=terms.quota_per_day if less.quota_per_day is None else less.quota_per_day,
    )


def _kept(asked: tuple[str, ...], less: tuple[str, ...] | None) -> tuple[str, ...]:
    """What is kept, in the order in which it was asked; what was not asked goes last, for `excess` to name."""
    if less is None:
        return asked
    return (*(name for name in asked if name in less), *(name for name in dict.fromkeys(less) if name not in asked))


def excess(less: Less, asked: Terms, resource: InformationResource | None) -> tuple[Problem, ...]:
    """Every respect in which *less* is more than *asked*, or leaves nothing; none: `lessened` lies within *asked*.

    *resource* gives the masks of the list; None where the list no longer holds it.
    """
    terms = lessened(asked, less)
    found = []
    for where, what_zh in (("fields", "信息项"), ("actions", "操作"), ("purposes", "事项")):
        had, has = getattr(asked, where), getattr(terms, where)
        found += [problem(where, "terms_more", value=value) for value in has if value not in had]
        if not has:
            found.append(problem(where, "terms_empty", what=where, what_zh=what_zh))
    if resource is not None:
        found += check_rules(less.rows, resource)
    found += _numbers(terms, asked)
    found += _weaker(less, asked, terms, resource)
    return tuple(found)


def _numbers(terms: Terms, asked: Terms) -> list[Problem]:
    found = []
    limit = asked.quota_per_day or MAX_CALLS_PER_DAY
    if terms.quota_per_day > limit:
        found.append(problem("quota_per_day", "terms_quota_more", value=str(terms.quota_per_day), limit=str(limit)))
    elif terms.quota_per_day < 0 or (terms.quota_per_day == 0 and asked.quota_per_day):
        # 0 means no limit, which is more than any.
        found.append(problem("quota_per_day", "terms_quota_none", value=str(terms.quota_per_day), limit=str(limit)))
    if terms.term_days > asked.term_days:
        value, most = str(terms.term_days), str(asked.term_days)
        found.append(problem("term_days", "terms_term_more", value=value, limit=most))
    elif terms.term_days < 1:
        found.append(problem("term_days", "terms_term_none", value=str(terms.term_days)))
    return found


def _weaker(less: Less, asked: Terms, terms: Terms, resource: InformationResource | None) -> list[Problem]:
    found = []
    had = dict(asked.masks)
    for name, mask in less.masks:
        if name not in terms.fields:
            found.append(problem("masks", "terms_more", value=name))
            continue
        field = resource.field(name) if resource is not None else None
        least = mask_rules.stricter(field.mask if field else Mask.NONE, had.get(name, Mask.NONE))
        if mask_rules.stricter(least, mask) is not mask:
            found.append(problem("masks", "terms_mask_weaker", mask=mask.value, field=name, least=least.value))
    return found


def terms_to_plain(terms: Terms) -> dict[str, Any]:
    """A JSON-able dict; `terms_from_plain` is its inverse."""
    return {
        "fields": list(terms.fields),
        "actions": list(terms.actions),
        "purposes": list(terms.purposes),
        "term_days": terms.term_days,
        "masks": [[name, mask.value] for name, mask in terms.masks],
        "rows": rules_to_plain(terms.rows),
        "quota_per_day": terms.quota_per_day,
    }


def terms_from_plain(plain: Mapping[str, Any]) -> Terms:
    """The terms of which *plain* is `terms_to_plain`."""
    return Terms(
        fields=tuple(plain["fields"]),
        actions=tuple(plain["actions"]),
        purposes=tuple(plain["purposes"]),
        term_days=plain["term_days"],
        masks=masks_from_plain(plain["masks"]),
        rows=rules_from_plain(plain["rows"]),
        quota_per_day=plain["quota_per_day"],
    )


def masks_from_plain(plain: Sequence[Sequence[str]]) -> tuple[tuple[str, Mask], ...]:
    """Masks as (field, mask) pairs.

    Raises:
        ValueError: a mask there is none of.
    """
    return tuple((name, Mask(mask)) for name, mask in plain)
