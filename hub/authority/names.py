"""How keys are called: the names that files, rows and people use."""

from __future__ import annotations

import hashlib
import re
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
OF_DEPARTMENTS: Final = (DEPARTMENT, CUSTODIAN, DOCUMENTS, WALLETS)
_PLAIN_POST: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,59}")

BASE_URI: Final = "https://licence.zhengtong.invalid"


def department_key(code: str) -> str:
    """The key with which a department signs licences."""
    return f"{DEPARTMENT}{code}"


def custodian_key(custodian: str) -> str:
    """The key with which a keeper of seals signs: of a post (``RS:seal-keeper``), or of a whole department (``RS``).

    A name is the name of a file, too: a post that would make none is named by its digest.
    """
    department, colon, post = custodian.partition(":")
    if colon and not _PLAIN_POST.fullmatch(post):
        post = hashlib.sha256(post.encode()).hexdigest()[:16]
    return f"{CUSTODIAN}{department}{colon}{post}"


def department_of(name: str) -> str:
    """The code of the department whose key *name* is; empty for a name of no department's."""
    begin = next((one for one in OF_DEPARTMENTS if name.startswith(one)), None)
    return "" if begin is None else name.removeprefix(begin).partition(":")[0]


def documents_key(code: str) -> str:
    """The key with which a department signs documents."""
    return f"{DOCUMENTS}{code}"


def wallets_key(code: str) -> str:
    """The key with which a department signs licences for wallets, where that for others is of another suite."""
    return f"{WALLETS}{code}"
