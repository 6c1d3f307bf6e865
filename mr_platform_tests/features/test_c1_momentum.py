"""Sampled momentum of C1 against plain loops over the four days of a stream."""

from __future__ import annotations

import datetime as dt
import math
from itertools import pairwise

import polars as pl
import pytest

from mr_platform.features import c1_momentum
from mr_platform.features.c1_momentum import TIMEFRAMES, momentum_features
from mr_platform.features.history import previous_days
from mr_platform_tests.features.c1_panels import (
    DAY,
    MINUTES,
    Group,
    Values,
    assert_close,
    column,
    inputs,
    minute_table,
    panel,
    until,
)

EXPIRY = dt.date(2025, 9, 9)
BEFORE = previous_days([DAY], 4)["hist_date"].to_list()


def days(missing: tuple[int, ...] = (7, 8, 120, *range(200, 215))) -> pl.DataFrame:
    """The target day, then up to four days before it, latest first."""
    groups = [
        Group(date=date, expiry=EXPIRY, seed=20 + number, missing=missing)
        for number, date in enumerate([DAY, *BEFORE])
    ]
    return panel(groups)


def target(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.filter(pl.col("date") == DAY)


def earlier(frame: pl.DataFrame) -> pl.DataFrame:
    return minute_table(frame.filter(pl.col("date") < DAY))


def stream_of(frame: pl.DataFrame, name: str) -> Values:
    """Four days in order of time."""
    values: Values = []
    for number in (3, 2, 1, 0):
        values += column(frame, name, number)
    return values


def moves(values: Values) -> Values:
    out: Values = [None] if values else []
    for a, b in pairwise(values):
        out.append(None if a is None or b is None else b - a)
    return out


def means(values: Values, alpha: float, needed: int) -> Values:
    out: Values = []
    total = weight = 0.0
    count = 0
    for x in values:
        if x is None:
            out.append(None)
            continue
        total, weight = total * (1 - alpha) + x, weight * (1 - alpha) + 1.0
        count += 1
        out.append(total / weight if count >= needed else None)
    return out


def rsi(values: Values) -> Values:
    changes = moves(values)
    up = means([None if x is None else max(x, 0.0) for x in changes], 1 / 14, 14)
    down = means([None if x is None else max(-x, 0.0) for x in changes], 1 / 14, 14)
    return [
        None if u is None or d is None or u + d == 0 else 100 * u / (u + d)
        for u, d in zip(up, down, strict=True)
    ]


def drift(changes: Values, t: int) -> float | None:
    window = [x for x in changes[max(0, t - 13) : t + 1] if x is not None]
    size = math.sqrt(sum(x * x for x in window))
    return sum(window) / size if len(window) >= 10 and size > 0 else None


def sampled(values: Values, k: int) -> dict[str, Values]:
    """Features of one series of samples k minutes apart, on the whole stream."""
    names = ("rsi", "line", "signal", "hist", "divergence")
    out: dict[str, Values] = {name: [None] * len(values) for name in names}
    for phase in range(k):
        x = values[phase::k]
        strength, changes = rsi(x), moves(x)
        strength_changes = moves(strength)
        fast, slow = means(x, 2 / 13, 12), means(x, 2 / 27, 26)
        line = [None if a is None or b is None else a - b for a, b in zip(fast, slow, strict=True)]
        signal = means(line, 0.2, 9)
        for i, price in enumerate(x):
            t = phase + k * i
            out["rsi"][t] = strength[i]
            one, smooth = line[i], signal[i]
            window = [c for c in changes[max(0, i - 25) : i + 1] if c is not None]
            if price is not None and one is not None:
                out["line"][t] = 100 * one / price
            if price is not None and one is not None and smooth is not None:
                out["signal"][t] = 100 * smooth / price
                if len(window) >= 18:
                    mean = sum(window) / len(window)
                    spread = sum((c - mean) ** 2 for c in window) / (len(window) - 1)
                    out["hist"][t] = (one - smooth) / math.sqrt(spread)
            a, b = drift(changes, i), drift(strength_changes, i)
            enough = sum(c is not None for c in changes[: i + 1]) >= 28
            if a is not None and b is not None and enough:
                out["divergence"][t] = a - b
    return out


@pytest.mark.parametrize("k", TIMEFRAMES)
def test_samples_are_the_declared_loops(k: int) -> None:
    frame = days()
    ours = momentum_features(inputs(target(frame), minutes=earlier(frame)))
    theirs = sampled(stream_of(frame, "comb"), k)
    today = slice(3 * MINUTES, None)
    assert_close(ours[f"c1_rsi_comb_{k}m"].to_list(), theirs["rsi"][today])
    for part in ("line", "signal", "hist"):
        assert_close(ours[f"c1_macd_{part}_{k}m"].to_list(), theirs[part][today])
    if k > 3:
        assert_close(ours[f"c1_rsi_divergence_{k}m"].to_list(), theirs["divergence"][today])
    for leg in ("ce", "pe"):
        assert_close(ours[f"c1_rsi_{leg}_{k}m"].to_list(), rsi_today(frame, leg, k))


def rsi_today(frame: pl.DataFrame, name: str, k: int) -> Values:
    return sampled(stream_of(frame, name), k)["rsi"][3 * MINUTES :]


@pytest.mark.parametrize("k", TIMEFRAMES)
def test_warm_up_without_history(k: int) -> None:
    frame = days(missing=())
    ours = momentum_features(inputs(target(frame)))
    starts = {
        f"c1_rsi_comb_{k}m": 14 * k,  # 14 changes, 15 samples
        f"c1_macd_line_{k}m": 25 * k,
        f"c1_macd_signal_{k}m": 33 * k,
        f"c1_macd_hist_{k}m": 33 * k,
    }
    if k > 3:
        starts[f"c1_rsi_divergence_{k}m"] = 28 * k
    for name, start in starts.items():
        expected = [place < start for place in range(MINUTES)]
        assert ours[name].is_null().to_list() == expected, name


def test_consensus_needs_all_timeframes() -> None:
    frame = days(missing=())
    ours = momentum_features(inputs(target(frame)))
    for name, parts in {
        "c1_rsi_consensus": [f"c1_rsi_comb_{k}m" for k in TIMEFRAMES],
        "c1_macd_consensus": [f"c1_macd_hist_{k}m" for k in TIMEFRAMES],
    }.items():
        rows = ours.select(parts).rows()
        for value, row in zip(ours[name].to_list(), rows, strict=True):
            if None in row:
                assert value is None
            elif name == "c1_rsi_consensus":
                assert value == (sum(x > 55 for x in row) - sum(x < 45 for x in row)) / 4
            else:
                assert value == sum(math.copysign(1, x) if x else 0 for x in row) / 4


def test_the_fourth_day_back_and_other_expiries_are_not_read() -> None:
    frame = days()
    whole = momentum_features(inputs(target(frame), minutes=earlier(frame)))
    table = earlier(frame)
    three = table.filter(pl.col("date") != BEFORE[3])
    assert momentum_features(inputs(target(frame), minutes=three)).equals(whole)
    other = table.with_columns(pl.lit(dt.date(2025, 9, 16)).alias("expiry_date"))
    both = pl.concat([table, other.with_columns(pl.col("comb") * 3)])
    assert momentum_features(inputs(target(frame), minutes=both)).equals(whole)


def test_nothing_reads_later_minutes() -> None:
    frame = days()
    whole = momentum_features(inputs(target(frame), minutes=earlier(frame)))
    for minute in (0, 100, 210, 373):
        cut = momentum_features(inputs(until(target(frame), minute), minutes=earlier(frame)))
        assert cut.head(minute + 1).equals(whole.head(minute + 1))


def test_bits_do_not_depend_on_the_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    groups = [
        Group(seed=30, expiry=EXPIRY),
        Group(seed=31, expiry=dt.date(2025, 9, 16), missing=(4, 5)),
        Group(symbol="BANKNIFTY", seed=32, expiry=dt.date(2025, 9, 30)),
    ]
    frame = panel(groups)
    history = minute_table(panel([Group(date=BEFORE[0], seed=40, expiry=EXPIRY)]))
    whole = momentum_features(inputs(frame, minutes=history))
    monkeypatch.setattr(c1_momentum, "GROUPS_AT_ONCE", 2)
    assert momentum_features(inputs(frame, minutes=history)).equals(whole)
    for number, group in enumerate(groups):
        alone = momentum_features(inputs(panel([group]), minutes=history))
        assert alone.equals(whole.slice(number * MINUTES, MINUTES))


def test_a_price_that_stands_still_has_no_momentum() -> None:
    frame = target(days(missing=())).with_columns(pl.lit(300.0).alias("comb"))
    ours = momentum_features(inputs(frame))
    for name in ("rsi_comb", "macd_hist"):
        for k in TIMEFRAMES:
            assert ours[f"c1_{name}_{k}m"].null_count() == MINUTES
    assert ours["c1_macd_line_3m"].drop_nulls().abs().max() < 1e-10
