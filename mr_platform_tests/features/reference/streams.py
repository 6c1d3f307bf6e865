"""Earlier days read from the history tables, and the streams D-2, D-1, D in plain loops.

Here: what components 5 and 7 share. Not here: kernels (plain.py), today's chain (day.py).
"""

from __future__ import annotations

import datetime
import math
from dataclasses import dataclass, field
from typing import Any

from mr_platform_tests.features.reference.day import Day, History
from mr_platform_tests.features.reference.plain import (
    ZERO,
    ema_series,
    macd,
    msr,
    ratio,
    sqrt,
    valid,
)

MINUTES = 375
LAST_OPEN_MINUTE = 15  # the bar labelled 09:30
BUCKETS = ("near", "mid", "far")

Value = float | None
Series = list[Value]
Triple = tuple[float, float, float]  # high, low, close of a day or a week
Row = dict[str, Any]


# ---------------------------------------------------------------- small rules


def valid_in(values: Series, j: int, minutes: int) -> list[float]:
    """The non-null values of the minutes j-minutes+1..j of the session."""
    return valid(values[max(0, j - minutes + 1) : j + 1])


def so_far(values: Series, j: int) -> list[float]:
    """The non-null values of the session up to minute j."""
    return valid_in(values, j, j + 1)


def open_value(values: Series) -> Value:
    """First valid close, at the bar labelled 09:30 at the latest."""
    for value in values[: LAST_OPEN_MINUTE + 1]:
        if value is not None:
            return value
    return None


def weighted_spread(values: list[float], weights: list[float]) -> tuple[Value, Value]:
    """Weighted mean and standard deviation; 0 where the variance counts as zero."""
    total = sum(weights)
    if abs(total) < ZERO:
        return None, None
    mean = sum(w * x for w, x in zip(weights, values, strict=True)) / total
    variance = sum(w * (x - mean) ** 2 for w, x in zip(weights, values, strict=True)) / total
    squares = sum(w * x * x for w, x in zip(weights, values, strict=True)) / total
    if variance <= ZERO * squares:
        return mean, 0.0
    return mean, math.sqrt(variance)


# ---------------------------------------------------------------- earlier days


@dataclass
class Past:
    """The history tables of one symbol, indexed by the n-th previous trading day."""

    dates: dict[int, datetime.date] = field(default_factory=dict)
    daily_rows: dict[tuple[int, datetime.date], Row] = field(default_factory=dict)
    minute_rows: dict[tuple[int, datetime.date, int], Row] = field(default_factory=dict)
    zone_rows: dict[tuple[int, str, str], Row] = field(default_factory=dict)

    def expiries(self, n: int) -> list[datetime.date]:
        """Expiries with a daily row n trading days ago, ascending."""
        return sorted(expiry for day, expiry in self.daily_rows if day == n)

    def bar(self, n: int, expiry: datetime.date, prefix: str) -> Triple | None:
        """High, low, close of a series of one expiry n trading days ago; null if one is."""
        row = self.daily_rows.get((n, expiry))
        if row is None:
            return None
        parts = (row[f"{prefix}_high"], row[f"{prefix}_low"], row[f"{prefix}_close"])
        return None if any(part is None for part in parts) else parts

    def spot_bar(self, n: int) -> Triple | None:
        """The same of spot, from the first expiry that has it."""
        for expiry in self.expiries(n):
            bar = self.bar(n, expiry, "spot")
            if bar is not None:
                return bar
        return None

    def week(self, today: datetime.date, expiry: datetime.date | None) -> Triple | None:
        """High, low, close of the previous ISO week; needs two days with prices."""
        monday = today - datetime.timedelta(days=today.weekday() + 7)
        bars = []
        for n in sorted(self.dates, reverse=True):
            if monday <= self.dates[n] < monday + datetime.timedelta(days=7):
                bar = self.spot_bar(n) if expiry is None else self.bar(n, expiry, "strd")
                if bar is not None:
                    bars.append(bar)
        if len(bars) < 2:
            return None
        return max(b[0] for b in bars), min(b[1] for b in bars), bars[-1][2]


def read_past(day: Day, history: History) -> Past:
    """Index what the streams and the levels need of the history tables."""
    past = Past(dates={n: date for date, n in history.back.items()})
    for row in rows_of(day, history, "hist_daily"):
        past.daily_rows[(history.back[row["date"]], row["expiry_date"])] = row
    for row in rows_of(day, history, "hist_zone"):
        key = (history.back[row["date"]], row["dte_bucket"], row["zone_name"])
        past.zone_rows[key] = row
    for row in rows_of(day, history, "hist_minute"):
        n = history.back[row["date"]]
        if n <= 2:
            past.minute_rows[(n, row["expiry_date"], row["j"])] = row
    return past


def rows_of(day: Day, history: History, table: str) -> list[Row]:
    """Rows of a table about earlier trading days of the day's symbol."""
    frame = history.tables.get(table)
    if frame is None:
        return []
    return [
        row
        for row in frame.iter_rows(named=True)
        if row["symbol"] == day.symbol and row["date"] < day.date and row["date"] in history.back
    ]


# ---------------------------------------------------------------- streams


@dataclass
class Bars:
    """One asset along the stream D-2, D-1, D: 1125 values each, today the last 375."""

    price: Series  # P: spot or strd
    close: Series  # what ATR is divided by: fut or strd
    high: Series
    low: Series
    true_range: Series


def underlying_bars(day: Day, past: Past) -> Bars:
    """Spot for the price, the future for range; a minute is read from its first expiry."""
    price: Series = []
    close: Series = []
    high: Series = []
    low: Series = []
    ranges: Series = []
    first: dict[tuple[int, int], Row] = {}
    for n, expiry, j in sorted(past.minute_rows, key=lambda key: key[1]):
        first.setdefault((n, j), past.minute_rows[(n, expiry, j)])
    for n in (2, 1, 0):
        for j in range(MINUTES):
            if n == 0:
                spot, fut = day.spot(j), day.fut(j)
                fut_high, fut_low = day.fut_high(j), day.fut_low(j)
            else:
                row = first.get((n, j), {})
                spot, fut = row.get("spot"), row.get("fut")
                fut_high, fut_low = row.get("fut_high"), row.get("fut_low")
            previous = close[-1] if j > 0 else None
            price.append(spot)
            close.append(fut)
            high.append(fut_high)
            low.append(fut_low)
            if fut_high is None or fut_low is None:
                ranges.append(None)
            elif j == 0:
                ranges.append(fut_high - fut_low)
            elif previous is None:
                ranges.append(None)
            else:
                ranges.append(max(fut_high, previous) - min(fut_low, previous))
    return Bars(price, close, high, low, ranges)


def straddle_bars(day: Day, past: Past, expiry: datetime.date) -> Bars:
    """The straddle of one expiry; its range uses the price before of the strike that is ATM now."""
    price: Series = []
    high: Series = []
    low: Series = []
    ranges: Series = []
    for n in (2, 1, 0):
        for j in range(MINUTES):
            if n == 0:
                strd = day.value("strd", expiry, j)
                opened = day.value("strd_open", expiry, j)
                lag = day.value("strd_lag", expiry, j)
            else:
                row = past.minute_rows.get((n, expiry, j), {})
                strd, opened, lag = row.get("strd"), row.get("strd_open"), row.get("strd_lag")
            price.append(strd)
            if strd is None:
                high.append(None)
                low.append(None)
                ranges.append(None)
                continue
            top = strd if opened is None else max(opened, strd)
            bottom = strd if opened is None else min(opened, strd)
            high.append(top)
            low.append(bottom)
            if j == 0:
                ranges.append(top - bottom)
            elif lag is None:
                ranges.append(None)
            else:
                ranges.append(max(top, lag) - min(bottom, lag))
    return Bars(price, price, high, low, ranges)


def today(stream: Series) -> Series:
    """The last session of a stream."""
    return stream[2 * MINUTES :]


def span_ema(values: Series, span: int) -> Series:
    """EMA(span) along a list, null before span valid values."""
    return ema_series(values, 2 / (span + 1), span)


def wilder(values: Series, n: int) -> Series:
    """Wilder's mean along a list, null before n valid values."""
    return ema_series(values, 1 / n, n)


def atr_percent(bars: Bars, n: int) -> Series:
    """Wilder's ATR in percent of the close, along the stream."""
    smooth = wilder(bars.true_range, n)
    result: Series = []
    for atr, close in zip(smooth, bars.close, strict=True):
        share = ratio(atr, close)
        result.append(None if share is None else 100 * share)
    return result


def atr_points(percent: Series, price: Series) -> Series:
    """A14: the ATR in price units of P."""
    return [
        None if share is None or p is None else share / 100 * p
        for share, p in zip(percent, price, strict=True)
    ]


def macd_parts(price: Series, k: int) -> tuple[Series, Series]:
    """MACD line and its signal over k-minute spans, along the stream."""
    line, signal, _ = macd(price, 12 * k, 26 * k, 9 * k)
    return line, signal


def root_mean_square(held: list[tuple[Value, int | None]], j: int, w: int, least: int) -> Value:
    """Root of the mean squared return per minute covered, of the returns ending in w minutes."""
    return sqrt(msr(held[max(0, j - w + 1) : j + 1], least))
