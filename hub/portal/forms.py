"""Reads what a form sends, within bounds: fields by name, and files that stay in memory.

What the fields mean is the page's affair.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl

from starlette.formparsers import MultiPartException, MultiPartParser

from hub.portal.errors import FormInvalidError, UploadTooLargeError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping

    from starlette.requests import Request

MAX_FORM_BYTES: Final = 256 * 1024
MAX_FIELDS: Final = 500
MAX_FILES: Final = 20
_MB: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that was sent: *name* as the browser told it, not to be trusted."""

    name: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Form:
    """The fields of a form by name, in the order sent; surrounding blanks are none of a value."""

    fields: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    files: Mapping[str, tuple[Upload, ...]] = field(default_factory=dict)

    def text(self, name: str, default: str = "") -> str:
        """The last value of a field."""
        return self.fields.get(name, (default,))[-1].strip()

    def texts(self, name: str) -> list[str]:
        """All values of a field that are not empty."""
        return [value.strip() for value in self.fields.get(name, ()) if value.strip()]

    def has(self, name: str) -> bool:
        """Whether the field was sent, as a ticked box is."""
        return name in self.fields

    def need(self, name: str, zh: str, en: str, *, most: int = 2_000) -> str:
        """A field that must not be empty; *zh* and *en* are what the page calls it.

        Raises:
            FormInvalidError: it is empty, or longer than *most* characters.
        """
        value = self.text(name)
        if not value:
            raise FormInvalidError(where=en, where_zh=zh, why="is needed", why_zh="不能为空")
        if len(value) > most:
            raise FormInvalidError(
                where=en, where_zh=zh, why=f"has at most {most} characters", why_zh=f"不超过 {most} 个字符"
            )
        return value


class _InMemory(MultiPartParser):
    """Keeps files in memory, whatever their size: what was sent to be verified is to be on no disk."""

    spool_max_size = 1 << 62


async def read(request: Request, max_bytes: int = MAX_FORM_BYTES) -> Form:
    """The form of *request*.

    Raises:
        UploadTooLargeError: it is longer than *max_bytes*; the rest is not read.
        FormInvalidError: it is none, or has too many fields.
    """
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media == "multipart/form-data":
        return await _multipart(request, max_bytes)
    body = b"".join([piece async for piece in _bounded(request, max_bytes)])
    if media not in {"application/x-www-form-urlencoded", ""} or (body and not media):
        raise _no_form()
    try:
        pairs = parse_qsl(body.decode("utf-8"), keep_blank_values=True, max_num_fields=MAX_FIELDS, errors="strict")
    except ValueError as error:
        raise _no_form() from error
    fields: dict[str, tuple[str, ...]] = {}
    for name, value in pairs:
        fields[name] = (*fields.get(name, ()), value)
    return Form(fields)


async def _multipart(request: Request, max_bytes: int) -> Form:
    parser = _InMemory(request.headers, _bounded(request, max_bytes), max_files=MAX_FILES, max_fields=MAX_FIELDS)
    try:
        sent = await parser.parse()
    except (MultiPartException, UnicodeDecodeError) as error:
        raise _no_form() from error
    fields: dict[str, tuple[str, ...]] = {}
    files: dict[str, tuple[Upload, ...]] = {}
    for name, value in sent.multi_items():
        if isinstance(value, str):
            fields[name] = (*fields.get(name, ()), value)
        elif value.filename:
            files[name] = (*files.get(name, ()), Upload(value.filename[:200], await value.read()))
    await sent.close()
    return Form(fields, files)


async def _bounded(request: Request, max_bytes: int) -> AsyncGenerator[bytes, None]:
    size = 0
    async for piece in request.stream():
        size += len(piece)
        if size > max_bytes:
            raise UploadTooLargeError(limit_mb=max(1, max_bytes // _MB))
        yield piece


def _no_form() -> FormInvalidError:
    return FormInvalidError(
        where="form", where_zh="表单", why="what was sent is no form of this page", why_zh="提交的内容不是本页表单"
    )
