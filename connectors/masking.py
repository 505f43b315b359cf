"""Mask marked columns as they are read, so that their values as the source holds them are written nowhere of ours.

Leaves what each mask shows to `catalog.masks`, and which field is marked to the list (`catalog.model.Field.landing`).

The ``hash`` mask is keyed (HMAC-SHA256): the setting ``landing_key`` of a system names the secret. Two systems whose
rows must still be joined on a hashed column name the same secret. `connectors.registry.connect` puts the key in force
around every read (`keyed`), so that no connector has to hand it on; it is looked up only when a column asks for it.
"""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from catalog import masks
from catalog.model import Mask
from connectors.errors import ConnectorSettingsError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import TypeAlias

    from connectors.protocol import Column

    Masking: TypeAlias = Callable[[str | None], str | None]

# Values remembered for each column: names, regions and years repeat; identifiers do not, and must not fill the memory.
REMEMBERED = 65_536
# The least that `catalog.masks` takes for a key.
LEAST_KEY_BYTES = 16

_key_in_force: ContextVar[Callable[[], str] | None] = ContextVar("landing_key", default=None)


@contextmanager
def keyed(secret: Callable[[], str] | None) -> Iterator[None]:
    """Have `masker` take the key of ``hash`` from *secret* inside the block, in this thread."""
    token = _key_in_force.set(secret)
    try:
        yield
    finally:
        _key_in_force.reset(token)


def masker(name: str, key: bytes | None = None) -> Masking | None:
    """What to apply to each text of a column whose mask is *name*; None where there is nothing to hide.

    NULL stays NULL. Make it in the thread that called `read`: without *key* the one in force there is taken. May be
    called from several threads.

    Raises:
        ConnectorSettingsError: no such mask; or ``hash`` without a key, or with one shorter than 16 bytes.
        SourceDeniedError: the secret that holds the key is not there.
    """
    if not name:
        return None
    try:
        mask = Mask(name)
    except ValueError:
        raise ConnectorSettingsError(
            problem="setting_invalid", where="connectors", name="mask", expected=" | ".join(Mask)
        ) from None
    if mask is Mask.NONE:
        return None
    used = b""
    if mask is Mask.HASH:
        used = _key() if key is None else key
        if len(used) < LEAST_KEY_BYTES:
            raise ConnectorSettingsError(
                problem="setting_invalid", where="connectors", name="landing_key", expected=f"≥ {LEAST_KEY_BYTES} bytes"
            )

    @lru_cache(maxsize=REMEMBERED)
    def masked(text: str | None) -> str | None:
        shown = masks.apply(mask, text, key=used)
        return None if shown is None else str(shown)

    return masked


def _key() -> bytes:
    secret = _key_in_force.get()
    if secret is None:
        raise ConnectorSettingsError(problem="setting_missing", where="connectors", name="landing_key")
    return secret().encode()


class Masks:
    """The masks of the columns of one read, for rows and for Arrow tables. Make it before the first row is read."""

    def __init__(self, columns: Sequence[Column], key: bytes | None = None) -> None:
        made = {column.name: masker(column.mask, key) for column in columns}
        self._maskers = {name: found for name, found in made.items() if found is not None}

    def __bool__(self) -> bool:
        """Whether any column is masked at all."""
        return bool(self._maskers)

    def names(self) -> frozenset[str]:
        """The masked columns. They land as text whatever their type, for a mask's answer is text."""
        return frozenset(self._maskers)

    def table(self, table: pa.Table) -> pa.Table:
        """*table* with its masked columns masked; these must be text. Each distinct value is masked once a chunk.

        Raises:
            ConnectorSettingsError: a masked column is not text: it would have to be turned into text by whoever read
                it, who alone knows how the source writes it.
        """
        for position, column_name in enumerate(table.column_names):
            found = self._maskers.get(column_name)
            if found is None:
                continue
            column = table.column(position)
            if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
                raise ConnectorSettingsError(
                    problem="setting_invalid", where="connectors", name=f"mask ({column_name})", expected="VARCHAR"
                )
            chunks = [_masked(chunk, found) for chunk in column.chunks]
            field = pa.field(column_name, column.type)
            table = table.set_column(position, field, pa.chunked_array(chunks, column.type))
        return table


def _masked(chunk: pa.Array, found: Masking) -> pa.Array:
    coded = pc.dictionary_encode(chunk)
    shown = pa.array([found(text) for text in coded.dictionary.to_pylist()], chunk.type)
    # A mask may answer NULL for a value; `take` then gives NULL, as it does for a value that was NULL.
    return shown.take(coded.indices)
