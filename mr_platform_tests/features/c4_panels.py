"""Small made-up panels for the tests of C4: no chain behind them, every series as asked for."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from mr_platform.chain import sessions
from mr_platform.features.chain_grid import dte_bucket
from mr_platform.features.history import previous_days
from mr_platform.features.inputs import FeatureInputs
from mr_platform.features.minute_panel import numbered

DAY = dt.date(2025, 8, 28)
MINUTES = 375
Values = Sequence[float | None]

SMILE = (
    "skew_k1", "skew_k2", "skew_k3", "skew_k5", "skew_k7", "rr25", "rr10", "bf25", "bf10", "slope",
    "curvature", "vertex", "rmse", "wing_slope_put", "wing_slope_call", "wing_asymmetry",
    "oi_premium", "vega_premium",
    *[f"{leg}_iv_lag{w}" for leg in ("ce", "pe") for w in (5, 15, 30)],
)  # fmt: skip


@dataclass(frozen=True)
class Expiry:
    """One expiry of one day; series that are not given are random."""

    days: int = 4
    symbol: str = "NIFTY"
    date: dt.date = DAY
    seed: int = 1
    values: Mapping[str, Values | float] = field(default_factory=dict)
    """Series by column name: 375 values, or one for all minutes."""
    missing: Sequence[int] = ()
    """Minutes without a row."""


def panel(expiries: Sequence[Expiry]) -> pl.DataFrame:
    """Panel of some expiries, numbered."""
    return numbered(pl.concat([_frame(expiry) for expiry in expiries]))


def _frame(expiry: Expiry) -> pl.DataFrame:
    random = np.random.default_rng(expiry.seed)
    minutes = np.arange(MINUTES)
    iv = 0.12 * np.exp(np.cumsum(random.normal(0, 0.003, MINUTES)))
    columns: dict[str, object] = {
        "iv_atm": iv,
        "atm_ce_iv": iv * 0.98,
        "atm_pe_iv": iv * 1.02,
        "r_und": random.normal(0, 3e-4, MINUTES),
        "r_und_min": np.ones(MINUTES, np.int32),
    }
    for name in SMILE:
        columns[f"s4_{name}"] = random.normal(-0.1, 0.02, MINUTES)
    columns["s4_rmse"] = random.uniform(0.0, 0.1, MINUTES)
    for leg in ("ce", "pe"):
        for w in (5, 15, 30):
            columns[f"s4_{leg}_iv_lag{w}"] = random.uniform(0.1, 0.14, MINUTES)
    for name, values in expiry.values.items():
        columns[name] = [values] * MINUTES if isinstance(values, float) else list(values)
    left = expiry.days * 1440 + MINUTES - 1 - minutes
    frame = pl.DataFrame(
        {"j": minutes, "_left": np.maximum(left, 5), **columns},
        schema_overrides={
            **dict.fromkeys(columns, pl.Float64),
            "j": pl.Int32,
            "r_und_min": pl.Int32,
        },
        strict=False,
    )
    here = ~pl.col("j").is_in(list(expiry.missing))
    open_minute = sessions.ts_minute(pl.lit(expiry.date), pl.lit(dt.time(9, 15)))
    return frame.select(
        "j",
        tau=pl.col("_left") / sessions.MINUTES_PER_YEAR,
        symbol=pl.lit(expiry.symbol),
        date=pl.lit(expiry.date),
        expiry_date=pl.lit(expiry.date + dt.timedelta(days=expiry.days)),
        dte=pl.lit(expiry.days, pl.Int64),
        dte_bucket=dte_bucket(pl.lit(expiry.days)),
        ts_minute=open_minute + pl.duration(minutes="j"),
        present=here,
        **{name: pl.when(here).then(pl.col(name)) for name in columns},
    ).with_columns(
        zone_id=sessions.zone_id(sessions.ist_time("ts_minute")),
        zone_name=sessions.zone_name(sessions.ist_time("ts_minute")),
    )


def inputs(frame: pl.DataFrame, history: Mapping[str, pl.LazyFrame] | None = None) -> FeatureInputs:
    """Inputs of C4 on a panel."""
    return FeatureInputs(frame, history or {}, previous_days(frame["date"]).lazy())


def day_history(
    series: Mapping[str, Sequence[float | None]],
    *,
    day: dt.date = DAY,
    bucket: str = "near",
    symbol: str = "NIFTY",
    zone: str | None = None,
) -> pl.LazyFrame:
    """``hist_c4_day`` (or ``hist_c4_zone``): value n of a series is n + 1 trading days back."""
    depth = max(map(len, series.values()))
    days = previous_days([day], depth).sort("back")["hist_date"]
    names = ("iv_atm", "rr25", "iv_rv_spread") if zone is None else ("iv_atm",)
    place = {"dte_bucket": bucket} | ({} if zone is None else {"zone_name": zone})
    padded = {
        name: [*series.get(name, ()), *[None] * (depth - len(series.get(name, ())))]
        for name in names
    }
    return pl.LazyFrame(
        {"symbol": symbol, "date": days, **place, **padded},
        schema_overrides=dict.fromkeys(names, pl.Float64),
    )
