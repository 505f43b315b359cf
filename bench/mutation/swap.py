"""Put a mutant into a process in which the module is loaded already; whoever calls it throws the process away."""

from __future__ import annotations

import ast
import gc
import sys
from pathlib import Path
from types import CodeType, FunctionType
from typing import TYPE_CHECKING

from bench.mutation.operators import MODULE, Mutant, Site, sites

if TYPE_CHECKING:
    from types import ModuleType


class NotApplicableError(Exception):
    """The change cannot be made in a running process, such as one that takes a variable from a closure."""


class Subject:
    """A loaded module with its changes; `apply` makes one of them."""

    def __init__(self, module: ModuleType) -> None:
        self.module = module
        self.file = str(module.__file__)
        self._tree = ast.parse(Path(self.file).read_text(encoding="utf-8"))
        self.sites: list[Site] = sites(self._tree, module.__name__)

    def apply(self, site: Site) -> None:
        """Make the change for this process.

        A function's code is exchanged wherever the function is held already. A module's constant is worked out again
        and put where it is known under its name; what other constants were made of it stays.

        Raises:
            NotApplicableError: see there.
        """
        old = site.swap(site.value)
        try:
            if site.mutant.where == MODULE:
                self._constant(site.mutant)
            else:
                self._function(site.mutant)
        finally:
            site.swap(old)

    def _constant(self, mutant: Mutant) -> None:
        for statement in self._tree.body:
            if not isinstance(statement, ast.Assign | ast.AnnAssign) or statement.value is None:
                continue
            if not statement.lineno <= mutant.lines[0] <= (statement.end_lineno or statement.lineno):
                continue
            target = statement.targets[0] if isinstance(statement, ast.Assign) else statement.target
            if not isinstance(target, ast.Name):
                raise NotApplicableError
            code = compile(ast.Expression(statement.value), self.file, "eval")
            try:
                new = eval(code, dict(vars(self.module)))  # noqa: S307 - our own module's text
            except Exception as error:
                raise NotApplicableError from error
            old = getattr(self.module, target.id)
            for other in list(sys.modules.values()):
                names = getattr(other, "__dict__", {})
                if names.get(target.id) is old:
                    names[target.id] = new
            return
        raise NotApplicableError

    def _function(self, mutant: Mutant) -> None:
        new = _code(compile(self._tree, self.file, "exec"), mutant.where)
        found = False
        for held in gc.get_objects():
            if isinstance(held, FunctionType):
                code = held.__code__
                if (code.co_filename, code.co_qualname, code.co_firstlineno) == (
                    self.file,
                    mutant.where,
                    new.co_firstlineno,
                ):
                    if code.co_freevars != new.co_freevars:
                        raise NotApplicableError
                    held.__code__ = new
                    found = True
        if not found:
            raise NotApplicableError


def _code(whole: CodeType, where: str) -> CodeType:
    for constant in whole.co_consts:
        if isinstance(constant, CodeType):
            if constant.co_qualname == where:
                return constant
            if where.startswith(f"{constant.co_qualname}."):
                return _code(constant, where)
    raise NotApplicableError
