"""A client of the data-invocation API that believes no answer whose receipt or signature does not hold.

`Client` waits for each answer, `AsyncClient` lets others run meanwhile; both sign what they send with the system's own
key (or show a caller key), try again where that is safe, and hand answers on as plain values, pandas data frames or
Arrow tables. Needs httpx and cryptography; pandas or pyarrow only when they are asked for.
"""

from hub.client.aio import AsyncClient
from hub.client.answers import Called
from hub.client.changes import AsyncChanges, Change, Changes
from hub.client.errors import (
    CallDeniedError,
    CallFailedError,
    CallInvalidError,
    CallKeyRefusedError,
    CallUnavailableError,
    HubUnreachableError,
    ProfileError,
)
from hub.client.profile import Profile
from hub.client.sync import Client

__all__ = [
    "AsyncChanges",
    "AsyncClient",
    "CallDeniedError",
    "CallFailedError",
    "CallInvalidError",
    "CallKeyRefusedError",
    "CallUnavailableError",
    "Called",
    "Change",
    "Changes",
    "Client",
    "HubUnreachableError",
    "Profile",
    "ProfileError",
]
