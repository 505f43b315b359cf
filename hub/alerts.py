"""Keeps alerts until they are cleared, and sends each once to every channel that wants it: web hooks and e-mail.

What is worth an alert is `hub.watching`'s affair, the words are `hub.alertwords`'. No alert carries personal data.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import smtplib
import ssl
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from typing import TYPE_CHECKING, Any, Final

import httpx
import sqlalchemy as sa
import yaml

from connectors.errors import ConnectorError
from connectors.registry import secrets_from
from hub.alertwords import ALERTS
from hub.control import AlertRow, row_dict
from hub.errors import AlertsFileError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from hub.control import Control

WEBHOOK, EMAIL = "webhook", "email"
SIGNATURE: Final = "Zhengtong-Signature"
TIMEOUT_S: Final = 15.0
# Doubling from a minute to half a day: a channel that is down over a weekend is not lost.
FIRST_RETRY: Final = timedelta(minutes=1)
LAST_RETRY: Final = timedelta(hours=12)
_SMTP_PORT: Final = 25
_CHANNEL_SETTINGS: Final = frozenset(
    {"url", "secret", "host", "port", "starttls", "user", "password", "sender", "to", "ca_file"}
)


@dataclass(frozen=True, slots=True)
class Alert:
    """An alert as it stands. *times* is how often its occasion was met, *sent* maps channels to when they took it."""

    id: int
    key: str
    kind: str
    resource: str
    department: str
    at: datetime
    last_at: datetime
    times: int
    params: Mapping[str, Any]
    cleared_at: datetime | None
    sent: Mapping[str, str]
    tries: int
    next_try: datetime | None

    def text(self, lang: str) -> str:
        """What happened."""
        return ALERTS[self.kind].text(lang, **{"resource": self.resource, **self.params})

    def plain(self, lang: str) -> dict[str, Any]:
        """What a web hook is sent."""
        kind = ALERTS[self.kind]
        return {
            "id": self.id,
            "kind": self.kind,
            "severity": kind.severity.value,
            "resource": self.resource,
            "department": self.department,
            "at": self.at.isoformat(),
            "times": self.times,
            "cleared_at": self.cleared_at.isoformat() if self.cleared_at else None,
            "text": self.text(lang),
            "what_to_do": kind.remedy(lang),
        }


@dataclass(frozen=True, slots=True)
class Channel:
    """Where alerts go: those of *kinds* and *departments* (empty: all), in *language*."""

    name: str
    kind: str
    settings: Mapping[str, str]
    kinds: tuple[str, ...] = ()
    departments: tuple[str, ...] = ()
    language: str = "zh"

    def wants(self, alert: Alert) -> bool:
        """Whether *alert* is for this channel."""
        return (not self.kinds or alert.kind in self.kinds) and (
            not self.departments or alert.department in self.departments
        )


@dataclass(slots=True)
class Sent:
    """What one delivery did: alerts sent by channel, and channels that failed with what kind of failure."""

    delivered: dict[str, int] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)

    def plain(self) -> dict[str, Any]:
        """A JSON-able dict."""
        return {"delivered": self.delivered, "failed": self.failed}


# --- raising and clearing --------------------------------------------------------------------------------------------


def raise_alert(
    control: Control,
    kind: str,
    *,
    key: str,
    at: datetime,
    resource: str = "",
    department: str = "",
    params: Mapping[str, Any] | None = None,
) -> bool:
    """Open an alert, or count its occasion once more where it stands open; whether it is new.

    *key* names the occasion (``load_failed:R1``); after it was cleared the same key opens a new alert.
    """
    assert kind in ALERTS, kind  # noqa: S101 - a kind without words could not be told
    mine = (AlertRow.key == key, AlertRow.cleared_at.is_(None))
    values = {"last_at": at, "params": dict(params or {})}
    with control.writing() as connection:
        met = connection.execute(sa.update(AlertRow).where(*mine).values(times=AlertRow.times + 1, **values))
        if met.rowcount:
            return False
        row = {"key": key, "kind": kind, "resource": resource, "department": department, "at": at, "times": 1}
        connection.execute(sa.insert(AlertRow).values(**row, **values, cleared_at=None, sent={}, tries=0, next_try=at))
    return True


def clear(control: Control, key: str, *, at: datetime) -> bool:
    """Close the alert of this *key*; whether one was open."""
    with control.writing() as connection:
        closed = connection.execute(
            sa.update(AlertRow).where(AlertRow.key == key, AlertRow.cleared_at.is_(None)).values(cleared_at=at)
        )
        return bool(closed.rowcount)


def open_alerts(control: Control, *, resource: str = "") -> list[Alert]:
    """The alerts that stand, newest first."""
    query = sa.select(AlertRow.__table__).where(AlertRow.cleared_at.is_(None)).order_by(AlertRow.id.desc())
    query = query.where(AlertRow.resource == resource) if resource else query
    with control.reading() as connection:
        return [Alert(**row_dict(row)) for row in connection.execute(query)]


# --- sending ---------------------------------------------------------------------------------------------------------


def channels(path: Path | None) -> tuple[Channel, ...]:
    """The channels of the alerts file; none where there is no file.

    Raises:
        AlertsFileError: it cannot be read or has another form.
    """
    if path is None:
        return ()
    try:
        plain = yaml.safe_load(path.read_text(encoding="utf-8"))
        return tuple(_channel(entry) for entry in plain["channels"])
    except OSError as error:
        raise AlertsFileError(path=path, why=error.strerror or type(error).__name__) from error
    except (yaml.YAMLError, UnicodeDecodeError, KeyError, TypeError, ValueError, AttributeError) as error:
        # The text of such an error may quote a line of the file.
        raise AlertsFileError(path=path, why=type(error).__name__) from None


def _channel(entry: Mapping[str, Any]) -> Channel:
    kind = str(entry["kind"])
    needed = {WEBHOOK: ("url",), EMAIL: ("host", "sender", "to")}[kind]
    settings = {name: str(value) for name, value in entry.items() if name in _CHANNEL_SETTINGS}
    kinds = tuple(str(k) for k in entry.get("kinds", ()))
    secret = settings.get("secret") or settings.get("password") or "env:"
    if set(kinds) - set(ALERTS) or any(name not in settings for name in needed):
        raise ValueError(kind)
    if not secret.startswith(("env:", "file:")):
        raise ValueError(kind)
    departments = tuple(str(d) for d in entry.get("departments", ()))
    return Channel(str(entry["name"]), kind, settings, kinds, departments, str(entry.get("language", "zh")))


def deliver(
    control: Control,
    wanted: tuple[Channel, ...],
    *,
    at: datetime,
    secret: Callable[[str], str] | None = None,
    transport: httpx.BaseTransport | None = None,
) -> Sent:
    """Send what is open, or was cleared before anyone was told, to each channel that has not had it.

    At least once: a crash between sending and noting sends again. A channel that fails is tried again later, with
    growing pauses, and holds no other up.
    """
    resolve = secret or secrets_from(os.environ)
    outcome = Sent()
    for alert in _due(control, at):
        missing = [c for c in wanted if c.wants(alert) and c.name not in alert.sent]
        sent = dict(alert.sent)
        for channel in missing:
            try:
                send(channel, alert, resolve, transport=transport)
            except (httpx.HTTPError, OSError, smtplib.SMTPException, ConnectorError) as error:
                # The text of a mail server's answer may hold an address; its kind is enough.
                outcome.failed[channel.name] = type(error).__name__
            else:
                sent[channel.name] = datetime.now(UTC).isoformat()
                outcome.delivered[channel.name] = outcome.delivered.get(channel.name, 0) + 1
        done = all(c.name in sent for c in missing)
        pause = min(LAST_RETRY, FIRST_RETRY * 2**alert.tries)
        with control.writing() as connection:
            connection.execute(
                sa.update(AlertRow)
                .where(AlertRow.id == alert.id)
                .values(sent=sent, tries=alert.tries + (not done), next_try=None if done else at + pause)
            )
    return outcome


def _due(control: Control, at: datetime) -> list[Alert]:
    query = sa.select(AlertRow.__table__).where(AlertRow.next_try <= at).order_by(AlertRow.id)
    with control.reading() as connection:
        return [Alert(**row_dict(row)) for row in connection.execute(query)]


def send(
    channel: Channel, alert: Alert, secret: Callable[[str], str], *, transport: httpx.BaseTransport | None = None
) -> None:
    """Send one alert to one channel.

    A web hook gets JSON, signed where it has a secret: the header holds ``sha256=`` and the HMAC-SHA256 of the body.

    Raises:
        httpx.HTTPError, OSError, smtplib.SMTPException: it was not taken.
        ConnectorError: the channel's secret is not there.
    """
    if channel.kind == WEBHOOK:
        body = json.dumps(alert.plain(channel.language), ensure_ascii=False).encode()
        headers = {"Content-Type": "application/json"}
        if reference := channel.settings.get("secret"):
            digest = hmac.new(secret(reference).encode(), body, hashlib.sha256).hexdigest()
            headers[SIGNATURE] = f"sha256={digest}"
        verify = ssl.create_default_context(cafile=channel.settings.get("ca_file") or None)
        with httpx.Client(timeout=TIMEOUT_S, transport=transport, verify=verify) as client:
            client.post(channel.settings["url"], content=body, headers=headers).raise_for_status()
        return
    with smtplib.SMTP(
        channel.settings["host"], int(channel.settings.get("port", _SMTP_PORT)), timeout=TIMEOUT_S
    ) as server:
        if channel.settings.get("starttls", "true").lower() != "false":
            server.starttls(context=ssl.create_default_context(cafile=channel.settings.get("ca_file") or None))
        if reference := channel.settings.get("password"):
            server.login(channel.settings.get("user", ""), secret(reference))
        server.send_message(_mail(channel, alert))


def _mail(channel: Channel, alert: Alert) -> EmailMessage:
    chinese = channel.language == "zh"
    message = EmailMessage()
    message["From"] = channel.settings["sender"]
    message["To"] = channel.settings["to"]
    # A subject never breaks its line, whatever a parameter holds.
    subject = " ".join(alert.text(channel.language).split())
    message["Subject"] = ("【政通告警】" if chinese else "[Zhengtong] ") + subject
    what = "处理办法：" if chinese else "What to do: "
    message.set_content(
        f"{alert.text(channel.language)}\n\n{what}{ALERTS[alert.kind].remedy(channel.language)}\n\n{alert.at.isoformat()}\n"
    )
    return message
