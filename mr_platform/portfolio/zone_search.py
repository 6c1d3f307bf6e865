"""Optimisation zone by zone: one problem for each zone and size, the best portfolio of each zone.

Each zone is optimised alone, with the formulas of whole days over its own rows (portfolio.md §4);
the portfolios of the zones are then set side by side.

Here: the problems, the best of each zone by any search that is handed in, their account.
Not here: searches (``portfolio/search``), cubes and weights (``zones``).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from mr_platform.portfolio.correlation import Members
from mr_platform.portfolio.fitness import LegacyFitness
from mr_platform.portfolio.returns import Matrix, PortfolioError, StrategyReturns
from mr_platform.portfolio.strategy_metrics import portfolio_metrics
from mr_platform.portfolio.zones import (
    ZoneCube,
    suggested_allocation,
    zone_alone,
    zone_correlation,
    zone_series,
)

SIZES = (10, 11)
"""Sizes of portfolios that the record takes for a zone."""


@dataclass(frozen=True, eq=False)
class ZoneProblem:
    """One search to be done.

    Attributes:
        zone: The zone.
        size: Members of the portfolio.
        returns: The zone's rows; members are columns of it, the same in every zone.
    """

    zone: str
    size: int
    returns: StrategyReturns


Search = Callable[[ZoneProblem], Members]
"""Finds the members, shape (k,), of a good portfolio of a problem."""


@dataclass(frozen=True, eq=False)
class ZoneOptimisation:
    """The best portfolio of each zone, side by side.

    Attributes:
        portfolios: A row a zone: ``zone``, ``rows`` (dates of the zone), ``size``, ``fitness``,
            the figures of ``strategy_metrics.portfolio_metrics``, ``allocation`` (suggested share
            of the capital) and ``members`` (names in the order of the returns).
        members: Members of each zone, columns ascending.
        series: Shape (Z, D), rows of the portfolios over all dates, 0 where a zone has none.
        correlation: Shape (Z, Z), between the zones' portfolios.
    """

    portfolios: pl.DataFrame
    members: tuple[Members, ...]
    series: Matrix
    correlation: Matrix


def zone_problems(
    cube: ZoneCube, sizes: Sequence[int] = SIZES, zones: Sequence[str] | None = None
) -> tuple[ZoneProblem, ...]:
    """Problems of all zones and sizes, zones in order and sizes ascending.

    Args:
        cube: Sums by date and zone.
        sizes: Members of the portfolios.
        zones: Zones wanted; None takes all.

    Raises:
        PortfolioError: No size, a size that no portfolio of these strategies can have, zones that
            the cube does not have or that stand twice.
    """
    wanted = cube.zones if zones is None else tuple(zones)
    most = len(cube.names)
    wrong = [size for size in sizes if not 1 <= size <= most]
    if not sizes or wrong:
        raise PortfolioError(
            f"portfolios of {', '.join(map(str, wrong)) or 'no'} members cannot be made of "
            f"{most} strategies",
            next_step=f"Give sizes from 1 to {most}",
        )
    if not wanted or len(set(wanted)) < len(wanted):
        raise PortfolioError("zones are named once each, one at least")
    alone = {zone: zone_alone(cube, zone) for zone in wanted}
    return tuple(
        ZoneProblem(zone, size, alone[zone]) for zone in wanted for size in sorted(set(sizes))
    )


def optimised_zones(
    cube: ZoneCube,
    search: Search,
    *,
    sizes: Sequence[int] = SIZES,
    zones: Sequence[str] | None = None,
    fitness: LegacyFitness | None = None,
) -> ZoneOptimisation:
    """Search every zone alone at every size and keep the best of each zone.

    Args:
        cube: Sums by date and zone.
        search: Called once for each problem, in the order of :func:`zone_problems`.
        sizes: Members of the portfolios; of equal fitness the smaller portfolio is kept.
        zones: Zones wanted; None takes all.
        fitness: What portfolios are judged by; None is that of the record.

    Raises:
        PortfolioError: As :func:`zone_problems`; a search that gives another number of members
            than asked, or members that are no strategies.
    """
    judge = fitness or LegacyFitness()
    best: dict[str, tuple[float, ZoneProblem, Members]] = {}
    evaluators = {}
    for problem in zone_problems(cube, sizes, zones):
        found = np.sort(np.asarray(search(problem)).reshape(-1))
        if found.size != problem.size:
            raise PortfolioError(
                f"the search gave {found.size} members for a portfolio of {problem.size}",
                place=problem.zone,
            )
        if problem.zone not in evaluators:
            evaluators[problem.zone] = judge.over(problem.returns.pnl)
        worth = float(evaluators[problem.zone].evaluate(found[np.newaxis]).fitness[0])
        if problem.zone not in best or worth > best[problem.zone][0]:
            best[problem.zone] = (worth, problem, found)
    members = {zone: found for zone, (_, _, found) in best.items()}
    series = zone_series(cube, members)
    told = pl.concat(
        [
            portfolio_metrics(problem.returns, found[np.newaxis]).select(
                pl.lit(zone).alias("zone"),
                pl.lit(problem.returns.rows, dtype=pl.Int64).alias("rows"),
                "size",
                pl.lit(worth, dtype=pl.Float64).alias("fitness"),
                pl.exclude("portfolio", "size"),
                pl.lit(pl.Series([[problem.returns.names[place] for place in found]])).alias(
                    "members"
                ),
            )
            for zone, (worth, problem, found) in best.items()
        ]
    )
    shares = suggested_allocation(told["roi"].to_numpy())
    return ZoneOptimisation(
        portfolios=told.with_columns(pl.Series("allocation", shares)),
        members=tuple(members.values()),
        series=series,
        correlation=zone_correlation(series),
    )
