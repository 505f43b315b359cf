"""Looks for what there is to fetch and calls web hooks: one try at a time, by whichever process claims it first.

The steps of one call, by number, for `Queue.send`:

    1. claim what is due, for a minute   4. sign and send
    2. the hook's address, resolved      5. what the answer means: taken, try later, gone, given up
    3. the body, without any content     6. write that down, and let the claim go

At least once: a crash between 4 and 6 leaves a claim that ends by itself, and the call is made again with the same
identifier. Never two at once: a claim is one update of one row, which one of two processes wins. What a call that
nobody took for days means for its hook is decided here, too; what people do with hooks is `hub.webhooks.hooks`'.
"""

from __future__ import annotations

import hmac
import json
import re
import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from time import monotonic
from typing import TYPE_CHECKING, Final

import sqlalchemy as sa

from hub import alerts
from hub.answers import grant_of
from hub.changes.cursor import NOW
from hub.changes.errors import CursorInvalidError, CursorLapsedError
from hub.control import HookDelivery, HookRow, row_dict
from hub.errors import HubError, ResourceUnknownError
from hub.signatures import AnswerSigner, Component, Request, content_digest
from hub.webhooks.address import Address, parse
from hub.webhooks.errors import HookAddressError
from hub.webhooks.hooks import (
    ACTIVE,
    CHALLENGE,
    CHANGES,
    DELIVERED,
    DUE,
    ENDED,
    GIVEN_UP,
    PAUSED,
    PENDING,
    Delivery,
    Hook,
    Hooks,
)
from hub.webhooks.post import Answered, NotSentError, post, trust

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Mapping

    from sqlalchemy.engine import Connection

    from catalog.decide import Decision

FIRST_RETRY: Final = timedelta(seconds=5)
LAST_RETRY: Final = timedelta(hours=6)
JITTER: Final = 0.2  # of a pause, either way: receivers that came back together are not called together
MAX_AGE: Final = timedelta(days=3)  # over a weekend, and Monday to mend it
MAX_CHALLENGE_AGE: Final = timedelta(hours=1)  # whoever registers an address has it running
CLAIM: Final = timedelta(seconds=60)  # several times what one try may take
LOOK_EVERY: Final = timedelta(seconds=5)
LOOK_AGAIN: Final = timedelta(minutes=1)  # where it could not be looked, or not be called for now
KEEP: Final = timedelta(days=90)  # calls that have ended
ATTEMPTS_KEPT: Final = 20
HOOKS_TOGETHER: Final = 100
ANSWERED, GONE, BUSY, WRONG_CHALLENGE, ADDRESS = "answered", "gone", "busy", "wrong_challenge", "address_refused"
UNVERIFIED, UNANSWERED, GRANT_ENDED, DENIED = "unverified", "unanswered", "grant_ended", "denied"
HUB: Final = "hub"  # who acts where nobody does
COVERED: Final = tuple(
    Component(name)
    for name in ("@method", "@path", "host", "content-type", "content-digest", "zhengtong-hook", "zhengtong-delivery")
)
_SECONDS = re.compile(r"[0-9]{1,9}")
_GONE, _BUSY = 410, (429, 503)
_OVER: Final = frozenset({"grant_revoked", "grant_expired"})
_RESTS: Final = frozenset({"grant_suspended", "grant_not_started"})


@dataclass(frozen=True, slots=True)
class Result:
    """What came of one try. *later*: how long the receiver asks us to wait."""

    outcome: str
    took_ms: int = 0
    status: int = 0
    later: timedelta = timedelta(0)

    @property
    def taken(self) -> bool:
        """Whether it need not be tried again."""
        return self.outcome == ANSWERED


def pause_after(tries: int, jitter: float) -> timedelta:
    """How long to wait after so many *tries*; *jitter* from 0 to 1 moves it by up to `JITTER` either way."""
    doubled = min(LAST_RETRY, FIRST_RETRY * (1 << min(max(tries, 1) - 1, 20)))
    return doubled * (1 + JITTER * (2 * jitter - 1))


def retry_after(text: str, now: datetime) -> timedelta:
    """How long a Retry-After field (RFC 9110 §10.2.3) asks to wait: at most `LAST_RETRY`, nothing of what is none."""
    if _SECONDS.fullmatch(text):
        asked = timedelta(seconds=int(text))
    else:
        try:
            until = parsedate_to_datetime(text)
        except ValueError:
            return timedelta(0)
        # A date "-0000" is in UTC and says so by having no zone (RFC 5322 §3.3).
        asked = (until if until.tzinfo else until.replace(tzinfo=UTC)) - now
    return min(max(asked, timedelta(0)), LAST_RETRY)


@dataclass(frozen=True, slots=True)
class Queue:
    """Finds and makes calls. Safe for many threads and processes; every method does one bounded piece of work."""

    hooks: Hooks
    signer: AnswerSigner
    context: ssl.SSLContext = field(default_factory=trust)
    send_to: Callable[..., Answered] = post
    jitter: Callable[[], float] = lambda: secrets.randbelow(1_000) / 1_000

    def now(self) -> datetime:
        """The clock that the evidence goes by."""
        return self.hooks.evidence.clock()

    # --- looking ---

    def look(self) -> int:
        """Look once on behalf of each hook whose turn it is, and make its call due; how many became so."""
        return sum(self._look(hook) for hook in self._whose_turn())

    def _whose_turn(self) -> list[Hook]:
        """Active hooks without a call under way, each held for a minute, so that one process looks for it."""
        now = self.now()
        waiting = sa.select(HookDelivery.hook).where(HookDelivery.state == DUE)
        free = (
            HookRow.state == ACTIVE,
            sa.or_(HookRow.looking_until.is_(None), HookRow.looking_until <= now),
            HookRow.id.not_in(waiting),
        )
        with self.hooks.control.reading() as connection:
            ids = connection.execute(
                sa.select(HookRow.id).where(*free).order_by(HookRow.looking_until).limit(HOOKS_TOGETHER)
            )
            found = [str(row.id) for row in ids]
        if not found:
            return []
        with self.hooks.control.writing() as connection:
            rows = connection.execute(
                sa.update(HookRow)
                .where(HookRow.id.in_(found), *free)
                .values(looking_until=now + CLAIM)
                .returning(*HookRow.__table__.columns)
            )
            return [Hook(**row_dict(row)) for row in rows]

    def _look(self, hook: Hook) -> bool:
        feed = self.hooks.feed
        again = LOOK_EVERY
        something = False
        cursor, grant = hook.cursor, hook.grant
        try:
            glance = feed.look(hook.department, hook.resource, hook.follows(), hook.cursor)
            if not glance.decision.allowed:
                return self._not_allowed(hook, glance.decision)
            something, cursor, grant = glance.something, glance.cursor, grant_of(glance.decision)
        except (CursorLapsedError, CursorInvalidError):
            # Whoever fetches now is told to begin anew; that is worth a call, once.
            something = True
            cursor = feed.look(hook.department, hook.resource, hook.follows(), NOW).cursor
        except ResourceUnknownError:
            return self._stop(hook, PAUSED, DENIED)
        except HubError:
            # Nothing can be read now; nothing is lost by looking later.
            again = LOOK_AGAIN
        now = self.now()
        with self.hooks.control.writing() as connection:
            moved = connection.execute(
                sa.update(HookRow)
                .where(HookRow.id == hook.id, HookRow.cursor == hook.cursor, HookRow.state == ACTIVE)
                .values(cursor=cursor, grant=grant, looking_until=now + again)
                .returning(HookRow.id)
            ).first()
            # Another process that held this hook too long ago moved it first: it has made the call due.
            if moved is None or not something:
                return False
            self.hooks.enqueue(connection, hook.id, CHANGES, cursor=hook.cursor, at=now)
        return True

    def _not_allowed(self, hook: Hook, decision: Decision) -> bool:
        codes = {reason.code for reason in decision.reasons}
        if codes <= _OVER:
            return self._stop(hook, ENDED, GRANT_ENDED)
        if not codes <= _RESTS:
            return self._stop(hook, PAUSED, DENIED)
        with self.hooks.control.writing() as connection:
            rest = sa.update(HookRow).where(HookRow.id == hook.id).values(looking_until=self.now() + LOOK_AGAIN)
            connection.execute(rest)
        return False

    # --- sending ---

    def send(self, *, first_tries_only: bool = False) -> bool:
        """Make one call that is due; whether there was one. See the steps above."""
        claimed = self._claim(first_tries_only=first_tries_only)  # step 1
        if claimed is None:
            return False
        hook, delivery = claimed
        result = self._try(hook, delivery)
        self._settle(hook, delivery, result)  # step 6
        return True

    def _claim(self, *, first_tries_only: bool) -> tuple[Hook, Delivery] | None:
        now = self.now()
        due = [
            HookDelivery.state == DUE,
            HookDelivery.next_try <= now,
            sa.or_(HookDelivery.claimed_until.is_(None), HookDelivery.claimed_until <= now),
        ]
        due += [HookDelivery.tries == 0] if first_tries_only else []
        # A challenge goes to a hook that is not active yet, and nothing to one that is paused or has ended.
        fits = sa.or_(
            sa.and_(HookRow.state == ACTIVE, HookDelivery.kind == CHANGES),
            sa.and_(HookRow.state == PENDING, HookDelivery.kind == CHALLENGE),
        )
        query = sa.select(HookDelivery.id).join(HookRow, HookRow.id == HookDelivery.hook).where(fits, *due)
        with self.hooks.control.reading() as connection:
            first = connection.execute(query.order_by(HookDelivery.next_try, HookDelivery.id).limit(10)).all()
        for candidate in first:
            with self.hooks.control.writing() as connection:
                row = connection.execute(
                    sa.update(HookDelivery)
                    .where(HookDelivery.id == candidate.id, *due)
                    .values(claim=secrets.token_hex(16), claimed_until=now + CLAIM)
                    .returning(*HookDelivery.__table__.columns)
                ).first()
                if row is None:
                    continue  # Another process was first.
                hook = connection.execute(sa.select(HookRow.__table__).where(HookRow.id == row.hook)).one()
                return Hook(**row_dict(hook)), Delivery(**row_dict(row))
        return None

    def _try(self, hook: Hook, delivery: Delivery) -> Result:
        begun = monotonic()

        def took() -> int:
            return int((monotonic() - begun) * 1000)

        try:
            address = parse(hook.url)
            ip = self.hooks.fence.resolve(address)  # step 2
        except HookAddressError:
            return Result(ADDRESS, took())
        body = message(hook, delivery)  # step 3
        headers = self.signed(address, hook, delivery, body)
        challenge = delivery.kind == CHALLENGE
        try:
            answer = self.send_to(address, ip, headers, body, context=self.context, read=challenge)  # step 4
        except NotSentError as error:
            return Result(error.outcome, took())
        if answer.status == _GONE:  # step 5
            return Result(GONE, took(), answer.status)
        if answer.status in _BUSY:
            return Result(BUSY, took(), answer.status, retry_after(answer.retry_after, self.now()))
        outcome = ANSWERED
        if not 200 <= answer.status < 300:  # noqa: PLR2004 - RFC 9110 §15.3
            outcome = f"status_{answer.status}"
        elif challenge and not _echoes(answer.body, hook.challenge):
            outcome = WRONG_CHALLENGE
        return Result(outcome, took(), answer.status)

    def signed(self, address: Address, hook: Hook, delivery: Delivery, body: bytes) -> dict[str, str]:
        """The header fields of a call, signed with the key that signs answers (RFC 9421)."""
        fields = {
            "host": address.authority,
            "content-type": "application/json",
            "content-digest": content_digest(body),
            "zhengtong-hook": hook.id,
            "zhengtong-delivery": delivery.id,
        }
        request = Request("POST", address.path, fields)
        return {**fields, **self.signer.sign(request, COVERED, self.now()), "user-agent": "zhengtong-hooks"}

    def _settle(self, hook: Hook, delivery: Delivery, result: Result) -> None:
        now = self.now()
        tries = delivery.tries + 1
        oldest = MAX_CHALLENGE_AGE if delivery.kind == CHALLENGE else MAX_AGE
        wait = max(pause_after(tries, self.jitter()), result.later)
        # What waited while the hook was paused is not too old for that.
        over = result.outcome == GONE or now + wait > max(delivery.at, hook.changed_at) + oldest
        state = DELIVERED if result.taken else GIVEN_UP if over else DUE
        told = {"at": now.isoformat(), "outcome": result.outcome, "status": result.status, "took_ms": result.took_ms}
        with self.hooks.control.writing() as connection:
            mine = connection.execute(
                sa.update(HookDelivery)
                .where(HookDelivery.id == delivery.id, HookDelivery.claim == delivery.claim)
                .values(
                    state=state,
                    tries=tries,
                    next_try=now + wait,
                    claim="",
                    claimed_until=None,
                    outcome=result.outcome,
                    ended_at=None if state == DUE else now,
                    attempts=[*delivery.attempts, told][-ATTEMPTS_KEPT:],
                )
                .returning(HookDelivery.id)
            ).first()
            # It took longer than the claim held: whoever has it now writes down what comes of it.
            if mine is None:
                return
            if state == DELIVERED and delivery.kind == CHALLENGE:
                self.hooks.move(connection, hook, ACTIVE, by=HUB, why="")
            if state == GIVEN_UP:
                self._give_up(connection, hook, delivery, result)
            if state != DUE:
                old = sa.delete(HookDelivery).where(
                    HookDelivery.hook == hook.id, HookDelivery.state != DUE, HookDelivery.at < now - KEEP
                )
                connection.execute(old)
        if state == DELIVERED:
            alerts.clear(self.hooks.control, alert_key(hook.id), at=now)
        if state == GIVEN_UP:
            self._tell(hook, UNANSWERED)

    def _give_up(self, connection: Connection, hook: Hook, delivery: Delivery, result: Result) -> None:
        """What a call that is not made any more means for its hook."""
        if result.outcome == GONE:
            self.hooks.move(connection, hook, ENDED, by=HUB, why=GONE)
        elif delivery.kind == CHALLENGE:
            self.hooks.move(connection, hook, ENDED, by=HUB, why=UNVERIFIED)
        elif self.hooks.move(connection, hook, PAUSED, by=HUB, why=UNANSWERED):
            # Once it is resumed it is called for the same again.
            back = sa.update(HookRow).where(HookRow.id == hook.id).values(cursor=delivery.cursor)
            connection.execute(back)

    def _stop(self, hook: Hook, state: str, why: str) -> bool:
        """Pause or end *hook*; gives False, for nothing became due."""
        with self.hooks.control.writing() as connection:
            self.hooks.move(connection, hook, state, by=HUB, why=why)
        self._tell(hook, why)
        return False

    def _tell(self, hook: Hook, why: str) -> None:
        """Let people look at a hook that was paused; of one that has ended nothing is left to do."""
        now, key = self.now(), alert_key(hook.id)
        if self.hooks.get(hook.id).state != PAUSED:
            alerts.clear(self.hooks.control, key, at=now)
            return
        alerts.raise_alert(
            self.hooks.control,
            "hook_paused",
            key=key,
            at=now,
            resource=hook.resource,
            department=hook.department,
            params={"hook": hook.id, "consumer": hook.department, "why": why},
        )


def alert_key(hook: str) -> str:
    """What the alert about a paused hook is known by."""
    return f"hook_paused:{hook}"


def message(hook: Hook, delivery: Delivery) -> bytes:
    """The body of a call: what it is about, and no content. The same in every try of one delivery."""
    plain: dict[str, str] = {
        "type": delivery.kind,
        "hook": hook.id,
        "delivery": delivery.id,
        "at": delivery.at.astimezone(UTC).isoformat(),
        "resource": hook.resource,
        "grant": hook.grant,
    }
    plain |= {"challenge": hook.challenge} if delivery.kind == CHALLENGE else {"cursor": delivery.cursor}
    return json.dumps(plain, ensure_ascii=False, separators=(",", ":")).encode()


def _echoes(body: bytes, challenge: str) -> bool:
    """Whether a receiver answered ``{"challenge": "…"}`` as it was asked."""
    try:
        plain: Mapping[str, object] = json.loads(body)
        said = plain["challenge"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return False
    return isinstance(said, str) and said.isascii() and hmac.compare_digest(said, challenge)
