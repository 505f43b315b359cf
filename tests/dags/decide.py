"""Asks the DAGs' retry policy about every error there is, in a process of its own, and prints what it said as JSON."""

from __future__ import annotations

import importlib
import json
import sys
import warnings

warnings.simplefilter("ignore")
sys.path.append(sys.argv[1])

import zhengtong_shared  # noqa: E402


def errors():
    for name in ("connectors.errors", "warehouse.errors", "hub.errors"):
        for value in vars(importlib.import_module(name)).values():
            if isinstance(value, type) and issubclass(value, Exception) and value.__module__ == name:
                yield value


def decide(kind, **params):
    error = kind.__new__(kind)
    error.params = params
    decision = zhengtong_shared.RETRY_POLICY.evaluate(error, 1, 3)
    return [decision.action.value, decision.retry_delay and decision.retry_delay.total_seconds()]


told = {f"{kind.__module__}.{kind.__name__}": decide(kind) for kind in [*errors(), OSError]}
down = importlib.import_module("connectors.errors").SourceUnavailableError
print(json.dumps({"told": told, "asked_to_wait": decide(down, retry_after_s=90.0)}))
