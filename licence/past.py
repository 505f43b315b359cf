"""Which status list was in force at a past time, from histories handed in as texts: the token, and what to note of it.

Proving it is `licence.status.history`; what the list then says of a licence, `licence.verify`.
"""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING

from licence.errors import FormatError
from licence.report import Note
from licence.status import history

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from licence.model import StatusRef
    from licence.trust import TrustStore


def past_tokens(
    histories: Sequence[str | bytes], listed: StatusRef, trust: TrustStore, at: datetime
) -> tuple[list[tuple[str, str | bytes]], list[Note]]:
    """The token of each of *histories* that was in force at *at*, with its source; and notes on what the log proves.

    Histories of other lists are passed over: callers hand over all they have. One that does not hold is a note.
    """
    tokens: list[tuple[str, str | bytes]] = []
    notes: list[Note] = []
    for number, text in enumerate(histories, start=1):
        source = f"history {number}"
        try:
            uri, versions = history.from_json(text)
            if uri != listed.uri:
                continue
            kept = history.StatusHistory.verified(uri, versions, trust)
            state, (version, *_) = kept.status_at(at, listed.idx), kept.evidence_at(at)
        except FormatError as fault:
            params = {"claim": "", **fault.finding_params, "source": source, "why": fault.code}
            notes.append(_note("status_token_ignored", params))
            continue
        logged = state.logged_at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        facts = {"source": source, "logged": logged, "index": state.index, "origin": state.origin}
        notes.append(_note("status_closed" if state.closed else "status_last_known", facts))
        if version.token is not None:
            tokens.append((source, version.token))
    return tokens, notes


def _note(code: str, params: dict[str, object] | dict[str, str]) -> Note:
    return Note(code, tuple((name, str(value)) for name, value in params.items()))
