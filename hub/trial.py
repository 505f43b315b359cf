"""The sandbox: calls as they would be, over made-up rows, for whoever writes a program that is to call.

The list decides as it does for real calls: who stands on a line for a matter, which fields may be shared, how they are
masked. Only the grant is made up, and gives all that the list lets anybody have. Nothing is recorded or counted; the
receipt is signed and says by its origin that there is no log behind it. Rows are `hub.sandbox.samples`'s.
"""

from __future__ import annotations

import threading
from datetime import timedelta
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any, Final

from catalog import masks
from catalog.decide import ACTIONS, Grant, Policy
from catalog.model import ShareType
from hub import receipts
from hub.invocation import Invocation
from hub.sandbox.samples import Sandbox

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from catalog.decide import Rights
    from catalog.model import InformationResource, Mask, ResponsibilityList
    from hub.invocation import Prepared
    from hub.receipts import Promised
    from hub.recording import Attempt
    from warehouse.lookup import Lookup

GRANT: Final = "SANDBOX"
ORIGIN_SUFFIX: Final = "/sandbox"
_TERM: Final = timedelta(days=1)


class Trial(Invocation):
    """Answers sandbox calls. Safe for many threads."""

    sandbox = True

    def __init__(self, *parts: Any, **named: Any) -> None:  # noqa: ANN401 - the base's own
        super().__init__(*parts, **named)
        self._made: tuple[str, Sandbox] | None = None
        self._making = threading.Lock()

    def keep(self, group: Sequence[Prepared]) -> list[Promised]:
        """Keep nothing: there is no log, and its entries have no places."""
        for prepared in group:
            prepared.durable = perf_counter_ns()
        return [receipts.promise(self._signer, self.origin, 0, [prepared.draft.leaf])[0] for prepared in group]

    @property
    def origin(self) -> str:
        """Of a log that does not exist."""
        return super().origin + ORIGIN_SUFFIX

    def rows(self, list_: ResponsibilityList) -> Sandbox:
        """The made-up rows of *list_*."""
        with self._making:
            if self._made is None or self._made[0] != list_.version:
                self._made = (list_.version, Sandbox(list_))
            return self._made[1]

    def sample(
        self, list_: ResponsibilityList, resource: InformationResource, shown: Mapping[str, Mask], most: int
    ) -> list[dict[str, object]]:
        """The first made-up rows of *resource*, at *most* so many: of each the fields in *shown*, masked as it says.

        Raises:
            SampleNotMadeError: none can be made of it.
        """
        rows = self.rows(list_)
        made = (rows.row(resource, n) for n in range(min(most, rows.count(resource))))
        return [
            {name: masks.apply(mask, row[name], key=self._mask_key) for name, mask in shown.items()} for row in made
        ]

    def _rights(self, attempt: Attempt, department: str) -> Rights:
        list_ = attempt.view.list
        grant = grant_of_all(list_, department, attempt.code, attempt.at)
        return Policy(list_, [] if grant is None else [grant]).rights(department, attempt.code)

    def _lookup(self, attempt: Attempt) -> Lookup:
        return self.rows(attempt.view.list).lookup(attempt.code)  # type: ignore[return-value]  # it has what is asked


def grant_of_all(list_: ResponsibilityList, department: str, code: str, at: datetime) -> Grant | None:
    """A grant of everything that the list lets be shared of resource *code*; None where it knows none."""
    resource = list_.by_code.get(code)
    if resource is None:
        return None
    return Grant(
        id=GRANT,
        consumer=department,
        resource=code,
        fields=tuple(field.name for field in resource.fields if field.share_type is not ShareType.NOT_SHARED),
        masks=(),
        purposes=("*",),
        actions=ACTIONS,
        starts=at - _TERM,
        expires=at + _TERM,
        list_version=list_.version,
        ground="",
    )
