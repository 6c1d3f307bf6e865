"""Open interest over the whole chain: totals, walls, max pain, change since yesterday's close.

Here: the chain-wide part of the open-interest section (``oi_series.py``).
Not here: changes on fixed strikes near the money (``oi_flows.py``).

Open interest and strikes are whole numbers and stay so, hence sums are exact and ties are ties.
A leg's sum needs 15 strikes that quote the leg's value; what takes both legs together (max pain,
the chain's volume) needs 15 strikes that quote either.
"""

from __future__ import annotations

import polars as pl

from mr_platform.features.chain_grid import (
    CELL,
    CHAIN_NEEDED,
    GROUP_KEYS,
    RUN,
    ChainGrid,
    paired_key,
    per_cell,
    per_run,
)
from mr_platform.features.column_plan import GROUP, INDEX
from mr_platform.features.kernels.windows import OPEN_LIMIT, ratio
from mr_platform.gateways.frame_engine import FrameEngine

WALL_WINDOW = 15
"""Minutes of the change of a wall's open interest."""

_KEY = "key"
_OI = ("ce_oi", "pe_oi")
_WALLS = {"call_wall": "ce_oi", "put_wall": "pe_oi"}
"""Largest over all strikes (C7)."""

_SIDES = {"o3_call_above": "ce_oi", "o3_put_below": "pe_oi"}
"""Largest on that side of spot (C3)."""


def wall_series(grid: ChainGrid, previous_close: pl.DataFrame | None) -> pl.DataFrame:
    """Chain-wide columns of the open-interest section.

    Args:
        grid: The chain on the grid.
        previous_close: Closing open interest of the previous trading day: symbol, date (the day
            it is for), expiry_date, strike, ce_oi, pe_oi. None where there was none.

    Returns:
        One row a cell with a quote; ``oi_series.py`` lists the columns.
    """
    strikes = grid.engine.collect(_strikes(grid, previous_close))
    totals = grid.engine.collect(_totals(strikes))
    placed = _placed(strikes, totals, grid.engine)
    levels = grid.engine.collect(_levels(totals, placed))
    return grid.engine.collect(_with_past_values(levels, strikes, grid.engine))


def _strikes(grid: ChainGrid, previous_close: pl.DataFrame | None) -> pl.LazyFrame:
    """Rows of the chain with what sums need: strike in whole points, both legs, yesterday."""
    rows = grid.rows.lazy().select(
        RUN, CELL, GROUP, INDEX, "spot", pl.col("strike").cast(pl.Int64), *_OI, "ce_volume",
        "pe_volume",
    )  # fmt: skip
    if previous_close is None or previous_close.is_empty():
        nothing = pl.lit(None, dtype=pl.Int64)
        rows = rows.with_columns(ce_previous=nothing, pe_previous=nothing)
    else:
        rows = (
            rows.with_columns(_key(GROUP))
            .join(_previous(grid, previous_close), on=_KEY, how="left", maintain_order="left")
            .drop(_KEY)
        )
    strike, spot = pl.col("strike"), pl.col("spot")
    rows = rows.with_columns(
        both=pl.col("ce_oi").fill_null(0) + pl.col("pe_oi").fill_null(0),
        above=pl.when(strike >= spot).then(pl.col("ce_oi")),
        below=pl.when(strike <= spot).then(pl.col("pe_oi")),
    ).with_columns(both_strike=pl.col("both") * strike)
    # running totals from the lowest strike up, through all minutes: whole numbers, so what came
    # before a minute is taken off again without a trace
    return rows.with_columns(up=pl.col("both").cum_sum(), up_strike=pl.col("both_strike").cum_sum())


def _previous(grid: ChainGrid, previous_close: pl.DataFrame) -> pl.LazyFrame:
    groups = grid.cells.lazy().filter(pl.col(INDEX) == 0).select(GROUP, *GROUP_KEYS)
    return (
        previous_close.lazy()
        .join(groups, on=list(GROUP_KEYS))
        .with_columns(pl.col("strike").cast(pl.Int64))
        .select(_key(GROUP), ce_previous=pl.col("ce_oi"), pe_previous=pl.col("pe_oi"))
    )


def _totals(strikes: pl.DataFrame) -> pl.LazyFrame:
    """Totals, counts and extremes of every cell, and the strike nearest to spot."""
    strike, spot = pl.col("strike"), pl.col("spot")
    sums = [
        pl.col(GROUP).first(),
        pl.col(INDEX).first(),
        spot.first(),
        _either("ce_oi", "pe_oi").sum().alias("quoted"),
        _either("ce_volume", "pe_volume").sum().alias("traded"),
        (pl.col("pe_oi") * strike).sum().alias("put_moment"),
        (pl.col("up") - pl.col("both")).first().alias("up_before"),
        (pl.col("up_strike") - pl.col("both_strike")).first().alias("up_strike_before"),
        *_nearest_ends("near", pl.lit(True)),
        *[pl.col(side).max().alias(f"{side}_most") for side in ("above", "below")],
        *[pl.col(side).sum().alias(f"{side}_total") for side in ("above", "below")],
    ]
    for leg in ("ce", "pe"):
        now, before = pl.col(f"{leg}_oi"), pl.col(f"{leg}_previous")
        sums += [
            now.count().alias(f"{leg}_count"),
            now.sum().alias(f"{leg}_total"),
            now.max().alias(f"{leg}_most"),
            pl.col(f"{leg}_volume").sum().alias(f"{leg}_volume"),
            pl.col(f"{leg}_volume").count().alias(f"{leg}_volumes"),
            (now + before).count().alias(f"{leg}_common"),
            pl.when(before.is_not_null()).then(now).sum().alias(f"{leg}_now"),
            pl.when(now.is_not_null()).then(before).sum().alias(f"{leg}_before"),
        ]
    return per_run(strikes, sums).with_columns(nearest=_nearest("near"))


def _placed(strikes: pl.DataFrame, totals: pl.DataFrame, engine: FrameEngine) -> pl.LazyFrame:
    """Per cell: where the walls stand, and where the chain's pain is least.

    pain(K) is convex in K and bends at the strikes only. So the strikes at which it does not fall
    to the right nor rise from the left are exactly those where it is least.
    """
    ends = totals.lazy().select(
        CELL, "nearest", "ce_most", "pe_most", "above_most", "below_most",
        balance=pl.col("pe_total") + pl.col("up_before"),
        moment=pl.col("put_moment") + pl.col("up_strike_before"),
    )  # fmt: skip
    strike, up, balance = pl.col("strike"), pl.col("up"), pl.col("balance")
    call_most = pl.col("ce_oi") == pl.col("ce_most")
    put_most = pl.col("pe_oi") == pl.col("pe_most")
    marked = {
        "least": (up >= balance) & (up - pl.col("both") <= balance),
        "spot_here": strike == pl.col("nearest"),
        "call_most": call_most,
        "put_most": put_most,
        "above_here": pl.col("above") == pl.col("above_most"),
        "below_here": pl.col("below") == pl.col("below_most"),
    }
    rows = (
        strikes.lazy()
        .join(ends, on=CELL, how="left", maintain_order="left")
        .select(
            RUN, CELL, "strike", "spot",
            call_next=pl.when(~call_most).then(pl.col("ce_oi")),
            put_next=pl.when(~put_most).then(pl.col("pe_oi")),
            pain=strike * (up - balance) - pl.col("up_strike") + pl.col("moment"),
            **marked,
        )
    )  # fmt: skip
    # all but the runners-up is of the few strikes that are the foremost in something
    rows = engine.collect(rows).lazy()
    second = per_run(
        rows.select(RUN, CELL, "call_next", "put_next"), [pl.col("call_next", "put_next").max()]
    )
    few = rows.drop("call_next", "put_next").filter(pl.any_horizontal(list(marked)))
    placed = per_cell(
        few,
        [
            *_nearest_ends("pain", pl.col("least")),
            pl.when(pl.col("least")).then(pl.col("pain")).min().alias("least_pain"),
            pl.when(pl.col("spot_here")).then(pl.col("pain")).min().alias("spot_pain"),
            *_nearest_ends("call", pl.col("call_most")),
            *_nearest_ends("put", pl.col("put_most")),
            pl.col("call_most").cast(pl.Int32).sum().alias("call_ties"),
            pl.col("put_most").cast(pl.Int32).sum().alias("put_ties"),
            # on one side of spot the nearest of equal strikes is the outermost towards spot
            pl.when(pl.col("above_here")).then(strike).min().alias("above_strike"),
            pl.when(pl.col("below_here")).then(strike).max().alias("below_strike"),
        ],
    )
    return second.join(placed, on=CELL, how="left", maintain_order="left")


def _levels(totals: pl.DataFrame, placed: pl.LazyFrame) -> pl.LazyFrame:
    """Columns of the section that need the minute alone, under their names."""
    cells = totals.lazy().join(placed, on=CELL, how="left", maintain_order="left")
    calls, puts = pl.col("ce_count") >= CHAIN_NEEDED, pl.col("pe_count") >= CHAIN_NEEDED
    quoted = pl.col("quoted") >= CHAIN_NEEDED
    call_wall, put_wall = calls & (pl.col("ce_most") > 0), puts & (pl.col("pe_most") > 0)
    call_above = calls & (pl.col("above_most") > 0)
    put_below = puts & (pl.col("below_most") > 0)
    depth = 1.0 - ratio(pl.col("least_pain"), pl.col("spot_pain"))
    return cells.select(
        CELL, GROUP, INDEX,
        oi_ce=pl.when(calls).then(pl.col("ce_total")),
        oi_pe=pl.when(puts).then(pl.col("pe_total")),
        chain_volume=pl.when(pl.col("traded") >= CHAIN_NEEDED).then(
            pl.col("ce_volume") + pl.col("pe_volume")
        ),
        max_pain=pl.when(quoted).then(_nearest("pain")),
        o3_pain_depth=pl.when(quoted).then(depth),
        call_wall=pl.when(call_wall).then(_nearest("call")),
        put_wall=pl.when(put_wall).then(_nearest("put")),
        call_wall_oi=pl.when(call_wall).then(pl.col("ce_most")),
        put_wall_oi=pl.when(put_wall).then(pl.col("pe_most")),
        call_second_oi=pl.when(call_wall).then(_second("call", "ce_most")),
        put_second_oi=pl.when(put_wall).then(_second("put", "pe_most")),
        o3_call_above=pl.when(call_above).then(pl.col("above_strike")),
        o3_put_below=pl.when(put_below).then(pl.col("below_strike")),
        o3_call_above_oi=pl.when(call_above).then(pl.col("above_most")),
        o3_put_below_oi=pl.when(put_below).then(pl.col("below_most")),
        o3_call_above_share=pl.when(call_above).then(
            ratio(pl.col("above_most"), pl.col("above_total"))
        ),
        o3_put_below_share=pl.when(put_below).then(
            ratio(pl.col("below_most"), pl.col("below_total"))
        ),
        o3_volume_ce=pl.col("ce_volume"),
        o3_volume_pe=pl.col("pe_volume"),
        o3_volume_strikes_ce=pl.col("ce_volumes").cast(pl.Int64),
        o3_volume_strikes_pe=pl.col("pe_volumes").cast(pl.Int64),
        o3_since_close_ce=_since_close("ce"),
        o3_since_close_pe=_since_close("pe"),
    )  # fmt: skip


def _with_past_values(
    levels: pl.DataFrame, strikes: pl.DataFrame, engine: FrameEngine
) -> pl.LazyFrame:
    """Add what the strikes that are walls now held before: at the open, and 15 minutes ago."""
    cells = levels.lazy()
    open_rows = (
        strikes.lazy().select(GROUP, INDEX, "strike", *_OI).filter(pl.col(INDEX) <= OPEN_LIMIT)
    )
    past_rows = engine.collect(strikes.lazy().select(_key(CELL), *_OI)).lazy()
    found: list[pl.LazyFrame] = []
    for wall, oi in _WALLS.items():
        opened = (
            open_rows.filter(pl.col(oi).is_not_null())
            .group_by(GROUP, "strike", maintain_order=True)
            .agg(pl.col(oi).first().alias(f"{wall}_oi_open"))
        )
        walls = cells.select(CELL, GROUP, strike=wall)
        found.append(
            walls.join(opened, on=[GROUP, "strike"], how="inner").select(CELL, f"{wall}_oi_open")
        )
    for wall, oi in _SIDES.items():
        # an earlier cell would belong to the group before
        walls = (
            cells.filter(pl.col(INDEX) >= WALL_WINDOW)
            .select(pl.col(CELL) - WALL_WINDOW, strike=wall)
            .select(CELL, _key(CELL))
        )
        found.append(
            walls.join(past_rows.select(_KEY, oi), on=_KEY).select(
                pl.col(CELL) + WALL_WINDOW, pl.col(oi).alias(f"{wall}_oi_past")
            )
        )
    for frame in found:
        cells = cells.join(frame, on=CELL, how="left", maintain_order="left")
    return cells.with_columns(
        pl.col("max_pain", *_WALLS, *_SIDES).cast(pl.Float64),
        *[
            ratio(pl.col(f"{wall}_oi"), pl.col(f"{wall}_oi_past")).alias(f"{wall}_growth")
            for wall in _SIDES
        ],
    ).drop(GROUP, INDEX, *[f"{wall}_{kind}" for wall in _SIDES for kind in ("oi", "oi_past")])


def _key(number: str) -> pl.Expr:
    """A number and a whole strike as one number: a join by two columns costs twice."""
    return paired_key(number, pl.col("strike")).alias(_KEY)


def _either(call: str, put: str) -> pl.Expr:
    return (pl.col(call).is_not_null() | pl.col(put).is_not_null()).cast(pl.Int32)


def _nearest_ends(name: str, condition: pl.Expr) -> list[pl.Expr]:
    """The highest strike not above spot and the lowest above it, of those that qualify."""
    strike, below = pl.col("strike"), pl.col("strike") <= pl.col("spot")
    return [
        pl.when(condition & below).then(strike).max().alias(f"{name}_low"),
        pl.when(condition & ~below).then(strike).min().alias(f"{name}_high"),
    ]


def _nearest(name: str) -> pl.Expr:
    """Of the two ends the one nearest to spot, the lower on a tie."""
    low, high, spot = pl.col(f"{name}_low"), pl.col(f"{name}_high"), pl.col("spot")
    upper = low.is_null() | (high - spot < spot - low)
    return pl.when(upper).then(high).otherwise(low)


def _second(name: str, most: str) -> pl.Expr:
    """Second largest value, equal to the largest where two strikes share it."""
    return pl.when(pl.col(f"{name}_ties") > 1).then(pl.col(most)).otherwise(pl.col(f"{name}_next"))


def _since_close(leg: str) -> pl.Expr:
    """Open interest now over yesterday's close, of the strikes with both."""
    enough = pl.col(f"{leg}_common") >= CHAIN_NEEDED
    return pl.when(enough).then(ratio(pl.col(f"{leg}_now"), pl.col(f"{leg}_before")))
