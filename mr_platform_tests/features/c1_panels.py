"""Small made-up panels for the tests of C1: prices on ticks, with gaps, no chain behind them."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from mr_platform.features.history import previous_days
from mr_platform.features.inputs import FeatureInputs

DAY = dt.date(2025, 9, 3)
MINUTES = 375
PRICES = ("strd", "itm1", "otm1", "comb", "ce", "pe", "fut", "spot")
RETURNS = ("strd", "itm1", "otm1", "comb", "ce", "pe", "fut")
COUNTS = tuple(
    f"{name}_{side}_{what}"
    for name in ("atm", "itm1", "otm1")
    for side in ("ce", "pe")
    for what in ("volume", "oi")
)
Values = list[float | None]


@dataclass(frozen=True)
class Group:
    """One expiry of one day."""

    symbol: str = "NIFTY"
    date: dt.date = DAY
    expiry: dt.date = dt.date(2025, 9, 9)
    seed: int = 1
    missing: Sequence[int] = ()
    """Minutes without a row."""


def panel(groups: Sequence[Group]) -> pl.DataFrame:
    """Panel of some groups, numbered in their order; equal symbol and date share ``u``."""
    days = list(dict.fromkeys((group.symbol, group.date) for group in groups))
    frames = []
    for number, group in enumerate(groups):
        frame = _group_frame(group)
        frames.append(
            frame.with_columns(
                pl.lit(number, pl.UInt32).alias("g"),
                pl.lit(days.index((group.symbol, group.date)), pl.UInt32).alias("u"),
            )
        )
    joined = pl.concat(frames)
    return joined.with_columns((pl.col("g") * MINUTES + pl.col("j")).cast(pl.UInt32).alias("cell"))


def blank(frame: pl.DataFrame, rows: pl.Expr, columns: Sequence[str]) -> pl.DataFrame:
    """The frame with some columns null on some rows."""
    return frame.with_columns(
        pl.when(rows).then(None).otherwise(pl.col(name)).alias(name) for name in columns
    )


def value_columns(frame: pl.DataFrame) -> list[str]:
    """Columns that come from the chain, not from the grid."""
    grid = {
        "cell", "g", "j", "u", "symbol", "date", "expiry_date", "dte", "dte_bucket", "ts_minute",
        "zone_id", "zone_name", "present", "tau",
    }  # fmt: skip
    return [name for name in frame.columns if name not in grid]


def until(frame: pl.DataFrame, minute: int) -> pl.DataFrame:
    """The panel as it stands when the bar ``minute`` has closed."""
    later = pl.col("j") > minute
    return blank(frame, later, value_columns(frame)).with_columns(
        pl.when(later).then(False).otherwise(pl.col("present")).alias("present")
    )


def inputs(
    frame: pl.DataFrame,
    *,
    minutes: pl.DataFrame | None = None,
    daily: pl.DataFrame | None = None,
) -> FeatureInputs:
    """Inputs with the history tables given."""
    history = {}
    if minutes is not None:
        history["hist_minute"] = minutes.lazy()
    if daily is not None:
        history["hist_daily"] = daily.lazy()
    dates = frame["date"].unique().to_list()
    return FeatureInputs(panel=frame, history=history, days=previous_days(dates, 5).lazy())


def minute_table(frame: pl.DataFrame) -> pl.DataFrame:
    """``hist_minute`` of a panel, the columns that C1 reads."""
    return frame.select("symbol", "date", "expiry_date", "j", "comb", "ce", "pe")


def column(frame: pl.DataFrame, name: str, group: int = 0) -> Values:
    """Values of a column in one group."""
    return frame.slice(group * MINUTES, MINUTES)[name].to_list()


def assert_close(ours: Values, theirs: Values, *, tolerance: float = 1e-9) -> None:
    """Equal nulls, and numbers equal up to rounding."""
    for place, (one, other) in enumerate(zip(ours, theirs, strict=True)):
        assert (one is None) == (other is None), (place, one, other)
        if one is not None and other is not None:
            assert math.isclose(one, other, rel_tol=tolerance, abs_tol=tolerance), (
                place,
                one,
                other,
            )


def _group_frame(group: Group) -> pl.DataFrame:
    draw = np.random.default_rng(group.seed)
    # the underlying is the same for all expiries of a day
    shared = np.random.default_rng(group.date.toordinal())
    data: dict[str, Values] = {}
    levels = {"ce": 120.0, "pe": 110.0, "itm1": 240.0, "otm1": 235.0}
    for name, level in levels.items():
        steps = draw.integers(-6, 7, MINUTES)
        data[name] = [round(float(x), 2) for x in level + 0.05 * steps.cumsum()]
    for name, level in {"fut": 24_600.0, "spot": 24_550.0}.items():
        steps = shared.integers(-40, 41, MINUTES)
        data[name] = [round(float(x), 2) for x in level + 0.05 * steps.cumsum()]
    for name in COUNTS:
        data[name] = [float(x) for x in draw.integers(0, 5_000, MINUTES)]
    frame = pl.DataFrame(data).with_columns(pl.int_range(MINUTES, dtype=pl.Int32).alias("j"))
    frame = frame.with_columns(
        strd=pl.col("ce") + pl.col("pe"),
        fut_high=pl.col("fut") + shared.integers(0, 60, MINUTES) * 0.05,
        fut_low=pl.col("fut") - shared.integers(0, 60, MINUTES) * 0.05,
        fut_volume=pl.Series(shared.integers(0, 900, MINUTES), dtype=pl.Int64),
        atm_strike=24_550.0 + 50.0 * (pl.col("spot") / 20.0).round(0) % 150.0,
        **{f"atm_{side}_high": pl.col(side) + 0.6 for side in ("ce", "pe")},
        **{f"atm_{side}_low": pl.col(side) - 0.4 for side in ("ce", "pe")},
        **{f"{name}_oi_open": pl.Series([4_000.0] * MINUTES) for name in ("atm", "itm1", "otm1")},
    ).with_columns(comb=0.5 * pl.col("strd") + 0.3 * pl.col("itm1") + 0.2 * pl.col("otm1"))
    counts = [*COUNTS, "atm_oi_open", "itm1_oi_open", "otm1_oi_open"]
    frame = frame.with_columns(pl.col(counts).cast(pl.Int64))
    gone = pl.col("j").is_in(list(group.missing))
    frame = blank(frame, gone, [name for name in frame.columns if name != "j"])
    for name in RETURNS:
        frame = frame.with_columns(_held_return(frame[name].to_list(), f"r_{name}"))
    start = dt.datetime.combine(group.date, dt.time(3, 45), tzinfo=dt.UTC)
    dte = (group.expiry - group.date).days
    return frame.with_columns(
        symbol=pl.lit(group.symbol),
        date=pl.lit(group.date),
        expiry_date=pl.lit(group.expiry),
        dte=pl.lit(dte, pl.Int64),
        ts_minute=pl.lit(start) + pl.duration(minutes="j"),
        zone_name=pl.lit("OPEN"),
        present=~gone,
        tau=pl.max_horizontal(dte * 1440 + 374 - pl.col("j"), 5) / 525_600,
    )


def _held_return(values: Values, name: str) -> list[pl.Series]:
    """Returns of a series whose strike never changes, gaps of up to two minutes bridged."""
    returns: Values = []
    spans: list[int | None] = []
    for place, now in enumerate(values):
        found = None
        if now is not None:
            found = next(
                (b for b in (1, 2, 3) if place >= b and values[place - b] is not None), None
            )
        before = values[place - found] if found else None
        returns.append(math.log(now / before) if now is not None and before is not None else None)
        spans.append(found)
    return [
        pl.Series(name, returns, dtype=pl.Float64),
        pl.Series(f"{name}_min", spans, dtype=pl.Int32),
    ]
