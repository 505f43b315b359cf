"""The tables of the control database: lists, callers, cases, grants, loads. Those of licences are modules beside this.

Only the shape; who may change a row, and which log entry goes with the change, is the use cases' affair.
The same models serve SQLite and PostgreSQL; `hub.migrations` creates and changes them.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import JSON, BigInteger, DateTime, Index, Integer, MetaData, String, Text, UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import TypeDecorator

if TYPE_CHECKING:
    from sqlalchemy.engine import Dialect

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}


class UtcDateTime(TypeDecorator[datetime]):
    """An aware instant, kept in UTC; SQLite has no zone, so there it is stored without and read back with one."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse naive times: an instant whose zone is guessed is no evidence."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a naive datetime was given where an instant is kept")
        instant = value.astimezone(UTC)
        return instant.replace(tzinfo=None) if dialect.name == "sqlite" else instant

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Give back an aware instant on either database."""
        del dialect
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Base(DeclarativeBase):
    """Base of the control tables."""

    metadata = MetaData(naming_convention=NAMING)
    type_annotation_map = {  # noqa: RUF012 - SQLAlchemy's own declarative form
        datetime: UtcDateTime,
        dict[str, Any]: JSON,
        list[Any]: JSON,
        str: String(200),
        int: BigInteger,
    }


class ControlState(Base):
    """One row: the generation, raised in the same transaction as every change that decides calls.

    A reader that remembers the generation it read at knows with one look-up whether what it holds still stands.
    """

    __tablename__ = "control_state"
    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    generation: Mapped[int]


class ListVersion(Base):
    """A published responsibility list (数据共享责任清单): *version* is its digest, *plain* its JSON form."""

    __tablename__ = "list_versions"
    version: Mapped[str] = mapped_column(String(80), primary_key=True)
    status: Mapped[str] = mapped_column(String(20))  # "current" or "superseded"
    published_at: Mapped[datetime]
    published_by: Mapped[str]
    log_index: Mapped[int]
    plain: Mapped[dict[str, Any]]


class Caller(Base):
    """A system of a department that may call; *key_hash* is SHA-256 of its 256-bit random key.

    *roles* says what else its key opens (see `hub.actors.Role`).
    """

    __tablename__ = "callers"
    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    department: Mapped[str] = mapped_column(String(100), index=True)
    name: Mapped[str]
    key_hash: Mapped[str] = mapped_column(String(64), unique=True)
    key_prefix: Mapped[str] = mapped_column(String(20))
    created: Mapped[datetime]
    log_index: Mapped[int]
    revoked_at: Mapped[datetime | None]
    revoked_log_index: Mapped[int | None]
    roles: Mapped[list[Any]] = mapped_column(JSON, default=lambda: ["call"])
    client: Mapped[str] = mapped_column(String(40), default="", server_default="", index=True)  # "": of no client
    not_before: Mapped[datetime | None]
    expires: Mapped[datetime | None]
    last_used: Mapped[str] = mapped_column(String(10), default="", server_default="")  # YYYY-MM-DD, Asia/Shanghai


class ClientRow(Base):
    """A client system (客户端系统) that a department registered: what acts as *caller*, whichever credential it shows.

    Its bearer keys are rows of `Caller`, its other credentials rows of `ClientCredential`. *environment* is
    ``production`` or ``sandbox``.
    """

    __tablename__ = "clients"
    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    department: Mapped[str] = mapped_column(String(100), index=True)
    name: Mapped[str]
    contact: Mapped[str]
    environment: Mapped[str] = mapped_column(String(20))
    caller: Mapped[str] = mapped_column(String(40), unique=True)
    roles: Mapped[list[Any]]
    signed_only: Mapped[bool]
    created: Mapped[datetime]
    created_by: Mapped[str]
    log_index: Mapped[int]
    ended_at: Mapped[datetime | None]
    ended_log_index: Mapped[int | None]


class ClientCredential(Base):
    """A public key, a certificate or a shared key of a client system.

    *handle* is what a request calls it by: the key's RFC 7638 thumbprint, the certificate's SHA-256, the requester's
    id. *public* is the public key's text; *sealed* a shared key under a key of the deployment (`hub.credentials`).
    """

    __tablename__ = "client_credentials"
    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    client: Mapped[str] = mapped_column(String(40), index=True)
    kind: Mapped[str] = mapped_column(String(20))
    algorithm: Mapped[str] = mapped_column(String(40))
    handle: Mapped[str]
    thumbprint: Mapped[str] = mapped_column(String(100))
    public: Mapped[str] = mapped_column(Text)
    sealed: Mapped[str] = mapped_column(Text)
    created: Mapped[datetime]
    not_before: Mapped[datetime]
    expires: Mapped[datetime | None]
    log_index: Mapped[int]
    replaces: Mapped[str] = mapped_column(String(40))
    revoked_at: Mapped[datetime | None]
    revoked_log_index: Mapped[int | None]
    last_used: Mapped[str] = mapped_column(String(10))  # YYYY-MM-DD, Asia/Shanghai; "" never
    # A key that was revoked does not come back, neither for its client nor for another.
    __table_args__ = (UniqueConstraint("kind", "thumbprint"), Index(None, "kind", "handle"))


class NonceRow(Base):
    """A signed request that was taken, for several machines: *digest* of its key and nonce, until *until* (POSIX)."""

    __tablename__ = "nonces"
    digest: Mapped[str] = mapped_column(String(40), primary_key=True)
    until: Mapped[int] = mapped_column(BigInteger, index=True)


class CaseRow(Base):
    """A matter that people settle in steps: an application, a correction, a demand, a list under review.

    *value* is the case as its pure state machine has it; the other columns are what cases are found by. *revision*
    rises with every step: who acts on an older one is told so. *due_at* is the end of the clock that runs by *rule*.
    """

    __tablename__ = "cases"
    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    kind: Mapped[str] = mapped_column(String(20))
    state: Mapped[str] = mapped_column(String(30))
    open: Mapped[bool]
    opener: Mapped[str] = mapped_column(String(100), index=True)  # department
    answerer: Mapped[str] = mapped_column(String(100))  # the department whose turn it is, or that settled it
    resource: Mapped[str] = mapped_column(String(100), index=True)
    rule: Mapped[str] = mapped_column(String(60))
    started_at: Mapped[datetime | None]  # of the clock
    remind_at: Mapped[datetime | None]
    due_at: Mapped[datetime | None]
    told: Mapped[int] = mapped_column(Integer)  # 0 nobody, 1 reminded, 2 escalated; for the clock that runs
    revision: Mapped[int]
    opened_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    value: Mapped[dict[str, Any]]
    __table_args__ = (Index(None, "kind", "state"), Index(None, "answerer", "open"), Index(None, "open", "due_at"))


class CaseEvent(Base):
    """One step of a case: who did what when, and the log entry that says so. Never changed."""

    __tablename__ = "case_events"
    case_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    revision: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    at: Mapped[datetime]
    actor: Mapped[str]
    step: Mapped[str] = mapped_column(String(40))
    state: Mapped[str] = mapped_column(String(30))  # after the step
    note: Mapped[str] = mapped_column(Text)
    log_index: Mapped[int]


class Notice(Base):
    """Something a department is told, once: *key* names the occasion, so that telling twice tells once."""

    __tablename__ = "notices"
    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    key: Mapped[str] = mapped_column(String(200), unique=True)
    at: Mapped[datetime]
    department: Mapped[str] = mapped_column(String(100))
    kind: Mapped[str] = mapped_column(String(60))
    case_id: Mapped[str] = mapped_column(String(40))
    resource: Mapped[str] = mapped_column(String(100))
    params: Mapped[dict[str, Any]]
    read_at: Mapped[datetime | None]
    read_by: Mapped[str | None]
    __table_args__ = (Index(None, "department", "read_at"),)


class DisputeMark(Base):
    """A record, or fields of it, that an open correction disputes; answers say so until it is settled.

    *record* is the keyed hash of the record's key (`hub.evidence.Evidence.subject`); "" means every record.
    """

    __tablename__ = "dispute_marks"
    case_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    resource: Mapped[str] = mapped_column(String(100), index=True)
    record: Mapped[str] = mapped_column(String(80))
    fields: Mapped[list[Any]]  # empty: the whole record
    since: Mapped[datetime]


class MissedQuery(Base):
    """Words that were searched and found nothing, by day and without who searched: the root of the demand list."""

    __tablename__ = "missed_queries"
    query: Mapped[str] = mapped_column(String(200), primary_key=True)
    day: Mapped[str] = mapped_column(String(10), primary_key=True)  # YYYY-MM-DD, Asia/Shanghai
    times: Mapped[int]


class GrantUsage(Base):
    """How often a grant was used on a day (Asia/Shanghai), counted from the log up to `UsageState.position`."""

    __tablename__ = "grant_usage"
    grant: Mapped[str] = mapped_column(String(40), primary_key=True)
    day: Mapped[str] = mapped_column(String(10), primary_key=True)
    calls: Mapped[int]
    last_at: Mapped[datetime]


class UsageState(Base):
    """One row: the entries of the log below *position* are counted in `GrantUsage`."""

    __tablename__ = "usage_state"
    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    position: Mapped[int]


class GrantRow(Base):
    """A grant (授权) as `catalog.decide.Grant` has it, who gave it when, and how it ended.

    *application* is the case it came from, *predecessor* the grant it took the place of. *ended* says what
    `revoked_at` was: ``revoked``, ``handed_back``, ``replaced`` (renewed or shrunk).
    """

    __tablename__ = "grants"
    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    consumer: Mapped[str] = mapped_column(String(100))
    resource: Mapped[str] = mapped_column(String(100))
    fields: Mapped[list[Any]]
    masks: Mapped[list[Any]]
    purposes: Mapped[list[Any]]
    actions: Mapped[list[Any]]
    starts: Mapped[datetime]
    expires: Mapped[datetime]
    list_version: Mapped[str] = mapped_column(String(80))
    ground: Mapped[str] = mapped_column(Text)
    revoked_at: Mapped[datetime | None]
    given_by: Mapped[str]
    given_at: Mapped[datetime]
    log_index: Mapped[int]
    revoked_by: Mapped[str | None]
    revoked_log_index: Mapped[int | None]
    rows: Mapped[list[Any]] = mapped_column(JSON, default=list)
    quota_per_day: Mapped[int] = mapped_column(BigInteger, default=0)
    suspended_at: Mapped[datetime | None]
    suspended_by: Mapped[str] = mapped_column(String(100), default="")  # department
    application: Mapped[str] = mapped_column(String(40), default="", index=True)
    predecessor: Mapped[str] = mapped_column(String(40), default="")
    ended: Mapped[str] = mapped_column(String(20), default="")
    ended_why: Mapped[str] = mapped_column(Text, default="")
    __table_args__ = (Index(None, "consumer", "resource"),)


class Load(Base):
    """The record of one run of one resource's load (归集), extract to index; *run* is the scheduler's name."""

    __tablename__ = "loads"
    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    resource: Mapped[str] = mapped_column(String(100))
    run: Mapped[str] = mapped_column(String(250))
    batch_id: Mapped[str] = mapped_column(String(100))
    started: Mapped[datetime]
    finished: Mapped[datetime | None]
    read: Mapped[int] = mapped_column(default=0)
    accepted: Mapped[int] = mapped_column(default=0)
    inserted: Mapped[int] = mapped_column(default=0)
    updated: Mapped[int] = mapped_column(default=0)
    deleted: Mapped[int] = mapped_column(default=0)
    unchanged: Mapped[int] = mapped_column(default=0)
    rejected: Mapped[int] = mapped_column(default=0)
    reasons: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)  # reject reason -> rows
    seconds: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)  # stage -> seconds
    cursor: Mapped[str | None] = mapped_column(Text)
    snapshot: Mapped[int | None]  # Iceberg's are random 63-bit integers
    outcome: Mapped[str] = mapped_column(String(40))
    error_code: Mapped[str | None] = mapped_column(String(100))
    notes: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)  # renamed columns, the error's sentences …
    log_index: Mapped[int | None]
    mode: Mapped[str] = mapped_column(String(20), default="usual", server_default="usual")  # see hub.orders.Mode
    department: Mapped[str] = mapped_column(String(100), default="", server_default="")
    list_version: Mapped[str] = mapped_column(String(80), default="", server_default="")
    superseded: Mapped[int] = mapped_column(default=0, server_default="0")
    bytes: Mapped[int] = mapped_column(default=0, server_default="0")  # landed
    lag_s: Mapped[float | None]  # the newest record's age when it was committed
    about: Mapped[int | None]  # rows expected, while reading
    # A task that is tried again goes on with the record of its run.
    __table_args__ = (
        Index(None, "resource", "started"),
        Index(None, "run"),
        UniqueConstraint("resource", "run"),
    )


class DriftRow(Base):
    """A shape in which a source was found that differs from the list's, and what became of it.

    *digest* names the shape. *status*: ``accepted`` (the contract takes it), ``waiting`` for a person, ``approved`` or
    ``refused`` by one.
    """

    __tablename__ = "drifts"
    resource: Mapped[str] = mapped_column(String(100), primary_key=True)
    digest: Mapped[str] = mapped_column(String(80), primary_key=True)
    status: Mapped[str] = mapped_column(String(20), index=True)
    first_seen: Mapped[datetime]
    last_seen: Mapped[datetime]
    report: Mapped[dict[str, Any]]
    decided_by: Mapped[str | None]
    decided_at: Mapped[datetime | None]
    log_index: Mapped[int | None]


class PauseRow(Base):
    """A resource whose loads are held back until somebody lets them go on."""

    __tablename__ = "pauses"
    resource: Mapped[str] = mapped_column(String(100), primary_key=True)
    since: Mapped[datetime]
    by: Mapped[str]
    why: Mapped[str] = mapped_column(Text)
    log_index: Mapped[int]


class AlertRow(Base):
    """Something that a person has to look at, told once per occasion (*key*) until it is cleared.

    *sent* maps a channel's name to when it took the alert; *tries* and *next_try* are for those that did not.
    """

    __tablename__ = "alerts"
    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    key: Mapped[str] = mapped_column(String(200), index=True)
    kind: Mapped[str] = mapped_column(String(60))
    resource: Mapped[str] = mapped_column(String(100), index=True)
    department: Mapped[str] = mapped_column(String(100))
    at: Mapped[datetime]
    last_at: Mapped[datetime]
    times: Mapped[int] = mapped_column(Integer)
    params: Mapped[dict[str, Any]]
    cleared_at: Mapped[datetime | None]
    sent: Mapped[dict[str, Any]]
    tries: Mapped[int] = mapped_column(Integer)
    next_try: Mapped[datetime | None]
    __table_args__ = (Index(None, "cleared_at", "next_try"),)


class ReconciliationRow(Base):
    """A full comparison of a table with its source: how many rows are missing, too many, different.

    *report* is the protected file below the warehouse that says which; "" where there is none.
    """

    __tablename__ = "reconciliations"
    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    resource: Mapped[str] = mapped_column(String(100), index=True)
    at: Mapped[datetime]
    snapshot: Mapped[int | None]
    source_rows: Mapped[int]
    table_rows: Mapped[int]
    missing: Mapped[int]
    extra: Mapped[int]
    changed: Mapped[int]
    rejected: Mapped[int]
    seconds: Mapped[float]
    report: Mapped[str] = mapped_column(Text)
    log_index: Mapped[int]


class BatchRow(Base):
    """A batch order (批量交换): *plan* is the whole order as it was decided; see `hub.batches.desk` for the states.

    *grant* names the grants it rests on, with commas between. *claimed_by* makes it until *lease_until*; whoever comes
    after that takes it over, and *tries* counts them. *error* is what the sentence of *error_code* needs.
    """

    __tablename__ = "batches"
    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    state: Mapped[str] = mapped_column(String(20))
    department: Mapped[str] = mapped_column(String(100))
    resource: Mapped[str] = mapped_column(String(100))
    grant: Mapped[str] = mapped_column(Text)
    snapshot: Mapped[int]
    list_version: Mapped[str] = mapped_column(String(80))
    form: Mapped[str] = mapped_column(String(20))
    plan: Mapped[dict[str, Any]]
    ordered_at: Mapped[datetime]
    log_index: Mapped[int]
    rows_total: Mapped[int]
    rows_done: Mapped[int] = mapped_column(default=0)
    claimed_by: Mapped[str] = mapped_column(String(80), default="")
    lease_until: Mapped[datetime | None]
    tries: Mapped[int] = mapped_column(Integer, default=0)
    ended_at: Mapped[datetime | None]  # ready, failed or cancelled
    expires: Mapped[datetime | None]
    manifest_digest: Mapped[str] = mapped_column(String(80), default="")
    ready_log_index: Mapped[int | None]
    error_code: Mapped[str] = mapped_column(String(100), default="")
    error: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    __table_args__ = (Index(None, "state", "lease_until"), Index(None, "department", "ordered_at"))


class BatchPart(Base):
    """A file of a batch that is whole on the disk; when it was first fetched, and the entry that says so."""

    __tablename__ = "batch_parts"
    batch_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    number: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)  # from 1
    name: Mapped[str] = mapped_column(String(40))
    rows: Mapped[int]
    bytes: Mapped[int]
    digest: Mapped[str] = mapped_column(String(80))
    fetched_at: Mapped[datetime | None]
    fetched_log_index: Mapped[int | None]


class HookRow(Base):
    """A web hook (推送地址): where a department is called when there is something to fetch; see `hub.webhooks.hooks`.

    *call* is the purpose and the fields under which it follows, *cursor* how far it was called for. *challenge* is what
    the address must answer before it is used. *looking_until*: a process looks for changes on its behalf.
    """

    __tablename__ = "hooks"
    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    state: Mapped[str] = mapped_column(String(20))
    department: Mapped[str] = mapped_column(String(100), index=True)
    resource: Mapped[str] = mapped_column(String(100))
    grant: Mapped[str] = mapped_column(String(40))
    url: Mapped[str] = mapped_column(Text)
    call: Mapped[dict[str, Any]]
    cursor: Mapped[str] = mapped_column(Text)
    challenge: Mapped[str] = mapped_column(String(80))
    created: Mapped[datetime]
    created_by: Mapped[str]
    log_index: Mapped[int]
    changed_at: Mapped[datetime]
    changed_by: Mapped[str]
    why: Mapped[str] = mapped_column(String(60), default="")
    looking_until: Mapped[datetime | None]
    __table_args__ = (Index(None, "state", "looking_until"),)


class HookDelivery(Base):
    """One call of a web hook, which is tried until it is taken; *id* is told to the receiver and never changes.

    *claim* is the try under way, until *claimed_until*; after that anybody may try again. *attempts* are the last ones:
    when, what came of it, after how many milliseconds.
    """

    __tablename__ = "hook_deliveries"
    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    hook: Mapped[str] = mapped_column(String(40))
    kind: Mapped[str] = mapped_column(String(20))
    state: Mapped[str] = mapped_column(String(20))
    at: Mapped[datetime]
    cursor: Mapped[str] = mapped_column(Text)
    tries: Mapped[int] = mapped_column(Integer, default=0)
    next_try: Mapped[datetime]
    claim: Mapped[str] = mapped_column(String(40), default="")
    claimed_until: Mapped[datetime | None]
    outcome: Mapped[str] = mapped_column(String(40), default="")
    ended_at: Mapped[datetime | None]
    attempts: Mapped[list[Any]] = mapped_column(JSON, default=list)
    __table_args__ = (Index(None, "state", "next_try"), Index(None, "hook", "at"))


class VerifyMiss(Base):
    """Wrong claims about one record in one call (see `hub.enumeration`); *key* is a digest of grant and record."""

    __tablename__ = "verify_misses"
    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    key: Mapped[str] = mapped_column(String(32))
    at: Mapped[datetime] = mapped_column(index=True)
    count: Mapped[int] = mapped_column(Integer)


class NamedCall(Base):
    """A call that its caller gave a name (Idempotency-Key); see `hub.once`. *name* and *request* are digests.

    *log_index* is the place of its answer's entry, NULL until that is durable, and always for a form of the portal.
    """

    __tablename__ = "named_calls"
    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    request: Mapped[str] = mapped_column(String(64))
    begun: Mapped[datetime] = mapped_column(index=True)
    log_index: Mapped[int | None] = mapped_column(BigInteger)
