"""Fuzz the targets of `bench/fuzz.py` with libFuzzer, which keeps what reaches new code and goes on from it.

    python -m bench.fuzzing.guided [--minutes N] [--jobs N] [--licences] [--keep] [TARGET ...]

Each target runs in a process of its own for so many minutes of *processor* time, so that a busy machine takes nothing
from it. It begins from its samples and from what earlier runs kept in `bench/fuzz_corpus/grown/`; `--keep` merges what
was found into that. What breaks a promise is left as a file beside the log that names it, and the exit code is 1. The
last line is JSON: inputs, and the edges of the code reached at first and at last, by target. Wants `atheris`, which is
no part of the lock (Apache-2.0; Linux).
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import lzma
import os
import re
import shlex
import signal
import subprocess
import sys
import tarfile
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from bench.fuzzing import corpus

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bench.fuzzing.target import Target

GROWN: Final = corpus.FOLDER / "grown"
INSTRUMENTED: Final = ("licence", "audit", "catalog", "hub")
# A reader refuses what is longer long before this; libFuzzer begins with short inputs anyhow.
MAX_INPUT_BYTES: Final = 64 * 1024
# The slowest of the tiresome inputs takes two seconds of an unburdened processor.
TIMEOUT_S: Final = 60
RSS_LIMIT_MB: Final = 3_000
# Of one target in the repository; the least of what reaches the same code is kept.
KEPT_BYTES: Final = 400_000
_REACHED = re.compile(r"^#\d+\s+\S+\s+cov: (\d+)", re.MULTILINE)
_FED = re.compile(r"stat::number_of_executed_units:\s+(\d+)")


def main(arguments: Sequence[str] | None = None) -> int:
    """Fuzz the targets one after another, `--jobs` at a time; 1 if a promise was broken."""
    parser = argparse.ArgumentParser(prog="python -m bench.fuzzing.guided", description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=10, help="of processor time, for each target")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--licences", action="store_true", help="the readers of licences, seals and documents alone")
    parser.add_argument("--keep", action="store_true", help="merge what was found into the corpus")
    parser.add_argument("--work", type=Path, help="logs, and what broke a promise; a new folder without it")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("names", nargs="*", metavar="TARGET")
    options, rest = parser.parse_known_args(arguments)
    if options.child:
        _fuzz(options.names[0], 60 * options.minutes, rest)
    from bench.fuzz import targets  # noqa: PLC0415 - the child must load its readers instrumented
    from bench.fuzzing import licences  # noqa: PLC0415

    known = {one.name for one in licences.targets()} if options.licences else set(targets())
    if unknown := set(options.names) - set(targets()):
        parser.error(f"no target {', '.join(sorted(unknown))}")
    work = options.work or Path(tempfile.mkdtemp(prefix="fuzz-"))
    work.mkdir(parents=True, exist_ok=True)
    print(f"logs and findings: {work}", flush=True)
    names = options.names or sorted(known)
    with ThreadPoolExecutor(options.jobs) as pool:
        rows = pool.map(lambda name: _run(name, options.minutes, work, keep=options.keep), names)
        done = dict(zip(names, rows, strict=True))
    broken = sorted(name for name, found in done.items() if found["broken"])
    print(json.dumps({"targets": done, "broken": broken}, sort_keys=True))
    return 1 if broken else 0


def _run(name: str, minutes: float, work: Path, *, keep: bool) -> dict[str, Any]:
    """Fuzz one target in a child; what it did."""
    seeds, found, begun = work / name / "seeds", work / name / "found", time.monotonic()
    for folder in (seeds, found):
        folder.mkdir(parents=True, exist_ok=True)
    for data in (*_target(name).samples, *grown(name).values()):
        _put(seeds, data)
    log = work / f"{name}.log"
    command = [sys.executable, "-m", __spec__.name, "--child", "--minutes", str(minutes), name]
    limits = [
        f"-max_len={MAX_INPUT_BYTES}",
        f"-timeout={TIMEOUT_S}",
        f"-rss_limit_mb={RSS_LIMIT_MB}",
        "-print_final_stats=1",
    ]
    with log.open("w") as out:
        code = subprocess.run(
            [*command, *limits, f"-artifact_prefix={work}/{name}-", str(found), str(seeds)],
            stdout=out,
            stderr=subprocess.STDOUT,
            check=False,
        ).returncode
    text = log.read_text(errors="replace")
    fed = [int(number) for number in _FED.findall(text)]
    edges = [int(number) for number in _REACHED.findall(text)] or [0]
    row: dict[str, Any] = {
        "inputs": sum(fed),
        "edges": [edges[0], edges[-1]],
        "kept": len(list(found.iterdir())),
        "broken": code != 0,
    }
    if keep and not code:
        row["corpus_bytes"] = _keep(name, found, seeds, work)
    told = f"{name:<24}{row['inputs']:>10,} inputs  edges {edges[0]} to {edges[-1]}"
    print(f"{told}  {'BROKEN, see ' + str(log) if code else 'held'}  {time.monotonic() - begun:.0f} s", flush=True)
    return row


def _fuzz(name: str, cpu_s: float, rest: Sequence[str]) -> None:
    """The child: hand the process over to libFuzzer, which ends it."""
    import atheris  # noqa: PLC0415 - no part of the lock: Linux alone

    with atheris.instrument_imports(include=list(INSTRUMENTED)):
        target = _target(name)
    ended, until = False, time.process_time() + cpu_s

    def feed(data: bytes) -> None:
        nonlocal ended
        target(data)
        if not ended and time.process_time() > until:
            ended = True
            os.kill(os.getpid(), signal.SIGUSR1)  # libFuzzer then ends as if its work were done

    # Merging, libFuzzer starts itself again by what it takes for its own name, through a shell.
    myself = shlex.join([sys.executable, "-m", __spec__.name, "--child", "--minutes", "1e9", name])
    atheris.Setup([myself, *rest], feed)
    atheris.Fuzz()
    raise AssertionError  # it never returns


def _target(name: str) -> Target:
    from bench.fuzzing import licences  # noqa: PLC0415

    of_licences = {one.name: one for one in licences.targets()}
    if name in of_licences:
        return of_licences[name]
    from bench.fuzz import targets  # noqa: PLC0415 - the hub with it, which takes a while

    return targets()[name]


def grown(name: str) -> Mapping[str, bytes]:
    """What earlier runs kept for the target *name*, by file name."""
    file = GROWN / f"{name}.tar.xz"
    if not file.exists():
        return {}
    with tarfile.open(file) as archive:
        members = {member.name: archive.extractfile(member) for member in archive.getmembers()}
        return {inner: reader.read() for inner, reader in members.items() if reader is not None}


def _keep(name: str, found: Path, seeds: Path, work: Path) -> int:
    """Merge what was found and what there was into the least that reaches as much; the bytes of it."""
    least = work / name / "least"
    least.mkdir(exist_ok=True)
    command = [sys.executable, "-m", __spec__.name, "--child", "--minutes", "1e9", name, "-merge=1"]
    with (work / f"{name}.merge.log").open("w") as out:
        subprocess.run(
            [*command, f"-max_len={MAX_INPUT_BYTES}", str(least), str(seeds), str(found)],
            stdout=out,
            stderr=subprocess.STDOUT,
            check=True,
        )
    known = {hashlib.sha1(data, usedforsecurity=False).hexdigest() for data in _target(name).samples}
    files = sorted(
        (path for path in least.iterdir() if path.name not in known), key=lambda p: (p.stat().st_size, p.name)
    )
    while len(packed := _packed(files)) > KEPT_BYTES:
        files = files[: len(files) * 3 // 4]
    GROWN.mkdir(exist_ok=True)
    (GROWN / f"{name}.tar.xz").write_bytes(packed)
    return len(packed)


def _packed(files: Sequence[Path]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for path in files:
            info = tarfile.TarInfo(path.name)
            info.size = path.stat().st_size
            archive.addfile(info, io.BytesIO(path.read_bytes()))
    return lzma.compress(out.getvalue(), preset=9)


def _put(folder: Path, data: bytes) -> None:
    # As libFuzzer names its files, so that the same bytes are there once.
    (folder / hashlib.sha1(data, usedforsecurity=False).hexdigest()).write_bytes(data)


if __name__ == "__main__":
    sys.exit(main())
