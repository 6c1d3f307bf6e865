"""Greeks of the minute panel: sums over strikes that C2 and C6 start from.

Here: sums over near by side and weight, exposures over the chain, peaks and pin strike, the net
Greeks with their held one-minute differences; one row a cell.
Not here: which leg is valid (``greek_legs.py``), the zero of the dealers' gamma
(``gamma_flip.py``), what compares minutes otherwise (``c2_greeks_sentiment.py``).

A sum over near is null where its side has fewer than 10 valid legs, one over the chain where
fewer than 15 strikes have both legs valid, one of open interest where fewer than 10 near strikes
have any.
"""

from __future__ import annotations

from functools import cache

import polars as pl

from mr_platform.features.cell_totals import CellTotals
from mr_platform.features.chain_grid import (
    CELL,
    CHAIN_NEEDED,
    CONTRACT,
    NEAR,
    NEAR_NEEDED,
    RUN,
    ChainGrid,
)
from mr_platform.features.column_plan import GROUP, INDEX, ColumnPlan
from mr_platform.features.gamma_flip import FLIP, flip_inputs, gamma_flip
from mr_platform.features.greek_legs import (
    FORWARD,
    GREEKS,
    ROOT_TAU,
    SIDES,
    charm_factor,
    complete,
    leg_curve,
    moneyness,
    valid,
    volga_factor,
)
from mr_platform.features.kernels.windows import (
    MAX_BRIDGE,
    bridged,
    lag,
    ratio,
    window_count,
    window_sum,
)

WEIGHTS: tuple[str, ...] = ("oi", "vol")

CURVE_GREEKS: tuple[str, ...] = ("vanna", "charm", "volga")

BUCKETS: tuple[str, ...] = ("atm", "otm")

BUCKET_GREEKS: tuple[str, ...] = ("delta", "gamma")

VOLUME_MINUTES = 15
"""A leg's volume weight is what it traded in so many minutes."""

VOLUME_MINIMUM = 5
"""Minutes of them that need a volume."""

_LEGS = tuple(f"{side}_{name}" for side in SIDES for name in (*GREEKS, "iv", "oi"))


def greek_series(grid: ChainGrid, base: pl.DataFrame) -> pl.DataFrame:
    """Sums of Greeks of every minute.

    Args:
        grid: The chain on its grid.
        base: Cells with the price columns (forward, tau).

    Returns:
        cell and

        * over near, by side: ``g2_{greek}_{oi,vol}_{side}`` = sum(w·|g|), ``g2_{oi,vol}_{side}``
          = sum(w); ``g2_{vanna,charm,volga}_{sum,gross}_{side}`` = sum(oi·x), sum(oi·|x|);
          ``g2_{delta,gamma}_{atm,otm}_{side}``, parts of the sums by the leg's own label;
          ``g2_log_gamma_{side}`` = sum(oi·gamma·ln(K/F));
        * over the chain: ``g2_gamma_{net,gross}`` = sum(oi·gamma) of calls less (plus) puts,
          ``g2_delta_sum``, ``g2_{vega,vanna,charm}_net``, ``g2_gamma_hhi``,
          ``g2_peak_{pos,neg}`` (strikes), ``g2_flip`` (percent of F);
        * ``g2_pin_strike``, ``g2_pin_share``, ``g2_oi_hhi`` from open interest over near;
        * ``ndelta``, ``ngamma``, ``ntheta``, ``nvega`` and ``d_n…``, their differences over a
          minute on the strikes of the earlier end.
    """
    forward = pl.when(pl.col(FORWARD) > 0).then(pl.col(FORWARD)).alias(FORWARD)
    minutes = base.lazy().select(CELL, forward, pl.col("tau").sqrt().alias(ROOT_TAU))
    near = _near_sums(grid, minutes)
    chain, flips = _chain_sums(grid, minutes)
    frame = base.lazy().select(CELL, GROUP, INDEX, forward, "tau")
    for section in (near, chain.lazy(), flips.lazy()):
        frame = frame.join(section, on=CELL, how="left", maintain_order="left")
    plan, outputs = _finish_plan()
    return plan.compute(grid.engine.collect(frame), outputs, grid.engine, keep=[CELL])


_BACKS = range(MAX_BRIDGE + 1)


def _add_closest(totals: CellTotals, name: str, chosen: pl.Expr) -> None:
    """The chosen strikes next to F on either side (``_nearest_strike`` takes one)."""
    strike, forward = pl.col("strike"), pl.col(FORWARD)
    flag = totals.let(chosen)
    below, above = _sides_of(name)
    totals.largest(below, pl.when(flag & (strike <= forward)).then(strike))
    totals.least(above, pl.when(flag & (strike > forward)).then(strike))


def _sides_of(name: str) -> tuple[str, str]:
    return f"{name}_below", f"{name}_above"


def _nearest_strike(name: str) -> pl.Expr:
    """Of the two strikes of ``_add_closest`` the one nearest to F, the lower on a tie."""
    below, above = (pl.col(part) for part in _sides_of(name))
    lower = above.is_null() | (pl.col(FORWARD) - below <= above - pl.col(FORWARD))
    return pl.when(below.is_not_null() & lower).then(below).otherwise(above)


# -- near -----------------------------------------------------------------------------------------


def _near_sums(grid: ChainGrid, minutes: pl.LazyFrame) -> pl.LazyFrame:
    """Sums over the near strikes, for net Greeks also over those of 1, 2, 3 minutes before."""
    windows, flags = _window_plan()
    contracts = windows.run(grid.contracts.lazy(), flags, keep=[CELL, "strike", "k", *_LEGS])
    rows = contracts.filter(pl.any_horizontal([pl.col(_held(back)) for back in _BACKS]))
    return _near_totals().per_cell(rows.join(minutes, on=CELL, how="left", maintain_order="left"))


def _held(back: int) -> str:
    return f"_near_{back}"


@cache
def _window_plan() -> tuple[ColumnPlan, dict[str, pl.Expr]]:
    """On contracts: whether they were near so many minutes before, and what they traded."""
    p = ColumnPlan(group=CONTRACT)
    near = p.let((pl.col("k").abs() <= NEAR).fill_null(False))
    outputs: dict[str, pl.Expr] = {_held(0): near}
    for back in _BACKS[1:]:
        outputs[_held(back)] = lag(p, near, back).fill_null(False)
    for side in SIDES:
        volume = pl.col(f"{side}_volume")
        enough = window_count(p, volume, VOLUME_MINUTES) >= VOLUME_MINIMUM
        traded = window_sum(p, volume, VOLUME_MINUTES)
        outputs[f"{side}_traded"] = pl.when(enough).then(traded).cast(pl.Float64)
    return p, outputs


@cache
def _near_totals() -> CellTotals:
    totals = CellTotals()
    p = totals.plan
    near = pl.col(_held(0))
    for side in SIDES:
        usable = p.let(near & valid(side))
        weights = {
            "oi": p.let(pl.when(usable).then(pl.col(f"{side}_oi").cast(pl.Float64))),
            "vol": p.let(pl.when(usable).then(pl.col(f"{side}_traded"))),
        }
        for name, weight in weights.items():
            totals.sum(f"g2_{name}_{side}", weight)
            totals.count(f"_n_{name}_{side}", weight)
            for greek in GREEKS:
                size = p.let(pl.col(f"{side}_{greek}").abs())
                totals.sum(f"g2_{greek}_{name}_{side}", weight * size)
        _add_curve(totals, side, weights["oi"])
        _add_shape(totals, side, weights["oi"])
    _add_net_greeks(totals)
    _add_pin(totals, near)
    return totals


def _add_curve(totals: CellTotals, side: str, weight: pl.Expr) -> None:
    """Second-order Greeks but for factors of the minute, signed and in size."""
    p = totals.plan
    curve = leg_curve(p, side, weight)
    over_iv = p.let(curve.bend / pl.col(f"{side}_iv"))
    values = {"vanna": -over_iv, "charm": curve.bend, "volga": over_iv * curve.d1}
    for name, value in values.items():
        signed = p.let(value)
        totals.sum(f"g2_{name}_sum_{side}", signed)
        totals.sum(f"g2_{name}_gross_{side}", signed.abs())


def _add_shape(totals: CellTotals, side: str, weight: pl.Expr) -> None:
    """Parts of the first-order sums by the leg's own label, and where gamma sits."""
    p = totals.plan
    outward = pl.col("k") if side == "ce" else -pl.col("k")
    held = {
        greek: p.let(weight * p.let(pl.col(f"{side}_{greek}").abs())) for greek in BUCKET_GREEKS
    }
    for bucket, here in {"atm": outward == 0, "otm": outward > 0}.items():
        flag = p.let(here)
        for greek in BUCKET_GREEKS:
            totals.sum(f"g2_{greek}_{bucket}_{side}", pl.when(flag).then(held[greek]))
    totals.sum(f"g2_log_gamma_{side}", -(held["gamma"] * moneyness(p)))


def _add_net_greeks(totals: CellTotals) -> None:
    """Numerators, weight and strikes of the net Greeks over the near strikes of t .. t-3."""
    p = totals.plan
    ce, pe = (
        p.let(pl.when(complete(side)).then(pl.col(f"{side}_oi").cast(pl.Float64))) for side in SIDES
    )
    any_leg = p.let(ce.is_not_null() | pe.is_not_null())
    parts = {"weight": p.let(ce.fill_null(0.0) + pe.fill_null(0.0))}
    for greek in GREEKS:
        call, put = ce * pl.col(f"ce_{greek}"), pe * pl.col(f"pe_{greek}")
        parts[greek] = p.let(call.fill_null(0.0) + put.fill_null(0.0))
    for back in _BACKS:
        held = pl.col(_held(back))
        totals.count(f"_strikes_{back}", pl.when(held & any_leg).then(1))
        for name, value in parts.items():
            totals.sum(f"_net_{name}_{back}", pl.when(held).then(value))


def _add_pin(totals: CellTotals, near: pl.Expr) -> None:
    """Open interest over near: its sum, squares and the strike that holds most."""
    p = totals.plan
    legs = [pl.col(f"{side}_oi").cast(pl.Float64) for side in SIDES]
    known = legs[0].is_not_null() | legs[1].is_not_null()
    interest = p.let(pl.when(near & known).then(legs[0].fill_null(0.0) + legs[1].fill_null(0.0)))
    most = p.over(interest.max())
    totals.count("_n_interest", interest)
    totals.sum("_interest", interest)
    totals.sum("_interest_squared", interest * interest)
    totals.largest("_most", interest)
    _add_closest(totals, "_pin", interest == most)


# -- chain ----------------------------------------------------------------------------------------


def _chain_sums(grid: ChainGrid, minutes: pl.LazyFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Exposures of the minutes with enough strikes, and where the dealers' gamma turns."""
    totals, flips, outputs = _chain_totals()
    rows = (
        grid.rows.lazy()
        .select(RUN, CELL, "strike", *_LEGS)
        .join(minutes, on=CELL, how="left", maintain_order="left")
    )
    ready = totals.plan.compute(grid.engine.collect(rows), outputs, grid.engine, keep=totals.keys)
    enough = totals.of_columns(ready).filter(pl.col("_strikes") >= CHAIN_NEEDED)
    sums = grid.engine.collect(enough)
    placed = minutes.filter(pl.col(FORWARD).is_not_null()).select(CELL)
    turning = sums.lazy().select(CELL).join(placed, on=CELL, how="semi", maintain_order="left")
    peaks = grid.engine.collect(_peaks(ready, sums))
    sums = sums.join(peaks, on=CELL, how="left", maintain_order="left")
    flip_rows = ready.select(RUN, CELL, *flips)
    return sums, gamma_flip(flip_rows, grid.engine.collect(turning), grid.engine)


@cache
def _chain_totals() -> tuple[CellTotals, dict[str, pl.Expr], dict[str, pl.Expr]]:
    """Sums over the chain, the columns that ``gamma_flip`` reads, and the columns of both."""
    totals = CellTotals(RUN)
    p = totals.plan
    flips: dict[str, pl.Expr] = {}
    gammas: list[pl.Expr] = []
    weights: list[pl.Expr] = []
    for side in SIDES:
        weight = p.let(pl.when(valid(side)).then(pl.col(f"{side}_oi").cast(pl.Float64)))
        curve = leg_curve(p, side, weight)
        gammas.append(p.let(weight * pl.col(f"{side}_gamma")))
        weights.append(weight)
        totals.sum(f"_gamma_{side}", gammas[-1])
        totals.sum(f"_delta_{side}", weight * pl.col(f"{side}_delta"))
        totals.sum(f"_vega_{side}", weight * pl.col(f"{side}_vega"))
        totals.sum(f"_charm_{side}", curve.bend)
        totals.sum(f"_vanna_{side}", -(curve.bend / pl.col(f"{side}_iv")))
        flips |= flip_inputs(side, weight, curve.width, curve.d1)
    call, put = weights
    totals.count("_strikes", pl.when(call.is_not_null() & put.is_not_null()).then(1))
    # of a strike with one valid leg that leg alone; null with none
    either = call.is_not_null() | put.is_not_null()
    net = p.let(pl.when(either).then(gammas[0].fill_null(0.0) - gammas[1].fill_null(0.0)))
    totals.sum("_net_size", net.abs())
    totals.sum("_net_squared", net * net)
    totals.largest("_highest", net)
    totals.least("_lowest", net)
    placed = {"net": net, "strike": pl.col("strike"), FORWARD: pl.col(FORWARD)}
    return totals, flips, {**totals.columns, **flips, **placed}


def _peaks(ready: pl.DataFrame, sums: pl.DataFrame) -> pl.LazyFrame:
    """The strikes of the greatest and the least gamma of each minute, next to F."""
    net = pl.col("net")
    ends = sums.lazy().select(CELL, "_highest", "_lowest")
    foremost = (
        ready.lazy()
        .select(CELL, "strike", FORWARD, "net")
        .join(ends, on=CELL, how="left", maintain_order="left")
        .filter((net == pl.col("_highest")) | (net == pl.col("_lowest")))
    )
    return _peak_totals().per_cell(foremost)


@cache
def _peak_totals() -> CellTotals:
    totals = CellTotals()
    net = pl.col("net")
    _add_closest(totals, "_peak_pos", (net == pl.col("_highest")) & (net > 0))
    _add_closest(totals, "_peak_neg", (net == pl.col("_lowest")) & (net < 0))
    return totals


# -- together -------------------------------------------------------------------------------------


@cache
def _finish_plan() -> tuple[ColumnPlan, dict[str, pl.Expr]]:
    """From raw totals to the section: null rules, units, differences."""
    p = ColumnPlan()
    outputs: dict[str, pl.Expr] = {}
    tau, forward = pl.col("tau"), pl.col(FORWARD)
    charm, volga = p.let(charm_factor(tau)), p.let(volga_factor(forward, tau))
    factors = {"vanna": pl.lit(1.0), "charm": charm, "volga": volga}
    for side in SIDES:
        for weight in WEIGHTS:
            enough = p.let(pl.col(f"_n_{weight}_{side}") >= NEAR_NEEDED)
            names = [f"g2_{weight}_{side}", *[f"g2_{g}_{weight}_{side}" for g in GREEKS]]
            if weight == "oi":
                names += [f"g2_{g}_{b}_{side}" for g in BUCKET_GREEKS for b in BUCKETS]
            for name in names:
                outputs[name] = pl.when(enough).then(pl.col(name))
        placed = p.let((pl.col(f"_n_oi_{side}") >= NEAR_NEEDED) & forward.is_not_null())
        for greek in CURVE_GREEKS:
            for what in ("sum", "gross"):
                name = f"g2_{greek}_{what}_{side}"
                outputs[name] = pl.when(placed).then(pl.col(name) * factors[greek])
        name = f"g2_log_gamma_{side}"
        outputs[name] = pl.when(placed).then(pl.col(name))
    return p, outputs | _chain_outputs(p, charm) | _pin_outputs(p) | _net_outputs(p)


def _chain_outputs(p: ColumnPlan, charm: pl.Expr) -> dict[str, pl.Expr]:
    """Exposures; their totals are absent where the chain has too few strikes."""
    both = {
        greek: (pl.col(f"_{greek}_ce"), pl.col(f"_{greek}_pe"))
        for greek in ("gamma", "delta", "vega", "vanna", "charm")
    }
    placed = pl.col(FORWARD).is_not_null()
    size = pl.col("_net_size")
    return {
        "g2_gamma_net": both["gamma"][0] - both["gamma"][1],
        "g2_gamma_gross": both["gamma"][0] + both["gamma"][1],
        "g2_delta_sum": both["delta"][0] + both["delta"][1],
        "g2_vega_net": both["vega"][0] - both["vega"][1],
        "g2_vanna_net": pl.when(placed).then(both["vanna"][0] - both["vanna"][1]),
        "g2_charm_net": pl.when(placed).then((both["charm"][0] - both["charm"][1]) * charm),
        "g2_gamma_hhi": ratio(pl.col("_net_squared"), size * size),
        "g2_peak_pos": _nearest_strike("_peak_pos"),
        "g2_peak_neg": _nearest_strike("_peak_neg"),
        FLIP: pl.col(FLIP),
    }


def _pin_outputs(p: ColumnPlan) -> dict[str, pl.Expr]:
    """Strike with most open interest over near, its share, and how concentrated it is."""
    enough = p.let(pl.col("_n_interest") >= NEAR_NEEDED)
    total = pl.col("_interest")
    return {
        "g2_pin_strike": pl.when(enough).then(_nearest_strike("_pin")),
        "g2_pin_share": pl.when(enough).then(ratio(pl.col("_most"), total)),
        "g2_oi_hhi": pl.when(enough).then(ratio(pl.col("_interest_squared"), total * total)),
    }


def _net_outputs(p: ColumnPlan) -> dict[str, pl.Expr]:
    """Net Greeks at t, and their change since t' on the strikes that were near at t'."""

    def net(greek: str, back: int) -> pl.Expr:
        enough = pl.col(f"_strikes_{back}") >= NEAR_NEEDED
        value = ratio(pl.col(f"_net_{greek}_{back}"), pl.col(f"_net_weight_{back}"))
        return p.let(pl.when(enough).then(value))

    outputs: dict[str, pl.Expr] = {}
    for greek in GREEKS:
        now = net(greek, 0)
        before, minutes = bridged(p, now)
        held: pl.Expr = pl.lit(None, dtype=pl.Float64)
        for back in _BACKS[1:]:
            held = pl.when(minutes == back).then(net(greek, back)).otherwise(held)
        outputs[f"n{greek}"] = now
        # as for held returns: a minute without a value of its own has no change
        outputs[f"d_n{greek}"] = pl.when(now.is_not_null()).then(held - before)
    return outputs
