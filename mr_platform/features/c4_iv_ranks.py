"""C4 against past days: percentiles and ranks of implied volatility, its regime.

Here: what reads ``hist_c4_day`` and ``hist_c4_zone``.
Not here: percentiles inside the session (``c4_iv_skew.py``), the tables (``iv_history.py``).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

import polars as pl

from mr_platform.features.chain_grid import DAY
from mr_platform.features.column_plan import GROUP, INDEX, ColumnPlan
from mr_platform.features.history import MAX_DEPTH, past
from mr_platform.features.inputs import FeatureInputs, symbol_days, written_out
from mr_platform.features.iv_history import bucket_key, zone_key
from mr_platform.features.kernels.across import count_where_across
from mr_platform.features.kernels.ranks import past_extremes, past_percentiles, place_between
from mr_platform.features.kernels.windows import change, run_length
from mr_platform.trading_calendar import ZONES

PERCENTILE_DAYS: Mapping[int, int] = {20: 10, 60: 30, 252: 126}
"""Trading days of a percentile, and the daily values that it needs."""

RANK_DAYS: Mapping[int, int] = {20: 10, 60: 30, 252: 20}
"""Trading days of a min-max rank, and the daily values that it needs."""

LEVEL_BOUNDS = (0.10, 0.25, 0.40, 0.60, 0.75, 0.90)
"""Percentiles at which the next of the seven levels begins."""

CHANGE_WINDOWS = (30, 60)
"""Minutes over which the percentile is compared."""

SHIFT_WINDOW = 30
"""Minutes over which the level is compared."""

# what is compared: name -> (value now, past value, depth); a skew is compared with its sign
# turned, so that a high percentile means dear puts
_DAILY: Mapping[str, tuple[pl.Expr, pl.Expr, int]] = {
    "iv": (pl.col("iv_atm"), pl.col("iv_atm"), 252),
    "skew": (-pl.col("s4_rr25"), -pl.col("rr25"), 60),
    "vrp": (pl.col("premium"), pl.col("iv_rv_spread"), 60),
}
_SERIES = (*_DAILY, "zone")


def day_ranks(inputs: FeatureInputs, premium: pl.Series) -> pl.DataFrame:
    """Features that compare a minute with past days, one row a panel row.

    Args:
        inputs: Inputs of C4.
        premium: c4_iv_rv_spread_60m, in the panel's row order.

    Returns:
        c4_iv_pctl_{20,60,252}d, c4_iv_rank_{20,60}d, c4_volatility_rank, c4_iv_zone_pctl_…,
        c4_skew_pctl_{20,60}d, c4_vrp_pctl_…, c4_ivp_chg_…, c4_iv_regime_….
    """
    engine = inputs.engine
    rows = engine.collect(_rows(inputs.panel, premium))
    history = engine.collect(_history(inputs))
    percentiles = engine.collect(past_percentiles(_asked(rows), history.lazy(), PERCENTILE_DAYS))
    extremes = past_extremes(
        history.lazy().filter(pl.col("key") % len(_SERIES) == _SERIES.index("iv")), RANK_DAYS
    )
    frame = rows.lazy().with_columns(key=_key("iv"))
    frame = frame.join(extremes, on="key", how="left", maintain_order="left")
    for number, name in enumerate(_SERIES):
        own = percentiles.lazy().filter(pl.col("row") % len(_SERIES) == number)
        names = [pl.col(f"pctl_{days}").alias(f"{name}_pctl_{days}") for days in PERCENTILE_DAYS]
        frame = frame.join(
            own.select(pl.col("row") // len(_SERIES), *names),
            on="row", how="left", maintain_order="left",
        )  # fmt: skip
    plan, outputs = _plan()
    beside = written_out(engine.collect(frame))
    return plan.compute(beside, outputs, engine)


# -- keys -----------------------------------------------------------------------------------------


def _key(name: str) -> pl.Expr:
    """A number for each (u, dte_bucket, zone where it matters, series)."""
    zone = pl.col("zone_id") if name == "zone" else pl.lit(0, pl.Int64)
    return zone_key(pl.col("bucket"), zone) * len(_SERIES) + _SERIES.index(name)


def _rows(panel: pl.DataFrame, premium: pl.Series) -> pl.LazyFrame:
    rows = panel.select(GROUP, INDEX, DAY, "dte_bucket", "zone_id", "iv_atm", "s4_rr25")
    return (
        rows.hstack([premium.alias("premium")])
        .with_row_index("row")
        .lazy()
        .with_columns(bucket=bucket_key(), zone_id=pl.col("zone_id").cast(pl.Int64))
        .drop(DAY, "dte_bucket")
    )


def _asked(rows: pl.DataFrame) -> pl.LazyFrame:
    """All values that are compared, each with the key of the past values it is compared with."""
    values = {name: now for name, (now, _, _) in _DAILY.items()} | {"zone": pl.col("iv_atm")}
    return pl.concat(
        [
            rows.lazy().select(
                _key(name).alias("key"),
                (pl.col("row") * len(_SERIES) + number).alias("row"),
                values[name].alias("x"),
            )
            for number, name in enumerate(_SERIES)
        ]
    )


def _history(inputs: FeatureInputs) -> pl.LazyFrame:
    """All past values: key, back, h."""
    targets = symbol_days(inputs.panel)

    def beside_target(table: str) -> pl.LazyFrame:
        earlier = past(inputs.past_table(table), inputs.days, MAX_DEPTH)
        return earlier.join(targets, on=["symbol", "date"]).with_columns(
            bucket=bucket_key(), back=pl.col("back").cast(pl.Int32)
        )

    days = beside_target("hist_c4_day")
    zones = beside_target("hist_c4_zone").with_columns(zone_id=_zone_id())
    parts = [
        days.filter(pl.col("back") <= depth).select(
            _key(name).alias("key"), "back", value.alias("h")
        )
        for name, (_, value, depth) in _DAILY.items()
    ]
    parts.append(zones.select(_key("zone").alias("key"), "back", pl.col("iv_atm").alias("h")))
    return pl.concat(parts).filter(pl.col("h").is_not_null())


def _zone_id() -> pl.Expr:
    number = pl.lit(None, pl.Int64)
    for zone in ZONES:
        number = pl.when(pl.col("zone_name") == zone.name).then(zone.zone_id).otherwise(number)
    return number


# -- features -------------------------------------------------------------------------------------


@cache
def _plan() -> tuple[ColumnPlan, dict[str, pl.Expr]]:
    p = ColumnPlan()
    iv = pl.col("iv_atm")
    outputs: dict[str, pl.Expr] = {}
    for days in PERCENTILE_DAYS:
        outputs[f"c4_iv_pctl_{days}d"] = pl.col(f"iv_pctl_{days}")
        outputs[f"c4_iv_zone_pctl_{days}d"] = pl.col(f"zone_pctl_{days}")
    for days in (20, 60):
        outputs[f"c4_skew_pctl_{days}d"] = pl.col(f"skew_pctl_{days}")
        outputs[f"c4_vrp_pctl_{days}d"] = pl.col(f"vrp_pctl_{days}")
    for days in RANK_DAYS:
        name = "c4_volatility_rank" if days == MAX_DEPTH else f"c4_iv_rank_{days}d"
        outputs[name] = place_between(iv, pl.col(f"least_{days}"), pl.col(f"greatest_{days}"))
    longest = p.let(_longest("iv"))
    level = p.let(_level(longest))
    for w in CHANGE_WINDOWS:
        outputs[f"c4_ivp_chg_{w}m"] = change(p, longest, w)
    outputs["c4_iv_regime_level"] = level
    outputs["c4_iv_regime_zone_level"] = _level(p.let(_longest("zone")))
    outputs[f"c4_iv_regime_shift_{SHIFT_WINDOW}m"] = change(p, level, SHIFT_WINDOW)
    outputs["c4_iv_regime_age"] = run_length(p, level)
    return p, outputs


def _longest(name: str) -> pl.Expr:
    """The percentile over the most days of those that have enough values."""
    return pl.coalesce([pl.col(f"{name}_pctl_{d}") for d in sorted(PERCENTILE_DAYS, reverse=True)])


def _level(x: pl.Expr) -> pl.Expr:
    """1 extremely low .. 7 extremely high: 1 + the number of bounds that x reaches."""
    reached = count_where_across([x >= bound for bound in LEVEL_BOUNDS])
    return pl.when(x.is_not_null()).then(1 + reached)
