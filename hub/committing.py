"""Makes the evidence of calls durable for all that are ready at once: one group after another, on the event loop.

A group is what was prepared since the one before; where that had more than one call, the next waits until `PACE_S`
after it. Whoever calls alone never waits so, and where many call each group is large: committing one costs as much as
preparing four calls, whether it has one call or forty. For each group, in this order:

    1. The generation of the control data is read. Every call of the group began before that, so that whatever was
       revoked before a call began is seen here; a call prepared under an older state is handed back to be prepared
       anew (None), and nothing of it is kept.
    2. Bodies and entries are kept (`Invocation.keep`): two syncs and one signature, however many calls.
    3. The calls learn what they are promised: their places in the log.

The loop waits for the disk meanwhile, and so do the calls; requests that arrive make the next group larger. A thread
for it would let the loop run on, but costs more than it gives: each takes the interpreter's lock from the other several
times a call, which was measured at a third of all processor time.

A crash before 2 loses calls that nobody got an answer to. A crash within 2 leaves bodies without entries, or entries
of answers that nobody got. A crash after 2 leaves such entries too, which errs on the right side.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Sequence

    from hub.invocation import Prepared
    from hub.receipts import Promised

# A fifth of the 15 ms in which 99 of 100 calls are to be answered; longer gains little, see ADR 0024.
PACE_S: Final = 0.003


class Committer:
    """Groups the calls of one event loop.

    *keep* makes the evidence of a group durable, *generation* reads the control data's, *settle* is told what is
    through.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        keep: Callable[[Sequence[Prepared]], Sequence[Promised]],
        generation: Callable[[], int],
        settle: Callable[[Prepared], None],
    ) -> None:
        self._loop = loop
        self._keep = keep
        self._generation = generation
        self._settle = settle
        self._group: list[tuple[Prepared, asyncio.Future[Promised | None]]] = []
        self._due = 0.0  # by the loop's clock: not before then is the next group committed

    def submit(self, prepared: Prepared) -> asyncio.Future[Promised | None]:
        """What *prepared* is promised once it is durable; None: prepare it anew. To be called on the loop.

        Raises (the future): EvidenceUnavailableError, ControlUnavailableError: nothing is kept for certain.
        """
        future: asyncio.Future[Promised | None] = self._loop.create_future()
        if not self._group:
            wait_s = self._due - self._loop.time()
            if wait_s > 0:
                self._loop.call_later(wait_s, self._commit)
            else:
                # After all that are ready in this turn.
                self._loop.call_soon(self._commit)
        self._group.append((prepared, future))
        return future

    def _commit(self) -> None:
        group, self._group = self._group, []
        try:
            generation = self._generation()
            fresh = [one for one in group if one[0].generation >= generation]
            promises = iter(self._keep([prepared for prepared, _ in fresh]) if fresh else ())
            for prepared, future in group:
                promised = next(promises) if prepared.generation >= generation else None
                # Who waited may have gone: the connection was closed, and its task with it.
                if not future.done():
                    future.set_result(promised)
        except Exception as error:  # noqa: BLE001 - whoever waits raises it
            for _, future in group:
                if not future.done():
                    future.set_exception(error)
        finally:
            self._due = self._loop.time() + PACE_S if len(group) > 1 else 0.0
            for prepared, _ in group:
                self._settle(prepared)
