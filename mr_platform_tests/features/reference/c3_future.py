"""The future in c3: its changes, range and volume profile, the same for every expiry."""

from __future__ import annotations

import math

from mr_platform_tests.features.reference.day import Day
from mr_platform_tests.features.reference.plain import clip, lag, ln, mean, ratio, sub, total
from mr_platform_tests.features.reference.strikes import (
    MINUTES,
    ZERO,
    Columns,
    Series,
    Value,
    nothing,
)

VALID_MINUTES = {5: 4, 15: 10}
RANGE_MEAN_BARS = 60
RANGE_MEAN_MIN = 30
PROFILE_MIN = 15
PROFILE_LIMIT = 10.0


class Future:
    """Series of the near-month future, and the columns that need nothing else."""

    def __init__(self, day: Day) -> None:
        minutes = range(MINUTES)
        self.close: Series = [day.fut(j) for j in minutes]
        self.high: Series = [day.fut_high(j) for j in minutes]
        self.low: Series = [day.fut_low(j) for j in minutes]
        self.volume: Series = [day.fut_volume(j) for j in minutes]
        self.oi: Series = [day.fut_oi(j) for j in minutes]
        self.columns = self._columns()

    def price_change(self, window: int) -> Series:
        """p_w: relative change of the close."""
        found = [ratio(self.close[j], lag(self.close, j, window)) for j in range(MINUTES)]
        return [None if x is None else x - 1 for x in found]

    def log_change(self, window: int) -> Series:
        """|ln(close(t) / close(t - w))|."""
        found = [ln(ratio(self.close[j], lag(self.close, j, window))) for j in range(MINUTES)]
        return [None if x is None else abs(x) for x in found]

    def interest_change(self, window: int) -> Series:
        """o_w: relative change of open interest."""
        return [
            ratio(sub(self.oi[j], lag(self.oi, j, window)), lag(self.oi, j, window))
            for j in range(MINUTES)
        ]

    def gross_change(self, window: int) -> Series:
        """G_w: the absolute change of open interest."""
        found = [sub(self.oi[j], lag(self.oi, j, window)) for j in range(MINUTES)]
        return [None if x is None else abs(x) for x in found]

    def volume_sum(self, window: int) -> Series:
        """V_w: volume of the last minutes."""
        return [
            total(self.volume[max(0, j - window + 1) : j + 1], VALID_MINUTES[window])
            for j in range(MINUTES)
        ]

    def _range(self, window: int) -> Series:
        """R: highest high less lowest low of the last minutes."""
        out = nothing()
        for j in range(MINUTES):
            bars = [
                (self.high[i], self.low[i])
                for i in range(max(0, j - window + 1), j + 1)
                if self.high[i] is not None and self.low[i] is not None
            ]
            if len(bars) >= VALID_MINUTES[window]:
                out[j] = max(high for high, _ in bars) - min(low for _, low in bars)
        return out

    def _range_ratio(self, window: int) -> Series:
        """Ln of R over its mean in the hour that ends a window ago."""
        ranges = self._range(window)
        out = nothing()
        for j in range(MINUTES):
            last = j - window
            if last < 0:
                continue
            usual = mean(ranges[max(0, last - RANGE_MEAN_BARS + 1) : last + 1], RANGE_MEAN_MIN)
            out[j] = ln(ratio(ranges[j], usual))
        return out

    def _profile_deviation(self, j: int) -> Value:
        """Where the close stands in the session's volume, in volume standard deviations."""
        if self.close[j] is None:
            return None
        bars = []
        for i in range(j + 1):
            bar = (self.high[i], self.low[i], self.close[i], self.volume[i])
            if all(x is not None for x in bar):
                bars.append(((bar[0] + bar[1] + bar[2]) / 3, bar[3]))
        volume = sum(v for _, v in bars)
        if len(bars) < PROFILE_MIN or abs(volume) < ZERO:
            return None
        first = bars[0][0]
        m = math.fsum(v * (y - first) for y, v in bars) / volume
        s = math.sqrt(math.fsum(v * (y - first - m) ** 2 for y, v in bars) / volume)
        return clip(ratio(self.close[j] - first - m, s), -PROFILE_LIMIT, PROFILE_LIMIT)

    def _columns(self) -> Columns:
        deviation = [self._profile_deviation(j) for j in range(MINUTES)]
        columns: Columns = {
            "c3_volume_profile_dev": deviation,
            "c3_volume_profile": [_profile_code(x) for x in deviation],
        }
        for window in (5, 15):
            columns[f"c3_range_ratio_{window}m"] = self._range_ratio(window)
        return columns


def _profile_code(deviation: Value) -> int | None:
    if deviation is None:
        return None
    if deviation > 1:
        return 1
    return -1 if deviation < -1 else 0
