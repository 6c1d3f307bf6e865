"""Sums over the strikes of c3, of each leg and window: the strikes of t at both ends."""

from __future__ import annotations

import datetime

from mr_platform_tests.features.reference.day import Day
from mr_platform_tests.features.reference.plain import ratio, sub
from mr_platform_tests.features.reference.strikes import (
    CHAIN_STRIKES,
    MINUTES,
    NEAR_STRIKES,
    Row,
    Series,
    StrikeGrid,
    Value,
    nothing,
)

LEGS = ("ce", "pe")
VOLUME_MIN = {5: 4, 15: 10}
SLOPE_MIN = {3: 3, 5: 4, 15: 10}


def own_rank(row: Row, leg: str) -> int:
    """Rank by the leg's own label: OTMn +n, ITMn -n."""
    return row["k"] if leg == "ce" else -row["k"]


class OpenInterestDay:
    """One expiry's day, with the sums of the catalogue, each computed once."""

    def __init__(self, day: Day, expiry: datetime.date) -> None:
        self.day = day
        self.expiry = expiry
        self.grid = StrikeGrid(day, expiry)
        self.near = [self.grid.near(j) for j in range(MINUTES)]
        self.chain = self.grid.rows
        self.spot: Series = [day.spot(j) for j in range(MINUTES)]
        self._kept: dict[tuple, Series] = {}

    # ---- one minute ----
    def near_oi(self, leg: str, j: int) -> list[tuple[Row, float]] | None:
        """(row, oi) of the near strikes; None below 10 of them."""
        found = [(row, row[f"{leg}_oi"]) for row in self.near[j] if row[f"{leg}_oi"] is not None]
        return found if len(found) >= NEAR_STRIKES else None

    def oi(self, leg: str) -> Series:
        """OI_leg: sum over W."""
        return self._once(("oi", leg), lambda j: _sum(self.near_oi(leg, j)))

    def chain_oi(self, leg: str, j: int) -> list[tuple[Row, float]] | None:
        """(row, oi) of the chain; None below 15 strikes."""
        found = [(row, row[f"{leg}_oi"]) for row in self.chain[j] if row[f"{leg}_oi"] is not None]
        return found if len(found) >= CHAIN_STRIKES else None

    # ---- changes, on the strikes of t ----
    def ends(self, leg: str, column: str, j: int, window: int) -> list[tuple[Row, float, float]]:
        """(row, value at t, value at t-w) of the near strikes valid at both ends."""
        name = f"{leg}_{column}"
        found = []
        for row in self.near[j]:
            then = self.grid.cell(row["strike"], j - window, name)
            if row[name] is not None and then is not None:
                found.append((row, row[name], then))
        return found

    def _enough_ends(
        self, leg: str, column: str, j: int, window: int
    ) -> list[tuple[Row, float, float]] | None:
        found = self.ends(leg, column, j, window)
        return found if len(found) >= NEAR_STRIKES else None

    def change(self, leg: str, window: int) -> Series:
        """D_w: change of open interest."""

        def at(j: int) -> Value:
            found = self._enough_ends(leg, "oi", j, window)
            return None if found is None else sum(now - then for _, now, then in found)

        return self._once(("D", leg, window), at)

    def base(self, leg: str, window: int) -> Series:
        """B_w: open interest of the same strikes at t-w."""

        def at(j: int) -> Value:
            found = self._enough_ends(leg, "oi", j, window)
            return None if found is None else sum(then for _, _, then in found)

        return self._once(("B", leg, window), at)

    def gross(self, leg: str, window: int) -> Series:
        """G_w: sum of absolute changes of open interest."""

        def at(j: int) -> Value:
            found = self._enough_ends(leg, "oi", j, window)
            return None if found is None else sum(abs(now - then) for _, now, then in found)

        return self._once(("G", leg, window), at)

    def interest_change(self, series: str, window: int) -> Series:
        """o_w of a leg, or of the net."""

        def at(j: int) -> Value:
            if series != "net":
                return ratio(self.change(series, window)[j], self.base(series, window)[j])
            d_pe, d_ce = self.change("pe", window)[j], self.change("ce", window)[j]
            if d_pe is None or d_ce is None:
                return None
            return ratio(d_pe - d_ce, self.base("ce", window)[j] + self.base("pe", window)[j])

        return self._once(("o", series, window), at)

    def price_change(self, leg: str, window: int) -> Series:
        """p_w: change of the closes over their sum at t-w."""

        def at(j: int) -> Value:
            found = self._enough_ends(leg, "close", j, window)
            if found is None:
                return None
            changed = sum(now - then for _, now, then in found)
            return ratio(changed, sum(then for _, _, then in found))

        return self._once(("p", leg, window), at)

    def volume(self, leg: str, window: int) -> Series:
        """V_w: volume of the strikes of t over the last minutes."""

        def at(j: int) -> Value:
            sums = []
            for row in self.near[j]:
                volumes = self._valid(row["strike"], f"{leg}_volume", j - window + 1, j)
                if len(volumes) >= VOLUME_MIN[window]:
                    sums.append(sum(v for _, v in volumes))
            return sum(sums) if len(sums) >= NEAR_STRIKES else None

        return self._once(("V", leg, window), at)

    def velocity(self, leg: str, window: int) -> Series:
        """Sum of the strikes' least-squares slopes over the sum of their mean open interest."""

        def at(j: int) -> Value:
            slopes, means = [], []
            for row in self.near[j]:
                points = self._valid(row["strike"], f"{leg}_oi", j - window, j)
                if len(points) < SLOPE_MIN[window]:
                    continue
                n = len(points)
                sum_j = sum(i for i, _ in points)
                sum_x = sum(x for _, x in points)
                top = n * sum(i * x for i, x in points) - sum_j * sum_x
                slopes.append(top / (n * sum(i * i for i, _ in points) - sum_j**2))
                means.append(sum_x / n)
            if len(slopes) < NEAR_STRIKES:
                return None
            return ratio(100 * sum(slopes), sum(means))

        return self._once(("velocity", leg, window), at)

    def acceleration(self, leg: str, window: int) -> Series:
        """Second difference of open interest over its value two windows ago, percent."""

        def at(j: int) -> Value:
            found = []
            for row, now, middle in self.ends(leg, "oi", j, window):
                first = self.grid.cell(row["strike"], j - 2 * window, f"{leg}_oi")
                if first is not None:
                    found.append((now - 2 * middle + first, first))
            if len(found) < NEAR_STRIKES:
                return None
            return ratio(100 * sum(d for d, _ in found), sum(first for _, first in found))

        return self._once(("acceleration", leg, window), at)

    def _valid(self, strike: float, column: str, first: int, last: int) -> list[tuple[int, float]]:
        """(minute, value) of a strike's valid minutes first..last of the session."""
        found = []
        for i in range(max(first, 0), last + 1):
            value = self.grid.cell(strike, i, column)
            if value is not None:
                found.append((i, value))
        return found

    # ---- both legs ----
    def both(self, what: str, window: int) -> Series:
        """Sum of both legs of change, base, gross or volume."""
        ce, pe = getattr(self, what)("ce", window), getattr(self, what)("pe", window)
        return [None if a is None or b is None else a + b for a, b in zip(ce, pe, strict=True)]

    def put_less_call(self, window: int) -> Series:
        """D_w of the puts less that of the calls."""
        ce, pe = self.change("ce", window), self.change("pe", window)
        return [sub(b, a) for a, b in zip(ce, pe, strict=True)]

    def _once(self, key: tuple, at) -> Series:
        """A series, computed at the first call and kept."""
        if key not in self._kept:
            out = nothing()
            for j in range(MINUTES):
                if self.chain[j]:
                    out[j] = at(j)
            self._kept[key] = out
        return self._kept[key]


def _sum(found: list[tuple[Row, float]] | None) -> Value:
    return None if found is None else sum(oi for _, oi in found)
