"""Smile section of the minute panel: implied volatility at the forward, skew, smile, wings.

Here: what C4 needs of the strikes of a minute, one row a cell.
Not here: what becomes of it over minutes, expiries and days (``c4_iv_skew.py``).

Each cell's strikes are split at the synthetic forward F: puts below it, calls at or above it (the
out-of-the-money side, whose volatility is the smile). Sums are taken for each *half* of a cell
in order of strike; both halves together are the cell.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache

import polars as pl

from mr_platform.features.chain_grid import CELL, CONTRACT, RUN, ChainGrid, at_rank
from mr_platform.features.column_plan import INDEX, ColumnPlan
from mr_platform.features.kernels.windows import TINY, lag, log, ratio
from mr_platform.gateways.frame_engine import FrameEngine

SKEW_RANKS = (1, 2, 3, 5, 7)
"""Ranks at which a put and a call equally far from the money are compared."""

DELTAS: Mapping[str, float] = {"25": 0.25, "10": 0.10}
"""Sizes of delta at which the smile is read, by the number that names them."""

LEG_LAGS = (5, 15, 30)
"""Minutes back at which the legs of the strike that is at the money now are read."""

REACH = 2.5
"""Strikes of the smile lie within this standardised log-moneyness."""

TAIL = 1.0
"""From here to ``REACH`` a strike counts to the wing's tail."""

SMILE_STRIKES = 7
"""Strikes that the quadratic, or a weighted mean, needs."""

SMILE_SIDE = 2
"""Strikes that the quadratic needs on each side of F."""

WING_STRIKES = 4
"""Strikes that a one-sided slope needs."""

TAIL_STRIKES = 2
"""Strikes that a tail's mean needs."""

FLAT = 1e-6
"""A curvature of at most this has no vertex."""

VERTEX_LIMIT = 5.0
"""The vertex is clipped to this distance from F, in standardised log-moneyness."""

WEIGHTS = ("oi", "vega")
"""Weights of the weighted implied volatilities."""

_HALF = "half"  # 2 * run for the puts of a cell, 2 * run + 1 for its calls
_SIDES: Mapping[str, int] = {"put": 0, "call": 1}
_ENDS = tuple(f"{end}_{delta}" for delta in DELTAS for end in ("over", "under"))


def smile_series(grid: ChainGrid, base: pl.DataFrame) -> pl.DataFrame:
    """Smile columns of the minute panel.

    Args:
        grid: The chain on its grid.
        base: Cells with price columns; of these ``forward`` and ``tau`` are read.

    Returns:
        cell, iv_atm, and s4_: skew_k{1,2,3,5,7}, rr25, rr10 (risk reversals), bf25, bf10
        (butterflies), slope, curvature, vertex, rmse, wing_slope_put, wing_slope_call,
        wing_asymmetry, oi_premium, vega_premium, {ce,pe}_iv_lag{5,15,30} (legs, at t minus the
        lag, of the strike at the money at t); one row a cell, in the order of ``base``.
    """
    engine = grid.engine
    quotes = _quotes(grid, base)
    atm = engine.collect(_at_forward(quotes))
    joined = engine.collect(_beside_cell(quotes, atm)).with_columns(pl.col(_HALF).set_sorted())
    frame = grid.minutes.lazy().select(RUN, CELL)
    at_forward = atm.lazy().select(RUN, "iv_atm")
    for part in (at_forward, _at_deltas(joined, engine), _shape(joined, engine)):
        frame = frame.join(part, on=RUN, how="left", maintain_order="left")
    frame = base.lazy().select(CELL).join(frame, on=CELL, how="left", maintain_order="left")
    for part in (*_skew(grid), _leg_lags(grid)):
        frame = frame.join(part, on=CELL, how="left", maintain_order="left")
    return engine.collect(frame.select(CELL, *_outputs()))


def _outputs() -> list[pl.Expr]:
    """Columns of the section from what the parts give."""
    atm = pl.col("iv_atm")
    columns = [atm]
    columns += [
        ((pl.col(f"pe_{k}") - pl.col(f"ce_{k}")) / atm).alias(f"s4_skew_k{k}") for k in SKEW_RANKS
    ]
    for delta in DELTAS:
        put, call = pl.col(f"put_{delta}"), pl.col(f"call_{delta}")
        columns.append(((call - put) / atm).alias(f"s4_rr{delta}"))
        columns.append(((0.5 * (call + put) - atm) / atm).alias(f"s4_bf{delta}"))
    columns += [pl.col(f"s4_{name}") for name in _SHAPE]
    columns += [pl.col(f"s4_{side}_iv_lag{w}") for side in ("ce", "pe") for w in LEG_LAGS]
    return columns


# -- the forward splits the chain -----------------------------------------------------------------


def _quotes(grid: ChainGrid, base: pl.DataFrame) -> pl.DataFrame:
    """Strikes with an implied volatility where the forward is known, ascending."""
    ends = base.lazy().select(CELL, "forward", "tau").filter(pl.col("forward") > 0)
    below = pl.col("strike") < pl.col("forward")
    put, call = pl.col("pe_iv"), pl.col("ce_iv")

    def otm(name: str) -> pl.Expr:
        return pl.when(below).then(pl.col(f"pe_{name}")).otherwise(pl.col(f"ce_{name}"))

    return grid.engine.collect(
        grid.rows.lazy()
        .select(RUN, CELL, "strike", *[f"{s}_{n}" for s in ("ce", "pe") for n in _LEG_VALUES])
        .join(ends, on=CELL, how="left", maintain_order="left")
        .filter((put.is_not_null() | call.is_not_null()) & pl.col("forward").is_not_null())
        .select(
            RUN,
            (pl.col(RUN) * 2 + pl.when(below).then(0).otherwise(1).cast(pl.UInt32)).alias(_HALF),
            "strike",
            "forward",
            "tau",
            pl.coalesce((put + call) / 2.0, put, call).alias("iv_k"),
            otm("iv").alias("iv"),
            otm("delta").abs().alias("size"),
            *[otm(name).alias(name) for name in WEIGHTS],
        )
    ).with_columns(pl.col(RUN, _HALF).set_sorted())


_LEG_VALUES = ("iv", "delta", *WEIGHTS)


def _at_forward(quotes: pl.DataFrame) -> pl.LazyFrame:
    """iv_atm of each cell, and the deviation that makes its log-moneyness comparable.

    The quotes ascend, so the strikes next to F are two rows one after the other.
    """
    forward, strike, iv = pl.col("forward"), pl.col("strike"), pl.col("iv_k")
    same = pl.col(RUN) == pl.col(RUN).shift(-1)
    steep = (pl.col("next_iv") - iv) / (pl.col("next_strike") - strike)
    between = (strike < forward) & (pl.col("next_strike") > forward)
    return (
        quotes.lazy()
        .select(
            RUN,
            "forward",
            "strike",
            "tau",
            "iv_k",
            pl.when(same).then(strike.shift(-1)).alias("next_strike"),
            pl.when(same).then(iv.shift(-1)).alias("next_iv"),
        )
        .filter((strike == forward) | between)
        .select(
            RUN,
            pl.when(strike == forward).then(iv).otherwise(iv + steep * (forward - strike))
            .alias("iv_atm"),
            "tau",
        )
        .select(RUN, "iv_atm", (pl.col("iv_atm") * pl.col("tau").sqrt()).alias("deviation"))
    )  # fmt: skip


def _beside_cell(quotes: pl.DataFrame, atm: pl.DataFrame) -> pl.LazyFrame:
    """The out-of-the-money smile, each strike beside what its half and cell say of it.

    Returns:
        half, iv, size of delta, weights; m and z = iv/iv_atm - 1 (sums of powers keep more
        digits near zero); over_, under_ (the sizes of delta of the half that bracket a target).
    """
    size = pl.col("size")
    ends = []
    for delta, target in DELTAS.items():
        ends.append(pl.when(size >= target).then(size).min().alias(f"over_{delta}"))
        ends.append(pl.when(size < target).then(size).max().alias(f"under_{delta}"))
    smile = quotes.lazy().filter(pl.col("iv").is_not_null())
    halves = (
        smile.group_by(_HALF, maintain_order=True)
        .agg(ends)
        .with_columns((pl.col(_HALF) // 2).alias(RUN))
        .join(atm.lazy(), on=RUN, how="left", maintain_order="left")
        .drop(RUN)
    )
    return smile.join(halves, on=_HALF, how="left", maintain_order="left").select(
        _HALF,
        "iv",
        "size",
        *WEIGHTS,
        *_ENDS,
        (log(pl.col("strike") / pl.col("forward")) / pl.col("deviation")).alias("m"),
        (pl.col("iv") / pl.col("iv_atm") - 1.0).alias("z"),
    )


def _by_side(halves: pl.LazyFrame, names: Sequence[str]) -> pl.LazyFrame:
    """One row a run: the columns of its halves as put_ and call_ columns."""
    sides = [
        halves.filter(pl.col(_HALF) % 2 == number).select(
            (pl.col(_HALF) // 2).alias(RUN),
            *[pl.col(name).alias(f"{side}_{name}") for name in names],
        )
        for side, number in _SIDES.items()
    ]
    return sides[0].join(sides[1], on=RUN, how="full", coalesce=True)


# -- points of the smile --------------------------------------------------------------------------


def _at_deltas(joined: pl.DataFrame, engine: FrameEngine) -> pl.LazyFrame:
    """Volatility at the deltas, linear in the size of delta between the bracketing strikes.

    Of strikes with the same delta the one nearest F counts: the highest put, the lowest call.
    """
    size = pl.col("size")
    halves = joined.lazy().select(_HALF, *_ENDS).group_by(_HALF, maintain_order=True).first()
    for end in _ENDS:
        found = (
            joined.lazy()
            .select(_HALF, "iv", "size", end)
            .filter(size == pl.col(end))
            .group_by(_HALF, maintain_order=True)
            .agg(pl.col("iv").first().alias("lowest"), pl.col("iv").last().alias("highest"))
            .select(
                _HALF,
                pl.when(pl.col(_HALF) % 2 == _SIDES["put"]).then(pl.col("highest"))
                .otherwise(pl.col("lowest")).alias(f"iv_{end}"),
            )
        )  # fmt: skip
        halves = halves.join(found, on=_HALF, how="left", maintain_order="left")
    points = []
    for delta, target in DELTAS.items():
        over, under = pl.col(f"over_{delta}"), pl.col(f"under_{delta}")
        iv_over, iv_under = pl.col(f"iv_over_{delta}"), pl.col(f"iv_under_{delta}")
        share = (target - under) / (over - under)
        points.append((iv_under + share * (iv_over - iv_under)).alias(delta))
    return _by_side(engine.collect(halves.select(_HALF, *points)).lazy(), tuple(DELTAS))


def _skew(grid: ChainGrid) -> list[pl.LazyFrame]:
    """Put volatility at rank -k, call volatility at rank k; a rank on two rows counts as none."""
    contracts = grid.contracts.lazy()
    return [
        at_rank(contracts.select(CELL, "k", f"{side}_iv"), place).select(
            CELL, pl.col(f"{side}_iv").alias(f"{side}_{k}")
        )
        for k in SKEW_RANKS
        for side, place in (("pe", -k), ("ce", k))
    ]


def _leg_lags(grid: ChainGrid) -> pl.LazyFrame:
    """Legs, minutes before, of the strike that is at the money now."""
    plan, outputs = _leg_lag_plan()
    rows = grid.contracts.lazy().select(CONTRACT, CELL, INDEX, "k", *_LEG_IVS)
    return at_rank(plan.run(rows, outputs, keep=[CELL, "k"]), 0).select(CELL, *outputs)


_LEG_IVS = ("ce_iv", "pe_iv")


@cache
def _leg_lag_plan() -> tuple[ColumnPlan, dict[str, pl.Expr]]:
    p = ColumnPlan(group=CONTRACT, index=INDEX)
    return p, {f"s4_{leg}_lag{w}": lag(p, leg, w) for leg in _LEG_IVS for w in LEG_LAGS}


# -- sums of powers -------------------------------------------------------------------------------


def _shape(joined: pl.DataFrame, engine: FrameEngine) -> pl.LazyFrame:
    """Quadratic, wings and weighted means over the strikes within ``REACH``."""
    smile = engine.collect(
        joined.lazy().filter(pl.col("m").abs() <= REACH).select(_HALF, "m", "z", *WEIGHTS)
    ).with_columns(pl.col(_HALF).set_sorted())
    sums = _sums()
    halves = engine.collect(smile.lazy().group_by(_HALF, maintain_order=True).agg(sums.values()))
    sides = _by_side(halves.lazy(), tuple(sums)).with_columns(pl.all().exclude(RUN).fill_null(0))
    fitted = engine.collect(
        sides.with_columns([_both(name).alias(name) for name in sums])
        .with_columns(_moments())
        .with_columns(_slopes())
        .with_columns(intercept=(pl.col("z") - _B * pl.col("m") - _C * pl.col("mm")) / pl.col("n"))
    )
    frame = fitted.lazy().join(_squares(smile, fitted), on=RUN, how="left")
    return engine.collect(frame.select(RUN, *_shape_columns())).lazy()


_SHAPE = (
    "slope", "curvature", "vertex", "rmse", "wing_slope_put", "wing_slope_call", "wing_asymmetry",
    *[f"{weight}_premium" for weight in WEIGHTS],
)  # fmt: skip
_B, _C = pl.col("slope"), pl.col("curvature")


def _sums() -> dict[str, pl.Expr]:
    """What is summed over the strikes of a half, by name."""
    m, z = pl.col("m"), pl.col("z")
    terms = {
        "m": m, "mm": m * m, "mmm": m * m * m, "mmmm": m * m * (m * m),
        "z": z, "mz": m * z, "mmz": m * m * z,
        "tail_z": pl.when(m.abs() >= TAIL).then(z),
        "centre_z": pl.when(m == 0).then(z),
        **{f"{weight}_z": pl.col(weight) * z for weight in WEIGHTS},
        **{weight: pl.col(weight) for weight in WEIGHTS},
    }  # fmt: skip
    sums = {name: term.sum().alias(name) for name, term in terms.items()}
    sums["n"] = pl.len().alias("n")
    sums["tail_n"] = (m.abs() >= TAIL).sum().alias("tail_n")
    sums["centre_n"] = (m == 0).sum().alias("centre_n")
    for weight in WEIGHTS:
        sums[f"{weight}_n"] = pl.col(weight).count().alias(f"{weight}_n")
    return sums


def _both(name: str) -> pl.Expr:
    return pl.col(f"put_{name}") + pl.col(f"call_{name}")


def _moments() -> list[pl.Expr]:
    """Sums of products about the means; x stands for m, w for m²."""
    n, m, mm, z = (pl.col(name) for name in ("n", "m", "mm", "z"))
    return [
        (mm - m * m / n).alias("xx"),
        (pl.col("mmm") - m * mm / n).alias("xw"),
        (pl.col("mmmm") - mm * mm / n).alias("ww"),
        (pl.col("mz") - m * z / n).alias("xz"),
        (pl.col("mmz") - mm * z / n).alias("wz"),
    ]


def _slopes() -> list[pl.Expr]:
    """Coefficients of m and m² by Cramer's rule, where the strikes suffice."""
    xx, xw, ww, xz, wz = (pl.col(name) for name in ("xx", "xw", "ww", "xz", "wz"))
    determinant = xx * ww - xw * xw
    enough = (
        (pl.col("n") >= SMILE_STRIKES)
        & (pl.col("put_n") >= SMILE_SIDE)
        & (pl.col("call_n") >= SMILE_SIDE)
        & (determinant > TINY * xx * ww)
    )
    return [
        pl.when(enough).then((xz * ww - wz * xw) / determinant).alias("slope"),
        pl.when(enough).then((wz * xx - xz * xw) / determinant).alias("curvature"),
    ]


def _squares(smile: pl.DataFrame, fitted: pl.DataFrame) -> pl.LazyFrame:
    """Sum of the squared residuals of each cell.

    From the residuals themselves: from sums of powers a good fit would keep no digit of them.
    """
    m = pl.col("m")
    residual = pl.col("z") - (pl.col("intercept") + m * (_B + m * _C))
    return (
        smile.lazy()
        .select((pl.col(_HALF) // 2).alias(RUN), "m", "z")
        .with_columns(pl.col(RUN).set_sorted())
        .join(
            fitted.lazy().select(RUN, "intercept", "slope", "curvature"),
            on=RUN, how="left", maintain_order="left",
        )
        .select(RUN, (residual * residual).alias("square"))
        .with_columns(pl.col(RUN).set_sorted())
        .group_by(RUN, maintain_order=True)
        .agg(pl.col("square").sum())
    )  # fmt: skip


def _shape_columns() -> list[pl.Expr]:
    lowest = (-_B / (2.0 * _C)).clip(-VERTEX_LIMIT, VERTEX_LIMIT)
    # the strike at F belongs to both wings; its m is zero and adds to no sum but these
    put_wing = _line("put", pl.col("call_centre_n"), pl.col("call_centre_z"))
    tails = {}
    for side in _SIDES:
        count = pl.col(f"{side}_tail_n")
        tails[side] = pl.when(count >= TAIL_STRIKES).then(pl.col(f"{side}_tail_z") / count)
    columns = {
        "slope": _B,
        "curvature": _C,
        "vertex": pl.when(_C > FLAT).then(lowest),
        "rmse": pl.when(_B.is_not_null()).then((pl.col("square") / pl.col("n")).sqrt()),
        "wing_slope_put": put_wing,
        "wing_slope_call": _line("call", pl.lit(0), pl.lit(0.0)),
        "wing_asymmetry": tails["put"] - tails["call"],
    }
    for weight in WEIGHTS:
        mean = ratio(pl.col(f"{weight}_z"), pl.col(weight).cast(pl.Float64))
        columns[f"{weight}_premium"] = pl.when(pl.col(f"{weight}_n") >= SMILE_STRIKES).then(
            log(1.0 + mean)
        )
    return [column.alias(f"s4_{name}") for name, column in columns.items()]


def _line(side: str, more_n: pl.Expr, more_z: pl.Expr) -> pl.Expr:
    """Least-squares slope of z on m over the strikes of one side."""
    n = pl.col(f"{side}_n") + more_n
    m, mm = pl.col(f"{side}_m"), pl.col(f"{side}_mm")
    z, mz = pl.col(f"{side}_z") + more_z, pl.col(f"{side}_mz")
    spread = n * mm - m * m
    enough = (n >= WING_STRIKES) & (spread > TINY * n * mm)
    return pl.when(enough).then((n * mz - m * z) / spread)
