"""Verified answers, as plain values, data frames or Arrow tables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    import pandas as pd
    import pyarrow as pa


@dataclass(frozen=True, slots=True)
class Called:
    """A verified answer: its *plain* body, the *receipt* in it, and when the hub made it."""

    plain: Mapping[str, Any]
    signed_at: datetime

    @property
    def records(self) -> Sequence[Mapping[str, Any]]:
        """The records of a query; of one for several, all of them in the order of what was asked."""
        if "answers" in self.plain:
            return [record for one in self.plain["answers"] for record in one.get("records", ())]
        found: Sequence[Mapping[str, Any]] = self.plain["records"]
        return found

    @property
    def answers(self) -> Sequence[Mapping[str, Any]]:
        """For each set of keys of a query for several: its ``records``, or the ``problem`` that there are too many."""
        found: Sequence[Mapping[str, Any]] = self.plain["answers"]
        return found

    @property
    def results(self) -> Mapping[str, str]:
        """The verdicts of a verification: match, mismatch or unknown."""
        found: Mapping[str, str] = self.plain["results"]
        return found

    @property
    def receipt(self) -> Mapping[str, Any]:
        """What proves the call for ever: keep it."""
        found: Mapping[str, Any] = self.plain["receipt"]
        return found

    def to_pandas(self) -> pd.DataFrame:
        """The records as a pandas data frame, a column for each field; texts stay texts.

        Of a query for several, ``_asked`` says for which set of keys, from 0, a record was found.
        """
        import pandas as pd  # noqa: PLC0415 - only whoever asks needs it

        return pd.DataFrame(self._rows(), columns=self._columns() or None)

    def to_arrow(self) -> pa.Table:
        """The records as an Arrow table; columns as in `to_pandas`."""
        import pyarrow as pa  # noqa: PLC0415 - only whoever asks needs it

        rows, columns = self._rows(), self._columns()
        return pa.table({name: [row.get(name) for row in rows] for name in columns})

    def _rows(self) -> list[dict[str, Any]]:
        if "answers" not in self.plain:
            return [dict(record) for record in self.plain["records"]]
        return [
            {"_asked": number, **record}
            for number, one in enumerate(self.plain["answers"])
            for record in one.get("records", ())
        ]

    def _columns(self) -> list[str]:
        fields = self.receipt["leaf"]["facts"]["fields"]
        return ["_asked", *fields] if "answers" in self.plain else list(fields)
