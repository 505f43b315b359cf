"""Works out what a list and grants allow, once, so that a decision is a few look-ups: the inside of `catalog.decide`.

What the steps it numbers mean is said there; what speaks against a request is told by `catalog.denial`.

What is kept lies close together, because deciding over a whole city waits for memory more than it computes: equal
pairs and sets are one object, and what does not differ by purpose or action is shared.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from catalog import masks
from catalog.access import ACTIONS, AccessRequest, Decision, Grant, Scope, need_zone
from catalog.denial import Labelled, against_grant, against_list, binding, denied, ordered, prohibited, speaks_for
from catalog.model import Mask, ShareType
from catalog.reasons import Reason, reason

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import datetime

    from catalog.model import InformationResource, ResponsibilityList

# What is handed out whole needs no key to look up by; a call without one would be such a copy.
_WITHOUT_KEY: Final = frozenset({"batch", "subscribe"})
# Some 100 MB. A city of 10,000 grants, each for a few matters, has half as many; past it they are worked out anew.
_MAX_TERMS: Final = 100_000

Masked = tuple[str, Mask]
_Told = tuple[tuple[Reason, ...], tuple[str, ...]]
# Consumer, resource, purpose, action, grant: a request without what is asked for and looked up by.
_Key = tuple[str, str, str | None, str, str | None]


class Policy:
    """A list and grants, made ready to decide over: a decision takes microseconds, however many of either there are.

    What holds for a consumer and a resource is worked out at the first request about the two and kept. Safe for many
    threads: what two of them work out at once is the same.
    """

    def __init__(self, list_: ResponsibilityList, grants: Iterable[Grant] = ()) -> None:
        found: dict[tuple[str, str], list[Grant]] = {}
        for grant in grants:
            found.setdefault((grant.consumer, grant.resource), []).append(grant)
        self._shelf = _Shelf(list_)
        self._rights: dict[tuple[str, str], Rights] = {}
        self._terms: dict[_Key, _Terms | _Closed] = {}
        self._find: Callable[[str, str], Iterable[Grant]] = lambda consumer, code: found.get((consumer, code), ())

    @classmethod
    def over(
        cls,
        list_: ResponsibilityList,
        find: Callable[[str, str], Iterable[Grant]],
        *,
        like: Policy | None = None,
    ) -> Policy:
        """A policy whose grants *find* (consumer, resource) tells when they are first needed.

        What *like*, a policy over the same list, has worked out about the list alone is used again.
        """
        policy = cls(list_)
        policy._find = find
        if like is not None and like.list is list_:
            policy._shelf = like._shelf  # noqa: SLF001 - another of this class
        return policy

    @property
    def list(self) -> ResponsibilityList:
        """The list."""
        return self._shelf.list

    def rights(self, consumer: str, resource: str) -> Rights:
        """What *consumer* may do with *resource*: its grants, and decisions over just them.

        For a department and a resource of the list it is always the same object.
        """
        rights = self._rights.get((consumer, resource))
        if rights is None:
            own = [g for g in self._find(consumer, resource) if g.consumer == consumer and g.resource == resource]
            # Texts that the list does not know come from callers, and would fill the memory.
            known = consumer in self.list.departments_by_code and resource in self.list.by_code
            rights = Rights(self._shelf, consumer, resource, own, self._terms if known else {})
            if known:
                rights = self._rights.setdefault((consumer, resource), rights)
        return rights

    def decide(self, request: AccessRequest, on: datetime) -> Decision:
        """As the function `decide`, with the same answer for the same request, list, grants and time."""
        terms = self._terms.get((request.consumer, request.resource, request.purpose, request.action, request.grant))
        if terms is None:
            terms = self.rights(request.consumer, request.resource).terms(request)
        if on.utcoffset() is None:
            need_zone(on)
        return terms.decide(request, on)


class Rights:
    """What holds between one *consumer* and one *resource* (codes). *grants*: all between them, in a fixed order."""

    __slots__ = ("_gifts", "_shelf", "_terms", "consumer", "grants", "resource")

    def __init__(
        self,
        shelf: _Shelf,
        consumer: str,
        resource: str,
        grants: Sequence[Grant],
        terms: dict[_Key, _Terms | _Closed],
    ) -> None:
        self._shelf = shelf
        self.consumer = consumer
        self.resource = resource
        self.grants = tuple(dict.fromkeys(sorted(grants, key=_sort_key))) if len(grants) > 1 else tuple(grants)
        self._terms = terms
        self._gifts: dict[object, _Gift] = {}

    def decide(self, request: AccessRequest, on: datetime) -> Decision:
        """Decide *request* at time *on*.

        Raises:
            ValueError: *on* has no zone, or the request is another consumer's or about another resource.
        """
        if request.consumer != self.consumer or request.resource != self.resource:
            raise ValueError("the request is another consumer's or about another resource")
        need_zone(on)
        return self.terms(request).decide(request, on)

    def terms(self, request: AccessRequest) -> _Terms | _Closed:
        """What holds for the purpose and action of *request*, which is of this consumer and about this resource."""
        key = (request.consumer, request.resource, request.purpose, request.action, request.grant)
        terms = self._terms.get(key)
        if terms is not None:
            return terms
        shape = self._shelf.shape(request.resource)
        if shape is None:
            return _Closed(denied([reason("resource_unknown", resource=request.resource)], set()))
        terms = _closed(shape, request) or _Terms(self, shape, request, self._shelf.list)
        known = request.grant is None or any(grant.id == request.grant for grant in self.grants)
        matters = self._shelf.list.matters_by_code
        if known and request.action in ACTIONS and (not request.purpose or request.purpose in matters):
            if len(self._terms) >= _MAX_TERMS:
                self._terms.clear()
            self._terms[key] = terms
        return terms

    def gift(self, shape: _Shape, valid: Sequence[Grant], banned: frozenset[str]) -> _Gift:
        """What the grants *valid*, of this object, give together but for the fields *banned*; shared by all terms."""
        key = (tuple(map(id, valid)), banned)
        gift = self._gifts.get(key)
        if gift is None:
            gift = self._gifts[key] = _Gift(shape, valid, banned)
        return gift


class _Shelf:
    """What is worked out about a list alone."""

    def __init__(self, list_: ResponsibilityList) -> None:
        self.list = list_
        self._shapes: dict[str, _Shape] = {}
        self._lookups: dict[frozenset[str], frozenset[str]] = {}

    def shape(self, code: str) -> _Shape | None:
        shape = self._shapes.get(code)
        resource = None if shape else self.list.by_code.get(code)
        if resource is not None:
            lookups = frozenset(field.name for field in resource.fields if field.lookup)
            # Most resources are looked up by the same few fields; one set for all of them stays near at hand.
            lookups = self._lookups.setdefault(lookups, lookups)
            shape = self._shapes[code] = _Shape(resource, self.list, lookups)
        return shape


class _Shape:
    """One resource, made ready: its fields by name, and those one may look up by or share at all."""

    __slots__ = ("_pairs", "by_name", "lookups", "prohibitions", "resource", "shared")

    def __init__(self, resource: InformationResource, list_: ResponsibilityList, lookups: frozenset[str]) -> None:
        self.resource = resource
        self.by_name = {field.name: field for field in resource.fields}
        self.shared = {f.name: f.mask for f in resource.fields if f.share_type is not ShareType.NOT_SHARED}
        self.lookups = lookups
        self.prohibitions = tuple(
            (f"prohibition:{resource.code}/{number}", prohibition)
            for number, prohibition in enumerate(list_.prohibitions_by_resource.get(resource.code, ()), 1)
        )
        self._pairs: dict[Masked, Masked] = {}

    @property
    def allowed(self) -> str:
        """The fields to look up by, for messages."""
        return ", ".join(f"`{field.name}`" for field in self.resource.lookup_fields) or "-"

    def pair(self, name: str, mask: Mask) -> Masked:
        """The pair of the two, one object for all grants."""
        return self._pairs.setdefault((name, mask), (name, mask))


class _Closed:
    """Step 1 failed: the same denial of everything."""

    __slots__ = ("_denial",)

    def __init__(self, denial: Decision) -> None:
        self._denial = denial

    def decide(self, request: AccessRequest, on: datetime) -> Decision:
        del request, on
        return self._denial


def _closed(shape: _Shape, request: AccessRequest) -> _Closed | None:
    """Step 1 for a resource of the list; None: it is open to questions."""
    resource = shape.resource
    if resource.share_type is ShareType.NOT_SHARED:
        ground = reason("resource_not_shared", resource=resource.code, ground=resource.share_ground)
        return _Closed(denied([ground], {f"resource:{resource.code}"}))
    whole = [(label, p) for label, p in binding(shape.prohibitions, request) if not p.fields]
    if whole:
        return _Closed(denied([prohibited(request, p, ()) for _, p in whole], {label for label, _ in whole}))
    return None


class _Gift:
    """Step 4: what *grants* give together but for the fields *banned*.

    *gives*: each with what it gives, by field. *given*: each field with the mask of the grant that masks it least.
    """

    __slots__ = ("given", "gives", "grants", "scoped")

    def __init__(self, shape: _Shape, grants: Sequence[Grant], banned: frozenset[str]) -> None:
        open_ = {n: m for n, m in shape.shared.items() if n not in banned} if banned else shape.shared
        self.grants = grants
        self.gives = [(g, {name: shape.pair(name, mask) for name, mask in _own_masks(g, open_)}) for g in grants]
        self.given = self.gives[0][1]
        if len(grants) > 1:
            least = least_masked(own.values() for _, own in self.gives)
            self.given = {name: shape.pair(name, mask) for name, mask in least.items()}
        self.scoped = any(grant.rows for grant in grants)


class _Span:
    """The time from *since* up to *until* (None: for ever) in which the same grants are in force, and its answers.

    *told*: reasons and what determined them, by the grants that an answer rests on; of a *single* grant for all rows
    they are at hand as *reasons* and *determined_by*. *whole*: the answer to who asked for all there is, once one did.
    """

    __slots__ = ("determined_by", "gift", "given", "reasons", "since", "single", "told", "until", "whole")

    def __init__(self, since: datetime | None, until: datetime | None, gift: _Gift | None) -> None:
        self.since = since
        self.until = until
        self.gift = gift
        self.given: Mapping[str, Masked] = gift.given if gift else {}
        self.single = gift is not None and len(gift.grants) == 1 and not gift.scoped
        self.reasons: tuple[Reason, ...] = ()
        self.determined_by: tuple[str, ...] = ()
        self.told: dict[tuple[str, ...], _Told] = {}
        self.whole: Decision | None = None


class _Terms:
    """What holds for one consumer, resource, purpose and action, whichever fields are asked at whatever time."""

    __slots__ = (
        "_covering",
        "_keyless",
        "_lines",
        "_list",
        "_lookups",
        "_own",
        "_prohibitions",
        "_reasons",
        "_rights",
        "_shape",
        "_span",
    )

    def __init__(self, rights: Rights, shape: _Shape, request: AccessRequest, list_: ResponsibilityList) -> None:
        self._rights = rights
        self._shape = shape
        self._list = list_
        self._keyless = request.action in _WITHOUT_KEY
        self._lookups = shape.lookups
        self._reasons, self._lines = against_list(request, list_)
        self._prohibitions = binding(shape.prohibitions, request)
        self._own = rights.grants
        if request.grant is not None:
            self._own = tuple(grant for grant in rights.grants if grant.id == request.grant)
        covers = request.action in ACTIONS
        self._covering = tuple(
            grant
            for grant in self._own
            if covers and request.action in grant.actions and speaks_for(grant, request.purpose)
        )
        self._span: _Span | None = None

    def decide(self, request: AccessRequest, on: datetime) -> Decision:
        # Most decisions are about now, which mostly lies in the span that the last one lay in.
        span = self._span
        if (
            span is None
            or (span.since is not None and on < span.since)
            or (span.until is not None and on >= span.until)
        ):
            span = self._span = self._span_at(request, on)
        lookup = request.lookup
        if (
            span.gift is not None
            and not self._reasons
            and (lookup or self._keyless)
            and self._lookups.issuperset(lookup)
        ):
            fields = request.fields
            if not fields:
                if span.given:
                    return span.whole or self._whole(request, span, span.gift)
            else:
                asked = fields if len({*fields}) == len(fields) else tuple(dict.fromkeys(fields))
                try:
                    masked = tuple(map(span.given.__getitem__, asked))
                except KeyError:
                    return self._denial(request, on, span)  # A field that is not given.
                if span.single:
                    return Decision(True, asked, masked, span.reasons, span.determined_by)
                return self._answer(request, span, span.gift, asked, masked)
        return self._denial(request, on, span)

    def _span_at(self, request: AccessRequest, on: datetime) -> _Span:
        """Step 3: the grants in force at *on*, and between which moments nothing about that changes."""
        since, until = None, None
        for moment in sorted({time for grant in self._covering for time in (grant.starts, _end(grant))}):
            if moment <= on:
                since = moment
            else:
                until = moment
                break
        valid = tuple(grant for grant in self._covering if grant.starts <= on < _end(grant))
        if not valid:
            return _Span(since, until, None)
        banned = frozenset(name for _, p in self._prohibitions for name in p.fields)
        gift = self._rights.gift(self._shape, valid, banned)
        span = _Span(since, until, gift)
        if span.single:
            span.reasons, span.determined_by = self._tell(request, span, (valid[0].id,))
        return span

    def _whole(self, request: AccessRequest, span: _Span, gift: _Gift) -> Decision:
        asked = tuple(name for name in self._shape.shared if name in span.given)
        answer = self._answer(request, span, gift, asked, tuple(map(span.given.__getitem__, asked)))
        span.whole = _with_withheld(answer, gift.grants, self._shape, self._prohibitions)
        return span.whole

    def _answer(
        self, request: AccessRequest, span: _Span, gift: _Gift, asked: tuple[str, ...], masked: tuple[Masked, ...]
    ) -> Decision:
        """The decision that gives *asked*, all of them given, with the masks of *masked*."""
        used = gift.gives
        if len(used) > 1:
            used = [pair for pair in used if not pair[1].keys().isdisjoint(asked)]
        scopes: tuple[Scope, ...] = ()
        if gift.scoped and any(grant.rows for grant, _ in used):
            scopes = tuple(
                [Scope(g.id, g.rows, tuple([own[name] for name in asked if name in own])) for g, own in used]
            )
        reasons, determined_by = self._tell(request, span, tuple([grant.id for grant, _ in used]))
        return Decision(True, asked, masked, reasons, determined_by, scopes)

    def _tell(self, request: AccessRequest, span: _Span, ids: tuple[str, ...]) -> _Told:
        """The reasons of an answer that rests on the grants *ids*, and what determined it."""
        told = span.told.get(ids)
        if told is None:
            labels = {f"grant:{id_}" for id_ in ids}
            named = ", ".join(f"`{id_}`" for id_ in sorted(set(ids)))
            why = reason("allowed", purpose=request.purpose or "", grants=named)
            told = span.told[ids] = ((why,), tuple(sorted(self._lines | labels)))
        return told

    def _denial(self, request: AccessRequest, on: datetime, span: _Span) -> Decision:
        """Everything that speaks against *request*, when something does."""
        determined = set(self._lines)
        reasons = [*self._reasons, *self._against_request(request, determined)]
        if span.gift is None:
            determined |= {f"grant:{grant.id}" for grant in self._own}
            return denied([*reasons, *self._against_grants(request, on)], determined)
        grants = span.gift.grants
        determined |= {f"grant:{grant.id}" for grant in grants}
        banned = {name for _, p in self._prohibitions for name in p.fields}
        reasons += [
            reason("field_not_granted", field=name)
            for name in request.fields
            if name in self._shape.shared and name not in span.given and name not in banned
        ]
        if not request.fields and not span.given:
            reasons.append(reason("no_field_left"))
            reasons += self._banned(request, {name for grant in grants for name in grant.fields}, determined)
        return denied(reasons, determined)

    def _against_request(self, request: AccessRequest, determined: set[str]) -> list[Reason]:
        """Step 2, as far as it is about what is looked up by and asked for."""
        shape = self._shape
        reasons = []
        if not request.lookup and not self._keyless:
            # Without a key the whole resource would be read, which is no call but a copy.
            reasons.append(reason("lookup_missing", allowed=shape.allowed))
        reasons += [
            reason("lookup_not_allowed", field=name, allowed=shape.allowed)
            for name in request.lookup
            if name not in shape.lookups
        ]
        for name in request.fields:
            if name not in shape.by_name:
                reasons.append(reason("field_unknown", field=name, resource=shape.resource.code))
            elif name not in shape.shared:
                reasons.append(reason("field_not_shared", field=name))
        return reasons + self._banned(request, set(request.fields), determined)

    def _banned(self, request: AccessRequest, names: set[str], determined: set[str]) -> list[Reason]:
        """Which of *names* are prohibited; what says so joins *determined*."""
        reasons = []
        for label, prohibition in self._prohibitions:
            banned = tuple(n for n in self._shape.shared if n in names and n in prohibition.fields)
            if banned:
                reasons.append(prohibited(request, prohibition, banned))
                determined.add(label)
        return reasons

    def _against_grants(self, request: AccessRequest, on: datetime) -> list[Reason]:
        """Step 3, when no grant covers the request: why each does not."""
        if not self._own:
            which = f" called `{request.grant}`" if request.grant is not None else ""
            which_zh = f" `{request.grant}`" if request.grant is not None else ""
            words = {"consumer": request.consumer, "resource": request.resource, "which": which, "which_zh": which_zh}
            return [reason("no_grant", **words)]
        # Why a grant ended that another took the place of is of no use to anybody.
        replaced = {grant.predecessor for grant in self._own}
        return [
            told
            for grant in self._own
            if grant.id not in replaced
            for told in against_grant(request, self._list, grant, on)
        ]


def _with_withheld(
    decision: Decision, grants: Sequence[Grant], shape: _Shape, prohibitions: Sequence[Labelled]
) -> Decision:
    """*decision*, which gives all there is to give, with what was granted and is kept back all the same."""
    granted = {name for grant in grants for name in grant.fields}
    told = [reason("field_withheld", field=name) for name in granted if name not in shape.shared]
    determined = set(decision.determined_by)
    for label, prohibition in prohibitions:
        for name in prohibition.fields:
            if name in granted and name in shape.shared:
                told.append(reason("field_prohibited", field=name, ground=prohibition.ground))
                determined.add(label)
    if not told:
        return decision
    return replace(decision, reasons=ordered([*decision.reasons, *told]), determined_by=tuple(sorted(determined)))


def _end(grant: Grant) -> datetime:
    """The moment from which *grant* no longer holds, as far as is known."""
    return min(time for time in (grant.expires, grant.revoked_at, grant.suspended_at) if time is not None)


def _own_masks(grant: Grant, open_: Mapping[str, Mask]) -> list[Masked]:
    """The fields among *open_* that *grant* gives; the list's mask and the grant's both hold."""
    own: dict[str, Mask] = {}
    for name, mask in grant.masks:
        own[name] = masks.stricter(own.get(name, Mask.NONE), mask)
    return [(name, masks.stricter(open_[name], own.get(name, Mask.NONE))) for name in grant.fields if name in open_]


def least_masked(several: Iterable[Iterable[Masked]]) -> dict[str, Mask]:
    """What *several* give together: the rights add up, and for each field the mask that hides least."""
    given: dict[str, Mask] = {}
    for masked in several:
        for name, mask in masked:
            given[name] = min(given.get(name, mask), mask, key=masks.RANK.__getitem__)
    return given


def _sort_key(grant: Grant) -> tuple[str, str]:
    # The rest of two grants of one id only has to come in some order that is always the same.
    return grant.id, repr(grant)
