"""Processes that die at a chosen write, for the tests of what a kill leaves: SIGKILL, so that nothing of ours runs on.

Each death takes place in a child that is forked for it, at the n-th call that changes a file: before it, which is also
after the one before, or in the midst of it if it writes bytes.
"""

from __future__ import annotations

import itertools
import os
import shutil
import signal

WRITES = (
    *("pwrite", "write", "fsync", "fdatasync", "ftruncate"),
    *("replace", "rename", "unlink", "remove", "mkdir", "rmdir"),
)
BEFORE, AMID = "before", "amid"
MOST = 400
NOT_THERE = 3


def deaths(start, scene, act):
    """Let a child do *act* in *scene*, a copy of the folder *start*, and die; for every moment it can die at.

    Gives the moment, once the child is dead, until a child did it all: then the last moment is "".
    """
    for number in range(MOST):
        for moment in (BEFORE, AMID):
            shutil.rmtree(scene, ignore_errors=True)
            shutil.copytree(start, scene)
            ended = _ended(act, scene, number, moment)
            assert ended in (0, NOT_THERE, -signal.SIGKILL), f"the child failed {moment} write {number}"
            if ended == 0:
                yield ""
                return
            if ended != NOT_THERE:
                yield f"{moment} write {number}"
    raise AssertionError("it writes more often than expected")


def _ended(act, scene, number, moment):
    child = os.fork()
    if child == 0:
        status = 1
        try:
            _arm(number, moment)
            act(scene)
            status = 0
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _arm(number, moment):
    """Let *number* writes of this process pass, and end it at the next."""
    turns = itertools.count()
    for name in WRITES:
        setattr(os, name, _armed(getattr(os, name), name, turns, number, moment))


def _armed(real, name, turns, number, moment):
    def call(*arguments, **named):
        if next(turns) == number:
            if moment == AMID:
                if name not in ("pwrite", "write"):
                    os._exit(NOT_THERE)
                fd, data, *rest = arguments
                real(fd, bytes(data)[: len(data) // 2], *rest)
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*arguments, **named)

    return call
