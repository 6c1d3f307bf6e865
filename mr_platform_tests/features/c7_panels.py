"""Made panels with open interest and volume, and the levels of C7 found by plain loops."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import numpy as np
import polars as pl

from mr_platform.features.day_history import HIST_MINUTE_COLUMNS
from mr_platform.features.history import previous_days
from mr_platform.features.inputs import FeatureInputs
from mr_platform.gateways.frame_engine import CpuEngine
from mr_platform_tests.features.stream_panels import (
    FAR,
    NEAR,
    TARGET,
    daily_rows,
    made_panel,
    numbered,
    trading_dates,
)

ENGINE = CpuEngine()

MINUTES = 375
Values = list[float | None]

DATES = trading_dates(9)
"""Wednesday a week back up to Thursday: a whole week before it, the streams' two days."""


def level_panel(
    dates: Sequence[dt.date] = tuple(DATES),
    *,
    symbols: Sequence[str] = ("NIFTY",),
    expiries: Sequence[dt.date] = (NEAR, FAR),
    gaps: float = 0.04,
    seed: int = 11,
) -> pl.DataFrame:
    """A made panel with all columns that C7 reads."""
    panel = made_panel(dates, symbols=symbols, expiries=expiries, gaps=gaps, seed=seed)
    rng = np.random.default_rng(seed)
    rows = panel.height
    held = np.repeat(rng.integers(0, 9, rows // 25), 25)
    spot, quoted = pl.col("spot"), pl.col("spot").is_not_null()
    # equal for all expiries of a minute: drawn from the minute itself
    volume = (pl.col("j") * 7919 + pl.col("u").cast(pl.Int32) * 104729) % 5000
    far = pl.when(pl.col("expiry_date") == FAR).then(100.0).otherwise(50.0)
    made = panel.with_columns(
        held=pl.Series(held, dtype=pl.Int32),
        fut_volume=pl.when(quoted).then(volume.cast(pl.Int64)),
        basis=pl.col("fut") - spot,
        step=pl.when(quoted).then(far),
        atm_ce_volume=pl.Series(rng.integers(0, 900, rows)),
        atm_pe_volume=pl.Series(rng.integers(0, 900, rows)),
        oi_centroid_ce=spot + 90.0,
        oi_centroid_pe=spot - 110.0,
    )
    walls = {
        "call_wall": 24100.0 + 50.0 * (pl.col("held") % 3),
        "put_wall": 23800.0 + 50.0 * (pl.col("held") % 4),
        "max_pain": 23950.0 + 25.0 * (pl.col("held") % 5),
    }
    interest = {
        "call_wall_oi": 900 + pl.col("j"),
        "put_wall_oi": 800 + 2 * pl.col("j"),
        "call_second_oi": 700 + pl.col("j"),
        "put_second_oi": pl.lit(650),
        "call_wall_oi_open": pl.lit(880),
        "put_wall_oi_open": pl.lit(810),
        "oi_ce": 9000 + pl.col("j"),
        "oi_pe": 8000 - pl.col("j"),
    }
    return made.with_columns(
        **{name: pl.when(quoted).then(value) for name, value in walls.items()},
        **{name: pl.when(quoted).then(value).cast(pl.Int64) for name, value in interest.items()},
    ).drop("held")


def level_inputs(
    panel: pl.DataFrame, target: dt.date | None = TARGET, *, with_history: bool = True
) -> FeatureInputs:
    """Inputs of C7 for a date (None: all) of the panel, its other dates being the history."""
    keys = ("symbol", "date", "expiry_date", "j")
    tables = {
        "hist_minute": panel.select(*keys, *HIST_MINUTE_COLUMNS).lazy(),
        "hist_daily": daily_rows(panel).lazy(),
    }
    rows = panel if target is None else panel.filter(pl.col("date") == target)
    return FeatureInputs(
        panel=numbered(rows),
        history=tables if with_history else {},
        days=previous_days(panel["date"].unique().to_list()).lazy(),
        engine=ENGINE,
    )


def so_far(values: Values, t: int) -> list[float]:
    """Valid values up to a minute."""
    return [x for x in values[: t + 1] if x is not None]


def opening(values: Values, t: int) -> tuple[float | None, float | None]:
    """High and low of the first 15 minutes, where they are known."""
    early = [x for x in values[:15] if x is not None]
    if t < 14 or len(early) < 10:
        return None, None
    return max(early), min(early)


def swing(values: Values, t: int, way: int) -> tuple[float, int] | None:
    """Latest swing high (way 1) or low (-1) known at a minute, and the minute of its bar."""
    for i in range(t - 5, -1, -1):
        x = values[i]
        if x is None:
            continue
        left = [way * v for v in values[max(i - 5, 0) : i] if v is not None]
        right = [way * v for v in values[i + 1 : i + 6] if v is not None]
        enough = len(left) >= 4 and len(right) >= 4
        if enough and all(way * x > v for v in left) and all(way * x >= v for v in right):
            return x, i
    return None


def weighted(prices: Values, volumes: Values, t: int) -> tuple[float, float, int] | None:
    """Volume-weighted mean and deviation so far, and the minutes in them."""
    pairs = [
        (x, v)
        for x, v in zip(prices[: t + 1], volumes[: t + 1], strict=True)
        if x is not None and v is not None
    ]
    total = sum(v for _, v in pairs)
    if not pairs or total == 0:
        return None
    mean = sum(x * v for x, v in pairs) / total
    variance = sum(v * (x - mean) ** 2 for x, v in pairs) / total
    return mean, variance**0.5, len(pairs)


def profile(
    spot: Values, volume: Values, first_bar_limit: int = 15
) -> list[tuple[float | None, float | None, float | None]]:
    """Point of control, upper and lower edge of the value area, grown bin by bin."""
    found: list[tuple[float | None, float | None, float | None]] = [(None, None, None)] * len(spot)
    origin: float | None = None
    bins: dict[int, float] = {}
    minutes = 0
    for t, price in enumerate(spot):
        if origin is None and t <= first_bar_limit:
            origin = price
        if price is None or origin is None:
            continue
        width = 0.0005 * origin
        at = (price - origin) / width
        added = volume[t]
        if added is not None:
            number = int(np.floor(at))
            bins[number] = bins.get(number, 0.0) + added
            minutes += 1
        total = sum(bins.values())
        if minutes < 10 or total <= 0:
            continue
        middle = min(bins, key=lambda b: (-bins[b], abs(b + 0.5 - at), b))
        low = high = middle
        held = bins[middle]
        while held < 0.7 * total:
            below = bins.get(low - 1, 0.0) if low > min(bins) else -1.0
            above = bins.get(high + 1, 0.0) if high < max(bins) else -1.0
            if below >= above:
                low, held = low - 1, held + below
            else:
                high, held = high + 1, held + above
        found[t] = (
            origin + (middle + 0.5) * width,
            origin + (high + 1) * width,
            origin + low * width,
        )
    return found
