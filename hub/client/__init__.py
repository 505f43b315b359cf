"""A client of the data-invocation API that believes no answer whose receipt or signature does not hold.

`Client` waits for each answer, `AsyncClient` lets others run meanwhile; both sign what they send with the system's own
key (or show a caller key), try again where that is safe, and hand answers on as plain values, pandas data frames or
Arrow tables. Needs httpx and cryptography; pandas or pyarrow only when they are asked for.

From the outside in: `sync` and `aio` are the two clients, `lines` waits for bytes, seconds and files in either way;
`calls`, `changes`, `hooks` and `hub.batches.client` are what can be asked, as talks (`talk`) that do no I/O; `wire` is
what is signed and sent, and what is believed; `answers` and `errors` are what comes of it, `profile` where keys lie.
"""

from hub.client.aio import AsyncClient
from hub.client.answers import Called
from hub.client.changes import AsyncChanges, Change, Changes
from hub.client.errors import (
    BatchNotReadyError,
    CallDeniedError,
    CallFailedError,
    CallInvalidError,
    CallKeyRefusedError,
    CallUnavailableError,
    ClientSettingError,
    HubCertificateError,
    HubUnreachableError,
    ProfileError,
)
from hub.client.profile import Profile
from hub.client.sync import Client
from hub.errors import AnswerRefusedError

__all__ = [
    "AnswerRefusedError",
    "AsyncChanges",
    "AsyncClient",
    "BatchNotReadyError",
    "CallDeniedError",
    "CallFailedError",
    "CallInvalidError",
    "CallKeyRefusedError",
    "CallUnavailableError",
    "Called",
    "Change",
    "Changes",
    "Client",
    "ClientSettingError",
    "HubCertificateError",
    "HubUnreachableError",
    "Profile",
    "ProfileError",
]
