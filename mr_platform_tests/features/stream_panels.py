"""Small made panels and their history tables, for tests of what runs over several days."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import numpy as np
import polars as pl
import pytest

from mr_platform.chain import sessions
from mr_platform.features.chain_grid import dte_bucket
from mr_platform.features.day_history import minute_history
from mr_platform.features.history import previous_days
from mr_platform.features.inputs import FeatureInputs
from mr_platform.features.zone_history import zone_history
from mr_platform.gateways.frame_engine import CpuEngine
from mr_platform.trading_calendar import SESSION_MINUTES, previous_trading_day

ENGINE = CpuEngine()
TARGET = dt.date(2025, 9, 4)
"""A Thursday."""

FAR = dt.date(2025, 10, 28)
NEAR = dt.date(2025, 9, 9)

_UNDERLYING = ("spot", "fut", "fut_open", "fut_high", "fut_low", "r_und")
_STRADDLE = ("strd", "strd_open", "strd_lag", "comb", "ce", "pe", "r_strd")


def trading_dates(count: int, last: dt.date = TARGET) -> list[dt.date]:
    """So many trading days, ascending, up to ``last``."""
    return [previous_trading_day(last, back) for back in range(count - 1, 0, -1)] + [last]


def made_panel(
    dates: Sequence[dt.date],
    *,
    symbols: Sequence[str] = ("NIFTY",),
    expiries: Sequence[dt.date] = (NEAR, FAR),
    gaps: float = 0.05,
    seed: int = 5,
) -> pl.DataFrame:
    """Random walks on the full grid; each day of a symbol draws numbers of its own.

    A share ``gaps`` of the minutes has no underlying, and as many have no straddle.
    """
    parts = []
    for symbol in symbols:
        for date in dates:
            rng = np.random.default_rng([seed, len(symbol), date.toordinal()])
            shared = _walk_of_underlying(rng, gaps)
            for expiry in expiries:
                part = shared.with_columns(_walk_of_straddle(rng, gaps))
                parts.append(
                    part.with_columns(
                        symbol=pl.lit(symbol), date=pl.lit(date), expiry_date=pl.lit(expiry)
                    )
                )
    return numbered(pl.concat(parts))


def numbered(rows: pl.DataFrame) -> pl.DataFrame:
    """Rows of whole groups with all keys and numbers of a panel."""
    ordered = rows.sort("symbol", "date", "expiry_date", "j")
    place = pl.int_range(pl.len(), dtype=pl.UInt32)
    open_minute = sessions.ts_minute("date", pl.time(9, 15))
    return ordered.with_columns(
        cell=place,
        g=place // SESSION_MINUTES,
        u=pl.struct("symbol", "date").rle_id().cast(pl.UInt32),
        dte=(pl.col("expiry_date") - pl.col("date")).dt.total_days(),
        ts_minute=open_minute + pl.duration(minutes="j"),
        present=pl.lit(True),
    ).with_columns(
        zone_name=sessions.zone_name(sessions.ist_time("ts_minute")),
        dte_bucket=dte_bucket(pl.col("dte")),
    )


def daily_rows(panel: pl.DataFrame) -> pl.DataFrame:
    """High, low and close of each day, as ``hist_daily`` holds them."""
    prices = ("spot", "strd", "comb", "ce", "pe")
    return panel.group_by("symbol", "date", "expiry_date", maintain_order=True).agg(
        pl.col("dte", "dte_bucket").first(),
        *[pl.col(name).max().alias(f"{name}_high") for name in prices],
        *[pl.col(name).min().alias(f"{name}_low") for name in prices],
        *[pl.col(name).drop_nulls().last().alias(f"{name}_close") for name in prices],
    )


def made_inputs(
    panel: pl.DataFrame,
    target: dt.date | None = TARGET,
    *,
    symbol: str | None = None,
    without: Sequence[str] = (),
) -> FeatureInputs:
    """Inputs for a date (None: all dates) of a panel, its other dates being the history."""
    days = previous_days(panel["date"].unique().to_list()).lazy()
    minutes = minute_history(panel, CpuEngine()).lazy()
    tables = {
        "hist_minute": minutes,
        "hist_daily": daily_rows(panel).lazy(),
        "hist_zone": zone_history(panel, minutes, days, ENGINE).lazy(),
    }
    rows = panel
    if target is not None:
        rows = rows.filter(pl.col("date") == target)
    if symbol is not None:
        rows = rows.filter(pl.col("symbol") == symbol)
    return FeatureInputs(
        panel=numbered(rows),
        history={name: table for name, table in tables.items() if name not in without},
        days=days,
        engine=ENGINE,
    )


def alike(found: pl.Series, expected: Sequence[float | None]) -> None:
    """Nulls in the same rows, numbers equal within 1e-9."""
    values = found.to_list()
    assert [x is None for x in values] == [x is None for x in expected]
    assert [x for x in values if x is not None] == pytest.approx(
        [x for x in expected if x is not None], rel=1e-9, abs=1e-9
    )


def _walk_of_underlying(rng: np.random.Generator, gaps: float) -> pl.DataFrame:
    n = SESSION_MINUTES
    spot = 24000.0 * np.exp(np.cumsum(rng.normal(0.0, 3e-4, n)))
    fut = spot + 40.0 + rng.normal(0.0, 1.0, n)
    start = fut + rng.normal(0.0, 4.0, n)
    rows = pl.DataFrame(
        {
            "j": np.arange(n, dtype=np.int32),
            "spot": spot,
            "fut": fut,
            "fut_open": start,
            "fut_high": np.maximum(fut, start) + rng.exponential(3.0, n),
            "fut_low": np.minimum(fut, start) - rng.exponential(3.0, n),
            "r_und": rng.normal(0.0, 3e-4, n),
            "r_und_min": rng.integers(1, 3, n).astype(np.int32),
            "_keep": rng.random(n) >= gaps,
        }
    )
    return _with_gaps(rows, _UNDERLYING, "r_und")


def _walk_of_straddle(rng: np.random.Generator, gaps: float) -> list[pl.Series]:
    n = SESSION_MINUTES
    strd = 300.0 * np.exp(np.cumsum(rng.normal(-1e-4, 3e-3, n)))
    rows = pl.DataFrame(
        {
            "j": np.arange(n, dtype=np.int32),
            "strd": strd,
            "strd_open": strd + rng.normal(0.0, 1.0, n),
            "strd_lag": strd + rng.normal(0.0, 2.0, n),
            "comb": strd * 1.01,
            "ce": strd * 0.45,
            "pe": strd * 0.55,
            "r_strd": rng.normal(-1e-4, 3e-3, n),
            "r_strd_min": rng.integers(1, 3, n).astype(np.int32),
            "_keep": rng.random(n) >= gaps,
        }
    )
    return _with_gaps(rows, _STRADDLE, "r_strd").drop("j").get_columns()


def _with_gaps(rows: pl.DataFrame, names: Sequence[str], move: str) -> pl.DataFrame:
    """Null where the minute is missing; no return at the first bar."""
    kept = rows.with_columns(
        pl.when("_keep").then(pl.col(name)) for name in (*names, f"{move}_min")
    )
    inside = pl.col("j") > 0
    lagged = [name for name in (move, f"{move}_min", "strd_lag") if name in rows.columns]
    return kept.with_columns(pl.when(inside).then(pl.col(name)) for name in lagged).drop("_keep")
