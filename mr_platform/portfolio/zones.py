"""Results by zone of the day: the cube, weights of zones, each zone alone, zones side by side.

The legacy zone fitness of a portfolio S is that of ``r_t = sum_z w_z * mean over S of Z[t, z, i]``
(portfolio.md §4). Sums may be taken in any order, so the cube is collapsed over zones once, and the
ordinary evaluator, with no price on correlation, gives that fitness for every portfolio.

Here: cube, weights, collapse, one zone's returns, correlation between zones' portfolios, shares.
Not here: windows of time (``zone_windows``), choosing portfolios by zone (``zone_search``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mr_platform.portfolio.correlation import (
    Members,
    correlation_block,
    sorted_members,
    standardised,
)
from mr_platform.portfolio.legacy_metrics import by_strategy, portfolio_series
from mr_platform.portfolio.returns import Days, Matrix, PortfolioError, StrategyReturns
from mr_platform.portfolio.zone_windows import OUTSIDE

Flags = npt.NDArray[np.bool_]

DROPPED = frozenset({OUTSIDE.lower(), "nan", ""})
"""Labels, in lower case, whose rows belong to no zone."""

LEAST_ROI = 0.01
"""ROI that a zone counts with at least where capital is shared out."""


@dataclass(frozen=True, eq=False)
class ZoneCube:
    """Sums of profit and loss by date, zone and strategy.

    Attributes:
        values: Shape (D, Z, n), in the unit of the returns, read-only; 0 where a date has no row
            of a zone.
        present: Shape (D, Z), whether it has one.
        dates: Shape (D,), ascending: the dates that have a row in some zone.
        zones: The Z labels, sorted as text.
        names: The n strategies.
        dropped: Rows that belong to no zone.
    """

    values: Matrix
    present: Flags
    dates: Days
    zones: tuple[str, ...]
    names: tuple[str, ...]
    dropped: int

    def place(self, zone: str) -> int:
        """Number of a zone.

        Raises:
            PortfolioError: A zone that the cube does not have.
        """
        if zone not in self.zones:
            raise PortfolioError(
                f"there is no zone {zone!r}", next_step=f"Name one of {', '.join(self.zones)}"
            )
        return self.zones.index(zone)


@dataclass(frozen=True, eq=False)
class ZoneWeights:
    """Weights of zones, of a sum of 1.

    Attributes:
        weights: Shape (Z,), none negative.
        warning: Why the weights given were not taken, or None.
    """

    weights: Matrix
    warning: str | None = None


def zone_cube(returns: StrategyReturns, zones: Sequence[str | None] | None = None) -> ZoneCube:
    """Sums by date, zone and strategy; rows of no zone are dropped and counted.

    Args:
        returns: Rows by date and zone.
        zones: Labels in place of the returns' own, one a row, as ``zone_windows.zones_at`` gives
            them; several rows of a date may share one and are added in their order.

    Raises:
        PortfolioError: No labels, labels that do not stand for the rows, no row in any zone.
    """
    labels = returns.zones if zones is None else zones
    if labels is None:
        raise PortfolioError(
            "returns of whole days have no zones", next_step="Give the zone of each row"
        )
    if len(labels) != returns.rows:
        raise PortfolioError(f"{len(labels)} zones do not stand for {returns.rows} rows")
    told = ["" if label is None else label.strip() for label in labels]
    rows = [row for row, label in enumerate(told) if label.lower() not in DROPPED]
    if not rows:
        raise PortfolioError(
            f"none of {returns.rows} rows belongs to a zone",
            next_step=f"Rows of {OUTSIDE} and without a label count for none",
        )
    known = tuple(sorted({told[row] for row in rows}))
    dates, day = np.unique(returns.dates[rows], return_inverse=True)
    values = np.zeros((dates.size, len(known), returns.strategies))
    present = np.zeros((dates.size, len(known)), dtype=np.bool_)
    for row, date in zip(rows, day, strict=True):
        zone = known.index(told[row])
        values[date, zone] += returns.pnl[row]
        present[date, zone] = True
    values.flags.writeable = present.flags.writeable = False
    return ZoneCube(values, present, dates, known, returns.names, returns.rows - len(rows))


def zone_weights(
    cube: ZoneCube, given: Sequence[float] | Mapping[str, float] | None = None
) -> ZoneWeights:
    """Weights of zones, normalised to a sum of 1.

    Args:
        cube: The zones.
        given: Weights in the order of the zones, or by name (case and blanks aside); None weighs
            all alike. A list of another length than the zones is not taken: all weigh alike, as
            in the legacy program, and the warning says so.

    Raises:
        PortfolioError: Weights that are negative, not finite or all 0; names that are no zones,
            zones that are not named.
    """
    count = len(cube.zones)
    alike = np.full(count, 1.0 / count)
    if given is None:
        return ZoneWeights(alike)
    listed = _by_name(cube.zones, given) if isinstance(given, Mapping) else list(given)
    if len(listed) != count:
        return ZoneWeights(
            alike,
            f"{len(listed)} weights do not stand for {count} zones ({', '.join(cube.zones)}): "
            "all zones weigh alike",
        )
    weights = np.array(listed, dtype=np.float64)
    if not np.isfinite(weights).all() or (weights < 0).any() or not weights.any():
        raise PortfolioError(
            f"weights of zones are {', '.join(f'{weight:g}' for weight in weights)}",
            next_step="Give numbers from 0 up, one of them above",
        )
    # the largest becomes 1 first, so that neither tiny nor huge weights leave the range
    weights /= weights.max()
    return ZoneWeights(weights / weights.sum())


def collapsed(cube: ZoneCube, weights: ZoneWeights | None = None) -> StrategyReturns:
    """Weighted sum over zones, a row a date: evaluate it with ``correlation_weight=0``.

    Args:
        cube: Sums by date and zone.
        weights: From :func:`zone_weights`; None weighs all zones alike.

    Raises:
        PortfolioError: Weights of another number of zones.
    """
    shares = (weights or zone_weights(cube)).weights
    if shares.shape != (len(cube.zones),):
        raise PortfolioError(f"{shares.size} weights do not stand for {len(cube.zones)} zones")
    pnl = np.zeros((cube.dates.size, len(cube.names)))
    for zone, share in enumerate(shares):  # one zone after the other: a fixed order of addition
        pnl += share * cube.values[:, zone]
    return StrategyReturns(pnl, cube.names, cube.dates)


def zone_alone(cube: ZoneCube, zone: str) -> StrategyReturns:
    """Returns of one zone, a row for each date that has one of it.

    Raises:
        PortfolioError: A zone that the cube does not have.
    """
    place = cube.place(zone)
    dates = np.flatnonzero(cube.present[:, place])
    return StrategyReturns(cube.values[dates, place], cube.names, cube.dates[dates])


def zone_series(cube: ZoneCube, portfolios: Mapping[str, Members]) -> Matrix:
    """Rows of one portfolio a zone, over all dates of the cube.

    Args:
        cube: Sums by date and zone.
        portfolios: Members, shape (k,), by zone.

    Returns:
        Shape (Z', D), zones in the order given: means over members, 0 on dates without a row of
        the zone. The legacy program cut all zones to the shortest instead and so set different
        dates side by side.

    Raises:
        PortfolioError: Zones that the cube does not have, members that are no strategies.
    """
    series = np.zeros((len(portfolios), cube.dates.size))
    for row, (zone, members) in enumerate(portfolios.items()):
        ordered = sorted_members(np.atleast_2d(members), len(cube.names))
        strategies = by_strategy(cube.values[:, cube.place(zone)])
        series[row] = portfolio_series(strategies, ordered)[0]
    return series


def zone_correlation(series: Matrix) -> Matrix:
    """Pearson correlation between portfolios of zones, shape (Z', Z').

    Args:
        series: Shape (Z', D), from :func:`zone_series`.

    Returns:
        1 on the diagonal; a zone whose rows do not vary has 0 everywhere.

    Raises:
        PortfolioError: Rows that are missing or not finite.
    """
    zones = np.arange(series.shape[0])
    return correlation_block(standardised(series.T), zones, zones)


def suggested_allocation(roi: Matrix) -> Matrix:
    """Share of the capital for each zone: ``max(0.01, ROI)`` over its sum (portfolio.md §4).

    Args:
        roi: Shape (Z',), ROI of each zone's portfolio.

    Raises:
        PortfolioError: No zone, or values that are not finite.
    """
    if not roi.size or not np.isfinite(roi).all():
        raise PortfolioError("ROI of zones is finite, of one zone at least")
    counted = np.maximum(LEAST_ROI, roi)
    shares: Matrix = counted / counted.sum()
    return shares


def _by_name(zones: Sequence[str], given: Mapping[str, float]) -> list[float]:
    folded = {_folded(name): weight for name, weight in given.items()}
    wanted = [_folded(zone) for zone in zones]
    lacking = [zone for zone, name in zip(zones, wanted, strict=True) if name not in folded]
    foreign = [name for name in given if _folded(name) not in wanted]
    if lacking or foreign or len(folded) < len(given):
        told = [f"no weight for {', '.join(lacking)}"] if lacking else []
        told += [f"no zone {', '.join(foreign)}"] if foreign else []
        raise PortfolioError(
            "weights by name do not fit the zones: " + ("; ".join(told) or "a zone stands twice"),
            next_step=f"Weigh each of {', '.join(zones)} once",
        )
    return [folded[name] for name in wanted]


def _folded(name: str) -> str:
    return name.lower().replace(" ", "")
