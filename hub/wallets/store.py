"""What issuing to wallets remembers, in the control database: `licence.wallet.store.WalletStore` for many processes.

Records lie under keyed digests of the digests they are asked by: without the key, which lies elsewhere, nobody finds a
guessed code in the tables.
"""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from hub.control import (
    WalletCodeRow,
    WalletCredentialRow,
    WalletDeliveryRow,
    WalletNonceRow,
    WalletTokenRow,
    insert_once,
)
from licence.wallet.store import Access, Code

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from hub.control import Control
    from hub.control.models import Base

KEY = "wallets"


class ControlWalletStore:
    """`WalletStore` in the control database. Safe for many threads and processes: each step is one statement."""

    def __init__(self, control: Control, key: bytes) -> None:
        self._control = control
        self._key = key

    def put_code(self, digest: bytes, code: Code) -> bool:
        """See `WalletStore.put_code`."""
        return self._put(
            WalletCodeRow,
            {
                "digest": self._keyed(digest),
                "subject": code.subject,
                "kinds": list(code.kinds),
                "expires_at": code.expires_at,
                "tx_code": None if code.tx_code is None else code.tx_code.hex(),
                "tries": code.tries,
                "spent": code.spent,
            },
        )

    def try_code(self, digest: bytes) -> Code | None:
        """See `WalletStore.try_code`."""
        # Counted and read in one statement: of guesses at once, none goes uncounted.
        counted = (
            sa.update(WalletCodeRow)
            .where(WalletCodeRow.digest == self._keyed(digest))
            .values(tries=WalletCodeRow.tries + 1)
            .returning(*WalletCodeRow.__table__.c)
        )
        with self._control.writing() as connection:
            row = connection.execute(counted).first()
        if row is None:
            return None
        return Code(
            subject=row.subject,
            kinds=tuple(row.kinds),
            expires_at=row.expires_at,
            tx_code=None if row.tx_code is None else bytes.fromhex(row.tx_code),
            tries=row.tries - 1,
            spent=row.spent,
        )

    def spend_code(self, digest: bytes) -> bool:
        """See `WalletStore.spend_code`."""
        spent = (
            sa.update(WalletCodeRow)
            .where(WalletCodeRow.digest == self._keyed(digest), WalletCodeRow.spent.is_(False))
            .values(spent=True)
            .returning(WalletCodeRow.digest)
        )
        with self._control.writing() as connection:
            return connection.execute(spent).first() is not None

    def put_access(self, digest: bytes, access: Access) -> bool:
        """See `WalletStore.put_access`."""
        return self._put(
            WalletTokenRow,
            {
                "digest": self._keyed(digest),
                "subject": access.subject,
                "kinds": list(access.kinds),
                "expires_at": access.expires_at,
            },
        )

    def access(self, digest: bytes) -> Access | None:
        """See `WalletStore.access`."""
        query = sa.select(WalletTokenRow.__table__).where(WalletTokenRow.digest == self._keyed(digest))
        with self._control.reading() as connection:
            row = connection.execute(query).first()
        return None if row is None else Access(row.subject, tuple(row.kinds), row.expires_at)

    def deliver(self, digest: bytes, kind: str) -> bool:
        """See `WalletStore.deliver`."""
        keyed = self._keyed(digest)
        known = sa.select(WalletTokenRow.digest).where(WalletTokenRow.digest == keyed)
        with self._control.writing() as connection:
            if connection.execute(known).first() is None:
                return False
            return insert_once(connection, WalletDeliveryRow, {"digest": keyed, "kind": kind})

    def put_nonce(self, digest: bytes, expires_at: datetime) -> bool:
        """See `WalletStore.put_nonce`."""
        return self._put(WalletNonceRow, {"digest": self._keyed(digest), "expires_at": expires_at})

    def spend_nonce(self, digest: bytes, at: datetime) -> bool:
        """See `WalletStore.spend_nonce`."""
        # Removed by the one who uses it, so that nobody else finds it.
        gone = (
            sa.delete(WalletNonceRow)
            .where(WalletNonceRow.digest == self._keyed(digest))
            .returning(WalletNonceRow.expires_at)
        )
        with self._control.writing() as connection:
            expires_at: datetime | None = connection.execute(gone).scalar()
        return expires_at is not None and at < expires_at

    def forget(self, before: datetime) -> int:
        """See `WalletStore.forget`."""
        count = 0
        with self._control.writing() as connection:
            gone = sa.select(WalletTokenRow.digest).where(WalletTokenRow.expires_at < before)
            connection.execute(sa.delete(WalletDeliveryRow).where(WalletDeliveryRow.digest.in_(gone)))
            for model in (WalletCodeRow, WalletTokenRow, WalletNonceRow):
                removed = sa.delete(model).where(model.expires_at < before).returning(model.digest)
                count += len(connection.execute(removed).all())
        return count

    def _put(self, model: type[Base], values: Mapping[str, Any]) -> bool:
        with self._control.writing() as connection:
            return insert_once(connection, model, values)

    def _keyed(self, digest: bytes) -> str:
        return hmac.digest(self._key, digest, "sha256").hex()


def bound_entry(control: Control, digest: str) -> tuple[str, int] | None:
    """The licence and the log entry of the wallet credential with this digest (`Credential.digest`), if it is ours."""
    query = sa.select(WalletCredentialRow.__table__).where(WalletCredentialRow.digest == digest)
    with control.reading() as connection:
        row = connection.execute(query).first()
    return None if row is None else (row.licence, row.log_index)
