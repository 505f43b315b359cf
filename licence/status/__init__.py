"""Licence status: Token Status Lists here; in modules of their own what folds them from a log and what proves the past.

`licence.status.lists` packs, signs and parses, `licence.status.cwt` in CBOR; `licence.status.authentic` decides whose
token counts;
`licence.status.events` reads the log entries of licences; `licence.status.projection` folds them into lists;
`licence.status.history` answers for any past time.
"""

from __future__ import annotations

from licence.status.lists import (
    BITS,
    DEFAULT_BITS,
    MAX_LIST_BYTES,
    MAX_TOKEN_BYTES,
    SHARD_SLOTS,
    Status,
    StatusList,
    StatusToken,
    parse_status_token,
    sign_status_list,
    to_cwt,
    token_digest,
)

__all__ = [
    "BITS",
    "DEFAULT_BITS",
    "MAX_LIST_BYTES",
    "MAX_TOKEN_BYTES",
    "SHARD_SLOTS",
    "Status",
    "StatusList",
    "StatusToken",
    "parse_status_token",
    "sign_status_list",
    "to_cwt",
    "token_digest",
]
