"""How keys are called: the names that files, rows and people use."""

from __future__ import annotations

from typing import Final

ROOT: Final = "root"
ISSUING: Final = "issuing"
STATUS: Final = "status"
# Where the policy's suite is one that wallets do not read.
WALLET_STATUS: Final = "wallet-status"
SEAL_MAKER: Final = "seal-maker"
TIME_STAMPS: Final = "time-stamps"
# Where the names of departments' keys begin.
DEPARTMENT: Final = "department-"
CUSTODIAN: Final = "custodian-"
DOCUMENTS: Final = "documents-"
WALLETS: Final = "wallets-"

BASE_URI: Final = "https://licence.zhengtong.invalid"


def department_key(code: str) -> str:
    """The key with which a department signs licences."""
    return f"{DEPARTMENT}{code}"


def custodian_key(code: str) -> str:
    """The key with which the keeper of a department's seals signs."""
    return f"{CUSTODIAN}{code}"


def documents_key(code: str) -> str:
    """The key with which a department signs documents."""
    return f"{DOCUMENTS}{code}"


def wallets_key(code: str) -> str:
    """The key with which a department signs licences for wallets, where that for others is of another suite."""
    return f"{WALLETS}{code}"
