"""Prices of the minute panel: underlying, straddles, their held returns, points of the smile.

Here: the series that every component starts from, one row a cell.
Not here: sums over strikes (``greek_series.py``, ``oi_series.py``, ``smile_series.py``).

Two families that must not be mixed. *Re-struck* prices (``strd``, ``itm1``, ``ce``, …) are read on
the row that carries the label at t, and jump when the strike changes. *Held* returns and
differences (``r_…``, ``d_…``) compare the strikes selected at t', the last valid minute in
t-3 .. t-1, at both ends: no jump, and a gap of up to two minutes loses nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

import polars as pl

from mr_platform.features.chain_grid import (
    CELL,
    CONTRACT,
    DAY,
    MINUTE_COLUMNS,
    ChainGrid,
    per_cell,
)
from mr_platform.features.column_plan import GROUP, INDEX, ColumnPlan
from mr_platform.features.kernels.windows import (
    MAX_BRIDGE,
    OPEN_LIMIT,
    bridged,
    lag,
    open_value,
)

STEP_RANKS = 10
"""The strike step is measured on adjacent strikes up to this rank."""

SMILE_RANK = 3
"""Rank of the out-of-the-money points of the smile."""

PRICE_DECIMALS = 6
"""Sums of premiums are rounded to this: 100.05 + 89.95 must equal 190, or equal prices would not
tie in ranks and signs. Ticks have two decimals, so nothing but rounding noise is cut."""

COMBINED_WEIGHTS: Mapping[str, float] = {"strd": 0.5, "itm1": 0.3, "otm1": 0.2}
"""Weights of the combined straddle."""

_RANKED: Mapping[str, int] = {"atm": 0, "itm1": -1, "otm1": 1}
_SIDES = ("ce", "pe")
_ATM_ONLY = ("high", "low", "iv", "delta", "gamma", "theta", "vega")
_UNDERLYING: Mapping[str, str] = {
    "spot": "spot", "fut": "future_close", "fut_open": "future_open", "fut_high": "future_high",
    "fut_low": "future_low", "fut_volume": "future_volume", "fut_oi": "future_oi",
}  # fmt: skip

# what is looked up at t on the strikes that were selected at t': name -> (rank, value)
_HELD: Mapping[str, tuple[int, pl.Expr]] = {
    "ce": (0, pl.col("ce_close")),
    "pe": (0, pl.col("pe_close")),
    "strd": (0, (pl.col("ce_close") + pl.col("pe_close")).round(PRICE_DECIMALS)),
    "itm1": (-1, (pl.col("ce_close") + pl.col("pe_close")).round(PRICE_DECIMALS)),
    "otm1": (1, (pl.col("ce_close") + pl.col("pe_close")).round(PRICE_DECIMALS)),
    "iv": (0, (pl.col("ce_iv") + pl.col("pe_iv")) / 2.0),
    "iv_ce": (0, pl.col("ce_iv")),
    "iv_pe": (0, pl.col("pe_iv")),
    "iv_otmput": (-SMILE_RANK, pl.col("pe_iv")),
    "iv_otmcall": (SMILE_RANK, pl.col("ce_iv")),
}
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
    selected = _with_forward(_selected(grid))
    days = _underlying(grid)
    cells = grid.cells.lazy().join(days, on=[DAY, INDEX], how="left", maintain_order="left")
    # far expiries may quote no strike near the money and still say which it is
    named = per_cell(grid.rows, [pl.col("atm_strike").first()], in_order=True)
    cells = cells.join(_steps(grid), on=CELL, how="left", maintain_order="left")
    cells = cells.join(named, on=CELL, how="left", maintain_order="left")
    frame = grid.engine.collect(cells.join(selected, on=CELL, how="left", maintain_order="left"))
    held = _held_values(grid)
    opened = _opened(grid, frame)
    joined = frame.lazy().join(held, on=CELL, how="left", maintain_order="left")
    joined = joined.join(opened, on=CELL, how="left", maintain_order="left")
    plan, outputs = _held_plan()
    return grid.engine.collect(plan.run(joined, outputs, keep=[*frame.columns, *_OPENED]))


_OPENED = tuple(f"{name}_oi_open" for name in _RANKED)


# -- the row at t ---------------------------------------------------------------------------------


def _selected(grid: ChainGrid) -> pl.LazyFrame:
    """Values of the labelled strikes, one row a cell; a label on two rows selects none."""
    needed = grid.rows.lazy().filter(pl.col("k").abs() <= SMILE_RANK)
    picks: list[pl.Expr] = []
    for name, rank in _RANKED.items():
        picks.append(_pick(rank, pl.col("strike")).alias(f"strike_{name}"))
        for side in _SIDES:
            for what in ("close", "volume", "oi"):
                column = f"{side}_{what}"
                picks.append(_pick(rank, pl.col(column)).alias(f"{name}_{column}"))
    for side in _SIDES:
        picks += [
            _pick(0, pl.col(f"{side}_{what}")).alias(f"atm_{side}_{what}")
            for what in ("open", *_ATM_ONLY)
        ]
    picks.append(_pick(-SMILE_RANK, pl.col("pe_iv")).alias("iv_otmput"))
    picks.append(_pick(SMILE_RANK, pl.col("ce_iv")).alias("iv_otmcall"))
    frame = per_cell(needed, picks, in_order=True)
    legs = {name: _sum(f"{name}_ce_close", f"{name}_pe_close") for name in _RANKED}
    combined = (
        COMBINED_WEIGHTS["strd"] * legs["atm"]
        + COMBINED_WEIGHTS["itm1"] * legs["itm1"]
        + COMBINED_WEIGHTS["otm1"] * legs["otm1"]
    )
    return frame.with_columns(
        strd=legs["atm"].round(PRICE_DECIMALS),
        itm1=legs["itm1"].round(PRICE_DECIMALS),
        otm1=legs["otm1"].round(PRICE_DECIMALS),
        comb=combined.round(PRICE_DECIMALS),
        ce=pl.col("atm_ce_close"),
        pe=pl.col("atm_pe_close"),
        strd_open=_sum("atm_ce_open", "atm_pe_open").round(PRICE_DECIMALS),
        iv=(pl.col("atm_ce_iv") + pl.col("atm_pe_iv")) / 2.0,
    )


def _pick(rank: int, value: pl.Expr) -> pl.Expr:
    """The value on the one row of the cell with this rank; null with none or several."""
    here = pl.col("k") == rank
    return pl.when(here.sum() == 1).then(pl.when(here).then(value).max())


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
    count = pl.sum_horizontal([point.is_not_null().cast(pl.Int32) for point in points])
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
    """Modal gap of adjacent strikes up to rank 10, the smaller on a tie."""
    near = grid.rows.lazy().filter(pl.col("k").abs() <= STEP_RANKS).select(CELL, "strike")
    gaps = near.with_columns(
        gap=pl.when(pl.col(CELL) == pl.col(CELL).shift(1)).then(
            pl.col("strike") - pl.col("strike").shift(1)
        )
    ).filter(pl.col("gap").is_not_null())
    counted = gaps.group_by(CELL, "gap").agg(pl.len().alias("times"))
    return (
        counted.sort(CELL, "times", "gap", descending=[False, True, False])
        .group_by(CELL, maintain_order=True)
        .agg(pl.col("gap").first().alias("step"))
    )


# -- underlying -----------------------------------------------------------------------------------


def _underlying(grid: ChainGrid) -> pl.LazyFrame:
    """Spot and future of each minute, with their returns: u, j and columns."""
    cells = grid.cells.lazy().select(CELL, DAY, INDEX)
    seen = per_cell(
        grid.rows.lazy().select(CELL, *MINUTE_COLUMNS),
        [pl.col(source).first().alias(name) for name, source in _UNDERLYING.items()],
        in_order=True,
    )
    # cells ascend by expiry, so the first row of a minute is the one with the smallest dte
    minutes = (
        seen.join(cells, on=CELL, how="inner")
        .sort(CELL)
        .group_by(DAY, INDEX, maintain_order=True)
        .agg(pl.col(*_UNDERLYING).first())
    )
    full = cells.select(DAY, INDEX).unique().sort(DAY, INDEX)
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


def _held_values(grid: ChainGrid) -> pl.LazyFrame:
    """Values at t on the strikes selected 1, 2 and 3 minutes before; one row a cell."""
    plan, outputs = _held_values_plan()
    legs = ["ce_close", "pe_close", "ce_iv", "pe_iv"]
    lagged = plan.run(grid.contracts.lazy(), outputs, keep=[CELL, "strike", "k", *legs])
    picks = [pl.col("_before").max().round(PRICE_DECIMALS).alias("strd_lag")]
    picks += [
        pl.when(pl.col(_flag(held, back))).then(value).max().alias(f"_{name}_{back}")
        for name, (held, value) in _HELD.items()
        for back in range(1, MAX_BRIDGE + 1)
    ]
    flags = [pl.col(name) for name in outputs if name != "_before"]
    return per_cell(lagged.filter(pl.any_horizontal(flags) | (pl.col("k") == 0)), picks)


@cache
def _held_values_plan() -> tuple[ColumnPlan, dict[str, pl.Expr]]:
    """Which contracts were selected 1, 2 and 3 minutes before, and their price a minute before."""
    p = ColumnPlan(group=CONTRACT)
    rank = pl.col("k")
    outputs = {
        _flag(held, back): p.let(lag(p, p.let(rank == held), back).fill_null(False))
        for held in sorted({held for held, _ in _HELD.values()})
        for back in range(1, MAX_BRIDGE + 1)
    }
    before = p.let(lag(p, pl.col("ce_close") + pl.col("pe_close"), 1))
    outputs["_before"] = pl.when(rank == 0).then(before)
    return p, outputs


def _flag(held: int, back: int) -> str:
    return f"_{'m' if held < 0 else 'p'}{abs(held)}_{back}"


@cache
def _held_plan() -> tuple[ColumnPlan, dict[str, pl.Expr]]:
    """Held returns and differences from the values of ``_held_values``."""
    p = ColumnPlan()
    outputs: dict[str, pl.Expr] = {"strd_lag": pl.when(pl.col(INDEX) > 0).then(pl.col("strd_lag"))}
    for name in _RETURNS:
        before, minutes = bridged(p, name)
        held = _chosen(minutes, name)
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
        difference = _chosen(minutes, name) - before
        outputs[f"d_{name}"] = pl.when(p.let(series).is_not_null()).then(difference)
    return p, outputs


def _chosen(minutes: pl.Expr, name: str) -> pl.Expr:
    """The value at t on the strikes selected so many minutes before."""
    if name == "comb":
        parts = [weight * _chosen(minutes, part) for part, weight in COMBINED_WEIGHTS.items()]
        return (parts[0] + parts[1] + parts[2]).round(PRICE_DECIMALS)
    if name == "skew":
        return _chosen(minutes, "iv_otmput") - _chosen(minutes, "iv_otmcall")
    value: pl.Expr = pl.lit(None, dtype=pl.Float64)
    for back in range(1, MAX_BRIDGE + 1):
        value = pl.when(minutes == back).then(pl.col(f"_{name}_{back}")).otherwise(value)
    return value


def _opened(grid: ChainGrid, frame: pl.DataFrame) -> pl.LazyFrame:
    """Open interest, at the series' open bar, of the strike that is selected at t."""
    plan, bars = _open_bars_plan()
    open_bars = plan.run(frame.lazy(), bars, keep=[GROUP, INDEX])
    last = open_bars.group_by(GROUP).agg(pl.col(*bars).max())
    selected = grid.contracts.lazy().filter(pl.col("k").abs() <= 1)
    total = pl.col("ce_oi") + pl.col("pe_oi")
    early = (
        grid.contracts.lazy()
        .filter(pl.col(INDEX) <= OPEN_LIMIT)
        .select(CONTRACT, GROUP, INDEX, total.alias("_oi"))
        .join(last, on=GROUP, how="left")
        .group_by(CONTRACT)
        .agg(
            pl.when(pl.col(INDEX) == pl.col(f"_{name}_bar")).then(pl.col("_oi")).max()
            .alias(f"_{name}_oi")
            for name in _RANKED
        )
    )  # fmt: skip
    rows = selected.select(CELL, GROUP, INDEX, "strike", "k", CONTRACT)
    rows = rows.join(early, on=CONTRACT, how="left").join(last, on=GROUP, how="left")
    picks = []
    for name, rank in _RANKED.items():
        known = (pl.col("k") == rank) & (pl.col(INDEX) >= pl.col(f"_{name}_bar"))
        picks.append(
            pl.when((pl.col("k") == rank).sum() == 1)
            .then(pl.when(known).then(pl.col(f"_{name}_oi")).max())
            .alias(f"{name}_oi_open")
        )
    return per_cell(rows, picks)


@cache
def _open_bars_plan() -> tuple[ColumnPlan, dict[str, pl.Expr]]:
    """Minute of the open of each straddle."""
    p = ColumnPlan()
    return p, {
        f"_{name}_bar": open_value(
            p, p.let(pl.when(pl.col(price).is_not_null()).then(pl.col(INDEX)))
        )
        for name, price in (("atm", "strd"), ("itm1", "itm1"), ("otm1", "otm1"))
    }
