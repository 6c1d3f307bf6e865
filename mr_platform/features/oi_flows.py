"""Open interest, volume and premium near the money, strike by strike, then summed.

Here: the fixed-strike part of the open-interest section (``oi_series.py``).
Not here: totals of the whole chain, walls, max pain (``oi_walls.py``), anything over time of the
sums themselves (``c3_oi_price_action.py``).

A change over w minutes is taken on each strike that is near the money **at t** and then summed, so
that an at-the-money move makes no jump; a strike without a value at either end is left out of
numerator and base alike. Each leg counts its own strikes and needs ten of the fifteen.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

import polars as pl

from mr_platform.features.cell_totals import CellTotals
from mr_platform.features.chain_grid import (
    CELL,
    CONTRACT,
    NEAR,
    NEAR_NEEDED,
    ChainGrid,
)
from mr_platform.features.column_plan import INDEX, ColumnPlan
from mr_platform.features.kernels.windows import (
    lag,
    log,
    ratio,
    rolling_sum,
    window_count,
    window_sum,
)

LEGS: tuple[str, ...] = ("ce", "pe")

CHANGE_WINDOWS: tuple[int, ...] = (3, 5, 10, 15)
"""Minutes of the changes of open interest."""

PRICE_WINDOWS: tuple[int, ...] = (3, 5, 15)
"""Minutes of the changes of premium."""

FLOW_WINDOW = 15
"""Minutes of gross change, breadth, buckets and concentration of flow, and spread."""

VOLUME_PERIODS: Mapping[int, int] = {5: 4, 15: 10}
"""Minutes of summed volume, with the valid minutes that a strike needs."""

VELOCITY_PERIODS: Mapping[int, int] = {3: 3, 5: 4, 15: 10}
"""Minutes back of the slope of open interest, with the valid minutes that a strike needs."""

ACCELERATION_WINDOWS: tuple[int, ...] = (3, 5, 15)
"""Minutes of either half of the second differences."""

PCR_WINDOWS: tuple[int, ...] = (30, 60)
"""Minutes of the changes of the put-call ratio."""

KINDS: tuple[str, ...] = ("long_buildup", "short_buildup", "short_covering")
"""Classes of a strike by the signs of the changes of its premium and its open interest."""

BUCKETS: Mapping[str, tuple[int, int]] = {
    "atm": (-1, 1), "otm_near": (2, 4), "otm_far": (5, 7),
}  # fmt: skip
"""First and last rank of the buckets of flow, counted out of the money."""

_OI_LAGS = (3, 5, 6, 10, 15, 30, 60)


def flow_series(grid: ChainGrid) -> pl.DataFrame:
    """Sums over the strikes near the money.

    Args:
        grid: The chain on the grid.

    Returns:
        One row a cell with a strike near the money; ``oi_series.py`` lists the columns.
    """
    over_time, past_values = _contract_plan()
    contracts = over_time.run(grid.contracts.lazy(), past_values, keep=[CELL, "strike", "k"])
    near = contracts.filter(pl.col("k").abs() <= NEAR).with_columns(pl.col("strike").cast(pl.Int64))
    plan, levels = _levels()
    return grid.engine.collect(plan.run(_totals().per_cell(near), levels, keep=[CELL]))


# -- one contract over time -----------------------------------------------------------------------


@lru_cache
def _contract_plan() -> tuple[ColumnPlan, Mapping[str, pl.Expr]]:
    """What each contract held before, and what it did over windows."""
    p = ColumnPlan(group=CONTRACT, index=INDEX)
    out: dict[str, pl.Expr] = {}
    for leg in LEGS:
        oi, close, volume = (pl.col(f"{leg}_{what}") for what in ("oi", "close", "volume"))
        out[f"{leg}_oi"], out[f"{leg}_close"] = oi, close
        for back in _OI_LAGS:
            out[f"{leg}_oi_{back}"] = lag(p, oi, back)
        for back in PRICE_WINDOWS:
            out[f"{leg}_close_{back}"] = lag(p, close, back)
        for window, periods in VOLUME_PERIODS.items():
            out[f"{leg}_volume_{window}"] = rolling_sum(p, volume, window, periods)
        out |= _velocity(p, leg)
    return p, out


def _velocity(p: ColumnPlan, leg: str) -> dict[str, pl.Expr]:
    """Least-squares slope of open interest on the minute, and its mean, over window + 1 minutes."""
    oi = p.let(pl.col(f"{leg}_oi"))
    minute = p.let(pl.col(INDEX).cast(pl.Int64))
    at = p.let(pl.when(oi.is_not_null()).then(minute))
    out: dict[str, pl.Expr] = {}
    for window, periods in VELOCITY_PERIODS.items():
        count = window_count(p, oi, window + 1)
        at_sum, at_squares = (window_sum(p, x, window + 1) for x in (at, at * at))
        oi_sum, product = (window_sum(p, x, window + 1) for x in (oi, at * oi))
        # whole numbers up to here: the slope is rounded once
        slope = (count * product - at_sum * oi_sum) / (count * at_squares - at_sum * at_sum)
        enough = p.let(count >= periods)
        out[f"{leg}_slope_{window}"] = pl.when(enough).then(slope)
        out[f"{leg}_mean_{window}"] = pl.when(enough).then(oi_sum / count)
    return out


# -- the strikes of one minute --------------------------------------------------------------------


@lru_cache
def _totals() -> CellTotals:
    t = CellTotals()
    for leg in LEGS:
        _sum_levels(t, leg)
        _sum_changes(t, leg)
        _sum_breadth(t, leg)
    _sum_both(t)
    return t


def _sum_levels(t: CellTotals, leg: str) -> None:
    oi, rank = pl.col(f"{leg}_oi"), _out_of_money(leg)
    share = t.let(oi.cast(pl.Float64))
    otm = t.let(pl.when(rank > 0).then(oi))
    t.count(f"{leg}_oi_n", oi)
    t.sum(f"{leg}_oi", oi)
    t.sum(f"{leg}_oi_strike", oi * pl.col("strike"))
    t.sum(f"{leg}_oi_squares", share * share)
    t.count(f"{leg}_otm_n", otm)
    t.sum(f"{leg}_otm", otm)
    for window in VOLUME_PERIODS:
        t.count(f"{leg}_volume_{window}_n", pl.col(f"{leg}_volume_{window}"))
        t.sum(f"{leg}_volume_{window}", pl.col(f"{leg}_volume_{window}"))


def _sum_changes(t: CellTotals, leg: str) -> None:
    oi, close = pl.col(f"{leg}_oi"), pl.col(f"{leg}_close")
    for window in CHANGE_WINDOWS:
        before = pl.col(f"{leg}_oi_{window}")
        change = t.let(oi - before)
        t.count(f"{leg}_change_{window}_n", change)
        t.sum(f"{leg}_change_{window}", change)
        t.sum(f"{leg}_base_{window}", pl.when(change.is_not_null()).then(before))
    for window in PRICE_WINDOWS:
        before = pl.col(f"{leg}_close_{window}")
        change = t.let(close - before)
        t.count(f"{leg}_price_{window}_n", change)
        t.sum(f"{leg}_price_{window}", change)
        t.sum(f"{leg}_price_base_{window}", pl.when(change.is_not_null()).then(before))
    for window in ACCELERATION_WINDOWS:
        before = pl.col(f"{leg}_oi_{2 * window}")
        second = t.let(oi - 2 * pl.col(f"{leg}_oi_{window}") + before)
        t.count(f"{leg}_second_{window}_n", second)
        t.sum(f"{leg}_second_{window}", second)
        t.sum(f"{leg}_second_base_{window}", pl.when(second.is_not_null()).then(before))
    for window in VELOCITY_PERIODS:
        t.count(f"{leg}_slope_{window}_n", pl.col(f"{leg}_slope_{window}"))
        t.sum(f"{leg}_slope_{window}", pl.col(f"{leg}_slope_{window}"))
        t.sum(f"{leg}_mean_{window}", pl.col(f"{leg}_mean_{window}"))


def _sum_breadth(t: CellTotals, leg: str) -> None:
    """Where and in which class of strikes the change of the last quarter of an hour lies."""
    change = t.let(pl.col(f"{leg}_oi") - pl.col(f"{leg}_oi_{FLOW_WINDOW}"))
    move = t.let(pl.col(f"{leg}_close") - pl.col(f"{leg}_close_{FLOW_WINDOW}"))
    size = t.let(change.abs())
    weight = t.let(size.cast(pl.Float64))
    rank = _out_of_money(leg)
    t.sum(f"{leg}_gross", size)
    t.sum(f"{leg}_gross_squares", weight * weight)
    for bucket, (first, last) in BUCKETS.items():
        part = t.let(pl.when(rank.is_between(first, last)).then(change))
        t.count(f"{leg}_{bucket}_n", part)
        t.sum(f"{leg}_{bucket}", part)
    both = t.let(pl.when(move.is_not_null()).then(size))
    t.count(f"{leg}_classed_n", both)
    t.sum(f"{leg}_classed", both)
    conditions = {
        "long_buildup": (move > 0) & (change > 0),
        "short_buildup": (move < 0) & (change > 0),
        "short_covering": (move > 0) & (change < 0),
    }
    for kind in KINDS:
        t.sum(f"{leg}_{kind}", pl.when(conditions[kind]).then(size))


def _sum_both(t: CellTotals) -> None:
    """Sums over strikes that need both legs."""
    strike = pl.col("strike")
    now = t.let(pl.col("ce_oi") + pl.col("pe_oi"))
    for window in PCR_WINDOWS:
        calls, puts = pl.col(f"ce_oi_{window}"), pl.col(f"pe_oi_{window}")
        both = t.let((now + calls + puts).is_not_null())
        t.count(f"pcr_{window}_n", pl.when(both).then(calls))
        for leg in LEGS:
            t.sum(f"{leg}_pcr_now_{window}", pl.when(both).then(pl.col(f"{leg}_oi")))
            t.sum(f"{leg}_pcr_then_{window}", pl.when(both).then(pl.col(f"{leg}_oi_{window}")))
    then = t.let(pl.col(f"ce_oi_{FLOW_WINDOW}") + pl.col(f"pe_oi_{FLOW_WINDOW}"))
    held_now = t.let(pl.when(then.is_not_null()).then(now))
    held_then = t.let(pl.when(now.is_not_null()).then(then))
    for name, weight in {"spread": now, "held": held_now, "past": held_then}.items():
        moment = t.let(weight * strike)
        t.count(f"{name}_n", weight)
        t.sum(name, weight)
        t.sum(f"{name}_strike", moment)
        t.sum(f"{name}_squares", moment * strike)


def _out_of_money(leg: str) -> pl.Expr:
    """Rank counted out of the money of the leg; put labels mirror those of the call."""
    return pl.col("k") if leg == "ce" else -pl.col("k")


# -- the section's columns ------------------------------------------------------------------------


@lru_cache
def _levels() -> tuple[ColumnPlan, Mapping[str, pl.Expr]]:
    """The section's columns from the totals."""
    p = ColumnPlan()
    return p, _leg_levels(p) | _shared_levels(p)


def _leg_levels(p: ColumnPlan) -> dict[str, pl.Expr]:
    out: dict[str, pl.Expr] = {}
    for leg in LEGS:
        oi = p.let(_enough(p, f"{leg}_oi", pl.col(f"{leg}_oi")))
        out[f"o3_oi_{leg}"] = oi
        out[f"oi_centroid_{leg}"] = ratio(pl.col(f"{leg}_oi_strike"), oi)
        out[f"o3_hhi_oi_{leg}"] = ratio(pl.col(f"{leg}_oi_squares"), _square(oi))
        out[f"o3_otm_share_{leg}"] = _part(p, f"{leg}_otm", ratio(pl.col(f"{leg}_otm"), oi))
        for window in VOLUME_PERIODS:
            name = f"{leg}_volume_{window}"
            out[f"o3_volume_{leg}_{window}"] = _enough(p, name, pl.col(name)).cast(pl.Int64)
        for window in CHANGE_WINDOWS:
            name = f"{leg}_change_{window}"
            out[f"o3_change_{leg}_{window}"] = _enough(p, name, pl.col(name))
            out[f"o3_base_{leg}_{window}"] = _enough(p, name, pl.col(f"{leg}_base_{window}"))
        for window in PRICE_WINDOWS:
            name = f"{leg}_price_{window}"
            price = ratio(pl.col(name), pl.col(f"{leg}_price_base_{window}"))
            out[f"o3_price_{leg}_{window}"] = _enough(p, name, price)
        for window in ACCELERATION_WINDOWS:
            name = f"{leg}_second_{window}"
            second = ratio(pl.col(name), pl.col(f"{leg}_second_base_{window}"))
            out[f"o3_accel_{leg}_{window}"] = _enough(p, name, second)
        for window in VELOCITY_PERIODS:
            name = f"{leg}_slope_{window}"
            slope = ratio(pl.col(name), pl.col(f"{leg}_mean_{window}"))
            out[f"o3_velocity_{leg}_{window}"] = _enough(p, name, slope)
        out |= _leg_flow_levels(p, leg)
    return out


def _leg_flow_levels(p: ColumnPlan, leg: str) -> dict[str, pl.Expr]:
    change = f"{leg}_change_{FLOW_WINDOW}"
    gross = p.let(_enough(p, change, pl.col(f"{leg}_gross")))
    base = p.let(_enough(p, change, pl.col(f"{leg}_base_{FLOW_WINDOW}")))
    classed = p.let(_enough(p, f"{leg}_classed", pl.col(f"{leg}_classed")))
    out = {
        f"o3_gross_{leg}": gross,
        f"o3_hhi_flow_{leg}": ratio(pl.col(f"{leg}_gross_squares"), _square(gross)),
    }
    for bucket in BUCKETS:
        name = f"{leg}_{bucket}"
        out[f"o3_bucket_{bucket}_{leg}"] = _part(p, name, ratio(pl.col(name), base))
    for kind in KINDS:
        out[f"o3_share_{kind}_{leg}"] = ratio(pl.col(f"{leg}_{kind}"), classed)
    return out


def _shared_levels(p: ColumnPlan) -> dict[str, pl.Expr]:
    out: dict[str, pl.Expr] = {}
    for window in PCR_WINDOWS:
        now = log(ratio(pl.col(f"pe_pcr_now_{window}"), pl.col(f"ce_pcr_now_{window}")))
        then = log(ratio(pl.col(f"pe_pcr_then_{window}"), pl.col(f"ce_pcr_then_{window}")))
        out[f"o3_pcr_change_{window}"] = _enough(p, f"pcr_{window}", now - then)
    out["o3_spread"] = _enough(p, "spread", _spread(p, "spread"))
    growth = log(ratio(_spread(p, "held"), _spread(p, "past")))
    out["o3_spread_growth"] = _enough(p, "held", growth)
    return out


def _spread(p: ColumnPlan, name: str) -> pl.Expr:
    """Standard deviation of the strike, weighted; in points.

    The squares are taken from the whole point below the mean, still in whole numbers, so that
    the size of the strikes costs no digits.
    """
    total, strikes = pl.col(name), pl.col(f"{name}_strike")
    centre = p.let(ratio(strikes, total).floor().cast(pl.Int64))
    first = strikes - centre * total
    squares = pl.col(f"{name}_squares") - 2 * centre * strikes + centre * centre * total
    mean = p.let(ratio(first, total))
    return (ratio(squares, total) - mean * mean).sqrt()


def _square(x: pl.Expr) -> pl.Expr:
    size = x.cast(pl.Float64)
    return size * size


def _enough(p: ColumnPlan, name: str, value: pl.Expr) -> pl.Expr:
    """The value where ten strikes have the term."""
    return pl.when(p.let(pl.col(f"{name}_n") >= NEAR_NEEDED)).then(value)


def _part(p: ColumnPlan, name: str, value: pl.Expr) -> pl.Expr:
    """The value where a strike of the part has the term."""
    return pl.when(p.let(pl.col(f"{name}_n") >= 1)).then(value)
