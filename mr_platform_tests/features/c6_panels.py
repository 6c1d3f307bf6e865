"""Made-up inputs of C6: two symbols, several expiries, gaps, scores, history tables."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import polars as pl

from mr_platform.chain import sessions
from mr_platform.features.c6_series import SCORES, TECHNICALS
from mr_platform.features.chain_grid import dte_bucket
from mr_platform.features.day_history import HIST_MINUTE_COLUMNS
from mr_platform.features.history import previous_days
from mr_platform.features.inputs import FeatureInputs
from mr_platform.features.minute_panel import numbered

DAY = dt.date(2025, 9, 5)
MINUTES = 375
SYMBOLS = ("NIFTY", "BANKNIFTY")
DTES: dict[str, tuple[int, ...]] = {"NIFTY": (4, 11), "BANKNIFTY": (6, 25)}

SHARED = ("r_und", "r_fut")
RETURNS = ("r_strd", "r_itm1", "r_otm1", "r_ce", "r_pe")
STEPS = (
    "d_iv", "d_iv_ce", "d_iv_pe", "d_iv_otmput", "d_iv_otmcall", "d_skew", "d_ndelta", "d_ngamma",
    "d_ntheta", "d_nvega",
)  # fmt: skip
ALL_SERIES = (
    "spot", "fut", "fut_open", "fut_high", "fut_low", "fut_volume", "fut_oi", "basis", "strd",
    "strd_open", "strd_lag", "itm1", "otm1", "iv", "comb", "ce", "pe", "atm_ce_theta",
    "atm_pe_theta", "oi_ce", "oi_pe", "chain_volume", *SHARED, *RETURNS, *STEPS,
)  # fmt: skip


def made_panel(
    days: Sequence[dt.date] = (DAY,),
    symbols: Sequence[str] = SYMBOLS,
    *,
    missing: Sequence[int] = (40, 41, 100, 101, 102, 103, 104, 250),
    seed: int = 5,
) -> pl.DataFrame:
    """A panel of random series; the missing minutes have no row, and single values lack."""
    frames = [
        _expiry(symbol, day, dte, missing, seed + place)
        for symbol in symbols
        for day in days
        for place, dte in enumerate(DTES[symbol])
    ]
    return numbered(pl.concat(frames))


def _expiry(symbol: str, day: dt.date, dte: int, missing: Sequence[int], seed: int) -> pl.DataFrame:
    shared = np.random.default_rng([day.toordinal(), len(symbol), 1])
    own = np.random.default_rng([day.toordinal(), len(symbol), seed])
    r_und = shared.normal(scale=3e-4, size=MINUTES)
    spot = np.round(25000 * np.exp(np.cumsum(r_und)), 1)
    fut = spot + 40 + np.round(shared.normal(size=MINUTES), 1)
    r_strd = own.normal(scale=2e-3, size=MINUTES) - 2e-4 + 2.0 * r_und
    strd = np.round(300 * np.exp(np.cumsum(r_strd)), 2)
    columns = {
        "spot": spot,
        "fut": fut,
        "fut_open": fut - 1.0,
        "fut_high": fut + shared.uniform(1, 5, MINUTES),
        "fut_low": fut - shared.uniform(1, 5, MINUTES),
        "fut_volume": shared.integers(0, 900, MINUTES).astype(float),
        "fut_oi": 1e6 + np.cumsum(shared.integers(-50, 60, MINUTES)).astype(float),
        "basis": fut - spot,
        "r_und": r_und,
        "r_fut": r_und + shared.normal(scale=1e-4, size=MINUTES),
        "strd": strd,
        "strd_open": strd * (1 + own.normal(scale=1e-3, size=MINUTES)),
        "strd_lag": strd * (1 + own.normal(scale=1e-3, size=MINUTES)),
        "itm1": strd * 1.01,
        "otm1": strd * 1.02,
        "comb": strd,
        "ce": strd * 0.5,
        "pe": strd * 0.5,
        "iv": 0.12 + 0.001 * np.cumsum(own.normal(size=MINUTES)) / 10,
        "atm_ce_theta": -own.uniform(5, 9, MINUTES),
        "atm_pe_theta": -own.uniform(5, 9, MINUTES),
        "oi_ce": 4e6 + np.cumsum(np.where(own.random(MINUTES) < 0.4, own.integers(-900, 900), 0.0)),
        "oi_pe": 5e6 + np.cumsum(np.where(own.random(MINUTES) < 0.4, own.integers(-900, 900), 0.0)),
        "chain_volume": own.integers(0, 90000, MINUTES).astype(float),
        "r_strd": r_strd,
    }
    for name in (*RETURNS[1:], *STEPS):
        columns[name] = own.normal(scale=1e-3, size=MINUTES) + 0.3 * r_strd
    index = np.arange(MINUTES)
    gone = np.isin(index, missing)
    frame = pl.DataFrame({"j": index, **columns}, schema_overrides={"j": pl.Int32})
    for name in columns:
        holes = shared if name in SHARED else own
        lost = gone | (holes.random(MINUTES) < 0.02)
        if name.startswith("r_"):
            lost |= index == 0
        frame = frame.with_columns(pl.when(~pl.Series(lost)).then(pl.col(name)).alias(name))
    start = sessions.ts_minute("date", pl.time(9, 15))
    clock = sessions.ist_time("ts_minute")
    return frame.with_columns(
        symbol=pl.lit(symbol),
        date=pl.lit(day),
        expiry_date=pl.lit(day + dt.timedelta(days=dte)),
        dte=pl.lit(dte, pl.Int64),
        present=~pl.Series(gone),
    ).with_columns(
        (start + pl.duration(minutes="j")).alias("ts_minute"),
        dte_bucket(pl.col("dte")).alias("dte_bucket"),
    ).with_columns(
        zone_id=sessions.zone_id(clock), zone_name=sessions.zone_name(clock)
    )  # fmt: skip


def made_components(panel: pl.DataFrame, seed: int = 9) -> dict[str, pl.LazyFrame]:
    """Tables of c1 to c5 on the panel's present rows: wandering scores."""
    random = np.random.default_rng(seed)
    tables: dict[str, list[pl.Series]] = {}
    for name in (*SCORES.values(), *TECHNICALS):
        wander = np.cumsum(random.normal(scale=0.05, size=panel.height))
        # scores that turn round before they saturate: a flat level has no correlation to check
        values = 0.1 + np.abs(wander) if "_rv_" in name or "_atr_" in name else np.sin(wander)
        tables.setdefault(name[:2], []).append(pl.Series(name, values))
    keys = panel.select("symbol", "ts_minute", "date", "dte", "zone_name", "present")
    return {
        name: keys.hstack(columns).filter("present").drop("present").lazy()
        for name, columns in tables.items()
    }


def made_history(panel: pl.DataFrame, days: pl.DataFrame) -> dict[str, pl.LazyFrame]:
    """History tables of the 21 trading days before, for the expiries of the panel."""
    groups = panel.filter(pl.col("j") == 0).select("symbol", "date", "expiry_date", "dte_bucket")
    rows = groups.join(days.filter(pl.col("back") <= 21), on="date").select(
        "symbol", pl.col("hist_date").alias("date"), "expiry_date", "dte_bucket"
    ).unique(maintain_order=True)  # fmt: skip
    spot = 25000 + 10.0 * (pl.col("date").dt.ordinal_day() * 7919 % 31).cast(pl.Float64)
    near = (pl.col("expiry_date").dt.ordinal_day() % 5).cast(pl.Float64)
    daily = rows.with_columns(spot_close=spot, spot_open=spot * 1.001 + near * 0).with_columns(
        strd_close=300 + pl.col("spot_close") % 97 + near,
        basis_close=pl.lit(35.0),
        iv_close=0.12 + near / 100,
        itm1_close=305.0 + near,
        otm1_close=pl.lit(306.0),
        ce_close=150.0 + near,
        pe_close=pl.lit(151.0),
        close30_volume_share=0.1 + near / 100,
        close30_strd_return=-0.01 - near / 1000,
        strd_day_return=-0.05 - near / 1000,
    )
    zones = rows.select("symbol", "date", "dte_bucket").unique(maintain_order=True).join(
        panel.select("zone_name").unique(maintain_order=True), how="cross"
    ).with_columns(decay_rate=-0.01 * (pl.col("date").dt.ordinal_day() % 7))  # fmt: skip
    minutes = made_panel(
        sorted(set(days.filter(pl.col("back") <= 2)["hist_date"])),
        panel["symbol"].unique(maintain_order=True).to_list(),
        seed=77,
    )
    moved = minutes.join(groups.select("symbol", "expiry_date").unique(), on=["symbol"]).filter(
        (pl.col("expiry_date_right") - pl.col("expiry_date")).dt.total_days().abs() <= 4
    ).drop("expiry_date").rename({"expiry_date_right": "expiry_date"})  # fmt: skip
    moved = moved.unique(["symbol", "date", "expiry_date", "j"], keep="first", maintain_order=True)
    return {
        "hist_daily": daily.lazy(),
        "hist_zone": zones.lazy(),
        "hist_minute": moved.select(
            "symbol", "date", "expiry_date", "j", *HIST_MINUTE_COLUMNS
        ).lazy(),
    }


def made_inputs(
    days: Sequence[dt.date] = (DAY,), symbols: Sequence[str] = ("NIFTY",)
) -> FeatureInputs:
    """Inputs of C6 for some days of some symbols, with everything that it reads."""
    both = made_panel(days)
    calendar = previous_days(days)
    history = made_history(both, calendar)
    wanted = numbered(both.filter(pl.col("symbol").is_in(symbols)).drop("cell", "g", "u"))
    return FeatureInputs(
        panel=wanted,
        history=history,
        days=calendar.lazy(),
        components=made_components(both),
        partner=both,
    )


def without(inputs: FeatureInputs, *names: str) -> FeatureInputs:
    """The same inputs with some panel columns null throughout."""
    gone = [pl.lit(None, pl.Float64).alias(name) for name in names]
    return replace(inputs, panel=inputs.panel.with_columns(gone))
