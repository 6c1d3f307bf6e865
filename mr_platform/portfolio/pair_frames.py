"""Statistics of pairs as frames, to be kept and read again to the bit.

Here: :class:`.correlation_tiles.PairStatistics` to frames and back.
Not here: taking them (``correlation_tiles``, ``array_tiles``), files (``gateways``).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import polars as pl

from mr_platform.portfolio.correlation_tiles import PairStatistics
from mr_platform.portfolio.returns import PortfolioError

_FIGURES = {
    "strategies": pl.Int64(),
    "pairs": pl.Int64(),
    "mean": pl.Float64(),
    "mean_abs": pl.Float64(),
    "lowest": pl.Float64(),
    "highest": pl.Float64(),
    "above": pl.Int64(),
}

PAIR_FRAMES: Mapping[str, Mapping[str, pl.DataType]] = {
    "figures": _FIGURES | {"neighbours": pl.Int64()},
    "histogram": {
        "bin": pl.Int64(),
        "low": pl.Float64(),
        "high": pl.Float64(),
        "pairs": pl.Int64(),
    },
    "pairs": {"first": pl.Int32(), "second": pl.Int32(), "rho": pl.Float64()},
    "neighbours": {
        "strategy": pl.Int32(),
        "rank": pl.Int32(),
        "neighbour": pl.Int32(),
        "rho": pl.Float64(),
    },
    "constant": {"strategy": pl.Int64()},
    "duplicates": {"group": pl.Int64(), "strategy": pl.Int64()},
}
"""Frames and their columns; strategies are columns of the returns."""


def frames_of(statistics: PairStatistics) -> dict[str, pl.DataFrame]:
    """The statistics as frames of :data:`PAIR_FRAMES`."""
    bins = statistics.histogram.size
    edges = np.linspace(-1.0, 1.0, bins + 1)
    values: dict[str, Mapping[str, object]] = {
        "figures": {name: [getattr(statistics, name)] for name in _FIGURES}
        | {"neighbours": [statistics.neighbour.shape[1]]},
        "histogram": {
            "bin": np.arange(bins),
            "low": edges[:-1],
            "high": edges[1:],
            "pairs": statistics.histogram,
        },
        "pairs": statistics.pair_frame().to_dict(),
        "neighbours": statistics.neighbour_frame().to_dict(),
        "constant": {"strategy": list(statistics.constant)},
        "duplicates": {
            "group": [n for n, group in enumerate(statistics.duplicates) for _ in group],
            "strategy": [one for group in statistics.duplicates for one in group],
        },
    }
    return {
        name: pl.DataFrame(values[name], schema=dict(columns))
        for name, columns in PAIR_FRAMES.items()
    }


def statistics_of(frames: Mapping[str, pl.DataFrame]) -> PairStatistics:
    """The statistics from their frames, to the bit.

    Args:
        frames: What :func:`frames_of` gave.

    Raises:
        PortfolioError: A frame or a column that is missing or of another type.
    """
    for name, columns in PAIR_FRAMES.items():
        if name not in frames or dict(frames[name].schema) != dict(columns):
            raise PortfolioError(f"frame {name} is missing or has other columns")
    if frames["figures"].height != 1:
        raise PortfolioError("frame figures has more or fewer rows than one")
    figures = frames["figures"].row(0, named=True)
    nearest, pairs = frames["neighbours"], frames["pairs"]
    shape = figures["strategies"], figures.pop("neighbours")
    neighbour, rho = np.full(shape, -1, dtype=np.int32), np.full(shape, np.nan)
    at = nearest["strategy"].to_numpy(), nearest["rank"].to_numpy() - 1
    neighbour[at], rho[at] = nearest["neighbour"].to_numpy(), nearest["rho"].to_numpy()
    groups = frames["duplicates"].group_by("group", maintain_order=True).agg("strategy")
    return PairStatistics(
        **figures,
        histogram=frames["histogram"]["pairs"].to_numpy().copy(),
        first=pairs["first"].to_numpy().copy(),
        second=pairs["second"].to_numpy().copy(),
        rho=pairs["rho"].to_numpy().copy(),
        neighbour=neighbour,
        neighbour_rho=rho,
        constant=tuple(frames["constant"]["strategy"].to_list()),
        duplicates=tuple(map(tuple, groups["strategy"].to_list())),
    )
