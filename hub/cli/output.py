"""How the command line speaks: data to standard output, everything else to standard error, and errors in one form.

Leaves what is said to the commands.
"""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from audit.errors import AuditError, KeyTextError, LogMissingError, PolicyInvalidError
from catalog import steps
from catalog.errors import CatalogError, ListInvalidError, ListUnreadableError
from hub.cli.language import LANG, say

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

OK, UNEXPECTED, USAGE, NOT_FOUND, NOT_PERMITTED, DATA_INVALID, CONFLICT = 0, 1, 2, 3, 4, 5, 6
QUOTA_EXHAUSTED, WAITING, FINDINGS = 7, 8, 20
SIGNATURE_INVALID, UNDECIDED, LOG_INVALID, TRY_AGAIN, INTERRUPTED = 10, 11, 13, 75, 130

# A pipe has no width: a table in a file or a log is not folded to that of a terminal which is not there.
out = Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else 200)
err = Console(stderr=True, highlight=False, soft_wrap=True)


def print_json(value: Any) -> None:  # noqa: ANN401 - any JSON value
    """One JSON value to standard output, for programs."""
    print(json.dumps(value, ensure_ascii=False, indent=2, default=_plain))


def _plain(value: Any) -> str:  # noqa: ANN401 - whatever JSON has no form for
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def note(text: str) -> None:
    """A message for the person at the terminal, on standard error."""
    err.print(text, markup=False)


def table(title: str, headings: Sequence[str], rows: Iterable[Sequence[object]], *, right: Sequence[int] = ()) -> None:
    """A table to standard output; the columns of *right* are numbers."""
    drawn = Table(title=title or None, title_justify="left", show_edge=False, pad_edge=False)
    for position, heading in enumerate(headings):
        drawn.add_column(heading, justify="right" if position in right else "left", overflow="fold")
    for row in rows:
        drawn.add_row(*(_cell(value) for value in row))
    out.print(drawn)


def _cell(value: object) -> str:
    text = (
        f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str("" if value is None else value)
    )
    return text.replace("[", r"\[")


# What a hub said of a call, by its HTTP status; any other is the request's own fault.
_EXITS_OF_STATUS = {401: NOT_PERMITTED, 403: NOT_PERMITTED, 404: NOT_FOUND, 409: CONFLICT, 500: UNEXPECTED}

# Errors of features, by their codes: whoever mistypes an option need not wait for all features to be loaded.
_EXITS_OF_CODE = {
    "licence_copy_unknown": NOT_FOUND,
    "certificate_unknown": NOT_FOUND,
    "hook_unknown": NOT_FOUND,
    "person_unknown": NOT_FOUND,
    "calendar_refused": USAGE,
    "backup_unknown": NOT_FOUND,
    "backup_refused": USAGE,
    "backup_damaged": DATA_INVALID,
    "backup_under_way": TRY_AGAIN,
    "person_invalid": USAGE,
    "sign_in_refused": NOT_PERMITTED,
    "code_refused": NOT_PERMITTED,
    "sign_in_first": NOT_PERMITTED,
    "form_sent_before": CONFLICT,
    "settle_first": NOT_PERMITTED,
    "duty_missing": NOT_PERMITTED,
    "sign_in_waits": TRY_AGAIN,
    "sign_on_declined": NOT_PERMITTED,
    "sign_on_stale": NOT_PERMITTED,
    "sign_on_forged": NOT_PERMITTED,
    "sign_on_unknown": NOT_PERMITTED,
    "sign_on_unreachable": TRY_AGAIN,
    "own_duties": NOT_PERMITTED,
    "last_administrator": CONFLICT,
    "too_many_visits": TRY_AGAIN,
    "log_not_sound": LOG_INVALID,
    "licence_approval_missing": NOT_PERMITTED,
    "licence_second_officer": NOT_PERMITTED,
    "licence_copy_widens": NOT_PERMITTED,
    "licence_code_not_yours": NOT_PERMITTED,
    "batch_closed": NOT_PERMITTED,
    "licence_pending": CONFLICT,
    "licence_other_record": CONFLICT,
    "licence_not_in_force": CONFLICT,
    "licence_copy_ended": CONFLICT,
    "wallet_licence_not_in_force": CONFLICT,
    "key_step_refused": CONFLICT,
    "batch_state": CONFLICT,
    "hook_state": CONFLICT,
    "hook_limit": CONFLICT,
    "licence_store_damaged": DATA_INVALID,
    "licence_document_drifted": DATA_INVALID,
    "licence_document_refused": DATA_INVALID,
    "licence_seal_not_repeatable": DATA_INVALID,
    "licence_batch_too_large": DATA_INVALID,
    "material_damaged": DATA_INVALID,
    "material_content_refused": DATA_INVALID,
    "material_rule": NOT_PERMITTED,
    "seal_refused": USAGE,
    "text_refused": USAGE,
    "wallet_ask_matter": USAGE,
    "wallet_ask_kind": USAGE,
    "wallet_ask_fields": USAGE,
    "too_fast": TRY_AGAIN,
    "guesses_exhausted": TRY_AGAIN,
    "signer_gone": TRY_AGAIN,
    "answer_gone": NOT_FOUND,
    "receipt_invalid": SIGNATURE_INVALID,
    "signature_invalid": SIGNATURE_INVALID,
}


def exit_code_of(error: Exception) -> int:  # noqa: PLR0911 - a table, and what no table says
    """The exit code of an error of ours, by what the caller does next (docs/operations.md)."""
    from connectors.errors import ConnectorError
    from hub import errors as hub_errors
    from hub.batches.errors import ManifestInvalidError
    from hub.client import errors as client_errors
    from licence.errors import CodedError, LicenceError
    from warehouse.errors import CommitConflictError, WarehouseError

    codes: tuple[tuple[type[Exception] | tuple[type[Exception], ...], int], ...] = (
        ((hub_errors.NotFoundError, hub_errors.GrantUnknownError, hub_errors.CallerUnknownError), NOT_FOUND),
        ((hub_errors.KindUnknownError, hub_errors.LicenceUnknownError, hub_errors.HolderNotFoundError), NOT_FOUND),
        (hub_errors.LicenceExistsError, CONFLICT),
        ((hub_errors.CaseUnknownError, hub_errors.VersionUnknownError), NOT_FOUND),
        (hub_errors.GrantInvalidError, DATA_INVALID),
        ((hub_errors.CaseConflictError, hub_errors.ListSupersededError, steps.StepNotAllowedError), CONFLICT),
        ((hub_errors.RoleMissingError, steps.NotYoursError, steps.SameHandsError), NOT_PERMITTED),
        ((hub_errors.ActorInvalidError, hub_errors.QueryInvalidError, hub_errors.OrderInvalidError), USAGE),
        (hub_errors.LoadPausedError, CONFLICT),
        ((hub_errors.DriftUnknownError, hub_errors.NothingRejectedError), NOT_FOUND),
        (hub_errors.QuotaExhaustedError, QUOTA_EXHAUSTED),
        (hub_errors.SeveralRecordsError, USAGE),
        (hub_errors.NoIssuingGrantError, NOT_PERMITTED),
        ((hub_errors.KeyRefusedError, hub_errors.DeniedError), NOT_PERMITTED),
        ((hub_errors.AnswerRefusedError, ManifestInvalidError), SIGNATURE_INVALID),
        (client_errors.HubCertificateError, SIGNATURE_INVALID),
        ((client_errors.HubUnreachableError, client_errors.CallUnavailableError), TRY_AGAIN),
        ((client_errors.ProfileError, client_errors.ClientSettingError), USAGE),
        (hub_errors.TryAgainError, TRY_AGAIN),
        (hub_errors.RequestError, USAGE),
        (CommitConflictError, CONFLICT),
        ((WarehouseError, CatalogError, LicenceError), DATA_INVALID),
        (LogMissingError, NOT_FOUND),
        # What somebody typed, or a file of keys or witnesses: the log has nothing to do with it.
        ((KeyTextError, PolicyInvalidError), USAGE),
        (AuditError, LOG_INVALID),
    )
    if isinstance(error, ListUnreadableError) and error.why == "not_found":
        return NOT_FOUND
    own = _EXITS_OF_CODE.get(error.code) if isinstance(error, hub_errors.HubError | CodedError) else None
    if own is not None:
        return own
    for kinds, code in codes:
        if isinstance(error, kinds):
            return code
    if isinstance(error, client_errors.CallFailedError):
        quota = error.problem_code == "quota_exhausted"
        return QUOTA_EXHAUSTED if quota else _EXITS_OF_STATUS.get(error.status, USAGE)
    if isinstance(error, client_errors.BatchNotReadyError):
        return WAITING if error.under_way else CONFLICT
    if isinstance(error, ConnectorError):
        return TRY_AGAIN if error.retryable else DATA_INVALID
    return UNEXPECTED


def fail(error: Exception, *, as_json: bool) -> int:
    """Tell the person, or the program with ``--json``, what went wrong and what to do; returns the exit code."""
    code = exit_code_of(error)
    text = getattr(error, "text", None)
    message = text(LANG) if callable(text) else str(error)
    if as_json:
        plain = {"ok": False, "code": getattr(error, "code", type(error).__name__), "message": message}
        if isinstance(error, ListInvalidError):
            plain["faults"] = [
                {"where": f.where, "code": f.code, "severity": str(f.severity), "message": f.text(LANG)}
                for f in error.faults
            ]
        if isinstance(error, steps.CaseInvalidError):
            plain["problems"] = [{"where": p.where, "code": p.code, "message": p.text(LANG)} for p in error.problems]
        plain["retryable"] = code == TRY_AGAIN
        print(json.dumps(plain, ensure_ascii=False, indent=2))
    else:
        note(say("出错：", "Error: ") + message)
    return code


def usage(message: str, *, as_json: bool) -> int:
    """A mistake in the command itself; returns the exit code."""
    if as_json:
        print(json.dumps({"ok": False, "code": "usage", "message": message, "retryable": False}, ensure_ascii=False))
    else:
        note(say("用法有误：", "Usage: ") + message)
        note(say("使用 --help 查看说明。", "Use --help to see how."))
    return USAGE


def wants_json() -> bool:
    """Whether this run was asked for JSON, known before the arguments are parsed so that usage errors heed it."""
    return "--json" in sys.argv[1:]
