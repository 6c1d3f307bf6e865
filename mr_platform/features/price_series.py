"""Prices of the minute panel: underlying, straddles, their held returns, points of the smile.

Here: the series that every component starts from, one row a cell.
Not here: sums over strikes (``greek_series.py``, ``oi_series.py``, ``smile_series.py``).

Two families that must not be mixed. *Re-struck* prices (``strd``, ``itm1``, ``ce``, …) are read on
the row that carries the label at t, and jump when the strike changes. *Held* returns and
differences (``r_…``, ``d_…``) compare the strikes selected at t', the last valid minute in
t-3 .. t-1, at both ends: no jump, and a gap of up to two minutes loses nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache

import polars as pl

from mr_platform.features.chain_grid import (
    CELL,
    CONTRACT,
    DAY,
    ChainGrid,
    at_rank,
    hundredths,
    paired_key,
)
from mr_platform.features.column_plan import GROUP, INDEX, ColumnPlan
from mr_platform.features.kernels.across import count_across
from mr_platform.features.kernels.windows import (
    MAX_BRIDGE,
    OPEN_LIMIT,
    bridged,
    lag,
    open_value,
)

SMILE_RANK = 3
"""Rank of the out-of-the-money points of the smile."""

PRICE_DECIMALS = 6
"""Sums of premiums are rounded to this: 100.05 + 89.95 must equal 190, or equal prices would not
tie in ranks and signs. Ticks have two decimals, so nothing but rounding noise is cut."""

COMBINED_WEIGHTS: Mapping[str, float] = {"strd": 0.5, "itm1": 0.3, "otm1": 0.2}
"""Weights of the combined straddle."""

_RANKED: Mapping[str, int] = {"atm": 0, "itm1": -1, "otm1": 1}
_SIDES = ("ce", "pe")
_OF_STRADDLES = ("close", "volume", "oi")
_ATM_ONLY = ("open", "high", "low", "iv", "delta", "gamma", "theta", "vega")
_READ = tuple(f"{side}_{what}" for side in _SIDES for what in (*_OF_STRADDLES, *_ATM_ONLY))
_SMILE: Mapping[str, tuple[int, str]] = {
    "iv_otmput": (-SMILE_RANK, "pe_iv"),
    "iv_otmcall": (SMILE_RANK, "ce_iv"),
}
_UNDERLYING: Mapping[str, str] = {
    "spot": "spot", "fut": "future_close", "fut_open": "future_open", "fut_high": "future_high",
    "fut_low": "future_low", "fut_volume": "future_volume", "fut_oi": "future_oi",
}  # fmt: skip

_Leg = Callable[[str], pl.Expr]
"""A leg's column by its name, now or some minutes later."""


def _straddle(leg: _Leg) -> pl.Expr:
    return (leg("ce_close") + leg("pe_close")).round(PRICE_DECIMALS)


# what is looked up at t on the strikes that were selected at t': rank -> name -> value
_HELD: Mapping[int, Mapping[str, Callable[[_Leg], pl.Expr]]] = {
    0: {
        "ce": lambda leg: leg("ce_close"),
        "pe": lambda leg: leg("pe_close"),
        "strd": _straddle,
        "iv": lambda leg: (leg("ce_iv") + leg("pe_iv")) / 2.0,
        "iv_ce": lambda leg: leg("ce_iv"),
        "iv_pe": lambda leg: leg("pe_iv"),
    },
    -1: {"itm1": _straddle},
    1: {"otm1": _straddle},
    -SMILE_RANK: {"iv_otmput": lambda leg: leg("pe_iv")},
    SMILE_RANK: {"iv_otmcall": lambda leg: leg("ce_iv")},
}
_HELD_LEGS = ("ce_close", "pe_close", "ce_iv", "pe_iv")
_BACKS = range(1, MAX_BRIDGE + 1)
_RETURNS = ("strd", "itm1", "otm1", "comb", "ce", "pe")
_DIFFERENCES = ("iv", "iv_ce", "iv_pe", "iv_otmput", "iv_otmcall", "skew")


def price_series(grid: ChainGrid) -> pl.DataFrame:
    """Cells with all price columns.

    Args:
        grid: The chain on its grid.

    Returns:
        ``grid.cells`` and, a row a cell, in the same order:
        underlying (equal in every expiry of a minute): spot, fut, fut_open, fut_high, fut_low,
        fut_volume, fut_oi, basis, r_und, r_fut with the minutes they span (``_min``);
        by expiry: forward, step, atm_strike, strike_{atm,itm1,otm1}, prices strd, strd_open,
        strd_lag, itm1, otm1, comb, ce, pe, held log returns r_{strd,itm1,otm1,comb,ce,pe} with
        ``_min``, legs of the ATM row, volumes and open interest of the three straddles, their
        open interest at the open of the strike selected at t, implied volatilities of the ATM
        straddle and of ranks -3 and 3, and their held one-minute differences.
    """
    cells = grid.cells.lazy().join(
        _underlying(grid), on=[DAY, INDEX], how="left", maintain_order="left"
    )
    # far expiries may quote no strike near the money and still say which it is
    named = grid.minutes.lazy().select(CELL, "atm_strike")
    cells = cells.join(_steps(grid), on=CELL, how="left", maintain_order="left")
    cells = cells.join(named, on=CELL, how="left", maintain_order="left")
    for picked in _picked(grid):
        cells = cells.join(picked, on=CELL, how="left", maintain_order="left")
    frame = grid.engine.collect(_with_forward(_with_prices(cells)))
    plan, outputs = _held_plan()
    series = [name for name in frame.columns if name not in _HANDED_ON]
    opened = _with_open_interest(grid, frame)
    return plan.compute(grid.engine.collect(opened), outputs, grid.engine, keep=series)


_HANDED_ON = frozenset(
    [f"_{name}_{back}" for names in _HELD.values() for name in names for back in _BACKS]
    + [f"_{name}_contract" for name in _RANKED]
    + ["_before"]
)
"""What ``_picked`` gives and the panel does not hold."""


# -- the row at t ---------------------------------------------------------------------------------


def _picked(grid: ChainGrid) -> list[pl.LazyFrame]:
    """For each rank what is read on the strike that carries it, one row a cell."""
    plan, outputs = _contract_plan()
    kept = [CELL, CONTRACT, "strike", "k", *_READ]
    contracts = plan.compute(grid.contracts, outputs, grid.engine, keep=kept).lazy()
    named = {rank: name for name, rank in _RANKED.items()}
    frames = []
    for rank, held in _HELD.items():
        picks = [
            value(lambda leg, back=back: pl.col(_later(leg, back))).alias(f"_{name}_{back}")  # type: ignore[misc]
            for name, value in held.items()
            for back in _BACKS
        ]
        if rank in named:
            name = named[rank]
            picks += [
                pl.col("strike").alias(f"strike_{name}"),
                pl.col(CONTRACT).alias(f"_{name}_contract"),
                *[
                    pl.col(f"{side}_{what}").alias(f"{name}_{side}_{what}")
                    for side in _SIDES
                    for what in (*_OF_STRADDLES, *(_ATM_ONLY if rank == 0 else ()))
                ],
            ]
        if rank == 0:
            picks.append(pl.col("_before").round(PRICE_DECIMALS))
        picks += [pl.col(leg).alias(name) for name, (at, leg) in _SMILE.items() if at == rank]
        frames.append(at_rank(contracts, rank).select(CELL, *picks))
    return frames


@cache
def _contract_plan() -> tuple[ColumnPlan, dict[str, pl.Expr]]:
    """A contract's values in the minutes after, and its straddle a minute before.

    What the strikes selected at t' hold at t is read at t', on the row that carries the label,
    and brought to t by ``_held_plan``; nothing later than t reaches t.
    """
    p = ColumnPlan(group=CONTRACT)
    outputs: dict[str, pl.Expr] = {
        _later(leg, back): pl.when(pl.col(INDEX) < p.length - back).then(pl.col(leg).shift(-back))
        for leg in _HELD_LEGS
        for back in _BACKS
    }
    outputs["_before"] = lag(p, pl.col("ce_close") + pl.col("pe_close"), 1)
    return p, outputs


def _later(leg: str, minutes: int) -> str:
    return f"{leg}+{minutes}"


def _with_prices(cells: pl.LazyFrame) -> pl.LazyFrame:
    """Straddles and their volatility from the legs at t."""
    legs = {name: _sum(f"{name}_ce_close", f"{name}_pe_close") for name in _RANKED}
    combined = (
        COMBINED_WEIGHTS["strd"] * legs["atm"]
        + COMBINED_WEIGHTS["itm1"] * legs["itm1"]
        + COMBINED_WEIGHTS["otm1"] * legs["otm1"]
    )
    return cells.with_columns(
        strd=legs["atm"].round(PRICE_DECIMALS),
        itm1=legs["itm1"].round(PRICE_DECIMALS),
        otm1=legs["otm1"].round(PRICE_DECIMALS),
        comb=combined.round(PRICE_DECIMALS),
        ce=pl.col("atm_ce_close"),
        pe=pl.col("atm_pe_close"),
        strd_open=_sum("atm_ce_open", "atm_pe_open").round(PRICE_DECIMALS),
        iv=(pl.col("atm_ce_iv") + pl.col("atm_pe_iv")) / 2.0,
    )


def _sum(first: str, second: str) -> pl.Expr:
    return pl.col(first) + pl.col(second)


def _with_forward(selected: pl.LazyFrame) -> pl.LazyFrame:
    """Synthetic forward: median of K + call - put over ranks -1, 0, 1, of those present."""
    # columns of their own: Polars gives a horizontal extreme of conditions that hold nowhere a
    # length of one row
    quoted = selected.with_columns(
        pl.when((pl.col(f"{name}_ce_close") > 0) & (pl.col(f"{name}_pe_close") > 0))
        .then(pl.col(f"strike_{name}") + pl.col(f"{name}_ce_close") - pl.col(f"{name}_pe_close"))
        .alias(f"_{name}_forward")
        for name in _RANKED
    )
    points = [pl.col(f"_{name}_forward") for name in _RANKED]
    a, b, c = points
    count = count_across(points)
    low, high = pl.min_horizontal(points), pl.max_horizontal(points)
    middle = pl.max_horizontal(
        pl.min_horizontal(a, b), pl.min_horizontal(pl.max_horizontal(a, b), c)
    )
    return quoted.with_columns(
        forward=pl.when(count == 3).then(middle).when(count > 0).then((low + high) / 2.0)
    ).drop(
        [f"_{name}_forward" for name in _RANKED]
        + [f"{name}_{side}_close" for name in ("itm1", "otm1") for side in _SIDES]
        + [f"atm_{side}_{what}" for side in _SIDES for what in ("close", "open")]
    )


def _steps(grid: ChainGrid) -> pl.LazyFrame:
    """Modal gap of adjacent strikes up to rank ``RANKED``, the smaller on a tie."""
    near = grid.near.lazy().select(CELL, "strike")
    gaps = near.with_columns(
        gap=pl.when(pl.col(CELL) == pl.col(CELL).shift(1)).then(
            pl.col("strike") - pl.col("strike").shift(1)
        )
    ).filter(pl.col("gap").is_not_null())
    # one whole number as the key, since grouping by two columns costs more
    key = paired_key(CELL, hundredths("gap"))
    counted = gaps.group_by(key.alias("key"), maintain_order=True).agg(
        pl.col(CELL, "gap").first(), pl.len().alias("times")
    )
    return (
        counted.sort(CELL, "times", "gap", descending=[False, True, False])
        .group_by(CELL, maintain_order=True)
        .agg(pl.col("gap").first().alias("step"))
    )


# -- underlying -----------------------------------------------------------------------------------


def _underlying(grid: ChainGrid) -> pl.LazyFrame:
    """Spot and future of each minute, with their returns: u, j and columns."""
    # cells ascend by expiry, so the first row of a minute is the one with the smallest dte
    minutes = (
        grid.minutes.lazy()
        .sort(CELL)
        .group_by(DAY, INDEX, maintain_order=True)
        .agg(pl.col(source).first().alias(name) for name, source in _UNDERLYING.items())
    )
    full = grid.cells.lazy().select(DAY, INDEX).unique().sort(DAY, INDEX)
    dense = full.join(minutes, on=[DAY, INDEX], how="left", maintain_order="left")
    plan, outputs = _underlying_plan()
    return plan.run(dense, outputs, keep=[DAY, INDEX, *_UNDERLYING])


@cache
def _underlying_plan() -> tuple[ColumnPlan, dict[str, pl.Expr]]:
    p = ColumnPlan(group=DAY)
    outputs: dict[str, pl.Expr] = {"basis": pl.col("fut") - pl.col("spot")}
    for name, series in (("r_und", "spot"), ("r_fut", "fut")):
        before, minutes = bridged(p, series)
        now = pl.col(series)
        outputs[name] = p.let(pl.when((now > 0) & (before > 0)).then((now / before).log()))
        outputs[f"{name}_min"] = pl.when(outputs[name].is_not_null()).then(minutes)
    return p, outputs


# -- strikes held from t' -------------------------------------------------------------------------


@cache
def _held_plan() -> tuple[ColumnPlan, dict[str, pl.Expr]]:
    """Held returns and differences from the values of ``_picked``, and values of the open."""
    p = ColumnPlan()
    outputs: dict[str, pl.Expr] = {}
    for name in _RANKED:
        known = pl.col(f"_{name}_bar").is_not_null()
        outputs[f"{name}_oi_open"] = pl.when(known).then(pl.col(f"{name}_oi_open"))
    outputs["strd_lag"] = pl.col("_before")
    for name in _RETURNS:
        before, minutes = bridged(p, name)
        held = _chosen(p, minutes, name)
        value = p.let(pl.when((before > 0) & (held > 0)).then((held / before).log()))
        # without a price at t there is no return at t, though the strike held may be quoted:
        # the next return starts at t' again and would count the same minutes twice
        value = p.let(pl.when(pl.col(name).is_not_null()).then(value))
        outputs[f"r_{name}"] = value
        outputs[f"r_{name}_min"] = pl.when(value.is_not_null()).then(minutes)
    for name in _DIFFERENCES:
        series = {
            "iv_ce": pl.col("atm_ce_iv"),
            "iv_pe": pl.col("atm_pe_iv"),
            "skew": p.let(pl.col("iv_otmput") - pl.col("iv_otmcall")),
        }.get(name, pl.col(name))
        before, minutes = bridged(p, series)
        difference = _chosen(p, minutes, name) - before
        outputs[f"d_{name}"] = pl.when(p.let(series).is_not_null()).then(difference)
    return p, outputs


def _chosen(p: ColumnPlan, minutes: pl.Expr, name: str) -> pl.Expr:
    """The value at t on the strikes selected so many minutes before."""
    if name == "comb":
        parts = [weight * _chosen(p, minutes, part) for part, weight in COMBINED_WEIGHTS.items()]
        return (parts[0] + parts[1] + parts[2]).round(PRICE_DECIMALS)
    if name == "skew":
        return _chosen(p, minutes, "iv_otmput") - _chosen(p, minutes, "iv_otmcall")
    value: pl.Expr = pl.lit(None, dtype=pl.Float64)
    for back in _BACKS:
        held = p.let(lag(p, f"_{name}_{back}", back))
        value = pl.when(minutes == back).then(held).otherwise(value)
    return p.let(value)


# -- open interest at the open --------------------------------------------------------------------


def _with_open_interest(grid: ChainGrid, frame: pl.DataFrame) -> pl.LazyFrame:
    """Add the open interest, at the series' open bar, of the strike that is selected at t."""
    plan, bars = _open_bars_plan()
    opens = plan.compute(frame, bars, grid.engine, keep=[CELL, GROUP])
    last = opens.lazy().group_by(GROUP, maintain_order=True).agg(pl.col(*bars).max())
    total = pl.col("ce_oi") + pl.col("pe_oi")
    early = grid.engine.collect(
        grid.contracts.lazy()
        .select(CONTRACT, GROUP, INDEX, total.alias("_oi"))
        .filter(pl.col(INDEX) <= OPEN_LIMIT)
        .join(last, on=GROUP, how="left", maintain_order="left")
        .group_by(CONTRACT, maintain_order=True)
        .agg(
            pl.when(pl.col(INDEX) == pl.col(bar)).then(pl.col("_oi")).max().alias(f"{bar}_oi")
            for bar in bars
        )
    ).lazy()
    cells = frame.lazy().join(opens.lazy().drop(GROUP), on=CELL, how="left", maintain_order="left")
    for name in _RANKED:
        held = early.select(
            pl.col(CONTRACT).alias(f"_{name}_contract"),
            pl.col(f"_{name}_bar_oi").alias(f"{name}_oi_open"),
        )
        cells = cells.join(held, on=f"_{name}_contract", how="left", maintain_order="left")
    return cells


@cache
def _open_bars_plan() -> tuple[ColumnPlan, dict[str, pl.Expr]]:
    """Minute of the open of each straddle, from that minute on."""
    p = ColumnPlan()
    return p, {
        f"_{name}_bar": open_value(
            p, p.let(pl.when(pl.col(price).is_not_null()).then(pl.col(INDEX)))
        )
        for name, price in (("atm", "strd"), ("itm1", "itm1"), ("otm1", "otm1"))
    }
