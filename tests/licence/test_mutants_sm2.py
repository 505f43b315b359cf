"""SM2 in Python alone against the group law as it is taught, and at the places where formulae in it are special."""

from __future__ import annotations

import itertools

import pytest

from licence.sm2 import curve, pure
from licence.sm2.curve import GX, GY, N, P

G = (GX, GY)


def plus(first, second):
    """The group law in affine coordinates, by slopes; None is the point at infinity."""
    if first is None or second is None:
        return second if first is None else first
    (x1, y1), (x2, y2) = first, second
    if x1 == x2 and (y1 + y2) % P == 0:
        return None
    slope = (3 * x1 * x1 + curve.A) * pow(2 * y1, -1, P) if first == second else (y2 - y1) * pow(x2 - x1, -1, P)
    x3 = (slope * slope - x1 - x2) % P
    return x3, (slope * (x1 - x3) - y1) % P


def times(scalar, point=G):
    total = None
    for bit in f"{scalar:b}" if scalar else "":
        total = plus(total, total)
        if bit == "1":
            total = plus(total, point)
    return total


def encoded(point):
    return b"\x04" + b"".join(v.to_bytes(32, "big") for v in point)


def affine(point):
    return None if point[2] == 0 else pure._affine(point)


SCALARS = [1, 2, 3, 63, 64, 65, 127, 128, 129, 2**255 + 12345, N - 1, N - 2, 0x5A5A5A << 200]
SECRET = 0xC0FFEE
KEY = times(SECRET)


@pytest.mark.parametrize("s", SCALARS)
@pytest.mark.parametrize("t", [0, 1, 15, 16, 17, 31, 32, N - 1])
def test_sums_of_products_are_those_of_the_group(s, t):
    found = pure._sum_of_products(s, t, encoded(KEY))
    assert affine(found) == plus(times(s), times(t, KEY))


def test_opposite_products_meet_at_infinity():
    assert pure._sum_of_products(SECRET, N - 1, encoded(KEY))[2] == 0
    assert pure._sum_of_products(0, 0, encoded(KEY)) == (1, 1, 0)


@pytest.mark.parametrize("width", [5, 7])
def test_windows_are_odd_and_apart_and_add_up(width):
    for scalar in (*SCALARS, 0, N):
        digits = pure._signed_windows(scalar, width)
        assert sum(d << i for i, d in enumerate(digits)) == scalar
        places = [i for i, d in enumerate(digits) if d]
        assert all(digits[i] % 2 and abs(digits[i]) < 1 << (width - 1) for i in places)
        assert all(b - a >= width for a, b in itertools.pairwise(places))
        assert not digits or digits[-1]


@pytest.mark.parametrize("width", [5, 7])
def test_tables_hold_the_odd_multiples_a_window_needs(width):
    table = pure._table(GX, GY, width)
    assert table == tuple(times(n) for n in range(1, 1 << (width - 1), 2))
    for digit in range(1, 1 << (width - 1), 2):
        x, y = times(digit)
        assert (pure._of_table(table, digit), pure._of_table(table, -digit)) == ((x, y), (x, P - y))
    assert len(pure._table_of_key(encoded(KEY))) == 8


@pytest.mark.parametrize("z", [1, 2, 0xABCDEF])
def test_steps_are_those_of_the_group_whatever_the_scale(z):
    def scaled(point):
        return point[0] * z * z % P, point[1] * z**3 % P, z

    for n in (1, 2, 5):
        assert affine(pure._double(scaled(times(n)))) == times(2 * n)
        for m in (1, 2, 3):
            assert affine(pure._add(scaled(times(n)), times(m))) == times(n + m)
        assert affine(pure._add(scaled(times(n)), (times(n)[0], P - times(n)[1]))) is None
    assert pure._add((7, 9, 0), G) == (*G, 1)
    assert pure._double((1, 1, 0))[2] == 0


class TestVerifies:
    data = b"message digest"

    @pytest.fixture
    def signature(self):
        """GB/T 32918.2 §6.1, step by step."""
        e = int.from_bytes(curve.sm3(curve.user_digest(encoded(KEY)) + self.data), "big")
        k = 0xBADC0DE
        r = (e + times(k)[0]) % N
        return r, pow(1 + SECRET, -1, N) * (k - r * SECRET) % N

    def test_what_was_signed_and_nothing_else(self, signature):
        point = encoded(KEY)
        r, s = signature
        assert pure.verifies(point, r, s, self.data)
        for wrong in ((r + 1, s), (r, s + 1), (s, r), (r, N - s), (N - r, s)):
            assert not pure.verifies(point, *wrong, self.data)
        assert not pure.verifies(point, r, s, self.data + b"x")
        assert not pure.verifies(encoded(times(SECRET + 1)), r, s, self.data)

    def test_r_plus_s_of_n_is_refused_where_all_else_fits(self, monkeypatch):
        # With t = 0 the point is s·G: choose the digest so that r fits.
        point, s = encoded(KEY), 54321
        r = N - s
        e = (r - times(s)[0]) % N
        monkeypatch.setattr(pure, "sm3", lambda _: e.to_bytes(32, "big"))
        assert not pure.verifies(point, r, s, b"")

    def test_the_point_at_infinity_is_refused_where_all_else_fits(self, monkeypatch):
        # s·G + t·P = 0 where s = -t·d: any x taken for it must not do.
        t = 777
        s = (-t * SECRET) % N
        r = (t - s) % N
        monkeypatch.setattr(pure, "_affine", lambda _: (0, 0))
        monkeypatch.setattr(pure, "sm3", lambda _: r.to_bytes(32, "big"))
        assert not pure.verifies(encoded(KEY), r, s, b"")

    def test_it_is_the_digest_of_signer_and_data(self, monkeypatch):
        asked = []
        monkeypatch.setattr(pure, "sm3", lambda data: asked.append(data) or bytes(32))
        pure.verifies(encoded(KEY), 1, 2, b"data")
        assert asked == [curve.user_digest(encoded(KEY)) + b"data"]
