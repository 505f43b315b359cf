"""The tables of what an issuer to wallets, and a verifier of them, remembers between requests.

Codes, tokens, nonces and requests are found by keyed digests: who reads these tables can redeem nothing.
"""

from __future__ import annotations

from datetime import datetime  # noqa: TC003 - SQLAlchemy reads the annotations
from typing import Any

from sqlalchemy import JSON, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from hub.control.models import Base


class WalletCodeRow(Base):
    """A pre-authorised code of a credential offer; see `licence.wallet.store.Code`."""

    __tablename__ = "wallet_codes"
    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    subject: Mapped[str] = mapped_column(String(200))
    kinds: Mapped[list[Any]] = mapped_column(JSON)
    expires_at: Mapped[datetime] = mapped_column(index=True)
    tx_code: Mapped[str | None] = mapped_column(String(64))
    tries: Mapped[int] = mapped_column(default=0)
    spent: Mapped[bool] = mapped_column(default=False)


class WalletTokenRow(Base):
    """An access token, for *kinds* of one subject; see `licence.wallet.store.Access`."""

    __tablename__ = "wallet_tokens"
    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    subject: Mapped[str] = mapped_column(String(200))
    kinds: Mapped[list[Any]] = mapped_column(JSON)
    expires_at: Mapped[datetime] = mapped_column(index=True)


class WalletDeliveryRow(Base):
    """A kind that was issued under an access token, so that it is not issued twice."""

    __tablename__ = "wallet_deliveries"
    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    kind: Mapped[str] = mapped_column(String(40), primary_key=True)


class WalletNonceRow(Base):
    """A nonce that was given out and not used yet."""

    __tablename__ = "wallet_nonces"
    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    expires_at: Mapped[datetime] = mapped_column(index=True)


class WalletCredentialRow(Base):
    """A licence as it was sealed for a wallet's key: the digest of that credential, and its entry in the log."""

    __tablename__ = "wallet_credentials"
    digest: Mapped[str] = mapped_column(String(80), primary_key=True)
    licence: Mapped[str] = mapped_column(String(200), index=True)
    log_index: Mapped[int]
    bound_at: Mapped[datetime]


class WalletRequestRow(Base):
    """A request for presentation, for minutes: whose it is, and, encrypted, what was asked and what came of it.

    *state*: ``waiting``, ``judging``, ``judged``, ``declined``. *tries* counts answers that were none.
    """

    __tablename__ = "wallet_requests"
    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    department: Mapped[str] = mapped_column(String(100))
    state: Mapped[str] = mapped_column(String(20))
    expires_at: Mapped[datetime] = mapped_column(index=True)
    tries: Mapped[int] = mapped_column(default=0)
    asked: Mapped[bytes] = mapped_column(LargeBinary)
    found: Mapped[bytes | None] = mapped_column(LargeBinary)
