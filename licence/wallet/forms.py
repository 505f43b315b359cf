"""Bodies that wallets send as ``application/x-www-form-urlencoded``, read strictly: each field once, UTF-8, bounded."""

from __future__ import annotations

from urllib.parse import parse_qsl

from licence.errors import FormatError

MAX_FORM_BYTES = 1024 * 1024
# The protocols know a handful; wallets may add their own, which are not looked at.
MAX_FIELDS = 32


def read_form(body: bytes, what: str) -> dict[str, str]:
    """The fields by name.

    Raises:
        FormatError: too large, not such a form, or a field is repeated.
    """
    if len(body) > MAX_FORM_BYTES:
        raise FormatError("too_large", what=what, limit=MAX_FORM_BYTES)
    try:
        pairs = parse_qsl(
            body.decode("ascii"),
            keep_blank_values=True,
            strict_parsing=True,
            errors="strict",
            max_num_fields=MAX_FIELDS,
        )
    except ValueError:
        raise FormatError("vci_form_malformed") from None
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise FormatError("vci_form_malformed")
    return fields
