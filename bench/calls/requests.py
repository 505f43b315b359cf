"""The calls that are sent: about one person or many, by a bearer key or signed, and the same to a peer."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from bench.calls.city import CODE, MATTER, City, key_of
from hub.signing import requests

if TYPE_CHECKING:
    import random
    from collections.abc import Sequence

HOST = "bench.invalid"


def http(path: str, body: bytes, headers: Sequence[str] = ()) -> bytes:
    lines = [f"POST {path} HTTP/1.1", f"Host: {HOST}", "Content-Type: application/json", *headers]
    return "\r\n".join([*lines, f"Content-Length: {len(body)}", "", ""]).encode() + body


def ours(city: City, draw: random.Random, size: int) -> bytes:
    keys: Any = [{"citizen_id": key_of(draw.randrange(city.rows))} for _ in range(size)]
    plain = {
        "keys": keys[0] if size == 1 else keys,
        "purpose": {"matter": MATTER, "case": "BJ-2026-1", "operator": "01"},
    }
    return http(f"/v1/resources/{CODE}:query", json.dumps(plain).encode(), [f"Authorization: Bearer {city.key}"])


def signed(city: City, draw: random.Random) -> bytes:
    """A request with a signature of its own: made before it is sent, and taken for 300 seconds."""
    keys = {"citizen_id": key_of(draw.randrange(city.rows))}
    body = json.dumps({"keys": keys, "purpose": {"matter": MATTER, "case": "BJ-2026-1", "operator": "01"}}).encode()
    path = f"/v1/resources/{CODE}:query"
    message = requests.Message("POST", "http", HOST, path, (("content-type", "application/json"),), body)
    fields = requests.sign(message, city.signer, created=datetime.now(UTC))
    return http(path, body, [f"{name}: {value}" for name, value in fields.items()])


def verification(city: City, draw: random.Random) -> bytes:
    number = draw.randrange(city.rows)
    plain = {
        "keys": {"citizen_id": key_of(number)},
        "claims": {"sex": "男" if number % 2 == 0 else "女", "ethnicity": "汉", "married": number % 3 == 0},
        "purpose": {"matter": MATTER, "case": "BJ-2026-1", "operator": "01"},
    }
    return http(f"/v1/resources/{CODE}:verify", json.dumps(plain).encode(), [f"Authorization: Bearer {city.key}"])


def peers(rows: int, size: int, draw: random.Random) -> bytes:
    return http("/query", json.dumps({"keys": [key_of(draw.randrange(rows)) for _ in range(size)]}).encode())
