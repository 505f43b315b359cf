"""SM2 verification in Python alone, for machines whose libcrypto lacks SM2. It signs nothing.

Only public values pass through, so its running time may depend on them; signing would have to be done in constant
time, which Python's integers do not offer. Encodings and point checks are left to `licence.sm2.curve`.
"""

from __future__ import annotations

from functools import lru_cache

from licence.sm2.curve import GX, GY, N, P, coordinates, sm3, user_digest

# Widths of the signed windows: the base point's table is made once, a key's once for each of the keys kept.
_BASE_WIDTH = 7
_KEY_WIDTH = 5
_KEYS_KEPT = 64

# A point in Jacobian coordinates, (x / z², y / z³), where z = 0 is the point at infinity; or in affine ones.
_Jacobian = tuple[int, int, int]
_Affine = tuple[int, int]
_INFINITY: _Jacobian = (1, 1, 0)


def verifies(point: bytes, r: int, s: int, data: bytes) -> bool:
    """Whether (r, s), both from 1 to n - 1, is the signature of the key *point* over *data* (GB/T 32918.2 §7.1)."""
    e = int.from_bytes(sm3(user_digest(point) + data), "big")
    t = (r + s) % N
    if t == 0:
        return False
    total = _sum_of_products(s, t, point)
    return total[2] != 0 and (e + _affine(total)[0]) % N == r


def _sum_of_products(s: int, t: int, point: bytes) -> _Jacobian:
    """s·G + t·point, both scalars in one row of doublings."""
    base, key = _table(GX, GY, _BASE_WIDTH), _table_of_key(point)
    of_base, of_key = _signed_windows(s, _BASE_WIDTH), _signed_windows(t, _KEY_WIDTH)
    length = max(len(of_base), len(of_key))
    of_base += [0] * (length - len(of_base))
    of_key += [0] * (length - len(of_key))
    total = _INFINITY
    for b, k in zip(reversed(of_base), reversed(of_key), strict=True):
        total = _double(total)
        if b:
            total = _add(total, _of_table(base, b))
        if k:
            total = _add(total, _of_table(key, k))
    return total


def _signed_windows(scalar: int, width: int) -> list[int]:
    """The width-w non-adjacent form of *scalar*, least significant first: zeros and odd numbers."""
    digits = []
    size = 1 << width
    while scalar:
        digit = 0
        if scalar & 1:
            digit = scalar % size
            if digit >= size // 2:
                digit -= size
            scalar -= digit
        digits.append(digit)
        scalar >>= 1
    return digits


def _of_table(table: tuple[_Affine, ...], digit: int) -> _Affine:
    x, y = table[abs(digit) >> 1]
    return (x, y) if digit > 0 else (x, P - y)


@lru_cache(maxsize=_KEYS_KEPT)
def _table_of_key(point: bytes) -> tuple[_Affine, ...]:
    return _table(*coordinates(point), _KEY_WIDTH)


@lru_cache(maxsize=_KEYS_KEPT)
def _table(x: int, y: int, width: int) -> tuple[_Affine, ...]:
    """1, 3, 5 … times the point, as many as a signed window of *width* needs."""
    twice = _affine(_double((x, y, 1)))
    table = [(x, y)]
    while len(table) < 1 << (width - 2):
        table.append(_affine(_add((*table[-1], 1), twice)))
    return tuple(table)


def _affine(point: _Jacobian) -> _Affine:
    x, y, z = point
    inverse = pow(z, -1, P)
    square = inverse * inverse % P
    return x * square % P, y * square * inverse % P


def _double(point: _Jacobian) -> _Jacobian:
    """Twice *point*; the curve's a is -3."""
    x, y, z = point
    delta = z * z % P
    gamma = y * y % P
    beta = x * gamma % P
    alpha = 3 * (x - delta) * (x + delta) % P
    x3 = (alpha * alpha - 8 * beta) % P
    return x3, (alpha * (4 * beta - x3) - 8 * gamma * gamma) % P, 2 * y * z % P


def _add(point: _Jacobian, other: _Affine) -> _Jacobian:
    x1, y1, z1 = point
    x2, y2 = other
    if z1 == 0:
        return x2, y2, 1
    square = z1 * z1 % P
    h = (x2 * square - x1) % P
    r = (y2 * square * z1 - y1) % P
    if h == 0:
        return _double(point) if r == 0 else _INFINITY
    hh = h * h % P
    hhh = h * hh % P
    v = x1 * hh % P
    x3 = (r * r - hhh - 2 * v) % P
    return x3, (r * (v - x3) - y1 * hhh) % P, z1 * h % P
