"""Try mutants with the tests that run through their lines: one warm process with all tests collected, a fork for each.

A plugin takes the place of pytest's own loop. It first runs all tests once, in a fork, to learn which lines each goes
through (fixtures are reckoned to all who ask for them) and how long each takes; then each mutant is put into a fork of
its own, and its tests are run in it, the quickest first, until one fails. No file is changed.
"""

from __future__ import annotations

import importlib
import json
import os
import shutil
import signal
import sys
import tempfile
import time
import warnings
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import coverage
import pytest
from _pytest.runner import runtestprotocol

from bench.mutation.swap import NotApplicableError, Subject

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from bench.mutation.operators import Mutant, Site

KILLED: Final = "killed"
# A mutant that never ends is noticed as one that fails is.
TIMED_OUT: Final = "timed out"
SURVIVED: Final = "survived"
NOT_COVERED: Final = "not covered"
NOT_APPLICABLE: Final = "not applicable"
OPEN: Final = (SURVIVED, NOT_COVERED)
# Exit codes of forks; 1 is a failed test.
_UNABLE: Final = 77
_FIXTURE: Final = "fixture "
_SLOWER_TIMES: Final = 6


@dataclass(frozen=True, slots=True)
class Result:
    """What became of a mutant; *by* is the test that failed."""

    mutant: Mutant
    state: str
    by: str
    tests: int
    seconds: float


@dataclass(slots=True)
class Plan:
    """What to try: modules in order, every *step*-th change, at most *budget_s* of tests each, *jobs* at once."""

    modules: Sequence[str]
    wanted: Callable[[Mutant], bool]
    told: Callable[[Result], None]
    step: int = 1
    budget_s: float = 30.0
    jobs: int = 1
    # Beyond what its tests take unchanged, several times over, before a mutant is called endless.
    patience_s: float = 10.0
    # Where to keep what was learnt of the tests, for another run of the same tests and modules.
    learnt: Path | None = None
    until: float = float("inf")
    # The modules that were gone through to the end.
    complete: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class _Learnt:
    """Lines of files → contexts (tests and fixtures); tests → seconds. Tests that fail unchanged are in neither."""

    lines: Mapping[str, Mapping[int, Sequence[str]]]
    seconds: Mapping[str, float]


def run(plan: Plan, tests: Sequence[str]) -> int:
    """Collect *tests* (paths and options of pytest) and go through *plan*; pytest's exit code."""
    options = ["-q", "-p", "no:cacheprovider", "--no-header", "--no-summary"]
    return int(pytest.main([*options, *tests], plugins=[_Loop(plan)]))


class _Loop:
    """The plugin."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._items: dict[str, pytest.Item] = {}
        self._last: dict[tuple[str, str], str] = {}
        # While watched: tells coverage who runs now, and who that is.
        self._switch: Callable[[str], object] | None = None
        self._now = ""

    def pytest_configure(self) -> None:
        # Imported only now: pytest rewrites the plugin's asserts before. The same examples each time, none kept.
        from hypothesis import settings  # noqa: PLC0415

        settings.register_profile("mutation", derandomize=True, database=None, deadline=None)
        settings.load_profile("mutation")

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        if session.testsfailed:
            raise session.Interrupted("tests cannot be collected")
        self._items = {item.nodeid: item for item in session.items}
        subjects = {name: Subject(importlib.import_module(name)) for name in self._plan.modules}
        learnt = self._learn([subject.file for subject in subjects.values()])
        # What is decided comes before values, in all modules.
        for decides in (True, False):
            for name, subject in subjects.items():
                if self._go(subject, learnt, decides=decides) and not decides:
                    self._plan.complete.add(name)
        return True

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(self, fixturedef: pytest.FixtureDef[Any]) -> Iterator[None]:
        if self._switch is None:
            return (yield)
        before, self._now = self._now, f"{_FIXTURE}{fixturedef.argname}"
        self._switch(self._now)
        try:
            return (yield)
        finally:
            self._now = before
            self._switch(before)

    def _learn(self, files: Sequence[str]) -> _Learnt:
        with tempfile.TemporaryDirectory() as folder:
            answer = self._plan.learnt or Path(folder) / "learnt.json"
            if not answer.exists():
                pid = _fork(lambda: self._watch(files, answer))
                os.waitpid(pid, 0)
            told = json.loads(answer.read_text(encoding="utf-8"))
        failing = told["failing"]
        if failing:
            print("tests that fail unchanged, left out:", *failing, sep="\n  ", file=sys.stderr)
        lines = {file: {int(line): names for line, names in held.items()} for file, held in told["lines"].items()}
        return _Learnt(lines, told["seconds"])

    def _watch(self, files: Sequence[str], answer: Path) -> int:
        watched = coverage.Coverage(data_file=None, include=list(files), config_file=False)
        seconds: dict[str, float] = {}
        failing: list[str] = []
        self._now = "import"
        self._switch = watched.switch_context
        watched.start()
        items = list(self._items.values())
        for item, after in zip(items, [*items[1:], None], strict=True):
            self._now = item.nodeid
            watched.switch_context(item.nodeid)
            began = time.perf_counter()
            good = _passes(item, after)
            if good is not None:
                seconds[item.nodeid] = time.perf_counter() - began
            if good is False:
                failing.append(item.nodeid)
                del seconds[item.nodeid]
        watched.stop()
        data = watched.get_data()
        lines = {file: data.contexts_by_lineno(file) for file in data.measured_files()}
        answer.write_text(json.dumps({"seconds": seconds, "lines": lines, "failing": failing}))
        return 0

    def _tests(self, file: str, mutant: Mutant, learnt: _Learnt) -> list[str]:
        """The tests that go through the mutant's lines: what found its neighbour, those of its module, the quickest."""
        held = learnt.lines.get(file, {})
        first, last = mutant.lines
        if mutant.where == "<module>":
            contexts = {name for names in held.values() for name in names}
        else:
            contexts = {name for line in range(first, last + 1) for name in held.get(line, ())}
        fixtures = {name.removeprefix(_FIXTURE) for name in contexts if name.startswith(_FIXTURE)}
        found = {
            name
            for name, item in self._items.items()
            if name in learnt.seconds
            and (name in contexts or not fixtures.isdisjoint(getattr(item, "fixturenames", ())))
        }
        own = mutant.module.rpartition(".")[2]
        ordered = sorted(found, key=lambda name: (own not in name.partition("::")[0], learnt.seconds[name]))
        likely = self._last.get((mutant.module, mutant.where))
        if likely in found:
            ordered.remove(likely)
            ordered.insert(0, likely)
        whole = 0.0
        for count, name in enumerate(ordered):
            whole += learnt.seconds[name]
            if whole > self._plan.budget_s and count:
                return ordered[:count]
        return ordered

    def _go(self, subject: Subject, learnt: _Learnt, *, decides: bool) -> bool:
        """Try a module's mutants of one sort; whether time sufficed."""
        running: dict[int, tuple[Mutant, list[str], float, Path]] = {}
        for site in subject.sites[:: self._plan.step]:
            if site.mutant.decides is not decides or not self._plan.wanted(site.mutant):
                continue
            if time.time() > self._plan.until:
                break
            tests = self._tests(subject.file, site.mutant, learnt)
            if not tests:
                self._plan.told(Result(site.mutant, NOT_COVERED, "", 0, 0.0))
                continue
            while len(running) >= self._plan.jobs:
                self._reap(running, learnt)
            folder = Path(tempfile.mkdtemp(prefix="mutant-"))
            pid = _fork(lambda site=site, tests=tests, folder=folder: self._try(subject, site, tests, folder))  # type: ignore[misc]
            running[pid] = (site.mutant, tests, time.monotonic(), folder)
        else:
            while running:
                self._reap(running, learnt)
            return True
        while running:
            self._reap(running, learnt)
        return False

    def _reap(self, running: dict[int, tuple[Mutant, list[str], float, Path]], learnt: _Learnt) -> None:
        """Wait until one of *running* has ended or has taken too long; tell what became of it."""
        while True:
            for pid, (mutant, tests, began, folder) in list(running.items()):
                done, status = os.waitpid(pid, os.WNOHANG)
                spent = time.monotonic() - began
                limit = self._plan.patience_s + _SLOWER_TIMES * sum(learnt.seconds[name] for name in tests)
                if done:
                    code = os.waitstatus_to_exitcode(status)
                    state = {0: SURVIVED, _UNABLE: NOT_APPLICABLE}.get(code, KILLED)
                elif spent > limit:
                    os.killpg(pid, signal.SIGKILL)
                    os.waitpid(pid, 0)
                    state = TIMED_OUT
                else:
                    continue
                del running[pid]
                found = folder / "by"
                by = found.read_text() if state is KILLED and found.exists() else ""
                if by:
                    self._last[mutant.module, mutant.where] = by
                shutil.rmtree(folder, ignore_errors=True)
                self._plan.told(Result(mutant, state, by, len(tests), round(spent, 2)))
                return
            time.sleep(0.005)

    def _try(self, subject: Subject, site: Site, tests: Sequence[str], folder: Path) -> int:
        os.environ["PYTEST_DEBUG_TEMPROOT"] = str(folder)
        try:
            subject.apply(site)
        except NotApplicableError:
            return _UNABLE
        for name, after in zip(tests, [*tests[1:], None], strict=True):
            if _passes(self._items[name], self._items[after] if after else None) is False:
                (folder / "by").write_text(name)
                return 1
        return 0


def _passes(item: pytest.Item, after: pytest.Item | None) -> bool | None:
    """Run one test: whether it passes; None if it is skipped."""
    reports = runtestprotocol(item, log=False, nextitem=after)
    if any(report.failed for report in reports):
        return False
    return None if any(report.skipped for report in reports) else True


def _fork(work: Callable[[], int]) -> int:
    """Do *work* in a forked process group of its own, in silence; its process id."""
    with _quiet_fork():
        pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        os.setsid()
        silence = os.open(os.devnull, os.O_WRONLY)
        os.dup2(silence, 1)
        if not os.environ.get("MUTATION_DEBUG"):
            os.dup2(silence, 2)
        code = work()
    except BaseException:  # noqa: BLE001 - whatever it is, this process must not go on as its parent
        sys.excepthook(*sys.exc_info())
    os._exit(code)


@contextmanager
def _quiet_fork() -> Iterator[None]:
    with warnings.catch_warnings():
        # Python 3.12 warns of threads; whoever has some at collection has none that these tests need.
        warnings.simplefilter("ignore")
        yield
